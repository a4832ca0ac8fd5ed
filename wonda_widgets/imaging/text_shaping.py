"""Detect text that needs complex text layout (libraqm).

Without libraqm, Pillow draws one letter after the other from left to right: Arabic and Hebrew
are mirrored, and Arabic and Hindi letters are not joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal
from unicodedata import bidirectional, category, normalize

from PIL import ImageFont, features

from ..utils import graphemes

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Left-to-right scripts whose letters change shape or position next to each other.
_JOINED = (
    (0x0900, 0x0DFF),  # of India and Sri Lanka
    (0x0F00, 0x109F),  # Tibetan, Myanmar
    (0x1700, 0x18AF),  # of the Philippines, Khmer, Mongolian
    (0x1900, 0x194F),  # Limbu
    (0x1A00, 0x1CFF),  # of Indonesia, Lepcha, Tai Tham, Vedic
    (0xA800, 0xA95F),
    (0xA980, 0xAADF),  # Javanese, Cham, Tai Viet
    (0xAAE0, 0xAAFF),
    (0xABC0, 0xABFF),
    (0x11000, 0x11FFF),  # of India, historic
)
_MOST_MARKS = 1  # per letter; without libraqm, more of them overlap

ShapingProblem = Literal["order", "joined", "marks"]


def find_problem(text: str) -> tuple[ShapingProblem, str] | None:
    """Return the problem of text without libraqm, and the first affected letter."""
    for sign in text:
        if bidirectional(sign) in {"R", "AL", "RLE", "RLO", "RLI"}:
            return "order", sign
    for sign in text:
        if any(first <= ord(sign) <= last for first, last in _JOINED):
            return "joined", sign
    for cluster in graphemes.split(normalize("NFC", text)):
        if _marks(cluster) > _MOST_MARKS:
            return "marks", cluster
    return None


def can_shape(face: ImageFont.FreeTypeFont) -> bool:
    """Check whether Pillow can lay out every script with this font."""
    has_raqm = features.check("raqm") and features.check("fribidi")
    return bool(has_raqm) and face.layout_engine == ImageFont.Layout.RAQM


def prepare(text: str, face: ImageFont.FreeTypeFont) -> str:
    """Prepare a string for Pillow.

    Without libraqm, invisible characters would be drawn as empty boxes, so they are removed.
    """
    text = normalize("NFC", text)
    if can_shape(face):
        return text
    return "".join(sign for sign in text if not graphemes.is_ignorable(sign))


def _marks(cluster: Iterable[str]) -> int:
    return sum(category(sign) == "Mn" and not graphemes.is_ignorable(sign) for sign in cluster)
