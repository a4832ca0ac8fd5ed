"""The folders of the person who runs this, which a person without a home does not have.

A container may run under a number that no account has, and a service with ``HOME`` unset.
"""

from __future__ import annotations

import errno
from pathlib import Path

NO_HOME_MESSAGE = "this user has no home folder"


def home_folder() -> Path | None:
    """Give the home folder; None if there is none."""
    try:
        found = Path.home()
    except (RuntimeError, OSError):
        return None
    return found if found.is_absolute() else None


def data_folder() -> Path:
    """Give where this package keeps a person's data.

    Raises
    ------
    FileNotFoundError
        If there is no home folder, and no variable names another.
    """
    return _app_folder("user_data_path")


def config_folder() -> Path:
    """Give where this package keeps a person's settings.

    Raises
    ------
    FileNotFoundError
        See `data_folder`.
    """
    return _app_folder("user_config_path")


def expand_home(path: Path) -> Path:
    """Give a path with the home folder in place of ``~``.

    Raises
    ------
    FileNotFoundError
        If there is no such home.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise _no_home_error() from None


def _app_folder(kind: str) -> Path:
    """Give the package's own folder of a kind, by the name of platformdirs' function for it."""
    import platformdirs  # noqa: PLC0415 - only where no path or key is given

    try:
        found: Path = getattr(platformdirs, kind)("wonda-widgets", appauthor=False)
    except RuntimeError:
        raise _no_home_error() from None
    # Versions of platformdirs differ: without a home some leave the "~", which would be
    # taken for a folder of that name within the present one.
    if not found.is_absolute():
        raise _no_home_error()
    return found


def _no_home_error() -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, NO_HOME_MESSAGE)
