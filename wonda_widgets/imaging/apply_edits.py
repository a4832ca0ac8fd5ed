"""Do to an image what an edit says, at full size, with Pillow alone.

    bytes ──opened──> pixels ──drawn──> pixels ──written──> bytes

`apply` is all three. What an edit asks for is checked before a pixel is touched, so
an image too large to be made is never begun. Two images at most are held
beside the file: the one before an operation and the one after it.

The file that is written is in sRGB, which needs no profile, and has nothing of the
original's metadata: neither where it was taken nor by what. Only a profile that cannot be
read is passed on.
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

#: Pixels of an image that an edit makes; two of them in memory are 200 MB.
MAX_PIXELS = 25_000_000
MAX_SIDE = 16_383  # pixels; WebP takes no more
MAX_TEXT = 2_000  # characters
SIGN_SIZE = 16  # pixels, to see which signs a font has
MOST_SIGNS = 12  # in a sentence
MOST_RATIO = 100  # of one side to the other
QUALITY = 90  # of a JPEG or WebP that nobody asked another one of
MIME_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True)
class Edited:
    """What came out of an edit.

    Attributes
    ----------
    data : bytes
        The file.
    mime_type : str
    format : str
        ``"JPEG"``, ``"PNG"``, ``"WEBP"``, or ``"GIF"`` if nothing was done to one.
    width, height : int
        Pixels.
    """

    data: bytes
    mime_type: str
    format: str
    width: int
    height: int


def apply(data: bytes, operations: Iterable[Any]) -> Edited:
    """Do all operations in their order; slow, so call it off the main thread.

    Without an `Encode` a JPEG stays a JPEG, a PNG a PNG and a WebP a WebP; a GIF
    becomes a PNG of its first image. Of any animation only the first image is left. Without
    any operation the file stays as it is.

    Parameters
    ----------
    data : bytes
        The original; turned upright first, as its EXIF says.
    operations : iterable
        `Crop`, `Pad`, `Resize`, `Text`, `Encode`, or the same as JSON has them.

    Raises
    ------
    InvalidInputError
        If an operation cannot be done; see `check`.
    UnsafeMediaError
        If the original is too large, not an image or damaged.
    """
    steps = read(operations)
    return written(data, drawn(opened(data), steps), steps)


# ---------------------------------------------------------------- what is asked


def read(operations: Iterable[Any]) -> tuple[Operation, ...]:
    """Operations from outside (dicts, as JSON has them) or from here.

    Raises
    ------
    InvalidInputError
        If one is none of the five, or has a value of the wrong kind.
    """
    try:
        # There and back: also what was made here may have a text where a number belongs.
        return msgspec.convert(msgspec.to_builtins(list(operations)), tuple[Operation, ...])
    except (msgspec.ValidationError, TypeError) as error:
        raise InvalidInputError(
            "operations",
            f"This is not an edit: {error}.",
            "Use Crop, Pad, Resize, Text and Encode, or their JSON.",
        ) from None


def check(size: Size, operations: Iterable[Operation]) -> Size:
    """The size of what comes out, if all of it can be done to an image of `size`.

    Raises
    ------
    InvalidInputError
        If not: a crop outside the image, a size of nothing or with too many pixels,
        a colour or a font that is none, a number out of its range. The message says
        what to do, `field` where.
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


def can_be_made(width: int, height: int) -> bool:
    """Whether an image of this size is small enough to be made here."""
    return max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS


def _check_crop(size: Size, crop: Crop) -> None:
    if crop.width < 1 or crop.height < 1:
        _refuse("width", f"A crop of {_pixels(crop)} keeps nothing.", "Keep at least 1 × 1 pixel.")
    beyond = (crop.x + crop.width > size[0]) or (crop.y + crop.height > size[1])
    if crop.x < 0 or crop.y < 0 or beyond:
        _refuse(
            "x" if crop.x < 0 or crop.x + crop.width > size[0] else "y",
            f"The crop ({_pixels(crop)} at {crop.x}, {crop.y}) reaches out of the image, "
            f"which has {size[0]} × {size[1]} pixels.",
            "Make it smaller, or move it.",
        )


