"""Read a job from the service's reply: its status, and whether it has ended.

The service's page lists three statuses that end a job: `TERMINAL`. A reply with any other word may
show in another way that the job has ended; see `job_status`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import TERMINAL_STATUSES, find_permalink, parse_timestamp

if TYPE_CHECKING:
    from . import JobResponse

#: The words of the service's page, and `scheduled` from its publish pages.
KNOWN = TERMINAL_STATUSES | {"idle", "locked", "in_progress", "queued", "scheduled"}
#: Other words that can only mean that a post was made. A post that is wrongly called failed would
#: be posted again, so for posts they count without an address, too.
POSTED = frozenset({"complete", "completed", "done", "finished", "posted", "published", "success"})
#: Words, also as parts of others, that mean that work goes on: an error message beside them is from
#: an earlier try.
WORKING = frozenset(
    {"retry", "retrying", "pending", "processing", "running", "waiting", "publishing"}
    | {"uploading", "preparing", "starting", "started", "progress", "queue", "queued"}
)


def snapshot_fields(kind: str, raw: Any, reply: JobResponse) -> dict[str, Any]:
    """Give what a reply says, as fields of a `Snapshot`.

    Parameters
    ----------
    kind : str
        ``"inference"`` or ``"publish"``.
    raw : dict
        The reply as it came.
    reply : JobReply
        The same, parsed.
    """
    link = find_permalink(raw) if kind == "publish" else None
    status, message = job_status(kind, raw, reply, link)
    return {
        "status": status,
        "outputs": tuple(reply.outputs),
        "error_message": message,
        "permalink": link,
        "created_at": parse_timestamp(reply.created_at),
        "finished_at": parse_timestamp(reply.finished_at),
        "scheduled_for": parse_timestamp(reply.scheduled_for),
        "raw": raw,
    }


def job_status(kind: str, raw: Any, reply: JobResponse, link: str | None) -> tuple[str, str | None]:
    """Read a job's status, and its error message if it failed.

    A word of the page means what the page says, however it is written (``"Failed"``). Any other
    word means that the job goes on, unless the reply shows that it has ended: then it succeeded if
    there is a result, and failed otherwise, with a message that names the word.
    """
    word = reply.status
    if word in KNOWN:
        return word, reply.error_message
    normalized = word.strip().casefold().replace("-", "_").replace(" ", "_")
    if normalized in KNOWN:
        return normalized, reply.error_message
    is_post = kind == "publish"
    # The raw time, as `reply` has none if the service writes it in an unexpected form.
    has_failed = reply.error_message and not WORKING & set(normalized.split("_"))
    if not (raw.get("finishedAt") or (is_post and (link or has_failed))):
        return word, reply.error_message
    has_result = any(output.media for output in reply.outputs)
    if is_post:
        has_result = bool(link) or (normalized in POSTED and not reply.error_message)
    if has_result:
        return "succeeded", reply.error_message
    reason = reply.error_message or "The service gave no reason."
    return "failed", f"{reason} (It ended with the status {word[:60]!r}.)"
