"""Texts as a search compares them: words, and single characters where words have no spaces.

The index (SQLite's FTS5) cuts a text at its spaces and finds words by their beginnings. So
Chinese, Japanese, Korean, Thai and their like get a space between all characters, and what
is searched for in them becomes a row of characters that stand side by side. Capital letters,
accents, vowel points and marks that show nothing do not count.
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

#: Scripts whose words have no spaces between them or no beginnings that one would type (Korean).
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
#: Scripts that are read and typed without their marks.
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
#: Letters with a stroke, which is no accent for Unicode but is left out where one types them.
_STROKES = str.maketrans("\u0111\u0142\u00f8\u0127\u0167\u0180\u0268", "dlohtbi")
_SHORT_I = "\u0438\u0306"  # a letter of its own, unlike other letters with a mark
_DOTLESS_I = "\u0131"  # which a Turkish "I" is, and an English one is not
_NON_JOINER = "\u200c"
_TATWEEL = "\u0640"  # makes an Arabic word longer to look at
_TONES = range(0x1F3FB, 0x1F400)  # of skin
_END = "\x1f"  # of a term, within what stands together; a control character is in none
_FIRST_EMOJI = "\u2190"
_SIGN = "\ue000"  # begins what stands for a sign such as an emoji; for private use, so no text
_ASCII = re.compile(r"[0-9a-z]+")
_ASCII_CHUNK = re.compile(r"[0-9a-z_]*[0-9a-z][0-9a-z_]*")


def searchable(text: object) -> str:
    """A text as the index is given it: terms with a space between them.

    What this gives for a text may not change without the index being made anew: it is also
    what the index is told when a text goes.
    """
    return " ".join(chain.from_iterable(_chunks(str(text or ""))))


def matching(text: str) -> str:
    """What a person typed, as FTS5 takes it: every word, or its beginning, in any order."""
    # Each becomes a quoted string, so that none is an operator of the query language.
    return " ".join(f'"{" ".join(terms)}"*' for terms in _chunks(text))


def _chunks(text: str) -> Iterator[list[str]]:
    """What stands together without a space or other sign between, as terms."""
    if text.isascii():
        for chunk in _ASCII_CHUNK.findall(text.lower()):
            yield _ASCII.findall(chunk)
        return
    pieces: list[str] = []
    before = ""
    for sign in _folded(text):
        kind = category(sign)
        if _is_unseen(sign, kind):
            # Between the parts of a Persian word, and within those of other languages.
            pieces.append(_END if sign == _NON_JOINER and _is_in(before, _ARABIC) else "")
            continue
        before = sign
        if kind.startswith("M") and pieces and pieces[-1].endswith(_END):
            pieces[-1] = f"{pieces[-1][:-1]}{sign}{_END}"
        else:
            pieces.append(_piece(sign, kind))
    for chunk in "".join(pieces).split(" "):
        terms = [term for term in chunk.split(_END) if term]
        if terms:
            yield terms


def _piece(sign: str, kind: str) -> str:
    """A sign as part of a term, with where terms end; a space is where they stand apart."""
    if kind == "So" and sign >= _FIRST_EMOJI:
        return f"{_END}{_SIGN}{ord(sign):06x}{_END}"
    if kind[0] in "LNM" or kind == "Co":
        return f"{_END}{sign}{_END}" if _is_in(sign, _UNSPACED) else sign
    return _END if sign == "_" else " "


def _folded(text: str) -> str:
    """A text without what no search tells apart: capitals, widths, accents, vowel points."""
    plain = normalize("NFKC", normalize("NFKC", text).casefold())
    plain = normalize("NFD", plain).replace(_DOTLESS_I, "i").translate(_STROKES)
    kept: list[str] = []
    base = ""
    for sign in plain:
        if category(sign) != "Mn" or ord(sign) in VARIATION_SELECTORS:
            base = sign
        elif _is_in(base, _UNMARKED) and base + sign != _SHORT_I:
            continue
        kept.append(sign)
    return normalize("NFC", "".join(kept))


def _is_unseen(sign: str, kind: str) -> bool:
    """Whether a sign shows nothing, or only how another one looks."""
    code = ord(sign)
    return kind == "Cf" or sign == _TATWEEL or code in _TONES or code in VARIATION_SELECTORS


@lru_cache(maxsize=4096)
def _is_in(sign: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    if not sign:
        return False
    place = bisect(ranges, (ord(sign), 0x110000)) - 1
    return place >= 0 and ord(sign) <= ranges[place][1]
