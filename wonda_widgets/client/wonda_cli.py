"""An edit done by the service's own command line tool (wonda-api.md, section 10).

An outside program, which may be missing, hang or print anything. It is run without a
shell, finds its key by itself (in the environment or in its own settings), and ends
with us: if it takes too long or a cell is interrupted, it and what it started are
ended, and nothing else. Its output goes into files, so that it never waits for
somebody to read, and is ended if that grows without end. Of what it prints only its
last words are shown, without the key, which may be one of its own settings.
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

from .. import credentials
from ..errors import InvalidInputError, UnexpectedReplyError, WondaError
from ..imaging import fonts
from ..imaging.apply_edits import read
from ..imaging.operations import Crop, Operation, Text
from ..models import Media
from ..utils import new_files, paths, redaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

BINARY = "WONDA_BIN"
TIMEOUT = 180.0  # seconds; it fetches, renders and uploads
MOST_PRINTED = 16 * 2**20  # bytes
LOOK = 0.05  # seconds; a tool gone wild prints some 30 MB in them
MOST_SAID = 600  # characters of its complaint
# The next run is told of it, so it begins with no dash: that would be a flag.
AN_ID = re.compile(r"\w[\w-]{0,199}")
A_BARE_ID = re.compile(r"(?=.*\d)\w[\w-]{3,199}")  # and no word like "done"
#: What a terminal does not print: commands with a text (a title, a link), and others.
ESCAPES = re.compile(
    r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\r\n]*(?:\x07|\x9c|\x1b\\)?"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
)
LIBRARY = "Look into your Wonda library: it may have uploaded the image."


def cli(
    operations: Operation | dict[str, Any] | Iterable[Any],
    media: Media | str | os.PathLike[str],
    *,
    output: str | os.PathLike[str] | None = None,
    timeout: float = TIMEOUT,
) -> str | Path:
    """Edit with ``wonda edit image`` and get the new media's id, or a file.

    Each operation is one run of the tool, and but for the last each makes a media of
    its own. The tool is ``$WONDA_BIN``, else ``wonda`` on the path.

    Parameters
    ----------
    operations : Crop or Text, or several
    media : Media, str or path
        A media, its id, or a local file.
    output : path, optional
        A new file to write instead.
    timeout : float
        Seconds for each run.

    Returns
    -------
    str or pathlib.Path
        The id of the new media; with `output`, that path.

    Raises
    ------
    InvalidInputError
        If the tool cannot do this.
    WondaError
        If the tool is not there, fails, or takes too long.
    UnexpectedReplyError
        If it says that it succeeded, and not what it made.
    """
    one = isinstance(operations, Operation | dict)
    steps = read([operations] if one else operations)  # type: ignore[arg-type]
    if not steps:
        raise InvalidInputError("operations", "There is nothing to do.", "Pass a Crop or a Text.")
    runs = [_arguments(step) for step in steps]  # all of them, before the first one runs
    target = None if output is None else _free(output)
    binary = _binary()
    at = _source(media)
    if target is None:
        return _edited(binary, at, runs, None, timeout)
    with new_files.temporary_path(target) as part:
        _edited(binary, at, runs, part, timeout)
        if not part.is_file():
            raise UnexpectedReplyError(f"wonda wrote no file at {target}.", LIBRARY)
        try:
            return new_files.move_to_free_name(part, target)
        except OSError as error:
            raise InvalidInputError(
                "output", f"{target} cannot be written: {error.strerror or error}.", LIBRARY
            ) from None


def _edited(
    binary: str, at: str, runs: list[list[str]], output: Path | None, timeout: float
) -> str:
    """Run the tool for each operation; the last one writes to `output`, if there is one.

    Gives the id of the last media that was made.
    """
    for number, arguments in enumerate(runs, start=1):
        to_file = output is not None and number == len(runs)
        command = [binary, "edit", "image", "--media", at, *arguments]
        if to_file:
            command += ["-o", str(output)]
        printed = _run(command, timeout)
        if not to_file:
            at = _media_id(printed)
    return at


# ---------------------------------------------------------------- what it is told


def _arguments(step: Operation) -> list[str]:
    match step:
        case Crop():
            # All four: the tool has defaults of its own for what is missing.
            name, more = "imageCrop", []
            params = {
                "cropPixelX": step.x,
                "cropPixelY": step.y,
                "cropPixelWidth": step.width,
                "cropPixelHeight": step.height,
            }
        case Text():
            if step.stroke_color != Text(text="").stroke_color:
                raise InvalidInputError(
                    "stroke_color", "wonda takes no colour for the stroke.", "Use Edit for it."
                )
            name, more = "textOverlay", ["--prompt-text", step.text]
            params = msgspec.to_builtins(step)
            for own in ("operation", "text", "strokeColor"):
                del params[own]
            if step.font_family == fonts.BUILT_IN:  # of this package; the tool has its own
                del params["fontFamily"]
        case _:
            raise InvalidInputError(
                "operations",
                f"wonda has no operation {type(step).__name__}.",
                "Crop and Text go through it; Edit does all of them without it.",
            )
    return ["--operation", name, "--params", msgspec.json.encode(params).decode(), *more]


def _source(media: Media | str | os.PathLike[str]) -> str:
    text = (media.media_id or "") if isinstance(media, Media) else os.fspath(media).strip()
    if not text or "," in text or text.startswith("-"):
        raise InvalidInputError(
            "media",
            f"wonda cannot be given {text!r}: commas part several images, a dash begins a flag.",
            "Pass a media id, or the path of a file without them.",
        )
    return str(paths.expand_user(text, "media")) if text.startswith("~") else text


def _free(path: str | os.PathLike[str]) -> Path:
    target = paths.expand_user(path, "output").absolute()
    if target.exists():
        raise InvalidInputError("output", f"{target} is there already.", "Name a file that is not.")
    return target


def _binary() -> str:
    asked = os.environ.get(BINARY, "").strip()
    # As a text, because a path would lose the "./" of what is in this folder.
    found = shutil.which(os.path.expanduser(asked) or "wonda")  # noqa: PTH111
    if found is None:
        raise WondaError(
            f"{BINARY} names {asked}, which cannot be run."
            if asked
            else "The command line tool wonda is not on the path.",
            f"Set {BINARY} to where it is, or use Edit, which needs no tool: it works with Pillow.",
        )
    if found.lower().endswith((".cmd", ".bat")):  # which Windows gives to a shell
        raise WondaError(f"{found} is a script for a shell.", f"Set {BINARY} to its .exe.")
    return found


# ---------------------------------------------------------------- running it


def _run(command: Sequence[str], timeout: float) -> str:
    """What it printed."""
    key = credentials.ApiKey(os.environ.get(credentials.key_variable() or ""))
    if any(key.redact(part.encode()) != part.encode() for part in command):
        # Everybody on this computer can read the arguments of a process.
        raise InvalidInputError(
            "operations", "The API key is in what wonda would be told.", "Take it out."
        )
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        try:
            process = _Tool(command, out, err)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise WondaError(
                f"{command[0]} cannot be run: {reason}.",
                f"Set {BINARY} to the wonda tool, or use Edit, which needs no tool.",
            ) from None
        try:
            code = _wait(process, timeout)
        except TimeoutError:
            raise WondaError(f"wonda was ended after {timeout:g} seconds.", LIBRARY) from None
        finally:
            _end(process)
        if code:
            words = _last_words(_read(err), key) or f"exit status {code}"
            raise WondaError(f"wonda could not do the edit: {words}", "Nothing else was run.")
        return _without_key(_read(out), key).strip()


class _Tool(subprocess.Popen[bytes]):
    """The running tool, and the files that it prints into."""

    def __init__(self, command: Sequence[str], *files: IO[bytes]) -> None:
        self._files = files
        out, err = files
        super().__init__(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,  # so that what it starts can be ended with it
        )

    @property
    def printed(self) -> int:
        """Bytes so far."""
        return sum(os.fstat(file.fileno()).st_size for file in self._files)


def _wait(process: _Tool, timeout: float) -> int:
    """Wait so that an interrupt gets through on every platform."""
    deadline = time.monotonic() + timeout
    while True:
        left = max(0.0, deadline - time.monotonic())
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(min(left, LOOK))
        if process.printed > MOST_PRINTED:
            most = f"{MOST_PRINTED // 2**20} MB"
            raise WondaError(f"wonda was ended because it printed more than {most}.", LIBRARY)
        if process.returncode is not None:
            return process.returncode
        if not left:
            raise TimeoutError


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started, if it still runs."""
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


