"""`ImagePreview`: show a preview of an image, and save or download the original."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from ..client import selection
from ..imaging import decode_threads
from ..utils import event_loop
from ._shared import formatting
from ._shared.frontend import view
from ._shared.panel import Panel
from ._shared.permissions import Permission, open_to_all, requires

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from PIL import Image

    from ..client.wonda_client import AsyncWonda, Wonda
    from ..imaging.preview import Preview
    from ..jobs.job import Job
    from ..journal.generated_image import GeneratedImage
    from ..models import Media

LARGE_PIXELS = 2048  # pixels; the longest side of the image that a click opens
LARGE_MAX_BYTES = 2_000_000
THUMB_PIXELS = 160  # pixels
THUMB_MAX_BYTES = 20_000


class ShownImage:
    """An image that `ImagePreview` has loaded.

    Parameters
    ----------
    media : Media
    request : dict
        How it was generated: ``prompt``, ``model`` and ``params``.
    job_id : str
    preview : Preview
    thumb, card : bytes
        Small copies for a filmstrip and for a publish form; may be empty.
    """

    def __init__(  # noqa: PLR0917 - what `_make_copies` gives, in its order
        self,
        media: Media,
        request: Mapping[str, Any],
        job_id: str,
        preview: Preview,
        thumb: bytes = b"",
        card: bytes = b"",
    ) -> None:
        self.media = media
        self.preview = preview
        self.thumb, self.card = thumb, card
        self.request = dict(request)
        self.job_id = job_id

    @property
    def prompt(self) -> str:
        """The prompt; empty if unknown."""
        return str(self.request.get("prompt") or "")


class ImagePreview(Panel):
    """A preview of an image at the service.

    The preview has at most 1024 pixels on its longer side and 400 KB. `Open` shows it larger.
    `Save to folder` writes the original next to the notebook, with unchanged pixels; the prompt,
    model, parameters and job ID are added to its metadata if the format supports this.

    Parameters
    ----------
    media : Media, Image or Job, optional
        The image to show (for a job, its result); by default, none; call `show` later.
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the image or job.
    alt : str
        The alt text.

    Examples
    --------
    >>> ww.ImagePreview(job, alt="A sunset over the ocean")
    """

    _panel = view("image_preview")
    _reactive_traits = ("media_id",)

    data = traitlets.Bytes(b"").tag(sync=True)
    mime_type = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    facts = traitlets.Unicode("").tag(sync=True)
    media_id = traitlets.Unicode("").tag(sync=True)
    state = traitlets.Unicode("empty").tag(sync=True)
    """``"empty"``, ``"loading"``, ``"ready"`` or ``"broken"``."""
    waiting = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether the previous image is shown until the next one is loaded."""
    aspect_ratio = traitlets.Unicode("").tag(sync=True)
    """The aspect ratio of the empty frame, e.g. ``"4:5"``."""
    saved = traitlets.Unicode("").tag(sync=True)
    editable = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether there is an edit button; see `on_edit`."""

    def __init__(
        self,
        media: Media | GeneratedImage | Job | None = None,
        *,
        wonda: Wonda | AsyncWonda | None = None,
        alt: str = "",
        **traits: Any,
    ) -> None:
        self._own_alt = alt
        self._shown: ShownImage | None = None
        self._original: bytes | None = None
        self._requested: object = None
        found = selection.media_of(media)
        super().__init__(wonda, given=[media], alt=alt, **traits)
        if found is not None:
            request = getattr(media, "request", {})
            job_id = getattr(media, "job_id", "") or getattr(media, "id", "") or ""
            self.show(found, {**request, **({"prompt": alt} if alt else {})}, job_id=job_id)

    @property
    def media(self) -> Media | None:
        """The displayed media; None before the first."""
        return self._shown.media if self._shown else None

    @property
    def shown(self) -> ShownImage | None:
        """The displayed image, with its request; None before the first."""
        return self._shown

    def show(
        self,
        media: Media,
        request: Mapping[str, Any] | None = None,
        *,
        job_id: str = "",
        note: str = "",
        on_ready: Callable[[ShownImage], object] | None = None,
        in_background: bool = False,
    ) -> None:
        """Download an image and show it when it is loaded; return immediately.

        Parameters
        ----------
        media : Media
        request : dict, optional
            How it was generated: ``prompt``, ``model`` and ``params``.
        job_id : str
        note : str
            Added to the line of facts, for example ``"31 s"``.
        on_ready : callable, optional
            Called on the package's loop when the image is loaded.
        in_background : bool
            Only load the image for `on_ready`, and keep displaying the current image.
        """
        event_loop.call_soon(
            lambda: self._start(
                self._fetch, media, request or {}, job_id, note, on_ready, in_background
            )
        )

    def show_again(self, shown: ShownImage, note: str = "") -> None:
        """Show a previously loaded image without downloading it again; return immediately."""
        event_loop.call_soon(lambda: self._present(shown, None, note))

    def save(self, path: str | Path | None = None) -> Path:
        """Write the original to `path` (a file or a folder) and return the path of the file.

        An existing file is not overwritten; a number is added to the name of the new file.

        Raises
        ------
        ValueError
            If no image is shown.
        OSError
            If the file cannot be written.
        UnsafeMediaError, APIError, ServiceUnreachableError
            If the original cannot be downloaded again.
        """
        if self._shown is None:
            raise ValueError("There is no image to save yet.")
        return event_loop.run_blocking(self._save(self._shown, path))

    def on_edit(self, listener: Callable[[ShownImage], object]) -> None:
        """Show an edit button that calls `listener` on the package's loop with the image."""
        self._edit_listener = listener
        self.editable = True

    _edit_listener: Callable[[ShownImage], object] | None = None

    @requires(Permission.EDIT)
    def _on_edit(self, _content: object) -> None:
        if self._shown is not None and self._edit_listener is not None:
            self._edit_listener(self._shown)

    def image(self) -> Image.Image:
        """Return the original as a `PIL.Image`."""
        if self._shown is None:
            raise ValueError("No image yet.")
        from ..imaging import decode  # noqa: PLC0415 - Pillow is loaded when an image is there

        return decode.full_size(event_loop.run_blocking(self.original(self._shown)))

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        request = self._shown.request if self._shown else {}
        return [
            ("Prompt", str(request.get("prompt") or "")),
            ("Model", str(request.get("model") or "")),
            ("Image", self.facts),
        ]

    def _snapshot_image(self) -> tuple[bytes, str]:
        return self.data, self.alt

    # ------------------------------------------------------------ showing

    async def _fetch(  # noqa: PLR0917 - handed through by `show`
        self,
        media: Media,
        request: Mapping[str, Any],
        job_id: str,
        note: str,
        on_ready: Callable[[ShownImage], object] | None,
        in_background: bool,  # noqa: FBT001
    ) -> None:
        if not in_background:
            self._requested = media
            with self.hold_sync():
                self.error = None
                self.saved = ""
                self.waiting = self._shown is not None
                self.state = "loading"
        try:
            data = await self._client.media.download(media)
            copies = await decode_threads.run(
                _make_copies, data, on_ready is not None, _is_svg(media)
            )
        except Exception:
            if self._requested is media:
                self.waiting = False
                self.state = "ready" if self._shown else "broken"
            raise
        shown = ShownImage(media, request, job_id, *copies)
        if self._requested is media:  # else another image was requested in the meantime
            self._present(shown, data, note)
        if on_ready is not None:  # now, so that the displayed image is the one to publish
            on_ready(shown)

    def _present(self, shown: ShownImage, original: bytes | None, note: str) -> None:
        if self._closed:
            return
        self._shown, self._original, self._requested = shown, original, shown.media
        small = shown.preview
        facts = formatting.image_facts(small.width, small.height, small.format, small.size)
        with self.hold_sync():
            self.data = small.data
            self.mime_type = small.mime_type
            self.alt = shown.prompt or self._own_alt or "Image"
            self.facts = f"{facts} · {note}" if note else facts
            self.media_id = shown.media.media_id or ""
            self.state = "ready"
            self.waiting = False
            self.saved = ""
            self.error = None
        self._show_in_fallbacks()

    @property
    def is_loading(self) -> bool:
        """See `Panel.is_loading`."""
        return self.state == "loading"

    def _update_fallbacks(self) -> None:
        super()._update_fallbacks()
        self._show_in_fallbacks()

    def _show_in_fallbacks(self) -> None:
        if self._shown is not None:
            for twin in self._fallbacks:
                twin.show(self._shown.preview, self.alt)

    # ------------------------------------------------------------ larger, saved, downloaded

    async def original(self, shown: ShownImage) -> bytes:
        """Return the bytes of an original; for an earlier image, download them again."""
        if shown is self._shown and self._original is not None:
            return self._original
        data = await self._client.media.download(shown.media)
        if shown is self._shown:
            self._original = data
        return data

    @open_to_all
    def _on_large(self, _content: object) -> None:
        if self._shown is not None:
            self._start(self._send_large, self._shown)

    async def _send_large(self, shown: ShownImage) -> None:
        large = await decode_threads.run(
            _enlarged, await self.original(shown), _is_svg(shown.media)
        )
        content = {"type": "large", "mime": large.mime_type, "of": shown.media.media_id or ""}
        self.send(content, [large.data])

    @requires(Permission.SAVE)
    def _on_save(self, _content: object) -> None:
        if self._shown is not None:
            self._start(self._save_here, self._shown)

    async def _save_here(self, shown: ShownImage) -> None:
        self.error = None
        try:
            path = await self._save(shown, None)
        except OSError as error:
            self.error = {
                "title": "The image was not saved.",
                "text": f"{Path.cwd()} cannot be written to: {error.strerror or error}. "
                "Download it, or call preview.save(path) with another folder.",
                "field": "",
            }
        else:
            self.saved = f"Saved as {path.name} in {path.parent}"

    async def _save(self, shown: ShownImage, path: str | Path | None) -> Path:
        from ..imaging import save_original  # noqa: PLC0415 - needed only now

        data = await self.original(shown)

        def write() -> Path:
            return save_original.write(path, _file_name(shown), _with_metadata(data, shown))

        return await event_loop.to_thread(write)

    @open_to_all
    def _on_download(self, content: dict[str, Any]) -> None:
        if self._shown is not None:
            self._start(self._send_original, self._shown, content.get("view"))

    async def _send_original(self, shown: ShownImage, view: object) -> None:
        data = await event_loop.to_thread(_with_metadata, await self.original(shown), shown)
        mime = mimetypes.guess_type(f"x.{shown.preview.format.lower()}")[0] or ""
        name = _file_name(shown)
        # Only the view that requested the file saves it.
        self.send({"type": "download", "view": view, "name": name, "mime": mime}, [data])


