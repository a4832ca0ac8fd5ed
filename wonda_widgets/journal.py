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

import os
import socket
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from .database import MEMORY, Database
from .models import TERMINAL

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from concurrent.futures import Future

PATH_VARIABLE = "WONDA_JOURNAL"
DAYS = 365.0
MEGABYTES = 50.0
PRUNE_EVERY = 200  # rows begun
MAX_REPLY = 64 * 1024  # bytes; of a longer reply only what we read of it is kept
ALIVE_FOR = 300.0  # seconds that a request of a process we cannot ask about may take

State = Literal["sending", "accepted", "refused", "unknown", "posted", "absent", "dismissed"]

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
)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the journal knows it.

    Attributes
    ----------
    intent : str
        Our own id of it.
    kind : str
        ``"inference"``, ``"publish"`` or ``"upload"``.
    body : dict
        What was asked, by the API's names.
    owner : str
        The process that asked.
    asked_at, told_at : float
        Seconds since 1970: when it was asked, and when anything was last heard or sent.
    state : str
        See this module.
    reason : str
        Why it was refused or is unknown.
    job_id : str or None
    status : str
        The service's last word.
    ended : bool
        Whether the job has.
    reply : dict
        The job's last reply.
    permalink : str or None
    """

    intent: str
    base_url: str
    kind: str
    body: dict[str, Any]
    same_as: str
    owner: str
    asked_at: float
    told_at: float
    state: State
    reason: str
    job_id: str | None
    status: str
    ended: bool
    reply: dict[str, Any]
    permalink: str | None

    @property
    def sending(self) -> bool:
        """Whether some process may be sending it at this moment."""
        return self.state == "sending" and _lives(self.owner, self.told_at)

    @property
    def elsewhere(self) -> bool:
        """Whether another process that runs takes care of it."""
        return self.owner != _owner() and _runs(self.owner) is True

    @property
    def unknown(self) -> bool:
        """Whether it may have taken effect, and nobody has read the answer."""
        return self.state == "unknown" or (self.state == "sending" and not self.sending)


class Journal:
    """What was asked and what came back, kept for the next kernel.

    Several kernels and processes may use one file. It never stops work: a damaged
    file is set aside and kept, and without a writable one it works in memory and
    warns (`JournalWarning`).

    Parameters
    ----------
    path : path or ``":memory:"``, optional
        Else ``WONDA_JOURNAL``, else ``journal.db`` in the user's data folder.
    days : float
        How long an entry is kept.
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
        self._days = days
        self._bytes = megabytes * 1_000_000
        self._begun = 0
        self._database = Database(_path(path), MIGRATIONS)

    @property
    def path(self) -> Path | None:
        """The file; None in memory."""
        return self._database.path

    @property
    def trouble(self) -> str:
        """What is wrong with the file, in a sentence; empty if nothing is."""
        return self._database.trouble

    def close(self) -> None:
        """Finish writing and close the file."""
        self._database.close()

    def __repr__(self) -> str:
        return f"<Journal {self.path or MEMORY}>"

    # ------------------------------------------------------------ facts, in their order

    def begin(
        self, base_url: str, kind: str, body: bytes, same_as: str = "", *, repeat: bool = False
    ) -> Future[tuple[str, Record | None]]:
        """Note that a request is about to leave.

        Parameters
        ----------
        body : bytes
            JSON.
        same_as : str
            What makes another request the same one; empty for requests that may be repeated.
        repeat : bool
            Whether the same one may be made again.

        Returns
        -------
        future of (str, Record or None)
            The intent, and None; or, if the same request stands in the way (it was made, or
            may have been), nothing was noted, and that one is given.
        """
        intent = uuid.uuid4().hex

        def work(connection: sqlite3.Connection) -> tuple[str, Record | None]:
            for earlier in self._same(connection, base_url, same_as) if same_as else ():
                # Even one who wants it again does not want it twice at this moment.
                if earlier.sending or not repeat:
                    return intent, earlier
            now = time.time()
            connection.execute(
                "INSERT INTO request VALUES (?,?,?,?,?,?,?,?,'sending','',NULL,'',0,'{}',NULL)",
                (intent, base_url, kind, body.decode(), same_as, _owner(), now, now),
            )
            if self._begun % PRUNE_EVERY == 0:
                self._prune(connection)
            self._begun += 1
            return intent, None

        return self._database.run(work)

    def sent(self, intent: str) -> Future[None]:
        """Note that it is being sent once more."""
        return self._change(intent)

    def accepted(self, intent: str, job_id: str | None, status: str = "") -> Future[None]:
        """Note that the service took it."""
        return self._change(intent, state="accepted", job_id=job_id, status=status)

    def refused(self, intent: str, reason: str) -> Future[None]:
        """Note that it certainly took no effect."""
        return self._change(intent, state="refused", reason=reason)

    def unknown(self, intent: str, reason: str) -> Future[None]:
        """Note that it may have taken effect."""
        return self._change(intent, state="unknown", reason=reason)

    def posted(self, intent: str, permalink: str | None, job_id: str | None) -> Future[None]:
        """Note that it was found in the account's publish history."""
        return self._change(intent, state="posted", permalink=permalink, job_id=job_id)

    def absent(self, intent: str) -> Future[None]:
        """Note that it was looked for and did not take effect."""
        return self._change(intent, state="absent")

    def dismissed(self, intent: str) -> Future[None]:
        """Note that a person has looked and takes it from here."""
        return self._change(intent, state="dismissed")

    def heard(
        self,
        base_url: str,
        job_id: str,
        status: str,
        reply: Mapping[str, Any],
        permalink: str | None,
    ) -> Future[None]:
        """Note what the service says of a job."""
        text = msgspec.json.encode(reply)
        if len(text) > MAX_REPLY:
            shown = ("status", "errorMessage", "outputs", "createdAt", "finishedAt")
            text = msgspec.json.encode({name: reply.get(name) for name in shown})
            text = text if len(text) <= MAX_REPLY else b"{}"
        now = time.time()

        def work(connection: sqlite3.Connection) -> None:
            # What has ended stays so, whichever of two processes writes last.
            changed = connection.execute(
                "UPDATE request SET status=?, ended=?, reply=?, permalink=?, told_at=?"
                " WHERE base_url=? AND job_id=? AND NOT ended RETURNING intent",
                (status, status in TERMINAL, text.decode(), permalink, now, base_url, job_id),
            ).fetchall()
            connection.executemany(
                "INSERT INTO status VALUES (?,?,?)",
                [(row["intent"], now, status) for row in changed],
            )

        return self._database.run(work)

    def _change(self, intent: str, **facts: Any) -> Future[None]:
        facts["told_at"] = time.time()
        names = ", ".join(f"{name}=?" for name in facts)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                f"UPDATE request SET {names} WHERE intent=?",  # noqa: S608 - names of ours
                (*facts.values(), intent),
            )

        return self._database.run(work)

    # ------------------------------------------------------------ reading

    def recent(self, base_url: str, limit: int = 50) -> Future[list[Record]]:
        """Give what was asked and not refused, newest first; uploads are left out."""
        return self._records(
            "base_url=? AND kind<>'upload'"
            " AND state IN ('sending', 'unknown', 'accepted', 'posted')"
            " ORDER BY asked_at DESC LIMIT ?",
            (base_url, limit),
        )

    def unfinished(self, base_url: str, since: float) -> Future[list[Record]]:
        """Give jobs that have not ended and requests whose answer was never read.

        The newest 100 at most, newest first.
        """
        return self._records(
            "base_url=? AND kind<>'upload' AND asked_at>?"
            " AND ((state='accepted' AND NOT ended) OR state IN ('sending', 'unknown'))"
            " ORDER BY asked_at DESC LIMIT 100",
            (base_url, since),
        )

    def of_job(self, base_url: str, job_id: str) -> Future[list[Record]]:
        """Give the request that made a job, if it is known."""
        return self._records("base_url=? AND job_id=?", (base_url, job_id))

    def of_intent(self, intent: str) -> Future[list[Record]]:
        """Give one request."""
        return self._records("intent=?", (intent,))

    def same(self, base_url: str, same_as: str) -> Future[list[Record]]:
        """Give the requests that stand in the way of the same one, newest first."""
        return self._database.run(lambda connection: self._same(connection, base_url, same_as))

    def _same(self, connection: sqlite3.Connection, base_url: str, same_as: str) -> list[Record]:
        marks = ",".join("?" * len(STANDING))
        return _read(
            connection,
            f"base_url=? AND same_as=? AND state IN ({marks})"
            " AND NOT (ended AND status<>'succeeded') ORDER BY asked_at DESC",
            (base_url, same_as, *STANDING),
        )

    def _records(self, condition: str, values: tuple[Any, ...]) -> Future[list[Record]]:
        return self._database.run(lambda connection: _read(connection, condition, values))

    # ------------------------------------------------------------ small

    def _prune(self, connection: sqlite3.Connection) -> None:
        """Let the oldest entries go, by age and then by size."""
        oldest = time.time() - self._days * 86_400
        _forget(connection, "asked_at<?", (oldest,))
        for _ in range(100):
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            free = connection.execute("PRAGMA freelist_count").fetchone()[0]
            size = connection.execute("PRAGMA page_size").fetchone()[0]
            if (pages - free) * size <= self._bytes:
                break
            eldest = "SELECT intent FROM request ORDER BY asked_at LIMIT 100"
            if not _forget(connection, f"intent IN ({eldest})", ()):
                break
        connection.execute("PRAGMA incremental_vacuum").fetchall()


