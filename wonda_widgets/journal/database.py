"""A SQLite file that never stops work: one thread, several processes, damage set aside.

All SQL runs on one thread of its own, so that neither the main thread nor the
package's loop ever waits for a disk or for another process's lock; work is done
in the order in which it was given.

What goes wrong with the file is told once and then worked around:

- **locked by another process**: work waits until it is free, however long that takes;
- **damaged**: it is set aside under another name, kept, and a new one is begun;
- **a full disk, missing rights**: what can be read of it is copied to memory, and work
  goes on there. As soon as the file can be written again, what was noted meanwhile is
  written into it, and work goes on with the file;
- **written by a newer version, on a file system without locks**: as above, but to the end.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import glob
import logging
import os
import re
import sqlite3
import stat
import tempfile
import threading
import time
import warnings
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ..errors import ClosedError
from ..utils import event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

MEMORY = ":memory:"
BUSY = 1.0  # seconds that one try waits for another process; SQLite cannot be interrupted in it
PAUSE = 0.02  # seconds between such tries, because SQLite gives some of them up at once
PATIENCE = 5.0  # seconds of waiting for another process after which that is said
LAST = 3.0  # seconds for which all that is left may wait when the interpreter ends
LOOK = 1.0  # seconds between looks for damaged files
IDLE = 20.0  # seconds after which it is tried although nobody asks for anything
AGAIN = 15.0  # seconds after which a file that could not be written is tried again
TRIES = 3
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
LOCKED = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)
#: What passes: a full disk, missing rights, a disk or network folder that does not answer.
PASSING = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
)

_IN_MEMORY = (
    "Work goes on in memory: what is asked from now on is unknown to other kernels, and forgotten "
    "when this one ends. Another file can be named by WONDA_JOURNAL or journal=."
)

_log = logging.getLogger(__name__)
_told: set[Path] = set()  # files of which was said that others can read them, or are damaged


class JournalWarning(UserWarning):
    """The journal's file cannot be used as it should be; work goes on."""


class _NewerError(sqlite3.OperationalError):
    """The file has a schema of a later version of this package."""


class _NoLocksError(sqlite3.OperationalError):
    """The file's file system locks nothing, so that every lock seems to be another process's."""


