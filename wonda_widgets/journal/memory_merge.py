"""Merge changes that the journal made in memory into its file.

While the file cannot be written, triggers in memory record which rows change; only these are
written later. Other processes may have changed the file in the meantime. If both sides changed a
row, the more complete version wins: an outcome is kept, and a known fact never becomes unknown. Of
an image's marks, those that changed in memory win.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import trusted_time
from .images import ImageIndex

if TYPE_CHECKING:
    import sqlite3

#: Tables and the columns that identify their rows.
KEY_COLUMNS = {
    "request": "intent",
    "picture": "intent",
    "batch": "id",
    "status": "rowid",
    "review": "id",
    "vote": "id",
    "collected": "id",
    "snippet": "name",
}

#: States without a known outcome.
OPEN_STATES = ("sending", "unknown")

MARKS = ("favourite", "rating", "note", "place", "approval")  # of an image


class MemoryChanges:
    """A tracker of changed rows; see `database.ChangeTracker`."""

    @staticmethod
    def track(memory: sqlite3.Connection) -> None:
        """Start to record which rows change in memory."""
        memory.execute("CREATE TEMP TABLE changed (kind, key, PRIMARY KEY (kind, key))")
        memory.execute(f"CREATE TEMP TABLE marked (intent PRIMARY KEY, {','.join(MARKS)})")
        memory.execute(
            f"INSERT INTO marked SELECT intent, {','.join(MARKS)} FROM picture"  # noqa: S608
        )
        for table, key in KEY_COLUMNS.items():
            for event in ("INSERT", "UPDATE"):
                memory.execute(
                    f"CREATE TEMP TRIGGER {table}_{event} AFTER {event} ON main.{table} BEGIN"  # noqa: S608
                    f" INSERT OR IGNORE INTO changed VALUES ('{table}', NEW.{key}); END"
                )

    @staticmethod
    def merge(memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
        """Write the changed rows into the file, within a transaction."""
        for table in ("batch", "review", "vote", "collected", "snippet"):
            for row in _changed_rows(memory, table):
                _replace(file, table, row)
        images = {
            row["intent"]: _merge_marks(row, memory, file)
            for row in _changed_rows(memory, "picture")
        }
        for intent in images:  # first, because the search index needs the request's old text
            ImageIndex.delete(file, "?", (intent,))
        for row in _changed_rows(memory, "request"):
            stored = file.execute(
                "SELECT * FROM request WHERE intent=?", (row["intent"],)
            ).fetchone()
            _replace(file, "request", dict(row) if stored is None else _merge_rows(row, stored))
        for image in images.values():
            ImageIndex.insert_row(file, image)
        for row in _changed_rows(memory, "status"):
            file.execute("INSERT INTO status VALUES (?,?,?)", tuple(row))
        trusted_time.take_reading(file)


def _changed_rows(memory: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    key = KEY_COLUMNS[table]
    return memory.execute(
        f"SELECT * FROM {table} WHERE {key} IN (SELECT key FROM changed WHERE kind=?)"  # noqa: S608
        f" ORDER BY {'id' if table == 'picture' else key}",
        (table,),
    ).fetchall()


def _replace(file: sqlite3.Connection, table: str, row: Any) -> None:
    names = row.keys()
    marks = ",".join("?" * len(names))
    file.execute(
        f"INSERT OR REPLACE INTO {table} ({','.join(names)}) VALUES ({marks})",  # noqa: S608
        tuple(row[name] for name in names),
    )


def _merge_marks(
    ours: sqlite3.Row, memory: sqlite3.Connection, file: sqlite3.Connection
) -> dict[str, Any]:
    """Return a row of `picture` in which only the marks that changed in memory replace others."""
    merged = dict(ours)
    of_image = " WHERE intent=?", (ours["intent"],)
    before = memory.execute(f"SELECT * FROM marked{of_image[0]}", of_image[1]).fetchone()  # noqa: S608
    theirs = file.execute(f"SELECT * FROM picture{of_image[0]}", of_image[1]).fetchone()  # noqa: S608
    if before is not None and theirs is not None:
        merged |= {name: theirs[name] for name in MARKS if ours[name] == before[name]}
    return merged


def _merge_rows(ours: sqlite3.Row, theirs: sqlite3.Row) -> dict[str, Any]:
    """Combine two rows of one request; `theirs` is in the file."""
    is_settled = theirs["ended"] or theirs["state"] == "posted"
    is_vaguer = ours["state"] in OPEN_STATES and theirs["state"] != "sending"
    first, second = (theirs, ours) if is_settled or is_vaguer else (ours, theirs)
    merged = dict(first)
    for name in ("job_id", "permalink", "served_at"):
        merged[name] = first[name] if first[name] is not None else second[name]
    merged["taken"] = max(first["taken"], second["taken"])
    return merged
