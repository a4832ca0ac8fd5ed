"""`POST /publish/instagram` and the publish history (wonda-api.md, sections 7.1 and 7.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import runtime
from ..errors import InvalidInputError, UnexpectedReplyError
from ..models import PublishReply, parse
from ._core import Core, named_in_the_reply, on_package_loop

if TYPE_CHECKING:
    from ..jobs import Job

OPERATION = "publishing to Instagram"
CHECK = "Look at the Instagram account (or wonda.publish.history()) before you publish again."

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
    ) -> Job:
        """Publish one picture to Instagram and get the job that follows it.

        The post is public as soon as the job succeeds.

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

        Raises
        ------
        InvalidInputError
            If something is known to be refused; nothing was sent.
        OutcomeUnknownError
            If the request may have arrived but its reply was lost. It is not repeated.
        APIError
            If the service refused it.
        """
        body = _body(media_id, instagram_account_id, caption, alt_text, product)
        raw = await self._core.transport.post("/publish/instagram", OPERATION, CHECK, body=body)
        with named_in_the_reply("job", OPERATION, CHECK):
            reply = parse(raw, PublishReply)
            return self._core.follow(
                "publish", reply.output_job_id, request=body, status=reply.status
            )

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
    ) -> Job:
        """See `AsyncPublish.instagram`."""
        return runtime.call(
            self._async.instagram(
                media_id=media_id,
                instagram_account_id=instagram_account_id,
                caption=caption,
                alt_text=alt_text,
                product=product,
            ),
            interrupted=CHECK,
        )

    def history(
        self, *, limit: int = 10, instagram_account_id: str | None = None
    ) -> dict[str, Any]:
        """See `AsyncPublish.history`."""
        return runtime.call(
            self._async.history(limit=limit, instagram_account_id=instagram_account_id)
        )


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
