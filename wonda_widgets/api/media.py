"""Uploads, downloads and originals (wonda-api.md, section 8)."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import re
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..errors import InvalidInputError, UnsafeMediaError
from ..http.request_body import to_json_values
from ..jobs.core import Core, on_package_loop
from ..jobs.submission import Operation, SubmitResult
from ..models import Media, UploadReply, parse
from ..utils import event_loop, paths
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import Image

    Uploadable = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image

TAKEN = "Pass a path, bytes, a binary file or a PIL.Image."
LONGEST_SHOWN = 300  # characters of a path in an error
EDITS = 200  # edited images that are known to be uploaded

UPLOAD = Operation(
    "upload", "/media/upload", "upload", "Look into your Wonda library before you upload it again."
)


class AsyncMedia:
    """Bring media to the service and get it back."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._edits: dict[bytes, asyncio.Task[Media]] = {}
        event_loop.reset_after_fork(self)

    def renew(self) -> None:
        """Keep, in a forked child, what was uploaded before."""
        event_loop.drop_tasks(self._edits)
        self._edits = {alike: work for alike, work in self._edits.items() if work.done()}

    @on_package_loop
    async def upload(
        self,
        source: Uploadable,
        *,
        name: str | None = None,
        edit: Mapping[str, Any] | None = None,
    ) -> Media:
        """Upload one file and get its media.

        Parameters
        ----------
        source : path, bytes, binary file or PIL.Image
            A `PIL.Image` of any mode is sent as PNG, upright as its EXIF says. ``~`` in a path
            is your home.
        name : str, optional
            A file name, from which the type is guessed if the bytes do not tell.
        edit : dict, optional
            How it was made of another image: ``of``, a media id, and ``operations``
            (see `wonda_widgets.client.edit`). It is kept in the journal and not sent. The same
            edit of the same image is sent once by a client, and is the same media: two
            would not be known as one post.

        Raises
        ------
        InvalidInputError
            If it cannot be read, or is an image of a kind that the service does not take
            (HEIC, AVIF, TIFF, …); nothing was sent.
        OutcomeUnknownError
            If it may have arrived but the reply was lost.
        APIError
            If the service refused it.
        """
        if edit is None or not edit.get("of"):
            return await self._upload(source, name, edit)
        alike = msgspec.json.encode(to_json_values(edit), order="sorted")
        work = self._edits.get(alike)
        if work is None:
            work = asyncio.get_running_loop().create_task(self._upload(source, name, edit))
            self._edits[alike] = work
            work.add_done_callback(lambda done: self._forget_failed(alike, done))
            while len(self._edits) > EDITS:
                del self._edits[next(iter(self._edits))]
        return await asyncio.shield(work)

    def _forget_failed(self, alike: bytes, work: asyncio.Task[Media]) -> None:
        """Let what failed, however it did, be sent anew; unless that was begun already."""
        failed = work.cancelled() or work.exception() is not None
        if failed and self._edits.get(alike) is work:
            del self._edits[alike]

    async def _upload(
        self, source: Uploadable, name: str | None, edit: Mapping[str, Any] | None
    ) -> Media:
        filename, data, mime = await event_loop.to_thread(read_source, source, name)
        about: dict[str, Any] = {"name": filename, "mimeType": mime, "bytes": len(data)}
        if edit is not None:
            about["edit"] = edit
        files = {"file": (filename, data, mime)}
        reply = (await self._core.submit(UPLOAD, about, _named, files=files)).reply
        return Media(media_id=reply.media_id, url=reply.url, mime_type=reply.mime_type)

    @on_package_loop
    async def download(self, media: Media) -> bytes:
        """The original's bytes, at most 100 MB, fetched without the key.

        Raises
        ------
        UnsafeMediaError
            If it has no address, is too large or lies in a private network.
        APIError, ServiceUnreachableError
            Also if it was cut short, or is not there within five minutes.
        """
        if not media.url:
            raise UnsafeMediaError("This media has no address to fetch it from.")
        return await self._core.transport.download(media.url)

    @on_package_loop
    async def open(self, media: Media) -> Image.Image:
        """The image at full size, eight bits a channel.

        Raises
        ------
        UnsafeMediaError
            If it is not an image, has too many pixels or is cut short.
        """
        from ..imaging import decode, decode_threads  # noqa: PLC0415 - Pillow is loaded when an image is there

        data = await self.download(media)
        return await decode_threads.run(decode.full_size, data)


