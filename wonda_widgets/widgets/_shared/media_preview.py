"""`MediaPreview`: the base of the panels that show an image or a video of the service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from ...client import selection
from ...errors import InvalidInputError
from ...utils import event_loop
from .panel import Panel
from .permissions import Permission, requires

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...client.wonda_client import AsyncWonda, Wonda
    from ...imaging.preview import Preview
    from ...jobs.job import Job
    from ...journal.generated_image import GeneratedImage
    from ...models import Media

    OnReady = Callable[["ShownMedia"], object]

THUMB_PIXELS = 160  # pixels
THUMB_MAX_BYTES = 20_000
PANELS = {"image": "ImagePreview", "video": "VideoPreview"}  # by kind of media


class ShownMedia:
    """An image or video that a preview has loaded.

    Parameters
    ----------
    media : Media
    request : dict
        How it was generated: ``prompt``, ``model`` and ``params``.
    job_id : str
    preview : Preview or None
        For a video, of its first frame; None if that is unknown.
    thumb, card : bytes
        Small copies for a filmstrip and for a publish form; may be empty.
    """

    def __init__(  # noqa: PLR0917 - what `make_copies` gives, in its order
        self,
        media: Media,
        request: Mapping[str, Any],
        job_id: str,
        preview: Preview | None,
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


class MediaPreview(Panel):
    """Base of `ImagePreview` and `VideoPreview`.

    Parameters
    ----------
    media : Media, Image or Job, optional
        What to show (for a job, its result); by default, nothing; call `show` later.
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the image or job.
    alt : str
        The alt text.
    """

    _reactive_traits = ("media_id",)
    _noun = "image"

    data = traitlets.Bytes(b"").tag(sync=True)
    """The preview; of a video, its first frame."""
    mime_type = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    facts = traitlets.Unicode("").tag(sync=True)
    media_id = traitlets.Unicode("").tag(sync=True)
    state = traitlets.Unicode("empty").tag(sync=True)
    """``"empty"``, ``"loading"``, ``"ready"`` or ``"broken"``."""
    waiting = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether the previous media are shown until the next are loaded."""
    aspect_ratio = traitlets.Unicode("").tag(sync=True)
    """The aspect ratio of the empty frame, e.g. ``"4:5"``."""
    saved = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        media: Media | GeneratedImage | Job | None = None,
        *,
        wonda: Wonda | AsyncWonda | None = None,
        alt: str = "",
        **traits: Any,
    ) -> None:
        self._own_alt = alt
        self._shown: ShownMedia | None = None
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
    def shown(self) -> ShownMedia | None:
        """What is displayed, with its request; None before the first."""
        return self._shown

    def show(
        self,
        media: Media,
        request: Mapping[str, Any] | None = None,
        *,
        job_id: str = "",
        note: str = "",
        on_ready: OnReady | None = None,
        in_background: bool = False,
    ) -> None:
        """Download media and show them when they are loaded; return immediately.

        Parameters
        ----------
        media : Media
        request : dict, optional
            How they were generated: ``prompt``, ``model`` and ``params``.
        job_id : str
        note : str
            Added to the line of facts, for example ``"31 s"``.
        on_ready : callable, optional
            Called on the package's loop when they are loaded.
        in_background : bool
            Only load the media for `on_ready`, and keep displaying the current ones.
        """
        event_loop.call_soon(
            lambda: self._start(
                self._fetch, media, request or {}, job_id, note, on_ready, in_background
            )
        )

    def show_again(self, shown: ShownMedia, note: str = "") -> None:
        """Show previously loaded media without downloading them again; return immediately."""
        event_loop.call_soon(lambda: self._present(shown, note))

    def save(self, path: str | Path | None = None) -> Path:
        """Write the original to `path` (a file or a folder) and return the path of the file.

        An existing file is not overwritten; a number is added to the name of the new file.

        Raises
        ------
        ValueError
            If nothing is shown.
        OSError
            If the file cannot be written.
        UnsafeMediaError, APIError, ServiceUnreachableError
            If the original cannot be downloaded again.
        """
        if self._shown is None:
            raise ValueError(f"There is no {self._noun} to save yet.")
        return event_loop.run_blocking(self._save(self._shown, path))

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        request = self._shown.request if self._shown else {}
        return [
            ("Prompt", str(request.get("prompt") or "")),
            ("Model", str(request.get("model") or "")),
            (self._noun.capitalize(), self.facts),
        ]

    def _snapshot_image(self) -> tuple[bytes, str]:
        return self.data, self.alt

    # ------------------------------------------------------------ showing

    async def _load(
        self, media: Media, request: Mapping[str, Any], job_id: str, *, with_thumbs: bool
    ) -> ShownMedia:
        """Load media, with small copies of them if `with_thumbs`."""
        raise NotImplementedError

    def _check_kind(self, media: Media) -> None:
        """Raise `InvalidInputError` for an image instead of a video, or the other way round."""
        kind = (media.mime_type or "").partition("/")[0]
        if kind in PANELS and kind != self._noun:
            hint = f"Use ww.{PANELS[kind]}."
            raise InvalidInputError("media", f"This is not the right panel for this {kind}.", hint)

    def _begin(
        self,
        media: Media,
        request: Mapping[str, Any],  # noqa: ARG002 - for subclasses, as are the next two
        job_id: str,  # noqa: ARG002
        note: str,  # noqa: ARG002
    ) -> ShownMedia | None:
        """Show that media are being loaded; return what can be displayed already."""
        self._requested = media
        with self.hold_sync():
            self.error = None
            self.saved = ""
            self.waiting = self._shown is not None
            self.state = "loading"
        return None

    async def _fetch(  # noqa: PLR0917 - handed through by `show`
        self,
        media: Media,
        request: Mapping[str, Any],
        job_id: str,
        note: str,
        on_ready: OnReady | None,
        in_background: bool,  # noqa: FBT001
    ) -> None:
        self._check_kind(media)
        if not in_background:
            early = self._begin(media, request, job_id, note)
            if early is not None and on_ready is not None:
                on_ready(early)
        try:
            shown = await self._load(media, request, job_id, with_thumbs=on_ready is not None)
        except Exception:
            if self._requested is media:
                self.waiting = False
                self.state = "ready" if self._shown else "broken"
            raise
        if self._requested is media:  # else others were requested in the meantime
            self._present(shown, note)
        if on_ready is not None:  # now, so that the displayed media are those to publish
            on_ready(shown)

    def _present(self, shown: ShownMedia, note: str) -> None:
        if self._closed:
            return
        self._shown, self._requested = shown, shown.media
        facts = self._facts_of(shown)
        with self.hold_sync():
            self.data = shown.preview.data if shown.preview else b""
            self.mime_type = shown.preview.mime_type if shown.preview else ""
            self.alt = shown.prompt or self._own_alt or self._noun.capitalize()
            self.facts = f"{facts} · {note}" if note else facts
            self.media_id = shown.media.media_id or ""
            self.state = "ready"
            self.waiting = False
            self.saved = ""
            self.error = None
        self._show_in_fallbacks()

    def _facts_of(self, shown: ShownMedia) -> str:
        raise NotImplementedError

    @property
    def is_loading(self) -> bool:
        """See `Panel.is_loading`."""
        return self.state == "loading"

    def _update_fallbacks(self) -> None:
        super()._update_fallbacks()
        self._show_in_fallbacks()

    def _show_in_fallbacks(self) -> None:
        if self._shown is not None and self._shown.preview is not None:
            for twin in self._fallbacks:
                twin.show(self._shown.preview, self.alt)

    # ------------------------------------------------------------ saved

    @requires(Permission.SAVE)
    def _on_save(self, _content: object) -> None:
        if self._shown is not None:
            self._start(self._save_here, self._shown)

    async def _save_here(self, shown: ShownMedia) -> None:
        self.error = None
        try:
            path = await self._save(shown, None)
        except OSError as error:
            self.error = {
                "title": f"The {self._noun} was not saved.",
                "text": f"{Path.cwd()} cannot be written to: {error.strerror or error}. "
                "Download it, or call preview.save(path) with another folder.",
                "field": "",
            }
        else:
            self.saved = f"Saved as {path.name} in {path.parent}"

    async def _save(self, shown: ShownMedia, path: str | Path | None) -> Path:
        raise NotImplementedError


def make_thumbs(small: bytes) -> tuple[bytes, bytes]:
    """Create thumb and card of a preview. Slow: run it in a thread."""
    from ...imaging.preview import create_raster_preview  # noqa: PLC0415 - it loads Pillow
    from .preflight_panel import make_card  # noqa: PLC0415 - a preview alone needs none

    return create_raster_preview(small, THUMB_PIXELS, THUMB_MAX_BYTES).data, make_card(small)
