"""Who may use a connection: of a client's twenty, polls and downloads leave four to the rest.

httpx's pool looks through all that wait whenever one is served, so with a thousand waiting
it does little else; those who wait here cost nothing. And a click's request need not wait
behind all polls and images.
"""

from __future__ import annotations

import asyncio

MAX_CONNECTIONS = 20
POLLS = 10
DOWNLOADS = 6


class ConnectionLimits:
    """The connections of one client, on one loop.

    Attributes
    ----------
    request, poll, download
        Wait for one with ``async with``; those who came first have it first.
    """

    def __init__(self) -> None:
        every = asyncio.Semaphore(MAX_CONNECTIONS)
        self.request = every
        self.poll = _Both(asyncio.Semaphore(POLLS), every)
        self.download = _Both(asyncio.Semaphore(DOWNLOADS), every)


class _Both:
    """One of few, and of these one of all."""

    def __init__(self, few: asyncio.Semaphore, every: asyncio.Semaphore) -> None:
        self._few, self._every = few, every

    async def __aenter__(self) -> None:
        await self._few.acquire()
        try:
            await self._every.acquire()
        except BaseException:
            self._few.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._every.release()
        self._few.release()
