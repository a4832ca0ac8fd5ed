"""Determine whether a model requires a prompt.

The service does not document where `GET /capabilities` states this for models. This module
therefore reads the fields that state it for publish operations in the same response: the JSON
Schema of the parameters and ``accepts`` (wonda-api.md, sections 4.1, 9.3 and 13). A table covers
the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .wire_types import GenerationModel

#: Models that need an image and no prompt (section 13), if the service does not say.
PROMPTLESS_MODELS = frozenset({"birefnet-bg-removal", "runware-vectorize"})


def is_prompt_required(model: GenerationModel) -> bool:
    """Return whether the service rejects a request to `model` without a prompt."""
    for required in (_required_by_schema(model.params), _required_by_accepts(model.accepts)):
        if required is not None:
            return required
    return model.key not in PROMPTLESS_MODELS


def _required_by_schema(schema: dict[str, Any]) -> bool | None:
    required, properties = schema.get("required"), schema.get("properties")
    if isinstance(required, list) and "prompt" in required:
        return True
    return False if isinstance(properties, dict) and "prompt" in properties else None


def _required_by_accepts(accepts: Any) -> bool | None:
    if not isinstance(accepts, dict) or "text" not in accepts:
        return None
    text = accepts["text"]
    if isinstance(text, dict):
        required, optional, minimum = (text.get(name) for name in ("required", "optional", "min"))
        if isinstance(required, bool):
            return required
        if isinstance(optional, bool):
            return not optional
        if isinstance(minimum, int) and not isinstance(minimum, bool):
            return minimum > 0
        return None
    return False if text in (None, False) else None
