"""Jobs as recorded in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..errors import OutcomeUnknownError
from ..journal.recorded_replies import recorded_reply, seconds_taken
from ..models import TERMINAL_STATUSES, Snapshot
from .job import SUBMITTED

if TYPE_CHECKING:
    from ..journal.entries import JournalEntry
    from .submission import Operation

UNKNOWN = "unknown"  # the status of a request whose outcome is unknown
NO_ANSWER = "the process that sent the request ended before it read the response"
BEING_SENT = "it is already being sent"


def snapshot_of(entry: JournalEntry, operation: Operation) -> Snapshot:
    """Return the journal's record of a job as a snapshot."""
    if entry.state == "posted":
        return Snapshot(status="succeeded", permalink=entry.permalink)
    if entry.job_id is None:
        reason = BEING_SENT if entry.is_sending else entry.reason or NO_ANSWER
        error = OutcomeUnknownError(
            operation.name, reason, operation.check, intent=entry.intent, kind=operation.kind
        )
        return Snapshot(status=UNKNOWN, error=error)
    # A job that had ended in the first response has not been polled for its result yet.
    is_known = entry.ended or entry.status not in TERMINAL_STATUSES
    status = (is_known and entry.status) or SUBMITTED
    last = recorded_reply(entry, Snapshot(status=status, watching=not entry.ended))
    return msgspec.structs.replace(last, elapsed=seconds_taken(entry, last)) if last.raw else last
