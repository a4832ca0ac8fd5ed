"""`Gallery`: browse, search, mark and select many images.

images | matrix | journal search ──> items ──> `ImageGrid`
"""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import traitlets

from ..errors import InvalidInputError, WondaError
from ..export import grid_axes
from ..http.responses import replace_lone_surrogates
from ..jobs.matrix.cells import total_price
from ..jobs.matrix.matrix import Matrix
from ..journal.generated_image import GeneratedImage
from ..journal.images import ORDERS
from ..models import facts
from ..utils import event_loop
from ._shared import error_alerts, formatting, gallery_items, large_image
from ._shared.frontend import view
from ._shared.image_grid import NO_AXIS, ImageGrid
from ._shared.permissions import Permission, open_to_all, requires
from ._shared.zip_download import ZipDownload

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..jobs.matrix.cells import CellResult
    from ._shared.gallery_items import Item
    from ._shared.permissions import Permissions

FIRST_PAGE_SIZE = 120  # images of a search that are shown initially
MAX_RESULTS = 1_000  # images of a search; a narrower search finds the others
SEARCH_DELAY_SECONDS = 0.4  # seconds without a keystroke before the remaining results are loaded
REFRESH_DELAY_SECONDS = 0.5  # seconds in which several journal changes are collected
SEARCH_TRAITS = ("text", "kind", "model", "collection", "since", "until")
#: Traits that the browser sets; the search text is sent as a message instead.
BROWSER_TRAITS = (
    *("arrangement", "grid_rows", "grid_columns", "group_by"),
    *("filters", "favorites", "rating", "rank", "approval", "order"),
    *(*SEARCH_TRAITS[1:], "notify"),
)
#: Traits that change only which of the items are where.
ARRANGING = ["arrangement", "grid_rows", "grid_columns", "group_by", "filters"]
#: File names of exports by their kind.
EXPORTS = {
    "csv": "wonda-results.csv",
    "json": "wonda-results.json",
    "folder": "wonda-results",
    "html": "wonda-results.html",
    "grid": "wonda-grid.png",
}
MARK_TYPES = {"favorite": bool, "rating": int, "note": str}


