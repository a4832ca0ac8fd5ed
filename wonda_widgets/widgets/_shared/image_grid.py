"""`ImageGrid`: a grid of images that sends only the visible part to the browser.

    items ──> filter ──> group | two axes ──> windows of each view ──> browser

Each view reports the windows of items that it shows, and receives captions and thumbnails only for
these. A thousand images therefore cost a notebook no more than the twenty in view. When the
items change, every known window is sent again without a request, because a kernel reads no messages
while it runs a cell.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import msgspec
import traitlets

from ...api.history import MAX_RANK
from ...errors import WondaError
from ...export import grid_axes
from ...models import facts
from . import error_alerts, gallery_items
from .permissions import open_to_all
from .video_panel import VideoPanel

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from ...export.grid_axes import GridTable
    from ...journal.generated_image import GeneratedImage
    from ...models import Media
    from .gallery_items import Item

ARRANGE_DELAY_SECONDS = 0.2  # seconds in which several changes are collected
THUMBNAIL_DELAY_SECONDS = 0.01  # seconds in which thumbnails are collected for one message
MAX_WINDOW_ITEMS = 400
MAX_WINDOWS = 60  # of a view: one for each visible row of a grid with two axes
MAX_AXIS_VALUES = 1_000
MAX_CELLS = 40_000  # of a grid with two axes
MAX_VIEWS = 6
ARRANGEMENTS = ("cards", "grid")
NO_AXIS = "-"
KNOWN_FACTS_SAMPLE = 50  # the maximum number of items searched for the names of facts


class _View(msgspec.Struct):
    """What a page shows of the items.

    Attributes
    ----------
    windows : list of tuple of int
        The indexes of the first item and of the one after the last, of each window.
    area : tuple of tuple of int, or None
        The first and the last row, and the first and the last column, of a grid with two axes.
    """

    windows: list[tuple[int, int]]
    area: tuple[tuple[int, int], tuple[int, int]] | None = None


class ImageGrid(VideoPanel):
    """Base of `Gallery`: filters, groups and sends items, and stores the selection.

    Parameters
    ----------
    owners : collection of str, optional
        The processes (`GeneratedImage.made_by`) whose images may be marked; by default, all.
    """

    selected: Any = traitlets.List()
    """The selected images (`GeneratedImage`), in the order of selection."""
    selected_keys = traitlets.List(traitlets.Unicode()).tag(sync=True)
    has_selected_video = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether a video is selected."""
    _reactive_traits = ("selected",)
    searches = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether the panel shows the journal and therefore has a search box."""
    groups: Any = traitlets.List().tag(sync=True)
    """``title`` and ``count`` of each group, in order."""
    facets: Any = traitlets.List().tag(sync=True)
    """The facts that vary, with their values."""
    arrangement = traitlets.Enum(ARRANGEMENTS, "cards").tag(sync=True)
    """``"cards"``, or ``"grid"``: with the values of two facts in rows and columns."""
    grid_rows = traitlets.Unicode("").tag(sync=True)
    grid_columns = traitlets.Unicode("").tag(sync=True)
    """The facts of the axes; empty to choose one that differs, ``"-"`` for none."""
    grid: Any = traitlets.Dict().tag(sync=True)
    """``row_fact`` and ``column_fact``, the labels of ``rows`` and ``columns``, and ``counts``: for
    each row and column, how many of the items, which are in this order, are in the cell. Empty
    unless `arrangement` is ``"grid"``."""
    axes: Any = traitlets.List().tag(sync=True)
    """``name`` and ``label`` of each fact that can be an axis."""
    group_by = traitlets.Unicode("").tag(sync=True)
    filters = traitlets.Dict().tag(sync=True)
    """The required value of each filtered fact."""
    favorites = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether only favorites are shown."""
    rating = traitlets.Int(0, min=0, max=5).tag(sync=True)
    """The minimum number of stars."""
    order = traitlets.Enum(("", *gallery_items.SORT_KEYS), "").tag(sync=True)
    """How images are sorted; empty for the order in which they were given."""
    rank = traitlets.Int(0, min=0, max=MAX_RANK).tag(sync=True)
    """The last place in the latest review that is shown; 0 for all images."""
    approval = traitlets.Enum(("", "approved", "rejected", "divided"), "").tag(sync=True)
    """The result of the latest review that is shown; empty for all."""
    reviewed: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """``"rank"`` and ``"approval"``, if any image has one."""
    rated = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether any image has stars."""
    total = traitlets.Int(0).tag(sync=True)
    """The number of items, including those that the filters hide."""
    aspect_ratio = traitlets.Float(1.0).tag(sync=True)
    """Width divided by height of the space for each image."""
    revision = traitlets.Int(0).tag(sync=True)
    """Increases with each new arrangement."""
    state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"`` or ``"ready"``."""

    def __init__(self, *args: Any, owners: Collection[str] | None = None, **traits: Any) -> None:
        self._owners = owners
        self._items: list[Item] = []
        self._varying: dict[str, list[str]] = {}  # the facts that differ; see `facts.varying`
        self._items_by_key: dict[str, Item] = {}
        self._shown: list[Item] = []
        self._facet_names: list[str] = []
        self._views: dict[str, _View] = {}
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._thumbnails: dict[str, bytes] = {}  # loaded, to be sent in the next message
        self._selected_items: dict[str, Item] = {}  # kept even while a search does not show them
        self._arrange_pending = False
        self._images_listener: Callable[[], object] | None = None
        super().__init__(*args, **traits)

    def on_images(self, listener: Callable[[], object]) -> None:
        """Call `listener` on the package's loop whenever there are images to show."""
        self._images_listener = listener

    # ------------------------------------------------------------ items

    def _set_items(self, items: list[Item]) -> None:
        self._items = items
        self._varying = facts.varying([item.facts for item in items])
        self._items_by_key = {item.key: item for item in items}
        self._select(
            [key for key in self.selected_keys if key in self._items_by_key or self.searches]
        )
        self._arrange()

    def _arrange_soon(self) -> None:
        """Arrange the items once for several changes in quick succession."""
        if not self._arrange_pending:
            self._arrange_pending = True
            asyncio.get_running_loop().call_later(ARRANGE_DELAY_SECONDS, self._arrange)

    def _arrange(self) -> None:
        """Filter and group the items, and send each view the part that it shows."""
        self._arrange_pending = False
        if self._closed:
            return
        varying = self._varying
        facets = gallery_items.facets(varying)
        filters = {name: value for name, value in self.filters.items() if name in varying}
        by = self._fact_name(self.group_by)
        shown = gallery_items.filter_items(
            self._items,
            filters,
            favorites=self.favorites,
            rating=self.rating,
            rank=self.rank,
            approval=self.approval,
        )
        if not self.searches or self.order == "price":  # else the journal has sorted them
            shown = gallery_items.sort_items(shown, self.order)
        grid = self._arrange_grid(shown, varying) if self.arrangement == "grid" else None
        groups = (
            gallery_items.group_items(shown, by if by in varying else "")
            if grid is None
            else [("", [shown[index] for row in grid.cells for cell in row for index in cell])]
        )
        self._shown = [item for _, members in groups for item in members]
        self._facet_names = [facet.name for facet in facets]
        with self.hold_sync():
            self.facets = [msgspec.to_builtins(facet) for facet in facets]
            self.axes = [
                {"name": name, "label": facts.label(name)}
                for name, values in varying.items()
                if len(values) <= MAX_AXIS_VALUES
            ]
            self.grid = {} if grid is None else gallery_items.grid_message(grid)
            self.groups = [
                {"title": title[: facts.MAX_LABEL_LENGTH], "count": len(members)}
                for title, members in groups
                if members
            ]
            self.total = len(self._items)
            images = [item.image for item in self._items if item.image]
            self.rated = any(image.rating for image in images)
            self.reviewed = [
                *(["rank"] if any(image.rank for image in images) else []),
                *(["approval"] if any(image.approval for image in images) else []),
            ]
            self.aspect_ratio = gallery_items.aspect_ratio(shown)
            self.state = "ready"
            self.revision += 1
            for view in self._views.values():
                view.windows = _windows_after(view, len(self._shown), grid)
            # Sent before the traits, so that the browser has the items when it arranges them.
            self._send_items({window for view in self._views.values() for window in view.windows})
        self._cancel_hidden_fetches()
        if self._images_listener is not None and any(item.image for item in shown):
            self._images_listener()

    def _arrange_grid(self, shown: list[Item], varying: dict[str, list[str]]) -> GridTable:
        """Arrange items by the chosen facts; one that no longer varies is chosen again."""
        usable = [name for name, values in varying.items() if len(values) <= MAX_AXIS_VALUES]
        chosen = [
            "" if name == NO_AXIS else facts.resolve(name, usable) or None
            for name in (self.grid_rows, self.grid_columns)
        ]
        if chosen[0] and chosen[0] == chosen[1]:
            chosen[1] = None
        rows, columns = chosen
        axes = ("", "")
        if shown:
            axes = grid_axes.choose_axes(usable, usable, rows=rows, columns=columns)
            if math.prod(len(varying.get(name, ("",))) for name in axes) > MAX_CELLS:
                axes = (axes[0], "")  # the page would be sent mostly empty cells
        return grid_axes.arrange([item.facts for item in shown], *axes, varying)

    def _fact_name(self, name: str) -> str:
        """Resolve a fact's full or short name; return "" if unknown."""
        known = (fact for item in self._items[:KNOWN_FACTS_SAMPLE] for fact in item.facts)
        return facts.resolve(name, known)

    # ------------------------------------------------------------ the browser's window

    @open_to_all
    def _on_window(self, content: Mapping[str, Any]) -> None:
        windows = _read_windows(content.get("windows"))
        view = str(content.get("view"))[:80]
        self._views.pop(view, None)
        self._views[view] = _View(windows, _read_area(content.get("area")))
        if len(self._views) > MAX_VIEWS:  # a closed page does not report that it was closed
            self._views.pop(next(iter(self._views)))
        keys = content.get("has")
        cached = {key for key in keys if isinstance(key, str)} if isinstance(keys, list) else set()
        # Without `lacking`, the page has none of the items.
        self._send_items(_read_windows(content["lacking"]) if "lacking" in content else windows)
        for first, stop in windows:
            for item in self._shown[first:stop]:
                if item.image is not None and item.key not in cached:
                    self._fetch(item)
        self._cancel_hidden_fetches()

    def _send_items(self, windows: Collection[tuple[int, int]]) -> None:
        names = self._caption_facts()
        parts = [
            {
                "first": first,
                "items": [self._to_message(item, names) for item in self._shown[first:stop]],
            }
            for first, stop in windows
        ]
        if parts:
            self.send({"type": "items", "revision": self.revision, "parts": parts})

    def _send_item(self, item: Item) -> None:
        """Send an item that has changed, if a view shows it."""
        if not self._is_visible(item):
            return
        self.send({"type": "item", "item": self._to_message(item, self._caption_facts())})
        if item.image is not None:
            self._fetch(item)

    def _caption_facts(self) -> list[str]:
        grouped_by = self._fact_name(self.group_by)
        return [name for name in self._facet_names if name != grouped_by]

    def _to_message(self, item: Item, caption_facts: list[str]) -> dict[str, Any]:
        """Return the data that the browser shows of an item."""
        image = item.image
        return {
            "key": item.key,
            "state": item.state,
            "title": item.prompt[: gallery_items.MAX_TITLE_LENGTH] or gallery_items.kind(item),
            "is_video": gallery_items.is_video(item),
            "length": gallery_items.length(item),
            "caption": gallery_items.caption(item, caption_facts),
            "status": item.status,
            "price": item.price,
            "error": error_alerts.error_alert(item.error) if item.error else None,
            "favorite": image.favorite if image else False,
            "rating": image.rating if image else 0,
            "rank": image.rank if image else 0,
            "approval": image.approval if image else "",
            "note": image.note[: gallery_items.MAX_TITLE_LENGTH] if image else "",
            "read_only": image is not None and not self._is_markable(image),
        }

    def _video_of(self, of: str) -> Media | None:
        """See `VideoPanel._video_of`."""
        item = self._items_by_key.get(of)
        return item.image.media if item and item.image and gallery_items.is_video(item) else None

    def _is_markable(self, image: GeneratedImage) -> bool:
        return self._owners is None or image.made_by in self._owners

    def _visible(self) -> Iterator[Item]:
        """Yield the items that the views show."""
        for view in self._views.values():
            for first, stop in view.windows:
                yield from self._shown[first:stop]

    def _is_visible(self, item: Item) -> bool:
        return any(item is other for other in self._visible())

    # ------------------------------------------------------------ thumbnails

    def _fetch(self, item: Item) -> None:
        if item.key in self._fetching:
            return
        task = asyncio.get_running_loop().create_task(self._send_thumbnail(item))
        self._fetching[item.key] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: self._forget_fetch(item.key, done))

    def _forget_fetch(self, key: str, task: asyncio.Task[None]) -> None:
        if self._fetching.get(key) is task:  # else the fetch was canceled and perhaps restarted
            del self._fetching[key]

    def _cancel_hidden_fetches(self) -> None:
        """Cancel loading thumbnails out of view, so that visible ones load sooner."""
        visible = {item.key for item in self._visible()}
        for key in self._fetching.keys() - visible:
            self._fetching.pop(key).cancel()

    async def _send_thumbnail(self, item: Item) -> None:
        image = item.image
        if image is None or not self._is_visible(item):
            return
        try:
            data = await self._client.history.thumbnail(image)
        except WondaError as error:
            self.send({"type": "broken", "key": item.key, "reason": error.message})
            return
        if not self._thumbnails:
            asyncio.get_running_loop().call_later(THUMBNAIL_DELAY_SECONDS, self._send_thumbnails)
        self._thumbnails[item.key] = data

    def _send_thumbnails(self) -> None:
        keys, data = list(self._thumbnails), list(self._thumbnails.values())
        self._thumbnails.clear()
        if not self._closed:
            self.send({"type": "thumbs", "keys": keys}, data)

    # ------------------------------------------------------------ selection

    @open_to_all
    def _on_select(self, content: Mapping[str, Any]) -> None:
        keys = content.get("keys")
        if isinstance(keys, list):
            self._select([key for key in keys if isinstance(key, str)])

    @open_to_all
    def _on_toggle(self, content: Mapping[str, Any]) -> None:
        key = str(content.get("key"))
        others = [other for other in self.selected_keys if other != key]
        self._select(others if key in self.selected_keys else [*others, key])

    @open_to_all
    def _on_add(self, content: Mapping[str, Any]) -> None:
        keys = content.get("keys")
        if isinstance(keys, list):
            self._select([*self.selected_keys, *(key for key in keys if isinstance(key, str))])

    @open_to_all
    def _on_select_all(self, _content: object) -> None:
        self._select([item.key for item in self._shown])

    def _select(self, keys: list[str]) -> None:
        selected = [item for item in self._find(keys) if item.image is not None]
        self._selected_items = {item.key: item for item in selected}
        self.selected_keys = [item.key for item in selected]
        self.has_selected_video = any(gallery_items.is_video(item) for item in selected)
        self.selected = [item.image for item in selected]

    def _value_besides_traits(self) -> dict[str, Any]:
        """See `Panel._value_besides_traits`."""
        return {"selected_media_ids": [image.media.media_id for image in self.selected]}

    def _find(self, keys: list[str]) -> list[Item]:
        """Return the shown and selected items with these keys, without duplicates."""
        found = [
            self._items_by_key.get(key) or self._selected_items.get(key)
            for key in dict.fromkeys(keys)
        ]
        return [item for item in found if item is not None]


