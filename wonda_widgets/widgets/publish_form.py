"""`PublishForm`: publish one image or video to Instagram, now or later."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import traitlets

from ..client import selection
from ..errors import InvalidInputError
from ..publishing.limits import MAX_ALT_TEXT_LENGTH, check_text_length
from ..utils import event_loop
from ._shared.frontend import view
from ._shared.permissions import Permission, requires
from ._shared.preflight_panel import (
    PostImage,
    PreflightPanel,
    info_of,
    load_preview,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from ..client.wonda_client import AsyncWonda, Wonda
    from ..imaging.preview import Preview
    from ..jobs.job import Job
    from ..journal.generated_image import GeneratedImage as Made
    from ..models import Media

IMAGE_PRODUCTS, VIDEO_PRODUCTS = ("IMAGE", "STORIES"), ("REELS", "STORIES")


class PublishForm(PreflightPanel):
    """A form that publishes an image or video to Instagram once, after showing a summary.

    `Publish` shows a summary; only `Publish now` sends the post, and only once, however often the
    button is clicked. A post can also be scheduled, 5 minutes to 29 days from now.

    The form lists what Instagram will probably reject, and offers fixes: the image is edited
    locally and uploaded, and the edited image is posted. The list is advice; the image can be
    posted without a fix.

    Parameters
    ----------
    media_id : str, Media, Image or Job, optional
        The image to publish (for a job, its result). It can be set later; until then, the form is
        disabled. An image that is given only by its ID is not checked.
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the image or job.
    confirm_publish : bool
        Whether to show the summary first.
    caption, alt_text : str
        Initial values.

    Examples
    --------
    >>> ww.PublishForm(job, caption="Made with Wonda")
    """

    _panel = view("publish_form")
    _browser_traits: ClassVar[dict[str, Permission | None]] = {
        **dict.fromkeys(
            ("account", "caption", "alt_text", "product", "share_to_feed"), Permission.PUBLISH
        ),
        "scheduled_at": Permission.SCHEDULE,
    }

    alt_text = traitlets.Unicode("").tag(sync=True)
    share_to_feed = traitlets.Bool(default_value=True).tag(sync=True)
    """Whether a reel is also shown in the feed."""
    scheduled_at = traitlets.Unicode("").tag(sync=True)
    """When to post, ISO 8601 with an offset; empty for now."""
    lists_scheduled = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether there is a link to the scheduled posts; see `on_scheduled`."""

    def __init__(
        self,
        media_id: str | Media | Made | Job | None = None,
        *,
        wonda: Wonda | AsyncWonda | None = None,
        confirm_publish: bool = True,
        caption: str = "",
        alt_text: str = "",
        **traits: Any,
    ) -> None:
        self._schedules: list[Callable[[], object]] = []
        media = None if isinstance(media_id, str) else selection.media_of(media_id)
        super().__init__(
            wonda,
            given=[media_id],
            media_id=(media_id if isinstance(media_id, str) else media and media.media_id) or "",
            confirm_publish=confirm_publish,
            caption=caption,
            alt_text=alt_text,
            **traits,
        )
        if media is not None:
            event_loop.call_soon(lambda: self._start(self._inspect, media))

    def offer(
        self,
        media_id: str,
        *,
        alt_text: str = "",
        thumb: bytes = b"",
        preview: Preview | None = None,
        original: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        """Replace the image to publish. Call this on the package's loop only.

        While a post is in progress, the image waits. An open summary is closed, because it
        describes the previous image. The caption is kept. The alt text is replaced unless the user
        has changed it. Fixes of the same image are kept.

        Parameters
        ----------
        media_id, alt_text : str
        thumb : bytes
            A thumbnail to show; by default, one is created from `preview`.
        preview : Preview, optional
            Without a preview, the image is not checked.
        original : callable, optional
            Returns the original's bytes; without this function, no fixes are offered.
        """
        facts = info_of(preview) if preview else None
        self._offer(PostImage(media_id, thumb, facts, original), alt_text, preview)

    def offer_video(self, media: Media, *, alt_text: str = "", thumb: bytes = b"") -> None:
        """Replace the media to publish by a video, and check it in the background; see `offer`.

        Parameters
        ----------
        media : Media
        alt_text : str
        thumb : bytes
            A thumbnail to show until its own is loaded.
        """
        clip = PostImage(media.media_id or "", thumb, is_video=True, source=media)
        if self._offer(clip, alt_text, None):
            self._start(self._inspect_video, clip, media)

    async def show(
        self,
        media: Media,
        *,
        alt_text: str = "",
        original: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        """Download and check an image or a video, and make it the one to publish.

        Call this on the package's loop only.

        Parameters
        ----------
        media : Media
        alt_text : str
        original : callable, optional
            Returns the original's bytes; by default, they are downloaded.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            If the image cannot be downloaded; the previous image is kept.
        """
        self._wanted = media
        if media.is_video:
            self.offer_video(media, alt_text=alt_text)
            return
        fetch = original or partial(self._client.media.download, media)
        preview = await event_loop.to_thread(load_preview, await fetch())
        if self._wanted is not media:
            return  # another image was requested in the meantime
        self.offer(media.media_id or "", alt_text=alt_text, preview=preview, original=fetch)

    def _offer(self, image: PostImage, alt_text: str, preview: Preview | None) -> bool:
        """Show an image, or remember it for later; return False if it is already shown."""
        if image.media_id in {self.media_id, self._original and self._original.media_id}:
            self._next = None  # the user has gone back to the current image
            return False
        # Keep showing a post that is, or may be, in progress.
        if self.step in {"sending", "running", "unknown", "checking"}:
            self._next = (image, alt_text, preview)
            return True
        self._next = None
        with self.hold_sync():
            if self.alt_text == self._offered_alt:
                self.alt_text = self._offered_alt = alt_text[:MAX_ALT_TEXT_LENGTH]
            self._cancel_preparation()
            self.step = "editing"
            self.job_phase = "none"
            self.outcome = ""
            self.error = None
            self._take(image, preview)
        return True

    _wanted: Media | None = None
    _next: tuple[PostImage, str, Preview | None] | None = None
    _offered_alt = ""

    def _snapshot_image(self) -> tuple[bytes, str]:
        return self.thumb, self.alt_text

    @property
    def _has_pending(self) -> bool:
        return self._next is not None

    def _show_pending(self) -> None:
        if self._next is not None:
            self._offer(*self._next)

    # ------------------------------------------------------------ publishing

    def _post_options(self, content: Mapping[str, Any]) -> dict[str, Any]:
        named = ("alt_text", "product", "scheduled_at")
        chosen: dict[str, Any] = {
            name: str(content.get(name, getattr(self, name))) for name in named
        }
        if chosen["product"] not in (VIDEO_PRODUCTS if self.is_video else IMAGE_PRODUCTS):
            kind = "a video" if self.is_video else "an image"
            raise InvalidInputError(
                "product", f"{chosen['product']!r} is not possible for {kind}.", "Choose another."
            )
        if chosen["product"] != "IMAGE":
            chosen["alt_text"] = ""  # the field keeps its text for a feed post
        chosen["share_to_feed"] = bool(content.get("share_to_feed", self.share_to_feed))
        check_text_length("alt_text", chosen["alt_text"], MAX_ALT_TEXT_LENGTH)
        self._check_scheduling(chosen)
        self._client.publish.checked_time(chosen["scheduled_at"] or None)
        return chosen

    def _check_scheduling(self, chosen: Mapping[str, Any]) -> None:
        if chosen["scheduled_at"]:
            self._permissions.check(Permission.SCHEDULE)

    async def _require_new(self, summary: Mapping[str, Any]) -> None:
        await self._client.publish.require_new(**_arguments(summary))

    async def _send_post(self, summary: Mapping[str, Any], **allowed: Any) -> Job:
        self._check_scheduling(summary)  # the permission may have changed since the summary
        return await self._client.publish.instagram(**_arguments(summary), **allowed)

    def _set_scheduled(self, due: datetime | None) -> None:
        self.scheduled_at = ""  # the next post has its own time
        super()._set_scheduled(due)
        for listener in self._schedules:
            self._catch_errors(listener)

    def on_scheduled(self, listener: Callable[[], object]) -> None:
        """Show a link to the scheduled posts and call `listener` on the package's loop.

        `listener` is called when the link is clicked and when a post is scheduled.
        """
        self._schedules.append(listener)
        self.lists_scheduled = True

    @requires(Permission.SCHEDULE)
    def _on_scheduled(self, _content: object) -> None:
        for listener in self._schedules:
            self._catch_errors(listener)


def _arguments(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `publish.instagram` for a summary."""
    return {
        "media_id": summary["media_id"],
        "instagram_account_id": summary["account"],
        "caption": summary["caption"] if summary["caption"].strip() else None,
        "alt_text": summary["alt_text"] if summary["alt_text"].strip() else None,
        "product": summary["product"],
        "share_to_feed": summary["share_to_feed"] if summary["product"] == "REELS" else None,
        "scheduled_at": summary["scheduled_at"] or None,
    }
