"""Collections: named sets of images, of which an image can be in several."""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from concurrent.futures import Future

    from .database import Database

MIGRATION = """
    CREATE TABLE collected (
        id TEXT PRIMARY KEY,
        base_url TEXT NOT NULL,
        name TEXT NOT NULL,
        intent TEXT NOT NULL,
        at REAL NOT NULL,
        removed INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE INDEX collected_name ON collected (base_url, name)
    """

#: A condition for images in a collection; its parameter is the name.
IS_COLLECTED = (
    "picture.intent IN (SELECT intent FROM collected"
    " WHERE base_url=picture.base_url AND name=? AND NOT removed)"
)


class Collections:
    """The collections in a journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, base_url: str, name: str, intents: Sequence[str]) -> Future[None]:
        """Put images into a collection, which is created if it does not exist."""
        return self._set(base_url, name, intents, removed=False)

    def remove(self, base_url: str, name: str, intents: Sequence[str]) -> Future[None]:
        """Take images out of a collection; without any image, it no longer exists."""
        return self._set(base_url, name, intents, removed=True)

    def _set(
        self, base_url: str, name: str, intents: Sequence[str], *, removed: bool
    ) -> Future[None]:
        def work(connection: sqlite3.Connection) -> None:
            # A row is kept when an image is removed, so that removals made while the file could
            # not be written are merged into it like other changes.
            connection.executemany(
                "INSERT OR REPLACE INTO collected VALUES (?,?,?,?,?,?)",
                [
                    (_row_id(base_url, name, intent), base_url, name, intent, time.time(), removed)
                    for intent in intents
                ],
            )

        return self._database.run(work)

    def names(self, base_url: str) -> Future[dict[str, int]]:
        """Read the names of all collections, with their number of images, sorted."""
        return self._database.run(
            lambda connection: {
                row["name"]: row["number"]
                for row in connection.execute(
                    "SELECT name, count(*) AS number FROM collected JOIN picture USING (intent)"
                    " WHERE collected.base_url=? AND NOT removed GROUP BY name ORDER BY name",
                    (base_url,),
                )
            },
            writes=False,
        )


def _row_id(base_url: str, name: str, intent: str) -> str:
    identity = json.dumps([base_url, name, intent])
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32]
