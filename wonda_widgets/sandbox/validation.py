"""Check requests as strictly as the real service, with the service's error messages."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from .catalog import Model

ANY_KEY = "sk_" + "0" * 64  # a key of the right format
MAX_CAPTION = 2200
MAX_ALT_TEXT = 1000
PRODUCTS = ("IMAGE", "REELS", "STORIES")


class ResponseError(Exception):
    """An error response, with HTTP status, error code and message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def invalid(message: str) -> ResponseError:
    """Create a 400 response for an invalid body."""
    return ResponseError(400, "validation_error", message)


def check_fields(
    body: Any, known: Mapping[str, Callable[[Any], bool]], required: tuple[str, ...]
) -> None:
    """Check that `body` is an object with known fields of the right types."""
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


def is_string(value: Any) -> bool:
    """Check for a string."""
    return isinstance(value, str)


def is_string_list(value: Any) -> bool:
    """Check for a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_object(value: Any) -> bool:
    """Check for an object."""
    return isinstance(value, dict)


def is_boolean(value: Any) -> bool:
    """Check for a boolean."""
    return isinstance(value, bool)


def check_generation(
    body: Any, models: dict[str, Model], media: Mapping[str, Any], *, is_video: bool
) -> Model:
    """Check a request to generate an image or a video, and return its model."""
    known = {
        "model": is_string,
        "prompt": is_string,
        "params": is_object,
        "attachmentMediaIds": is_string_list,
    }
    check_fields(body, known, ("model",))
    model = models.get(body["model"])
    if model is None or model.is_video != is_video:
        raise invalid(f"Unknown model '{body['model']}'")
    if len(body.get("prompt") or "") > model.max_prompt_length:
        raise invalid(f"'prompt' must have at most {model.max_prompt_length} characters")
    if model.needs_prompt and not (body.get("prompt") or "").strip():
        raise invalid("'prompt' is required for this model")
    check_parameters(body.get("params") or {}, model)
    attachments = body.get("attachmentMediaIds") or []
    if len(attachments) > model.max_attachments:
        raise invalid(f"{model.label} takes at most {model.max_attachments} reference images")
    if len(attachments) < model.min_attachments:
        raise invalid(f"{model.label} needs {model.min_attachments} reference image")
    for media_id in attachments:
        if media_id not in media:
            raise ResponseError(404, "not_found", f"Media '{media_id}' not found")
        if not media[media_id].mime_type.startswith("image/"):
            raise invalid(f"{model.label} takes images, and '{media_id}' is not one")
    return model


def check_parameters(values: dict[str, Any], model: Model) -> None:
    """Check parameter values against the model's schema."""
    for name, value in values.items():
        schema = model.params.get(name)
        if schema is None:
            raise invalid(f"Unknown parameter '{name}' for {model.key}")
        if not _fits(value, schema):
            allowed = ", ".join(map(str, schema.get("enum", ())))
            hint = f"; allowed: {allowed}" if allowed else ""
            raise invalid(f"params.{name}: {value!r} is not allowed{hint}")


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    if "enum" in schema:
        return value in schema["enum"]
    match schema.get("type"):
        case "boolean":
            return isinstance(value, bool)
        case "integer" | "number":
            expected = int if schema["type"] == "integer" else (int, float)
            return (
                isinstance(value, expected)
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


def check_post(
    body: Any, media: Container[str], accounts: Container[str], *, carousel: bool
) -> None:
    """Check a publish request."""
    known: dict[str, Callable[[Any], bool]] = {
        "instagramAccountId": is_string,
        "caption": is_string,
    }
    if carousel:
        known["mediaIds"] = is_string_list
    else:
        known |= {
            "mediaId": is_string,
            "altText": is_string,
            "product": is_string,
            "shareToFeed": is_boolean,
            "scheduledAt": is_string,
        }
    check_fields(body, known, ("mediaIds" if carousel else "mediaId", "instagramAccountId"))
    if len(body.get("caption") or "") > MAX_CAPTION:
        raise invalid(f"'caption' must have at most {MAX_CAPTION} characters")
    if len(body.get("altText") or "") > MAX_ALT_TEXT:
        raise invalid(f"'altText' must have at most {MAX_ALT_TEXT} characters")
    if body.get("product") not in (None, *PRODUCTS):
        raise invalid(f"'product' must be one of {', '.join(PRODUCTS)}")
    media_ids = body["mediaIds"] if carousel else [body["mediaId"]]
    if carousel and not 2 <= len(media_ids) <= 10:  # noqa: PLR2004 - the API's limits
        raise invalid("'mediaIds' must hold 2 to 10 ids")
    for media_id in media_ids:
        if media_id not in media:
            raise ResponseError(404, "not_found", f"Media '{media_id}' not found")
    if body["instagramAccountId"] not in accounts:
        raise ResponseError(
            403, "forbidden", "This Instagram account is not connected to your account"
        )


def check_product(body: Mapping[str, Any], media: list[Any]) -> None:
    """Check that the product of a post accepts its media."""
    are_images = all(each.mime_type.startswith("image/") for each in media)
    if "mediaIds" in body and not are_images:
        raise invalid("A carousel takes images only")
    if body.get("product") == "REELS" and are_images:
        raise invalid("'product' REELS takes a video, not an image")
    if body.get("product") == "IMAGE" and not are_images:
        raise invalid("'product' IMAGE takes an image, not a video")


def parse_schedule(scheduled_at: str, now: datetime) -> datetime:
    """Parse and check the time of a scheduled post."""
    try:
        time = datetime.fromisoformat(scheduled_at)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise invalid("'scheduledAt' must be an ISO 8601 time with an offset")
    if not timedelta(minutes=5) <= time - now <= timedelta(days=29):
        raise invalid("'scheduledAt' must be 5 minutes to 29 days from now")
    return time.astimezone(UTC)


def check_key(header: str, required: str | None) -> None:
    """Check that the `Authorization` header contains `required`, or any well-formed key if None."""
    found = header.removeprefix("Bearer ") if header.startswith("Bearer ") else ""
    is_valid = found == required if required else re.fullmatch(r"sk_[0-9a-fA-F]{64}", found)
    if not is_valid:
        raise ResponseError(401, "unauthorized", "Missing or invalid API key")
