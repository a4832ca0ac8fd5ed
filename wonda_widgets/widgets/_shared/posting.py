"""`PostingPanel`: choose an account, review a summary, post once, and track the post.

    editing ──Publish──> preparing ──> confirming ──Publish now──> sending ──> running ──> editing
                             │              ^                         │
                             │              │ Post again,             ├──> repeating, unchecked
                             │              │ Publish anyway          └──> unknown <──> checking
                             ├──> repeating (posted before)
                             └──> unchecked (earlier posts cannot be checked)

`Keep editing` returns from each question to editing. Without `confirm_publish`, there is no
summary, and no step before sending.

The step changes on the package's loop before anything is sent. Repeated clicks, even in several
tabs, therefore make only one post.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any

import traitlets

from ...errors import (
    AlreadyPublishedError,
    HistoryUnavailableError,
    InvalidInputError,
    OutcomeUnknownError,
    WondaError,
)
from ...jobs.job import SCHEDULED
from ...publishing.limits import MAX_ALT_TEXT_LENGTH, MAX_CAPTION_LENGTH, check_text_length
from ...publishing.outcome_check import PostOutcome
from ...utils import event_loop
from . import error_alerts, formatting
from .job_tracking import JobPanel
from .permissions import Permission, requires
from .subscriptions import SingleSubscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from ...jobs.job import Job
    from ...models import Snapshot

MAX_CHECKS = 60  # automatic checks of an unknown outcome
UNKNOWN_OUTCOME = {"title": "We don’t know whether this was posted.", "text": "", "field": ""}

#: Titles for a post that was not sent, by the error's code.
NOT_SENT_TITLES = {
    "already_published": "Already posted.",
    "already_requested": "Already requested.",
    "possibly_published": "Possibly already posted.",
    "history_unavailable": "Could not check for an earlier post.",
}


class PostingPanel(JobPanel):
    """Base of the panels that post to Instagram."""

    _view_permission = Permission.PUBLISH
    _browser_traits = dict.fromkeys(("account", "caption"), Permission.PUBLISH)

    media_id = traitlets.Unicode("").tag(sync=True)
    """The media ID to publish; for several images, all IDs in order, separated by spaces."""
    caption = traitlets.Unicode("").tag(sync=True)
    fixing = traitlets.Unicode("").tag(sync=True)
    """The fix that is being applied to the image; empty for none."""
    accounts: Any = traitlets.List().tag(sync=True)
    accounts_state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"``, ``"ready"``, ``"none"`` or ``"unavailable"``."""
    account = traitlets.Unicode("").tag(sync=True)
    """The ID of the selected account."""
    confirm_publish = traitlets.Bool(default_value=True).tag(sync=True)
    step = traitlets.Unicode("editing").tag(sync=True)
    """``"editing"``, ``"preparing"`` (earlier posts are looked up), ``"confirming"``,
    ``"repeating"`` (posted before: post again?),
    ``"unchecked"`` (earlier posts cannot be checked: publish anyway?), ``"sending"``,
    ``"running"``, ``"unknown"`` (the outcome is unknown) or ``"checking"`` (the outcome is looked
    up)."""
    summary = traitlets.Dict().tag(sync=True)
    """The post that the last click on `Publish` described; exactly this post is published. Its
    ``number`` is named by clicks, so that a late click is not taken for one about another post."""
    refusal = traitlets.Dict().tag(sync=True)
    """Why the last `Publish` sent nothing: ``title``, ``text`` and the ``link`` of an identical
    earlier post."""
    outcome = traitlets.Unicode("").tag(sync=True)
    """A sentence about how an uncertain or scheduled post ended, until the next post."""
    needs_answer = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether to ask the user if the post was published, because the history is inconclusive."""
    recheck_seconds = traitlets.Float(0.0).tag(sync=True)
    """Seconds until the next automatic check of the history; 0 for none."""
    possible_post = traitlets.Unicode("").tag(sync=True)
    """The URL of a post that may be the one whose outcome is unknown."""
    posted = traitlets.Dict().tag(sync=True)
    """The last post: ``account``, ``media_id``, ``time`` (seconds since 1970), ``link``, and,
    if it is scheduled, ``due`` (seconds since 1970)."""
    limits = traitlets.Dict({"caption": MAX_CAPTION_LENGTH, "alt_text": MAX_ALT_TEXT_LENGTH}).tag(
        sync=True
    )

    def __init__(self, *args: Any, **traits: Any) -> None:
        self._listeners: list[Callable[[Job], object]] = []
        self._unknown: Job | OutcomeUnknownError | None = None
        self._allowed: dict[str, bool] = {}  # the `allow_…` arguments that the user has chosen
        self._is_reviewed = False  # whether the user has seen the summary
        self._preparation: asyncio.Task[None] | None = None
        self._checks = 0
        self._summaries = 0
        self._recheck: asyncio.Task[None] | None = None
        super().__init__(*args, job_label="Publishing", **traits)
        self._scheduled_subscription = SingleSubscription(self._subscriptions)
        event_loop.call_soon(self._load)

    @property
    def is_working(self) -> bool:
        """See `Panel.is_working`."""
        return super().is_working or self.step in {"sending", "checking"}

    def on_job(self, listener: Callable[[Job], object]) -> None:
        """Call `listener` on the package's loop with each new publish job."""
        self._listeners.append(listener)

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        last = self.posted
        word = "Scheduled" if "due" in last else "Posted"
        at = last.get("due") or last.get("time")
        return [
            ("Caption", self.summary.get("caption") or self.caption),
            (word, f"to {last['account']}, {formatting.local_time(at)}" if at else ""),
            ("Link", last.get("link", "")),
            *super()._snapshot_facts(),
        ]

    # ------------------------------------------------------------ for subclasses

    def _post_options(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the validated fields of the post, except account and caption.

        Raises
        ------
        InvalidInputError
        """
        raise NotImplementedError

    async def _require_new(self, summary: Mapping[str, Any]) -> None:
        """Raise the error with which `_send_post` would refuse a repeated post."""
        raise NotImplementedError

    async def _send_post(self, summary: Mapping[str, Any], **allowed: Any) -> Job:
        """Send the post; `allowed` are the ``allow_…`` arguments of `publish.instagram`."""
        raise NotImplementedError

    def _show_pending(self) -> None:
        """Show the image, if any, that was offered while the last post was in progress."""

    @property
    def _has_pending(self) -> bool:
        return False

    # ------------------------------------------------------------ accounts

    def _load(self) -> None:
        if not self._closed:
            self.accounts_state = "loading"
            self._start(self._load_accounts)

    @requires(Permission.PUBLISH)
    def _on_reload(self, _content: object) -> None:
        # The accounts must not change while a summary is shown.
        if self.accounts_state != "loading" and self.step == "editing":
            self._load()

    async def _load_accounts(self) -> None:
        try:
            accounts = await self._client.accounts.instagram()
        except Exception:
            self.accounts_state = "unavailable"
            raise
        ids = [account.instagram_account_id for account in accounts]
        with self.hold_sync():
            self.accounts = [{"id": a.instagram_account_id, "name": a.name} for a in accounts]
            # Do not guess among several accounts, because a post to the wrong one is public.
            if self.account not in ids:
                self.account = ids[0] if len(ids) == 1 else ""
            self.accounts_state = "ready" if ids else "none"

    # ------------------------------------------------------------ publishing

    @requires(Permission.PUBLISH)
    def _on_publish(self, content: Mapping[str, Any]) -> None:
        if self.step != "editing" or self.fixing:
            return
        self.error = None
        self._check_seen(content.get("media_id", self.media_id), self.media_id)
        self.summary = self._number_summary(self._validated(content))
        self._allowed, self.refusal = {}, {}
        self._is_reviewed = not self.confirm_publish
        if self._is_reviewed:
            self._submit()
        else:
            self.step = "preparing"
            self._preparation = self._start(self._prepare, self.summary)

    async def _prepare(self, summary: Mapping[str, Any]) -> None:
        """Show the summary, or first ask about an identical earlier post."""
        try:
            await self._require_new(summary)
        except Exception:
            if self._is_preparing(summary):
                self.step = "editing"
                with self._refused_posts():
                    raise
            return
        if self._is_preparing(summary):
            self.step = "confirming"

    def _is_preparing(self, summary: Mapping[str, Any]) -> bool:
        """Whether a check still is about the post that the user wants to make."""
        return self.step == "preparing" and self.summary is summary

    def _cancel_preparation(self) -> None:
        if self._preparation is not None:
            self._preparation.cancel()

    @requires(Permission.PUBLISH)
    def _on_edit(self, _content: object) -> None:
        self._cancel_preparation()
        if self.step in {"preparing", "confirming", "repeating", "unchecked"}:
            self.step = "editing"

    @requires(Permission.PUBLISH)
    def _on_repeat(self, content: Mapping[str, Any]) -> None:
        if self.step == "repeating":
            self._check_summary(content)
            self._allow(allow_repeat=True)

    @requires(Permission.PUBLISH)
    def _on_unchecked(self, content: Mapping[str, Any]) -> None:
        if self.step == "unchecked":
            self._check_summary(content)
            self._allow(allow_unchecked=True)

    def _allow(self, **allowed: Any) -> None:
        """Go on with a post that was refused: to its summary, unless the user has seen it."""
        self._allowed = {**self._allowed, **allowed}
        if self._is_reviewed:
            self._submit()
        else:
            self.step = "confirming"

    @requires(Permission.PUBLISH)
    def _on_confirm(self, content: Mapping[str, Any]) -> None:
        # The step changes here, on the loop, before anything is sent; a second click
        # (or a second tab) finds it changed.
        if self.step != "confirming":
            return
        self._check_summary(content)
        self._is_reviewed = True
        self._submit()

    def _check_summary(self, content: Mapping[str, Any]) -> None:
        """Reject a click that was made while another post was described."""
        self._check_seen(content.get("media_id"), self.summary["media_id"])
        if not self._is_about_this_post(content):
            self.step = "editing"
            raise InvalidInputError(
                "caption", "The post changed in the meantime.", "Check it again."
            )

    def _is_about_this_post(self, content: Mapping[str, Any]) -> bool:
        number = self.summary.get("number")
        return bool(content.get("summary", number) == number)

    def _number_summary(self, summary: dict[str, Any]) -> dict[str, Any]:
        self._summaries += 1
        return {**summary, "number": self._summaries}

    def _check_seen(self, seen: object, media_id: str) -> None:
        """Reject a click that was made while another image was shown."""
        if seen != media_id:
            self.step = "editing"
            raise InvalidInputError(
                "media_id", "The image changed in the meantime.", "Check it again."
            )

    def _validated(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the summary of the post.

        Raises
        ------
        InvalidInputError
        """
        chosen = {
            name: str(content.get(name, getattr(self, name))) for name in ("account", "caption")
        }
        names = {account["id"]: account["name"] for account in self.accounts}
        if not self.media_id:
            raise InvalidInputError("media_id", "There is no image to publish yet.")
        if chosen["account"] not in names:
            raise InvalidInputError(
                "account",
                "No Instagram account is selected.",
                "Choose one, or connect one in your Wonda settings and refresh.",
            )
        check_text_length("caption", chosen["caption"], MAX_CAPTION_LENGTH)
        options = self._post_options(content)
        account_name = names[chosen["account"]]
        return {**chosen, **options, "media_id": self.media_id, "account_name": account_name}

    def _submit(self) -> None:
        self.step = "sending"
        self.outcome = ""
        self._watch(None)
        self._start(self._publish, self.summary, self._allowed)

    async def _publish(self, summary: Mapping[str, Any], allowed: Mapping[str, bool]) -> None:
        try:
            with self._refused_posts():
                if allowed.get("allow_repeat"):
                    await self._require_known_refusal(summary, self.refusal)
                self._follow(await self._send_post(summary, **allowed))
        except BaseException:
            if self.step == "sending":
                self.step = "editing"
            raise

    async def _require_known_refusal(
        self, summary: Mapping[str, Any], known: Mapping[str, str]
    ) -> None:
        """Raise an error if a repetition would now repeat another post than the user knows of."""
        try:
            await self._require_new(summary)
        except AlreadyPublishedError as error:
            if _refusal(error) != known:
                raise
        except HistoryUnavailableError:
            if not self._allowed.get("allow_unchecked"):
                raise

    @contextlib.contextmanager
    def _refused_posts(self) -> Iterator[None]:
        """Ask the user about a refused post, and remember one whose outcome is unknown."""
        try:
            yield
        except (AlreadyPublishedError, HistoryUnavailableError) as error:
            if error.code == "being_sent":  # its outcome comes first
                raise
            self.refusal = _refusal(error)
            is_same = isinstance(error, AlreadyPublishedError)
            self.step = "repeating" if is_same else "unchecked"
        except OutcomeUnknownError as error:
            self._mark_unknown(error)
            raise

    def _follow(self, job: Job) -> None:
        self.step = "running"
        self.posted = {}
        self._watch(job)
        for listener in self._listeners:
            self._catch_errors(listener, job)

    def attach_job(self, job: Job) -> None:
        """Track a post of an earlier kernel. Call this on the package's loop only."""
        self._cancel_preparation()
        body = job.request
        names = {account["id"]: account["name"] for account in self.accounts}
        account = body.get("instagramAccountId") or ""
        self.summary = self._number_summary(
            {
                "account": account,
                "account_name": names.get(account, "the account"),
                "media_id": " ".join(body.get("mediaIds") or [body.get("mediaId") or ""]),
                "caption": body.get("caption") or "",
                "alt_text": body.get("altText") or "",
                "product": body.get("product") or "IMAGE",
                "share_to_feed": body.get("shareToFeed", True),
                "scheduled_at": body.get("scheduledAt") or "",
            }
        )
        self.outcome = ""
        if job.id is not None or job.done:
            self._follow(job)
            return
        self._mark_unknown(job)
        self.error = error_alerts.error_alert(job.snapshot.error or WondaError(""))

    # ------------------------------------------------------------ after an unknown outcome

    def _mark_unknown(self, unknown: Job | OutcomeUnknownError) -> None:
        self._unknown, self._checks = unknown, 0
        with self.hold_sync():
            self.needs_answer = False
            self.recheck_seconds = 0.0
            self.possible_post = ""
            self.posted = {}
            self.step = "unknown"

    def check(self) -> None:
        """Check an unknown outcome, as `Check` does. Call this on the package's loop only."""
        self._on_check(None)

    @requires(Permission.SETTLE)
    def _on_check(self, _content: object) -> None:
        if self.step == "unknown" and self._unknown is not None:
            if self._recheck is not None and self._recheck is not asyncio.current_task():
                self._recheck.cancel()
            self._checks += 1
            self.step = "checking"
            self._start(self._check, self._unknown)

    async def _check(self, unknown: Job | OutcomeUnknownError) -> None:
        try:
            finding = await self._client.publish.check(unknown)
        except WondaError as error:
            reason = f"The account’s history can’t be read right now: {error.message}"
            self._still_unknown(PostOutcome(posted=None, message=reason))
            return
        except BaseException:
            self.step = "unknown"
            raise
        if finding.job is not None:
            self.error = None
            finding.job.resume()
            self._follow(finding.job)
        elif finding.posted is None:
            self._still_unknown(finding)
        else:
            self._settle(posted=finding.posted, message=finding.message, link=finding.permalink)

    def _still_unknown(self, finding: PostOutcome) -> None:
        with self.hold_sync():
            self.step = "unknown"
            # After two checks, the user may know more than the history.
            self.needs_answer = finding.retry_after is None or self._checks > 1
            self.recheck_seconds = finding.retry_after or 0.0
            self.possible_post = finding.permalink or ""
            self.error = {**UNKNOWN_OUTCOME, "text": finding.message}
        if finding.retry_after is not None and self._checks <= MAX_CHECKS:
            self._recheck = self._start(self._check_again, finding.retry_after, self._unknown)

    async def _check_again(self, seconds: float, unknown: object) -> None:
        await asyncio.sleep(seconds)
        if self._unknown is unknown and not self._closed:
            self.check()

    def _settle(self, *, posted: bool, message: str, link: str | None = None) -> None:
        self._unknown = None
        if posted:
            self._set_posted(link, None)
        self._watch(None)  # a late snapshot must not change the next post
        with self.hold_sync():
            self.job_phase = "none"
            self.step = "editing"
            self.error = None
        if self._has_pending:
            message = "Your earlier selection was not posted. Select it again to publish it."
        self._show_pending()
        self.outcome = "" if posted else message

    @requires(Permission.SETTLE)
    def _on_answer(self, content: Mapping[str, Any]) -> None:
        """Record the user's answer whether the post was published; enable the form again."""
        is_asked = self.step == "unknown" and self.needs_answer
        if is_asked and self._unknown is not None and self._is_about_this_post(content):
            self.step = "checking"
            self._start(self._record_answer, self._unknown, content.get("posted") is True)

    async def _record_answer(self, unknown: Job | OutcomeUnknownError, posted: bool) -> None:  # noqa: FBT001
        try:
            await self._client.publish.settle(unknown, posted=posted)
        except BaseException:
            self.step = "unknown"
            raise
        self._settle(posted=posted, message="Marked as not posted. You can publish it now.")

    # ------------------------------------------------------------ the post's job

    def _set_posted(self, link: str | None, at: float | None) -> None:
        self._scheduled_subscription.end()  # from now on, `posted` is about another post
        self.posted = {
            "account": self.summary["account_name"],
            "media_id": self.summary["media_id"],
            "time": at or time.time(),
            "link": link or "",
        }

    def _set_scheduled(self, due: datetime | None) -> None:
        """Show a scheduled post; keep the form available for the next one until it is due."""
        job = self._job
        self._watch(None)
        self._job = job
        self.posted = {
            "account": self.summary["account_name"],
            "media_id": self.summary["media_id"],
            "time": time.time(),
            "link": "",
            "due": due.timestamp() if due else 0.0,
        }
        self.step = "editing"
        if job is not None:
            posted = self.posted
            self._scheduled_subscription.replace(
                job.watch(lambda snapshot: self._follow_scheduled(posted, snapshot))
            )
        self._show_pending()

    def _follow_scheduled(self, posted: Mapping[str, Any], snapshot: Snapshot) -> None:
        """Show how a scheduled post ended, unless a later post is displayed by then."""
        is_shown = self.posted == posted
        if snapshot.terminal or not is_shown:
            self._scheduled_subscription.end()
        if self._closed or not is_shown or not snapshot.terminal:
            return
        if snapshot.status == "succeeded":
            ended = snapshot.finished_at
            self.posted = {
                **{name: value for name, value in posted.items() if name != "due"},
                "time": ended.timestamp() if ended else time.time(),
                "link": snapshot.permalink or "",
            }
            return
        self.posted = {}
        if snapshot.status == "canceled":
            self.outcome = "The scheduled post was canceled. It will not be posted."
        else:
            reason = snapshot.error_message or "The service gave no reason."
            title = "The scheduled post failed."
            self.error = {"title": title, "text": f"{reason} Nothing was posted.", "field": ""}

    def _show(self, job: Job, snapshot: Snapshot) -> None:
        if self.step not in {"running", "unknown", "checking"}:
            return  # the form is about another post by now
        if snapshot.status == SCHEDULED:
            self._set_scheduled(snapshot.scheduled_for)
            return
        super()._show(job, snapshot)
        if job.id is None:  # the result came with the response, without a job
            self.job_phase = "none"
        if snapshot.status == "succeeded":
            ended = snapshot.finished_at
            self._set_posted(snapshot.permalink, ended.timestamp() if ended else None)
        if snapshot.terminal:
            self.step = "editing"
            self._show_pending()
        elif snapshot.error is not None:  # polling has failed, but the post may have been made
            self._mark_unknown(job)
        elif self.step == "unknown":  # polling works again
            self.step = "running"


def _refusal(error: AlreadyPublishedError | HistoryUnavailableError) -> dict[str, str]:
    """Describe why a post was refused."""
    return {
        "title": NOT_SENT_TITLES.get(error.code, ""),
        "text": error.message,
        "link": getattr(error, "permalink", None) or "",
    }
