"""Write new files completely or not at all, and never overwrite an existing file.

    bytes ──> hidden temporary file in the same folder ──> the first free name

A full disk, an interrupt or a crash halfway leaves no partial file under the final name. The
file gets its name last, with a number if the name is already in use.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InvalidInputError
from . import graphemes

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The number at which the search for a free name ends.
MAX_NAME_NUMBER = 10_000

#: The limit of nearly all file systems.
MAX_NAME_BYTES = 255

#: Errors of file systems that do not support fsync.
_FSYNC_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


def write(target: Path, data: bytes) -> Path:
    """Write a new file and return its path.

    Parameters
    ----------
    target : Path
        The desired path, in an existing folder. If the name is in use, a number is added.
    data : bytes

    Raises
    ------
    OSError
        If the file cannot be written; no partial file is left behind.
    """
    with temporary_path(target) as part:
        _write_synced(part, data)
        return move_to_free_name(part, target)


class FileBatch:
    """New files that belong together: either all of them are kept or none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._files: list[Path] = []
        self._writing = 0
        self._is_discarded = False

    def write(self, target: Path, data: bytes) -> Path:
        """Write one of the files, as the function `write` does; safe to call from any thread.

        Raises
        ------
        OSError
            If the file cannot be written, or the batch was discarded.
        """
        with self._changed:
            if self._is_discarded:
                raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))
            self._writing += 1
        try:
            file = write(target, data)
            self._files.append(file)
        finally:
            with self._changed:
                self._writing -= 1
                self._changed.notify_all()
        return file

    def add(self, file: Path) -> None:
        """Add a file that was written in another way; delete it if the batch was discarded."""
        with self._changed:
            self._files.append(file)
            if self._is_discarded:
                file.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete all files; wait for those that are being written on other threads."""
        with self._changed:
            self._is_discarded = True
            self._changed.wait_for(lambda: not self._writing)
        for file in self._files:
            with contextlib.suppress(OSError):
                file.unlink()


def temporary_folder() -> Path:
    """Create a folder for temporary files.

    Raises
    ------
    InvalidInputError
        For example, because the disk is full.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="wonda-"))
    except OSError as error:
        reason = error.strerror or error
        raise InvalidInputError(
            "path", f"No temporary file can be written: {reason}.", "Free some disk space."
        ) from None


def replace(target: Path, data: bytes) -> None:
    """Replace a file's content atomically.

    Raises
    ------
    OSError
        If the new content cannot be written; the old content is not changed.
    """
    with temporary_path(target) as part:
        _write_synced(part, data)
        part.replace(target)


@contextmanager
def temporary_path(target: Path) -> Iterator[Path]:
    """Yield an unused hidden path next to `target`; delete a remaining file at the end."""
    # Keep the suffix: programs choose the file format by it.
    part = target.with_name(f".wonda-{os.urandom(8).hex()}{target.suffix[:16]}")
    try:
        yield part
    finally:
        with contextlib.suppress(OSError):  # usually it has been moved to its final name
            part.unlink()


def move_to_free_name(part: Path, target: Path) -> Path:
    """Move a temporary file to `target` or the first free numbered name; return that path.

    Raises
    ------
    OSError
        If the file cannot be moved.
    """
    for number in range(1, MAX_NAME_NUMBER):
        free = target if number == 1 else target.with_name(numbered_name(target.name, number))
        try:
            _move_exclusively(part, free)
        except FileExistsError:
            continue
        return free
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))


def numbered_name(name: str, number: int) -> str:
    """Add a number to a file name and shorten it if needed: ``"story (2).html"``."""
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    ending = f" ({number}){dot}{suffix}"
    max_stem_bytes = MAX_NAME_BYTES - len(os.fsencode(ending))
    if len(os.fsencode(stem)) > max_stem_bytes:
        stem = graphemes.truncate(stem, len(stem), max_stem_bytes)
    return stem + ending


def _write_synced(part: Path, data: bytes) -> None:
    with part.open("xb") as file:
        file.write(data)
        file.flush()
        try:
            os.fsync(file.fileno())  # some file systems report a full disk only here
        except OSError as error:
            if error.errno not in _FSYNC_UNSUPPORTED:
                raise


def _move_exclusively(part: Path, free: Path) -> None:
    """Move a file to a name that is not in use.

    Raises
    ------
    FileExistsError
        If the name is in use.
    OSError
        If the file cannot be moved.
    """
    try:
        os.link(part, free)  # unlike a rename, this never replaces an existing file
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # the file system has no hard links
        free.open("xb").close()  # reserve the name first
        try:
            part.replace(free)
        except BaseException:
            with contextlib.suppress(OSError):
                free.unlink()
            raise
