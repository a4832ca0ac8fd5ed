"""The service's last response about a job, as recorded in the journal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import msgspec

from ..errors import UnexpectedReplyError
from ..models import JobResponse, Snapshot, parse
from ..models.job_status import snapshot_fields

if TYPE_CHECKING:
    from .entries import JournalEntry


def recorded_reply(entry: JournalEntry, default: Snapshot = Snapshot()) -> Snapshot:  # noqa: B008 - frozen
    """Return the service's last response; `default` if there is none."""
    with contextlib.suppress(UnexpectedReplyError):
        if entry.response:
            reply = parse(entry.response, JobResponse)
            fields = snapshot_fields(entry.kind, entry.response, reply)
            return msgspec.structs.replace(default, **fields)
    return default


def seconds_taken(entry: JournalEntry, snapshot: Snapshot) -> float:
    """Return how long an ended job took, by the service's times if available."""
    if snapshot.created_at and snapshot.finished_at:
        return max(0.0, (snapshot.finished_at - snapshot.created_at).total_seconds())
    return max(0.0, entry.updated_at - entry.requested_at)
