"""Immediate and scheduled posts, and the publish history (wonda-api.md, section 7)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..errors import (
    GoneError,
    InvalidInputError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    UnexpectedReplyError,
    WondaError,
)
from ..http.responses import reports_failure
from ..jobs.core import Core, on_package_loop
from ..jobs.submission import Operation, SubmitResult
from ..journal import entries
from ..models import (
    CarouselResponse,
    PublishResponse,
    find_permalink,
    parse,
)
from ..publishing import (
    dedupe_keys,
    duplicate_guard,
    outcome_check,
    posting_time,
    scheduled_posts,
)
from ..publishing.former_keys import former_keys
from ..publishing.limits import (
    MAX_ALT_TEXT_LENGTH,
    MAX_CAPTION_LENGTH,
    PRODUCTS_WITHOUT_ALT_TEXT,
    check_slide_count,
    check_text_length,
)
from ..utils import arguments, plain_values
from . import media
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..jobs.job import Job
    from ..journal.entries import JournalEntry
    from ..publishing.outcome_check import PostOutcome
    from ..publishing.scheduled_posts import ScheduledPost

MAX_LIMIT = 1_000  # rows of the publish history

PUBLISHING = Operation(
    "publish",
    "/publish/instagram",
    "publishing to Instagram",
    "Check the Instagram account, or call wonda.publish.check(error) to search its history.",
)

CAROUSEL = PUBLISHING._replace(
    path="/publish/instagram/carousel",
    name="publishing a carousel to Instagram",
    seconds=180.0,  # the service responds once the post is published
)


class AsyncPublish:
    """Posts to Instagram."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @on_package_loop
    async def instagram(
        self,
        *,
        media_id: str,
        instagram_account_id: str,
        caption: str | None = None,
        alt_text: str | None = None,
        product: str | None = None,
        share_to_feed: bool | None = None,
        scheduled_at: datetime | str | None = None,
        allow_repeat: bool = False,
        allow_unchecked: bool = False,
    ) -> Job:
        """Publish one image or video to Instagram and return the job.

        The post is public as soon as the job succeeds. The same image or video is not posted to the
        same account with the same caption again, even if another computer posted it: the journal,
        the account's last 100 posts and its scheduled posts are checked first.

        Parameters
        ----------
        media_id : str
            The ID of a generated or uploaded image or video.
        instagram_account_id : str
            From `accounts.instagram`.
        caption : str, optional
            At most 2,200 characters.
        alt_text : str, optional
            A description of the image, at most 1,000 characters. It applies only to the feed and is
            not sent with a story or a reel.
        product : str, optional
            ``"IMAGE"`` (the feed; the service's default for images), ``"REELS"`` (the default for
            videos, and only for them) or ``"STORIES"``.
        share_to_feed : bool, optional
            Whether a reel also appears in the feed.
        scheduled_at : datetime or str, optional
            When to post it, 5 minutes to 29 days from now, with a time zone:
            ``datetime(2026, 12, 1, 18, 0, tzinfo=ZoneInfo("Europe/Berlin"))`` or
            ``"2026-12-01T18:00+01:00"``. Until then the job is ``"scheduled"``, and
            `cancel` cancels it.
        allow_repeat : bool
            Whether to post even if the same post was published before.
        allow_unchecked : bool
            Whether to post even if the publish history, the scheduled posts or the journal cannot
            be read. The same post may then be published twice.

        Raises
        ------
        InvalidInputError
            If the request is invalid; nothing was sent.
        AlreadyPublishedError
            If the same post was or may have been made before, or is in progress; nothing was sent.
        HistoryUnavailableError
            If the publish history, the scheduled posts or the journal cannot be read; nothing was
            sent.
        OutcomeUnknownError
            If this request or an earlier one may have arrived but there is no usable response. The
            request is not repeated; `check` finds its outcome.
        APIError
            If the service refused the request.

        Examples
        --------
        >>> account = wonda.accounts.instagram()[0]
        >>> job = wonda.publish.instagram(
        ...     media_id=media.media_id,
        ...     instagram_account_id=account.instagram_account_id,
        ...     caption="Made with Wonda",
        ... )
        >>> job.wait().permalink
        'http...'
        """
        body = _body(
            media_id,
            instagram_account_id,
            caption,
            alt_text,
            product=product,
            share_to_feed=share_to_feed,
        )
        due = self._add_time(body, scheduled_at)
        if body.get("product") == "REELS" and await self._is_image(media_id):
            raise InvalidInputError(
                "product",
                "A reel must be a video, but this is an image.",
                'Pass product="IMAGE" for the feed or "STORIES" for a story.',
            )
        guard = await self._duplicate_guard(
            PUBLISHING, body, allow_repeat=allow_repeat, allow_unchecked=allow_unchecked
        )
        try:
            return await self._core.start(
                PUBLISHING,
                body,
                _named,
                duplicate_guard=guard,
                precondition=guard.check_journal,
            )
        except PermissionDeniedError as error:
            if due is not None and error.code == scheduled_posts.FEATURE_DISABLED:
                error.with_hint(scheduled_posts.NO_SCHEDULING_HINT)
            raise

    @on_package_loop
    async def instagram_carousel(
        self,
        *,
        media_ids: Sequence[str],
        instagram_account_id: str,
        caption: str | None = None,
        allow_repeat: bool = False,
        allow_unchecked: bool = False,
    ) -> Job:
        """Publish 2 to 10 images to Instagram as one carousel post.

        The service responds once the post is published, which may take a minute, so the returned
        job has already ended. The same images, in any order, are not posted to the same account
        with the same caption again.

        Parameters
        ----------
        media_ids : list of str
            The IDs of the slides, in order.
        instagram_account_id : str
            From `accounts.instagram`.
        caption : str, optional
            At most 2,200 characters.
        allow_repeat : bool
            Whether to post even if the same post was published before.
        allow_unchecked : bool
            See `instagram`.

        Raises
        ------
        InvalidInputError, AlreadyPublishedError, HistoryUnavailableError
        OutcomeUnknownError, APIError
            See `instagram`.
        """
        body = _carousel(media_ids, instagram_account_id, caption)
        guard = await self._duplicate_guard(
            CAROUSEL, body, allow_repeat=allow_repeat, allow_unchecked=allow_unchecked
        )
        return await self._core.start(
            CAROUSEL,
            body,
            _made,
            duplicate_guard=guard,
            precondition=guard.check_journal,
        )

    @on_package_loop
    async def require_new(
        self,
        *,
        media_id: str,
        instagram_account_id: str,
        caption: str | None = None,
        alt_text: str | None = None,
        product: str | None = None,
        share_to_feed: bool | None = None,
        scheduled_at: datetime | str | None = None,
    ) -> None:
        """Raise the error with which `instagram` would refuse a repeated post; send nothing.

        Call it before you ask a user to confirm a post. `instagram` checks again.

        Parameters
        ----------
        media_id, instagram_account_id, caption, alt_text, product, scheduled_at
            See `instagram`.

        Raises
        ------
        InvalidInputError, AlreadyPublishedError, HistoryUnavailableError, OutcomeUnknownError
            See `instagram`.
        """
        body = _body(
            media_id,
            instagram_account_id,
            caption,
            alt_text,
            product=product,
            share_to_feed=share_to_feed,
        )
        self._add_time(body, scheduled_at)
        await self._require_new(PUBLISHING, body)

    @on_package_loop
    async def require_new_carousel(
        self,
        *,
        media_ids: Sequence[str],
        instagram_account_id: str,
        caption: str | None = None,
    ) -> None:
        """Raise the error with which `instagram_carousel` would refuse a repetition; send nothing.

        Parameters
        ----------
        media_ids, instagram_account_id, caption
            See `instagram_carousel`.

        Raises
        ------
        InvalidInputError, AlreadyPublishedError, HistoryUnavailableError, OutcomeUnknownError
            See `instagram`.
        """
        await self._require_new(CAROUSEL, _carousel(media_ids, instagram_account_id, caption))

    async def _require_new(self, operation: Operation, body: dict[str, Any]) -> None:
        guard = await self._duplicate_guard(operation, body)
        await self._core.require_new(operation, body, guard, guard.check_journal)

    def _add_time(self, body: dict[str, Any], scheduled_at: datetime | str | None) -> str | None:
        """Add the posting time to a request, and return it; None means now."""
        due = self.checked_time(scheduled_at)
        if due is not None:
            body["scheduledAt"] = due
        return due

    def checked_time(self, scheduled_at: datetime | str | None) -> str | None:
        """Convert a posting time to the API's format; None means now.

        Raises
        ------
        InvalidInputError
            If the time is not possible; checked with the service's clock if it is known.
        """
        now = datetime.now(UTC) + timedelta(seconds=self._core.transport.clock.offset)
        return posting_time.parse(scheduled_at, now)

    async def _is_image(self, media_id: str) -> bool:
        """Whether the service reports that media is an image; False if it does not say."""
        try:
            found = await media.find(self._core, media_id)
        except WondaError:  # undocumented; the service will decide
            return False
        return (found.mime_type or "").startswith("image/")

    async def _duplicate_guard(
        self, operation: Operation, body: dict[str, Any], **allowed: bool
    ) -> duplicate_guard.DuplicatePostGuard:
        """Create the guard that prevents publishing a post twice."""
        dedupe_key = await dedupe_keys.dedupe_key(self._core, body)
        former = await former_keys(self._core, body, dedupe_key)
        return duplicate_guard.DuplicatePostGuard(
            self._core, operation, body, dedupe_key, former_keys=former, **allowed
        )

    @on_package_loop
    async def scheduled(self) -> list[ScheduledPost]:
        """List the scheduled posts of all accounts, earliest first.

        Raises
        ------
        PermissionDeniedError
            If the account cannot schedule posts.
        APIError, ServiceUnreachableError, UnexpectedReplyError
        """
        return await scheduled_posts.list_posts(self._core)

    @on_package_loop
    async def cancel(self, post: ScheduledPost | Job | str) -> None:
        """Cancel a scheduled post.

        Parameters
        ----------
        post : ScheduledPost, Job or str
            A post from `scheduled`, a job from `instagram`, or the job's ID.

        Raises
        ------
        ConflictError
            If posting has begun or ended; check the account.
        NotFoundError, PermissionDeniedError
            If there is no such post, or the account cannot schedule.
        ServiceUnreachableError, UnexpectedReplyError
            If it is unknown whether the post was canceled.
        """
        await scheduled_posts.cancel(self._core, _job_id(post))

    @on_package_loop
    async def check(self, unknown: Job | OutcomeUnknownError) -> PostOutcome:
        """Find out whether a post with an unknown outcome was made.

        Parameters
        ----------
        unknown : OutcomeUnknownError or Job
            The error from `instagram`, or a job without an ID from `jobs.recent`.

        Returns
        -------
        PostOutcome
            ``posted`` is True, False, or None if the outcome cannot be known yet.

        Raises
        ------
        InvalidInputError
            If the argument is not about a post in this client's journal.
        APIError, ServiceUnreachableError
            If the history cannot be read.
        """
        return await outcome_check.check(self._core, PUBLISHING, await self._entry(unknown))

    @on_package_loop
    async def settle(self, unknown: Job | OutcomeUnknownError, *, posted: bool) -> None:
        """Record what you saw on the account if `check` could not find the outcome.

        Before a post counts as not posted, its job is polled once more, if it has one.

        Raises
        ------
        InvalidInputError
            If the argument is not about a post in this client's journal, or the post is being sent
            right now, or is known to have been made although you say that it was not.
        APIError, ServiceUnreachableError
            If the post's job cannot be polled.
        """
        journal, written = self._core.journal, False
        while not written:
            entry = await self._entry(unknown)
            entries.require_not_sending(entry)
            if posted:
                written = await asyncio.wrap_future(
                    journal.mark_posted(entry.intent, None, entry.job_id, entries.SAID_BY_PERSON)
                )
                continue
            if not await self._is_job_lost(entry):
                entry = await self._entry(unknown)
                entries.require_undecided(entry)
            # Fails if the entry has changed since it was read.
            written = await asyncio.wrap_future(journal.mark_absent(entry))

    async def _is_job_lost(self, entry: JournalEntry) -> bool:
        """Whether the job of an unfinished post no longer exists at the service."""
        if entry.job_id is None or entry.ended or entry.state == "posted":
            return False
        try:
            await self._core.poll_once("publish", entry.job_id)
        except (NotFoundError, GoneError):
            return True
        return False

    async def _entry(self, unknown: Job | OutcomeUnknownError) -> JournalEntry:
        intent = getattr(unknown, "intent", None)
        self._core.transport.check_open()
        found = (
            await asyncio.wrap_future(self._core.journal.find_by_intent(intent)) if intent else []
        )
        if not found or found[0].kind != "publish":
            raise InvalidInputError(
                "unknown",
                "This post is not in the journal.",
                "Pass the OutcomeUnknownError from publish.instagram, or a job from jobs.recent().",
            )
        return found[0]

    @on_package_loop
    async def history(
        self, *, limit: int = 10, instagram_account_id: str | None = None
    ) -> dict[str, Any]:
        """Give the account's latest posts as the service reports them.

        The shape of the rows is undocumented, so the response is returned as it is.
        """
        limit = plain_values.to_plain(limit)
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
            raise InvalidInputError("limit", f"limit must be a number from 1 to {MAX_LIMIT:,}.")
        query: dict[str, Any] = {"limit": limit}
        if instagram_account_id is not None:
            query["instagramAccountId"] = _account_id(instagram_account_id)
        raw = await self._core.transport.get("/instagram/publishes", query)
        if not isinstance(raw, dict):
            raise UnexpectedReplyError("The publish history is not an object.", "Try again later.")
        return raw


