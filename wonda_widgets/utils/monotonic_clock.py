"""Measure how long ago something happened, by a clock that nobody can set.

The time of day jumps: people set it, the network corrects it, a flat battery loses it. So
what must not happen too early is measured in seconds since this computer started, which all
of its processes share. Seconds of another computer, or of an earlier start, are not
comparable with them; `since` then measures from when this process first asked.
"""

from __future__ import annotations

import time
import uuid
from functools import cache
from pathlib import Path

#: One that also counts while the computer sleeps: of Linux, else of macOS.
_SYSTEM_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
#: Times that are remembered of other clocks.
MAX_FOREIGN_EVENTS = 10_000

_first_seen: dict[str, float] = {}


def seconds() -> float:
    """Give the seconds on `clock`, which only ever grow while it is the same clock."""
    return time.monotonic() if _SYSTEM_CLOCK is None else time.clock_gettime(_SYSTEM_CLOCK)


@cache
def clock_id() -> str:
    """Name the clock that `seconds` reads: one start of one computer.

    Where the system does not tell its starts apart, it is a name of this process alone.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # A container may count from a start of its own.
        return f"{boot}/{linux_namespace('time')}"
    except (OSError, ValueError):
        return uuid.uuid4().hex


@cache
def linux_namespace(kind: str) -> str:
    """Name the Linux namespace of a kind that this process is in; empty where there is none."""
    try:
        return str(Path(f"/proc/self/ns/{kind}").readlink())
    except OSError:
        return ""


def elapsed_since(of_clock: str, then: float, key: str) -> float:
    """Give the seconds, or fewer, that have passed since `then` on a clock.

    Parameters
    ----------
    of_clock : str
        As `clock` named it.
    then : float
        As `seconds` gave it.
    key : str
        Names the event, so that of one on another clock the first look is remembered.
    """
    now = seconds()
    if of_clock == clock_id():
        return max(0.0, now - then)
    if len(_first_seen) >= MAX_FOREIGN_EVENTS and key not in _first_seen:
        _first_seen.clear()  # waits anew, which is never too early
    return max(0.0, now - _first_seen.setdefault(key, now))
