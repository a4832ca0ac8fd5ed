"""Uploads and downloads (wonda-api.md, section 8)."""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
import os
import re
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar, overload

import msgspec

from ..errors import (
    GoneError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    UnsafeMediaError,
    WondaError,
)
from ..http.request_body import to_json_values
from ..jobs.core import Core, on_package_loop
from ..jobs.submission import Operation, SubmitResult
from ..models import Media, UploadResponse, parse
from ..utils import arguments, event_loop, new_files, paths, plain_values
from .blocking import Blocking, blocking
from .video_files import VideoFiles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from PIL import Image

    from ..imaging.video import VideoFacts

    Uploadable = str | os.PathLike[str] | bytes | IO[bytes] | Image.Image

T = TypeVar("T")

USABLE = "Pass a path, bytes, a binary file or a PIL.Image."
MAX_SHOWN_LENGTH = 300  # characters of a path in an error message
MAX_KNOWN_EDITS = 200

UPLOAD = Operation(
    "upload", "/media/upload", "upload", "Check your Wonda library before you upload it again."
)


class AsyncMedia:
    """Uploads and downloads of media."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._edits: dict[bytes, asyncio.Task[Media]] = {}
        self._video_files = VideoFiles(self._save)
        event_loop.reset_after_fork(self)

    def reset_in_child(self) -> None:
        """Discard unfinished uploads in a forked child."""
        event_loop.keep_inherited(self._edits)
        self._edits = {key: work for key, work in self._edits.items() if work.done()}
        event_loop.keep_inherited(self._video_files)
        self._video_files = VideoFiles(self._save)

    @on_package_loop
    async def upload(
        self,
        source: Uploadable,
        *,
        name: str | None = None,
        edit: Mapping[str, Any] | None = None,
    ) -> Media:
        """Upload one file and return its media.

        Parameters
        ----------
        source : path, bytes, binary file or PIL.Image
            A `PIL.Image` of any mode is sent as PNG, rotated as its EXIF data say. ``~`` in a path
            is your home directory.
        name : str, optional
            A file name; its extension determines the type if the bytes do not.
        edit : dict, optional
            How the file was made from another image: ``of``, a media ID, and ``operations`` (see
            `wonda_widgets.edit`). This is recorded in the journal and not sent. A client uploads
            the same edit of the same image only once, so that repeated posts of it are recognized.

        Raises
        ------
        InvalidInputError
            If the file cannot be read, or is an image in a format that the service does not accept
            (HEIC, AVIF, TIFF, …); nothing was sent. Videos may be MP4, MOV or WebM.
        OutcomeUnknownError
            If the request may have arrived but there is no usable response.
        APIError
            If the service refused the request.

        Examples
        --------
        >>> reference = wonda.media.upload("vase.png")
        >>> job = wonda.images.generate(
        ...     model="nano-banana-2",
        ...     prompt="The same vase at dawn",
        ...     attachment_media_ids=[reference.media_id],
        ... )
        """
        if edit is not None:
            arguments.require_type(edit, Mapping, "a dict for edit=")
        if edit is None or not edit.get("of"):
            return await self._upload(source, name, edit)
        key = msgspec.json.encode(to_json_values(edit), order="sorted")
        work = self._edits.get(key)
        if work is None:
            work = asyncio.get_running_loop().create_task(self._upload(source, name, edit))
            self._edits[key] = work
            work.add_done_callback(lambda done: self._forget_failed(key, done))
            while len(self._edits) > MAX_KNOWN_EDITS:
                del self._edits[next(iter(self._edits))]
        return await asyncio.shield(work)

    def _forget_failed(self, key: bytes, work: asyncio.Task[Media]) -> None:
        """Allow another attempt after a failed upload, unless one has begun already."""
        failed = work.cancelled() or work.exception() is not None
        if failed and self._edits.get(key) is work:
            del self._edits[key]

    async def _upload(
        self, source: Uploadable, name: str | None, edit: Mapping[str, Any] | None
    ) -> Media:
        name = plain_values.optional_text("name", "The file name", name)
        filename, data, mime = await event_loop.to_thread(read_source, source, name)
        request: dict[str, Any] = {"name": filename, "mimeType": mime, "bytes": len(data)}
        if edit is not None:
            request["edit"] = edit
        files = {"file": (filename, data, mime)}
        reply = (await self._core.submit(UPLOAD, request, _read_reply, files=files)).reply
        if mime.startswith("video/"):
            self._core.uploaded_videos.add(reply.media_id)
        return Media(media_id=reply.media_id, url=reply.url, mime_type=reply.mime_type)

    @overload
    async def download(self, media: Media) -> bytes: ...

    @overload
    async def download(
        self,
        media: Media,
        path: str | os.PathLike[str],
        *,
        on_progress: Callable[[int, int | None], object] = ...,
    ) -> Path: ...

    @on_package_loop
    async def download(
        self,
        media: Media,
        path: str | os.PathLike[str] | None = None,
        *,
        on_progress: Callable[[int, int | None], object] = lambda _received, _total: None,
    ) -> bytes | Path:
        """Download the original without sending the key.

        If its address is unknown or has expired, it is requested from the service.

        Parameters
        ----------
        media : Media
        path : path, optional
            A file to write, of up to 4 GB; its path is returned, with a number in the name if the
            name is already in use. An interrupted download is continued. Without a path, the bytes
            are returned, at most 100 MB.
        on_progress : callable, optional
            Called with the bytes received so far and the total, which may be None, about four
            times per second.

        Raises
        ------
        InvalidInputError
            If the file cannot be written, for example because the disk is full; no partial file is
            left behind.
        UnsafeMediaError
            If the media has no address or a private one, or is too large.
        APIError, ServiceUnreachableError
            Also raised if the download is cut short or, without a path, takes longer than five
            minutes.

        Examples
        --------
        >>> clip = wonda.videos.generate(model="seedance-2", prompt="A quiet harbor").wait().media
        >>> path = wonda.media.download(clip, "harbor.mp4")
        """
        arguments.require_type(media, Media, "a Media object")
        if path is None:
            return await self._with_fresh_address(media, self._core.transport.download)
        target = paths.expand_user(path, "path")
        if await event_loop.to_thread(target.is_dir):
            raise InvalidInputError("path", f"{str(target)!r} is a folder.", "Add a file name.")
        return await self._save(media, target, on_progress)

    async def _save(
        self, media: Media, target: Path, on_progress: Callable[[int, int | None], object]
    ) -> Path:
        stack = contextlib.ExitStack()

        def open_part() -> tuple[Path, IO[bytes]]:
            part = stack.enter_context(new_files.temporary_path(target))
            return part, stack.enter_context(part.open("wb"))

        opening = asyncio.ensure_future(event_loop.to_thread(open_part))
        try:
            part, file = await event_loop.shield(opening)
            await self._with_fresh_address(
                media, lambda url: self._core.transport.save(url, file, on_progress)
            )
            await event_loop.to_thread(file.close)
            return await event_loop.to_thread(new_files.move_to_free_name, part, target)
        except InvalidInputError:  # is a ValueError
            raise
        except (OSError, ValueError) as error:  # ValueError: there is no file name
            raise InvalidInputError(
                "path",
                f"{str(target)!r} cannot be written: {getattr(error, 'strerror', error)}.",
                "Choose another file in an existing folder, or free some space.",
            ) from None
        finally:
            await asyncio.wait([opening])  # after a cancellation, the file may still be opened
            await event_loop.to_thread(stack.close)

    async def _with_fresh_address(self, media: Media, download: Callable[[str], Awaitable[T]]) -> T:
        """Download from the media's address; if it is unknown or has expired, from a new one."""
        address = media.url or await self._current_address(media.media_id)
        if not address:
            raise UnsafeMediaError("This media has no download address.")
        try:
            return await download(address)
        except (NotFoundError, GoneError, PermissionDeniedError) as expired:
            fresh = await self._current_address(media.media_id)
            if fresh in {None, address}:
                raise
            expired.__traceback__ = None
        return await download(str(fresh))

    async def _current_address(self, media_id: str | None) -> str | None:
        """Return where the media is stored now; None if the service does not say."""
        with contextlib.suppress(WondaError):
            if media_id is not None:
                return (await find(self._core, media_id)).url or None
        return None

    def address_for_page(self, media: Media) -> str:
        """Return the address from which a page may play a video; empty if there is none."""
        address = media.url or ""
        return address if self._core.transport.page_may_open(address) else ""

    def borrow_file(
        self,
        media: Media,
        on_progress: Callable[[int, int | None], object] = lambda _received, _total: None,
    ) -> AbstractAsyncContextManager[Path]:
        """Provide a copy of a video on disk, until the block ends. On the package's loop only.

        Several readers share one download; see `download` for its errors and for `on_progress`.
        """
        return self._video_files.borrow(media, on_progress)

    async def video_facts(self, media: Media) -> VideoFacts:
        """Read the facts of a video from its copy on disk. On the package's loop only.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            Also raised if PyAV is not installed.
        """
        from ..imaging import video_process  # noqa: PLC0415 - needed only for videos

        async with self.borrow_file(media) as path:
            return await video_process.facts(path)

    async def delete_copies(self) -> None:
        """Delete the copies of `borrow_file`. On the package's loop only."""
        await self._video_files.aclose()

    @on_package_loop
    async def open(self, media: Media) -> Image.Image:
        """Download an image and decode it at full size, with eight bits per channel.

        Raises
        ------
        UnsafeMediaError
            If the media is not an image, has too many pixels or is cut short.

        Examples
        --------
        >>> photo = wonda.media.open(job.wait().media)
        >>> photo.size
        (912, 1140)
        """
        from ..imaging import decode, decode_threads  # noqa: PLC0415 - Pillow is loaded when an image is there

        arguments.require_type(media, Media, "a Media object")
        if media.is_video:
            raise UnsafeMediaError(
                "This is a video, not an image.",
                "wonda.media.download(media, path) writes it to a file.",
            )
        data = await self.download(media)
        return await decode_threads.run(decode.full_size, data)


