r"""Print text on consoles with a small character set: cp1252, cp932, ASCII.

Printing a character that the console's encoding lacks raises `UnicodeEncodeError`. Such a character
is replaced by an ASCII equivalent or, if there is none, by its escape sequence (``\u2603``).
Control characters, which can change a terminal's title or colors, are escaped, too.
"""

from __future__ import annotations

import codecs
import contextlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ERROR_HANDLER = "wonda-plain"  # registered with `codecs` below
ASCII_EQUIVALENTS = {
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


#: All control characters except tab and line feed.
_CONTROLS = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\t\n"
}


def printable(text: str, stream: Any = None) -> str:
    """Replace control characters, and characters in `text` that a stream cannot encode.

    Parameters
    ----------
    text : str
    stream : file, optional
        Where the text will be printed; standard output by default.
    """
    text = text.translate(_CONTROLS)
    encoding = getattr(stream or sys.stdout, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, ERROR_HANDLER).decode(encoding)
    except (LookupError, UnicodeError):  # Python does not support the encoding
        return text.encode("ascii", ERROR_HANDLER).decode()


@contextlib.contextmanager
def printable_output() -> Iterator[None]:
    """Make stdout and stderr replace unencodable characters within the context."""
    changed = []
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            changed.append((reconfigure, stream.errors))
            reconfigure(errors=ERROR_HANDLER)
    try:
        yield
    finally:
        for reconfigure, errors in changed:
            # The stream was closed, or its buffer cannot be flushed; Python reports that at exit.
            with contextlib.suppress(ValueError, OSError):
                reconfigure(errors=errors)


def _replace_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    chars = error.object[error.start : error.end]
    return "".join(ASCII_EQUIVALENTS.get(char) or _escape(char) for char in chars), error.end


def _escape(char: str) -> str:
    return char.encode("ascii", "backslashreplace").decode()


codecs.register_error(ERROR_HANDLER, _replace_unencodable)
