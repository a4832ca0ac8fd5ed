"""Create previews: small JPEG or PNG files with limited size."""

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

MAX_SIDE = 1024  # pixels
MAX_BYTES = 400_000
QUALITIES = (85, 75, 60, 45, 30)


@dataclass(frozen=True)
class Preview:
    """A preview, and facts about the original.

    Attributes
    ----------
    data : bytes
        The preview: a JPEG, a PNG if it has transparency, or a safe SVG; at most 400 KB.
    mime_type : str
        MIME type of `data`.
    width, height : int
        Size of the upright original, in pixels.
    format : str
        Format of the original: ``"PNG"``, ``"JPEG"``, ``"SVG"``, …
    size : int
        Size of the original's file, in bytes.
    animated : bool
        Whether the original is an animation; the preview is its first frame.
    """

    data: bytes
    mime_type: str
    width: int
    height: int
    format: str
    size: int
    animated: bool = False


def create_preview(data: bytes, longest: int = MAX_SIDE, max_bytes: int = MAX_BYTES) -> Preview:
    """Create a preview; slow, so call it in a thread.

    Parameters
    ----------
    data : bytes
        The original.
    longest : int
        Maximum length of the longer side, in pixels.
    max_bytes : int
        Maximum size of the preview's file.

    Raises
    ------
    UnsafeMediaError
        If the original is too large, damaged or not an image.
    """
    image, (width, height) = decode.decode(data, longest)
    kind = "JPEG" if image.format == "MPO" else image.format or "image"
    turned = decode.orientation(image)
    if turned >= _SIDEWAYS:
        width, height = height, width
    if image.mode == "CMYK":  # a JPEG, already decoded at a reduced size
        image = color.to_srgb(image)
    profile, mode = image.info.get("icc_profile"), image.mode
    # Each step rebinds `image`, so that earlier copies are released.
    image = _scale_down(image, longest)
    image = _scale_to(image, longest)
    image = _to_srgb(image, profile, mode)
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


def create_svg_preview(
    data: bytes, longest: int = MAX_SIDE, max_bytes: int = MAX_BYTES, *, as_it_is: bool = True
) -> Preview:
    """Create a preview of an SVG image: the image itself, or a placeholder card.

    Parameters
    ----------
    data : bytes
    longest : int
        Longest side of the card, in pixels.
    max_bytes : int
        Size of the card's file.
    as_it_is : bool
        Whether to return the image itself, if it is safe for a browser.

    Raises
    ------
    UnsafeMediaError
        If the file is not an SVG.
    """
    if not svg.is_svg(data):
        raise UnsafeMediaError("The file is labeled as SVG but is not an SVG image.")
    encoded, mime_type = data, "image/svg+xml"
    if not (as_it_is and svg.is_safe(data)):
        encoded, mime_type = encode_preview(svg.placeholder(data, longest), longest, max_bytes)
    return Preview(encoded, mime_type, *svg.size(data), format="SVG", size=len(data))


def create_raster_preview(data: bytes, longest: int, max_bytes: int) -> Preview:
    """Create a preview that is always a JPEG or PNG, even for an SVG."""
    if svg.is_svg(data):
        return create_svg_preview(data, longest, max_bytes, as_it_is=False)
    return create_preview(data, longest, max_bytes)


def encode_preview(
    image: Image.Image, longest: int = MAX_SIDE, max_bytes: int = MAX_BYTES
) -> tuple[bytes, str]:
    """Shrink and encode an upright image; return the file and its MIME type."""
    return _encode(_scale_to(_scale_down(image, longest), longest), max_bytes)


_ORIENTATION = 0x0112
_SIDEWAYS = 5  # EXIF orientations from here on swap width and height

#: In pixels. Images are processed in parts, to avoid a second copy at full size.
TILE = 512
STRIP = 64  # rows


def _scale_down(image: Image.Image, longest: int) -> Image.Image:
    """Shrink by an integer factor to less than twice `longest`, which is several times faster."""
    step = max(image.size) // longest
    if step <= 1:
        return image
    mode = _mode(image)
    if image.mode == mode == "RGB":  # nothing to convert, so no second copy
        return _strip_metadata(image.reduce(step))
    small = Image.new(
        _PREMULTIPLIED_MODES[mode], (-(-image.width // step), -(-image.height // step))
    )
    tile = max(1, TILE // step)
    for top in range(0, small.height, tile):
        for left in range(0, small.width, tile):
            right = min((left + tile) * step, image.width)
            bottom = min((top + tile) * step, image.height)
            part = image.crop((left * step, top * step, right, bottom))
            small.paste(_premultiply(part, mode).reduce(step), (left, top))
    return small


def _scale_to(image: Image.Image, longest: int) -> Image.Image:
    """Shrink to the final size, in strips if conversion would need a second copy."""
    mode = _mode(image)
    width, height = decode.fit(image.size, longest)
    if image.size == (width, height):
        return _strip_metadata(image.convert(mode))
    if image.mode == mode == "RGB":
        return _strip_metadata(image.resize((width, height), Image.Resampling.LANCZOS))
    small = Image.new(mode, (width, height))
    step = image.height / height
    for top in range(0, height, STRIP):
        bottom = min(top + STRIP, height)
        # The filter also reads the neighboring rows.
        first = max(0, math.floor((top - _FILTER_SUPPORT) * step))
        last = min(image.height, math.ceil((bottom + _FILTER_SUPPORT) * step))
        part = _premultiply(image.crop((0, first, image.width, last)), mode)
        box = (0, top * step - first, image.width, min(bottom * step - first, part.height))
        part = part.resize((width, bottom - top), Image.Resampling.LANCZOS, box)
        small.paste(part.convert(mode), (0, top))
    return small


def _to_srgb(image: Image.Image, profile: object, mode: str) -> Image.Image:
    """Convert a thumbnail to sRGB, using the original's profile and mode."""
    if not color.is_valid_profile(profile, mode):
        return image
    if mode in {"L", "LA"}:  # the copy now has three equal channels
        image = image.convert("LA" if image.mode == "RGBA" else "L")
    image.info["icc_profile"] = profile
    return _strip_metadata(color.to_srgb(image))


def _strip_metadata(image: Image.Image) -> Image.Image:
    """Remove metadata, which Pillow would also write, or fail to write if too long."""
    image.info = {}
    return image


_FILTER_SUPPORT = 3  # of the Lanczos filter, in pixels of the result
_PREMULTIPLIED_MODES = {"RGB": "RGB", "RGBA": "RGBa"}  # "a": premultiplied alpha


def _premultiply(image: Image.Image, mode: str) -> Image.Image:
    if image.mode != _PREMULTIPLIED_MODES[mode]:
        image = image.convert(mode).convert(_PREMULTIPLIED_MODES[mode])
    return image


def _mode(image: Image.Image) -> str:
    transparent = image.mode == "RGBa" or "A" in image.getbands() or "transparency" in image.info
    return "RGBA" if transparent else "RGB"


def _encode(image: Image.Image, max_bytes: int) -> tuple[bytes, str]:
    """Encode within `max_bytes`: reduce the quality first, then the size."""
    if image.mode == "RGBA":
        if image.getchannel("A").getextrema() != (255, 255):
            data = _save(image, "PNG", optimize=False)
            if len(data) <= max_bytes:
                return data, "image/png"
        image = decode.flatten_on_white(image)
    while True:
        for quality in QUALITIES:
            data = _save(image, "JPEG", quality=quality)
            if len(data) <= max_bytes or image.size == (1, 1):  # the image cannot become smaller
                return data, "image/jpeg"
        image = image.reduce(2)


def _save(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
