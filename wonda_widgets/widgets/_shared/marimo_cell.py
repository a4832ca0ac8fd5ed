"""`MarimoCell`: the cell of a marimo notebook in which a panel was created.

marimo binds a widget to the session and the cell of the thread that creates it, which it keeps in a
context of that thread. In four respects this differs from Jupyter:

- A widget that the package's loop creates would belong to no session and never be shown. Therefore,
  handlers run in the context of their panel's cell (`MarimoCell.entered`).
- When a cell runs again or is deleted, the models that it created are removed from the page
  (`MarimoCell.on_removal`, `is_removed`). A model for the whole session must belong to no cell
  (`outside_cells`).
- In ``marimo run``, all visitors share a process; each has a `session` on a thread of its own,
  whose end nothing tells (`MarimoCell.has_ended`).
- A trait that changes in the kernel does not run the cells that depend on ``mo.ui.anywidget``
  (`MarimoCell.run_dependents`).

marimo has no public interface for this. If a version lacks what is used here, panels work as other
widgets do there.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any

from ...utils import logs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)

#: The name of a cell that does not exist and thus never runs again.
_NO_CELL = "wonda_widgets"


class _Removal:
    """marimo calls `dispose` when it removes what the cell has created."""

    def __init__(self, listener: Callable[[], object]) -> None:
        self._listener = listener

    def create(self, context: object) -> None:
        """Do nothing."""

    def dispose(self, context: object, deletion: bool) -> bool:  # noqa: ARG002, FBT001 - marimo's
        """Tell the listener; return True, for once."""
        self._listener()
        return True


class MarimoCell:
    """A cell that is running in marimo.

    Parameters
    ----------
    context : RuntimeContext
        marimo's context of the thread.
    name : str, optional
        The ID of another cell.
    """

    def __init__(self, context: Any, name: str | None = None) -> None:
        self._thread = threading.current_thread()
        # A copy, because marimo stores the running cell in its context.
        self._context = copy.copy(context)
        execution = context.execution_context
        self._context.execution_context = (
            copy.copy(execution) if name is None else dataclasses.replace(execution, cell_id=name)
        )

    @property
    def has_ended(self) -> bool:
        """Whether the session of the cell has ended."""
        return not self._thread.is_alive()

    @property
    def is_in_own_process(self) -> bool:
        """Whether the process ends with the session."""
        return self._thread is threading.main_thread()

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Create widgets on this thread as if the cell created them."""
        with self._context.install():
            yield

    def on_removal(self, listener: Callable[[], object]) -> None:
        """Call `listener` when the cell runs again or is deleted."""
        with self.entered():
            self._context.cell_lifecycle_registry.add(_Removal(listener))

    def run_dependents(self, widget: Any) -> None:
        """Run the cells that use ``mo.ui.anywidget(widget)``; return immediately."""
        element = getattr(widget.comm, "ui_element_id", None)
        if element is None:
            return
        try:
            from marimo._runtime.commands import UpdateUIElementCommand  # noqa: PLC0415

            # The element reads its value from the widget, so nothing is sent along.
            command = UpdateUIElementCommand(object_ids=[element], values=[{}])
            self._context._kernel.enqueue_control_request(command)  # noqa: SLF001 - see above
        except Exception as error:  # noqa: BLE001 - the session may have ended
            what = "The cells that depend on a panel could not be run"
            logs.log_exception(_log, what, error=error, level=logging.DEBUG)


def running_cell() -> MarimoCell | None:
    """Return the cell that runs on this thread; None outside marimo."""
    context = _context()
    return None if context is None else MarimoCell(context)


def session() -> Any:
    """Return an object that stands for the marimo session of this thread; None outside marimo."""
    context = _context()
    return None if context is None else context.stream


@contextlib.contextmanager
def outside_cells() -> Iterator[None]:
    """Create widgets on this thread that exist as long as the session. Does nothing elsewhere."""
    context = _context()
    if context is None:
        yield
        return
    with MarimoCell(context, _NO_CELL).entered():
        yield


def is_removed(widget: Any) -> bool:
    """Return whether the widget was closed, by marimo or by the package."""
    return widget.comm is None or bool(getattr(widget.comm, "_closed", False))


def has_bytes(value: Any) -> bool:
    """Return whether a trait's value has binary data, which a program has no use for."""
    if isinstance(value, dict):
        return any(map(has_bytes, value.values()))
    if isinstance(value, list | tuple):
        return any(map(has_bytes, value))
    return isinstance(value, bytes | bytearray | memoryview)


def _context() -> Any:
    """Return marimo's context of this thread while a cell runs in a notebook, else None."""
    module = sys.modules.get("marimo._runtime.context")
    try:
        context: Any = None if module is None else module.safe_get_context()
        # A script has a context, too, but nobody sees its widgets.
        has_page = hasattr(context, "_kernel") and context.execution_context is not None
    except Exception as error:  # noqa: BLE001 - another version of marimo
        what = "marimo's context could not be read"
        logs.log_exception(_log, what, error=error, level=logging.DEBUG)
        return None
    return context if has_page else None
