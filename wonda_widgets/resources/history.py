"""`wonda.history`: everything ever made with this journal, searched, marked and exported."""

from __future__ import annotations

import asyncio
import math
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import msgspec

from .. import runtime
from ..errors import APIError, InvalidInputError, NoMediaError, UnsafeMediaError
from ..pictures import RATINGS, Picture, Query
from ._core import Core, known, on_package_loop
from .images import GENERATION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from ..jobs import Job
    from ..models import Media, Snapshot
    from ..pictures import Marks
    from ..records import Record
    from .media import AsyncMedia

MOST = 100_000  # pictures a search gives
LONGEST_NOTE = 10_000  # characters
EPOCH = 1970
EXPIRED = frozenset({401, 403, 404, 410})  # of an address whose time is over


class Which(TypedDict, total=False):
    """Which pictures; see `AsyncHistory.search`."""

    model: str | None
    favourite: bool | None
    rating: int | None
    since: datetime | date | None
    until: datetime | date | None


class AsyncHistory:
    """Everything ever made with this journal."""

    def __init__(self, core: Core, media: AsyncMedia) -> None:
        self._core = core
        self._media = media

    # ------------------------------------------------------------ finding

    @on_package_loop
    async def search(
        self, text: str = "", *, limit: int = 50, offset: int = 0, **which: Unpack[Which]
    ) -> list[Picture]:
        """Find pictures, newest first.

        Parameters
        ----------
        text : str
            Words, or their beginnings, that all occur in the prompt or in your note.
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
        for name, value, least in (("limit", limit, 1), ("offset", offset, 0)):
            if not isinstance(value, int) or not least <= value <= MOST:
                raise InvalidInputError(
                    name, f"{name} is a whole number from {least} to {MOST:,}, not {value!r}."
                )
        query = _query(text, **which)
        return list(await self._run("search", query, limit, offset, _picture))

    @on_package_loop
    async def count(self, text: str = "", **which: Unpack[Which]) -> int:
        """How many pictures `search` would find."""
        query = _query(text, **which)
        return int(await self._run("count", query))

    @on_package_loop
    async def models(self) -> list[str]:
        """All models that pictures were asked of."""
        return list(await self._run("models"))

    async def _run(self, name: str, *args: Any) -> Any:
        self._core.transport.check_open()
        work = getattr(self._core.journal.pictures, name)
        return await asyncio.wrap_future(work(self._core.base_url, *args))

    @on_package_loop
    async def of(self, job: Job, values: dict[str, str] | None = None) -> Picture:
        """Give the picture of a job that has succeeded.

        Raises
        ------
        NoMediaError
            If it has none.
        """
        snapshot = job.snapshot
        marks = await asyncio.wrap_future(
            self._core.journal.pictures.marks([job.intent] if job.intent else [])
        )
        made = _made(job.request, snapshot, job.id or "", job.intent or "")
        of_it = marks.get(job.intent or "")
        return msgspec.structs.replace(
            made, values=values or {}, **(msgspec.structs.asdict(of_it) if of_it else {})
        )

    def watch(self, listener: Callable[[], object]) -> Callable[[], None]:
        """Have `listener` called, on the package's loop, with each picture that this client makes.

        Returns
        -------
        callable
            Ends it.
        """
        self._core.on_picture.append(listener)
        return lambda: self._core.on_picture.remove(listener)

    # ------------------------------------------------------------ marking

    @on_package_loop
    async def mark(
        self,
        picture: Picture,
        *,
        favourite: bool | None = None,
        rating: int | None = None,
        note: str | None = None,
    ) -> Picture:
        """Note in the journal what you think of a picture; gives the picture with that.

        Parameters
        ----------
        picture : Picture
        favourite : bool, optional
            A favourite is not dropped when the journal grows old or large.
        rating : int, optional
            1 to 5 stars; 0 takes them away.
        note : str, optional
            At most 10,000 characters.
        """
        if rating is not None and (isinstance(rating, bool) or rating not in RATINGS):
            raise InvalidInputError("rating", "A rating is a whole number from 0 to 5.")
        if note is not None and len(note) > LONGEST_NOTE:
            raise InvalidInputError("note", f"A note has at most {LONGEST_NOTE:,} characters.")
        given = {"favourite": favourite, "rating": rating, "note": note}
        changes = {name: value for name, value in given.items() if value is not None}
        if not changes:
            return picture
        self._core.transport.check_open()
        if note is not None:
            changes["note"] = self._core.transport.without_key(
                note.encode(errors="replace")
            ).decode()
        marks = await asyncio.wrap_future(
            self._core.journal.pictures.mark(picture.intent, **changes)
        )
        if marks is None:
            raise InvalidInputError(
                "picture", "This picture is not in the journal, so nothing can be noted of it."
            )
        return msgspec.structs.replace(picture, **msgspec.structs.asdict(marks))

    # ------------------------------------------------------------ the pictures themselves

    @on_package_loop
    async def original(self, picture: Picture) -> bytes:
        """The original's bytes; an address that has expired is asked for anew.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            As `media.download`.
        """
        try:
            return await self._media.download(picture.media)
        except (APIError, UnsafeMediaError) as error:
            expired = isinstance(error, APIError) and error.status in EXPIRED
            if not picture.job_id or not (expired or not picture.media.url):
                raise
        told = await self._core.ask("inference", picture.job_id)
        return await self._media.download(told.media)

    @on_package_loop
    async def thumbnail(self, picture: Picture) -> bytes:
        """A small copy, JPEG or PNG, at most 320 pixels; kept for the next time."""
        self._core.transport.check_open()
        media_id = picture.media.media_id or ""
        return await self._core.thumbnails.of(media_id, lambda: self.original(picture))

    @on_package_loop
    async def export(self, pictures: Iterable[Picture], path: str | Path) -> Path:
        """Write pictures to a ``.csv`` or ``.json`` file, or, to a folder, with their originals.

        A folder gets each original, with how it was made in its metadata where its
        format takes that, and ``manifest.json``. What is there already stays.

        In a ``.csv`` file a text that begins with ``=``, ``+``, ``-``, ``@``, a tab or a
        carriage return has a ``'`` before it: a spreadsheet would run it as a formula.
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
        from .. import exports  # noqa: PLC0415 - needed only now

        return await exports.export(list(pictures), path, self.original)


