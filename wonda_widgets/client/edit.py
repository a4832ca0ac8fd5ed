"""Change an image between making it and posting it, without changing the original.

    original ──operations──> image ──upload──> media

An `Edit` is the original and a tuple of operations; the operations are data, can be
undone, and are kept in the journal with what was uploaded. The work is done on this
computer, because the service offers no editing (wonda-api.md, section 10):

>>> import wonda_widgets as ww
>>> edit = ww.edit.Edit(media, wonda=wonda)
>>> edit.add(ww.edit.Crop(x=0, y=285, width=1080, height=1350), ww.edit.Encode(format="JPEG"))
>>> edit.upload()

`cli` has the service's own command line tool do it instead, where that is installed.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Self

import msgspec

from ..api.media import UPLOAD, read_source
from ..errors import InvalidInputError
from ..imaging import animation, apply_edits, preview
from ..imaging.apply_edits import Edited, centered_crop, padded
from ..imaging.operations import (
    Crop,
    Encode,
    Operation,
    Pad,
    Resize,
    Text,
)
from ..imaging.save_original import file_name
from ..models import Media
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
    "Edited",
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
    """An image that stays as it is, and what is to be done to it.

    Parameters
    ----------
    source : Media, path, bytes, binary file or PIL.Image
        The original. A media is fetched once, when it is first needed.
    wonda : Wonda or AsyncWonda, optional
        Needed to fetch a media and to upload.
    data : bytes, optional
        The bytes of a media that are there already.
    name : str
        What the image is called, e.g. its prompt; the file's name is made of it.
    operations : iterable
        To begin with, as `add` takes them.

    Attributes
    ----------
    media : Media or None
        The original, if it is the service's.

    Raises
    ------
    InvalidInputError
        If the source cannot be read or an operation cannot be done.
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
        self._data = data if isinstance(source, Media) else read_source(source, None).data
        self._wonda = None if wonda is None else selection.as_async(wonda)
        self._original: Edited | None = None
        self._name = name
        self._done: list[Operations] = [()]  # each step is all operations up to it
        self._undone: list[Operations] = []
        begin = tuple(operations)
        if begin:
            self.add(*begin)

    def __repr__(self) -> str:
        return f"<Edit of {len(self.operations)} operations>"

    @property
    def data(self) -> bytes:
        """The original's bytes; a media is fetched now, if it was not yet.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            If it cannot be fetched.
        """
        if self._data is None:
            assert self.media is not None  # noqa: S101 - anything else was read when it came
            self._data = event_loop.run_blocking(self._client.media.download(self.media))
        return self._data

    @property
    def size(self) -> apply_edits.Size:
        """Width and height of the original, upright, in pixels."""
        return self.original.width, self.original.height

    @property
    def original(self) -> Edited:
        """The original, upright, as an edit without operations gives it."""
        if self._original is None:
            self._original = apply_edits.apply(self.data, ())
        return self._original

    @property
    def notes(self) -> list[str]:
        """What is lost by any edit of this original, as sentences."""
        return [animation.LOST] if animation.is_animated(self.data) else []

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
        """What is to be done, in its order."""
        return self._done[-1]

    def add(self, *operations: Any) -> Self:
        """Do more, as one step that `undo` takes back; what was undone is gone then.

        A format right after a format takes its place.

        Parameters
        ----------
        *operations : Crop, Pad, Resize, Text or Encode
            Or dicts, as JSON has them.

        Raises
        ------
        InvalidInputError
            If one cannot be done to the image as it is then; nothing is added.
        """
        return self._step(self.operations, operations)

    def replace(self, *operations: Any) -> Self:
        """Do these instead of all before, as one step that `undo` takes back.

        Raises
        ------
        InvalidInputError
            If one cannot be done to the original; everything stays.
        """
        return self._step((), operations)

    def _step(self, before: Operations, operations: Iterable[Any]) -> Self:
        made = list(before)
        for operation in apply_edits.read(operations):
            if made and isinstance(operation, Encode) and isinstance(made[-1], Encode):
                made.pop()
            made.append(operation)
        apply_edits.check(self.size, made)
        self._done.append(tuple(made))
        self._undone.clear()
        return self

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return len(self._done) > 1

    @property
    def can_redo(self) -> bool:
        """Whether there is a step that was taken back."""
        return bool(self._undone)

    def undo(self) -> bool:
        """Take the last step back; False if there is none."""
        if self.can_undo:
            self._undone.append(self._done.pop())
            return True
        return False

    def redo(self) -> bool:
        """Do again what was undone last; False if there is nothing."""
        if self.can_redo:
            self._done.append(self._undone.pop())
            return True
        return False

    def to_json(self) -> str:
        """The operations, to be kept."""
        return msgspec.json.encode(self.operations).decode()

    @classmethod
    def from_json(cls, text: str | bytes, source: Media | Uploadable, **more: Any) -> Self:
        """An edit of `source` by operations that `to_json` gave; `more` as the class takes it.

        Raises
        ------
        InvalidInputError
            If it is not such JSON, or cannot be done to this image.
        """
        try:
            operations = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeError):
            raise InvalidInputError(
                "operations", "This is not JSON.", "Pass what to_json() gave."
            ) from None
        return cls(source, operations=apply_edits.read(operations), **more)

    # ------------------------------------------------------------ results

    def render(self) -> Edited:
        """The image at full size; slow for large ones.

        Raises
        ------
        UnsafeMediaError
            If the original is too large, not an image or damaged.
        """
        return apply_edits.apply(self.data, self.operations)

    def preview(self) -> bytes:
        """What `render` would give, with at most 1024 pixels a side and 400 KB (JPEG or PNG)."""
        return preview.small(apply_edits.drawn(apply_edits.opened(self.data), self.operations))[0]

    def upload(self) -> Media:
        """Render, upload, and get the new media; the journal keeps what was done.

        Warns
        -----
        UserWarning
            If an animation becomes a still image.

        Raises
        ------
        OutcomeUnknownError
            If it may have arrived but the reply was lost.
        APIError
            If the service refused it.
        """
        client = self._client
        for note in self.notes if self.operations else ():
            warnings.warn(note, stacklevel=2)
        return event_loop.run_blocking(
            self.send(client, self.render()), interrupt_hint=UPLOAD.check
        )

    async def send(self, client: AsyncWonda, edited: Edited) -> Media:
        """Upload what `render` gave; for whoever renders in a thread of their own."""
        of = self.media.media_id if self.media else None
        media = await client.media.upload(
            edited.data,
            name=file_name(self._name, "edited", edited.format),
            edit={"of": of, "operations": msgspec.to_builtins(self.operations)},
        )
        return msgspec.structs.replace(media, width=edited.width, height=edited.height)
