"""Thumbnails, kept beside the journal, so that a gallery need not fetch its originals again.

The service offers no small copies, and an original's address may expire. What is kept
is bounded; those not looked at for longest go first.
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

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable
    from pathlib import Path

LONGEST = 320  # pixels
MAX_BYTES = 32_000
MEGABYTES = 64
AT_ONCE = 3  # originals that are fetched and decoded at a time
SUFFIX = ".thumbnails"

MIGRATIONS = (
    """
    CREATE TABLE thumbnail (
        media_id TEXT PRIMARY KEY,
        seen_at REAL NOT NULL,
        data BLOB NOT NULL
    );
    CREATE INDEX thumbnail_seen ON thumbnail (seen_at)
    """,
    # Two services may give two images one id. Whose the rows so far are is not known, so they go.
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

#: A service's address, and an image's id there: an id alone may be another service's, too.
Key = tuple[str, str]

_log = logging.getLogger(__name__)


class _Quiet(Database):
    """What it lacks is made anew, so nobody needs to know."""

    def _warn(self, sentence: str) -> None:
        _log.info("%s", sentence.replace("journal", "collection of thumbnails"))


class Thumbnails:
    """Small copies of images: at most 320 pixels and 32 KB, JPEG or PNG.

    Parameters
    ----------
    journal : Path or None
        Of the journal that they lie beside; None for memory.
    """

    def __init__(self, journal: Path | None) -> None:
        path = journal.with_name(journal.name + SUFFIX) if journal else None
        self._database = _Quiet(path, MIGRATIONS, "SELECT base_url, data FROM thumbnail LIMIT 1")
        self.renew()
        event_loop.reset_after_fork(self)

    def renew(self) -> None:
        """Begin with none on their way, also in a forked child."""
        event_loop.keep_inherited(getattr(self, "_making", None))
        self._making: dict[Key, asyncio.Task[bytes]] = {}
        self._wanted: Counter[Key] = Counter()  # how many wait for each
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def of(self, key: Key, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        """Give an image's thumbnail; `fetch` gives the original if there is none yet.

        It is not made if everybody who waited for it was canceled before its turn came.

        Parameters
        ----------
        key : tuple of str
            The API's address and the media id.
        fetch : callable

        Raises
        ------
        UnsafeMediaError
            If the original is not an image.
        WondaError
            As `fetch` does.
        """
        kept = await asyncio.wrap_future(self._database.run(lambda c: _seen(c, key)))
        if kept is not None:
            return kept
        making = self._making.get(key)  # another view may have asked a moment ago
        if making is None or making.cancelled():
            making = asyncio.get_running_loop().create_task(self._make(key, fetch))
            self._making[key] = making
            making.add_done_callback(lambda made: self._forget(key, made))
        self._wanted[key] += 1
        try:
            return await asyncio.shield(making)
        finally:
            self._wanted[key] -= 1
            if not self._wanted[key]:
                del self._wanted[key]

    def _forget(self, key: Key, made: asyncio.Task[bytes]) -> None:
        if self._making.get(key) is made:
            del self._making[key]
        if not made.cancelled():
            made.exception()  # whoever still waits for it is told

    async def _make(self, key: Key, fetch: Callable[[], Awaitable[bytes]]) -> bytes:
        async with self._turn:
            if not self._wanted[key]:
                raise asyncio.CancelledError
            small = await decode_threads.run(_small, await fetch())
        await asyncio.wrap_future(self._database.run(lambda c: _keep(c, key, small)))
        return small

    def close(self) -> None:
        """Finish writing and close the file."""
        self._database.close()


def _seen(connection: sqlite3.Connection, key: Key) -> bytes | None:
    row = connection.execute(
        "UPDATE thumbnail SET seen_at=? WHERE base_url=? AND media_id=? RETURNING data",
        (time.time(), *key),
    ).fetchone()
    return row["data"] if row else None


def _keep(connection: sqlite3.Connection, key: Key, data: bytes) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO thumbnail VALUES (?,?,?,?)", (*key, time.time(), data)
    )
    held = connection.execute("SELECT sum(length(data)) FROM thumbnail").fetchone()[0]
    if held > MEGABYTES * 1_000_000:
        connection.execute(
            "DELETE FROM thumbnail WHERE rowid IN"
            " (SELECT rowid FROM thumbnail ORDER BY seen_at LIMIT"
            " (SELECT count(*) / 4 FROM thumbnail))"
        )


def _small(data: bytes) -> bytes:
    """The thumbnail of an original; slow, for a thread."""
    from ..imaging.preview import preview  # noqa: PLC0415 - Pillow is loaded when needed

    return preview(data, LONGEST, MAX_BYTES).data
