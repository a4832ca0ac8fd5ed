"""Render a storyboard as one HTML file.

`static/storyboard.html.j2` is the page, with its style and script beside it. This module
prepares the data: it cleans and shortens every text from outside, which the template then
escapes. The page's Content-Security-Policy allows only its own style, its own script and
images within the file, so markup that got in by mistake could neither run nor load anything.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..http.responses import replace_lone_surrogates
from ..imaging.preview import Preview
from ..models import format_duration, parameters
from . import timeline
from .timeline import DONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from jinja2 import Template

    from .timeline import EditEvent, ImageTimeline, TimelinePost

    PreviewOrReason = Preview | str

STATIC = Path(__file__).parent / "static"

LONGEST = 20_000  # characters of any text
LONGEST_HEADING = 110
LONG = 700  # characters of prompt and note; longer ones take the full width of the page
LONGEST_FACT = 200
LONGEST_ALT = 500
MOST_PARAMS = 24  # of one image
TENTHS_BELOW = 10  # seconds; shorter durations have one decimal

NEW_LINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
#: Control characters, and code points that Unicode will never assign.
NOT_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
#: Printable ASCII only, as in `models.find_permalink`.
ADDRESS = re.compile(r"https?://[!#-&(-;=?-~]+")


@dataclass(frozen=True)
class Board:
    """Hold the content of one storyboard.

    Attributes
    ----------
    title : str
    chapters : sequence of ImageTimeline
    written_at : datetime.datetime
        Aware. The page shows all times in its time zone.
    is_sandbox : bool
        Whether the images are placeholders and nothing was published.
    clean : callable
        Removes the API key from a text.
    """

    title: str
    chapters: Sequence[ImageTimeline]
    written_at: datetime
    is_sandbox: bool = False
    clean: Callable[[str], str] = str


def render(board: Board, previews: Sequence[Mapping[str, PreviewOrReason]]) -> bytes:
    """Render a storyboard as the bytes of an HTML file.

    Parameters
    ----------
    board : Board
    previews : list of dict
        For each chapter the previews to show: its own under ``""``, those of its edits under
        their media ids. A string in place of a preview says why there is none.
    """
    return _template().render(_Data(board).page(previews)).encode()


@cache
def _template() -> Template:
    import jinja2  # noqa: PLC0415 - only those who make a storyboard wait for it

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(STATIC),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["duration"] = _duration
    return environment.get_template("storyboard.html.j2")


@cache
def _asset(name: str) -> dict[str, str]:
    """Read a file of the page, with its hash for the Content-Security-Policy."""
    text = (STATIC / name).read_text(encoding="utf-8").strip()
    digest = hashlib.sha256(text.encode()).digest()
    return {"text": text, "sha256": base64.b64encode(digest).decode()}


class _Data:
    """Prepare the template's data for one board."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def page(self, previews: Sequence[Mapping[str, PreviewOrReason]]) -> dict[str, Any]:
        board = self._board
        days = {self._local(at).date() for at in _times(board.chapters)}
        days = days or {board.written_at.date()}
        offset = f"{board.written_at:%z}"
        return {
            "title": self._line(board.title),
            "summary": timeline.summary(board.chapters),
            "is_sandbox": board.is_sandbox,
            "written_at": board.written_at,
            "utc_offset": f"{offset[:3]}:{offset[3:5]}" if offset.strip("+-0") else "",
            "only_day": days.pop() if len(days) == 1 else None,
            "images": list(map(self._image, board.chapters, previews)),
            "style": _asset("storyboard.css"),
            "script": _asset("storyboard.js"),
        }

    def _image(
        self, chapter: ImageTimeline, previews: Mapping[str, PreviewOrReason]
    ) -> dict[str, Any]:
        image = chapter.image
        heading = self._line(image.prompt, LONGEST_HEADING)
        prompt = self._text(image.prompt)
        params = [("model", image.model)] if image.model else []
        params += list(image.params.items())[:MOST_PARAMS]
        return {
            "heading": heading,
            "prompt": "" if heading == prompt else prompt,
            "is_long": len(image.prompt) + len(image.note) > LONG,
            "is_posted": chapter.is_posted,
            "params": [self._param(name, value) for name, value in params],
            "rating": min(5, max(0, image.rating)),
            "favourite": image.favourite,
            "note": self._text(image.note),
            "asked_at": chapter.asked_at and self._local(chapter.asked_at),
            "statuses": self._statuses(chapter),
            "columns": min(3, len(previews)),
            "original": self._preview(chapter, image.media.media_id or "", previews.get("", "")),
            "edits": [
                self._edit(chapter, change, previews.get(change.media_id))
                for change in chapter.changes
            ],
            "posts": list(map(self._post, chapter.posts)),
        }

    def _param(self, name: str, value: object) -> tuple[str, str]:
        label = parameters.humanize(self._line(name))
        text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else value
        return self._line(label), self._line(text)

    def _statuses(self, chapter: ImageTimeline) -> list[tuple[str, float]]:
        """List each status with the seconds from the request to it."""
        if chapter.asked_at is None:
            return []
        if not chapter.moments:
            seconds = chapter.image.seconds
            return [("done", seconds)] if 0 < seconds < math.inf else []
        return [
            (
                "done" if each.status == DONE else self._line(each.status.replace("_", " ")),
                max(0.0, (each.at - chapter.asked_at).total_seconds()),
            )
            for each in chapter.moments
        ]

    def _edit(
        self, chapter: ImageTimeline, change: EditEvent, preview: PreviewOrReason | None
    ) -> dict[str, Any]:
        media_id = change.media_id
        posted = (post.media_ids for post in chapter.posts if post.is_posted)
        return {
            "operations": list(map(self._line, change.words)),
            "at": self._local(change.at),
            "is_posted": any(media_id in media_ids for media_ids in posted),
            "preview": None if preview is None else self._preview(chapter, media_id, preview),
        }

    def _preview(
        self, chapter: ImageTimeline, media_id: str, preview: PreviewOrReason
    ) -> dict[str, Any]:
        if not isinstance(preview, Preview):
            return {"src": "", "alt": "", "missing": preview}
        of_posts = (post.alt_text for post in chapter.posts if post.media_ids == (media_id,))
        return {
            "src": f"data:{preview.mime_type};base64,{base64.b64encode(preview.data).decode()}",
            "alt": self._line(next(filter(None, of_posts), chapter.image.prompt), LONGEST_ALT),
            "width": preview.width,
            "height": preview.height,
        }

    def _post(self, post: TimelinePost) -> dict[str, Any]:
        # If nobody knows when it was posted, the page says when that was requested.
        at = post.scheduled_for if post.state == "scheduled" else post.ended_at
        address = post.permalink or ""
        return {
            "state": post.state,
            "account": self._line(post.account),
            "caption": self._text(post.caption),
            "at": at and self._local(at),
            "asked_at": self._local(post.asked_at),
            "product": post.product,
            "image_count": len(post.media_ids),
            "permalink": self._board.clean(address) if ADDRESS.fullmatch(address) else "",
        }

    def _text(self, value: object) -> str:
        return _shortened(self._cleaned(value), LONGEST)

    def _line(self, value: object, longest: int = LONGEST_FACT) -> str:
        return _shortened(" ".join(self._cleaned(value).split()), longest)

    def _cleaned(self, value: object) -> str:
        """Remove the API key and characters that are not text."""
        text = replace_lone_surrogates(self._board.clean(str(value)))
        return NOT_TEXT.sub("\ufffd", NEW_LINES.sub("\n", text)).strip()

    def _local(self, at: datetime) -> datetime:
        try:
            return at.astimezone(self._board.written_at.tzinfo)
        except OverflowError:  # within a day of year 1 or 9999
            return at


def _times(chapters: Iterable[ImageTimeline]) -> Iterable[datetime]:
    """List every time that the page may show."""
    for chapter in chapters:
        if chapter.asked_at:
            yield chapter.asked_at
        yield from (change.at for change in chapter.changes)
        for post in chapter.posts:
            yield from filter(None, (post.asked_at, post.ended_at, post.scheduled_for))


def _shortened(text: str, longest: int) -> str:
    """Cut a text between words if that keeps at least half of it."""
    if len(text) <= longest:
        return text
    kept, _, broken = text[:longest].rpartition(" ")
    return f"{(kept if len(kept) > len(broken) else text[:longest]).rstrip(' ,;:')}…"


def _duration(seconds: float) -> str:
    """Write a duration as ``"0.4 s"``, ``"31 s"`` or ``"2 min 05 s"``."""
    if seconds < TENTHS_BELOW:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    return format_duration(round(seconds))
