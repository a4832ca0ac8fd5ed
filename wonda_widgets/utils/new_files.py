"""Write a file that a person gets: whole or not at all, and never over another one.

    bytes ──> hidden temporary file beside it ──> the first free name

A full disk, an interrupt or a crash in the middle leaves no part of a file under its
name. The name is taken last, and one that is taken already gets a number.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import graphemes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_NAME_NUMBER = 10_000  # of files with one name in a folder

MAX_NAME_BYTES = 255  # bytes, on nearly all file systems

#: What a file system says that cannot tell whether the bytes are on the disk.
_FSYNC_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP}


def write(target: Path, data: bytes) -> Path:
    """Write a new file, named as `target` is or with a number; gives where it is.

    Parameters
    ----------
    target : Path
        In a folder that is there.
    data : bytes

    Raises
    ------
    OSError
        If it cannot be written; then nothing is left of it.
    """
    with temporary_path(target) as part:
        _write_synced(part, data)
        return move_to_free_name(part, target)


class FileBatch:
    """New files that belong together: all of them stay, or none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: list[Path] = []
        self._is_given_up = False

    def write(self, target: Path, data: bytes) -> Path:
        """Write one of them, see `write`; from any thread.

        Raises
        ------
        OSError
            Also if they were given up.
        """
        file = write(target, data)
        with self._lock:
            if not self._is_given_up:
                self._files.append(file)
                return file
        file.unlink()
        raise OSError(errno.ECANCELED, os.strerror(errno.ECANCELED))

    def give_up(self) -> None:
        """Remove those that were written; one that is being written goes when it is there."""
        with self._lock:
            self._is_given_up = True
        for file in self._files:
            with contextlib.suppress(OSError):
                file.unlink()


def replace(target: Path, data: bytes) -> None:
    """Write a file anew; the earlier one stays until the new one is complete.

    Raises
    ------
    OSError
        If it cannot be written; then the earlier one is as it was.
    """
    with temporary_path(target) as part:
        _write_synced(part, data)
        part.replace(target)


@contextmanager
def temporary_path(target: Path) -> Iterator[Path]:
    """Give a hidden name beside `target`, and remove what is left under it at the end."""
    # The suffix stays, because programs choose a format by it.
    part = target.with_name(f".wonda-{os.urandom(8).hex()}{target.suffix[:16]}")
    try:
        yield part
    finally:
        with contextlib.suppress(OSError):  # mostly because it has its own name by now
            part.unlink()


def move_to_free_name(part: Path, target: Path) -> Path:
    """Give a temporary file its name, or the first free one with a number.

    Raises
    ------
    OSError
        If it cannot be named so.
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
    """``"story.html"`` as ``"story (2).html"``; a long name is shortened for it."""
    stem, dot, suffix = name.rpartition(".")
    if not stem:
        stem, dot, suffix = name, "", ""
    end = f" ({number}){dot}{suffix}"
    room = MAX_NAME_BYTES - len(os.fsencode(end))
    if len(os.fsencode(stem)) > room:
        stem = graphemes.truncate(stem, len(stem), room)
    return stem + end


def _write_synced(part: Path, data: bytes) -> None:
    with part.open("xb") as file:
        file.write(data)
        file.flush()
        try:
            os.fsync(file.fileno())  # some file systems say only now that they are full
        except OSError as error:
            if error.errno not in _FSYNC_UNSUPPORTED:
                raise


def _move_exclusively(part: Path, free: Path) -> None:
    """Name a file as nothing is named yet.

    Raises
    ------
    FileExistsError
    OSError
    """
    try:
        os.link(part, free)  # unlike renaming, this never replaces what is there
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):  # a file system without links
        free.open("xb").close()  # so the name is taken first
        try:
            part.replace(free)
        except BaseException:
            with contextlib.suppress(OSError):
                free.unlink()
            raise
