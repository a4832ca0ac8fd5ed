"""`wonda.history`: search, rate and export the images in this journal."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Iterable
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import msgspec

from ..errors import (
    APIError,
    InvalidInputError,
    UnsafeMediaError,
    WondaError,
)
from ..export import timeline
from ..http.responses import replace_lone_surrogates
from ..imaging import video_process
from ..jobs.core import Core, on_package_loop
from ..jobs.job import Job
from ..journal.generated_image import GeneratedImage, generated_image
from ..journal.images import ORDERS, RATINGS, Query
from ..utils import arguments, plain_values
from ..utils.names import composed
from . import media, origin
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..export.files import Exported
    from ..export.storyboard import Shows
    from ..export.timeline import ImageTimeline
    from ..models import Media
    from .accounts import AsyncAccounts
    from .media import AsyncMedia

MAX_RESULTS = 100_000
MAX_RANK = 1_000_000
MAX_COLLECTION_LENGTH = 100  # characters
MAX_NOTE_LENGTH = 10_000  # characters
EPOCH = 1970
APPROVALS = (None, "approved", "rejected", "divided")
KINDS = {None: None, "image": False, "video": True}  # and whether they are videos
AN_IMAGE = "an image of the history (GeneratedImage)"
ACCOUNTS_TIMEOUT = 10.0  # seconds that a timeline waits for the accounts' names
EXPIRED_STATUSES = frozenset({401, 403, 404, 410})  # of the error for an address that has expired


class Filter(TypedDict, total=False):
    """A filter for images; see `AsyncHistory.search`."""

    model: str | None
    kind: str | None
    favorite: bool | None
    rating: int | None
    rank: int | None
    approval: str | None
    collection: str | None
    order: str
    since: datetime | date | None
    until: datetime | date | None


class AsyncHistory:
    """The images and videos in this journal; both are `GeneratedImage` objects."""

    def __init__(self, core: Core, media: AsyncMedia, accounts: AsyncAccounts) -> None:
        self._core = core
        self._media = media
        self._accounts = accounts
        self._names: dict[str, str] = {}  # by ID; empty if it no longer exists

    @property
    def wonda(self) -> Any:
        """The client: `AsyncWonda`, or None."""
        return self._core.client

    @property
    def is_sandbox(self) -> bool:
        """Whether the images are placeholders and nothing was published."""
        return self._core.is_sandbox

    def redact(self, text: str) -> str:
        """Remove this client's key from `text` if it occurs there."""
        return self._core.transport.redact(text.encode(errors="replace")).decode()

    # ------------------------------------------------------------ finding

    @on_package_loop
    async def search(
        self, text: str = "", *, limit: int = 50, offset: int = 0, **filters: Unpack[Filter]
    ) -> list[GeneratedImage]:
        """Find images and videos, newest first unless `order` says otherwise.

        Parameters
        ----------
        text : str
            Words or prefixes of words that must all occur in the prompt or in the note; in
            scripts without spaces, any part of a string. Case and accents are ignored.
        model : str, optional
        kind : str, optional
            ``"image"`` or ``"video"``.
        favorite : bool, optional
        rating : int, optional
            The minimum number of stars.
        rank : int, optional
            The last place in the ranking of the latest `Review`, e.g. 3 for the best three.
        approval : str, optional
            The result of the latest `Review`: ``"approved"``, ``"rejected"`` or ``"divided"``.
        collection : str, optional
            Only the images of a collection; see `collect`.
        order : str
            ``"newest"`` first (the default), ``"oldest"``, ``"rank"``, ``"rating"`` (most stars)
            or ``"fastest"``.
        since, until : datetime or date, optional
            When the image was requested; in the local time zone if the value has none. If `until`
            is a date, that day is included.
        limit, offset : int
            The maximum number of results, and how many newer ones to skip.

        Examples
        --------
        >>> images = wonda.history.search("harbor dawn", favorite=True, limit=10)
        """
        limit, offset = plain_values.to_plain(limit), plain_values.to_plain(offset)
        for name, value, least in (("limit", limit, 1), ("offset", offset, 0)):
            if not isinstance(value, int) or not least <= value <= MAX_RESULTS:
                raise InvalidInputError(
                    name,
                    f"{name} must be a whole number from {least} to {MAX_RESULTS:,}; got "
                    f"{value!r}.",
                )
        query = _query(text, **filters)
        return list(await self._run("search", query, limit, offset, self._core.name))

    @on_package_loop
    async def count(self, text: str = "", **filters: Unpack[Filter]) -> int:
        """Count the images that `search` finds without a limit."""
        query = _query(text, **filters)
        return int(await self._run("count", query))

    @on_package_loop
    async def models(self) -> list[str]:
        """List all models from which images were requested."""
        return list(await self._run("models"))

    async def _run(self, name: str, *args: Any) -> Any:
        self._core.transport.check_open()
        work = getattr(self._core.journal.images, name)
        return await asyncio.wrap_future(work(self._core.journal_key, *args))

    @on_package_loop
    async def of(self, job: Job, values: dict[str, str] | None = None) -> GeneratedImage:
        """Give the image of a job that has succeeded.

        Raises
        ------
        NoMediaError
            If the job has no media.
        """
        arguments.require_type(job, Job, "a job")
        await job.entry_read()
        snapshot = job.snapshot
        marks = await asyncio.wrap_future(
            self._core.journal.images.marks([job.intent] if job.intent else [])
        )
        made = generated_image(
            job.request, snapshot, job.id or "", job.intent or "", self._core.name
        )
        of_it = marks.get(job.intent or "")
        return msgspec.structs.replace(
            made, values=values or {}, **(msgspec.structs.asdict(of_it) if of_it else {})
        )

    def watch(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Call `listener` on the package's event loop after each image that this client generates.

        Returns
        -------
        callable
            Stops it.
        """
        active = True

        def notify() -> None:
            if active:
                listener()

        def end() -> None:
            nonlocal active
            active = False
            with contextlib.suppress(ValueError):  # stopped before
                self._core.on_image.remove(notify)

        self._core.on_image.append(notify)
        return end

    @on_package_loop
    async def watch_others(self, listener: Callable[[], object], seconds: float = 3.0) -> None:
        """Call `listener` whenever another kernel has written to this journal; never return.

        Parameters
        ----------
        listener : callable
            Called on the package's event loop.
        seconds : float
            Seconds between checks.
        """
        seen = await asyncio.wrap_future(self._core.journal.data_version())
        while True:
            await asyncio.sleep(seconds)
            now = await asyncio.wrap_future(self._core.journal.data_version())
            if now != seen:
                seen = now
                listener()

    # ------------------------------------------------------------ marking

    @on_package_loop
    async def mark(
        self,
        image: GeneratedImage,
        *,
        favorite: bool | None = None,
        rating: int | None = None,
        note: str | None = None,
    ) -> GeneratedImage:
        """Rate an image or add a note in the journal; return the changed image.

        Parameters
        ----------
        image : GeneratedImage
        favorite : bool, optional
            Favorites are never deleted from the journal.
        rating : int, optional
            1 to 5 stars; 0 removes them.
        note : str, optional
            At most 10,000 characters.

        Examples
        --------
        >>> image = wonda.history.mark(image, favorite=True, rating=5, note="For the cover")
        """
        arguments.require_type(image, GeneratedImage, AN_IMAGE)
        favorite, rating = plain_values.to_plain(favorite), plain_values.to_plain(rating)
        _check_favorite(favorite)
        note = plain_values.optional_text("note", "The note", note)
        _check_rating(rating)
        if note is not None and len(note) > MAX_NOTE_LENGTH:
            raise InvalidInputError("note", f"A note has at most {MAX_NOTE_LENGTH:,} characters.")
        given = {"favorite": favorite, "rating": rating, "note": note}
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            return image
        self._core.transport.check_open()
        if note is not None:
            changes["note"] = self.redact(note)
        marks = await asyncio.wrap_future(self._core.journal.images.mark(image.intent, **changes))
        if marks is None:
            raise InvalidInputError(
                "image", "This image is not in the journal, so it cannot be rated."
            )
        return msgspec.structs.replace(image, **msgspec.structs.asdict(marks))

    # ------------------------------------------------------------ collections

    @on_package_loop
    async def collect(self, images: Iterable[GeneratedImage], collection: str) -> None:
        """Put images into a collection: a named set, of which an image can be in several.

        Parameters
        ----------
        images : iterable of GeneratedImage
            Those in this journal; others are left out.
        collection : str
            The name, at most 100 characters. A new one creates a collection.

        Raises
        ------
        InvalidInputError
            If the name is empty or too long.

        Examples
        --------
        >>> wonda.history.collect(images[:2], "autumn campaign")
        >>> images = wonda.history.search(collection="autumn campaign")
        """
        await self._collect("add", images, collection)

    @on_package_loop
    async def uncollect(self, images: Iterable[GeneratedImage], collection: str) -> None:
        """Take images out of a collection; without images, it no longer exists."""
        await self._collect("remove", images, collection)

    async def _collect(self, how: str, images: Iterable[GeneratedImage], collection: str) -> None:
        name = _collection_name(collection)
        if not name or len(name) > MAX_COLLECTION_LENGTH:
            raise InvalidInputError(
                "collection",
                "A collection has no name."
                if not name
                else f"The name of a collection has at most {MAX_COLLECTION_LENGTH} characters.",
                "Choose a name such as “autumn campaign”.",
            )
        intents = [image.intent for image in _images(images) if image.intent]
        self._core.transport.check_open()
        change = getattr(self._core.journal.collections, how)
        await asyncio.wrap_future(change(self._core.journal_key, self.redact(name), intents))
        self._core.report_image_change()

    @on_package_loop
    async def collections(self) -> dict[str, int]:
        """Return the names of all collections, with their number of images."""
        self._core.transport.check_open()
        return await asyncio.wrap_future(
            self._core.journal.collections.names(self._core.journal_key)
        )

    @on_package_loop
    async def refresh(self, images: Iterable[GeneratedImage]) -> list[GeneratedImage]:
        """Return the images with their current marks and review results from the journal."""
        some = _images(images)
        self._core.transport.check_open()
        marks = await asyncio.wrap_future(
            self._core.journal.images.marks([image.intent for image in some if image.intent])
        )
        return [
            msgspec.structs.replace(image, **msgspec.structs.asdict(marks[image.intent]))
            if image.intent in marks
            else image
            for image in some
        ]

    # ------------------------------------------------------------ timelines

    @on_package_loop
    async def timeline(self, images: Iterable[GeneratedImage]) -> list[ImageTimeline]:
        """Give the history of each image: its request, statuses, edits and posts.

        The result is in the order of `images`. An image that is not in the journal has only the
        data of the image object itself.
        """
        some = _images(images)
        self._core.transport.check_open()
        reading = self._core.journal.image_events.read(self._core.journal_key, some)
        rows = await asyncio.wrap_future(reading)
        names = await self._account_names(timeline.account_ids(rows))
        return timeline.timelines(some, rows, names)

    async def _account_names(self, account_ids: set[str]) -> dict[str, str]:
        """Return the known names of accounts by ID; cached."""
        if account_ids - self._names.keys():
            try:
                async with asyncio.timeout(ACCOUNTS_TIMEOUT):
                    found = await self._accounts.instagram()
            except (WondaError, TimeoutError):
                return self._names
            names = {each.instagram_account_id: each.name for each in found if each.username}
            self._names = dict.fromkeys(account_ids, "") | self._names | names
        return self._names

    @on_package_loop
    async def storyboard(
        self,
        images: Iterable[GeneratedImage | Job] | GeneratedImage | Job | Shows,
        path: str | Path,
        *,
        title: str = "Storyboard",
    ) -> Path:
        """Write the history of images to one HTML page; see `wonda_widgets.storyboard`.

        Raises
        ------
        InvalidInputError
            If there are no images or too many, or the path cannot be written.
        """
        from ..export import storyboard  # noqa: PLC0415 - needed only now

        _, some = storyboard.resolve_images(images)
        if self.wonda is not None:
            origin.check_origin(self.wonda, some)
        return await storyboard.write(self, some, path, title=title)

    # ------------------------------------------------------------ files

    @on_package_loop
    async def edited(self, media_id: str) -> bytes:
        """Download an edit, or any other media in the library, by its media ID.

        Of a video, the first frame is returned, see `poster`.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            See `media.download`; also raised if the library returns no address.
        """
        return await self._poster_of(await media.find(self._core, media_id))

    @on_package_loop
    async def original(self, image: GeneratedImage) -> bytes:
        """Download an original; if its address has expired, a new one is requested.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            See `media.download`.
        """
        arguments.require_type(image, GeneratedImage, AN_IMAGE)
        try:
            return await self._media.download(image.media)
        except (APIError, UnsafeMediaError) as error:
            expired = isinstance(error, APIError) and error.status in EXPIRED_STATUSES
            if not image.job_id or not (expired or not image.media.url):
                raise
        snapshot = await self._core.poll_once("inference", image.job_id)
        return await self._media.download(snapshot.media)

    @on_package_loop
    async def poster(self, image: GeneratedImage) -> bytes:
        """Return an image to show: the original or, for a video, its first frame (JPEG).

        A video is downloaded to disk, and not into memory.

        Raises
        ------
        UnsafeMediaError
            Also raised if the frame of a video cannot be read, or if PyAV is not installed.
        APIError, ServiceUnreachableError
            See `media.download`.
        """
        arguments.require_type(image, GeneratedImage, AN_IMAGE)
        return await (
            self._poster_of(image.media) if image.media.is_video else self.original(image)
        )

    async def _poster_of(self, media: Media) -> bytes:
        if not media.is_video:
            return await self._media.download(media)
        async with self._media.borrow_file(media) as path:
            return await video_process.poster(path)

    @on_package_loop
    async def thumbnail(self, image: GeneratedImage) -> bytes:
        """Return a small JPEG or PNG copy, at most 320 pixels on a side; cached on disk.

        That of a video shows its first frame, see `poster`.
        """
        arguments.require_type(image, GeneratedImage, AN_IMAGE)
        self._core.transport.check_open()
        # Without an ID, the URL or the job identifies the image.
        own_id = image.media.media_id or image.media.url or image.job_id
        key = self._core.journal_key, own_id
        return await self._core.thumbnails.get(key, lambda: self.poster(image))

    @on_package_loop
    async def export(self, images: Iterable[GeneratedImage], path: str | Path) -> Path:
        """Write images and videos to a ``.csv``, ``.json`` or ``.html`` file, or to a folder.

        An ``.html`` file is a `storyboard`. The originals are written to a folder, with a
        ``manifest.json``; where the format allows it, their metadata says how they were generated.
        Existing files are kept.

        A ``.csv`` file is UTF-8 with a byte order mark, which Excel needs; read it with
        ``encoding="utf-8-sig"``, or in pandas without any option. Every cell is quoted. A ``'`` is
        put before ``=``, ``+``, ``-`` or ``@`` at the start of a string and after a ``,``, ``;``,
        ``|``, tab or line break, so that a spreadsheet does not run the text as a formula. Numbers
        and ``.json`` files are not changed in this way.

        Returns
        -------
        Path
            The file or folder that was written.

        Raises
        ------
        InvalidInputError
            If there are no images, or the path cannot be written.

        Examples
        --------
        >>> table = wonda.history.export(images, "harbor.csv")
        >>> folder = wonda.history.export(images, "harbor")
        """
        return (await self.export_with_problems(images, path)).path

    async def export_with_problems(
        self, images: Iterable[GeneratedImage], path: str | Path
    ) -> Exported:
        """Export, and also return why some images could not be downloaded."""
        from ..export import files  # noqa: PLC0415 - needed only now

        return await files.export(
            _images(images),
            path,
            self.original,
            self._save_video,
            self.storyboard,
            redact=self.redact,
        )

    @on_package_loop
    async def grid(
        self,
        images: Iterable[GeneratedImage],
        path: str | Path = "grid.png",
        *,
        rows: str | None = None,
        columns: str | None = None,
        width: int = 1600,
    ) -> Path:
        """Write images with labelled rows and columns to one picture or page, for a chat or slide.

        The labels are the values of the axes, and nothing else is shown. A cell can have several
        images, such as takes; an empty cell was not generated. An existing file is kept.

        Parameters
        ----------
        images : iterable of GeneratedImage
            At most 2,000; of a video, the first frame is shown.
        path : str or path
            A ``.png``, ``.webp`` or ``.html`` file.
        rows, columns : str, optional
            What varies along each axis: a placeholder (``"subject"``), a parameter
            (``"aspectRatio"``), ``"model"``, ``"template"`` or ``"take"``; ``""`` for no axis. By
            default, two facts that differ are chosen.
        width : int
            In pixels. A page may be wider; its labels stay visible while it scrolls.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        InvalidInputError
            If there are no images or too many, no image has such a fact, the sheet would be too
            large, or the path cannot be written.

        Examples
        --------
        >>> sheet = wonda.history.grid(images, "grid.png", rows="aspectRatio", columns="model")
        """
        from ..export import grid  # noqa: PLC0415 - needed only now

        return await grid.write(
            _images(images),
            path,
            self.poster,
            rows=rows,
            columns=columns,
            width=width,
            redact=self.redact,
        )

    async def _save_video(self, image: GeneratedImage, path: Path) -> Path:
        return await self._media.download(image.media, path)


class History(Blocking[AsyncHistory]):
    """Blocking interface to the images in this journal."""

    search = blocking(AsyncHistory.search)
    count = blocking(AsyncHistory.count)
    models = blocking(AsyncHistory.models)
    of = blocking(AsyncHistory.of)
    mark = blocking(AsyncHistory.mark)
    collect = blocking(AsyncHistory.collect)
    uncollect = blocking(AsyncHistory.uncollect)
    collections = blocking(AsyncHistory.collections)
    refresh = blocking(AsyncHistory.refresh)
    timeline = blocking(AsyncHistory.timeline)
    storyboard = blocking(AsyncHistory.storyboard)
    edited = blocking(AsyncHistory.edited)
    original = blocking(AsyncHistory.original)
    poster = blocking(AsyncHistory.poster)
    thumbnail = blocking(AsyncHistory.thumbnail)
    export = blocking(AsyncHistory.export)
    grid = blocking(AsyncHistory.grid)


def _images(images: Iterable[GeneratedImage]) -> list[GeneratedImage]:
    images = arguments.shown_images(images)
    arguments.require_type(images, Iterable, "a list of images")
    some = list(images)
    for image in some:
        arguments.require_type(image, GeneratedImage, AN_IMAGE)
    return some


def _check_favorite(favorite: object) -> None:
    if favorite is not None and not isinstance(favorite, bool):
        raise InvalidInputError("favorite", "favorite must be True or False.")


def _check_rating(rating: object) -> None:
    is_number = isinstance(rating, int | float) and not isinstance(rating, bool)
    if rating is not None and (not is_number or rating not in RATINGS):
        raise InvalidInputError("rating", "A rating must be a whole number from 0 to 5.")


def _collection_name(name: object) -> str:
    """Return the name under which a collection is kept; empty if it is none."""
    text = replace_lone_surrogates(name) if isinstance(name, str) else ""
    return " ".join(composed(text).split())


def _query(
    text: str,
    *,
    model: str | None = None,
    kind: str | None = None,
    favorite: bool | None = None,
    rating: int | None = None,
    rank: int | None = None,
    approval: str | None = None,
    collection: str | None = None,
    order: str = "newest",
    since: datetime | date | None = None,
    until: datetime | date | None = None,
) -> Query:
    if not isinstance(text, str):
        raise InvalidInputError("text", f"The search text must be a string; got {text!r}.")
    favorite = plain_values.reject_missing("favorite", "favorite", favorite)
    rating = plain_values.reject_missing("rating", "rating", rating)
    _check_favorite(favorite)
    _check_rating(rating)
    kind = plain_values.optional_text("kind", "The kind", kind)
    if kind not in KINDS:
        raise InvalidInputError("kind", f'kind must be "image" or "video"; got {kind!r}.')
    collection = plain_values.optional_text("collection", "The collection", collection)
    rank = plain_values.reject_missing("rank", "rank", rank)
    is_whole = isinstance(rank, int) and not isinstance(rank, bool)
    if rank is not None and not (is_whole and 0 < rank <= MAX_RANK):
        raise InvalidInputError("rank", "rank must be a whole number above 0.")
    for name, value, known in (("approval", approval, APPROVALS), ("order", order, ORDERS)):
        if value not in list(known):
            names = ", ".join(f'"{each}"' for each in known if each)
            raise InvalidInputError(name, f"{name} must be one of {names}; got {value!r}.")
    return Query(
        rank=rank,
        approval=approval,
        collection=None if collection is None else _collection_name(collection),
        order=order,
        text=text,
        model=plain_values.optional_text("model", "The model", model),
        video=KINDS[kind],
        favorite=favorite,
        rating=rating,
        since=_moment("since", since, time.min),
        until=_moment("until", until, time.max),
    )


def _moment(name: str, when: datetime | date | None, of_a_day: time) -> float | None:
    """Convert a date or time to seconds since 1970."""
    if when is None:
        return None
    if not isinstance(when, date) or plain_values.is_missing(when):  # NaT is also a datetime
        raise InvalidInputError(name, f"{name} must be a date or a datetime; got {when!r}.")
    if not isinstance(when, datetime):
        when = datetime.combine(when, of_a_day)
    try:
        moment = when.timestamp()
    except (ValueError, OverflowError, OSError):  # outside this system's range
        moment = math.copysign(math.inf, when.year - EPOCH)
    return math.nextafter(moment, math.inf if name == "until" else -math.inf)
