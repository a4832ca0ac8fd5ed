"""Check paths passed as arguments, and expand ``~`` in them."""

from __future__ import annotations

import errno
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
        If `path` is not a path or is too long, or the home folder does not exist.
    """
    try:
        expanded = Path(path).expanduser()
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
    require_possible_length(expanded, field)
    return expanded


def require_possible_length(path: Path, field: str) -> None:
    """Check that the file system does not reject a path as too long.

    Raises
    ------
    InvalidInputError
    """
    try:
        path.lstat()
    except OSError as error:  # others are reported with more detail when the file is used
        if error.errno == errno.ENAMETOOLONG:
            raise InvalidInputError(
                field, f"The path is too long: {str(path)[:40]}…", "Use a shorter name."
            ) from None
    except ValueError:  # a null character, or a lone surrogate
        raise InvalidInputError(
            field,
            f"{str(path)[:40]!r} is not a valid path.",
            "Remove the characters that are shown as an escape sequence.",
        ) from None
