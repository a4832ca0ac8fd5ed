"""Run the benchmarks and print one table.

    python -m tests.benchmarks                     # all
    python -m tests.benchmarks --quick             # all, only to see that they run
    python -m tests.benchmarks imports preview     # some
    python -m tests.benchmarks --json FILE         # what was measured, for plots
    python -m tests.benchmarks --against FILE      # and what was held then but is not now

From the repository's root, with the ``test`` extra installed. Some need a Chromium
(see `frontends.browser_path`). Nothing leaves this machine.

Both sides of a comparison are measured in the same run, in turn; the table shows
medians. A goal that is not held is told in the table, with the reason, and is no
failure: the exit status is 0 unless a benchmark crashed. Close what else keeps the
machine busy. ``--quick`` measures two topics at a time with the fewest repetitions, so that
its figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

from .rows import Row, table

#: Each is a module of this folder with a ``measure(*, quick)``; loaded only when it is asked for.
TOPICS = (
    "imports",
    "first_paint",
    "click",
    "preview",
    "messages",
    "pace",
    "polls",
    "many_jobs",
    "journal",
    "memory",
    "saved",
    "gallery",
    "matrix",
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
    seconds: dict[str, float] = {}

    def measured(topic: str) -> list[Row]:
        began = time.monotonic()
        rows: list[Row] = import_module(f".{topic}", __package__).measure(quick=options.quick)
        seconds[topic] = time.monotonic() - began
        print(f"{topic}: {seconds[topic]:.0f} s", file=sys.stderr, flush=True)
        return rows

    topics = options.topics or TOPICS
    # What only is to run may be disturbed; what is measured may not.
    with ThreadPoolExecutor(2 if options.quick else 1) as pool:
        found = dict(zip(topics, pool.map(measured, topics), strict=True))
    machine = (
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores"
    )
    print(machine + "\n")
    print(table([row for rows in found.values() for row in rows]))
    if options.against is not None:
        print("\n" + _compared(json.loads(options.against.read_text(encoding="utf-8")), found))
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


def _compared(before: dict[str, object], found: dict[str, list[Row]]) -> str:
    """Which goals were held in one run and not in the other."""
    topics: dict[str, list[dict[str, object]]] = before["topics"]  # type: ignore[assignment]
    then = {(topic, row["what"]): row["held"] for topic, rows in topics.items() for row in rows}
    now = {(topic, row.what): row.held for topic, rows in found.items() for row in rows}
    both = [name for name in now if name in then and now[name] is not None]
    changed = [what for topic, what in both if now[topic, what] != then[topic, what]]
    verdict = "; ".join(changed) or "none"
    return f"Of {len(both)} goals, held in one run only (the other of {before['at']}): {verdict}"


if __name__ == "__main__":
    main()
