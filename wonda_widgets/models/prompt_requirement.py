"""Whether a model needs a prompt: what the service says, then what is known.

Where `GET /capabilities` tells it is not documented for models. It is looked for where the same
reply tells it of others: in the JSON Schema of the parameters, and under ``accepts``, as the
publish operations have it (wonda-api.md, sections 4.1, 9.3 and 13).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import ImageModel

#: Models that make something of an image alone (section 13), for where the service says nothing.
WITHOUT = frozenset({"birefnet-bg-removal", "runware-vectorize"})


def is_needed(model: ImageModel) -> bool:
    """Whether a model refuses a request without a prompt, as far as that is known."""
    for said in (_in_schema(model.params), _accepted(model.accepts)):
        if said is not None:
            return said
    return model.key not in WITHOUT


def _in_schema(schema: dict[str, Any]) -> bool | None:
    required, properties = schema.get("required"), schema.get("properties")
    if isinstance(required, list) and "prompt" in required:
        return True
    return False if isinstance(properties, dict) and "prompt" in properties else None


def _accepted(accepts: Any) -> bool | None:
    if not isinstance(accepts, dict) or "text" not in accepts:
        return None
    text = accepts["text"]
    if isinstance(text, dict):
        needed, optional, least = (text.get(name) for name in ("required", "optional", "min"))
        if isinstance(needed, bool):
            return needed
        if isinstance(optional, bool):
            return not optional
        return least > 0 if isinstance(least, int) and not isinstance(least, bool) else None
    return False if text in (None, False) else None
