"""Static outputs of panels that a person shows within a box of their own.

A panel that is displayed brings its static output along. Within ``VBox([panel])`` it is the
box that is displayed, and the panel is not asked. So a box is looked through when it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets

from ...utils import noninteractive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_known: list[Any] = []  # the shells that ask here


def watch_boxes(display_static: Callable[[Any], bool]) -> None:
    """Have `display_static` called with each widget within a box that is displayed.

    Parameters
    ----------
    display_static : callable
        Displays the static output of a widget that has one; says whether it did. Within one
        that has none it goes on looking.
    """
    shell = noninteractive.ipython_shell()
    if getattr(shell, "kernel", None) is None or shell in _known:
        return
    _known.append(shell)
    formatter = shell.display_formatter.mimebundle_formatter
    before = formatter.for_type(ipywidgets.Box)  # of somebody else

    def bundle(box: Any) -> Any:
        for child in _inside(box):
            _each(child, display_static)
        return before(box) if before else box._repr_mimebundle_()

    formatter.for_type(ipywidgets.Box, bundle)


def _each(widget: Any, display_static: Callable[[Any], bool]) -> None:
    if not display_static(widget):
        for child in _inside(widget):
            _each(child, display_static)


def _inside(widget: Any) -> Iterator[Any]:
    children = getattr(widget, "children", ())
    yield from children if isinstance(children, tuple | list) else ()
