"""A post is made once: what counts as the same one, and what became of it.

Three sources are looked at before a post leaves: the journal, which all kernels on
this machine share and in which only one of them can claim a post, the account's
publish history, which knows the posts of everybody, and the scheduled posts.

A post whose answer was lost stands in the way of the same one until it is
settled, here, by the history: it was posted, or it was not. That it is not in the history
says so only of a post that the service never said it took; of one that it took, the person
decides. And where the history cannot be read, the person decides whether to post unchecked.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import (
    AlreadyPublishedError,
    APIError,
    AuthenticationError,
    BadRequestError,
    ClosedError,
    GoneError,
    HistoryUnavailableError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ServiceUnreachableError,
    UnexpectedReplyError,
    WondaError,
)
from ..jobs.job import SCHEDULED
from ..models import parse_timestamp
from . import post_history, scheduled_posts
from .post_matching import (
    FAILED,
    SKEW,
    PostMatch,
    match,
    place_of,
    plain,
    repeats,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from ..jobs.core import Core
    from ..jobs.job import Job
    from ..jobs.submission import Operation
    from ..journal.entries import JournalEntry

#: Seconds for which a post whose answer was lost may be on its way and not in the history yet:
#: so long the history's silence proves nothing. Some list a post only when it has ended.
GRACE = 600.0
LATELY = 86_400.0  # seconds around a post within which others that were made must be listed too
AGAIN = 30.0  # seconds between looks at the history meanwhile
LOOK_BACK = 2  # pages of the history before a post

MOST_EDITS = 20  # of edits of one image

NOT_POSTED = "It was not posted. You can publish it again."
WAITING = frozenset({"queued", "scheduled", "idle", "locked", "in_progress"})

#: How a request names the places that have several names.
PRODUCTS = {"feed": "IMAGE", "story": "STORIES", "reels": "REELS"}

#: The account or the service has no history. All else says that it cannot be read now.
NO_HISTORY = (BadRequestError, PermissionDeniedError, NotFoundError, GoneError)


#: With these the service itself says so; another server says it in another way.
NONE_CODES = frozenset(
    {
        *("bad_request", "validation_error", "forbidden", "feature_disabled"),
        *("paid_plan_required", "not_found", "gone"),
    }
)


def _is_hopeless(error: WondaError) -> bool:
    """Whether a post could not be sent either."""
    no_connection = isinstance(error, ServiceUnreachableError) and not error.sent
    return no_connection or isinstance(error, AuthenticationError | ClosedError)


def grace(record: JournalEntry) -> float:
    """Give the seconds for which the history's silence about a post proves nothing."""
    return max(GRACE, record.answer_limit)


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


async def dedupe_key(core: Core, body: Mapping[str, Any]) -> str:
    """What two requests for the same post have in common: image, account, caption, place.

    An edit is known by what was done to which image, so that the same one, uploaded again by
    another kernel, is the same image. Neither the time nor the order of a carousel's
    images makes it another one: whoever wants both says so.

    The journal keeps this, so a change of it goes with one of `_earlier_names`.
    """
    media_ids = list(body.get("mediaIds") or [body["mediaId"]])
    images = sorted([await _image_of(core, media_id) for media_id in media_ids])
    return name_of([images if len(images) > 1 else images[0], *told(body)])


def told(body: Mapping[str, Any]) -> list[Any]:
    """What a request says of the same post itself: account, caption, place."""
    several = len(body.get("mediaIds") or ()) > 1
    place = PRODUCTS.get(place_of(body) or "", body.get("product"))
    return [
        body["instagramAccountId"],
        plain(body.get("caption")),
        "CAROUSEL" if several else place,
    ]


def name_of(what: list[Any]) -> str:
    """What a post is called in the journal."""
    return hashlib.sha256(json.dumps(what).encode()).hexdigest()


async def _image_of(core: Core, media_id: str) -> str:
    """A media id; of an edit that this journal knows, what was done to which image."""
    done: list[Any] = []
    of, edits = await edits_of(core, media_id)
    for edit in edits:
        # The same image in another format is the same image.
        changes = [each for each in edit.get("operations") or () if not _only_encodes(each)]
        done += [changes] if changes else []
    return of if not done else json.dumps([of, done[::-1]], sort_keys=True)


