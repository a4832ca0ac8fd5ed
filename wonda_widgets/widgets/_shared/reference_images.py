"""`ReferencesPanel`: the reference images of a form, read from the browser and uploaded.

The page announces its files, and the kernel requests them chunk by chunk. Only one chunk of a file
is therefore in transit at a time, however large the file and however slow the page.

    browser ──files──> waiting ──want / chunk──> reading ──> uploading ──> done
                                                       └──────────> refused

The progress of reading is known and shown; the progress of the upload is unknown.
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
from ...models import Media, require_image
from ...utils import event_loop
from . import error_alerts, formatting
from .panel import Panel
from .permissions import Permission, requires

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...api.media import Uploadable
    from ...models.reference_limits import ReferenceLimit

CHUNK_BYTES = 1_000_000  # a front end's websocket accepts messages of up to 10 MB
MAX_FILE_BYTES = 30_000_000
MAX_REFERENCES = 30  # the maximum of all models
MAX_CONCURRENT_UPLOADS = 2
THUMB_PIXELS = 192  # longest side
THUMB_MAX_BYTES = 20_000

_ids = count()


class Reference(msgspec.Struct, eq=False):
    """A reference image and its progress."""

    name: str
    size: int
    key: str = msgspec.field(default_factory=lambda: f"python-{next(_ids)}")
    state: str = "waiting"
    received: int = 0
    message: str = ""
    media_id: str = ""
    thumb: bytes = b""
    data: bytes = b""
    chunk: asyncio.Future[bytes] | None = None
    task: asyncio.Task[None] | None = None

    @property
    def is_pending(self) -> bool:
        """Whether the image is not uploaded yet."""
        return self.state in {"waiting", "reading", "uploading"}

    def refuse(self, reason: str) -> None:
        """Mark this reference image as refused and store the reason."""
        self.state, self.message = "refused", reason

    def to_message(self) -> dict[str, Any]:
        """Return the data that the browser shows."""
        return {
            "key": self.key,
            "name": self.name,
            "size": self.size,
            "state": self.state,
            "received": self.received,
            "message": self.message,
            "retry": self.state == "refused" and bool(self.data),
        }


class ReferencesPanel(Panel):
    """Base of the panels that accept reference images."""

    references: Any = traitlets.List().tag(sync=True)
    """The reference images in order: ``name``, ``state`` (``"waiting"``, ``"reading"``,
    ``"uploading"``, ``"done"`` or ``"refused"``), ``message``, ``size`` and ``received`` in
    bytes."""
    reference_thumbs: Any = traitlets.Dict().tag(sync=True)
    """A thumbnail of each reference, by its key."""
    references_message = traitlets.Unicode("").tag(sync=True)
    """The selected model's requirement that the references do not meet; empty if none."""

    def __init__(self, *args: Any, **traits: Any) -> None:
        self._references: list[Reference] = []
        self._upload_slots = asyncio.Semaphore(MAX_CONCURRENT_UPLOADS)
        super().__init__(*args, **traits)

    def _limit(self, model: str) -> tuple[ReferenceLimit, str]:
        """Return how many references a model accepts, and the model's name."""
        raise NotImplementedError

    def _chosen_model(self) -> str:
        raise NotImplementedError

    # ------------------------------------------------------------ from Python

    def add_reference(
        self, source: Media | Uploadable, *, name: str = "", thumb: bytes = b"", first: bool = False
    ) -> None:
        """Append a reference image and upload it in the background.

        Parameters
        ----------
        source : Media, path, bytes, binary file or PIL.Image
            A `Media` is used by its media ID, without an upload, and can be added only once.
        name : str, optional
            The name shown in the form.
        thumb : bytes, optional
            A thumbnail of a `Media`; by default, it is downloaded.
        first : bool
            Whether to insert a `Media` at the front, for example as the first frame of a video.

        Raises
        ------
        InvalidInputError
            If the source cannot be read, is larger than 30 MB, or is a video or a `Media` without
            an ID.
        """
        if isinstance(source, Media):
            media = source
            require_image(media, "a reference image")
            if not media.media_id:
                raise InvalidInputError(
                    "references", "This media has no media ID.", "Pass its bytes or its path."
                )
            known = Reference(
                name or "Image", 0, state="done", media_id=media.media_id, thumb=thumb
            )
            event_loop.call_soon(lambda: self._catch_errors(self._add_media, known, media, first))
            return
        source_file = read_source(source, name or None)
        if len(source_file.data) > MAX_FILE_BYTES:
            raise InvalidInputError("references", _too_large(len(source_file.data)))
        added = Reference(source_file.name, len(source_file.data), data=source_file.data)
        event_loop.call_soon(lambda: self._catch_errors(self._add, [added]))

    @property
    def reference_ids(self) -> list[str]:
        """The media IDs of the uploaded reference images, in order."""
        return [each.media_id for each in self._references if each.state == "done"]

    def _add_media(self, reference: Reference, media: Media, first: bool) -> None:  # noqa: FBT001
        known = [each for each in self._references if each.media_id == reference.media_id]
        if not known:
            self._add([reference])
        if first:
            moved = known[0] if known else reference
            self._references.remove(moved)
            self._references.insert(0, moved)
            self._show_references()
        if known:
            return
        if not reference.thumb:
            reference.task = self._start(self._fetch_thumbnail, reference, media)

    async def _fetch_thumbnail(self, reference: Reference, media: Media) -> None:
        try:
            data = await self._client.media.download(media)
            reference.thumb = await decode_threads.run(_thumbnail, data)
        except WondaError:  # it can be used without a thumbnail
            return
        self._show_references()

    # ------------------------------------------------------------ from the browser

    @requires(Permission.GENERATE)
    def _on_add_files(self, content: Mapping[str, Any]) -> None:
        files = content.get("files")
        known = {each.key for each in self._references}
        added = []
        for file in files if isinstance(files, list) else ():
            key, name, size = (file.get(part) for part in ("key", "name", "size"))
            if isinstance(key, str) and key not in known and isinstance(size, int):
                reference = Reference(str(name or "file"), size, key)
                if size > MAX_FILE_BYTES:
                    reference.refuse(_too_large(size))
                elif size <= 0:
                    reference.refuse("The file is empty.")
                added.append(reference)
        self._add(added)

    @requires(Permission.GENERATE)
    def _on_chunk(self, content: Mapping[str, Any]) -> None:
        reference = self._find(content)
        chunks = content.get("buffers") or [b""]
        if reference is None or reference.chunk is None or reference.chunk.done():
            return
        if content.get("at") == reference.received:  # else another view has sent this chunk
            reference.chunk.set_result(bytes(chunks[0]))

    @requires(Permission.GENERATE)
    def _on_no_file(self, content: Mapping[str, Any]) -> None:
        """Handle a file that the page cannot read, because either was reloaded or moved."""
        reference = self._find(content)
        if reference is not None and reference.is_pending and not reference.data:
            self._stop(reference)
            reference.refuse("The page can no longer read this file. Add it again.")
            self._show_references()

    @requires(Permission.GENERATE)
    def _on_move_reference(self, content: Mapping[str, Any]) -> None:
        reference, to = self._find(content), content.get("to")
        if reference is not None and isinstance(to, int):
            self._references.remove(reference)
            self._references.insert(max(0, to), reference)
            self._show_references()

    @requires(Permission.GENERATE)
    def _on_remove_reference(self, content: Mapping[str, Any]) -> None:
        reference = self._find(content)
        if reference is not None:
            self._stop(reference)
            self._references.remove(reference)
            self._show_references()

    @requires(Permission.GENERATE)
    def _on_retry_reference(self, content: Mapping[str, Any]) -> None:
        reference = self._find(content)
        if reference is not None and reference.state == "refused" and reference.data:
            reference.state, reference.message = "waiting", ""
            self._start_processing(reference)
            self._show_references()

    def _find(self, content: Mapping[str, Any]) -> Reference | None:
        return next((each for each in self._references if each.key == content.get("key")), None)

    # ------------------------------------------------------------ reading and uploading

    def _add(self, added: list[Reference]) -> None:
        room = max(0, MAX_REFERENCES - len(self._references))
        for reference in added[:room]:
            self._references.append(reference)
            if reference.state == "waiting":
                self._start_processing(reference)
        self._show_references()
        if len(added) > room:
            raise InvalidInputError(
                "references",
                f"You can add up to {MAX_REFERENCES} reference images.",
                f"{_count_text(len(added) - room, 'image was', 'images were')} not added.",
            )

    def _start_processing(self, reference: Reference) -> None:
        reference.task = self._start(self._process, reference)

    @staticmethod
    def _stop(reference: Reference) -> None:
        if reference.task is not None:
            reference.task.cancel()

    async def _process(self, reference: Reference) -> None:
        async with self._upload_slots:
            try:
                if not reference.data:
                    reference.data = await self._read(reference)
                await self._upload(reference)
            except UnsafeMediaError as error:
                reference.data = b""  # trying again would not help
                reference.refuse(error.message)
            except OutcomeUnknownError:
                reference.refuse("The upload was sent, but no response was received.")
            except WondaError as error:
                problem = error_alerts.error_alert(error)
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
            reference.chunk = asyncio.get_running_loop().create_future()
            wanted = min(CHUNK_BYTES, reference.size - len(data))
            self.send({"type": "want", "key": reference.key, "at": len(data), "bytes": wanted})
            chunk = await reference.chunk
            if len(chunk) != wanted:
                raise UnsafeMediaError("The file changed while it was being read.")
            data += chunk
        return bytes(data)

    async def _upload(self, reference: Reference) -> None:
        reference.received, reference.state = reference.size, "uploading"
        self._show_references()
        # Not on the decoder threads: these may be busy with other images for a long time.
        await event_loop.to_thread(_check_image, reference.data)
        if not reference.thumb:
            self._start(self._make_thumbnail, reference, reference.data)
        media = await self._client.media.upload(reference.data, name=reference.name)
        reference.media_id, reference.state = media.media_id or "", "done"
        reference.data = b""

    async def _make_thumbnail(self, reference: Reference, data: bytes) -> None:
        """Make the thumbnail during the upload."""
        try:
            reference.thumb = await decode_threads.run(_thumbnail, data)
        except decode_threads.DecodeTimeoutError:  # it can be used without a thumbnail
            return
        except UnsafeMediaError as error:
            self._stop(reference)
            reference.data = b""  # trying again would not help
            reference.refuse(error.message)
        self._show_references()

    def _show_references(self) -> None:
        if self._closed:
            return
        thumbs = {each.key: each.thumb for each in self._references if each.thumb}
        with self.hold_sync():
            self.references = [each.to_message() for each in self._references]
            if thumbs.keys() != self.reference_thumbs.keys():  # send each thumbnail once
                self.reference_thumbs = thumbs
            self._update_references_message()

    def _update_references_message(self) -> None:
        limit, name = self._limit(self._chosen_model())
        count = sum(each.state != "refused" for each in self._references)
        if self._references and limit.maximum == 0:
            text = f"{name} accepts no reference images. These are kept but not sent."
        else:
            # Too few references are reported on submit.
            text = limit.message(count, name) if count > limit.minimum else ""
        self.references_message = text
        if self.error and self.error["field"] == "references":
            self.error = None  # the references have changed since

    # ------------------------------------------------------------ submitting

    def _attachments(self, model: str) -> list[str]:
        """Return the media IDs to send to a model.

        Raises
        ------
        InvalidInputError
            If some images are not uploaded, or if there are too many or too few.
        """
        limit, name = self._limit(model)
        if limit.maximum == 0:
            return []
        ids = self._uploaded_ids()
        problem = limit.message(len(ids), name)
        if problem:
            raise InvalidInputError("references", problem)
        return ids

    def _uploaded_ids(self) -> list[str]:
        """Return the media IDs of all images.

        Raises
        ------
        InvalidInputError
            If some are not uploaded.
        """
        pending = sum(each.is_pending for each in self._references)
        refused = sum(each.state == "refused" for each in self._references)
        if pending:
            raise InvalidInputError(
                "references",
                f"{_count_text(pending)} still uploading.",
                "Wait for the upload to finish, or remove the image.",
            )
        if refused:
            raise InvalidInputError(
                "references",
                f"{_count_text(refused)} not uploaded.",
                "Retry the upload, or remove the failed images.",
            )
        return self.reference_ids


def _count_text(
    number: int, one: str = "reference image is", several: str = "reference images are"
) -> str:
    return f"{number} {one if number == 1 else several}"


def _too_large(size: int) -> str:
    limit = formatting.file_size(MAX_FILE_BYTES)
    return f"The file is {formatting.file_size(size)}; the limit is {limit}."


def _check_image(data: bytes) -> None:
    """Check that the data is an image. Slow: run it in a thread."""
    from ...imaging.decode import check  # noqa: PLC0415 - Pillow is loaded when needed

    check(data)


def _thumbnail(data: bytes) -> bytes:
    """Make a thumbnail. Slow: run it in a thread."""
    from ...imaging.preview import create_preview  # noqa: PLC0415 - Pillow is loaded when needed

    return create_preview(data, THUMB_PIXELS, THUMB_MAX_BYTES).data
