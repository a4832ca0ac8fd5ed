"""`CompositePanel`: several panels in one frame, with one client, one banner and one `close`."""

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
from .sandbox_banner import SandboxBanner
from .storyboard_bar import StoryboardBar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...api.history import AsyncHistory
    from ...client.wonda_client import AsyncWonda
    from ...jobs.job import Job
    from ...journal.generated_image import GeneratedImage
    from .._shared.permissions import Permissions
    from ..compare import Compare
    from ..gallery import Gallery


class _ReadOnly:
    """A box whose traits a page cannot set, because only the kernel decides what is shown."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Ignore the state that a page sends. Called by ipywidgets."""


class Row(_ReadOnly, ThreadSafeTraits, ipywidgets.Box):  # type: ignore[misc]  # untyped
    """Panels side by side if there is enough space."""


class Column(_ReadOnly, ThreadSafeTraits, ipywidgets.VBox):  # type: ignore[misc]  # untyped
    """Panels one below the other."""


class CompositePanel(_ReadOnly, ThreadSafeTraits, ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets is untyped
    """Base of `Studio`, `PromptLab`, `History` and `Dashboard`.

    Parameters
    ----------
    title : str
        The title of the static output that is kept in the notebook.
    client : AsyncWonda
    owned : AsyncWonda or None
        The same client if `close` must close it, else None.
    rows : list
        Panels and boxes, from top to bottom.
    boxes : list
        All boxes among the rows and inside them.
    hidden : list
        Rows that are not shown until `_reveal`.
    banner : bool
        Whether to show the sandbox banner.
    storyboard : bool
        Whether to offer `Keep in notebook` and `Export page`.
    """

    _closed = True  # until the constructor has succeeded, there is nothing to close
    _permissions = OWNER

    def __init__(
        self,
        title: str,
        client: AsyncWonda,
        owned: AsyncWonda | None,
        rows: Sequence[Any],
        *,
        boxes: Sequence[Any] = (),
        hidden: Sequence[Any] = (),
        banner: bool = True,
        storyboard: bool = True,
    ) -> None:
        self._client, self._owned = client, owned
        banners = [SandboxBanner(client)] if client.is_sandbox and banner else []
        self._storyboard_bar = StoryboardBar(title, self._shows, self._keep) if storyboard else None
        self._rows = [*banners, *rows, *([self._storyboard_bar] if self._storyboard_bar else [])]
        self._hidden = {id(row) for row in hidden}
        self._boxes = list(boxes)
        nested = [child for box in boxes for child in box.children]
        panel_types = (Panel, CompositePanel)
        self._panels = [each for each in (*self._rows, *nested) if isinstance(each, panel_types)]
        self._subscriptions = Subscriptions()
        self._fallback = StaticFallback(title, is_sandbox=client.is_sandbox)
        for panel in self._panels:
            if isinstance(panel, Panel):  # a composite panel has its own static output
                panel.add_fallback(self._fallback)
        # One of the panels has the style that hides the static output.
        self._hiding_panel = next(each for each in self._panels if id(each) not in self._hidden)
        self._hiding_panel.hiding = self._fallback.hiding_style
        self._closed = False
        super().__init__(self._shown())
        self.add_class("wonda-studio")

    def _shown(self) -> list[Any]:
        return [row for row in self._rows if id(row) not in self._hidden and self._may_see(row)]

    def _may_see(self, row: Any) -> bool:
        return not isinstance(row, Panel) or self._permissions.grants(row._view_permission)  # noqa: SLF001

    # ------------------------------------------------------------ permissions

    def grant(self, permissions: Permissions) -> None:
        """Replace the permissions of the session in this panel and all its parts."""
        self._permissions = permissions
        for panel in self._panels:
            panel.grant(permissions)
        self.children = self._shown()

    @property
    def wonda(self) -> AsyncWonda:
        """The client of the panels."""
        return self._client

    def scroll_into_view(self) -> None:
        """Scroll the page to the panel. Call it on the package's loop only."""
        self._panels[0].scroll_into_view()

    def _add_compare_action(self, gallery: Gallery, compare: Compare) -> None:
        """Add a button to a gallery that compares its selected images."""
        gallery.add_action(
            "compare",
            "Compare",
            partial(self._show_comparison, gallery, compare),
            min_images=compare.MIN_IMAGES,
            max_images=compare.MAX_IMAGES,
            permission=None,
        )

    def _show_comparison(
        self, gallery: Gallery, compare: Compare, images: list[GeneratedImage]
    ) -> None:
        compare.show(images)
        self._reveal(compare, back=gallery)

    def _reveal(
        self,
        panel: Panel | CompositePanel,
        *,
        before: Panel | None = None,
        back: Panel | None = None,
    ) -> None:
        """Show a hidden or new panel and scroll to it.

        Parameters
        ----------
        panel : Panel or CompositePanel
        before : Panel, optional
            The row before which a new panel is inserted; by default, the panel is appended.
        back : Panel, optional
            Adds a close button, which hides the panel again and scrolls to `back`.
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
        """Hide a panel without resetting it, and scroll to `back`."""
        self._hidden.add(id(panel))
        self.children = self._shown()
        back.scroll_into_view()

    def _enable_storyboard(self) -> None:
        """Show the buttons that keep or export the images."""
        if self._storyboard_bar is not None:
            self._storyboard_bar.has_images = True

    def keep(self) -> None:
        """See `Panel.keep`."""
        event_loop.run_blocking(self._keep())

    async def _keep(self) -> None:
        history, images = self._shows()
        snapshot = await notebook_snapshot.from_images(
            self._fallback.title, history, images, self._running_jobs()
        )
        if not self._fallback.keep(notebook_snapshot.redact(snapshot, history.redact)):
            raise not_displayed_error()
        self._hiding_panel.hiding = self._fallback.hiding_style

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """Return the images of the panel; see `storyboard.Shows`."""
        raise NotImplementedError

    def _running_jobs(self) -> list[Job]:
        """Return the jobs that have not ended, which a snapshot lists."""
        return []

    def display_static(self) -> None:
        """See `Panel.display_static`."""
        self._fallback.display(lambda: self.is_loading)

    def _ipython_display_(self) -> None:
        self._fallback.display_under(self, lambda: self.is_loading)

    @property
    def is_loading(self) -> bool:
        """Whether content of a panel is still being loaded. On the package's loop only."""
        return any(panel.is_loading for panel in self._panels)

    def close(self) -> None:
        """Close the panels, their subscriptions, and the client that this panel created."""
        if self._closed:
            return
        self._closed = True
        self._subscriptions.close()
        for panel in self._panels:
            panel.close()
        # Remove the children first: the state of an open box must not name closed widgets.
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
    """Place one panel on the left, others on the right; return the row and its right box."""
    stage = Column(list(right))
    work = Row([left, stage])
    stage.add_class("wonda-stage-column")
    work.add_class("wonda-work")
    return [work, stage]
