"""List, match and cancel scheduled posts (wonda-api.md, sections 7.1 and 7.3).

Only the job and time of a listed post are documented. Other facts are looked up under the names
that the rest of the API uses, then in the journal, if the post is recorded there.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

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
from ..utils import arguments
from . import post_history
from .post_matching import (
    CLOCK_TOLERANCE,
    FAILED_STATUSES,
    PostMatch,
    captions_match,
    media_ids_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..jobs.core import Core

PATH = "/publish/scheduled"
#: Names that identify an empty list.
LIST_NAMES = frozenset(
    {
        *("scheduled", "scheduledPublishes", "scheduledPosts", "scheduledJobs"),
        *("publishes", "posts", "items", "jobs", "data", "results"),
    }
)
#: Every row has at least one of these.
ROW_FIELDS = frozenset({"outputJobId", "jobId", "scheduledFor", "scheduledAt"})
ENDED_STATUSES = FAILED_STATUSES | {"succeeded"}  # such posts are in the history
CANCELED_STATUSES = frozenset({"canceled", "cancelled", "deleted", "ok"})
FEATURE_DISABLED = "feature_disabled"  # the service's error code
NO_SCHEDULING_HINT = (
    "Scheduling is not enabled for this account. Post now instead, or ask Wonda to enable it."
)


class ScheduledPost(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled post that has not been made yet.

    Attributes
    ----------
    job_id : str
        The ID of its publish job, for `publish.cancel`.
    scheduled_for : datetime.datetime or None
        When it will be posted, in UTC.
    media_ids : tuple of str
        The images that will be posted, if known.
    instagram_account_id : str or None
    caption : str or None
    raw : dict
        The row as the service returned it.

    Examples
    --------
    >>> for post in wonda.publish.scheduled():
    ...     print(post.job_id, post.scheduled_for)
    """

    job_id: str
    scheduled_for: datetime | None = None
    media_ids: tuple[str, ...] = ()
    instagram_account_id: str | None = None
    caption: str | None = None
    raw: dict[str, Any] = {}


async def list_posts(core: Core) -> list[ScheduledPost]:
    """List the scheduled posts, earliest first.

    Raises
    ------
    PermissionDeniedError
        If scheduling is not enabled for the account.
    APIError, ServiceUnreachableError, UnexpectedReplyError
    """
    return [post for post in await _fetch_all(core) if post.job_id]


async def possible_duplicates(
    core: Core, body: Mapping[str, Any]
) -> list[post_history.HistoryPost]:
    """List scheduled Instagram posts that may be the post of a request, as history rows.

    A row without image and caption is listed only if its time matches that of the request.

    Raises
    ------
    PermissionDeniedError, APIError, ServiceUnreachableError, UnexpectedReplyError
    """
    entries = await asyncio.wrap_future(core.journal.confirmed_posts(core.journal_key))
    ended = {entry.job_id for entry in entries if entry.ended}
    due = parse_timestamp(body.get("scheduledAt"))
    return [
        _to_history_post(post)
        for post in await _fetch_all(core)
        if not _is_other_network(post.raw)
        and post.job_id not in ended
        and (_text(post.raw, "status") or "").lower() not in ENDED_STATUSES
        and (post.media_ids or post.caption or (due and not _differs(post.scheduled_for, due)))
    ]


async def find(
    core: Core, body: Mapping[str, Any], other_posts: set[str]
) -> tuple[ScheduledPost | None, bool]:
    """Find the scheduled post of a request.

    A row that lacks a fact or differs slightly is uncertain: ignoring it could schedule the post
    twice.

    Parameters
    ----------
    core : Core
    body : dict
        The request.
    other_posts : set of str
        The job IDs of other known posts.

    Returns
    -------
    tuple of (ScheduledPost or None, bool)
        The post, and whether it is certainly the request's.

    Raises
    ------
    PermissionDeniedError, APIError, ServiceUnreachableError, UnexpectedReplyError
    """
    ambiguous = None
    for post in await _fetch_all(core):
        result = _match(post, body, other_posts)
        if result is PostMatch.MATCH:
            return post, True
        if result is PostMatch.AMBIGUOUS:
            ambiguous = post
    return ambiguous, False


async def cancel(core: Core, job_id: str) -> None:
    """Cancel a scheduled post.

    Raises
    ------
    ConflictError
        If posting has started or ended.
    NotFoundError, PermissionDeniedError, ServiceUnreachableError
        If the post was not canceled, or the outcome is unknown.
    """
    segment = arguments.path_segment("post", "a scheduled post", job_id)
    try:
        _require_canceled(await core.transport.delete(f"{PATH}/{segment}"))
    except (
        NotFoundError,
        GoneError,
        ConflictError,
        ServerError,
        ServiceUnreachableError,
        UnexpectedReplyError,
    ) as error:
        # An earlier attempt, whose response was lost, may have canceled it.
        if not await _is_canceled(core, job_id):
            raise error.with_hint(_cancel_hint(error)) from None
    except PermissionDeniedError as error:
        raise error.with_hint(NO_SCHEDULING_HINT) from None
    await core.tell("publish", job_id, {"status": "canceled"})


def is_due(body: Mapping[str, Any], now: datetime) -> bool:
    """Return whether the time of a request's post has come; True if it has no time."""
    due = parse_timestamp(body.get("scheduledAt"))
    return due is None or due <= now


# ---------------------------------------------------------------- reading the list


