"""Texts that the panels show: errors, sizes, times, prices and operations."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

from ... import models
from ...errors import (
    AuthenticationError,
    BadRequestError,
    ConflictError,
    GoneError,
    InvalidInputError,
    JobCanceledError,
    JobFailedError,
    NoMediaError,
    NotFoundError,
    OutcomeUnknownError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ServiceUnreachableError,
    UnexpectedReplyError,
    UnsafeMediaError,
    WondaError,
)
from ...imaging.operations import (
    Crop,
    Encode,
    Pad,
    Resize,
    Text,
)
from ...utils import logs, redaction

MAX_TEXT_LENGTH = 32  # characters of an overlay text in the list of changes

format_duration = models.format_duration


if TYPE_CHECKING:
    from ...imaging.operations import Operation


class Problem(TypedDict):
    """What an alert shows: a bold title, a text, and the form field that it is about."""

    title: str
    text: str
    field: str


_TITLES: tuple[tuple[type[WondaError], str], ...] = (
    (BadRequestError, "Invalid request."),
    (ConflictError, "Not possible right now."),
    (GoneError, "No longer available."),
    (UnexpectedReplyError, "Unexpected response."),
    (AuthenticationError, "The API key was rejected."),
    (PaymentRequiredError, "Not enough credits."),
    (PermissionDeniedError, "Permission denied."),
    (NotFoundError, "Not found."),
    (RateLimitError, "Too many requests."),
    (ServerError, "Service error."),
    (ServiceUnreachableError, "The service cannot be reached."),
    (JobCanceledError, "Job was canceled."),
    (JobFailedError, "Job failed."),
    (NoMediaError, "No image."),
    (UnsafeMediaError, "The image cannot be shown."),
)


def problem(error: BaseException) -> Problem:
    """Describe an error for a panel's alert."""
    if isinstance(error, OutcomeUnknownError):
        is_post = error.kind == "publish"
        reason = error.reason[:1].upper() + error.reason[1:]
        # For a post the panel itself can look up the outcome, with `Check`.
        hint = "We won’t retry automatically." if is_post else f"It was not retried. {error.hint}"
        return {
            "title": f"We don’t know whether this was {'posted' if is_post else 'generated'}.",
            "text": f"{_sentence(reason)} {hint}",
            "field": "",
        }
    if isinstance(error, InvalidInputError):
        return {
            "title": error.message,
            "text": f"{error.hint} Nothing was sent.".strip(),
            "field": error.field,
        }
    if isinstance(error, WondaError):
        title = next((title for cls, title in _TITLES if isinstance(error, cls)), "Request failed.")
        message = _sentence(error.message)
        text = f"{'' if message == title else message} {error.hint}".strip()
        return {"title": title, "text": text, "field": ""}
    # A bug in this package: say so, with what a report needs.
    return {
        "title": "Something went wrong in wonda-widgets.",
        "text": f"{redaction.redact(f'{type(error).__name__}: {error}')}. "
        "Your input is still here. Please report this with the traceback from "
        f"{logs.LOG_LOCATION}.",
        "field": "",
    }


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def file_size(count: float) -> str:
    """Format a number of bytes: ``"3.1 MB"``."""
    for unit in ("B", "KB"):
        if count < 1000:  # noqa: PLR2004 - decimal units, as file managers show them
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} MB"


def local_time(seconds: float) -> str:
    """Format seconds since 1970 in this computer's time zone: ``"2026-12-01 18:00"``."""
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone():%Y-%m-%d %H:%M}"


def format_price(usd: float | None, credit_count: float | None) -> str:
    """Format a price: ``"about $0.08 · 80 credits"``; empty if it is unknown."""
    parts = []
    if usd is not None and math.isfinite(usd):
        parts.append(f"about ${usd:.2f}" if usd >= 0.01 else f"about ${usd:.4f}")  # noqa: PLR2004
    if credit_count is not None and math.isfinite(credit_count):
        shown = f"{credit_count:,.1f}".removesuffix(".0")
        parts.append(f"{shown} credit{'' if credit_count == 1 else 's'}")
    return " · ".join(parts)


def describe_operation(operation: Operation) -> str:
    """Describe an operation of an edit: ``"Crop to 864 × 1080"``."""
    match operation:
        case Crop() | Resize():
            return f"{type(operation).__name__} to {operation.width} × {operation.height}"
        case Pad():
            return f"Pad to {operation.width} × {operation.height}, {operation.color}"
        case Text():
            text = " ".join(operation.text.split())
            return (
                f"Text “{text if len(text) <= MAX_TEXT_LENGTH else text[:MAX_TEXT_LENGTH] + '…'}”"
            )
        case Encode():
            lossy = operation.format != "PNG"
            name = format_name(operation.format)
            return f"{name}, quality {operation.quality}" if lossy else name


def image_facts(width: int, height: int, of: str, count: float) -> str:
    """Format an image's facts: ``"1080 × 1350 · JPEG · 412 KB"``."""
    return f"{width} × {height} · {format_name(of)} · {file_size(count)}"


def format_name(of: str) -> str:
    """Spell a Pillow format as its name: ``"WebP"`` for ``"WEBP"``."""
    return "WebP" if of == "WEBP" else of
