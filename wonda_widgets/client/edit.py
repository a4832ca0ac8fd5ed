"""Edit an image before posting it, without changing the original.

    original ──operations──> image ──upload──> media

An `Edit` holds the original and a tuple of operations. Operations are plain data: they can be
undone, and the journal stores them with each upload. Editing runs on this computer, because
the API has no editing (wonda-api.md, section 10):

>>> import wonda_widgets as ww
>>> edit = ww.edit.Edit(media, wonda=wonda)
>>> edit.add(ww.edit.Crop(x=0, y=0, width=800, height=800), ww.edit.Encode(format="JPEG"))
>>> square = edit.upload()

`cli` uses the service's command-line tool instead, if it is installed.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ..api.media import UPLOAD, read_source
from ..errors import InvalidInputError
from ..imaging import animation, apply_edits, preview
from ..imaging.apply_edits import EditedImage, centered_crop, padded
from ..imaging.operations import (
    Crop,
    Encode,
    Operation,
    Pad,
    Resize,
    Text,
)
from ..imaging.save_original import file_name
from ..models import Media, require_image
from ..utils import event_loop
from . import selection
from .wonda_cli import cli

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..api.media import Uploadable
    from .wonda_client import AsyncWonda, Wonda

__all__ = [
    "Crop",
    "Edit",
    "EditedImage",
    "Encode",
    "Operation",
    "Pad",
    "Resize",
    "Text",
    "centered_crop",
    "cli",
    "padded",
]

Operations = tuple[Operation, ...]


class Edit:
    """An original image and the edit operations to apply to it.

    Parameters
    ----------
    source : Media, path, bytes, binary file or PIL.Image
        The original. A `Media` is downloaded once, on first use.
    wonda : Wonda or AsyncWonda, optional
        Required to download a `Media` and to upload.
    data : bytes, optional
        The bytes of the `Media`, if they are already downloaded.
    name : str
        A description, such as the prompt; the uploaded file's name is derived from it.
    operations : iterable
        The first operations; see `add`.

    Attributes
    ----------
    media : Media or None
        The original, if it is stored at the service.

    Raises
    ------
    InvalidInputError
        If the source cannot be read or an operation cannot be applied.
    """

    def __init__(
        self,
        source: Media | Uploadable,
        *,
        wonda: Wonda | AsyncWonda | None = None,
        data: bytes | None = None,
        name: str = "",
        operations: Iterable[Any] = (),
    ) -> None:
        self.media = source if isinstance(source, Media) else None
        if self.media is not None:
            require_image(self.media, "edited")
        self._data = data if isinstance(source, Media) else read_source(source, None).data
        self._wonda = None if wonda is None else selection.as_async(wonda)
        self._original: EditedImage | None = None
        self._name = name
        self._done: list[Operations] = [()]  # each step holds all operations up to it
        self._undone: list[Operations] = []
        if operations := tuple(operations):
            self.add(*operations)

    def __repr__(self) -> str:
        return f"<Edit of {len(self.operations)} operations>"

    @property
    def data(self) -> bytes:
        """The original's bytes; a `Media` is downloaded on first use.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            If the download fails.
        """
        if self._data is None:
            assert self.media is not None  # noqa: S101 - every other source was read in __init__
            self._data = event_loop.run_blocking(self._client.media.download(self.media))
        return self._data

    @property
    def size(self) -> apply_edits.Size:
        """Width and height of the upright original, in pixels."""
        return self.original.width, self.original.height

    @property
    def original(self) -> EditedImage:
        """The upright original: the result of an edit without operations."""
        if self._original is None:
            self._original = apply_edits.apply(self.data, ())
        return self._original

    @property
    def notes(self) -> list[str]:
        """Sentences that say what any edit of this original loses."""
        return [animation.EDIT_NOTE] if animation.is_animated(self.data) else []

    @property
    def _client(self) -> AsyncWonda:
        if self._wonda is None:
            raise InvalidInputError(
                "wonda", "This edit has no client.", "Pass one: Edit(media, wonda=wonda)."
            )
        return self._wonda

    # ------------------------------------------------------------ operations

    @property
    def operations(self) -> Operations:
        """The operations, in the order in which they are applied."""
        return self._done[-1]

    def add(self, *operations: Any) -> Self:
        """Append operations as one undoable step; `redo` is no longer possible after it.

        An `Encode` directly after an `Encode` replaces it.

        Parameters
        ----------
        *operations : Crop, Pad, Resize, Text or Encode
            Or their JSON form, as dicts.

        Raises
        ------
        InvalidInputError
            If one cannot be applied to the result of those before it. Nothing is added.
        """
        return self._step(self.operations, operations)

    def replace(self, *operations: Any) -> Self:
        """Replace all operations by these, as one undoable step.

        Raises
        ------
        InvalidInputError
            If one cannot be applied to the original. Nothing is replaced.
        """
        return self._step((), operations)

    def _step(self, before: Operations, added: Iterable[Any]) -> Self:
        operations = list(before)
        for operation in apply_edits.parse_operations(added):
            if operations and isinstance(operation, Encode) and isinstance(operations[-1], Encode):
                operations.pop()
            operations.append(operation)
        apply_edits.check(self.size, operations)
        self._done.append(tuple(operations))
        self._undone.clear()
        return self

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return len(self._done) > 1

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step to redo."""
        return bool(self._undone)

    def undo(self) -> bool:
        """Undo the last step; return False if there is none."""
        if self.can_undo:
            self._undone.append(self._done.pop())
            return True
        return False

    def redo(self) -> bool:
        """Redo the step that was undone last; return False if there is none."""
        if self.can_redo:
            self._done.append(self._undone.pop())
            return True
        return False

    def to_json(self) -> str:
        """Serialize the operations as JSON."""
        return msgspec.json.encode(self.operations).decode()

    @classmethod
    def from_json(cls, text: str | bytes, source: Media | Uploadable, **options: Any) -> Self:
        """Create an edit of `source` from the JSON that `to_json` returned.

        Parameters
        ----------
        text : str or bytes
        source : Media, path, bytes, binary file or PIL.Image
        **options
            Further arguments of `Edit`.

        Raises
        ------
        InvalidInputError
            If the JSON is invalid, or an operation cannot be applied to this image.
        """
        try:
            operations = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError):
            raise InvalidInputError(
                "operations", "This is not JSON.", "Pass the result of to_json()."
            ) from None
        return cls(source, operations=apply_edits.parse_operations(operations), **options)

    # ------------------------------------------------------------ results

    def render(self) -> EditedImage:
        """Render the edited image at full size; slow for large images.

        Raises
        ------
        UnsafeMediaError
            If the original is too large, damaged or not an image.
        """
        return apply_edits.apply(self.data, self.operations)

    def preview(self) -> bytes:
        """Render a JPEG or PNG of at most 1024 pixels per side and 400 KB."""
        return preview.encode_preview(
            apply_edits.draw(apply_edits.open_original(self.data), self.operations)
        )[0]

    def upload(self) -> Media:
        """Render and upload the image, and record the operations in the journal.

        Returns
        -------
        Media
            The new media.

        Warns
        -----
        UserWarning
            If an animation becomes a still image.

        Raises
        ------
        OutcomeUnknownError
            If the request may have arrived but no response was received.
        APIError
            If the service rejects the upload.
        """
        client = self._client
        for note in self.notes if self.operations else ():
            warnings.warn(note, stacklevel=2)
        return event_loop.run_blocking(
            self.send(client, self.render()), interrupt_hint=UPLOAD.check
        )

    async def send(self, client: AsyncWonda, edited: EditedImage) -> Media:
        """Upload the result of `render`, for callers that render in their own thread."""
        original_id = self.media.media_id if self.media else None
        media = await client.media.upload(
            edited.data,
            name=file_name(self._name, "edited", edited.format),
            edit={"of": original_id, "operations": msgspec.to_builtins(self.operations)},
        )
        return msgspec.structs.replace(media, width=edited.width, height=edited.height)
