"""Text over an image: wrapped into its box, put where it belongs, drawn line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageColor, ImageDraw

from ..utils import graphemes
from . import fonts, text_shaping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import ImageFont

    from .operations import Text

BASE = 1 / 16  # of the image's shorter side: the size of the letters at scale 1
LEADING = 1.15  # from line to line, in heights of the font
STROKE_WIDTH_AT = 1080  # pixels: how wide an image is whose stroke is as thick as it says


def write(image: Image.Image, text: Text) -> None:
    """Draw `text` over the image (RGB or RGBA), which is changed.

    No more memory is taken than one line within the image needs.
    """
    width, height = image.size
    font = fonts.font(text.font_family, size_of(text, image.size))
    stroke = round(text.stroke_width * width / STROKE_WIDTH_AT)
    left, right = _between(width, text.padding_left, text.padding_right)
    top, bottom = _between(height, text.padding_top, text.padding_bottom)
    box = min(text.size_percent * width / 100, right - left)
    across, down = _share(text.position, "left", "right"), _share(text.position, "top", "bottom")
    lines = list(wrapped(text_shaping.drawable(text.text, font), font, box))
    ascent, descent = font.getmetrics()
    step = (ascent + descent) * LEADING
    baseline = top + (bottom - top - step * len(lines)) * down + (step + ascent - descent) / 2
    for line in lines:
        if -step < baseline < height + step:
            start = left + (right - left - font.getlength(line)) * across
            layer, x, y = _lettered(line, font, text, stroke)
            _lay(image, layer, (round(start + x), round(baseline + y)))
        baseline += step


def size_of(text: Text, size: tuple[int, int]) -> int:
    """The size of the letters, in pixels."""
    return max(1, round(min(size) * BASE * text.font_size_scale))


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> Iterator[str]:
    """The lines of `text` within `width` pixels; a word that is longer is broken."""
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if font.getlength(longer) <= width:
                line = longer
                continue
            if line:
                yield line
            line = word
            # A letter stays with its marks.
            left = list(graphemes.split(word)) if font.getlength(word) > width else []
            while len(left) > 1 and font.getlength("".join(left)) > width:
                fits = max(1, _fitting(left, font, width))
                yield "".join(left[:fits])
                left = left[fits:]
                line = "".join(left)
        yield line


def _fitting(line: list[str], font: ImageFont.FreeTypeFont, width: float) -> int:
    """How many characters fit, found by halving."""
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength("".join(line[:middle])) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def _between(length: int, before: float, after: float) -> tuple[float, float]:
    """Where a side's room begins and ends, between paddings in percent."""
    return length * before / 100, length * (1 - after / 100)


def _share(position: str, first: str, last: str) -> float:
    """How much of the free room is before the text: none, all or half of it."""
    words = position.split("-")
    return 0.0 if first in words else 1.0 if last in words else 0.5


def _lettered(
    line: str, font: ImageFont.FreeTypeFont, text: Text, stroke: int
) -> tuple[Image.Image, float, float]:
    """One line on a transparent ground, and where it begins beside its baseline's start."""
    ink, edge = ImageColor.getrgb(text.text_color), ImageColor.getrgb(text.stroke_color)
    left, top, right, bottom = font.getbbox(line, stroke_width=stroke, anchor="ls")
    size = max(1, int(right - left) + 1), max(1, int(bottom - top) + 1)
    layer = Image.new("RGBA", size)
    ImageDraw.Draw(layer).text(
        (-left, -top), line, ink, font, "ls", stroke_width=stroke, stroke_fill=edge
    )
    return layer, left, top


def _lay(image: Image.Image, layer: Image.Image, at: tuple[int, int]) -> None:
    """Lay letters over the image; what reaches beyond it is cut."""
    if image.mode != "RGBA":
        image.paste(layer, at, layer)
        return
    # Where the image is transparent the letters are not.
    under = image.crop((*at, at[0] + layer.width, at[1] + layer.height))
    under.alpha_composite(layer)
    image.paste(under, at)
