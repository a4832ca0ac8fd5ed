"""Split text into grapheme clusters: a letter with its accents, a flag, an emoji family.

A simplified form of Unicode's rules (UAX #29), so that text is never cut inside a character.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import category, combining

if TYPE_CHECKING:
    from collections.abc import Iterator

ZERO_WIDTH_JOINER = "\u200d"
ZERO_WIDTH_NON_JOINER = "\u200c"
_VIRAMA_CLASS = 9  # the combining class of marks that join a consonant to the next one
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)  # two of them make a country's flag
_TAG_CHARACTERS = range(0xE0020, 0xE0080)  # used in the flags of regions
_FIRST_SYMBOL = 0x2190  # symbols before this code point are punctuation, with these exceptions:
_EARLIER_EMOJI = {0xA9, 0xAE, 0x203C, 0x2049, 0x2122, 0x2139, 0x2194, 0x3030}


def split(text: str) -> Iterator[str]:
    """Yield the grapheme clusters of `text`."""
    cluster = ""
    for char in text:
        if cluster and not _belongs_to(cluster, char):
            yield cluster
            cluster = ""
        cluster += char
    if cluster:
        yield cluster


def truncate(text: str, max_clusters: int, max_bytes: int) -> str:
    """Shorten `text` to both limits without cutting a grapheme cluster.

    Parameters
    ----------
    text : str
    max_clusters : int
    max_bytes : int
        In UTF-8.
    """
    truncated = ""
    for number, cluster in enumerate(split(text)):
        longer = truncated + cluster
        if number == max_clusters or len(longer.encode(errors="replace")) > max_bytes:
            break
        truncated = longer
    return truncated


def is_emoji(char: str) -> bool:
    """Return whether a character is, or can be shown as, an emoji."""
    code = ord(char)
    return code in _EARLIER_EMOJI or (code >= _FIRST_SYMBOL and category(char) == "So")


def is_modifier(char: str) -> bool:
    """Return whether a character modifies the one before it: an accent, a skin tone, a tag."""
    code = ord(char)
    return category(char).startswith("M") or code in _SKIN_TONES or code in _TAG_CHARACTERS


def _belongs_to(cluster: str, char: str) -> bool:
    last = cluster[-1]
    if is_modifier(char) or char in {ZERO_WIDTH_JOINER, ZERO_WIDTH_NON_JOINER}:
        return last > " "
    if ord(char) in _REGIONAL_INDICATORS and ord(last) in _REGIONAL_INDICATORS:
        return len(cluster) % 2 == 1
    if last == ZERO_WIDTH_JOINER:
        return is_emoji(char) or category(char).startswith("L")
    return combining(last) == _VIRAMA_CLASS and category(char).startswith("L")
