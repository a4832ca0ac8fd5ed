"""The operations that edit an image or a video, as data.

An edit is a tuple of operations, applied in order to the original, which is not changed. The
operations are stored with the result as JSON:

    [{"operation": "crop", "x": 0, "y": 512, "width": 1024, "height": 1280},
     {"operation": "encode", "format": "JPEG", "quality": 90}]

Positions and sizes are in pixels of the previous operation's result, from its top left.
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
    """A crop to a rectangle.

    Attributes
    ----------
    x, y, width, height : int
        In pixels. The service's ``imageCrop`` calls them `cropPixelX` and so on.
    """

    x: int
    y: int
    width: int
    height: int


class Pad(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="pad", rename="camel"
):
    """A larger canvas with the image at its center.

    Attributes
    ----------
    width, height : int
        Size of the canvas, in pixels.
    color : str
        A CSS color, such as ``"#ffffff"``.
    """

    width: int
    height: int
    color: str = "#ffffff"


class Resize(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="resize", rename="camel"
):
    """A resize to `width` × `height` pixels."""

    width: int
    height: int


class Text(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="text", rename="camel"
):
    """Text over the image, like the service's ``textOverlay`` (wonda-api.md, section 10.3).

    Attributes
    ----------
    text : str
    position : str
        One of nine positions, such as ``"bottom-center"``.
    padding_top, padding_right, padding_bottom, padding_left : float
        0 to 50, in percent of the image.
    size_percent : float
        10 to 100, width of the text box in percent of the image.
    font_family : str
    font_size_scale : float
        0.1 to 10; 1 is 1/16 of the image's shorter side.
    stroke_width : float
        0 to 50, in pixels of an image 1,080 pixels wide; scaled with the image.
    text_color, stroke_color : str
        CSS colors.
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
    """The file format of the result.

    Attributes
    ----------
    format : str
        ``"JPEG"``, ``"PNG"`` or ``"WEBP"``.
    quality : int
        1 to 100, for JPEG and WebP.
    """

    format: Format
    quality: int = 90


class Trim(msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="trim"):
    """The first `seconds` of a video."""

    seconds: float


class FrameRate(msgspec.Struct, frozen=True, kw_only=True, tag_field="operation", tag="frameRate"):
    """Another number of frames per second; the length of the video remains the same."""

    fps: float


class EncodeVideo(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="operation",
    tag="encodeVideo",
    rename="camel",
):
    """MP4 with H.264 and AAC.

    Attributes
    ----------
    max_bytes : int
        The largest size of the file; 0 for no limit.
    """

    max_bytes: int = 0


class MoveIndex(msgspec.Struct, frozen=True, tag_field="operation", tag="moveIndex"):
    """The index of an MP4 (``moov``) before its frames, so that it plays while it downloads."""


Operation = Crop | Pad | Resize | Text | Encode
VideoOperation = Trim | Pad | Resize | FrameRate | EncodeVideo | MoveIndex
AnyOperation = Operation | VideoOperation
