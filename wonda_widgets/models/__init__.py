"""What the API says, typed.

Only what the service's pages promise is required. Everything else may be
missing, null or of another type than expected: `parse` drops such a field and
keeps the reply, because one odd width must not cost a person their image.
The reply itself stays at hand in ``raw``.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from ..errors import NoMediaError, UnexpectedReplyError, WondaError
from ..errors.console_text import printable

#: A reply with more odd fields than this is given up.
MOST_ODD_FIELDS = 1000
#: How deep a post's address is looked for.
DEPTH = 6

LINE = 200  # characters of words from outside that are printed

TERMINAL = frozenset({"succeeded", "failed", "canceled"})


class Wire(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A part of a reply; camelCase on the wire."""


T = TypeVar("T", bound=Wire)


class Media(Wire, frozen=True, gc=False):  # it holds text and numbers
    """An image (or video, or sound) in the account's library.

    Attributes
    ----------
    media_id : str or None
        Its id, which `publish.instagram` takes.
    url : str or None
        Where its bytes are. Presume that it expires.
    mime_type : str or None
        E.g. ``"image/png"``.
    width, height : int or None
        In pixels.
    """

    media_id: str | None = None
    url: str | None = None
    mime_type: str | None = None
    width: int | None = None
    height: int | None = None


class Output(Wire, frozen=True):
    """One output of an inference job; ``media`` is None for text and data."""

    output_key: str | None = None
    output_value: Any = None
    media: Media | None = None


class JobReply(Wire, frozen=True):
    """`GET /jobs/inference/{id}` and `GET /jobs/publish/{id}` (sections 6.1 to 6.3)."""

    status: str
    error_message: str | None = None
    outputs: list[Output] = msgspec.field(default_factory=list)
    created_at: str | None = None
    finished_at: str | None = None
    scheduled_for: str | None = None


class GenerateReply(Wire, frozen=True):
    """`POST /image/generate` (section 4)."""

    inference_job_id: str


class PublishReply(Wire, frozen=True):
    """`POST /publish/instagram` (section 7.1)."""

    output_job_id: str
    status: str | None = None
    scheduled_for: str | None = None


class CarouselReply(Wire, frozen=True):
    """`POST /publish/instagram/carousel` (section 7.2): final at once.

    Whether a newer service answers with a job instead is not known, so both are read.
    """

    instagram_publish_id: str | None = None
    ig_media_id: str | None = None
    output_job_id: str | None = None
    status: str | None = None


class InstagramAccount(Wire, frozen=True):
    """One connected Instagram account (section 7.6)."""

    instagram_account_id: str
    username: str | None = None
    account_type: str | None = None
    status: str | None = None

    @property
    def name(self) -> str:
        """What a person knows it by: ``@username``, or the id."""
        return f"@{self.username}" if self.username else self.instagram_account_id


class AccountsReply(Wire, frozen=True):
    """`GET /instagram/accounts`."""

    accounts: list[InstagramAccount] = msgspec.field(default_factory=list)


class Organization(Wire, frozen=True):
    """One organization of this account (`GET /organizations`, section 1).

    Attributes
    ----------
    slug : str
        By which it is named: ``Wonda(org=slug)``.
    name : str or None
    role : str or None
        ``"owner"``, ``"admin"`` or ``"member"``.
    seat_plan_code : str or None
        The plan of your seat in it; None if you have no paid one.
    """

    slug: str
    organization_id: str | None = None
    name: str | None = None
    role: str | None = None
    seat_plan_code: str | None = None


class OrganizationsReply(Wire, frozen=True):
    """`GET /organizations`."""

    organizations: list[Organization] = msgspec.field(default_factory=list)


class ImageModel(Wire, frozen=True):
    """One image model of `GET /capabilities` (section 9.3).

    Attributes
    ----------
    attachments : list
        The names of its slots for media; empty for none. See `reference_images`.
    params : dict
        A JSON Schema object that describes the model's parameters.
    accepts : dict
        What it takes, as the publish operations have it; of models not documented.
    """

    key: str
    label: str | None = None
    description: str | None = None
    attachments: list[Any] = msgspec.field(default_factory=list)
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    accepts: Any = None

    @property
    def name(self) -> str:
        """The label, or the key where there is none."""
        return self.label or self.key


class Generation(Wire, frozen=True):
    """The ``generation`` part of `GET /capabilities`."""

    image: list[ImageModel] = msgspec.field(default_factory=list)


class Capabilities(Wire, frozen=True):
    """`GET /capabilities`: what this account can make, and with which parameters."""

    generation: Generation = msgspec.field(default_factory=Generation)
    raw: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def image_models(self) -> list[ImageModel]:
        """The image models, in the service's order."""
        return self.generation.image


class Estimate(Wire, frozen=True):
    """`POST /pricing/estimate` (section 9.1). Credits and dollars are never converted here."""

    model: str | None = None
    estimated_cost_microdollars: float | None = None
    estimated_cost_usd: str | None = None
    estimated_credits: float | None = None

    @property
    def usd(self) -> float | None:
        """US dollars, or None where the service gives none."""
        if self.estimated_cost_microdollars is None:
            return None
        return self.estimated_cost_microdollars / 1_000_000


class Account(Wire, frozen=True):
    """`GET /auth/whoami` (section 9.4)."""

    email: str | None = None
    account_id: str | None = None
    plan: str | None = None
    raw: dict[str, Any] = msgspec.field(default_factory=dict)


