"""What a gallery shows, filtered and grouped: pure functions.

items ──> `facets` (what varies) ──> `matching` (filters) ──> `grouped`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ...jobs.job import Job
from ...journal.images import GeneratedImage
from ...models import parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...errors import WondaError
    from ...matrix.cells import CellResult

MOST_VALUES = 60  # of a facet; beyond that nobody chooses from a list
LONGEST_LABEL = 120  # characters
LONGEST_TITLE = 300
TALLEST, WIDEST = 0.7, 1.6  # width to height of the room for an image


class Item(msgspec.Struct, kw_only=True):
    """One place in a gallery: an image, or one that is still to come.

    Attributes
    ----------
    key : str
    facts : dict
        What can vary: placeholders' values, the model, parameters.
    state : str
        As of a cell of a matrix; ``"succeeded"`` for an image.
    """

    key: str
    prompt: str
    facts: dict[str, str]
    state: str = "succeeded"
    image: GeneratedImage | None = None
    error: WondaError | None = None
    status: str = ""
    elapsed: float = 0.0


class Facet(msgspec.Struct, frozen=True):
    """Something that varies, with its values."""

    name: str
    label: str
    values: list[str]


def checked(
    panel: str, given: Iterable[Any], taken: str = "images or jobs"
) -> list[GeneratedImage | Job]:
    """Give images and jobs as a list.

    Raises
    ------
    TypeError
        If one is something else, a `Media` for instance, which does not say how it was made.
    """
    listed = list(given)
    for each in listed:
        if not isinstance(each, GeneratedImage | Job):
            raise TypeError(f"{panel} takes {taken}, not {type(each).__name__}.")
    return listed


def of_image(image: GeneratedImage) -> Item:
    """An image's place."""
    return Item(
        key=image.intent or image.media.media_id or "",
        prompt=image.prompt,
        facts=_facts(image.values, image.model, image.params),
        image=image,
    )


def of_made(made: CellResult, run: int) -> Item:
    """A matrix cell's place; `run` tells it from the same place of another matrix."""
    cell, snapshot = made.cell, made.job.snapshot if made.job else None
    return Item(
        key=f"cell-{run}-{cell.index}",
        prompt=cell.prompt,
        facts=_facts(cell.values, cell.model, cell.params),
        state="begun" if made.already_requested and made.state == "waiting" else made.state,
        image=made.image,
        error=made.error,
        status=snapshot.status if snapshot else "",
        elapsed=snapshot.elapsed if snapshot else 0.0,
    )


def _facts(values: Mapping[str, str], model: str, params: Mapping[str, Any]) -> dict[str, str]:
    # A placeholder may be called like a parameter or "model".
    facts = {f"values.{name}": str(value) for name, value in values.items()}
    facts["model"] = model
    return facts | {f"params.{name}": str(value) for name, value in params.items()}


def label(name: str) -> str:
    """A fact's name for people."""
    kind, _, rest = name.partition(".")
    return {"values": rest, "params": parameters.humanize(rest)}.get(kind, "Model")


def facets(items: Iterable[Item]) -> list[Facet]:
    """What varies among some items, in the order in which it is met."""
    seen: dict[str, dict[str, None]] = {}
    count: dict[str, int] = {}
    total = 0
    for item in items:
        total += 1
        for name, value in item.facts.items():
            seen.setdefault(name, {})[value] = None
            count[name] = count.get(name, 0) + 1
    return [
        Facet(name, label(name), list(values))
        for name, values in seen.items()
        if len(values) + (count[name] < total) > 1 and len(values) <= MOST_VALUES
    ]


def matching(
    items: Iterable[Item],
    filters: Mapping[str, str],
    *,
    favourites: bool = False,
    rating: int = 0,
) -> list[Item]:
    """The items that a person wants to see."""
    return [
        item
        for item in items
        if all(item.facts.get(name) == value for name, value in filters.items())
        and (not favourites or (item.image is not None and item.image.favourite))
        and (not rating or (item.image is not None and item.image.rating >= rating))
    ]


def grouped(items: Sequence[Item], by: str) -> list[tuple[str, list[Item]]]:
    """Items by the value of a fact, in the order in which the values are met."""
    if not by:
        return [("", list(items))]
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.facts.get(by, ""), []).append(item)
    return list(groups.items())


def varying(item: Item, names: Iterable[str]) -> str:
    """What distinguishes an item from its neighbours, in a line."""
    return " · ".join(item.facts[name][:LONGEST_LABEL] for name in names if item.facts.get(name))


def shape(items: Sequence[Item]) -> float:
    """Width to height of the room for each image: their own, if they have one, else square."""
    ratios = {_ratio(item) for item in items} - {None}
    if len(ratios) != 1:
        return 1.0
    return min(WIDEST, max(TALLEST, ratios.pop() or 1.0))


def _ratio(item: Item) -> float | None:
    """An image's width to height, as far as that is known; to two digits."""
    wide, _, high = item.facts.get("params.aspectRatio", "").partition(":")
    if wide.isdecimal() and high.isdecimal() and int(high):
        return round(int(wide) / int(high), 2)
    media = item.image.media if item.image else None
    if media is not None and media.width and media.height:
        return round(media.width / media.height, 2)
    return None
