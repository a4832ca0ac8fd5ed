"""Apply edit operations to an image at full size, with Pillow.

    bytes ──open──> pixels ──draw──> pixels ──encode──> bytes

`apply` does all three steps. All operations are checked before any pixel is changed. Besides
the file, at most two images are in memory: those before and after an operation.

The result is in sRGB, without a color profile, and without the original's metadata, such as the
location and the camera. Only a profile that cannot be converted is kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from PIL import Image, ImageColor

from ..errors import InvalidInputError
from ..utils import plain_values
from . import (
    color,
    decode,
    fonts,
    text_overlay,
    text_shaping,
)
from .operations import (
    Crop,
    Encode,
    Operation,
    Pad,
    Resize,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from PIL import ImageFont

Size = tuple[int, int]

#: Of a result; two images of this size take 200 MB of memory.
MAX_PIXELS = 25_000_000
MAX_SIDE = 16_383  # pixels; the limit of WebP
MAX_TEXT_LENGTH = 2_000  # characters
PROBE_FONT_SIZE = 16  # pixels; for checking which characters a font has
MAX_LISTED_CHARACTERS = 12  # missing characters in an error message
MAX_RATIO = 100  # of the longer side to the shorter one
DEFAULT_QUALITY = 90  # of a JPEG or WebP without an `Encode`
MIME_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True)
class EditedImage:
    """The result of an edit.

    Attributes
    ----------
    data : bytes
        The file.
    mime_type : str
    format : str
        ``"JPEG"``, ``"PNG"``, ``"WEBP"``, or ``"GIF"`` for an unchanged GIF.
    width, height : int
        In pixels.
    """

    data: bytes
    mime_type: str
    format: str
    width: int
    height: int


def apply(data: bytes, operations: Iterable[Any]) -> EditedImage:
    """Apply operations in order; slow, so call it in a thread.

    Without an `Encode`, the format is kept, except that a GIF becomes a PNG. Only the first frame
    of an animation is kept. Without operations, the file is not changed.

    Parameters
    ----------
    data : bytes
        The original. It is first rotated according to its EXIF orientation.
    operations : iterable
        `Crop`, `Pad`, `Resize`, `Text`, `Encode`, or their JSON form.

    Raises
    ------
    InvalidInputError
        If an operation cannot be applied; see `check`.
    UnsafeMediaError
        If the original is too large, damaged or not an image.
    """
    steps = parse_operations(operations)
    return encode(data, draw(open_original(data), steps), steps)


# ---------------------------------------------------------------- checks


def parse_operations(operations: Iterable[Any]) -> tuple[Operation, ...]:
    """Convert operations, or their JSON form as dicts, to checked operations.

    Raises
    ------
    InvalidInputError
        If an operation is unknown, or a value has the wrong type.
    """
    try:
        # Convert both ways, because msgspec does not check types when objects are created.
        return msgspec.convert(msgspec.to_builtins(list(operations)), tuple[Operation, ...])
    except (msgspec.ValidationError, TypeError, UnicodeError, RecursionError) as error:
        raise InvalidInputError(
            "operations",
            f"This is not a valid edit: {error}.",
            "Use Crop, Pad, Resize, Text and Encode, or their JSON.",
        ) from None


def check(size: Size, operations: Iterable[Operation]) -> Size:
    """Check that operations can be applied to an image of `size`, and return the final size.

    Raises
    ------
    InvalidInputError
        If a crop is outside the image, a size is empty or too large, a color or font does not
        exist, or a number is out of range. `field` names the attribute.
    """
    for operation in operations:
        match operation:
            case Crop():
                _check_crop(size, operation)
                size = (operation.width, operation.height)
            case Pad():
                _check_size(operation)
                if operation.width < size[0] or operation.height < size[1]:
                    _refuse(
                        "width",
                        f"A canvas of {_pixels(operation)} is smaller than the image "
                        f"({size[0]} × {size[1]}).",
                        "Make it larger, or crop or resize first.",
                    )
                _check_color("color", operation.color)
                size = (operation.width, operation.height)
            case Resize():
                _check_size(operation)
                size = (operation.width, operation.height)
            case Text():
                _check_text(size, operation)
            case Encode():
                _check_range(operation, "quality", 1, 100)
    return size


def is_size_allowed(width: int, height: int) -> bool:
    """Check whether an image of this size is within the limits."""
    return max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS


def _check_crop(size: Size, crop: Crop) -> None:
    if crop.width < 1 or crop.height < 1:
        _refuse("width", f"A crop of {_pixels(crop)} is empty.", "Keep at least 1 × 1 pixel.")
    is_outside_x = crop.x < 0 or crop.x + crop.width > size[0]
    is_outside_y = crop.y < 0 or crop.y + crop.height > size[1]
    if is_outside_x or is_outside_y:
        _refuse(
            "x" if is_outside_x else "y",
            f"The crop ({_pixels(crop)} at {crop.x}, {crop.y}) extends beyond the image, which "
            f"has {size[0]} × {size[1]} pixels.",
            "Make it smaller, or move it.",
        )


def _check_size(step: Pad | Resize) -> None:
    if step.width < 1 or step.height < 1:
        _refuse("width", f"{_pixels(step)} is empty.", "Use at least 1 pixel for both sides.")
    if not is_size_allowed(step.width, step.height):
        _refuse(
            "width",
            f"{_pixels(step)} is too large.",
            f"Use at most {MAX_SIDE:,} pixels per side and {MAX_PIXELS // 1_000_000} million in "
            "all.",
        )


def _check_text(size: Size, text: Text) -> None:
    if not text.text.strip():
        _refuse("text", "The text is empty.", "Enter some text.")
    if len(text.text) > MAX_TEXT_LENGTH:
        _refuse(
            "text",
            f"The text has {len(text.text):,} characters.",
            f"Use at most {MAX_TEXT_LENGTH:,}.",
        )
    if any("\ud800" <= character <= "\udfff" for character in text.text):
        _refuse("text", "The text has an invalid character (a lone surrogate).", "Type it again.")
    for side in ("top", "right", "bottom", "left"):
        _check_range(text, f"padding_{side}", 0, 50)
    if text.padding_left + text.padding_right >= 100:  # noqa: PLR2004 - percent
        _refuse("padding_left", "The paddings leave no room for the text.", "Make one smaller.")
    _check_range(text, "size_percent", 10, 100)
    _check_range(text, "font_size_scale", 0.1, 10)
    _check_range(text, "stroke_width", 0, 50)
    _check_color("text_color", text.text_color)
    _check_color("stroke_color", text.stroke_color)
    fonts.load(text.font_family, text_overlay.font_size(text, size))
    face = fonts.load(text.font_family, PROBE_FONT_SIZE)
    missing = fonts.missing_characters(face, text.text)
    if missing:
        characters = " ".join(missing[:MAX_LISTED_CHARACTERS])
        name = fonts.display_name(face, text.font_family)
        title = f"The font {name} has no {characters} – it would be an empty box."
        _refuse("font_family", title, "Choose another font, or change the text.")
    _check_script(face, text.text)


def _check_script(face: ImageFont.FreeTypeFont, text: str) -> None:
    """Raise an error for text whose script Pillow cannot lay out correctly here."""
    problem = text_shaping.find_problem(text)
    if problem is None or text_shaping.can_shape(face):
        return
    kind, character = problem
    consequence = {
        "order": "text from right to left would be mirrored",
        "joined": "its letters would be separate or in the wrong order",
        "marks": "its marks would overlap",
    }[kind]
    _refuse(
        "text",
        f"“{character}” cannot be drawn correctly on this computer: {consequence}.",
        "Install FriBiDi and a Pillow with Raqm, or change the text.",
    )


def _check_range(operation: Operation, name: str, low: float, high: float) -> None:
    value = getattr(operation, name)
    if not low <= value <= high:  # also true for NaN
        label = name.replace("_", " ").capitalize()
        _refuse(name, f"{label} is {str(value)[:40]}.", f"Use a value from {low:g} to {high:g}.")


def _check_color(name: str, color: str) -> None:
    try:
        ImageColor.getrgb(color)
    except ValueError:
        _refuse(name, f"“{color[:40]}” is not a color.", "Use a CSS color: #ffffff, or white.")


def _refuse(field: str, message: str, hint: str) -> NoReturn:
    raise InvalidInputError(field, message, hint)


def _pixels(step: Crop | Pad | Resize) -> str:
    return f"{step.width} × {step.height}"


# ---------------------------------------------------------------- pixels


def open_original(data: bytes) -> Image.Image:
    """Decode an original upright, as RGB or RGBA in sRGB; `format` is the file's format.

    Raises
    ------
    UnsafeMediaError
        If the original is too large, damaged or not an image.
    """
    image = decode.full_size(data)
    if color.is_valid_profile(image.info.get("icc_profile"), image.mode):
        # Operations use sRGB colors, and posts are displayed as sRGB.
        image = color.to_srgb(image)
    kind, profile = image.format, image.info.get("icc_profile")
    colored = image.mode in {"RGB", "RGBA", "P"}
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    # Drop metadata, and values that only apply to the previous mode.
    image.info = {"icc_profile": profile} if profile and colored else {}
    image.format = kind
    return image


def draw(image: Image.Image, operations: Iterable[Operation]) -> Image.Image:
    """Apply operations to an image and return the result; the image itself is not changed.

    Raises
    ------
    InvalidInputError
        If an operation cannot be applied; see `check`.
    """
    steps = tuple(operations)
    check(image.size, steps)
    result = image
    for step in steps:
        match step:
            case Crop():
                result = result.crop((step.x, step.y, step.x + step.width, step.y + step.height))
            case Pad():
                result = _pad(result, step)
            case Resize():
                result = result.resize((step.width, step.height), Image.Resampling.LANCZOS)
            case Text():
                result = result.copy() if result is image else result
                text_overlay.draw(result, step)
    if result is not image:
        result.format, result.info = image.format, image.info
    return result


def _pad(image: Image.Image, pad: Pad) -> Image.Image:
    color = ImageColor.getrgb(pad.color)
    mode = "RGBA" if image.mode == "RGBA" or len(color) > len("RGB") else "RGB"
    canvas = Image.new(mode, (pad.width, pad.height), color)
    at = ((pad.width - image.width) // 2, (pad.height - image.height) // 2)
    if image.mode == "RGBA":
        canvas.alpha_composite(image, at)
    else:
        canvas.paste(image, at)
    return canvas


def encode(data: bytes, image: Image.Image, operations: Iterable[Operation]) -> EditedImage:
    """Encode the result of applying `operations` to the original `data`."""
    steps = tuple(operations)
    encodes = [step for step in steps if isinstance(step, Encode)]
    kind = "JPEG" if image.format == "MPO" else image.format or "PNG"
    if not steps:
        mime_type = MIME_TYPES.get(kind, "image/gif")
        return EditedImage(data, mime_type, kind, image.width, image.height)
    kind = encodes[-1].format if encodes else kind if kind in MIME_TYPES else "PNG"
    options: dict[str, Any] = {}
    if kind != "PNG":
        options["quality"] = encodes[-1].quality if encodes else DEFAULT_QUALITY
    if image.info.get("icc_profile"):
        options["icc_profile"] = image.info["icc_profile"]
    buffer = BytesIO()
    needs_background = kind == "JPEG" and image.mode == "RGBA"
    (decode.flatten_on_white(image) if needs_background else image).save(buffer, kind, **options)
    return EditedImage(buffer.getvalue(), MIME_TYPES[kind], kind, image.width, image.height)


# ---------------------------------------------------------------- aspect ratios


def centered_crop(size: Size, ratio: float) -> Crop:
    """Compute the largest centered crop with an aspect ratio.

    If whole pixels cannot give the exact ratio, the crop is slightly closer to a square, so that
    a `ratio` that is a limit is never exceeded.

    Parameters
    ----------
    size : tuple of int
        Size of the image, in pixels.
    ratio : float
        Width divided by height.
    """
    exact = _exact(ratio)
    if exact >= 1:
        height = min(size[1], int(size[0] / exact))
        width = min(size[0], int(height * exact))
    else:
        width = min(size[0], int(size[1] * exact))
        height = min(size[1], int(width / exact))
    width, height = max(1, width), max(1, height)
    return Crop(x=(size[0] - width) // 2, y=(size[1] - height) // 2, width=width, height=height)


def padded(size: Size, ratio: float, color: str = "#ffffff") -> Pad:
    """Compute the smallest canvas with an aspect ratio that contains the whole image.

    It is rounded like `centered_crop`.

    Parameters
    ----------
    size : tuple of int
        Size of the image, in pixels.
    ratio : float
        Width divided by height.
    color : str
        A CSS color.
    """
    exact = _exact(ratio)
    width, height = size
    round_width, round_height = (int, math.ceil) if exact >= 1 else (math.ceil, int)
    if width < height * exact:
        width = max(width, round_width(height * exact))
    else:
        height = max(height, round_height(width / exact))
    return Pad(width=width, height=height, color=color)


def _exact(ratio: float) -> Fraction:
    """Convert 0.8 to exactly 4 / 5, so that the result is 1080 × 1350."""
    if plain_values.is_missing(ratio) or not 1 / MAX_RATIO <= ratio <= MAX_RATIO:
        _refuse("ratio", f"{ratio} is not a valid ratio.", "Pass width / height, such as 4 / 5.")
    return Fraction(ratio).limit_denominator(1000)
