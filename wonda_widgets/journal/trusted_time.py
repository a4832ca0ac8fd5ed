"""The time of day, checked against earlier readings, because one may be wrong by years.

A reading that differs by days from what was believed is kept and not believed, until a later
one agrees with it and with the time that has passed in between. Meanwhile the journal goes by
what it believed before, so that nothing is deleted or begun anew for a clock that was set.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..utils import monotonic_clock

if TYPE_CHECKING:
    import sqlite3

DAY = 86_400.0
#: Seconds by which a reading may differ from the one before and be believed at once.
JUMP = 2 * DAY
#: Seconds after which, and until which, a second reading confirms the one that was kept.
SOONEST, LATEST = DAY, 30 * DAY
#: Of these seconds, the share that this computer must have counted, if it did not restart.
COUNTED = 0.9
#: Seconds; a newer reading is not worth a write for each request.
FRESH = 600.0

MIGRATION = """
    CREATE TABLE reading (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        believed REAL NOT NULL,
        kept REAL,
        clock TEXT NOT NULL,
        tick REAL NOT NULL
    );
    INSERT INTO reading
        SELECT 1, min(asked_at, CAST(strftime('%s', 'now') AS REAL)), NULL, '', 0
        FROM request ORDER BY asked_at DESC LIMIT 1
    """


def now(connection: sqlite3.Connection) -> float:
    """Give the time of day, seconds since 1970, as far as it is believed."""
    reading = time.time()
    row = connection.execute("SELECT believed FROM reading").fetchone()
    return reading if row is None or _agrees(reading, row["believed"]) else float(row["believed"])


def note(connection: sqlite3.Connection) -> None:
    """Take a reading: believe it, or keep it until another one confirms it."""
    reading, clock, tick = time.time(), monotonic_clock.clock_id(), monotonic_clock.seconds()
    row = connection.execute("SELECT * FROM reading").fetchone()
    believed, kept = (reading, None) if row is None else (row["believed"], row["kept"])
    if _agrees(reading, believed):
        if row is not None and kept is None and 0 <= reading - believed < FRESH:
            return
        believed, kept = reading, None
    elif kept is None or not 0 <= reading - kept <= LATEST:
        kept = reading
    elif reading - kept < SOONEST:
        return
    else:
        counted = tick - row["tick"] if clock == row["clock"] else reading - kept
        confirmed = counted >= COUNTED * (reading - kept)
        believed, kept = (reading, None) if confirmed else (believed, reading)
    connection.execute(
        "INSERT OR REPLACE INTO reading VALUES (1,?,?,?,?)", (believed, kept, clock, tick)
    )


def _agrees(reading: float, believed: float) -> bool:
    return abs(reading - believed) <= JUMP
