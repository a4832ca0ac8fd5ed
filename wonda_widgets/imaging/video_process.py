"""Read and convert videos in a process of their own, with limits on its time and memory.

FFmpeg, which PyAV contains, may crash or use much memory when a file is damaged or hostile: an
MP4 of 2 KB can ask for 2 GB. In another process, this does not affect the notebook's kernel.

    caller ──request (JSON, argument)──> process
    caller <──progress, then a result or an error (JSON, a line each)── process

The process is ended when it takes too long. It ends itself when it takes too much memory, and when
its caller has ended (its standard input is then closed). Of the environment, it gets only what
Python needs, and no key.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import UnsafeMediaError
from ..utils import daemon_threads
from . import convert_video, decode_threads, video

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import BinaryIO

    from .operations import AnyOperation

READ_SECONDS, READ_MEGABYTES = 20.0, 200
CONVERT_SECONDS, CONVERT_MEGABYTES = 900.0, 1_000
MAX_READERS, MAX_CONVERSIONS = 3, 1  # at the same time
WATCH_SECONDS = 0.01  # between two looks at the memory

TOO_MUCH_MEMORY, NO_CALLER = 71, 72  # exit codes

ENVIRONMENT = {"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "LD_LIBRARY_PATH"}
NEEDED = ("av", "psutil")
INSTALL = "Run: pip install 'wonda-widgets[video]'"
START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from wonda_widgets.imaging import video_process; video_process.main(sys.argv[2])"
)

_readers = daemon_threads.ConcurrencyLimit(MAX_READERS)
_conversions = daemon_threads.ConcurrencyLimit(MAX_CONVERSIONS)


class _Request(msgspec.Struct, kw_only=True):
    """A function (see `_FUNCTIONS`), its arguments and limits."""

    function: str
    arguments: dict[str, Any]
    seconds: float = READ_SECONDS
    megabytes: int = READ_MEGABYTES


class _Message(msgspec.Struct, omit_defaults=True):
    """A line of the process's output; `error` has a message and what to do."""

    progress: float | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: tuple[str, str] | None = None


def is_available() -> bool:
    """Return whether videos can be read: PyAV is installed, and processes can be started."""
    return bool(sys.executable) and all(map(importlib.util.find_spec, NEEDED))


async def poster(path: Path) -> bytes:
    """Return the first frame of a video as a JPEG.

    Raises
    ------
    UnsafeMediaError
        If PyAV is not installed; if the file is not a video in MP4, MOV or WebM, is damaged or too
        large; or if reading it takes more than 20 seconds or 200 MB of memory.
    """
    request = _Request(function="poster", arguments={"path": str(path)})
    return msgspec.json.decode(await _run(request), type=bytes)


async def facts(path: Path) -> video.VideoFacts:
    """Read what a video file says about itself; for errors see `poster`."""
    request = _Request(function="facts", arguments={"path": str(path)})
    return msgspec.json.decode(await _run(request), type=video.VideoFacts)


async def convert(
    path: Path,
    target: Path,
    operations: Sequence[AnyOperation],
    on_progress: Callable[[float], object] = lambda _share: None,
) -> video.VideoFacts:
    """Write a changed copy of a video, as MP4, and return its facts.

    Parameters
    ----------
    path, target : Path
    operations : sequence of operation
        Those of `operations.VideoOperation`.
    on_progress : callable
        Called with the finished share, 0 to 1, from a thread.

    Raises
    ------
    UnsafeMediaError
        Also raised if the conversion takes more than 15 minutes or 1 GB of memory, or if `target`
        cannot be written; see `poster`.
    """
    arguments = {
        "path": str(path),
        "target": str(target),
        "operations": msgspec.to_builtins(list(operations)),
    }
    request = _Request(
        function="convert",
        arguments=arguments,
        seconds=CONVERT_SECONDS,
        megabytes=CONVERT_MEGABYTES,
    )
    return msgspec.json.decode(await _run(request, on_progress), type=video.VideoFacts)


# ---------------------------------------------------------------- the caller


async def _run(
    request: _Request, on_progress: Callable[[float], object] = lambda _share: None
) -> msgspec.Raw:
    if not is_available():
        raise UnsafeMediaError("Videos are read only with PyAV.", INSTALL)
    child = _Child(request)
    try:
        limit = _conversions if request.function == "convert" else _readers
        return await limit.run(partial(_in_thread, partial(child.run, on_progress)))
    finally:
        child.end()  # also if this was canceled


async def _in_thread(work: Callable[[], msgspec.Raw]) -> msgspec.Raw:
    return await asyncio.wrap_future(daemon_threads.start(work, "video"))


