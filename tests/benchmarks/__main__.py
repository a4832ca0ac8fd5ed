"""Run the benchmarks and print one table.

    python -m tests.benchmarks                  # all, about six minutes
    python -m tests.benchmarks --quick          # all, with the fewest repetitions
    python -m tests.benchmarks imports preview  # some

From the repository's root, with the ``test`` extra installed. `preview` needs a
Chromium (see `frontends.browser_path`). Nothing leaves this machine.

Both sides of a comparison are measured in the same run, in turn; the table shows
medians. A goal that is not held is told in the table and is no failure: the exit
status is 0 unless a benchmark crashed. Close what else keeps the machine busy.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time

from . import gallery, imports, main_thread, matrix, messages, preview
from .rows import Row, table

TOPICS = {
    "imports": imports.measure,
    "preview": preview.measure,
    "messages": messages.measure,
    "main_thread": main_thread.measure,
    "gallery": gallery.measure,
    "matrix": matrix.measure,
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("topics", nargs="*", metavar="topic", help=", ".join(TOPICS))
    parser.add_argument("--quick", action="store_true", help="with the fewest repetitions")
    options = parser.parse_args()
    unknown = set(options.topics) - set(TOPICS)
    if unknown:
        parser.error(f"no topic {', '.join(sorted(unknown))}; there are {', '.join(TOPICS)}")
    rows: list[Row] = []
    for topic in options.topics or TOPICS:
        began = time.monotonic()
        print(f"{topic} …", end=" ", file=sys.stderr, flush=True)
        rows += TOPICS[topic](quick=options.quick)
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    python = platform.python_version()
    print(f"Python {python}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores\n")
    print(table(rows))


if __name__ == "__main__":
    main()
