"""New files are written completely or not at all, and never overwrite another file."""

import errno
import json
import os
import subprocess
import sys

import pytest

import wonda_widgets as ww
from wonda_widgets.export import files
from wonda_widgets.imaging import save_original
from wonda_widgets.utils import new_files

DATA = b"x" * 200_000
TOO_SMALL = 50_000  # bytes that the full disk takes of a file


LIMITED = f"""
import resource, signal
from pathlib import Path
from wonda_widgets.export import files
from wonda_widgets.imaging import save_original
from wonda_widgets.utils import new_files
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({TOO_SMALL}, {TOO_SMALL}))
DATA = b"x" * 200_000
"""


def in_full_disk(call, folder):
    """Make a call in a process whose files can have only so many bytes."""
    return subprocess.run(
        [sys.executable, "-c", LIMITED + call],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
    )


def names(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.forks
@pytest.mark.parametrize(
    "call",
    [
        "new_files.write(Path('story.html'), DATA)",
        "new_files.replace(Path('mark'), DATA)",
        "save_original.write(None, 'harbour.png', DATA)",
        "save_original.write('harbour.png', '', DATA)",
        "files.write(Path('images.csv'), DATA)",
    ],
)
def test_full_disk_leaves_no_partial_file(tmp_path, call):
    done = in_full_disk(call, tmp_path)
    assert "File too large" in done.stderr
    assert names(tmp_path) == []


@pytest.mark.forks
def test_full_disk_does_not_damage_a_replaced_file(tmp_path):
    (tmp_path / "mark").write_text("earlier")
    assert in_full_disk("new_files.replace(Path('mark'), DATA)", tmp_path).returncode
    assert (tmp_path / "mark").read_text() == "earlier"
    assert names(tmp_path) == ["mark"]


def full(part, _data):
    part.write_bytes(b"half")
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.usefixtures("quick_polls")
@pytest.mark.parametrize("kind", ["csv", "json", "html"])
def test_next_attempt_uses_the_requested_name(tmp_path, monkeypatch, kind):
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        wonda.images.generate(model="z-image", prompt="A harbour").wait()
        found = wonda.history.search()
        with monkeypatch.context() as patched:
            patched.setattr(new_files, "_write_synced", full)
            with pytest.raises(ww.InvalidInputError, match="No space left"):
                wonda.history.export(found, tmp_path / f"story.{kind}")
        assert names(tmp_path) == []
        assert wonda.history.export(found, tmp_path / f"story.{kind}").name == f"story.{kind}"
    assert names(tmp_path) == [f"story.{kind}"]


@pytest.mark.usefixtures("quick_polls")
def test_unfinished_folder_is_removed(tmp_path, monkeypatch):
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        for prompt in ("A harbour", "A pier", "A lake", "A reef", "A ship"):
            wonda.images.generate(model="z-image", prompt=prompt).wait()
        found = wonda.history.search()
        folder = tmp_path / "board"
        folder.mkdir()
        (folder / "own.txt").write_text("stays")
        real, filled = new_files._write_synced, []

        def soon_full(part, data):
            filled.append(part)
            (real if len(filled) < 3 else full)(part, data)

        with monkeypatch.context() as patched:
            patched.setattr(new_files, "_write_synced", soon_full)
            with pytest.raises(ww.InvalidInputError, match="No space left"):
                wonda.history.export(found, folder)
        assert names(folder) == ["own.txt"]
        wonda.history.export(found, folder)
    assert len(names(folder)) == len(found) + 2
    assert not any("(2)" in name for name in names(folder))
    assert len(json.loads((folder / "manifest.json").read_text("utf-8"))) == len(found)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, OSError(5, "broken")])
def test_interrupt_leaves_no_file(tmp_path, monkeypatch, error):
    def interrupted(part, _data):
        part.write_bytes(b"half")
        raise error

    monkeypatch.setattr(new_files, "_write_synced", interrupted)
    with pytest.raises(error if isinstance(error, type) else type(error)):
        save_original.write(tmp_path, "harbour.png", DATA)
    assert names(tmp_path) == []


def test_existing_file_is_kept_and_new_one_is_numbered(tmp_path, monkeypatch):
    (tmp_path / "story.html").write_text("theirs")
    assert new_files.write(tmp_path / "story.html", DATA).name == "story (2).html"
    real = new_files._write_synced

    def meanwhile(part, data):
        real(part, data)
        (tmp_path / "late.html").write_text("theirs, too")

    monkeypatch.setattr(new_files, "_write_synced", meanwhile)
    assert new_files.write(tmp_path / "late.html", DATA).name == "late (2).html"
    assert (tmp_path / "story.html").read_text() == "theirs"
    assert (tmp_path / "late.html").read_text() == "theirs, too"
    assert names(tmp_path) == ["late (2).html", "late.html", "story (2).html", "story.html"]


def test_file_system_without_links_works(tmp_path, monkeypatch):
    def none(*_args):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    (tmp_path / "story.html").write_text("theirs")
    assert new_files.write(tmp_path / "story.html", DATA).name == "story (2).html"
    assert (tmp_path / "story (2).html").read_bytes() == DATA
    assert names(tmp_path) == ["story (2).html", "story.html"]


@pytest.mark.parametrize("taken", ["dangling", "folder"])
def test_links_and_folders_are_not_overwritten(tmp_path, taken):
    if taken == "dangling":
        (tmp_path / "a.csv").symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / "a.csv").mkdir()
    assert new_files.write(tmp_path / "a.csv", DATA).name == "a (2).csv"
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("story.html", "story (2).html"),
        ("story", "story (2)"),
        (".hidden", ".hidden (2)"),
        ("a.b.png", "a.b (2).png"),
    ],
)
def test_number_is_before_the_suffix(name, second):
    assert new_files.numbered_name(name, 2) == second


@pytest.mark.forks
def test_file_permissions_follow_umask(tmp_path):
    umask = os.umask(0o027)
    try:
        made = new_files.write(tmp_path / "story.html", DATA)
    finally:
        os.umask(umask)
    assert made.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("path", [5, b"a.csv", None, "a\0.csv"])
def test_invalid_path_is_refused(path):
    with pytest.raises(ww.InvalidInputError, match="is not a valid path") as told:
        files.check_path(path)
    assert told.value.field == "path"
