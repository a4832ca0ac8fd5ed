"""Save plans that were started, so that a later kernel can resume them without duplicates.

The journal's table calls a saved plan a batch. The dedupe key of a cell's request consists of the
plan's ID and a fingerprint of the request; see `cell_key`. Only the plan's arguments are saved, not
each image: a thousand long prompts would fill the journal.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

import msgspec

from . import trusted_time
from .entries import read_row

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

#: Earlier versions identified cells by position; their unfinished plans are not resumed.
FINGERPRINT_MIGRATION = "UPDATE batch SET ended=1"

#: Requests of unfinished plans, which prevent their cells from being generated again.
IS_NEEDED = "substr(same_as, 6, 32) IN (SELECT id FROM batch WHERE NOT ended)"

KEY_PREFIX = "cell:"
RESUMABLE_DAYS = 7.0  # days for which an unfinished plan can be resumed


class SavedPlan(msgspec.Struct, frozen=True):
    """A plan that was started.

    Attributes
    ----------
    id : str
    fingerprint : str
        Equal for plans of the same images.
    plan : bytes
        JSON of `matrix.planning.MatrixRequest`.
    started_at : float
        Seconds since 1970.
    """

    id: str
    fingerprint: str
    plan: bytes
    started_at: float


def cell_key(plan_id: str, fingerprint: str) -> str:
    """Return the dedupe key of a cell, given the fingerprint of its request."""
    return f"{KEY_PREFIX}{plan_id}:{fingerprint}"


class SavedPlans:
    """The plans in a journal, which can be saved and resumed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def resume_or_start(
        self,
        base_url: str,
        fingerprint: str,
        plan: bytes,
        days: float | None,
        *,
        former_fingerprints: Sequence[str] = (),
        precondition: Callable[[sqlite3.Connection], None] | None = None,
    ) -> Future[tuple[SavedPlan, bool]]:
        """Find the same plan if it was left unfinished, else save it as started now.

        Parameters
        ----------
        base_url : str
        fingerprint : str
            Equal for plans of the same images.
        plan : bytes
            JSON of `matrix.planning.MatrixRequest`.
        days : float or None
            Maximum age in days of an unfinished plan; None to start over.
        former_fingerprints : sequence of str
            Fingerprints under which earlier versions may have saved the same plan.
        precondition : callable, optional
            Called within the transaction; if it raises, nothing is saved.

        Returns
        -------
        future of (SavedPlan, bool)
            The plan, and whether it is resumed.
        """

        # In one transaction: if two kernels start the same plan, the second resumes that of the
        # first.
        def work(connection: sqlite3.Connection) -> tuple[SavedPlan, bool]:
            if precondition is not None:
                precondition(connection)
            if days is not None:
                fingerprints = [fingerprint, *former_fingerprints]
                unfinished = _find_unfinished(connection, base_url, days, fingerprints)
                if unfinished:
                    return unfinished[0], True
            saved = SavedPlan(uuid.uuid4().hex, fingerprint, plan, trusted_time.now(connection))
            connection.execute(
                "INSERT INTO batch VALUES (?,?,?,?,?,0)",
                (saved.id, base_url, fingerprint, plan.decode(), saved.started_at),
            )
            return saved, False

        return self._database.run(work)

    def set_finished(self, plan_id: str, *, finished: bool) -> Future[None]:
        """Record whether every cell of a plan has an outcome."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("UPDATE batch SET ended=? WHERE id=?", (finished, plan_id))

        return self._database.run(work)

    def unfinished(self, base_url: str, days: float) -> Future[list[SavedPlan]]:
        """Read the recent unfinished plans, newest first."""
        return self._database.run(
            lambda connection: _find_unfinished(connection, base_url, days), writes=False
        )

    def find_unfinished(
        self,
        base_url: str,
        fingerprint: str,
        days: float,
        *,
        former_fingerprints: Sequence[str] = (),
    ) -> Future[SavedPlan | None]:
        """Find the same plan if it was left unfinished; parameters as in `resume_or_start`."""
        fingerprints = [fingerprint, *former_fingerprints]

        def work(connection: sqlite3.Connection) -> SavedPlan | None:
            return next(iter(_find_unfinished(connection, base_url, days, fingerprints)), None)

        return self._database.run(work, writes=False)

    def cell_entries(self, plan_id: str) -> Future[dict[str, JournalEntry]]:
        """Read the latest entry of each cell that has one, by the request's fingerprint."""
        # ";" follows ":" in ASCII, so this range has exactly the keys of the plan.
        first, beyond = cell_key(plan_id, ""), f"{KEY_PREFIX}{plan_id};"

        def work(connection: sqlite3.Connection) -> dict[str, JournalEntry]:
            rows = connection.execute(
                "SELECT * FROM request WHERE same_as<>'' AND same_as>=? AND same_as<?"
                " ORDER BY asked_at",
                (first, beyond),
            ).fetchall()
            entries = [read_row(row) for row in rows]
            return {entry.dedupe_key.rpartition(":")[2]: entry for entry in entries}

        return self._database.run(work, writes=False)

    @staticmethod
    def delete_before(connection: sqlite3.Connection, cutoff: float) -> None:
        """Delete plans that were started before `cutoff`, in seconds since 1970."""
        connection.execute("DELETE FROM batch WHERE begun_at<?", (cutoff,))

    @staticmethod
    def finish_before(connection: sqlite3.Connection, cutoff: float) -> None:
        """Mark plans that were started before `cutoff` as finished, in seconds since 1970."""
        connection.execute("UPDATE batch SET ended=1 WHERE begun_at<? AND NOT ended", (cutoff,))

    @staticmethod
    def delete_finished(connection: sqlite3.Connection) -> None:
        """Delete finished plans."""
        connection.execute("DELETE FROM batch WHERE ended")


def _find_unfinished(
    connection: sqlite3.Connection,
    base_url: str,
    days: float,
    fingerprints: Sequence[str] | None = None,
) -> list[SavedPlan]:
    """Find unfinished plans, newest first, or in the order of the given fingerprints."""
    since = trusted_time.now(connection) - days * trusted_time.SECONDS_PER_DAY
    wanted = None if fingerprints is None else json.dumps(list(fingerprints))
    rows = connection.execute(
        "SELECT * FROM batch WHERE base_url=? AND begun_at>? AND NOT ended"
        " AND (? IS NULL OR alike IN (SELECT value FROM json_each(?))) ORDER BY begun_at DESC",
        (base_url, since, wanted, wanted),
    ).fetchall()
    plans = [
        SavedPlan(row["id"], row["alike"], row["plan"].encode(), row["begun_at"]) for row in rows
    ]
    if not fingerprints:
        return plans
    return sorted(plans, key=lambda plan: fingerprints.index(plan.fingerprint))
