"""Names that people give, in every script: of placeholders and of snippets."""

from __future__ import annotations

import unicodedata


def is_name(text: str) -> bool:
    """Return whether a text consists of letters, marks, digits, ``_``, ``-`` and spaces.

    It must not begin with a space or ``-``. Vowels and accents of many scripts are marks.
    """
    return bool(text) and text[0] not in " -" and all(map(_is_part, text))


def composed(text: str) -> str:
    """Return a name with composed characters, so that the same name is found however typed."""
    return unicodedata.normalize("NFC", text)


def _is_part(character: str) -> bool:
    is_mark = unicodedata.category(character).startswith("M")
    joiners = "\u200c\u200d"  # without which some words of Indic scripts and Persian are misspelled
    return character.isalnum() or is_mark or character in "_ -" or character in joiners
