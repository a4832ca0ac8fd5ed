"""Messages on consoles with a limited character set."""

import errno
import io
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

import wonda_widgets as ww
from wonda_widgets.cli import main
from wonda_widgets.errors import console_text
from wonda_widgets.http import credentials
from wonda_widgets.models import Snapshot
from wonda_widgets.utils import noninteractive

ENCODINGS = ["ascii", "latin-1", "cp1252", "cp932", "cp437", "koi8-r", "utf-8", "utf-16"]
TEXT = "café “quoted” – 3 × 4 … it’s → ✓ ☃ 港 \udcff"


def run(encoding, *command, **variables):
    environment = os.environ | {
        "PYTHONIOENCODING": encoding,
        "PYTHONUTF8": "0",
        "PYTHONPATH": str(Path(ww.__file__).parents[1]),
        **variables,
    }
    for name in credentials.KEY_VARIABLES:
        environment.pop(name, None)
    completed = subprocess.run(
        [sys.executable, *command], check=False, env=environment, capture_output=True
    )
    return (
        completed.returncode,
        completed.stdout.decode(encoding),
        completed.stderr.decode(encoding),
    )


@pytest.mark.parametrize("encoding", ENCODINGS[:4])
@pytest.mark.parametrize(
    "arguments",
    [["doctor"], ["--help"], ["sandbox", "--help"], ["demo", "--port", "☃"], ["forget"]],
    ids=str,
)
def test_command_line_prints_on_any_console(tmp_path, encoding, arguments):
    journal_path = tmp_path / "Häfen … ☃" / "journal.db"
    journal_path.parent.mkdir()
    journal_path.touch()
    (journal_path.parent / "journal.db.damaged-20260101-000000").touch()
    _, out, err = run(
        encoding, "-m", "wonda_widgets", *arguments, WONDA_JOURNAL=str(journal_path), COLUMNS="80"
    )
    assert "Traceback" not in err
    assert out or err
    if arguments[0] in {"doctor", "forget"}:
        assert "fen" in out
        assert ("..." in out) == (encoding in {"ascii", "latin-1"})


SCRIPT = f"""
import wonda_widgets as ww
from wonda_widgets.models import Snapshot
words = {TEXT!r}
print(Snapshot(status="failed", error_message=words, elapsed=3.0))
print(repr(Snapshot(status="failed", error_message=words)))
print(ww.WondaError("Häfen …", words))
print(ww.MissingKeyError())
print(ww.Journal("☃.db"))
"""


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_scripts_can_print_any_message(encoding):
    code, out, err = run(encoding, "-c", SCRIPT)
    assert code == 0, err
    assert "failed" in out
    assert "api_key=" in out


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_printable_text_fits_the_encoding_of_the_stream(encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    stream.write(console_text.printable(TEXT, stream))
    stream.flush()


def test_control_characters_of_a_service_do_not_reach_the_terminal():
    message = "\x1b]0;title\x07\x1b[31mred\x9b1m\x7f\r\n\tend"
    error = ww.WondaError(message)
    snapshot = Snapshot(status=message, error_message=message)
    for text in (str(error), str(snapshot), repr(snapshot)):
        assert "end" in text
        controls = {char for char in text if unicodedata.category(char) == "Cc"}
        assert controls <= {"\n", "\t"}


def test_replaced_symbols_stay_readable():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert (
        console_text.printable("“3 × 4” … it’s · ✓ ☃", stream) == '"3 x 4" ... it\'s - ok \\u2603'
    )
    assert console_text.printable("“3 × 4” …", io.StringIO()) == "“3 × 4” …"


def test_status_line_is_printed_with_escapes_where_needed(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp932")
    monkeypatch.setattr(noninteractive, "is_unattended", lambda: True)
    line = noninteractive.StatusLine("Génération")
    monkeypatch.setattr(sys, "stdout", stream)
    line(Snapshot(status="locked", elapsed=3.0))
    stream.flush()
    assert stream.buffer.getvalue() == b"G\\xe9n\\xe9ration: locked - 3 s\n"


def test_command_restores_the_error_handling_of_its_streams(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit):
        main.main(["--version"])
    assert stream.errors == "strict"
    monkeypatch.setattr(sys, "stdout", None)
    assert str(Snapshot(elapsed=3.0)) == "submitted · 3 s"


class FullDisk(io.RawIOBase):
    """Behave like a file on a full disk."""

    def writable(self):
        return True

    def write(self, _data):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_while_flushing_raises_nothing(monkeypatch):
    disk_file = FullDisk()
    buffer = io.BufferedWriter(disk_file)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(buffer, encoding="utf-8"))
    with console_text.printable_output():
        sys.stdout.write("some text")
    disk_file.write = len  # there is space again, so flushing at exit cannot fail
    sys.stdout.flush()


def test_closed_pipe_causes_no_error_output():
    command = f"{sys.executable} -m wonda_widgets doctor"
    with subprocess.Popen(
        command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        error_output = process.stderr.read()
    assert error_output == b""
