"""Check whether a post was published if its response was lost.

    poll its job, if known ──> look among scheduled posts ──> look in the publish history
                                                                     │
       posted | not posted | still in progress | undecided: the user decides

The absence of a post from the history proves that it was not made only if the service never
accepted it, the history shows other posts, and enough time has passed (`grace_seconds`).
"""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from ..errors import (
    AuthenticationError,
    BadRequestError,
    ClosedError,
    GoneError,
    NotFoundError,
    PermissionDeniedError,
    ServiceUnreachableError,
    UnexpectedReplyError,
    WondaError,
)
from ..jobs.job import SCHEDULED
from ..models import parse_timestamp
from . import post_history, scheduled_posts
from .post_matching import CLOCK_TOLERANCE, FAILED_STATUSES, PostMatch, match_request

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ..jobs.core import Core
    from ..jobs.job import Job
    from ..jobs.submission import Operation
    from ..journal.entries import JournalEntry

#: How long a post may be in progress without being in the history. Some histories list a post only
#: when it has ended.
GRACE_SECONDS = 600.0
#: A history is unreliable if it lacks other posts published this close to a post.
NEARBY_SECONDS = 86_400.0
RECHECK_SECONDS = 30.0  # between checks while a post may still arrive
SHORT_RECHECK_SECONDS = 5.0  # between checks of a post that is known to be in progress

NOT_POSTED = "It was not posted. You can publish it again."
PENDING_STATUSES = frozenset({"queued", "scheduled", "idle", "locked", "in_progress"})

#: Errors that mean that there is no history. All others mean that it cannot be read right now.
NO_HISTORY_ERRORS = (BadRequestError, PermissionDeniedError, NotFoundError, GoneError)


class PostOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The result of checking a post whose outcome was unknown.

    Attributes
    ----------
    posted : bool or None
        Whether the post was published; None if that is unknown or not known yet.
    message : str
        A sentence with the result, and what to do next.
    permalink : str or None
        The URL of the post, if known.
    published_at : datetime.datetime or None
        When it was posted, in UTC.
    job : Job or None
        The post's job, if the history contains it.
    retry_after : float or None
        Seconds after which to check again; None if only the user can decide.
    in_progress : bool
        Whether the service received the post and is still processing it.

    Examples
    --------
    >>> for job in wonda.jobs.recent():
    ...     if job.kind == "publish" and job.id is None:  # its outcome is unknown
    ...         print(wonda.publish.check(job).message)
    """

    posted: bool | None
    message: str
    permalink: str | None = None
    published_at: datetime | None = None
    job: Job | None = None
    retry_after: float | None = None
    in_progress: bool = False


async def check(core: Core, operation: Operation, entry: JournalEntry) -> PostOutcome:
    """Check the outcome of a post and record it in the journal.

    Parameters
    ----------
    core : Core
    operation : Operation
    entry : JournalEntry
        The post's entry in the journal.

    Raises
    ------
    APIError, ServiceUnreachableError
        If the history cannot be read.
    """
    if entry.job_id is not None and (entry.is_unknown or not entry.ended):
        finding = await _ask_job(core, operation, entry)
        if finding is not None:
            return finding
    is_job_lost = entry.state == "accepted" and not entry.ended  # the job did not respond
    if not entry.is_unknown and not is_job_lost:
        return _known_outcome(core, operation, entry)
    scheduled = await _look_among_scheduled(core, operation, entry)
    if scheduled is not None:
        return scheduled
    return await _look_in_history(core, operation, entry)


def grace_seconds(entry: JournalEntry) -> float:
    """Return how many seconds a post's absence from the history proves nothing."""
    return max(GRACE_SECONDS, entry.response_timeout)


def is_hopeless(error: WondaError) -> bool:
    """Return whether a new post would fail for the same reason."""
    no_connection = isinstance(error, ServiceUnreachableError) and not error.sent
    return no_connection or isinstance(error, AuthenticationError | ClosedError)


async def known_posts(core: Core, exclude: JournalEntry | None = None) -> set[str]:
    """Return the job IDs and permalinks of all posts in the journal except one."""
    entries = await asyncio.wrap_future(core.journal.confirmed_posts(core.journal_key))
    return {
        value
        for entry in entries
        if exclude is None or entry.intent != exclude.intent
        for value in (entry.job_id, entry.permalink)
        if value
    }


def to_datetime(seconds: float) -> datetime:
    """Convert seconds since 1970 into a datetime in UTC; an impossible time becomes 1970."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # of a damaged entry
        return datetime.fromtimestamp(0, UTC)


def utc_now() -> datetime:
    """Return the time by this computer's clock."""
    return datetime.now(UTC)


# ---------------------------------------------------------------- the job and the scheduled posts


async def _ask_job(core: Core, operation: Operation, entry: JournalEntry) -> PostOutcome | None:
    """Request the status of the post's job; return None if there is no response."""
    try:
        await core.poll_once("publish", entry.job_id or "")
    except WondaError as error:
        if is_hopeless(error):
            raise
        return None
    current = await _reread(core, entry)
    return None if current.is_unknown else _known_outcome(core, operation, current)


