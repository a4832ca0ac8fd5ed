"""Carry out an edit: operations, applied to an original that stays as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageColor

from . import decode
from .operations import Crop, Encode, Operation, Pad, Resize

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Edited:
    """A picture after an edit.

    Attributes
    ----------
    data : bytes
    mime_type : str
    format : str
        ``"JPEG"``, ``"PNG"`` or ``"WEBP"``.
    width, height : int
        Pixels.
    """

    data: bytes
    mime_type: str
    format: str
    width: int
    height: int


def apply(data: bytes, operations: Sequence[Operation]) -> Edited:
    """Apply `operations` to an original; slow, so call it off the main thread.

    Raises
    ------
    UnsafeMediaError
        If the original is too large, not a picture or damaged.
    ValueError
        If an operation is not known, or its rectangle lies outside of the picture.
    """
    image = decode.full_size(data)
    kind = Image.open(BytesIO(data), formats=decode.FORMATS).format or "PNG"
    encode = Encode(format="PNG" if kind == "GIF" else "JPEG" if kind == "MPO" else kind)  # type: ignore[arg-type]
    for operation in operations:
        match operation:
            case Crop(x=x, y=y, width=width, height=height):
                if x < 0 or y < 0 or x + width > image.width or y + height > image.height:
                    raise ValueError("The crop lies outside of the picture.")
                image = image.crop((x, y, x + width, y + height))
            case Pad():
                image = _padded(image, operation)
            case Resize(width=width, height=height):
                image = image.resize((width, height), Image.Resampling.LANCZOS)
            case Encode():
                encode = operation
            case _:
                raise ValueError(f"{type(operation).__name__} is not known here.")
    return _encoded(image, encode)


def centered_crop(size: tuple[int, int], ratio: float) -> Crop:
    """The largest rectangle of `ratio` (width / height) in the middle of a picture."""
    width, height = size
    if width > height * ratio:
        inner = max(1, math.floor(height * ratio)), height
    else:
        inner = width, max(1, math.floor(width / ratio))
    x, y = (width - inner[0]) // 2, (height - inner[1]) // 2
    return Crop(x=x, y=y, width=inner[0], height=inner[1])


def padded(size: tuple[int, int], ratio: float, color: str = "#ffffff") -> Pad:
    """The smallest canvas of `ratio` (width / height) around a picture."""
    width, height = size
    if width > height * ratio:
        return Pad(width=width, height=math.ceil(width / ratio), color=color)
    return Pad(width=math.ceil(height * ratio), height=height, color=color)


def _padded(image: Image.Image, pad: Pad) -> Image.Image:
    canvas = Image.new("RGB", (pad.width, pad.height), ImageColor.getrgb(pad.color))
    image = image.convert("RGBA")
    canvas.paste(image, ((pad.width - image.width) // 2, (pad.height - image.height) // 2), image)
    return canvas


def _encoded(image: Image.Image, encode: Encode) -> Edited:
    if encode.format == "JPEG" and image.mode != "RGB":
        image = image.convert("RGBA")
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image)
        image = flat
    image.info = {}  # a comment of the original may be too long for the other format
    buffer = BytesIO()
    image.save(
        buffer, encode.format, **({} if encode.format == "PNG" else {"quality": encode.quality})
    )
    mime_type = f"image/{encode.format.lower()}"
    return Edited(buffer.getvalue(), mime_type, encode.format, image.width, image.height)
