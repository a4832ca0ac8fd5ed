"""The folders of the person who runs this, which a person without a home does not have.

A container may run under a number that no account has, and a service with ``HOME`` unset.
"""

from __future__ import annotations

import errno
from pathlib import Path

NO_HOME = "this user has no home folder"


def folder() -> Path | None:
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
    from platformdirs import user_data_path  # noqa: PLC0415 - only where no path is given

    try:
        return _absolute(user_data_path("wonda-widgets", appauthor=False))
    except RuntimeError:
        raise _nowhere() from None


def config_folder() -> Path:
    """Give where this package keeps a person's settings.

    Raises
    ------
    FileNotFoundError
        See `data_folder`.
    """
    from platformdirs import user_config_path  # noqa: PLC0415 - only for those without a key

    try:
        return _absolute(user_config_path("wonda-widgets", appauthor=False))
    except RuntimeError:
        raise _nowhere() from None


def expanded(path: Path) -> Path:
    """Give a path with the home folder in place of ``~``.

    Raises
    ------
    FileNotFoundError
        If there is no such home.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise _nowhere() from None


def _absolute(path: Path) -> Path:
    # Versions of platformdirs differ: without a home some leave the "~", which would be
    # taken for a folder of that name within the present one.
    if not path.is_absolute():
        raise _nowhere()
    return path


def _nowhere() -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, NO_HOME)
