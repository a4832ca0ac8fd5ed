"""Several small images on one sheet, row by row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

from . import decode
from .preview import small

if TYPE_CHECKING:
    from collections.abc import Sequence

ACROSS = 4  # images in a row
SIDE = 280  # pixels, of the room for each
GAP = 16  # pixels
PAPER = "#ffffff"


def make(images: Sequence[bytes], *, max_bytes: int) -> tuple[bytes, str]:
    """Put thumbnails on a sheet; slow, so call it off the main thread.

    Parameters
    ----------
    images : list of bytes
        Encoded, at least one.
    max_bytes : int

    Returns
    -------
    tuple of (bytes, str)
        The sheet and its type.

    Raises
    ------
    UnsafeMediaError
        If one is not an image.
    """
    across = min(ACROSS, len(images))
    down = math.ceil(len(images) / across)
    tiles = [_tile(data) for data in images]
    # A row is as high as its highest.
    rows = [tiles[at * across : (at + 1) * across] for at in range(down)]
    heights = [max(tile.height for tile in row) for row in rows]
    size = across * SIDE + (across - 1) * GAP, sum(heights) + (down - 1) * GAP
    sheet = Image.new("RGB", size, PAPER)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for at, tile in enumerate(row):
            left = at * (SIDE + GAP) + (SIDE - tile.width) // 2
            sheet.paste(tile, (left, top + (height - tile.height) // 2))
        top += height + GAP
    return small(sheet, max(size), max_bytes)


def _tile(data: bytes) -> Image.Image:
    tile = decode.full_size(data).convert("RGB")
    tile.thumbnail((SIDE, SIDE))
    return tile
