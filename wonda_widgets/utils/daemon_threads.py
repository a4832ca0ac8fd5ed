"""Run blocking work that may never return, on daemon threads, with a concurrency limit.

A hung thread cannot be stopped. asyncio's default executor has few threads and the interpreter
joins them at exit, so a hang there blocks other work and the exit. Daemon threads block neither.
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
    """Run `function` on a new daemon thread and return a future with its result or error.

    Parameters
    ----------
    function : callable
    name : str
        The thread's name.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()
    context = contextvars.copy_context()
    threading.Thread(
        target=context.run, args=(_run_into, future, function), name=name, daemon=True
    ).start()
    return future


def _run_into(future: concurrent.futures.Future[T], function: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - the future raises it to whoever awaits it
        future.set_exception(error)
    else:
        future.set_result(result)


class ConcurrencyLimit:
    """A limit on how many coroutines run at the same time on each event loop.

    Parameters
    ----------
    max_concurrency : int
    """

    def __init__(self, max_concurrency: int) -> None:
        self._max_concurrency = max_concurrency
        self._semaphores: weakref.WeakKeyDictionary[
            asyncio.AbstractEventLoop, asyncio.Semaphore
        ] = weakref.WeakKeyDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()  # the loop has only weak references to tasks

    async def run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Wait for a free slot, then await ``work()``.

        If the caller is canceled, the work continues and keeps its slot until it ends, because its
        thread cannot be stopped.
        """
        loop = asyncio.get_running_loop()
        semaphore = self._semaphores.setdefault(loop, asyncio.Semaphore(self._max_concurrency))
        await semaphore.acquire()
        task = loop.create_task(work())

        def release(task: asyncio.Task[T]) -> None:
            semaphore.release()
            self._tasks.discard(task)
            if not task.cancelled():
                task.exception()  # mark as retrieved, so that asyncio does not warn

        self._tasks.add(task)
        task.add_done_callback(release)
        return await asyncio.shield(task)
