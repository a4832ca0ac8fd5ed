"""Read the status of a job from a response, and whether the job has ended.

The service documents three statuses that end a job, `TERMINAL_STATUSES`. A response with an
undocumented status may show in another way that the job has ended; see `job_status`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..utils.visible_text import clean
from .formatting import MAX_MESSAGE_LENGTH
from .parsing import find_permalink, parse_timestamp

if TYPE_CHECKING:
    from .wire_types import JobResponse

#: The documented statuses that end a job.
TERMINAL_STATUSES = frozenset({"succeeded", "failed", "canceled"})
#: The documented statuses, and `scheduled` from the documentation of posts.
KNOWN_STATUSES = TERMINAL_STATUSES | {"idle", "locked", "in_progress", "queued", "scheduled"}
#: Undocumented statuses that can only mean that a post was published. They count even without a
#: URL, because a post that is wrongly reported as failed would be posted again.
POSTED_STATUSES = frozenset(
    {"complete", "completed", "done", "finished", "posted", "published", "success"}
)
#: Words in an undocumented status that mean that the job is still running. An error message in
#: such a response comes from an earlier attempt.
RUNNING_WORDS = frozenset(
    {"retry", "retrying", "pending", "processing", "running", "waiting", "publishing"}
    | {"uploading", "preparing", "starting", "started", "progress", "queue", "queued"}
)
#: The order in which a job passes through its statuses. Unknown ones are not compared.
_ORDER = {"scheduled": 0, "idle": 1, "queued": 1, "locked": 2, "in_progress": 3}
MAX_STATUS_LENGTH = 60  # characters that are kept of an undocumented status


def snapshot_fields(kind: str, raw: Any, response: JobResponse) -> dict[str, Any]:
    """Return the content of a response as fields of a `Snapshot`.

    Parameters
    ----------
    kind : str
        ``"inference"`` or ``"publish"``.
    raw : dict
        The decoded response.
    response : JobResponse
        The same, parsed.
    """
    permalink = find_permalink(raw) if kind == "publish" else None
    status, message = job_status(kind, raw, response, permalink)
    return {
        "status": clean(status, MAX_STATUS_LENGTH),
        "outputs": tuple(response.outputs),
        "error_message": message and clean(message, MAX_MESSAGE_LENGTH),
        "permalink": permalink,
        "created_at": parse_timestamp(response.created_at),
        "finished_at": parse_timestamp(response.finished_at),
        "scheduled_for": parse_timestamp(response.scheduled_for),
        "raw": raw,
    }


def job_status(
    kind: str, raw: Any, response: JobResponse, permalink: str | None
) -> tuple[str, str | None]:
    """Return a job's status, and its error message if it failed.

    A documented status has its documented meaning, whatever its case (``"Failed"``). Any other
    status means that the job is running, unless the response shows that it has ended: then it
    succeeded if there is a result, and otherwise failed, with a message that quotes the status.
    """
    status = response.status
    if status in KNOWN_STATUSES:
        return status, response.error_message
    normalized = status.strip().casefold().replace("-", "_").replace(" ", "_")
    if normalized in KNOWN_STATUSES:
        return normalized, response.error_message
    is_post = kind == "publish"
    has_failed = response.error_message and not RUNNING_WORDS & set(normalized.split("_"))
    # From `raw`, because a time in an unexpected format is missing in `response`.
    if not (raw.get("finishedAt") or (is_post and (permalink or has_failed))):
        return status, response.error_message
    has_result = any(output.media for output in response.outputs)
    if is_post:
        has_result = bool(permalink) or (
            normalized in POSTED_STATUSES and not response.error_message
        )
    if has_result:
        return "succeeded", response.error_message
    reason = response.error_message or "The service gave no reason."
    quoted = repr(clean(status, MAX_STATUS_LENGTH))
    return "failed", f"{reason} It ended with the status {quoted}."


def is_earlier_status(new: str, old: str) -> bool:
    """Whether `new` precedes `old`, so that a lagging server reports an outdated status."""
    return old in _ORDER and new in _ORDER and _ORDER[new] < _ORDER[old]
