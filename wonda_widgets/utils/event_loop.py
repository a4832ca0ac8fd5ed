"""The one background event loop, and the only room that knows threads.

Jobs are polled here, so that they go on while a cell is busy and whatever the
caller's own loop does. Blocking calls and awaits are both thin bridges to it:

- `call` blocks the caller's thread, for `Wonda`;
- `bridge` awaits from any other event loop, for `AsyncWonda`;
- `spawn` and `post` hand work over and return at once, for widgets, whose
  handlers must never wait.

A daemon thread is used rather than a pool: a pool's thread is joined when the
interpreter exits, which would hang for as long as a job is followed.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import contextlib
import os
import queue
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import sniffio

from ..errors import ClosedError, NoEventLoopError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

T = TypeVar("T")


class Closed(Protocol):
    """Something with connections."""

    async def aclose(self) -> None:
        """Close them."""


class Renewed(Protocol):
    """Something with locks, semaphores or tasks, which belong to one process and its loop."""

    def renew(self) -> None:
        """Begin with new ones, in a child: nobody frees the old ones there. It must not wait."""


_start = threading.Lock()
_begun: set[asyncio.Task[Any]] = set()
_ended = threading.Event()
_abandoned: list[object] = []

# `%autoreload` runs this file again in the same module; the loop on which everything lives stays.
_current: tuple[int, asyncio.AbstractEventLoop] | None = globals().get("_current")

#: What holds locks and tasks, and renews them in a forked child.
_renewed: weakref.WeakSet[Renewed] = globals().get("_renewed") or weakref.WeakSet()

#: What has connections, which are closed at the interpreter's end.
_closed_at_end: weakref.WeakSet[Closed] = globals().get("_closed_at_end") or weakref.WeakSet()

#: Seconds for that; a service need not answer to it.
CLOSING = 0.5

#: A blocking wait wakes this often (seconds), because Windows cannot interrupt a longer one.
WAKE = 0.5


def loop() -> asyncio.AbstractEventLoop:
    """The package's loop, started when first needed, and again in a forked child."""
    global _current  # noqa: PLW0603 - one loop a process
    with _start:
        if _current is None or _current[0] != os.getpid():
            fresh = asyncio.new_event_loop()
            thread = threading.Thread(target=_run, args=(fresh,), name="wonda-widgets", daemon=True)
            thread.start()
            atexit.register(_stop, fresh, thread)
            _current = (os.getpid(), fresh)
        return _current[1]


def _run(fresh: asyncio.AbstractEventLoop) -> None:
    """Run the loop, in a thread of its own."""
    # httpx's transport asks several times a request which async library it runs under. Where
    # sniffio is missing, each answer is an import that fails, a third of what a poll costs.
    sniffio.thread_local.name = "asyncio"
    fresh.run_forever()


def _forked() -> None:
    """Forget, in a child, what belongs to the parent: its lock may be held, its tasks never end."""
    global _start, _ended
    _start, _ended = threading.Lock(), threading.Event()
    _abandoned.extend([_current, *_begun])
    _begun.clear()
    for each in list(_renewed):
        each.renew()


def close_at_end(owner: Closed) -> None:
    """Have ``owner.aclose()`` called when the interpreter ends, if it still lives then."""
    _closed_at_end.add(owner)