class _Child:
    """The process of one request."""

    def __init__(self, request: _Request) -> None:
        self._request = request
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = self._is_late = False

    def run(self, on_progress: Callable[[float], object]) -> msgspec.Raw:
        """Start the process and wait for its result. Slow: run this in a thread."""
        with self._lock:
            if self._ended:
                raise _unreadable()
            self._process = process = self._start()
        with process:  # closes the pipes
            message = self._last_message(process, on_progress)
            process.kill()
            code = process.wait()
        if message is None:
            raise self._failure(code)
        if message.error is not None:
            raise UnsafeMediaError(*message.error)
        return message.result

    def _start(self) -> subprocess.Popen[bytes]:
        # JSON of the standard library: paths may have bytes that are no text.
        request = json.dumps(msgspec.to_builtins(self._request))
        own = str(Path(__file__).parents[2])  # it may be importable only from the current folder
        path = json.dumps([*(each for each in sys.path if each and isinstance(each, str)), own])
        try:
            return subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-I", "-c", START, path, request],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in ENVIRONMENT if name in os.environ},
                # "Interrupt the kernel" is not for this process.
                start_new_session=os.name == "posix",
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            raise UnsafeMediaError(f"No process could be started: {error.strerror}.") from None

    def _last_message(
        self, process: subprocess.Popen[bytes], on_progress: Callable[[float], object]
    ) -> _Message | None:
        """Read until a result or an error; None if the process ended without one."""
        limit = threading.Timer(self._request.seconds, self._give_up)
        limit.daemon = True
        limit.start()
        try:
            assert process.stdout is not None  # noqa: S101 - a pipe
            for line in process.stdout:
                try:
                    message = msgspec.json.decode(line, type=_Message)
                except msgspec.DecodeError:  # ended in the middle of a line
                    return None
                if message.progress is None:
                    return message
                on_progress(message.progress)
        finally:
            limit.cancel()
        return None

    def _failure(self, code: int) -> UnsafeMediaError:
        request = self._request
        work = "Converting" if request.function == "convert" else "Reading"
        if code == TOO_MUCH_MEMORY:
            return UnsafeMediaError(
                f"{work} this video needs more than {request.megabytes} MB of memory.",
                "It may be very large, or damaged.",
            )
        if self._is_late:
            return decode_threads.DecodeTimeoutError(
                f"{work} this video takes longer than {request.seconds:g} s.",
                "wonda.media.download(media, path) writes it to a file.",
            )
        return _unreadable()

    def _give_up(self) -> None:
        self._is_late = True
        self.end()

    def end(self) -> None:
        """End the process if it is still running."""
        with self._lock:
            self._ended = True
            if self._process is not None:
                self._process.kill()


def _unreadable() -> UnsafeMediaError:
    return UnsafeMediaError(*video.UNREADABLE)


# ---------------------------------------------------------------- the process

_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "poster": video.poster,
    "facts": video.facts,
    "convert": convert_video.convert,
}


def main(request_json: str) -> None:
    """Run one request and write its messages to the standard output."""
    request = msgspec.convert(json.loads(request_json), _Request)
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever else is printed is not a message
    import av  # noqa: F401, PLC0415 - its memory is not the video's
    import psutil  # noqa: PLC0415 - optional

    memory = psutil.Process().memory_info
    allowed = memory().rss + request.megabytes * 1_000_000
    parent = os.getppid()

    def end_beyond_limits() -> None:
        while memory().rss <= allowed:
            time.sleep(WATCH_SECONDS)
            if os.getppid() != parent:  # a copy of the caller may keep the pipe open
                os._exit(NO_CALLER)
        os._exit(TOO_MUCH_MEMORY)

    for watch in (_end_without_caller, end_beyond_limits):
        threading.Thread(target=watch, daemon=True).start()
    arguments = request.arguments
    if request.function == "convert":
        arguments["on_progress"] = lambda share: _write(output, _Message(progress=share))
    try:
        result = _FUNCTIONS[request.function](**arguments)
    except UnsafeMediaError as error:
        _write(output, _Message(error=(error.message, error.hint or "")))
    except MemoryError:
        os._exit(TOO_MUCH_MEMORY)
    else:
        _write(output, _Message(result=msgspec.Raw(msgspec.json.encode(result))))


def _write(output: BinaryIO, message: _Message) -> None:
    output.write(msgspec.json.encode(message) + b"\n")


def _end_without_caller() -> None:
    os.read(0, 1)  # nothing is sent, so this returns when the pipe is closed
    os._exit(NO_CALLER)
