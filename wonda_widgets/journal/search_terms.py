"""Convert strings and queries into terms for full-text search in any script.

SQLite's FTS5 splits strings at spaces and matches words by their beginnings. Chinese, Japanese,
Korean, Thai and similar scripts have no spaces between words, or no useful beginnings. Each of
their characters therefore becomes a term, and a query becomes a phrase of adjacent terms. Case,
accents, vowel points and invisible characters are ignored.

    "A café in 京都"    ──> a cafe in 京 都
    query "cafe 京都"   ──> "cafe"* "京 都"*
"""

from __future__ import annotations

import re
from bisect import bisect
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING
from unicodedata import category, normalize

from ..utils.visible_text import VARIATION_SELECTORS

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Scripts without spaces between words, or whose words are not searched by beginnings (Korean).
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x1AAF),  # Tai Le, New Tai Lue, Tai Tham
    (0x1B00, 0x1B7F),  # Balinese
    (0x2E80, 0x2FDF),  # Han radicals
    (0x3005, 0x3007),
    (0x3021, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA000, 0xA4CF),  # Yi
    (0xA980, 0xA9FF),  # Javanese, Myanmar
    (0xAA00, 0xAADF),  # Cham, Myanmar, Tai Viet
    (0xAC00, 0xD7AF),  # Hangul
    (0xF900, 0xFAFF),
    (0x16F00, 0x18FFF),  # Miao, Tangut
    (0x1AFF0, 0x1B2FF),  # Kana, Nushu
    (0x20000, 0x3FFFD),
)
#: Scripts whose combining marks are ignored.
_UNMARKED = (
    (0x0041, 0x02AF),  # Latin
    (0x0370, 0x052F),  # Greek, Cyrillic
    (0x0590, 0x074F),  # Hebrew, Arabic, Syriac
    (0x0750, 0x077F),
    (0x0870, 0x08FF),
    (0x1D00, 0x1DBF),
    (0x1E00, 0x1FFF),  # Latin, Greek
    (0x2C60, 0x2C7F),
    (0xA720, 0xA7FF),
)
_ARABIC = ((0x0600, 0x08FF),)
#: Letters with a stroke, which Unicode does not decompose, and how users type them.
_STROKES = str.maketrans("\u0111\u0142\u00f8\u0127\u0167\u0180\u0268", "dlohtbi")
_SHORT_I = "\u0438\u0306"  # a separate letter, unlike other letters with a mark
_DOTLESS_I = "\u0131"  # the lower case of "I" only in Turkish
_NON_JOINER = "\u200c"
_TATWEEL = "\u0640"  # stretches an Arabic word for appearance
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_TERM_END = "\x1f"  # separates the terms of one chunk; no term has a control character
_FIRST_EMOJI = "\u2190"
_SYMBOL_PREFIX = "\ue000"  # private-use character that marks the code of an emoji or symbol
_ASCII = re.compile(r"[0-9a-z]+")
_ASCII_CHUNK = re.compile(r"[0-9a-z_]*[0-9a-z][0-9a-z_]*")


def searchable(text: object) -> str:
    """Return a string as it is added to the index: terms separated by spaces.

    If the result for any text changes, the index must be rebuilt: FTS5 gets the same terms again
    when a string is deleted.
    """
    return " ".join(chain.from_iterable(_chunks(str(text or ""))))


def match_expression(text: str) -> str:
    """Convert a typed query to FTS5: all words or their beginnings, in any order."""
    # A quoted string is never an operator of the query language.
    return " ".join(f'"{" ".join(terms)}"*' for terms in _chunks(text))


def _chunks(text: str) -> Iterator[list[str]]:
    """Split a string at spaces and punctuation; yield the terms of each chunk."""
    if text.isascii():
        for chunk in _ASCII_CHUNK.findall(text.lower()):
            yield _ASCII.findall(chunk)
        return
    pieces: list[str] = []
    previous = ""
    for character in _fold(text):
        kind = category(character)
        if _is_ignored(character, kind):
            # A non-joiner separates parts of a Persian word; elsewhere it has no meaning.
            separates = character == _NON_JOINER and _is_in(previous, _ARABIC)
            pieces.append(_TERM_END if separates else "")
            continue
        previous = character
        if kind.startswith("M") and pieces and pieces[-1].endswith(_TERM_END):
            pieces[-1] = f"{pieces[-1][:-1]}{character}{_TERM_END}"
        else:
            pieces.append(_piece(character, kind))
    for chunk in "".join(pieces).split(" "):
        terms = [term for term in chunk.split(_TERM_END) if term]
        if terms:
            yield terms


def _piece(character: str, kind: str) -> str:
    """Return a character with the term ends around it; a space if it ends a chunk."""
    if kind == "So" and character >= _FIRST_EMOJI:
        return f"{_TERM_END}{_SYMBOL_PREFIX}{ord(character):06x}{_TERM_END}"
    if kind[0] in "LNM" or kind == "Co":
        return f"{_TERM_END}{character}{_TERM_END}" if _is_in(character, _UNSPACED) else character
    return _TERM_END if character == "_" else " "


def _fold(text: str) -> str:
    """Remove differences that a search ignores: case, width, accents, vowel points."""
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    folded = normalize("NFD", folded).replace(_DOTLESS_I, "i").translate(_STROKES)
    characters: list[str] = []
    base = ""
    for character in folded:
        if category(character) != "Mn" or ord(character) in VARIATION_SELECTORS:
            base = character
        elif _is_in(base, _UNMARKED) and base + character != _SHORT_I:
            continue
        characters.append(character)
    return normalize("NFC", "".join(characters))


def _is_ignored(character: str, kind: str) -> bool:
    """Return whether a character is invisible or only changes another one's appearance."""
    code = ord(character)
    is_modifier = code in _SKIN_TONES or code in VARIATION_SELECTORS
    return kind == "Cf" or character == _TATWEEL or is_modifier


@lru_cache(maxsize=4096)
def _is_in(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    if not character:
        return False
    index = bisect(ranges, (ord(character), 0x110000)) - 1
    return index >= 0 and ord(character) <= ranges[index][1]
