"""Renew the README's table from what a full run wrote: ``python -m tests.benchmarks.readme``."""

from __future__ import annotations

import json
from typing import Any

from .rows import ROOT

TOLD = ROOT / "notebooks" / "benchmarks.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

#: For people: what a line is called, what stands beside, the topic, how its line begins.
LINES = (
    ("A poll, with journal and progress bar: CPU", "the cheapest client", "polls", "CPU of"),
    (
        "From done to known, on average",
        "the page's pace",
        "pace",
        "lag of a job's end, spread 0.25",
    ),
    ("500 jobs: main thread held, 99 %", "a bare loop", "many_jobs", "500 jobs: main"),
    ("500 jobs: CPU", "a bare loop", "many_jobs", "500 jobs: CPU"),
    ("500 jobs: memory", "a bare loop", "many_jobs", "500 jobs: memory above"),
    ("2,000 jobs: from done to known, 99 %", "", "many_jobs", "2,000 jobs: lag"),
    ("From a click on *Generate* to its request", "", "click", "click on"),
    ("A 12 MB 4K picture painted", "", "preview", "picture painted"),
    ("Messages to the browser, a job of 30 s", "", "messages", "of the whole Studio"),
    ("Kernel memory after 1,000 pictures of 4K", "", "memory", "memory of the kernel"),
    ("A saved notebook with 20 of them", "`ipywidgets.Image`", "saved", "saved notebook"),
    ("`import wonda_widgets`", "`import ipywidgets`", "imports", "import wonda_widgets"),
    ("`ww.Studio()` in sight in JupyterLab", "", "first_paint", "Studio's first paint"),
    ("The journal, a job's whole life: CPU", "", "journal", "journal: CPU"),
)


def table(told: dict[str, Any]) -> str:
    """The table, as Markdown."""
    lines = ["| what | wonda_widgets | otherwise | goal |", "|---|---|---|---|"]
    for name, beside, topic, begins in LINES:
        rows = told["topics"][topic]
        row = next(row for row in rows if row["what"].strip().startswith(begins))
        verdict = {True: "held", False: "not held", None: ""}[row["held"]]
        theirs, more, rest = row["theirs"].partition(";")
        theirs = f"{beside}: {theirs}" if beside else theirs
        lines.append(f"| {name} | {row['ours']} | {theirs}{more}{rest} | {verdict} |")
    return "\n".join(lines)


def main() -> None:
    """Write it."""
    text = README.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    told = json.loads(TOLD.read_text(encoding="utf-8"))
    README.write_text(f"{before}{BEGIN}\n{table(told)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
