"""What can be done to an image between making it and posting it, as data.

An edit is a tuple of these, applied in their order to the original, which stays as
it is. They are kept with the result as JSON:

    [{"operation": "crop", "x": 0, "y": 512, "width": 1024, "height": 1280},
     {"operation": "encode", "format": "JPEG", "quality": 90}]

Positions and sizes are in pixels of the image as the operation before left it,
with the origin at the top left.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Position = Literal[
    "top-left",
    "top-center",
    "top-right",
    "center-left",
    "center",
    "center-right",
    "bottom-left",
    "bottom-center",
    "bottom-right",
]
Format = Literal["JPEG", "PNG", "WEBP"]


class Crop(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="crop", rename="camel"
):
    """Keep a rectangle.

    Attributes
    ----------
    x, y, width, height : int
        Pixels; ``imageCrop`` has them as `cropPixelX` and so on.
    """

    x: int
    y: int
    width: int
    height: int


class Pad(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="pad", rename="camel"
):
    """Put the image into the middle of a larger canvas.

    Attributes
    ----------
    width, height : int
        Of the canvas, in pixels.
    color : str
        As CSS writes it: ``"#ffffff"``.
    """

    width: int
    height: int
    color: str = "#ffffff"


class Resize(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="resize", rename="camel"
):
    """Scale to `width` × `height` pixels."""

    width: int
    height: int


class Text(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="text", rename="camel"
):
    """Write over the image, as the service's ``textOverlay`` does (wonda-api.md, 10.3).

    Attributes
    ----------
    text : str
    position : str
        One of nine.
    padding_top, padding_right, padding_bottom, padding_left : float
        0 to 50, percent of the canvas.
    size_percent : float
        10 to 100, the text box's width in percent of the canvas.
    font_family : str
    font_size_scale : float
        1 is the size that suits the image.
    stroke_width : float
        Pixels on an image 1,080 pixels wide; larger images have more.
    text_color, stroke_color : str
        As CSS writes them.
    """

    text: str
    position: Position = "bottom-center"
    padding_top: float = 5
    padding_right: float = 5
    padding_bottom: float = 5
    padding_left: float = 5
    size_percent: float = 66
    font_family: str = "Inter"
    font_size_scale: float = 1.0
    stroke_width: float = 2
    text_color: str = "#ffffff"
    stroke_color: str = "#000000"


class Encode(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="encode", rename="camel"
):
    """Write the file as another format.

    Attributes
    ----------
    format : str
        ``"JPEG"``, ``"PNG"`` or ``"WEBP"``.
    quality : int
        1 to 100, for JPEG and WebP.
    """

    format: Format
    quality: int = 90


Operation = Crop | Pad | Resize | Text | Encode
