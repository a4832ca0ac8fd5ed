"""How often a request is tried, and how long to wait before the next try.

`Transport` tries again after these failures:

- **no connection, a 429 or a 5xx**, for requests that change nothing (GET, DELETE, estimates);
- **no connection, or a 429 of the service itself**, for a POST that takes effect. It certainly
  had no effect then. After any other failure it may have had one, so it is never sent again.

Polls are not tried again here: `jobs.poller` waits for the next poll.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Sleep = Callable[[float], Awaitable[object]]

TRIES = 3
FIRST_DELAY = 0.5  # seconds before the second try; doubled before the third
MAX_DELAY = 20.0  # seconds; if the service asks for more, its error is raised instead


async def wait_before_retry(sleep: Sleep, attempt: int, retry_after: float | None) -> bool:
    """Wait after try number `attempt`.

    Parameters
    ----------
    sleep : callable
        Awaitable sleep in seconds.
    attempt : int
        The first is 1.
    retry_after : float or None
        Seconds that the service asks for.

    Returns
    -------
    bool
        False, at once, if there is no further try.
    """
    if attempt == TRIES or (retry_after or 0) > MAX_DELAY:
        return False
    jitter = 1 + random.random() / 4  # noqa: S311 - so that clients do not retry all at once
    await sleep(max(FIRST_DELAY * 2 ** (attempt - 1) * jitter, retry_after or 0))
    return True
