"""`Gallery`: many images, found again, marked and chosen.

    source (images, a matrix, the journal) ──> items ──> order ──> the browser's window of it

The browser asks for what is in sight, and gets texts and thumbnails of that alone. So a
thousand images cost a notebook no more than the twenty that somebody looks at. When what
is there changes it is told at once, without being asked: a kernel that runs a cell hears
nothing.
"""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import traitlets

from ..errors import InvalidInputError, WondaError
from ..http.responses import replace_lone_surrogates
from ..imaging import decode_threads
from ..journal.images import GeneratedImage
from ..matrix.matrix import Matrix
from ..utils import event_loop
from ._shared import gallery_items, messages
from ._shared.panel import Panel, css, esm
from ._shared.permissions import Permission, open_to_all, requires

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..matrix.cells import CellResult
    from ._shared.gallery_items import Item
    from ._shared.permissions import Permissions

FIRST_FOUND = 120  # of a search, at once
REST = 0.4  # seconds without a key pressed, after which the others are looked for
NEWS = 0.5  # seconds between looks for images that were made meanwhile
MOST_FOUND = 1_000  # of a search; words find the others
MOST_ASKED = 200  # items that one window may have
MOST_VIEWS = 6
LARGE = 1600  # pixels, the longest side of what a double click opens
LARGE_BYTES = 900_000
SEARCHED = ("text", "model", "since", "until")  # what only a search of the journal asks for
#: Traits by which a page looks for something; its words come as a message.
SET_BY_PAGES = ("group_by", "filters", "favourites", "rating", "model", "since", "until")
MARKS = {"favourite": bool, "rating": int, "note": str}

Source = Matrix | None


