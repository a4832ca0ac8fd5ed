"""Typed API responses and job snapshots.

    decoded JSON ── parsing.parse ──> wire_types ──> snapshot.Snapshot

The modules `parameters`, `prompt_requirement` and `reference_limits` read what a model accepts
from `wire_types.GenerationModel`.
"""

from __future__ import annotations

from .formatting import MAX_LINE_LENGTH, MAX_MESSAGE_LENGTH, format_duration, one_line
from .job_status import TERMINAL_STATUSES
from .media_kind import require_image
from .parsing import find_permalink, parse, parse_timestamp
from .snapshot import Snapshot
from .wire_types import (
    Account,
    AccountsResponse,
    Capabilities,
    CarouselResponse,
    Estimate,
    GenerateResponse,
    Generation,
    GenerationModel,
    InstagramAccount,
    JobResponse,
    Media,
    Organization,
    OrganizationsResponse,
    Output,
    PublishResponse,
    UploadResponse,
    WireStruct,
)

__all__ = [
    "MAX_LINE_LENGTH",
    "MAX_MESSAGE_LENGTH",
    "TERMINAL_STATUSES",
    "Account",
    "AccountsResponse",
    "Capabilities",
    "CarouselResponse",
    "Estimate",
    "GenerateResponse",
    "Generation",
    "GenerationModel",
    "InstagramAccount",
    "JobResponse",
    "Media",
    "Organization",
    "OrganizationsResponse",
    "Output",
    "PublishResponse",
    "Snapshot",
    "UploadResponse",
    "WireStruct",
    "find_permalink",
    "format_duration",
    "one_line",
    "parse",
    "parse_timestamp",
    "require_image",
]
