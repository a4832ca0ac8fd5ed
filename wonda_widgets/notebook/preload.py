"""Preload the widgets in a notebook, so that the first panel opens sooner.

``import wonda_widgets`` loads almost nothing, so the first ``ww.Studio()`` would have to import
ipywidgets, httpx and the panels, which takes half of the time until it appears. After the cell
with the import, the kernel is idle while the user writes the next cell.

The import runs on the main thread, as cells do: if two threads import modules simultaneously, one
may see a partially initialized module.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from importlib import import_module
from typing import Any

DELAY_SECONDS = 0.05  # seconds, so that the kernel sends the cell's reply first


def load_after_this_cell() -> None:
    """Load the widgets when the current cell has finished; do nothing outside a kernel."""
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        return

    def on_cell_end(_result: object) -> None:
        shell.events.unregister("post_run_cell", on_cell_end)
        with contextlib.suppress(RuntimeError):  # the kernel has no running event loop
            asyncio.get_running_loop().call_later(DELAY_SECONDS, _load)

    shell.events.register("post_run_cell", on_cell_end)


def _load() -> None:
    # Importing the panel again reports the error.
    with contextlib.suppress(Exception):
        import_module("..widgets.studio", __package__)