async def _fetch_all(core: Core) -> list[ScheduledPost]:
    """Fetch all rows, even those without a job."""
    try:
        raw = await core.transport.get(PATH)
    except PermissionDeniedError as error:
        raise error.with_hint(NO_SCHEDULING_HINT) from None
    rows = _rows(raw)
    entries = await asyncio.wrap_future(core.journal.confirmed_posts(core.journal_key))
    requests = {entry.job_id: entry.body for entry in entries}
    posts = [_parse_row(row, requests) for row in rows]
    last = datetime.max.replace(tzinfo=UTC)
    return sorted(posts, key=lambda post: post.scheduled_for or last)


def _rows(raw: Any) -> list[dict[str, Any]]:
    """Return the rows of a response, whatever their list is called.

    Raises
    ------
    UnexpectedReplyError
        If the response is not a complete list: other posts would seem not to be scheduled.
    """
    lists = [raw] if isinstance(raw, list) else []
    if isinstance(raw, dict) and not reports_failure(raw):
        lists = [value for value in raw.values() if isinstance(value, list)]
        if raw.get("nextCursor") not in (None, "") or raw.get("hasMore"):
            lists = []
    rows = lists[0] if len(lists) == 1 else None
    is_named = isinstance(raw, list) or LIST_NAMES & set(raw if isinstance(raw, dict) else ())
    if rows is None or not (rows or is_named):
        raise _unexpected()
    if not all(isinstance(row, dict) and ROW_FIELDS & row.keys() for row in rows):
        raise _unexpected()
    return rows


def _unexpected() -> UnexpectedReplyError:
    return UnexpectedReplyError(
        "The response from the service is not the list of scheduled posts.",
        "Try again later.",
    )


def _parse_row(row: dict[str, Any], requests: Mapping[str | None, dict[str, Any]]) -> ScheduledPost:
    """Parse one row; complete it from the request in the journal."""
    ids = (_text(row, name) for name in ("outputJobId", "jobId", "id"))
    job_id = next(filter(None, ids), "")
    body = requests.get(job_id, {})
    times = (parse_timestamp(_text(row, name)) for name in ("scheduledFor", "scheduledAt"))
    return ScheduledPost(
        job_id=job_id,
        scheduled_for=next(filter(None, times), parse_timestamp(body.get("scheduledAt"))),
        media_ids=tuple(media_ids_of(body) if body else sorted(post_history.media_ids(row))),
        instagram_account_id=_text(row, "instagramAccountId") or body.get("instagramAccountId"),
        caption=_text(row, "caption") or body.get("caption"),
        raw=row,
    )


def _text(row: dict[str, Any], name: str) -> str | None:
    value = row.get(name)
    return value if isinstance(value, str) and value else None


def _to_history_post(post: ScheduledPost) -> post_history.HistoryPost:
    return msgspec.structs.replace(
        post_history.parse_row(post.raw),
        media_ids=frozenset(post.media_ids),
        account_id=post.instagram_account_id,
        caption=post.caption,
        status="scheduled",
        job_id=post.job_id or None,
        created_at=None,
        scheduled_for=post.scheduled_for,
    )


# ---------------------------------------------------------------- matching


def _match(post: ScheduledPost, body: Mapping[str, Any], other_posts: set[str]) -> PostMatch:
    due = parse_timestamp(body["scheduledAt"])
    has_other_account = post.instagram_account_id not in {None, body["instagramAccountId"]}
    if post.job_id in other_posts or has_other_account or _differs(post.scheduled_for, due):
        return PostMatch.DIFFERENT
    images, same_caption = set(post.media_ids), captions_match(post.caption, body.get("caption"))
    shows_images = bool(images & media_ids_of(body))
    if images and not shows_images and same_caption is not True:
        return PostMatch.DIFFERENT
    is_certain = (
        bool(post.job_id)
        and post.scheduled_for is not None
        and post.scheduled_for == due
        and shows_images
        and same_caption is not False
    )
    return PostMatch.MATCH if is_certain else PostMatch.AMBIGUOUS


def _differs(time: datetime | None, other: datetime | None) -> bool:
    """Return whether two times certainly differ; False if one is unknown."""
    return time is not None and other is not None and abs(time - other) > CLOCK_TOLERANCE


def _is_other_network(row: dict[str, Any]) -> bool:
    """Return whether a row is for TikTok, whose posts are in the same list."""
    values = (_text(row, name) for name in ("platform", "provider", "network", "type", "kind"))
    return any("tiktok" in word.lower() for word in [*row, *filter(None, values)])


# ---------------------------------------------------------------- canceling


def _require_canceled(raw: Any) -> None:
    """Accept an empty response, or one that says that the post was canceled.

    Raises
    ------
    UnexpectedReplyError
    """
    if raw is None:
        return
    if isinstance(raw, dict) and not reports_failure(raw):
        status = raw.get("status", "ok")
        if isinstance(status, str) and status.lower() in CANCELED_STATUSES:
            return
    raise UnexpectedReplyError("The service did not confirm that the post was canceled.", "")


def _cancel_hint(error: WondaError) -> str:
    if isinstance(error, NotFoundError | GoneError):
        return "The post is no longer scheduled; check the account."
    if isinstance(error, ConflictError):
        return "Posting has started or ended, so it can’t be canceled; check the account."
    return "We don’t know whether the post was canceled. Check the list of scheduled posts."


async def _is_canceled(core: Core, job_id: str) -> bool:
    try:
        return (await core.poll_once("publish", job_id)).status == "canceled"
    except WondaError:
        return False
