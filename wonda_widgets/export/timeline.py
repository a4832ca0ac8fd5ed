"""Build the timeline of an image from its journal entries.

    request ──> status changes ──> image ──> edits ──> posts of the image or an edit

The journal has one entry for the image, one for each upload of an edit and one for each post.
`journal.image_events` reads them, and `timelines` combines them.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime  # noqa: TC003 - msgspec reads it
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..imaging.operations import (
    AnyOperation,
    Crop,
    Encode,
    EncodeVideo,
    FrameRate,
    MoveIndex,
    Pad,
    Resize,
    Text,
    Trim,
)
from ..journal.generated_image import GeneratedImage  # noqa: TC001 - msgspec reads it
from ..journal.image_events import EventRows, StatusChange, utc_time
from ..models import find_permalink, format_duration, parse_timestamp
from ..utils.visible_text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..journal.entries import JournalEntry

PostState = Literal["posted", "in progress", "scheduled", "failed", "canceled", "unknown"]

UNKNOWN_ACCOUNT = "an Instagram account"
MAX_QUOTE_LENGTH = 80  # characters
SUCCEEDED = "succeeded"
#: States of posts that had no effect; a timeline leaves them out.
NO_EFFECT_STATES = frozenset({"refused", "absent"})


class EditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An edit of an image, or of an earlier edit.

    Attributes
    ----------
    media_id : str
        The media ID of the result.
    of : str
        The media ID of the image that was edited.
    operations : tuple of dict
        The operations in their JSON form; see `wonda_widgets.client.edit`.
    since_original : tuple of dict
        The operations of all edits from the original to this one.
    at : datetime.datetime
        When the result was uploaded, in UTC.
    """

    media_id: str
    of: str
    operations: tuple[Any, ...]
    since_original: tuple[Any, ...]
    at: datetime

    @property
    def descriptions(self) -> list[str]:
        """The operations as text, such as ``"cropped to 1080 × 1080"``."""
        return [describe(operation) for operation in self.operations]


class TimelinePost(msgspec.Struct, frozen=True, kw_only=True):
    """A post of the image or of an edit.

    Attributes
    ----------
    media_ids : tuple of str
        The media IDs; several for a carousel.
    account_id : str
    account : str
        ``"@username"``, or ``"an Instagram account"`` if the name is unknown.
    caption, alt_text, product : str
    state : str
        ``"posted"``, ``"in progress"``, ``"scheduled"``, ``"failed"``, ``"canceled"`` or
        ``"unknown"`` (whether it was posted).
    permalink : str or None
        An http or https URL.
    requested_at : datetime.datetime
        In UTC.
    ended_at : datetime.datetime or None
        When it was posted or failed, in UTC; None if that is unknown.
    scheduled_for : datetime.datetime or None
        In UTC.
    """

    media_ids: tuple[str, ...]
    account_id: str
    account: str
    caption: str
    alt_text: str
    product: str
    state: PostState
    permalink: str | None
    requested_at: datetime
    ended_at: datetime | None
    scheduled_for: datetime | None

    @property
    def is_posted(self) -> bool:
        """Whether a post is known to have been made."""
        return self.state == "posted"


class ImageTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """The events of one image, oldest first.

    Attributes
    ----------
    image : GeneratedImage
    requested_at : datetime.datetime or None
        In UTC; None if unknown.
    status_changes : tuple of StatusChange
        Empty for an image that is not in the journal.
    edits : tuple of EditEvent
    posts : tuple of TimelinePost
    """

    image: GeneratedImage
    requested_at: datetime | None = None
    status_changes: tuple[StatusChange, ...] = ()
    edits: tuple[EditEvent, ...] = ()
    posts: tuple[TimelinePost, ...] = ()

    @property
    def is_posted(self) -> bool:
        """Whether a post is known to have been made."""
        return any(post.is_posted for post in self.posts)


def summary(timelines: Sequence[ImageTimeline]) -> str:
    """Count images, videos and posts in one line: ``"6 images, 1 edited, 2 posted"``."""
    videos = sum(timeline.image.media.is_video for timeline in timelines)
    counts = [("image", len(timelines) - videos), ("video", videos)]
    parts = [f"{n:,} {noun}{'' if n == 1 else 's'}" for noun, n in counts if n] or ["0 images"]
    for number, word in (
        (sum(bool(timeline.edits) for timeline in timelines), "edited"),
        (sum(timeline.is_posted for timeline in timelines), "posted"),
    ):
        if number:
            parts.append(f"{number:,} {word}")
    return ", ".join(parts)


# ---------------------------------------------------------------- journal entries


