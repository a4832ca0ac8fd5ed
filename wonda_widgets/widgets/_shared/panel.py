"""`Panel`: the base class of all panels.

A panel is one anywidget with native HTML controls, which have ARIA roles and accessible names.

    browser ──message──> package loop ──> handler ──traits──> browser

Depending on the kernel's version, a message arrives on the main thread or on the thread of a
subshell, so it is only passed on to the package's loop. All changes to a panel are made there, one
at a time, so a panel needs no lock. An exception there becomes the panel's `error`.

All input from a page is checked here: a message against the permission of its handler (see
`permissions`), and a new value against the traits that a page may set.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import anywidget
import traitlets

from ...client import selection
from ...errors import InvalidInputError, WondaError
from ...http.responses import replace_lone_surrogates
from ...utils import event_loop, logs, suggestions
from . import error_alerts, frontend, marimo_cell, nested_outputs, notebook_snapshot
from .permissions import (
    OWNER,
    Permission,
    is_handler,
    open_to_all,
    required_permission,
)
from .static_fallback import StaticFallback
from .subscriptions import SingleSubscription, Subscriptions
from .thread_safe_traits import ThreadSafeTraits

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from ...client.wonda_client import AsyncWonda, Wonda
    from .notebook_snapshot import NotebookSnapshot
    from .permissions import Permissions

_log = logging.getLogger(__name__)

UPDATE_COUNT = "update_count"  # in a state that is sent to a page; see `Panel._send_missed`
MAX_DELIVERED = 8  # IDs of received messages, for several pages at the same time
REMOVED_INTERVAL_SECONDS = 0.5  # between looks at whether a removed panel has finished its work
SESSION_INTERVAL_SECONDS = 15.0  # between looks at whether a panel's marimo session has ended


def _display_static(widget: object) -> bool:
    display_static = getattr(widget, "display_static", None)
    if callable(display_static):
        display_static()
    return callable(display_static)


def not_displayed_error() -> InvalidInputError:
    """Return the error of `keep` for a panel that is not displayed."""
    return InvalidInputError(
        "panel",
        "This panel is not displayed in the notebook, so there is nothing to keep.",
        "Display it in a cell first, or write a file with ww.storyboard(…).",
    )


def _names(key: Any) -> set[str]:
    """Return the names of traits, of which ipywidgets also gives a single one."""
    return {key} if isinstance(key, str) else set(key)


class Panel(ThreadSafeTraits, anywidget.AnyWidget):
    """Base of the panels.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the objects in `given`, or else a client with the key from the
        environment; without a key, a sandbox, as a banner then says.
    given : iterable
        The jobs, images, media and IDs to show.
    """

    sandbox = traitlets.Bool(default_value=False).tag(sync=True)
    banner = traitlets.Bool(default_value=True).tag(sync=True)
    error: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    _needs_client = True
    _close_listener: Callable[[], object] | None = None
    _closed = True  # until the constructor has succeeded, there is nothing to close
    _update_count = 0  # how often traits were sent or set by a page

    # anywidget would add these traits to each instance, which takes a tenth of a panel's time.
    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode("").tag(sync=True)
    _anywidget_id = traitlets.Unicode().tag(sync=True)
    #: the name of the panel's component, see `frontend.view`
    _panel = frontend.view("")
    #: the model with the code of all panels, and an identifier of its contents
    _bundle: Any = anywidget.WidgetTrait().tag(sync=True)
    _version = traitlets.Unicode().tag(sync=True)
    #: CSS that hides the static output under a live panel, see `static_fallback`
    hiding = traitlets.Unicode("").tag(sync=True)
    #: when `scroll_into_view` was last called, seconds since 1970
    scroll_requested_at = traitlets.Float(0.0).tag(sync=True)
    #: whether there is a close button, see `show_close_button`
    can_close = traitlets.Bool(default_value=False).tag(sync=True)
    #: the number of received messages, which tells the browser that one was received
    receipt = traitlets.Int(0).tag(sync=True)
    #: the IDs of the last received messages that a page wants to have confirmed
    delivered: Any = traitlets.List(traitlets.Unicode()).tag(sync=True)
    #: the names of the session's permissions; the page hides controls that need other ones
    permissions: Any = traitlets.List(traitlets.Unicode(), OWNER.names).tag(sync=True)

    #: The traits that a page may set, with the required permission or None. A page cannot set any
    #: other trait.
    _browser_traits: ClassVar[Mapping[str, Permission | None]] = {}
    #: The permission to see the panel. Without it, everything from the page is ignored.
    _view_permission: ClassVar[Permission | None] = Permission.VIEW
    _permissions = OWNER
    #: Traits that are of no interest in the value of ``mo.ui.anywidget(panel)``.
    _internal_traits: ClassVar[frozenset[str]] = frozenset(
        (
            "banner",
            "hiding",
            "scroll_requested_at",
            "can_close",
            "receipt",
            "delivered",
            "permissions",
            UPDATE_COUNT,
        )
    )
    #: Traits whose change in the kernel runs the marimo cells that depend on the panel.
    _reactive_traits: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        given: Iterable[object] = (),
        **traits: Any,
    ) -> None:
        unknown = [name for name in traits if not self._is_argument(name)]
        if unknown:
            raise suggestions.unknown_arguments_error(type(self), unknown)
        #: the static outputs to update: its own and the one of the composite panel around it
        self._fallbacks: list[StaticFallback] = []
        self._fallback: StaticFallback | None = None
        self._owned: AsyncWonda | None = None
        self._wonda: AsyncWonda | None = None
        if wonda is not None or self._needs_client:
            self._wonda, self._owned = selection.choose(wonda, given)
        self._sent_at: dict[str, int] = {}  # for each trait, `_update_count` when it was last sent
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscriptions = Subscriptions()
        self._subscription = SingleSubscription(self._subscriptions)
        for name, value in traits.items():  # an invalid value must not leave a widget open
            self.traits()[name]._validate(self, value)  # noqa: SLF001 - no public method
        self._closed = False
        self._cell = marimo_cell.running_cell()
        nested_outputs.watch_boxes(_display_static)
        super().__init__(sandbox=self._wonda is not None and self._wonda.is_sandbox, **traits)
        self.on_msg(self._receive)
        self.observe(lambda _: self._report_problem(), "error")
        if self._cell is not None:
            self._watch_cell(self._cell)

    def _is_argument(self, name: str) -> bool:
        """Whether a trait can be passed to the constructor."""
        is_internal = name.startswith("_") or name in Panel._internal_traits - {"banner"}
        return self.has_trait(name) and not is_internal

    @traitlets.default("_anywidget_id")
    def _default_anywidget_id(self) -> str:
        return f"{type(self).__module__}.{type(self).__name__}"

    @traitlets.default("_esm")
    def _default_esm(self) -> str:
        return frontend.loader()

    @traitlets.default("_bundle")
    def _default_bundle(self) -> frontend.Bundle:
        return frontend.shared_bundle()

    @traitlets.default("_version")
    def _default_version(self) -> str:
        return frontend.version()

    def add_traits(self, **traits: Any) -> None:
        """Add only those traits that the class lacks.

        anywidget calls this for each instance. Adding a trait creates a new class, which would take
        a tenth of the time that a panel needs.
        """
        new = {name: trait for name, trait in traits.items() if not self.has_trait(name)}
        if new:
            super().add_traits(**new)

    def _ipython_display_(self) -> None:
        if self._closed:
            print("This panel is closed.")  # noqa: T201 - the output of its cell
            return
        self._own_fallback().display_under(self, lambda: self.is_loading)
        event_loop.call_soon(self._update_fallbacks)  # the panel may have changed since

    def display_static(self) -> None:
        """Display only the static output in the running cell, for a panel inside a box."""
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
        """Whether content of the panel is still being loaded. On the package's loop only."""
        return False

    def add_fallback(self, fallback: StaticFallback) -> None:
        """Also update the static output of the composite panel around this panel."""
        self._fallbacks.append(fallback)

    def _update_fallbacks(self) -> None:
        """Update the static outputs. On the package's loop only."""
        self._report_problem()

    def _report_problem(self) -> None:
        for fallback in self._fallbacks:
            fallback.set_line(type(self).__name__, self._problem)

    @property
    def _problem(self) -> str:
        return f"{self.error['title']} {self.error['text']}" if self.error else ""

    # ------------------------------------------------------------ keep in notebook

    def keep(self) -> None:
        """Replace the displayed panel with a static copy that needs no kernel.

        The copy consists of an image (at most 300 KB), text and a table, so that a saved or shared
        notebook, GitHub and nbconvert show it. The panel itself is not closed: if it is displayed
        in another cell, it continues where it was.

        Raises
        ------
        InvalidInputError
            If the panel is not displayed.
        """
        event_loop.run_blocking(self._keep())

    async def _keep(self) -> None:
        snapshot = await self._make_snapshot()
        if self._wonda is not None:
            snapshot = notebook_snapshot.redact(snapshot, self._wonda.history.redact)
        if self._fallback is None or not self._fallback.keep(snapshot):
            raise not_displayed_error()
        self.hiding = self._fallback.hiding_style

    async def _make_snapshot(self) -> NotebookSnapshot:
        shows = getattr(self, "_shows", None)
        title = f"Wonda {type(self).__name__}"
        if shows is not None:
            history, images = shows()
            return await notebook_snapshot.from_images(title, history, images)
        facts, (image, alt) = self._snapshot_facts(), self._snapshot_image()
        return await notebook_snapshot.from_facts(
            title, facts, image, alt, is_sandbox=bool(self.sandbox)
        )

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        """Return names and values for the table of the static copy."""
        return []

    def _snapshot_image(self) -> tuple[bytes, str]:
        """Return the image for the static copy, and its alt text."""
        return b"", ""

    def __repr__(self) -> str:
        # The inherited method prints every trait: prompts, images, styles.
        return f"<{type(self).__name__}>"

    @property
    def _client(self) -> AsyncWonda:
        assert self._wonda is not None  # noqa: S101 - only panels without client use have none
        return self._wonda

    @property
    def wonda(self) -> AsyncWonda | None:
        """The client of the panel; None if it has none."""
        return self._wonda

    def scroll_into_view(self) -> None:
        """Scroll the page to the panel. Call this on the package's loop only."""
        self.scroll_requested_at = time.time()

    def show_close_button(self, on_close: Callable[[], object]) -> None:
        """Show a button that calls `on_close`, for a panel that another panel has opened."""
        self._close_listener = on_close
        self.can_close = True

    @open_to_all
    def _on_close(self, _content: object) -> None:
        if self._close_listener is not None:
            self._close_listener()

    # ------------------------------------------------------------ marimo

    def _watch_cell(self, cell: marimo_cell.MarimoCell) -> None:
        cell.on_removal(lambda: event_loop.spawn_detached(self._close_when_idle))
        if not cell.is_in_own_process:
            event_loop.spawn_detached(self._close_with_session, cell)
        if self._reactive_traits:
            self.observe(lambda _: self._run_dependents(), self._reactive_traits)

    def _run_dependents(self) -> None:
        """Run the marimo cells that use the value of ``mo.ui.anywidget(panel)``."""
        if self._cell is not None:
            self._cell.run_dependents(self)

    def _value_besides_traits(self) -> dict[str, Any]:
        """Return what the value of ``mo.ui.anywidget(panel)`` has besides traits."""
        return {}

    async def _close_when_idle(self) -> None:
        """Close a panel that marimo has removed, after what it has requested is done."""
        while self.is_working and not self._closed:  # noqa: ASYNC110 - any trait may change it
            await asyncio.sleep(REMOVED_INTERVAL_SECONDS)
        self.close()

    async def _close_with_session(self, cell: marimo_cell.MarimoCell) -> None:
        """Close the panel of a visitor who has left."""
        while not cell.has_ended and not self._closed:  # noqa: ASYNC110 - marimo tells nothing
            await asyncio.sleep(SESSION_INTERVAL_SECONDS)
        await self._close_when_idle()

    @property
    def is_working(self) -> bool:
        """Whether a request or a job of the panel is in progress. On the package's loop only."""
        return False

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Return traits as the browser receives them. Called by ipywidgets and marimo.

        Without a key, marimo asks for the value of ``mo.ui.anywidget(panel)``, which has only what
        is of interest to a program.
        """
        names = None if key is None else _names(key)
        with self._send_lock:  # the values and the count must belong together
            state = super().get_state(
                names and {name for name in names if name != UPDATE_COUNT}, drop_defaults
            )
            if names is None or UPDATE_COUNT in names:
                state[UPDATE_COUNT] = self._update_count
        if self._is_secret:
            return {
                name: value
                for name, value in state.items()
                if name.startswith("_") or name in self._internal_traits
            }
        if key is not None or self._cell is None or self.comm is None:
            return state
        of_interest = {
            name: value
            for name, value in state.items()
            if not name.startswith("_")
            and name not in self._internal_traits
            and not marimo_cell.has_bytes(value)
        }
        return {**of_interest, **self._value_besides_traits()}

    # A page of marimo would report an error for a message to a model that is removed.

    def send_state(self, key: Any = None) -> None:
        """Send all traits, or those named by `key`, unless the model is removed."""
        if not marimo_cell.is_removed(self):
            names = {*self.keys, UPDATE_COUNT} if key is None else _names(key)
            with self._send_lock:
                self._count_update(names)
                super().send_state(names)

    def _count_update(self, names: Iterable[str]) -> None:
        self._update_count += 1
        self._sent_at.update(dict.fromkeys(names, self._update_count))

    def _send_missed(self, known: object) -> None:
        """Send what a page may have missed.

        While a page loads its models from a running kernel, it ignores changes: those after the
        kernel has sent all traits and before the page has created the model.

        Parameters
        ----------
        known : int
            The `_update_count` with which the page has received all traits. Other updates do not
            contain it, as a page may receive one and have missed another.
        """
        if not isinstance(known, int):
            return
        with self._send_lock:
            missed = {name for name, sent_at in self._sent_at.items() if sent_at > known}
            if missed:
                self.send_state(missed)

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send a message, unless the model is removed or the session may see nothing of it."""
        if not marimo_cell.is_removed(self) and not self._is_secret:
            super().send(content, buffers=buffers)

    # ------------------------------------------------------------ permissions

    @property
    def _is_secret(self) -> bool:
        """Whether the session may see nothing of the panel, not even its traits."""
        return self._view_permission is not None and not self._permissions.grants(Permission.VIEW)

    def grant(self, permissions: Permissions) -> None:
        """Replace the permissions of the session."""
        self._permissions = permissions
        self.permissions = permissions.names

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Set the traits that a page may set, and ignore the others. Called by ipywidgets."""
        accepted = {name: value for name, value in sync_data.items() if self._accepts(name)}
        if len(accepted) < len(sync_data):
            ignored = ", ".join(sorted(map(repr, sync_data.keys() - accepted)))
            _log.debug("%r: a page sent %s, which is ignored.", self, ignored)
        if accepted:
            valid = self._valid(accepted)
            try:
                super().set_state(valid)
            finally:
                with self._send_lock:  # for another page, which may be loading
                    self._count_update(valid)

    def _valid(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of the values of a page that their traits accept."""
        valid = {}
        for name, value in values.items():
            try:
                # A trait that cannot be sent back would jam the panel, and all others after a
                # reload.
                text = replace_lone_surrogates(value)
                self.traits()[name]._validate(self, text)  # noqa: SLF001 - no public method
            except (traitlets.TraitError, RecursionError):
                _log.debug("%r: a page sent an invalid value of %r, which is ignored.", self, name)
            else:
                valid[name] = text
        return valid

    def _accepts(self, name: str) -> bool:
        if name == "_view_count":  # ipywidgets' own
            return True
        if name not in self._browser_traits:
            return False
        return self._permissions.grants(self._view_permission, self._browser_traits[name])

    # ------------------------------------------------------------ messages

    def _receive(self, _widget: object, content: Any, buffers: list[memoryview]) -> None:
        """Pass a message from the browser to the loop; its bytes become ``"buffers"``."""
        if not (isinstance(content, dict) and isinstance(content.get("type"), str)):
            return
        with contextlib.suppress(RecursionError):  # nested too deeply for a page of this package
            text = replace_lone_surrogates(content)
            event_loop.call_soon(lambda: self._dispatch({**text, "buffers": buffers}))

    def _dispatch(self, content: dict[str, Any]) -> None:
        if self._closed:
            return
        if content["type"] == "sync":  # each page sends it, also of a panel that it may not see
            self._send_missed(content.get(UPDATE_COUNT))
            return
        handler = getattr(self, f"_on_{content['type']}", None)
        with self.hold_sync():  # send the receipt together with its effects
            self.receipt += 1
            if isinstance(content.get("delivery"), str):
                self.delivered = [*self.delivered, content["delivery"]][-MAX_DELIVERED:]
            if is_handler(handler):
                self._catch_errors(self._handle, handler, content)

    def _handle(self, handler: Callable[..., object], content: dict[str, Any]) -> None:
        self._permissions.check(self._view_permission, required_permission(handler))
        with self._cell.entered() if self._cell else contextlib.nullcontext():
            handler(content)

    def _catch_errors(self, function: Callable[..., object], *args: Any) -> None:
        try:
            function(*args)
        except Exception as error:  # noqa: BLE001 - the panel shows it
            self._show_error(error)

    def start_soon(
        self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any, **kwargs: Any
    ) -> None:
        """Run ``work(*args, **kwargs)`` on the package's loop; the panel shows its error."""
        event_loop.call_soon(lambda: self._start(partial(work, **kwargs), *args))

    def _start(
        self, work: Callable[..., Coroutine[Any, Any, None]], *args: Any
    ) -> asyncio.Task[None]:
        """Run ``work(*args)`` as a task; the panel shows its error."""

        async def run() -> None:
            try:
                await work(*args)
            except Exception as error:  # noqa: BLE001 - see above
                self._show_error(error)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._closed:  # `close` canceled only the tasks that existed at that time
            task.cancel()
        return task

    def _show_error(self, error: Exception) -> None:
        if isinstance(error, WondaError):
            _log.debug("Shown in %r: %s", self, type(error).__name__)
        else:
            logs.log_exception(_log, "Error in %r", self, error=error)
        if not self._closed:
            self.error = error_alerts.error_alert(error)

    # ------------------------------------------------------------ closing

    def close(self) -> None:
        """Close the panel, its subscriptions, tasks and widgets, and the client that it created."""
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
