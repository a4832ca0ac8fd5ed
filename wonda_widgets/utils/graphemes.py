"""Split text into grapheme clusters: a letter with its accents, a flag, an emoji family.

The clusters and the properties of characters are Unicode's (UAX #29, UTS #51), as implemented by
`regex`, which is imported on first use.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ZERO_WIDTH_JOINER = "\u200d"
ZERO_WIDTH_NON_JOINER = "\u200c"
#: The first half is also part of `\\X`, which takes quadratic time for a long row of flags.
_CLUSTER = r"\p{Regional_Indicator}{2}[\p{Grapheme_Extend}\u200d]*|\X"
_EMOJI = r"[\p{Extended_Pictographic}\p{Regional_Indicator}]"
_MODIFIER = (
    r"[\p{M}\p{Emoji_Modifier}\U000E0020-\U000E007F]"  # the range is used in flags of regions
)
_IGNORABLE = r"[\p{Cf}\p{Default_Ignorable_Code_Point}]"


def split(text: str) -> Iterator[str]:
    """Yield the grapheme clusters of `text`."""
    return (match.group() for match in _compiled(_CLUSTER).finditer(text))


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
    return _compiled(_EMOJI).match(char) is not None


def is_modifier(char: str) -> bool:
    """Return whether a character modifies the one before it: an accent, a skin tone, a tag."""
    return _compiled(_MODIFIER).match(char) is not None


def is_ignorable(char: str) -> bool:
    """Return whether a character is invisible and needs no font (ZWJ, variation selectors)."""
    return _compiled(_IGNORABLE).match(char) is not None


@cache
def _compiled(pattern: str) -> Any:
    import regex  # noqa: PLC0415 - few scripts need it

    return regex.compile(pattern)
