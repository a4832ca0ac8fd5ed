"""The number of attempts per request, and the wait before the next one.

The loops are in `Transport.post` and `Transport._with_retries`. They retry after these failures:

- **no connection, a 429 or a 5xx**, for requests that change nothing (GET, DELETE, estimates);
- **no connection, or a 429 from the service itself**, for a POST that takes effect: it certainly
  had no effect. After any other failure, it may have had one, so it is never sent again.

Polls are not retried here: `jobs.poller` waits for the next poll.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Sleep = Callable[[float], Awaitable[object]]

TRIES = 3
FIRST_DELAY = 0.5  # seconds before the second attempt; doubled before the third
MAX_DELAY = 20.0  # seconds; if the service asks for more, its error is raised instead


async def wait_before_retry(sleep: Sleep, attempt: int, retry_after: float | None) -> bool:
    """Wait after attempt number `attempt`.

    Parameters
    ----------
    sleep : callable
        Awaitable sleep in seconds.
    attempt : int
        The number of the attempt; the first is 1.
    retry_after : float or None
        The seconds in the response's ``Retry-After`` header.

    Returns
    -------
    bool
        False, returned immediately, if there is no further attempt.
    """
    if attempt == TRIES or (retry_after or 0) > MAX_DELAY:
        return False
    jitter = 1 + random.random() / 4  # noqa: S311 - so that clients do not retry all at once
    await sleep(max(FIRST_DELAY * 2 ** (attempt - 1) * jitter, retry_after or 0))
    return True
