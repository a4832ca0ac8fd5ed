"""Static outputs of panels that are displayed inside an ipywidgets box.

A panel adds its static output when it is displayed. For ``VBox([panel])``, IPython displays the box
and never calls the panel, so each displayed box is searched for panels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from ...utils import noninteractive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_shells: list[Any] = []  # IPython shells whose formatter has already been replaced


def watch_boxes(display_static: Callable[[Any], bool]) -> None:
    """Call `display_static` with each widget inside a displayed box.

    Parameters
    ----------
    display_static : callable
        Displays the static output of a widget and returns whether it has one. If not, the
        widget's children are tried.
    """
    shell = noninteractive.ipython_shell()
    if getattr(shell, "kernel", None) is None or shell in _shells:
        return
    _shells.append(shell)
    formatter = shell.display_formatter.mimebundle_formatter
    previous = formatter.for_type(ipywidgets.Box)  # another package may have set one

    def bundle(box: Any) -> Any:
        for child in _children(box):
            _display_nested(child, display_static)
        return previous(box) if previous else box._repr_mimebundle_()

    formatter.for_type(ipywidgets.Box, bundle)


def _display_nested(widget: Any, display_static: Callable[[Any], bool]) -> None:
    if not display_static(widget):
        for child in _children(widget):
            _display_nested(child, display_static)


def _children(widget: Any) -> Iterator[Any]:
    children = getattr(widget, "children", ())
    yield from children if isinstance(children, tuple | list) else ()
