"""Compare text by how it looks, and make text safe to show."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

#: Characters that select one of two renderings of the preceding character.
VARIATION_SELECTORS = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}


def normalize_visible(text: str, form: Literal["NFC", "NFKC"] = "NFC") -> str:
    """Remove invisible characters and turn each run of whitespace into one space.

    Parameters
    ----------
    text : str
    form : str
        The Unicode normal form: ``"NFC"``, or ``"NFKC"`` to treat full-width letters as equal.
    """
    visible = (
        char
        for char in unicodedata.normalize(form, text)
        if unicodedata.category(char) != "Cf" and ord(char) not in VARIATION_SELECTORS
    )
    return " ".join(unicodedata.normalize(form, "".join(visible)).split())


#: Characters that change the direction of the text around them, in which they could hide words.
DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069]")


def clean(text: str, max_length: int) -> str:
    """Remove characters that change the text direction, and shorten the text."""
    return shorten(DIRECTIONS.sub("", text), max_length)


def shorten(text: str, max_length: int) -> str:
    """Shorten `text` to `max_length` characters and an ellipsis, between words if possible.

    A word is cut if less than half of the allowed length would be kept otherwise.
    """
    if len(text) <= max_length:
        return text
    words, _, partial_word = text[:max_length].rpartition(" ")
    shortened = words if len(words) > len(partial_word) else text[:max_length]
    return f"{shortened.rstrip(' ,;:')}…"
