"""Support notebooks that run unattended: nbconvert, papermill, `jupyter execute`.

No widget is live there, so progress is printed and results are stored in the output instead:

- a blocking wait prints a line per change (`printing_changes`, `StatusLine`);
- a cell ends only when the static outputs of its panels are complete
  (`delay_cell_end_until`), because output that comes later is lost.

Such tools tell the kernel that `input()` is not available; JupyterLab and Notebook do not. Voilà
does the same although users see its panels; it is recognized by the environment variables that it
sets in the kernel.
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

#: How long the end of a cell waits for its panels to load.
SETTLE_TIMEOUT_SECONDS = 15.0
POLL_INTERVAL_SECONDS = 0.02


def is_unattended() -> bool:
    """Return whether the caller runs in a cell of an unattended notebook.

    False in a script, a terminal or a live front end, on any thread but the main one, and if it
    cannot be determined.
    """
    shell = ipython_shell()
    kernel = getattr(shell, "kernel", None)
    if kernel is None or threading.current_thread() is not threading.main_thread():
        return False
    if "VOILA_PREHEAT" in os.environ or os.environ.get("SERVER_SOFTWARE", "").startswith("voila/"):
        return False
    try:
        execute_request = kernel.get_parent()["content"]
        return "code" in execute_request and execute_request.get("allow_stdin") is False
    except Exception:  # noqa: BLE001 - not ipykernel, or no cell is running
        return False


def ipython_shell() -> Any:
    """Return IPython's shell or None, without importing IPython."""
    ipython = sys.modules.get("IPython")
    return None if ipython is None else getattr(ipython, "get_ipython", lambda: None)()


class StatusLine:
    """A status that is printed whenever it changes, but only in an unattended notebook.

    Parameters
    ----------
    label : str
        The start of each line.
    """

    def __init__(self, label: str) -> None:
        self._label = label
        self._silent = not is_unattended()
        self._last_key: object = None

    def __call__(self, status: object, *, key: object = None) -> None:
        """Print `status` unless its `key` (default: its text) equals the last one."""
        key = str(status) if key is None else key
        if not self._silent and key != self._last_key:
            self._last_key = key
            print(printable(f"{self._label}: {status}"), flush=True)


@contextlib.contextmanager
def printing_changes(
    label: str, watch: Callable[[Callable[[Any], object]], Callable[[], None]]
) -> Iterator[Callable[[], None] | None]:
    """Print a job's changes while the caller waits for it in an unattended notebook.

    Parameters
    ----------
    label : str
        The start of each line.
    watch : callable
        `Job.watch`, which reports snapshots on the package's loop.

    Yields
    ------
    callable or None
        Call this regularly while waiting: it prints the changes since the last call. They must
        be printed on the waiting thread, because a kernel may assign another thread's output to
        another cell. None if there is nothing to print.
    """
    if not is_unattended():
        yield None
        return
    snapshots: queue.SimpleQueue[Any] = queue.SimpleQueue()
    line = StatusLine(label)

    def print_pending() -> None:
        while not snapshots.empty():
            snapshot = snapshots.get()
            line(snapshot, key=(snapshot.status, snapshot.problem))

    unwatch = watch(snapshots.put)
    try:
        yield print_pending
    finally:
        unwatch()
        print_pending()


def delay_cell_end_until(is_settled: Callable[[], bool]) -> None:
    """Delay the end of this and each later cell until `is_settled`, or until a timeout.

    After a timeout, later cells no longer wait.
    """
    events = ipython_shell().events

    def wait(_result: object) -> None:
        deadline = time.monotonic() + SETTLE_TIMEOUT_SECONDS
        while not is_settled():
            if time.monotonic() > deadline:
                events.unregister("post_run_cell", wait)
                return
            time.sleep(POLL_INTERVAL_SECONDS)

    events.register("post_run_cell", wait)