def _read(connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]) -> list[Record]:
    rows = connection.execute(
        f"SELECT * FROM request WHERE {condition}",  # noqa: S608 - conditions of ours
        values,
    ).fetchall()
    return [_record(row) for row in rows]


def _record(row: sqlite3.Row) -> Record:
    facts = dict(row)
    facts["body"] = msgspec.json.decode(facts["body"])
    facts["reply"] = msgspec.json.decode(facts["reply"])
    facts["ended"] = bool(facts["ended"])
    return Record(**facts)


def _forget(connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]) -> int:
    inside = f"SELECT intent FROM request WHERE {condition}"  # noqa: S608 - conditions of ours
    connection.execute(f"DELETE FROM status WHERE intent IN ({inside})", values)  # noqa: S608
    gone = connection.execute(f"DELETE FROM request WHERE {condition}", values)  # noqa: S608
    return gone.rowcount


# ---------------------------------------------------------------- where it lies


def _path(path: str | os.PathLike[str] | None) -> Path | None:
    """Where the journal is; None for memory."""
    chosen = path if path is not None else os.environ.get(PATH_VARIABLE, "").strip() or None
    if chosen is None:
        import platformdirs  # noqa: PLC0415 - only where no path is given

        return platformdirs.user_data_path("wonda-widgets", appauthor=False) / "journal.db"
    return None if os.fspath(chosen) == MEMORY else Path(chosen).expanduser()


def files() -> list[Path]:
    """What the journal has on disk: the file, SQLite's beside it, and damaged ones set aside."""
    path = _path(None)
    return sorted(path.parent.glob(f"{path.name}*")) if path is not None else []


# ---------------------------------------------------------------- whose request it is

_token: tuple[int, str] = (0, "")


def _owner() -> str:
    """Name this process so that no other is taken for it: process ids are used again."""
    global _token  # noqa: PLW0603 - one a process, another in a forked child
    if _token[0] != os.getpid():
        _token = (os.getpid(), uuid.uuid4().hex[:12])
    return f"{socket.gethostname()}|{os.getpid()}|{_token[1]}"


def _lives(owner: str, told_at: float) -> bool:
    """Whether the process that asked may still be sending."""
    return _runs(owner) is not False and time.time() - told_at < ALIVE_FOR


def _runs(owner: str) -> bool | None:
    """Whether a process runs; None where that cannot be told."""
    if owner == _owner():
        return True
    host, pid = owner.split("|")[:2]
    # Of a process elsewhere, or where asking would end it (Windows), only the clock tells.
    if host != socket.gethostname() or os.name != "posix":
        return None
    if int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return None
    return True
