"""A storyboard as HTML: a pure function of what is told and of small copies.

Every text from outside goes through `_Page.text`, which leaves nothing in it that could
be anything but text. The page allows itself nothing but its own style, its own script and
images within it, so that also a hole in that would run nothing and ask for nothing.
"""

from __future__ import annotations

import base64
import hashlib
import html
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..http.responses import mended
from ..imaging.preview import Preview
from ..models import parameters
from . import timeline
from .timeline import DONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from ..journal.image_events import StatusChange
    from ..journal.images import GeneratedImage
    from .timeline import (
        EditEvent,
        ImageTimeline,
        TimelinePost,
    )

    Look = Preview | str

STATIC = Path(__file__).parent / "static"

LONGEST = 20_000  # characters of any text
LONGEST_HEADING = 110
LONG = 700  # of a prompt with its note, which then has the width of the page
LONGEST_FACT = 200
LONGEST_ALT = 500
MOST_FACTS = 24  # parameters of one image
EXACT = 10  # seconds; below that with a digit more
MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)

NEW_LINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
#: What is no text: controls, and code points that will never be characters.
NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]")
#: Printed ASCII alone, as `models.permalink` takes it.
ADDRESS = re.compile(r"https?://[!#-&(-;=?-~]+")

#: A post's heading; the first word has a colour of its own.
HEADINGS = {
    "posted": ("Posted", "to {}"),
    "on its way": ("On its way", "to {}"),
    "scheduled": ("Scheduled", "for {}"),
    "failed": ("Not posted:", "it failed, to {}"),
    "canceled": ("Not posted:", "it was canceled, to {}"),
    "unknown": ("Not known", "whether this was posted, to {}"),
}
PRODUCTS = {"STORIES": "as a story", "REELS": "as a reel", "CAROUSEL": "as a carousel"}


@dataclass(frozen=True)
class Board:
    """What a page tells.

    Attributes
    ----------
    title : str
    chapters : sequence of Chapter
    written_at : datetime.datetime
        Aware; the page's times are in its zone.
    is_sandbox : bool
        Whether the images are made up and nothing was published.
    clean : callable
        Gives a text without what must not be in any file: the key.
    """

    title: str
    chapters: Sequence[ImageTimeline]
    written_at: datetime
    is_sandbox: bool = False
    clean: Callable[[str], str] = str


def written(board: Board, looks: Sequence[Mapping[str, Look]]) -> bytes:
    """The page as a file.

    Parameters
    ----------
    board : Board
    looks : list of dict
        Of each chapter the small copies to show: its own under ``""``, those of its edits by
        their media ids. A text says why there is none.
    """
    return _Page(board).page(looks).encode()


