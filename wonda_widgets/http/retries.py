"""When to try again: how often, and after what pause."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Sleep = Callable[[float], Awaitable[object]]

TRIES = 3  # of a request that may be repeated
FIRST_PAUSE = 0.5  # seconds before the second try, doubled for the third
LONGEST_PAUSE = 20.0  # seconds; where the service asks for more, its error is shown instead


async def delay(sleep: Sleep, attempt: int, retry_after: float | None) -> bool:
    """Wait after the `attempt`-th try; False, at once, if there is none more, or not so soon."""
    if attempt == TRIES or (retry_after or 0) > LONGEST_PAUSE:
        return False
    spread = 1 + random.random() / 4  # noqa: S311 - so that many clients do not come at once
    await sleep(max(FIRST_PAUSE * 2 ** (attempt - 1) * spread, retry_after or 0))
    return True
