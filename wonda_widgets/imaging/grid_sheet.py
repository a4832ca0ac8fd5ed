"""Draw a table of images with labelled rows and columns on one sheet."""

from __future__ import annotations

import math
from io import BytesIO
from typing import TYPE_CHECKING

import msgspec
from PIL import Image, ImageDraw, ImageFont

from ..errors import InvalidInputError
from . import fonts, text_overlay, text_shaping

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MIN_WIDTH, MAX_WIDTH = 200, 16_000  # pixels of the sheet
MAX_PIXELS = 120_000_000
MAX_WEBP_PIXELS = 16_383  # on a side
MIN_CELL_WIDTH = 48  # pixels
MAX_LABEL_LINES = 4
MIN_RATIO, MAX_RATIO = 0.5, 2.0  # width / height of the space for an image
BACKGROUND, INK, SOFT_INK, EMPTY = "#ffffff", "#1f2328", "#646b75", "#f2f3f5"
WEBP_QUALITY = 90
MAX_FAMILIES = 100  # searched for the characters of the labels
MARGIN_SHARE = 0.012  # of the sheet's width, around and between cells
FONT_SHARE = 0.0125  # of the sheet's width
MIN_FONT, MAX_FONT = 11, 40  # pixels
ROW_LABEL_SHARE = 0.16  # most of the sheet's width