class MediaLibrary(Blocking[AsyncMedia]):
    """Bring media to the service and get it back (blocking)."""

    upload = blocking(AsyncMedia.upload, check=UPLOAD.check)
    download = blocking(AsyncMedia.download)
    open = blocking(AsyncMedia.open)


def _named(raw: Any) -> SubmitResult:
    reply = parse(raw, UploadReply)
    return SubmitResult(reply.media_id, reply=reply)


class Source(NamedTuple):
    """Something to upload: its name, bytes and type."""

    name: str
    data: bytes
    mime_type: str


def read_source(source: Any, name: str | None) -> Source:
    """Read something to upload.

    Raises
    ------
    InvalidInputError
        If it cannot be read, is empty, or is an image of a kind that the service does not take.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif hasattr(source, "read"):
        data = source.read()
        name = name or Path(str(getattr(source, "name", ""))).name
    elif hasattr(source, "save"):  # a PIL.Image, without importing Pillow to ask
        data = _of_pillow(source)
    else:
        path = _path(source)
        try:
            is_device = path.is_char_device()  # such as /dev/zero, which has no end
            data = b"" if is_device else path.read_bytes()
        except (OSError, ValueError) as error:
            raise _unreadable(path, getattr(error, "strerror", None) or error) from None
        if is_device:
            raise _unreadable(path, "it is a device, not a file")
        name = name or path.name
    if not isinstance(data, bytes) or not data:
        raise InvalidInputError(
            "source", "There is nothing to upload.", "Pass a file that is binary and not empty."
        )
    _check_format(data)
    mime = _sniffed(data) or mimetypes.guess_type(name or "")[0] or "application/octet-stream"
    extension = mimetypes.guess_extension(mime) or ""
    return Source(name or f"upload{extension}", data, mime)


def _path(source: Any) -> Path:
    if not isinstance(source, str | os.PathLike):  # whose text may be a whole array
        raise InvalidInputError("source", f"A {type(source).__name__} cannot be uploaded.", TAKEN)
    return paths.expand_user(source, "source")


def _unreadable(path: Path, reason: object) -> InvalidInputError:
    text = repr(str(path))
    shown = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return InvalidInputError("source", f"{shown} cannot be read: {reason}.", TAKEN)


def _of_pillow(source: Any) -> bytes:
    from PIL import Image  # noqa: PLC0415 - Pillow is loaded when an image is there

    from ..imaging import pillow_source  # noqa: PLC0415 - see above

    if isinstance(source, Image.Image):
        return pillow_source.png(source)
    buffer = BytesIO()
    source.save(buffer, "PNG")
    return buffer.getvalue()


def _check_format(data: bytes) -> None:
    from ..imaging import foreign_formats  # noqa: PLC0415 - needed only now

    kind = foreign_formats.name(data)
    if kind:
        raise InvalidInputError(
            "source",
            f"This is a {kind} image. The service takes {foreign_formats.TAKEN}.",
            foreign_formats.way_out(kind),
        )


def _sniffed(data: bytes) -> str | None:
    """The type that the first bytes tell, of those that the service takes."""
    for pattern, mime in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF....WEBP", "image/webp"),
    ):
        if re.match(pattern, data, re.DOTALL):
            return mime
    from ..imaging import svg  # noqa: PLC0415 - needed only now

    return "image/svg+xml" if svg.is_svg(data) else None
