"""`StoryboardBar`: keep the images in the notebook, or export them as an HTML page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from .._shared.frontend import view
from .._shared.panel import Panel
from .._shared.permissions import Permission, open_to_all, requires

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ...api.history import AsyncHistory
    from ...jobs.job import Job
    from ...journal.generated_image import GeneratedImage

    Shows = Callable[[], tuple[AsyncHistory, list[GeneratedImage | Job]]]


class StoryboardBar(Panel):
    """The buttons `Keep in notebook` and `Export page`, shown when there are images.

    Parameters
    ----------
    title : str
        The title of the page.
    shows : callable
        Returns the history and the images; see `storyboard.Shows`.
    keep : callable
        Replaces the composite panel with its snapshot.
    """

    _needs_client = False
    _panel = view("storyboard_bar")

    has_images = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether there are images; without any, the bar is hidden."""
    busy = traitlets.Unicode("").tag(sync=True)
    """The operation in progress, as text; empty for none."""

    def __init__(
        self, title: str, shows: Shows, keep: Callable[[], Awaitable[None]], **traits: Any
    ) -> None:
        self._title = title
        self._shows_of = shows
        self._keep_all = keep
        super().__init__(**traits)

    @requires(Permission.KEEP)
    def _on_keep(self, _content: object) -> None:
        if not self.busy:
            self.busy = "Keeping in notebook…"
            self._start(self._work, self._keep_all)

    @open_to_all
    def _on_page(self, content: Mapping[str, Any]) -> None:
        if not self.busy:
            self.busy = "Exporting page…"
            self._start(self._work, self._save, content.get("view"))

    async def _work(self, work: Callable[..., Awaitable[None]], *args: Any) -> None:
        self.error = None
        try:
            await work(*args)
        finally:
            self.busy = ""

    async def _save(self, view: object) -> None:
        from ...export import storyboard  # noqa: PLC0415 - needed only now

        history, images = self._shows_of()
        data = await storyboard.render(history, images, title=self._title)
        # Only the view that requested the file saves it.
        message = {"type": "download", "view": view, "name": "story.html", "mime": "text/html"}
        self.send(message, [data])
