"""Colours as every screen and the service understand them: sRGB.

A file may say by an embedded profile what its numbers mean. Whoever ignores it shows
other colours: those of Adobe RGB and ProPhoto come out dull.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageCms

MAX_PROFILE = 4_000_000  # bytes; the largest in use, of printers, have 3 MB

#: The kind of colours that a mode has, as ICC names it.
_SPACES = {
    "L": "GRAY",
    "LA": "GRAY",
    "P": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
    "CMYK": "CMYK",
    "LAB": "Lab",
}
_IN_PLACE = {"RGB", "RGBA"}


def to_srgb(image: Image.Image) -> Image.Image:
    """The image in sRGB, as its embedded profile says, and without that profile.

    One of another mode than RGB or RGBA becomes RGB or RGBA if its colours are converted;
    else `image` itself is changed. A profile that is broken, or of another kind of colours,
    is ignored.
    """
    profile = image.info.pop("icc_profile", None)
    found = _read(profile, image.mode)
    if found is None or _is_srgb(found):
        return image
    kind, info = image.format, image.info
    alpha = image.getchannel("A") if image.mode == "LA" else None
    if image.mode == "P":
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    elif alpha is not None:
        image = image.getchannel("L")
    try:
        image = _converted(image, found)
    except Exception:  # noqa: BLE001 - LittleCMS fails on a damaged profile with anything
        return image
    if alpha is not None:
        image.putalpha(alpha)
    # Pillow notes a profile with the time of day in it; without one it is sRGB to everybody.
    info.pop("icc_profile", None)
    image.format, image.info = kind, info
    return image


def fits(profile: object, mode: str) -> bool:
    """Whether a profile is sound and of the kind of colours that a mode has."""
    return _read(profile, mode) is not None


def _converted(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    from PIL import ImageCms  # noqa: PLC0415 - most images have no profile

    in_place = image.mode in _IN_PLACE  # a second copy at full size may be too much
    made = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode=None if in_place else "RGB",
        inPlace=in_place,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return image if made is None else made


def _read(profile: object, mode: str) -> ImageCms.ImageCmsProfile | None:
    """A profile for a mode's colours; None if it is broken or for others."""
    space = _SPACES.get(mode)
    if not isinstance(profile, bytes) or not 0 < len(profile) <= MAX_PROFILE or space is None:
        return None
    from PIL import ImageCms  # noqa: PLC0415 - see above

    try:
        found = ImageCms.ImageCmsProfile(BytesIO(profile))
        kind = found.profile.xcolor_space.strip()
    except Exception:  # noqa: BLE001 - LittleCMS says "broken" with anything
        return None
    return found if kind == space else None


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether converting would change nothing but what is rounded."""
    return (profile.profile.profile_description or "").startswith("sRGB")