class Sheet(msgspec.Struct, frozen=True):
    """The layout of a sheet, in pixels.

    Attributes
    ----------
    width, height : int
    font : PIL.ImageFont.FreeTypeFont
    margin : int
    label_width : int
        Of the labels of rows; 0 without.
    header_height : int
        Of the labels of columns; 0 without.
    cell : tuple of (int, int)
    """

    width: int
    height: int
    font: ImageFont.FreeTypeFont
    margin: int
    label_width: int
    header_height: int
    cell: tuple[int, int]

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """Return the left upper corner of a cell."""
        left = self.margin + self.label_width + column * (self.cell[0] + self.margin)
        top = self.margin + self.header_height + row * (self.cell[1] + self.margin)
        return left, top

    def places(self, row: int, column: int, count: int) -> Iterator[tuple[int, int, int, int]]:
        """Yield left, top, width and height of each image in a cell."""
        if not count:
            return
        across, down = _places(count)
        gap = max(1, self.margin // 4) if count > 1 else 0
        wide = (self.cell[0] - gap * (across - 1)) // across
        high = (self.cell[1] - gap * (down - 1)) // down
        left, top = self.corner(row, column)
        for index in range(count):
            y, x = divmod(index, across)
            yield left + x * (wide + gap), top + y * (high + gap), wide, high


def _places(count: int) -> tuple[int, int]:
    """Return how many images of a cell are side by side, and one below the other."""
    across = math.ceil(math.sqrt(count))
    return across, math.ceil(count / across)


def lay_out(
    rows: Sequence[str], columns: Sequence[str], most: int, width: int, ratio: float
) -> Sheet:
    """Lay out a sheet of the given width.

    Parameters
    ----------
    rows, columns : list of str
        Their labels; empty strings for an axis without labels.
    most : int
        The largest number of images in a cell.
    width : int
        In pixels.
    ratio : float
        Width divided by height of an image.

    Raises
    ------
    InvalidInputError
        If the cells would be too small, or the sheet too large.
    """
    margin = max(4, round(width * MARGIN_SHARE))
    size = round(min(MAX_FONT, max(MIN_FONT, width * FONT_SHARE)))
    font = _font([*rows, *columns], size)
    line = sum(font.getmetrics())
    longest = max((_length(font, label) for label in rows), default=0)
    label_width = math.ceil(min(longest, width * ROW_LABEL_SHARE)) + margin if any(rows) else 0
    available = width - 2 * margin - label_width - margin * (len(columns) - 1)
    cell_width = available // len(columns)
    if cell_width < MIN_CELL_WIDTH:
        needed = width + (MIN_CELL_WIDTH - cell_width) * len(columns)
        raise InvalidInputError(
            "width",
            f"{len(columns)} columns do not fit into {width:,} pixels.",
            f"Use a width of at least {needed:,}, or fewer columns.",
        )
    across, down = _places(most)
    image_height = cell_width / across / min(MAX_RATIO, max(MIN_RATIO, ratio))
    cell_height = max(round(image_height * down), line)
    lines = max((len(_wrapped(font, label, cell_width)) for label in columns), default=0)
    header = lines * line + margin // 2 if any(columns) else 0
    height = 2 * margin + header + len(rows) * cell_height + (len(rows) - 1) * margin
    if width * height > MAX_PIXELS:
        raise InvalidInputError(
            "width",
            f"The sheet would have {width:,} × {height:,} pixels.",
            "Use a smaller width, or fewer images.",
        )
    return Sheet(width, height, font, margin, label_width, header, (cell_width, cell_height))


def draw_labels(sheet: Sheet, rows: Sequence[str], columns: Sequence[str]) -> Image.Image:
    """Return the sheet with its labels and empty cells; slow, so call it in a thread."""
    image = Image.new("RGB", (sheet.width, sheet.height), BACKGROUND)
    pen = ImageDraw.Draw(image)
    line = sum(sheet.font.getmetrics())
    for column, label in enumerate(columns):
        left, top = sheet.corner(0, column)
        lines = _wrapped(sheet.font, label, sheet.cell[0])
        y = top - sheet.margin // 2 - line * len(lines)
        for text in lines:
            pen.text((left, y), text, INK, sheet.font)
            y += line
    for row, label in enumerate(rows):
        _, y = sheet.corner(row, 0)
        for text in _wrapped(sheet.font, label, max(1, sheet.label_width - sheet.margin)):
            pen.text((sheet.margin, y), text, INK, sheet.font)
            y += line
    for row in range(len(rows)):
        for column in range(len(columns)):
            left, top = sheet.corner(row, column)
            pen.rectangle(
                (left, top, left + sheet.cell[0] - 1, top + sheet.cell[1] - 1), fill=EMPTY
            )
    return image


def paste(sheet: Image.Image, preview: bytes, place: tuple[int, int, int, int]) -> None:
    """Put a preview (see `preview.create_preview`) into a place; slow, so call it in a thread.

    Parameters
    ----------
    sheet : PIL.Image.Image
    preview : bytes
        A JPEG or PNG file.
    place : tuple of int
        Left, top, width and height in pixels.
    """
    left, top, width, height = place
    with Image.open(BytesIO(preview)) as image:
        shown = image.convert("RGBA")
    shown.thumbnail((width, height), Image.Resampling.LANCZOS)
    at = left + (width - shown.width) // 2, top + (height - shown.height) // 2
    # The space beside another shape is no part of the image.
    sheet.paste(BACKGROUND, (left, top, left + width, top + height))
    sheet.paste(shown, at, shown)


def write_in(
    sheet: Image.Image, layout: Sheet, text: str, place: tuple[int, int, int, int]
) -> None:
    """Write a word into a place without an image."""
    left, top, width, height = place
    ImageDraw.Draw(sheet).text(
        (left + width / 2, top + height / 2), text, SOFT_INK, layout.font, "mm"
    )


def encode(sheet: Image.Image, suffix: str) -> bytes:
    """Return the file of a sheet, ``.png`` or ``.webp``; slow, so call it in a thread."""
    file = BytesIO()
    if suffix == ".webp":
        sheet.save(file, "WEBP", quality=WEBP_QUALITY)
    else:
        sheet.save(file, "PNG")
    return file.getvalue()


def _wrapped(font: ImageFont.FreeTypeFont, label: str, width: int) -> list[str]:
    """Return the lines of a label; a long one ends with an ellipsis."""
    if not label:
        return []
    lines = list(text_overlay.wrap(text_shaping.prepare(label, font), font, width))
    if len(lines) > MAX_LABEL_LINES:
        lines = [*lines[: MAX_LABEL_LINES - 1], lines[MAX_LABEL_LINES - 1][:-1] + "…"]
    return lines


def _length(font: ImageFont.FreeTypeFont, label: str) -> float:
    return font.getlength(text_shaping.prepare(label, font))


def _font(labels: Sequence[str], size: int) -> ImageFont.FreeTypeFont:
    """Return the first font that has all characters of the labels, or else the usual one."""
    text = "".join(labels)
    usual = fonts.load(fonts.PREFERRED, size)
    if not fonts.missing_characters(usual, text):
        return usual
    for family in fonts.families()[:MAX_FAMILIES]:
        font = fonts.load(family, size)
        if not fonts.missing_characters(font, text):
            return font
    return usual