def _check_size(made: Pad | Resize) -> None:
    if made.width < 1 or made.height < 1:
        _refuse("width", f"{_pixels(made)} is no size.", "Both sides have at least 1 pixel.")
    if not can_be_made(made.width, made.height):
        _refuse(
            "width",
            f"{_pixels(made)} is more than can be made here.",
            f"Stay below {MAX_SIDE:,} pixels a side and {MAX_PIXELS // 1_000_000} million in all.",
        )


def _check_text(size: Size, text: Text) -> None:
    if not text.text.strip():
        _refuse("text", "There is no text to write.", "Type one.")
    if len(text.text) > MAX_TEXT:
        _refuse(
            "text",
            f"The text has {len(text.text):,} characters.",
            f"Up to {MAX_TEXT:,} fit into an image.",
        )
    if any("\ud800" <= character <= "\udfff" for character in text.text):
        _refuse("text", "The text has half a character, which cannot be written.", "Type it again.")
    for side in ("top", "right", "bottom", "left"):
        _check_range(text, f"padding_{side}", 0, 50)
    if text.padding_left + text.padding_right >= 100:  # noqa: PLR2004 - percent
        _refuse("padding_left", "The paddings leave no room for the text.", "Make one smaller.")
    _check_range(text, "size_percent", 10, 100)
    _check_range(text, "font_size_scale", 0.1, 10)
    _check_range(text, "stroke_width", 0, 50)
    _check_color("text_color", text.text_color)
    _check_color("stroke_color", text.stroke_color)
    fonts.font(text.font_family, text_overlay.size_of(text, size))
    face = fonts.font(text.font_family, SIGN_SIZE)
    lacking = fonts.missing_characters(face, text.text)
    if lacking:
        signs = " ".join(lacking[:MOST_SIGNS])
        name = fonts.used(face, text.font_family)
        title = f"The font {name} has no {signs} – it would be an empty box."
        _refuse("font_family", title, "Choose another font, or other words.")
    _check_script(face, text.text)


def _check_script(face: ImageFont.FreeTypeFont, text: str) -> None:
    """Refuse what would come out mirrored or with its letters apart."""
    trouble = text_shaping.trouble(text)
    if trouble is None or text_shaping.can_arrange(face):
        return
    kind, sign = trouble
    wrong = {
        "order": "text from right to left would be mirrored",
        "joined": "its letters would stand apart or in the wrong order",
        "marks": "its marks would lie over each other",
    }[kind]
    _refuse(
        "text",
        f"“{sign}” cannot be drawn correctly on this computer: {wrong}.",
        "Install FriBiDi and a Pillow with Raqm, or write other words.",
    )


def _check_range(operation: Operation, name: str, low: float, high: float) -> None:
    value = getattr(operation, name)
    if not low <= value <= high:  # also if it is no number at all
        words = name.replace("_", " ").capitalize()
        _refuse(name, f"{words} is {value:g}.", f"It goes from {low:g} to {high:g}.")


def _check_color(name: str, color: str) -> None:
    try:
        ImageColor.getrgb(color)
    except ValueError:
        _refuse(name, f"“{color[:40]}” is no colour.", "Write it as CSS does: #ffffff, or white.")


def _refuse(field: str, message: str, hint: str) -> NoReturn:
    raise InvalidInputError(field, message, hint)


def _pixels(made: Crop | Pad | Resize) -> str:
    return f"{made.width} × {made.height}"


# ---------------------------------------------------------------- doing it