class Meanwhile(Protocol):
    """How what was noted in memory comes into the file, once that can be written again."""

    def track(self, memory: sqlite3.Connection) -> None:
        """Begin to note in memory which rows change there."""

    def merge(self, memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
        """Write these rows into the file, within a transaction."""


class Database:
    """A database that is always there, if need be in memory.

    Parameters
    ----------
    path : Path or None
        None for memory.
    migrations : sequence of str
        SQL that leads from each schema version to the next; the first makes it.
    probe : str
        SQL that every sound file of the newest version takes.
    functions : dict, optional
        What that SQL calls: functions of one value by their names. Each gives always the same
        for the same value.
    meanwhile : Meanwhile, optional
        Without it, what was noted in memory is lost when work goes on with the file.
    """

    _is_closed = False

    def __init__(
        self,
        path: Path | None,
        migrations: Sequence[str],
        probe: str,
        functions: Mapping[str, Callable[[Any], Any]] | None = None,
        meanwhile: Meanwhile | None = None,
    ) -> None:
        self.path = path
        self._meanwhile = meanwhile
        self._left: Path | None = None  # the file for which memory stands in until it is usable
        self._try_again = 0.0  # when that may be, by the monotonic clock
        self._functions = dict(functions or {})
        self._unusable = ""  # why work goes on in memory
        self._damaged: list[Path] | None = None  # files that were set aside, as of the last look
        self._looked = 0.0  # when that was, by the monotonic clock
        self._migrations = migrations
        self._probe = probe
        self._fresh_start()
        self._pid = os.getpid()
        event_loop.reset_after_fork(self)

    def renew(self) -> None:
        """Begin anew in a forked child, which has not the thread and must not use the file."""
        self._pid = os.getpid()
        self._finalizer.detach()
        event_loop.keep_inherited(
            (self._open, self._thread)
        )  # closing would end the parent's locks
        is_closed = self._is_closed
        if self._left is not None:  # what the parent has in memory is the parent's to write
            self.path, self._left, self._unusable = self._left, None, ""
        self._fresh_start()
        # Nothing may be given to the new thread yet: a lock of its module is still held here.
        self._is_closed = is_closed

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed

    @property
    def stands_in(self) -> bool:
        """Whether memory stands in for a file that cannot be written at present."""
        return self._left is not None

    @property
    def trouble(self) -> str:
        """What is wrong with the file, in a sentence; empty if nothing is.

        A damaged file that was set aside is trouble for each process, because the new one knows
        nothing of what was posted and spent; until somebody moves that file.
        """
        path = self.path
        if self._unusable or path is None:
            return self._unusable
        # The loop never waits for a folder, so there it is as of the last work.
        seen = self._damaged if event_loop.on_loop() else None
        damaged = damaged_copies(path) if seen is None else seen
        if not damaged:
            return self._unusable
        return (
            f"The journal was damaged. It is kept as {damaged[-1]}; a new one was begun, which "
            "does not know what was posted and spent before. Look at your account, then move that "
            "file to another folder or delete it."
        )

    def stay_in_memory(self, why: str) -> None:
        """Say that there is no place for a file.

        Parameters
        ----------
        why : str
            As a part of a sentence.
        """
        self._unusable = f"No file can be named for the journal ({why}). {_IN_MEMORY}"
        self._warn(self._unusable)

    def _fresh_start(self) -> None:
        #: the open connection, where the finalizer finds it without keeping this alive
        self._open: list[sqlite3.Connection] = []
        # A connection that is left to the interpreter is a ResourceWarning as of Python 3.13.
        self._finalizer = weakref.finalize(self, _close_all, self._open)
        self._file: tuple[int, int] | None = None  # device and inode of the open file
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "wonda-journal")
        self._order = threading.Lock()  # what is given comes before the end, or is refused
        self._is_closed = False
        self._is_tried_again = False  # by a timer, and at the interpreter's end
        self._waits_until: float | None = None  # set when the interpreter ends

    @property
    def _connection(self) -> sqlite3.Connection | None:
        return self._open[0] if self._open else None

    @_connection.setter
    def _connection(self, connection: sqlite3.Connection | None) -> None:
        self._open[:] = [] if connection is None else [connection]

    # ------------------------------------------------------------ work

    def run(
        self, work: Callable[[sqlite3.Connection], T], *, writes: bool = True
    ) -> concurrent.futures.Future[T]:
        """Have ``work(connection)`` done in one transaction, after what was given before.

        What `writes` cannot be canceled: it is a fact, whether or not anybody waits for it.

        Raises
        ------
        ClosedError
        """
        if self._pid != os.getpid():  # a fork that ran no hooks, as of a C library
            self.renew()
        done: concurrent.futures.Future[T] = concurrent.futures.Future()
        if writes:
            done.set_running_or_notify_cancel()
        kind = "IMMEDIATE" if writes else "DEFERRED"
        with self._order, contextlib.suppress(RuntimeError):  # the interpreter ends
            if not self._is_closed:
                self._thread.submit(self._settle, done, work, kind)
                return done
        raise ClosedError("The journal is closed.", "Make a new client.")

    def close(self) -> None:
        """Finish what was given, then close the file. Nobody waits for that."""
        with self._order, contextlib.suppress(RuntimeError):  # the interpreter ends
            if not self._is_closed:
                self._thread.submit(self._finish)
            self._is_closed = True

    # ------------------------------------------------------------ on its thread

    def _settle(
        self,
        done: concurrent.futures.Future[T],
        work: Callable[[sqlite3.Connection], T],
        kind: str,
    ) -> None:
        if not done.running() and not done.set_running_or_notify_cancel():
            return
        try:
            done.set_result(self._attempt(work, kind))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the one who waits is told
            done.set_exception(error)
        del done  # which holds the error, which holds this frame

    def _attempt(self, work: Callable[[sqlite3.Connection], T], kind: str) -> T:
        if self._left is not None:
            self._come_back()
        fault: Exception | None = None
        faults = 0
        since = time.monotonic()
        said = False
        while True:
            try:
                if fault is not None:
                    self._work_around(fault, last=faults >= TRIES)
                    fault = None
                self._look()
                return self._transaction(work, kind)
            except (sqlite3.DatabaseError, OSError) as error:
                if self.path is None or _is_ours(error):
                    raise
                if _code(error) not in LOCKED:
                    fault, faults = error, faults + 1
                    continue
            if not self._may_wait():
                raise ClosedError("The interpreter ended while another process locked the journal.")
            if not said and time.monotonic() - since >= PATIENCE:
                said = True
                if _knows_locks(self.path.parent):
                    self._warn(_waiting(self.path))
                else:
                    self._go_to_memory(_NoLocksError("its file system does not support locks"))
            time.sleep(PAUSE)

    def _look(self) -> None:
        """Look for damaged files that were set aside, for whoever asks on the loop."""
        now = time.monotonic()
        if self.path is not None and (self._damaged is None or now - self._looked >= LOOK):
            self._damaged, self._looked = damaged_copies(self.path), now

    def _may_wait(self) -> bool:
        """Whether there is time left to wait for another process.

        There is, until the interpreter ends: it waits for this thread.
        """
        if self._waits_until is None:
            try:
                self._thread.submit(_nothing)  # which is refused as of then
            except RuntimeError:
                self._waits_until = time.monotonic() + LAST
        return self._waits_until is None or time.monotonic() < self._waits_until

    def _transaction(self, work: Callable[[sqlite3.Connection], T], kind: str) -> T:
        return _in_transaction(self._connected(), work, kind)

    def _connected(self) -> sqlite3.Connection:
        # The file may have been deleted or set aside by another process meanwhile.
        if self._connection is not None and self._file != self._identity():
            self._disconnect()
        if self._connection is None:
            self._connection = self._opened(self.path)
            self._file = self._identity()
        return self._connection

    def _identity(self) -> tuple[int, int] | None:
        if self.path is None:
            return None
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _opened(self, path: Path | None) -> sqlite3.Connection:
        if path is not None:
            prepare(path)
            self._keep_from_others(path)
            self._look_for_damaged(path)
        # Only its thread works with it; at the interpreter's end, another one closes it.
        connection = sqlite3.connect(
            path or MEMORY, timeout=BUSY, isolation_level=None, check_same_thread=False
        )
        try:
            self._refuse_newer(connection)
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
            connection.execute("PRAGMA journal_mode=WAL")
            # The end of this process loses nothing; only a power cut could lose the last moments.
            connection.execute("PRAGMA synchronous=NORMAL")
            connection.row_factory = sqlite3.Row
            for name, function in self._functions.items():
                connection.create_function(name, 1, function, deterministic=True)
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _refuse_newer(self, connection: sqlite3.Connection) -> None:
        if _version(connection) > len(self._migrations):
            raise _NewerError("it was written by a newer version of wonda-widgets")

    def _migrate(self, connection: sqlite3.Connection) -> None:
        newest = len(self._migrations)
        if _version(connection) == newest:
            return
        connection.execute("BEGIN IMMEDIATE")  # two processes may want to do this at once
        for statements in self._migrations[_version(connection) :]:
            for statement in statements.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={newest}")
        connection.execute("COMMIT")

    def _finish(self) -> None:
        self.try_once_more()
        self._disconnect()
        self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    # ------------------------------------------------------------ when the file is no good

    def _work_around(self, error: Exception, *, last: bool) -> None:
        if _code(error) not in DAMAGED or last:
            self._go_to_memory(error)
            return
        self._disconnect()
        try:
            self._set_aside()
        except OSError as problem:
            self._go_to_memory(problem)

    def _set_aside(self) -> None:
        """Rename the damaged file, unless another process has done so already."""
        assert self.path is not None  # noqa: S101 - memory is never damaged
        seen = self._identity()
        if seen is None or _is_sound(self.path):
            return
        kept = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
        number = 1
        while kept.exists():
            number += 1
            kept = kept.with_name(f"{kept.name.rpartition('+')[0] or kept.name}+{number}")
        if self._identity() != seen:
            return
        self.path.rename(kept)
        for side in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + side).rename(kept.with_name(kept.name + side))
        self._damaged = None

    def _go_to_memory(self, error: Exception) -> None:
        """Go on without the file, with what can be read of it."""
        path, self.path = self.path, None
        self._disconnect()
        self._file = None
        assert path is not None  # noqa: S101 - memory is never given up
        # The tables of a newer version may have another shape.
        self._connection = None if isinstance(error, _NewerError) else self._copied(path)
        if self._connection is None:
            self._connection = self._opened(None)
        if isinstance(error, OSError) or _code(error) in PASSING:
            self._left = path
            self._try_again = time.monotonic() + AGAIN
            if self._meanwhile is not None:
                self._meanwhile.track(self._connection)
            if not self._is_tried_again:
                self._is_tried_again = True
                _try_again_later(weakref.ref(self))
                atexit.register(_try_at_the_end, weakref.ref(self))
        sentence = f"The journal {path} cannot be used ({_reason(error)}). {_IN_MEMORY}"
        if sentence != self._unusable:
            self._unusable = sentence
            self._warn(sentence)

    def try_once_more(self) -> None:
        """Bring what was noted in memory into the file; else it is lost. At the end only."""
        if self._left is not None:
            self._try_again = 0.0
            self._come_back()

    def _come_back(self) -> None:
        """Go on with the file, if it can be written again, and with what was noted meanwhile."""
        path, memory = self._left, self._connection
        if path is None or memory is None or time.monotonic() < self._try_again:
            return
        self._try_again = time.monotonic() + AGAIN
        try:
            file = self._opened(path)
        except (sqlite3.DatabaseError, OSError):
            return
        try:
            _in_transaction(file, lambda _: self._merge(memory, file), "IMMEDIATE")
        except (sqlite3.DatabaseError, OSError):  # memory has it all the same
            file.close()
            return
        self._disconnect()
        self.path, self._left = path, None
        self._connection, self._file = file, self._identity()
        self._unusable = ""
        _log.warning("The journal %s can be used again. All that was noted is in it.", path)

    def _merge(self, memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
        # A disk that is still full is found out by a page that is written.
        file.execute(f"PRAGMA user_version={len(self._migrations)}")
        if self._meanwhile is not None:
            self._meanwhile.merge(memory, file)

    def _copied(self, path: Path) -> sqlite3.Connection | None:
        """What a file holds, in memory; None if that is of no use."""
        memory = self._opened(None)
        try:
            with contextlib.closing(_readable(path)) as old:
                old.backup(memory)
            sound = memory.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
            self._migrate(memory)  # the file may be of an earlier version
            memory.execute(self._probe).fetchall()
        except (sqlite3.Error, OSError, ValueError):
            sound = False
        if sound:
            return memory
        memory.close()
        return None

    def _look_for_damaged(self, path: Path) -> None:
        """Say once where a damaged file was set aside, by this process or another."""
        for damaged in damaged_copies(path)[-1:]:
            if damaged not in _told:
                _told.add(damaged)
                self._warn(self.trouble)

    def _keep_from_others(self, path: Path) -> None:
        """Say once where other people of this computer can read what stands in the file."""
        exposed = tighten(path)
        if exposed and path not in _told:
            _told.add(path)
            self._warn(
                f"Other users of this computer can read {exposed}, and "
                + (
                    "write it. If that is not on purpose, run chmod o-rwx on it. Work goes on."
                    if _open_to_all(exposed)
                    else "this process cannot change that. Work goes on. Ask the file's owner to "
                    "run chmod go-rwx on it, or name a file in a folder of your own by "
                    "WONDA_JOURNAL or journal=."
                )
            )

    def _warn(self, sentence: str) -> None:
        _log.info("%s", sentence)
        with contextlib.suppress(JournalWarning):  # where warnings are errors, work goes on too
            warnings.warn(sentence, JournalWarning, stacklevel=3)


def _in_transaction(
    connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T], kind: str
) -> T:
    connection.execute(f"BEGIN {kind}")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    return result


