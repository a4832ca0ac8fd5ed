"""Users without a home directory, as in containers with an unknown user ID."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import wonda_widgets as ww
from wonda_widgets.cli import main
from wonda_widgets.client import wonda_cli
from wonda_widgets.export import files
from wonda_widgets.http import credentials
from wonda_widgets.imaging import fonts, save_original
from wonda_widgets.journal import database, location
from wonda_widgets.utils import user_directories

#: Runs a program as somebody whom the system does not know.
NOBODY = """
import os, pwd, sys, warnings
def unknown(_):
    raise KeyError("uid not found")
pwd.getpwuid = unknown
program = sys.argv.pop(1)
exec(compile(program, "program", "exec"))
"""

HOMES = [None, "", "~", "relative", "/dev/null", "/proc/nobody"]


def nobody(folder, program, where, *arguments):
    """What a program prints, and how it ends, for somebody without a home."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("XDG_", "WONDA", "HOME"))
    }
    environment["PYTHONPATH"] = str(Path(ww.__file__).parents[1])
    if where is not None:
        environment["HOME"] = where
    command = [sys.executable, "-c", NOBODY, program, *arguments]
    done = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert list(folder.iterdir()) == []  # no folder named "~"
    return done


USE = """
import wonda_widgets as ww
assert str(ww.Journal())
with ww.Wonda("sk_" + "0" * 64) as wonda:
    print(wonda)
with ww.Wonda.sandbox(seconds=0.01, journal=ww.Journal()) as wonda:
    job = wonda.images.generate(model="nano-banana-2", prompt="A harbour")
    print(job.wait().status, wonda.jobs.recent()[0].kind)
print(ww.Studio())
"""


@pytest.mark.parametrize("where", HOMES)
def test_without_a_home_everything_works_in_memory(tmp_path, where):
    done = nobody(tmp_path, USE, where)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["succeeded inference", "<Studio>"]
    assert "JournalWarning" in done.stderr
    assert "Work continues in memory" in done.stderr


@pytest.mark.parametrize("where", HOMES)
@pytest.mark.parametrize("command", [["doctor"], ["forget", "--yes"]])
def test_command_line_works_without_a_home(tmp_path, where, command):
    program = "from wonda_widgets.cli.main import main; sys.exit(main(sys.argv[1:]))"
    done = nobody(tmp_path, program, where, *command)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def homeless(monkeypatch):
    def nowhere(*_, **__):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.setattr(Path, "expanduser", nowhere)
    monkeypatch.setattr("platformdirs.user_data_path", nowhere)
    monkeypatch.setattr("platformdirs.user_config_path", nowhere)
    monkeypatch.delenv("WONDA_JOURNAL", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("variable", ["", "~/journal.db"])
def test_journal_without_a_location_warns(monkeypatch, variable):
    monkeypatch.setenv("WONDA_JOURNAL", variable)
    with pytest.warns(database.JournalWarning, match="no home folder"):
        made = ww.Journal()
    assert made.path is None
    assert "WONDA_JOURNAL" in made.problem
    assert made.flush().result(5) is None
    made.close()


@pytest.mark.usefixtures("homeless")
def test_other_features_say_what_is_missing():
    assert user_directories.home_folder() is None
    assert location.journal_files() == []
    assert credentials.saved_key() is None
    assert not credentials.has_marker()
    _, trouble = credentials._attempt(lambda: credentials._write_marker("https://api.example"))
    assert trouble == "This user has no home folder."
    for system in ("linux", "darwin", "win32"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "platform", system)
            assert all(folder.is_absolute() for folder in fonts._folders()) or system == "win32"
    for wrong, call in (
        (ww.InvalidInputError, lambda: fonts.load("~/a.ttf", 9)),
        (ww.InvalidInputError, lambda: files.check_path("~/a.json")),
        (ww.InvalidInputError, lambda: wonda_cli._output_path(Path("~/a.png"))),
        (ww.InvalidInputError, lambda: save_original.write("~", "a.png", b"")),
    ):
        with pytest.raises(wrong):
            call()


def test_inaccessible_folder_is_reported(monkeypatch, tmp_path, capsys):
    def locked(*_):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setenv("WONDA_JOURNAL", str(tmp_path / "journal.db"))
    monkeypatch.setattr(Path, "glob", locked)
    monkeypatch.setattr(Path, "iterdir", locked)
    monkeypatch.delenv("WONDA_API_KEY", raising=False)
    monkeypatch.setattr(credentials, "saved_key", lambda *_: None)
    assert location.journal_files() == []
    assert main.main(["doctor"]) == 0
    assert "journal.db" in capsys.readouterr().out


def test_doctor_reports_an_unwritable_journal(tmp_path, monkeypatch, capsys):
    file = tmp_path / "file"
    file.touch()
    for path, why in (
        (file / "journal.db", f"{file} is not a folder"),
        (tmp_path / "new" / "folder" / "journal.db", ""),
        (file, ""),
    ):
        monkeypatch.setenv("WONDA_JOURNAL", str(path))
        main.main(["doctor"])
        said = capsys.readouterr().out
        assert (f"it cannot be written: {why}" in said) == bool(why)
