"""Characters as people see them: a letter with its marks, a flag, a family of emoji.

A simple form of Unicode's rules (UAX #29), for cutting a text where nobody would see that
part of a character is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import category, combining

if TYPE_CHECKING:
    from collections.abc import Iterator

ZERO_WIDTH_JOINER = "\u200d"
ZERO_WIDTH_NON_JOINER = "\u200c"
_VIRAMA_CLASS = 9  # the combining class of what joins a consonant to the next
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_TAG_CHARACTERS = range(0xE0020, 0xE0080)  # of the flags of regions
_FIRST_SYMBOL = 0x2190  # of the signs in Unicode's order; those before are signs in texts
_EARLIER_EMOJI = {0xA9, 0xAE, 0x203C, 0x2049, 0x2122, 0x2139, 0x2194, 0x3030}


def split(text: str) -> Iterator[str]:
    """The characters of a text, each with what belongs to it."""
    cluster = ""
    for sign in text:
        if cluster and not _belongs_to(cluster, sign):
            yield cluster
            cluster = ""
        cluster += sign
    if cluster:
        yield cluster


def truncate(text: str, characters: int, size: int) -> str:
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
    return code in _EARLIER_EMOJI or (code >= _FIRST_SYMBOL and category(sign) == "So")


def is_modifier(sign: str) -> bool:
    """Whether a sign changes the one before it: a mark, a colour of skin, a variation."""
    code = ord(sign)
    return category(sign).startswith("M") or code in _SKIN_TONES or code in _TAG_CHARACTERS


def _belongs_to(cluster: str, sign: str) -> bool:
    last = cluster[-1]
    if is_modifier(sign) or sign in {ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER}:
        return last > " "
    if ord(sign) in _REGIONAL_INDICATORS and ord(last) in _REGIONAL_INDICATORS:
        return len(cluster) % 2 == 1  # two letters are a flag
    if last == ZERO_WIDTH_JOINER:
        return is_emoji(sign) or category(sign).startswith("L")
    return combining(last) == _VIRAMA_CLASS and category(sign).startswith("L")
