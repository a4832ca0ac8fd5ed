"""Notebooks that run with nobody in front: nbconvert, papermill, `jupyter execute`.

No panel is alive there, so what would move in one is printed and kept instead:

- a blocking wait prints a line for each change (`telling`, `Line`);
- a cell ends only when the static outputs of its panels are up to date
  (`delay_cell_end_until`), because what comes after its end is not kept.

Whoever executes a notebook that way tells the kernel that nobody can answer an `input()`.
JupyterLab and Notebook say that somebody can. Voilà says the same as nbconvert, although
somebody looks at its panels; it is known by what it leaves in the kernel's environment.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from ..errors.console_text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that the end of a cell waits for what its panels still load.
SETTLE_TIMEOUT_SECONDS = 15.0
POLL_INTERVAL_SECONDS = 0.02  # seconds between looks


def is_unattended() -> bool:
    """Whether a cell runs at this moment, on this thread, and nobody is in front of it.

    False in a script, in a terminal, in a front end, and wherever it cannot be told.
    """
    shell = ipython_shell()
    kernel = getattr(shell, "kernel", None)
    if kernel is None or threading.current_thread() is not threading.main_thread():
        return False
    if "VOILA_PREHEAT" in os.environ or os.environ.get("SERVER_SOFTWARE", "").startswith("voila/"):
        return False
    try:
        asked = kernel.get_parent()["content"]
        return "code" in asked and asked.get("allow_stdin") is False
    except Exception:  # noqa: BLE001 - another kernel, or none of its cells runs
        return False


def ipython_shell() -> Any:
    """IPython's shell, if there is one; it is never imported for the question."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else getattr(ipython, "get_ipython", lambda: None)()


class StatusLine:
    """Prints a line when what it tells of has changed; silent unless nobody is in front."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._silent = not is_unattended()
        self._last: object = None

    def __call__(self, told: object, *, same: object = None) -> None:
        """Print `told`, unless it, or what makes it the `same`, was printed last."""
        same = str(told) if same is None else same
        if not self._silent and same != self._last:
            self._last = same
            print(printable(f"{self._label}: {told}"), flush=True)


@contextlib.contextmanager
def printing_changes(
    label: str, watch: Callable[[Callable[[Any], object]], Callable[[], None]]
) -> Iterator[Callable[[], None] | None]:
    """Print the changes of a job while it is waited for, if nobody is in front.

    Parameters
    ----------
    label : str
        What each line begins with.
    watch : callable
        `Job.watch`, which gives snapshots on the package's loop. Printing is for the waiting
        thread: what another one prints goes to whichever cell.

    Yields
    ------
    callable or None
        To be called by who waits, now and then: it prints what has changed since.
    """
    if not is_unattended():
        yield None
        return
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    line = StatusLine(label)

    def tell() -> None:
        while not told.empty():
            snapshot = told.get()
            line(snapshot, same=(snapshot.status, snapshot.trouble))

    end = watch(told.put)
    try:
        yield tell
    finally:
        end()
        tell()


def delay_cell_end_until(settled: Callable[[], bool]) -> None:
    """Let this cell, and each after it, end only when `settled`, or when patience does."""
    events = ipython_shell().events

    def wait(_result: object) -> None:
        deadline = time.monotonic() + SETTLE_TIMEOUT_SECONDS
        while not settled():
            if time.monotonic() > deadline:  # it hangs: no later cell waits for it
                events.unregister("post_run_cell", wait)
                return
            time.sleep(POLL_INTERVAL_SECONDS)

    events.register("post_run_cell", wait)
