"""Decode off the loop, on threads that nothing else waits for, and for so long only.

Pillow gives back control only now and then, so a thread cannot be made to end. But nobody
waits for it longer than its deadline, it leaves its place to the next one then, and as a
daemon it does not keep the process from exiting. If as many are stuck as may work at once,
no more are begun until one of them ends, so there are never more than twice `AT_ONCE` threads.
Reading files, uploads and the keyring have threads of their own (`event_loop.to_thread`).
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

#: For one image, from its turn on. A large one takes about a second.
SECONDS = 20.0
#: For an edit, which may also encode 25 million pixels.
EDIT_SECONDS = 180.0
AT_ONCE = min(8, (os.cpu_count() or 1) + 2)

_places = daemon_threads.ConcurrencyLimit(AT_ONCE)
_stuck: set[concurrent.futures.Future[Any]] = set()  # past their deadline, and not at their end

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_stuck.clear)  # a child has none of these threads


class DecodeTimeoutError(UnsafeMediaError):
    """An image that was not decoded to its end; nothing is known against it."""


async def run(function: Callable[..., T], *args: Any, seconds: float | None = None) -> T:
    """Run what decodes an image in a thread, and wait for it until its deadline.

    Parameters
    ----------
    function : callable
    *args
    seconds : float, optional
        From its turn on; without it, `SECONDS`.

    Raises
    ------
    GivenUpError
        If it takes longer, or too many are stuck already.
    """
    _refuse_if_crowded()
    # Whoever asked may be gone before it ends; its place is taken until then.
    limit = SECONDS if seconds is None else seconds
    return await _places.run(partial(_within, limit, partial(function, *args)))


def _refuse_if_crowded() -> None:
    if len(_stuck) >= AT_ONCE:
        raise DecodeTimeoutError(
            f"{len(_stuck)} other images have been opening for too long, so this was not opened.",
            "Try again in a minute; if it stays so, restart the kernel. "
            "wonda.media.download(media) gives its bytes.",
        )


async def _within(seconds: float, function: Callable[[], T]) -> T:
    _refuse_if_crowded()  # others may have got stuck while it waited for its turn
    done = daemon_threads.start(function, "image-decoding")
    try:
        async with asyncio.timeout(seconds) as limit:
            return await asyncio.wrap_future(done)
    except TimeoutError:
        if not limit.expired():
            raise
    _stuck.add(done)
    done.add_done_callback(_stuck.discard)  # at once, if it has ended just now
    raise too_slow(seconds)


def too_slow(seconds: float) -> DecodeTimeoutError:
    """Say that an image was given up."""
    return DecodeTimeoutError(
        f"The image takes longer than {seconds:g} s to open, so it was given up.",
        "wonda.media.download(media) gives its bytes.",
    )
