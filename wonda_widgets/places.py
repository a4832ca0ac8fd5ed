"""Who may use a connection: a client has twenty, and no kind of request takes them all.

httpx's pool looks through all that wait whenever one is served, so with a thousand waiting
it does little else; those who wait here cost nothing. And a click's request need not wait
behind every poll, nor a poll behind every picture.
"""

from __future__ import annotations

import asyncio
from typing import Literal

CONNECTIONS = 20
POLLS = 16
DOWNLOADS = 8


class Places:
    """The connections of one client, on one loop."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(CONNECTIONS)
        self._of = {
            "request": asyncio.Semaphore(CONNECTIONS),
            "poll": asyncio.Semaphore(POLLS),
            "download": asyncio.Semaphore(DOWNLOADS),
        }

    def one(self, kind: Literal["request", "poll", "download"]) -> Place:
        """Wait for a connection (``async with``); those who came first have it first."""
        return Place(self._of[kind], self._all)


class Place:
    """One connection; in a class, which costs a poll less than a generator."""

    def __init__(self, *semaphores: asyncio.Semaphore) -> None:
        self._own, self._all = semaphores

    async def __aenter__(self) -> None:
        await self._own.acquire()
        try:
            await self._all.acquire()
        except BaseException:
            self._own.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._all.release()
        self._own.release()
