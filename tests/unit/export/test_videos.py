"""Videos in a storyboard and in exported files."""

import json
import re
from datetime import UTC, datetime

import pytest

import wonda_widgets as ww
from wonda_widgets.export import storyboard_page, timeline
from wonda_widgets.imaging import save_original, video_process
from wonda_widgets.models import Media


@pytest.fixture
def wonda(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02) as client:
        yield client


@pytest.fixture
def clip(wonda):
    params = {"duration": 3, "aspectRatio": "9:16"}
    wonda.videos.generate(model="kling_3_pro", prompt="A sail", params=params).wait()
    [image] = wonda.history.search(kind="video")
    return image


def test_storyboard_has_a_frame_and_the_length(wonda, clip, tmp_path):
    path = wonda.history.storyboard([clip], tmp_path / "board")
    page = path.read_text("utf-8")
    assert "1 video" in page
    assert '<img src="data:image/' in page
    assert "<video" not in page
    assert re.search(r"Length</bdi></dt><dd>3 s<", page)
    assert "Open the file" not in page  # the reader of the page cannot reach the sandbox
    assert path.stat().st_size < 300_000


def test_storyboard_without_pyav_says_that_the_frame_is_missing(wonda, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(video_process, "is_available", lambda: False)
    page = wonda.history.storyboard([clip], tmp_path / "board").read_text("utf-8")
    assert "This video cannot be opened safely." in page
    assert "A sail" in page


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("https://a.example/x.mp4?sig=1&to=2", True),
        ("javascript:alert(1)", False),
        ('https://a/"onclick="x', False),
        ("file:///x", False),
        ("https://user:secret@a.example/x.mp4", False),
    ],
)
def test_only_a_web_address_is_a_link(address, is_link):
    media = Media(media_id="m", url=address, mime_type="video/mp4", duration_ms=1e300)
    image = ww.GeneratedImage(media=media, prompt="A sail")
    board = storyboard_page.Board(
        title="Board", timelines=[timeline.ImageTimeline(image=image)], written_at=datetime.now(UTC)
    )
    page = storyboard_page.render(board, [{"": "No frame."}])
    assert ("Open the file" in page.decode()) is is_link
    assert b"onclick" not in page
    assert b"secret" not in page
    assert b"Length" not in page


@pytest.mark.parametrize("address", ["javascript:alert(1)", 'https://a/"onclick="x', "file:///x"])
def test_address_that_is_no_web_address_is_no_link(wonda, tmp_path, address):
    odd = ww.GeneratedImage(
        media=Media(media_id="m", url=address, mime_type="video/mp4"), prompt="A sail"
    )
    page = wonda.history.storyboard([odd], tmp_path / "board").read_text("utf-8")
    assert "Open the file" not in page
    assert "onclick" not in page


def test_folder_has_the_original_video(wonda, clip, tmp_path):
    job = wonda.images.generate(model="z-image", prompt="A lake")
    job.wait()
    made = [clip, wonda.history.of(job)]
    folder = wonda.history.export(made, tmp_path / "all")
    names = sorted(path.suffix for path in folder.iterdir())
    assert names == [".json", ".mp4", ".png"]
    [video] = folder.glob("a-sail-*.mp4")
    whole = wonda.media.download(clip.media)
    assert video.read_bytes() == whole
    rows = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert rows[0]["file"] == video.name


def test_video_that_is_gone_is_reported(wonda, clip, tmp_path):
    gone = ww.GeneratedImage(media=Media(media_id="m", mime_type="video/mp4"), prompt="Gone")
    folder = wonda.history.export([clip, gone], tmp_path / "all")
    rows = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert (rows[0]["error"], rows[1]["file"]) == (None, None)
    assert "no download address" in rows[1]["error"]


def test_video_edits_are_described():
    described = [
        timeline.describe(step)
        for step in (
            {"operation": "trim", "seconds": 60},
            {"operation": "frameRate", "fps": 30},
            {"operation": "encodeVideo"},
            {"operation": "moveIndex"},
            {"operation": "pad", "width": 1080, "height": 1920, "color": "#000000"},
        )
    ]
    assert described == [
        "trimmed to 1 min 00 s",
        "30 frames per second",
        "saved as MP4",
        "index moved to the start",
        "padded to 1080 × 1920, #000000",
    ]


def test_name_of_a_video_has_its_suffix():
    assert save_original.file_name("A sail", "job", "video/webm") == "a-sail-job.webm"


def test_full_disk_leaves_no_folder_of_a_few_files(wonda, clip, tmp_path, monkeypatch):
    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wonda_widgets.http.downloads._PartialFile._restart", full)
    with pytest.raises(ww.InvalidInputError, match="No space left"):
        wonda.history.export([clip], tmp_path / "all")
    assert list((tmp_path / "all").iterdir()) == []


def test_video_without_a_prompt_has_a_name():
    assert save_original.file_name("", "", "video/mp4") == "video.mp4"


def test_address_with_a_password_is_no_link(wonda, tmp_path):
    media = Media(media_id="m", url="https://user:secret@a.example/x.mp4", mime_type="video/mp4")
    page = wonda.history.storyboard(
        [ww.GeneratedImage(media=media, prompt="A sail")], tmp_path / "board"
    ).read_text("utf-8")
    assert "secret" not in page
