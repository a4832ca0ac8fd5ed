"""Diagnose a database file that cannot be used, and save its readable part.

SQLite error codes fall into three groups, and `Database` reacts to each differently:

    LOCKED_CODES     another process holds the lock    wait
    DAMAGED_CODES    the file is not a sound database  rename it, start a new file
    TRANSIENT_CODES  full disk, missing permissions    continue in memory, retry the file
"""

from __future__ import annotations

import contextlib
import glob
import re
import sqlite3
import tempfile
import time
from pathlib import Path

#: Seconds that SQLite waits for a lock in one attempt, which cannot be interrupted.
BUSY_TIMEOUT_SECONDS = 1.0

DAMAGED_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
LOCKED_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)
TRANSIENT_CODES = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
)


class NewerSchemaError(sqlite3.OperationalError):
    """The file has the schema of a later version of this package."""


class NoFileLocksError(sqlite3.OperationalError):
    """The file system does not support locks, so SQLite reports every lock as taken."""


def error_code(error: Exception) -> int:
    """Return the primary SQLite result code of an error; 0 if it has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_caller_error(error: Exception) -> bool:
    """Return whether the SQL or its values are at fault, not the file."""
    if "malformed JSON" in str(error):  # in one entry
        return True
    return isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError)


def describe(error: Exception) -> str:
    """Return the reason of an error as part of a sentence."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


def supports_locks(folder: Path) -> bool:
    """Return whether files in a folder can be locked; some network folders reject all locks."""
    try:
        with tempfile.TemporaryDirectory(prefix="wonda-", dir=folder) as empty:
            probe = sqlite3.connect(Path(empty, "own.db"), timeout=0, isolation_level=None)
            with contextlib.closing(probe):
                probe.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        return error_code(error) not in LOCKED_CODES
    except OSError:  # the folder is not writable, which says nothing about locks
        return True
    return True


def is_intact(path: Path) -> bool:
    """Return whether a file passes SQLite's integrity check.

    Raises
    ------
    sqlite3.DatabaseError
        If another process has locked the file.
    """
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)) as connection:
            return bool(connection.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except sqlite3.DatabaseError as error:
        if error_code(error) in LOCKED_CODES:
            raise
        return error_code(error) not in DAMAGED_CODES


def file_identity(path: Path | None) -> tuple[int, int] | None:
    """Return device and inode of a file; None if there is no file."""
    if path is None:
        return None
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def rename_if_damaged(path: Path) -> bool:
    """Rename a damaged file and its sidecar files unless another process has already done so.

    Returns
    -------
    bool
        Whether this call renamed the file.

    Raises
    ------
    OSError
        If the file cannot be renamed.
    """
    identity = file_identity(path)
    if identity is None or is_intact(path):
        return False
    target = path.with_name(f"{path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"{target.name.rpartition('+')[0] or target.name}+{number}")
    if file_identity(path) != identity:
        return False
    path.rename(target)
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(target.with_name(target.name + suffix))
    return True


def damaged_files(path: Path, *, side_files: bool = False) -> list[Path]:
    """List the damaged files that were renamed next to a database, oldest first.

    Parameters
    ----------
    path : Path
        The database, which need not exist.
    side_files : bool
        Whether to include the files that SQLite kept next to the damaged ones.
    """
    timestamp = re.compile(r"\d{8}-\d{6}(\+\d+)?" + (r"(-\w+)?" if side_files else ""))
    prefix = f"{path.name}.damaged-"
    try:
        candidates = list(path.parent.glob(f"{glob.escape(prefix)}*"))
    except OSError:  # this user may not open the folder
        return []
    return sorted(
        file for file in candidates if timestamp.fullmatch(file.name.removeprefix(prefix))
    )


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open a file for reading, even in a folder that cannot be written.

    Raises
    ------
    sqlite3.Error
        If the file cannot be read.
    """
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
        # SQLite creates sidecar files even for reading. `immutable` avoids that but ignores the
        # write-ahead log, so it is correct only if there is none.
        if path.with_name(f"{path.name}-wal").exists():
            raise
        return sqlite3.connect(f"{uri}&immutable=1", uri=True, timeout=0)
    return connection
