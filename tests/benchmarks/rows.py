"""Shared by the benchmarks: a row of the table, and an environment without a key."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

KEY = "sk_" + "5a" * 32  # of nobody
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
    why : str
        Why it is not held, where it is known not to be; printed only if it is not.
    points : dict
        What a plot draws of it, as plain JSON.
    """

    what: str
    ours: str
    theirs: str = ""
    value: float | None = None
    goal: float | None = None
    why: str = ""
    points: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def ratio(cls, what: str, ours: list[float], theirs: list[float], goal: float) -> Row:
        """A comparison of durations in seconds, of rounds: each side's median, and their ratio."""
        shown = (duration(median(side)) for side in (ours, theirs))
        return cls(what, *shown, value=side_by_side(ours, theirs), goal=goal)

    @property
    def held(self) -> bool | None:
        """Whether the goal is; None without one."""
        return None if self.value is None or self.goal is None else self.value <= self.goal

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns of the table."""
        if self.held is None:
            return self.what, self.ours, self.theirs, self.shown, "", ""
        held = "held" if self.held else "NOT HELD"
        return self.what, self.ours, self.theirs, self.shown, f"<= {self.goal:,g}", held

    @property
    def shown(self) -> str:
        """The value, for people: with no more digits than it is worth."""
        if self.value is None:
            return ""
        digits = 0 if self.value >= 100 else 1 if self.value >= 10 else 2
        while self.held is False and round(self.value, digits) <= (self.goal or 0):
            digits += 1  # what is missed is not told as what was wanted
        return f"{self.value:,.{digits}f}".removesuffix(".00").removesuffix(".0")

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {**dataclasses.asdict(self), "held": self.held, "shown": self.shown}


def table(rows: list[Row]) -> str:
    """All rows, in columns, and below them why some are not held."""
    lines = [HEADINGS, *(row.cells for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    padded = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    reasons = [
        f"{row.what}: {row.why or 'not explained yet.'}" for row in rows if row.held is False
    ]
    return "\n".join([*padded, *([""] if reasons else []), *reasons])


def side_by_side(ours: list[float], theirs: list[float]) -> float:
    """The typical ratio of two measurements of one round; what slows the machine slows both."""
    return median(mine / other for mine, other in zip(ours, theirs, strict=True))


def duration(seconds: float) -> str:
    """For people."""
    if seconds >= 1:
        return f"{seconds:,.1f} s"
    return f"{seconds * 1000:,.{1 if seconds >= 0.01 else 2}f} ms"


def percentile(values: list[float], part: float) -> float:
    """The value below which a part (0 to 1) of all lies."""
    return sorted(values)[int(part * (len(values) - 1))]


def keyless() -> dict[str, str]:
    """This process's environment without a key or address of the service."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WONDA", "WONDERCAT"))
    }
    return {**kept, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
