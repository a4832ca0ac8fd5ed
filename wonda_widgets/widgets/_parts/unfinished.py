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
    go_on : callable
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
    what = traitlets.Unicode("").tag(sync=True)
    """The words of the newest of these: its prompt or caption."""
    images = traitlets.Int(0).tag(sync=True)
    """How many images may have been made and billed."""
    posts = traitlets.Int(0).tag(sync=True)
    """How many posts may have been made."""
    busy = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether a post could not be taken up, because another one is not settled."""
    trouble = traitlets.Unicode("").tag(sync=True)
    """What is wrong with the journal's file, in a sentence."""

    def __init__(
        self,
        wonda: AsyncWonda,
        go_on: Callable[[list[JournalEntry]], list[JournalEntry]],
        check: Callable[[JournalEntry], bool],
        *,
        of: Collection[str] | None = None,
    ) -> None:
        self._of = of
        self._go_on = go_on
        self._check = check
        self._running: list[JournalEntry] = []
        self._images: list[JournalEntry] = []
        self._posts: list[JournalEntry] = []
        super().__init__(wonda, banner=False)
        event_loop.call_soon(lambda: self._start(self._look))

    async def _look(self) -> None:
        jobs = self._client.jobs
        if self._of is None:
            found = await jobs.unfinished()
        else:  # what has a job is followed without being asked for
            found = [record for record in await jobs.left_by(self._of) if record.is_unknown]
        self._running = [record for record in found if not record.is_unknown]
        self._images = [r for r in found if r.is_unknown and r.kind == "inference"]
        self._posts = [r for r in found if r.is_unknown and r.kind == "publish"]
        self._tell()

    def grant(self, permissions: Permissions) -> None:
        """See `Panel.grant`."""
        super().grant(permissions)
        event_loop.call_soon(self._tell)

    def look(self) -> None:
        """Look again. On the loop only."""
        self._start(self._look)

    @property
    def _settles(self) -> bool:
        """Whether posts are offered to be followed and checked."""
        return self._permissions.grants(Permission.SETTLE)

    @property
    def _offered(self) -> list[JournalEntry]:
        """What was running and can be followed from here."""
        return [each for each in self._running if each.kind != "publish" or self._settles]

    def _tell(self) -> None:
        if self._closed:
            return
        running = self._offered
        with self.hold_sync():
            self.running = len(running)
            self.what = _words_of(running[-1]) if running else ""
            self.images = len(self._images)
            self.posts = len(self._posts) if self._settles else 0
            self.busy = False
            self.trouble = self._client.jobs.trouble

    @requires(Permission.GENERATE)
    def _on_watch(self, _content: object) -> None:
        if offered := self._offered:
            others = [each for each in self._running if each not in offered]
            self._running = [*others, *self._go_on(offered)]
            self._tell()

    @requires(Permission.SETTLE)
    def _on_check(self, _content: object) -> None:
        if self._posts and self._check(self._posts[-1]):
            self._posts.pop()  # the newest; the others stay offered
            self._tell()
        elif self._posts:
            self.busy = True

    @requires(Permission.GENERATE)
    def _on_looked(self, _content: object) -> None:
        taken, self._images = self._images, []
        self._tell()
        for record in taken:
            self._start(self._dismiss, record)

    async def _dismiss(self, record: JournalEntry) -> None:
        await self._client.jobs.dismiss(record)

    @open_to_all
    def _on_later(self, _content: Any) -> None:
        self._running, self._images, self._posts = [], [], []
        self._tell()


def _words_of(record: JournalEntry) -> str:
    words = record.body.get("prompt") or record.body.get("caption") or ""
    return textwrap.shorten(str(words), 60, placeholder="…")
