"""Normalize text so that two strings that look the same compare equal."""

from __future__ import annotations

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
