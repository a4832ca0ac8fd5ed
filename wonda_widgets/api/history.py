"""`wonda.history`: everything ever made with this journal, searched, marked and exported."""

from __future__ import annotations

import asyncio
import contextlib
import math
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.parse import quote

import msgspec

from ..errors import (
    APIError,
    InvalidInputError,
    UnsafeMediaError,
    WondaError,
)
from ..export import timeline
from ..jobs.core import Core, on_package_loop
from ..journal.images import RATINGS, GeneratedImage, Query, generated_image
from ..models import Media, parse
from ..utils import plain_values
from . import origin
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ..export.storyboard import Shows
    from ..export.timeline import ImageTimeline
    from ..jobs.job import Job
    from .accounts import AsyncAccounts
    from .media import AsyncMedia

MOST = 100_000  # images a search gives
LONGEST_NOTE = 10_000  # characters
EPOCH = 1970
ACCOUNTS_SECONDS = 10.0  # a story does not wait longer for the accounts' names
EXPIRED = frozenset({401, 403, 404, 410})  # of an address whose time is over


class Which(TypedDict, total=False):
    """Which images; see `AsyncHistory.search`."""

    model: str | None
    favourite: bool | None
    rating: int | None
    since: datetime | date | None
    until: datetime | date | None


class AsyncHistory:
    """Everything ever made with this journal."""

    def __init__(self, core: Core, media: AsyncMedia, accounts: AsyncAccounts) -> None:
        self._core = core
        self._media = media
        self._accounts = accounts
        self._names: dict[str, str] = {}  # of accounts, by their ids; empty of those that are gone

    @property
    def wonda(self) -> Any:
        """The client that this is of: `AsyncWonda`, or None."""
        return self._core.client

    @property
    def is_sandbox(self) -> bool:
        """Whether these images are made up and nothing was published."""
        return self._core.is_sandbox

    def without_key(self, text: str) -> str:
        """`text` without this client's key, should somebody have written it there."""
        return self._core.transport.without_key(text.encode(errors="replace")).decode()

    # ------------------------------------------------------------ finding

    @on_package_loop
    async def search(
        self, text: str = "", *, limit: int = 50, offset: int = 0, **which: Unpack[Which]
    ) -> list[GeneratedImage]:
        """Find images, newest first.

        Parameters
        ----------
        text : str
            Words, or their beginnings, that all occur in the prompt or in your note; in scripts
            without spaces any part of a text. Capitals and accents do not count.
        model : str, optional
        favourite : bool, optional
        rating : int, optional
            This many stars or more.
        since, until : datetime or date, optional
            When it was asked for, in your own time zone unless they have one; a date as
            `until` includes that day.
        limit, offset : int
            How many at most, and how many newer ones to leave out.
        """
        limit, offset = plain_values.to_plain(limit), plain_values.to_plain(offset)
        for name, value, least in (("limit", limit, 1), ("offset", offset, 0)):
            if not isinstance(value, int) or not least <= value <= MOST:
                raise InvalidInputError(
                    name, f"{name} is a whole number from {least} to {MOST:,}, not {value!r}."
                )
        query = _query(text, **which)
        return list(await self._run("search", query, limit, offset, self._core.name))

    @on_package_loop
    async def count(self, text: str = "", **which: Unpack[Which]) -> int:
        """How many images `search` would find."""
        query = _query(text, **which)
        return int(await self._run("count", query))

    @on_package_loop
    async def models(self) -> list[str]:
        """All models that images were asked of."""
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
            If it has none.
        """
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
        """Have `listener` called, on the package's loop, with each image that this client makes.

        Returns
        -------
        callable
            Ends it.
        """
        active = True

        def guarded() -> None:
            if active:
                listener()

        def end() -> None:
            nonlocal active
            active = False
            with contextlib.suppress(ValueError):  # it was ended before
                self._core.on_image.remove(guarded)

        self._core.on_image.append(guarded)
        return end

    @on_package_loop
    async def watch_others(self, listener: Callable[[], object], seconds: float = 3.0) -> None:
        """Call `listener` whenever another kernel on this journal has written; never returns.

        Parameters
        ----------
        listener : callable
            Called on the package's loop.
        seconds : float
            Between looks.
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
        favourite: bool | None = None,
        rating: int | None = None,
        note: str | None = None,
    ) -> GeneratedImage:
        """Note in the journal what you think of an image; gives the image with that.

        Parameters
        ----------
        image : Image
        favourite : bool, optional
            A favourite is not dropped when the journal grows old or large.
        rating : int, optional
            1 to 5 stars; 0 takes them away.
        note : str, optional
            At most 10,000 characters.
        """
        favourite, rating = plain_values.to_plain(favourite), plain_values.to_plain(rating)
        note = plain_values.optional_text("note", "The note", note)
        if rating is not None and (isinstance(rating, bool) or rating not in RATINGS):
            raise InvalidInputError("rating", "A rating is a whole number from 0 to 5.")
        if note is not None and len(note) > LONGEST_NOTE:
            raise InvalidInputError("note", f"A note has at most {LONGEST_NOTE:,} characters.")
        given = {"favourite": favourite, "rating": rating, "note": note}
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            return image
        self._core.transport.check_open()
        if note is not None:
            changes["note"] = self.without_key(note)
        marks = await asyncio.wrap_future(self._core.journal.images.mark(image.intent, **changes))
        if marks is None:
            raise InvalidInputError(
                "image", "This image is not in the journal, so nothing can be noted of it."
            )
        return msgspec.structs.replace(image, **msgspec.structs.asdict(marks))

    # ------------------------------------------------------------ what became of them

    @on_package_loop
    async def story(self, images: Iterable[GeneratedImage]) -> list[ImageTimeline]:
        """What became of images: when each was asked for and made, its edits, its posts.

        One chapter an image, in the order of `images`. Of one that the journal does not
        know there is what the image itself says.
        """
        some = list(images)
        self._core.transport.check_open()
        written = self._core.journal.image_events
        read = await asyncio.wrap_future(written.read(self._core.journal_key, some))
        return timeline.timelines(some, read, await self._named(timeline.account_ids(read)))

    async def _named(self, account_ids: set[str]) -> dict[str, str]:
        """The accounts' names, asked for once; a story without them is one all the same."""
        if account_ids - self._names.keys():
            try:
                async with asyncio.timeout(ACCOUNTS_SECONDS):
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
        """Write what became of images as one page that anybody can open.

        As `wonda_widgets.storyboard`, which says more of it.

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

    # ------------------------------------------------------------ the images themselves

    @on_package_loop
    async def edited(self, media_id: str) -> bytes:
        """The bytes of an edit, or of anything else in the library, by its media id.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            As `media.download`; also where the library tells no address.
        """
        raw = await self._core.transport.get(f"/media/{quote(media_id, safe='')}")
        # The shape of this reply is documented nowhere (wonda-api.md, section 8.2).
        inside = raw.get("media") if isinstance(raw, dict) else None
        return await self._media.download(parse(inside or raw, Media))

    @on_package_loop
    async def original(self, image: GeneratedImage) -> bytes:
        """The original's bytes; an address that has expired is asked for anew.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            As `media.download`.
        """
        try:
            return await self._media.download(image.media)
        except (APIError, UnsafeMediaError) as error:
            expired = isinstance(error, APIError) and error.status in EXPIRED
            if not image.job_id or not (expired or not image.media.url):
                raise
        told = await self._core.ask("inference", image.job_id)
        return await self._media.download(told.media)

    @on_package_loop
    async def thumbnail(self, image: GeneratedImage) -> bytes:
        """A small copy, JPEG or PNG, at most 320 pixels; kept for the next time."""
        self._core.transport.check_open()
        # Where there is no id, its address or its job tells one image from another.
        own = image.media.media_id or image.media.url or image.job_id
        key = self._core.journal_key, own
        return await self._core.thumbnails.get(key, lambda: self.original(image))

    @on_package_loop
    async def export(self, images: Iterable[GeneratedImage], path: str | Path) -> Path:
        """Write images to a ``.csv`` or ``.json`` file, or, to a folder, with their originals.

        An ``.html`` file becomes a `storyboard`.

        A folder gets each original, with how it was made in its metadata where its
        format takes that, and ``manifest.json``. What is there already stays.

        A ``.csv`` file is UTF-8 with a byte order mark, which Excel needs; read it with
        ``encoding="utf-8-sig"``, or with pandas as it is. In it every cell is quoted, and where
        a text has ``=``, ``+``, ``-`` or
        ``@`` at its beginning or after a ``,``, ``;``, ``|``, tab or line break, a ``'`` stands
        before it: a spreadsheet would run it as a formula. Numbers stay as they are.
        A ``.json`` file has every text as it is.

        Returns
        -------
        Path
            What was written.

        Raises
        ------
        InvalidInputError
            If there is nothing to export or the path cannot be written.
        """
        from ..export import files  # noqa: PLC0415 - needed only now

        return await files.export(list(images), path, self.original, self.storyboard)


class History(Blocking[AsyncHistory]):
    """Everything ever made with this journal (blocking)."""

    search = blocking(AsyncHistory.search)
    count = blocking(AsyncHistory.count)
    models = blocking(AsyncHistory.models)
    of = blocking(AsyncHistory.of)
    mark = blocking(AsyncHistory.mark)
    story = blocking(AsyncHistory.story)
    storyboard = blocking(AsyncHistory.storyboard)
    edited = blocking(AsyncHistory.edited)
    original = blocking(AsyncHistory.original)
    thumbnail = blocking(AsyncHistory.thumbnail)
    export = blocking(AsyncHistory.export)


def _query(
    text: str,
    *,
    model: str | None = None,
    favourite: bool | None = None,
    rating: int | None = None,
    since: datetime | date | None = None,
    until: datetime | date | None = None,
) -> Query:
    if not isinstance(text, str):
        raise InvalidInputError("text", f"What is searched for is text, not {text!r}.")
    return Query(
        text=text,
        model=model,
        favourite=plain_values.reject_missing("favourite", "favourite", favourite),
        rating=plain_values.reject_missing("rating", "rating", rating),
        since=_moment("since", since, time.min),
        until=_moment("until", until, time.max),
    )


def _moment(name: str, when: datetime | date | None, of_a_day: time) -> float | None:
    """Seconds since 1970."""
    if when is None:
        return None
    if not isinstance(when, date) or plain_values.is_missing(when):  # NaT is a datetime, too
        raise InvalidInputError(name, f"{name} is a date or a datetime, not {when!r}.")
    if not isinstance(when, datetime):
        when = datetime.combine(when, of_a_day)
    try:
        moment = when.timestamp()
    except (ValueError, OverflowError, OSError):  # before or after all that this system can count
        moment = math.copysign(math.inf, when.year - EPOCH)
    return math.nextafter(moment, math.inf if name == "until" else -math.inf)
