"""Posts that wait for their time (wonda-api.md, sections 7.1 and 7.3).

What the service lists of them is documented nowhere but for the job and the time; the
rest is looked for under the names that the rest of the API uses, and else the journal
knows it, if the post was scheduled with it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from ..errors import (
    ConflictError,
    GoneError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ServiceUnreachableError,
    UnexpectedReplyError,
    WondaError,
)
from ..http.responses import reports_failure
from ..models import parse_timestamp
from . import post_history
from .post_matching import (
    FAILED,
    SKEW,
    PostMatch,
    images_of,
    same_words,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..jobs.core import Core

PATH = "/publish/scheduled"
#: What an empty list may be called, and what a row tells one or more of.
NAMES = frozenset(
    {
        *("scheduled", "scheduledPublishes", "scheduledPosts", "scheduledJobs"),
        *("publishes", "posts", "items", "jobs", "data", "results"),
    }
)
FACTS = frozenset({"outputJobId", "jobId", "scheduledFor", "scheduledAt"})
OVER = FAILED | {"succeeded"}  # what waits no more; of what was made, the history tells
CANCELED = frozenset({"canceled", "cancelled", "deleted", "ok"})  # as a reply may call it
FEATURE_OFF = "feature_disabled"  # the service's word
NO_SCHEDULING = (
    "This account has no scheduling. Post now instead, or ask Wonda to switch scheduling on for it."
)


class ScheduledPost(msgspec.Struct, frozen=True, kw_only=True):
    """A post that waits for its time.

    Attributes
    ----------
    job_id : str
        Of its publish job; `publish.cancel` takes it.
    scheduled_for : datetime.datetime or None
        When it will be made, in UTC.
    media_ids : tuple of str
        What will be posted, as far as that is known.
    instagram_account_id : str or None
    caption : str or None
    raw : dict
        As the service lists it.
    """

    job_id: str
    scheduled_for: datetime | None = None
    media_ids: tuple[str, ...] = ()
    instagram_account_id: str | None = None
    caption: str | None = None
    raw: dict[str, Any] = {}


async def list_posts(core: Core) -> list[ScheduledPost]:
    """Give the posts that wait, earliest first.

    Raises
    ------
    PermissionDeniedError
        If the account has no scheduling.
    APIError, ServiceUnreachableError, UnexpectedReplyError
    """
    return [post for post in await _all(core) if post.job_id]


async def waiting(core: Core, body: Mapping[str, Any]) -> list[post_history.HistoryPost]:
    """Give the Instagram posts that wait and may be what a request asks for.

    They come as rows of the history would tell them. A row that tells neither image nor caption
    is known by its time alone: it may be a post for that time, and says nothing of another.

    Raises
    ------
    PermissionDeniedError, APIError, ServiceUnreachableError, UnexpectedReplyError
    """
    known = await asyncio.wrap_future(core.journal.posts(core.journal_key))
    ended = {record.job_id for record in known if record.ended}
    due = parse_timestamp(body.get("scheduledAt"))
    return [
        _as_row(post)
        for post in await _all(core)
        if not _is_elsewhere(post.raw)
        and post.job_id not in ended
        and (_text(post.raw, "status") or "").lower() not in OVER
        and (post.media_ids or post.caption or (due and not _is_off(post.scheduled_for, due)))
    ]


def _is_off(at: datetime | None, due: datetime | None) -> bool:
    """Whether two times, as far as both are known, are surely not the same."""
    return at is not None and due is not None and abs(at - due) > SKEW


def _as_row(post: ScheduledPost) -> post_history.HistoryPost:
    return msgspec.structs.replace(
        post_history.post(post.raw),
        media_ids=frozenset(post.media_ids),
        account_id=post.instagram_account_id,
        caption=post.caption,
        status="scheduled",
        job_id=post.job_id or None,
        created_at=None,
        scheduled_for=post.scheduled_for,
    )


def _is_elsewhere(row: dict[str, Any]) -> bool:
    """Whether a row says that it is of another network; the list has TikTok's posts too."""
    named = (_text(row, name) for name in ("platform", "provider", "network", "type", "kind"))
    return any("tiktok" in name.lower() for name in [*row, *filter(None, named)])


async def _all(core: Core) -> list[ScheduledPost]:
    """All rows, those that name no job too."""
    try:
        raw = await core.transport.get(PATH)
    except PermissionDeniedError as error:
        raise error.with_hint(NO_SCHEDULING) from None
    rows = _rows(raw)
    known = await asyncio.wrap_future(core.journal.posts(core.journal_key))
    asked = {record.job_id: record.body for record in known}
    found = [_read(row, asked) for row in rows]
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(found, key=lambda post: post.scheduled_for or last)