def opened(data: bytes) -> Image.Image:
    """The pixels of an original, upright, as RGB or RGBA in sRGB; `format` is what it was.

    Raises
    ------
    UnsafeMediaError
    """
    image = decode.full_size(data)
    if color.fits(image.info.get("icc_profile"), image.mode):
        # What is drawn over it is in sRGB, and so is what a post is taken for.
        image = color.to_srgb(image)
    kind, profile = image.format, image.info.get("icc_profile")
    colored = image.mode in {"RGB", "RGBA", "P"}
    mode = "RGBA" if image.has_transparency_data else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    # What belonged to another mode, or would be written beside the pixels, is left behind.
    image.info = {"icc_profile": profile} if profile and colored else {}
    image.format = kind
    return image


def drawn(image: Image.Image, operations: Iterable[Operation]) -> Image.Image:
    """The pixels after the operations; `image` itself is kept.

    Raises
    ------
    InvalidInputError
    """
    steps = tuple(operations)
    check(image.size, steps)
    made = image
    for step in steps:
        match step:
            case Crop():
                made = made.crop((step.x, step.y, step.x + step.width, step.y + step.height))
            case Pad():
                made = _padded(made, step)
            case Resize():
                made = made.resize((step.width, step.height), Image.Resampling.LANCZOS)
            case Text():
                made = made.copy() if made is image else made
                text_overlay.write(made, step)
    if made is not image:
        made.format, made.info = image.format, image.info
    return made


def _padded(image: Image.Image, pad: Pad) -> Image.Image:
    color = ImageColor.getrgb(pad.color)
    mode = "RGBA" if image.mode == "RGBA" or len(color) > len("RGB") else "RGB"
    canvas = Image.new(mode, (pad.width, pad.height), color)
    at = ((pad.width - image.width) // 2, (pad.height - image.height) // 2)
    if image.mode == "RGBA":
        canvas.alpha_composite(image, at)
    else:
        canvas.paste(image, at)
    return canvas


def written(data: bytes, image: Image.Image, operations: Iterable[Operation]) -> Edited:
    """The file of what `drawn` made of `data` by `operations`."""
    steps = tuple(operations)
    encodes = [step for step in steps if isinstance(step, Encode)]
    kind = "JPEG" if image.format == "MPO" else image.format or "PNG"
    if not steps:
        mime_type = MIME_TYPES.get(kind, "image/gif")
        return Edited(data, mime_type, kind, image.width, image.height)
    kind = encodes[-1].format if encodes else kind if kind in MIME_TYPES else "PNG"
    options: dict[str, Any] = {}
    if kind != "PNG":
        options["quality"] = encodes[-1].quality if encodes else QUALITY
    if image.info.get("icc_profile"):
        options["icc_profile"] = image.info["icc_profile"]
    buffer = BytesIO()
    flat = kind == "JPEG" and image.mode == "RGBA"
    (decode.on_white(image) if flat else image).save(buffer, kind, **options)
    return Edited(buffer.getvalue(), MIME_TYPES[kind], kind, image.width, image.height)


# ---------------------------------------------------------------- shapes


def centered_crop(size: Size, ratio: float) -> Crop:
    """The largest crop of a shape, from the middle.

    Where whole pixels cannot have the shape exactly, the crop is a little nearer to
    a square, so that it is never beyond a limit that `ratio` stands for.

    Parameters
    ----------
    size : tuple of int
        Of the image, in pixels.
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
    """The smallest canvas of a shape that holds the whole image; rounded as a crop is."""
    exact = _exact(ratio)
    width, height = size
    nearer = (int, math.ceil) if exact >= 1 else (math.ceil, int)
    if width < height * exact:
        width = max(width, nearer[0](height * exact))
    else:
        height = max(height, nearer[1](width / exact))
    return Pad(width=width, height=height, color=color)


def _exact(ratio: float) -> Fraction:
    """4 / 5 rather than 0.8000000000000000444, so that 1080 × 1350 is found."""
    if not 1 / MOST_RATIO <= ratio <= MOST_RATIO:
        _refuse("ratio", f"{ratio} is no shape.", "Pass width divided by height, as 4 / 5.")
    return Fraction(ratio).limit_denominator(1000)
