"""Record each call that blocks the package's event loop: disk, DNS, waiting for a result."""

from __future__ import annotations

import concurrent.futures
import os
import sys
import threading
import time
from pathlib import Path

PACKAGE = str(Path(__file__).parent.parent / "wonda_widgets") + os.sep
TESTS = str(Path(__file__).parent) + os.sep
SANDBOX = PACKAGE + "sandbox" + os.sep

#: Of Python's audit events, those of calls that may wait.
WAITING = {
    "open",
    "glob.glob",
    "os.listdir",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.scandir",
    "pathlib.Path.glob",
    "socket.getaddrinfo",
    "sqlite3.connect",
    "subprocess.Popen",
}
#: Where Python opens source files of its own accord, some by names that no file has: for modules,
#: and for tracebacks.
PYTHONS_OWN = ("<frozen importlib", "linecache.py", "traceback.py")

#: What is read once, where a client is made or first connects: by whoever does that.
ONCE = tuple(str(Path(PACKAGE, "http", name)) for name in ("credentials.py", "network_settings.py"))

found: list[str] = []
_real_result = concurrent.futures.Future.result
_real_sleep = time.sleep


def _is_loop() -> bool:
    return threading.current_thread().name == "wonda-widgets"


def _note(what: str) -> None:
    """Note what the package itself does; not what a test's service, or the sandbox, does there.

    Nor what a module does as it is loaded, which depends on the order of the tests.
    """
    frame, lines, ours = sys._getframe(2), [], None
    while frame is not None:
        file = frame.f_code.co_filename
        lines.append(f"  {file}:{frame.f_lineno} {frame.f_code.co_name}")
        if any(own in file for own in PYTHONS_OWN):
            return
        if ours is None and (file.startswith((TESTS, SANDBOX)) or file in ONCE):
            return
        if ours is None and file.startswith(PACKAGE):
            ours = "\n".join([what, *lines[:8]])
        frame = frame.f_back
    if ours is not None:
        found.append(ours)


def _hook(event: str, args: tuple[object, ...]) -> None:
    told = str(args[0]) if args else ""
    # What the system itself tells is on no disk.
    if event in WAITING and _is_loop() and not told.startswith("/proc/"):
        _note(f"{event} {args}")


def _result(future: concurrent.futures.Future[object], timeout: float | None = None) -> object:
    if not future.done() and _is_loop():
        _note("Future.result")
    return _real_result(future, timeout)


def _sleep(seconds: float) -> None:  # no audit event before Python 3.13
    if _is_loop():
        _note("time.sleep")
    _real_sleep(seconds)


sys.addaudithook(_hook)
time.sleep = _sleep
concurrent.futures.Future.result = _result  # type: ignore[method-assign,assignment]
