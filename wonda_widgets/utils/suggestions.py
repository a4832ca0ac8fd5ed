"""The name that somebody probably meant, for errors that refuse one."""

from __future__ import annotations

import difflib
import inspect
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MIN_SIMILARITY = 0.6  # of 1: how alike names are at least


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Give ``"Did you mean 'aspectRatio'?"``; empty if no name is alike.

    Capital letters, ``_`` and ``-`` do not count.
    """
    plain = {_normalize(each): each for each in reversed(list(known))}
    found = difflib.get_close_matches(_normalize(name), plain, n=1, cutoff=MIN_SIMILARITY)
    begun = [each for each in plain if each and _normalize(name).startswith(each)]
    best = found or begun
    return f"Did you mean {plain[best[0]]!r}?" if best else ""


def unknown_arguments_error(function: Callable[..., object], names: Iterable[str]) -> TypeError:
    """Give the error for arguments that a class or function does not take."""
    owner = function.__qualname__.partition(".")[0]
    known = [name for name in inspect.signature(function).parameters if name != "self"]
    some = sorted(names)
    hints = [hint for name in some if (hint := did_you_mean(name, known))]
    said = f"{owner} takes no argument {', '.join(map(repr, some))}."
    return TypeError(" ".join([said, *(hints or [f"See help({owner})."])]))


def _normalize(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
