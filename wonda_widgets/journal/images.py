"""Everything that was ever asked for with a journal: searched, marked, and by its durations.

One row a request for an image stands beside the journal's own row: its model, what a
person thinks of it, and an index of its words (SQLite's FTS5, which keeps no copy of them).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ..models import Media  # noqa: TC001 - msgspec reads it
from ..utils import code_snippet, open_clients
from .search_terms import matching

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from .database import Database
    from .entries import JournalEntry

RATINGS = range(6)  # stars; 0 for none
RECENT_RUNS = 100  # for durations: what a model took last month says little of today

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

#: An index whose words `searchable` tells apart, in every script; made of what is there.
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

#: An index that keeps no copy of the words is told what it held when that goes.
_IN = "INSERT INTO words (rowid, prompt, note)"
_OUT = "INSERT INTO words (words, rowid, prompt, note)"


class Marks(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a person thinks of an image.

    Attributes
    ----------
    favourite : bool
    rating : int
        1 to 5; 0 for none.
    note : str
    """

    favourite: bool = False
    rating: int = 0
    note: str = ""


class GeneratedImage(
    msgspec.Struct, frozen=True, kw_only=True, gc=False
):  # nothing in it leads back
    """An image with how it was made, and what you think of it.

    Attributes
    ----------
    media : Media
    prompt, model : str
    params : dict
        By the API's names.
    values : dict
        What varied: of a matrix, each placeholder's value.
    references : tuple of str
        Media ids of the reference images.
    made_at : datetime.datetime
        When it was asked for, UTC.
    seconds : float
        What it took.
    favourite : bool
    rating : int
        1 to 5 stars; 0 for none.
    note : str
    job_id : str
    intent : str
        Its entry in the journal.
    made_by : str
        An opaque id of the process that asked for it, as `Record.process`; empty if not known.
    client : str
        An opaque id of the client in this process that gave it; empty if not known.
    """

    media: Media
    prompt: str = ""
    model: str = ""
    params: dict[str, Any] = {}
    values: dict[str, str] = {}
    references: tuple[str, ...] = ()
    made_at: datetime | None = None
    seconds: float = 0.0
    favourite: bool = False
    rating: int = 0
    note: str = ""
    job_id: str = ""
    intent: str = ""
    made_by: str = ""
    client: str = ""

    @property
    def request(self) -> dict[str, Any]:
        """What was asked, by the API's names."""
        asked: dict[str, Any] = {"model": self.model}
        if self.prompt:
            asked["prompt"] = self.prompt
        if self.params:
            asked["params"] = self.params
        if self.references:
            asked["attachmentMediaIds"] = list(self.references)
        return asked

    def code(self) -> str:
        """The Python that makes it again, to be copied into a cell or a script."""
        client = open_clients.by_name(self.client)
        in_sandbox = client is not None and client.is_sandbox
        return code_snippet.to_python("inference", self.request, in_sandbox=in_sandbox)

    def row(self) -> dict[str, Any]:
        """It as one flat row, for a table: ``pandas.DataFrame(p.row() for p in images)``.

        A placeholder or parameter that is called like another column is named ``{name}``. A
        spreadsheet takes it, too: `made_at` is a text such as ``"2026-11-24T10:02:11+00:00"``,
        and control characters that no spreadsheet has are ``�``.
        """
        return spreadsheet_row(self.unchanged_row())

    def unchanged_row(self) -> dict[str, Any]:
        """The same with every text as it is, and `made_at` as a datetime."""
        facts = {
            "media_id": self.media.media_id,
            "url": self.media.url,
            "width": self.media.width,
            "height": self.media.height,
            "seconds": round(self.seconds, 1),
            "made_at": self.made_at,
            "favourite": self.favourite,
            "rating": self.rating,
            "note": self.note,
            "job_id": self.job_id,
        }
        varied = (*self.values.items(), *self.params.items())
        return flat_row({"prompt": self.prompt, "model": self.model}, varied, facts)


