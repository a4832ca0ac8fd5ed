"""The package's background event loop, and the functions that call it from other threads.

    caller's thread                           background thread
    run_blocking     waits for the result  ─┐
    run_on_loop      awaits the result     ─┼─>  event loop: requests, polling
    spawn, call_soon return immediately        ─┘

Jobs are polled on this loop, so polling continues while a cell or the caller's own loop is busy.
`Wonda` uses `run_blocking`, `AsyncWonda` uses `run_on_loop`, and widget handlers, which must never
wait, use `spawn` and `call_soon`.

The loop runs on a daemon thread. The interpreter joins other threads at exit and would hang as long
as a job is polled.
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


class AsyncClosable(Protocol):
    """An object with open connections."""

    async def aclose(self) -> None:
        """Close the connections."""


class ForkAware(Protocol):
    """An object with locks, semaphores or tasks, which are valid only in one process."""

    def reset_in_child(self) -> None:
        """Replace these in a forked child, where nothing releases the old ones. Must not block."""


_start_lock = threading.Lock()
_detached_tasks: set[asyncio.Task[Any]] = set()
_exiting = threading.Event()
_inherited: list[object] = []

# `%autoreload` executes this file again in the same module: the running loop and the objects
# registered with it must survive this.
_current_loop: tuple[int, asyncio.AbstractEventLoop] | None = globals().get("_current_loop")
_fork_aware: weakref.WeakSet[ForkAware] = globals().get("_fork_aware") or weakref.WeakSet()
_closables: weakref.WeakSet[AsyncClosable] = globals().get("_closables") or weakref.WeakSet()

#: How long the exit waits for connections to close; a server may never respond.
CLOSE_TIMEOUT_SECONDS = 0.5

#: Seconds after which a blocking wait wakes up, because Windows cannot interrupt longer waits.
WAKE_INTERVAL_SECONDS = 0.5


def loop() -> asyncio.AbstractEventLoop:
    """Return the package's loop; start it on first use and again in a forked child."""
    global _current_loop  # noqa: PLW0603 - one loop per process
    with _start_lock:
        if _current_loop is None or _current_loop[0] != os.getpid():
            new_loop = asyncio.new_event_loop()
            thread = threading.Thread(
                target=_run_forever, args=(new_loop,), name="wonda-widgets", daemon=True
            )
            thread.start()
            atexit.register(_stop_at_exit, new_loop, thread)
            _current_loop = (os.getpid(), new_loop)
        return _current_loop[1]


def _run_forever(new_loop: asyncio.AbstractEventLoop) -> None:
    # httpx asks sniffio several times per request which async library is running. Without this,
    # sniffio tries an import each time, which takes a third of the time of a poll.
    sniffio.thread_local.name = "asyncio"
    new_loop.run_forever()


def _reset_in_child() -> None:
    """Discard the parent's state: its lock may be held, and its tasks never end in the child."""
    global _start_lock, _exiting
    _start_lock, _exiting = threading.Lock(), threading.Event()
    _inherited.extend([_current_loop, *_detached_tasks])
    _detached_tasks.clear()
    for owner in list(_fork_aware):
        owner.reset_in_child()


def close_at_exit(owner: AsyncClosable) -> None:
    """Call ``owner.aclose()`` when the interpreter exits, if `owner` still exists then."""
    _closables.add(owner)


def reset_after_fork(owner: ForkAware) -> None:
    """Call ``owner.reset_in_child()`` in every forked child as long as `owner` exists."""
    _fork_aware.add(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_in_child)


def keep_inherited(owned_by_parent: object) -> None:
    """Keep an object alive in a forked child.

    Its finalizer would close connections that the parent still uses, or warn of unfinished tasks.
    """
    _inherited.append(owned_by_parent)


def _stop_at_exit(ending: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    async def cancel_all() -> None:
        # Callbacks that are already scheduled may start more tasks.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(0)
        # An open connection would cause a ResourceWarning.
        closing = [asyncio.ensure_future(closable.aclose()) for closable in list(_closables)]
        if closing:
            _, unfinished = await asyncio.wait(closing, timeout=CLOSE_TIMEOUT_SECONDS)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*closing, return_exceptions=True)
        await asyncio.sleep(0)  # asyncio closes a socket in the loop's next iteration

    if not thread.is_alive():  # a forked child inherits this hook but not the thread
        return
    _exiting.set()
    with contextlib.suppress(Exception):
        asyncio.run_coroutine_threadsafe(cancel_all(), ending).result(1)
    ending.call_soon_threadsafe(ending.stop)
    thread.join(1)
    if not thread.is_alive():
        ending.close()


def on_loop() -> bool:
    """Return whether the caller runs on the package's loop."""
    try:
        return asyncio.get_running_loop() is loop()
    except RuntimeError:
        return False