class MediaLibrary(Blocking[AsyncMedia]):
    """Blocking interface for uploading and downloading media."""

    upload = blocking(AsyncMedia.upload, check=UPLOAD.check)
    download = blocking(AsyncMedia.download)
    open = blocking(AsyncMedia.open)


async def find(core: Core, media_id: str) -> Media:
    """Read media in the library by its ID (wonda-api.md, section 8.2).

    The shape of this response is undocumented.

    Raises
    ------
    UnexpectedReplyError, APIError, ServiceUnreachableError
    """
    segment = arguments.path_segment("media_id", "media", media_id)
    raw = await core.transport.get(f"/media/{segment}")
    media = raw.get("media") if isinstance(raw, dict) else None
    return parse(media or raw, Media)


def _read_reply(raw: Any) -> SubmitResult:
    reply = parse(raw, UploadResponse)
    return SubmitResult(reply.media_id, reply=reply)


class Source(NamedTuple):
    """A file to upload."""

    name: str
    data: bytes
    mime_type: str


def read_source(source: Any, name: str | None) -> Source:
    """Read a file to upload.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, is empty, or is an image in a format that the service does not
        accept.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif hasattr(source, "read"):
        data = source.read()
        name = name or Path(str(getattr(source, "name", ""))).name
    elif hasattr(source, "save"):  # a PIL.Image; recognized without importing Pillow
        data = _encode_pillow(source)
    else:
        path = _path(source)
        try:
            # A device may be endless, and a pipe may wait for ever.
            is_special = path.exists() and not (path.is_file() or path.is_dir())
            data = b"" if is_special else path.read_bytes()
        except (OSError, ValueError) as error:
            raise _unreadable(path, getattr(error, "strerror", None) or error) from None
        if is_special:
            raise _unreadable(path, "it is a device or a pipe, not a file")
        name = name or path.name
    if not isinstance(data, bytes) or not data:
        raise InvalidInputError(
            "source", "There is nothing to upload.", "Pass a binary file that is not empty."
        )
    _check_format(data)
    mime = _detect_type(data) or mimetypes.guess_type(name or "")[0] or "application/octet-stream"
    extension = mimetypes.guess_extension(mime) or ""
    return Source(name or f"upload{extension}", data, mime)


def _path(source: Any) -> Path:
    if not isinstance(source, str | os.PathLike):  # its repr may be a whole array
        raise InvalidInputError("source", f"A {type(source).__name__} cannot be uploaded.", USABLE)
    return paths.expand_user(source, "source")


def _unreadable(path: Path, reason: object) -> InvalidInputError:
    text = repr(str(path))
    shown = text if len(text) <= MAX_SHOWN_LENGTH else f"{text[:MAX_SHOWN_LENGTH]}…"
    return InvalidInputError("source", f"{shown} cannot be read: {reason}.", USABLE)


def _encode_pillow(source: Any) -> bytes:
    from PIL import Image  # noqa: PLC0415 - Pillow is loaded when an image is there

    from ..imaging import pillow_source  # noqa: PLC0415 - see above

    if isinstance(source, Image.Image):
        return pillow_source.png(source)
    buffer = BytesIO()
    source.save(buffer, "PNG")
    return buffer.getvalue()


def _check_format(data: bytes) -> None:
    from ..imaging import foreign_formats  # noqa: PLC0415 - needed only now

    kind = foreign_formats.detect(data)
    if kind:
        raise InvalidInputError(
            "source",
            f"This is a {kind} image. The service accepts {foreign_formats.TAKEN}.",
            foreign_formats.conversion_hint(kind),
        )


def _detect_type(data: bytes) -> str | None:
    """Detect a type that the service accepts by the first bytes."""
    for pattern, mime in (
        (rb"\x89PNG\r\n\x1a\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"....ftypqt  ", "video/quicktime"),
        (rb"....ftyp(?!heic|heix|mif1|msf1|avif|avis)", "video/mp4"),
        (rb"\x1a\x45\xdf\xa3.{0,64}webm", "video/webm"),
    ):
        if re.match(pattern, data, re.DOTALL):
            return mime
    from ..imaging import svg  # noqa: PLC0415 - needed only now

    return "image/svg+xml" if svg.is_svg(data) else None
