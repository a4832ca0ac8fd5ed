"""Small pictures for the wire: whatever came in, a bounded number of bytes goes out."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageOps

from . import decode

LONGEST = 1024  # pixels
MAX_BYTES = 400_000
QUALITIES = (85, 75, 60, 45, 30)


@dataclass(frozen=True)
class Preview:
    """A picture to look at, and facts about the original.

    Attributes
    ----------
    data : bytes
        JPEG, or PNG where there is transparency; at most 400 KB.
    mime_type : str
        Of `data`.
    width, height : int
        Of the original as it is looked at, in pixels.
    format : str
        Of the original: ``"PNG"``, ``"JPEG"``, …
    size : int
        Of the original, in bytes.
    """

    data: bytes
    mime_type: str
    width: int
    height: int
    format: str
    size: int


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
        If the original is too large, not a picture or damaged.
    """
    image = decode.open_bounded(data)
    kind = image.format or "picture"
    original = image.size
    # A JPEG can be decoded at a fraction of its size; others ignore this.
    image.draft("RGB", (longest, longest))
    decode.load(image)
    if image.getexif().get(_ORIENTATION, 1) >= _SIDEWAYS:
        original = original[::-1]
    small = ImageOps.exif_transpose(_reduced(image, longest))
    encoded, mime_type = _encode(small, max_bytes)
    return Preview(encoded, mime_type, *original, format=kind, size=len(data))


_ORIENTATION = 0x0112
_SIDEWAYS = 5  # EXIF orientations from here on swap width and height


def _reduced(image: Image.Image, longest: int) -> Image.Image:
    """Shrink to `longest`; by whole steps first, which is several times as fast."""
    exif = image.getexif()
    mode = "RGBA" if _transparent(image) else "RGB"
    if image.mode != mode:  # a copy of a 4K picture takes as long as shrinking it
        image = image.convert(mode)
    target = max(1, longest)
    scale = max(image.size) / target
    if scale > 1:
        if scale >= 2:  # noqa: PLR2004 - halving is the least whole step
            image = image.reduce(int(scale))
        size = [max(1, round(side * target / max(image.size))) for side in image.size]
        if max(image.size) > target:
            image = image.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    if _ORIENTATION in exif:
        image.getexif()[_ORIENTATION] = exif[_ORIENTATION]
    return image


def _transparent(image: Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _encode(image: Image.Image, max_bytes: int) -> tuple[bytes, str]:
    """Encode within `max_bytes`, by less quality first and then by fewer pixels."""
    if image.mode == "RGBA":
        if image.getchannel("A").getextrema() != (255, 255):
            data = _save(image, "PNG", optimize=False)
            if len(data) <= max_bytes:
                return data, "image/png"
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A"))
        image = flat
    while True:
        for quality in QUALITIES:
            data = _save(image, "JPEG", quality=quality)
            if len(data) <= max_bytes:
                return data, "image/jpeg"
        image = image.reduce(2)


def _save(image: Image.Image, kind: str, **options: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
