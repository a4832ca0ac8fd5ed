"""Small images for the wire: whatever came in, a bounded number of bytes goes out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

from ..errors import UnsafeMediaError
from . import (
    animation,
    color,
    decode,
    svg,
)

LONGEST = 1024  # pixels
MAX_BYTES = 400_000
QUALITIES = (85, 75, 60, 45, 30)


@dataclass(frozen=True)
class Preview:
    """An image to look at, and facts about the original.

    Attributes
    ----------
    data : bytes
        JPEG, or PNG where there is transparency; at most 400 KB.
    mime_type : str
        Of `data`.
    width, height : int
        Of the original as it is looked at, in pixels.
    format : str
        Of the original: ``"PNG"``, ``"JPEG"``, ``"SVG"``, …
    size : int
        Of the original, in bytes.
    animated : bool
        Whether the original is an animation, of which this is the first image.
    """

    data: bytes
    mime_type: str
    width: int
    height: int
    format: str
    size: int
    animated: bool = False


def preview(data: bytes, longest: int = LONGEST, max_bytes: int = MAX_BYTES) -> Preview:
    """Make a preview; slow, so call it off the main thread.

    Parameters
    ----------
    data : bytes
        The original.
    longest : int
        Of the preview's sides, in pixels.
    max_bytes : int

    Raises
    ------
    UnsafeMediaError
        If the original is too large, not an image or damaged.
    """
    image, (width, height) = decode.decode(data, longest)
    kind = "JPEG" if image.format == "MPO" else image.format or "image"
    turned = decode.orientation(image)
    if turned >= _SIDEWAYS:
        width, height = height, width
    if image.mode == "CMYK":  # of which a JPEG is decoded at about this size
        image = color.to_srgb(image)
    profile, mode = image.info.get("icc_profile"), image.mode
    # One after the other under one name, so that each is gone when the next but one is made.
    image = _stepped(image, longest)
    image = _resized(image, longest)
    image = _in_srgb(image, profile, mode)
    image.getexif()[_ORIENTATION] = turned
    image = decode.upright(image)
    encoded, mime_type = _encode(image, max_bytes)
    return Preview(
        encoded,
        mime_type,
        width,
        height,
        format=kind,
        size=len(data),
        animated=animation.is_animated(data),
    )


def of_drawing(
    data: bytes, longest: int = LONGEST, max_bytes: int = MAX_BYTES, *, as_it_is: bool = True
) -> Preview:
    """Make a preview of a drawing (SVG): itself, for a browser, or a card in its place.

    Parameters
    ----------
    data : bytes
    longest : int
        Of the card's sides, in pixels.
    max_bytes : int
        Of the card.
    as_it_is : bool
        Whether the drawing itself may be given, if that harms no browser.

    Raises
    ------
    UnsafeMediaError
        If it is no drawing.
    """
    if not svg.is_svg(data):
        raise UnsafeMediaError("This is not the drawing (SVG) that it is called.")
    encoded, mime_type = data, "image/svg+xml"
    if not (as_it_is and svg.can_be_shown(data)):
        encoded, mime_type = small(svg.stand_in(data, longest), longest, max_bytes)
    return Preview(encoded, mime_type, *svg.size(data), format="SVG", size=len(data))


def still(data: bytes, longest: int, max_bytes: int) -> Preview:
    """Make a smaller copy of what a panel shows, as pixels also where that is a drawing."""
    if svg.is_svg(data):
        return of_drawing(data, longest, max_bytes, as_it_is=False)
    return preview(data, longest, max_bytes)


def small(
    image: Image.Image, longest: int = LONGEST, max_bytes: int = MAX_BYTES
) -> tuple[bytes, str]:
    """A preview of pixels that are there already, upright: its bytes and their type."""
    return _encode(_resized(_stepped(image, longest), longest), max_bytes)


_ORIENTATION = 0x0112
_SIDEWAYS = 5  # EXIF orientations from here on swap width and height

#: Pixels, the side of what is worked on at a time: a second copy at full size is never held.
TILE = 512
STRIP = 64  # rows


def _stepped(image: Image.Image, longest: int) -> Image.Image:
    """Shrink by whole steps to less than twice `longest`, which is several times as fast."""
    step = max(image.size) // longest
    if step <= 1:
        return image
    mode = _mode(image)
    if image.mode == mode == "RGB":  # nothing to convert, so no second copy
        return _plain(image.reduce(step))
    small = Image.new(_WEIGHED[mode], (-(-image.width // step), -(-image.height // step)))
    tile = max(1, TILE // step)
    for top in range(0, small.height, tile):
        for left in range(0, small.width, tile):
            right = min((left + tile) * step, image.width)
            bottom = min((top + tile) * step, image.height)
            part = image.crop((left * step, top * step, right, bottom))
            small.paste(_weighed(part, mode).reduce(step), (left, top))
    return small


def _resized(image: Image.Image, longest: int) -> Image.Image:
    """The rest of the way; in strips where a second copy would be needed at full size."""
    mode = _mode(image)
    width, height = decode.fit(image.size, longest)
    if image.size == (width, height):
        return _plain(image.convert(mode))
    if image.mode == mode == "RGB":
        return _plain(image.resize((width, height), Image.Resampling.LANCZOS))
    small = Image.new(mode, (width, height))
    step = image.height / height
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        # A filter looks at the neighbours too.
        first = max(0, math.floor((top - _SUPPORT) * step))
        last = min(image.height, math.ceil((bottom + _SUPPORT) * step))
        part = _weighed(image.crop((0, first, image.width, last)), mode)
        box = (0, top * step - first, image.width, min(bottom * step - first, part.height))
        part = part.resize((width, bottom - top), Image.Resampling.LANCZOS, box)
        small.paste(part.convert(mode), (0, top))
    return small


def _in_srgb(image: Image.Image, profile: object, mode: str) -> Image.Image:
    """A small copy in sRGB, by the profile that the original had for its own mode."""
    if not color.fits(profile, mode):
        return image
    if mode in {"L", "LA"}:  # the copy has three equal channels by now
        image = image.convert("LA" if image.mode == "RGBA" else "L")
    image.info["icc_profile"] = profile
    return _plain(color.to_srgb(image))


def _plain(image: Image.Image) -> Image.Image:
    """The pixels alone: a comment of the original would be written too, or be too long for it."""
    image.info = {}
    return image


_SUPPORT = 3  # of Lanczos, in pixels of the result
_WEIGHED = {"RGB": "RGB", "RGBA": "RGBa"}  # with "a", a pixel's colour weighs as much as is seen


def _weighed(image: Image.Image, mode: str) -> Image.Image:
    if image.mode != _WEIGHED[mode]:
        image = image.convert(mode).convert(_WEIGHED[mode])
    return image


def _mode(image: Image.Image) -> str:
    transparent = image.mode == "RGBa" or "A" in image.getbands() or "transparency" in image.info
    return "RGBA" if transparent else "RGB"


def _encode(image: Image.Image, max_bytes: int) -> tuple[bytes, str]:
    """Encode within `max_bytes`, by less quality first and then by fewer pixels."""
    if image.mode == "RGBA":
        if image.getchannel("A").getextrema() != (255, 255):
            data = _save(image, "PNG", optimize=False)
            if len(data) <= max_bytes:
                return data, "image/png"
        image = decode.on_white(image)
    while True:
        for quality in QUALITIES:
            data = _save(image, "JPEG", quality=quality)
            if len(data) <= max_bytes or image.size == (1, 1):  # it becomes no smaller
                return data, "image/jpeg"
        image = image.reduce(2)


def _save(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
