"""Suggest the intended name in errors about an unknown one."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MIN_SIMILARITY = 0.6  # difflib's ratio, of 1


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return e.g. ``"Did you mean 'aspectRatio'?"``; empty if no known name is similar.

    Case, ``_`` and ``-`` are ignored.
    """
    originals = {_normalize(original): original for original in reversed(list(known))}
    wanted = _normalize(name)
    similar = difflib.get_close_matches(wanted, originals, n=1, cutoff=MIN_SIMILARITY)
    prefixes = [candidate for candidate in originals if candidate and wanted.startswith(candidate)]
    best = similar or prefixes
    return f"Did you mean {originals[best[0]]!r}?" if best else ""


def unknown_arguments_error(of: type, unknown: Iterable[str]) -> TypeError:
    """Build the error for keyword arguments that a class does not have."""
    owner = of.__name__
    # The signature of the class itself may be that of a `__new__` with any arguments.
    known = list(inspect.signature(of.__init__).parameters)[1:]  # type: ignore[misc]
    names = sorted(unknown)
    hints = [hint for name in names if (hint := did_you_mean(name, known))]
    message = f"{owner} has no argument {', '.join(map(repr, names))}."
    return TypeError(" ".join([message, *(hints or [f"See help({owner})."])]))


def _normalize(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