class UploadReply(Wire, frozen=True):
    """`POST /media/upload` with one file (section 8.1)."""

    media_id: str
    url: str | None = None
    mime_type: str | None = None


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What was true of a job at one moment.

    Attributes
    ----------
    status : str
        The service's own word; ``"submitted"`` until it gave one. Of a job that has ended,
        ``"succeeded"``, ``"failed"`` or ``"canceled"``, whatever the service calls it.
    terminal : bool
        Whether the job has ended.
    outputs : tuple of Output
    error_message : str or None
        The service's message of a failed job.
    permalink : str or None
        The published post, where the service says so (http or https only).
    created_at, finished_at : datetime.datetime or None
        The service's times, in UTC.
    scheduled_for : datetime.datetime or None
        When a scheduled post will be made, in UTC.
    elapsed : float
        Seconds since the job was submitted, up to its end.
    raw : dict
        The reply as it came.
    trouble : str or None
        Why the service cannot be heard at the moment, in a sentence.
    watching : bool
        Whether the job is being followed.
    error : WondaError or None
        What ended the watching before the job ended.
    """

    status: str = "submitted"
    outputs: tuple[Output, ...] = ()
    error_message: str | None = None
    permalink: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    scheduled_for: datetime | None = None
    elapsed: float = 0.0
    raw: dict[str, Any] = msgspec.field(default_factory=dict)
    trouble: str | None = None
    watching: bool = False
    error: WondaError | None = None

    @property
    def terminal(self) -> bool:
        """Whether the job has ended."""
        return self.status in TERMINAL

    @property
    def media(self) -> Media:
        """The first output that has media.

        Raises
        ------
        NoMediaError
            If no output has media with a ``mediaId``.
        """
        # As the service's page does: find the media first, then require its id.
        first = next((output.media for output in self.outputs if output.media), None)
        if first is None or not first.media_id:
            raise NoMediaError
        return first

    def __str__(self) -> str:
        """Tell it in a line, as this console can print it: ``"locked · 3 s"``."""
        said = self.error_message if self.status == "failed" else self.trouble
        parts = [self.status, duration(self.elapsed), *([said] if said else [])]
        return printable(" · ".join(one_line(part) for part in parts))

    def __repr__(self) -> str:
        shown = [f"status={self.status!r}", f"elapsed={self.elapsed:.1f}"]
        ids = [output.media.media_id for output in self.outputs if output.media]
        shown += [f"media_id={media_id!r}" for media_id in ids[:1]]
        shown += [f"permalink={self.permalink!r}"] if self.permalink else []
        shown += [f"error_message={self.error_message!r}"] if self.error_message else []
        return printable(f"Snapshot({', '.join(shown)})")


def duration(seconds: float) -> str:
    """Seconds for people: ``"31 s"``, ``"2 min 05 s"``."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def one_line(text: str) -> str:
    """Words from outside as they are printed: on one line, without control characters."""
    visible = "".join(sign if sign.isprintable() else " " for sign in text)
    words = " ".join(visible.split())
    return words if len(words) <= LINE else words[: LINE - 1] + "…"


def parse(raw: Any, model: type[T]) -> T:
    """Turn a decoded reply into a typed one; odd optional fields are dropped.

    Raises
    ------
    UnexpectedReplyError
        If it is not an object, or a field that the service promises is missing.
    """
    if not isinstance(raw, dict):
        raise UnexpectedReplyError(
            f"The service answered with {type(raw).__name__} where an object was expected.",
            "Try again later; if it stays so, wonda-widgets needs an update.",
        )
    if "raw" in model.__struct_fields__:
        raw = {**raw, "raw": raw}
    for _ in range(MOST_ODD_FIELDS):
        try:
            return msgspec.convert(raw, model, strict=False)
        except msgspec.ValidationError as error:
            problem = str(error)
            path = re.search(r"at `\$(.*)`", problem)
            steps = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path.group(1)) if path else []
            if not steps:  # the reply itself lacks what the service promises
                raise UnexpectedReplyError(
                    f"The service's reply could not be understood: {problem}.",
                    "Try again later; if it stays so, wonda-widgets needs an update.",
                ) from None
            raw = _without(raw, [int(index) if index else name for name, index in steps])
    raise UnexpectedReplyError("The service's reply could not be understood.", "Try again later.")


def _without(raw: Any, steps: list[str | int]) -> Any:
    """A copy of `raw` without the one value that `steps` leads to."""
    copy = raw.copy()
    if len(steps) == 1:
        del copy[steps[0]]
    else:
        copy[steps[0]] = _without(raw[steps[0]], steps[1:])
    return copy


def timestamp(text: str | None) -> datetime | None:
    """An ISO 8601 time of the API as an aware UTC datetime; None if there is none."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def permalink(raw: Any, depth: int = DEPTH) -> str | None:
    """The post's address, wherever the (undocumented) publish job carries it.

    Section 6.3 of wonda-api.md: the body of a publish job is known from no
    source, so the name is looked for a few levels deep. Only http and https become
    links.
    """
    if isinstance(raw, dict):
        found = raw.get("permalink")
        # Printed ASCII alone: no line ends, nothing that turns the direction of reading.
        if isinstance(found, str) and re.fullmatch(r"https?://[!#-&(-;=?-~]+", found):
            return found
        raw = list(raw.values())
    if isinstance(raw, list) and depth:
        return next((link for item in raw if (link := permalink(item, depth - 1))), None)
    return None
