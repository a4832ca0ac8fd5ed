"""Convert decoded JSON responses to typed structs, leniently.

A required field that is missing or invalid is an error. Any other invalid field is dropped, so
that, for example, a wrong width does not make an image unavailable. Structs with a ``raw`` field
also keep the unchanged response.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from ..errors import UnexpectedReplyError
from .wire_types import WireStruct

#: `parse` drops at most this many invalid fields before it rejects the response.
MAX_INVALID_FIELDS = 1000
#: How many levels deep a response is searched for a post's URL.
MAX_PERMALINK_DEPTH = 6

T = TypeVar("T", bound=WireStruct)


def parse(raw: Any, model: type[T]) -> T:
    """Convert a decoded response to `model`; drop invalid optional fields.

    Raises
    ------
    UnexpectedReplyError
        If the response is not an object, or a required field is missing or invalid.
    """
    if not isinstance(raw, dict):
        raise UnexpectedReplyError(
            f"Expected a JSON object from the service, but got {type(raw).__name__}.",
            "Try again later. If this keeps happening, update wonda-widgets.",
        )
    if "raw" in model.__struct_fields__:
        raw = {**raw, "raw": raw}
    for _ in range(MAX_INVALID_FIELDS):
        try:
            return msgspec.convert(raw, model, strict=False)
        except msgspec.ValidationError as error:
            problem = str(error)
            path = re.search(r"at `\$(.*)`", problem)
            steps = re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", path.group(1)) if path else []
            if not steps:  # a required field is missing at the top level
                raise UnexpectedReplyError(
                    f"The service's response could not be understood: {problem}.",
                    "Try again later. If this keeps happening, update wonda-widgets.",
                ) from None
            raw = _copy_without(raw, [int(index) if index else name for name, index in steps])
    raise UnexpectedReplyError(
        "The service's response could not be understood.", "Try again later."
    )


def _copy_without(raw: Any, steps: list[str | int]) -> Any:
    """Return a copy of `raw` without the value at the path `steps`."""
    copy = raw.copy()
    if len(steps) == 1:
        del copy[steps[0]]
    else:
        copy[steps[0]] = _copy_without(raw[steps[0]], steps[1:])
    return copy


def parse_timestamp(text: str | None) -> datetime | None:
    """Parse an ISO 8601 time to an aware UTC datetime; None if it is missing or invalid."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def find_permalink(raw: Any, depth: int = MAX_PERMALINK_DEPTH) -> str | None:
    """Find the URL of a published post in a response; None if there is none.

    The response of a publish job is undocumented (section 6.3), so the field ``permalink`` is
    searched up to `depth` levels deep. Only http and https URLs are accepted.
    """
    if isinstance(raw, dict):
        url = raw.get("permalink")
        # Printable ASCII only: no line breaks, and no characters that reverse the text direction.
        if isinstance(url, str) and re.fullmatch(r"https?://[!#-&(-;=?-~]+", url):
            return url
        raw = list(raw.values())
    if isinstance(raw, list) and depth:
        return next((url for item in raw if (url := find_permalink(item, depth - 1))), None)
    return None
