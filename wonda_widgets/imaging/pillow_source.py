"""Convert a `PIL.Image` of any mode to a PNG that looks the same."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from ..errors import InvalidInputError
from . import color, decode

if TYPE_CHECKING:
    from PIL import Image

#: Modes that PNG supports.
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
#: The modes to which other modes are converted, without visible loss.
_CONVERSIONS = {
    "CMYK": "RGB",
    "HSV": "RGB",
    "LAB": "RGB",
    "La": "LA",
    "PA": "RGBA",
    "RGBX": "RGB",
    "RGBa": "RGBA",
    "YCbCr": "RGB",
}
_BYTE, _WORD = 255, 65_535
HINT = "Convert it: image.convert('RGB')."


def png(image: Image.Image) -> bytes:
    """Encode an image as PNG, rotated according to its EXIF; `image` is not changed.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode. The values of mode ``"I"`` may be up to 255 or up to 65,535, those of mode
        ``"F"`` up to 1 or up to 255.

    Raises
    ------
    InvalidInputError
        If the image is empty or damaged, or its values are out of range.
    """
    try:
        image.load()
        converted = _convert(decode.upright(image))
        buffer = BytesIO()
        converted.save(buffer, "PNG", icc_profile=_profile(converted))
    except InvalidInputError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow raises any exception for a damaged file
        raise InvalidInputError(
            "source", f"This {image.mode} image cannot be written as PNG: {error}.", HINT
        ) from None
    return buffer.getvalue()


def _convert(image: Image.Image) -> Image.Image:
    """Convert an image to a mode that PNG supports."""
    if image.width < 1 or image.height < 1:
        raise InvalidInputError("source", "The image has no pixels.", "Pass another image.")
    if image.mode in _PNG_MODES:
        return image
    if image.mode == "F":
        return _from_floats(image)
    if image.mode.startswith("I"):
        return _from_integers(image.convert("I"))
    if color.is_valid_profile(image.info.get("icc_profile"), image.mode):
        image = color.to_srgb(image.copy())
    mode = _CONVERSIONS.get(image.mode, image.mode if image.mode in _PNG_MODES else "RGB")
    converted = image if image.mode == mode else image.convert(mode)
    converted.info.pop("icc_profile", None)  # it belongs to the previous mode
    return converted


def _from_integers(image: Image.Image) -> Image.Image:
    low, high = image.getextrema()
    _check_levels(low, high, _WORD)
    converted = image.convert("L" if high <= _BYTE else "I;16")  # type: ignore[operator]
    converted.info = {}
    return converted


def _from_floats(image: Image.Image) -> Image.Image:
    low, high = image.getextrema()
    _check_levels(low, high, _BYTE)
    scale = _BYTE if high <= 1 else 1  # type: ignore[operator]
    converted = image.point(lambda value: value * scale + 0.5).convert("L")
    converted.info = {}
    return converted


def _check_levels(low: object, high: object, maximum: int) -> None:
    """Raise an error for values that Pillow would clip, which would change the image."""
    if not 0 <= low <= high <= maximum:  # type: ignore[operator]  # also refuses NaN
        raise InvalidInputError(
            "source",
            f"The image has values from {low:g} to {high:g}; they must be 0 to {maximum:,}.",
            "Scale them, or convert the image yourself: image.convert('L').",
        )


def _profile(image: Image.Image) -> bytes | None:
    """Return the color profile, if it is valid for the image's mode."""
    profile = image.info.get("icc_profile")
    return profile if color.is_valid_profile(profile, image.mode) else None
