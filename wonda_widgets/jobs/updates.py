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
    """What an iterator needs of a job."""

    def watch(self, listener: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Have `listener` called with each snapshot; gives what ends that."""


class Updates:
    """The snapshots of a job: one for each change, the last one when it has ended."""

    def __init__(self, job: Watched) -> None:
        self._job = job

    def __iter__(self) -> Iterator[Snapshot]:
        if event_loop.on_loop():
            raise RuntimeError("`for` over updates on the package's own loop would block it.")
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
    """False only before the first poll has been answered, or has failed."""
    return bool(snapshot.raw or snapshot.problem or not snapshot.watching)
