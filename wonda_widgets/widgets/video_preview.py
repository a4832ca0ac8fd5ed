"""`VideoPreview`: play a video, and save or download it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import WondaError
from ..imaging import decode_threads
from ..journal.generated_image import GeneratedImage
from ..utils import event_loop
from ._shared import formatting
from ._shared.frontend import view
from ._shared.media_preview import MediaPreview, ShownMedia, make_thumbs
from ._shared.video_panel import DEFAULT_TYPE, VideoPanel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ..imaging.preview import Preview
    from ..models import Media


class VideoPreview(MediaPreview, VideoPanel):
    """A player for a video at the service.

    The browser plays it from its address, without your API key; if the browser cannot reach that
    address, the video comes through the kernel. A saved notebook has its first frame, which
    requires PyAV (``pip install 'wonda-widgets[video]'``).

    `Save to folder` writes the file next to the notebook.

    Parameters
    ----------
    media : Media, Image or Job, optional
        The video to show (for a job, its result); by default, none; call `show` later.
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the video or job.
    alt : str
        The alt text of the first frame.

    Examples
    --------
    >>> clip = wonda.videos.generate(model="seedance-2", prompt="A quiet harbor").wait().media
    >>> ww.VideoPreview(clip, wonda=wonda)
    """

    _panel = view("video_preview")
    _noun = "video"

    def _video_of(self, of: str) -> Media | None:
        return self.media if of == self.media_id else None

    def _begin(
        self, media: Media, request: Mapping[str, Any], job_id: str, note: str
    ) -> ShownMedia:
        """Show the player at once; its first frame follows."""
        early = ShownMedia(media, request, job_id, None)
        self._present(early, note)
        return early

    async def _load(
        self, media: Media, request: Mapping[str, Any], job_id: str, *, with_thumbs: bool
    ) -> ShownMedia:
        """Load the first frame; a video without one can still be played and posted."""
        try:
            poster = await self._client.history.poster(GeneratedImage(media=media))
            copies = await decode_threads.run(_make_copies, poster, with_thumbs)
        except WondaError:
            return ShownMedia(media, request, job_id, None)
        return ShownMedia(media, request, job_id, *copies)

    def _present(self, shown: ShownMedia, note: str) -> None:
        is_new = shown.media.media_id != self.media_id
        super()._present(shown, note)
        if is_new and not self._closed:  # a busy kernel could not answer the page
            self._send_address(self.media_id, shown.media)

    def _facts_of(self, shown: ShownMedia) -> str:
        media = shown.media
        parts = [
            f"{media.width} × {media.height}" if media.width and media.height else "",
            f"{formatting.format_duration(media.duration)} long" if media.duration else "",
            f"{media.fps:g} fps" if media.fps else "",
        ]
        return " · ".join(filter(None, parts)) or "Video"

    async def _save(self, shown: ShownMedia, path: str | Path | None) -> Path:
        from ..imaging import save_original  # noqa: PLC0415 - needed only now

        name = self._file_name(shown)
        target = await event_loop.to_thread(save_original.target, path, name)
        return await self._client.media.download(shown.media, target)

    def _file_name(self, shown: ShownMedia) -> str:
        from ..imaging import save_original  # noqa: PLC0415 - needed only now

        kind = shown.media.mime_type if shown.media.is_video else DEFAULT_TYPE
        return save_original.file_name(shown.prompt, shown.job_id, kind or DEFAULT_TYPE)


def _make_copies(data: bytes, with_thumbs: bool) -> tuple[Preview, bytes, bytes]:  # noqa: FBT001
    """Create preview, thumb and card of a first frame. Slow: run it in a thread."""
    from ..imaging.preview import create_preview  # noqa: PLC0415 - it loads Pillow

    small = create_preview(data)
    return (small, *(make_thumbs(small.data) if with_thumbs else (b"", b"")))
