"""Read an image's history from the journal: its request, status changes, edits and posts."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from .entries import read_row

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from concurrent.futures import Future

    from .database import Database
    from .entries import JournalEntry
    from .generated_image import GeneratedImage


class StatusChange(msgspec.Struct, frozen=True, kw_only=True):
    """A status, and when the service first reported it.

    Attributes
    ----------
    status : str
        The service's own word.
    at : datetime.datetime
        In UTC.
    """

    status: str
    at: datetime


class EventRows(NamedTuple):
    """Journal entries about some images.

    Attributes
    ----------
    generations : list of JournalEntry
        The requests that generated them.
    later : list of JournalEntry
        Uploads and posts since then, oldest first.
    status_changes : dict
        Status changes in order, by intent.
    """

    generations: list[JournalEntry]
    later: list[JournalEntry]
    status_changes: dict[str, list[StatusChange]]


class ImageEvents:
    """Read the history of images from a journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, base_url: str, images: Sequence[GeneratedImage]) -> Future[EventRows]:
        """Read all entries about some images in one transaction, so that they are consistent."""
        # As JSON, because SQLite limits the number of values.
        intents = json.dumps([image.intent for image in images if image.intent])
        jobs = json.dumps([image.job_id for image in images if image.job_id])

        def work(connection: sqlite3.Connection) -> EventRows:
            generations = self._select(
                connection,
                # The plus keeps SQLite from using the index on the address, which is slower.
                "+base_url=? AND kind='inference'"
                " AND intent IN (SELECT value FROM json_each(?) UNION"
                " SELECT intent FROM request WHERE job_id IN (SELECT value FROM json_each(?)))",
                (base_url, intents, jobs),
            )
            # Edits and posts come after the oldest generation, unless an image is not in the
            # journal.
            known_ids = {key for entry in generations for key in (entry.intent, entry.job_id)}
            all_known = all(known_ids & {image.intent, image.job_id} for image in images)
            oldest = min((entry.requested_at for entry in generations), default=0.0)
            later = self._select(
                connection,
                "base_url=? AND asked_at>=?"
                " AND (kind='publish' OR (kind='upload' AND instr(body, '\"edit\"')))"
                " ORDER BY asked_at",
                (base_url, oldest if all_known else 0.0),
            )
            changes = _status_changes(connection, [each.intent for each in (*generations, *later)])
            return EventRows(generations, later, changes)

        return self._database.run(work, writes=False)

    def _select(
        self, connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]
    ) -> list[JournalEntry]:
        rows = connection.execute(
            f"SELECT * FROM request WHERE {condition}",  # noqa: S608 - conditions are constants
            values,
        )
        return [read_row(row) for row in rows]


def _status_changes(
    connection: sqlite3.Connection, intents: list[str]
) -> dict[str, list[StatusChange]]:
    """Read status changes by intent; a status that was reported repeatedly counts once."""
    rows = connection.execute(
        "SELECT intent, at, status FROM status"
        " WHERE intent IN (SELECT value FROM json_each(?)) ORDER BY at, rowid",
        (json.dumps(intents),),
    )
    changes: dict[str, list[StatusChange]] = defaultdict(list)
    for row in rows:
        earlier = changes[row["intent"]]
        if not earlier or earlier[-1].status != row["status"]:
            earlier.append(StatusChange(status=row["status"], at=utc_time(row["at"])))
    return changes


def utc_time(seconds: float) -> datetime:
    """Convert seconds since 1970 into a datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
