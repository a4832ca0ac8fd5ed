"""Whether a job has ended, also where the service uses a word that its page does not list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..models import TERMINAL

if TYPE_CHECKING:
    from ..models import JobReply

#: The words of the service's page, and `scheduled` of its publish pages.
KNOWN = TERMINAL | {"idle", "locked", "in_progress", "queued", "scheduled"}
#: Words that can only mean that a post was made. A post that is wrongly called failed would
#: be made again, so for posts these count without an address too.
MADE = frozenset({"complete", "completed", "done", "finished", "posted", "published", "success"})
#: Words, and parts of words, that say that work goes on: an error message beside them is that
#: of an earlier try, and the next one may make the post.
GOES_ON = frozenset(
    {"retry", "retrying", "pending", "processing", "running", "waiting", "publishing"}
    | {"uploading", "preparing", "starting", "started", "progress", "queue", "queued"}
)


def ended_status(
    kind: str, raw: Any, reply: JobReply, permalink: str | None
) -> tuple[str, str | None]:
    """Read a job's status, and its error message if it failed.

    A word that the page lists is what it says, however it is written (``"Failed"``). Any other
    word means that the job goes on, unless the reply shows that it has ended: then it
    succeeded if there is a result, and else it failed, and the message names the word.

    Parameters
    ----------
    kind : str
        ``"inference"`` or ``"publish"``.
    raw : dict
        The reply as it came.
    reply : JobReply
        The same, read.
    permalink : str or None
        The post's address, if the reply has it.
    """
    word = reply.status
    if word in KNOWN:
        return word, reply.error_message
    plain = word.strip().casefold().replace("-", "_").replace(" ", "_")
    if plain in KNOWN:
        return plain, reply.error_message
    is_post = kind == "publish"
    # `reply` has no time where the service writes it in another form than text.
    failed_try = reply.error_message and not GOES_ON & set(plain.split("_"))
    if not (raw.get("finishedAt") or (is_post and (permalink or failed_try))):
        return word, reply.error_message
    has_result = any(output.media for output in reply.outputs)
    if is_post:
        has_result = bool(permalink) or (plain in MADE and not reply.error_message)
    if has_result:
        return "succeeded", reply.error_message
    said = reply.error_message or "The service gave no reason."
    return "failed", f"{said} (It ended with the status {word[:60]!r}.)"
