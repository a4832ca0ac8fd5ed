"""`NotebookSnapshot`: the static copy of a panel that is saved in the notebook.

The image is a separate output, a plain JPEG or PNG, which every notebook viewer shows, in
trusted and untrusted notebooks. Text and table are HTML without styles or scripts.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, NamedTuple

from ...errors import NoMediaError, WondaError
from ...export import timeline
from ...imaging import decode_threads
from ...jobs.job import LABELS
from ...journal.generated_image import GeneratedImage
from ...models import one_line, parameters
from . import formatting

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...api.history import AsyncHistory
    from ...export.timeline import ImageTimeline
    from ...jobs.job import Job

MAX_PIXELS = 1024  # longest side
MAX_BYTES = 220_000  # 300 KB as Base64 in the notebook's file
MAX_ROWS = 100
MAX_SHEET_IMAGES = 12
MAX_CELL_LENGTH = 600  # characters
DISPLAY_PIXELS = 640  # longest side as displayed
COLUMNS = ("Prompt", "Model", "Parameters", "Created", "Generated in", "EditedImage", "Posted")


#: Bytes, media type and display width of an image; see `NotebookSnapshot`.
SnapshotImage = tuple[bytes, str, int]
NO_IMAGE: SnapshotImage = (b"", "", 0)


#: Marks the output of a sandbox, wherever it is displayed later.
SANDBOX_NOTE = "Sandbox: simulated results. Nothing was published."


class NotebookSnapshot(NamedTuple):
    """The static copy of a panel.

    Attributes
    ----------
    image : bytes
        A JPEG or PNG; empty for none.
    mime_type : str
        The media type of the image.
    alt : str
        The alt text of the image.
    width : int
        The display width in pixels; 0 for the image's own.
    html, plain : str
        Text and table as HTML, and the same as plain text.
    """

    image: bytes = b""
    mime_type: str = ""
    width: int = 0
    alt: str = ""
    html: str = ""
    plain: str = ""


def redact(snapshot: NotebookSnapshot, redact_text: Callable[[str], str]) -> NotebookSnapshot:
    """Remove the API key, in case a prompt or caption contains it."""
    return snapshot._replace(
        alt=redact_text(snapshot.alt),
        html=redact_text(snapshot.html),
        plain=redact_text(snapshot.plain),
    )


async def from_facts(
    title: str,
    facts: Sequence[tuple[str, str]],
    image: bytes = b"",
    alt: str = "",
    *,
    is_sandbox: bool = False,
) -> NotebookSnapshot:
    """Create the snapshot of a panel with names and values, and possibly an image."""
    entries = [(name, _cut(value)) for name, value in facts if value]
    if is_sandbox:
        entries.append(("Note", SANDBOX_NOTE))
    rows = "".join(f"<tr>{_head(name)}{_cell(value)}</tr>" for name, value in entries)
    plain = "\n".join([title, *(f"{name}: {value}" for name, value in entries)])
    snapshot_image = await decode_threads.run(_small, image) if image else NO_IMAGE
    table = f"<table><tbody>{rows}</tbody></table>" if rows else ""
    heading = f"<p><strong>{_text(title)}</strong></p>"
    return NotebookSnapshot(*snapshot_image, alt or title, heading + table, plain)


async def from_images(
    title: str,
    history: AsyncHistory,
    shown: Sequence[GeneratedImage | Job],
    running: Sequence[Job] = (),
) -> NotebookSnapshot:
    """Create the snapshot of a panel with images: the images and a table of their timeline.

    Parameters
    ----------
    title : str
    history : AsyncHistory
    shown : sequence of Image or Job
        At most 100 are listed and 12 are drawn.
    running : sequence of Job
        Jobs that have not ended, which are listed in the text.
    """
    images = [
        image for image in [await _image_of(history, each) for each in shown[:MAX_ROWS]] if image
    ]
    timelines = await history.timeline(images) if images else []
    picture = await _draw(history, images[:MAX_SHEET_IMAGES])
    sentences = [f"{timeline.summary(timelines)}." if timelines else "No images yet."]
    if len(images) > MAX_SHEET_IMAGES and picture[0]:
        sentences.append(f"The first {MAX_SHEET_IMAGES} are shown, row by row.")
    if len(shown) > MAX_ROWS:
        sentences.append(f"Only {MAX_ROWS} of {len(shown):,} are listed.")
    sentences += [_describe_running(job) for job in running]
    if history.is_sandbox:
        sentences.append(SANDBOX_NOTE)
    text = " ".join(sentences)
    rows = [_row(each) for each in timelines]
    used = [at for at in range(len(COLUMNS)) if any(row[at][0] for row in rows)]
    head = "".join(_head(COLUMNS[at]) for at in used)
    body = "".join(f"<tr>{''.join(_cell(*row[at]) for at in used)}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" if rows else ""
    plain = [f"{title}: {text}"]
    plain += [" · ".join(row[at][0] for at in used if row[at][0]) for row in rows]
    alt = images[0].prompt if len(images) == 1 else f"{title}: {text}"
    content = f"<p><strong>{_text(title)}</strong> {_text(text)}</p>{table}"
    return NotebookSnapshot(*picture, alt or title, content, "\n".join(plain))


async def _image_of(history: AsyncHistory, each: GeneratedImage | Job) -> GeneratedImage | None:
    if isinstance(each, GeneratedImage):
        return each
    try:
        return await history.of(each)
    except NoMediaError:
        return None


async def _draw(history: AsyncHistory, images: Sequence[GeneratedImage]) -> SnapshotImage:
    """Return one image, or a contact sheet of several; `NO_IMAGE` if they cannot be fetched."""
    try:
        if len(images) == 1:
            return await decode_threads.run(_small, await history.poster(images[0]))
        thumbnails = [await history.thumbnail(image) for image in images]
        return await decode_threads.run(_sheet, thumbnails) if thumbnails else NO_IMAGE
    except WondaError:
        return NO_IMAGE


def _describe_running(job: Job) -> str:
    """Describe a job that has not ended, with the ID by which it can be polled again."""
    text = one_line(str(job.request.get("prompt") or job.request.get("caption") or ""))
    quoted = f" of “{_cut(text)}”" if text else ""
    return f"{LABELS[job.kind]}{quoted} was {job.status} (job {job.id})."


def _row(entry: ImageTimeline) -> list[tuple[str, str]]:
    """Return the text and the link of each column."""
    image = entry.image
    named = ((parameters.humanize(name), value) for name, value in image.params.items())
    params = ", ".join(f"{name} {value}" for name, value in named)
    created = entry.requested_at or image.made_at
    edits = "; ".join(", ".join(change.descriptions) for change in entry.edits)
    posts = [post for post in entry.posts if post.state != "canceled"]
    states = ", ".join(f"{post.state}: {post.account}" for post in posts)
    link = next((post.permalink for post in posts if post.permalink), None)
    return [
        (_cut(image.prompt), ""),
        (image.model, ""),
        (_cut(params), ""),
        (formatting.format_time(created) if created else "", ""),
        (formatting.format_duration(image.seconds) if image.seconds else "", ""),
        (_cut(edits), ""),
        (_cut(states), link or ""),
    ]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CELL_LENGTH else f"{text[:MAX_CELL_LENGTH]}…"


def _text(text: str) -> str:
    # A lone surrogate cannot be written to the notebook's file.
    return html.escape(text.encode(errors="replace").decode())


def _head(text: str) -> str:
    return f'<th align="left">{_text(text)}</th>'


def _cell(text: str, link: str = "") -> str:
    inside = f'<a href="{_text(link)}">{_text(text)}</a>' if link else _text(text)
    return f'<td align="left" dir="auto">{inside}</td>'


def _small(data: bytes) -> SnapshotImage:
    """Scale an image down for the notebook. Slow: run it in a thread."""
    from ...imaging.preview import create_raster_preview  # noqa: PLC0415 - Pillow is loaded when needed

    shown = create_raster_preview(data, MAX_PIXELS, MAX_BYTES)
    # Displayed smaller than its pixel size: sharp on dense screens, and not too tall.
    scale = min(1.0, DISPLAY_PIXELS / max(shown.width, shown.height))
    return shown.data, shown.mime_type, round(shown.width * scale)


def _sheet(images: Sequence[bytes]) -> SnapshotImage:
    """Draw several images on a contact sheet. Slow: run it in a thread."""
    from ...imaging import contact_sheet  # noqa: PLC0415 - see above

    return (*contact_sheet.make(images, max_bytes=MAX_BYTES), 0)
