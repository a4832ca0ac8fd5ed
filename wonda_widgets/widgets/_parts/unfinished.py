"""`Unfinished`: what an earlier kernel left running, and what nobody read the answer of."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import traitlets

from ...utils import event_loop
from .._shared.panel import Panel, css, esm
from .._shared.permissions import Permission, open_to_all, requires

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from ...client.wonda_client import AsyncWonda
    from ...journal.entries import JournalEntry
    from .._shared.permissions import Permissions


class Unfinished(Panel):
    """Offers to go on with what the journal knows to be unfinished; else it takes no room.

    Parameters
    ----------
    wonda : AsyncWonda
    resume : callable
        Called on the package's loop with the entries that were running; gives those that
        stay offered.
    check : callable
        Called on the package's loop with a post whose answer was never read; gives whether
        it could be taken.
    of : list of str, optional
        Whose, as `Record.process`, and then only what nobody read the answer of; without it,
        of all kernels that have ended.
    """

    _esm = esm("unfinished")
    _css = css()

    running = traitlets.Int(0).tag(sync=True)
    """How many jobs had no end yet."""
    newest_text = traitlets.Unicode("").tag(sync=True)
    """The words of the newest of these: its prompt or caption."""
    images = traitlets.Int(0).tag(sync=True)
    """How many images may have been made and billed."""
    posts = traitlets.Int(0).tag(sync=True)
    """How many posts may have been made."""
    is_blocked = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether a post could not be taken up, because another one is not settled."""
    journal_problem = traitlets.Unicode("").tag(sync=True)
    """What is wrong with the journal's file, in a sentence."""

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
        else:  # what has a job is followed without being asked for
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
        """Look again. On the loop only."""
        self._start(self._load)

    @property
    def _may_settle(self) -> bool:
        """Whether posts are offered to be followed and checked."""
        return self._permissions.grants(Permission.SETTLE)

    @property
    def _resumable(self) -> list[JournalEntry]:
        """What was running and can be followed from here."""
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
            self.journal_problem = self._client.jobs.trouble

    @requires(Permission.GENERATE)
    def _on_watch(self, _content: object) -> None:
        if offered := self._resumable:
            others = [each for each in self._running if each not in offered]
            self._running = [*others, *self._resume(offered)]
            self._update()

    @requires(Permission.SETTLE)
    def _on_check(self, _content: object) -> None:
        if self._posts and self._check(self._posts[-1]):
            self._posts.pop()  # the newest; the others stay offered
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
    return textwrap.shorten(str(words), 60, placeholder="…")
