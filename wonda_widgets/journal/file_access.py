"""Create database files that only their owner can read, and restrict existing ones."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING

from .file_problems import damaged_files

if TYPE_CHECKING:
    from pathlib import Path


def create_private(path: Path) -> None:
    """Create an empty file with its folders, if there is none.

    An existing file is never opened here: closing it would release, on POSIX, all locks that
    this process holds on it.

    Raises
    ------
    OSError
        If the file cannot be created, or the path is not a regular file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            # Prompts and captions are private. SQLite gives its sidecar files the same mode.
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        is_regular = stat.S_ISREG(path.stat().st_mode)
    except ValueError as error:  # such as a null character in the path
        raise OSError(str(error)) from None
    if not is_regular:
        raise OSError("it is not a file")


def unwritable_reason(path: Path) -> str:
    """Return why a file cannot be written or created, as part of a sentence; empty if it can."""
    try:
        existing = next((place for place in (path, *path.parents) if place.exists()), None)
    except OSError as error:  # such as a path that is too long
        return error.strerror or str(error)
    if existing is None:
        return "the folder does not exist"
    if existing != path and not existing.is_dir():
        return f"{existing} is not a folder"
    return "" if os.access(existing, os.W_OK) else f"you may not write to {existing}"


def restrict(path: Path) -> Path | None:
    """Remove other users' permissions on a database, its sidecar files and damaged copies.

    A group with write permission keeps its permissions, because such a file is shared on purpose. A
    file that everybody can write is also considered shared; it is left unchanged and returned. No
    file is opened; see `create_private`.

    Returns
    -------
    Path or None
        A file that others can still access: it belongs to another user, its file system has no
        permissions, or everybody can write it.
    """
    if os.name == "nt":  # files inherit the permissions of their folder
        return None
    exposed: list[Path] = []
    with contextlib.suppress(OSError):
        real = path.resolve()  # SQLite puts its sidecar files next to the target of a link
        side_files = [real.with_name(real.name + suffix) for suffix in ("-wal", "-shm", "-journal")]
        for file in (real, *side_files, *damaged_files(path, side_files=True)):
            with contextlib.suppress(FileNotFoundError):
                if not _make_private(file):
                    exposed.append(file)
    return exposed[0] if exposed else None


def is_world_writable(file: Path) -> bool:
    """Return whether every user can write a file."""
    with contextlib.suppress(OSError):
        return bool(file.lstat().st_mode & stat.S_IWOTH)
    return False


def _make_private(file: Path) -> bool:
    """Remove other users' permissions; return whether none are left."""
    status = file.lstat()
    if not stat.S_ISREG(status.st_mode):  # never follow a link that another user may have made
        return True
    if status.st_mode & stat.S_IWOTH:
        return False
    mode = _private_mode(status.st_mode)
    if mode == stat.S_IMODE(status.st_mode):
        return True
    with contextlib.suppress(OSError, NotImplementedError):
        if status.st_uid == os.geteuid():
            file.chmod(mode)
    current = file.lstat().st_mode
    return _private_mode(current) == stat.S_IMODE(current)


def _private_mode(mode: int) -> int:
    is_shared = mode & stat.S_IWGRP
    return stat.S_IMODE(mode) & ~(stat.S_IRWXO if is_shared else stat.S_IRWXG | stat.S_IRWXO)
