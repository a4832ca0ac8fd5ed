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
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import (
    AlreadyPublishedError,
    BadRequestError,
    GoneError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    UnexpectedReplyError,
    WondaError,
)
from ..jobs import SCHEDULED
from ..models import timestamp
from . import post_history, schedule
from .likeness import SKEW, Likeness, is_same, likeness, plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from ..jobs import Job
    from ..records import Record
    from ._core import Core, Operation

#: Seconds for which a request whose answer was lost may still take effect: so long the
#: history's silence proves nothing.
GRACE = 30.0
#: The same of a carousel, which the service answers only when all of it is posted.
CAROUSEL_GRACE = 240.0
LOOK_BACK = 2  # pages of the history before a post

MOST_EDITS = 20  # of edits of one picture

NOT_POSTED = "It was not posted. You can publish it again."
FAILED = frozenset({"failed", "canceled", "cancelled"})
WAITING = frozenset({"queued", "scheduled", "idle", "locked", "in_progress"})

#: The account or the service has no history. All else says that it cannot be read now.
NO_HISTORY = (
    BadRequestError,
    PermissionDeniedError,
    NotFoundError,
    GoneError,
    UnexpectedReplyError,
)


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
        Seconds after which it is worth checking again; None if only you can tell.
    on_its_way : bool
        Whether it did arrive and has not ended.
    """

    posted: bool | None
    message: str
    permalink: str | None = None
    published_at: datetime | None = None
    job: Job | None = None
    again_in: float | None = None
    on_its_way: bool = False


async def same_as(core: Core, body: Mapping[str, Any]) -> str:
    """What two requests for the same post have in common: picture, account, caption, place.

    An edit is known by what was done to which picture, so that the same one, uploaded again by
    another kernel, is the same picture. Neither the time nor the order of a carousel's
    pictures makes it another one: whoever wants both says so.
    """
    media_ids = list(body.get("mediaIds") or [body["mediaId"]])
    pictures = sorted([await _picture_of(core, media_id) for media_id in media_ids])
    several = len(pictures) > 1
    what = [
        pictures if several else pictures[0],
        body["instagramAccountId"],
        plain(body.get("caption")),
        "CAROUSEL" if several else body.get("product") or "IMAGE",
    ]
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


async def _picture_of(core: Core, media_id: str) -> str:
    """A media id; of an edit that this journal knows, what was done to which picture."""
    done: list[Any] = []
    of = media_id
    for _ in range(MOST_EDITS):
        edit = await asyncio.wrap_future(core.journal.edit_of(core.base_url, of))
        if edit is None:
            break
        of = str(edit.get("of"))
        done.append(edit.get("operations"))
    return of if not done else json.dumps([of, done[::-1]], sort_keys=True)


class PostOnce:
    """Keeps one post from being made twice.

    Parameters
    ----------
    core : Core
    operation : Operation
    body : dict
        The request.
    same_as : str
        See `same_as`.
    repeat : bool
        Whether it may be made again.
    """

    for_good = False  # a post that failed can be made again

    def __init__(
        self,
        core: Core,
        operation: Operation,
        body: Mapping[str, Any],
        same_as: str,
        *,
        repeat: bool = False,
    ) -> None:
        self._core = core
        self._operation = operation
        self._body = body
        self.repeat = repeat
        self.same_as = same_as

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
            raise AlreadyPublishedError(
                "The same post is being sent at this moment.",
                hint="Nothing was sent. Wait until that one has its answer.",
            )
        if earlier.unknown:
            finding = await check(self._core, self._operation, earlier)
            if finding.posted is not None:
                return  # settled: the journal is asked anew
            if not finding.on_its_way:
                reason = f"the same post was asked for before, and {_lower(finding.message)}"
                name, where = self._operation.name, self._operation.check
                raise OutcomeUnknownError(name, reason, where, intent=earlier.intent)
        elif earlier.state == "posted" or earlier.ended:
            asked = _moment(earlier.asked_at)
            raise _already(self._body, asked, earlier.permalink, earlier.job_id)
        elif await self._came_to_nothing(earlier):
            return
        raise AlreadyPublishedError(
            f"The same post is {_under_way(earlier)} already.",
            job_id=earlier.job_id,
            published_at=_moment(earlier.asked_at),
        )

    async def _came_to_nothing(self, earlier: Record) -> bool:
        """Ask after a post that had not ended; raises if it was posted meanwhile."""
        job_id = earlier.job_id or ""
        try:
            now = await self._core.ask("publish", job_id)
        except NotFoundError:  # nothing says that it was posted, and nothing that it was not
            gone = self._core.journal.unknown(earlier.intent, "its job is gone")
            return await asyncio.wrap_future(gone)
        except WondaError:
            return False
        if now.status == "succeeded":
            raise _already(self._body, _moment(earlier.asked_at), now.permalink, job_id)
        return now.status in {"failed", "canceled"}

    async def look(self) -> None:
        """Look whether the account's history has the same post, whoever made it.

        Raises
        ------
        AlreadyPublishedError
        APIError, ServiceUnreachableError
            If the history cannot be read now, though the service has one.
        """
        try:
            found = await post_history.read(
                self._core.transport, self._body["instagramAccountId"], pages=LOOK_BACK
            )
        except NO_HISTORY:
            return  # the journal was asked
        for post in found.posts:
            if is_same(post, self._body):
                if (post.status or "").lower() in WAITING:
                    raise AlreadyPublishedError(
                        "The same post is on its way already.",
                        permalink=post.permalink,
                        published_at=post.created_at,
                        job_id=post.job_id,
                    )
                raise _already(self._body, post.created_at, post.permalink, post.job_id)


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
    waiting = await _among_scheduled(core, operation, record)
    if waiting is not None:
        return waiting
    return await _in_history(core, operation, record, gone=gone)


async def _in_history(core: Core, operation: Operation, record: Record, *, gone: bool) -> Finding:
    """Look for a post in the account's history; `gone`: its job is not there any more."""

    def asked() -> datetime:
        """When it was asked, by the service's clock."""
        return _moment(record.asked_at + core.transport.ahead)

    account = record.body["instagramAccountId"]
    try:
        found = await post_history.read(core.transport, account, since=lambda: asked() - SKEW)
    except NO_HISTORY:
        return _undecided("This account has no history to look into")
    ours, doubtful = await _among(core, record, found.posts, asked())
    if ours is not None:
        return await _settled(core, operation, record, ours)
    if doubtful is not None or gone or not found.complete:
        like = "A post like this is in the account’s history"
        return _undecided(like if doubtful else "The account’s history does not tell", doubtful)
    left = _may_still_arrive(record, datetime.now(UTC))
    if left > 0:
        return Finding(
            posted=None,
            message="It is not in the account’s history so far, but may still arrive.",
            again_in=left,
        )
    return await _noted(core, operation, record, core.journal.absent(record), NOT_POSTED)


