"""Request bodies as JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..utils.plain_values import to_plain

if TYPE_CHECKING:
    from collections.abc import Mapping


def encode_json(body: Mapping[str, Any]) -> bytes:
    """Encode a body as JSON; convert pandas and numpy values to plain ones.

    Raises
    ------
    InvalidInputError
        If the body contains a value that JSON does not support.
    """
    try:
        # Most encoders accept NaN and lone surrogates, which services then reject.
        return json.dumps(to_plain(body), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "request", f"The request cannot be sent as JSON: {error}.", "Correct this value."
        ) from None


def to_json_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """Convert a body to the values that the service will read: string keys, lists, no tuples.

    Raises
    ------
    InvalidInputError
        See `encode_json`.
    """
    values: dict[str, Any] = json.loads(encode_json(body))
    return values
