"""What the panels share: their look, their client, and where their work runs.

A panel is one anywidget: native HTML controls, which have roles and names, and
need one widget where a tree of ipywidgets controls would need dozens.

    browser ──message──> handler ──post──> package loop ──traits──> browser

A message may arrive on the main thread or on a subshell's (it depends on the
kernel's version), so a handler only hands over. All of a panel's own changes
happen on the package's loop, one after the other; that is why no panel has a
lock. What goes wrong there becomes the panel's `error`.

Whatever comes from a page is checked here: a message against what its handler needs,
see `_permissions`, and a new value against the traits that pages set.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from ...client import selection
from ...errors import InvalidInputError, WondaError
from ...utils import event_loop, logs, suggestions
from . import messages, nested_outputs, notebook_snapshot
from .permissions import (
    OWNER,
    is_handler,
    needed,
    open_to_all,
)
from .static_fallback import StaticFallback
from .subscriptions import SingleSubscription, Subscriptions
from .thread_safe_traits import ThreadSafeTraits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from ...client.wonda_client import AsyncWonda, Wonda
    from .notebook_snapshot import NotebookSnapshot
    from .permissions import Permission, Permissions

STATIC = Path(__file__).parents[1] / "static"

_log = logging.getLogger(__name__)


def css(name: str = "") -> traitlets.Unicode[str, str | bytes]:
    """The stylesheet of all panels, and after it a large panel's own."""
    return _asset("theme.css", *([f"{name}.css"] if name else []))


def esm(*names: str) -> traitlets.Unicode[str, str | bytes]:
    """A panel's JavaScript: the helpers that all share, parts that some do, and its own."""
    return _asset("shared.js", *(f"{name}.js" for name in names))


def _asset(*names: str) -> traitlets.Unicode[str, str | bytes]:
    """The text of files as a trait, which anywidget would else make for each panel anew."""
    return traitlets.Unicode("".join(map(_read, names))).tag(sync=True)


@cache
def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _display_static(widget: object) -> bool:
    leave = getattr(widget, "display_static", None)
    if callable(leave):
        leave()
    return callable(leave)


def not_displayed_error() -> InvalidInputError:
    """Say that a panel that is shown nowhere has no place in which anything could stay."""
    return InvalidInputError(
        "panel",
        "This panel is not shown in the notebook, so there is nothing to keep.",
        "Show it in a cell first, or write a file with ww.storyboard(…).",
    )