def _may_still_arrive(record: Record, now: datetime) -> float:
    """Seconds for which a post that is nowhere to be seen may yet be made."""
    grace = CAROUSEL_GRACE if record.body.get("mediaIds") else GRACE
    since = record.told_at
    due = timestamp(record.body.get("scheduledAt"))
    if due is not None and due <= now:  # it has left the list, and is being posted
        since = max(since, due.timestamp())
    return min(grace, since + grace - now.timestamp())


async def _others(core: Core, record: Record) -> set[str]:
    """The job ids and addresses of all other posts that the journal knows."""
    known = await asyncio.wrap_future(core.journal.posts(core.base_url))
    return {
        value
        for other in known
        if other.intent != record.intent
        for value in (other.job_id, other.permalink)
        if value
    }


async def _among_scheduled(core: Core, operation: Operation, record: Record) -> Finding | None:
    """Look whether a post that is to wait for its time does; None if it does not."""
    if not record.body.get("scheduledAt"):
        return None
    try:
        post, sure = await schedule.found(core, record.body, await _others(core, record))
    except NO_HISTORY:
        if schedule.is_due(record.body, datetime.now(UTC)):
            return None  # the history tells more by now
        return _undecided("The scheduled posts cannot be listed")
    if post is None:
        return None
    if not sure:
        return _undecided("A post like this is among the scheduled ones")
    await asyncio.wrap_future(core.journal.accepted(record.intent, post.job_id, SCHEDULED))
    [now] = await asyncio.wrap_future(core.journal.of_intent(record.intent))
    return _followed(core.revived(now, operation), "It did arrive, and is scheduled.")


