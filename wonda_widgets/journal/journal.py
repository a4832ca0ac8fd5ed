"""The journal: what was asked of the service and what came back, on disk.

A row is written before a request that takes effect leaves, and renewed with each
fact that comes back. So after a crash at any moment it says what was asked, and
for what the answer was never read.

    sending ──> accepted (it has a job, whose statuses follow)
        │ ├───> refused  (it certainly took no effect)
        │ └───> unknown  ──> posted | absent   (looked up in the publish history)
        ▼                └─> dismissed         (a person has looked)
    the process ends: as good as unknown

It holds prompts, captions and replies; it never holds the key.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InvalidInputError
from ..errors.console_text import printable
from ..utils import monotonic_clock, plain_values, user_directories
from . import (
    budgets,
    entries,
    image_events,
    images,
    memory_merge,
    pruning,
    saved_plans,
    trusted_time,
)
from .database import MEMORY, Database, prepare
from .pruning import WAITING
from .search_terms import searchable

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from concurrent.futures import Future

    from ..models import Snapshot
    from .budgets import Budget
    from .entries import JournalEntry


PATH_VARIABLE = "WONDA_JOURNAL"
DAYS = 365.0
MEGABYTES = 50.0
PRUNE_EVERY = 200  # rows begun
MAX_REPLY = 64 * 1024  # bytes; of a longer reply only what we read of it is kept

#: In these a publish stands in the way of the same one again.
STANDING = ("sending", "unknown", "accepted", "posted")

MIGRATIONS = (
    """
    CREATE TABLE request (
        intent TEXT PRIMARY KEY,
        base_url TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        same_as TEXT NOT NULL,
        owner TEXT NOT NULL,
        asked_at REAL NOT NULL,
        told_at REAL NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        job_id TEXT,
        status TEXT NOT NULL,
        ended INTEGER NOT NULL,
        reply TEXT NOT NULL,
        permalink TEXT
    ) WITHOUT ROWID;
    CREATE INDEX request_time ON request (base_url, asked_at);
    CREATE INDEX request_job ON request (job_id);
    CREATE INDEX request_same ON request (same_as) WHERE same_as <> '';
    CREATE TABLE status (
        intent TEXT NOT NULL REFERENCES request ON DELETE CASCADE,
        at REAL NOT NULL,
        status TEXT NOT NULL
    );
    CREATE INDEX status_intent ON status (intent)
    """,
    images.MIGRATION + ";" + saved_plans.MIGRATION,
    saved_plans.FINGERPRINT_MIGRATION,
    f"""
    ALTER TABLE request ADD COLUMN clock TEXT NOT NULL DEFAULT '';
    ALTER TABLE request ADD COLUMN tick REAL NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN answer_limit REAL NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN served_at REAL;
    UPDATE request SET taken=1 WHERE job_id IS NOT NULL OR state IN ('accepted', 'posted')
        OR reason LIKE 'the service took it%';
    {budgets.MIGRATION};
    {trusted_time.MIGRATION}
    """,  # noqa: S608 - ours
    images.SEARCH_MIGRATION,
)


class Journal:
    """What was asked and what came back, kept for the next kernel.

    Several kernels and processes may use one file; while another one has locked it, requests
    wait. Nothing else stops work: a damaged file is set aside and kept, and without a writable
    one it works in memory and warns (`JournalWarning`). When the file can be written again,
    what was noted meanwhile is written into it.

    Parameters
    ----------
    path : path or ``":memory:"``, optional
        Else ``WONDA_JOURNAL``, else ``journal.db`` in the user's data folder.
    days : float
        How long an entry is kept; a favourite image's stays.
    megabytes : float
        How large the file may become; the oldest entries go first.

    Examples
    --------
    >>> wonda = Wonda(journal=Journal("project.db", days=90))
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        days: float = DAYS,
        megabytes: float = MEGABYTES,
    ) -> None:
        days, megabytes = plain_values.to_plain(days), plain_values.to_plain(megabytes)
        for name, value in (("days", days), ("megabytes", megabytes)):
            if not isinstance(value, int | float) or not 0 < value < math.inf:
                raise InvalidInputError(name, f"{name} is a number above 0, not {value!r}.")
        self._days = days
        self._bytes = megabytes * 1_000_000
        self._begun = 0
        self._written = 0.0  # bytes since the last pruning
        try:
            place, why = _path(path), ""
        except OSError as error:
            place, why = None, error.strerror or str(error)
        self._database = Database(
            place,
            MIGRATIONS,
            "SELECT * FROM request LIMIT 1",
            {"searchable": searchable},
            memory_merge.MemoryChanges(),
        )
        if why:
            self._database.stay_in_memory(why)
        self.images = images.ImageIndex(self._database, entries.read_row)
        self.batches = saved_plans.SavedPlans(self._database, entries.read_row)
        self.stories = image_events.ImageEvents(self._database, entries.read_row)

    def is_like(self, other: Journal) -> bool:
        """Whether both are the same journal."""
        return self is other or (self.path is not None and self.path == other.path)

    @property
    def path(self) -> Path | None:
        """The file; None in memory."""
        return self._database.path

    @property
    def trouble(self) -> str:
        """What is wrong with the file, in a sentence; empty if nothing is."""
        return self._database.trouble

    def written(self) -> Future[None]:
        """Give what ends when all that was noted until now is in the file."""
        return self._database.run(lambda _file: None, writes=False)

    def close(self) -> None:
        """Finish writing and close the file."""
        self._database.close()

    def __repr__(self) -> str:
        return printable(f"<Journal {self.path or MEMORY}>")

    @property
    def settings(self) -> tuple[str, float, float]:
        """Path, days and megabytes, for another process.

        Raises
        ------
        TypeError
            If it is in memory, which no other process reads.
        """
        if self.path is None:
            hint = self.trouble or "Name a file for it, as in journal='journal.db'."
            raise TypeError(
                "A journal in memory stays in its process, and no other one would know what was "
                f"asked for. {hint}"
            )
        with contextlib.suppress(OSError):  # it is told when it is used
            prepare(self.path)  # a worker looks whether it is there
        return str(self.path), self._days, self._bytes / 1_000_000

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, self.settings

    # ------------------------------------------------------------ facts, in their order

    def begin(
        self,
        base_url: str,
        kind: str,
        body: bytes,
        same_as: str = "",
        *,
        also: tuple[str, ...] = (),
        repeat: bool = False,
        for_good: bool = False,
        answer_limit: float = 0.0,
        guard: Callable[[sqlite3.Connection], None] | None = None,
    ) -> Future[tuple[str, JournalEntry | None]]:
        """Note that a request is about to leave.

        Parameters
        ----------
        body : bytes
            JSON.
        same_as : str
            What makes another request the same one; empty for requests that may be repeated.
        also : tuple of str
            Other values of `same_as` that make it the same one.
        repeat : bool
            Whether the same one may be made again.
        for_good : bool
            Whether one that was taken stands in the way also if it then failed.
        answer_limit : float
            Seconds within which the service would have answered it.
        guard : callable, optional
            Called within the transaction; what it raises keeps the request from being noted.

        Returns
        -------
        future of (str, Record or None)
            The intent, and None; or, if the same request stands in the way (it was made, or
            may have been), nothing was noted, and that one is given.
        """
        intent = uuid.uuid4().hex

        def work(connection: sqlite3.Connection) -> tuple[str, JournalEntry | None]:
            names = (same_as, *also)
            same = self._same(connection, base_url, names, for_good) if same_as else []
            for earlier in same:
                # Even one who wants it again does not want it twice at this moment.
                if earlier.sending or not repeat:
                    return intent, earlier
            if guard is not None:
                guard(connection)
            now = time.time()
            connection.execute(
                "INSERT INTO request (intent, base_url, kind, body, same_as, owner, asked_at,"
                " told_at, clock, tick, answer_limit, state, reason, status, ended, reply)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,'sending','','',0,'{}')",
                (
                    *(intent, base_url, kind, body.decode(), same_as, entries.this_process()),
                    *(
                        now,
                        now,
                        monotonic_clock.clock_id(),
                        monotonic_clock.seconds(),
                        answer_limit,
                    ),
                ),
            )
            if kind == "inference":
                images.ImageIndex.begin(connection, intent, base_url, now, body)
            self._written += len(body)
            trusted_time.note(connection)
            due = self._begun % PRUNE_EVERY == 0 or self._written > self._bytes / 10
            if due and not self._database.stands_in:  # what it holds is still to be written
                pruning.prune(connection, self._days, self._bytes)
                self._written = 0
            self._begun += 1
            return intent, None

        return self._database.run(work)

    def sent(self, intent: str, served_at: float | None = None) -> Future[bool]:
        """Note that it leaves now; False if somebody has settled it meanwhile, so that it must not.

        What is asked for later (is it there?) is asked as of this moment, which is `served_at` by
        the service's clock, if that is known (seconds since 1970).
        """
        return self._change(intent, "state='sending'", served_at=served_at)

    def accepted(self, intent: str, job_id: str | None, status: str = "") -> Future[bool]:
        """Note that the service took it."""
        return self._change(intent, state="accepted", job_id=job_id, status=status, taken=True)

    def refused(self, intent: str, reason: str) -> Future[bool]:
        """Note that it certainly took no effect."""
        return self._change(intent, "state='sending'", state="refused", reason=reason)

    def unknown(self, intent: str, reason: str, *, taken: bool = False) -> Future[bool]:
        """Note that it may have taken effect; `taken`: the service did say that it took it.

        What was known of it stays: a job's id, and that it was taken.
        """
        facts: dict[str, Any] = {"taken": True} if taken else {}
        return self._change(
            intent, "state IN ('sending', 'accepted')", state="unknown", reason=reason, **facts
        )

    def posted(
        self, intent: str, permalink: str | None, job_id: str | None, reason: str | None = None
    ) -> Future[bool]:
        """Note that it was posted, as the account's publish history or a person says."""
        facts = {"permalink": permalink, "job_id": job_id, "reason": reason}
        known: dict[str, Any] = {name: value for name, value in facts.items() if value is not None}
        return self._change(intent, state="posted", taken=True, **known)

    def absent(self, record: JournalEntry) -> Future[bool]:
        """Note that it was looked for and did not take effect.

        False, and nothing is noted, if anything has happened since `record` was read.
        """
        condition = "state=? AND told_at=? AND tick=?"
        as_read = (record.state, record.told_at, record.tick)
        return self._change(record.intent, condition, as_read, state="absent")

    def dismissed(self, intent: str) -> Future[bool]:
        """Note that a person has looked and takes it from here.

        Of one whose outcome is unknown, or which has ended without what was wanted.
        """
        wanted = "(status='succeeded' AND (kind='publish' OR instr(reply, '\"mediaId\"')))"
        condition = (
            f"(state IN ('sending', 'unknown') OR (state='accepted' AND ended AND NOT {wanted}))"
        )
        return self._change(intent, condition, state="dismissed")

    def heard(self, base_url: str, kind: str, job_id: str, told: Snapshot) -> Future[None]:
        """Note what the service says of a job."""
        text = msgspec.json.encode(told.raw)
        if len(text) > MAX_REPLY:
            shown = ("status", "errorMessage", "outputs", "createdAt", "finishedAt")
            text = msgspec.json.encode({name: told.raw.get(name) for name in shown})
            text = text if len(text) <= MAX_REPLY else b"{}"
        now = time.time()
        self._written += len(text)

        def work(connection: sqlite3.Connection) -> None:
            # What has ended stays so, whichever of two processes writes last. A job that answers
            # is there, whatever was concluded when it did not.
            changed = connection.execute(
                "UPDATE request SET status=?, ended=?, reply=?, permalink=coalesce(?, permalink),"
                " told_at=?, clock=?, tick=?,"
                " state=CASE WHEN state IN ('unknown', 'absent') THEN 'accepted' ELSE state END"
                " WHERE base_url=? AND kind=? AND job_id=? AND NOT ended RETURNING intent",
                (
                    *(told.status, told.terminal, text.decode(), told.permalink),
                    *(
                        now,
                        monotonic_clock.clock_id(),
                        monotonic_clock.seconds(),
                        base_url,
                        kind,
                        job_id,
                    ),
                ),
            ).fetchall()
            connection.executemany(
                "INSERT INTO status VALUES (?,?,?)",
                [(row["intent"], now, told.status) for row in changed],
            )

        return self._database.run(work)

    def _change(
        self, intent: str, condition: str = "1", values: tuple[Any, ...] = (), **facts: Any
    ) -> Future[bool]:
        """Change a row that is as expected; whether it was."""
        facts |= {
            "told_at": time.time(),
            "clock": monotonic_clock.clock_id(),
            "tick": monotonic_clock.seconds(),
        }
        names = ", ".join(f"{name}=?" for name in facts)

        def work(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                f"UPDATE request SET {names} WHERE intent=? AND {condition}",  # noqa: S608 - ours
                (*facts.values(), intent, *values),
            )
            return changed.rowcount > 0

        return self._database.run(work)

    # ------------------------------------------------------------ reading

    def recent(self, base_url: str, limit: int = 50) -> Future[list[JournalEntry]]:
        """Give what was asked and not refused, newest first; uploads are left out."""
        return self._records(
            "base_url=? AND kind<>'upload'"
            " AND state IN ('sending', 'unknown', 'accepted', 'posted')"
            " ORDER BY asked_at DESC LIMIT ?",
            (base_url, limit),
        )

    def unfinished(self, base_url: str, since: float) -> Future[list[JournalEntry]]:
        """Give jobs that have not ended and requests whose answer was never read.

        The newest 100 at most, newest first.
        """
        return self._records(
            f"base_url=? AND kind<>'upload' AND (asked_at>? OR {WAITING})"
            " AND ((state='accepted' AND NOT ended) OR state IN ('sending', 'unknown'))"
            " ORDER BY asked_at DESC LIMIT 100",
            (base_url, since),
        )

    def of_job(self, base_url: str, kind: str, job_id: str) -> Future[list[JournalEntry]]:
        """Give the request that made a job, if it is known."""
        return self._records("base_url=? AND kind=? AND job_id=?", (base_url, kind, job_id))

    def posts(self, base_url: str) -> Future[list[JournalEntry]]:
        """Give all posts that the service is known to have."""
        return self._records(
            "base_url=? AND kind='publish' AND (job_id IS NOT NULL OR permalink IS NOT NULL)",
            (base_url,),
        )

    def posts_in_the_way(self, base_url: str) -> Future[list[JournalEntry]]:
        """Give all posts that were made or may have been, and so stand in the way of the same."""
        marks = ",".join("?" * len(STANDING))
        return self._records(
            f"base_url=? AND kind='publish' AND state IN ({marks})"
            " AND NOT (ended AND status<>'succeeded')",
            (base_url, *STANDING),
        )

    def spent(self, base_url: str, budget: Budget) -> Future[float]:
        """US dollars that images within a budget have cost; may raise `UnpricedError`."""
        return self._database.run(
            lambda connection: budget.spent(connection, base_url), writes=False
        )

    def version(self) -> Future[int]:
        """A number that changes whenever another process has written."""
        return self._database.run(
            lambda connection: int(connection.execute("PRAGMA data_version").fetchone()[0]),
            writes=False,
        )

    def edit_of(self, base_url: str, media_id: str) -> Future[dict[str, Any] | None]:
        """How an uploaded media was made of another, if it was noted: ``of``, ``operations``."""

        def work(connection: sqlite3.Connection) -> dict[str, Any] | None:
            found = _read(
                connection,
                "base_url=? AND kind='upload' AND state='accepted' AND job_id=?",
                (base_url, media_id),
            )
            edit = found[0].body.get("edit") if found else None
            return edit if isinstance(edit, dict) and edit.get("of") else None

        return self._database.run(work, writes=False)

    def of_intent(self, intent: str) -> Future[list[JournalEntry]]:
        """Give one request."""
        return self._records("intent=?", (intent,))

    def _same(
        self,
        connection: sqlite3.Connection,
        base_url: str,
        names: tuple[str, ...],
        for_good: bool,  # noqa: FBT001 - of this class alone
    ) -> list[JournalEntry]:
        marks = ",".join("?" * len(STANDING))
        return _read(
            connection,
            # One value, because there may be more names than a statement takes.
            "base_url=? AND same_as<>'' AND same_as IN (SELECT value FROM json_each(?))"  # noqa: S608
            f" AND state IN ({marks})"
            " AND NOT (? AND ended AND status<>'succeeded') ORDER BY asked_at DESC",
            (base_url, json.dumps(names), *STANDING, not for_good),
        )

    def _records(self, condition: str, values: tuple[Any, ...]) -> Future[list[JournalEntry]]:
        return self._database.run(
            lambda connection: _read(connection, condition, values), writes=False
        )


