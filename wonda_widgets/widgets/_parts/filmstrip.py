"""`Filmstrip`: the earlier images and videos of a panel, any of which can be shown again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from .._shared.frontend import view
from .._shared.panel import Panel
from .._shared.permissions import open_to_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from .._shared.media_preview import ShownMedia

MIN_IMAGES = 2  # a single image is displayed anyway
MAX_IMAGES = 24
MAX_LABEL_LENGTH = 200  # characters


class Filmstrip(Panel):
    """A row of thumbnails, shown when there are at least two.

    Parameters
    ----------
    on_select : callable
        Called on the package's loop with the image and its note when one is clicked.
    """

    _needs_client = False
    _panel = view("filmstrip")

    thumbs: Any = traitlets.List().tag(sync=True)
    videos = traitlets.List(traitlets.Bool()).tag(sync=True)
    """Whether each is a video; its thumbnail is empty if its first frame is unknown."""
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    """The index of the displayed image; -1 for none."""

    def __init__(self, on_select: Callable[[ShownMedia, str], object], **traits: Any) -> None:
        self._select_listener = on_select
        self._entries: list[tuple[ShownMedia, str]] = []  # with their notes
        self._selected = -1
        super().__init__(banner=False, **traits)

    def add(self, shown: ShownMedia, note: str, *, selected: bool) -> None:
        """Add an image at the front or move it there; select it if `selected` is true."""
        media_ids = [image.media.media_id for image, _ in self._entries]
        is_known = shown.media.media_id in media_ids
        at = media_ids.index(shown.media.media_id) if is_known else len(media_ids)
        del self._entries[at : at + 1]
        self._entries.insert(0, (shown, note))
        del self._entries[MAX_IMAGES:]
        self._selected = 0 if selected else self._selected + (self._selected < at)
        if len(self._entries) < MIN_IMAGES:  # not displayed, so a message would be wasted
            return
        with self.hold_sync():
            self.thumbs = [image.thumb for image, _ in self._entries]
            self.videos = [image.media.is_video for image, _ in self._entries]
            self.labels = [_label(image) for image, _ in self._entries]
            self.selected = self._selected

    @property
    def images(self) -> list[ShownMedia]:
        """The images, newest first."""
        return [image for image, _ in self._entries]

    @open_to_all
    def _on_select(self, content: dict[str, Any]) -> None:
        index = content.get("index")
        if isinstance(index, int) and 0 <= index < len(self._entries):
            self.selected = self._selected = index
            self._select_listener(*self._entries[index])


def _label(shown: ShownMedia) -> str:
    kind = "Video" if shown.media.is_video else "Image"
    text = shown.prompt[:MAX_LABEL_LENGTH]
    return f"{kind}: {text}" if text and shown.media.is_video else text or kind
