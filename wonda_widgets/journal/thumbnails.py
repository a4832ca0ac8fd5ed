"""Store thumbnails next to the journal, so that galleries do not download originals again.

The service has no small copies, and the address of an original may expire. The file has a size
limit; the least recently viewed thumbnails are deleted first.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from ..imaging import decode_threads
from ..utils import event_loop
from .database import Database
from .schema import Schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable
    from pathlib import Path

MAX_SIDE = 320  # pixels
MAX_BYTES = 32_000  # of one thumbnail
MAX_MEGABYTES = 64  # of all thumbnails
MAX_CONCURRENCY = 3  # originals that are downloaded and decoded at the same time
FILE_SUFFIX = ".thumbnails"

MIGRATIONS = (
    """
    CREATE TABLE thumbnail (
        media_id TEXT PRIMARY KEY,
        seen_at REAL NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX thumbnail_seen ON thumbnail (seen_at)
    """,
    # Two services may use the same media ID. The old rows do not contain the service.
    """
    DROP TABLE thumbnail;
    CREATE TABLE thumbnail (
        base_url TEXT NOT NULL,
        media_id TEXT NOT NULL,
        seen_at REAL NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (base_url, media_id)
    );
    CREATE INDEX thumbnail_seen ON thumbnail (seen_at)
    """,
)
SCHEMA = Schema(migrations=MIGRATIONS, probe="SELECT base_url, data FROM thumbnail LIMIT 1")

#: The API's address and a media ID.
Key = tuple[str, str]

_log = logging.getLogger(__name__)


class _QuietDatabase(Database):
    """A database that only logs its problems, because lost thumbnails are created again."""

    def _warn(self, message: str) -> None:
        _log.info("%s", message.replace("journal", "collection of thumbnails"))


class Thumbnails:
    """A store of small copies of images: JPEG or PNG, at most 320 pixels and 32 KB.

    Parameters
    ----------
    journal : Path or None
        The journal next to which the thumbnails are stored; None for memory.
    """

    def __init__(self, journal: Path | None) -> None:
        path = journal.with_name(journal.name + FILE_SUFFIX) if journal else None
        self._database = _QuietDatabase(path, SCHEMA)
        self.reset_in_child()
        event_loop.reset_after_fork(self)

    def reset_in_child(self) -> None:
        """Discard pending thumbnails; also called in a forked child."""
        event_loop.keep_inherited(getattr(self, "_tasks", None))
        self._tasks: dict[Key, asyncio.Task[bytes]] = {}
        self._waiters: Counter[Key] = Counter()
        self._slots = asyncio.Semaphore(MAX_CONCURRENCY)

    async def get(self, key: Key, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        """Return an image's thumbnail; download the original if there is none yet.

        Nothing is downloaded if all callers are canceled before a slot is free.

        Parameters
        ----------
        key : tuple of str
            The API's address and the media ID.
        fetch : callable
            Downloads the original.

        Raises
        ------
        UnsafeMediaError
            If the original is not an image.
        WondaError
            If `fetch` raises an error.
        """
        stored = await asyncio.wrap_future(self._database.run(lambda c: _read(c, key)))
        if stored is not None:
            return stored
        task = self._tasks.get(key)  # another view may wait for the same thumbnail
        if task is None or task.cancelled():
            task = asyncio.get_running_loop().create_task(self._make(key, fetch))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._discard(key, done))
        self._waiters[key] += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiters[key] -= 1
            if not self._waiters[key]:
                del self._waiters[key]

    def _discard(self, key: Key, task: asyncio.Task[bytes]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled():
            task.exception()  # mark as retrieved; callers that wait get it

    async def _make(self, key: Key, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        async with self._slots:
            if not self._waiters[key]:
                raise asyncio.CancelledError
            thumbnail = await decode_threads.run(_shrink, await fetch())
        await asyncio.wrap_future(self._database.run(lambda c: _store(c, key, thumbnail)))
        return thumbnail

    def close(self) -> None:
        """Finish writing in the background, then close the file."""
        self._database.close()


def _read(connection: sqlite3.Connection, key: Key) -> bytes | None:
    row = connection.execute(
        "UPDATE thumbnail SET seen_at=? WHERE base_url=? AND media_id=? RETURNING data",
        (time.time(), *key),
    ).fetchone()
    return row["data"] if row else None


def _store(connection: sqlite3.Connection, key: Key, data: bytes) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO thumbnail VALUES (?,?,?,?)", (*key, time.time(), data)
    )
    total_bytes = connection.execute("SELECT sum(length(data)) FROM thumbnail").fetchone()[0]
    if total_bytes > MAX_MEGABYTES * 1_000_000:
        connection.execute(
            "DELETE FROM thumbnail WHERE rowid IN"
            " (SELECT rowid FROM thumbnail ORDER BY seen_at LIMIT"
            " (SELECT count(*) / 4 FROM thumbnail))"
        )


def _shrink(data: bytes) -> bytes:
    """Create a thumbnail of an original; slow, so run it in a thread."""
    from ..imaging.preview import create_preview  # noqa: PLC0415 - Pillow is loaded when needed

    return create_preview(data, MAX_SIDE, MAX_BYTES).data
