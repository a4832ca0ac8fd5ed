"""Limit concurrent requests, and reserve connections for requests other than polls.

A click therefore never waits behind polls and images. Waiting here costs nothing, whereas httpx's
pool searches all waiting requests whenever a connection becomes free.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MAX_CONNECTIONS = 20
MAX_POLLS = 10
MAX_DOWNLOADS = 6


class ConnectionLimits:
    """The connections of one client, shared among its requests, first come, first served."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(MAX_CONNECTIONS)
        self._polls = asyncio.Semaphore(MAX_POLLS)
        self._downloads = asyncio.Semaphore(MAX_DOWNLOADS)

    @property
    def request(self) -> asyncio.Semaphore:
        """A connection for any request; wait for it with ``async with``."""
        return self._all

    @property
    def poll(self) -> contextlib.AbstractAsyncContextManager[None]:
        """A connection for a poll; wait for it with ``async with``."""
        return self._both(self._polls)

    @property
    def download(self) -> contextlib.AbstractAsyncContextManager[None]:
        """A connection for a download; wait for it with ``async with``."""
        return self._both(self._downloads)

    @contextlib.asynccontextmanager
    async def _both(self, own: asyncio.Semaphore) -> AsyncIterator[None]:
        async with own, self._all:
            yield
