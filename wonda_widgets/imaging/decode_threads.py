"""Decode images in daemon threads, with limits on time and concurrency.

A thread that decodes cannot be stopped. After its deadline, the caller gets an error and the
thread's slot is free again. The thread is a daemon, so it does not keep the process from
exiting. If `MAX_CONCURRENCY` threads are past their deadline, no new ones start, so there are
never more than twice `MAX_CONCURRENCY` threads. Other work, such as reading files, uses
`event_loop.to_thread`.
"""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from ..errors import UnsafeMediaError
from ..utils import daemon_threads

if TYPE_CHECKING:
    import concurrent.futures
    from collections.abc import Callable
    from typing import Any

T = TypeVar("T")

#: For one image, without waiting for a slot. A large image takes about a second.
TIMEOUT_SECONDS = 20.0
#: For an edit, which may also encode 25 million pixels.
EDIT_TIMEOUT_SECONDS = 180.0
MAX_CONCURRENCY = min(8, (os.cpu_count() or 1) + 2)

_limit = daemon_threads.ConcurrencyLimit(MAX_CONCURRENCY)
_stuck: set[concurrent.futures.Future[Any]] = set()  # still running after their deadline

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stuck.clear)  # a child has none of these threads


class DecodeTimeoutError(UnsafeMediaError):
    """Decoding took too long; the image itself may be valid."""


async def run(function: Callable[..., T], *args: Any, seconds: float | None = None) -> T:
    """Run a function that decodes an image in a thread, and wait for its result.

    Parameters
    ----------
    function : callable
    *args
        Its arguments.
    seconds : float, optional
        Time limit, without waiting for a slot. Default: `TIMEOUT_SECONDS`.

    Raises
    ------
    DecodeTimeoutError
        If the function takes longer, or too many threads are stuck.
    """
    _refuse_if_crowded()
    # The slot remains in use until the function ends, even if the caller is canceled.
    timeout = TIMEOUT_SECONDS if seconds is None else seconds
    return await _limit.run(partial(_within, timeout, partial(function, *args)))


def _refuse_if_crowded() -> None:
    if len(_stuck) >= MAX_CONCURRENCY:
        raise DecodeTimeoutError(
            f"{len(_stuck)} other images have been opening for too long, so this was not opened.",
            "Try again in a minute. If that does not help, restart the kernel. "
            "wonda.media.download(media) returns its bytes.",
        )


async def _within(seconds: float, function: Callable[[], T]) -> T:
    _refuse_if_crowded()  # others may have become stuck while this one waited for a slot
    done = daemon_threads.start(function, "image-decoding")
    try:
        async with asyncio.timeout(seconds) as limit:
            return await asyncio.wrap_future(done)
    except TimeoutError:
        if not limit.expired():
            raise
    _stuck.add(done)
    done.add_done_callback(_stuck.discard)  # runs immediately if the thread has just ended
    raise timeout_error(seconds)


def timeout_error(seconds: float) -> DecodeTimeoutError:
    """Create the error for an image that takes too long to decode."""
    return DecodeTimeoutError(
        f"The image takes longer than {seconds:g} s to open.",
        "wonda.media.download(media) returns its bytes.",
    )
