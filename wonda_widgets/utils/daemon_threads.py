"""Run what may never end, on daemon threads of its own, a few at a time.

A thread cannot be made to end. asyncio's own pool has few of them, and the interpreter
joins them when it exits; a daemon's does not keep it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


def start(function: Callable[[], T], name: str) -> concurrent.futures.Future[T]:
    """Run `function` on a daemon thread of that name; the future has what it gives or raises."""
    done: concurrent.futures.Future[T] = concurrent.futures.Future()
    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=(_work, function, done), name=name, daemon=True
    ).start()
    return done


def _work(function: Callable[[], T], done: concurrent.futures.Future[T]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
        done.set_exception(error)
    else:
        done.set_result(result)


class ThreadLimit:
    """So many at once on each loop; whoever comes later waits for a place.

    Parameters
    ----------
    at_once : int
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._free: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = (
            weakref.WeakKeyDictionary()
        )
        self._working: set[asyncio.Task[Any]] = set()  # the loop holds tasks only weakly

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Await ``work()`` in its turn; its place is taken to its end, whoever still waits."""
        free = self._free.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._at_once))
        await free.acquire()
        task = asyncio.get_running_loop().create_task(work())

        def leave(ended: asyncio.Task[T]) -> None:
            free.release()
            self._working.discard(ended)
            if not ended.cancelled():
                ended.exception()  # whoever still waits for it is told

        self._working.add(task)
        task.add_done_callback(leave)
        return await asyncio.shield(task)
