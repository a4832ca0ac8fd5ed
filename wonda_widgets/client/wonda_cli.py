"""Edit images with the service's command-line tool `wonda` (wonda-api.md, section 10).

The tool may be missing, hang or print anything. It is run without a shell and finds its own API
key. On a timeout or an interrupt, it and its child processes are killed. Its output goes to
temporary files, so that a full pipe cannot block it, and is limited in size. An error message shows
only the last line of that output, with every API key removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from typing import IO, TYPE_CHECKING, Any

import msgspec

from ..errors import InvalidInputError, UnexpectedReplyError, WondaError, redaction
from ..http import credentials
from ..imaging import fonts
from ..imaging.apply_edits import parse_operations
from ..imaging.operations import Crop, Operation, Text
from ..models import Media
from ..utils import new_files, paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

BINARY_VARIABLE = "WONDA_BIN"
TIMEOUT_SECONDS = 180.0  # the tool downloads, renders and uploads
MAX_OUTPUT_BYTES = 16 * 2**20
POLL_SECONDS = 0.05  # a faulty tool can print about 30 MB in this time
MAX_ERROR_LENGTH = 600  # characters
#: Without a leading dash, because the next run receives the ID as an argument.
MEDIA_ID = re.compile(r"\w[\w-]{0,199}")
#: Contains a digit, which excludes words such as "done".
PLAIN_MEDIA_ID = re.compile(r"(?=.*\d)\w[\w-]{3,199}")
#: Terminal escape sequences: those with a string (a title, a link), and others.
ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\r\n]*(?:\x07|\x9c|\x1b\\)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
CHECK_LIBRARY = "Check your Wonda library: the image may have been uploaded."


def cli(
    operations: Operation | dict[str, Any] | Iterable[Any],
    media: Media | str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> str | Path:
    """Edit an image with ``wonda edit image``.

    The tool runs once per operation, and every run except the last creates a separate media.
    The tool is ``$WONDA_BIN``, or else ``wonda`` on the ``PATH``.

    Parameters
    ----------
    operations : Crop or Text, or several
    media : Media, str or path
        A media, its ID, or a local file.
    output : path, optional
        A new file to write the result to, instead of creating a media.
    timeout : float
        The maximum seconds for each run.

    Returns
    -------
    str or pathlib.Path
        The ID of the new media; with `output`, that path.

    Raises
    ------
    InvalidInputError
        If the tool does not support the operation, or the file exists.
    WondaError
        If the tool is missing, fails, or takes too long.
    UnexpectedReplyError
        If the tool succeeds but does not print its result.
    """
    is_single = isinstance(operations, Operation | dict)
    steps = parse_operations([operations] if is_single else operations)  # type: ignore[arg-type]
    if not steps:
        raise InvalidInputError("operations", "There are no operations.", "Pass a Crop or a Text.")
    runs = [_arguments(step) for step in steps]  # check all of them before the first run
    target = None if output is None else _output_path(output)
    binary = _binary()
    source = _source(media)
    if target is None:
        return _run_all(binary, source, runs, None, timeout)
    with new_files.temporary_path(target) as part:
        _run_all(binary, source, runs, part, timeout)
        if not part.is_file():
            raise UnexpectedReplyError(f"wonda wrote no file at {target}.", CHECK_LIBRARY)
        try:
            return new_files.move_to_free_name(part, target)
        except OSError as error:
            raise InvalidInputError(
                "output", f"{target} cannot be written: {error.strerror or error}.", CHECK_LIBRARY
            ) from None


def _run_all(
    binary: str, source: str, runs: list[list[str]], output: Path | None, timeout: float
) -> str:
    """Run the tool once per operation; the last run writes to `output`, if given.

    Returns
    -------
    str
        The ID of the last media that was created, or `source` if there is none.
    """
    for number, arguments in enumerate(runs, start=1):
        to_file = output is not None and number == len(runs)
        command = [binary, "edit", "image", "--media", source, *arguments]
        if to_file:
            command += ["-o", str(output)]
        printed = _run(command, timeout)
        if not to_file:
            source = _media_id(printed)
    return source


# ---------------------------------------------------------------- arguments


def _arguments(step: Operation) -> list[str]:
    match step:
        case Crop():
            # All four, because the tool has its own defaults for missing ones.
            name, extra = "imageCrop", []
            params = {
                "cropPixelX": step.x,
                "cropPixelY": step.y,
                "cropPixelWidth": step.width,
                "cropPixelHeight": step.height,
            }
        case Text():
            if step.stroke_color != Text(text="").stroke_color:
                raise InvalidInputError(
                    "stroke_color", "wonda does not support a stroke color.", "Use Edit instead."
                )
            name, extra = "textOverlay", ["--prompt-text", step.text]
            params = msgspec.to_builtins(step)
            for unsupported in ("operation", "text", "strokeColor"):
                del params[unsupported]
            if step.font_family == fonts.BUILT_IN:  # this package's font; the tool has its own
                del params["fontFamily"]
        case _:
            raise InvalidInputError(
                "operations",
                f"wonda has no operation {type(step).__name__}.",
                "Use Crop or Text, or use Edit, which supports every operation.",
            )
    return ["--operation", name, "--params", msgspec.json.encode(params).decode(), *extra]


def _source(media: Media | str | os.PathLike[str]) -> str:
    text = (media.media_id or "") if isinstance(media, Media) else os.fspath(media).strip()
    if not text or "," in text or text.startswith("-"):
        raise InvalidInputError(
            "media",
            f"wonda cannot process {text!r}: it would read a comma as a list of images, and a "
            "leading dash as a flag.",
            "Pass a media ID, or a file path without them.",
        )
    return str(paths.expand_user(text, "media")) if text.startswith("~") else text


def _output_path(path: str | os.PathLike[str]) -> Path:
    target = paths.expand_user(path, "output").absolute()
    if target.exists():
        raise InvalidInputError("output", f"{target} already exists.", "Name a new file.")
    return target


def _binary() -> str:
    configured = os.environ.get(BINARY_VARIABLE, "").strip()
    # A string, because a Path would lose the "./" of a tool in the current folder.
    found = shutil.which(os.path.expanduser(configured) or "wonda")  # noqa: PTH111
    if found is None:
        raise WondaError(
            f"{BINARY_VARIABLE} is {configured}, which cannot be run."
            if configured
            else "The command-line tool wonda is not on the PATH.",
            f"Set {BINARY_VARIABLE} to the tool's path, or use Edit, which does not need the tool.",
        )
    if found.lower().endswith((".cmd", ".bat")):  # Windows runs these in a shell
        raise WondaError(f"{found} is a shell script.", f"Set {BINARY_VARIABLE} to its .exe.")
    return found


# ---------------------------------------------------------------- process


def _run(command: Sequence[str], timeout: float) -> str:
    """Run the tool and return its standard output, without API keys."""
    key = credentials.ApiKey(os.environ.get(credentials.key_variable() or ""))
    if any(key.redact(part.encode()) != part.encode() for part in command):
        # Every user of this computer can read the arguments of a process.
        raise InvalidInputError(
            "operations", "The arguments of wonda contain the API key.", "Remove it."
        )
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = _ToolProcess(command, out, err)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WondaError(
                f"{command[0]} cannot be run: {reason}.",
                f"Set {BINARY_VARIABLE} to the wonda tool, or use Edit, which does not need it.",
            ) from None
        try:
            code = _wait(process, timeout)
        except TimeoutError:
            raise WondaError(
                f"wonda was stopped after {timeout:g} seconds.", CHECK_LIBRARY
            ) from None
        finally:
            _kill(process)
        if code:
            reason = _last_line(_read(err), key) or f"exit status {code}"
            raise WondaError(f"wonda failed: {reason}", "Later operations were not run.")
        return _redact(_read(out), key).strip()


class _ToolProcess(subprocess.Popen[bytes]):
    """The running tool, with the files that receive its output."""

    def __init__(self, command: Sequence[str], *files: IO[bytes]) -> None:
        self._files = files
        out, err = files
        super().__init__(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # so that its child processes can be killed with it
        )

    @property
    def output_bytes(self) -> int:
        """Size of the output so far, in bytes."""
        return sum(os.fstat(file.fileno()).st_size for file in self._files)


def _wait(process: _ToolProcess, timeout: float) -> int:
    """Wait for the exit status, in short waits that an interrupt can end on every platform."""
    deadline = time.monotonic() + timeout
    while True:
        remaining = max(0.0, deadline - time.monotonic())
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(remaining, POLL_SECONDS))
        if process.output_bytes > MAX_OUTPUT_BYTES:
            limit = f"{MAX_OUTPUT_BYTES // 2**20} MB"
            raise WondaError(
                f"wonda was stopped because it printed more than {limit}.", CHECK_LIBRARY
            )
        if process.returncode is not None:
            return process.returncode
        if not remaining:
            raise TimeoutError


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the tool and its child processes, if it is still running."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _last_line(output: str, key: credentials.ApiKey) -> str:
    """Return the last line that is not blank, as plain text."""
    for line in reversed(ESCAPE_SEQUENCES.sub("", output).splitlines()):
        plain = "".join(filter(str.isprintable, line)).strip()
        if plain:
            return _redact(plain, key)[:MAX_ERROR_LENGTH]
    return ""


def _redact(text: str, key: credentials.ApiKey) -> str:
    """Remove the environment's API key and everything that looks like a key."""
    return redaction.KEY_PATTERN.sub("…", key.redact(text.encode()).decode())


# ---------------------------------------------------------------- result


def _media_id(output: str) -> str:
    try:
        reply = msgspec.json.decode(output)
    except msgspec.DecodeError:
        reply = output  # `--quiet` prints only the ID
    first = _get(_get(reply, "outputs"), 0)
    ids = (_get(reply, "mediaId"), _get(first, "mediaId"), _get(_get(first, "media"), "mediaId"))
    for found, pattern in (*((media_id, MEDIA_ID) for media_id in ids), (reply, PLAIN_MEDIA_ID)):
        if isinstance(found, str) and pattern.fullmatch(found):
            return found
    raise UnexpectedReplyError("wonda did not print the ID of the new media.", CHECK_LIBRARY)


def _get(value: Any, key: str | int) -> Any:
    """Return ``value[key]`` of untrusted JSON, or None."""
    try:
        return value[key]
    except (TypeError, LookupError):
        return None
