"""Videos are read in a process of their own, with limits."""

import asyncio
import contextlib
import os
import struct
import sys

import psutil
import pytest

import wonda_widgets as ww
from wonda_widgets.imaging import decode_threads, video_process
from wonda_widgets.imaging.operations import Trim
from wonda_widgets.sandbox import stock_videos


@pytest.fixture(scope="module")
def clip():
    return stock_videos.render("A harbor", (320, 568), 2, model="m", params={})


@pytest.fixture
def path(tmp_path, clip):
    made = tmp_path / "clip"
    made.write_bytes(clip)
    return made


def box(name, *content):
    body = b"".join(content)
    return struct.pack(">I", 8 + len(body)) + name + body


def full(name, *numbers, before=b"", flags=0, after=b""):
    content = struct.pack(f">{len(numbers)}I", *numbers)
    return box(name, struct.pack(">I", flags), before, content, after)


MATRIX = 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000


def mp4(samples=1, *, size=(64, 64), duration=1_000, fragment=0):
    """Return a small MP4 whose index promises `samples` frames."""
    width, height = size
    picture = struct.pack(">HH", width, height) + struct.pack(">III", 0x480000, 0x480000, 0)
    entry = box(
        b"mp4v", b"\0" * 6 + b"\0\1" + b"\0" * 16, picture, b"\0\1" + b"\0" * 32 + b"\0\x18\xff\xff"
    )
    table = box(
        b"stbl",
        full(b"stsd", 1, after=entry),
        full(b"stts", 1, samples, 1),
        full(b"stsc", 1, 1, samples, 1),
        full(b"stsz", 1, samples),
        full(b"stco", 1, 0),
    )
    reference = box(b"dinf", full(b"dref", 1, after=full(b"url ", flags=1)))
    media = box(
        b"mdia",
        full(b"mdhd", 0, 0, 1_000, duration, 0x55C40000),
        full(b"hdlr", 0, after=b"vide" + b"\0" * 12 + b"v\0"),
        box(b"minf", full(b"vmhd", 0, 0, flags=1), reference, table),
    )
    header = full(b"mvhd", 0, 0, 1_000, duration, 0x10000, 0x1000000, 0, 0, *MATRIX, *[0] * 6, 2)
    track = full(
        b"tkhd", 0, 0, 1, 0, duration, 0, 0, 0, 0, *MATRIX, width << 16, height << 16, flags=3
    )
    extends = box(b"mvex", full(b"trex", 1, 1, 1, 1, 0)) if fragment else b""
    later = box(
        b"moof",
        full(b"mfhd", 1),
        box(b"traf", full(b"tfhd", 1, flags=0x20000), full(b"trun", fragment)),
    )
    return b"".join(
        [
            box(b"ftyp", b"isom\0\0\0\0isom"),
            box(b"moov", header, box(b"trak", track, media), extends),
            later if fragment else b"",
            box(b"mdat", b"\0" * 1_000),
        ]
    )


HOSTILE = {
    "fifty million frames": mp4(50_000_000),
    "sixty million frames in a fragment": mp4(fragment=60_000_000),
    "ten hours": mp4(1_000, duration=36_000_000),
    "frames of four billion pixels": mp4(size=(65_535, 65_535)),
}


class Peak:
    """The largest memory, in bytes, of this process and its children above that at the start."""

    def __init__(self):
        self._process = psutil.Process()
        self._command = self._process.cmdline()
        self._start = self._process.memory_info().rss
        self._others = set(self._process.children())
        self.own = self.children = 0

    async def watch(self):
        while True:
            self.own = max(self.own, self._process.memory_info().rss - self._start)
            for child in set(self._process.children()) - self._others:
                with contextlib.suppress(psutil.Error):
                    # Until it runs another program, a child has its parent's memory.
                    if child.cmdline() != self._command:
                        self.children = max(self.children, child.memory_info().rss)
            await asyncio.sleep(0.005)


def run_watched(work):
    peak = Peak()

    async def both():
        watching = asyncio.ensure_future(peak.watch())
        try:
            return await work
        finally:
            watching.cancel()

    return asyncio.run(both()), peak


async def error_of(work):
    with pytest.raises(ww.UnsafeMediaError) as caught:
        await work
    return caught.value


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("function", [video_process.poster, video_process.facts])
def test_hostile_file_is_refused_with_little_memory(path, name, function):
    path.write_bytes(HOSTILE[name])
    error, peak = run_watched(error_of(function(path)))
    assert "video" in error.message
    assert peak.own < 20_000_000
    assert peak.children < 400_000_000  # 200 MB and what Python and PyAV need


