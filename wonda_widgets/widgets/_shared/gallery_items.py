"""The items of a gallery, and how they are filtered and grouped: pure functions.

items ──> `facets` (what varies) ──> `filter_items` ──> `group_items`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ...export import grid_axes
from ...jobs.job import Job
from ...journal.generated_image import GeneratedImage
from ...models import facts
from ...utils import arguments
from . import formatting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ...errors import WondaError
    from ...export.grid_axes import GridTable
    from ...jobs.matrix.cells import CellResult

MAX_FACET_VALUES = 60  # more would be too many for a select element
MAX_TITLE_LENGTH = 300  # characters
MIN_ASPECT_RATIO, MAX_ASPECT_RATIO = 0.7, 1.6  # width / height of the space for an image


class Item(msgspec.Struct, kw_only=True):
    """One card of a gallery: an image, or a matrix cell whose image may not exist yet.

    Attributes
    ----------
    key : str
        A unique key within the gallery.
    facts : dict
        The values that can vary: values of placeholders (``"values.light"``), the model
        (``"model"``) and parameters (``"params.aspectRatio"``).
    state : str
        The state of the matrix cell, or ``"requested"`` for a waiting cell that an earlier
        kernel requested; ``"succeeded"`` for an image.
    status : str
        The service's status word of a running job.
    price : str
        What it costs to generate the image again: ``"about $0.04"``; empty if unknown.
    usd : float or None
        The same in US dollars.
    """

    key: str
    prompt: str
    facts: dict[str, str]
    state: str = "succeeded"
    image: GeneratedImage | None = None
    error: WondaError | None = None
    status: str = ""
    price: str = ""
    usd: float | None = None


class Facet(msgspec.Struct, frozen=True):
    """A fact that varies among items, with its values."""

    name: str
    label: str
    values: list[str]


def check_images(
    panel: str, given: Iterable[Any], accepted: str = "images or jobs"
) -> list[GeneratedImage | Job]:
    """Return images and jobs as a list.

    Raises
    ------
    TypeError
        For anything else, for instance a `Media`, which does not say how it was generated.
    """
    images = list(arguments.shown_images(given))
    for each in images:
        if not isinstance(each, GeneratedImage | Job):
            raise TypeError(f"{panel} accepts {accepted}, not {type(each).__name__}.")
    return images


def cell_key(matrix_number: int) -> str:
    """Return the start of the keys of a matrix's cells; the rest is the index of the cell."""
    return f"cell-{matrix_number}-"


def key_of(image: GeneratedImage) -> str:
    """Return what identifies an image among others."""
    return image.intent or image.media.media_id or ""


def from_image(image: GeneratedImage) -> Item:
    """Return the item of an image."""
    return Item(
        key=key_of(image),
        prompt=image.prompt,
        facts=facts.facts_of(image.values, image.model, image.params),
        image=image,
    )


def continue_takes(shown: Sequence[Item], new: Sequence[Item]) -> None:
    """Give more takes of shown results their facts, so that a grid has them in the same cell.

    Parameters
    ----------
    shown : sequence of Item
        The results so far. Those of the same request are take 1 if they have no number.
    new : sequence of Item
    """
    for item in new:
        same = [each for each in shown if _request(each) == _request(item)]
        if not same:
            continue
        for each in same:
            each.facts.setdefault(grid_axes.TAKE, "1")
        numbers = [int(n) for each in same if (n := each.facts[grid_axes.TAKE]).isdecimal()]
        number = max(numbers, default=1) + int(item.facts.get(grid_axes.TAKE, "1"))
        item.facts = {**same[0].facts, **item.facts, grid_axes.TAKE: str(number)}


def _request(item: Item) -> tuple[str, str | None]:
    return item.prompt, item.facts.get("model")


def from_cell(result: CellResult, matrix_number: int) -> Item:
    """Return the item of a matrix cell; `matrix_number` makes its key unique."""
    cell, snapshot = result.cell, result.job.snapshot if result.job else None
    is_requested = result.already_requested and result.state == "waiting"
    return Item(
        key=f"{cell_key(matrix_number)}{cell.index}",
        prompt=cell.prompt,
        facts=facts.facts_of(cell.values, cell.model, cell.params),
        state="requested" if is_requested else result.state,
        image=result.image,
        error=result.error,
        status=snapshot.status if snapshot else "",
        price=formatting.format_price(result.price.usd, None) if result.price else "",
        usd=result.price.usd if result.price else None,
    )