def flat_row(
    first: Mapping[str, Any], varied: Iterable[tuple[str, Any]], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """One flat row; what varied and is called like another column is named ``{name}``."""
    made = dict(first)
    for name, value in varied:
        while name in made or name in facts:
            name = f"{{{name}}}"  # noqa: PLW2901 - until it is one of its own
        made[name] = value
    return {**made, **facts}


def spreadsheet_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row that a spreadsheet takes: no zone of time that it does not know, no control character.

    Excel's files have neither, and what writes them fails on the first one.
    """
    return {_cell(name): _cell(value) for name, value in row.items()}


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    return _IN_NO_CELL.sub("\ufffd", value) if isinstance(value, str) else value


#: What XML, of which the files of spreadsheets are made, has no sign for.
_IN_NO_CELL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for; what is None or empty does not matter.

    Attributes
    ----------
    text : str
        Words, or their beginnings, that all occur in the prompt or the note; in scripts
        without spaces any part of a text.
    since, until : float or None
        Seconds since 1970; `until` itself is left out.
    """

    text: str = ""
    model: str | None = None
    favourite: bool | None = None
    rating: int | None = None
    since: float | None = None
    until: float | None = None


class ImageIndex:
    """The part of a journal that knows images."""

    def __init__(
        self, database: Database, read: Callable[[sqlite3.Row], JournalEntry | None]
    ) -> None:
        self._database = database
        self._read = read

    # ------------------------------------------------------------ within the journal's own work

    @staticmethod
    def begin(
        connection: sqlite3.Connection, intent: str, base_url: str, asked_at: float, body: bytes
    ) -> None:
        """Note a request for an image."""
        model = str(msgspec.json.decode(body).get("model") or "")
        made = connection.execute(
            "INSERT INTO picture (intent, base_url, asked_at, model) VALUES (?,?,?,?)",
            (intent, base_url, asked_at, model),
        )
        ImageIndex._index(connection, made.lastrowid)

    @staticmethod
    def put(connection: sqlite3.Connection, row: Mapping[str, Any] | sqlite3.Row) -> None:
        """Take a row of another journal in, whose request is there by now."""
        names = [name for name in row.keys() if name != "id"]  # noqa: SIM118 - of a Row, too
        marks = ",".join("?" * len(names))
        made = connection.execute(
            f"INSERT INTO picture ({','.join(names)}) VALUES ({marks})",  # noqa: S608 - ours
            tuple(row[name] for name in names),
        )
        ImageIndex._index(connection, made.lastrowid)

    @staticmethod
    def _index(connection: sqlite3.Connection, number: int | None) -> None:
        # As the view gives it: the index must hold what is told to it when that goes.
        connection.execute(
            f"{_IN} SELECT id, searchable(prompt), searchable(note) FROM texts WHERE id=?",  # noqa: S608
            (number,),
        )

    @staticmethod
    def forget(connection: sqlite3.Connection, inside: str, values: tuple[Any, ...]) -> None:
        """Let the rows of the intents that `inside` selects go."""
        connection.execute(
            f"{_OUT} SELECT 'delete', id, searchable(prompt), searchable(note) FROM texts"  # noqa: S608
            f" WHERE intent IN ({inside})",
            values,
        )
        connection.execute(f"DELETE FROM picture WHERE intent IN ({inside})", values)  # noqa: S608

    # ------------------------------------------------------------ for people

    def search(
        self,
        base_url: str,
        query: Query,
        limit: int,
        offset: int,
        make: Callable[[JournalEntry, Marks], GeneratedImage | None],
    ) -> Future[list[GeneratedImage]]:
        """Give the images that are there, newest first: made, and not refused or failed."""
        condition, values = _where(base_url, query)

        # One after the other: all replies at once would be so many objects that Python now
        # and then stops everything to look through all it has.
        def work(connection: sqlite3.Connection) -> list[GeneratedImage]:
            rows = connection.execute(
                f"SELECT request.*, favourite, rating, picture.note {condition}"
                f" ORDER BY {_newest(query)} LIMIT ? OFFSET ?",
                (*values, limit, offset),
            )
            return [
                made
                for row in rows
                if (record := self._read(row)) is not None
                and (made := make(record, _marks(row))) is not None
            ]

        return self._database.run(work, writes=False)

    def count(self, base_url: str, query: Query) -> Future[int]:
        """How many `search` would give without a limit."""
        condition, values = _where(base_url, query)
        return self._database.run(
            lambda connection: int(
                connection.execute(f"SELECT count(*) {condition}", values).fetchone()[0]
            ),
            writes=False,
        )

    def models(self, base_url: str) -> Future[list[str]]:
        """All models that images were asked of."""
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
        """Change what a person thinks of an image; None if it is not there any more."""
        names = ", ".join(f"{name}=?" for name in marks)

        def work(connection: sqlite3.Connection) -> Marks | None:
            find = "SELECT * FROM picture JOIN texts USING (id) WHERE picture.intent=?"
            old = connection.execute(find, (intent,)).fetchone()
            if old is None:
                return None
            words = (old["id"], old["prompt"])
            as_terms = "?, searchable(?), searchable(?)"
            connection.execute(f"{_OUT} VALUES ('delete', {as_terms})", (*words, old["note"]))
            connection.execute(
                f"UPDATE picture SET {names} WHERE intent=?",  # noqa: S608 - ours
                (*marks.values(), intent),
            )
            new = connection.execute(find, (intent,)).fetchone()
            connection.execute(f"{_IN} VALUES ({as_terms})", (*words, new["note"]))
            return _marks(new)

        return self._database.run(work)

    def marks(self, intents: list[str]) -> Future[dict[str, Marks]]:
        """What a person thinks of some images, by their intents."""
        places = ",".join("?" * len(intents))
        return self._database.run(
            lambda connection: {
                row["intent"]: _marks(row)
                for row in connection.execute(
                    f"SELECT * FROM picture WHERE intent IN ({places})",  # noqa: S608 - marks
                    intents,
                )
            },
            writes=False,
        )

    def ended(self, base_url: str, kind: str, model: str | None) -> Future[list[JournalEntry]]:
        """Give the latest jobs that succeeded: of a model, or all of a kind."""
        joined = " JOIN picture USING (intent)" if model is not None else ""
        condition = " AND picture.base_url=? AND picture.model=?" if model is not None else ""
        values = (base_url, kind, *((base_url, model) if model is not None else ()), RECENT_RUNS)
        at = "picture" if model is not None else "request"

        def work(connection: sqlite3.Connection) -> list[JournalEntry]:
            rows = connection.execute(
                f"SELECT request.* FROM request{joined} WHERE request.base_url=? AND kind=?"  # noqa: S608
                f" AND ended AND status='succeeded'{condition} ORDER BY {at}.asked_at DESC LIMIT ?",
                values,
            ).fetchall()
            return [record for row in rows if (record := self._read(row)) is not None]

        return self._database.run(work, writes=False)


def _where(base_url: str, query: Query) -> tuple[str, tuple[Any, ...]]:
    """FROM and WHERE of a search, and their values."""
    conditions = [
        "picture.base_url=?",
        "state='accepted'",
        "ended",
        "status='succeeded'",
        "instr(reply, '\"mediaId\"')",  # else there is no image to show
    ]
    values: list[Any] = [base_url]
    for name, comparison in (
        ("model", "model=?"),
        ("favourite", "favourite=?"),
        ("rating", "rating>=?"),
        ("since", "picture.asked_at>=?"),
        ("until", "picture.asked_at<?"),
    ):
        value = getattr(query, name)
        if value is not None:
            conditions.append(comparison)
            values.append(value)
    tables = "picture CROSS JOIN request USING (intent)"
    words = matching(query.text)
    if words:
        # The index gives its rows newest first, so that the first screenful is all that is read.
        tables = f"words CROSS JOIN {tables}"
        conditions += ["picture.id=words.rowid", "words MATCH ?"]
        values.append(words)
    elif query.text.strip():
        conditions.append("0")  # signs alone are in no prompt's words
    return f"FROM {tables} WHERE {' AND '.join(conditions)}", tuple(values)


def _newest(query: Query) -> str:
    """Newest first: rows are numbered in the order in which they were asked for."""
    return "words.rowid DESC" if matching(query.text) else "picture.id DESC"


def _marks(row: sqlite3.Row) -> Marks:
    return Marks(favourite=bool(row["favourite"]), rating=int(row["rating"]), note=row["note"])
