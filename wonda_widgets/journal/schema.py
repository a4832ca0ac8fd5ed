"""Open SQLite files with a versioned schema; upgrade older files and reject newer ones."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from . import file_problems

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

T = TypeVar("T")

MEMORY = ":memory:"


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of a database, with the SQL that creates or upgrades them.

    Attributes
    ----------
    migrations : sequence of str
        SQL that upgrades from each version to the next; the first creates the tables. Statements
        are separated by semicolons.
    probe : str
        SQL that succeeds on every intact file of the newest version.
    functions : dict
        Deterministic SQL functions of one argument, by name.
    """

    migrations: Sequence[str]
    probe: str
    functions: Mapping[str, Callable[[Any], Any]] = {}

    @property
    def version(self) -> int:
        """The newest version."""
        return len(self.migrations)

    def open(self, path: Path | None) -> sqlite3.Connection:
        """Open a file, or a database in memory, and upgrade it to the newest version.

        Raises
        ------
        NewerSchemaError
            If a later version of this package wrote the file.
        sqlite3.Error
        """
        # Only one thread uses the connection; at interpreter exit, another one closes it.
        connection = sqlite3.connect(
            path or MEMORY,
            timeout=file_problems.BUSY_TIMEOUT_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            self._refuse_newer(connection)
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
            # A crash of this process loses nothing; a power failure may lose the latest changes.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.row_factory = sqlite3.Row
            for name, function in self.functions.items():
                connection.create_function(name, 1, function, deterministic=True)
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def copy_to_memory(self, path: Path) -> sqlite3.Connection | None:
        """Return a copy of a file in memory; None if the file is unreadable or damaged."""
        memory = self.open(None)
        try:
            with contextlib.closing(file_problems.open_read_only(path)) as file:
                file.backup(memory)
            is_intact = memory.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
            self._migrate(memory)  # the file may be of an earlier version
            memory.execute(self.probe).fetchall()
        except (sqlite3.Error, OSError, ValueError):
            is_intact = False
        if is_intact:
            return memory
        memory.close()
        return None

    def _refuse_newer(self, connection: sqlite3.Connection) -> None:
        if _stored_version(connection) > self.version:
            raise file_problems.NewerSchemaError(
                "it was written by a newer version of wonda-widgets"
            )

    def _migrate(self, connection: sqlite3.Connection) -> None:
        if _stored_version(connection) == self.version:
            return
        connection.execute("BEGIN IMMEDIATE")  # two processes may migrate at the same time
        for statements in self.migrations[_stored_version(connection) :]:
            for statement in statements.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={self.version}")
        connection.execute("COMMIT")


def run_transaction(
    connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T], mode: str
) -> T:
    """Run ``work(connection)`` in a transaction; roll back on any error.

    Parameters
    ----------
    connection : sqlite3.Connection
    work : callable
    mode : str
        ``"DEFERRED"`` or ``"IMMEDIATE"``.
    """
    connection.execute(f"BEGIN {mode}")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return result


def _stored_version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
