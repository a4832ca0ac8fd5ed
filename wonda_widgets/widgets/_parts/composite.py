"""Panels put together into one: one client, one banner, one frame, one end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets

from ...utils import event_loop
from .._shared import notebook_snapshot
from .._shared.panel import Panel, not_displayed_error
from .._shared.permissions import OWNER
from .._shared.static_fallback import StaticFallback
from .._shared.subscriptions import Subscriptions
from .._shared.thread_safe_traits import ThreadSafeTraits
from .notice import Notice
from .storyboard_bar import StoryboardBar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...api.history import AsyncHistory
    from ...client.wonda_client import AsyncWonda
    from ...jobs.job import Job
    from ...journal.images import GeneratedImage
    from .._shared.permissions import Permissions


class _Fixed:
    """A box of which a page sets nothing: what is shown where is the kernel's to say."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Ignore what a page sends; for ipywidgets."""


class Row(_Fixed, ThreadSafeTraits, ipywidgets.Box):  # type: ignore[misc]  # ipywidgets is untyped
    """Panels side by side, as far as there is room."""


class Column(_Fixed, ThreadSafeTraits, ipywidgets.VBox):  # type: ignore[misc]  # see above
    """Panels one below the other."""


class CompositePanel(_Fixed, ThreadSafeTraits, ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """Base of `Studio` and its like.

    Parameters
    ----------
    title : str
        Of the static output that stays in the notebook.
    used, owned : AsyncWonda
        The client, and the same again if it is to be closed with this.
    rows : list
        Panels and boxes, from top to bottom.
    boxes : list
        The boxes among them and within them.
    later : list
        Rows that are not shown before `_reveal`.
    banner : bool
        Whether the sandbox is told of.
    story : bool
        Whether it offers to keep what was made, and to save it as a page.
    """

    _closed = True  # until it is built: a half-built one has nothing to close
    _permissions = OWNER

    def __init__(
        self,
        title: str,
        used: AsyncWonda,
        owned: AsyncWonda | None,
        rows: Sequence[Any],
        *,
        boxes: Sequence[Any] = (),
        later: Sequence[Any] = (),
        banner: bool = True,
        story: bool = True,
    ) -> None:
        self._client, self._owned = used, owned
        notice = [Notice(used)] if used.is_sandbox and banner else []
        self._storyboard_bar = StoryboardBar(title, self._shows, self._keep) if story else None
        self._rows = [*notice, *rows, *([self._storyboard_bar] if self._storyboard_bar else [])]
        self._hidden = {id(row) for row in later}
        self._boxes = list(boxes)
        inside = [child for box in boxes for child in box.children]
        together = (Panel, CompositePanel)
        self._panels = [each for each in (*self._rows, *inside) if isinstance(each, together)]
        self._subscriptions = Subscriptions()
        self._fallback = StaticFallback(title, is_sandbox=used.is_sandbox)
        for panel in self._panels:
            if isinstance(panel, Panel):  # another one like this has its own
                panel.add_fallback(self._fallback)
        # One of them carries the style that hides what is static.
        self._hiding_panel = next(each for each in self._panels if id(each) not in self._hidden)
        self._hiding_panel.hiding = self._fallback.hiding_style
        self._closed = False
        super().__init__(self._shown())
        self.add_class("wonda-studio")

    def _shown(self) -> list[Any]:
        return [row for row in self._rows if id(row) not in self._hidden and self._may_see(row)]

    def _may_see(self, row: Any) -> bool:
        return not isinstance(row, Panel) or self._permissions.grants(row._view_permission)  # noqa: SLF001

    # ------------------------------------------------------------ what a page may do

    def grant(self, permissions: Permissions) -> None:
        """Have this session do from now on what `permissions` grants, in every panel of this."""
        self._permissions = permissions
        for panel in self._panels:
            panel.grant(permissions)
        self.children = self._shown()

    @property
    def wonda(self) -> AsyncWonda:
        """The client that its panels work with."""
        return self._client

    def scroll_into_view(self) -> None:
        """Come in sight, because somebody asked for it. On the loop only."""
        self._panels[0].scroll_into_view()

    def _reveal(
        self,
        panel: Panel | CompositePanel,
        *,
        before: Panel | None = None,
        back: Panel | None = None,
    ) -> None:
        """Show a panel that was not needed until now, and bring it in sight.

        With `back`, it can be put away again, and that panel comes in sight.
        """
        if back is not None and isinstance(panel, Panel):
            panel.show_close_button(partial(self._hide, panel, back))
        if panel not in self._rows:
            anchor = before or self._storyboard_bar
            at = len(self._rows) if anchor is None else self._rows.index(anchor)
            self._rows.insert(at, panel)
            self._panels.append(panel)
            panel.grant(self._permissions)
            if isinstance(panel, Panel):
                panel.add_fallback(self._fallback)
        self._hidden.discard(id(panel))
        self.children = self._shown()
        panel.scroll_into_view()

    def _hide(self, panel: Panel, back: Panel) -> None:
        """Out of sight; what it holds stays as it is."""
        self._hidden.add(id(panel))
        self.children = self._shown()
        back.scroll_into_view()

    def _enable_storyboard(self) -> None:
        """There is something to keep. On the loop only."""
        if self._storyboard_bar is not None:
            self._storyboard_bar.has_images = True

    def keep(self) -> None:
        """See `Panel.keep`."""
        event_loop.run_blocking(self._keep())

    async def _keep(self) -> None:
        history, images = self._shows()
        kept = await notebook_snapshot.from_images(
            self._fallback.title, history, images, self._running_jobs()
        )
        if not self._fallback.keep(notebook_snapshot.without_key(kept, history.without_key)):
            raise not_displayed_error()
        self._hiding_panel.hiding = self._fallback.hiding_style

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """What it shows; see `storyboard.Shows`."""
        raise NotImplementedError

    def _running_jobs(self) -> list[Job]:
        """What has not ended yet, and is told of when this is kept."""
        return []

    def display_static(self) -> None:
        """See `Panel.display_static`."""
        self._fallback.display(lambda: self.is_loading)

    def _ipython_display_(self) -> None:
        self._fallback.display_under(self, lambda: self.is_loading)

    @property
    def is_loading(self) -> bool:
        """Whether something is on its way that will be shown here. On the loop only."""
        return any(panel.is_loading for panel in self._panels)

    def close(self) -> None:
        """Free everything: the panels, their subscriptions, and the client if it made one."""
        if self._closed:
            return
        self._closed = True
        self._subscriptions.close()
        for panel in self._panels:
            panel.close()
        # Children are let go first: a closed child in a living box breaks its state.
        for box in (self, *self._boxes):
            box.children = ()
        for box in self._boxes:
            layout = box.layout
            box.close()
            layout.close()
        if self._owned is not None:
            event_loop.spawn_detached(self._owned.aclose)
        layout = self.layout
        super().close()
        layout.close()


def columns(left: Panel, *right: Panel) -> list[Any]:
    """A panel at the left and others at the right of it; the row, and the box in it."""
    stage = Column(list(right))
    work = Row([left, stage])
    stage.add_class("wonda-stage-column")
    work.add_class("wonda-work")
    return [work, stage]
