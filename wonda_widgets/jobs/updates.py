"""Iterate over the snapshots of a job, with ``for`` or ``async for``."""

from __future__ import annotations

import asyncio
import queue
from typing import TYPE_CHECKING, Protocol

from ..utils import event_loop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ..models import Snapshot


class Watched(Protocol):
    """The part of a job that an iterator uses."""

    def watch(self, listener: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Call `listener` with each snapshot; return a function that stops the calls."""


class Updates:
    """The snapshots of a job: one for each change, the last one when it has ended."""

    def __init__(self, job: Watched) -> None:
        self._job = job

    def __iter__(self) -> Iterator[Snapshot]:
        if event_loop.on_loop():
            raise RuntimeError("`for` over updates would block the package's event loop.")
        snapshots: queue.SimpleQueue[Snapshot] = queue.SimpleQueue()
        unwatch = self._job.watch(snapshots.put)
        try:
            while True:
                snapshot = event_loop.get_blocking(snapshots)
                if _says_something(snapshot):
                    yield snapshot
                if not snapshot.watching:
                    return
        finally:
            unwatch()

    async def __aiter__(self) -> AsyncIterator[Snapshot]:
        loop = event_loop.callers_loop()
        snapshots: asyncio.Queue[Snapshot] = asyncio.Queue()

        def put(snapshot: Snapshot) -> None:
            event_loop.call_soon_on(loop, lambda: snapshots.put_nowait(snapshot))

        unwatch = self._job.watch(put)
        try:
            while True:
                snapshot = await snapshots.get()
                if _says_something(snapshot):
                    yield snapshot
                if not snapshot.watching:
                    return
        finally:
            unwatch()


def _says_something(snapshot: Snapshot) -> bool:
    """Whether the first poll has returned a response or failed."""
    return bool(snapshot.raw or snapshot.problem or not snapshot.watching)
