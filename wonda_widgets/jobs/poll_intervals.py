"""The poll interval: how long to wait before the next poll of a job.

The service documents it (job-polling.txt): poll immediately, then after 1 s; each further wait is
1.5 times the last one, up to 5 s; there is no overall limit.

`poller` uses these intervals. Two modules adjust them: `adaptive_polling` polls more often when
jobs of the same model usually end, within the same 1 to 5 s, and `poll_scheduling` prevents many
jobs from being polled at the same moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Seconds.
FIRST_INTERVAL = 1.0
GROWTH = 1.5  # a factor
MAX_INTERVAL = 5.0
MAX_RETRY_AFTER = 60.0  # a longer ``Retry-After`` is not honored
MAX_SCHEDULED_INTERVAL = 60.0  # for a scheduled post, which may be canceled elsewhere


def intervals() -> Iterator[float]:
    """Yield the seconds to wait before each further poll, indefinitely."""
    interval = FIRST_INTERVAL
    while True:
        yield interval
        interval = min(interval * GROWTH, MAX_INTERVAL)


def after_error(interval: float, retry_after: float | None) -> float:
    """Return the seconds to wait after a failed poll: the interval or ``Retry-After``."""
    return max(interval, min(retry_after or 0.0, MAX_RETRY_AFTER))


def until_due(interval: float, due_in: float) -> float:
    """Return the seconds to wait for a scheduled post that is due in `due_in` seconds."""
    return max(interval, min(due_in, MAX_SCHEDULED_INTERVAL))
