"""`Filmstrip`: the earlier images of a panel, to go back to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from .._shared.panel import Panel, css, esm
from .._shared.permissions import open_to_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..image_preview import Shown

LONGEST = 24  # images
MOST_OF_A_LABEL = 200  # characters


class Filmstrip(Panel):
    """A row of small images; choosing one brings it back."""

    _needs_client = False
    _esm = esm("filmstrip")
    _css = css()

    thumbs: Any = traitlets.List().tag(sync=True)
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)

    def __init__(self, on_choose: Callable[[Shown, str], object], **traits: Any) -> None:
        self._bring_back = on_choose
        self._kept: list[tuple[Shown, str]] = []
        super().__init__(banner=False, **traits)

    def add(self, shown: Shown, note: str, *, chosen: bool) -> None:
        """Put an image at the front, and mark it if it is the one that is shown.

        One that is there already moves there.
        """
        media_ids = [kept.media.media_id for kept, _ in self._kept]
        known = shown.media.media_id in media_ids
        at = media_ids.index(shown.media.media_id) if known else len(media_ids)
        del self._kept[at : at + 1]
        self._kept.insert(0, (shown, note))
        del self._kept[LONGEST:]
        with self.hold_sync():
            self.thumbs = [kept.thumb for kept, _ in self._kept]
            self.labels = [kept.prompt[:MOST_OF_A_LABEL] or "Image" for kept, _ in self._kept]
            self.chosen = 0 if chosen else self.chosen + (self.chosen < at)

    @property
    def shown(self) -> list[Shown]:
        """The images, newest first."""
        return [kept for kept, _ in self._kept]

    @open_to_all
    def _on_choose(self, content: dict[str, Any]) -> None:
        index = content.get("index")
        if isinstance(index, int) and 0 <= index < len(self._kept):
            self.chosen = index
            self._bring_back(*self._kept[index])
