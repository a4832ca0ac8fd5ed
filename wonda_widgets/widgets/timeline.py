"""`Timeline`: today's images and posts, updated live."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import traitlets

from ..errors import WondaError
from ..export import timeline
from ..jobs.job import Job
from ..journal import budgets
from ..journal.generated_image import GeneratedImage
from ..models import Media, one_line
from ..utils import event_loop
from ._shared.frontend import view
from ._shared.panel import Panel
from ._shared.permissions import open_to_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..export.timeline import ImageTimeline

MAX_IMAGES = 30
MAX_TITLE_LENGTH = 300  # characters
REFRESH_DELAY_SECONDS = 0.5  # seconds in which several changes are collected


class Timeline(Panel):
    """A list of today's images with time, prompt and posts, newest first.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default, a client with the key from the environment, or a sandbox.

    Examples
    --------
    >>> ww.Timeline(wonda)
    """

    _panel = view("timeline")

    entries: Any = traitlets.List().tag(sync=True)
    """The entries, newest first, each with ``key``, ``time`` (seconds since 1970), ``title``,
    ``events`` (edits and posts, as text), ``posted`` (whether the image was posted), ``link``."""
    summary = traitlets.Unicode("").tag(sync=True)
    """The counts: ``"6 images, 1 edited, 2 posted"``."""
    state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"`` or ``"ready"``."""

    def __init__(self, wonda: Wonda | AsyncWonda | None = None, **traits: Any) -> None:
        if isinstance(wonda, Job | GeneratedImage | Media | list | tuple):
            raise TypeError(
                "Timeline shows the images that its client generated today. For a page of "
                "selected images or "
                "jobs, call ww.storyboard(images, path)."
            )
        self._timelines: list[ImageTimeline] = []
        self._refresh_pending = False
        super().__init__(wonda, **traits)
        self._subscriptions.append(self._client.history.watch(self.refresh_soon))
        event_loop.call_soon(self.refresh_soon)

    def refresh_soon(self) -> None:
        """Read the journal again once for several changes. On the package's loop only."""
        if not self._refresh_pending and not self._closed:
            self._refresh_pending = True
            self._start(self._load)

    async def _load(self) -> None:
        await asyncio.sleep(REFRESH_DELAY_SECONDS)
        self._refresh_pending = False
        history = self._client.history
        midnight = budgets.start_of_day()
        found = await history.search(since=midnight, limit=MAX_IMAGES)
        self._timelines = await history.timeline(found)
        count = await history.count(since=midnight)
        more = f" The newest {MAX_IMAGES} are listed." if count > MAX_IMAGES else ""
        with self.hold_sync():
            self.error = None
            self.entries = [_entry(entry) for entry in self._timelines]
            self.summary = f"{timeline.summary(self._timelines)}.{more}" if self._timelines else ""
            self.state = "ready"

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """Return the images, oldest first; see `storyboard.Shows`."""
        return self._client.history, [entry.image for entry in self._timelines[::-1]]

    @open_to_all
    def _on_thumbs(self, content: Mapping[str, Any]) -> None:
        keys = content.get("keys")
        wanted = {key for key in keys if isinstance(key, str)} if isinstance(keys, list) else set()
        for entry in self._timelines:
            if _key(entry) in wanted:
                self._start(self._send_thumbnail, entry.image)

    async def _send_thumbnail(self, image: GeneratedImage) -> None:
        try:
            data = await self._client.history.thumbnail(image)
        except WondaError:  # the entry is shown without a thumbnail
            return
        if not self._closed:
            self.send({"type": "thumb", "key": image.media.media_id}, [data])


def _key(entry: ImageTimeline) -> str:
    return entry.image.media.media_id or ""


def _entry(entry: ImageTimeline) -> dict[str, Any]:
    image = entry.image
    made = entry.requested_at or image.made_at
    events = ["edited"] if entry.edits else []
    events += [f"{post.state} · {post.account}" for post in entry.posts if post.state != "canceled"]
    link = next((post.permalink for post in entry.posts if post.permalink), None)
    return {
        "key": _key(entry),
        "time": made.timestamp() if made else 0.0,
        "title": one_line(image.prompt)[:MAX_TITLE_LENGTH] or "Image",
        "events": ", ".join(events),
        "posted": entry.is_posted,
        "link": link or "",
    }
