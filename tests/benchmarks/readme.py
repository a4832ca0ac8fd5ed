"""Renew the README's table from what a full run wrote: ``python -m tests.benchmarks.readme``."""

from __future__ import annotations

import json
from typing import Any

from .rows import ROOT

TOLD = ROOT / "notebooks" / "benchmarks.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

#: For people: what a line is called, what stands beside, the unit of its goal; then the topic
#: and how its line begins.
LINES = (
    (
        "A poll, with journal and progress bar: CPU",
        "the cheapest of three published clients",
        "×",
        ("polls", "CPU of"),
    ),
    (
        "From done to known, on average (computed for jobs of which two in three take 30 to 49 s)",
        "the pace that the service's page asks for",
        "×",
        ("pace", "lag of a job's end, spread 0.25"),
    ),
    (
        "500 jobs: the main thread is held up, 99 % of the time by less than",
        "a bare loop",
        "ms",
        ("many_jobs", "500 jobs: main"),
    ),
    ("500 jobs: CPU", "a bare loop", "×", ("many_jobs", "500 jobs: CPU")),
    (
        "500 jobs: memory above an idle client",
        "a bare loop",
        "MB",
        ("many_jobs", "500 jobs: memory above"),
    ),
    (
        "2,000 jobs: from done to known, 99 % within",
        "",
        "s",
        ("many_jobs", "2,000 jobs: lag"),
    ),
    ("From a click on *Generate* to its request", "", "ms", ("click", "click on")),
    (
        "A 12 MB 4K image painted, the worse of two kinds",
        "",
        "×",
        ("preview", "image painted"),
    ),
    ("Messages to the browser, a job of 30 s", "", "", ("messages", "messages of the whole")),
    (
        "Kernel memory after 1,000 images of 4K",
        "",
        "MB more",
        ("memory", "memory of the kernel"),
    ),
    (
        "A saved notebook with 20 of them",
        "`ipywidgets.Image`",
        "%",
        ("saved", "saved notebook"),
    ),
    ("`import wonda_widgets`", "`import ipywidgets`", "×", ("imports", "import wonda_widgets")),
    (
        "`import wonda_widgets as ww; ww.Studio()`, without a page",
        "`import ipywidgets, httpx`",
        "×",
        ("imports", "import to ww.Studio()"),
    ),
    (
        "`ww.Studio()` in sight in JupyterLab",
        "",
        "ms",
        ("first_paint", "Studio's first paint after"),
    ),
    (
        "The same, with its import in the same cell",
        "",
        "",
        ("first_paint", "Studio's first paint with"),
    ),
    (
        "The journal, a job's whole life: CPU",
        "",
        "ms",
        ("journal", "journal: CPU"),
    ),
)


def table(told: dict[str, Any]) -> str:
    """The table, as Markdown, and why a goal is not held."""
    lines = ["| what | wonda_widgets | otherwise | measured, of at most |", "|---|---|---|---|"]
    missed = []
    for name, beside, unit, (topic, begins) in LINES:
        rows = told["topics"][topic]
        row = next(row for row in rows if row["what"].startswith(begins))
        goal = "" if row["held"] is None else f"{row['shown']} of {row['goal']:g} {unit}".rstrip()
        goal += {True: ", held", False: ", **not held**", None: ""}[row["held"]]
        theirs, more, rest = row["theirs"].partition(";")
        theirs = f"{beside}: {theirs}" if beside else theirs
        lines.append(f"| {name} | {row['ours']} | {theirs}{more}{rest} | {goal} |")
        if row["held"] is False:
            missed.append(f"Not held: *{name}*. {row['why'].partition('. ')[0].rstrip('.')}.")
    lines += ["", f"{told['machine']}, {told['at'][:10]}.", *missed]
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