class Gallery(Panel):
    """Many images in a grid: group and filter them, mark them, look closely, choose.

    Arrow keys move, Space chooses, Enter opens, Escape goes back. What you choose is in
    `selected`, for the next cell.

    Parameters
    ----------
    images : list of Image or Job, or Matrix, optional
        What to show; a matrix fills in as its images are made. Without it: everything
        that was ever made with this journal, with a search box.
    wonda : Wonda or AsyncWonda, optional
        Without it: the client of the images, jobs or matrix; of none, that of the key in the
        environment, or the sandbox.
    group_by : str
        What to group by: a placeholder's name, ``"model"`` or a parameter.
    of : list of str, optional
        Whose images may be marked here, as `GeneratedImage.made_by`; without it, all.

    Examples
    --------
    >>> gallery = Gallery(wonda=wonda)
    >>> gallery                                   # the next cell, after some were chosen:
    >>> [image.media.media_id for image in gallery.selected]
    """

    _esm = esm("viewer", "close_look", "gallery")
    _css = css("gallery")
    _page_sets = dict.fromkeys(SET_BY_PAGES)

    selected: Any = traitlets.List()
    """The chosen images (`GeneratedImage`), in the order in which they were chosen."""
    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Their keys."""
    searches = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether it shows the journal and so has a search box."""
    groups: Any = traitlets.List().tag(sync=True)
    """Title and number of each group, in order."""
    facets: Any = traitlets.List().tag(sync=True)
    """What varies, with its values."""
    group_by = traitlets.Unicode("").tag(sync=True)
    filters = traitlets.Dict().tag(sync=True)
    """The wanted value of each fact that is filtered by."""
    favourites = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether only favourites are shown."""
    rating = traitlets.Int(0, min=0, max=5).tag(sync=True)
    """How many stars an image has at least."""
    rated = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether any has stars."""
    text = traitlets.Unicode("").tag(sync=True)
    """Of a search: the words."""
    model = traitlets.Unicode("").tag(sync=True)
    """Of a search: the wanted model."""
    models = traitlets.List(traitlets.Unicode()).tag(sync=True)
    """Of a search: all models that images were asked of."""
    since = traitlets.Unicode("").tag(sync=True)
    """Of a search: the first day, ``"2026-11-24"``."""
    until = traitlets.Unicode("").tag(sync=True)
    """Of a search: the last day."""
    total = traitlets.Int(0).tag(sync=True)
    """How many there are, shown or not."""
    shape = traitlets.Float(1.0).tag(sync=True)
    """Width to height of the room for each image."""
    more = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether there are more than `total`, which are still being looked for."""
    order = traitlets.Int(0).tag(sync=True)
    """Counts the changes of what is shown where."""
    state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"`` or ``"ready"``."""
    note = traitlets.Unicode("").tag(sync=True)
    progress = traitlets.Dict().tag(sync=True)
    """Of a matrix: ``text``, ``share`` (0 to 1), ``state`` and ``failed``."""
    actions: Any = traitlets.List().tag(sync=True)
    """What can be done with an image, beside what the gallery does: names and labels."""

    def __init__(
        self,
        images: Iterable[Any] | Matrix | None = None,
        *,
        wonda: Wonda | AsyncWonda | None = None,
        group_by: str = "",
        of: Collection[str] | None = None,
        **traits: Any,
    ) -> None:
        self._of = of
        self._items: list[Item] = []
        self._at: dict[str, Item] = {}
        self._shown: list[Item] = []
        self._windows: dict[object, tuple[int, int]] = {}  # what each view sees: first, beyond
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._searching: asyncio.Task[None] | None = None
        self._kept: dict[str, Item] = {}  # what is chosen, also while a search does not show it
        self._matrix: Matrix | None = None
        self._run = 0  # counts the matrices
        self._doing: dict[str, _Action] = {}
        self._due = False
        self._stale = False
        shown = (
            images
            if images is None or isinstance(images, Matrix)
            else gallery_items.checked("Gallery", images, "images, jobs or a matrix")
        )
        given = shown if isinstance(shown, list) else [shown]
        super().__init__(wonda, given=given, searches=images is None, group_by=group_by, **traits)
        self.observe(lambda _: event_loop.call_soon(self._arrange), ["group_by", "filters"])
        self.observe(
            lambda _: event_loop.call_soon(self._narrow), ["favourites", "rating", *SEARCHED]
        )
        if self.searches:
            self._unwatch.append(self._client.history.watch(self._news))
        event_loop.call_soon(lambda: self._first(shown))

    def _first(self, shown: list[GeneratedImage | Job] | Matrix | None) -> None:
        if shown is None:
            self._search()
        elif isinstance(shown, Matrix):
            self.show_matrix(shown)
        else:
            self._start(self._show, shown)

    # ------------------------------------------------------------ what is shown

    def show_matrix(self, matrix: Matrix | None) -> None:
        """Show another matrix, or nothing. On the loop only."""
        self._following.end()
        if self._closed:
            return
        self._matrix = matrix
        self._run += 1
        self._note_progress()
        if matrix is None:
            self._take([])
            return
        self._following.begin(matrix.watch(self._changed))
        self._take([gallery_items.of_made(made, self._run) for made in matrix.cells])

    def _changed(self, made: CellResult | None) -> None:
        """A cell of the matrix has changed, or all of it may have."""
        if self._closed or self._matrix is None:
            return
        for each in [made] if made is not None else self._matrix.cells:
            now = gallery_items.of_made(each, self._run)
            old = self._at.get(now.key)
            if old is None:
                return
            if old.image is not None and now.image is not None:
                now.image = old.image  # it may have been marked meanwhile
            for name in now.__struct_fields__:
                setattr(old, name, getattr(now, name))
            if made is not None:
                self._renew(old)
        if made is None or made.image is not None:
            self._arrange_soon()
        self._note_progress()

    def _note_progress(self) -> None:
        matrix = self._matrix
        if matrix is None or matrix.state == "planned":
            self.progress = {}
            return
        now = matrix.progress
        self.progress = {
            "text": str(now),
            "share": (now.succeeded + now.failed) / max(1, now.total),
            "state": matrix.state,
            "failed": now.failed,
        }
        self.error = messages.problem(matrix.error) if matrix.error else None

    @requires(Permission.GENERATE)
    def _on_retry_failed(self, _content: object) -> None:
        if self._matrix is not None:
            self._matrix.retry_failed()

    @requires(Permission.GENERATE)
    def _on_stop(self, _content: object) -> None:
        if self._matrix is not None:
            self._matrix.stop()

    @requires(Permission.GENERATE)
    def _on_go_on(self, _content: object) -> None:
        if self._matrix is not None:
            self._matrix.start()

    async def _show(self, given: list[GeneratedImage | Job]) -> None:
        found = [
            each if isinstance(each, GeneratedImage) else await self._client.history.of(each)
            for each in given
        ]
        self._take([gallery_items.of_image(image) for image in found])

    def _take(self, items: list[Item]) -> None:
        self._items = items
        self._at = {item.key: item for item in items}
        self._choose([key for key in self.chosen if key in self._at or self.searches])
        self._arrange()

    def _arrange_soon(self) -> None:
        """Arrange once for many changes that come together."""
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(0.2, self._arrange)

    def _arrange(self) -> None:
        """Filter and group; the browser then asks for what it sees of that."""
        self._due = False
        if self._closed:
            return
        facets = gallery_items.facets(self._items)
        names = {facet.name for facet in facets}
        filters = {name: value for name, value in self.filters.items() if name in names}
        by = self._fact(self.group_by)
        shown = gallery_items.matching(
            self._items, filters, favourites=self.favourites, rating=self.rating
        )
        groups = gallery_items.grouped(shown, by if by in names else "")
        self._shown = [item for _, some in groups for item in some]
        self._names = [facet.name for facet in facets]
        with self.hold_sync():
            self.facets = [msgspec.to_builtins(facet) for facet in facets]
            self.groups = [
                {"title": title[: gallery_items.LONGEST_LABEL], "count": len(some)}
                for title, some in groups
                if some
            ]
            self.total = len(self._items)
            self.rated = any(item.image and item.image.rating for item in self._items)
            self.shape = gallery_items.shape(shown)
            self.state = "ready"
            self.order += 1
            # Ahead of the traits: the browser has all at hand when it arranges anew.
            for first, beyond in set(self._windows.values()):
                self._tell(first, beyond)
        self._let_go()
        if self._told_of is not None and any(item.image for item in shown):
            self._told_of()

    def on_images(self, listener: Callable[[], object]) -> None:
        """Have `listener` called, on the package's loop, when there are images to look at."""
        self._told_of = listener

    _told_of: Callable[[], object] | None = None
    _names: list[str] = []  # noqa: RUF012 - replaced, never changed

    def _fact(self, name: str) -> str:
        """A fact by its own name or by the one that people write."""
        known = {fact for item in self._items[:50] for fact in item.facts}
        return next(
            (fact for fact in (name, f"values.{name}", f"params.{name}") if fact in known), ""
        )

    # ------------------------------------------------------------ the browser's window

    @open_to_all
    def _on_window(self, content: Mapping[str, Any]) -> None:
        first, last = (content.get(name) for name in ("first", "last"))
        if not isinstance(first, int) or not isinstance(last, int) or first < 0:
            return
        beyond, view = min(max(first, last), first + MOST_ASKED), str(content.get("view"))[:80]
        self._windows.pop(view, None)
        self._windows[view] = (first, beyond)
        if len(self._windows) > MOST_VIEWS:  # a page that was left says nothing
            self._windows.pop(next(iter(self._windows)))
        self._tell(first, beyond)
        has = content.get("has")
        has = {key for key in has if isinstance(key, str)} if isinstance(has, list) else set()
        for item in self._shown[first:beyond]:
            if item.image is not None and item.key not in has:
                self._fetch(item)
        self._let_go()

    def _tell(self, first: int, beyond: int) -> None:
        """Tell what is at some places."""
        items = [self._told(item) for item in self._shown[first:beyond]]
        self.send({"type": "items", "order": self.order, "first": first, "items": items})

    def _told(self, item: Item) -> dict[str, Any]:
        """An item as the browser knows it."""
        image = item.image
        by = self._fact(self.group_by)
        return {
            "key": item.key,
            "state": item.state,
            "title": item.prompt[: gallery_items.LONGEST_TITLE] or "Image",
            "caption": gallery_items.varying(item, [name for name in self._names if name != by]),
            "status": item.status,
            "elapsed": item.elapsed,
            "error": messages.problem(item.error) if item.error else None,
            "favourite": image.favourite if image else False,
            "rating": image.rating if image else 0,
            "note": image.note[: gallery_items.LONGEST_TITLE] if image else "",
            "fixed": image is not None and not self._may_mark(image),
        }

    def _renew(self, item: Item) -> None:
        """Tell the browser of an item that has changed, if it sees that."""
        if not self._is_seen(item):
            return
        self.send({"type": "item", "item": self._told(item)})
        if item.image is not None:
            self._fetch(item)

    def _is_seen(self, item: Item) -> bool:
        return any(
            item is other
            for first, beyond in self._windows.values()
            for other in self._shown[first:beyond]
        )

    def _fetch(self, item: Item) -> None:
        if item.key in self._fetching:
            return
        task = asyncio.get_running_loop().create_task(self._send_thumbnail(item))
        self._fetching[item.key] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda done: self._fetched(item.key, done))

    def _fetched(self, key: str, task: asyncio.Task[None]) -> None:
        if self._fetching.get(key) is task:  # else it was let go, and perhaps asked for again
            del self._fetching[key]

    def _let_go(self) -> None:
        """Wait no longer for thumbnails of what has been scrolled past: others come sooner."""
        windows = self._windows.values()
        seen = {item.key for first, beyond in windows for item in self._shown[first:beyond]}
        for key in self._fetching.keys() - seen:
            self._fetching.pop(key).cancel()

    async def _send_thumbnail(self, item: Item) -> None:
        image = item.image
        if image is None or not self._is_seen(item):
            return
        try:
            data = await self._client.history.thumbnail(image)
        except WondaError as error:
            self.send({"type": "broken", "key": item.key, "why": error.message})
            return
        if not self._closed:
            self.send({"type": "thumb", "key": item.key}, [data])

    # ------------------------------------------------------------ choosing and marking

    @open_to_all
    def _on_choose(self, content: Mapping[str, Any]) -> None:
        keys = content.get("keys")
        if isinstance(keys, list):
            self._choose([key for key in keys if isinstance(key, str)])

    @open_to_all
    def _on_toggle(self, content: Mapping[str, Any]) -> None:
        key = str(content.get("key"))
        kept = [other for other in self.chosen if other != key]
        self._choose(kept if key in self.chosen else [*kept, key])

    @open_to_all
    def _on_add(self, content: Mapping[str, Any]) -> None:
        keys = content.get("keys")
        if isinstance(keys, list):
            self._choose([*self.chosen, *(key for key in keys if isinstance(key, str))])

    @open_to_all
    def _on_choose_all(self, _content: object) -> None:
        self._choose([item.key for item in self._shown])

    def _choose(self, keys: list[str]) -> None:
        known = [self._at.get(key) or self._kept.get(key) for key in dict.fromkeys(keys)]
        chosen = [item for item in known if item is not None and item.image is not None]
        self._kept = {item.key: item for item in chosen}
        self.chosen = [item.key for item in chosen]
        self.selected = [item.image for item in chosen]

    @open_to_all
    def _on_mark(self, content: Mapping[str, Any]) -> None:
        item = self._at.get(str(content.get("key")))
        marks = {
            name: content[name]
            for name, kind in MARKS.items()
            if isinstance(content.get(name), kind)
        }
        if item is None or item.image is None or not marks:
            return
        if not self._may_mark(item.image):
            raise InvalidInputError(
                "image", "Only the person who made this image can mark it."
            )
        self._start(self._mark, item, marks)

    def _may_mark(self, image: GeneratedImage) -> bool:
        return self._of is None or image.made_by in self._of

    async def _mark(self, item: Item, marks: dict[str, Any]) -> None:
        assert item.image is not None  # noqa: S101 - see above
        item.image = await self._client.history.mark(item.image, **marks)
        self.error = None
        self.send({"type": "item", "item": self._told(item)})
        self._choose(self.chosen)  # what the next cell reads has the mark too
        self.rated = self.rated or item.image.rating > 0
        if self.favourites or self.rating:
            self._arrange()

    # ------------------------------------------------------------ looking closely

    @open_to_all
    def _on_open(self, content: Mapping[str, Any]) -> None:
        item = self._at.get(str(content.get("key")))
        if item is not None and item.image is not None:
            self._start(self._open, item, content.get("view"))

    async def _open(self, item: Item, view: object) -> None:
        image = item.image
        assert image is not None  # noqa: S101 - see above
        rows = [
            {"label": gallery_items.label(name), "value": value}
            for name, value in item.facts.items()
        ]
        if image.seconds:
            rows.append({"label": "Duration", "value": messages.duration(image.seconds)})
        if image.made_at is not None:
            made = image.made_at.astimezone()
            rows.append({"label": "Created", "value": f"{made:%Y-%m-%d %H:%M}"})
        about = {
            "key": item.key,
            "view": view,
            "prompt": image.prompt,
            "rows": rows,
            "code": image.code(),
            "note": image.note,
            "media_id": image.media.media_id or "",
        }
        self.send({"type": "about", **about})
        try:
            data = await self._client.history.original(image)
            large = await decode_threads.run(_large, data)
        except WondaError as error:
            self.send({"type": "large", "key": item.key, "view": view, "why": error.message})
            return
        facts = f"{large.width} × {large.height} · {large.format} · {messages.size(large.size)}"
        content = {"type": "large", "key": item.key, "view": view, "mime": large.mime_type}
        self.send({**content, "facts": facts}, [large.data])

    # ------------------------------------------------------------ search, export, actions

    @open_to_all
    def _on_search(self, content: Mapping[str, Any]) -> None:
        text = content.get("text")
        if self.searches and isinstance(text, str):
            self.text = replace_lone_surrogates(text)  # as a trait it travels back

    def _narrow(self) -> None:
        """Other images are wanted: of the journal, where it is the journal's that are shown."""
        if self.searches:
            self._search()
        else:
            self._arrange()

    def _search(self) -> None:
        self.note = ""
        if self._searching is not None:
            self._searching.cancel()
        self._searching = self._start(self._find, self.text)

    def _which(self) -> dict[str, Any]:
        """What is searched for beside the words."""
        return {
            "model": self.model or None,
            "favourite": self.favourites or None,
            "rating": self.rating or None,
            "since": _day("since", self.since),
            "until": _day("until", self.until),
        }

    async def _find(self, text: str) -> None:
        # A screenful is there at once; the rest when nobody types any more.
        history, which = self._client.history, self._which()
        images = await history.search(text, limit=FIRST_FOUND, **which)
        with self.hold_sync():
            self.error = None
            self.more = len(images) == FIRST_FOUND
            self._take([gallery_items.of_image(image) for image in images])
        await asyncio.sleep(REST)
        self.models = await history.models()
        if self.more:
            await self._find_all(text, which)

    async def _find_all(self, text: str, which: dict[str, Any]) -> None:
        images = await self._client.history.search(text, limit=MOST_FOUND, **which)
        count = len(images)
        if count == MOST_FOUND:
            count = await self._client.history.count(text, **which)
        with self.hold_sync():
            self._take([gallery_items.of_image(image) for image in images])
            self.more = False
            self.note = (
                f"Showing the newest {MOST_FOUND:,} of {count:,} images. Narrow the search to "
                "find the others."
                if count > MOST_FOUND
                else ""
            )

    @open_to_all
    def _on_show_all(self, _content: object) -> None:
        """Let go of every filter."""
        with self.hold_sync():
            self.filters = {}
            self.favourites = False
            self.rating = 0
            self.text = self.model = self.since = self.until = ""

    def _news(self) -> None:
        """One more image is in the journal; look once for many that come together."""
        if not self._stale and not self._closed:
            self._stale = True
            asyncio.get_running_loop().call_later(NEWS, self._look_again)

    def _look_again(self) -> None:
        self._stale = False
        if not self._closed:
            self._search()

    def look_for_others(self) -> None:
        """Look whether there are other images than before, by whoever made. On the loop only."""
        if self.searches and not self._stale and not self._closed:
            self._stale = True
            self._start(self._compare_with_journal)

    async def _compare_with_journal(self) -> None:
        await asyncio.sleep(NEWS)
        self._stale = False
        # An image that was asked for earlier may have been made later: the newest tells nothing.
        which = self._which()
        found = await self._client.history.search(self.text, limit=FIRST_FOUND, **which)
        known = [item.key for item in self._items[:FIRST_FOUND]]
        if [gallery_items.of_image(image).key for image in found] != known:
            self._search()

    def refresh(self) -> None:
        """Look into the journal again; returns at once."""
        if self.searches:
            event_loop.call_soon(self._search)

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """What is chosen, or else all that is shown; see `storyboard.Shows`."""
        shown = [item.image for item in self._shown if item.image]
        return self._client.history, list(self.selected or shown)

    @requires(Permission.EXPORT)
    def _on_export(self, content: Mapping[str, Any]) -> None:
        kind = str(content.get("kind"))
        if kind in {"csv", "json", "folder", "html"}:
            self._start(self._export, self._shows()[1], kind)

    async def _export(self, images: list[GeneratedImage], kind: str) -> None:
        self.error = None
        name = "wonda images" if kind == "folder" else f"wonda-images.{kind}"
        self.note = f"Exporting {_counted(len(images))}…"
        try:
            path = await self._client.history.export(images, await event_loop.to_thread(Path, name))
        except InvalidInputError:
            self.note = ""
            raise
        self.note = f"Exported {_counted(len(images))} to {path.name}"

    def on(
        self,
        name: str,
        label: str,
        act: Callable[[list[GeneratedImage]], object],
        *,
        least: int = 1,
        most: int = 1,
        needs: Permission | None,
    ) -> None:
        """Offer something to do with chosen images.

        Parameters
        ----------
        name, label : str
            What it is called here, and on its button.
        act : callable
            Called on the package's loop with the images.
        least, most : int
            How many it takes.
        needs : Permission or None
            What a session needs for it, else it is neither offered nor done; None
            if it is open to all.
        """
        self._doing[name] = _Action(label, act, least, most, needs)
        self._offer_actions()

    def grant(self, permissions: Permissions) -> None:
        """See `Panel.grant`."""
        super().grant(permissions)
        self._offer_actions()

    def _offer_actions(self) -> None:
        self.actions = [
            {"name": name, "label": each.label, "least": each.least, "most": each.most}
            for name, each in self._doing.items()
            if self._permissions.grants(each.needs)
        ]

    @open_to_all
    def _on_act(self, content: Mapping[str, Any]) -> None:
        action = self._doing.get(str(content.get("name")))
        if action is None:
            return
        self._permissions.check(action.needs)
        keys = content.get("keys")
        asked = dict.fromkeys(map(str, keys)) if isinstance(keys, list) else ()
        items = [self._at.get(key) or self._kept.get(key) for key in asked]
        images = [item.image for item in items if item is not None and item.image is not None]
        if action.least <= len(images) <= action.most:
            action.act(images)

    @requires(Permission.GENERATE)
    def _on_retry(self, content: Mapping[str, Any]) -> None:
        item = self._at.get(str(content.get("key")))
        if self._matrix is not None and item is not None:
            self._matrix.retry(int(item.key.rpartition("-")[2]))


class _Action(NamedTuple):
    """Something to do with chosen images, see `Gallery.on`."""

    label: str
    act: Callable[[list[GeneratedImage]], object]
    least: int
    most: int
    needs: Permission | None


def _large(data: bytes) -> Any:
    """What a double click opens; slow, for a thread."""
    from ..imaging.preview import preview  # noqa: PLC0415 - Pillow is loaded when needed

    return preview(data, LARGE, LARGE_BYTES)


def _day(name: str, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInputError(name, f"{text!r} is not a valid date.", "Use the format 2026-11-24.") from None


def _counted(count: int) -> str:
    return f"{count:,} image{'' if count == 1 else 's'}"