def _nothing() -> None:
    """Do nothing."""


def _try_again_later(owner: weakref.ref[Database]) -> None:
    """Have a file tried again now and then, also while nobody asks for anything."""

    def try_again() -> None:
        database = owner()
        if database is None or database.is_closed:
            return
        with contextlib.suppress(ClosedError):
            if database.stands_in:
                database.run(lambda _: None, writes=False)  # before which the file is tried
            _try_again_later(owner)

    timer = threading.Timer(IDLE, try_again)
    timer.daemon = True
    timer.start()


def _try_at_the_end(owner: weakref.ref[Database]) -> None:
    """Try a file once more when the interpreter ends; its thread has ended by then."""
    database = owner()
    if database is not None:
        database.try_once_more()


def _waiting(path: Path) -> str:
    return (
        f"Another program has locked the journal {path}. Requests wait until it is free, and "
        "nothing is sent before. Close what has that file open, such as a viewer of databases."
    )


def _knows_locks(folder: Path) -> bool:
    """Whether files in a folder can be locked; some network folders refuse every lock."""
    try:
        with tempfile.TemporaryDirectory(prefix="wonda-", dir=folder) as empty:
            own = sqlite3.connect(Path(empty, "own.db"), timeout=0, isolation_level=None)
            with contextlib.closing(own):
                own.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return _code(error) not in LOCKED
    except OSError:  # nothing can be made there, which says nothing about locks
        return True
    return True


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        with contextlib.suppress(sqlite3.Error):
            connections.pop().close()


