"""What became of images, as one page that anybody can open: a file for a mail.

    images ──> chapters (`timeline`) ──> a budget an image ──> small copies ──> page ──> file

Everything that the page shows is in it. So the copies share a number of bytes that a
mailbox takes, and the words are counted first.
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
from ..imaging.preview import Preview, preview
from ..jobs.job import Job
from ..journal.images import GeneratedImage
from ..utils import event_loop
from . import files, storyboard_page
from .storyboard_page import Board

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .storyboard_page import PreviewOrReason
    from .timeline import EditEvent, ImageTimeline

MOST = 200  # images; more than that nobody looks through
MOST_CHANGES = 4  # edits of one image that are shown; earlier ones are told in words
LONGEST_TITLE = 200  # characters

MOST_BYTES = 6_000_000  # of the file, as long as each image has its least
MOST_OF_A_IMAGE = 250_000  # bytes
LEAST_OF_A_IMAGE = 30_000
#: The longest side in pixels that so many bytes are enough for.
SIDES = ((180_000, 1280), (90_000, 1024), (50_000, 800), (0, 640))
EMPTY = Preview(b"", "image/jpeg", 99_999, 99_999, "JPEG", 99_999_999)  # for counting the words

SUFFIX = ".html"


class Source(Protocol):
    """Where the images of a storyboard come from: `wonda.history`."""

    @property
    def is_sandbox(self) -> bool:
        """Whether these images are made up and nothing was published."""

    def without_key(self, text: str) -> str:
        """`text` without the client's key, should somebody have written it there."""

    async def of(self, job: Job) -> GeneratedImage:
        """The image of a finished job."""

    async def timeline(self, images: Iterable[GeneratedImage]) -> list[ImageTimeline]:
        """What became of each image."""

    async def original(self, image: GeneratedImage) -> bytes:
        """An image's own bytes."""

    async def edited(self, media_id: str) -> bytes:
        """An edit's bytes."""


class Shows(Protocol):
    """What has images, and knows where they are from: a panel, a matrix."""

    def _shows(self) -> tuple[Source | None, list[GeneratedImage | Job]]:
        """Where they are from (None: their own client), and what is chosen of them or else all."""


def resolve_images(what: Any) -> tuple[Source | None, list[GeneratedImage | Job]]:
    """What was given as images, and where they are from if it knows.

    Raises
    ------
    TypeError
    """
    # Asked first: going through a matrix would make its images.
    shows = getattr(what, "_shows", None)
    if callable(shows):
        return cast("tuple[Source | None, list[GeneratedImage | Job]]", shows())
    one = isinstance(what, GeneratedImage | Job | str | bytes) or not isinstance(what, Iterable)
    some = [what] if one else list(what)
    for each in some:
        if not isinstance(each, GeneratedImage | Job):
            name = type(each).__name__
            raise TypeError(f"A storyboard takes images, jobs, a matrix or a panel, not {name}.")
    return None, some


async def write(
    history: Source,
    images: Sequence[GeneratedImage | Job],
    path: str | Path,
    *,
    title: str,
) -> Path:
    """Write the page of some images; see `client.storyboard`."""
    target = await event_loop.to_thread(_target, path)
    data = await render(history, images, title=title)
    try:
        return await event_loop.to_thread(files.write, target, data)
    except OSError as error:
        raise files.write_error(target, error) from None


def _target(path: str | Path) -> Path:
    """Where the page goes, before anything is fetched for it."""
    target = files.check_path(path)
    if target.is_dir():
        raise InvalidInputError(
            "path", f"{target} is a folder.", f"Name a file in it: {target / 'story.html'}."
        )
    if not target.suffix:
        target = target.with_name(target.name + SUFFIX)
    if target.suffix.lower() != SUFFIX:
        raise InvalidInputError(
            "path", f"A storyboard is an .html file, not {target.suffix}.", "Name it story.html."
        )
    return target


