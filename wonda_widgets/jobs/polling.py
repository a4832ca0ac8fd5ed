"""When to ask next: pure functions, no clock.

The pace is the service's own (job-polling.txt): ask at once, then after 1 s,
each wait 1.5 times the last one, never more than 5 s, without an overall limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = 1.0
FACTOR = 1.5
LONGEST = 5.0

#: A service that asks for more patience than this is asked again all the same (seconds).
LONGEST_RETRY_AFTER = 60.0

#: A post that waits for its time is asked after this seldom (seconds): somebody may cancel it.
LONGEST_SCHEDULED = 60.0

#: How far along a status is. Words that are not here are newer than this package.
_RANK = {"scheduled": 0, "idle": 1, "queued": 1, "locked": 2, "in_progress": 3}


def delays() -> Iterator[float]:
    """Yield the seconds to wait before each further poll, for ever."""
    delay = FIRST
    while True:
        yield delay
        delay = min(delay * FACTOR, LONGEST)


def retry_delay(delay: float, retry_after: float | None) -> float:
    """Seconds to wait after a poll that failed: the pace, or longer if the service says so."""
    return max(delay, min(retry_after or 0.0, LONGEST_RETRY_AFTER))


def seconds_until_due(delay: float, due_in: float) -> float:
    """Seconds to wait while a post waits for its time: the pace, or longer while that is far."""
    return max(delay, min(due_in, LONGEST_SCHEDULED))


def is_step_back(old: str, new: str) -> bool:
    """Whether `new` is an older status than `old`, told late by a lagging server."""
    return old in _RANK and new in _RANK and _RANK[new] < _RANK[old]
