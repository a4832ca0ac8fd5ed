"""`PreflightPanel`: check an image or video against Instagram's limits and fix it on request.

    original ──operations──> rendered locally ──upload──> media ID of the post

All fixes form one edit of the original, so nothing is encoded twice. Uploads are
cached: applying the same fix again gives the same media ID, which the duplicate check recognizes.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import traitlets

from ...errors import OutcomeUnknownError, UnsafeMediaError, WondaError
from ...imaging import decode_threads, video_process
from ...imaging.operations import Crop, Pad, Resize
from ...journal.generated_image import GeneratedImage
from ...publishing import preflight, video_preflight
from ...publishing.preflight import CheckResult, Fix, ImageInfo
from ...utils import event_loop, new_files
from . import error_alerts
from .permissions import Permission, requires
from .posting import PostingPanel

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ...client.wonda_client import AsyncWonda
    from ...imaging.apply_edits import EditedImage
    from ...imaging.operations import AnyOperation
    from ...imaging.preview import Preview
    from ...imaging.video import VideoFacts
    from ...models import Media

PRODUCTS = ("IMAGE", "STORIES", "REELS")
CARD_PIXELS = 480  # longest side of the thumbnail on which a crop is drawn
CARD_MAX_BYTES = 60_000
MAX_CACHED_EDITS = 20


@dataclass
class PostImage:
    """An image or video that can be posted.

    Attributes
    ----------
    media_id : str
    thumb : bytes
        A thumbnail.
    facts : ImageInfo or None
        None if the image could not be inspected.
    original : callable or None
        Returns the original's bytes; None if they are not available.
    is_video : bool
    video : VideoFacts or None
        None for an image, or if the video could not be inspected.
    source : Media or None
        The media of an original video; None for an edited one.
    problem : str
        Why a video could not be inspected; empty if it was, or not yet.
    """

    media_id: str
    thumb: bytes
    facts: ImageInfo | None = None
    original: Callable[[], Awaitable[bytes]] | None = None
    is_video: bool = False
    video: VideoFacts | None = None
    source: Media | None = None
    problem: str = ""

    @property
    def can_be_edited(self) -> bool:
        """Whether the original can be read."""
        return self.original is not None or (self.source is not None and self.video is not None)

    @property
    def size(self) -> ImageInfo | VideoFacts | None:
        """The facts, which contain `width` and `height`."""
        return self.facts or self.video


class PreflightPanel(PostingPanel):
    """Base of the panels that check an image or video before it is posted."""

    thumb = traitlets.Bytes(b"").tag(sync=True)
    product = traitlets.Enum(PRODUCTS, "IMAGE").tag(sync=True)
    """``"IMAGE"`` for the feed, ``"REELS"`` for a video, ``"STORIES"`` for a story."""
    is_video = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether a video is posted instead of an image."""
    check_results: Any = traitlets.List().tag(sync=True)
    """The results of the checks: probable rejections, advice and passed checks: ``level``,
    ``title``, ``text`` and ``fixes``."""
    combined_fix = traitlets.Dict().tag(sync=True)
    """A fix for all problems if there are several; else empty."""
    is_edited = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether the image is an edited version of the original."""

    def __init__(self, *args: Any, **traits: Any) -> None:
        self._original: PostImage | None = None
        self._current: PostImage | None = None
        self._operations: tuple[AnyOperation, ...] = ()
        self._made: dict[tuple[str, tuple[AnyOperation, ...]], PostImage] = {}
        self._fixes: dict[str, Fix] = {}
        self._inspection_failure: CheckResult | None = None
        super().__init__(*args, **traits)
        self.observe(
            lambda _: event_loop.call_soon(self._update_checks), ["media_id", "caption", "product"]
        )
        event_loop.call_soon(self._update_checks)

    @property
    def _can_edit(self) -> bool:
        """Whether the image may change, because no summary or post refers to it."""
        return self.step == "editing"

    # ------------------------------------------------------------ the image

    def _take(self, image: PostImage, preview: Preview | None = None) -> None:
        """Replace the image to publish."""
        self._original = image
        self.fixing = ""
        self._use(image, ())
        if preview is not None and not image.thumb:
            self._start(self._make_card, image, preview.data)

    def _use(self, image: PostImage, operations: tuple[AnyOperation, ...]) -> None:
        self._current, self._operations = image, operations
        with self.hold_sync():
            self.media_id = image.media_id
            self.thumb = image.thumb
            self._set_kind(is_video=image.is_video)
            self.is_edited = bool(operations)
            self._update_checks()

    def expect(self, *, is_video: bool) -> None:
        """Offer the products of what will be posted, until there is something to post."""
        if not self.media_id:
            self._set_kind(is_video=is_video)

    def _set_kind(self, *, is_video: bool) -> None:
        """Offer the products of an image or a video; a story is possible for both."""
        self.is_video = is_video
        if self.product != "STORIES":
            self.product = "REELS" if is_video else "IMAGE"

    async def _make_card(self, image: PostImage, preview: bytes) -> None:
        """Create the thumbnail on which a crop is drawn."""
        image.thumb = await decode_threads.run(make_card, preview)
        if self._current is image:
            self.thumb = image.thumb

    async def _inspect(self, media: Media) -> None:
        """Download and check an image of which only the media is known."""
        try:
            if media.is_video:
                if self._is_expected(media):
                    clip = PostImage(self.media_id, b"", is_video=True, source=media)
                    self._take(clip)
                    await self._inspect_video(clip, media)
                return
            data = await self._client.media.download(media)
            preview = await decode_threads.run(load_preview, data)
        except WondaError as error:  # the image can still be posted
            title = "The image could not be checked."
            self._inspection_failure = CheckResult(
                topic="image", level="advice", title=title, text=error.message
            )
            self._update_checks()
            return
        if self._is_expected(media):
            thumb = await decode_threads.run(make_card, preview.data)
            original = partial(self._client.media.download, media)
            self._take(PostImage(self.media_id, thumb, info_of(preview), original))

    def _is_expected(self, media: Media) -> bool:
        """Whether nothing else was selected since the panel was made."""
        return self.media_id == media.media_id and self._original is None

    async def _inspect_video(self, clip: PostImage, media: Media) -> None:
        """Add facts and a thumbnail to a video; what cannot be read of it remains unknown."""
        try:
            clip.video = await self._client.media.video_facts(media)
            frame = await self._client.history.poster(GeneratedImage(media=media))
            clip.thumb = await decode_threads.run(make_card, frame)
        except WondaError as error:  # the video can still be posted
            clip.problem = str(error)
        if self._current is clip and not self._closed:
            self.thumb = clip.thumb
            self._update_checks()

    # ------------------------------------------------------------ the check

    def _update_checks(self) -> None:
        if self._closed:
            return
        if self._current is not None and self._current.media_id != self.media_id:
            # `media_id` was set from code, so nothing is known about this image.
            self._current = self._original = self._inspection_failure = None
            self.thumb, self.is_edited, self.fixing = b"", False, ""
            self._set_kind(is_video=False)
        points, combined = self._checked()
        can_edit = self._original is not None and self._original.can_be_edited
        size = self._current.size if self._current else None
        self._fixes = {}

        def offered(key: str, fix: Fix) -> dict[str, Any]:
            self._fixes[key] = fix
            return _shown(key, fix, size)

        with self.hold_sync():
            self.check_results = [
                {
                    "level": point.level,
                    "title": point.title,
                    "text": point.text,
                    "fixes": [
                        offered(f"{point.topic}.{number}", fix)
                        for number, fix in enumerate(point.fixes)
                        if can_edit or fix.product
                    ],
                }
                for point in points
            ]
            self.combined_fix = offered("combined", combined) if combined and can_edit else {}

    def _checked(self) -> tuple[list[CheckResult], Fix | None]:
        """Return the results of the checks, and a fix for all problems."""
        image = self._current
        if not self.media_id:
            return [], None
        if self.is_video:
            caption = preflight.check(None, self.product, self.caption)
            if image is None or image.video is None:
                return [video_preflight.unchecked(image.problem if image else ""), *caption], None
            points = video_preflight.check(image.video, self.product)
            return [*points, *caption], video_preflight.combined_fix(image.video, self.product)
        facts = image.facts if image else None
        points = preflight.check(facts, self.product, self.caption)
        if facts is None:
            failure = [self._inspection_failure] if self._inspection_failure else []
            return [*failure, *points], None
        return points, preflight.combined_fix(facts, self.product)

    # ------------------------------------------------------------ a fix

    @requires(Permission.PUBLISH)
    def _on_fix(self, content: Mapping[str, Any]) -> None:
        fix = self._fixes.get(str(content.get("key")))
        # `fixing` changes here, on the loop, so a second click has no effect. A click that was
        # made while another image was shown is ignored.
        if fix is None or not self._can_change(content):
            return
        self.error = None
        if fix.product:
            self.product = fix.product
            return
        original = self._original
        if original is None or not original.can_be_edited:
            return
        self.fixing = fix.label
        operations = self._operations + _colored(fix.operations, content.get("color"))
        self._start(self._fix, original, operations)

    @requires(Permission.PUBLISH)
    def _on_original(self, content: Mapping[str, Any]) -> None:
        if self._original is not None and self._can_change(content):
            self.error = None
            self._use(self._original, ())

    def _can_change(self, content: Mapping[str, Any]) -> bool:
        seen = content.get("media_id") == self.media_id
        return seen and self._can_edit and not self.fixing

    async def _fix(self, original: PostImage, operations: tuple[AnyOperation, ...]) -> None:
        try:
            made = self._made.get((original.media_id, operations))
            if made is None:
                made = await self._make(original, operations)
        except WondaError as error:
            if self._original is original:
                self.error = edit_problem(error, "video" if original.is_video else "image")
        else:
            # In the meantime, another image may have been selected, or code may have started a
            # post.
            if self._original is original and self._can_edit and not self._closed:
                self._use(made, operations)
        finally:
            if self._original is original:
                self.fixing = ""

    async def _make(self, original: PostImage, operations: tuple[AnyOperation, ...]) -> PostImage:
        if original.original is not None:
            data = await original.original()
            made = await upload_edit(self._client, original, data, operations)
        else:
            report = partial(self._show_progress, original, self.fixing)
            made = await _upload_video_edit(self._client, original, operations, report)
        self._made[original.media_id, operations] = made
        while len(self._made) > MAX_CACHED_EDITS:
            del self._made[next(iter(self._made))]
        return made

    def _show_progress(self, original: PostImage, label: str, share: float) -> None:
        """Show how much of a video is converted; called from a thread."""

        def show() -> None:
            if self.fixing and self._original is original:
                self.fixing = f"{label} ({share:.0%})"

        event_loop.call_soon(show)


async def upload_edit(
    client: AsyncWonda, of: PostImage, data: bytes, operations: Sequence[AnyOperation]
) -> PostImage:
    """Render an edit of an image locally, upload it, and return the new image."""
    made, thumb = await decode_threads.run(
        _rendered, data, operations, seconds=decode_threads.EDIT_TIMEOUT_SECONDS
    )
    media = await client.media.upload(
        made.data,
        name=f"image.{made.format.lower()}",
        edit=_edit_record(of, operations),
    )
    facts = ImageInfo(made.width, made.height, made.format, len(made.data))
    return PostImage(media.media_id or "", thumb, facts)


async def _upload_video_edit(
    client: AsyncWonda,
    of: PostImage,
    operations: Sequence[AnyOperation],
    on_progress: Callable[[float], object],
) -> PostImage:
    """Convert a video locally, upload it, and return the new one."""
    assert of.source is not None  # noqa: S101 - see `can_be_edited`
    folder = await event_loop.to_thread(new_files.temporary_folder)
    try:
        target = folder / "video.mp4"
        async with client.media.borrow_file(of.source) as path:
            facts = await video_process.convert(path, target, operations, on_progress)
        thumb = await decode_threads.run(make_card, await video_process.poster(target))
        media = await client.media.upload(target, edit=_edit_record(of, operations))
    finally:
        await event_loop.shield(
            event_loop.to_thread(partial(shutil.rmtree, folder, ignore_errors=True))
        )
    return PostImage(media.media_id or "", thumb, is_video=True, video=facts)


def _edit_record(of: PostImage, operations: Sequence[AnyOperation]) -> dict[str, Any]:
    return {"of": of.media_id, "operations": msgspec.to_builtins(list(operations))}


def edit_problem(error: WondaError, noun: str = "image") -> error_alerts.Alert:
    """Describe an edit that failed, for the panel's alert."""
    if isinstance(error, OutcomeUnknownError):
        why = "It was sent, but no response was received; a copy may be in your Wonda library."
    elif isinstance(error, UnsafeMediaError):
        why = f"{error.message} {error.hint}".strip()
    else:
        problem = error_alerts.error_alert(error)
        why = f"{problem['title']} {problem['text']}"
    return {
        "title": f"The {noun} was not changed.",
        "text": f"{why} The original is unchanged, and nothing was posted. You can try again.",
        "field": "",
    }