class Publish(Blocking[AsyncPublish]):
    """Blocking interface for publishing to Instagram."""

    instagram = blocking(AsyncPublish.instagram, check=PUBLISHING.check)
    instagram_carousel = blocking(AsyncPublish.instagram_carousel, check=CAROUSEL.check)
    require_new = blocking(AsyncPublish.require_new)
    require_new_carousel = blocking(AsyncPublish.require_new_carousel)
    scheduled = blocking(AsyncPublish.scheduled)
    cancel = blocking(AsyncPublish.cancel)
    check = blocking(AsyncPublish.check)
    settle = blocking(AsyncPublish.settle)
    history = blocking(AsyncPublish.history)


def _named(raw: Any) -> SubmitResult:
    reply = parse(raw, PublishResponse)
    return SubmitResult(reply.output_job_id, reply.status or "")


def _made(raw: Any) -> SubmitResult:
    """Read the response to a carousel request: the post itself, or possibly a job."""
    reply = parse(raw, CarouselResponse)
    if reply.output_job_id:
        return SubmitResult(reply.output_job_id, reply.status or "")
    if reply.status not in {None, "succeeded"} or reports_failure(raw):
        return SubmitResult("")  # reported as unfinished or failed: outcome unknown
    post = reply.instagram_publish_id or reply.ig_media_id or find_permalink(raw) or ""
    return SubmitResult(post, reply=raw, final=True)


