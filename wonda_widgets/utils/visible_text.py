"""Texts as people see them, to tell whether two of them are the same."""

from __future__ import annotations

import unicodedata
from typing import Literal

#: Choose between two looks of the same character.
VARIATION_SELECTORS = {*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}


def normalize_visible(text: str, form: Literal["NFC", "NFKC"] = "NFC") -> str:
    """Give a text without what nobody sees: marks without width, and which blanks it has.

    Parameters
    ----------
    text : str
    form : str
        The Unicode form: ``"NFC"``, or ``"NFKC"`` where full-width letters are equal, too.
    """
    shown = (
        each
        for each in unicodedata.normalize(form, text)
        if unicodedata.category(each) != "Cf" and ord(each) not in VARIATION_SELECTORS
    )
    return " ".join(unicodedata.normalize(form, "".join(shown)).split())
