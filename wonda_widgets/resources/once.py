"""A post is made once: what counts as the same one, and what became of it.

Two sources are looked at before a post leaves: the journal, which all kernels on
this machine share and in which only one of them can claim a post, and the
account's publish history, which knows the posts of everybody.

A post whose answer was lost stands in the way of the same one until it is
settled, here, by the history: it was posted, or it was not.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import (
    AlreadyPublishedError,
    APIError,
    AuthenticationError,
    NotFoundError,
    OutcomeUnknownError,
    RateLimitError,
    ServerError,
    UnexpectedReplyError,
)
from . import history

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..jobs import Job
    from ..journal import Record
    from ._core import Core, Operation

#: Seconds for which a request whose answer was lost may still take effect: so long the
#: history's silence proves nothing.
GRACE = 30.0
#: How far the service's clock may differ from what its replies tell of it.
SKEW = timedelta(seconds=60)
LOOK_BACK = 2  # pages of the history before a post


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What was found out about a post whose outcome was unknown.

    Attributes
    ----------
    posted : bool or None
        None: it cannot be said, or not yet.
    message : str
        The same in a sentence, with what to do next.
    permalink : str or None
        The post, where it is known.
    published_at : datetime.datetime or None
        When, in UTC.
    job : Job or None
        Its publish job, where the history names it.
    again_in : float or None
        Seconds after which it is worth checking again.
    """

    posted: bool | None
    message: str
    permalink: str | None = None
    published_at: datetime | None = None
    job: Job | None = None
    again_in: float | None = None


def same_as(body: Mapping[str, Any]) -> str:
    """What two requests for the same post have in common: picture, account, caption, place."""
    what = [
        body["mediaId"],
        body["instagramAccountId"],
        _words(body.get("caption")),
        body.get("product") or "IMAGE",
    ]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def _words(caption: str | None) -> str:
    """A caption without what services change about it."""
    return " ".join((caption or "").split())


class PostOnce:
    """Keeps one post from being made twice.

    Parameters
    ----------
    core : Core
    operation : Operation
    body : dict
        The request.
    repeat : bool
        Whether it may be made again.
    """

    def __init__(
        self, core: Core, operation: Operation, body: Mapping[str, Any], *, repeat: bool = False
    ) -> None:
        self._core = core
        self._operation = operation
        self._body = body
        self.repeat = repeat
        self.same_as = same_as(body)

    async def settle(self, earlier: Record) -> None:
        """Look what became of the same post, of which the journal knows.

        Raises
        ------
        AlreadyPublishedError
            If it was posted, or is on its way.
        OutcomeUnknownError
            If that is not known.
        """
        if earlier.sending:
            raise AlreadyPublishedError("The same post is being sent at this moment.")
        if earlier.unknown:
            finding = await check(self._core, self._operation, earlier)
            if finding.posted is None:
                error = OutcomeUnknownError(
                    self._operation.name, _lower(finding.message), self._operation.check
                )
                error.intent = earlier.intent
                raise error
            return  # settled: the journal is asked anew
        if earlier.state == "accepted" and not earlier.ended:
            if await self._ended_without(earlier):
                return
            raise AlreadyPublishedError(
                "The same post is on its way already.",
                job_id=earlier.job_id,
                published_at=_moment(earlier.asked_at),
            )
        raise _already(_moment(earlier.asked_at), earlier.permalink, earlier.job_id)

    async def _ended_without(self, earlier: Record) -> bool:
        """Ask after a post on its way; whether it has come to nothing."""
        job_id = earlier.job_id or ""
        job = self._core.follow("publish", job_id, request=earlier.body, intent=earlier.intent)
        async for snapshot in job.updates():
            if snapshot.raw or snapshot.error or snapshot.trouble:
                break
        snapshot = job.snapshot
        if isinstance(snapshot.error, NotFoundError):
            # The service does not know it: nothing says that it was posted.
            await asyncio.wrap_future(self._core.journal.unknown(earlier.intent, "its job is gone"))
            return True
        if snapshot.status in {"failed", "canceled"}:
            return True
        if snapshot.status == "succeeded":
            raise _already(_moment(earlier.asked_at), snapshot.permalink, job_id)
        return False

    async def look(self) -> None:
        """Look whether the account's history has the same post, whoever made it.

        Raises
        ------
        AlreadyPublishedError
        APIError, ServiceUnreachableError
            If the history cannot be read now, though the service has one.
        """
        try:
            found = await history.read(
                self._core.transport, self._body["instagramAccountId"], pages=LOOK_BACK
            )
        except (AuthenticationError, RateLimitError, ServerError):
            raise  # nothing was sent, and the post would hardly fare better
        except (APIError, UnexpectedReplyError):
            return  # this account or service has no history; the journal was asked
        for post in found.posts:
            if post.media_id == self._body["mediaId"] and _same(post, self._body):
                raise _already(post.created_at, post.permalink, post.job_id)


