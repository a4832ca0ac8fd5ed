"""A SQLite database that remains available even if its file becomes unusable.

All SQL runs on one dedicated thread, in the order in which it was submitted, so neither the main
thread nor the package's event loop waits for a disk or another process's lock.

Problems with the file are reported once (`JournalWarning`) and handled:

- **locked by another process**: work waits until the lock is released;
- **damaged**: the file is renamed and kept, and a new one is started;
- **deleted or replaced by another program**: work continues in the new file;
- **full disk, missing permissions**: the readable part of the file is copied to memory, and work
  continues there. When the file can be written again, the changes are merged into it;
- **written by a newer version, or on a file system without locks**: work continues in memory
  until the process ends.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import contextlib
import logging
import os
import sqlite3
import threading
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Protocol, TypeVar

from ..errors import ClosedError
from ..utils import event_loop
from . import file_access, file_problems
from .file_problems import NewerSchemaError, NoFileLocksError
from .fork_safety import inside_sqlite
from .schema import run_transaction

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .schema import Schema

T = TypeVar("T")

LOCK_RETRY_SECONDS = 0.02  # SQLite gives up on some locks without using its timeout
LOCK_WARNING_SECONDS = 5.0  # how long to wait for a lock before warning
EXIT_WAIT_SECONDS = 3.0  # how long pending work may wait for a lock at interpreter exit
DAMAGE_CHECK_SECONDS = 1.0  # between checks for damaged files
IDLE_RETRY_SECONDS = 20.0  # between retries of an unusable file while no work is submitted
FILE_RETRY_SECONDS = 15.0  # between retries of an unusable file while work is submitted
MAX_ATTEMPTS = 3

_MEMORY_NOTICE = (
    "Work continues in memory: other kernels do not see new requests, and they are forgotten when "
    "this kernel ends. To use another file, set WONDA_JOURNAL or pass journal=."
)

_log = logging.getLogger(__name__)
_reported: set[Path] = set()  # exposed or damaged files for which a warning was issued


class JournalWarning(UserWarning):
    """The journal's file cannot be used as intended; work continues."""