def _opened(path: str, days: float, megabytes: float) -> Journal:
    return Journal(path, days=days, megabytes=megabytes)


def _read(
    connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]
) -> list[JournalEntry]:
    rows = connection.execute(
        f"SELECT * FROM request WHERE {condition}",  # noqa: S608 - conditions of ours
        values,
    ).fetchall()
    return [record for row in rows if (record := entries.read_row(row)) is not None]


# ---------------------------------------------------------------- where it lies


def _path(path: str | os.PathLike[str] | None) -> Path | None:
    """Where the journal is; None for memory.

    Raises
    ------
    OSError
        If there is no such place: no home folder, or the present folder was deleted.
    """
    chosen = path if path is not None else os.environ.get(PATH_VARIABLE, "").strip() or None
    if chosen is None:
        return user_directories.data_folder() / "journal.db"
    if os.fspath(chosen) == MEMORY:
        return None
    found = Path(os.fsdecode(chosen))
    if found.parts[:1] == ("~",):
        found = user_directories.expand_home(found)
    else:
        with contextlib.suppress(FileNotFoundError):  # of a person whom nobody knows
            found = user_directories.expand_home(found)
    return found.absolute()  # so that it stays where it is when the notebook changes its folder


def files() -> list[Path]:
    """What the journal has on disk: the file, thumbnails, SQLite's own, damaged ones set aside."""
    try:
        path = _path(None)
        beside = list(path.parent.iterdir()) if path is not None else []
    except OSError:  # no home, no such folder, or one that this user may not open
        return []
    if path is None:
        return []
    ours = re.compile(
        re.escape(path.name)
        + r"(\.thumbnails)?(\.damaged-\d{8}-\d{6}(\+\d+)?)?(-wal|-shm|-journal)?"
    )
    return sorted(file for file in beside if ours.fullmatch(file.name))