def timelines(
    images: Sequence[GeneratedImage], rows: EventRows, accounts: Mapping[str, str]
) -> list[ImageTimeline]:
    """Build the timeline of each image, in the given order.

    Parameters
    ----------
    images : list of GeneratedImage
    rows : EventRows
        The journal entries about these images.
    accounts : dict
        The known account names, by account ID.
    """
    by_intent = {entry.intent: entry for entry in rows.generations}
    by_job = {entry.job_id: entry for entry in rows.generations}
    edit_entries: dict[str, list[JournalEntry]] = defaultdict(list)
    post_entries: dict[str, list[JournalEntry]] = defaultdict(list)
    for entry in rows.later:
        if entry.kind == "upload":
            edit_entries[_edited_media_id(entry)].append(entry)
        elif entry.state not in NO_EFFECT_STATES:
            for media_id in _posted_media_ids(entry):
                post_entries[media_id].append(entry)

    def build(image: GeneratedImage) -> ImageTimeline:
        entry = by_intent.get(image.intent) or by_job.get(image.job_id)
        original_id = image.media.media_id or ""
        edits = sorted(_edits(original_id, edit_entries), key=lambda edit: edit.at)
        media_ids = [original_id, *(edit.media_id for edit in edits)]
        posts = {post.intent: post for key in media_ids for post in post_entries.get(key, ())}
        return ImageTimeline(
            image=image,
            requested_at=utc_time(entry.requested_at) if entry else image.made_at,
            status_changes=tuple(rows.status_changes.get(entry.intent, ())) if entry else (),
            edits=tuple(edits),
            posts=tuple(
                _post(post, rows.status_changes.get(post.intent, ()), accounts)
                for post in sorted(posts.values(), key=lambda post: post.requested_at)
            ),
        )

    return [build(image) for image in images]


def account_ids(rows: EventRows) -> set[str]:
    """Return the IDs of the accounts to which images were posted."""
    found = {str(entry.body.get("instagramAccountId") or "") for entry in rows.later}
    return found - {""}


def _edited_media_id(entry: JournalEntry) -> str:
    """Return the ID of the media of which an upload is an edit; empty if not a completed edit."""
    edit = entry.body.get("edit")
    of = edit.get("of") if isinstance(edit, dict) else None
    is_complete = entry.state == "accepted" and entry.job_id
    return of if is_complete and isinstance(of, str) else ""


def _posted_media_ids(entry: JournalEntry) -> list[str]:
    carousel = entry.body.get("mediaIds")
    ids = [entry.body.get("mediaId"), *(carousel if isinstance(carousel, list) else ())]
    return list(dict.fromkeys(key for key in ids if isinstance(key, str) and key))


def _edits(original_id: str, entries: Mapping[str, list[JournalEntry]]) -> Iterator[EditEvent]:
    """Yield all edits of an image, including edits of edits."""
    seen = {original_id, ""}
    pending: list[tuple[str, tuple[Any, ...]]] = [(original_id, ())]
    while pending:
        source_id, previous = pending.pop()
        for entry in entries.get(source_id, ()):
            media_id = entry.job_id or ""
            if media_id in seen:
                continue
            seen.add(media_id)
            stored = entry.body["edit"].get("operations")
            operations = tuple(stored) if isinstance(stored, list) else ()
            edit = EditEvent(
                media_id=media_id,
                of=source_id,
                operations=operations,
                since_original=(*previous, *operations),
                at=utc_time(entry.requested_at),
            )
            pending.append((media_id, edit.since_original))
            yield edit


def _post(
    entry: JournalEntry, status_changes: Sequence[StatusChange], accounts: Mapping[str, str]
) -> TimelinePost:
    body = entry.body
    account_id = str(body.get("instagramAccountId") or "")
    state = _state(entry)
    ended = parse_timestamp(_text(entry.response, "finishedAt"))
    if ended is None and state == "posted":
        ended = next((change.at for change in status_changes if change.status == SUCCEEDED), None)
    return TimelinePost(
        media_ids=tuple(_posted_media_ids(entry)),
        account_id=account_id,
        account=accounts.get(account_id) or UNKNOWN_ACCOUNT,
        caption=_text(body, "caption"),
        alt_text=_text(body, "altText"),
        product=_text(body, "product"),
        state=state,
        permalink=find_permalink({"permalink": entry.permalink}),
        requested_at=utc_time(entry.requested_at),
        ended_at=ended,
        scheduled_for=parse_timestamp(
            _text(body, "scheduledAt") or _text(entry.response, "scheduledFor")
        ),
    )


def _state(entry: JournalEntry) -> PostState:
    if entry.state == "posted" or (entry.status == SUCCEEDED and not entry.is_unknown):
        return "posted"
    if entry.ended:  # including those that the user has dismissed
        return "canceled" if entry.status == "canceled" else "failed"
    if entry.state == "dismissed" or entry.is_unknown:
        return "unknown"
    return "scheduled" if entry.status == "scheduled" else "in progress"


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


# ---------------------------------------------------------------- descriptions


def describe(operation: Any) -> str:
    """Describe an edit operation: ``"cropped to 1080 × 1080"``."""
    try:
        step = msgspec.convert(operation, AnyOperation)
    except msgspec.ValidationError:  # from a later version, or changed by hand
        return "edited"
    match step:
        case Crop() | Resize():
            word = "cropped" if isinstance(step, Crop) else "resized"
            return f"{word} to {step.width} × {step.height}"
        case Pad():
            return f"padded to {step.width} × {step.height}, {step.color}"
        case Text():
            text = " ".join(step.text.split())
            return f"text added: “{shorten(text, MAX_QUOTE_LENGTH)}”"
        case Encode():
            return f"saved as {'WebP' if step.format == 'WEBP' else step.format}"
    return _describe_video_step(step)


def _describe_video_step(step: Trim | FrameRate | EncodeVideo | MoveIndex) -> str:
    match step:
        case Trim():
            return f"trimmed to {format_duration(step.seconds)}"
        case FrameRate():
            return f"{step.fps:g} frames per second"
        case EncodeVideo():
            return "saved as MP4"
    return "index moved to the start"
