"""Characters as people see them: a letter with its marks, a flag, a family of emoji.

A simple form of Unicode's rules (UAX #29), for cutting a text where nobody would see that
part of a character is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import category, combining

if TYPE_CHECKING:
    from collections.abc import Iterator

JOINER = "\u200d"
NON_JOINER = "\u200c"
_VIRAMA = 9  # the combining class of what joins a consonant to the next
_SKIN = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_TAGS = range(0xE0020, 0xE0080)  # of the flags of regions
_FIRST_EMOJI = 0x2190  # of the signs in Unicode's order; those before are signs in texts
_EMOJI_BEFORE = {0xA9, 0xAE, 0x203C, 0x2049, 0x2122, 0x2139, 0x2194, 0x3030}


def split(text: str) -> Iterator[str]:
    """The characters of a text, each with what belongs to it."""
    cluster = ""
    for sign in text:
        if cluster and not _continues(cluster, sign):
            yield cluster
            cluster = ""
        cluster += sign
    if cluster:
        yield cluster


def shortened(text: str, characters: int, size: int) -> str:
    """The beginning of a text within so many characters and bytes (UTF-8), none of them cut."""
    kept = ""
    for number, cluster in enumerate(split(text)):
        longer = kept + cluster
        if number == characters or len(longer.encode(errors="replace")) > size:
            break
        kept = longer
    return kept


def is_emoji(sign: str) -> bool:
    """Whether a sign is an emoji, or may be one."""
    code = ord(sign)
    return code in _EMOJI_BEFORE or (code >= _FIRST_EMOJI and category(sign) == "So")


def extends(sign: str) -> bool:
    """Whether a sign changes the one before it: a mark, a colour of skin, a variation."""
    code = ord(sign)
    return category(sign).startswith("M") or code in _SKIN or code in _TAGS


def _continues(cluster: str, sign: str) -> bool:
    last = cluster[-1]
    if extends(sign) or sign in {JOINER, NON_JOINER}:
        return last > " "
    if ord(sign) in _FLAG_LETTERS and ord(last) in _FLAG_LETTERS:
        return len(cluster) % 2 == 1  # two letters are a flag
    if last == JOINER:
        return is_emoji(sign) or category(sign).startswith("L")
    return combining(last) == _VIRAMA and category(sign).startswith("L")
