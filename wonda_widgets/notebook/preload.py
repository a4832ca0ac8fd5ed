"""In a notebook, what a panel is made of is loaded before the first panel is asked for.

``import wonda_widgets`` loads nothing, so the first ``ww.Studio()`` would wait for
ipywidgets, httpx and the panels: half of the time until it is in sight. A kernel has
nothing to do after the cell with the import, while the next one is being written.

It is loaded on the main thread, where cells run too: modules that two threads import at
the same time may see each other half-made.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from importlib import import_module
from typing import Any

REST = 0.05  # seconds after the cell, whose reply goes first


def load_after_this_cell() -> None:
    """Load the panels once the cell that runs is over; nothing happens outside of a kernel."""
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    if getattr(shell, "kernel", None) is None:
        return

    def over(_result: object) -> None:
        shell.events.unregister("post_run_cell", over)
        with contextlib.suppress(RuntimeError):  # a kernel without a loop of its own
            asyncio.get_running_loop().call_later(REST, _load)

    shell.events.register("post_run_cell", over)


def _load() -> None:
    # What is wrong is said where the panel is asked for.
    with contextlib.suppress(Exception):
        import_module("..widgets.studio", __package__)
