"""Format durations and untrusted text for display."""

from __future__ import annotations

MAX_LINE_LENGTH = 200  # characters
MAX_MESSAGE_LENGTH = 1_000  # characters that are kept of an error message of the service


def format_duration(seconds: float) -> str:
    """Format seconds, e.g. ``"31 s"`` or ``"2 min 05 s"``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def one_line(text: str) -> str:
    """Make untrusted text safe to print: one line, no control characters, limited length."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(printable.split())
    return line if len(line) <= MAX_LINE_LENGTH else line[: MAX_LINE_LENGTH - 1] + "…"
