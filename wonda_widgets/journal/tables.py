"""The tables of the journal, as migrations from each version to the next.

    request   one row for each request; see `entries.JournalEntry`
    status    each status that was reported for its job
    picture   more about requests for images, see `images`; `texts` and `words` for search
    batch     plans that were started, see `saved_plans`
    review, vote   see `reviews`
    collected      see `collections`
    snippet        see `snippets`
    priced, cost   number and kind of deleted requests, see `budgets`
    reading   the last accepted reading of the clock, see `trusted_time`

Tables and columns must not be renamed, because existing files have these names.
"""

from __future__ import annotations

from . import budgets, collections, images, reviews, saved_plans, snippets, trusted_time
from .schema import Schema
from .search_terms import searchable

MIGRATIONS = (
    """
    CREATE TABLE request (
        intent TEXT PRIMARY KEY,
        base_url TEXT NOT NULL,
        kind TEXT NOT NULL,
        body TEXT NOT NULL,
        same_as TEXT NOT NULL,
        owner TEXT NOT NULL,
        asked_at REAL NOT NULL,
        told_at REAL NOT NULL,
        state TEXT NOT NULL,
        reason TEXT NOT NULL,
        job_id TEXT,
        status TEXT NOT NULL,
        ended INTEGER NOT NULL,
        reply TEXT NOT NULL,
        permalink TEXT
    ) WITHOUT ROWID;
    CREATE INDEX request_time ON request (base_url, asked_at);
    CREATE INDEX request_job ON request (job_id);
    CREATE INDEX request_same ON request (same_as) WHERE same_as <> '';
    CREATE TABLE status (
        intent TEXT NOT NULL REFERENCES request ON DELETE CASCADE,
        at REAL NOT NULL,
        status TEXT NOT NULL
    );
    CREATE INDEX status_intent ON status (intent)
    """,
    images.MIGRATION + ";" + saved_plans.MIGRATION,
    saved_plans.FINGERPRINT_MIGRATION,
    f"""
    ALTER TABLE request ADD COLUMN clock TEXT NOT NULL DEFAULT '';
    ALTER TABLE request ADD COLUMN tick REAL NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN answer_limit REAL NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN taken INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE request ADD COLUMN served_at REAL;
    UPDATE request SET taken=1 WHERE job_id IS NOT NULL OR state IN ('accepted', 'posted')
        OR reason LIKE 'the service took it%';
    {budgets.MIGRATION};
    {trusted_time.MIGRATION}
    """,  # noqa: S608 - constants
    images.SEARCH_MIGRATION,
    images.TEXTS_MIGRATION,
    "ALTER TABLE request ADD COLUMN path TEXT NOT NULL DEFAULT ''",
    ";".join(
        [
            *(images.VALUES_MIGRATION, images.REVIEW_MIGRATION, reviews.MIGRATION),
            *(collections.MIGRATION, snippets.MIGRATION),
        ]
    ),
    images.BEGINNINGS_MIGRATION,
)

SCHEMA = Schema(
    migrations=MIGRATIONS,
    probe="SELECT * FROM request LIMIT 1",
    functions={"searchable": searchable},
)