def test_large_frames_of_a_real_clip_are_refused(path, clip):
    size = struct.pack(">HH", 320, 568)
    assert clip.count(size) >= 1
    path.write_bytes(clip.replace(size, struct.pack(">HH", 30_000, 30_000)))

    async def refused():
        with contextlib.suppress(ww.UnsafeMediaError):  # or the frames' own size counts
            await video_process.poster(path)

    _, peak = run_watched(refused())
    assert peak.children < 400_000_000


def test_slow_file_is_given_up(path, monkeypatch):
    monkeypatch.setattr(video_process, "START", "import time; time.sleep(600)")
    request = video_process._Request(function="facts", arguments={"path": str(path)}, seconds=0.1)
    error = asyncio.run(error_of(video_process._run(request)))
    assert isinstance(error, decode_threads.DecodeTimeoutError)
    assert error.message == "Reading this video takes longer than 0.1 s."


def test_crash_is_an_error_of_the_file_only(path, monkeypatch):
    monkeypatch.setattr(video_process, "START", "import ctypes; ctypes.string_at(0)")
    error = asyncio.run(error_of(video_process.facts(path)))
    assert "cannot be read" in error.message


def test_canceled_conversion_ends_its_process(path, tmp_path, monkeypatch):
    monkeypatch.setattr(video_process, "START", "import time; time.sleep(600)")

    others = set(psutil.Process().children())

    async def cancel():
        work = asyncio.ensure_future(
            video_process.convert(path, tmp_path / "out.mp4", [Trim(seconds=1)])
        )
        while not (children := set(psutil.Process().children()) - others):
            await asyncio.sleep(0.01)
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        return children

    for child in asyncio.run(cancel()):
        child.wait(5)
        assert not child.is_running()


def test_process_gets_no_key(path, monkeypatch):
    for name in ("WONDA_API_KEY", "WONDERCAT_API_KEY", "OPENAI_API_KEY", "PYTHONPATH"):
        monkeypatch.setenv(name, "sk-secret")
    monkeypatch.setattr(
        video_process,
        "START",
        'import os; print(\'{"error": ["\' + str(sorted(os.environ)).replace(chr(39), "")'
        ' + \'", ""]}\')',
    )
    error = asyncio.run(error_of(video_process.facts(path)))
    assert "PATH" in error.message
    assert "KEY" not in error.message
    assert "PYTHONPATH" not in error.message


def test_missing_library_is_named(path, monkeypatch):
    monkeypatch.setattr(video_process, "is_available", lambda: False)
    error = asyncio.run(error_of(video_process.poster(path)))
    assert "PyAV" in error.message
    assert "pip install 'wonda-widgets[video]'" in error.hint


@pytest.mark.parametrize("executable", [None, "", os.devnull])
def test_interpreter_that_starts_no_process_is_told(path, monkeypatch, executable):
    monkeypatch.setattr(sys, "executable", executable)
    error = asyncio.run(error_of(video_process.facts(path)))
    assert error.message


def test_modules_in_the_notebooks_folder_are_not_imported(path, monkeypatch, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit")
    (tmp_path / "psutil.py").write_text("raise SystemExit")
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.chdir(tmp_path)
    assert asyncio.run(video_process.facts(path)).seconds == 2


def test_odd_search_path_is_no_problem(path, monkeypatch, tmp_path):
    odd = [tmp_path, "/no\udcff", 5, "", *sys.path]
    monkeypatch.setattr(sys, "path", odd)
    assert asyncio.run(video_process.facts(path)).seconds == 2


def test_file_name_that_is_no_text_is_read(path):
    odd = path.with_name("clip\udcff.mp4")
    path.rename(odd)
    assert asyncio.run(video_process.facts(odd)).seconds == 2


def test_error_of_the_progress_function_is_raised(path, tmp_path):
    def fail(_share):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        asyncio.run(video_process.convert(path, tmp_path / "x.mp4", [Trim(seconds=1)], fail))


def test_conversions_do_not_keep_images_waiting(path, tmp_path, monkeypatch):
    monkeypatch.setattr(video_process, "START", "import time; time.sleep(600)")

    async def decode_meanwhile():
        works = [
            asyncio.ensure_future(video_process.convert(path, tmp_path / f"{n}.mp4", []))
            for n in range(10)
        ]
        await asyncio.sleep(0)
        result = await decode_threads.run(lambda: 5)
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
        return result

    assert asyncio.run(decode_meanwhile()) == 5