def _last_words(printed: str, key: credentials.ApiKey) -> str:
    """The last line of a complaint, which is what it came to, as plain text."""
    for line in reversed(ESCAPES.sub("", printed).splitlines()):
        plain = "".join(filter(str.isprintable, line)).strip()
        if plain:
            return _without_key(plain, key)[:MOST_SAID]
    return ""


def _without_key(text: str, key: credentials.ApiKey) -> str:
    """Without the key of the environment, and any other one."""
    return redaction.KEY_PATTERN.sub("…", key.redact(text.encode()).decode())


# ---------------------------------------------------------------- what it says


def _media_id(printed: str) -> str:
    try:
        reply = msgspec.json.decode(printed)
    except msgspec.DecodeError:
        reply = printed  # `--quiet` prints the id alone
    first = _at(_at(reply, "outputs"), 0)
    named = (_at(reply, "mediaId"), _at(first, "mediaId"), _at(_at(first, "media"), "mediaId"))
    for found, pattern in (*((name, AN_ID) for name in named), (reply, A_BARE_ID)):
        if isinstance(found, str) and pattern.fullmatch(found):
            return found
    raise UnexpectedReplyError("wonda did not say which media it made.", LIBRARY)


def _at(value: Any, key: str | int) -> Any:
    """``value[key]`` of JSON from outside; None where there is none."""
    try:
        return value[key]
    except (TypeError, LookupError):
        return None
