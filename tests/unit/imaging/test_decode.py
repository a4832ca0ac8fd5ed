"""Decoding: time limits and separate threads."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.imaging import (
    decode,
    decode_threads,
    jpeg_scans,
    preview,
)
from wonda_widgets.utils import event_loop

MANY = decode_threads.MAX_CONCURRENCY + 8


def encoded(kind, size=(64, 64), mode="RGB", **options):
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def repeated(data, times):
    """A JPEG whose last scan comes so many times more."""
    at, end = data.rindex(jpeg_scans.SCAN), data.rindex(b"\xff\xd9")
    return data[:end] + data[at:end] * times + data[end:]


def segment(marker, body=b""):
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body


PROGRESSIVE = encoded("JPEG", progressive=True)
SCANS = PROGRESSIVE.count(jpeg_scans.SCAN)
END = b"\xff\xd9"


# ---------------------------------------------------------------- scans


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_ordinary_progressive_jpeg_is_decoded(mode):
    assert preview.create_preview(encoded("JPEG", mode=mode, progressive=True)).format == "JPEG"


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
def test_jpeg_with_repeated_scans_is_refused_immediately(kind):
    image = Image.new("L", (1024, 1024))
    buffer = io.BytesIO()
    more = {"save_all": True, "append_images": [image]} if kind == "MPO" else {}
    image.save(buffer, kind, progressive=True, **more)
    data = buffer.getvalue()
    # Within the first of several.
    end = data.index(END + b"\xff\xd8") if kind == "MPO" else data.rindex(END)
    began = time.monotonic()
    for look in (preview.create_preview, decode.full_size):
        with pytest.raises(ww.UnsafeMediaError, match="scans"):
            look(repeated(data[: end + 2], 40_000) + data[end + 2 :])
    assert time.monotonic() - began < 2


def test_scans_are_counted_up_to_the_limit():
    assert not jpeg_scans.has_more_than(repeated(PROGRESSIVE, 3), SCANS + 3)
    assert jpeg_scans.has_more_than(repeated(PROGRESSIVE, 4), SCANS + 3)


@pytest.mark.parametrize(
    "between",
    [
        b"\xff" * 9,
        b"junk",
        b"\xff\x00",
        b"\xff\xd0",
        segment(0xFE, jpeg_scans.SCAN * 3),
        segment(0xE1, END),
        segment(0xC4),
        b"\xff\xe2\0\0",
    ],
    ids=["fill", "junk", "stuffed", "restart", "comment", "end in EXIF", "table", "no length"],
)
def test_segments_between_scans_hide_no_scan(between):
    at = PROGRESSIVE.rindex(jpeg_scans.SCAN)
    last = PROGRESSIVE[at:-2]
    data = PROGRESSIVE[:-2] + (between + last) * 200 + END
    assert jpeg_scans.has_more_than(data, 100)


@pytest.mark.parametrize(
    "data",
    [
        PROGRESSIVE + jpeg_scans.SCAN * 500,
        PROGRESSIVE + repeated(PROGRESSIVE, 500),
        PROGRESSIVE[:2] + segment(0xE1, jpeg_scans.SCAN * 500) + PROGRESSIVE[2:],
    ],
    ids=["a film behind it", "an image behind it", "metadata"],
)
def test_data_outside_the_image_does_not_count_as_scan(data):
    assert not jpeg_scans.has_more_than(data, 100)
    assert preview.create_preview(data).format == "JPEG"


def test_too_many_segments_are_refused_early():
    data = PROGRESSIVE[:-2] + segment(0xFE, jpeg_scans.SCAN) * 2_000_000 + END
    began = time.monotonic()
    assert jpeg_scans.has_more_than(data, 100)
    assert time.monotonic() - began < 1


def test_jpeg_with_invalid_sampling_is_refused():
    at = PROGRESSIVE.index(b"\xff\xc2")
    data = bytearray(PROGRESSIVE)
    for layer in range(data[at + 9]):
        data[at + 11 + 3 * layer] = 0
    with pytest.raises(ww.UnsafeMediaError):
        preview.create_preview(bytes(data))


# What libjpeg finds is asked of libjpeg: two blocks, black unless it reads a second scan.

DARK, LIGHT = b"\x7f", b"\xbf"  # one block each; see `HUFFMAN`
HUFFMAN = segment(0xC4, bytes([0, 1, 1, *[0] * 14, 0, 3]))  # 0: no difference, 10: three bits
LEVELS = segment(0xDB, bytes([0, *[16] * 64]))
FRAME = segment(0xC2, bytes([8, 0, 8, 0, 16, 1, 1, 0x11, 0]))
SCAN_HEAD = segment(0xDA, bytes([1, 1, 0, 0, 0, 0]))
LIGHTER = SCAN_HEAD + LIGHT + b"\xff\xd0" + LIGHT
RESTARTS = {"restarts": segment(0xDD, b"\0\1"), "none": b""}


def tiny(before, between, behind):
    """A JPEG with something in the first of its scans, and something behind that."""
    head = b"\xff\xd8" + LEVELS + FRAME + HUFFMAN + before
    return head + SCAN_HEAD + DARK + between + behind + END


def seen_by_libjpeg(data):
    with Image.open(io.BytesIO(data)) as image:
        try:
            image.load()
        except OSError:  # it gives up, so there are no more scans for it
            return False
        return image.getextrema() != (128, 128)


def hiding_places():
    """Whatever marker, followed by whatever would be a length, and a scan at either end of it."""
    for marker in range(256):
        for fill in (b"", b"\xff"):
            yield fill + bytes([0xFF, marker])
        for length in (0, 1, 2, 3, 4, 8, 13, 60, 0xFFFF):
            yield bytes([0xFF, marker]) + length.to_bytes(2, "big")
            yield bytes([0xFF, marker]) + length.to_bytes(2, "big") + bytes(max(0, length - 2))
            yield b"\xff\xd0" + DARK + bytes([0xFF, marker]) + length.to_bytes(2, "big")


@pytest.mark.parametrize("restarts", RESTARTS)
def test_every_scan_that_libjpeg_finds_is_counted(restarts):
    missed, found = [], 0
    for between in hiding_places():
        for inside in (b"", segment(0xE1, END + b"\0" * 9), END):
            if not seen_by_libjpeg(tiny(RESTARTS[restarts], between + inside, LIGHTER)):
                continue
            found += 1
            if not jpeg_scans.has_more_than(
                tiny(RESTARTS[restarts], between + inside, LIGHTER * 200), 100
            ):
                missed.append((between[:6], inside))
    assert found > 1000
    assert missed == []


def test_scans_after_a_reserved_marker_are_refused():
    many = LIGHTER * 3000
    data = tiny(RESTARTS["restarts"], b"\xff\x02\xff\xff", many + bytes(70_000))
    assert seen_by_libjpeg(tiny(RESTARTS["restarts"], b"\xff\x02\xff\xff", LIGHTER))
    with pytest.raises(ww.UnsafeMediaError, match="scans"):
        decode.decode(data)


@pytest.mark.parametrize("marker", [0x02, 0xBF, 0xC0, 0xC3, 0xC8, 0xDE, 0xDF, 0xF0, 0xFD])
def test_ambiguous_file_is_refused_only_with_many_scans(marker):
    odd = segment(marker, b"odd")
    assert not jpeg_scans.has_more_than(tiny(b"", odd, LIGHTER * 90), 100)
    assert jpeg_scans.has_more_than(tiny(b"", odd, END + LIGHTER * 200), 100)


def test_embedded_thumbnails_do_not_count():
    camera = segment(0xE1, b"Exif\0\0" + PROGRESSIVE) + segment(0xE2, PROGRESSIVE) * 30
    data = PROGRESSIVE[:2] + camera + PROGRESSIVE[2:]
    assert data.count(jpeg_scans.SCAN) > 100
    assert not jpeg_scans.has_more_than(data, 100)
    assert preview.create_preview(data).format == "JPEG"


# ---------------------------------------------------------------- the deadline in the thread


@pytest.mark.parametrize(
    "data",
    [
        encoded("PNG"),
        encoded("GIF"),
        encoded("JPEG"),
        PROGRESSIVE,
        encoded("WEBP"),
        encoded("GIF", save_all=True, append_images=[Image.new("L", (64, 64))]),
        encoded("PNG")[:33] + b"\0\0\0\0teSt\0\0\0\0" * 90_000 + encoded("PNG")[33:],
    ],
    ids=["PNG", "GIF", "JPEG", "progressive", "WebP", "animation", "chunks"],
)
def test_decoding_stops_at_the_deadline_in_any_format(monkeypatch, data):
    monkeypatch.setattr(decode_threads, "TIMEOUT_SECONDS", -1.0)
    for look in (preview.create_preview, decode.full_size):
        with pytest.raises(ww.UnsafeMediaError, match="takes longer than"):
            look(data)


def test_decoding_stops_at_the_deadline_within_pixel_data(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(decode.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(decode, "READ_BYTES", 4096)
    opened = decode._open

    def slow(data):
        image = opened(data)
        now[0] += decode_threads.TIMEOUT_SECONDS + 1
        return image

    monkeypatch.setattr(decode, "_open", slow)
    with pytest.raises(ww.UnsafeMediaError, match="takes longer than 20 s"):
        decode.decode(encoded("PNG", (500, 500)))


def test_preview_that_cannot_reach_the_size_limit_ends():
    data, _ = preview.encode_preview(Image.new("RGB", (64, 64)), 64, 1)
    assert Image.open(io.BytesIO(data)).size == (1, 1)


# ---------------------------------------------------------------- the threads


@pytest.fixture
def stuck(settled):
    """Decodes that do not end before the test does."""
    end = threading.Event()
    yield lambda seconds=600.0: event_loop.spawn(decode_threads.run(end.wait, seconds=seconds))
    end.set()
    settled(lambda: decoding_threads() == 0)


def test_thread_returns_results_and_errors():
    async def both():
        assert await decode_threads.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await decode_threads.run(divmod, 7, 0)

    event_loop.run_blocking(both())


def test_waiting_caller_gets_a_timeout_at_the_deadline(stuck):
    with pytest.raises(ww.UnsafeMediaError, match=r"takes longer than 0\.01 s"):
        stuck(0.01).result(10)


def test_stuck_decodes_release_their_slots(stuck):
    for _ in range(decode_threads.MAX_CONCURRENCY - 1):
        with pytest.raises(ww.UnsafeMediaError):
            stuck(0.01).result(20)
    assert event_loop.run_blocking(decode_threads.run(divmod, 7, 2)) == (3, 1)


def decoding_threads():
    return sum(each.name == "image-decoding" for each in threading.enumerate())


def test_stuck_decodes_are_limited(stuck, settled):
    settled(lambda: decoding_threads() == 0)
    waiting = [stuck(0.05) for _ in range(6 * decode_threads.MAX_CONCURRENCY)]
    said = []
    for each in waiting:
        with pytest.raises(ww.UnsafeMediaError) as caught:
            each.result(20)
        said.append(str(caught.value))
        assert decoding_threads() <= 2 * decode_threads.MAX_CONCURRENCY
    assert sum("was not opened" in each for each in said) >= 4 * decode_threads.MAX_CONCURRENCY
    with pytest.raises(ww.UnsafeMediaError, match="other images have been opening for too long"):
        event_loop.run_blocking(decode_threads.run(divmod, 7, 2))


def test_decoding_continues_when_stuck_decodes_end(settled):
    ends = [threading.Event() for _ in range(decode_threads.MAX_CONCURRENCY)]
    for end in ends:
        with pytest.raises(ww.UnsafeMediaError):
            event_loop.run_blocking(decode_threads.run(end.wait, seconds=0.01))
    with pytest.raises(ww.UnsafeMediaError, match="was not opened"):
        event_loop.run_blocking(decode_threads.run(divmod, 7, 2))
    ends[0].set()
    settled(lambda: decoding_threads() < decode_threads.MAX_CONCURRENCY)
    assert event_loop.run_blocking(decode_threads.run(divmod, 7, 2)) == (3, 1)
    for end in ends:
        end.set()
    settled(lambda: decoding_threads() == 0)


def test_abandoned_decode_keeps_its_slot_until_the_deadline(settled):
    running, end, most = [], threading.Event(), []

    def work():
        running.append(None)
        most.append(len(running))
        end.wait()
        running.pop()

    for _ in range(MANY):
        waiting = event_loop.spawn(decode_threads.run(work))
        event_loop.run_blocking(asyncio.sleep(0))
        waiting.cancel()
    settled(lambda: running)
    end.set()
    settled(lambda: not running)
    assert max(most) <= decode_threads.MAX_CONCURRENCY
    assert event_loop.run_blocking(decode_threads.run(divmod, 7, 2)) == (3, 1)


def test_other_work_does_not_wait_for_decodes(stuck, tmp_path):
    waiting = [stuck() for _ in range(MANY)]
    with ww.Wonda.sandbox(seconds=0) as wonda:
        image = encoded("PNG", (8, 8))
        assert len(image) < 300
        began = time.monotonic()
        assert wonda.media.upload(image, name="a.png").media_id
        file = tmp_path / "a.png"
        file.write_bytes(image)
        assert wonda.media.upload(file).media_id
        assert time.monotonic() - began < 5
    assert not any(each.done() for each in waiting)


@pytest.mark.parametrize("doing", ["decoding", "loop"])
def test_process_exits_despite_stuck_decodes(doing):
    code = f"""
        import threading, time
        from wonda_widgets.utils import event_loop
        from wonda_widgets.imaging import decode_threads
        begun = []
        def decoding():
            begun.append(1)
            threading.Event().wait()
        def loop():
            begun.append(1)
            while True:
                sum(range(1000))
        for _ in range(decode_threads.MAX_CONCURRENCY + 8):
            event_loop.spawn(decode_threads.run({doing}))
        while len(begun) < decode_threads.MAX_CONCURRENCY:
            time.sleep(0.01)
        print("ends")
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    began = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "ends\n", "")
    assert time.monotonic() - began < 15