async def _look_among_scheduled(
    core: Core, operation: Operation, entry: JournalEntry
) -> PostOutcome | None:
    """Look for this post among the scheduled posts; return None if not scheduled or not listed."""
    if not entry.body.get("scheduledAt"):
        return None
    try:
        post, is_certain = await scheduled_posts.find(
            core, entry.body, await known_posts(core, entry)
        )
    except (*NO_HISTORY_ERRORS, UnexpectedReplyError):
        # Either clock may be wrong, so the post is due only by both of them.
        if scheduled_posts.is_due(entry.body, min(utc_now(), to_datetime(_service_time(core)))):
            return None  # by now, the history has it
        return _undecided("The scheduled posts cannot be listed")
    if post is None:
        return None
    if not is_certain:
        return _undecided("A similar post is among the scheduled posts")
    await asyncio.wrap_future(core.journal.mark_accepted(entry.intent, post.job_id, SCHEDULED))
    job = core.restore_job(await _reread(core, entry), operation)
    return _following(job, "Wonda received the post and scheduled it.")


# ---------------------------------------------------------------- the history


async def _look_in_history(core: Core, operation: Operation, entry: JournalEntry) -> PostOutcome:
    def requested_at() -> datetime:
        """Return when a request was sent by the service's clock, or an earlier time."""
        # Each of these clocks may be wrong, so the earliest time is used.
        by_our_clock = min(entry.requested_at + core.transport.clock.offset, _service_time(core))
        sent = entry.server_sent_at
        return to_datetime(by_our_clock if sent is None else min(by_our_clock, sent))

    def earliest() -> datetime:
        return min(requested_at(), to_datetime(entry.requested_at))

    account_id = entry.body.get("instagramAccountId")
    if not isinstance(account_id, str):
        return _undecided("The journal entry of this post is damaged")
    try:
        history = await post_history.fetch(
            core.transport, account_id, since=lambda: earliest() - CLOCK_TOLERANCE
        )
    except (*NO_HISTORY_ERRORS, UnexpectedReplyError):
        return _undecided("This account has no readable publish history")
    return await _conclude(core, operation, entry, history, (requested_at(), earliest()))


async def _conclude(
    core: Core,
    operation: Operation,
    entry: JournalEntry,
    history: post_history.PostHistory,
    times: tuple[datetime, datetime],
) -> PostOutcome:
    """Return what the history proves about a post."""
    match, ambiguous = await _find_row(core, entry, history.posts, times)
    has_failed = match is not None and (match.status or "").lower() in FAILED_STATUSES
    # A failed row may be another computer's attempt while this post is still in progress.
    if match is not None and (not has_failed or _has_same_job(match, entry)):
        return await _record_row(core, operation, entry, match)
    reason = await _why_undecided(core, entry, history, ambiguous)
    if reason:
        return _undecided(reason, ambiguous or match)
    remaining = grace_seconds(entry) - _silent_seconds(core, entry)
    if remaining > 0:
        minutes = math.ceil(grace_seconds(entry) / 60)
        return PostOutcome(
            posted=None,
            message="It is not in the account’s history yet, but may still appear there; that can "
            f"take {minutes} minute{'s' if minutes > 1 else ''}.",
            retry_after=min(remaining, RECHECK_SECONDS),
        )
    if not history.posts:  # a history that never lists anything looks the same
        return _undecided("The account’s history is empty, so the post may still be pending")
    if match is not None:
        return await _record_row(core, operation, entry, match)
    return await _record_absence(core, operation, entry, core.journal.mark_absent(entry))


async def _find_row(
    core: Core,
    entry: JournalEntry,
    posts: list[post_history.HistoryPost],
    times: tuple[datetime, datetime],
) -> tuple[post_history.HistoryPost | None, post_history.HistoryPost | None]:
    """Find the row of a post, and the first one that may be its row."""
    others = await known_posts(core, entry)
    matches: list[post_history.HistoryPost] = []
    ambiguous = None
    for post in posts:
        if _has_same_job(post, entry):
            return post, None
        if post.job_id in others or post.permalink in others:
            continue
        result = match_request(post, entry.body, *times)
        has_other_job = entry.job_id is not None and post.job_id is not None
        if result is PostMatch.MATCH and not has_other_job:
            matches.append(post)
        elif result is not PostMatch.DIFFERENT:
            ambiguous = ambiguous or post
    # A successful row outweighs failed attempts.
    successful = (post for post in matches if (post.status or "").lower() not in FAILED_STATUSES)
    return next(successful, next(iter(matches), None)), ambiguous


