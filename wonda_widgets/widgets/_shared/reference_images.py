"""Reference images of a form: brought from the browser, uploaded, put in order.

A page announces its files; their bytes are asked for piece by piece, so that what is
on its way stays small however large or many the files are, and a page that is slow
is not drowned:

    browser ──files──> waiting ──want / chunk──> reading ──> uploading ──> done
                                                       └──────────> refused

How far the browser is can be counted. How far the upload to the service is cannot,
and no number is shown for it.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec
import traitlets

from ...api.media import read_source
from ...errors import (
    InvalidInputError,
    OutcomeUnknownError,
    UnsafeMediaError,
    WondaError,
)
from ...imaging import decode_threads
from ...models import Media
from ...utils import event_loop
from . import messages
from .panel import Panel
from .permissions import Permission, requires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...api.media import Uploadable
    from ...models.reference_limits import ReferenceLimit

CHUNK = 1_000_000  # bytes; a front end's websocket takes messages of 10 MB
MAX_FILE = 30_000_000  # bytes
MOST = 30  # whatever the model takes
AT_ONCE = 2  # files on their way
THUMB = 192  # pixels
THUMB_BYTES = 20_000

_ids = count()


class Reference(msgspec.Struct, eq=False):
    """One reference image and how far it has come."""

    name: str
    size: int
    key: str = msgspec.field(default_factory=lambda: f"python-{next(_ids)}")
    state: str = "waiting"
    received: int = 0
    said: str = ""
    media_id: str = ""
    thumb: bytes = b""
    data: bytes = b""
    piece: asyncio.Future[bytes] | None = None
    task: asyncio.Task[None] | None = None

    @property
    def coming(self) -> bool:
        """Whether it is on its way."""
        return self.state in {"waiting", "reading", "uploading"}

    def refuse(self, why: str) -> None:
        """Say why it is not taken."""
        self.state, self.said = "refused", why

    def shown(self) -> dict[str, Any]:
        """As the browser knows it."""
        return {
            "key": self.key,
            "name": self.name,
            "size": self.size,
            "state": self.state,
            "received": self.received,
            "said": self.said,
            "retry": self.state == "refused" and bool(self.data),
        }


class ReferencesPanel(Panel):
    """A panel that takes reference images."""

    references: Any = traitlets.List().tag(sync=True)
    """Reference images in their order: ``name``, ``state`` (``"waiting"``, ``"reading"``,
    ``"uploading"``, ``"done"`` or ``"refused"``), ``said``, ``size`` and ``received`` in bytes."""
    reference_thumbs: Any = traitlets.Dict().tag(sync=True)
    """Small copies, by the references' keys."""
    references_message = traitlets.Unicode("").tag(sync=True)
    """What is to be done about them for the chosen model; empty for nothing."""

    def __init__(self, *args: Any, **traits: Any) -> None:
        self._references: list[Reference] = []
        self._gate = asyncio.Semaphore(AT_ONCE)
        super().__init__(*args, **traits)

    def _limit(self, model: str) -> tuple[ReferenceLimit, str]:
        """How many a model takes, and its name."""
        raise NotImplementedError

    def _chosen_model(self) -> str:
        raise NotImplementedError

    # ------------------------------------------------------------ from Python

    def add_reference(
        self, source: Media | Uploadable, *, name: str = "", thumb: bytes = b""
    ) -> None:
        """Add a reference image at the end; it is uploaded in the background.

        Parameters
        ----------
        source : Media, path, bytes, binary file or PIL.Image
            A `Media` with a media id is used as it is, without an upload, and once only.
        name : str, optional
            What it is called in the form.
        thumb : bytes, optional
            A small copy of a `Media`; without it one is fetched.

        Raises
        ------
        InvalidInputError
            If it cannot be read, has more than 30 MB, or is a `Media` without an id.
        """
        if isinstance(source, Media):
            media = source
            if not media.media_id:
                raise InvalidInputError(
                    "references", "This media has no media id.", "Pass its bytes or its path."
                )
            known = Reference(
                name or "Image", 0, state="done", media_id=media.media_id, thumb=thumb
            )
            event_loop.call_soon(lambda: self._guard(self._add_media, known, media))
            return
        found = read_source(source, name or None)
        if len(found.data) > MAX_FILE:
            raise InvalidInputError("references", _too_large(len(found.data)))
        fresh = Reference(found.name, len(found.data), data=found.data)
        event_loop.call_soon(lambda: self._guard(self._add, [fresh]))

    @property
    def reference_ids(self) -> list[str]:
        """The media ids of the reference images that are there, in order."""
        return [each.media_id for each in self._references if each.state == "done"]

    def _add_media(self, reference: Reference, media: Media) -> None:
        if any(each.media_id == reference.media_id for each in self._references):
            return
        self._add([reference])
        if not reference.thumb and media.url:
            reference.task = self._start(self._look_at, reference, media)

    async def _look_at(self, reference: Reference, media: Media) -> None:
        try:
            data = await self._client.media.download(media)
            reference.thumb = await decode_threads.run(_thumb, data)
        except WondaError:  # it is used by its id, seen or not
            return
        self._show_references()

    # ------------------------------------------------------------ from the browser

    @requires(Permission.GENERATE)
    def _on_add_files(self, content: Mapping[str, Any]) -> None:
        files = content.get("files")
        known = {each.key for each in self._references}
        fresh = []
        for file in files if isinstance(files, list) else ():
            key, name, size = (file.get(part) for part in ("key", "name", "size"))
            if isinstance(key, str) and key not in known and isinstance(size, int):
                reference = Reference(str(name or "file"), size, key)
                if size > MAX_FILE:
                    reference.refuse(_too_large(size))
                elif size <= 0:
                    reference.refuse("The file is empty.")
                fresh.append(reference)
        self._add(fresh)

    @requires(Permission.GENERATE)
    def _on_chunk(self, content: Mapping[str, Any]) -> None:
        reference = self._named(content)
        pieces = content.get("buffers") or [b""]
        if reference is None or reference.piece is None or reference.piece.done():
            return
        if content.get("at") == reference.received:  # else another view was quicker
            reference.piece.set_result(bytes(pieces[0]))

    @requires(Permission.GENERATE)
    def _on_no_file(self, content: Mapping[str, Any]) -> None:
        """The page has it no more: it was loaded anew, or the file was moved."""
        reference = self._named(content)
        if reference is not None and reference.coming and not reference.data:
            self._stop(reference)
            reference.refuse("The page can no longer read this file. Add it again.")
            self._show_references()

    @requires(Permission.GENERATE)
    def _on_move_reference(self, content: Mapping[str, Any]) -> None:
        reference, to = self._named(content), content.get("to")
        if reference is not None and isinstance(to, int):
            self._references.remove(reference)
            self._references.insert(max(0, to), reference)
            self._show_references()

    @requires(Permission.GENERATE)
    def _on_remove_reference(self, content: Mapping[str, Any]) -> None:
        reference = self._named(content)
        if reference is not None:
            self._stop(reference)
            self._references.remove(reference)
            self._show_references()

    @requires(Permission.GENERATE)
    def _on_retry_reference(self, content: Mapping[str, Any]) -> None:
        reference = self._named(content)
        if reference is not None and reference.state == "refused" and reference.data:
            reference.state, reference.said = "waiting", ""
            self._begin(reference)
            self._show_references()

    def _named(self, content: Mapping[str, Any]) -> Reference | None:
        return next((each for each in self._references if each.key == content.get("key")), None)

    # ------------------------------------------------------------ on their way

    def _add(self, fresh: list[Reference]) -> None:
        room = max(0, MOST - len(self._references))
        for reference in fresh[:room]:
            self._references.append(reference)
            if reference.state == "waiting":
                self._begin(reference)
        self._show_references()
        if len(fresh) > room:
            raise InvalidInputError(
                "references",
                f"You can add up to {MOST} reference images.",
                f"{len(fresh) - room} of these were not added.",
            )

    def _begin(self, reference: Reference) -> None:
        reference.task = self._start(self._reveal, reference)

    @staticmethod
    def _stop(reference: Reference) -> None:
        if reference.task is not None:
            reference.task.cancel()

    async def _reveal(self, reference: Reference) -> None:
        async with self._gate:
            try:
                if not reference.data:
                    reference.data = await self._read(reference)
                await self._upload(reference)
            except UnsafeMediaError as error:
                reference.data = b""  # there is nothing to try again
                reference.refuse(error.message)
            except OutcomeUnknownError:
                reference.refuse("The upload was sent, but no response came.")
            except WondaError as error:
                problem = messages.problem(error)
                reference.refuse(f"{problem['title']} {problem['text']}")
            except Exception:
                reference.refuse("The file could not be added.")
                raise
            finally:
                self._show_references()

    async def _read(self, reference: Reference) -> bytes:
        data = bytearray()
        reference.state = "reading"
        while len(data) < reference.size:
            self._show_references()
            reference.received = len(data)
            reference.piece = asyncio.get_running_loop().create_future()
            wanted = min(CHUNK, reference.size - len(data))
            self.send({"type": "want", "key": reference.key, "at": len(data), "bytes": wanted})
            piece = await reference.piece
            if len(piece) != wanted:
                raise UnsafeMediaError("The file changed while it was being read.")
            data += piece
        return bytes(data)

    async def _upload(self, reference: Reference) -> None:
        reference.received, reference.state = reference.size, "uploading"
        self._show_references()
        # Not on the decoders' threads: these may be busy with other images for long.
        await event_loop.to_thread(_check, reference.data)
        if not reference.thumb:
            self._start(self._see, reference, reference.data)
        media = await self._client.media.upload(reference.data, name=reference.name)
        reference.media_id, reference.state = media.media_id or "", "done"
        reference.data = b""

    async def _see(self, reference: Reference, data: bytes) -> None:
        """Make the small copy beside the upload, which does not wait for it."""
        try:
            reference.thumb = await decode_threads.run(_thumb, data)
        except decode_threads.DecodeTimeoutError:  # it is used, seen or not
            return
        except UnsafeMediaError as error:
            self._stop(reference)
            reference.data = b""  # there is nothing to try again
            reference.refuse(error.message)
        self._show_references()

    def _show_references(self) -> None:
        if self._closed:
            return
        thumbs = {each.key: each.thumb for each in self._references if each.thumb}
        with self.hold_sync():
            self.references = [each.shown() for each in self._references]
            if thumbs.keys() != self.reference_thumbs.keys():  # images are sent once
                self.reference_thumbs = thumbs
            self._update_references_message()

    def _update_references_message(self) -> None:
        limit, name = self._limit(self._chosen_model())
        count = sum(each.state != "refused" for each in self._references)
        if self._references and limit.maximum == 0:
            text = f"{name} takes no reference images. These are kept, but not sent."
        else:
            # Too few are said when somebody wants to go on without them.
            text = limit.message(count, name) if count > limit.minimum else ""
        self.references_message = text
        if self.error and self.error["field"] == "references":
            self.error = None  # it spoke of what has changed now

    # ------------------------------------------------------------ what is sent

    def _attachments(self, model: str) -> list[str]:
        """The ids to send to a model.

        Raises
        ------
        InvalidInputError
            If some are not there yet, or they are too many or too few.
        """
        limit, name = self._limit(model)
        if limit.maximum == 0:
            return []
        coming = sum(each.coming for each in self._references)
        refused = sum(each.state == "refused" for each in self._references)
        if coming:
            raise InvalidInputError(
                "references",
                f"{_counted(coming)} still uploading.",
                "Wait for the upload to finish, or remove the image.",
            )
        if refused:
            raise InvalidInputError(
                "references", f"{_counted(refused)} not uploaded.", "Try again or remove it."
            )
        ids = self.reference_ids
        problem = limit.message(len(ids), name)
        if problem:
            raise InvalidInputError("references", problem)
        return ids


def _counted(number: int) -> str:
    return "1 reference image is" if number == 1 else f"{number} reference images are"


def _too_large(size: int) -> str:
    return f"The file is {messages.file_size(size)}; the limit is {messages.file_size(MAX_FILE)}."


def _check(data: bytes) -> None:
    """Refuse what is no image; for a thread."""
    from ...imaging.decode import check  # noqa: PLC0415 - Pillow is loaded when needed

    check(data)


def _thumb(data: bytes) -> bytes:
    """A small copy; slow, for a thread."""
    from ...imaging.preview import preview  # noqa: PLC0415 - Pillow is loaded when needed

    return preview(data, THUMB, THUMB_BYTES).data