async def edits_of(core: Core, media_id: str) -> tuple[str, list[dict[str, Any]]]:
    """Which media an upload goes back to, and by which edits, the last one first."""
    edits: list[dict[str, Any]] = []
    of = media_id
    for _ in range(MOST_EDITS):
        edit = await asyncio.wrap_future(core.journal.edit_of(core.journal_key, of))
        if edit is None:
            break
        of = str(edit.get("of"))
        edits.append(edit)
    return of, edits


def _only_encodes(operation: object) -> bool:
    return isinstance(operation, dict) and operation.get("type") == "encode"


class DuplicatePostGuard:
    """Keeps one post from being made twice.

    Parameters
    ----------
    core : Core
    operation : Operation
    body : dict
        The request.
    same_as : str
        See `same_as`.
    also : tuple of str
        Other names of the same post in the journal, see `_earlier_names`.
    repeat : bool
        Whether it may be made again.
    unchecked : bool
        Whether it may be made where the history cannot be read.
    """

    for_good = False  # a post that failed can be made again

    def __init__(
        self,
        core: Core,
        operation: Operation,
        body: Mapping[str, Any],
        same_as: str,
        *,
        also: tuple[str, ...] = (),
        repeat: bool = False,
        unchecked: bool = False,
    ) -> None:
        self._core = core
        self._operation = operation
        self._body = body
        self._unchecked = unchecked
        self.repeat = repeat
        self.same_as = same_as
        self.also = also

    def guard(self, _connection: object) -> None:
        """Refuse, within the journal's transaction, where the journal does not know all.

        Raises
        ------
        HistoryUnavailableError
        """
        trouble = self._core.journal.trouble
        if trouble and not (self.repeat or self._unchecked):
            raise HistoryUnavailableError(
                f"Whether this was posted before may not be known here. {trouble}",
                "Nothing was sent. Look at the account, then pass allow_unchecked=True to publish.",
            )

    async def settle(self, earlier: JournalEntry) -> None:
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
                code="already_requested",
            )
        if earlier.unknown:
            finding = await self._looked_for(earlier)
            if finding.posted is not None:
                return  # settled: the journal is asked anew
            if not finding.on_its_way:
                reason = f"the same post was asked for before, and {_lower(finding.message)}"
                name, where = self._operation.name, self._operation.check
                raise OutcomeUnknownError(
                    name, reason, where, intent=earlier.intent, kind=self._operation.kind
                )
        elif earlier.state == "posted" or earlier.ended:
            asked = _moment(earlier.asked_at)
            raise _already(self._body, asked, earlier.permalink, earlier.job_id)
        elif await self._came_to_nothing(earlier):
            return
        raise AlreadyPublishedError(
            f"The same post is already {_under_way(earlier)}.",
            job_id=earlier.job_id,
            published_at=_moment(earlier.asked_at),
            code="already_requested",
        )

    async def _looked_for(self, earlier: JournalEntry) -> Finding:
        """Look for an earlier post; where that is not possible now, it stays unknown."""
        try:
            return await check(self._core, self._operation, earlier)
        except WondaError as error:
            if _is_hopeless(error):
                raise
            reason = _lower(error.message)
            return Finding(
                posted=None, message=f"The account’s history cannot be read now: {reason}."
            )

    async def _came_to_nothing(self, earlier: JournalEntry) -> bool:
        """Ask after a post that had not ended; raises if it was posted meanwhile."""
        job_id = earlier.job_id or ""
        try:
            now = await self._core.ask("publish", job_id)
        except (NotFoundError, GoneError):  # nothing says that it was posted, nor that it was not
            gone = self._core.journal.unknown(earlier.intent, "its job is gone")
            return await asyncio.wrap_future(gone)
        except WondaError:
            return False
        if now.status == "succeeded":
            raise _already(self._body, _moment(earlier.asked_at), now.permalink, job_id)
        return now.status in {"failed", "canceled"}

    async def look(self) -> None:
        """Look whether the account has the same post already, or waits to make it, for anybody.

        Raises
        ------
        AlreadyPublishedError
        HistoryUnavailableError
            If the history, or the list of scheduled posts, cannot be read now, though the
            service has one.
        """
        await self._refuse_same(await self._made(), "The account’s history")
        await self._refuse_same(await self._scheduled(), "The list of scheduled posts")

    async def _made(self) -> list[post_history.HistoryPost]:
        account = self._body["instagramAccountId"]
        try:
            found = await post_history.read(self._core.transport, account, pages=LOOK_BACK)
        except WondaError as error:
            self._refuse_unread(
                "publish history",
                "another computer has already made this post",
                error,
                may_be_missing=_has_none(error),
            )
            return []
        return found.posts

    async def _scheduled(self) -> list[post_history.HistoryPost]:
        try:
            return await scheduled_posts.waiting(self._core, self._body)
        except WondaError as error:
            # The list is not among what the service promises: where it is no more, nothing waits.
            no_list = not self._body.get("scheduledAt") and _is_no_path(error)
            self._refuse_unread(
                "list of scheduled posts",
                "another computer has already scheduled this post",
                error,
                may_be_missing=no_list or _has_none(error),
            )
            return []

    def _refuse_unread(
        self, what: str, whether: str, error: WondaError, *, may_be_missing: bool
    ) -> None:
        """Refuse to post where one of the account's lists cannot be read now."""
        if _is_hopeless(error):
            raise error
        if self._unchecked or may_be_missing:  # the journal was asked
            return
        problem = _lower(error.message)
        raise HistoryUnavailableError(
            f"The account’s {what} cannot be read now ({problem}), so it is not known "
            f"whether {whether}. The journal on this computer has no such post.",
            "Nothing was sent. Try again later, or pass allow_unchecked=True to publish "
            "without this check.",
        )

    async def _refuse_same(self, posts: list[post_history.HistoryPost], where: str) -> None:
        """Refuse to repeat a post of such a list, also one that may be the same."""
        alike = [(repeats(post, self._body), post) for post in posts]
        for like, post in alike:
            if like is PostMatch.OURS:
                raise self._same(post)
        doubtful = [post for like, post in alike if like is PostMatch.DOUBTFUL]
        others = await _known(self._core) if doubtful else set()
        for post in doubtful:
            if post.job_id not in others and post.permalink not in others:
                raise AlreadyPublishedError(
                    f"{where} has a post that may be the same; it does not say which "
                    "image it shows.",
                    permalink=post.permalink,
                    published_at=post.created_at,
                    job_id=post.job_id,
                    hint="Nothing was sent. Look at the account; if it is another post, pass "
                    "allow_repeat=True.",
                    code="possibly_published",
                )

    def _same(self, post: post_history.HistoryPost) -> AlreadyPublishedError:
        if (post.status or "").lower() not in WAITING:
            return _already(self._body, post.created_at, post.permalink, post.job_id)
        how = _when(post.scheduled_for) if post.scheduled_for else "on its way"
        return AlreadyPublishedError(
            f"The same post is already {how}.",
            permalink=post.permalink,
            published_at=post.created_at,
            job_id=post.job_id,
            hint="Nothing was sent. Cancel that one first, or pass allow_repeat=True to post both."
            if post.scheduled_for
            else "Nothing was sent. To post it again, pass allow_repeat=True.",
            code="already_requested",
        )