def _read_windows(given: object) -> list[tuple[int, int]]:
    """Return the first and the stop of each window, with a limited number of items."""
    windows = []
    for window in given[:MAX_WINDOWS] if isinstance(given, list) else ():
        match window:
            case [int(first), int(stop)] if 0 <= first < stop:
                windows.append((first, stop))
    return _limited(windows)


def _limited(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    left = MAX_WINDOW_ITEMS
    for first, stop in windows[:MAX_WINDOWS]:
        if left > 0:
            kept.append((first, min(stop, first + left)))
            left -= stop - first
    return kept


def _windows_after(view: _View, count: int, grid: GridTable | None) -> list[tuple[int, int]]:
    """Return what a view will show of another arrangement.

    A page that shows what is no longer there scrolls back to the end.
    """
    if grid is None or view.area is None:
        beyond = max((stop for _, stop in view.windows), default=0) - count
        moved = [_moved_back(window, beyond) for window in view.windows]
        return [window for window in moved if window[0] < window[1]]
    rows, columns = view.area
    rows = _moved_back(rows, rows[1] - len(grid.rows) + 1)
    columns = _moved_back(columns, columns[1] - len(grid.columns) + 1)
    return _limited(grid_axes.windows(grid, rows, columns))


def _moved_back(bounds: tuple[int, int], beyond: int) -> tuple[int, int]:
    first, last = (max(0, bound - max(0, beyond)) for bound in bounds)
    return first, last


def _read_area(given: object) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Return the first and the last row and column; None for another arrangement."""
    match given:
        case [[int(top), int(bottom)], [int(left), int(right)]] if (
            0 <= top <= bottom and 0 <= left <= right
        ):
            return (top, bottom), (left, right)
    return None