async def _why_undecided(
    core: Core,
    entry: JournalEntry,
    history: post_history.PostHistory,
    ambiguous: post_history.HistoryPost | None,
) -> str:
    """Return why absence from the history will never be conclusive; empty if it can be."""
    if ambiguous is not None:
        return "A similar post is in the account’s history"
    if entry.was_accepted:
        return "The service accepted this post, but its history does not show it"
    if not history.is_complete:
        return "The account’s history does not reach back far enough"
    listed = {value for post in history.posts for value in (post.job_id, post.permalink)}
    for other in await asyncio.wrap_future(core.journal.confirmed_posts(core.journal_key)):
        was_made = other.state == "posted" or other.status == "succeeded"
        is_nearby = abs(other.requested_at - entry.requested_at) < NEARBY_SECONDS
        same_account = other.body.get("instagramAccountId") == entry.body["instagramAccountId"]
        is_listed = bool({other.job_id, other.permalink} & listed)
        if was_made and is_nearby and same_account and not is_listed:
            return "The account’s history is missing other posts that are known to exist"
    return ""


def _has_same_job(post: post_history.HistoryPost, entry: JournalEntry) -> bool:
    return entry.job_id is not None and post.job_id == entry.job_id


def _service_time(core: Core) -> float:
    """Return the service's time in seconds since 1970; before any response, this computer's."""
    service_time = core.transport.clock.now
    return utc_now().timestamp() if service_time is None else service_time


def _silent_seconds(core: Core, entry: JournalEntry) -> float:
    """Return a lower bound of the seconds since the post was last in progress."""
    seconds = entry.silent_seconds
    due = parse_timestamp(entry.body.get("scheduledAt"))
    if due is not None and due.timestamp() <= _service_time(core):
        # A scheduled post started at its time.
        seconds = min(seconds, _service_time(core) - due.timestamp())
    return seconds


# ---------------------------------------------------------------- recording the result


async def _record_row(
    core: Core, operation: Operation, entry: JournalEntry, post: post_history.HistoryPost
) -> PostOutcome:
    """Record the status of a post in the history."""
    status = (post.status or "").lower()
    if post.job_id and entry.job_id is None:  # it may not have ended: poll its job
        await asyncio.wrap_future(core.journal.mark_accepted(entry.intent, post.job_id, status))
        job = core.restore_job(await _reread(core, entry), operation)
        if status == "succeeded":
            return _posted(post.permalink, post.created_at, job)
        return _following(job)
    if status in FAILED_STATUSES:
        message = "Wonda received the post, but it failed. You can publish it again."
        marked = core.journal.mark_absent(entry)
        return await _record_absence(core, operation, entry, marked, message)
    if post.permalink or status in {"", "succeeded"}:
        await asyncio.wrap_future(core.journal.mark_posted(entry.intent, post.permalink, None))
        return _posted(post.permalink, post.created_at)
    if status in PENDING_STATUSES:
        return PostOutcome(
            posted=None,
            message="Wonda received the post and is processing it.",
            retry_after=SHORT_RECHECK_SECONDS,
            in_progress=True,
        )
    return _undecided(f"Its status in the account’s history is “{status}”", post)


async def _record_absence(
    core: Core,
    operation: Operation,
    entry: JournalEntry,
    marked: Future[bool],
    message: str = NOT_POSTED,
) -> PostOutcome:
    """Report that the post was not published, unless the entry has changed in the meantime."""
    if await asyncio.wrap_future(marked):
        return PostOutcome(posted=False, message=message)
    current = await _reread(core, entry)
    if current.is_unknown:
        return PostOutcome(
            posted=None,
            message="Another kernel is checking this post.",
            retry_after=SHORT_RECHECK_SECONDS,
        )
    return _known_outcome(core, operation, current)


async def _reread(core: Core, entry: JournalEntry) -> JournalEntry:
    found = await asyncio.wrap_future(core.journal.find_by_intent(entry.intent))
    return found[0] if found else entry  # not found if the journal was deleted


def _known_outcome(core: Core, operation: Operation, entry: JournalEntry) -> PostOutcome:
    """Report on an entry whose outcome is known or whose request is being sent."""
    match entry.state:
        case "sending":
            return PostOutcome(
                posted=None,
                message="It is already being sent.",
                retry_after=SHORT_RECHECK_SECONDS,
            )
        case "posted":
            return _posted(entry.permalink, None)
        case "accepted" if entry.status == "succeeded":
            return _posted(entry.permalink, None, core.restore_job(entry, operation))
        case "accepted" if not entry.ended:
            return _following(core.restore_job(entry, operation))
    return PostOutcome(posted=False, message=NOT_POSTED)


def _undecided(reason: str, post: post_history.HistoryPost | None = None) -> PostOutcome:
    return PostOutcome(
        posted=None,
        message=f"{reason}. Check the account itself.",
        permalink=post.permalink if post else None,
        published_at=post.created_at if post else None,
    )


def _following(
    job: Job, message: str = "Wonda received the post and is processing it."
) -> PostOutcome:
    return PostOutcome(posted=None, message=message, job=job, in_progress=True)


def _posted(
    permalink: str | None, published_at: datetime | None, job: Job | None = None
) -> PostOutcome:
    return PostOutcome(
        posted=True,
        message="It was posted.",
        permalink=permalink,
        published_at=published_at,
        job=job,
    )
