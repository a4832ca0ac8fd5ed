"""What the sandbox refuses, and in which words: as strict as the real service."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from .catalog import Model

ANY_KEY = "sk_" + "0" * 64  # one of the right shape
MAX_CAPTION = 2200
MAX_ALT_TEXT = 1000
PRODUCTS = ("IMAGE", "REELS", "STORIES")


class Refusal(Exception):  # noqa: N818 - it becomes a reply, not a traceback
    """A reply that says no, in the service's envelope."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid(message: str) -> Refusal:
    """400, for a body that does not validate."""
    return Refusal(400, "validation_error", message)


def fields(
    body: Any, known: Mapping[str, Callable[[Any], bool]], required: tuple[str, ...]
) -> None:
    """Check that `body` is an object of known fields of the right types."""
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object")
    for name in required:
        if body.get(name) in (None, ""):
            raise invalid(f"'{name}' is required")
    for name, value in body.items():
        if name not in known:
            raise invalid(f"Unknown field '{name}'")
        if value is not None and not known[name](value):
            raise invalid(f"'{name}' has the wrong type")


def text(value: Any) -> bool:
    """Whether it is a string."""
    return isinstance(value, str)


def texts(value: Any) -> bool:
    """Whether it is a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def mapping(value: Any) -> bool:
    """Whether it is an object."""
    return isinstance(value, dict)


def flag(value: Any) -> bool:
    """Whether it is a boolean."""
    return isinstance(value, bool)


def generation(body: Any, models: dict[str, Model], media: Container[str]) -> Model:
    """Check a generate request and return its model."""
    known = {"model": text, "prompt": text, "params": mapping, "attachmentMediaIds": texts}
    fields(body, known, ("model",))
    model = models.get(body["model"])
    if model is None:
        raise invalid(f"Unknown model '{body['model']}'")
    if model.needs_prompt and not (body.get("prompt") or "").strip():
        raise invalid("'prompt' is required for this model")
    parameters(body.get("params") or {}, model)
    attachments = body.get("attachmentMediaIds") or []
    if len(attachments) > model.max_attachments:
        raise invalid(f"{model.label} takes at most {model.max_attachments} reference images")
    if len(attachments) < model.min_attachments:
        raise invalid(f"{model.label} needs {model.min_attachments} reference image")
    for media_id in attachments:
        if media_id not in media:
            raise Refusal(404, "not_found", f"Media '{media_id}' not found")
    return model


def parameters(values: dict[str, Any], model: Model) -> None:
    """Check parameter values against the model's schema."""
    for name, value in values.items():
        schema = model.params.get(name)
        if schema is None:
            raise invalid(f"Unknown parameter '{name}' for {model.key}")
        if not _fits(value, schema):
            raise invalid(f"params.{name}: {value!r} is not allowed")


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    if "enum" in schema:
        return value in schema["enum"]
    match schema.get("type"):
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "number":
            right = int if schema["type"] == "integer" else (int, float)
            return (
                isinstance(value, right)
                and not isinstance(value, bool)
                and schema.get("minimum", value) <= value <= schema.get("maximum", value)
            )
        case "string":
            return isinstance(value, str) and (schema.get("format") != "uuid" or _is_uuid(value))
    return True


def _is_uuid(value: str) -> bool:
    try:
        uuid.UUID(value)
    except ValueError:
        return False
    return True


def post(body: Any, media: Container[str], accounts: Container[str], *, carousel: bool) -> None:
    """Check a publish request."""
    known: dict[str, Callable[[Any], bool]] = {"instagramAccountId": text, "caption": text}
    if carousel:
        known["mediaIds"] = texts
    else:
        known |= {
            "mediaId": text,
            "altText": text,
            "product": text,
            "shareToFeed": flag,
            "scheduledAt": text,
        }
    which = "mediaIds" if carousel else "mediaId"
    fields(body, known, (which, "instagramAccountId"))
    if len(body.get("caption") or "") > MAX_CAPTION:
        raise invalid(f"'caption' must have at most {MAX_CAPTION} characters")
    if len(body.get("altText") or "") > MAX_ALT_TEXT:
        raise invalid(f"'altText' must have at most {MAX_ALT_TEXT} characters")
    if body.get("product") not in (None, *PRODUCTS):
        raise invalid(f"'product' must be one of {', '.join(PRODUCTS)}")
    wanted = body["mediaIds"] if carousel else [body["mediaId"]]
    if carousel and not 2 <= len(wanted) <= 10:  # noqa: PLR2004 - the API's own bounds
        raise invalid("'mediaIds' must hold 2 to 10 ids")
    for media_id in wanted:
        if media_id not in media:
            raise Refusal(404, "not_found", f"Media '{media_id}' not found")
    if body["instagramAccountId"] not in accounts:
        raise Refusal(403, "forbidden", "This Instagram account is not connected to your account")


def image_product(body: Mapping[str, Any]) -> None:
    """Refuse an image where only a video is taken."""
    if body.get("product") == "REELS":
        raise invalid("'product' REELS takes a video, not an image")


def schedule(scheduled_at: str, now: datetime) -> datetime:
    """Check and read a time to publish at."""
    try:
        moment = datetime.fromisoformat(scheduled_at)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise invalid("'scheduledAt' must be an ISO 8601 time with an offset")
    if not timedelta(minutes=5) <= moment - now <= timedelta(days=29):
        raise invalid("'scheduledAt' must be 5 minutes to 29 days ahead")
    return moment.astimezone(UTC)


def key(header: str, demanded: str | None) -> None:
    """Check the `Authorization` header: exactly `demanded`, or any key of the right shape."""
    given = header.removeprefix("Bearer ") if header.startswith("Bearer ") else ""
    right = given == demanded if demanded else re.fullmatch(r"sk_[0-9a-fA-F]{64}", given)
    if not right:
        raise Refusal(401, "unauthorized", "Missing or invalid API key")