def _is_no_path(error: WondaError) -> bool:
    """Whether a server says that it has no such path."""
    return isinstance(error, APIError) and error.status in {404, 405, 410, 501}


def _has_none(error: WondaError) -> bool:
    """Whether the service itself says that there is no history."""
    return isinstance(error, APIError) and error.from_service and error.code in NONE_CODES


async def check(core: Core, operation: Operation, record: JournalEntry) -> Finding:
    """Settle a post whose outcome is unknown, by the account's history.

    Raises
    ------
    APIError, ServiceUnreachableError
        If the history cannot be read.
    """
    if record.job_id is not None and (record.unknown or not record.ended):
        again = await _asked_again(core, operation, record)
        if again is not None:
            return again
    gone = record.state == "accepted" and not record.ended  # asked after a job that is lost
    if not record.unknown and not gone:
        return _not_unknown(core, operation, record)
    waiting = await _among_scheduled(core, operation, record)
    if waiting is not None:
        return waiting
    return await _in_history(core, operation, record)


async def _asked_again(core: Core, operation: Operation, record: JournalEntry) -> Finding | None:
    """Ask after a job that was lost; None if it still is."""
    try:
        await core.ask("publish", record.job_id or "")
    except WondaError as error:
        if _is_hopeless(error):
            raise
        return None
    [now] = await asyncio.wrap_future(core.journal.of_intent(record.intent))
    return None if now.unknown else _not_unknown(core, operation, now)


