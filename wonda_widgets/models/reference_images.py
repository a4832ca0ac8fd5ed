"""How many reference images a model takes: what the service says, then what is known.

`GET /capabilities` names a model's slots and, so far, no numbers. Where it tells
some, as it does of its publish operations, they win; the table is for where it does
not, and a model that is in neither has no limit that we invent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import ImageModel

#: Fewest and most, by model key (wonda-api.md, 4.1).
KNOWN: dict[str, tuple[int, int]] = {
    "nano-banana-2": (0, 14),
    "nano-banana-pro": (0, 14),
    "seedream-4-5": (0, 14),
    "z-image": (0, 0),
    "gpt-image-2": (0, 4),
    "birefnet-bg-removal": (1, 1),
    "runware-vectorize": (1, 1),
}


class Limit(NamedTuple):
    """How many reference images; `most` is None where no limit is known."""

    least: int
    most: int | None

    def problem(self, count: int, model: str) -> str:
        """What is wrong with so many, in a sentence; empty for nothing."""
        if self.most == 0 and count:
            return f"{model} takes no reference images."
        if self.most is not None and count > self.most:
            takes = "exactly" if self.least == self.most else "up to"
            return f"{model} takes {takes} {_images(self.most)}. Remove {count - self.most}."
        if count < self.least:
            takes = "exactly" if self.least == self.most else "at least"
            return f"{model} takes {takes} {_images(self.least)}. Add {self.least - count}."
        return ""


def limit(model: ImageModel) -> Limit:
    """How many a model takes."""
    if not model.attachments:  # the service is the live truth over any table
        return Limit(0, 0)
    for least, most in _told(model):
        if least is not None or most is not None:
            return Limit(least or 0, most)
    return Limit(*KNOWN.get(model.key, (0, None)))


def _told(model: ImageModel) -> Iterator[tuple[int | None, int | None]]:
    """What the service says, wherever it may: a slot, `accepts`, or a list among `params`."""
    for slot in model.attachments:
        yield _bounds(slot, "min", "max")
    accepts = model.accepts if isinstance(model.accepts, dict) else {}
    yield _bounds(accepts.get("media"), "min", "max")
    properties = model.params.get("properties")
    if isinstance(properties, dict):
        for name in ("attachmentMediaIds", "referenceImages", "reference_images"):
            yield _bounds(properties.get(name), "minItems", "maxItems")


def _bounds(said: Any, least: str, most: str) -> tuple[int | None, int | None]:
    said = said if isinstance(said, dict) else {}
    return _count(said.get(least)), _count(said.get(most))


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value >= 0 else None


def _images(count: int) -> str:
    return f"{count} reference image{'' if count == 1 else 's'}"