def facets(varying: Mapping[str, list[str]]) -> list[Facet]:
    """Return the facts by which items can be filtered and grouped; see `facts.varying`."""
    return [
        Facet(name, facts.label(name), values)
        for name, values in varying.items()
        if len(values) <= MAX_FACET_VALUES
    ]


def grid_message(grid: GridTable) -> dict[str, Any]:
    """Return what the browser shows of a table with two axes."""
    return {
        "row_fact": grid.row_fact,
        "column_fact": grid.column_fact,
        "rows": [facts.value_text(grid.row_fact, value) for value in grid.rows],
        "columns": [facts.value_text(grid.column_fact, value) for value in grid.columns],
        "counts": [[len(cell) for cell in row] for row in grid.cells],
    }


def is_video(item: Item) -> bool:
    """Whether an item is a video; a cell without a result is not known to be one."""
    return item.image is not None and item.image.media.is_video


def kind(item: Item) -> str:
    """Return ``"Image"`` or ``"Video"``."""
    return "Video" if is_video(item) else "Image"


def length(item: Item) -> str:
    """Return the length of a video, as players show it: ``"0:05"``; empty if unknown."""
    seconds = item.image.media.duration if item.image and is_video(item) else None
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def filter_items(
    items: Iterable[Item],
    filters: Mapping[str, str],
    *,
    favorites: bool = False,
    rating: int = 0,
    rank: int = 0,
    approval: str = "",
) -> list[Item]:
    """Return the items that match all filters.

    Parameters
    ----------
    items
    filters : dict
        The value of each fact.
    favorites : bool
    rating : int
        The minimum number of stars.
    rank : int
        The last place in the latest review; 0 for any.
    approval : str
        The result of the latest review; empty for any.
    """
    return [
        item
        for item in items
        if all(item.facts.get(name) == value for name, value in filters.items())
        and (not favorites or (item.image is not None and item.image.favorite))
        and (not rating or (item.image is not None and item.image.rating >= rating))
        and (not rank or (item.image is not None and 1 <= item.image.rank <= rank))
        and (not approval or (item.image is not None and item.image.approval == approval))
    ]


#: Keys by which images are sorted, lowest first; None comes last. The others keep their order.
SORT_KEYS: dict[str, Callable[[Item, GeneratedImage], Any]] = {
    "newest": lambda _, image: -image.made_at.timestamp() if image.made_at else None,
    "oldest": lambda _, image: image.made_at.timestamp() if image.made_at else None,
    "rank": lambda _, image: image.rank or None,
    "rating": lambda _, image: -image.rating or None,
    "price": lambda item, _: item.usd,
    "fastest": lambda _, image: image.seconds or None,
}


def sort_items(items: Sequence[Item], order: str) -> list[Item]:
    """Sort items by an order of `SORT_KEYS`; an empty one changes nothing."""
    key = SORT_KEYS.get(order)
    if key is None:
        return list(items)
    values = [key(item, item.image) if item.image is not None else None for item in items]
    places = sorted(range(len(items)), key=lambda at: (values[at] is None, values[at] or 0))
    return [items[at] for at in places]


def group_items(items: Sequence[Item], by: str) -> list[tuple[str, list[Item]]]:
    """Group items by the value of the fact `by`, in the order of first appearance."""
    if not by:
        return [("", list(items))]
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.facts.get(by, ""), []).append(item)
    return list(groups.items())


def caption(item: Item, names: Iterable[str]) -> str:
    """Return the values of these facts on one line."""
    return " · ".join(
        facts.value_text(name, item.facts[name]) for name in names if item.facts.get(name)
    )


def aspect_ratio(items: Sequence[Item]) -> float:
    """Return width / height of each image's space: the common ratio, or 1.0 (square)."""
    ratios = {_image_ratio(item) for item in items} - {None}
    if len(ratios) != 1:
        return 1.0
    return min(MAX_ASPECT_RATIO, max(MIN_ASPECT_RATIO, ratios.pop() or 1.0))


def _image_ratio(item: Item) -> float | None:
    """Return an item's width / height, rounded to two digits; None if unknown."""
    wide, _, high = item.facts.get("params.aspectRatio", "").partition(":")
    if wide.isdecimal() and high.isdecimal() and int(high):
        return round(int(wide) / int(high), 2)
    media = item.image.media if item.image else None
    if media is not None and media.width and media.height:
        return round(media.width / media.height, 2)
    return None
