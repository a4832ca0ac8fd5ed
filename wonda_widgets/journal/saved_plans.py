"""Plans that were begun, so that a later kernel goes on with them and makes nothing twice.

A cell's request is named in the journal by its batch and by what it asks for, see `cell_name`:
that is what makes another request "the same one". A plan is kept as it was written, not
image by image: a thousand long prompts would fill the journal.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import msgspec

from . import trusted_time

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from .database import Database
    from .entries import JournalEntry

MIGRATION = """
    CREATE TABLE batch (
        id TEXT PRIMARY KEY,
        base_url TEXT NOT NULL,
        alike TEXT NOT NULL,
        plan TEXT NOT NULL,
        begun_at REAL NOT NULL,
        ended INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX batch_time ON batch (base_url, begun_at)
    """

#: Before, cells were named by their places; what was left so is not gone on with.
FINGERPRINT_MIGRATION = "UPDATE batch SET ended=1"

#: Requests of plans that are not done: they stand in the way of making a cell again.
IS_NEEDED = "substr(same_as, 6, 32) IN (SELECT id FROM batch WHERE NOT ended)"

PREFIX = "cell:"
DAYS = 7.0  # for which a plan that was left is gone on with


class SavedPlan(msgspec.Struct, frozen=True):
    """A plan that was begun.

    Attributes
    ----------
    alike : str
        What makes another plan the same one.
    plan : bytes
        JSON of `matrix.planning.MatrixRequest`.
    begun_at : float
        Seconds since 1970.
    """

    id: str
    alike: str
    plan: bytes
    begun_at: float


def cell_name(batch_id: str, digest: str) -> str:
    """What a cell's request is called in the journal; `digest` is of what it asks for."""
    return f"{PREFIX}{batch_id}:{digest}"


class SavedPlans:
    """The part of a journal that knows batches."""

    def __init__(
        self, database: Database, read: Callable[[sqlite3.Row], JournalEntry | None]
    ) -> None:
        self._database = database
        self._read = read

    def begin(
        self,
        base_url: str,
        alike: str,
        plan: bytes,
        days: float | None,
        *,
        also: Sequence[str] = (),
        guard: Callable[[sqlite3.Connection], None] | None = None,
    ) -> Future[tuple[SavedPlan, bool]]:
        """Give the same plan's batch that was left in these days, or note that one begins.

        Parameters
        ----------
        alike : str
            What makes another plan the same one.
        days : float or None
            None to begin anew.
        also : sequence of str
            Other values of `alike` under which the same plan may have been noted.
        guard : callable, optional
            As of `Journal.begin`.

        Returns
        -------
        future of (Batch, bool)
            And whether it was there.
        """

        # In one transaction: of two that begin the same plan at once, one goes on with the other's.
        def work(connection: sqlite3.Connection) -> tuple[SavedPlan, bool]:
            if guard is not None:
                guard(connection)
            left = [] if days is None else _unfinished(connection, base_url, days, [alike, *also])
            if left:
                return left[0], True
            batch = SavedPlan(uuid.uuid4().hex, alike, plan, trusted_time.now(connection))
            connection.execute(
                "INSERT INTO batch VALUES (?,?,?,?,?,0)",
                (batch.id, base_url, alike, plan.decode(), batch.begun_at),
            )
            return batch, False

        return self._database.run(work)

    def ended(self, batch_id: str, *, ended: bool) -> Future[None]:
        """Note whether each cell has an end."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE batch SET ended=? WHERE id=?", (ended, batch_id))

        return self._database.run(work)

    def unfinished(self, base_url: str, days: float) -> Future[list[SavedPlan]]:
        """Give batches of these days with cells that have no end, newest first."""
        return self._database.run(
            lambda connection: _unfinished(connection, base_url, days), writes=False
        )

    def left(
        self, base_url: str, alike: str, days: float, *, also: Sequence[str] = ()
    ) -> Future[SavedPlan | None]:
        """Give the same plan's batch that was left in these days; `alike` as of `begin`."""

        def work(connection: sqlite3.Connection) -> SavedPlan | None:
            return next(iter(_unfinished(connection, base_url, days, [alike, *also])), None)

        return self._database.run(work, writes=False)

    def cells(self, batch_id: str) -> Future[dict[str, JournalEntry]]:
        """The latest request of each cell that has one, by the digest of what it asks for."""
        first, beyond = cell_name(batch_id, ""), f"{PREFIX}{batch_id};"

        def work(connection: sqlite3.Connection) -> dict[str, JournalEntry]:
            rows = connection.execute(
                "SELECT * FROM request WHERE same_as<>'' AND same_as>=? AND same_as<?"
                " ORDER BY asked_at",
                (first, beyond),
            ).fetchall()
            found = [record for row in rows if (record := self._read(row)) is not None]
            return {record.same_as.rpartition(":")[2]: record for record in found}

        return self._database.run(work, writes=False)

    @staticmethod
    def forget(connection: sqlite3.Connection, before: float) -> None:
        """Let the batches go that were begun before (seconds since 1970)."""
        connection.execute("DELETE FROM batch WHERE begun_at<?", (before,))

    @staticmethod
    def close(connection: sqlite3.Connection, before: float) -> None:
        """Note that nobody goes on with what was begun before (seconds since 1970)."""
        connection.execute("UPDATE batch SET ended=1 WHERE begun_at<? AND NOT ended", (before,))

    @staticmethod
    def forget_ended(connection: sqlite3.Connection) -> None:
        """Let go what is done."""
        connection.execute("DELETE FROM batch WHERE ended")


def _unfinished(
    connection: sqlite3.Connection,
    base_url: str,
    days: float,
    alike: Sequence[str] | None = None,
) -> list[SavedPlan]:
    since = trusted_time.now(connection) - days * 86_400
    rows = connection.execute(
        "SELECT * FROM batch WHERE base_url=? AND begun_at>? AND NOT ended"
        " AND (? IS NULL OR alike IN (SELECT value FROM json_each(?))) ORDER BY begun_at DESC",
        (base_url, since, *[None if alike is None else json.dumps(list(alike))] * 2),
    ).fetchall()
    found = [
        SavedPlan(row["id"], row["alike"], row["plan"].encode(), row["begun_at"]) for row in rows
    ]
    # What comes first in `alike` is what was asked for most exactly.
    return sorted(found, key=lambda batch: alike.index(batch.alike)) if alike else found
