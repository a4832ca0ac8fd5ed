"""Make a post only once, across kernels and computers.

Before a post is sent, three sources are checked:

- the journal, shared by all kernels on this computer, in which only one can claim a post;
- the account's publish history, which has the posts of all computers;
- the list of scheduled posts.

A post whose response was lost blocks identical posts until its outcome is known; see
`outcome_check`. If the history cannot be read, the user decides whether to post unchecked.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..errors import (
    AlreadyPublishedError,
    APIError,
    GoneError,
    HistoryUnavailableError,
    NotFoundError,
    OutcomeUnknownError,
    UnexpectedReplyError,
    WondaError,
)
from ..models import parse_timestamp
from . import outcome_check, post_history, scheduled_posts
from .outcome_check import PENDING_STATUSES, is_hopeless, known_posts, to_datetime, utc_now
from .post_matching import PostMatch, match_repeat, normalize_caption

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..jobs.core import Core
    from ..jobs.submission import Operation
    from ..journal.entries import JournalEntry
    from .outcome_check import PostOutcome

MAX_HISTORY_POSTS = 100  # the newest posts of the account, which are checked before a post

#: Error codes with which the service itself says that an account has no history. Other servers,
#: such as proxies, respond with other codes.
NO_HISTORY_CODES = frozenset(
    {
        *("bad_request", "validation_error", "forbidden", "feature_disabled"),
        *("paid_plan_required", "not_found", "gone"),
    }
)


class DuplicatePostGuard:
    """A guard that prevents publishing a post twice; see `submission.DuplicateGuard`.

    Parameters
    ----------
    core : Core
    operation : Operation
    body : dict
        The request.
    dedupe_key : str
        See `dedupe_keys`.
    former_keys : tuple of str
        Keys under which earlier versions recorded the same post.
    allow_repeat : bool
        Whether the post may be published again.
    allow_unchecked : bool
        Whether the post may be published if the history cannot be read.
    """

    include_failed = False  # a post that failed can be made again

    def __init__(
        self,
        core: Core,
        operation: Operation,
        body: Mapping[str, Any],
        dedupe_key: str,
        *,
        former_keys: tuple[str, ...] = (),
        allow_repeat: bool = False,
        allow_unchecked: bool = False,
    ) -> None:
        self._core = core
        self._operation = operation
        self._body = body
        self._allow_unchecked = allow_unchecked
        self.allow_repeat = allow_repeat
        self.dedupe_key = dedupe_key
        self.former_keys = former_keys

    def check_journal(self, _connection: object) -> None:
        """Raise an error if the journal may be incomplete; called in its transaction.

        Raises
        ------
        HistoryUnavailableError
        """
        problem = self._core.journal.problem
        if problem and not (self.allow_repeat or self._allow_unchecked):
            raise HistoryUnavailableError(
                f"This may have been posted before: the journal is incomplete. {problem}",
                "Nothing was sent. Check the account, then pass allow_unchecked=True to publish.",
            )

    async def check_earlier(self, earlier: JournalEntry) -> None:
        """Check the outcome of an identical post that is in the journal.

        Return if that post had no effect, so that the journal can be read again.

        Raises
        ------
        AlreadyPublishedError
            If that post was published or is in progress.
        OutcomeUnknownError
            If the outcome of that post is unknown.
        """
        if earlier.is_sending:
            raise AlreadyPublishedError(
                "The same post is already being sent.",
                hint="Wait for the response to that post.",
                code="being_sent",
            )
        if earlier.is_unknown:
            finding = await self._check_outcome(earlier)
            if finding.posted is not None:
                return
            if not finding.in_progress:
                raise OutcomeUnknownError(
                    self._operation.name,
                    f"the same post was requested before, and {_as_clause(finding.message)}",
                    self._operation.check,
                    intent=earlier.intent,
                    kind=self._operation.kind,
                )
        elif earlier.state == "posted" or earlier.ended:
            requested_at = to_datetime(earlier.requested_at)
            raise _already_posted(self._body, requested_at, earlier.permalink, earlier.job_id)
        elif await self._had_no_effect(earlier):
            return
        raise AlreadyPublishedError(
            f"The same post is already {_progress(earlier)}.",
            job_id=earlier.job_id,
            published_at=to_datetime(earlier.requested_at),
            code="already_requested",
        )

    async def _check_outcome(self, earlier: JournalEntry) -> PostOutcome:
        """Look for an earlier post; its outcome remains unknown if the history is unreadable."""
        try:
            return await outcome_check.check(self._core, self._operation, earlier)
        except WondaError as error:
            if is_hopeless(error):
                raise
            reason = _as_clause(error.message)
            return outcome_check.PostOutcome(
                posted=None, message=f"The account’s history cannot be read right now: {reason}."
            )

    async def _had_no_effect(self, earlier: JournalEntry) -> bool:
        """Request the status of a post in progress; raise an error if it has been made."""
        job_id = earlier.job_id or ""
        try:
            snapshot = await self._core.poll_once("publish", job_id)
        except (
            NotFoundError,
            GoneError,
        ):  # that does not say whether the post was published
            marked = self._core.journal.mark_unknown(earlier.intent, "its job no longer exists")
            return await asyncio.wrap_future(marked)
        except WondaError:
            return False
        if snapshot.status == "succeeded":
            requested_at = to_datetime(earlier.requested_at)
            raise _already_posted(self._body, requested_at, snapshot.permalink, job_id)
        return snapshot.status in {"failed", "canceled"}

    async def check_elsewhere(self) -> None:
        """Check whether any computer has posted or scheduled the same post.

        Raises
        ------
        AlreadyPublishedError
        HistoryUnavailableError
            If the history or the list of scheduled posts exists but cannot be read right now.
        """
        await self._refuse_repeat(await self._posted(), "The account’s history")
        await self._refuse_repeat(await self._scheduled(), "The list of scheduled posts")

    async def _posted(self) -> list[post_history.HistoryPost]:
        account_id = self._body["instagramAccountId"]
        try:
            history = await post_history.fetch(
                self._core.transport, account_id, max_posts=MAX_HISTORY_POSTS
            )
            if not history.is_complete and len(history.posts) < MAX_HISTORY_POSTS:
                raise UnexpectedReplyError("The history has pages that cannot be read.")
        except WondaError as error:
            self._require_unneeded(
                "publish history",
                "another computer has already published this post",
                error,
                may_be_missing=_says_no_history(error),
            )
            return []
        return history.posts

    async def _scheduled(self) -> list[post_history.HistoryPost]:
        try:
            return await scheduled_posts.possible_duplicates(self._core, self._body)
        except WondaError as error:
            # The API does not guarantee this list. A server without it has no scheduled posts.
            has_no_list = not self._body.get("scheduledAt") and _is_unknown_path(error)
            self._require_unneeded(
                "list of scheduled posts",
                "another computer has already scheduled this post",
                error,
                may_be_missing=has_no_list or _says_no_history(error),
            )
            return []

    def _require_unneeded(
        self, source: str, risk: str, error: WondaError, *, may_be_missing: bool
    ) -> None:
        """Raise an error if a source cannot be read, unless posting unchecked is allowed."""
        if is_hopeless(error):
            raise error
        if self._allow_unchecked or may_be_missing:
            return
        reason = _as_clause(error.message)
        raise HistoryUnavailableError(
            f"The account’s {source} cannot be read right now ({reason}), so it is not known "
            f"whether "
            f"{risk}. The journal on this computer has no such post.",
            "Nothing was sent. Try again later, or pass allow_unchecked=True to publish "
            "without this check.",
        )

    async def _refuse_repeat(self, posts: list[post_history.HistoryPost], source: str) -> None:
        """Raise an error if one of these posts is, or may be, the same."""
        matches = [(match_repeat(post, self._body), post) for post in posts]
        for result, post in matches:
            if result is PostMatch.MATCH:
                raise self._repeat_error(post)
        ambiguous = [post for result, post in matches if result is PostMatch.AMBIGUOUS]
        known = await known_posts(self._core) if ambiguous else set()
        for post in ambiguous:
            if post.job_id not in known and post.permalink not in known:
                raise AlreadyPublishedError(
                    f"{source} has a post that may be the same; it does not say which "
                    "image it shows.",
                    permalink=post.permalink,
                    published_at=post.created_at,
                    job_id=post.job_id,
                    hint="Nothing was sent. Check the account; if that is a different post, pass "
                    "allow_repeat=True.",
                    code="possibly_published",
                )

    def _repeat_error(self, post: post_history.HistoryPost) -> AlreadyPublishedError:
        if (post.status or "").lower() not in PENDING_STATUSES:
            how = _compare_captions(post.caption, self._body.get("caption"))
            return _already_posted(self._body, post.created_at, post.permalink, post.job_id, how)
        if post.scheduled_for:
            progress = _scheduled_for(post.scheduled_for)
            advice = "Cancel that one first, or pass allow_repeat=True to post both."
        else:
            progress, advice = "in progress", "To post it again, pass allow_repeat=True."
        return AlreadyPublishedError(
            f"The same post is already {progress}.",
            permalink=post.permalink,
            published_at=post.created_at,
            job_id=post.job_id,
            hint=f"Nothing was sent. {advice}",
            code="already_requested",
        )


def _is_unknown_path(error: WondaError) -> bool:
    """Return whether a server says that it has no such path."""
    return isinstance(error, APIError) and error.status in {404, 405, 410, 501}


def _says_no_history(error: WondaError) -> bool:
    """Return whether the service itself says that there is no history."""
    return isinstance(error, APIError) and error.from_service and error.code in NO_HISTORY_CODES


def _compare_captions(listed: str | None, requested: str | None) -> str:
    """Say how a caption in the history, which may be cut or missing, compares with a request's."""
    found, wanted = normalize_caption(listed), normalize_caption(requested)
    if found == wanted:
        return "with this caption" if wanted else "without a caption"
    return "with a caption that begins in the same way" if found else "with an unknown caption"


def _already_posted(
    body: Mapping[str, Any],
    posted_at: datetime | None,
    permalink: str | None,
    job_id: str | None,
    caption: str = "with this caption",
) -> AlreadyPublishedError:
    nouns = {"REELS": "This video was", "STORIES": "This was"}  # a story may be of both kinds
    single = nouns.get(str(body.get("product")), "This image was")
    posted = "These images were" if body.get("mediaIds") else single
    when = f" on {posted_at.astimezone():%d %b %Y at %H:%M}" if posted_at else ""
    return AlreadyPublishedError(
        f"{posted} already posted to this account {caption}{when}.",
        permalink=permalink,
        published_at=posted_at,
        job_id=job_id,
    )


def _progress(entry: JournalEntry) -> str:
    due = parse_timestamp(entry.body.get("scheduledAt"))
    return "in progress" if due is None or due <= utc_now() else _scheduled_for(due)


def _scheduled_for(due: datetime) -> str:
    return f"scheduled for {due.astimezone():%d %b %Y at %H:%M %Z}"


def _as_clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")