async def check(core: Core, operation: Operation, record: Record) -> Finding:
    """Settle a post whose outcome is unknown, by the account's history.

    Raises
    ------
    APIError, ServiceUnreachableError
        If the history cannot be read.
    """
    gone = record.state == "accepted" and not record.ended  # asked after a job that is lost
    if not record.unknown and not gone:
        return _not_unknown(core, operation, record)

    def asked() -> datetime:
        """When it was asked, by the service's clock."""
        return _moment(record.asked_at + core.transport.ahead)

    account = record.body["instagramAccountId"]
    found = await history.read(core.transport, account, since=lambda: asked() - SKEW)
    known = await asyncio.wrap_future(core.journal.same(core.base_url, record.same_as))
    others = {
        value
        for other in known
        if other.intent != record.intent
        for value in (other.job_id, other.permalink)
        if value
    }
    for post in found.posts:
        mine = post.job_id not in others and post.permalink not in others
        if mine and _may_be(post, record, asked()):
            return await _settled(core, operation, record, post)
    if (
        gone
        or not found.complete
        or any(_says_too_little(post, record, asked()) for post in found.posts)
    ):
        return Finding(
            posted=None,
            message="The account’s history does not tell. Look at the account itself.",
        )
    left = record.told_at + GRACE - datetime.now(UTC).timestamp()
    if left > 0:
        return Finding(
            posted=None,
            message="It is not in the account’s history so far, but may still arrive.",
            again_in=left,
        )
    await asyncio.wrap_future(core.journal.absent(record.intent))
    return Finding(posted=False, message="It was not posted. You can publish it again.")


def _not_unknown(core: Core, operation: Operation, record: Record) -> Finding:
    """Tell of a request that is settled already, or not yet."""
    match record.state:
        case "sending":
            return Finding(posted=None, message="It is being sent at this moment.", again_in=5)
        case "accepted" if record.status == "succeeded":
            return _posted(record.permalink, None, core.revived(record, operation))
        case "posted":
            return _posted(record.permalink, None)
    return Finding(posted=False, message="It was not posted. You can publish it again.")


async def _settled(core: Core, operation: Operation, record: Record, post: history.Post) -> Finding:
    """Note what the history says of a post."""
    if post.job_id:  # followed like any other: it may not have ended
        await asyncio.wrap_future(
            core.journal.accepted(record.intent, post.job_id, post.status or "")
        )
        [now] = await asyncio.wrap_future(core.journal.of_intent(record.intent))
        job = core.revived(now, operation)
        if post.status == "succeeded":
            return _posted(post.permalink, post.created_at, job)
        return Finding(posted=None, message="It did arrive, and is followed.", job=job)
    if post.status in {"failed", "canceled"}:
        await asyncio.wrap_future(core.journal.absent(record.intent))
        return Finding(posted=False, message="It did arrive, but failed. You can publish it again.")
    if post.status in {None, "succeeded"}:
        await asyncio.wrap_future(core.journal.posted(record.intent, post.permalink, None))
        return _posted(post.permalink, post.created_at)
    return Finding(posted=None, message="It did arrive, and is on its way.", again_in=5)


def _posted(
    permalink: str | None, published_at: datetime | None, job: Job | None = None
) -> Finding:
    return Finding(
        posted=True,
        message="It was posted.",
        permalink=permalink,
        published_at=published_at,
        job=job,
    )


def _same(post: history.Post, body: Mapping[str, Any]) -> bool:
    """Whether a row speaks of the account, the words and the place of a request."""
    return (
        post.account_id in {None, body["instagramAccountId"]}
        and _words(post.caption) == _words(body.get("caption"))
        and (post.product or "IMAGE") == (body.get("product") or "IMAGE")
        and post.status not in {"failed", "canceled"}
    )


def _may_be(post: history.Post, record: Record, asked: datetime) -> bool:
    """Whether a row is of this request; by its words and time where it names no picture."""
    if post.created_at is None or post.created_at < asked - SKEW:
        return False
    if post.media_id not in {None, record.body["mediaId"]}:
        return False
    either = msgspec.structs.replace(post, status=None)
    return _same(either, record.body)


def _says_too_little(post: history.Post, record: Record, asked: datetime) -> bool:
    """Whether a row may be of this request, for all one can read in it."""
    if post.created_at is not None and post.created_at < asked - SKEW:
        return False
    other = (post.product or "IMAGE") != (record.body.get("product") or "IMAGE")
    nothing = post.media_id is None and post.caption is None
    return not other and (post.created_at is None or nothing)


def _already(
    moment: datetime | None, permalink: str | None, job_id: str | None
) -> AlreadyPublishedError:
    when = f" on {moment.astimezone():%d %b %Y at %H:%M}" if moment else ""
    return AlreadyPublishedError(
        f"This picture was already posted there with this caption{when}.",
        permalink=permalink,
        published_at=moment,
        job_id=job_id,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
