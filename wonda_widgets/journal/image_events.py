"""What the journal knows of images: when each was asked for and made, its edits, its posts."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from .database import Database
    from .entries import JournalEntry
    from .images import GeneratedImage


class StatusChange(msgspec.Struct, frozen=True, kw_only=True):
    """When a status was first heard.

    Attributes
    ----------
    status : str
        The service's own word.
    at : datetime.datetime
        UTC.
    """

    status: str
    at: datetime


class EventRows(NamedTuple):
    """What the journal has of some images.

    Attributes
    ----------
    asked : list of Record
        The requests for images.
    after : list of Record
        Uploads and posts since then, oldest first.
    moments : dict
        By intent, each status in its order.
    """

    asked: list[JournalEntry]
    after: list[JournalEntry]
    moments: dict[str, list[StatusChange]]


class ImageEvents:
    """The part of a journal that knows what became of images."""

    def __init__(
        self, database: Database, read: Callable[[sqlite3.Row], JournalEntry | None]
    ) -> None:
        self._database = database
        self._read = read

    def of(self, base_url: str, images: Sequence[GeneratedImage]) -> Future[EventRows]:
        """Read what `chapters` tells, in one go so that nothing changes meanwhile."""
        # As JSON, because SQLite takes only so many values.
        intents = json.dumps([image.intent for image in images if image.intent])
        jobs = json.dumps([image.job_id for image in images if image.job_id])

        def work(connection: sqlite3.Connection) -> EventRows:
            asked = self._records(
                connection,
                # By name: the plus keeps SQLite from going through all of the address instead.
                "+base_url=? AND kind='inference'"
                " AND intent IN (SELECT value FROM json_each(?) UNION"
                " SELECT intent FROM request WHERE job_id IN (SELECT value FROM json_each(?)))",
                (base_url, intents, jobs),
            )
            # What is made of an image comes after it; of one not known here nobody can say.
            names = {name for record in asked for name in (record.intent, record.job_id)}
            known = all(names & {image.intent, image.job_id} for image in images)
            since = min((record.asked_at for record in asked), default=0.0) if known else 0.0
            after = self._records(
                connection,
                "base_url=? AND asked_at>=?"
                " AND (kind='publish' OR (kind='upload' AND instr(body, '\"edit\"')))"
                " ORDER BY asked_at",
                (base_url, since),
            )
            told = json.dumps([record.intent for record in (*asked, *after)])
            moments: dict[str, list[StatusChange]] = defaultdict(list)
            for row in connection.execute(
                "SELECT intent, at, status FROM status"
                " WHERE intent IN (SELECT value FROM json_each(?)) ORDER BY at, rowid",
                (told,),
            ):
                before = moments[row["intent"]]
                if not before or before[-1].status != row["status"]:
                    before.append(StatusChange(status=row["status"], at=utc_time(row["at"])))
            return EventRows(asked, after, moments)

        return self._database.run(work, writes=False)

    def _records(
        self, connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]
    ) -> list[JournalEntry]:
        rows = connection.execute(
            f"SELECT * FROM request WHERE {condition}",  # noqa: S608 - ours
            values,
        )
        return [record for row in rows if (record := self._read(row)) is not None]


def utc_time(seconds: float) -> datetime:
    """Give a time of the journal, in seconds since 1970, as a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
