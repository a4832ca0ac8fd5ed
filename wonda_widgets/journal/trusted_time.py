"""The time of day, protected against a clock that is wrong by days or years.

A reading that differs by days from the trusted time is only stored as a candidate. It becomes
trusted when a later reading agrees with it and with the elapsed time in between. Until then, the
journal uses the trusted time, so that a wrong clock neither deletes entries nor restarts a budget.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ..utils import monotonic_clock

if TYPE_CHECKING:
    import sqlite3

SECONDS_PER_DAY = 86_400.0
#: How far a reading may differ from the trusted time and still be trusted immediately.
MAX_JUMP_SECONDS = 2 * SECONDS_PER_DAY
#: How long after a candidate another reading can confirm it.
MIN_CONFIRMATION_SECONDS, MAX_CONFIRMATION_SECONDS = SECONDS_PER_DAY, 30 * SECONDS_PER_DAY
#: Share of that time that the monotonic clock must show, unless the computer restarted.
MIN_MONOTONIC_SHARE = 0.9
#: A reading this recent is not stored again, to save a write for each request.
FRESH_SECONDS = 600.0

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
    """Return the time of day if it is trusted, else the last trusted time; seconds since 1970."""
    reading = time.time()
    row = connection.execute("SELECT believed FROM reading").fetchone()
    return reading if row is None or _agrees(reading, row["believed"]) else float(row["believed"])


def take_reading(connection: sqlite3.Connection) -> None:
    """Read the clock; trust the reading or store it as a candidate."""
    reading, clock, tick = time.time(), monotonic_clock.clock_id(), monotonic_clock.seconds()
    row = connection.execute("SELECT * FROM reading").fetchone()
    trusted, candidate = (reading, None) if row is None else (row["believed"], row["kept"])
    if _agrees(reading, trusted):
        if row is not None and candidate is None and 0 <= reading - trusted < FRESH_SECONDS:
            return
        trusted, candidate = reading, None
    elif candidate is None or not 0 <= reading - candidate <= MAX_CONFIRMATION_SECONDS:
        candidate = reading
    elif reading - candidate < MIN_CONFIRMATION_SECONDS:
        return
    else:
        elapsed = reading - candidate
        monotonic_elapsed = tick - row["tick"] if clock == row["clock"] else elapsed
        is_confirmed = monotonic_elapsed >= MIN_MONOTONIC_SHARE * elapsed
        trusted, candidate = (reading, None) if is_confirmed else (trusted, reading)
    connection.execute(
        "INSERT OR REPLACE INTO reading VALUES (1,?,?,?,?)", (trusted, candidate, clock, tick)
    )


def _agrees(reading: float, trusted: float) -> bool:
    return abs(reading - trusted) <= MAX_JUMP_SECONDS