def _shown(key: str, fix: Fix, size: ImageInfo | VideoFacts | None) -> dict[str, Any]:
    """Return the data that the browser shows of a fix.

    ``area`` is the crop within the image, or the canvas, as fractions of the image's size.
    """
    shown: dict[str, Any] = {"key": key, "label": fix.label}
    if size is None:
        return shown
    wide, high = size.width, size.height
    for operation in fix.operations:
        match operation:
            case Resize(width=wide, height=high):  # a canvas may be added after the crop
                pass
            case Crop(x=x, y=y, width=width, height=height):
                at = {"x": x / wide, "y": y / high}
                part = {"width": width / wide, "height": height / high}
                shown["area"] = {"kind": "crop", **at, **part}
            case Pad(width=width, height=height, color=color):
                part = {"width": width / wide, "height": height / high}
                shown["area"] = {"kind": "pad", **part, "color": color}
    return shown


def _colored(operations: tuple[AnyOperation, ...], color: object) -> tuple[AnyOperation, ...]:
    """Replace the color of an added canvas with the selected one."""
    if not (isinstance(color, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", color)):
        return operations
    return tuple(
        msgspec.structs.replace(each, color=color) if isinstance(each, Pad) else each
        for each in operations
    )


def info_of(preview: Preview) -> ImageInfo:
    """Return the facts about an original that its preview contains."""
    return ImageInfo(preview.width, preview.height, preview.format, preview.size, preview.animated)


def load_preview(data: bytes) -> Preview:
    """Decode an original into its preview. Slow: run it in a thread."""
    from ...imaging.preview import create_preview  # noqa: PLC0415 - Pillow is loaded when needed

    return create_preview(data)


def make_card(preview: bytes) -> bytes:
    """Create a small JPEG of a preview. Slow: run it in a thread."""
    from ...imaging.preview import create_raster_preview  # noqa: PLC0415 - Pillow is loaded when needed

    return create_raster_preview(preview, CARD_PIXELS, CARD_MAX_BYTES).data


def _rendered(data: bytes, operations: tuple[AnyOperation, ...]) -> tuple[EditedImage, bytes]:
    """Apply an edit and create a thumbnail of the result. Slow: run it in a thread."""
    from ...imaging import apply_edits  # noqa: PLC0415 - Pillow is loaded when needed

    made = apply_edits.apply(data, operations)
    return made, make_card(made.data)