class Gallery(ZipDownload, ImageGrid):
    """A grid of many images that can be grouped, filtered, marked, enlarged and selected.

    Arrow keys move, Space selects, Enter enlarges, Escape goes back. The selected images are
    in `selected`, for the next cell.

    Parameters
    ----------
    images : list of Image or Job, or Matrix, optional
        The images to show; a matrix is filled in as its images are generated. By default, every
        image in the journal, with a search box.
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the images, jobs or matrix; without these, a client with the key
        from the environment, or a sandbox.
    group_by : str
        The fact by which to group: a placeholder's name, ``"model"`` or a parameter.
    rows, columns : str, optional
        Start as a grid with the values of these facts in rows and columns.
    owners : collection of str, optional
        The processes (`GeneratedImage.made_by`) whose images may be marked; by default, all.

    Examples
    --------
    >>> gallery = ww.Gallery(wonda=wonda)
    >>> gallery

    >>> ww.Gallery(matrix, rows="subject", columns="template")

    After selecting images, in the next cell:

    >>> media_ids = [image.media.media_id for image in gallery.selected]
    """

    _panel = view("gallery")
    _browser_traits = dict.fromkeys(BROWSER_TRAITS)

    text = traitlets.Unicode("").tag(sync=True)
    """Search: the words."""
    kind = traitlets.Enum(("", "image", "video"), "").tag(sync=True)
    """Search: only images or only videos; empty for both."""
    has_videos = traitlets.Bool(default_value=False).tag(sync=True)
    """Search: whether there is a choice between images and videos."""
    model = traitlets.Unicode("").tag(sync=True)
    """Search: the model's key."""
    models = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Search: the keys of all models in the journal."""
    collection = traitlets.Unicode("").tag(sync=True)
    """Search: the name of a collection."""
    collections = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """The names of all collections."""
    since = traitlets.Unicode("").tag(sync=True)
    """Search: the first day, ``"2026-11-24"``."""
    until = traitlets.Unicode("").tag(sync=True)
    """Search: the last day."""
    has_more = traitlets.Bool(default_value=False).tag(sync=True)
    """Search: whether more than `total` images match, which are still being loaded."""
    note = traitlets.Unicode("").tag(sync=True)
    """A line about the search or the export."""
    progress = traitlets.Dict().tag(sync=True)
    """Matrix: ``text``, ``state``, the shares ``succeeded`` and ``failed`` (0 to 1), and the
    buttons ``offers_resume`` and ``offers_retry`` with ``resume_price`` and ``retry_price``."""
    notify = traitlets.Bool(default_value=False).tag(sync=True)
    """Matrix: whether the browser tells when the run has ended."""
    actions: Any = traitlets.List().tag(sync=True)
    """The added actions: ``name``, ``label``, ``min_images``, ``max_images``, ``images_only``."""

    def __init__(
        self,
        images: Iterable[Any] | Matrix | None = None,
        *,
        wonda: Wonda | AsyncWonda | None = None,
        group_by: str = "",
        rows: str = "",
        columns: str = "",
        owners: Collection[str] | None = None,
        **traits: Any,
    ) -> None:
        self._search_task: asyncio.Task[None] | None = None
        self._refresh_pending = False
        self._matrix: Matrix | None = None
        self._steers_matrix = True
        self._matrix_number = 0  # makes the keys of each matrix's cells unique
        self._actions: dict[str, _Action] = {}
        if rows and rows == columns:
            raise InvalidInputError(
                "columns",
                f"Rows and columns are both “{rows}”.",
                "Choose another fact for one of them.",
            )
        self._chosen_axes = {"rows": rows, "columns": columns}
        source = (
            images
            if images is None or isinstance(images, Matrix)
            else gallery_items.check_images("Gallery", images, "images, jobs or a matrix")
        )
        given = source if isinstance(source, list) else [source]
        super().__init__(
            wonda,
            given=given,
            owners=owners,
            searches=images is None,
            group_by=group_by,
            arrangement="grid" if rows or columns else "cards",
            grid_rows=rows,
            grid_columns=columns,
            **traits,
        )
        self.observe(lambda _: event_loop.call_soon(self._arrange), ARRANGING)
        self.observe(
            lambda _: event_loop.call_soon(self._apply_filters),
            ["favorites", "rating", "rank", "approval", "order", *SEARCH_TRAITS],
        )
        self._subscriptions.append(self._client.history.watch(self._refresh_soon))
        event_loop.call_soon(lambda: self._show_source(source))
        event_loop.call_soon(lambda: self._start(self._load_collections))

    def _show_source(self, source: list[GeneratedImage | Job] | Matrix | None) -> None:
        if source is None:
            self._search()
        elif isinstance(source, Matrix):
            self.show_matrix(source)
        else:
            self._start(self._show_images, source)

    async def _load_collections(self) -> None:
        self.collections = list(await self._client.history.collections())

    async def _show_images(self, given: list[GeneratedImage | Job]) -> None:
        images = [
            each if isinstance(each, GeneratedImage) else await self._client.history.of(each)
            for each in given
        ]
        self._set_items([gallery_items.from_image(image) for image in images])
        self._check_axes()
        await self._refresh_marks()  # they may have changed since the images were read

    # ------------------------------------------------------------ a matrix

    def show_matrix(self, matrix: Matrix | None, *, beside: bool = False) -> None:
        """Show another matrix, or nothing. Call this on the package's loop only.

        Parameters
        ----------
        matrix : Matrix or None
        beside : bool
            Whether to keep the results that are shown now, before those of the matrix.
        """
        self._subscription.end()
        if self._closed:
            return
        self._matrix = matrix
        self._matrix_number += 1
        self._update_progress()
        if matrix is None:
            self._set_items([])
            return
        self._subscription.replace(matrix.watch(self._update_cell))
        cells = [gallery_items.from_cell(cell, self._matrix_number) for cell in matrix.cells]
        kept = [item for item in self._items if item.image is not None] if beside else []
        gallery_items.continue_takes(kept, cells)
        self._set_items([*kept, *cells])
        self._catch_errors(self._check_axes)

    def _check_axes(self) -> None:
        """Check that the images have the facts that were chosen for the axes of the grid.

        Raises
        ------
        InvalidInputError
        """
        known = list(dict.fromkeys(name for item in self._items for name in item.facts))
        for axis, name in self._chosen_axes.items():
            if known and name != NO_AXIS:
                grid_axes.find_fact(axis, name, known)

    def set_steering(self, steers: bool) -> None:  # noqa: FBT001 - the only argument
        """Set whether to offer `Resume` and `Retry failed`, or leave them to another panel."""
        self._steers_matrix = steers
        self._update_progress()

    def _update_cell(self, changed: CellResult | None) -> None:
        """Show a change: in one cell of the matrix, or possibly in all of them (None)."""
        if self._closed or self._matrix is None:
            return
        for cell in [changed] if changed is not None else self._matrix.cells:
            new = gallery_items.from_cell(cell, self._matrix_number)
            item = self._items_by_key.get(new.key)
            if item is None:
                return
            new.facts = item.facts
            if item.image is not None and new.image is not None:
                new.image = item.image  # it may have marks that the cell's image lacks
            for name in new.__struct_fields__:
                setattr(item, name, getattr(new, name))
            if changed is not None:
                self._send_item(item)
        if changed is None or changed.image is not None:
            self._arrange_soon()
        self._update_progress()

    def _update_progress(self) -> None:
        matrix = self._matrix
        if matrix is None or matrix.state == "planned":
            self.progress = {}
            return
        progress = matrix.progress
        total = max(1, progress.total)
        is_stopped = matrix.state == "stopped"
        cells = [] if matrix.state == "running" else matrix.cells
        self.progress = {
            "text": f"{progress}, stopped" if is_stopped else str(progress),
            "succeeded": progress.succeeded / total,
            "failed": progress.failed / total,
            "state": matrix.state,
            "offers_resume": is_stopped and self._steers_matrix,
            "offers_retry": progress.failed > 0
            and matrix.state != "running"
            and self._steers_matrix,
            "resume_price": _price(cell for cell in cells if cell.is_pending),
            "retry_price": _price(cell for cell in cells if cell.state == "failed"),
        }
        self.error = error_alerts.error_alert(matrix.error) if matrix.error else None

    @requires(Permission.GENERATE)
    def _on_retry_failed(self, _content: object) -> None:
        if self._matrix is not None:
            self._matrix.retry_failed()

    @requires(Permission.GENERATE)
    def _on_retry(self, content: Mapping[str, Any]) -> None:
        item = self._items_by_key.get(str(content.get("key")))
        prefix = gallery_items.cell_key(self._matrix_number)
        if self._matrix is not None and item is not None and item.key.startswith(prefix):
            self._matrix.retry(int(item.key.removeprefix(prefix)))

    @requires(Permission.GENERATE)
    def _on_stop(self, _content: object) -> None:
        if self._matrix is not None:
            self._matrix.stop()

    @requires(Permission.GENERATE)
    def _on_resume(self, _content: object) -> None:
        if self._matrix is not None and self._matrix.state == "stopped":
            self._matrix.start()

    # ------------------------------------------------------------ search

    @open_to_all
    def _on_search(self, content: Mapping[str, Any]) -> None:
        text = content.get("text")
        if self.searches and isinstance(text, str):
            self.text = replace_lone_surrogates(text)  # a trait is sent back to the browser

    @open_to_all
    def _on_show_all(self, _content: object) -> None:
        """Clear every filter."""
        with self.hold_sync():
            self.filters = {}
            self.favorites = False
            self.rating = self.rank = 0
            self.approval = ""
            self.text = self.kind = self.model = self.since = self.until = ""
            self.collection = ""

    def _apply_filters(self) -> None:
        """Search the journal again, or filter the given images."""
        if self.searches:
            self._search()
        else:
            self._arrange()
        if self.order == "price":
            self._start(self._load_prices)

    async def _load_prices(self) -> None:
        """Fetch the prices of the images that have none, then sort again."""
        for item in list(self._items):
            image = item.image
            if item.usd is None and image is not None and image.model:
                pricing = self._client.pricing
                price = await pricing.cached_estimate(model=image.model, params=image.params)
                item.usd = price.usd if price is not None else None
        if self.order == "price":
            self._arrange()

    def _search(self) -> None:
        self.note = ""
        if self._search_task is not None:
            self._search_task.cancel()
        self._search_task = self._start(self._load_results, self.text)

    def _search_filters(self) -> dict[str, Any]:
        return {
            "model": self.model or None,
            "collection": self.collection or None,
            "kind": self.kind or None,
            "favorite": self.favorites or None,
            "rating": self.rating or None,
            "rank": self.rank or None,
            "approval": self.approval or None,
            "order": self.order if self.order in ORDERS else "newest",
            "since": _parse_day("since", self.since),
            "until": _parse_day("until", self.until),
        }

    def _set_results(self, images: list[GeneratedImage]) -> None:
        self.has_videos = self.has_videos or any(image.media.is_video for image in images)
        self._set_items([gallery_items.from_image(image) for image in images])

    async def _load_results(self, text: str) -> None:
        """Show the first page immediately, and the rest when the user stops typing."""
        history, filters = self._client.history, self._search_filters()
        images = await history.search(text, limit=FIRST_PAGE_SIZE, **filters)
        with self.hold_sync():
            self.error = None
            self.has_more = len(images) == FIRST_PAGE_SIZE
            self._set_results(images)
        await asyncio.sleep(SEARCH_DELAY_SECONDS)
        self.models = await history.models()
        self.collections = list(await history.collections())
        if self.has_more:
            await self._load_all_results(text, filters)

    async def _load_all_results(self, text: str, filters: dict[str, Any]) -> None:
        images = await self._client.history.search(text, limit=MAX_RESULTS, **filters)
        count = len(images)
        if count == MAX_RESULTS:
            count = await self._client.history.count(text, **filters)
        with self.hold_sync():
            self._set_results(images)
            if self.order == "price":
                self._start(self._load_prices)
            self.has_more = False
            self.note = (
                f"Showing the newest {MAX_RESULTS:,} of {count:,} results. Narrow the search to "
                "find the others."
                if count > MAX_RESULTS
                else ""
            )

    def _refresh_soon(self) -> None:
        """Search, or read the marks, once for several changes in quick succession."""
        if not self._refresh_pending and not self._closed:
            self._refresh_pending = True
            asyncio.get_running_loop().call_later(REFRESH_DELAY_SECONDS, self._refresh)

    def _refresh(self) -> None:
        self._refresh_pending = False
        if not self._closed and self.searches:
            self._search()
        elif not self._closed:
            self._start(self._refresh_marks)

    async def _refresh_marks(self) -> None:
        """Show the results of reviews and other marks that were made elsewhere."""
        items = {item.key: item.image for item in self._items if item.image is not None}
        fresh = await self._client.history.refresh(items.values())
        for (key, old), new in zip(items.items(), fresh, strict=True):
            item = self._items_by_key.get(key)
            if item is not None and item.image is old and new != old:
                item.image = new
                self._send_item(item)
                self._arrange_soon()

    def check_for_new_images(self) -> None:
        """Search again if the journal has new images, from any process. On the loop only."""
        if self.searches and not self._refresh_pending and not self._closed:
            self._refresh_pending = True
            self._start(self._compare_with_journal)

    async def _compare_with_journal(self) -> None:
        await asyncio.sleep(REFRESH_DELAY_SECONDS)
        self._refresh_pending = False
        # Comparing the newest image is not enough: an earlier request may finish later.
        filters = self._search_filters()
        found = await self._client.history.search(self.text, limit=FIRST_PAGE_SIZE, **filters)
        known = [item.key for item in self._items[:FIRST_PAGE_SIZE]]
        if [gallery_items.from_image(image).key for image in found] != known:
            self._search()

    def refresh(self) -> None:
        """Search the journal again; return immediately."""
        if self.searches:
            event_loop.call_soon(self._search)

    # ------------------------------------------------------------ marks and the enlarged image

    @open_to_all
    def _on_mark(self, content: Mapping[str, Any]) -> None:
        item = self._items_by_key.get(str(content.get("key")))
        marks = {
            name: content[name]
            for name, mark_type in MARK_TYPES.items()
            if isinstance(content.get(name), mark_type)
        }
        if item is None or item.image is None or not marks:
            return
        if not self._is_markable(item.image):
            raise InvalidInputError(
                "image",
                "This was generated in another session.",
                "Only that session can rate it, add a note or mark it as a favorite.",
            )
        self._start(self._mark, item, item.image, marks)

    async def _mark(self, item: Item, image: GeneratedImage, marks: dict[str, Any]) -> None:
        marked = await self._client.history.mark(image, **marks)
        self.error = None
        # The images may have been read again in the meantime, or are being read without the marks.
        item = self._items_by_key.get(item.key, item)
        item.image = marked
        if self._search_task is not None and not self._search_task.done():
            self._search()
        self.send({"type": "item", "item": self._to_message(item, self._caption_facts())})
        self._select(self.selected_keys)  # `selected` also has the marks
        self.rated = self.rated or marked.rating > 0
        if self.favorites or self.rating:
            self._arrange()

    @open_to_all
    def _on_open(self, content: Mapping[str, Any]) -> None:
        item = self._items_by_key.get(str(content.get("key")))
        if item is not None and item.image is not None:
            self._start(self._open, item, item.image, content.get("view"))

    async def _open(self, item: Item, image: GeneratedImage, view: object) -> None:
        """Send the details of an image, then an enlarged copy."""
        rows = [{"label": facts.label(name), "value": value} for name, value in item.facts.items()]
        if image.seconds:
            rows.append(
                {"label": "Generated in", "value": formatting.format_duration(image.seconds)}
            )
        if image.made_at is not None:
            created = formatting.format_time(image.made_at)
            rows.append({"label": "Created", "value": created})
        details = {
            "key": item.key,
            "view": view,
            "prompt": image.prompt,
            "rows": rows,
            "code": image.code(),
            "note": image.note,
            "media_id": image.media.media_id or "",
        }
        self.send({"type": "about", **details})
        message = {"type": "large", "key": item.key, "view": view}
        try:
            large = await large_image.load(self._client.history, image)
        except WondaError as error:
            self.send({**message, "reason": error.message})
            return
        size = formatting.file_size(large.size)
        about = f"{large.width} × {large.height}"
        if not image.media.is_video:
            about += f" · {large.format} · {size}"
        self.send({**message, "mime": large.mime_type, "facts": about}, [large.data])

    # ------------------------------------------------------------ export

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """Return the selected images, or all that are displayed; see `storyboard.Shows`."""
        shown = [item.image for item in self._shown if item.image]
        return self._client.history, list(self.selected or shown)

    @requires(Permission.EXPORT)
    def _on_export(self, content: Mapping[str, Any]) -> None:
        kind = str(content.get("kind"))
        if kind in EXPORTS:
            self._start(self._export, self._shows()[1], kind)

    async def _export(self, images: list[GeneratedImage], kind: str) -> None:
        self.error = None
        count = f"{len(images):,} result{'' if len(images) == 1 else 's'}"
        self.note = f"Exporting {count}…"
        try:
            target = await event_loop.to_thread(Path, EXPORTS[kind])
            history = self._client.history
            problems: Sequence[str] = ()
            if kind == "grid":
                axes = {"rows": self.grid.get("row_fact"), "columns": self.grid.get("column_fact")}
                path = await history.grid(self._with_shown_facts(images), target, **axes)
            else:
                path, problems = await history.export_with_problems(images, target)
        except BaseException:
            self.note = ""
            raise
        self.note = f"Exported {count} to {path.name}"
        if problems:
            done = len(images) - len(problems)
            self.note = f"{done} of {count} exported to {path.name}. {problems[0]}"

    def _with_shown_facts(self, images: list[GeneratedImage]) -> list[GeneratedImage]:
        """Return the images with the facts by which the grid arranges them."""
        key_of = gallery_items.key_of
        shown = {key_of(item.image): item.facts for item in self._items if item.image is not None}
        return [
            msgspec.structs.replace(image, values=facts.values_of(shown[key_of(image)]))
            if key_of(image) in shown
            else image
            for image in images
        ]

    def _images_to_zip(self, content: Mapping[str, Any]) -> list[GeneratedImage]:
        keys = content.get("keys")
        items = self._find(list(map(str, keys)) if isinstance(keys, list) else [])
        return [item.image for item in items if item.image is not None]

    # ------------------------------------------------------------ collections

    @open_to_all
    def _on_collect(self, content: Mapping[str, Any]) -> None:
        """Put the selected images into a collection, or take them out of it."""
        name = content.get("name")
        if not all(map(self._is_markable, self.selected)):
            raise InvalidInputError(
                "image",
                "A selected result was generated in another session.",
                "Only that session can add it to a collection, or remove it.",
            )
        if isinstance(name, str) and self.selected:
            is_removal = content.get("remove") is True
            self._start(self._collect, list(self.selected), name, is_removal)

    async def _collect(
        self,
        images: list[GeneratedImage],
        name: str,
        is_removal: bool,  # noqa: FBT001 - only called above
    ) -> None:
        history = self._client.history
        if not any(image.intent for image in images):
            raise InvalidInputError(
                "image",
                "These results are not in the journal, so no collection can contain them.",
                "Generate or import them first.",
            )
        await (history.uncollect if is_removal else history.collect)(images, name)
        self.error = None
        count = f"{len(images):,} result{'' if len(images) == 1 else 's'}"
        self.note = f"{count} {'removed from' if is_removal else 'added to'} “{name}”."
        self.collections = list(await history.collections())

    # ------------------------------------------------------------ actions of other panels

    def add_action(
        self,
        name: str,
        label: str,
        action: Callable[[list[GeneratedImage]], object],
        *,
        min_images: int = 1,
        max_images: int = 1,
        images_only: bool = False,
        permission: Permission | None,
    ) -> None:
        """Add a button that runs an action on the selected images.

        Parameters
        ----------
        name, label : str
            The action's name in messages, and the text of its button.
        action : callable
            Called on the package's loop with the images.
        min_images, max_images : int
            How many images the action accepts.
        images_only : bool
            Whether the button is off for videos; the action refuses them itself.
        permission : Permission or None
            The permission that a session needs for the action; None if it is open to all.
        """
        self._actions[name] = _Action(
            label, action, min_images, max_images, images_only, permission
        )
        self._update_actions()

    def grant(self, permissions: Permissions) -> None:
        """Replace the permissions and update the list of actions; see `Panel.grant`."""
        super().grant(permissions)
        self._update_actions()

    def _update_actions(self) -> None:
        self.actions = [
            {
                "name": name,
                "label": action.label,
                "min_images": action.min_images,
                "max_images": action.max_images,
                "images_only": action.images_only,
            }
            for name, action in self._actions.items()
            if self._permissions.grants(action.permission)
        ]

    @open_to_all
    def _on_act(self, content: Mapping[str, Any]) -> None:
        action = self._actions.get(str(content.get("name")))
        if action is None:
            return
        self._permissions.check(action.permission)
        keys = content.get("keys")
        items = self._find(list(map(str, keys)) if isinstance(keys, list) else [])
        images = [item.image for item in items if item.image is not None]
        if action.min_images <= len(images) <= action.max_images:
            action.call(images)


class _Action(NamedTuple):
    """An action that can be applied to selected images; see `Gallery.add_action`."""

    label: str
    call: Callable[[list[GeneratedImage]], object]
    min_images: int
    max_images: int
    images_only: bool
    permission: Permission | None


def _price(cells: Iterable[CellResult]) -> str:
    """Return the price of generating cells: ``"about $0.08"``; empty if it is unknown."""
    return formatting.format_price(total_price(list(cells)).usd or None, None)


def _parse_day(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInputError(
            name, f"{text!r} is not a valid date.", "Use the format 2026-11-24."
        ) from None
