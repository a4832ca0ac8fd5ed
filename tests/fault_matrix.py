"""The effects of each fault: a table that is tested and shown in a notebook.

python -m tests.fault_matrix      writes the table into notebooks/sandbox_and_faults.ipynb
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "sandbox_and_faults.ipynb"
BEGIN, END = "<!-- fault matrix: begin -->", "<!-- fault matrix: end -->"


class Cell(NamedTuple):
    """How many requests arrive, what the user sees, and the status in the journal."""

    arrives: int
    sees: str
    journal: str

    def __str__(self) -> str:
        journal = f" · {self.journal}" if self.journal else ""
        return f"{self.arrives} · {self.sees}{journal}"


class Fault(NamedTuple):
    """A fault and its effects on each kind of request."""

    name: str
    kind: int | str
    effect: Cell
    poll: Cell
    look: Cell
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed


UNKNOWN = Cell(1, "We don’t know whether this was generated.", "unknown")
AGAIN = Cell(2, "The service is not responding; retrying.", "accepted, succeeded")
UNUSABLE = "Unexpected response."
UNREACHABLE = Cell(3, "The service cannot be reached.", "")
FAILED = Cell(3, "Service error.", "")


def refused(title: str) -> tuple[Cell, Cell, Cell]:
    """Return the cells of a refused request, which is never retried."""
    return Cell(1, title, "refused"), Cell(1, title, "accepted"), Cell(1, title, "")


FAULTS = (
    Fault("connection dropped", "drop", UNKNOWN, AGAIN, UNREACHABLE),
    Fault("response cut off", "cut", UNKNOWN, AGAIN, UNREACHABLE),
    Fault("no response", "hang", UNKNOWN, AGAIN, UNREACHABLE),
    Fault("408", 408, UNKNOWN, AGAIN, Cell(1, "Request failed.", "")),
    Fault("500", 500, UNKNOWN, AGAIN, FAILED),
    Fault("502", 502, UNKNOWN, AGAIN, FAILED),
    Fault("503 with Retry-After", 503, UNKNOWN, AGAIN, FAILED, {"Retry-After": "0"}),
    Fault("maintenance page", "html", UNKNOWN, AGAIN, Cell(1, UNUSABLE, "")),
    Fault(
        "empty response",
        "empty",
        UNKNOWN,
        Cell(1, UNUSABLE, "accepted"),
        Cell(1, "accepted: all fields are optional", ""),
    ),
    Fault(
        "429",
        429,
        Cell(3, "Too many requests.", "refused"),
        Cell(2, "Rate limited; retrying.", "accepted, succeeded"),
        Cell(3, "Too many requests.", ""),
        {"Retry-After": "0"},
    ),
    Fault("redirect (307)", 307, UNKNOWN, *[Cell(1, UNUSABLE, "accepted")] * 2),
    Fault("400", 400, *refused("Invalid request.")),
    Fault("401", 401, *refused("The API key was rejected.")),
    Fault("402", 402, *refused("Not enough credits.")),
    Fault("403", 403, *refused("Permission denied.")),
    Fault("404", 404, *refused("Not found.")),
    Fault("409", 409, *refused("Not possible right now.")),
    Fault("410", 410, *refused("No longer available.")),
)
NO_CONNECTION = Fault(
    "no connection",
    "",
    Cell(0, "The service cannot be reached.", "refused"),
    Cell(0, "The service is not responding; retrying.", "accepted"),
    Cell(0, "The service cannot be reached.", ""),
)


def markdown() -> str:
    """Return the table as Markdown."""
    head = "| fault | generate, publish, upload | job poll (one fault) | any other request |"
    lines = [head, "|---|---|---|---|"]
    lines += [
        f"| {fault.name} | {fault.effect} | {fault.poll} | {fault.look._replace(journal='')} |"
        for fault in (NO_CONNECTION, *FAULTS)
    ]
    return "\n".join(lines)


def written(text: str) -> str:
    """Return the notebook's text with the current table."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        before, begin, rest = "".join(cell["source"]).partition(BEGIN)
        if begin:
            _, _, after = rest.partition(END)
            shown = f"{before}{BEGIN}\n{markdown()}\n{END}{after}"
            cell["source"] = shown.splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    NOTEBOOK.write_text(written(NOTEBOOK.read_text(encoding="utf-8")), encoding="utf-8")
