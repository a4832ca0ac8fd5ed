"""What the journal deletes when entries become old or the file large, and what it never does.

Never deleted are entries that still keep something from happening twice: requests without an
end, posts for a later time, names of `once=`, cells of plans that are resumed, uploads that say
of which image they are an edit. Posts that were made go by age only. What images cost is counted
before their entries go, see `budgets`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from . import (
    budgets,
    images,
    saved_plans,
    trusted_time,
)

if TYPE_CHECKING:
    import sqlite3

DAY = 86_400.0

FAVOURITE = "EXISTS (SELECT 1 FROM picture WHERE intent=request.intent AND favourite)"
WAITING = "(status='scheduled' AND NOT ended)"  # a post for its time, perhaps weeks ahead
SETTLED = (
    "state NOT IN ('sending', 'unknown')"
    " AND NOT (state='accepted' AND NOT ended AND kind<>'upload')"  # an upload has no job to end
)
EDITED = """(kind='upload' AND body LIKE '%"edit":%')"""  # by it, a post of the edit is known again
NAMED = "same_as LIKE 'once:%'"
POSTED = "(kind='publish' AND (state='posted' OR (state='accepted' AND status='succeeded')))"

#: What may go by age, and what by size.
KEPT = (FAVOURITE, WAITING, NAMED, EDITED, saved_plans.IS_NEEDED)
OLD = " AND NOT ".join((SETTLED, *KEPT))
LARGE = f"{OLD} AND NOT {POSTED}"


def prune(connection: sqlite3.Connection, days: float, most_bytes: float) -> None:
    """Delete what is older than `days`, then the oldest entries until the file fits."""
    now = trusted_time.now(connection)
    oldest = min(now, time.time()) - days * DAY
    _delete(connection, f"asked_at<? AND {OLD}", (oldest,))
    saved_plans.SavedPlans.forget(connection, oldest)
    saved_plans.SavedPlans.close(connection, now - saved_plans.DAYS * DAY)
    for _ in range(10_000):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        free = connection.execute("PRAGMA freelist_count").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
        if (pages - free) * size <= most_bytes:
            break
        saved_plans.SavedPlans.forget_ended(connection)
        # What was refused tells nothing of what was spent or posted, so it goes first.
        order = "state NOT IN ('refused', 'absent'), asked_at"
        eldest = f"SELECT intent FROM request WHERE {LARGE} ORDER BY {order} LIMIT 10"  # noqa: S608
        if not _delete(connection, f"intent IN ({eldest})", ()):
            break
    connection.execute("PRAGMA incremental_vacuum").fetchall()


def _delete(connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]) -> int:
    inside = f"SELECT intent FROM request WHERE {condition}"  # noqa: S608 - conditions of ours
    budgets.keep_costs(connection, inside, values)
    images.ImageIndex.forget(connection, inside, values)
    connection.execute(f"DELETE FROM status WHERE intent IN ({inside})", values)  # noqa: S608
    gone = connection.execute(f"DELETE FROM request WHERE {condition}", values)  # noqa: S608
    return gone.rowcount
