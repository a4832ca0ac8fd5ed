"""`Unfinished`: jobs of an earlier kernel that are still running or whose outcome is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ...utils import event_loop
from ...utils.visible_text import shorten
from .._shared.frontend import view
from .._shared.panel import Panel
from .._shared.permissions import Permission, open_to_all, requires

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ...client.wonda_client import AsyncWonda
    from ...journal.entries import JournalEntry
    from .._shared.permissions import Permissions


class Unfinished(Panel):
    """An offer to continue unfinished work in the journal; hidden if there is none.

    Parameters
    ----------
    wonda : AsyncWonda
    resume : callable
        Called on the package's loop with the entries of running jobs; returns those that could not
        be resumed.
    check : callable
        Called on the package's loop with a post whose response was never received; returns False if
        the post cannot be checked yet.
    owners : collection of str, optional
        Processes (`JournalEntry.process`) whose requests without a response are offered. By
        default, all unfinished work of kernels that have ended is offered.
    """

    _panel = view("unfinished")

    running = traitlets.Int(0).tag(sync=True)
    """The number of jobs that have not ended."""
    newest_text = traitlets.Unicode("").tag(sync=True)
    """The prompt or caption of the newest of these jobs."""
    images = traitlets.Int(0).tag(sync=True)
    """The number of images that may have been generated and charged."""
    posts = traitlets.Int(0).tag(sync=True)
    """The number of posts that may have been published."""
    is_blocked = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether `check` must wait until another post is resolved."""
    journal_problem = traitlets.Unicode("").tag(sync=True)
    """A sentence about a problem with the journal's file; empty for none."""

    def __init__(
        self,
        wonda: AsyncWonda,
        resume: Callable[[list[JournalEntry]], list[JournalEntry]],
        check: Callable[[JournalEntry], bool],
        *,
        owners: Collection[str] | None = None,
    ) -> None:
        self._owners = owners
        self._resume = resume
        self._check = check
        self._running: list[JournalEntry] = []
        self._images: list[JournalEntry] = []
        self._posts: list[JournalEntry] = []
        super().__init__(wonda, banner=False)
        event_loop.call_soon(lambda: self._start(self._load))

    async def _load(self) -> None:
        jobs = self._client.jobs
        if self._owners is None:
            found = await jobs.unfinished()
        else:  # running jobs of these processes are resumed without asking
            found = [entry for entry in await jobs.left_by(self._owners) if entry.is_unknown]
        self._running = [entry for entry in found if not entry.is_unknown]
        self._images = [r for r in found if r.is_unknown and r.kind == "inference"]
        self._posts = [r for r in found if r.is_unknown and r.kind == "publish"]
        self._update()

    def grant(self, permissions: Permissions) -> None:
        """See `Panel.grant`."""
        super().grant(permissions)
        event_loop.call_soon(self._update)

    def refresh(self) -> None:
        """Read the journal again. Call it on the package's loop only."""
        self._start(self._load)

    @property
    def _may_settle(self) -> bool:
        """Whether the session may resume and check posts."""
        return self._permissions.grants(Permission.SETTLE)

    @property
    def _resumable(self) -> list[JournalEntry]:
        """The running jobs that this session may resume."""
        return [each for each in self._running if each.kind != "publish" or self._may_settle]

    def _update(self) -> None:
        if self._closed:
            return
        running = self._resumable
        with self.hold_sync():
            self.running = len(running)
            self.newest_text = _short_text(running[-1]) if running else ""
            self.images = len(self._images)
            self.posts = len(self._posts) if self._may_settle else 0
            self.is_blocked = False
            self.journal_problem = self._client.jobs.problem

    @requires(Permission.GENERATE)
    def _on_watch(self, _content: object) -> None:
        if offered := self._resumable:
            others = [each for each in self._running if each not in offered]
            self._running = [*others, *self._resume(offered)]
            self._update()

    @requires(Permission.SETTLE)
    def _on_check(self, _content: object) -> None:
        if self._posts and self._check(self._posts[-1]):
            self._posts.pop()  # the newest; the others are still offered
            self._update()
        elif self._posts:
            self.is_blocked = True

    @requires(Permission.GENERATE)
    def _on_dismiss_images(self, _content: object) -> None:
        taken, self._images = self._images, []
        self._update()
        for entry in taken:
            self._start(self._dismiss_entry, entry)

    async def _dismiss_entry(self, entry: JournalEntry) -> None:
        await self._client.jobs.dismiss(entry)

    @open_to_all
    def _on_dismiss(self, _content: Any) -> None:
        self._running, self._images, self._posts = [], [], []
        self._update()


def _short_text(entry: JournalEntry) -> str:
    words = entry.body.get("prompt") or entry.body.get("caption") or ""
    return shorten(" ".join(str(words).split()), 60)
