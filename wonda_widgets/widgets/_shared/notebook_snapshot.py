"""What stays of a panel in the notebook when it is kept: an image, words, a table.

The image is an output of its own, as a plain JPEG or PNG, which every reader of notebooks
shows, trusted or not. The words and the table are HTML without any style or script.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

from ...errors import NoMediaError, WondaError
from ...export import timeline
from ...imaging import decode_threads
from ...jobs.job import LABELS
from ...journal.images import GeneratedImage
from ...models import one_line, parameters
from . import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...api.history import AsyncHistory
    from ...export.timeline import ImageTimeline
    from ...jobs.job import Job

LONGEST = 1024  # pixels
MAX_BYTES = 220_000  # which are 300 KB in the notebook's file
MOST_ROWS = 100
ON_A_SHEET = 12  # images
LONGEST_TEXT = 600  # characters of a cell
SHOWN = 640  # pixels, the longest side of one image as it is shown
COLUMNS = ("Prompt", "Model", "Parameters", "Created", "Duration", "Edited", "Posted")


#: Bytes, type and width of an image; see `Kept`.
Look = tuple[bytes, str, int]
NO_LOOK: Look = (b"", "", 0)


#: Of what was made in a sandbox, wherever it is read later.
SANDBOX = "Sandbox: simulated images. Nothing was published."


class NotebookSnapshot(NamedTuple):
    """What stays of a panel.

    Attributes
    ----------
    image : bytes
        JPEG or PNG; empty for none.
    mime_type : str
        Of the image.
    alt : str
        The image in words.
    width : int
        Pixels that it is shown with; 0 for its own.
    html, plain : str
        Words and a table, and the same as text.
    """

    image: bytes = b""
    mime_type: str = ""
    width: int = 0
    alt: str = ""
    html: str = ""
    plain: str = ""


def without_key(kept: NotebookSnapshot, clean: Callable[[str], str]) -> NotebookSnapshot:
    """The same, without the key, should somebody have written it into a text."""
    return kept._replace(alt=clean(kept.alt), html=clean(kept.html), plain=clean(kept.plain))


async def of_facts(
    title: str,
    facts: Sequence[tuple[str, str]],
    image: bytes = b"",
    alt: str = "",
    *,
    is_sandbox: bool = False,
) -> NotebookSnapshot:
    """What stays of a panel that tells some facts, and may show an image."""
    told = [(name, _cut(value)) for name, value in facts if value]
    if is_sandbox:
        told.append(("Note", SANDBOX))
    rows = "".join(f"<tr>{_head(name)}{_cell(value)}</tr>" for name, value in told)
    plain = "\n".join([title, *(f"{name}: {value}" for name, value in told)])
    look = await decode_threads.run(_small, image) if image else NO_LOOK
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    heading = f"<p><strong>{_text(title)}</strong></p>"
    return NotebookSnapshot(*look, alt or title, heading + table, plain)


async def of_images(
    title: str,
    history: AsyncHistory,
    shown: Sequence[GeneratedImage | Job],
    under_way: Sequence[Job] = (),
) -> NotebookSnapshot:
    """What stays of a panel that shows images: how they look, and what became of them."""
    some = [each for each in [await _made(history, one) for one in shown[:MOST_ROWS]] if each]
    told = await history.timeline(some) if some else []
    look = await _look(history, some[:ON_A_SHEET])
    said = [f"{timeline.summary(told)}." if told else "No images yet."]
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
    return NotebookSnapshot(*look, alt or title, shown_html, "\n".join(plain))


async def _made(history: AsyncHistory, each: GeneratedImage | Job) -> GeneratedImage | None:
    if isinstance(each, GeneratedImage):
        return each
    try:
        return await history.of(each)
    except NoMediaError:
        return None


async def _look(history: AsyncHistory, some: Sequence[GeneratedImage]) -> Look:
    """One image as it is, several on a sheet; nothing where none can be fetched."""
    try:
        if len(some) == 1:
            return await decode_threads.run(_small, await history.original(some[0]))
        small = [await history.thumbnail(image) for image in some]
        return await decode_threads.run(_sheet, small) if small else NO_LOOK
    except WondaError:
        return NO_LOOK


def _running(job: Job) -> str:
    """What has not ended yet, by which it can be followed again."""
    asked = one_line(str(job.request.get("prompt") or job.request.get("caption") or ""))
    words = f" of “{_cut(asked)}”" if asked else ""
    return f"{LABELS[job.kind]}{words} was {job.status} (job {job.id})."


def _row(chapter: ImageTimeline) -> list[tuple[str, str]]:
    """Text and link of each column."""
    image = chapter.image
    named = ((parameters.humanize(name), value) for name, value in image.params.items())
    params = ", ".join(f"{name} {value}" for name, value in named)
    made = chapter.requested_at or image.made_at
    edits = "; ".join(", ".join(change.descriptions) for change in chapter.edits)
    posts = [post for post in chapter.posts if post.state != "canceled"]
    states = ", ".join(f"{post.state}: {post.account}" for post in posts)
    link = next((post.permalink for post in posts if post.permalink), None)
    return [
        (_cut(image.prompt), ""),
        (image.model, ""),
        (_cut(params), ""),
        (f"{made.astimezone():%Y-%m-%d %H:%M}" if made else "", ""),
        (messages.format_duration(image.seconds) if image.seconds else "", ""),
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
    """An image as it is kept; slow, for a thread."""
    from ...imaging.preview import raster_preview  # noqa: PLC0415 - Pillow is loaded when needed

    shown = raster_preview(data, LONGEST, MAX_BYTES)
    # Larger on a sharp screen, and not as high as the page.
    scale = min(1.0, SHOWN / max(shown.width, shown.height))
    return shown.data, shown.mime_type, round(shown.width * scale)


def _sheet(images: Sequence[bytes]) -> Look:
    """Several on one sheet; slow, for a thread."""
    from ...imaging import contact_sheet  # noqa: PLC0415 - see above

    return (*contact_sheet.make(images, max_bytes=MAX_BYTES), 0)
