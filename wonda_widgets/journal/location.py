"""The location of the journal's file, and the files that belong to it."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from ..utils import user_directories
from .schema import MEMORY

PATH_VARIABLE = "WONDA_JOURNAL"


def resolve_path(path: str | os.PathLike[str] | None) -> Path | None:
    """Return the absolute path of the journal; None for memory.

    Parameters
    ----------
    path : path or ``":memory:"``, optional
        Defaults to ``WONDA_JOURNAL``, then to ``journal.db`` in the user's data folder.

    Raises
    ------
    OSError
        If the user has no home folder, the current folder was deleted, or the path is a drive.
    """
    chosen = path if path is not None else os.environ.get(PATH_VARIABLE, "").strip() or None
    if chosen is None:
        return user_directories.data_folder() / "journal.db"
    if os.fspath(chosen) == MEMORY:
        return None
    resolved = Path(os.fsdecode(chosen))
    if resolved.parts[:1] == ("~",):
        resolved = user_directories.expand_home(resolved)
    else:
        with contextlib.suppress(FileNotFoundError):  # keep "~name" of an unknown user
            resolved = user_directories.expand_home(resolved)
    if not resolved.absolute().name:
        raise OSError("it is a folder")
    return resolved.absolute()  # independent of later changes of the current folder


def journal_files() -> list[Path]:
    """List the default journal's files: database, thumbnails, sidecar files, damaged copies."""
    try:
        path = resolve_path(None)
        siblings = list(path.parent.iterdir()) if path is not None else []
    except OSError:  # no home folder, no such folder, or one that this user may not open
        return []
    if path is None:
        return []
    pattern = re.compile(
        re.escape(path.name)
        + r"(\.thumbnails)?(\.damaged-\d{8}-\d{6}(\+\d+)?)?(-wal|-shm|-journal)?"
    )
    return sorted(file for file in siblings if pattern.fullmatch(file.name))
