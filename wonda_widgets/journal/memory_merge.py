"""What the journal noted in memory while its file could not be written, brought into the file.

Triggers in memory note which rows change there; only these are written. Other processes may
have used the file since. If both changed a row, the more complete version is kept: what has
ended or was posted stays so, and what was found out is not made unknown again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import trusted_time
from .images import ImageIndex

if TYPE_CHECKING:
    import sqlite3

#: Tables and what their rows are found by.
TRACKED = {"request": "intent", "picture": "intent", "batch": "id", "status": "rowid"}

#: States that say nothing of what became of a request.
OPEN = ("sending", "unknown")


class MemoryChanges:
    """The rows of a journal that changed in memory; see `database.Meanwhile`."""

    @staticmethod
    def track(memory: sqlite3.Connection) -> None:
        """Begin to note in memory which rows change there."""
        memory.execute("CREATE TEMP TABLE changed (kind, key, PRIMARY KEY (kind, key))")
        for table, key in TRACKED.items():
            for what in ("INSERT", "UPDATE"):
                memory.execute(
                    f"CREATE TEMP TRIGGER {table}_{what} AFTER {what} ON main.{table} BEGIN"  # noqa: S608
                    f" INSERT OR IGNORE INTO changed VALUES ('{table}', NEW.{key}); END"
                )

    @staticmethod
    def merge(memory: sqlite3.Connection, file: sqlite3.Connection) -> None:
        """Write these rows into the file, within a transaction."""
        for row in _changed(memory, "batch"):
            _put(file, "batch", row)
        images = {row["intent"]: row for row in _changed(memory, "picture")}
        for intent in images:  # before its request changes, of whose words the index knows
            ImageIndex.forget(file, "?", (intent,))
        for row in _changed(memory, "request"):
            known = file.execute(
                "SELECT * FROM request WHERE intent=?", (row["intent"],)
            ).fetchone()
            _put(file, "request", dict(row) if known is None else _knowing_more(row, known))
        for row in images.values():
            ImageIndex.put(file, row)
        for row in _changed(memory, "status"):
            file.execute("INSERT INTO status VALUES (?,?,?)", tuple(row))
        trusted_time.note(file)


def _changed(memory: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    key = TRACKED[table]
    return memory.execute(
        f"SELECT * FROM {table} WHERE {key} IN (SELECT key FROM changed WHERE kind=?)"  # noqa: S608
        f" ORDER BY {'id' if table == 'picture' else key}",
        (table,),
    ).fetchall()


def _put(file: sqlite3.Connection, table: str, row: Any) -> None:
    names = row.keys()
    marks = ",".join("?" * len(names))
    file.execute(
        f"INSERT OR REPLACE INTO {table} ({','.join(names)}) VALUES ({marks})",  # noqa: S608 - ours
        tuple(row[name] for name in names),
    )


def _knowing_more(ours: sqlite3.Row, theirs: sqlite3.Row) -> dict[str, Any]:
    """One row of two about the same request, of which the file has `theirs`."""
    settled = theirs["ended"] or theirs["state"] == "posted"
    first, second = (theirs, ours) if settled or _is_vaguer(ours, theirs) else (ours, theirs)
    row = dict(first)
    for name in ("job_id", "permalink", "served_at"):
        row[name] = first[name] if first[name] is not None else second[name]
    row["taken"] = max(first["taken"], second["taken"])
    return row


def _is_vaguer(ours: sqlite3.Row, theirs: sqlite3.Row) -> bool:
    return ours["state"] in OPEN and theirs["state"] != "sending"
