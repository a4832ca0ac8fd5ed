"""Renew the README's table from what a full run wrote: ``python -m tests.benchmarks.readme``."""

from __future__ import annotations

import json
from typing import Any

from .rows import ROOT

TOLD = ROOT / "notebooks" / "benchmarks.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

#: For people: what a line is called, the topic, and how its line in the table begins.
LINES = (
    ("CPU of a poll, with journal and progress bar; the cheapest client", "polls", "CPU of"),
    ("From done to known, on average; the page's pace", "pace", "lag of a job's end, spread 0.25"),
    ("500 jobs at once: main thread held (99 %); a bare loop", "many_jobs", "500 jobs: main"),
    ("500 jobs at once: CPU", "many_jobs", "500 jobs: CPU"),
    ("500 jobs at once: memory", "many_jobs", "500 jobs: memory above"),
    ("2,000 jobs at once: from done to known (99 %)", "many_jobs", "2,000 jobs: lag"),
    ("A click on *Generate* until the request arrives; a bare POST", "click", "click on"),
    ("A 12 MB 4K picture painted, detailed; `ipywidgets.Image`", "preview", "busy picture"),
    ("Messages of a whole Studio for a job of 30 s", "messages", "of the whole Studio"),
    ("Kernel memory, 1,000 pictures of 4K later", "memory", "memory of the kernel"),
    ("A notebook with 20 such pictures, saved; `ipywidgets.Image`", "saved", "saved notebook"),
    ("`import wonda_widgets`; `import ipywidgets`", "imports", "import wonda_widgets"),
    ("`ww.Studio()` in sight, in JupyterLab", "first_paint", "Studio's first paint"),
    ("The journal, CPU of a job's whole life", "journal", "journal: CPU"),
)  # fmt: skip


def table(told: dict[str, Any]) -> str:
    """The table, as Markdown."""
    lines = ["| what | wonda_widgets | otherwise | |", "|---|---|---|---|"]
    for name, topic, begins in LINES:
        rows = told["topics"][topic]
        row = next(row for row in rows if row["what"].strip().startswith(begins))
        verdict = {True: "held", False: "not held", None: ""}[row["held"]]
        lines.append(f"| {name} | {row['ours']} | {row['theirs']} | {verdict} |")
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
