"""Rendering for `EditForm`: the displayed copy, and the file to upload.

All functions except `has_no_effect` decode or draw images and are therefore slow: run them in a
thread. Pillow is imported when an image is loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ...imaging.operations import Crop, Encode, Operation, Pad, Resize, Text

if TYPE_CHECKING:
    from PIL import Image

    from ...client.edit import Edit
    from ...imaging.apply_edits import EditedImage, Size
    from ...models import Media


class RenderRequest(NamedTuple):
    """An image to render: the applied operations of an edit, and a draft operation after them.

    Attributes
    ----------
    edit : Edit
    operations : tuple of Operation
    draft : Operation or None
    shows_crop_frame : bool
        Whether the image is shown before the draft, because the browser draws a crop frame.
    """

    edit: Edit
    operations: tuple[Operation, ...]
    draft: Operation | None
    shows_crop_frame: bool

    @property
    def all_operations(self) -> tuple[Operation, ...]:
        """The applied operations and the draft."""
        return (*self.operations, *([self.draft] if self.draft else []))


class RenderResult(NamedTuple):
    """A rendered image.

    Attributes
    ----------
    data, mime_type : bytes, str
        A thumbnail of the displayed image.
    shown_size : Size
        Width and height of the displayed image, in full-size pixels.
    base_size : Size
        Width and height before the draft, to which the open tool is applied.
    final : PIL.Image
        The image that will be uploaded.
    """

    data: bytes
    mime_type: str
    shown_size: Size
    base_size: Size
    final: Image.Image


def open_edit(media: Media | None, data: bytes, name: str) -> tuple[Edit, list[str]]:
    """Open an image for editing; return it with the names of the available fonts."""
    from ...client.edit import Edit  # noqa: PLC0415 - Pillow is loaded when needed
    from ...imaging import fonts  # noqa: PLC0415 - Pillow is loaded when needed

    edit = Edit(data, name=name) if media is None else Edit(media, data=data, name=name)
    assert edit.size  # noqa: S101 - decodes the image here, in this thread
    return edit, fonts.families()


def render(request: RenderRequest) -> RenderResult:
    """Draw an image at full size, and a thumbnail of it for display."""
    from ...imaging import apply_edits, preview  # noqa: PLC0415 - Pillow is loaded when needed

    base = apply_edits.draw(apply_edits.open_original(request.edit.data), request.operations)
    final = apply_edits.draw(base, [request.draft]) if request.draft else base
    shown = base if request.shows_crop_frame else final
    return RenderResult(*preview.encode_preview(shown), shown.size, base.size, final)


def encode(request: RenderRequest, final: Image.Image) -> EditedImage:
    """Encode a rendered image as the file that will be uploaded."""
    from ...imaging import apply_edits  # noqa: PLC0415 - Pillow is loaded when needed

    return apply_edits.encode(request.edit.data, final, request.all_operations)


def has_no_effect(operation: Operation, size: Size) -> bool:
    """Return whether an operation does not change an image of this size."""
    match operation:
        case Crop() | Pad() | Resize():
            is_same_size = (operation.width, operation.height) == size
            return is_same_size and getattr(operation, "x", 0) == 0
        case Text():
            return not operation.text.strip()
        case Encode():
            return False
