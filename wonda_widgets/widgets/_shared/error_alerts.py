"""Describe an error for a panel's alert: a title, a message, and the form field concerned."""

from __future__ import annotations

from typing import TypedDict

from ...errors import (
    AlreadyPublishedError,
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
    redaction,
)
from ...utils import logs


class Alert(TypedDict):
    """The contents of an alert: a bold title, a message, and the form field concerned."""

    title: str
    text: str
    field: str


_TITLES: tuple[tuple[type[WondaError], str], ...] = (
    (AlreadyPublishedError, "Not posted."),
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


#: Fields of errors about what is never sent to the service.
LOCAL_FIELDS = {
    *("path", "table", "name", "text", "collection", "review", "vote", "person", "question"),
    *("mode", "rows", "columns", "width", "image", "images"),
}


def error_alert(error: BaseException) -> Alert:
    """Describe an error for a panel's alert."""
    if isinstance(error, OutcomeUnknownError):
        is_post = error.kind == "publish"
        reason = error.reason[:1].upper() + error.reason[1:]
        # For a post, the panel itself can look up the outcome with `Check`.
        hint = "We won’t retry automatically." if is_post else f"It was not retried. {error.hint}"
        return {
            "title": f"We don’t know whether this was {'posted' if is_post else 'generated'}.",
            "text": f"{_sentence(reason)} {hint}",
            "field": "",
        }
    if isinstance(error, InvalidInputError):
        outcome = "" if error.field in LOCAL_FIELDS else "Nothing was sent."
        return {
            "title": error.message,
            "text": f"{error.hint} {outcome}".strip(),
            "field": error.field,
        }
    if isinstance(error, WondaError):
        title = next((title for cls, title in _TITLES if isinstance(error, cls)), "Request failed.")
        message = _sentence(error.message)
        text = f"{'' if message == title else message} {error.hint}".strip()
        return {"title": title, "text": text, "field": ""}
    # A bug in this package: include the details for a report.
    return {
        "title": "Something went wrong in wonda-widgets.",
        "text": f"{redaction.redact_keys(f'{type(error).__name__}: {error}')}. "
        "Your input is still here. Please report this with the traceback from "
        f"{logs.LOG_LOCATION}.",
        "field": "",
    }


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
