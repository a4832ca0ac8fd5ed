"""Determine how many reference images a model accepts.

`GET /capabilities` lists a model's inputs for images but, so far, no numbers. Numbers in the
response take precedence over a table; a model in neither has no known limit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .wire_types import GenerationModel

#: Minimum and maximum by model key (wonda-api.md, section 4.1).
KNOWN_LIMITS: dict[str, tuple[int, int]] = {
    "nano-banana-2": (0, 14),
    "nano-banana-pro": (0, 14),
    "seedream-4-5": (0, 14),
    "z-image": (0, 0),
    "gpt-image-2": (0, 4),
    "birefnet-bg-removal": (1, 1),
    "runware-vectorize": (1, 1),
}


class ReferenceLimit(NamedTuple):
    """How many reference images a model accepts; a `maximum` of None means no known limit."""

    minimum: int
    maximum: int | None

    def message(self, count: int, model: str) -> str:
        """Return why `count` images are not accepted and what to do; empty if they are.

        Parameters
        ----------
        count : int
        model : str
            The model's name, for the sentence.
        """
        amount = "exactly" if self.minimum == self.maximum else ""
        if self.maximum == 0 and count:
            return f"{model} accepts no reference images."
        if self.maximum is not None and count > self.maximum:
            excess = count - self.maximum
            return f"{model} accepts {amount or 'up to'} {_images(self.maximum)}. Remove {excess}."
        if count < self.minimum:
            lacking = self.minimum - count
            return f"{model} accepts {amount or 'at least'} {_images(self.minimum)}. Add {lacking}."
        return ""


def limit_for(model: GenerationModel) -> ReferenceLimit:
    """Return how many reference images `model` accepts."""
    if not model.attachments:  # the response is more current than the table
        return ReferenceLimit(0, 0)
    for minimum, maximum in _declared_bounds(model):
        if minimum is not None or maximum is not None:
            return ReferenceLimit(minimum or 0, maximum)
    return ReferenceLimit(*KNOWN_LIMITS.get(model.key, (0, None)))


def _declared_bounds(model: GenerationModel) -> Iterator[tuple[int | None, int | None]]:
    """Yield the bounds from each place where the response may have some."""
    for attachment in model.attachments:
        yield _bounds(attachment, "min", "max")
    accepts = model.accepts if isinstance(model.accepts, dict) else {}
    yield _bounds(accepts.get("media"), "min", "max")
    properties = model.params.get("properties")
    if isinstance(properties, dict):
        for name in ("attachmentMediaIds", "referenceImages", "reference_images"):
            yield _bounds(properties.get(name), "minItems", "maxItems")


def _bounds(spec: Any, minimum: str, maximum: str) -> tuple[int | None, int | None]:
    spec = spec if isinstance(spec, dict) else {}
    return _count(spec.get(minimum)), _count(spec.get(maximum))


def _count(value: Any) -> int | None:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return value if is_integer and value >= 0 else None


def _images(count: int) -> str:
    return f"{count} reference image{'' if count == 1 else 's'}"
