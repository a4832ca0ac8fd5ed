"""`PublishForm`: what goes where, a last look, and one post."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import traitlets

from .. import runtime
from ..errors import (
    AlreadyPublishedError,
    InvalidInputError,
    OutcomeUnknownError,
    WondaError,
)
from ..resources.once import Finding
from ..resources.publish import MAX_ALT_TEXT, MAX_CAPTION, check_length
from . import _words
from ._panel import css, esm
from ._preflight import Picture, PreflightPanel, facts_of, looked_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..client import AsyncWonda, Wonda
    from ..imaging.preview import Preview
    from ..jobs import Job
    from ..models import Media, Snapshot

MOST_CHECKS = 60  # by itself
UNKNOWN = {"title": "We don’t know whether this was posted.", "text": "", "field": ""}


class PublishForm(PreflightPanel):
    """Publishes a picture to Instagram: account, caption, alt text, a summary, one post.

    `Publish` shows what will go where; only `Publish now` sends it. However often
    it is clicked, one click is one post.

    Before that it says what Instagram is not likely to take, and offers to fix it:
    the picture is changed here, uploaded, and the changed one is what gets posted.
    This advises; it can be posted all the same.

    Parameters
    ----------
    media_id : str or Media, optional
        What to publish; can be set later, and the form is off until then. Of an id
        alone nothing is known; the picture of a `Media` is looked at.
    wonda : Wonda or AsyncWonda, optional
        Without it: the key of the environment, or the sandbox.
    confirm_publish : bool
        Whether to show the summary first.
    caption, alt_text : str
        To begin with.

    Examples
    --------
    >>> PublishForm(job.wait().media.media_id, wonda=wonda, caption="Made with Wonda")
    """

    _esm = esm("preflight", "publish_form")
    _css = css("publish_form")

    accounts: Any = traitlets.List().tag(sync=True)
    accounts_state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"``, ``"ready"``, ``"none"`` or ``"unavailable"``."""
    account = traitlets.Unicode("").tag(sync=True)
    """The chosen account's id."""
    alt_text = traitlets.Unicode("").tag(sync=True)
    confirm_publish = traitlets.Bool(default_value=True).tag(sync=True)
    step = traitlets.Unicode("editing").tag(sync=True)
    """``"editing"``, ``"confirming"``, ``"repeating"`` (the same was posted before: again?),
    ``"sending"``, ``"running"``, ``"unknown"`` or ``"checking"`` (looking what became of it)."""
    summary = traitlets.Dict().tag(sync=True)
    """What the last `Publish` summed up; this, and nothing else, is what gets posted."""
    earlier = traitlets.Dict().tag(sync=True)
    """Of the same post, made before: ``text`` and ``link``."""
    settled = traitlets.Unicode("").tag(sync=True)
    """What was found out about a post whose outcome was unknown, until the next one."""
    undecided = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether the history cannot tell, so that the person is asked."""
    again_in = traitlets.Float(0.0).tag(sync=True)
    """Seconds until the history is looked at again by itself; 0 for never."""
    suspect = traitlets.Unicode("").tag(sync=True)
    """The address of a post that may be the one in doubt."""
    posted = traitlets.Dict().tag(sync=True)
    """Of the last post: ``account``, ``media_id``, ``time`` (seconds since 1970), ``link``."""
    limits = traitlets.Dict({"caption": MAX_CAPTION, "alt_text": MAX_ALT_TEXT}).tag(sync=True)

    def __init__(
        self,
        media_id: str | Media | None = None,
        *,
        wonda: Wonda | AsyncWonda | None = None,
        confirm_publish: bool = True,
        caption: str = "",
        alt_text: str = "",
        **traits: Any,
    ) -> None:
        self._listeners: list[Callable[[Job], object]] = []
        self._unknown: Job | OutcomeUnknownError | None = None
        self._checks = 0
        self._recheck: asyncio.Task[None] | None = None
        media = None if isinstance(media_id, str) else media_id
        super().__init__(
            wonda,
            media_id=(media.media_id if media else media_id) or "",
            confirm_publish=confirm_publish,
            caption=caption,
            alt_text=alt_text,
            job_label="Publishing",
            **traits,
        )
        runtime.post(self._load)
        if media is not None:
            runtime.post(lambda: self._start(self._learn, media))

    def on_job(self, listener: Callable[[Job], object]) -> None:
        """Have `listener` called, on the package's loop, with each new publish job."""
        self._listeners.append(listener)

    def offer(
        self,
        media_id: str,
        *,
        alt_text: str = "",
        thumb: bytes = b"",
        preview: Preview | None = None,
        original: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        """Make another picture the one to publish. On the loop only.

        While a post is on its way it waits; a summary that is shown is closed,
        because it spoke of the other picture. The caption stays. The alt text is
        replaced, unless somebody changed what the last picture had brought. What
        was changed about the same picture stays changed.

        Parameters
        ----------
        media_id, alt_text : str
        thumb : bytes
            To show in the summary.
        preview : Preview, optional
            What is known of the picture; without it nothing is claimed about it.
        original : callable, optional
            Gives the original's bytes, for a fix; without it none is offered.
        """
        facts = facts_of(preview) if preview else None
        self._offer(Picture(media_id, thumb, facts, original), alt_text, preview)

    async def show(
        self,
        media: Media,
        *,
        alt_text: str = "",
        original: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        """Fetch a picture, look at it, and make it the one to publish. On the loop only.

        Parameters
        ----------
        media : Media
        alt_text : str
        original : callable, optional
            Gives its bytes; else they are downloaded.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            If it cannot be fetched; nothing has changed then.
        """
        self._wanted = media
        fetch = original or partial(self._client.media.download, media)
        preview = await runtime.in_thread(looked_at, await fetch())
        if self._wanted is not media:
            return  # another one was asked for meanwhile
        self.offer(media.media_id or "", alt_text=alt_text, preview=preview, original=fetch)

    def _offer(self, picture: Picture, alt_text: str, preview: Preview | None) -> None:
        if picture.media_id in {self.media_id, self._original and self._original.media_id}:
            self._next = None  # somebody came back to it
            return
        # What is on its way, or may be, stays in sight.
        if self.step in {"sending", "running", "unknown", "checking"}:
            self._next = (picture, alt_text, preview)
            return
        self._next = None
        with self.hold_sync():
            if self.alt_text == self._offered_alt:
                self.alt_text = self._offered_alt = alt_text[:MAX_ALT_TEXT]
            self.step = "editing"
            self.job_phase = "none"
            self.settled = ""
            self.error = None
            self._take(picture, preview)

    _wanted: Media | None = None
    _next: tuple[Picture, str, Preview | None] | None = None
    _offered_alt = ""

    @property
    def _may_fix(self) -> bool:
        return self.step == "editing"

    # ------------------------------------------------------------ accounts

    def _load(self) -> None:
        if not self._closed:
            self.accounts_state = "loading"
            self._start(self._load_accounts)

    def _on_reload(self, _content: object) -> None:
        # What a summary spoke of does not change under it.
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
            # With several accounts none is guessed: a post on the wrong one is public.
            if self.account not in ids:
                self.account = ids[0] if len(ids) == 1 else ""
            self.accounts_state = "ready" if ids else "none"

    # ------------------------------------------------------------ publishing

    def _on_publish(self, content: Mapping[str, Any]) -> None:
        if self.step != "editing" or self.fixing:
            return
        self.error = None
        self._check_seen(content.get("media_id", self.media_id), self.media_id)
        self.summary = self._checked(content)
        if self.confirm_publish:
            self.step = "confirming"
        else:
            self._submit()

    def _on_edit(self, _content: object) -> None:
        if self.step in {"confirming", "repeating"}:
            self.step = "editing"

    def _on_repeat(self, content: Mapping[str, Any]) -> None:
        if self.step == "repeating" and content.get("media_id") == self.summary["media_id"]:
            self._submit(repeat=True)

    def _on_confirm(self, content: Mapping[str, Any]) -> None:
        # The step changes here, on the loop, before anything is sent; a second click
        # (or a second tab) finds it changed.
        if self.step != "confirming":
            return
        self._check_seen(content.get("media_id"), self.summary["media_id"])
        self._submit()

    def _check_seen(self, seen: object, media_id: str) -> None:
        """Refuse what was said while looking at another picture."""
        if seen != media_id:
            self.step = "editing"
            raise InvalidInputError("media_id", "The picture changed meanwhile.", "Look again.")

    def _checked(self, content: Mapping[str, Any]) -> dict[str, str]:
        """What will be posted, if nothing speaks against it."""
        named = ("account", "caption", "alt_text", "product")
        chosen = {name: str(content.get(name, getattr(self, name))) for name in named}
        names = {account["id"]: account["name"] for account in self.accounts}
        if not self.media_id:
            raise InvalidInputError("media_id", "There is no picture to publish yet.")
        if chosen["account"] not in names:
            raise InvalidInputError(
                "account",
                "No Instagram account is chosen.",
                "Choose one; connect accounts in your Wonda settings, then refresh.",
            )
        check_length("caption", chosen["caption"], MAX_CAPTION)
        check_length("alt_text", chosen["alt_text"], MAX_ALT_TEXT)
        return {**chosen, "media_id": self.media_id, "account_name": names[chosen["account"]]}

    def _submit(self, *, repeat: bool = False) -> None:
        self.step = "sending"
        self.settled = ""
        self._watch(None)
        self._start(self._publish, self.summary, repeat)

    async def _publish(self, summary: Mapping[str, str], repeat: bool) -> None:  # noqa: FBT001
        try:
            job = await self._client.publish.instagram(
                media_id=summary["media_id"],
                instagram_account_id=summary["account"],
                caption=summary["caption"] if summary["caption"].strip() else None,
                alt_text=summary["alt_text"] if summary["alt_text"].strip() else None,
                product=summary["product"],
                allow_repeat=repeat,
            )
        except AlreadyPublishedError as error:
            self.earlier = {"text": error.message, "link": error.permalink or ""}
            self.step = "repeating"
        except OutcomeUnknownError as error:
            self._doubt(error)
            raise
        except BaseException:
            self.step = "editing"
            raise
        else:
            self._follow(job)

    def _follow(self, job: Job) -> None:
        self.step = "running"
        self.posted = {}
        self._watch(job)
        for listener in self._listeners:
            self._guard(listener, job)

    def take_over(self, job: Job) -> None:
        """Go on with a post of an earlier kernel from where it stands. On the loop only."""
        body = job.request
        names = {account["id"]: account["name"] for account in self.accounts}
        account = body.get("instagramAccountId") or ""
        self.summary = {
            "account": account,
            "account_name": names.get(account, "the account"),
            "media_id": body.get("mediaId") or "",
            "caption": body.get("caption") or "",
            "alt_text": body.get("altText") or "",
            "product": body.get("product") or "IMAGE",
        }
        self.settled = ""
        if job.id is not None:
            self._follow(job)
            return
        self._doubt(job)
        self.error = _words.problem(job.snapshot.error or WondaError(""))

    # ------------------------------------------------------------ after an unknown outcome

    def _doubt(self, unknown: Job | OutcomeUnknownError) -> None:
        self._unknown, self._checks = unknown, 0
        with self.hold_sync():
            self.undecided = False
            self.again_in = 0.0
            self.suspect = ""
            self.posted = {}
            self.step = "unknown"

    def check(self) -> None:
        """Do what `Check` does. On the loop only."""
        self._on_check(None)

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
            reason = f"The account’s history cannot be read now: {error.message}"
            self._still_unknown(Finding(posted=None, message=reason))
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

    def _still_unknown(self, finding: Finding) -> None:
        with self.hold_sync():
            self.step = "unknown"
            # Whoever has looked twice may know better than the history.
            self.undecided = finding.again_in is None or self._checks > 1
            self.again_in = finding.again_in or 0.0
            self.suspect = finding.permalink or ""
            self.error = {**UNKNOWN, "text": finding.message}
        if finding.again_in is not None and self._checks <= MOST_CHECKS:
            self._recheck = self._start(self._check_again, finding.again_in, self._unknown)

    async def _check_again(self, seconds: float, unknown: object) -> None:
        await asyncio.sleep(seconds)
        if self._unknown is unknown and not self._closed:
            self.check()

    def _settle(self, *, posted: bool, message: str, link: str | None = None) -> None:
        self._unknown = None
        if posted:
            self._posted(link, None)
        with self.hold_sync():
            self.job_phase = "none"
            self.step = "editing"
            self.error = None
        if self._next is not None:
            message = "The last picture was not posted. Choose it again to publish it."
        self._offer_next()
        self.settled = "" if posted else message

    def _on_settled(self, content: Mapping[str, Any]) -> None:
        """Somebody looked at the account and says so: the form is free again."""
        if self.step == "unknown" and self._unknown is not None:
            self.step = "checking"
            self._start(self._take_word, self._unknown, content.get("posted") is True)

    async def _take_word(self, unknown: Job | OutcomeUnknownError, posted: bool) -> None:  # noqa: FBT001
        try:
            await self._client.publish.settle(unknown, posted=posted)
        except BaseException:
            self.step = "unknown"
            raise
        self._settle(posted=posted, message="Noted: not posted. You can publish it.")

    # ------------------------------------------------------------ the post's job

    def _posted(self, link: str | None, at: float | None) -> None:
        self.posted = {
            "account": self.summary["account_name"],
            "media_id": self.summary["media_id"],
            "time": at or time.time(),
            "link": link or "",
        }

    def _show(self, job: Job, snapshot: Snapshot) -> None:
        super()._show(job, snapshot)
        if snapshot.status == "succeeded":
            ended = snapshot.finished_at
            self._posted(snapshot.permalink, ended.timestamp() if ended else None)
        if snapshot.terminal:
            self.step = "editing"
            self._offer_next()
        elif snapshot.error is not None:  # it cannot be followed any more, but may be posted
            self._doubt(job)
        elif self.step == "unknown":  # it is followed again
            self.step = "running"

    def _offer_next(self) -> None:
        if self._next is not None:
            self._offer(*self._next)