def reset_after_fork(owner: Renewed) -> None:
    """Have ``owner.renew()`` called in each child of a fork, for as long as it lives."""
    _renewed.add(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def drop_tasks(what: object) -> None:
    """Keep what belongs to the parent of a fork, so that this process neither uses nor ends it."""
    _abandoned.append(what)


def _stop(ending: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    async def cancel_all() -> None:
        # What was handed over already may begin more of them.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)
        # Else they are a ResourceWarning each.
        closing = [asyncio.ensure_future(each.aclose()) for each in list(_closed_at_end)]
        if closing:
            _, late = await asyncio.wait(closing, timeout=CLOSING)
            for each in late:
                each.cancel()
            await asyncio.gather(*closing, return_exceptions=True)
        await asyncio.sleep(0)  # asyncio closes a socket in the next turn of the loop

    if not thread.is_alive():  # a forked child inherits the hook but not the thread
        return
    _ended.set()
    with contextlib.suppress(Exception):
        asyncio.run_coroutine_threadsafe(cancel_all(), ending).result(1)
    ending.call_soon_threadsafe(ending.stop)
    thread.join(1)
    if not thread.is_alive():
        ending.close()


def on_loop() -> bool:
    """Whether the caller runs on the package's loop."""
    try:
        return asyncio.get_running_loop() is loop()
    except RuntimeError:
        return False


def spawn(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start `work` on the loop and return at once.

    Raises
    ------
    ClosedError
        If the interpreter is ending; `work` was not begun.
    """
    if not _ended.is_set():
        with contextlib.suppress(RuntimeError):  # it began to end just now
            return asyncio.run_coroutine_threadsafe(work, loop())
    work.close()  # else it is a warning that nobody awaited it
    if threading.current_thread().daemon and not on_loop():
        threading.Event().wait()  # no noise, as in `result`
    raise ClosedError("The interpreter is ending, so nothing was sent.")


def call_soon(function: Callable[[], object]) -> None:
    """Have `function` called on the loop soon, in the order of posting."""
    call_soon_on(loop(), function)


def spawn_detached(work: Callable[..., Coroutine[Any, Any, object]], *args: Any) -> None:
    """Start ``work(*args)`` on the loop, for nobody to wait for."""

    def start() -> None:
        task = asyncio.get_running_loop().create_task(work(*args))
        _begun.add(task)  # the loop itself holds tasks only weakly
        task.add_done_callback(_begun.discard)

    call_soon(start)


def shielded(work: Awaitable[T]) -> asyncio.Future[T]:
    """Give what to await for work that goes on, if need be with nobody to await it.

    A fault of it that comes after that is nobody's, and not a warning of asyncio's.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(_know)
    return asyncio.shield(task)


def _know(ended: asyncio.Future[Any]) -> None:
    if not ended.cancelled():
        ended.exception()  # whoever still waits for it is told


def run_blocking(work: Coroutine[Any, Any, T], *, interrupted: str | None = None) -> T:
    """Run `work` on the loop and wait for its result.

    An interrupt cancels it; but what takes effect (with `interrupted`, which says
    where to look) goes on to its end, and the interrupt says so.
    """
    if on_loop():
        work.close()
        raise RuntimeError(
            "A blocking Wonda call was made on the package's own event loop, where it would "
            "wait for itself. Use AsyncWonda in callbacks."
        )
    future = spawn(work)
    try:
        return wait_for_result(future)
    except KeyboardInterrupt as interrupt:
        if interrupted is None:
            future.cancel()
        else:
            interrupt.add_note(f"The request may have been sent. {interrupted}")
        raise


def wait_for_result(
    future: concurrent.futures.Future[T],
    timeout: float | None = None,
    meanwhile: Callable[[], None] | None = None,
) -> T:
    """Wait for a future so that an interrupt gets through on every platform.

    `meanwhile` is called about twice a second, on this thread.

    Raises
    ------
    TimeoutError
        After `timeout` seconds.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        left = WAKE if deadline is None else min(WAKE, deadline - time.monotonic())
        done, _ = concurrent.futures.wait([future], timeout=max(0.0, left))
        if done:
            if _ended.is_set() and future.cancelled():
                threading.Event().wait()  # a daemon's thread as the interpreter ends: no noise
            return future.result()
        if meanwhile is not None:
            meanwhile()
        if left < WAKE:
            raise TimeoutError


def get_blocking(waiting: queue.SimpleQueue[T]) -> T:
    """Take the next thing from a queue, so that an interrupt gets through on every platform.

    It is a function of its own because an interrupt that comes as a loop in a ``try``
    begins anew may pass by its ``finally`` (in CPython 3.11, at a ``continue``).
    """
    while True:
        with contextlib.suppress(queue.Empty):
            return waiting.get(timeout=WAKE)


def callers_loop() -> asyncio.AbstractEventLoop:
    """The loop on which the caller awaits.

    Raises
    ------
    NoEventLoopError
        If it is not asyncio's.
    """
    try:
        library = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        library = None
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        raise NoEventLoopError(library) from None
    if library not in {None, "asyncio"}:  # it runs within a callback of asyncio
        raise NoEventLoopError(library)
    return running


async def run_on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Await `work`, which runs on the loop, from whichever loop the caller is on.

    Raises
    ------
    NoEventLoopError
        If that is not asyncio's; `work` was not begun.
    """
    if on_loop():
        return await work
    try:
        callers_loop()
    except NoEventLoopError:
        work.close()
        raise
    return await asyncio.wrap_future(spawn(work))


async def to_thread(function: Callable[..., T], *args: Any) -> T:
    """Run something slow (files, the keyring) off the loop; for images see `imaging.workers`."""
    return await asyncio.to_thread(function, *args)


def call_soon_on(target: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    """Have `function` called on another loop, if that one is still there."""
    with contextlib.suppress(RuntimeError):  # closed meanwhile: nobody waits any more
        target.call_soon_threadsafe(function)
