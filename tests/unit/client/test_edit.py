"""`Edit` objects: add, undo, save and upload operations; edits with the wonda CLI."""

import io
import json
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.client import wonda_cli
from wonda_widgets.client.edit import (
    Crop,
    Edit,
    Encode,
    Pad,
    Resize,
    Text,
    cli,
)

LEFT = Crop(x=0, y=0, width=20, height=20)
TOP = Crop(x=0, y=0, width=20, height=10)


def image(width=40, height=20, kind="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def wonda():
    with ww.Wonda.sandbox(seconds=0.01) as client:
        yield client


# ---------------------------------------------------------------- Edit


def test_rendering_an_edit_keeps_the_original():
    data = image()
    edit = ww.edit.Edit(data).add(LEFT, Encode(format="JPEG"))
    rendered = edit.render()
    assert (rendered.width, rendered.height, rendered.format) == (20, 20, "JPEG")
    assert edit.data == data
    assert edit.size == (40, 20)
    assert Image.open(io.BytesIO(edit.preview())).size == (20, 20)


def test_undo_and_redo_change_the_operations():
    edit = Edit(image())
    assert not edit.undo()
    assert not edit.redo()
    edit.add(LEFT).add(TOP, Encode(format="PNG"))
    assert edit.undo()
    assert edit.operations == (LEFT,)
    assert edit.redo()
    assert edit.operations == (LEFT, TOP, Encode(format="PNG"))
    edit.undo()
    edit.add(Resize(width=5, height=5))
    assert not edit.can_redo


def test_adding_a_format_replaces_the_previous_one():
    edit = Edit(image()).add(Encode(format="JPEG")).add(Encode(format="WEBP", quality=50))
    assert edit.operations == (Encode(format="WEBP", quality=50),)
    edit.undo()
    assert edit.operations == (Encode(format="JPEG"),)


def test_invalid_operation_is_not_added():
    edit = Edit(image()).add(LEFT)
    with pytest.raises(ww.InvalidInputError, match="beyond the image, which has 20 × 20"):
        edit.add(Resize(width=20, height=20), Crop(x=5, y=0, width=20, height=20))
    assert edit.operations == (LEFT,)


def test_operations_are_saved_and_loaded_as_json():
    edit = Edit(image()).add(LEFT, Text(text="Hello", text_color="#ff00ff"))
    stored = edit.to_json()
    assert json.loads(stored)[0] == {"operation": "crop", "x": 0, "y": 0, "width": 20, "height": 20}
    again = Edit.from_json(stored, image())
    assert again.operations == edit.operations
    assert again.render() == edit.render()
    for bad in ("{", "5", '[{"operation": "sing"}]', b"\xff"):
        with pytest.raises(ww.InvalidInputError):
            Edit.from_json(bad, image())


def test_uploaded_edit_is_recorded_in_the_journal(wonda):
    media = wonda.images.generate(model="z-image", prompt="x").wait().media
    edit = Edit(media, wonda=wonda, name="A quiet harbor")
    edit.add(ww.edit.centered_crop(edit.size, 4 / 5), Encode(format="JPEG"))
    uploaded = edit.upload()
    assert uploaded.media_id not in {None, media.media_id}
    fetched = wonda.media.open(uploaded)
    assert fetched.size == (uploaded.width, uploaded.height)
    assert fetched.width / fetched.height == pytest.approx(0.8, abs=0.01)
    (entry,) = upload_entries(wonda)
    assert entry["name"] == "a-quiet-harbor-edited.jpg"
    assert entry["edit"] == {"of": media.media_id, "operations": json.loads(edit.to_json())}
    assert Edit.from_json(json.dumps(entry["edit"]["operations"]), media, wonda=wonda).render() == (
        edit.render()
    )


def upload_entries(wonda):
    """Return the uploads in the journal."""
    journal = wonda._async._core.journal
    entries = journal._find("kind='upload'", ()).result()
    return [record.body for record in entries]


def test_edit_without_a_client_or_file_raises(wonda):
    media = wonda.images.generate(model="z-image", prompt="x").wait().media
    with pytest.raises(ww.InvalidInputError, match="no client"):
        Edit(media).render()
    with pytest.raises(ww.InvalidInputError, match="no client"):
        Edit(image()).upload()
    with pytest.raises(ww.InvalidInputError, match="cannot be read"):
        Edit("no/such/file.png")


# ---------------------------------------------------------------- the wonda CLI

STAND_IN = f"""#!{sys.executable}
import json, os, pathlib, sys, time
log = pathlib.Path(__file__).with_name("log.json")
calls = json.loads(log.read_text()) if log.exists() else []
calls.append(sys.argv[1:])
log.write_text(json.dumps(calls))
media = "media-%d" % len(calls)
out = sys.argv[sys.argv.index("-o") + 1] if "-o" in sys.argv else None
"""

OUTPUTS = {
    "top": 'print(json.dumps({"mediaId": media}))',
    "outputs": 'print(json.dumps({"outputs": [{"mediaId": media}]}))',
    "nested": 'print(json.dumps({"outputs": [{"media": {"mediaId": media}}]}))',
    "bare": "print(media)",
    "long": 'print(" " * 3_000_000, file=sys.stderr); print(" " * 3_000_000); print(media)',
}


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Install a stand-in for the wonda CLI, and return a function that lists its calls."""

    def install(code, name="stand-in"):
        path = tmp_path / name
        path.write_text(STAND_IN + code)
        path.chmod(0o755)
        monkeypatch.setenv("WONDA_BIN", str(path))
        return lambda: json.loads((tmp_path / "log.json").read_text())

    return install


runs_scripts = pytest.mark.forks  # Windows cannot run a script as a program


@runs_scripts
@pytest.mark.parametrize("output", OUTPUTS)
def test_cli_gets_the_arguments_and_returns_the_media_id(tool, output):
    calls = tool(OUTPUTS[output])
    assert cli(LEFT, "original-1") == "media-1"
    (call,) = calls()
    assert call[:6] == ["edit", "image", "--media", "original-1", "--operation", "imageCrop"]
    assert json.loads(call[call.index("--params") + 1]) == {
        "cropPixelX": 0,
        "cropPixelY": 0,
        "cropPixelWidth": 20,
        "cropPixelHeight": 20,
    }


@runs_scripts
def test_text_is_passed_to_the_cli_as_an_argument(tool):
    calls = tool(OUTPUTS["top"])
    media = ww.Media(media_id="m-1")
    hostile = '--quiet; "$(touch owned)"\n`id`'
    cli(Text(text=hostile, position="top-left", size_percent=40, font_family="Anton"), media)
    (call,) = calls()
    assert call[call.index("--prompt-text") + 1] == hostile
    params = json.loads(call[call.index("--params") + 1])
    assert params["position"] == "top-left"
    assert params["sizePercent"] == 40
    assert params["fontFamily"] == "Anton"
    assert set(params) == {
        *("position", "paddingTop", "paddingRight", "paddingBottom", "paddingLeft"),
        *("sizePercent", "fontFamily", "fontSizeScale", "strokeWidth", "textColor"),
    }


@runs_scripts
def test_cli_runs_once_per_operation_and_only_the_last_writes_the_file(tool, tmp_path):
    calls = tool(
        'pathlib.Path(out).write_bytes(b"x") if out else print(media)'.replace(
            "print(media)", 'print(json.dumps({"mediaId": media}))'
        )
    )
    target = tmp_path / "made.png"
    assert cli([LEFT, Text(text="Hi")], "original-1", output=target) == target
    first, second = calls()
    assert "-o" not in first
    assert second[second.index("--media") + 1] == "media-1"
    flag, temporary = second[-2], Path(second[-1])
    assert flag == "-o"
    assert (temporary.parent, temporary.suffix) == (target.parent, ".png")
    assert not temporary.exists()
    with pytest.raises(ww.InvalidInputError, match="already exists"):
        cli(LEFT, "original-1", output=target)


@runs_scripts
@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ('print("warming up")\nsys.exit("Error: no credits left")', ww.WondaError, "no credits"),
        ("sys.exit(3)", ww.WondaError, "exit status 3"),
        ('print("{junk")', ww.UnexpectedReplyError, "did not print the ID"),
        ('print("done")', ww.UnexpectedReplyError, "did not print the ID"),
        ("print('[1, 2]')", ww.UnexpectedReplyError, "did not print the ID"),
        ("print('--output-1')", ww.UnexpectedReplyError, "did not print the ID"),
        ("print('media-1\\nmedia-2')", ww.UnexpectedReplyError, "did not print the ID"),
        (
            'print(json.dumps({"mediaId": "--flag"}))',
            ww.UnexpectedReplyError,
            "did not print the ID",
        ),
        ('print(json.dumps({"mediaId": "a b"}))', ww.UnexpectedReplyError, "did not print the ID"),
        (
            'print(json.dumps({"mediaId": "a\\x1bb"}))',
            ww.UnexpectedReplyError,
            "did not print the ID",
        ),
        ('print(json.dumps({"mediaId": 5, "outputs": {}}))', ww.UnexpectedReplyError, "library"),
        ("pass", ww.UnexpectedReplyError, "did not print the ID"),
    ],
)
def test_failing_cli_or_unusable_output_raises_a_clear_error(tool, code, error, message):
    tool(code)
    with pytest.raises(error, match=message):
        cli(LEFT, "original-1")


@runs_scripts
def test_cli_that_writes_no_file_raises(tool, tmp_path):
    tool(OUTPUTS["top"])
    with pytest.raises(ww.UnexpectedReplyError, match="wrote no file"):
        cli(LEFT, "original-1", output=tmp_path / "made.png")


@runs_scripts
def test_failing_cli_leaves_no_partial_file(tool, tmp_path):
    tool('pathlib.Path(out).write_bytes(b"half"); sys.exit("disk full")')
    folder = tmp_path / "made"
    folder.mkdir()
    with pytest.raises(ww.WondaError, match="disk full"):
        cli(LEFT, "original-1", output=folder / "made.png")
    assert list(folder.iterdir()) == []


@runs_scripts
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_cli_with_endless_output_is_stopped(tool, monkeypatch, stream):
    monkeypatch.setattr(wonda_cli, "MAX_OUTPUT_BYTES", 2**20)
    tool(f"while True: print('y' * 9999, file=sys.{stream})")
    with pytest.raises(ww.WondaError, match="stopped because it printed more than 1 MB"):
        cli(LEFT, "original-1")


@runs_scripts
def test_cli_with_too_much_output_raises(tool, monkeypatch):
    monkeypatch.setattr(wonda_cli, "MAX_OUTPUT_BYTES", 2**20)
    tool(OUTPUTS["long"])
    with pytest.raises(ww.WondaError, match="printed more than 1 MB"):
        cli(LEFT, "original-1")


HANGING = """
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(__file__).with_name("child").write_text(str(child.pid))
time.sleep(600)
"""


@runs_scripts
def test_hanging_cli_and_its_children_are_stopped(tool, tmp_path, monkeypatch):
    tool(HANGING)
    pid_file = tmp_path / "child"

    def wait_until_it_hangs(*_args):
        while not (pid_file.exists() and pid_file.read_text()):
            time.sleep(0.01)
        raise TimeoutError

    monkeypatch.setattr(wonda_cli, "_wait", wait_until_it_hangs)
    with pytest.raises(ww.WondaError, match="stopped after 60 seconds"):
        cli(LEFT, "original-1", timeout=60)
    child = int(pid_file.read_text())
    for _ in range(1_000):  # the process needs a moment to end
        if not is_running(child):
            break
        time.sleep(0.01)
    assert not is_running(child)


@runs_scripts
def test_slow_cli_times_out(tool):
    tool("time.sleep(600)")
    with pytest.raises(ww.WondaError, match="stopped after 0"):
        cli(LEFT, "original-1", timeout=0.1)


def is_running(pid):
    """Return whether a process is running; a zombie is not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@runs_scripts
def test_interrupt_stops_the_cli(tool, monkeypatch):
    tool("time.sleep(600)")
    started = []

    def interrupt(process, _timeout):
        started.append(process)
        raise KeyboardInterrupt

    monkeypatch.setattr(wonda_cli, "_wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cli(LEFT, "original-1")
    assert started[0].returncode is not None


@runs_scripts
def test_no_cli_argument_or_error_contains_the_key(tool, monkeypatch):
    key = "sk_" + "7d" * 32
    monkeypatch.setenv("WONDA_API_KEY", key)
    calls = tool('sys.exit("refused: " + os.environ["WONDA_API_KEY"])')
    with pytest.raises(ww.WondaError) as caught:
        cli(LEFT, "original-1")
    assert key not in str(caught.value)
    assert key not in json.dumps(calls())
    with pytest.raises(ww.InvalidInputError, match="contain the API key"):
        cli(Text(text=f"my key: {key}"), "original-1")
    assert len(calls()) == 1


@runs_scripts
@pytest.mark.parametrize(
    ("printed", "message"),
    [
        # A key from the CLI's own settings, which is not in the environment.
        ("refused: sk_" + "7d" * 32, "refused: …"),
        ("refused: sk_7d7d\x1b[1m" + "7d" * 30 + "!", "refused: …!"),
        ("refused: sk_7d7d\0" + "7d" * 30 + "!", "refused: …!"),
        ("no key sk_short", "no key sk_short"),
        ("\x1b[31;1mno credits\x1b[0m", "no credits"),
        ("\x1b]0;owned\x07no \x1b]8;;https://x.example\x1b\\credits\x1b]8;;\x1b\\", "no credits"),
        ("\x9b2J\x9d0;owned\x9cno\x08 cre\u202edits", "no credits"),
        ("10 %\r20 %\rno credits", "no credits"),
        ("no credits\n\x1b[0m \x08\n", "no credits"),
        ("\x1b[0m", "exit status 1"),
    ],
)
def test_cli_error_is_plain_text_without_keys(tool, printed, message):
    tool(f"sys.stderr.buffer.write({printed.encode()!r}); sys.exit(1)")
    with pytest.raises(ww.WondaError) as caught:
        cli(LEFT, "original-1")
    assert caught.value.message == f"wonda failed: {message}"


@runs_scripts
def test_key_printed_by_the_cli_is_not_accepted_as_media_id(tool):
    tool(f"print('sk_{'7d' * 32}')")
    with pytest.raises(ww.UnexpectedReplyError) as caught:
        cli(LEFT, "original-1")
    assert "7d7d" not in str(caught.value)


def test_missing_cli_raises_an_error_that_names_the_remedies(monkeypatch, tmp_path):
    monkeypatch.delenv("WONDA_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ww.WondaError, match=r"not on the PATH.*WONDA_BIN.*Edit"):
        cli(LEFT, "original-1")
    monkeypatch.setenv("WONDA_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(ww.WondaError, match="cannot be run"):
        cli(LEFT, "original-1")


@runs_scripts
def test_cli_that_is_not_a_program_raises(tmp_path, monkeypatch):
    path = tmp_path / "wonda"
    path.write_bytes(b"\x00\x01 not a program")
    path.chmod(0o755)
    monkeypatch.setenv("WONDA_BIN", str(path))
    with pytest.raises(ww.WondaError, match="cannot be run"):
        cli(LEFT, "original-1")


@pytest.mark.parametrize(
    ("operations", "media", "message"),
    [
        (Pad(width=50, height=50), "m", "no operation Pad"),
        ([LEFT, Encode(format="PNG")], "m", "no operation Encode"),
        (Text(text="x", stroke_color="red"), "m", "support a stroke color"),
        ([], "m", "no operations"),
        ({"operation": "sing"}, "m", "not a valid edit"),
        (LEFT, "a,b", "comma"),
        (LEFT, "--help", "dash"),
        (LEFT, ww.Media(), "Pass a media ID"),
    ],
)
def test_unsupported_operation_or_media_raises_before_the_cli_runs(
    monkeypatch, operations, media, message
):
    monkeypatch.setattr(wonda_cli, "_binary", lambda: "/nowhere/wonda")
    with pytest.raises(ww.InvalidInputError, match=message):
        cli(operations, media)
