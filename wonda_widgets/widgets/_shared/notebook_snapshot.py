"""What stays of a panel in the notebook when it is kept: a picture, words, a table.

The picture is an output of its own, as a plain JPEG or PNG, which every reader of notebooks
shows, trusted or not. The words and the table are HTML without any style or script.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

from ...errors import NoMediaError, WondaError
from ...export import timeline
from ...imaging import decode_threads
from ...jobs.job import LABELS
from ...journal.images import Picture
from ...models import one_line, parameters
from . import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...api.history import AsyncHistory
    from ...export.timeline import Chapter
    from ...jobs.job import Job

LONGEST = 1024  # pixels
MAX_BYTES = 220_000  # which are 300 KB in the notebook's file
MOST_ROWS = 100
ON_A_SHEET = 12  # pictures
LONGEST_TEXT = 600  # characters of a cell
SHOWN = 640  # pixels, the longest side of one picture as it is shown
COLUMNS = ("Prompt", "Model", "Parameters", "Made", "Took", "Edited", "Posted")


#: Bytes, type and width of a picture; see `Kept`.
Look = tuple[bytes, str, int]
NO_LOOK: Look = (b"", "", 0)


#: Of what was made in a sandbox, wherever it is read later.
SANDBOX = "Sandbox: simulated images. Nothing was published."


class Kept(NamedTuple):
    """What stays of a panel.

    Attributes
    ----------
    picture : bytes
        JPEG or PNG; empty for none.
    mime_type : str
        Of the picture.
    alt : str
        The picture in words.
    width : int
        Pixels that it is shown with; 0 for its own.
    html, plain : str
        Words and a table, and the same as text.
    """

    picture: bytes = b""
    mime_type: str = ""
    width: int = 0
    alt: str = ""
    html: str = ""
    plain: str = ""


def without_key(kept: Kept, clean: Callable[[str], str]) -> Kept:
    """The same, without the key, should somebody have written it into a text."""
    return kept._replace(alt=clean(kept.alt), html=clean(kept.html), plain=clean(kept.plain))


async def of_facts(
    title: str,
    facts: Sequence[tuple[str, str]],
    picture: bytes = b"",
    alt: str = "",
    *,
    is_sandbox: bool = False,
) -> Kept:
    """What stays of a panel that tells some facts, and may show a picture."""
    told = [(name, _cut(value)) for name, value in facts if value]
    if is_sandbox:
        told.append(("Note", SANDBOX))
    rows = "".join(f"<tr>{_head(name)}{_cell(value)}</tr>" for name, value in told)
    plain = "\n".join([title, *(f"{name}: {value}" for name, value in told)])
    look = await decode_threads.decoding(_small, picture) if picture else NO_LOOK
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    heading = f"<p><strong>{_text(title)}</strong></p>"
    return Kept(*look, alt or title, heading + table, plain)


async def of_pictures(
    title: str,
    history: AsyncHistory,
    shown: Sequence[Picture | Job],
    under_way: Sequence[Job] = (),
) -> Kept:
    """What stays of a panel that shows pictures: how they look, and what became of them."""
    some = [each for each in [await _made(history, one) for one in shown[:MOST_ROWS]] if each]
    told = await history.story(some) if some else []
    look = await _look(history, some[:ON_A_SHEET])
    said = [f"{timeline.summary(told)}." if told else "No pictures yet."]
    if len(some) > ON_A_SHEET and look[0]:
        said.append(f"The first {ON_A_SHEET} are shown, row by row.")
    if len(shown) > MOST_ROWS:
        said.append(f"Only {MOST_ROWS} of {len(shown):,} are listed.")
    said += [_running(job) for job in under_way]
    if history.is_sandbox:
        said.append(SANDBOX)
    sentence = " ".join(said)
    lines = [_row(chapter) for chapter in told]
    used = [at for at in range(len(COLUMNS)) if any(line[at][0] for line in lines)]
    head = "".join(_head(COLUMNS[at]) for at in used)
    body = "".join(f"<tr>{''.join(_cell(*line[at]) for at in used)}</tr>" for line in lines)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if told else ""
    plain = [f"{title}: {sentence}"]
    plain += [" · ".join(line[at][0] for at in used if line[at][0]) for line in lines]
    alt = some[0].prompt if len(some) == 1 else f"{title}: {sentence}"
    shown_html = f"<p><strong>{_text(title)}</strong> {_text(sentence)}</p>{table}"
    return Kept(*look, alt or title, shown_html, "\n".join(plain))


async def _made(history: AsyncHistory, each: Picture | Job) -> Picture | None:
    if isinstance(each, Picture):
        return each
    try:
        return await history.of(each)
    except NoMediaError:
        return None


async def _look(history: AsyncHistory, some: Sequence[Picture]) -> Look:
    """One picture as it is, several on a sheet; nothing where none can be fetched."""
    try:
        if len(some) == 1:
            return await decode_threads.decoding(_small, await history.original(some[0]))
        small = [await history.thumbnail(picture) for picture in some]
        return await decode_threads.decoding(_sheet, small) if small else NO_LOOK
    except WondaError:
        return NO_LOOK


def _running(job: Job) -> str:
    """What has not ended yet, by which it can be followed again."""
    asked = one_line(str(job.request.get("prompt") or job.request.get("caption") or ""))
    words = f" of “{_cut(asked)}”" if asked else ""
    return f"{LABELS[job.kind]}{words} was {job.status} (job {job.id})."


def _row(chapter: Chapter) -> list[tuple[str, str]]:
    """Text and link of each column."""
    picture = chapter.picture
    named = ((parameters.humanized(name), value) for name, value in picture.params.items())
    params = ", ".join(f"{name} {value}" for name, value in named)
    made = chapter.asked_at or picture.made_at
    edits = "; ".join(", ".join(change.words) for change in chapter.changes)
    posts = [post for post in chapter.posts if post.state != "canceled"]
    states = ", ".join(f"{post.state}: {post.account}" for post in posts)
    link = next((post.permalink for post in posts if post.permalink), None)
    return [
        (_cut(picture.prompt), ""),
        (picture.model, ""),
        (_cut(params), ""),
        (f"{made.astimezone():%Y-%m-%d %H:%M}" if made else "", ""),
        (messages.duration(picture.seconds) if picture.seconds else "", ""),
        (_cut(edits), ""),
        (_cut(states), link or ""),
    ]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _text(text: str) -> str:
    # Half a character cannot be written into a notebook's file.
    return html.escape(text.encode(errors="replace").decode())


def _head(text: str) -> str:
    return f'<th align="left">{_text(text)}</th>'


def _cell(text: str, link: str = "") -> str:
    inside = f'<a href="{_text(link)}">{_text(text)}</a>' if link else _text(text)
    return f'<td align="left" dir="auto">{inside}</td>'


def _small(data: bytes) -> Look:
    """A picture as it is kept; slow, for a thread."""
    from ...imaging.preview import still  # noqa: PLC0415 - Pillow is loaded when needed

    shown = still(data, LONGEST, MAX_BYTES)
    # Larger on a sharp screen, and not as high as the page.
    scale = min(1.0, SHOWN / max(shown.width, shown.height))
    return shown.data, shown.mime_type, round(shown.width * scale)


def _sheet(pictures: Sequence[bytes]) -> Look:
    """Several on one sheet; slow, for a thread."""
    from ...imaging import contact_sheet  # noqa: PLC0415 - see above

    return (*contact_sheet.of(pictures, max_bytes=MAX_BYTES), 0)
