"""Reviews of images, and the votes of several people, from any process on the journal.

A review has the same ID in each process that opens it with the same images and question, so that a
restarted kernel and the sessions of a dashboard continue it. A person's vote on a pair, or decision
about an image, is stored once; withdrawing it allows another one.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from concurrent.futures import Future

    from .database import Database

MIGRATION = """
    CREATE TABLE review (
        id TEXT PRIMARY KEY,
        base_url TEXT NOT NULL,
        question TEXT NOT NULL,
        mode TEXT NOT NULL,
        images TEXT NOT NULL,
        begun_at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE vote (
        id TEXT PRIMARY KEY,
        review TEXT NOT NULL,
        person TEXT NOT NULL,
        name TEXT NOT NULL,
        subject TEXT NOT NULL,
        other TEXT NOT NULL,
        choice TEXT NOT NULL,
        comment TEXT NOT NULL,
        at REAL NOT NULL,
        withdrawn INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE INDEX vote_review ON vote (review, person)
    """


SHORTLY = 0.001  # seconds between votes, so that they have an order


class SavedReview(msgspec.Struct, frozen=True):
    """A review.

    Attributes
    ----------
    id, question, mode : str
    images : list of str
        The images' keys: the ID of the request in the journal, or the media ID.
    """

    id: str
    question: str
    mode: str
    images: list[str]


class Vote(msgspec.Struct, frozen=True):
    """A person's vote on a pair, or decision about one image.

    Attributes
    ----------
    id : str
        The same for each vote of a person on the same images.
    person : str
        Identifies the person.
    name : str
        Empty for none.
    subject, other : str
        The keys of the left and the right image; `other` is empty for a decision.
    choice : str
        ``"left"``, ``"right"``, ``"equal"`` or ``"both bad"``; ``"approve"`` or ``"reject"``.
    comment : str
    at : float
        Seconds since 1970.
    """

    id: str
    person: str
    name: str
    subject: str
    other: str
    choice: str
    comment: str
    at: float


class Reviews:
    """The reviews in a journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(
        self, base_url: str, question: str, mode: str, images: Sequence[str]
    ) -> Future[SavedReview]:
        """Find the review of these images with this question and mode, or start it."""
        identity = json.dumps([base_url, question, mode, sorted(images)])
        review = SavedReview(
            hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32],
            question,
            mode,
            list(images),
        )

        def work(connection: sqlite3.Connection) -> SavedReview:
            connection.execute(
                "INSERT OR IGNORE INTO review VALUES (?,?,?,?,?,?)",
                (review.id, base_url, question, mode, json.dumps(review.images), time.time()),
            )
            return _read(connection, review.id) or review

        return self._database.run(work)

    def find(self, review_id: str) -> Future[SavedReview | None]:
        """Read a review by its ID."""
        return self._database.run(lambda connection: _read(connection, review_id), writes=False)

    def vote(self, review_id: str, vote: Vote) -> Future[Vote | None]:
        """Record a vote; return the earlier vote of the person on the same images, if any.

        An earlier vote is kept, and nothing is recorded.
        """

        def work(connection: sqlite3.Connection) -> Vote | None:
            subjects = (vote.subject, vote.other)
            for earlier in _votes(connection, review_id, vote.person):
                if {earlier.subject, earlier.other} == set(subjects):
                    return earlier
            latest = connection.execute(
                "SELECT coalesce(max(at), 0) FROM vote WHERE review=?", (review_id,)
            ).fetchone()[0]
            at = max(time.time(), latest + SHORTLY)  # the clock may have been set back
            _write(connection, review_id, msgspec.structs.replace(vote, at=at))
            return None

        return self._database.run(work)

    def withdraw(self, review_id: str, person: str, vote_id: str) -> Future[bool]:
        """Withdraw a vote of a person; return whether there was one."""

        def work(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE vote SET withdrawn=1"
                " WHERE id=? AND review=? AND person=? AND NOT withdrawn",
                (vote_id, review_id, person),
            )
            return changed.rowcount > 0

        return self._database.run(work)

    def rename(self, review_id: str, person: str, new: str, name: str) -> Future[None]:
        """Give the votes of a person to another one; those on the same images are withdrawn."""

        def work(connection: sqlite3.Connection) -> None:
            others = _votes(connection, review_id, new) if person != new else []
            taken = [{vote.subject, vote.other} for vote in others]
            for vote in _votes(connection, review_id, person):
                connection.execute("UPDATE vote SET withdrawn=1 WHERE id=?", (vote.id,))
                if {vote.subject, vote.other} not in taken:
                    renamed = msgspec.structs.replace(vote, person=new, name=name)
                    _write(connection, review_id, renamed)

        return self._database.run(work)

    def count(self, review_id: str) -> Future[int]:
        """Count the votes on a review, with those that were withdrawn."""
        return self._database.run(
            lambda connection: int(
                connection.execute(
                    "SELECT count(*) FROM vote WHERE review=?", (review_id,)
                ).fetchone()[0]
            ),
            writes=False,
        )

    def votes(self, review_id: str, person: str | None = None) -> Future[list[Vote]]:
        """Read the votes on a review by all people, or by one; oldest first."""
        return self._database.run(
            lambda connection: _votes(connection, review_id, person), writes=False
        )


def _write(connection: sqlite3.Connection, review_id: str, vote: Vote) -> None:
    # With an ID from what may exist once, votes of two processes on the same images become one.
    identity = json.dumps([review_id, vote.person, sorted((vote.subject, vote.other))])
    connection.execute(
        "INSERT OR REPLACE INTO vote VALUES (?,?,?,?,?,?,?,?,?,0)",
        (
            hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:32],
            *(review_id, vote.person, vote.name, vote.subject, vote.other),
            *(vote.choice, vote.comment, vote.at),
        ),
    )


def _read(connection: sqlite3.Connection, review_id: str) -> SavedReview | None:
    row = connection.execute("SELECT * FROM review WHERE id=?", (review_id,)).fetchone()
    if row is None:
        return None
    return SavedReview(row["id"], row["question"], row["mode"], json.loads(row["images"]))


def _votes(connection: sqlite3.Connection, review_id: str, person: str | None = None) -> list[Vote]:
    rows = connection.execute(
        "SELECT * FROM vote WHERE review=?1 AND (?2 IS NULL OR person=?2) AND NOT withdrawn"
        " ORDER BY at, id",
        (review_id, person),
    ).fetchall()
    return [Vote(*(row[name] for name in Vote.__struct_fields__)) for row in rows]
