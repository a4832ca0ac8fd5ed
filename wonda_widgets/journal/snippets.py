"""Snippets: named pieces of prompts, which all kernels on the journal share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from concurrent.futures import Future

    from .database import Database

MIGRATION = """
    CREATE TABLE snippet (
        name TEXT PRIMARY KEY,
        text TEXT NOT NULL,
        at REAL NOT NULL,
        removed INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID
    """


class Snippet(NamedTuple):
    """A piece of a prompt.

    Attributes
    ----------
    name : str
        With a kind in front: ``"style:noir"``.
    text : str
    """

    name: str
    text: str


class Snippets:
    """The snippets in a journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Future[list[Snippet]]:
        """Read all snippets, sorted by name."""
        return self._database.run(
            lambda connection: [
                Snippet(row["name"], row["text"])
                for row in connection.execute(
                    "SELECT name, text FROM snippet WHERE NOT removed ORDER BY name"
                )
            ],
            writes=False,
        )

    def save(self, snippets: Mapping[str, str]) -> Future[None]:
        """Add snippets, or replace those of the same name."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT OR REPLACE INTO snippet VALUES (?,?,?,0)",
                [(name, text, time.time()) for name, text in snippets.items()],
            )

        return self._database.run(work)

    def remove(self, name: str) -> Future[None]:
        """Remove a snippet."""

        def work(connection: sqlite3.Connection) -> None:
            # The row is kept; see `collections`.
            connection.execute(
                "UPDATE snippet SET removed=1, at=? WHERE name=?", (time.time(), name)
            )

        return self._database.run(work)
