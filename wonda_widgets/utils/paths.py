"""Expand ``~`` in paths passed as arguments."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InvalidInputError


def expand_user(path: str | os.PathLike[str], field: str) -> Path:
    """Replace ``~`` and ``~name`` with the home folders.

    Parameters
    ----------
    path : str or path
    field : str
        The argument's name, for the error.

    Raises
    ------
    InvalidInputError
        If `path` is not a path, or the home folder does not exist.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InvalidInputError(
            field,
            f"{os.fspath(path)!r} refers to a home folder that does not exist.",
            "Pass the full path.",
        ) from None
    except (TypeError, ValueError):
        kind = type(path).__name__  # not the value, which may be a whole array
        raise InvalidInputError(
            field, f"Expected a path, not {kind}.", "Pass a str or a pathlib.Path."
        ) from None