def _make_copies(
    data: bytes,
    with_thumbs: bool,  # noqa: FBT001 - private
    is_svg: bool,  # noqa: FBT001 - private
) -> tuple[Preview, bytes, bytes]:
    """Create preview, thumb and card of an original. Slow: run it in a thread."""
    from ..imaging.preview import create_preview, create_raster_preview, create_svg_preview  # noqa: PLC0415 - it loads Pillow
    from ._shared.preflight_panel import make_card  # noqa: PLC0415 - a preview alone needs none

    small = create_svg_preview(data) if is_svg else create_preview(data)
    if not with_thumbs:
        return small, b"", b""
    return (
        small,
        create_raster_preview(small.data, THUMB_PIXELS, THUMB_MAX_BYTES).data,
        make_card(small.data),
    )


def _is_svg(media: Media) -> bool:
    return media.mime_type == "image/svg+xml"


def _enlarged(data: bytes, is_svg: bool) -> Preview:  # noqa: FBT001 - private
    """Return the enlarged copy of an original. Slow: run it in a thread."""
    from ..imaging.preview import create_preview, create_svg_preview  # noqa: PLC0415 - it loads Pillow

    make = create_svg_preview if is_svg else create_preview
    return make(data, LARGE_PIXELS, LARGE_MAX_BYTES)


def _with_metadata(data: bytes, shown: ShownImage) -> bytes:
    """Add the request to the metadata of an original. Slow: run it in a thread."""
    from ..imaging import save_original  # noqa: PLC0415 - Pillow is loaded when needed

    texts = save_original.metadata(shown.request, shown.job_id, shown.media.media_id)
    return save_original.with_metadata(data, texts)


def _file_name(shown: ShownImage) -> str:
    from ..imaging import save_original  # noqa: PLC0415 - Pillow is loaded when needed

    return save_original.file_name(shown.prompt, shown.job_id, shown.preview.format)