class ChangeTracker(Protocol):
    """A tracker of changes in memory, which merges them into the file later."""

    def track(self, memory: sqlite3.Connection) -> None:
        """Start to record which rows change in memory."""

    def merge(self, memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
        """Write the changed rows into the file, within a transaction."""


class Database:
    """A database in a file, or in memory while the file cannot be used.

    Parameters
    ----------
    path : Path or None
        None for a database in memory.
    schema : Schema
    changes : ChangeTracker, optional
        Without a tracker, changes made in memory are lost when the file can be used again.
    """

    _is_closed = False

    def __init__(
        self,
        path: Path | None,
        schema: Schema,
        changes: ChangeTracker | None = None,
    ) -> None:
        self.path = path
        self._changes = changes
        self._unusable_path: Path | None = None  # the file that memory replaces for now
        self._next_file_retry = 0.0  # monotonic time
        self._problem = ""  # why work continues in memory
        self._damaged_files: list[Path] | None = None  # as of the last check
        self._damage_checked_at = 0.0  # monotonic time
        self._schema = schema
        self._reset()
        self._pid = os.getpid()
        event_loop.reset_after_fork(self)

    def reset_in_child(self) -> None:
        """Reset in a forked child, which must not use the parent's thread or connection."""
        self._pid = os.getpid()
        self._finalizer.detach()
        # Closing the connection here would release the parent's locks.
        event_loop.keep_inherited((self._connections, self._thread))
        is_closed = self._is_closed
        if self._unusable_path is not None:  # the parent writes the changes in its memory
            self.path, self._unusable_path, self._problem = self._unusable_path, None, ""
        self._reset()
        # Submit nothing yet: the parent held a lock of `concurrent.futures` during the fork.
        self._is_closed = is_closed

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed

    @property
    def is_replaced_by_memory(self) -> bool:
        """Whether memory temporarily replaces a file that cannot be written."""
        return self._unusable_path is not None

    @property
    def problem(self) -> str:
        """Sentences about what is wrong with the file; empty if nothing is.

        A damaged file is a problem for each process until the user moves it, because the new file
        lacks the earlier posts and spending.
        """
        path = self.path
        if self._problem or path is None:
            return self._problem
        # The event loop must not wait for a disk: there, use the result of the last check.
        known = self._damaged_files if event_loop.on_loop() else None
        damaged = file_problems.damaged_files(path) if known is None else known
        if not damaged:
            return _deletion_notice(path) if self._was_deleted else ""
        return (
            f"The journal was damaged and has been saved as {damaged[-1]}. The new journal lacks "
            f"all earlier posts and spending. Check your account, then move that file "
            "to another folder or delete it."
        )

    def report_no_path(self, reason: str) -> None:
        """Warn that there is no location for the file, so memory is used.

        Parameters
        ----------
        reason : str
            Part of a sentence.
        """
        self._problem = f"The journal has no usable location ({reason}). {_MEMORY_NOTICE}"
        self._warn(self._problem)

    def _reset(self) -> None:
        # A list, so that the finalizer reaches the open connection without keeping `self` alive.
        self._connections: list[sqlite3.Connection] = []
        # As of Python 3.13, an unclosed connection is a ResourceWarning.
        self._finalizer = weakref.finalize(self, _close_all, self._connections)
        self._file_identity: tuple[int, int] | None = None  # device and inode of the open file
        self._was_deleted = False
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "wonda-journal")
        self._submit_lock = threading.Lock()  # work is submitted before `close` or rejected
        self._is_closed = False
        self._has_retry_timer = False
        self._exit_deadline: float | None = None  # monotonic time, set at interpreter exit

    @property
    def _connection(self) -> sqlite3.Connection | None:
        return self._connections[0] if self._connections else None

    @_connection.setter
    def _connection(self, connection: sqlite3.Connection | None) -> None:
        self._connections[:] = [] if connection is None else [connection]

    # ------------------------------------------------------------ submitting work

    def run(
        self, work: Callable[[sqlite3.Connection], T], *, writes: bool = True
    ) -> concurrent.futures.Future[T]:
        """Run ``work(connection)`` in one transaction, after all work submitted before.

        Parameters
        ----------
        work : callable
        writes : bool
            Whether it changes rows. Such work cannot be canceled: facts are recorded even if
            nothing waits for the result.

        Raises
        ------
        ClosedError
        """
        if self._pid != os.getpid():  # a C library may fork without running Python's hooks
            self.reset_in_child()
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        if writes:
            future.set_running_or_notify_cancel()
        mode = "IMMEDIATE" if writes else "DEFERRED"
        with self._submit_lock, contextlib.suppress(RuntimeError):  # at interpreter exit
            if not self._is_closed:
                self._thread.submit(self._complete, future, work, mode)
                return future
        raise ClosedError("The journal is closed.", "Create a new client.")

    def close(self) -> None:
        """Finish pending work in the background, then close the file."""
        with self._submit_lock, contextlib.suppress(RuntimeError):  # at interpreter exit
            if not self._is_closed:
                self._thread.submit(self._shut_down)
            self._is_closed = True

    # ------------------------------------------------------------ on the database thread

    def _complete(
        self,
        future: concurrent.futures.Future[T],
        work: Callable[[sqlite3.Connection], T],
        mode: str,
    ) -> None:
        if not future.running() and not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(self._run_with_recovery(work, mode))
        except BaseException as error:  # noqa: BLE001 - the waiting caller gets every error
            future.set_exception(error)
        del future  # break the cycle: future, error, traceback, this frame

    def _run_with_recovery(self, work: Callable[[sqlite3.Connection], T], mode: str) -> T:
        if self.is_replaced_by_memory:
            with inside_sqlite():
                self._return_to_file()
        failure: Exception | None = None
        failures = 0
        started = time.monotonic()
        has_warned = False
        while True:
            try:
                with inside_sqlite():
                    if failure is not None:
                        self._handle_file_problem(failure, is_last_attempt=failures >= MAX_ATTEMPTS)
                        failure = None
                    self._check_for_damage()
                    return self._transaction(work, mode)
            except (sqlite3.DatabaseError, OSError) as error:
                if self.path is None or file_problems.is_caller_error(error):
                    raise
                if file_problems.error_code(error) not in file_problems.LOCKED_CODES:
                    failure, failures = error, failures + 1
                    continue
            if not self._may_wait_for_lock():
                raise ClosedError("The interpreter ended while another process locked the journal.")
            if not has_warned and time.monotonic() - started >= LOCK_WARNING_SECONDS:
                has_warned = True
                if file_problems.supports_locks(self.path.parent):
                    self._warn(
                        f"Another program has locked the journal {self.path}. Requests are not "
                        "sent until it is released. Close programs that have the file open, such "
                        "as a database viewer."
                    )
                else:
                    self._fall_back_to_memory(
                        NoFileLocksError("its file system does not support locks")
                    )
            time.sleep(LOCK_RETRY_SECONDS)

    def _check_for_damage(self) -> None:
        """Update the list of damaged files, which `problem` uses on the event loop."""
        now = time.monotonic()
        if self.path is not None and (
            self._damaged_files is None or now - self._damage_checked_at >= DAMAGE_CHECK_SECONDS
        ):
            self._damaged_files = file_problems.damaged_files(self.path)
            self._damage_checked_at = now

    def _may_wait_for_lock(self) -> bool:
        """Return whether there is time left to wait for a lock.

        At interpreter exit, the interpreter waits for this thread, so the time is limited.
        """
        if self._exit_deadline is None:
            try:
                self._thread.submit(_nothing)  # raises from interpreter exit on
            except RuntimeError:
                self._exit_deadline = time.monotonic() + EXIT_WAIT_SECONDS
        return self._exit_deadline is None or time.monotonic() < self._exit_deadline

    def _transaction(self, work: Callable[[sqlite3.Connection], T], mode: str) -> T:
        return run_transaction(self._connect(), work, mode)

    def _connect(self) -> sqlite3.Connection:
        if self._connection is not None and self._file_identity != file_problems.file_identity(
            self.path
        ):
            self._disconnect()
            self._report_deletion()
        if self._connection is None:
            self._connection = self._open_connection(self.path)
            self._file_identity = file_problems.file_identity(self.path)
        return self._connection

    def _open_connection(self, path: Path | None) -> sqlite3.Connection:
        if path is not None:
            file_access.create_private(path)
            self._restrict_access(path)
            self._warn_of_damaged_file(path)
        return self._schema.open(path)

    def _shut_down(self) -> None:
        with inside_sqlite():
            self.save_to_file()
            self._disconnect()
        self._thread.shutdown(wait=False)

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    # ------------------------------------------------------------ when the file cannot be used

    def _handle_file_problem(self, error: Exception, *, is_last_attempt: bool) -> None:
        if file_problems.error_code(error) not in file_problems.DAMAGED_CODES or is_last_attempt:
            self._fall_back_to_memory(error)
            return
        self._disconnect()
        assert self.path is not None  # noqa: S101 - memory is never damaged
        try:
            if file_problems.rename_if_damaged(self.path):
                self._damaged_files = None
        except OSError as rename_error:
            self._fall_back_to_memory(rename_error)

    def _fall_back_to_memory(self, error: Exception) -> None:
        """Continue in memory with a copy of the readable part of the file."""
        path, self.path = self.path, None
        self._disconnect()
        self._file_identity = None
        assert path is not None  # noqa: S101 - memory never fails
        # The tables of a newer schema may differ.
        is_newer = isinstance(error, NewerSchemaError)
        self._connection = None if is_newer else self._schema.copy_to_memory(path)
        if self._connection is None:
            self._connection = self._open_connection(None)
        if (
            isinstance(error, OSError)
            or file_problems.error_code(error) in file_problems.TRANSIENT_CODES
        ):
            self._unusable_path = path
            self._next_file_retry = time.monotonic() + FILE_RETRY_SECONDS
            if self._changes is not None:
                self._changes.track(self._connection)
            if not self._has_retry_timer:
                self._has_retry_timer = True
                _schedule_retry(weakref.ref(self))
                atexit.register(_save_at_exit, weakref.ref(self))
        problem = (
            f"The journal {path} cannot be used ({file_problems.describe(error)}). {_MEMORY_NOTICE}"
        )
        if problem != self._problem:
            self._problem = problem
            self._warn(problem)

    def save_to_file(self) -> None:
        """Try one last time to merge changes made in memory into the file."""
        if self.is_replaced_by_memory:
            self._next_file_retry = 0.0
            self._return_to_file()

    def _return_to_file(self) -> None:
        """Merge changes into the file and continue with it, if it can be written again."""
        path, memory = self._unusable_path, self._connection
        if path is None or memory is None or time.monotonic() < self._next_file_retry:
            return
        self._next_file_retry = time.monotonic() + FILE_RETRY_SECONDS
        try:
            file = self._open_connection(path)
        except (sqlite3.DatabaseError, OSError):
            return
        try:
            run_transaction(file, lambda _: self._merge(memory, file), "IMMEDIATE")
        except (sqlite3.DatabaseError, OSError):  # the changes are still in memory
            file.close()
            return
        self._disconnect()
        self.path, self._unusable_path = path, None
        self._connection, self._file_identity = file, file_problems.file_identity(path)
        self._problem = ""
        _log.warning("The journal %s can be used again and is up to date.", path)

    def _merge(self, memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
        # Writing a page reveals a disk that is still full, even if there are no changes.
        file.execute(f"PRAGMA user_version={self._schema.version}")
        if self._changes is not None:
            self._changes.merge(memory, file)

    # ------------------------------------------------------------ warnings

    def _report_deletion(self) -> None:
        """Warn once that the open file was deleted or replaced.

        If another process renamed it because it is damaged, the damage is reported instead.
        """
        path = self.path
        if path is None or self._was_deleted or file_problems.damaged_files(path):
            return
        self._was_deleted = True
        self._warn(_deletion_notice(path))

    def _warn_of_damaged_file(self, path: Path) -> None:
        """Warn once about a damaged file, even if another process renamed it."""
        for damaged in file_problems.damaged_files(path)[-1:]:
            if damaged not in _reported:
                _reported.add(damaged)
                self._warn(self.problem)

    def _restrict_access(self, path: Path) -> None:
        """Remove other users' permissions; warn once if that is not possible."""
        exposed = file_access.restrict(path)
        if exposed and path not in _reported:
            _reported.add(path)
            self._warn(
                f"Other users of this computer can read {exposed}, and "
                + (
                    "write it. If this is not intended, run chmod o-rwx on it."
                    if file_access.is_world_writable(exposed)
                    else "this process cannot change that. Ask the file's owner to run chmod "
                    "go-rwx on it, or set WONDA_JOURNAL or pass journal= to use another file."
                )
            )

    def _warn(self, message: str) -> None:
        _log.info("%s", message)
        with contextlib.suppress(JournalWarning):  # continue even where warnings are errors
            warnings.warn(message, JournalWarning, stacklevel=3)


def _deletion_notice(path: Path) -> str:
    return (
        f"The journal {path} was deleted or replaced while it was in use. The new journal lacks "
        "all earlier posts and spending. Check your account, then restart the kernel."
    )


def _nothing() -> None:
    """Do nothing."""


def _schedule_retry(database_ref: weakref.ref[Database]) -> None:
    """Retry an unusable file at intervals, even while no work is submitted."""

    def retry() -> None:
        database = database_ref()
        if database is None or database.is_closed:
            return
        with contextlib.suppress(ClosedError):
            if database.is_replaced_by_memory:
                database.run(lambda _: None, writes=False)  # any work retries the file first
            _schedule_retry(database_ref)

    timer = threading.Timer(IDLE_RETRY_SECONDS, retry)
    timer.daemon = True
    timer.start()


def _save_at_exit(database_ref: weakref.ref[Database]) -> None:
    """Save to the file at interpreter exit; the database thread has ended by then."""
    database = database_ref()
    if database is not None:
        database.save_to_file()


def _close_all(connections: list[sqlite3.Connection]) -> None:
    while connections:
        with contextlib.suppress(sqlite3.Error):
            connections.pop().close()
