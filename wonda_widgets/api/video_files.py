"""Copies of videos on this computer's disk, each downloaded once for several readers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import weakref
from functools import partial
from typing import TYPE_CHECKING

from ..utils import daemon_threads, event_loop, new_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from ..models import Media

    Download = Callable[[Media, Path, Callable[[int, int | None], object]], Awaitable[Path]]

MAX_KEPT_BYTES = 512 * 2**20  # of copies that nobody reads at the moment


class VideoFiles:
    """The copies of one client; they are deleted when it is closed and when Python exits.

    Parameters
    ----------
    download : callable
        Writes media to a file and reports its progress; see `AsyncMedia.download`.
    """

    def __init__(self, download: Download) -> None:
        self._download = download
        self._folder: Path | None = None
        self._copies: dict[str, _Copy] = {}  # the least recently used first

    @contextlib.asynccontextmanager
    async def borrow(
        self, media: Media, on_progress: Callable[[int, int | None], object]
    ) -> AsyncIterator[Path]:
        """Provide the path of a copy, which exists until the block ends.

        Raises
        ------
        InvalidInputError, UnsafeMediaError, APIError, ServiceUnreachableError
            See `AsyncMedia.download`.
        """
        key = media.media_id or media.url or ""
        copy = self._copies.pop(key, None) or _Copy()
        self._copies[key] = copy
        copy.readers += 1
        try:
            async with copy.lock:
                if copy.path is None or not await event_loop.to_thread(copy.path.exists):
                    copy.path = None
                    target = await event_loop.to_thread(self._target)
                    path = await self._download(media, target, on_progress)
                    copy.size = (await event_loop.to_thread(path.stat)).st_size
                    copy.path = path
            yield copy.path
        finally:
            copy.readers -= 1
            if copy.path is None and not copy.readers and self._copies.get(key) is copy:
                del self._copies[key]
            await event_loop.shield(self._delete_unused())

    def _target(self) -> Path:
        if self._folder is None or not self._folder.exists():
            self._folder = new_files.temporary_folder()
            weakref.finalize(self, _remove, self._folder, os.getpid())
        return self._folder / "video"  # a number is added to the second one

    async def _delete_unused(self) -> None:
        """Delete the copies that were not read for the longest time."""
        unused = [(key, copy) for key, copy in self._copies.items() if not copy.readers]
        kept = sum(copy.size for _, copy in unused)
        for key, copy in unused:
            if kept <= MAX_KEPT_BYTES:
                return
            kept -= copy.size
            del self._copies[key]
            if copy.path is not None:
                await event_loop.to_thread(partial(copy.path.unlink, missing_ok=True))

    async def aclose(self) -> None:
        """Delete all copies."""
        folder, self._folder, self._copies = self._folder, None, {}
        if folder is not None:
            await event_loop.to_thread(_remove, folder, os.getpid())


def _remove(folder: Path, process: int) -> None:
    if process != os.getpid():  # this is a forked child, and the parent reads the files
        return
    delete = partial(shutil.rmtree, folder, ignore_errors=True)
    if event_loop.on_loop():  # the garbage collector was there
        daemon_threads.start(delete, "video-files")
    else:
        delete()


class _Copy:
    """A file that exists, is being downloaded, or will be."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.path: Path | None = None
        self.size = 0  # bytes
        self.readers = 0
