"""Convert images with an embedded color profile to sRGB.

Software that ignores the profile shows wrong colors: Adobe RGB and ProPhoto look dull.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image, ImageCms

MAX_PROFILE_BYTES = 4_000_000  # large printer profiles are 3 MB in size

#: The ICC color space of each Pillow mode.
_COLOR_SPACES = {
    "L": "GRAY",
    "LA": "GRAY",
    "P": "RGB",
    "RGB": "RGB",
    "RGBA": "RGB",
    "CMYK": "CMYK",
    "LAB": "Lab",
}
_IN_PLACE_MODES = {"RGB", "RGBA"}


def to_srgb(image: Image.Image) -> Image.Image:
    """Convert an image to sRGB according to its embedded profile, and remove the profile.

    RGB and RGBA images are changed in place. Converted images of other modes become RGB or RGBA.
    A profile that is damaged, or for another color space, is ignored.
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
        image = _convert(image, found)
    except Exception:  # noqa: BLE001 - LittleCMS raises any exception for a damaged profile
        return image
    if alpha is not None:
        image.putalpha(alpha)
    # Pillow adds an sRGB profile that contains the current time. sRGB is the default anyway.
    info.pop("icc_profile", None)
    image.format, image.info = kind, info
    return image


def is_valid_profile(profile: object, mode: str) -> bool:
    """Check whether a profile is valid and for the color space of a mode."""
    return _read(profile, mode) is not None


def _convert(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    from PIL import ImageCms  # noqa: PLC0415 - most images have no profile

    in_place = image.mode in _IN_PLACE_MODES  # a second copy may take too much memory
    converted = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode=None if in_place else "RGB",
        inPlace=in_place,
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    return image if converted is None else converted


def _read(profile: object, mode: str) -> ImageCms.ImageCmsProfile | None:
    """Parse a profile; return None if it is damaged or for another color space."""
    space = _COLOR_SPACES.get(mode)
    if not isinstance(profile, bytes) or not 0 < len(profile) <= MAX_PROFILE_BYTES or space is None:
        return None
    from PIL import ImageCms  # noqa: PLC0415 - most images have no profile

    try:
        found = ImageCms.ImageCmsProfile(BytesIO(profile))
        kind = found.profile.xcolor_space.strip()
    except Exception:  # noqa: BLE001 - LittleCMS raises any exception for a damaged profile
        return None
    return found if kind == space else None


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Check whether the profile already is sRGB, so that no conversion is needed."""
    return (profile.profile.profile_description or "").startswith("sRGB")