def _readable(path: Path) -> sqlite3.Connection:
    """Open a file that cannot be written, wherever it lies."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = None
    try:
        connection = sqlite3.connect(uri, uri=True, timeout=0)
        connection.execute("SELECT 1 FROM sqlite_master").fetchall()
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        if not isinstance(error, sqlite3.OperationalError):
            raise
        # Even to read, SQLite wants to make files beside it. Without a log there is none to read.
        if path.with_name(f"{path.name}-wal").exists():
            raise
        return sqlite3.connect(f"{uri}&immutable=1", uri=True, timeout=0)
    return connection


def prepare(path: Path) -> None:
    """Make an empty file if there is none; it is never opened but by SQLite.

    Closing a file that was opened in another way would end, on POSIX, all locks that
    this process holds on it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            # Prompts and captions are nobody else's business; SQLite's side files follow this.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        regular = stat.S_ISREG(path.stat().st_mode)
    except ValueError as error:  # of a path that no system takes
        raise OSError(str(error)) from None
    if not regular:
        raise OSError("it is not a file")


def unwritable(path: Path) -> str:
    """Say why a file cannot be written, or made, as a part of a sentence; empty if it can be."""
    there = next((each for each in (path, *path.parents) if each.exists()), None)
    if there is None:
        return "there is no such folder"
    if there != path and not there.is_dir():
        return f"{there} is not a folder"
    return "" if os.access(there, os.W_OK) else f"{there} belongs to somebody else"


