"""What became of pictures, as one page that anybody can open: a file for a mail.

    pictures ──> chapters (`stories`) ──> a budget a picture ──> small copies ──> page ──> file

Everything that the page shows is in it. So the copies share a number of bytes that a
mailbox takes, and the words are counted first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from . import exports, runtime, storyboard_page, which_client
from .errors import (
    GoneError,
    InvalidInputError,
    NoMediaError,
    NotFoundError,
    UnsafeMediaError,
    WondaError,
)
from .imaging import edits, workers
from .imaging.preview import Preview, preview
from .jobs import Job
from .pictures import Picture
from .storyboard_page import Board

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .client import AsyncWonda, Wonda
    from .resources.history import AsyncHistory
    from .stories import Change, Chapter
    from .storyboard_page import Look

MOST = 200  # pictures; more than that nobody looks through
MOST_CHANGES = 4  # edits of one picture that are shown; earlier ones are told in words
LONGEST_TITLE = 200  # characters

MOST_BYTES = 6_000_000  # of the file, as long as each picture has its least
MOST_OF_A_PICTURE = 250_000  # bytes
LEAST_OF_A_PICTURE = 30_000
#: The longest side in pixels that so many bytes are enough for.
SIDES = ((180_000, 1280), (90_000, 1024), (50_000, 800), (0, 640))
EMPTY = Preview(b"", "image/jpeg", 99_999, 99_999, "JPEG", 99_999_999)  # for counting the words

SUFFIX = ".html"


class Shows(Protocol):
    """What has pictures, and knows where they are from: a panel, a matrix."""

    def _shows(self) -> tuple[AsyncHistory, list[Picture | Job]]:
        """Where they are from, and what is chosen of them or else all."""


class _Chosen(NamedTuple):
    """What a page is made of, with the client that is to be closed after it."""

    history: AsyncHistory
    pictures: list[Picture | Job]
    owned: AsyncWonda | None


def storyboard(
    what: Iterable[Picture | Job] | Picture | Job | Shows,
    path: str | Path,
    title: str = "Storyboard",
    wonda: Wonda | AsyncWonda | None = None,
) -> Path:
    """Write what became of pictures as one page, to be sent to whoever never reads code.

    From the prompt to the post: when each was asked for and made, how it looks, what was
    edited, where it was posted. It is one file that needs no network, runs without scripts,
    and prints. At most 6 MB for 20 pictures.

    Parameters
    ----------
    what : list of Picture or Job, one of them, Matrix, or a panel
        Of a panel (`Studio`, `PromptLab`, `Gallery`, `History`, `Compare`) what is chosen
        there, or else what it shows. At most 200 pictures.
    path : path
        An ``.html`` file. One that is there already stays; the new one gets a number.
    title : str
        At most 200 characters.
    wonda : Wonda or AsyncWonda, optional
        Without it: the client that the images, jobs, matrix or panel are of.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    TypeError
        If `what` has something else than pictures and jobs.
    InvalidInputError
        If there are no pictures or too many, or the path cannot be written.

    Examples
    --------
    >>> ww.storyboard(lab, "harbour.html", title="Harbour campaign")
    """
    chosen = _chosen(what, wonda)
    try:
        return runtime.call(write(chosen.history, chosen.pictures, path, title=title))
    finally:
        if chosen.owned is not None:
            runtime.call(chosen.owned.aclose())


def _chosen(what: Any, wonda: Wonda | AsyncWonda | None) -> _Chosen:
    own, pictures = _given(what)
    if own is not None and wonda is None:
        return _Chosen(own, pictures, None)
    used, owned = which_client.chosen(wonda, [what, *pictures])
    return _Chosen(used.history, pictures, owned)


def _given(what: Any) -> tuple[AsyncHistory | None, list[Picture | Job]]:
    """What was given as pictures, and where they are from if it knows.

    Raises
    ------
    TypeError
    """
    # Asked first: going through a matrix would make its pictures.
    shows = getattr(what, "_shows", None)
    if callable(shows):
        return cast("tuple[AsyncHistory, list[Picture | Job]]", shows())
    one = isinstance(what, Picture | Job | str | bytes) or not isinstance(what, Iterable)
    some = [what] if one else list(what)
    for each in some:
        if not isinstance(each, Picture | Job):
            name = type(each).__name__
            raise TypeError(f"A storyboard takes pictures, jobs, a matrix or a panel, not {name}.")
    return None, some


async def write(
    history: AsyncHistory,
    what: Iterable[Picture | Job] | Picture | Job | Shows,
    path: str | Path,
    *,
    title: str,
) -> Path:
    """Write the page of some pictures; see `storyboard`."""
    _, pictures = _given(what)
    if history.wonda is not None:
        which_client.check(history.wonda, pictures)
    target = await runtime.in_thread(_target, path)
    data = await page(history, pictures, title=title)
    try:
        return await runtime.in_thread(exports.write, target, data)
    except OSError as error:
        raise exports.not_written(target, error) from None


def _target(path: str | Path) -> Path:
    """Where the page goes, before anything is fetched for it."""
    target = exports.checked(path)
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


async def page(
    history: AsyncHistory, pictures: Sequence[Picture | Job], *, title: str = "Storyboard"
) -> bytes:
    """The page of some pictures as the bytes of an HTML file, for whoever offers it to be saved.

    Parameters
    ----------
    history : AsyncHistory
        Of the client that the pictures are from.
    pictures : list of Picture or Job
        1 to 200.
    title : str

    Raises
    ------
    InvalidInputError
        If there are no pictures or too many.
    """
    if not isinstance(title, str) or not title.strip() or len(title) > LONGEST_TITLE:
        raise InvalidInputError(
            "title", f"A title is a text of 1 to {LONGEST_TITLE} characters.", "Write another one."
        )
    if not pictures:
        raise InvalidInputError(
            "pictures", "There are no pictures to tell of.", "Make some, or choose some."
        )
    if len(pictures) > MOST:
        raise InvalidInputError(
            "pictures",
            f"A storyboard has at most {MOST} pictures, and these are {len(pictures):,}.",
            "Choose fewer.",
        )
    some = [await _picture(history, each) for each in pictures]
    board = Board(
        title=title,
        chapters=await history.story(some),
        written_at=datetime.now().astimezone(),
        is_sandbox=history.is_sandbox,
        clean=history.without_key,
    )
    looks = await _looks(history, board)
    return await runtime.in_thread(storyboard_page.written, board, looks)


async def _picture(history: AsyncHistory, each: Picture | Job) -> Picture:
    if isinstance(each, Picture):
        return each
    try:
        return await history.of(each)
    except NoMediaError:
        raise InvalidInputError(
            "pictures",
            f"One of the jobs has no picture to tell of; it is {each.status}.",
            "Leave it out, or wait for it.",
        ) from None


# ---------------------------------------------------------------- small copies


async def _looks(history: AsyncHistory, board: Board) -> list[dict[str, Look]]:
    """Of each chapter, small copies by media id, or why there is none."""
    shown = [_shown(chapter) for chapter in board.chapters]
    words = await runtime.in_thread(
        storyboard_page.written,
        board,
        [dict.fromkeys(["", *(change.media_id for change in some)], EMPTY) for some in shown],
    )
    budget = _budget(sum(1 + len(some) for some in shown), len(words))
    turn = asyncio.Semaphore(exports.AT_ONCE)

    async def one(chapter: Chapter, changes: list[Change]) -> dict[str, Look]:
        async with turn:
            return await _looks_of(history, chapter.picture, changes, budget)

    return await asyncio.gather(*map(one, board.chapters, shown))


def _shown(chapter: Chapter) -> list[Change]:
    """The edits that are shown: those that were posted, and the latest."""
    posted = {media_id for post in chapter.posts for media_id in post.media_ids}
    first = sorted(chapter.changes, key=lambda change: (change.media_id in posted, change.at))
    return first[-MOST_CHANGES:]


def _budget(count: int, words: int) -> int:
    """Bytes that each of `count` pictures may have beside so many bytes of words."""
    left = (MOST_BYTES - words) * 3 // 4  # of three bytes the page has four signs
    return max(LEAST_OF_A_PICTURE, min(MOST_OF_A_PICTURE, left // count - 2))


async def _looks_of(
    history: AsyncHistory, picture: Picture, changes: list[Change], budget: int
) -> dict[str, Look]:
    """A picture's own copy (under no id) and those of its edits."""
    original = b""
    looks: dict[str, Look] = {}
    try:
        original = await history.original(picture)
        looks[""] = await workers.decoding(_small, original, budget)
    except WondaError as error:
        looks[""] = _why(error)
    for change in changes:
        try:
            looks[change.media_id] = await _look_of(history, change, original, budget)
        except WondaError as error:
            looks[change.media_id] = _why(error)
    return looks


async def _look_of(history: AsyncHistory, change: Change, original: bytes, budget: int) -> Preview:
    """An edit as the service has it, or else made again from the original."""
    try:
        data = await history.edited(change.media_id)
    except WondaError:
        if not original or not change.operations:
            raise
        return await workers.decoding(
            _made_again, original, change, budget, seconds=workers.EDIT_SECONDS
        )
    return await workers.decoding(_small, data, budget)


def _small(data: bytes, budget: int) -> Preview:
    """A small copy; slow, for a thread."""
    side = next(side for least, side in SIDES if budget >= least)
    return preview(data, side, budget)


def _made_again(original: bytes, change: Change, budget: int) -> Preview:
    """A small copy of an edit, done to the original anew; slow, for a thread."""
    return _small(edits.apply(original, change.since_original).data, budget)


def _why(error: WondaError) -> str:
    """Why there is no picture, in words that name no address."""
    if isinstance(error, NotFoundError | GoneError):
        return "The service no longer has this picture."
    if isinstance(error, UnsafeMediaError):
        return "This picture cannot be opened safely."
    return "This picture could not be fetched when the page was made."
