"""Frames of videos, also of damaged files; for limits see `test_video_process`."""

import io

import pytest
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.imaging import video
from wonda_widgets.sandbox import stock_videos


@pytest.fixture(scope="module")
def clip():
    return stock_videos.render("A harbor", (320, 568), 1, model="m", params={})


@pytest.fixture
def path(tmp_path, clip):
    made = tmp_path / "clip"  # the format is recognized by the bytes
    made.write_bytes(clip)
    return made


def test_poster_is_the_first_frame(path):
    with Image.open(io.BytesIO(video.poster(path))) as image:
        assert (image.format, image.size) == ("JPEG", (320, 568))


@pytest.mark.parametrize("length", [0, 7, 40, 600, 2_000])
def test_cut_file_is_reported(path, clip, length):
    path.write_bytes(clip[:length])
    with pytest.raises(ww.UnsafeMediaError, match="cannot be read"):
        video.poster(path)


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"\x89PNG\r\n\x1a\n" + b"\0" * 64,
        b"\0\0\0\x20ftypisom" + b"\xff" * 4_000,
        b"\x1a\x45\xdf\xa3" + b"\xff" * 4_000,
    ],
)
def test_other_files_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ww.UnsafeMediaError):
        video.poster(path)


def test_playlist_that_pretends_to_be_a_video_opens_nothing(path, tmp_path):
    path.write_bytes(b"\0\0\0\x08free" + b"#EXTM3U\nfile://" + str(tmp_path).encode())
    with pytest.raises(ww.UnsafeMediaError):
        video.poster(path)


def test_history_shows_a_frame_of_a_video(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02) as wonda:
        wonda.videos.generate(model="seedance-2", prompt="A harbor").wait()
        [found] = wonda.history.search("harbor")
        with Image.open(io.BytesIO(wonda.history.thumbnail(found))) as image:
            assert max(image.size) <= 320
        with Image.open(io.BytesIO(wonda.history.poster(found))) as image:
            assert image.size == (720, 1280)
