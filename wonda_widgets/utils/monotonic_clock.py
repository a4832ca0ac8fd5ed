"""Measure elapsed time with a clock that cannot be set, even across processes and kernels.

The time of day can jump: the user or the network sets it, or an empty battery resets it. Waits that
must not end too early are therefore measured in seconds since this computer started, which all
of its processes share. Readings of another computer or an earlier start cannot be compared with
them, so `elapsed_since` counts from the first time this process saw such a reading.
"""

from __future__ import annotations

import time
import uuid
from functools import cache
from pathlib import Path

#: A clock that also counts while the computer sleeps (Linux, else macOS); None on Windows.
_SYSTEM_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
#: The maximum number of remembered readings of foreign clocks.
MAX_FOREIGN_EVENTS = 10_000

_first_seen: dict[str, float] = {}


def seconds() -> float:
    """Return the current reading of the clock that `clock_id` identifies."""
    return time.monotonic() if _SYSTEM_CLOCK is None else time.clock_gettime(_SYSTEM_CLOCK)


@cache
def clock_id() -> str:
    """Return an ID of the clock that `seconds` reads: one start of one computer.

    If the system has no ID for its start, the ID is valid only in this process.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # A container with its own time namespace may count from another start.
        return f"{boot}/{linux_namespace('time')}"
    except (OSError, ValueError):
        return uuid.uuid4().hex


@cache
def linux_namespace(kind: str) -> str:
    """Return the ID of this process's Linux namespace of a kind; empty if there is none."""
    try:
        return str(Path(f"/proc/self/ns/{kind}").readlink())
    except OSError:
        return ""


def elapsed_since(clock: str, reading: float, event: str) -> float:
    """Return a lower bound of the seconds since a reading of a clock.

    Parameters
    ----------
    clock : str
        The `clock_id` of the reading.
    reading : float
        The value that `seconds` returned at that time.
    event : str
        A unique name, under which the first use of a foreign clock's reading is remembered.
    """
    now = seconds()
    if clock == clock_id():
        return max(0.0, now - reading)
    if len(_first_seen) >= MAX_FOREIGN_EVENTS and event not in _first_seen:
        _first_seen.clear()  # those waits start over, so none ends too early
    return max(0.0, now - _first_seen.setdefault(event, now))
