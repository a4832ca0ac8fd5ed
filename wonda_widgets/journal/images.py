"""Search generated images and store the user's marks.

Each request for an image has a second row in the journal, with its model and the user's marks; its
prompt and note are in a full-text index (SQLite's FTS5, without a copy of the texts).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import NoMediaError
from .collections import IS_COLLECTED
from .entries import read_row
from .generated_image import generated_image
from .recorded_replies import recorded_reply, seconds_taken
from .search_terms import match_expression

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from concurrent.futures import Future

    from .database import Database
    from .entries import JournalEntry
    from .generated_image import GeneratedImage

RATINGS = range(6)  # stars; 0 for none
MAX_RECENT_JOBS = 100  # enough for durations; older ones are less relevant

MIGRATION = """
    CREATE TABLE picture (
        id INTEGER PRIMARY KEY,
        intent TEXT NOT NULL UNIQUE,
        base_url TEXT NOT NULL,
        asked_at REAL NOT NULL,
        model TEXT NOT NULL,
        favourite INTEGER NOT NULL DEFAULT 0,
        rating INTEGER NOT NULL DEFAULT 0,
        note TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX picture_time ON picture (base_url, asked_at);
    CREATE INDEX picture_model ON picture (base_url, model, asked_at);
    CREATE VIEW texts AS
        SELECT id, intent, note,
            coalesce(CAST(json_extract(body, '$.prompt') AS TEXT), '') AS prompt
        FROM picture JOIN request USING (intent);
    CREATE VIRTUAL TABLE words USING fts5 (
        prompt, note, content='texts', content_rowid='id',
        tokenize='unicode61 remove_diacritics 2'
    );
    INSERT INTO picture (intent, base_url, asked_at, model)
        SELECT intent, base_url, asked_at, coalesce(CAST(json_extract(body, '$.model') AS TEXT), '')
        FROM request WHERE kind='inference' AND json_valid(body) ORDER BY asked_at;
    INSERT INTO words (words) VALUES ('rebuild')
    """

#: An index of the terms of `searchable`, for every script, filled from the existing rows.
SEARCH_MIGRATION = """
    DROP TABLE words;
    CREATE VIRTUAL TABLE words USING fts5 (
        prompt, note, content='',
        tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
    );
    INSERT INTO words (rowid, prompt, note)
        SELECT id, searchable(prompt), searchable(note) FROM texts
        WHERE intent IN (SELECT intent FROM request WHERE json_valid(body))
    """

#: A view that also reads damaged entries, which SQLite would otherwise reject as malformed JSON.
TEXTS_MIGRATION = """
    DROP VIEW texts;
    CREATE VIEW texts AS
        SELECT id, intent, note, coalesce(
            CASE WHEN json_valid(body) THEN CAST(json_extract(body, '$.prompt') AS TEXT) END, ''
        ) AS prompt
        FROM picture JOIN request USING (intent)
    """

#: JSON of `GeneratedImage.values`, empty for none.
VALUES_MIGRATION = "ALTER TABLE picture ADD COLUMN fills TEXT NOT NULL DEFAULT ''"

#: The results of the latest review: the place in its ranking, and whether it was approved.
REVIEW_MIGRATION = """
    ALTER TABLE picture ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE picture ADD COLUMN approval TEXT NOT NULL DEFAULT ''
    """

#: The search index once more, with its own index of beginnings: a single letter may match every
#: row, and reading the rows of all its words takes tens of milliseconds.
BEGINNINGS_MIGRATION = """
    DROP TABLE words;
    CREATE VIRTUAL TABLE words USING fts5 (
        prompt, note, content='', prefix='1 2',
        tokenize="unicode61 remove_diacritics 2 categories 'L* N* Co M*'"
    );
    INSERT INTO words (rowid, prompt, note)
        SELECT id, searchable(prompt), searchable(note) FROM texts
        WHERE intent IN (SELECT intent FROM request WHERE json_valid(body))
    """

#: What is read of an image.
_COLUMNS = "request.*, favourite, rating, picture.note, fills, place, approval"

#: An index without a copy of the texts needs the same terms again to delete a row.
_INDEX = "INSERT INTO words (rowid, prompt, note)"
_UNINDEX = "INSERT INTO words (words, rowid, prompt, note)"


class Marks(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A user's favorite flag, rating and note for an image, and the result of its latest review.

    Attributes
    ----------
    favorite : bool
    rating : int
        1 to 5 stars; 0 for none.
    note : str
    rank : int
        From 1; 0 for none.
    approval : str
        ``"approved"``, ``"rejected"``, ``"divided"``, or empty for none.
    """

    favorite: bool = False
    rating: int = 0
    note: str = ""
    rank: int = 0
    approval: str = ""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions of a search; None or an empty string matches everything.

    Attributes
    ----------
    text : str
        Words or prefixes of words that all occur in the prompt or the note; in scripts without
        spaces, any part of the text.
    model : str or None
    video : bool or None
        Whether to find videos or images.
    favorite : bool or None
    rating : int or None
        The minimum number of stars.
    rank : int or None
        The last place in the latest review.
    approval : str or None
        See `Marks`.
    collection : str or None
        The name of a collection.
    order : str
        See `ORDERS`.
    since, until : float or None
        Seconds since 1970; `until` is exclusive.
    """

    text: str = ""
    model: str | None = None
    video: bool | None = None
    favorite: bool | None = None
    rating: int | None = None
    rank: int | None = None
    approval: str | None = None
    collection: str | None = None
    order: str = "newest"
    since: float | None = None
    until: float | None = None


class ImageIndex:
    """The images in a journal, which can be indexed, searched and marked."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ------------------------------------------------------------ within transactions

    @staticmethod
    def insert(
        connection: sqlite3.Connection,
        intent: str,
        base_url: str,
        requested_at: float,
        body: bytes,
        *,
        values: bytes,
    ) -> None:
        """Add a request for an image; its row in `request` already exists.

        Parameters
        ----------
        connection, intent, base_url
        requested_at : float
            Seconds since 1970.
        body, values : bytes
            JSON of the request and of `GeneratedImage.values`.
        """
        model = str(msgspec.json.decode(body).get("model") or "")
        inserted = connection.execute(
            "INSERT INTO picture (intent, base_url, asked_at, model, fills) VALUES (?,?,?,?,?)",
            (intent, base_url, requested_at, model, values.decode()),
        )
        ImageIndex._index(connection, inserted.lastrowid)

    @staticmethod
    def insert_row(connection: sqlite3.Connection, row: Mapping[str, Any]) -> None:
        """Add a row from another journal; its row in `request` already exists."""
        names = [name for name in row if name != "id"]
        marks = ",".join("?" * len(names))
        inserted = connection.execute(
            f"INSERT INTO picture ({','.join(names)}) VALUES ({marks})",  # noqa: S608
            tuple(row[name] for name in names),
        )
        ImageIndex._index(connection, inserted.lastrowid)

    @staticmethod
    def _index(connection: sqlite3.Connection, row_id: int | None) -> None:
        # Read the texts from the view, as `delete` does, because both must give the index equal
        # terms.
        connection.execute(
            f"{_INDEX} SELECT id, searchable(prompt), searchable(note) FROM texts WHERE id=?",  # noqa: S608
            (row_id,),
        )

    @staticmethod
    def delete(connection: sqlite3.Connection, intents: str, values: tuple[Any, ...]) -> None:
        """Delete the rows whose intents a SELECT returns; `values` are its parameters."""
        connection.execute(
            f"{_UNINDEX} SELECT 'delete', id, searchable(prompt), searchable(note) FROM texts"  # noqa: S608
            f" WHERE intent IN ({intents})",
            values,
        )
        connection.execute(f"DELETE FROM picture WHERE intent IN ({intents})", values)  # noqa: S608

    # ------------------------------------------------------------ search and marks

    def search(
        self,
        base_url: str,
        query: Query,
        limit: int,
        offset: int,
        client: str = "",
    ) -> Future[list[GeneratedImage]]:
        """Find images that were generated, newest first.

        Parameters
        ----------
        base_url : str
        query : Query
        limit, offset : int
            The maximum number of images, and how many to skip.
        client : str
            Becomes `GeneratedImage.client`.
        """
        condition, values = _where(base_url, query)

        # Convert row by row: decoding all responses first would create so many objects that
        # Python's garbage collector would cause pauses.
        def work(connection: sqlite3.Connection) -> list[GeneratedImage]:
            # Only the IDs are sorted: the rows with their responses would be copied many times.
            found = f"SELECT picture.id {condition} ORDER BY {_order(query)} LIMIT ? OFFSET ?"
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM picture CROSS JOIN request USING (intent)"  # noqa: S608
                f" WHERE picture.id IN ({found}) ORDER BY {_order(query, 'picture.id')}",
                (*values, limit, offset),
            )
            return [
                image for row in rows if (image := _image(read_row(row), row, client)) is not None
            ]

        return self._database.run(work, writes=False)

    def count(self, base_url: str, query: Query) -> Future[int]:
        """Count the images that `search` finds without a limit."""
        condition, values = _where(base_url, query)
        return self._database.run(
            lambda connection: int(
                connection.execute(f"SELECT count(*) {condition}", values).fetchone()[0]
            ),
            writes=False,
        )

    def models(self, base_url: str) -> Future[list[str]]:
        """List the models for which images were requested, sorted."""
        return self._database.run(
            lambda connection: [
                row["model"]
                for row in connection.execute(
                    "SELECT DISTINCT model FROM picture WHERE base_url=? ORDER BY model",
                    (base_url,),
                )
            ],
            writes=False,
        )

    def mark(self, intent: str, **marks: Any) -> Future[Marks | None]:
        """Change the marks of an image; the result is None if its entry was deleted."""
        # The tables of existing journals keep their original column names.
        columns = {"favorite": "favourite", "rank": "place"}
        assignments = ", ".join(f"{columns.get(name, name)}=?" for name in marks)

        def work(connection: sqlite3.Connection) -> Marks | None:
            select = "SELECT * FROM picture JOIN texts USING (id) WHERE picture.intent=?"
            old = connection.execute(select, (intent,)).fetchone()
            if old is None:
                return None
            id_and_prompt = (old["id"], old["prompt"])
            terms = "?, searchable(?), searchable(?)"
            connection.execute(
                f"{_UNINDEX} VALUES ('delete', {terms})", (*id_and_prompt, old["note"])
            )
            connection.execute(
                f"UPDATE picture SET {assignments} WHERE intent=?",  # noqa: S608
                (*marks.values(), intent),
            )
            new = connection.execute(select, (intent,)).fetchone()
            connection.execute(f"{_INDEX} VALUES ({terms})", (*id_and_prompt, new["note"]))
            return _marks(new)

        return self._database.run(work)

    def marks(self, intents: list[str]) -> Future[dict[str, Marks]]:
        """Read the marks of images, by intent."""
        marks = ",".join("?" * len(intents))
        return self._database.run(
            lambda connection: {
                row["intent"]: _marks(row)
                for row in connection.execute(
                    f"SELECT * FROM picture WHERE intent IN ({marks})",  # noqa: S608
                    intents,
                )
            },
            writes=False,
        )

    def set_review_results(self, results: Mapping[str, Marks]) -> Future[None]:
        """Record the rank and approval of images by intent; other marks are kept."""

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "UPDATE picture SET place=?, approval=? WHERE intent=?",
                [(marks.rank, marks.approval, intent) for intent, marks in results.items()],
            )

        return self._database.run(work)

    def by_intent(self, intents: list[str], client: str = "") -> Future[list[GeneratedImage]]:
        """Read images by the IDs of their requests, in that order; unknown ones are left out."""

        def work(connection: sqlite3.Connection) -> list[GeneratedImage]:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM picture JOIN request USING (intent)"  # noqa: S608
                " WHERE intent IN (SELECT value FROM json_each(?))",
                (json.dumps(intents),),
            )
            found = {row["intent"]: _image(read_row(row), row, client) for row in rows}
            return [image for intent in intents if (image := found.get(intent)) is not None]

        return self._database.run(work, writes=False)

    def recent_successes(
        self, base_url: str, kind: str, model: str | None
    ) -> Future[list[JournalEntry]]:
        """Read the latest successful jobs, at most 100, of one model or of one kind."""
        values: tuple[Any, ...]
        if model is None:
            joined, condition, table, values = "", "", "request", (base_url, kind)
        else:
            joined, table = " JOIN picture USING (intent)", "picture"
            condition = " AND picture.base_url=? AND picture.model=?"
            values = (base_url, kind, base_url, model)

        def work(connection: sqlite3.Connection) -> list[JournalEntry]:
            rows = connection.execute(
                f"SELECT request.* FROM request{joined} WHERE request.base_url=? AND kind=?"  # noqa: S608
                f" AND ended AND status='succeeded'{condition}"
                f" ORDER BY {table}.asked_at DESC LIMIT ?",
                (*values, MAX_RECENT_JOBS),
            ).fetchall()
            return [read_row(row) for row in rows]

        return self._database.run(work, writes=False)