async def _in_history(core: Core, operation: Operation, record: JournalEntry) -> Finding:
    """Look for a post in the account's history."""

    def asked() -> datetime:
        """When it was asked, by the service's clock, or earlier."""
        # Each of these may be by a clock that is wrong, so the earliest counts.
        by_us = min(record.asked_at + core.transport.clock.offset, _service_time(core))
        return _moment(by_us if record.served_at is None else min(by_us, record.served_at))

    def earliest() -> datetime:
        return min(asked(), _moment(record.asked_at))

    account = record.body["instagramAccountId"]
    try:
        found = await post_history.read(core.transport, account, since=lambda: earliest() - SKEW)
    except (*NO_HISTORY, UnexpectedReplyError):
        return _undecided("This account has no history that can be read")
    return await _concluded(core, operation, record, found, (asked(), earliest()))


async def _concluded(
    core: Core,
    operation: Operation,
    record: JournalEntry,
    found: post_history.PostHistory,
    asked: tuple[datetime, datetime],
) -> Finding:
    """Say what the history proves about a post."""
    ours, doubtful = await _among(core, record, found.posts, asked)
    failed = ours is not None and (ours.status or "").lower() in FAILED
    # One that failed may be another try, by another computer, while this one is on its way.
    if ours is not None and (not failed or _is_of_job(ours, record)):
        return await _settled(core, operation, record, ours)
    why = await _why_undecided(core, record, found, doubtful)
    if why:
        return _undecided(why, doubtful or ours)
    left = grace(record) - _quiet_for(core, record)
    if left > 0:
        minutes = math.ceil(grace(record) / 60)
        return Finding(
            posted=None,
            message="It is not in the account’s history yet, but may still arrive; that can take "
            f"{minutes} minute{'s' if minutes > 1 else ''}.",
            again_in=min(left, AGAIN),
        )
    if not found.posts:  # nor would one be that shows nothing at all
        return _undecided("The account’s history is empty, which proves nothing")
    if ours is not None:
        return await _settled(core, operation, record, ours)
    return await _noted(core, operation, record, core.journal.absent(record), NOT_POSTED)


async def _why_undecided(
    core: Core,
    record: JournalEntry,
    found: post_history.PostHistory,
    doubtful: post_history.HistoryPost | None,
) -> str:
    """Why the history’s silence proves nothing, however long it lasts; empty if it does."""
    if doubtful is not None:
        return "A post like this is in the account’s history"
    if record.taken:
        return "The service accepted this post, but its history does not show it"
    if not found.complete:
        return "The account’s history does not tell"
    shown = {value for post in found.posts for value in (post.job_id, post.permalink)}
    for other in await asyncio.wrap_future(core.journal.posts(core.journal_key)):
        is_made = other.state == "posted" or other.status == "succeeded"
        lately = abs(other.asked_at - record.asked_at) < LATELY
        same_account = other.body.get("instagramAccountId") == record.body["instagramAccountId"]
        if is_made and lately and same_account and not {other.job_id, other.permalink} & shown:
            return "The account’s history lacks other posts that were made"
    return ""


def _service_time(core: Core) -> float:
    there = core.transport.clock.now
    return datetime.now(UTC).timestamp() if there is None else there


