"""Open a picture from outside, after asking how large it would become."""

from __future__ import annotations

import warnings
from io import BytesIO

from PIL import Image, ImageOps

from ..errors import UnsafeMediaError

MAX_BYTES = 100 * 1024 * 1024
MAX_PIXELS = 100_000_000  # 4K pictures have 17 million
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


def open_bounded(data: bytes) -> Image.Image:
    """Open a picture without decoding it: only its header is read.

    Raises
    ------
    UnsafeMediaError
        If it is too large, has too many pixels, or is not a PNG, JPEG, WebP or GIF.
    """
    if len(data) > MAX_BYTES:
        raise UnsafeMediaError(f"The picture has {len(data) / 2**20:.0f} MB, more than is opened.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our bound is below
            image = Image.open(BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError:
        raise UnsafeMediaError("The picture has too many pixels to be opened safely.") from None
    except (OSError, ValueError, SyntaxError):
        raise UnsafeMediaError(
            "What the service sent is not a picture (PNG, JPEG, WebP or GIF).",
            "Open its address in a browser if you trust it.",
        ) from None
    if image.width * image.height > MAX_PIXELS:
        raise UnsafeMediaError(
            f"The picture has {image.width:,} × {image.height:,} pixels, more than is opened."
        )
    return image


def load(image: Image.Image) -> Image.Image:
    """Decode an opened picture.

    Raises
    ------
    UnsafeMediaError
        If its data are damaged or cut short.
    """
    try:
        image.load()
    except (OSError, ValueError, SyntaxError, EOFError):
        raise UnsafeMediaError(
            "The picture is damaged or was cut short.", "Fetch it again."
        ) from None
    return image


def full_size(data: bytes) -> Image.Image:
    """The picture at full size, upright.

    Raises
    ------
    UnsafeMediaError
    """
    return ImageOps.exif_transpose(load(open_bounded(data)))