async def render(
    history: Source, images: Sequence[GeneratedImage | Job], *, title: str = "Storyboard"
) -> bytes:
    """The page of some images as the bytes of an HTML file, for whoever offers it to be saved.

    Parameters
    ----------
    history : Source
        Of the client that the images are from.
    images : list of Image or Job
        1 to 200.
    title : str

    Raises
    ------
    InvalidInputError
        If there are no images or too many.
    """
    if not isinstance(title, str) or not title.strip() or len(title) > LONGEST_TITLE:
        raise InvalidInputError(
            "title", f"A title is a text of 1 to {LONGEST_TITLE} characters.", "Write another one."
        )
    if not images:
        raise InvalidInputError(
            "images", "There are no images to tell of.", "Make some, or choose some."
        )
    if len(images) > MOST:
        raise InvalidInputError(
            "images",
            f"A storyboard has at most {MOST} images, and these are {len(images):,}.",
            "Choose fewer.",
        )
    some = [await _image(history, each) for each in images]
    board = Board(
        title=title,
        chapters=await history.timeline(some),
        written_at=datetime.now().astimezone(),
        is_sandbox=history.is_sandbox,
        clean=history.without_key,
    )
    looks = await _looks(history, board)
    return await event_loop.to_thread(storyboard_page.render, board, looks)


async def _image(history: Source, each: GeneratedImage | Job) -> GeneratedImage:
    if isinstance(each, GeneratedImage):
        return each
    try:
        return await history.of(each)
    except NoMediaError:
        raise InvalidInputError(
            "images",
            f"One of the jobs has no image to tell of; it is {each.status}.",
            "Leave it out, or wait for it.",
        ) from None


# ---------------------------------------------------------------- small copies


async def _looks(history: Source, board: Board) -> list[dict[str, PreviewOrReason]]:
    """Of each chapter, small copies by media id, or why there is none."""
    shown = [_shown(chapter) for chapter in board.chapters]
    words = await event_loop.to_thread(
        storyboard_page.render,
        board,
        [dict.fromkeys(["", *(change.media_id for change in some)], EMPTY) for some in shown],
    )
    budget = _budget(sum(1 + len(some) for some in shown), len(words))
    turn = asyncio.Semaphore(files.MAX_CONCURRENT)

    async def one(chapter: ImageTimeline, changes: list[EditEvent]) -> dict[str, PreviewOrReason]:
        async with turn:
            return await _looks_of(history, chapter.image, changes, budget)

    return await asyncio.gather(*map(one, board.chapters, shown))


def _shown(chapter: ImageTimeline) -> list[EditEvent]:
    """The edits that are shown: those that were posted, and the latest."""
    posted = {media_id for post in chapter.posts for media_id in post.media_ids}
    first = sorted(chapter.changes, key=lambda change: (change.media_id in posted, change.at))
    return first[-MOST_CHANGES:]


def _budget(count: int, words: int) -> int:
    """Bytes that each of `count` images may have beside so many bytes of words."""
    left = (MOST_BYTES - words) * 3 // 4  # of three bytes the page has four signs
    return max(LEAST_OF_A_IMAGE, min(MOST_OF_A_IMAGE, left // count - 2))


async def _looks_of(
    history: Source, image: GeneratedImage, changes: list[EditEvent], budget: int
) -> dict[str, PreviewOrReason]:
    """An image's own copy (under no id) and those of its edits."""
    original = b""
    looks: dict[str, PreviewOrReason] = {}
    try:
        original = await history.original(image)
        looks[""] = await decode_threads.run(_small, original, budget)
    except WondaError as error:
        looks[""] = _why(error)
    for change in changes:
        try:
            looks[change.media_id] = await _look_of(history, change, original, budget)
        except WondaError as error:
            looks[change.media_id] = _why(error)
    return looks


async def _look_of(history: Source, change: EditEvent, original: bytes, budget: int) -> Preview:
    """An edit as the service has it, or else made again from the original."""
    try:
        data = await history.edited(change.media_id)
    except WondaError:
        if not original or not change.operations:
            raise
        return await decode_threads.run(
            _made_again, original, change, budget, seconds=decode_threads.EDIT_SECONDS
        )
    return await decode_threads.run(_small, data, budget)


def _small(data: bytes, budget: int) -> Preview:
    """A small copy; slow, for a thread."""
    side = next(side for least, side in SIDES if budget >= least)
    return preview(data, side, budget)


def _made_again(original: bytes, change: EditEvent, budget: int) -> Preview:
    """A small copy of an edit, done to the original anew; slow, for a thread."""
    return _small(apply_edits.apply(original, change.since_original).data, budget)


def _why(error: WondaError) -> str:
    """Why there is no image, in words that name no address."""
    if isinstance(error, NotFoundError | GoneError):
        return "The service no longer has this image."
    if isinstance(error, UnsafeMediaError):
        return "This image cannot be opened safely."
    return "This image could not be fetched when the page was made."
