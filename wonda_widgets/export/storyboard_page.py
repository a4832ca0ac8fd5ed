"""Render a storyboard as one HTML file.

The template is `static/storyboard.html.j2`; its style and script are in the same folder. This
module prepares the data: it cleans and shortens all external strings, which the template then
escapes. The page's Content-Security-Policy allows only its own style, its own script and images
within the file, so markup that was included by mistake could neither run nor load anything.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..http.responses import replace_lone_surrogates
from ..imaging.preview import Preview
from ..models import format_duration, parameters
from ..utils.visible_text import shorten
from . import pages
from .timeline import SUCCEEDED, summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from jinja2 import Template

    from ..models import Media
    from .timeline import EditEvent, ImageTimeline, TimelinePost

    PreviewOrReason = Preview | str

#: Lengths in characters.
MAX_TEXT_LENGTH = 20_000
MAX_HEADING_LENGTH = 110
MAX_LINE_LENGTH = 200
MAX_ALT_LENGTH = 500
#: Prompt and note; longer ones take the full width of the page.
MAX_COLUMN_LENGTH = 700
MAX_PARAMS = 24  # per image
MAX_LENGTH = 360_000  # seconds of a video; more is a mistake
TENTHS_BELOW_SECONDS = 10  # shorter durations have one decimal

LINE_BREAKS = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
#: Control characters, and code points that Unicode will never assign.
NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
#: Printable ASCII only, as in `models.find_permalink`.
ADDRESS = re.compile(r"https?://[!#-&(-;=?-~]+")


@dataclass(frozen=True)
class Board:
    """The content of one storyboard.

    Attributes
    ----------
    title : str
    timelines : sequence of ImageTimeline
    written_at : datetime.datetime
        When the page is written, with the time zone in which the page shows all times.
    is_sandbox : bool
        Whether the images are placeholders, and nothing was published.
    clean : callable
        Removes the API key from a string.
    """

    title: str
    timelines: Sequence[ImageTimeline]
    written_at: datetime
    is_sandbox: bool = False
    clean: Callable[[str], str] = str


def render(board: Board, previews: Sequence[Mapping[str, PreviewOrReason]]) -> bytes:
    """Render a storyboard as the bytes of an HTML file.

    Parameters
    ----------
    board : Board
    previews : list of dict
        For each timeline, the previews to show: the original under ``""``, the edits under their
        media IDs. A string in place of a preview says why there is none.
    """
    return _template().render(_TemplateData(board).page(previews)).encode()


@cache
def _template() -> Template:
    return pages.template("storyboard.html.j2", duration=_duration)


@cache
def _asset(name: str) -> dict[str, str]:
    """Read a file of the page, with its hash for the Content-Security-Policy."""
    text = (pages.STATIC / name).read_text(encoding="utf-8").strip()
    digest = hashlib.sha256(text.encode()).digest()
    return {"text": text, "sha256": base64.b64encode(digest).decode()}


class _TemplateData:
    """Prepare the template's data for one board."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def page(self, previews: Sequence[Mapping[str, PreviewOrReason]]) -> dict[str, Any]:
        board = self._board
        days = {self._local(at).date() for at in _times(board.timelines)}
        days = days or {board.written_at.date()}
        offset = f"{board.written_at:%z}"
        return {
            "title": self._line(board.title),
            "summary": summary(board.timelines),
            "is_sandbox": board.is_sandbox,
            "written_at": board.written_at,
            "utc_offset": f"{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else "",
            "only_day": days.pop() if len(days) == 1 else None,
            "images": list(map(self._image, board.timelines, previews)),
            "style": _asset("storyboard.css"),
            "script": _asset("storyboard.js"),
        }

    def _image(
        self, timeline: ImageTimeline, previews: Mapping[str, PreviewOrReason]
    ) -> dict[str, Any]:
        image = timeline.image
        heading = self._line(image.prompt, MAX_HEADING_LENGTH)
        prompt = self._text(image.prompt)
        params = [("model", image.model)] if image.model else []
        params += list(image.params.items())[:MAX_PARAMS]
        return {
            "heading": heading,
            "prompt": "" if heading == prompt else prompt,
            "is_long": len(image.prompt) + len(image.note) > MAX_COLUMN_LENGTH,
            "is_posted": timeline.is_posted,
            "params": [self._param(name, value) for name, value in params],
            "rating": min(5, max(0, image.rating)),
            "review": _review_text(image.rank, image.approval),
            "favorite": image.favorite,
            "note": self._text(image.note),
            "requested_at": timeline.requested_at and self._local(timeline.requested_at),
            "statuses": self._statuses(timeline),
            "columns": min(3, len(previews)),
            "original": self._preview(timeline, image.media.media_id or "", previews.get("", "")),
            "edits": [
                self._edit(timeline, edit, previews.get(edit.media_id)) for edit in timeline.edits
            ],
            "posts": list(map(self._post, timeline.posts)),
            **self._video(image.media),
        }

    def _video(self, media: Media) -> dict[str, Any]:
        """Return the length and the address of a video; the page shows only its first frame."""
        is_video = media.is_video
        has_link = is_video and not self._board.is_sandbox  # which the reader cannot reach
        return {
            "is_video": is_video,
            "length": media.duration
            if is_video and 0 < (media.duration or 0) < MAX_LENGTH
            else None,
            "address": self._address(media.url or "") if has_link else "",
        }

    def _address(self, address: str) -> str:
        """Return a web address without a password; empty if it is none."""
        is_usable = ADDRESS.fullmatch(address) and "@" not in address.split("/")[2]
        return self._board.clean(address) if is_usable else ""

    def _param(self, name: str, value: object) -> tuple[str, str]:
        label = parameters.humanize(self._line(name))
        text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        return self._line(label), self._line(text)

    def _statuses(self, timeline: ImageTimeline) -> list[tuple[str, float]]:
        """List each status with the seconds from the request to it."""
        if timeline.requested_at is None:
            return []
        if not timeline.status_changes:
            seconds = timeline.image.seconds
            return [("done", seconds)] if 0 < seconds < math.inf else []
        return [
            (
                "done"
                if change.status == SUCCEEDED
                else self._line(change.status.replace("_", " ")),
                max(0.0, (change.at - timeline.requested_at).total_seconds()),
            )
            for change in timeline.status_changes
        ]

    def _edit(
        self, timeline: ImageTimeline, edit: EditEvent, preview: PreviewOrReason | None
    ) -> dict[str, Any]:
        media_id = edit.media_id
        posted = (post.media_ids for post in timeline.posts if post.is_posted)
        return {
            "operations": list(map(self._line, edit.descriptions)),
            "at": self._local(edit.at),
            "is_posted": any(media_id in media_ids for media_ids in posted),
            "preview": None if preview is None else self._preview(timeline, media_id, preview),
        }

    def _preview(
        self, timeline: ImageTimeline, media_id: str, preview: PreviewOrReason
    ) -> dict[str, Any]:
        if not isinstance(preview, Preview):
            return {"src": "", "alt": "", "missing": preview}
        of_posts = (post.alt_text for post in timeline.posts if post.media_ids == (media_id,))
        return {
            "src": f"data:{preview.mime_type};base64,{base64.b64encode(preview.data).decode()}",
            "alt": self._line(next(filter(None, of_posts), timeline.image.prompt), MAX_ALT_LENGTH),
            "width": preview.width,
            "height": preview.height,
        }

    def _post(self, post: TimelinePost) -> dict[str, Any]:
        # If it is unknown when the image was posted, the page shows when the post was requested.
        at = post.scheduled_for if post.state == "scheduled" else post.ended_at
        return {
            "state": post.state,
            "account": self._line(post.account),
            "caption": self._text(post.caption),
            "at": at and self._local(at),
            "requested_at": self._local(post.requested_at),
            "product": post.product,
            "image_count": len(post.media_ids),
            "permalink": self._address(post.permalink or ""),
        }

    def _text(self, value: object) -> str:
        return shorten(self._cleaned(value), MAX_TEXT_LENGTH)

    def _line(self, value: object, max_length: int = MAX_LINE_LENGTH) -> str:
        return shorten(" ".join(self._cleaned(value).split()), max_length)

    def _cleaned(self, value: object) -> str:
        """Remove the API key and characters that are not text."""
        text = replace_lone_surrogates(self._board.clean(str(value)))
        return NOT_TEXT.sub("\ufffd", LINE_BREAKS.sub("\n", text)).strip()

    def _local(self, at: datetime) -> datetime:
        try:
            return at.astimezone(self._board.written_at.tzinfo)
        except OverflowError:  # within a day of year 1 or 9999
            return at


def _times(timelines: Iterable[ImageTimeline]) -> Iterable[datetime]:
    """List all times that the page may show."""
    for timeline in timelines:
        if timeline.requested_at:
            yield timeline.requested_at
        yield from (edit.at for edit in timeline.edits)
        for post in timeline.posts:
            yield from filter(None, (post.requested_at, post.ended_at, post.scheduled_for))


def _duration(seconds: float) -> str:
    """Write a duration as ``"0.4 s"``, ``"31 s"`` or ``"2 min 05 s"``."""
    if seconds < TENTHS_BELOW_SECONDS:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    return format_duration(round(seconds))


def _review_text(rank: int, approval: str) -> str:
    """Return the result of the latest review: ``"Rank 1, approved"``; empty without."""
    return ", ".join(filter(None, [f"Rank {rank}" if rank else "", approval])).capitalize()
