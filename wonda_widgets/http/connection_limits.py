"""Limits for concurrent requests: polls and downloads leave some connections to the rest.

So a click never waits behind polls and images. Waiting here costs nothing, while httpx's pool
looks through everything that waits whenever a connection becomes free.
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
    """Share the connections of one client among its requests, first come, first served."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(MAX_CONNECTIONS)
        self._polls = asyncio.Semaphore(MAX_POLLS)
        self._downloads = asyncio.Semaphore(MAX_DOWNLOADS)

    @property
    def request(self) -> asyncio.Semaphore:
        """Wait for a connection for any request, with ``async with``."""
        return self._all

    @property
    def poll(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Wait for a connection for a poll, with ``async with``."""
        return self._both(self._polls)

    @property
    def download(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Wait for a connection for a download, with ``async with``."""
        return self._both(self._downloads)

    @contextlib.asynccontextmanager
    async def _both(self, own: asyncio.Semaphore) -> AsyncIterator[None]:
        async with own, self._all:
            yield
