"""What became of images, told in the order of events: facts alone, no page.

    asked ──> each status ──> image ──> edits of it ──> posts of it or of an edit

All of it is in the journal already: one entry for the image, one for each upload that
was an edit, one for each post. `ImageEvents` reads them, and `chapters` puts them together.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime  # noqa: TC003 - msgspec reads it
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..imaging.operations import (
    Crop,
    Operation,
    Pad,
    Resize,
    Text,
)
from ..journal.image_events import EventRows, StatusChange, utc_time
from ..journal.images import GeneratedImage  # noqa: TC001 - msgspec reads it
from ..models import find_permalink, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..journal.entries import JournalEntry

PostState = Literal["posted", "on its way", "scheduled", "failed", "canceled", "unknown"]

NOBODY = "an Instagram account"  # whose name could not be found out
LONGEST_QUOTE = 80  # characters
DONE = "succeeded"
#: What certainly took no effect is no part of a story.
NEVER = frozenset({"refused", "absent"})


class EditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An edit that was made of an image, or of an edit of it.

    Attributes
    ----------
    media_id : str
        Of what came out.
    of : str
        Media id of what it was made of.
    operations : tuple of dict
        What was done, as the journal has it; see `wonda_widgets.client.edit`.
    since_original : tuple of dict
        The same, after all that was done before it.
    at : datetime.datetime
        When it was uploaded, UTC.
    """

    media_id: str
    of: str
    operations: tuple[Any, ...]
    since_original: tuple[Any, ...]
    at: datetime

    @property
    def words(self) -> list[str]:
        """What was done, for people: ``"cropped to 1080 × 1080"``."""
        return [in_words(operation) for operation in self.operations]


class TimelinePost(msgspec.Struct, frozen=True, kw_only=True):
    """A post that has the image or an edit of it.

    Attributes
    ----------
    media_ids : tuple of str
        All that it shows; several in a carousel.
    account_id : str
    account : str
        ``"@username"``, or ``"an Instagram account"`` where the name is not known.
    caption, alt_text, product : str
    state : str
        ``"posted"``, ``"on its way"``, ``"scheduled"``, ``"failed"``, ``"canceled"`` or
        ``"unknown"`` (whether it was posted).
    permalink : str or None
        http or https only.
    asked_at : datetime.datetime
        UTC.
    ended_at : datetime.datetime or None
        When it was posted or failed, as far as that is known, UTC.
    scheduled_for : datetime.datetime or None
        UTC.
    """

    media_ids: tuple[str, ...]
    account_id: str
    account: str
    caption: str
    alt_text: str
    product: str
    state: PostState
    permalink: str | None
    asked_at: datetime
    ended_at: datetime | None
    scheduled_for: datetime | None

    @property
    def is_posted(self) -> bool:
        """Whether it is known to have been posted."""
        return self.state == "posted"