def _where(base_url: str, query: Query) -> tuple[str, tuple[Any, ...]]:
    """Return FROM and WHERE of a search, and their parameters."""
    conditions = [
        # The + keeps SQLite from an index whose rows it would sort: in the order of the IDs, the
        # newest row first, LIMIT ends the scan.
        "+picture.base_url=?",
        "state='accepted'",
        "ended",
        "status='succeeded'",
        "instr(reply, '\"mediaId\"')",  # without media, there is no image to show
    ]
    values: list[Any] = [base_url]
    for name, comparison in (
        ("model", "model=?"),
        ("video", "(request.path='/video/generate')=?"),  # the request, wonda-api.md, section 5
        ("favorite", "favourite=?"),
        ("rating", "rating>=?"),
        ("rank", "place BETWEEN 1 AND ?"),
        ("approval", "approval=?"),
        ("collection", IS_COLLECTED),
        ("since", "picture.asked_at>=?"),
        ("until", "picture.asked_at<?"),
    ):
        value = getattr(query, name)
        if value is not None:
            conditions.append(comparison)
            values.append(value)
    tables = "picture CROSS JOIN request USING (intent)"
    expression = match_expression(query.text)
    if expression:
        # CROSS JOIN makes SQLite read this index first, also newest row first.
        tables = f"words CROSS JOIN {tables}"
        conditions += ["picture.id=words.rowid", "words MATCH ?"]
        values.append(expression)
    elif query.text.strip():
        conditions.append("0")  # punctuation alone matches nothing
    return f"FROM {tables} WHERE {' AND '.join(conditions)}", tuple(values)


