"""Write a storyboard: one HTML file with the timelines of images, small enough for an email.

    images ──> timelines ──> size of the text ──> bytes per image ──> previews ──> page ──> file

The file contains its images. To limit its size, the text is measured first, and the previews
share the remaining bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

from ..errors import (
    GoneError,
    InvalidInputError,
    NoMediaError,
    NotFoundError,
    UnsafeMediaError,
    WondaError,
)
from ..imaging import apply_edits, decode_threads
from ..imaging.preview import Preview, create_preview
from ..jobs.job import Job
from ..journal.generated_image import GeneratedImage
from ..utils import event_loop
from . import files, storyboard_page
from .storyboard_page import Board

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .storyboard_page import PreviewOrReason
    from .timeline import EditEvent, ImageTimeline

MAX_IMAGES = 200
MAX_EDIT_PREVIEWS = 4  # per image; earlier edits appear as text only
MAX_TITLE_LENGTH = 200  # characters

#: Size of the file. It may be larger if each image has only its minimum.
MAX_FILE_BYTES = 6_000_000
MAX_PREVIEW_BYTES = 250_000
MIN_PREVIEW_BYTES = 30_000
#: (minimum bytes of a preview, longest side in pixels that fits into them)
PREVIEW_SIZES = ((180_000, 1280), (90_000, 1024), (50_000, 800), (0, 640))
#: Stands in for every preview when the text is measured.
EMPTY_PREVIEW = Preview(b"", "image/jpeg", 99_999, 99_999, "JPEG", 99_999_999)

SUFFIX = ".html"


class Source(Protocol):
    """A source of a storyboard's images and their timelines: `wonda.history`."""

    @property
    def is_sandbox(self) -> bool:
        """Whether the images are placeholders, and nothing was published."""

    def redact(self, text: str) -> str:
        """Remove the client's API key from a string."""

    async def of(self, job: Job) -> GeneratedImage:
        """Return the image of a finished job."""

    async def timeline(self, images: Iterable[GeneratedImage]) -> list[ImageTimeline]:
        """Return the timeline of each image."""

    async def poster(self, image: GeneratedImage) -> bytes:
        """Download an image's original, or the first frame of a video."""

    async def edited(self, media_id: str) -> bytes:
        """Download an edited image, or the first frame of an edited video."""


class Shows(Protocol):
    """A panel or matrix that shows images."""

    def _shows(self) -> tuple[Source | None, list[GeneratedImage | Job]]:
        """Return the selected images, or else all, and their source (None: their own client)."""


def resolve_images(what: Any) -> tuple[Source | None, list[GeneratedImage | Job]]:
    """Return the images in an argument of `client.storyboard`, and their source if known.

    Raises
    ------
    TypeError
        If the argument contains anything but images and jobs.
    """
    # This comes first, because iterating over a matrix generates its images.
    shows = getattr(what, "_shows", None)
    if callable(shows):
        return cast("tuple[Source | None, list[GeneratedImage | Job]]", shows())
    is_single = isinstance(what, GeneratedImage | Job | str | bytes) or not isinstance(
        what, Iterable
    )
    items = [what] if is_single else list(what)
    for item in items:
        if not isinstance(item, GeneratedImage | Job):
            name = type(item).__name__
            raise TypeError(f"A storyboard needs images, jobs, a matrix or a panel, not {name}.")
    return None, items


async def write(
    history: Source,
    images: Sequence[GeneratedImage | Job],
    path: str | Path,
    *,
    title: str,
) -> Path:
    """Write the storyboard of some images; see `client.storyboard`."""
    target = await event_loop.to_thread(_target, path)
    data = await render(history, images, title=title)
    try:
        return await event_loop.to_thread(files.write, target, data)
    except OSError as error:
        raise files.write_error(target, error) from None


def _target(path: str | Path) -> Path:
    """Check the path of the file before any image is downloaded."""
    target = files.check_path(path)
    if target.is_dir():
        raise InvalidInputError(
            "path",
            f"{target} is a folder.",
            f"Name a file in this folder: {target / 'storyboard.html'}.",
        )
    if not target.suffix:
        target = target.with_name(target.name + SUFFIX)
    if target.suffix.lower() != SUFFIX:
        raise InvalidInputError(
            "path",
            f"A storyboard must be an .html file, not {target.suffix}.",
            f"Use the name {target.with_suffix(SUFFIX).name}.",
        )
    return target