def _rows(raw: Any) -> list[dict[str, Any]]:
    """Read the list, whatever it is called.

    Raises
    ------
    UnexpectedReplyError
        If it is none, or only a part: what is not in it would be taken for not scheduled.
    """
    lists = [raw] if isinstance(raw, list) else []
    if isinstance(raw, dict) and not reports_failure(raw):
        lists = [value for value in raw.values() if isinstance(value, list)]
        if raw.get("nextCursor") not in (None, "") or raw.get("hasMore"):
            lists = []
    rows = lists[0] if len(lists) == 1 else None
    is_named = isinstance(raw, list) or NAMES & set(raw if isinstance(raw, dict) else ())
    if rows is None or not (rows or is_named):
        raise _no_list()
    if not all(isinstance(row, dict) and FACTS & row.keys() for row in rows):
        raise _no_list()
    return rows


def _no_list() -> UnexpectedReplyError:
    return UnexpectedReplyError(
        "The service answered with something other than the list of scheduled posts.",
        "Try again later.",
    )


def _read(row: dict[str, Any], asked: Mapping[str | None, dict[str, Any]]) -> ScheduledPost:
    """One row; what it does not say is taken from what was asked for."""
    ids = (_text(row, name) for name in ("outputJobId", "jobId", "id"))
    job_id = next(filter(None, ids), "")
    body = asked.get(job_id, {})
    of_row = post_history.media_ids(row)
    of_body = tuple(images_of(body)) if body else ()
    times = (parse_timestamp(_text(row, name)) for name in ("scheduledFor", "scheduledAt"))
    return ScheduledPost(
        job_id=job_id,
        scheduled_for=next(filter(None, times), parse_timestamp(body.get("scheduledAt"))),
        media_ids=of_body or tuple(sorted(of_row)),
        instagram_account_id=_text(row, "instagramAccountId") or body.get("instagramAccountId"),
        caption=_text(row, "caption") or body.get("caption"),
        raw=row,
    )


def _text(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) and value else None


async def cancel(core: Core, job_id: str) -> None:
    """Take back a post that waits for its time.

    Raises
    ------
    ConflictError
        If it has started or ended.
    NotFoundError, PermissionDeniedError, ServiceUnreachableError
        If nothing was taken back, or that is not known.
    """
    try:
        _check_canceled(await core.transport.delete(f"{PATH}/{quote(job_id, safe='')}"))
    except (
        NotFoundError,
        GoneError,
        ConflictError,
        ServerError,
        ServiceUnreachableError,
        UnexpectedReplyError,
    ) as error:
        # It may be canceled all the same: by an earlier try whose answer was lost.
        if not await _is_canceled(core, job_id):
            raise error.with_hint(_reason(error)) from None
    except PermissionDeniedError as error:
        raise error.with_hint(NO_SCHEDULING) from None
    await core.tell("publish", job_id, {"status": "canceled"})


def _check_canceled(raw: Any) -> None:
    """Take a reply's word that a post was canceled only if nothing in it says otherwise.

    Raises
    ------
    UnexpectedReplyError
    """
    if raw is None:  # it is empty
        return
    if isinstance(raw, dict) and not reports_failure(raw):
        status = raw.get("status", "ok")
        if isinstance(status, str) and status.lower() in CANCELED:
            return
    raise UnexpectedReplyError("The service did not say that the post was canceled.", "")


def _reason(error: WondaError) -> str:
    if isinstance(error, NotFoundError | GoneError):
        return "It is not among the scheduled posts any more; look at the account."
    if isinstance(error, ConflictError):
        return "It has started or ended already, so it can’t be canceled; look at the account."
    return "It is not known whether it was canceled. Look at the list again."


async def _is_canceled(core: Core, job_id: str) -> bool:
    try:
        return (await core.ask("publish", job_id)).status == "canceled"
    except WondaError:
        return False


async def find(
    core: Core, body: Mapping[str, Any], others: set[str]
) -> tuple[ScheduledPost | None, bool]:
    """Find the scheduled post that a request asked for, and whether it is surely that one.

    As with the history, a wrong no would schedule it twice: what a row does not say, or says a
    little differently, makes it doubtful, not another.

    Raises
    ------
    PermissionDeniedError, APIError, ServiceUnreachableError, UnexpectedReplyError
    """
    doubtful = None
    for post in await _all(core):
        like = _likeness(post, body, others)
        if like is PostMatch.OURS:
            return post, True
        if like is PostMatch.DOUBTFUL:
            doubtful = post
    return doubtful, False


def _likeness(post: ScheduledPost, body: Mapping[str, Any], others: set[str]) -> PostMatch:
    due = parse_timestamp(body["scheduledAt"])
    at = post.scheduled_for
    elsewhere = post.instagram_account_id not in {None, body["instagramAccountId"]}
    if post.job_id in others or elsewhere or _is_off(at, due):
        return PostMatch.OTHER
    images, words = set(post.media_ids), same_words(post.caption, body.get("caption"))
    here = bool(images & images_of(body))
    if images and not here and words is not True:
        return PostMatch.OTHER
    sure = bool(post.job_id) and at is not None and at == due and here and words is not False
    return PostMatch.OURS if sure else PostMatch.DOUBTFUL


def is_due(body: Mapping[str, Any], now: datetime) -> bool:
    """Whether the time of a request's post, if it has one, has come."""
    due = parse_timestamp(body.get("scheduledAt"))
    return due is None or due <= now
