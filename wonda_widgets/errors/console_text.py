r"""Text for consoles that know few characters: cp1252, cp932, ASCII.

Printing a character that a console does not know is a `UnicodeEncodeError`. Here it becomes
the plain sign that it stands for, else its number (``\u2603``).
"""

from __future__ import annotations

import codecs
import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ERRORS = "wonda-plain"  # the name of `_replaced` among Python's error handlers
PLAIN = {
    "…": "...",
    "·": "-",
    "–": "-",
    "—": "-",
    "−": "-",
    "×": "x",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "„": '"',
    "«": '"',
    "»": '"',
    "→": "->",
    "←": "<-",
    "✓": "ok",
    "✗": "x",
    "★": "*",
    "☆": "-",
    "\u00a0": " ",
    "\u202f": " ",
}


def printable(text: str, stream: Any = None) -> str:
    """Give `text` as it can be printed; unchanged where the console knows all of it.

    Parameters
    ----------
    text : str
    stream : file, optional
        Where it is printed; else standard output.
    """
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, ERRORS).decode(encoding)
    except (LookupError, UnicodeError):  # an encoding that Python does not know, or half knows
        return text.encode("ascii", ERRORS).decode()


@contextlib.contextmanager
def plain_streams() -> Iterator[None]:
    """Have all that is printed meanwhile, also by others, be printed without an error."""
    changed = []
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            changed.append((reconfigure, stream.errors))
            reconfigure(errors=ERRORS)
    try:
        yield
    finally:
        for reconfigure, errors in changed:
            # Closed meanwhile, or what was printed cannot be written, which Python says itself.
            with contextlib.suppress(ValueError, OSError):
                reconfigure(errors=errors)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(PLAIN.get(sign) or _number(sign) for sign in signs), error.end


def _number(sign: str) -> str:
    return sign.encode("ascii", "backslashreplace").decode()


codecs.register_error(ERRORS, _replaced)
