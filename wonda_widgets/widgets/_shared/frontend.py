"""The front end of all panels: one bundle, which the browser receives once per kernel.

The TypeScript sources are in ``wonda_widgets/frontend``. `build.mjs` bundles them into two files
in ``wonda_widgets/static``: ``panels.js`` has the code and styles of all panels, and ``loader.js``
is the small module that each panel sends as its ``_esm``. The loader finds the code in a shared
model, so that the eight panels of a `Studio` do not carry eight copies:

    panel._bundle ──host.getModel──> Bundle.code ──gunzip──> panels.js ──mount──> panel
"""

from __future__ import annotations

import gzip
import hashlib
import os
import threading
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from . import marimo_cell

if not hasattr(anywidget, "WidgetTrait"):
    raise ImportError(
        f"wonda_widgets needs anywidget 0.11 or newer; this is {anywidget.__version__}. "
        "Run: pip install --upgrade anywidget"
    )

STATIC = Path(__file__).parents[2] / "static"

_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may have held it
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)

#: the open bundle of each marimo session, and the thread of the session; of a kernel, under None
_bundles: dict[Any, tuple[Bundle, threading.Thread]] = {}


class Bundle(anywidget.AnyWidget):
    """The code and styles of all panels, as a model without a view."""

    _esm = traitlets.Unicode("export default {}").tag(sync=True)
    _anywidget_id = traitlets.Unicode("wonda_widgets.Bundle").tag(sync=True)
    code = traitlets.Bytes(b"").tag(sync=True)
    """The JavaScript module, compressed with gzip."""

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Ignore the state that a page sends. Called by ipywidgets."""

    @property
    def is_open(self) -> bool:
        """Whether a front end can find the model."""
        return not marimo_cell.is_removed(self)

    def close(self) -> None:
        """Close the model, and the one of its layout."""
        layout = self.layout
        super().close()
        layout.close()


def shared_bundle() -> Bundle:
    """Return the bundle of this kernel or marimo session; create it for the first panel."""
    session = marimo_cell.session()
    with _lock:
        # `Widget.close_all` closes it, too.
        if session not in _bundles or not _bundles[session][0].is_open:
            _close_bundles_of_ended_sessions()
            with marimo_cell.outside_cells():
                _bundles[session] = Bundle(code=_code()), threading.current_thread()
        return _bundles[session][0]


def _close_bundles_of_ended_sessions() -> None:
    for session, (bundle, thread) in list(_bundles.items()):
        if session is not None and not thread.is_alive():
            del _bundles[session]
            bundle.close()


@cache
def loader() -> str:
    """Return the module that each panel sends to the browser."""
    return (STATIC / "loader.js").read_text(encoding="utf-8")


@cache
def version() -> str:
    """Return an identifier of the bundle's contents; a page loads each version once."""
    return hashlib.sha256(_code()).hexdigest()[:12]


@cache
def _code() -> bytes:
    # Without a time stamp, the same code gives the same bytes.
    return gzip.compress((STATIC / "panels.js").read_bytes(), mtime=0)


def view(name: str) -> traitlets.Unicode[str, str | bytes]:
    """Return the trait that names a panel's component in ``frontend/src/index.ts``."""
    return traitlets.Unicode(name).tag(sync=True)
