"""Responses of the API: read with a size limit, decoded, or turned into an error."""

from __future__ import annotations

import contextlib
import email.utils
import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from ..errors import (
    ERRORS_BY_STATUS,
    APIError,
    NotJSONError,
    RateLimitError,
    ServerError,
    UnexpectedReplyError,
)
from ..models import MAX_MESSAGE_LENGTH, parse_timestamp
from ..utils.visible_text import clean
from . import body_reader

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 16 * 1024 * 1024
SERVER_ERROR = 500
PARTIAL_CONTENT = 206
HEADERS = frozenset({b"retry-after", b"x-request-id", b"date"})  # the others are not used

#: Members of a body that may report success or failure, and the values that report failure.
OUTCOME_MEMBERS = (
    *("ok", "success", "complete", "result"),
    *("published", "posted", "canceled", "cancelled", "deleted"),
)
FAILURE_VALUES = (False, "failed", "error")


class Response:
    """A response that has been read; it does not reference its request.

    Attributes
    ----------
    status : int
    headers : dict of str
        The headers in `HEADERS`, in lower case.
    content : bytes
        The body; empty if larger than `MAX_BYTES`.
    """

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, content

    def __repr__(self) -> str:
        return f"<Response {self.status}>"  # the rest may repeat the key

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return httpx.codes.is_success(self.status)

    @property
    def is_redirect(self) -> bool:
        """Whether the status is 3xx."""
        return httpx.codes.is_redirect(self.status)

    def redact(self, redact_bytes: Callable[[bytes], bytes]) -> None:
        """Remove the key if the service repeats it, even where JSON escapes it."""
        self.headers = {
            name: redact_bytes(value.encode()).decode(errors="replace")
            for name, value in self.headers.items()
        }
        content = redact_bytes(self.content)
        if b"\\" in content:
            with contextlib.suppress(ValueError, RecursionError):  # other bodies are not changed
                content = redact_bytes(msgspec.json.encode(decode_json(content)))
        self.content = content


async def read_response(response: httpx.Response) -> Response:
    """Read a streamed response to its end and close it."""
    headers = body_reader.lowercase_headers(response)
    try:
        content = await body_reader.read_body(response, MAX_BYTES, headers)
    except body_reader.TooLargeError:
        content = b""  # this API has no bodies of this size
    finally:
        await response.aclose()
    kept = {
        name.decode(): value.decode("latin-1") for name, value in headers.items() if name in HEADERS
    }
    return Response(response.status_code, kept, content)


def parse_json(response: Response) -> Any:
    """Decode the JSON of a successful response.

    Raises
    ------
    APIError
        If the response is an error.
    NotJSONError
        If the response is not JSON.
    UnexpectedReplyError
        If the response redirects to another address, to which the key must not be sent.
    """
    if response.is_redirect:
        raise UnexpectedReplyError(
            "The service redirected the request to another address, to which the key must not be "
            "sent.",
            "Set base_url (or WONDA_BASE_URL) to the API's own address.",
        )
    if not response.is_success:
        raise api_error(response)
    if response.status == PARTIAL_CONTENT:  # which was not requested
        raise UnexpectedReplyError("The service sent only a part.", "Try again later.")
    try:
        return decode_json(response.content)
    except (ValueError, RecursionError):
        raise NotJSONError(
            "The response from the service is not JSON.",
            "It may be down for maintenance, or base_url may not be an API; try again later.",
        ) from None


def api_error(response: Response) -> APIError:
    """Turn an error response into an exception (wonda-api.md, section 2)."""
    status = response.status
    try:
        body = decode_json(response.content)
    except (ValueError, RecursionError):
        body = {}
    body = body if isinstance(body, dict) else {"error": body}
    error = body.get("error")
    details: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
    message, code = details.get("message"), details.get("code")
    if not (isinstance(message, str) and message):
        message = httpx.codes.get_reason_phrase(status) or "The service gave no reason"
    message = clean(message, MAX_MESSAGE_LENGTH)
    cls = error_class(status)
    fields: dict[str, Any] = {
        "message": message,
        "code": code if isinstance(code, str) else "",
        "request_id": response.headers.get("x-request-id"),
        "retry_after": retry_after(response.headers.get("retry-after", "")),
        "from_service": isinstance(error, dict) and isinstance(code, str) and bool(code),
    }
    if cls is RateLimitError:
        defer = details.get("deferUntil") or body.get("deferUntil")
        fields["defer_until"] = parse_timestamp(defer) if isinstance(defer, str) else None
    return cls(status, **fields)


def error_class(status: int) -> type[APIError]:
    """Choose the exception for an HTTP status."""
    return ERRORS_BY_STATUS.get(status, ServerError if status >= SERVER_ERROR else APIError)


def decode_json(content: bytes) -> Any:
    """Decode JSON, even with lone surrogates, which occur when servers cut a string.

    Raises
    ------
    ValueError
        If the content is not JSON in UTF-8. Other encodings would hide a repeated key from
        `Response.redact`.
    """
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return replace_lone_surrogates(json.loads(content.decode("utf-8-sig")))


def replace_lone_surrogates(value: Any) -> Any:
    """Replace each lone surrogate in a string, or in the strings of a list or dict, with U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [replace_lone_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {
            replace_lone_surrogates(name): replace_lone_surrogates(item)
            for name, item in value.items()
        }
    return value


def retry_after(value: str) -> float | None:
    """Convert a ``Retry-After`` header (seconds or an HTTP date) to seconds; None without one."""
    value = value.strip()
    if re.fullmatch(r"\d{1,100}(\.\d+)?", value):
        return float(value)
    moment = http_date(value)
    return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def http_date(value: str) -> datetime | None:
    """Parse a date in an HTTP header; return None if invalid."""
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def reports_failure(body: dict[str, Any]) -> bool:
    """Whether the body of a 2xx response reports a failure, or a partial success."""
    if any(body.get(name) for name in ("error", "errors", "errorMessage", "partial")):
        return True
    return any(name in body and body[name] in FAILURE_VALUES for name in OUTCOME_MEMBERS)
