"""Paths that a person types, with ``~`` for their home."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InvalidInputError


def expand_user(path: str | os.PathLike[str], field: str) -> Path:
    """Give a path with ``~`` and ``~name`` as the folders that they stand for.

    Parameters
    ----------
    path : str or path
    field : str
        The argument that it is, for the error.

    Raises
    ------
    InvalidInputError
        If it is no path, or nobody has that home.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InvalidInputError(
            field,
            f"{os.fspath(path)!r} names a home folder that does not exist.",
            "Write the whole path.",
        ) from None
    except (TypeError, ValueError):
        kind = type(path).__name__  # not the value, whose text may be a whole array
        raise InvalidInputError(field, f"This is no path, but a {kind}.", "Pass a path.") from None