class History:
    """Everything ever made with this journal (blocking)."""

    def __init__(self, resource: AsyncHistory) -> None:
        self._async = resource

    def search(
        self, text: str = "", *, limit: int = 50, offset: int = 0, **which: Unpack[Which]
    ) -> list[Picture]:
        """See `AsyncHistory.search`."""
        return runtime.call(self._async.search(text, limit=limit, offset=offset, **which))

    def count(self, text: str = "", **which: Unpack[Which]) -> int:
        """See `AsyncHistory.count`."""
        return runtime.call(self._async.count(text, **which))

    def models(self) -> list[str]:
        """See `AsyncHistory.models`."""
        return runtime.call(self._async.models())

    def of(self, job: Job, values: dict[str, str] | None = None) -> Picture:
        """See `AsyncHistory.of`."""
        return runtime.call(self._async.of(job, values))

    def mark(
        self,
        picture: Picture,
        *,
        favourite: bool | None = None,
        rating: int | None = None,
        note: str | None = None,
    ) -> Picture:
        """See `AsyncHistory.mark`."""
        return runtime.call(
            self._async.mark(picture, favourite=favourite, rating=rating, note=note)
        )

    def original(self, picture: Picture) -> bytes:
        """See `AsyncHistory.original`."""
        return runtime.call(self._async.original(picture))

    def thumbnail(self, picture: Picture) -> bytes:
        """See `AsyncHistory.thumbnail`."""
        return runtime.call(self._async.thumbnail(picture))

    def export(self, pictures: Iterable[Picture], path: str | Path) -> Path:
        """See `AsyncHistory.export`."""
        return runtime.call(self._async.export(pictures, path))


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
        favourite=favourite,
        rating=rating,
        since=_moment("since", since, time.min),
        until=_moment("until", until, time.max),
    )


def _moment(name: str, when: datetime | date | None, of_a_day: time) -> float | None:
    """Seconds since 1970."""
    if when is None:
        return None
    if not isinstance(when, date):  # a datetime is a date too
        raise InvalidInputError(name, f"{name} is a date or a datetime, not {when!r}.")
    if not isinstance(when, datetime):
        when = datetime.combine(when, of_a_day)
    try:
        moment = when.timestamp()
    except (ValueError, OverflowError, OSError):  # before or after all that this system can count
        moment = math.copysign(math.inf, when.year - EPOCH)
    return math.nextafter(moment, math.inf if name == "until" else -math.inf)


def _picture(record: Record, marks: Marks) -> Picture | None:
    """An entry of the journal as a picture; None if its reply has no media any more."""
    try:
        made = _made(record.body, known(record, GENERATION), record.job_id or "", record.intent)
    except NoMediaError:
        return None
    at = datetime.fromtimestamp(record.asked_at, UTC)
    return msgspec.structs.replace(made, made_at=at, **msgspec.structs.asdict(marks))


def _made(request: dict[str, Any], snapshot: Snapshot, job_id: str, intent: str) -> Picture:
    media: Media = snapshot.media
    params = request.get("params")
    references = request.get("attachmentMediaIds")
    return Picture(
        media=media,
        prompt=str(request.get("prompt") or ""),
        model=str(request.get("model") or ""),
        params=dict(params) if isinstance(params, dict) else {},
        references=tuple(map(str, references)) if isinstance(references, list) else (),
        made_at=snapshot.created_at,
        seconds=snapshot.elapsed,
        job_id=job_id,
        intent=intent,
    )
