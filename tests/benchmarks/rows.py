"""What the benchmarks share: a row of the table, and an environment without a key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEADINGS = ("what", "ours", "theirs", "ratio or value", "goal", "")


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes
    ----------
    what : str
    ours, theirs : str
        The two sides of the comparison, for people.
    value : float or None
        What the goal is about, a ratio or a number; None tells something beside.
    goal : float or None
        The most that `value` may be.
    """

    what: str
    ours: str
    theirs: str = ""
    value: float | None = None
    goal: float | None = None

    @classmethod
    def ratio(cls, what: str, ours: float, theirs: float, goal: float) -> Row:
        """A comparison of two durations in seconds."""
        shown = (f"{seconds * 1000:.1f} ms" for seconds in (ours, theirs))
        return cls(what, *shown, value=ours / theirs, goal=goal)

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns of the table."""
        value = "" if self.value is None else f"{self.value:,.2f}".removesuffix(".00")
        if self.value is None or self.goal is None:
            return self.what, self.ours, self.theirs, value, "", ""
        held = "held" if self.value <= self.goal else "NOT HELD"
        return self.what, self.ours, self.theirs, value, f"<= {self.goal:,g}", held


def table(rows: list[Row]) -> str:
    """All rows, in columns."""
    lines = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)


def keyless() -> dict[str, str]:
    """This process's environment without a key or address of the service."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WONDA", "WONDERCAT"))
    }
    return {**kept, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
