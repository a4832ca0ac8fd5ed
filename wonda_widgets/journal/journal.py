"""The journal: each request to the service and its outcome, on disk.

An entry is written before a request that has an effect is sent, and updated with each response.
Even after a crash, the journal therefore has the requests whose outcome is unknown.

    sending ──> accepted  (it has a job, whose status follows)
        ├─────> refused   (it certainly had no effect)
        └─────> unknown ──> posted | absent  (according to the publish history)
                       └──> dismissed        (the user checked it)

An entry that is still `sending` after its process has ended counts as unknown.

The journal contains prompts, captions and responses; it never contains the API key.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
import uuid
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InvalidInputError
from ..errors.console_text import printable
from ..utils import monotonic_clock, plain_values
from . import (
    collections,
    entries,
    file_access,
    image_events,
    images,
    location,
    memory_merge,
    pruning,
    reviews,
    saved_plans,
    snippets,
    tables,
    trusted_time,
)
from .database import Database
from .schema import MEMORY

if TYPE_CHECKING:
    import os
    import sqlite3
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from ..models import Snapshot
    from .budgets import Budget
    from .entries import JournalEntry

MAX_AGE_DAYS = 365.0
MAX_MEGABYTES = 50.0
PRUNE_INTERVAL = 200  # new entries
MAX_RESPONSE_BYTES = 64 * 1024  # bytes; of a longer response, only the fields in use are stored

#: Whether a request had or may have had an effect, and therefore blocks an identical one. A damaged
#: state counts as unknown.
MAY_HAVE_EFFECT = "state NOT IN ('refused', 'absent', 'dismissed')"
#: Whether the service reported that a job has failed. A damaged status does not count.
HAS_FAILED = "(state='accepted' AND ended=1 AND status IN ('failed', 'canceled'))"
#: Whether the outcome of a request is not known (yet).
IS_UNDECIDED = "state NOT IN ('accepted', 'posted', 'refused', 'absent', 'dismissed')"


class Journal:
    """A record of requests and their outcomes for later kernels.

    Several kernels and processes can share one file. While another process has locked it,
    requests wait. No other problem with the file stops work: a damaged file is renamed and kept,
    and without a writable file, the journal continues in memory and warns (`JournalWarning`). When
    the file can be written again, the changes are merged into it.

    Parameters
    ----------
    path : path or ``":memory:"``, optional
        Defaults to ``WONDA_JOURNAL``, then to ``journal.db`` in the user's data folder.
    days : float
        Age in days after which entries are deleted; those of favorite images are kept.
    megabytes : float
        Maximum size of the file; the oldest entries are deleted first.

    Examples
    --------
    >>> wonda = ww.Wonda.sandbox(journal=ww.Journal("project.db", days=90))
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        days: float = MAX_AGE_DAYS,
        megabytes: float = MAX_MEGABYTES,
    ) -> None:
        days, megabytes = plain_values.to_plain(days), plain_values.to_plain(megabytes)
        for name, value in (("days", days), ("megabytes", megabytes)):
            if not isinstance(value, int | float) or not 0 < value < math.inf:
                raise InvalidInputError(name, f"{name} must be a number above 0, not {value!r}.")
        self._max_age_days = days
        self._max_bytes = megabytes * 1_000_000
        self._entry_count = 0
        self._unpruned_bytes = 0.0  # written since the last pruning
        try:
            file, problem = location.resolve_path(path), ""
        except OSError as error:
            file, problem = None, error.strerror or str(error)
        self._database = Database(file, tables.SCHEMA, memory_merge.MemoryChanges())
        if problem:
            self._database.report_no_path(problem)
        self.images = images.ImageIndex(self._database)
        self.saved_plans = saved_plans.SavedPlans(self._database)
        self.reviews = reviews.Reviews(self._database)
        self.collections = collections.Collections(self._database)
        self.snippets = snippets.Snippets(self._database)
        self.image_events = image_events.ImageEvents(self._database)

    def is_same_as(self, other: Journal) -> bool:
        """Return whether both use the same file or are the same object."""
        return self is other or (self.path is not None and self.path == other.path)

    @property
    def path(self) -> Path | None:
        """The file; None in memory."""
        return self._database.path

    @property
    def problem(self) -> str:
        """Sentences about what is wrong with the file; empty if nothing is."""
        return self._database.problem

    def flush(self) -> Future[None]:
        """Return a future that completes when everything recorded so far is written."""
        return self._database.run(lambda _connection: None, writes=False)

    def close(self) -> None:
        """Finish writing in the background, then close the file."""
        self._database.close()

    def __repr__(self) -> str:
        return printable(f"<Journal {self.path or MEMORY}>")

    @property
    def settings(self) -> tuple[str, float, float]:
        """Path, days and megabytes, to open the same journal in another process.

        Raises
        ------
        TypeError
            If the journal is in memory, which no other process can read.
        """
        if self.path is None:
            hint = self.problem or "Name a file for it, as in journal='journal.db'."
            raise TypeError(
                "A journal in memory cannot be shared with another process, which would lack the "
                f"earlier requests. {hint}"
            )
        with contextlib.suppress(OSError):  # reported when the journal is used
            file_access.create_private(self.path)  # workers check that the file exists
        return str(self.path), self._max_age_days, self._max_bytes / 1_000_000

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_settings, self.settings

    # ------------------------------------------------------------ recording a request

    def begin_request(
        self,
        base_url: str,
        kind: str,
        body: bytes,
        dedupe_key: str = "",
        *,
        former_keys: tuple[str, ...] = (),
        allow_repeat: bool = False,
        include_failed: bool = False,
        path: str = "",
        response_timeout: float = 0.0,
        precondition: Callable[[sqlite3.Connection], None] | None = None,
        values: bytes = b"",
    ) -> Future[tuple[str, JournalEntry | None]]:
        """Record a request that is about to be sent, unless an identical one blocks it.

        Parameters
        ----------
        base_url, kind : str
        body : bytes
            JSON.
        dedupe_key : str
            Equal for identical requests; empty for requests that may be repeated.
        former_keys : tuple of str
            Keys under which earlier versions recorded identical requests.
        allow_repeat : bool
            Whether only an identical request that is being sent now blocks this one.
        include_failed : bool
            Whether an accepted request also blocks this one after its job failed.
        path : str
            The path of the request, which distinguishes videos from images.
        response_timeout : float
            The maximum seconds until the service responds.
        precondition : callable, optional
            Called within the transaction; if it raises, nothing is recorded.
        values : bytes
            JSON of `GeneratedImage.values`; empty for none.

        Returns
        -------
        future of (str, JournalEntry or None)
            The intent and None; or the intent and the blocking entry, and nothing was recorded.
        """
        intent = uuid.uuid4().hex

        def work(connection: sqlite3.Connection) -> tuple[str, JournalEntry | None]:
            if dedupe_key:
                keys = (dedupe_key, *former_keys)
                for earlier in _find_identical(connection, base_url, keys, include_failed):
                    # Even an intended repetition must not be sent at the same moment.
                    if earlier.is_sending or not allow_repeat:
                        return intent, earlier
            if precondition is not None:
                precondition(connection)
            now = time.time()
            connection.execute(
                "INSERT INTO request (intent, base_url, kind, body, same_as, owner, asked_at,"
                " told_at, clock, tick, answer_limit, path, state, reason, status, ended, reply)"
                " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,'sending','','',0,'{}')",
                (
                    *(intent, base_url, kind, body.decode(), dedupe_key, entries.this_process()),
                    *(now, now, monotonic_clock.clock_id(), monotonic_clock.seconds()),
                    *(response_timeout, path),
                ),
            )
            if kind == "inference":
                images.ImageIndex.insert(connection, intent, base_url, now, body, values=values)
            self._unpruned_bytes += len(body) + len(values)
            trusted_time.take_reading(connection)
            self._prune_if_due(connection)
            self._entry_count += 1
            return intent, None

        return self._database.run(work)

    def _prune_if_due(self, connection: sqlite3.Connection) -> None:
        is_due = (
            self._entry_count % PRUNE_INTERVAL == 0 or self._unpruned_bytes > self._max_bytes / 10
        )
        # Entries in memory must not be deleted before they are merged into the file.
        if is_due and not self._database.is_replaced_by_memory:
            pruning.prune(connection, self._max_age_days, self._max_bytes)
            self._unpruned_bytes = 0

    # ------------------------------------------------------------ recording its outcome

    def mark_sent(self, intent: str, server_sent_at: float | None = None) -> Future[bool]:
        """Record that a request is being sent now.

        Parameters
        ----------
        intent : str
        server_sent_at : float, optional
            The time by the service's clock, in seconds since 1970.

        Returns
        -------
        future of bool
            False if its outcome was decided in the meantime, so that the request must not be sent.
        """
        return self._update(intent, "state='sending'", served_at=server_sent_at)

    def mark_accepted(self, intent: str, job_id: str | None, status: str = "") -> Future[bool]:
        """Record that the service accepted a request."""
        return self._update(intent, state="accepted", job_id=job_id, status=status, taken=True)

    def mark_refused(self, intent: str, reason: str) -> Future[bool]:
        """Record that a request certainly had no effect."""
        return self._update(intent, "state='sending'", state="refused", reason=reason)

    def mark_unknown(self, intent: str, reason: str, *, was_accepted: bool = False) -> Future[bool]:
        """Record that a request may have had an effect.

        Known facts are kept: a job ID, and that the service accepted the request.

        Parameters
        ----------
        intent, reason : str
        was_accepted : bool
            Whether the service is known to have accepted it.
        """
        columns: dict[str, Any] = {"taken": True} if was_accepted else {}
        return self._update(
            intent, "state IN ('sending', 'accepted')", state="unknown", reason=reason, **columns
        )

    def mark_posted(
        self, intent: str, permalink: str | None, job_id: str | None, reason: str | None = None
    ) -> Future[bool]:
        """Record that a post was published, according to the publish history or the user."""
        columns = {"permalink": permalink, "job_id": job_id, "reason": reason}
        known: dict[str, Any] = {name: each for name, each in columns.items() if each is not None}
        return self._update(intent, state="posted", taken=True, **known)

    def mark_absent(self, entry: JournalEntry) -> Future[bool]:
        """Record that a request is known to have had no effect.

        Returns
        -------
        future of bool
            False if the entry has changed since `entry` was read; nothing is then recorded.
        """
        condition = "state=? AND told_at=? AND tick=?"
        as_read = (entry.state, entry.updated_at, entry.clock_seconds)
        return self._update(entry.intent, condition, as_read, state="absent")

    def mark_dismissed(self, intent: str) -> Future[bool]:
        """Record that the user checked a request that is unknown or ended without a result.

        Returns
        -------
        future of bool
            False for any other request; nothing is then recorded.
        """
        has_result = "(status='succeeded' AND (kind='publish' OR instr(reply, '\"mediaId\"')))"
        condition = f"({IS_UNDECIDED} OR (state='accepted' AND ended AND NOT {has_result}))"
        return self._update(intent, condition, state="dismissed")

    def update_status(
        self, base_url: str, kind: str, job_id: str, snapshot: Snapshot
    ) -> Future[None]:
        """Record the status of a job that the service reported."""
        response = msgspec.json.encode(snapshot.raw)
        if len(response) > MAX_RESPONSE_BYTES:
            names = ("status", "errorMessage", "outputs", "createdAt", "finishedAt")
            response = msgspec.json.encode({name: snapshot.raw.get(name) for name in names})
            response = response if len(response) <= MAX_RESPONSE_BYTES else b"{}"
        now = time.time()
        self._unpruned_bytes += len(response)

        def work(connection: sqlite3.Connection) -> None:
            # A terminal status is final, whichever process writes last. A job with a response
            # exists, whatever was concluded before.
            updated = connection.execute(
                "UPDATE request SET status=?, ended=?, reply=?, permalink=coalesce(?, permalink),"
                " told_at=?, clock=?, tick=?,"
                " state=CASE WHEN state IN ('unknown', 'absent') THEN 'accepted' ELSE state END"
                " WHERE base_url=? AND kind=? AND job_id=? AND NOT ended RETURNING intent",
                (
                    *(snapshot.status, snapshot.terminal, response.decode(), snapshot.permalink),
                    *(now, monotonic_clock.clock_id(), monotonic_clock.seconds()),
                    *(base_url, kind, job_id),
                ),
            ).fetchall()
            connection.executemany(
                "INSERT INTO status VALUES (?,?,?)",
                [(row["intent"], now, snapshot.status) for row in updated],
            )

        return self._database.run(work)

    def _update(
        self, intent: str, condition: str = "1", values: tuple[Any, ...] = (), **columns: Any
    ) -> Future[bool]:
        """Set columns of an entry if it meets a condition; return whether it did."""
        columns |= {
            "told_at": time.time(),
            "clock": monotonic_clock.clock_id(),
            "tick": monotonic_clock.seconds(),
        }
        assignments = ", ".join(f"{name}=?" for name in columns)

        def work(connection: sqlite3.Connection) -> bool:
            updated = connection.execute(
                f"UPDATE request SET {assignments} WHERE intent=? AND {condition}",  # noqa: S608
                (*columns.values(), intent, *values),
            )
            return updated.rowcount > 0

        return self._database.run(work)

    # ------------------------------------------------------------ reading

    def recent(self, base_url: str, limit: int = 50) -> Future[list[JournalEntry]]:
        """Read the latest entries, newest first, without refused requests and uploads."""
        return self._find(
            f"base_url=? AND kind<>'upload' AND {MAY_HAVE_EFFECT} ORDER BY asked_at DESC LIMIT ?",
            (base_url, limit),
        )

    def unfinished(self, base_url: str, since: float) -> Future[list[JournalEntry]]:
        """Read running jobs and requests with an unknown outcome: the newest 100, newest first.

        Parameters
        ----------
        base_url : str
        since : float
            Seconds since 1970; scheduled posts may be older.
        """
        return self._find(
            f"base_url=? AND kind<>'upload' AND (asked_at>? OR {pruning.IS_SCHEDULED})"
            f" AND ((state='accepted' AND NOT ended) OR {IS_UNDECIDED})"
            " ORDER BY asked_at DESC LIMIT 100",
            (base_url, since),
        )

    def find_by_job(self, base_url: str, kind: str, job_id: str) -> Future[list[JournalEntry]]:
        """Read the request that started a job, if known."""
        return self._find("base_url=? AND kind=? AND job_id=?", (base_url, kind, job_id))

    def find_by_intent(self, intent: str) -> Future[list[JournalEntry]]:
        """Read one request, if known."""
        return self._find("intent=?", (intent,))

    def confirmed_posts(self, base_url: str) -> Future[list[JournalEntry]]:
        """Read all posts that the service is known to have received."""
        return self._find(
            "base_url=? AND kind='publish' AND (job_id IS NOT NULL OR permalink IS NOT NULL)",
            (base_url,),
        )

    def blocking_posts(self, base_url: str) -> Future[list[JournalEntry]]:
        """Read all posts that were or may have been made and therefore block identical ones."""
        return self._find(
            f"base_url=? AND kind='publish' AND {MAY_HAVE_EFFECT} AND NOT {HAS_FAILED}",
            (base_url,),
        )

    def find_edit(self, base_url: str, media_id: str) -> Future[dict[str, Any] | None]:
        """Read how an uploaded image was edited, if known: ``of``, ``operations``."""

        def work(connection: sqlite3.Connection) -> dict[str, Any] | None:
            uploads = _select(
                connection,
                "base_url=? AND kind='upload' AND state='accepted' AND job_id=?",
                (base_url, media_id),
            )
            edit = uploads[0].body.get("edit") if uploads else None
            return edit if isinstance(edit, dict) and edit.get("of") else None

        return self._database.run(work, writes=False)

    def spent(self, base_url: str, budget: Budget) -> Future[float]:
        """Total the cost of the images that count toward a budget, in US dollars.

        The future raises `UnpricedError` if prices are missing.
        """
        return self._database.run(
            lambda connection: budget.spent(connection, base_url), writes=False
        )

    def data_version(self) -> Future[int]:
        """Read a number that changes whenever another process has written to the file."""
        return self._database.run(
            lambda connection: int(connection.execute("PRAGMA data_version").fetchone()[0]),
            writes=False,
        )

    def _find(self, condition: str, values: tuple[Any, ...]) -> Future[list[JournalEntry]]:
        return self._database.run(
            lambda connection: _select(connection, condition, values), writes=False
        )


def _from_settings(path: str, days: float, megabytes: float) -> Journal:
    return Journal(path, days=days, megabytes=megabytes)


def _find_identical(
    connection: sqlite3.Connection,
    base_url: str,
    keys: tuple[str, ...],
    include_failed: bool,  # noqa: FBT001 - used in this module only
) -> list[JournalEntry]:
    return _select(
        connection,
        # JSON passes any number of keys as one value; SQLite limits the number of values.
        "base_url=? AND same_as<>'' AND same_as IN (SELECT value FROM json_each(?))"  # noqa: S608
        f" AND {MAY_HAVE_EFFECT}"
        f" AND NOT (? AND {HAS_FAILED}) ORDER BY asked_at DESC",
        (base_url, json.dumps(keys), not include_failed),
    )


def _select(
    connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]
) -> list[JournalEntry]:
    rows = connection.execute(
        f"SELECT * FROM request WHERE {condition}",  # noqa: S608 - conditions are constants
        values,
    ).fetchall()
    return [entries.read_row(row) for row in rows]