class ImageTimeline(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one image, in the order of events.

    Attributes
    ----------
    image : Image
    asked_at : datetime.datetime or None
        UTC; None if nobody knows.
    moments : tuple of Moment
        Empty for an image that the journal does not know.
    changes : tuple of Change
    posts : tuple of Post
    """

    image: GeneratedImage
    asked_at: datetime | None = None
    moments: tuple[StatusChange, ...] = ()
    changes: tuple[EditEvent, ...] = ()
    posts: tuple[TimelinePost, ...] = ()

    @property
    def is_posted(self) -> bool:
        """Whether it is known to have been posted."""
        return any(post.is_posted for post in self.posts)


def summary(told: Sequence[ImageTimeline]) -> str:
    """The sum of a story in a line: ``"6 images, 1 edited, 2 posted"``."""
    count = len(told)
    parts = [f"{count:,} image{'' if count == 1 else 's'}"]
    for number, word in (
        (sum(bool(chapter.changes) for chapter in told), "edited"),
        (sum(chapter.is_posted for chapter in told), "posted"),
    ):
        if number:
            parts.append(f"{number:,} {word}")
    return ", ".join(parts)


# ---------------------------------------------------------------- put together


def timelines(
    images: Sequence[GeneratedImage], read: EventRows, accounts: Mapping[str, str]
) -> list[ImageTimeline]:
    """Tell what became of each image, in the order in which they are given.

    Parameters
    ----------
    images : list of Image
    read : Read
        What the journal has of them.
    accounts : dict
        Names by account id, as far as they are known.
    """
    by_intent = {record.intent: record for record in read.generations}
    by_job = {record.job_id: record for record in read.generations}
    edits: dict[str, list[JournalEntry]] = defaultdict(list)
    posts: dict[str, list[JournalEntry]] = defaultdict(list)
    for record in read.later:
        if record.kind == "upload":
            edits[_edit_of(record)].append(record)
        elif record.state not in NEVER:
            for media_id in _shown(record):
                posts[media_id].append(record)

    def chapter(image: GeneratedImage) -> ImageTimeline:
        record = by_intent.get(image.intent) or by_job.get(image.job_id)
        media_id = image.media.media_id or ""
        changes = sorted(_changes(media_id, edits), key=lambda change: change.at)
        whose = [media_id, *(change.media_id for change in changes)]
        about = {post.intent: post for each in whose for post in posts.get(each, ())}
        return ImageTimeline(
            image=image,
            asked_at=utc_time(record.requested_at) if record else image.made_at,
            moments=tuple(read.status_changes.get(record.intent, ())) if record else (),
            changes=tuple(changes),
            posts=tuple(
                _post(each, read.status_changes.get(each.intent, ()), accounts)
                for each in sorted(about.values(), key=lambda post: post.requested_at)
            ),
        )

    return [chapter(image) for image in images]


def account_ids(read: EventRows) -> set[str]:
    """The accounts that were posted to."""
    found = {str(each.body.get("instagramAccountId") or "") for each in read.later}
    return found - {""}


def _edit_of(record: JournalEntry) -> str:
    """Of what an upload is an edit; empty if it is none, or did not arrive."""
    edit = record.body.get("edit")
    of = edit.get("of") if isinstance(edit, dict) else None
    arrived = record.state == "accepted" and record.job_id
    return of if arrived and isinstance(of, str) else ""


def _shown(record: JournalEntry) -> list[str]:
    """The media of a post."""
    several = record.body.get("mediaIds")
    ids = [record.body.get("mediaId"), *(several if isinstance(several, list) else ())]
    return list(dict.fromkeys(each for each in ids if isinstance(each, str) and each))


def _changes(media_id: str, edits: Mapping[str, list[JournalEntry]]) -> Iterator[EditEvent]:
    """All edits of an image, and the edits of those."""
    seen = {media_id, ""}
    waiting: list[tuple[str, tuple[Any, ...]]] = [(media_id, ())]
    while waiting:
        of, before = waiting.pop()
        for record in edits.get(of, ()):
            made = record.job_id or ""
            if made in seen:
                continue
            seen.add(made)
            said = record.body["edit"].get("operations")
            operations = tuple(said) if isinstance(said, list) else ()
            change = EditEvent(
                media_id=made,
                of=of,
                operations=operations,
                since_original=(*before, *operations),
                at=utc_time(record.requested_at),
            )
            waiting.append((made, change.since_original))
            yield change


def _post(
    record: JournalEntry, moments: Sequence[StatusChange], accounts: Mapping[str, str]
) -> TimelinePost:
    body = record.body
    account_id = str(body.get("instagramAccountId") or "")
    state = _state(record)
    ended = parse_timestamp(_text(record.response, "finishedAt"))
    if ended is None and state == "posted":
        ended = next((moment.at for moment in moments if moment.status == DONE), None)
    return TimelinePost(
        media_ids=tuple(_shown(record)),
        account_id=account_id,
        account=accounts.get(account_id) or NOBODY,
        caption=_text(body, "caption"),
        alt_text=_text(body, "altText"),
        product=_text(body, "product"),
        state=state,
        permalink=find_permalink({"permalink": record.permalink}),
        asked_at=utc_time(record.requested_at),
        ended_at=ended,
        scheduled_for=parse_timestamp(
            _text(body, "scheduledAt") or _text(record.response, "scheduledFor")
        ),
    )


def _state(record: JournalEntry) -> PostState:
    if record.state == "posted" or (record.status == DONE and not record.is_unknown):
        return "posted"
    if record.ended:  # also one of which a person has taken note
        return "canceled" if record.status == "canceled" else "failed"
    if record.state == "dismissed" or record.is_unknown:
        return "unknown"
    return "scheduled" if record.status == "scheduled" else "on its way"


def _text(facts: Mapping[str, Any], name: str) -> str:
    found = facts.get(name)
    return found if isinstance(found, str) else ""


# ---------------------------------------------------------------- in words


def in_words(operation: Any) -> str:
    """An operation of an edit for people: ``"cropped to 1080 × 1080"``."""
    try:
        step = msgspec.convert(operation, Operation)
    except msgspec.ValidationError:  # of a later version, or by another hand
        return "changed"
    match step:
        case Crop():
            return f"cropped to {step.width} × {step.height}"
        case Resize():
            return f"resized to {step.width} × {step.height}"
        case Pad():
            return f"set on a canvas of {step.width} × {step.height}, {step.color}"
        case Text():
            text = " ".join(step.text.split())
            short = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
            return f"written over: “{short}”"
    return f"saved as {'WebP' if step.format == 'WEBP' else step.format}"
