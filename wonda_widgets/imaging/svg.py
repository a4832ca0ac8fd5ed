"""Recognize SVG images, which Pillow cannot read and a browser shows in an `img`.

In an `img`, an SVG image cannot run scripts or load anything. Entities and `use` elements are
rejected anyway: a few nested lines of them can expand to gigabytes.
"""

from __future__ import annotations

import re

from PIL import Image, ImageDraw, ImageFont

SEARCHED_BYTES = 4096  # bytes to search for the root element
MAX_BYTES = 400_000  # of an SVG image that is sent to a browser
DEFAULT_SIZE = (1024, 1024)  # pixels; for an SVG image without a size
MAX_SIDE = 20_000  # pixels; larger sides are ignored
_ROOT = re.compile(rb"<svg(?=[\s/>])[^>]*>", re.IGNORECASE)
_BEFORE = re.compile(
    rb"\s*(?:<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^\[>]*(?:\[.*?\])?\s*>)", re.IGNORECASE | re.DOTALL
)
_NUMBER = rb"\s*=\s*[\"']\s*(\d{1,6}(?:\.\d+)?)(?:px)?\s*[\"']"


def is_svg(data: bytes) -> bool:
    """Check whether a file is an SVG."""
    return _root(data) is not None


def _root(data: bytes) -> re.Match[bytes] | None:
    """Find the first element after declarations and comments, if it is `svg`."""
    beginning = data[:SEARCHED_BYTES].removeprefix(b"\xef\xbb\xbf")
    at = 0
    while before := _BEFORE.match(beginning, at):
        at = before.end()
    return _ROOT.match(beginning[at:].lstrip())


def is_safe(data: bytes) -> bool:
    """Check whether an SVG image is safe to send to a browser."""
    harmful = re.search(rb"<!ENTITY|<(?:\w+:)?use[\s/>]|\0", data, re.IGNORECASE)
    return len(data) <= MAX_BYTES and harmful is None


def size(data: bytes) -> tuple[int, int]:
    """Return the width and height from the attributes of an SVG image, in pixels."""
    root = _root(data)
    words = root.group() if root else b""
    sides = [re.search(rb"\s" + name + _NUMBER, words) for name in (b"width", b"height")]
    found = [float(side.group(1)) for side in sides if side]
    box = re.search(rb"\sviewBox\s*=\s*[\"']([-\d.,\s]{3,80})[\"']", words)
    if len(found) != len(sides) and box:
        numbers = re.findall(rb"-?\d+(?:\.\d+)?", box.group(1))
        found = [float(number) for number in numbers[2:4]]
    if len(found) != len(sides) or not all(1 <= side <= MAX_SIDE for side in found):
        return DEFAULT_SIZE
    return round(found[0]), round(found[1])


def placeholder(data: bytes, longest: int) -> Image.Image:
    """Draw a gray card with the text "SVG" and the image's proportions, as a placeholder."""
    width, height = size(data)
    scale = min(longest, 640) / max(width, height)
    card = Image.new("RGB", (max(16, round(width * scale)), max(16, round(height * scale))), "#eee")
    middle = card.width / 2, card.height / 2
    font = ImageFont.load_default(max(10, min(card.size) / 6))
    ImageDraw.Draw(card).text(middle, "SVG", fill="#666", font=font, anchor="mm")
    return card