def tighten(path: Path) -> Path | None:
    """Keep a database, its side files and damaged copies from other users of this computer.

    The group keeps its rights where it may write, too: such a file is shared on purpose. So
    is one that everybody may write: it is left as it is, lest they be locked out, and told.
    No file is opened (see `prepare`).

    Returns
    -------
    Path or None
        One that others can still read: it belongs to somebody else, its file system
        keeps no rights, or everybody may write it.
    """
    if os.name == "nt":  # there, rights come with the folder
        return None
    exposed: list[Path] = []
    with contextlib.suppress(OSError):
        real = path.resolve()  # beside which SQLite puts its side files
        sides = [real.with_name(real.name + end) for end in ("-wal", "-shm", "-journal")]
        for file in (real, *sides, *damaged_copies(path, sides=True)):
            with contextlib.suppress(FileNotFoundError):
                if not _tightened(file):
                    exposed.append(file)
    return exposed[0] if exposed else None


def damaged_copies(path: Path, *, sides: bool = False) -> list[Path]:
    """Give the damaged files that were set aside beside a journal, the oldest first.

    With `sides`, also the files that SQLite had beside them.
    """
    end = re.compile(r"\d{8}-\d{6}(\+\d+)?" + (r"(-\w+)?" if sides else ""))
    start = f"{path.name}.damaged-"
    try:
        found = list(path.parent.glob(f"{glob.escape(start)}*"))
    except OSError:  # a folder that this user may not open
        return []
    return sorted(each for each in found if end.fullmatch(each.name.removeprefix(start)))


def _tightened(file: Path) -> bool:
    """Whether nobody else has rights to a file, after taking them away."""
    found = file.lstat()
    if not stat.S_ISREG(found.st_mode):  # a link that somebody put there leads to no file of ours
        return True
    if found.st_mode & stat.S_IWOTH:
        return False
    wanted = _tight(found.st_mode)
    if wanted == stat.S_IMODE(found.st_mode):
        return True
    with contextlib.suppress(OSError, NotImplementedError):
        if found.st_uid == os.geteuid():
            file.chmod(wanted)
    left = file.lstat().st_mode
    return _tight(left) == stat.S_IMODE(left)


def _open_to_all(file: Path) -> bool:
    with contextlib.suppress(OSError):
        return bool(file.lstat().st_mode & stat.S_IWOTH)
    return False


def _tight(mode: int) -> int:
    shared = mode & stat.S_IWGRP
    return stat.S_IMODE(mode) & ~(stat.S_IRWXO if shared else stat.S_IRWXG | stat.S_IRWXO)


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_ours(error: Exception) -> bool:
    """Whether an error is a fault of ours, not of the file."""
    return isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _is_sound(path: Path) -> bool:
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError as error:
        if _code(error) in LOCKED:
            raise
        return _code(error) not in DAMAGED


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)