def _body(
    media_id: str,
    instagram_account_id: str,
    caption: str | None,
    alt_text: str | None,
    *,
    product: str | None,
    share_to_feed: bool | None,
) -> dict[str, Any]:
    if not isinstance(media_id, str) or not media_id:
        raise InvalidInputError(
            "media_id", "There is no image to publish.", "Pass job.wait().media.media_id."
        )
    account_id = _account_id(instagram_account_id)
    kind = plain_values.optional_text("product", "The product", product)
    if share_to_feed is not None and kind not in {None, "REELS"}:
        raise InvalidInputError(
            "share_to_feed", "Only a reel can also be shown in the feed.", "Leave it out."
        )
    said = _text("alt_text", alt_text, MAX_ALT_TEXT_LENGTH)
    body = {
        "mediaId": arguments.check_id("media_id", "an image", media_id),
        "instagramAccountId": account_id,
        "caption": _text("caption", caption, MAX_CAPTION_LENGTH),
        "altText": None if kind in PRODUCTS_WITHOUT_ALT_TEXT else said,
        "product": kind,
        "shareToFeed": share_to_feed,
    }
    return {name: value for name, value in body.items() if value is not None}


def _carousel(
    media_ids: Sequence[str], instagram_account_id: str, caption: str | None
) -> dict[str, Any]:
    given = plain_values.to_plain(media_ids)
    slides = given if isinstance(given, list) else []
    if not slides or not all(isinstance(each, str) and each for each in slides):
        raise InvalidInputError(
            "media_ids",
            "A carousel needs a list of media IDs.",
            "Pass [image.media.media_id for image in images].",
        )
    check_slide_count(len(slides))
    slides = [arguments.check_id("media_ids", "an image", each) for each in slides]
    if len(set(slides)) < len(slides):
        raise InvalidInputError(
            "media_ids", "An image is in this carousel twice.", "Remove one of the two."
        )
    body = {
        "mediaIds": slides,
        "instagramAccountId": _account_id(instagram_account_id),
        "caption": _text("caption", caption, MAX_CAPTION_LENGTH),
    }
    return {name: value for name, value in body.items() if value is not None}


def _account_id(instagram_account_id: str) -> str:
    if not isinstance(instagram_account_id, str) or not instagram_account_id:
        raise InvalidInputError(
            "instagram_account_id",
            "No Instagram account was chosen.",
            "Use one from wonda.accounts.instagram().",
        )
    return arguments.check_id("instagram_account_id", "an account", instagram_account_id)


def _job_id(post: ScheduledPost | Job | str) -> str:
    found = post if isinstance(post, str) else getattr(post, "job_id", getattr(post, "id", None))
    if not isinstance(found, str) or found.strip() in {"", ".", ".."}:
        raise InvalidInputError(
            "post", "This is not a scheduled post.", "Pass one from wonda.publish.scheduled()."
        )
    return found.strip()


def _text(field: str, given: str | None, most: int) -> str | None:
    """Check a string that is published with a post."""
    found = plain_values.optional_text(field, f"The {field.replace('_', ' ')}", given)
    check_text_length(field, found, most)
    return found
