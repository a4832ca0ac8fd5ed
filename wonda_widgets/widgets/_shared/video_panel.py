"""`VideoPanel`: the base of the panels that play videos.

    page ──play──> address ──> the browser plays from there, without the key
    page ──video_piece──> bytes, if the browser cannot reach the address

The browser cannot reach the address of a sandbox in the kernel, or of a service in the network of a
remote kernel. The kernel then keeps a copy on disk, and the page requests one piece after the
other. A video is never in a trait, so a saved notebook has none.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

from ...errors import WondaError
from ...utils import event_loop
from .formatting import file_size
from .panel import Panel
from .permissions import open_to_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ...models import Media

PIECE_BYTES = 2**20
MAX_BYTES = 300 * 2**20  # of a video in pieces, all of which the page keeps in memory
PROGRESS_INTERVAL_SECONDS = 0.5
DEFAULT_TYPE = "video/mp4"


class VideoPanel(Panel):
    """Base of the panels that play videos, each under a name of its own in messages: `of`."""

    def _video_of(self, of: str) -> Media | None:
        """Return the video with a name; None if it is no longer shown."""
        raise NotImplementedError

    def _video_in(self, content: Mapping[str, Any]) -> tuple[str, Media] | None:
        of = str(content.get("of"))
        media = self._video_of(of)
        return None if media is None else (of, media)

    def _send_address(self, of: str, media: Media) -> None:
        address = self._client.media.address_for_page(media)
        self.send({"type": "video", "of": of, "address": address})

    @open_to_all
    def _on_play(self, content: Mapping[str, Any]) -> None:
        if found := self._video_in(content):
            self._send_address(*found)

    @open_to_all
    def _on_video_piece(self, content: Mapping[str, Any]) -> None:
        at = content.get("at")
        found = self._video_in(content)
        if found and isinstance(at, int) and at >= 0:
            self._start(self._send_piece, *found, at, content.get("view"))

    async def _send_piece(self, of: str, media: Media, at: int, view: object) -> None:
        message = {"of": of, "view": view}
        try:
            async with self._client.media.borrow_file(media, self._progress(message)) as path:
                total = await event_loop.to_thread(lambda: path.stat().st_size)
                if total > MAX_BYTES:
                    reason = (
                        f"The browser cannot load this video itself, and with {file_size(total)} "
                        f"it is too large to come from the kernel (at most {file_size(MAX_BYTES)})."
                        " Save it to a folder."
                    )
                    self.send({**message, "type": "video_failed", "reason": reason})
                    return
                piece = await event_loop.to_thread(_read, path, at)
        except WondaError as error:
            reason = f"{error.message} {error.hint}".strip()
            self.send({**message, "type": "video_failed", "reason": reason})
            return
        mime = media.mime_type if media.is_video else DEFAULT_TYPE
        self.send(
            {**message, "type": "video_piece", "at": at, "total": total, "mime": mime}, [piece]
        )

    def _progress(self, message: Mapping[str, Any]) -> Callable[[int, int | None], object]:
        last = time.monotonic()

        def report(received: int, total: int | None) -> None:
            nonlocal last
            if time.monotonic() - last > PROGRESS_INTERVAL_SECONDS:
                last = time.monotonic()
                text = file_size(received) + (f" of {file_size(total)}" if total else "")
                self.send({**message, "type": "video_progress", "text": text})

        return report

    @open_to_all
    def _on_unplayable(self, content: Mapping[str, Any]) -> None:
        """Tell a page why its browser cannot play a video."""
        if found := self._video_in(content):
            self._start(self._explain_unplayable, *found, content.get("view"))

    async def _explain_unplayable(self, of: str, media: Media, view: object) -> None:
        codec = ""
        with contextlib.suppress(WondaError):  # the sentence is true without the codec
            codec = (await self._client.media.video_facts(media)).codec_name
        named = f" (codec {codec})" if codec else ""
        reason = f"This browser cannot play this video{named}. Save it, and open the file."
        self.send({"type": "video_failed", "of": of, "view": view, "reason": reason})


def _read(path: Path, at: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        return file.read(PIECE_BYTES)
