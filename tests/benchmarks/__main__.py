"""Run the benchmarks and print one table.

    python -m tests.benchmarks                     # all
    python -m tests.benchmarks --quick             # all, only to see that they run
    python -m tests.benchmarks imports preview     # some
    python -m tests.benchmarks --json FILE         # what was measured, for plots
    python -m tests.benchmarks --against FILE      # and what was held then but is not now

From the repository's root, with the ``test`` extra installed, which
``python3 .ci/setup.py python -m tests.benchmarks`` sees to. Some need a Chromium
(see `frontends.browser_path`). Nothing leaves this machine.

Both sides of a comparison are measured in the same run, in turn. The table shows the median
of each side, and as their ratio the median of the rounds' ratios: what slows the machine for
a while slows both. A goal that is not held is told in the table, with the reason, and is no
failure: the exit status is 0 unless a benchmark crashed. Close what else keeps the
machine busy. ``--quick`` measures four topics at a time with the fewest repetitions, so that
its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from .rows import Row, table

#: Each is a module of this folder with a ``measure(*, quick)``; loaded only when it is asked for.
#: The thin goals of milliseconds come late: a machine that has idled is slow for some minutes.
TOPICS = (
    "many_jobs",
    "matrix",
    "memory",
    "saved",
    "messages",
    "pace",
    "journal",
    "polls",
    "imports",
    "first_paint",
    "click",
    "gallery",
    "plan",
    "preview",
    "videos",
)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("topics", nargs="*", metavar="topic", help=", ".join(TOPICS))
    parser.add_argument("--quick", action="store_true", help="only to see that they run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured")
    parser.add_argument("--against", type=Path, metavar="FILE", help="compare with an earlier run")
    options = parser.parse_args()
    unknown = set(options.topics) - set(TOPICS)
    if unknown:
        parser.error(f"no topic {', '.join(sorted(unknown))}; there are {', '.join(TOPICS)}")
    missing = [name for name in ("fal_client", "msgspec", "playwright") if find_spec(name) is None]
    if missing:
        parser.error(
            f"this Python lacks {', '.join(missing)}. Run `python3 .ci/setup.py python -m "
            "tests.benchmarks`, which installs what the benchmarks need in a place of its own"
        )
    if options.json is not None and not options.json.absolute().parent.is_dir():
        parser.error(f"there is no folder {options.json.absolute().parent}")
    earlier = _earlier(parser, options.against)
    found: dict[str, list[Row]] = {}
    seconds: dict[str, float] = {}

    def measured(topic: str) -> None:
        began = time.monotonic()
        print(f"{topic} …", file=sys.stderr, flush=True)
        try:
            found[topic] = import_module(f".{topic}", __package__).measure(quick=options.quick)
        except Exception:  # noqa: BLE001 - the others are worth their minutes all the same
            print(f"{topic} crashed:\n{traceback.format_exc()}", file=sys.stderr, flush=True)
            return
        seconds[topic] = time.monotonic() - began
        print(f"{topic}: {seconds[topic]:.0f} s", file=sys.stderr, flush=True)

    topics = options.topics or TOPICS
    # A quick run may be disturbed, and ends sooner if the longest topics, the last, come first.
    with ThreadPoolExecutor(4 if options.quick else 1) as pool:
        list(pool.map(measured, reversed(topics) if options.quick else topics))
    found = {topic: found[topic] for topic in topics if topic in found}
    machine = (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores"
    )
    print(machine + "\n")
    if options.quick:
        print("Only to see that all runs (--quick): the figures mean nothing.\n")
    print(table([row for rows in found.values() for row in rows]))
    if earlier is not None:
        print("\n" + _compared(earlier, found))
    if options.json is not None:
        told = {
            "machine": machine,
            "at": time.strftime("%Y-%m-%d %H:%M"),
            "quick": options.quick,
            "seconds": {topic: round(took) for topic, took in seconds.items()},
            "topics": {topic: [row.plain() for row in rows] for topic, rows in found.items()},
        }
        text = json.dumps(told, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    sys.exit(1 if len(found) < len(topics) else 0)


def _earlier(parser: argparse.ArgumentParser, path: Path | None) -> dict[str, object] | None:
    """What an earlier run told."""
    if path is None:
        return None
    try:
        told: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
        told["at"], told["topics"]
    except (OSError, ValueError, LookupError, TypeError):
        parser.error(f"{path} cannot be read as what --json wrote")
    return told


def _compared(before: dict[str, object], found: dict[str, list[Row]]) -> str:
    """Which goals were held in one run and not in the other."""
    topics: dict[str, list[dict[str, object]]] = before["topics"]  # type: ignore[assignment]
    then = {(topic, row["what"]): row["held"] for topic, rows in topics.items() for row in rows}
    now = {(topic, row.what): row.held for topic, rows in found.items() for row in rows}
    both = [name for name in now if name in then and now[name] is not None]
    changed = [name[1] for name in both if now[name] != then[name]]
    verdict = "; ".join(changed) or "none"
    return f"Of {len(both)} goals, held in one run only (the other of {before['at']}): {verdict}"


if __name__ == "__main__":
    main()