def _quiet_for(core: Core, record: JournalEntry) -> float:
    """Seconds, or fewer, since a post may last have been on its way; no set clock adds to them."""
    quiet = record.quiet_for
    due = parse_timestamp(record.body.get("scheduledAt"))
    if due is not None and due.timestamp() <= _service_time(core):
        quiet = min(quiet, _service_time(core) - due.timestamp())  # it left the list then
    return quiet


def _is_of_job(post: post_history.HistoryPost, record: JournalEntry) -> bool:
    return record.job_id is not None and post.job_id == record.job_id


async def _known(core: Core, but: JournalEntry | None = None) -> set[str]:
    """The job ids and addresses of all posts that the journal knows, `but` of one."""
    known = await asyncio.wrap_future(core.journal.posts(core.journal_key))
    return {
        value
        for other in known
        if but is None or other.intent != but.intent
        for value in (other.job_id, other.permalink)
        if value
    }


async def _among_scheduled(
    core: Core, operation: Operation, record: JournalEntry
) -> Finding | None:
    """Look whether a post that is to wait for its time does; None if it does not."""
    if not record.body.get("scheduledAt"):
        return None
    try:
        post, sure = await scheduled_posts.find(core, record.body, await _known(core, record))
    except (*NO_HISTORY, UnexpectedReplyError):
        # Either clock may be wrong; neither makes it due alone.
        earlier = min(datetime.now(UTC), _moment(_service_time(core)))
        if scheduled_posts.is_due(record.body, earlier):
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
    core: Core,
    record: JournalEntry,
    posts: list[post_history.HistoryPost],
    asked: tuple[datetime, datetime],
) -> tuple[post_history.HistoryPost | None, post_history.HistoryPost | None]:
    """Find the row of a request, or else one of which it cannot be told."""
    others = await _known(core, record)
    ours: list[post_history.HistoryPost] = []
    doubtful = None
    for post in posts:
        if _is_of_job(post, record):
            return post, None
        if post.job_id in others or post.permalink in others:
            continue
        like = match(post, record.body, *asked)
        other_job = record.job_id is not None and post.job_id is not None
        if like is PostMatch.OURS and not other_job:
            ours.append(post)
        elif like is not PostMatch.OTHER:
            doubtful = doubtful or post
    # One that failed says nothing where another one did not.
    made = (post for post in ours if (post.status or "").lower() not in FAILED)
    return next(made, next(iter(ours), None)), doubtful


def _undecided(why: str, post: post_history.HistoryPost | None = None) -> Finding:
    return Finding(
        posted=None,
        message=f"{why}. Look at the account itself.",
        permalink=post.permalink if post else None,
        published_at=post.created_at if post else None,
    )


async def _noted(
    core: Core, operation: Operation, record: JournalEntry, written: Future[bool], message: str
) -> Finding:
    """Say that it was not posted, unless something else was found out meanwhile."""
    if await asyncio.wrap_future(written):
        return Finding(posted=False, message=message)
    [now] = await asyncio.wrap_future(core.journal.of_intent(record.intent))
    if now.unknown:
        return Finding(posted=None, message="It is looked into elsewhere.", again_in=5)
    return _not_unknown(core, operation, now)


def _not_unknown(core: Core, operation: Operation, record: JournalEntry) -> Finding:
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
    core: Core, operation: Operation, record: JournalEntry, post: post_history.HistoryPost
) -> Finding:
    """Note what the history says of a post."""
    status = (post.status or "").lower()
    if post.job_id and record.job_id is None:  # followed like any other: it may not have ended
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
    what = "These images were" if body.get("mediaIds") else "This image was"
    when = f" on {moment.astimezone():%d %b %Y at %H:%M}" if moment else ""
    return AlreadyPublishedError(
        f"{what} already posted to this account with this caption{when}.",
        permalink=permalink,
        published_at=moment,
        job_id=job_id,
    )


def _under_way(record: JournalEntry) -> str:
    due = parse_timestamp(record.body.get("scheduledAt"))
    if due is None or due <= datetime.now(UTC):
        return "on its way"
    return _when(due)


def _when(due: datetime) -> str:
    return f"scheduled for {due.astimezone():%d %b %Y at %H:%M %Z}"


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
