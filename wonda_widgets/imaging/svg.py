"""Drawings (SVG): Pillow does not read them, and a browser shows them within an `img`.

There, a drawing runs no script and loads nothing. Entities, and parts that are used again
(`use`), are refused all the same: a few nested lines of them can become gigabytes.
"""

from __future__ import annotations

import re

from PIL import Image, ImageDraw, ImageFont

BEGINNING = 4096  # bytes within which the root element is looked for
MOST_BYTES = 400_000  # of one that is passed on to a browser
USUAL_SIZE = (1024, 1024)  # pixels, where it tells none
LONGEST = 20_000  # pixels of a side that is believed
_ROOT = re.compile(rb"<svg(?=[\s/>])[^>]*>", re.IGNORECASE)
_BEFORE = re.compile(
    rb"\s*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\])?\s*>)", re.IGNORECASE | re.DOTALL
)
_NUMBER = rb"\s*=\s*[\"']\s*(\d{1,6}(?:\.\d+)?)(?:px)?\s*[\"']"


def is_svg(data: bytes) -> bool:
    """Whether a file is a drawing."""
    return _root(data) is not None


def _root(data: bytes) -> re.Match[bytes] | None:
    """Find the first element, behind what may stand before it, if that is `svg`."""
    beginning = data[:BEGINNING].removeprefix(b"\xef\xbb\xbf")
    at = 0
    while before := _BEFORE.match(beginning, at):
        at = before.end()
    return _ROOT.match(beginning[at:].lstrip())


def can_be_shown(data: bytes) -> bool:
    """Whether a browser may be given a drawing as it is."""
    harmful = re.search(rb"<!ENTITY|<(?:\w+:)?use[\s/>]|\0", data, re.IGNORECASE)
    return len(data) <= MOST_BYTES and harmful is None


def size(data: bytes) -> tuple[int, int]:
    """Give the width and height that a drawing tells, in pixels."""
    root = _root(data)
    words = root.group() if root else b""
    sides = [re.search(rb"\s" + name + _NUMBER, words) for name in (b"width", b"height")]
    found = [float(side.group(1)) for side in sides if side]
    box = re.search(rb"\sviewBox\s*=\s*[\"']([-\d.,\s]{3,80})[\"']", words)
    if len(found) != len(sides) and box:
        numbers = re.findall(rb"-?\d+(?:\.\d+)?", box.group(1))
        found = [float(number) for number in numbers[2:4]]
    if len(found) != len(sides) or not all(1 <= side <= LONGEST for side in found):
        return USUAL_SIZE
    return round(found[0]), round(found[1])


def stand_in(data: bytes, longest: int) -> Image.Image:
    """Draw a grey card that says "SVG", of a drawing's proportions, for where none is shown."""
    width, height = size(data)
    scale = min(longest, 640) / max(width, height)
    card = Image.new("RGB", (max(16, round(width * scale)), max(16, round(height * scale))), "#eee")
    middle = card.width / 2, card.height / 2
    font = ImageFont.load_default(max(10, min(card.size) / 6))
    ImageDraw.Draw(card).text(middle, "SVG", fill="#666", font=font, anchor="mm")
    return card
