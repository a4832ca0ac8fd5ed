"""Request bodies as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..utils.plain_values import to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping


def encode_json(body: Mapping[str, Any]) -> bytes:
    """Encode a body as JSON; values of pandas and numpy become plain ones.

    Raises
    ------
    InvalidInputError
        If it holds something that JSON does not have.
    """
    try:
        # Most encoders accept NaN and lone surrogates, which services then refuse.
        return json.dumps(to_plain(body), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "request", f"The request cannot be sent as JSON: {error}.", "Correct what it names."
        ) from None


def to_json_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a body to what the service will read: string keys, lists instead of tuples.

    Raises
    ------
    InvalidInputError
        See `encode_json`.
    """
    values: dict[str, Any] = json.loads(encode_json(body))
    return values