#: ORDER BY of each order; images that are equal in it, newest first. IDs increase with the time of
#: the request.
ORDERS = {
    "newest": "",
    "oldest": "{id}",
    "rank": "place=0, place",
    "rating": "rating DESC",
    "fastest": "told_at - request.asked_at",
}


def _order(query: Query, row_id: str = "") -> str:
    if not row_id:
        row_id = "words.rowid" if match_expression(query.text) else "picture.id"
    first = ORDERS[query.order].format(id=row_id)
    return ", ".join(filter(None, [first, f"{row_id} DESC"]))


def _image(entry: JournalEntry, row: sqlite3.Row, client: str) -> GeneratedImage | None:
    """Create the image of an entry with a row of `picture`; None if it has no media."""
    snapshot = recorded_reply(entry)
    try:
        image = generated_image(entry.body, snapshot, entry.job_id or "", entry.intent, client)
    except NoMediaError:
        return None
    return msgspec.structs.replace(
        image,
        made_at=datetime.fromtimestamp(entry.requested_at, UTC),
        made_by=entry.process,
        seconds=seconds_taken(entry, snapshot),
        values=_read_values(row["fills"]),
        **msgspec.structs.asdict(_marks(row)),
    )


def _read_values(text: str) -> dict[str, str]:
    """Decode an image's values; return none if they are damaged."""
    try:
        return msgspec.json.decode(text, type=dict[str, str]) if text else {}
    except msgspec.MsgspecError:
        return {}


def _marks(row: sqlite3.Row) -> Marks:
    return Marks(
        favorite=bool(row["favourite"]),
        rating=int(row["rating"]),
        note=row["note"],
        rank=int(row["place"]),
        approval=row["approval"],
    )