def spawn(work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
    """Start `work` on the loop and return immediately.

    Raises
    ------
    ClosedError
        If the interpreter is exiting; `work` was not started.
    """
    if not _exiting.is_set():
        with contextlib.suppress(RuntimeError):  # the loop was closed just now
            return asyncio.run_coroutine_threadsafe(work, loop())
    work.close()  # avoids the warning that the coroutine was never awaited
    if threading.current_thread().daemon and not on_loop():
        threading.Event().wait()  # block until the process ends, rather than print a traceback
    raise ClosedError("The interpreter is ending, so nothing was sent.")


def call_soon(function: Callable[[], object]) -> None:
    """Call `function` on the loop soon; calls run in the order of scheduling."""
    call_soon_on(loop(), function)


def subscribe(
    listener: Callable[[T], object],
    add: Callable[[Callable[[T], None]], object],
    remove: Callable[[Callable[[T], None]], object],
) -> Callable[[], None]:
    """Subscribe `listener` on the loop; it is not called after the returned function was.

    Parameters
    ----------
    listener : callable
    add, remove : callable
        Called on the loop with the function to notify.

    Returns
    -------
    callable
        Ends the subscription; can be called on any thread.
    """
    active = True

    def notify(value: T) -> None:
        if active:
            listener(value)

    def begin() -> None:
        if active:
            add(notify)

    def end() -> None:
        nonlocal active
        active = False
        call_soon(lambda: remove(notify))

    call_soon(begin)
    return end


def spawn_detached(work: Callable[..., Coroutine[Any, Any, object]], *args: Any) -> None:
    """Start ``work(*args)`` on the loop without a way to wait for it."""

    def start() -> None:
        task = asyncio.get_running_loop().create_task(work(*args))
        _detached_tasks.add(task)  # the loop itself has only weak references to tasks
        task.add_done_callback(_detached_tasks.discard)

    call_soon(start)


def shield(work: Awaitable[T]) -> asyncio.Future[T]:
    """Shield `work` from cancellation, as `asyncio.shield` does.

    If the caller is canceled and `work` then fails, asyncio does not log that its exception was
    never retrieved.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(_retrieve_exception)
    return asyncio.shield(task)


def _retrieve_exception(task: asyncio.Future[Any]) -> None:
    if not task.cancelled():
        task.exception()  # other callers that await the task also get the exception


def run_blocking(work: Coroutine[Any, Any, T], *, interrupt_hint: str | None = None) -> T:
    """Run `work` on the loop and block until it has a result.

    Parameters
    ----------
    work : coroutine
    interrupt_hint : str, optional
        A sentence that says where to check whether a request took effect. Without it, a
        KeyboardInterrupt cancels `work`. With it, `work` continues, and the interrupt has the
        sentence as a note.

    Raises
    ------
    RuntimeError
        If called on the package's loop, where the call would deadlock.
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
        if interrupt_hint is None:
            future.cancel()
        else:
            interrupt.add_note(f"The request may have been sent. {interrupt_hint}")
        raise


def wait_for_result(
    future: concurrent.futures.Future[T],
    timeout: float | None = None,
    on_wake: Callable[[], None] | None = None,
) -> T:
    """Block until `future` has a result; Ctrl-C works on every platform.

    Parameters
    ----------
    future : concurrent.futures.Future
    timeout : float, optional
        In seconds; by default, there is no limit.
    on_wake : callable, optional
        Called on this thread about twice a second while waiting.

    Raises
    ------
    TimeoutError
        After `timeout` seconds.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        interval = WAKE_INTERVAL_SECONDS
        if deadline is not None:
            interval = min(interval, deadline - time.monotonic())
        done, _ = concurrent.futures.wait([future], timeout=max(0.0, interval))
        if done:
            if _exiting.is_set() and future.cancelled():
                threading.Event().wait()  # a daemon thread at exit: block, as in `spawn`
            return future.result()
        if on_wake is not None:
            on_wake()
        if interval < WAKE_INTERVAL_SECONDS:
            raise TimeoutError


def get_blocking(items: queue.SimpleQueue[T]) -> T:
    """Block until the queue has an item and return it; Ctrl-C works on every platform.

    This loop must not be within a caller's ``try``: in CPython 3.11 an interrupt that arrives at
    a ``continue`` inside ``try`` may skip its ``finally``.
    """
    while True:
        with contextlib.suppress(queue.Empty):
            return items.get(timeout=WAKE_INTERVAL_SECONDS)


def callers_loop() -> asyncio.AbstractEventLoop:
    """Return the asyncio loop on which the caller awaits.

    Raises
    ------
    NoEventLoopError
        If no loop is running, or another async library is in use.
    """
    try:
        library = sniffio.current_async_library()
    except sniffio.AsyncLibraryNotFoundError:
        library = None
    try:
        running = asyncio.get_running_loop()
    except RuntimeError:
        raise NoEventLoopError(library) from None
    if library not in {None, "asyncio"}:  # e.g. trio in guest mode, inside an asyncio callback
        raise NoEventLoopError(library)
    return running


async def run_on_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on the package's loop and await its result on the caller's loop.

    Raises
    ------
    NoEventLoopError
        If the caller is not on an asyncio loop; `work` was not started.
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
    """Run blocking file or keyring work in a thread; for images, use `imaging.decode_threads`."""
    return await asyncio.to_thread(function, *args)


def call_soon_on(target: asyncio.AbstractEventLoop, function: Callable[[], object]) -> None:
    """Call `function` on another loop soon; do nothing if that loop is closed."""
    with contextlib.suppress(RuntimeError):
        target.call_soon_threadsafe(function)
