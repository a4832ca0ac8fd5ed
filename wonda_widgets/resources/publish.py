"""`POST /publish/instagram`, made once, and the history (wonda-api.md, 7.1 and 7.7)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from .. import runtime
from ..errors import InvalidInputError, OutcomeUnknownError, UnexpectedReplyError
from ..models import PublishReply, parse
from . import once
from ._core import Core, Named, Operation, on_package_loop

if TYPE_CHECKING:
    from ..jobs import Job
    from ..records import Record
    from .once import Finding

PUBLISHING = Operation(
    "publish",
    "/publish/instagram",
    "publishing to Instagram",
    "Look at the Instagram account, or have wonda.publish.check(error) look into its history.",
)

MAX_CAPTION = 2200  # characters
MAX_ALT_TEXT = 1000  # characters


class AsyncPublish:
    """Publish media."""

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
        allow_repeat: bool = False,
    ) -> Job:
        """Publish one picture to Instagram and get the job that follows it.

        The post is public as soon as the job succeeds. The same picture is not posted to the
        same account with the same caption again, by whichever kernel on this journal: the
        journal and the account's history are looked at before.

        Parameters
        ----------
        media_id : str
            Of a generated or uploaded media.
        instagram_account_id : str
            From `accounts.instagram`.
        caption : str, optional
            At most 2,200 characters.
        alt_text : str, optional
            The picture in words, at most 1,000 characters.
        product : str, optional
            ``"IMAGE"`` (the service's default for pictures), ``"STORIES"`` or ``"REELS"``.
        allow_repeat : bool
            Whether it may be the second post of its kind.

        Raises
        ------
        InvalidInputError
            If something is known to be refused; nothing was sent.
        AlreadyPublishedError
            If the same was posted before, or is on its way; nothing was sent.
        OutcomeUnknownError
            If the request may have arrived but its reply was lost, now or the last time that
            the same was published. It is not repeated; `check` settles it.
        APIError
            If the service refused it.
        """
        body = _body(media_id, instagram_account_id, caption, alt_text, product)
        first = once.PostOnce(self._core, PUBLISHING, body, repeat=allow_repeat)
        return await self._core.start(PUBLISHING, body, _named, once=first)

    @on_package_loop
    async def check(self, unknown: Job | OutcomeUnknownError) -> Finding:
        """Settle a post whose outcome is unknown: look for it in the account's history.

        Parameters
        ----------
        unknown : OutcomeUnknownError or Job
            The error that `instagram` raised, or a job of `jobs.recent` without an id.

        Returns
        -------
        Finding
            Whether it was posted; None where that cannot be said yet.

        Raises
        ------
        InvalidInputError
            If it is not of a post in this client's journal.
        APIError, ServiceUnreachableError
            If the history cannot be read.
        """
        return await once.check(self._core, PUBLISHING, await self._record(unknown))

    @on_package_loop
    async def settle(self, unknown: Job | OutcomeUnknownError, *, posted: bool) -> None:
        """Note what you saw at the account yourself, where `check` could not tell.

        Raises
        ------
        InvalidInputError
            If it is not of a post in this client's journal.
        """
        record = await self._record(unknown)
        journal = self._core.journal
        written = (
            journal.posted(record.intent, None, record.job_id) if posted else journal.absent(record)
        )
        await asyncio.wrap_future(written)

    async def _record(self, unknown: Job | OutcomeUnknownError) -> Record:
        intent = getattr(unknown, "intent", None)
        self._core.transport.check_open()
        found = await asyncio.wrap_future(self._core.journal.of_intent(intent)) if intent else []
        if not found or found[0].kind != "publish":
            raise InvalidInputError(
                "unknown",
                "This is not a post that the journal knows.",
                "Pass the OutcomeUnknownError of publish.instagram, or a job of jobs.recent().",
            )
        return found[0]

    @on_package_loop
    async def history(
        self, *, limit: int = 10, instagram_account_id: str | None = None
    ) -> dict[str, Any]:
        """The account's latest publishes, as the service tells them.

        The shape of its rows is documented nowhere, so the reply comes as it is.
        """
        query: dict[str, Any] = {"limit": limit}
        if instagram_account_id is not None:
            query["instagramAccountId"] = instagram_account_id
        raw = await self._core.transport.get("/instagram/publishes", query)
        if not isinstance(raw, dict):
            raise UnexpectedReplyError("The publish history is not an object.", "Try again later.")
        return raw


class Publish:
    """Publish media (blocking)."""

    def __init__(self, resource: AsyncPublish) -> None:
        self._async = resource

    def instagram(
        self,
        *,
        media_id: str,
        instagram_account_id: str,
        caption: str | None = None,
        alt_text: str | None = None,
        product: str | None = None,
        allow_repeat: bool = False,
    ) -> Job:
        """See `AsyncPublish.instagram`."""
        return runtime.call(
            self._async.instagram(
                media_id=media_id,
                instagram_account_id=instagram_account_id,
                caption=caption,
                alt_text=alt_text,
                product=product,
                allow_repeat=allow_repeat,
            ),
            interrupted=PUBLISHING.check,
        )

    def check(self, unknown: Job | OutcomeUnknownError) -> Finding:
        """See `AsyncPublish.check`."""
        return runtime.call(self._async.check(unknown))

    def settle(self, unknown: Job | OutcomeUnknownError, *, posted: bool) -> None:
        """See `AsyncPublish.settle`."""
        runtime.call(self._async.settle(unknown, posted=posted))

    def history(
        self, *, limit: int = 10, instagram_account_id: str | None = None
    ) -> dict[str, Any]:
        """See `AsyncPublish.history`."""
        return runtime.call(
            self._async.history(limit=limit, instagram_account_id=instagram_account_id)
        )


def _named(raw: Any) -> Named:
    reply = parse(raw, PublishReply)
    return Named(reply.output_job_id, reply.status or "")


def _body(
    media_id: str,
    instagram_account_id: str,
    caption: str | None,
    alt_text: str | None,
    product: str | None,
) -> dict[str, Any]:
    if not isinstance(media_id, str) or not media_id:
        raise InvalidInputError(
            "media_id", "There is no picture to publish.", "Pass job.wait().media.media_id."
        )
    if not isinstance(instagram_account_id, str) or not instagram_account_id:
        raise InvalidInputError(
            "instagram_account_id",
            "No Instagram account was chosen.",
            "Take one from wonda.accounts.instagram().",
        )
    check_length("caption", caption, MAX_CAPTION)
    check_length("alt_text", alt_text, MAX_ALT_TEXT)
    body = {
        "mediaId": media_id,
        "instagramAccountId": instagram_account_id,
        "caption": caption,
        "altText": alt_text,
        "product": product,
    }
    return {name: value for name, value in body.items() if value is not None}


def check_length(field: str, text: str | None, most: int) -> None:
    """Refuse a text that is known to be too long.

    Raises
    ------
    InvalidInputError
    """
    if text is not None and len(text) > most:
        raise InvalidInputError(
            field,
            f"The {field.replace('_', ' ')} has {len(text):,} characters; the most is {most:,}.",
            f"Shorten it by {len(text) - most:,}.",
        )
