"""A `PIL.Image` as a PNG file that looks as the image does, whatever its mode."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from ..errors import InvalidInputError
from . import color, decode

if TYPE_CHECKING:
    from PIL import Image

#: Modes that a PNG has.
_WRITTEN = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
#: What the others become, where Pillow converts without losing anything one would see.
_BECOMES = {
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
    """The image as a PNG, upright as its EXIF says; `image` itself stays as it is.

    Parameters
    ----------
    image : PIL.Image.Image
        Of any mode. Whole numbers (``"I"``) are levels up to 255, or else up to 65,535;
        fractions (``"F"``) go up to 1, or else up to 255.

    Raises
    ------
    InvalidInputError
        If it is empty, damaged, or its values are none that an image has.
    """
    try:
        image.load()
        made = _writable(decode.upright(image))
        buffer = BytesIO()
        made.save(buffer, "PNG", icc_profile=_profile(made))
    except InvalidInputError:
        raise
    except Exception as error:  # noqa: BLE001 - Pillow says "damaged" with whatever it ran into
        raise InvalidInputError(
            "source", f"This {image.mode} image cannot be written as PNG: {error}.", HINT
        ) from None
    return buffer.getvalue()


def _writable(image: Image.Image) -> Image.Image:
    """The image in a mode that a PNG has."""
    if image.width < 1 or image.height < 1:
        raise InvalidInputError("source", "The image has no pixels.", "Pass another one.")
    if image.mode in _WRITTEN:
        return image
    if image.mode == "F":
        return _of_fractions(image)
    if image.mode.startswith("I"):
        return _of_whole_numbers(image.convert("I"))
    if color.fits(image.info.get("icc_profile"), image.mode):
        image = color.to_srgb(image.copy())
    mode = _BECOMES.get(image.mode, image.mode if image.mode in _WRITTEN else "RGB")
    made = image if image.mode == mode else image.convert(mode)
    made.info.pop("icc_profile", None)  # of the mode before
    return made


def _of_whole_numbers(image: Image.Image) -> Image.Image:
    low, high = image.getextrema()
    _check_levels(low, high, _WORD)
    made = image.convert("L" if high <= _BYTE else "I;16")  # type: ignore[operator]
    made.info = {}
    return made


def _of_fractions(image: Image.Image) -> Image.Image:
    low, high = image.getextrema()
    _check_levels(low, high, _BYTE)
    scale = _BYTE if high <= 1 else 1  # type: ignore[operator]
    made = image.point(lambda value: value * scale + 0.5).convert("L")
    made.info = {}
    return made


def _check_levels(low: object, high: object, most: int) -> None:
    """Refuse what would be clipped, which is another image."""
    if not 0 <= low <= high <= most:  # type: ignore[operator]  # also if one is no number
        raise InvalidInputError(
            "source",
            f"The image has values from {low:g} to {high:g}; they go from 0 to {most:,}.",
            "Scale them, or convert the image yourself: image.convert('L').",
        )


def _profile(image: Image.Image) -> bytes | None:
    """The profile to write; none that does not belong to the colours."""
    profile = image.info.get("icc_profile")
    return profile if color.fits(profile, image.mode) else None