@cache
def _static(suffix: str) -> str:
    return (STATIC / f"storyboard.{suffix}").read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy() -> str:
    """What the page may do, as its Content-Security-Policy."""
    return "; ".join(
        [
            "default-src 'none'",
            "img-src data:",
            f"style-src {_digest(_static('css'))}",
            f"script-src {_digest(_static('js'))}",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


class _Page:
    """Writes one board."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._zone = board.written_at.tzinfo
        # Where all is of one day, that is said once.
        self._days = {self._day(at) for at in _moments(board.chapters)}

    # ------------------------------------------------------------ texts from outside

    def text(self, value: object, longest: int = LONGEST) -> str:
        """Something from outside as text of HTML."""
        return html.escape(_shortened(self._plain(value), longest))

    def _plain(self, value: object) -> str:
        text = mended(self._board.clean(str(value)))
        return NO_TEXT.sub("\ufffd", NEW_LINES.sub("\n", text)).strip()

    def _line(self, value: object, longest: int = LONGEST_FACT) -> str:
        """A text within a line, which turns the direction of nothing beside it."""
        return f"<bdi>{html.escape(self._in_a_line(value, longest))}</bdi>"

    def _in_a_line(self, value: object, longest: int) -> str:
        return _shortened(" ".join(self._plain(value).split()), longest)

    # ------------------------------------------------------------ times

    def _local(self, at: datetime) -> datetime:
        try:
            return at.astimezone(self._zone)
        except OverflowError:  # at an end of the calendar
            return at

    def _day(self, at: datetime) -> str:
        local = self._local(at)
        return f"{local.day} {MONTHS[local.month - 1]} {local.year}"

    def _time(self, at: datetime) -> str:
        local = self._local(at)
        day = "" if len(self._days) == 1 else f"{self._day(at)}, "
        return (
            f'<time datetime="{local.isoformat(timespec="seconds")}">{day}{local:%H:%M:%S}</time>'
        )

    # ------------------------------------------------------------ the page

    def page(self, looks: Sequence[Mapping[str, Look]]) -> str:
        board = self._board
        title = html.escape(self._in_a_line(board.title, LONGEST_FACT))
        chapters = "\n".join(
            self._chapter(number, chapter, looks[number - 1])
            for number, chapter in enumerate(board.chapters, 1)
        )
        return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(policy(), quote=False)}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{_static("css")}</style>
</head>
<body>
<header class="top">
<h1 dir="auto">{title}</h1>
<p class="sum">{timeline.summary(board.chapters)}</p>
<p class="when">{self._when()}</p>
{self._notice()}</header>
<main>
{chapters}
</main>
<footer>
<p>Everything is in this file; nothing is fetched. Written with wonda_widgets.</p>
</footer>
<script>{_static("js")}</script>
</body>
</html>
"""

    def _when(self) -> str:
        at = self._board.written_at
        zone = f"{at:%z}"
        zone = f"UTC{zone[:3]}:{zone[3:5]}" if zone.strip("+-0") else "UTC"
        days = self._days or {self._day(at)}
        made = next(iter(days)) if len(days) == 1 else f"Written on {self._day(at)}"
        return f"{made} · times in {zone}"

    def _notice(self) -> str:
        if not self._board.is_sandbox:
            return ""
        return (
            '<p class="notice" role="note"><strong>Sandbox.</strong> '
            "These images are made up, and nothing is published.</p>\n"
        )

    # ------------------------------------------------------------ a chapter

    def _chapter(self, number: int, chapter: ImageTimeline, looks: Mapping[str, Look]) -> str:
        name = f"image-{number}"
        words = len(chapter.image.prompt) + len(chapter.image.note)
        long = ' class="long"' if words > LONG else ""
        return f"""<article{long} aria-labelledby="{name}">
<div class="tell">
{self._heading(number, name, chapter)}{self._facts(chapter.image, looks.get(""))}\
{self._times(chapter)}</div>
<div class="looks looks-{min(3, len(looks))}">
{self._looks(number, chapter, looks)}</div>
{self._posts(chapter)}</article>"""

    def _heading(self, number: int, name: str, chapter: ImageTimeline) -> str:
        prompt = self._plain(chapter.image.prompt)
        heading = self._in_a_line(prompt, LONGEST_HEADING) or f"Image {number}"
        state = [f"{number} of {len(self._board.chapters)}"]
        state += ["edited"] if chapter.changes else []
        state += ["posted"] if chapter.is_posted else []
        whole = f'<p class="prompt" dir="auto">{self.text(prompt)}</p>\n'
        return (
            f'<p class="number">{" · ".join(state)}</p>\n'
            f'<h2 id="{name}" dir="auto">{html.escape(heading)}</h2>\n'
            f"{whole if prompt and heading != prompt else ''}"
        )

    def _facts(self, image: GeneratedImage, look: Look | None) -> str:
        facts: list[tuple[object, str]] = []
        if image.model:
            facts.append(("Model", self._line(image.model)))
        for named, value in list(image.params.items())[:MOST_FACTS]:
            label = parameters.humanize(self._in_a_line(named, LONGEST_FACT))
            facts.append((label, self._line(_said(value))))
        if isinstance(look, Preview):
            facts.append(("Size", f"{look.width} × {look.height}"))
        if image.rating or image.favourite:
            facts.append(("Marks", _stars(image)))
        rows = "".join(
            f"<div><dt>{self._line(label)}</dt><dd>{value}</dd></div>\n" for label, value in facts
        )
        note = self.text(image.note)
        if note:
            rows += f'<div class="note"><dt>Note</dt><dd dir="auto">{note}</dd></div>\n'
        return f'<dl class="facts">\n{rows}</dl>\n' if rows else ""

    def _times(self, chapter: ImageTimeline) -> str:
        asked = chapter.asked_at
        steps = [f"asked {self._time(asked)}"] if asked else []
        if asked and chapter.moments:
            steps += [self._step(asked, moment) for moment in chapter.moments]
        elif asked and 0 < chapter.image.seconds < math.inf:
            steps.append(f"done +{_seconds(chapter.image.seconds)}")
        items = "".join(f"<li>{step}</li>" for step in steps)
        return f'<ol class="times" aria-label="How it went">{items}</ol>\n' if items else ""

    def _step(self, asked: datetime, moment: StatusChange) -> str:
        word = "done" if moment.status == DONE else moment.status.replace("_", " ")
        passed = max(0.0, (moment.at - asked).total_seconds())
        return f"{self._line(word)} +{_seconds(passed)}"

    # ------------------------------------------------------------ its images

    def _looks(self, number: int, chapter: ImageTimeline, looks: Mapping[str, Look]) -> str:
        before = "Before" if chapter.changes else ""
        alt = self._alt(chapter, chapter.image.media.media_id or "", f"Image {number}")
        made = [self._figure(looks.get("", ""), alt, before, "as it was made" if before else "")]
        for at, change in enumerate(chapter.changes, 1):
            label = "After" if len(chapter.changes) == 1 else f"Edit {at}"
            words = self._done(change, chapter)
            if change.media_id not in looks:
                made.append(f'<p class="earlier"><strong>{label}</strong> {words}</p>\n')
                continue
            alt = self._alt(chapter, change.media_id, f"Image {number}, edited")
            made.append(self._figure(looks[change.media_id], alt, label, words))
        return "".join(made)

    def _done(self, change: EditEvent, chapter: ImageTimeline) -> str:
        words = [self._line(each) for each in change.words] or ["edited"]
        words.append(self._time(change.at))
        if any(change.media_id in post.media_ids for post in chapter.posts if post.is_posted):
            words.append("this one was posted")
        return " · ".join(words)

    def _alt(self, chapter: ImageTimeline, media_id: str, otherwise: str) -> str:
        """An image in words: as its post has it, or the prompt."""
        of_posts = (post.alt_text for post in chapter.posts if post.media_ids == (media_id,))
        text = next(filter(None, of_posts), "") or chapter.image.prompt
        return html.escape(self._in_a_line(text, LONGEST_ALT) or otherwise)

    def _figure(self, look: Look, alt: str, label: str, words: str) -> str:
        if isinstance(look, Preview):
            data = base64.b64encode(look.data).decode()
            image = (
                f'<img src="data:{look.mime_type};base64,{data}" alt="{alt}"'
                f' width="{look.width}" height="{look.height}">'
            )
        else:
            image = f'<p class="missing">{html.escape(look)}</p>'
        caption = f"<strong>{label}</strong> {words}" if label else ""
        caption = f"\n<figcaption>{caption}</figcaption>" if caption else ""
        return f"<figure>\n{image}{caption}\n</figure>\n"

    # ------------------------------------------------------------ its posts

    def _posts(self, chapter: ImageTimeline) -> str:
        posts = "".join(map(self._post, chapter.posts))
        return f'<div class="posts">\n{posts}</div>\n' if posts else ""

    def _post(self, post: TimelinePost) -> str:
        state, to = HEADINGS[post.state]
        account = to.format(self._line(post.account))
        caption = self.text(post.caption)
        # Of a post whose time nobody knows, when it was asked for is no time of posting.
        at = post.scheduled_for if post.state == "scheduled" else post.ended_at
        told = [self._time(at) if at else f"asked {self._time(post.asked_at)}"]
        told += [PRODUCTS[post.product]] if post.product in PRODUCTS else []
        if len(post.media_ids) > 1:
            told.append(f"{len(post.media_ids)} images")
        if post.permalink and ADDRESS.fullmatch(post.permalink):
            address = html.escape(self._board.clean(post.permalink))
            told.append(f'<a href="{address}" rel="noopener noreferrer">View post</a>')
        words = f'<p class="caption" dir="auto">{caption}</p>\n' if caption else ""
        return (
            f'<section class="post">\n<h3><span class="state {post.state.replace(" ", "-")}">'
            f"{state}</span> {account}</h3>\n{words}"
            f'<p class="told">{" · ".join(told)}</p>\n</section>\n'
        )


# ---------------------------------------------------------------- small


def _moments(chapters: Iterable[ImageTimeline]) -> Iterable[datetime]:
    """All moments that a page names."""
    for chapter in chapters:
        if chapter.asked_at:
            yield chapter.asked_at
        yield from (change.at for change in chapter.changes)
        for post in chapter.posts:
            yield from filter(None, (post.asked_at, post.ended_at, post.scheduled_for))


def _shortened(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    kept, _, broken = text[:longest].rpartition(" ")
    # A word is not broken, unless it is so long that little else would be left.
    return f"{(kept if len(kept) > len(broken) else text[:longest]).rstrip(' ,;:')}…"


def _seconds(seconds: float) -> str:
    """A length of time: ``"0.4 s"``, ``"31 s"``, ``"2 min 05 s"``."""
    if seconds < EXACT:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _said(value: Any) -> object:
    """A parameter's value as one says it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value


def _stars(image: GeneratedImage) -> str:
    rating = min(5, max(0, image.rating))
    parts = []
    if rating:
        stars = "★" * rating + "☆" * (5 - rating)
        parts.append(f'<span role="img" aria-label="{rating} of 5 stars">{stars}</span>')
    if image.favourite:
        parts.append("favourite")
    return " · ".join(parts)