async def render(
    history: Source, images: Sequence[GeneratedImage | Job], *, title: str = "Storyboard"
) -> bytes:
    """Render the storyboard of some images as the bytes of an HTML file.

    Parameters
    ----------
    history : Source
        The history of the images' client.
    images : list of GeneratedImage or Job
        1 to 200.
    title : str
        1 to 200 characters.

    Raises
    ------
    InvalidInputError
        If there are no images or too many, or the title is invalid.
    """
    if not isinstance(title, str) or not title.strip() or len(title) > MAX_TITLE_LENGTH:
        raise InvalidInputError(
            "title", f"The title must have 1 to {MAX_TITLE_LENGTH} characters.", "Change it."
        )
    if not images:
        raise InvalidInputError(
            "images", "There are no images.", "Generate or select images first."
        )
    if len(images) > MAX_IMAGES:
        raise InvalidInputError(
            "images",
            f"A storyboard can have at most {MAX_IMAGES} images; there are {len(images):,}.",
            "Select fewer.",
        )
    resolved = [await _image(history, image) for image in images]
    board = Board(
        title=title,
        timelines=await history.timeline(resolved),
        written_at=datetime.now().astimezone(),
        is_sandbox=history.is_sandbox,
        clean=history.redact,
    )
    previews = await _all_previews(history, board)
    return await event_loop.to_thread(storyboard_page.render, board, previews)


async def _image(history: Source, item: GeneratedImage | Job) -> GeneratedImage:
    if isinstance(item, GeneratedImage):
        return item
    try:
        return await history.of(item)
    except NoMediaError:
        raise InvalidInputError(
            "images",
            f"One of the jobs has no image; its status is {item.status}.",
            "Omit this job, or wait for it.",
        ) from None


# ---------------------------------------------------------------- previews


async def _all_previews(history: Source, board: Board) -> list[dict[str, PreviewOrReason]]:
    """Return each timeline's previews by media ID, or the reason why one is missing."""
    shown_edits = [_shown_edits(timeline) for timeline in board.timelines]
    text = await event_loop.to_thread(
        storyboard_page.render,
        board,
        [
            dict.fromkeys(["", *(edit.media_id for edit in edits)], EMPTY_PREVIEW)
            for edits in shown_edits
        ],
    )
    max_bytes = _max_preview_bytes(sum(1 + len(edits) for edits in shown_edits), len(text))
    slots = asyncio.Semaphore(files.MAX_CONCURRENT)

    async def limited(
        timeline: ImageTimeline, edits: list[EditEvent]
    ) -> dict[str, PreviewOrReason]:
        async with slots:
            return await _previews(history, timeline.image, edits, max_bytes)

    return await asyncio.gather(*map(limited, board.timelines, shown_edits))


def _shown_edits(timeline: ImageTimeline) -> list[EditEvent]:
    """Select the edits to show as images: posted ones first, then the latest."""
    posted = {media_id for post in timeline.posts for media_id in post.media_ids}
    by_priority = sorted(timeline.edits, key=lambda edit: (edit.media_id in posted, edit.at))
    return by_priority[-MAX_EDIT_PREVIEWS:]


def _max_preview_bytes(image_count: int, text_bytes: int) -> int:
    """Divide the file's bytes, without its text, among its images."""
    available = (MAX_FILE_BYTES - text_bytes) * 3 // 4  # base64 turns 3 bytes into 4
    return max(MIN_PREVIEW_BYTES, min(MAX_PREVIEW_BYTES, available // image_count - 2))


async def _previews(
    history: Source, image: GeneratedImage, edits: list[EditEvent], max_bytes: int
) -> dict[str, PreviewOrReason]:
    """Return the previews of an image (under ``""``) and of its edits (by media ID)."""
    original = b""
    previews: dict[str, PreviewOrReason] = {}
    try:
        original = await history.poster(image)
        previews[""] = await decode_threads.run(_preview, original, max_bytes)
    except WondaError as error:
        previews[""] = _missing_reason(error, image)
    for edit in edits:
        try:
            previews[edit.media_id] = await _edit_preview(history, edit, original, max_bytes)
        except WondaError as error:
            previews[edit.media_id] = _missing_reason(error, image)
    return previews


async def _edit_preview(
    history: Source, edit: EditEvent, original: bytes, max_bytes: int
) -> Preview:
    """Download an edit; if that fails, apply its operations to the original."""
    try:
        data = await history.edited(edit.media_id)
    except WondaError:
        if not original or not edit.operations:
            raise
        return await decode_threads.run(
            _rerendered_preview,
            original,
            edit,
            max_bytes,
            seconds=decode_threads.EDIT_TIMEOUT_SECONDS,
        )
    return await decode_threads.run(_preview, data, max_bytes)


def _preview(data: bytes, max_bytes: int) -> Preview:
    """Create a preview; slow, so run it in a thread."""
    side = next(side for min_bytes, side in PREVIEW_SIZES if max_bytes >= min_bytes)
    return create_preview(data, side, max_bytes)


def _rerendered_preview(original: bytes, edit: EditEvent, max_bytes: int) -> Preview:
    """Apply an edit to the original and create a preview; slow, so run it in a thread."""
    return _preview(apply_edits.apply(original, edit.since_original).data, max_bytes)


def _missing_reason(error: WondaError, image: GeneratedImage) -> str:
    """Return why an image or a video's first frame is missing, without any URL."""
    noun = "video" if image.media.is_video else "image"
    if isinstance(error, NotFoundError | GoneError):
        return f"The service no longer has this {noun}."
    if isinstance(error, UnsafeMediaError):
        return f"This {noun} cannot be opened safely."
    return f"This {noun} could not be downloaded when the page was created."
