"""`ImagePreview`: show a preview of an image, and save or download the original."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Any

import traitlets

from ..imaging import decode_threads
from ..utils import event_loop
from ._shared import formatting
from ._shared.frontend import view
from ._shared.media_preview import MediaPreview, ShownMedia, make_thumbs
from ._shared.permissions import Permission, open_to_all, requires

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from PIL import Image

    from ..imaging.preview import Preview
    from ..models import Media

LARGE_PIXELS = 2048  # pixels; the longest side of the image that a click opens
LARGE_MAX_BYTES = 2_000_000


class ImagePreview(MediaPreview):
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

    editable = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether there is an edit button; see `on_edit`."""
    animatable = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether there is a button to animate the image; see `on_animate`."""

    _edit_listener: Callable[[ShownMedia], object] | None = None
    _animate_listener: Callable[[ShownMedia], object] | None = None
    _original: tuple[ShownMedia, bytes] | None = None

    def on_edit(self, listener: Callable[[ShownMedia], object]) -> None:
        """Show an edit button that calls `listener` on the package's loop with the image."""
        self._edit_listener = listener
        self.editable = True

    def on_animate(self, listener: Callable[[ShownMedia], object]) -> None:
        """Show a button that calls `listener` on the package's loop, to make a video."""
        self._animate_listener = listener
        self.animatable = True

    @requires(Permission.GENERATE)
    def _on_animate(self, _content: object) -> None:
        if self._shown is not None and self._animate_listener is not None:
            self._animate_listener(self._shown)

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

    async def _load(
        self, media: Media, request: Mapping[str, Any], job_id: str, *, with_thumbs: bool
    ) -> ShownMedia:
        data = await self._client.media.download(media)
        copies = await decode_threads.run(_make_copies, data, with_thumbs, _is_svg(media))
        shown = ShownMedia(media, request, job_id, *copies)
        if self._requested is media:
            self._original = shown, data
        return shown

    def _facts_of(self, shown: ShownMedia) -> str:
        small = _preview_of(shown)
        return formatting.image_facts(small.width, small.height, small.format, small.size)

    # ------------------------------------------------------------ larger, saved, downloaded

    async def original(self, shown: ShownMedia) -> bytes:
        """Return the bytes of an original; for an earlier image, download them again."""
        if self._original is not None and self._original[0] is shown:
            return self._original[1]
        data = await self._client.media.download(shown.media)
        if shown is self._shown:
            self._original = shown, data
        return data

    @open_to_all
    def _on_large(self, _content: object) -> None:
        if self._shown is not None:
            self._start(self._send_large, self._shown)

    async def _send_large(self, shown: ShownMedia) -> None:
        large = await decode_threads.run(
            _enlarged, await self.original(shown), _is_svg(shown.media)
        )
        content = {"type": "large", "mime": large.mime_type, "of": shown.media.media_id or ""}
        self.send(content, [large.data])

    async def _save(self, shown: ShownMedia, path: str | Path | None) -> Path:
        from ..imaging import save_original  # noqa: PLC0415 - needed only now

        data = await self.original(shown)

        def write() -> Path:
            return save_original.write(path, _file_name(shown), _with_metadata(data, shown))

        return await event_loop.to_thread(write)

    @open_to_all
    def _on_download(self, content: dict[str, Any]) -> None:
        if self._shown is not None:
            self._start(self._send_original, self._shown, content.get("view"))

    async def _send_original(self, shown: ShownMedia, view: object) -> None:
        data = await event_loop.to_thread(_with_metadata, await self.original(shown), shown)
        mime = mimetypes.guess_type(f"x.{_preview_of(shown).format.lower()}")[0] or ""
        name = _file_name(shown)
        # Only the view that requested the file saves it.
        self.send({"type": "download", "view": view, "name": name, "mime": mime}, [data])


def _make_copies(
    data: bytes,
    with_thumbs: bool,  # noqa: FBT001 - private
    is_svg: bool,  # noqa: FBT001 - private
) -> tuple[Preview, bytes, bytes]:
    """Create preview, thumb and card of an original. Slow: run it in a thread."""
    from ..imaging.preview import create_preview, create_svg_preview  # noqa: PLC0415 - it loads Pillow

    small = create_svg_preview(data) if is_svg else create_preview(data)
    return (small, *(make_thumbs(small.data) if with_thumbs else (b"", b"")))


def _preview_of(shown: ShownMedia) -> Preview:
    assert shown.preview is not None  # noqa: S101 - each image has one
    return shown.preview


def _is_svg(media: Media) -> bool:
    return media.mime_type == "image/svg+xml"


def _enlarged(data: bytes, is_svg: bool) -> Preview:  # noqa: FBT001 - private
    """Return the enlarged copy of an original. Slow: run it in a thread."""
    from ..imaging.preview import create_preview, create_svg_preview  # noqa: PLC0415 - it loads Pillow

    make = create_svg_preview if is_svg else create_preview
    return make(data, LARGE_PIXELS, LARGE_MAX_BYTES)


def _with_metadata(data: bytes, shown: ShownMedia) -> bytes:
    """Add the request to the metadata of an original. Slow: run it in a thread."""
    from ..imaging import save_original  # noqa: PLC0415 - Pillow is loaded when needed

    texts = save_original.metadata(shown.request, shown.job_id, shown.media.media_id)
    return save_original.with_metadata(data, texts)


def _file_name(shown: ShownMedia) -> str:
    from ..imaging import save_original  # noqa: PLC0415 - Pillow is loaded when needed

    return save_original.file_name(shown.prompt, shown.job_id, _preview_of(shown).format)
