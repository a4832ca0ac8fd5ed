"""The API's responses as typed structs, with snake_case attributes for the camelCase fields.

Only fields that the service's documentation promises are required; `parsing.parse` explains what
happens to the others. Sections are those of wonda-api.md.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from ..utils.visible_text import clean

MAX_NAME_LENGTH = 100  # characters that are shown of an account's or model's name


class WireStruct(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """Base of all response types; its fields are camelCase on the wire."""


class Media(WireStruct, frozen=True, gc=False):  # contains only strings and numbers
    """An image, video or sound in the account's library.

    Attributes
    ----------
    media_id : str or None
        The ID to pass to `publish.instagram`.
    url : str or None
        The download URL. Assume that it expires.
    mime_type : str or None
        E.g. ``"image/png"``.
    width, height : int or None
        In pixels.
    duration_ms : float or None
        The length of a video or sound in milliseconds; see `duration`.
    fps : float or None
        The frames per second of a video.

    Examples
    --------
    >>> media = job.wait().media
    >>> media.mime_type, media.width, media.height
    ('image/png', 912, 1140)
    """

    media_id: str | None = None
    url: str | None = None
    mime_type: str | None = None
    width: int | None = None
    height: int | None = None
    duration_ms: float | None = None
    fps: float | None = None

    @property
    def duration(self) -> float | None:
        """Return the length of a video or sound in seconds; None for an image, or if unknown."""
        if self.duration_ms is None or not 0 <= self.duration_ms < math.inf:
            return None
        return self.duration_ms / 1000

    @property
    def is_video(self) -> bool:
        """Return whether the MIME type is that of a video."""
        return (self.mime_type or "").startswith("video/")


class Output(WireStruct, frozen=True):
    """One output of an inference job; ``media`` is None for an output of text or data."""

    output_key: str | None = None
    output_value: Any = None
    media: Media | None = None


class JobResponse(WireStruct, frozen=True):
    """Response of `GET /jobs/inference/{id}` and `GET /jobs/publish/{id}` (sections 6.1 to 6.3)."""

    status: str
    error_message: str | None = None
    outputs: list[Output] = msgspec.field(default_factory=list)
    created_at: str | None = None
    finished_at: str | None = None
    scheduled_for: str | None = None


class GenerateResponse(WireStruct, frozen=True):
    """Response of `POST /image/generate` and `POST /video/generate` (sections 4 and 5)."""

    inference_job_id: str


class PublishResponse(WireStruct, frozen=True):
    """Response of `POST /publish/instagram` (section 7.1)."""

    output_job_id: str
    status: str | None = None
    scheduled_for: str | None = None


class CarouselResponse(WireStruct, frozen=True):
    """Response of `POST /publish/instagram/carousel` (section 7.2).

    The documented response is final. A newer service may return a job instead, as for one image,
    so both forms are read.
    """

    instagram_publish_id: str | None = None
    ig_media_id: str | None = None
    output_job_id: str | None = None
    status: str | None = None


class InstagramAccount(WireStruct, frozen=True):
    """One connected Instagram account (section 7.6)."""

    instagram_account_id: str
    username: str | None = None
    account_type: str | None = None
    status: str | None = None

    @property
    def name(self) -> str:
        """Return the name to show: ``@username``, or the ID."""
        name = f"@{self.username}" if self.username else self.instagram_account_id
        return clean(name, MAX_NAME_LENGTH)


class AccountsResponse(WireStruct, frozen=True):
    """Response of `GET /instagram/accounts` (section 7.6)."""

    accounts: list[InstagramAccount] = msgspec.field(default_factory=list)


class Organization(WireStruct, frozen=True):
    """One organization that this account belongs to (section 1).

    Attributes
    ----------
    slug : str
        The identifier, as in ``Wonda(org=slug)``.
    name : str or None
    role : str or None
        ``"owner"``, ``"admin"`` or ``"member"``.
    seat_plan_code : str or None
        The plan of your paid seat; None without a paid seat.
    """

    slug: str
    organization_id: str | None = None
    name: str | None = None
    role: str | None = None
    seat_plan_code: str | None = None


class OrganizationsResponse(WireStruct, frozen=True):
    """Response of `GET /organizations` (section 1)."""

    organizations: list[Organization] = msgspec.field(default_factory=list)


class GenerationModel(WireStruct, frozen=True):
    """One model in `GET /capabilities` (section 9.3), which generates images or videos.

    Attributes
    ----------
    key : str
        The ID to pass as ``model``.
    attachments : list
        The names of the model's inputs for reference images; empty for none. See
        `reference_limits`.
    params : dict
        The JSON Schema of the model's parameters.
    accepts : dict
        The inputs that the model accepts, in the form documented for publish operations;
        undocumented for models.
    """

    key: str
    label: str | None = None
    description: str | None = None
    attachments: list[Any] = msgspec.field(default_factory=list)
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    accepts: Any = None

    @property
    def name(self) -> str:
        """Return the label, or the key if there is no label."""
        return clean(self.label or self.key, MAX_NAME_LENGTH)


class Generation(WireStruct, frozen=True):
    """The ``generation`` part of `Capabilities`."""

    image: list[GenerationModel] = msgspec.field(default_factory=list)
    video: list[GenerationModel] = msgspec.field(default_factory=list)


class Capabilities(WireStruct, frozen=True):
    """Response of `GET /capabilities` (section 9.3): the account's models and their parameters."""

    generation: Generation = msgspec.field(default_factory=Generation)
    raw: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def image_models(self) -> list[GenerationModel]:
        """Return the image models in the service's order."""
        return self.generation.image

    @property
    def video_models(self) -> list[GenerationModel]:
        """Return the video models in the service's order; empty if there are none."""
        return self.generation.video

    @property
    def models(self) -> list[tuple[str, GenerationModel]]:
        """Return all models, each after its kind: ``"image"`` or ``"video"``."""
        kinds = ("image", self.image_models), ("video", self.video_models)
        return [(kind, model) for kind, models in kinds for model in models]


class Estimate(WireStruct, frozen=True):
    """Response of `POST /pricing/estimate` (section 9.1).

    Credits are never converted to dollars or back.
    """

    model: str | None = None
    estimated_cost_microdollars: float | None = None
    estimated_cost_usd: str | None = None
    estimated_credits: float | None = None

    @property
    def usd(self) -> float | None:
        """Return the estimate in US dollars; None if the service reports none."""
        if self.estimated_cost_microdollars is None:
            return None
        return self.estimated_cost_microdollars / 1_000_000


class Account(WireStruct, frozen=True):
    """Response of `GET /auth/whoami` (section 9.4)."""

    email: str | None = None
    account_id: str | None = None
    plan: str | None = None
    raw: dict[str, Any] = msgspec.field(default_factory=dict)


class UploadResponse(WireStruct, frozen=True):
    """Response of `POST /media/upload` with one file (section 8.1)."""

    media_id: str
    url: str | None = None
    mime_type: str | None = None
