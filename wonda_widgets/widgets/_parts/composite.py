"""`CompositePanel`: several panels in one frame, with one client, one banner and one `close`.

A composite panel is one widget. It holds its parts in the trait `children`, and its component in
the browser shows them from their models:

    CompositePanel.children ──references──> host.getModel ──> component of each part
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import traitlets

from ...api.reviews import MAX_IMAGES, MIN_IMAGES
from .._shared import notebook_snapshot
from .._shared.frontend import view
from .._shared.panel import Panel
from .._shared.permissions import Permission
from .._shared.static_fallback import StaticFallback
from .storyboard_bar import StoryboardBar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...api.history import AsyncHistory
    from ...api.reviews import Mode
    from ...client.wonda_client import AsyncWonda
    from ...jobs.job import Job
    from ...journal.generated_image import GeneratedImage
    from .._shared.notebook_snapshot import NotebookSnapshot
    from .._shared.permissions import Permissions
    from ..compare import Compare
    from ..gallery import Gallery
    from ..review import Review


class Box(NamedTuple):
    """Parts in one element of the page, which arranges them by its CSS class."""

    css_class: str
    children: tuple[Panel | Box, ...]


def columns(left: Panel, *right: Panel) -> Box:
    """Place one panel on the left, and others on the right, one below the other."""
    return Box("wonda-work", (left, Box("wonda-stage-column", right)))


def _panels_in(parts: Sequence[Panel | Box]) -> Iterator[Panel]:
    for part in parts:
        if isinstance(part, Box):
            yield from _panels_in(part.children)
        else:
            yield part


def _to_json(parts: Sequence[Panel | Box], _widget: object) -> list[Any]:
    """Return the references and boxes that the browser receives; see `composite.tsx`."""
    return [
        {"box": part.css_class, "parts": _to_json(part.children, None)}
        if isinstance(part, Box)
        else f"anywidget:{part.model_id}"
        for part in parts
        if isinstance(part, Box) or part.comm is not None  # else it was closed on its own
    ]


class CompositePanel(Panel):
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
    hidden : list
        Panels that are not shown until `_reveal` or `_switch`.
    css_class : str
        Another CSS class of the frame.
    banner : bool
        Whether to show the sandbox banner.
    storyboard : bool
        Whether to offer `Keep in notebook` and `Export page`.
    """

    _panel = view("composite")
    review: Review | None = None
    """The review of the images that were selected last; None before the first."""

    children: Any = traitlets.List().tag(sync=True, to_json=_to_json)
    """The visible rows: panels and boxes."""
    css_classes: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Other CSS classes of the frame."""
    _internal_traits = Panel._internal_traits | {"children", "css_classes"}  # noqa: SLF001

    def __init__(
        self,
        title: str,
        client: AsyncWonda,
        owned: AsyncWonda | None,
        rows: Sequence[Panel | Box],
        *,
        hidden: Sequence[Panel] = (),
        css_class: str = "",
        banner: bool = True,
        storyboard: bool = True,
    ) -> None:
        self._storyboard_bar = StoryboardBar(title, self._shows, self._keep) if storyboard else None
        self._rows = [*rows, *([self._storyboard_bar] if self._storyboard_bar else [])]
        self._hidden = {id(row) for row in hidden}
        self._panels = list(_panels_in(self._rows))
        super().__init__(
            client,
            banner=banner,
            children=self._shown(),
            css_classes=[css_class] if css_class else [],
        )
        self._owned = owned
        self._fallback = StaticFallback(title, is_sandbox=client.is_sandbox)
        self.hiding = self._fallback.hiding_style
        for part in self._panels:
            self._add_fallback_to(part)

    def _add_fallback_to(self, part: Panel) -> None:
        if not isinstance(part, CompositePanel):  # a composite panel has its own static output
            part.add_fallback(self._fallback_of_all)

    @property
    def _fallback_of_all(self) -> StaticFallback:
        assert self._fallback is not None  # noqa: S101 - set by the constructor
        return self._fallback

    def _shown(self) -> list[Panel | Box]:
        return self._visible(self._rows)

    def _visible(self, parts: Sequence[Panel | Box]) -> list[Panel | Box]:
        return [
            Box(part.css_class, tuple(self._visible(part.children)))
            if isinstance(part, Box)
            else part
            for part in parts
            if id(part) not in self._hidden and self._may_see(part)
        ]

    def _switch(self, hidden: Panel, shown: Panel) -> None:
        """Show one panel in the place of another."""
        self._hidden.add(id(hidden))
        self._hidden.discard(id(shown))
        self.children = self._shown()

    def _may_see(self, row: Panel | Box) -> bool:
        return isinstance(row, Box) or self._permissions.grants(row._view_permission)  # noqa: SLF001

    # ------------------------------------------------------------ permissions

    def grant(self, permissions: Permissions) -> None:
        """Replace the permissions of the session in this panel and all its parts."""
        super().grant(permissions)
        for part in self._panels:
            part.grant(permissions)
        self.children = self._shown()

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

    def _add_review_action(self, gallery: Gallery) -> None:
        """Add a button to a gallery that lets people decide between its selected images."""
        gallery.add_action(
            "review",
            "Review…",
            partial(self._show_review, gallery),
            min_images=MIN_IMAGES["compare"],
            max_images=MAX_IMAGES,
            permission=Permission.GENERATE,
        )

    def _show_review(self, gallery: Gallery, images: list[GeneratedImage]) -> None:
        if self.review is None:
            from ..review import Review  # noqa: PLC0415 - loaded when it is needed

            self.review = Review(wonda=self._client, banner=False, setup=True)
        self.review.show(images, self.review.question, mode=cast("Mode", self.review.mode))
        self._reveal(self.review, back=gallery)

    def _reveal(
        self, panel: Panel, *, before: Panel | None = None, back: Panel | None = None
    ) -> None:
        """Show a hidden or new panel and scroll to it.

        Parameters
        ----------
        panel : Panel
        before : Panel, optional
            The row before which a new panel is inserted; by default, the panel is appended.
        back : Panel, optional
            Adds a close button, which hides the panel again and scrolls to `back`.
        """
        if back is not None:
            panel.show_close_button(partial(self._hide, panel, back))
        if panel not in self._rows:
            anchor = before or self._storyboard_bar
            at = len(self._rows) if anchor is None else self._rows.index(anchor)
            self._rows.insert(at, panel)
            self._panels.append(panel)
            panel.grant(self._permissions)
            self._add_fallback_to(panel)
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

    async def _make_snapshot(self) -> NotebookSnapshot:
        history, images = self._shows()
        title = self._fallback_of_all.title
        return await notebook_snapshot.from_images(title, history, images, self._running_jobs())

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """Return the images of the panel; see `storyboard.Shows`."""
        raise NotImplementedError

    def _running_jobs(self) -> list[Job]:
        """Return the jobs that have not ended, which a snapshot lists."""
        return []

    @property
    def is_loading(self) -> bool:
        """Whether content of a part is still being loaded. On the package's loop only."""
        return any(part.is_loading for part in self._panels)

    @property
    def is_working(self) -> bool:
        """Whether a request or a job of a part is in progress. On the package's loop only."""
        return any(part.is_working for part in self._panels)

    def close(self) -> None:
        """Close the parts, their subscriptions, and the client that this panel created."""
        if self._closed:
            return
        self.children = []  # the state of an open panel must not name closed ones
        for part in self._panels:
            part.close()
        super().close()
