"""Delete old journal entries, and the oldest entries if the file is too large.

Entries that still prevent a duplicate are never deleted: requests without an outcome, scheduled
posts, names of `once=`, cells of plans that can be resumed, and uploads that record which image
they are an edit of. Neither are favorites and images in collections. Completed posts are deleted
only by age. The costs of images are counted before their entries are deleted; see `budgets`.
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

SECONDS_PER_DAY = 86_400.0

IS_FAVORITE = "EXISTS (SELECT 1 FROM picture WHERE intent=request.intent AND favourite)"
IS_SCHEDULED = "(status='scheduled' AND NOT ended)"  # a scheduled post, perhaps weeks ahead
IS_SETTLED = (
    "state NOT IN ('sending', 'unknown')"
    " AND NOT (state='accepted' AND NOT ended AND kind<>'upload')"  # an upload has no job
)
IS_EDIT = """(kind='upload' AND body LIKE '%"edit":%')"""  # identifies posts of the same edit
HAS_NAME = "same_as LIKE 'once:%'"
IS_POSTED = "(kind='publish' AND (state='posted' OR (state='accepted' AND status='succeeded')))"

IS_COLLECTED = "EXISTS (SELECT 1 FROM collected WHERE intent=request.intent AND NOT removed)"

PROTECTED = (IS_FAVORITE, IS_COLLECTED, HAS_NAME, IS_EDIT, saved_plans.IS_NEEDED)
DELETABLE_BY_AGE = " AND NOT ".join((IS_SETTLED, *PROTECTED))
DELETABLE_BY_SIZE = f"{DELETABLE_BY_AGE} AND NOT {IS_POSTED}"

#: About how many bytes in the file are no entries: no image is deleted because of them.
OTHER_BYTES = " + ".join(
    f"(SELECT coalesce(sum({columns} + 100), 0) FROM {table})"  # noqa: S608
    for table, columns in {
        "vote": "length(name) + length(person) + length(comment) + 200",
        "review": "length(question) + length(images)",
        "snippet": "length(text)",
        "collected": "length(name) + 100",
    }.items()
)


def prune(connection: sqlite3.Connection, max_age_days: float, max_bytes: float) -> None:
    """Delete entries that are too old, then the oldest ones until the file is small enough."""
    now = trusted_time.now(connection)
    oldest = min(now, time.time()) - max_age_days * SECONDS_PER_DAY
    _delete(connection, f"asked_at<? AND {DELETABLE_BY_AGE}", (oldest,))
    saved_plans.SavedPlans.delete_before(connection, oldest)
    saved_plans.SavedPlans.finish_before(
        connection, now - saved_plans.RESUMABLE_DAYS * SECONDS_PER_DAY
    )
    other_bytes = connection.execute(f"SELECT {OTHER_BYTES}").fetchone()[0]
    for _ in range(10_000):
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        free_pages = connection.execute("PRAGMA freelist_count").fetchone()[0]
        page_bytes = connection.execute("PRAGMA page_size").fetchone()[0]
        if (pages - free_pages) * page_bytes - other_bytes <= max_bytes:
            break
        saved_plans.SavedPlans.delete_finished(connection)
        # Requests without an effect are deleted first: they do not affect spending or posts.
        order = "state NOT IN ('refused', 'absent'), asked_at"
        oldest_entries = (
            f"SELECT intent FROM request WHERE {DELETABLE_BY_SIZE} ORDER BY {order} LIMIT 10"  # noqa: S608
        )
        if not _delete(connection, f"intent IN ({oldest_entries})", ()):
            break
    connection.execute("PRAGMA incremental_vacuum").fetchall()


def _delete(connection: sqlite3.Connection, condition: str, values: tuple[Any, ...]) -> int:
    """Delete entries and all their data; return the number of entries."""
    intents = f"SELECT intent FROM request WHERE {condition}"  # noqa: S608
    budgets.save_costs(connection, intents, values)
    images.ImageIndex.delete(connection, intents, values)
    connection.execute(f"DELETE FROM status WHERE intent IN ({intents})", values)  # noqa: S608
    deleted = connection.execute(f"DELETE FROM request WHERE {condition}", values)  # noqa: S608
    return deleted.rowcount
