"""Draw text over an image: wrap it, position it, and draw it line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image, ImageColor, ImageDraw

from ..utils import graphemes
from . import fonts, text_shaping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import ImageFont

    from .operations import Text

BASE = 1 / 16  # font size at scale 1, as a fraction of the image's shorter side
LEADING = 1.15  # line spacing, in font heights
STROKE_WIDTH_AT = 1080  # pixels; width of the image that `Text.stroke_width` refers to


def draw(image: Image.Image, text: Text) -> None:
    """Draw `text` into an RGB or RGBA image, in place.

    Each line has its own layer, so the memory is limited to that of one line.
    """
    width, height = image.size
    font = fonts.load(text.font_family, font_size(text, image.size))
    stroke = round(text.stroke_width * width / STROKE_WIDTH_AT)
    left, right = _between(width, text.padding_left, text.padding_right)
    top, bottom = _between(height, text.padding_top, text.padding_bottom)
    box = min(text.size_percent * width / 100, right - left)
    across, down = _share(text.position, "left", "right"), _share(text.position, "top", "bottom")
    lines = list(wrap(text_shaping.prepare(text.text, font), font, box))
    ascent, descent = font.getmetrics()
    step = (ascent + descent) * LEADING
    baseline = top + (bottom - top - step * len(lines)) * down + (step + ascent - descent) / 2
    for line in lines:
        if -step < baseline < height + step:
            start = left + (right - left - font.getlength(line)) * across
            layer, x, y = _lettered(line, font, text, stroke)
            _lay(image, layer, (round(start + x), round(baseline + y)))
        baseline += step


def font_size(text: Text, size: tuple[int, int]) -> int:
    """Return the font size in pixels."""
    return max(1, round(min(size) * BASE * text.font_size_scale))


def wrap(text: str, font: ImageFont.FreeTypeFont, width: float) -> Iterator[str]:
    """Wrap text to `width` pixels; break words that are longer."""
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
            # Keep a letter and its marks together.
            left = list(graphemes.split(word)) if font.getlength(word) > width else []
            while len(left) > 1 and font.getlength("".join(left)) > width:
                fits = max(1, _fitting(left, font, width))
                yield "".join(left[:fits])
                left = left[fits:]
                line = "".join(left)
        yield line


def _fitting(line: list[str], font: ImageFont.FreeTypeFont, width: float) -> int:
    """Return how many characters fit, by binary search."""
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength("".join(line[:middle])) <= width:
            low = middle
        else:
            high = middle - 1
    return low


def _between(length: int, before: float, after: float) -> tuple[float, float]:
    """Return start and end of the space between two paddings, which are in percent."""
    return length * before / 100, length * (1 - after / 100)


def _share(position: str, first: str, last: str) -> float:
    """Return the fraction of the free space that is before the text: 0, 1 or 0.5."""
    words = position.split("-")
    return 0.0 if first in words else 1.0 if last in words else 0.5


def _lettered(
    line: str, font: ImageFont.FreeTypeFont, text: Text, stroke: int
) -> tuple[Image.Image, float, float]:
    """Draw one line on a transparent layer; return it with its offset from the baseline start."""
    ink, edge = ImageColor.getrgb(text.text_color), ImageColor.getrgb(text.stroke_color)
    left, top, right, bottom = font.getbbox(line, stroke_width=stroke, anchor="ls")
    size = max(1, int(right - left) + 1), max(1, int(bottom - top) + 1)
    layer = Image.new("RGBA", size)
    ImageDraw.Draw(layer).text(
        (-left, -top), line, ink, font, "ls", stroke_width=stroke, stroke_fill=edge
    )
    return layer, left, top


def _lay(image: Image.Image, layer: Image.Image, at: tuple[int, int]) -> None:
    """Paste a layer into the image and clip the part beyond its edges."""
    if image.mode != "RGBA":
        image.paste(layer, at, layer)
        return
    # Composite, so that letters are opaque where the image is transparent.
    under = image.crop((*at, at[0] + layer.width, at[1] + layer.height))
    under.alpha_composite(layer)
    image.paste(under, at)
