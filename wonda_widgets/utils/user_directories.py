"""Locate the user's home, data and settings folders, which may not exist.

A container may run with a user ID without an account, and a service without ``HOME``.
"""

from __future__ import annotations

import errno
from pathlib import Path

NO_HOME_MESSAGE = "this user has no home folder"


def home_folder() -> Path | None:
    """Return the home folder; None if there is none."""
    try:
        home = Path.home()
    except (RuntimeError, OSError):
        return None
    return home if home.is_absolute() else None


def data_folder() -> Path:
    """Return the folder for this package's data.

    Raises
    ------
    FileNotFoundError
        If there is no home folder and no environment variable names another folder.
    """
    return _app_folder("user_data_path")


def config_folder() -> Path:
    """Return the folder for this package's settings.

    Raises
    ------
    FileNotFoundError
        As for `data_folder`.
    """
    return _app_folder("user_config_path")


def expand_home(path: Path) -> Path:
    """Replace ``~`` with the home folder.

    Raises
    ------
    FileNotFoundError
        If there is no home folder.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise _no_home_error() from None


def _app_folder(function: str) -> Path:
    """Return the result of a platformdirs function for this package."""
    import platformdirs  # noqa: PLC0415 - not needed where a path or a key is passed

    try:
        folder: Path = getattr(platformdirs, function)("wonda-widgets", appauthor=False)
    except RuntimeError:
        raise _no_home_error() from None
    # Without a home, some versions of platformdirs leave the "~" in place, which would create a
    # folder of that name in the working directory.
    if not folder.is_absolute():
        raise _no_home_error()
    return folder


def _no_home_error() -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, NO_HOME_MESSAGE)