class Panel(ThreadSafeTraits, anywidget.AnyWidget):
    """Base of the panels.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        The client. Without it: that of what is `given`, or one of the key in the environment,
        or, where there is none, a sandbox, which the panel says in a banner.
    given : list
        The jobs, images, media and ids that it is to show.
    """

    sandbox = traitlets.Bool(default_value=False).tag(sync=True)
    banner = traitlets.Bool(default_value=True).tag(sync=True)
    error: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    _needs_client = True
    _close_listener: Callable[[], object] | None = None
    _closed = True  # until it is built: a half-built one has nothing to close

    #: by which anywidget knows the style sheet of a kind of panels
    _anywidget_id = traitlets.Unicode().tag(sync=True)
    #: CSS that hides the static output under a live panel, see `static_fallback`
    hiding = traitlets.Unicode("").tag(sync=True)
    #: when it was last asked to come in sight, seconds since 1970
    scroll_requested_at = traitlets.Float(0.0).tag(sync=True)
    #: whether it shows a button that puts it away, see `show_close_button`
    can_close = traitlets.Bool(default_value=False).tag(sync=True)
    #: counts the messages that arrived, so that the browser knows that one did
    receipt = traitlets.Int(0).tag(sync=True)
    #: names of what this session may do, by which the page hides the rest
    permissions: Any = traitlets.List(traitlets.Unicode(), OWNER.names).tag(sync=True)

    #: The traits that a page sets, and what it needs for that; None for nothing. All others
    #: are the kernel's alone, whatever a page sends.
    _browser_traits: ClassVar[Mapping[str, Permission | None]] = {}
    #: What a session needs to see the panel; without it, the panel takes nothing from a page.
    _view_permission: ClassVar[Permission | None] = None
    _permissions = OWNER

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        given: Iterable[object] = (),
        **traits: Any,
    ) -> None:
        unknown = [name for name in traits if not self.has_trait(name)]
        if unknown:
            raise suggestions.unknown_arguments_error(type(self).__init__, unknown)
        #: the static outputs that tell of it: its own, and that of what it is a part of
        self._fallbacks: list[StaticFallback] = []
        self._fallback: StaticFallback | None = None
        self._owned: AsyncWonda | None = None
        self._wonda: AsyncWonda | None = None
        if wonda is not None or self._needs_client:
            self._wonda, self._owned = selection.choose(wonda, given)
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscriptions = Subscriptions()
        self._subscription = SingleSubscription(self._subscriptions)
        for name, value in traits.items():  # before there is a widget that would stay behind
            self.traits()[name]._validate(self, value)  # noqa: SLF001 - traitlets' own check
        self._closed = False
        nested_outputs.watch_boxes(_display_static)
        super().__init__(sandbox=self._wonda is not None and self._wonda.is_sandbox, **traits)
        self.on_msg(self._receive)
        self.observe(lambda _: self._report_problem(), "error")

    @traitlets.default("_anywidget_id")
    def _default_anywidget_id(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}"

    def add_traits(self, **traits: Any) -> None:
        """Add traits; not those that anywidget adds to each panel, which its class has.

        They would make each panel a class of its own, at a tenth of what making it costs.
        """
        new = {name: trait for name, trait in traits.items() if not self.has_trait(name)}
        if new:
            super().add_traits(**new)

    def _ipython_display_(self) -> None:
        self._own_fallback().display_under(self, lambda: self.is_loading)
        event_loop.call_soon(self._update_fallbacks)  # what it shows by now

    def display_static(self) -> None:
        """Put the static output alone into the cell that runs, for a box that is shown there."""
        self._own_fallback().display(lambda: self.is_loading)
        event_loop.call_soon(self._update_fallbacks)

    def _own_fallback(self) -> StaticFallback:
        if self._fallback is None:
            self._fallback = StaticFallback(
                f"Wonda {type(self).__name__}", is_sandbox=bool(self.sandbox)
            )
            self._fallbacks.append(self._fallback)
            self.hiding = self._fallback.hiding_style
        return self._fallback

    @property
    def is_loading(self) -> bool:
        """Whether something is on its way that will be shown here. On the loop only."""
        return False

    def add_fallback(self, twin: StaticFallback) -> None:
        """Have the static output of what this is a part of tell of it."""
        self._fallbacks.append(twin)

    def _update_fallbacks(self) -> None:
        """Bring the static outputs up to date. On the loop only."""
        self._report_problem()

    def _report_problem(self) -> None:
        for twin in self._fallbacks:
            twin.tell(type(self).__name__, self._problem)

    @property
    def _problem(self) -> str:
        return f"{self.error['title']} {self.error['text']}" if self.error else ""

    # ------------------------------------------------------------ what stays of it

    def keep(self) -> None:
        """Turn it into image, text and table that stay in the notebook without a kernel.

        Where it is shown, its place is taken by what it shows now, at most 300 KB an image:
        so a saved or shared notebook, GitHub and nbconvert have it. The panel lives on;
        shown again in another cell, it goes on from where it was.

        Raises
        ------
        InvalidInputError
            If it is shown nowhere: then there is nothing to keep.
        """
        event_loop.run_blocking(self._keep())

    async def _keep(self) -> None:
        kept = await self._make_snapshot()
        if self._wonda is not None:
            kept = notebook_snapshot.without_key(kept, self._wonda.history.without_key)
        if self._fallback is None or not self._fallback.keep(kept):
            raise not_displayed_error()
        self.hiding = self._fallback.hiding_style

    async def _make_snapshot(self) -> NotebookSnapshot:
        """What stays of it."""
        shows = getattr(self, "_shows", None)
        title = f"Wonda {type(self).__name__}"
        if shows is not None:
            history, images = shows()
            return await notebook_snapshot.of_images(title, history, images)
        about = self._snapshot_facts(), *self._snapshot_image()
        return await notebook_snapshot.of_facts(title, *about, is_sandbox=bool(self.sandbox))

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        """What it says now, as names and values."""
        return []

    def _snapshot_image(self) -> tuple[bytes, str]:
        """What it shows now: an image, and the same in words."""
        return b"", ""

    def __repr__(self) -> str:
        # The inherited one would print every trait: prompts, images, styles.
        return f"<{type(self).__name__}>"

    @property
    def _client(self) -> AsyncWonda:
        assert self._wonda is not None  # noqa: S101 - only panels that need no client have none
        return self._wonda

    @property
    def wonda(self) -> AsyncWonda | None:
        """The client that it works with."""
        return self._wonda

    def scroll_into_view(self) -> None:
        """Come in sight, because somebody asked for it. On the loop only."""
        self.scroll_requested_at = time.time()

    def show_close_button(self, put_away: Callable[[], object]) -> None:
        """Show a button that calls `put_away`; for a panel that another one brought in sight."""
        self._close_listener = put_away
        self.can_close = True

    @open_to_all
    def _on_close(self, _content: object) -> None:
        if self._close_listener is not None:
            self._close_listener()

    # ------------------------------------------------------------ what a page may do

    def grant(self, permissions: Permissions) -> None:
        """Have this session do from now on what `permissions` grants, and nothing else."""
        self._permissions = permissions
        self.permissions = permissions.names

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a page has set, as far as it is for pages to set; for ipywidgets."""
        taken = {name: value for name, value in sync_data.items() if self._accepts(name)}
        if len(taken) < len(sync_data):
            ignored = ", ".join(sorted(map(repr, sync_data.keys() - taken)))
            _log.debug("%r: a page sent %s, which is ignored.", self, ignored)
        if taken:
            super().set_state(taken)

    def _accepts(self, name: str) -> bool:
        if name == "_view_count":  # ipywidgets' own
            return True
        if name not in self._browser_traits:
            return False
        return self._permissions.grants(self._view_permission, self._browser_traits[name])

    # ------------------------------------------------------------ messages

    def _receive(self, _widget: object, content: Any, buffers: list[memoryview]) -> None:
        """Hand a message from the browser over to the loop, whatever thread this is.

        What came beside it as bytes is its ``"buffers"``.
        """
        if isinstance(content, dict) and isinstance(content.get("type"), str):
            event_loop.call_soon(lambda: self._dispatch({**content, "buffers": buffers}))

    def _dispatch(self, content: dict[str, Any]) -> None:
        if self._closed:
            return
        handler = getattr(self, f"_on_{content['type']}", None)
        with self.hold_sync():  # the receipt and what it leads to are one message
            self.receipt += 1
            if is_handler(handler):
                self._guard(self._handle, handler, content)

    def _handle(self, handler: Callable[..., object], content: dict[str, Any]) -> None:
        self._permissions.check(self._view_permission, needed(handler))
        handler(content)

    def _guard(self, function: Callable[..., object], *args: Any) -> None:
        try:
            function(*args)
        except Exception as error:  # noqa: BLE001 - it becomes an alert in the panel
            self._show_error(error)

    def start_soon(
        self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any, **named: Any
    ) -> None:
        """Run ``work(*args, **named)`` on the loop; its error becomes an alert here."""
        event_loop.call_soon(lambda: self._start(partial(work, **named), *args))

    def _start(
        self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any
    ) -> asyncio.Task[None]:
        """Run ``work(*args)`` on the loop; its error becomes an alert."""

        async def guarded() -> None:
            try:
                await work(*args)
            except Exception as error:  # noqa: BLE001 - see above
                self._show_error(error)

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._closed:  # closing has canceled what had begun by then
            task.cancel()
        return task

    def _show_error(self, error: Exception) -> None:
        if isinstance(error, WondaError):
            _log.debug("Shown in %r: %s", self, type(error).__name__)
        else:
            logs.log_exception(_log, "A fault in %r", self, error=error)
        if not self._closed:
            self.error = messages.problem(error)

    # ------------------------------------------------------------ the end

    def close(self) -> None:
        """Free everything: subscriptions, work, the client if the panel made it, the widgets."""
        if self._closed:
            return
        self._closed = True
        self._subscriptions.close()
        event_loop.call_soon(lambda: [task.cancel() for task in self._tasks])
        if self._owned is not None:
            event_loop.spawn_detached(self._owned.aclose)
        layout = self.layout
        super().close()
        layout.close()
