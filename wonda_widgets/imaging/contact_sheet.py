"""Arrange thumbnails on one sheet, row by row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

from . import decode
from .preview import encode_preview

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = 4
TILE_SIDE = 280  # pixels
GAP = 16  # pixels
BACKGROUND = "#ffffff"


def make(images: Sequence[bytes], *, max_bytes: int) -> tuple[bytes, str]:
    """Create a contact sheet; slow, so call it in a thread.

    Parameters
    ----------
    images : list of bytes
        Encoded images, at least one.
    max_bytes : int
        Size of the sheet's file.

    Returns
    -------
    tuple of (bytes, str)
        The sheet's file and MIME type.

    Raises
    ------
    UnsafeMediaError
        If a file is not an image or cannot be opened safely.
    """
    columns = min(COLUMNS, len(images))
    row_count = math.ceil(len(images) / columns)
    tiles = [_tile(data) for data in images]
    rows = [tiles[index * columns : (index + 1) * columns] for index in range(row_count)]
    heights = [max(tile.height for tile in row) for row in rows]
    size = columns * TILE_SIDE + (columns - 1) * GAP, sum(heights) + (row_count - 1) * GAP
    sheet = Image.new("RGB", size, BACKGROUND)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            left = column * (TILE_SIDE + GAP) + (TILE_SIDE - tile.width) // 2
            sheet.paste(tile, (left, top + (height - tile.height) // 2))
        top += height + GAP
    return encode_preview(sheet, max(size), max_bytes)


def _tile(data: bytes) -> Image.Image:
    tile = decode.full_size(data).convert("RGB")
    tile.thumbnail((TILE_SIDE, TILE_SIDE))
    return tile