async def _among(
    core: Core, record: Record, posts: list[post_history.Post], asked: datetime
) -> tuple[post_history.Post | None, post_history.Post | None]:
    """Find the row of a request, or else one of which it cannot be told."""
    others = await _others(core, record)
    found: dict[Likeness, post_history.Post] = {}
    for post in posts:
        if post.job_id not in others and post.permalink not in others:
            known_by_id = record.job_id is not None and post.job_id == record.job_id
            like = Likeness.OURS if known_by_id else likeness(post, record.body, asked)
            found.setdefault(like, post)
    return found.get(Likeness.OURS), found.get(Likeness.DOUBTFUL)


def _undecided(why: str, post: post_history.Post | None = None) -> Finding:
    return Finding(
        posted=None,
        message=f"{why}. Look at the account itself.",
        permalink=post.permalink if post else None,
        published_at=post.created_at if post else None,
    )


async def _noted(
    core: Core, operation: Operation, record: Record, written: Future[bool], message: str
) -> Finding:
    """Say that it was not posted, unless something else was found out meanwhile."""
    if await asyncio.wrap_future(written):
        return Finding(posted=False, message=message)
    [now] = await asyncio.wrap_future(core.journal.of_intent(record.intent))
    if now.unknown:
        return Finding(posted=None, message="It is looked into elsewhere.", again_in=5)
    return _not_unknown(core, operation, now)


def _not_unknown(core: Core, operation: Operation, record: Record) -> Finding:
    """Tell of a request that is settled already, or not yet."""
    match record.state:
        case "sending":
            return Finding(posted=None, message="It is being sent at this moment.", again_in=5)
        case "posted":
            return _posted(record.permalink, None)
        case "accepted" if record.status == "succeeded":
            return _posted(record.permalink, None, core.revived(record, operation))
        case "accepted" if not record.ended:
            return _followed(core.revived(record, operation))
    return Finding(posted=False, message=NOT_POSTED)


async def _settled(
    core: Core, operation: Operation, record: Record, post: post_history.Post
) -> Finding:
    """Note what the history says of a post."""
    status = (post.status or "").lower()
    if post.job_id:  # followed like any other: it may not have ended
        await asyncio.wrap_future(core.journal.accepted(record.intent, post.job_id, status))
        [now] = await asyncio.wrap_future(core.journal.of_intent(record.intent))
        job = core.revived(now, operation)
        if status == "succeeded":
            return _posted(post.permalink, post.created_at, job)
        return _followed(job)
    if status in FAILED:
        message = "It did arrive, but failed. You can publish it again."
        return await _noted(core, operation, record, core.journal.absent(record), message)
    if post.permalink or status in {"", "succeeded"}:
        await asyncio.wrap_future(core.journal.posted(record.intent, post.permalink, None))
        return _posted(post.permalink, post.created_at)
    if status in WAITING:
        return Finding(
            posted=None, message="It did arrive, and is on its way.", again_in=5, on_its_way=True
        )
    return _undecided(f"The account’s history calls it “{status}”", post)


def _followed(job: Job, message: str = "It did arrive, and is followed.") -> Finding:
    return Finding(posted=None, message=message, job=job, on_its_way=True)


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


def _already(
    body: Mapping[str, Any], moment: datetime | None, permalink: str | None, job_id: str | None
) -> AlreadyPublishedError:
    what = "These pictures were" if body.get("mediaIds") else "This picture was"
    when = f" on {moment.astimezone():%d %b %Y at %H:%M}" if moment else ""
    return AlreadyPublishedError(
        f"{what} already posted to this account with this caption{when}.",
        permalink=permalink,
        published_at=moment,
        job_id=job_id,
    )


def _under_way(record: Record) -> str:
    due = timestamp(record.body.get("scheduledAt"))
    if due is None or due <= datetime.now(UTC):
        return "on its way"
    return f"scheduled for {due.astimezone():%d %b %Y at %H:%M %Z}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
