"""Who may use a connection: a client has twenty, and no kind of request takes them all.

httpx's pool looks through all that wait whenever one is served, so with a thousand waiting
it does little else; those who wait here cost nothing. And a click's request need not wait
behind every poll, nor a poll behind every picture.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

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

    @asynccontextmanager
    async def one(self, kind: Literal["request", "poll", "download"]) -> AsyncIterator[None]:
        """Wait for a connection; those who came first have it first."""
        async with self._of[kind], self._all:
            yield
