"""Decoding: limits on scans, time and threads."""

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

MORE_THAN_LIMIT = decode_threads.MAX_CONCURRENCY + 8


def encoded(kind, size=(64, 64), mode="RGB", **options):
    buffer = io.BytesIO()
    Image.effect_noise(size, 60).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def repeat_last_scan(data, times):
    """Return a JPEG whose last scan is repeated `times` more often."""
    start, end = data.rindex(jpeg_scans.SCAN), data.rindex(b"\xff\xd9")
    return data[:end] + data[start:end] * times + data[end:]


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
    options = {"save_all": True, "append_images": [image]} if kind == "MPO" else {}
    image.save(buffer, kind, progressive=True, **options)
    data = buffer.getvalue()
    # An MPO file contains several images; the scans are added to the first one.
    end = data.index(END + b"\xff\xd8") if kind == "MPO" else data.rindex(END)
    started = time.monotonic()
    for open_image in (preview.create_preview, decode.full_size):
        with pytest.raises(ww.UnsafeMediaError, match="scans"):
            open_image(repeat_last_scan(data[: end + 2], 40_000) + data[end + 2 :])
    assert time.monotonic() - started < 2


def test_scans_above_the_limit_are_detected():
    assert not jpeg_scans.has_more_than(repeat_last_scan(PROGRESSIVE, 3), SCANS + 3)
    assert jpeg_scans.has_more_than(repeat_last_scan(PROGRESSIVE, 4), SCANS + 3)


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
    ids=[
        "fill bytes",
        "junk",
        "stuffed byte",
        "restart",
        "comment",
        "end in EXIF",
        "table",
        "no length",
    ],
)
def test_scans_are_counted_despite_other_bytes_between_them(between):
    start = PROGRESSIVE.rindex(jpeg_scans.SCAN)
    last_scan = PROGRESSIVE[start:-2]
    data = PROGRESSIVE[:-2] + (between + last_scan) * 200 + END
    assert jpeg_scans.has_more_than(data, 100)


@pytest.mark.parametrize(
    "data",
    [
        PROGRESSIVE + jpeg_scans.SCAN * 500,
        PROGRESSIVE + repeat_last_scan(PROGRESSIVE, 500),
        PROGRESSIVE[:2] + segment(0xE1, jpeg_scans.SCAN * 500) + PROGRESSIVE[2:],
    ],
    ids=["video after it", "image after it", "metadata"],
)
def test_scans_outside_the_image_are_not_counted(data):
    assert not jpeg_scans.has_more_than(data, 100)
    assert preview.create_preview(data).format == "JPEG"


def test_too_many_segments_are_refused_early():
    data = PROGRESSIVE[:-2] + segment(0xFE, jpeg_scans.SCAN) * 2_000_000 + END
    started = time.monotonic()
    assert jpeg_scans.has_more_than(data, 100)
    assert time.monotonic() - started < 1


def test_jpeg_with_invalid_sampling_is_refused():
    frame = PROGRESSIVE.index(b"\xff\xc2")
    data = bytearray(PROGRESSIVE)
    for component in range(data[frame + 9]):
        data[frame + 11 + 3 * component] = 0
    with pytest.raises(ww.UnsafeMediaError):
        preview.create_preview(bytes(data))


# These tests compare with libjpeg: it decodes two blocks as gray unless it finds a second scan.

DARK, LIGHT = b"\x7f", b"\xbf"  # one block each; see `HUFFMAN`
HUFFMAN = segment(0xC4, bytes([0, 1, 1, *[0] * 14, 0, 3]))  # 0: no difference, 10: three bits
QUANTIZATION = segment(0xDB, bytes([0, *[16] * 64]))
FRAME = segment(0xC2, bytes([8, 0, 8, 0, 16, 1, 1, 0x11, 0]))
SCAN_HEAD = segment(0xDA, bytes([1, 1, 0, 0, 0, 0]))
LIGHT_SCAN = SCAN_HEAD + LIGHT + b"\xff\xd0" + LIGHT
RESTARTS = {"restarts": segment(0xDD, b"\0\1"), "none": b""}


def tiny_jpeg(before, between, after):
    """Return a tiny JPEG with extra bytes before, within and after its first scan."""
    head = b"\xff\xd8" + QUANTIZATION + FRAME + HUFFMAN + before
    return head + SCAN_HEAD + DARK + between + after + END


def libjpeg_finds_second_scan(data):
    with Image.open(io.BytesIO(data)) as image:
        try:
            image.load()
        except OSError:  # libjpeg stops here and finds no more scans
            return False
        return image.getextrema() != (128, 128)


def possible_hiding_places():
    """Yield every marker, alone and with different lengths, behind which a scan could hide."""
    for marker in range(256):
        for fill in (b"", b"\xff"):
            yield fill + bytes([0xFF, marker])
        for length in (0, 1, 2, 3, 4, 8, 13, 60, 0xFFFF):
            yield bytes([0xFF, marker]) + length.to_bytes(2, "big")
            yield bytes([0xFF, marker]) + length.to_bytes(2, "big") + bytes(max(0, length - 2))
            yield b"\xff\xd0" + DARK + bytes([0xFF, marker]) + length.to_bytes(2, "big")


@pytest.mark.parametrize("restarts", RESTARTS)
def test_every_scan_that_libjpeg_finds_is_counted(restarts):
    missed, found_by_libjpeg = [], 0
    for between in possible_hiding_places():
        for segment_bytes in (b"", segment(0xE1, END + b"\0" * 9), END):
            if not libjpeg_finds_second_scan(
                tiny_jpeg(RESTARTS[restarts], between + segment_bytes, LIGHT_SCAN)
            ):
                continue
            found_by_libjpeg += 1
            if not jpeg_scans.has_more_than(
                tiny_jpeg(RESTARTS[restarts], between + segment_bytes, LIGHT_SCAN * 200), 100
            ):
                missed.append((between[:6], segment_bytes))
    assert found_by_libjpeg > 1000
    assert missed == []


def test_scans_after_a_reserved_marker_are_refused():
    scans = LIGHT_SCAN * 3000
    data = tiny_jpeg(RESTARTS["restarts"], b"\xff\x02\xff\xff", scans + bytes(70_000))
    assert libjpeg_finds_second_scan(
        tiny_jpeg(RESTARTS["restarts"], b"\xff\x02\xff\xff", LIGHT_SCAN)
    )
    with pytest.raises(ww.UnsafeMediaError, match="scans"):
        decode.decode(data)


@pytest.mark.parametrize("marker", [0x02, 0xBF, 0xC0, 0xC3, 0xC8, 0xDE, 0xDF, 0xF0, 0xFD])
def test_reserved_marker_is_refused_only_before_many_scans(marker):
    reserved = segment(marker, b"odd")
    assert not jpeg_scans.has_more_than(tiny_jpeg(b"", reserved, LIGHT_SCAN * 90), 100)
    assert jpeg_scans.has_more_than(tiny_jpeg(b"", reserved, END + LIGHT_SCAN * 200), 100)


def test_scans_of_embedded_thumbnails_are_not_counted():
    metadata = segment(0xE1, b"Exif\0\0" + PROGRESSIVE) + segment(0xE2, PROGRESSIVE) * 30
    data = PROGRESSIVE[:2] + metadata + PROGRESSIVE[2:]
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
    for open_image in (preview.create_preview, decode.full_size):
        with pytest.raises(ww.UnsafeMediaError, match="takes longer than"):
            open_image(data)


def test_decoding_stops_at_the_deadline_within_pixel_data(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(decode.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(decode, "READ_BYTES", 4096)
    open_image = decode._open

    def open_slowly(data):
        image = open_image(data)
        now[0] += decode_threads.TIMEOUT_SECONDS + 1
        return image

    monkeypatch.setattr(decode, "_open", open_slowly)
    with pytest.raises(ww.UnsafeMediaError, match="takes longer than 20 s"):
        decode.decode(encoded("PNG", (500, 500)))


def test_preview_that_cannot_reach_the_size_limit_is_one_pixel():
    data, _ = preview.encode_preview(Image.new("RGB", (64, 64)), 64, 1)
    assert Image.open(io.BytesIO(data)).size == (1, 1)


# ---------------------------------------------------------------- the threads


@pytest.fixture
def start_stuck_decode(settled):
    """Start decodes that hang until the test ends."""
    end = threading.Event()
    yield lambda seconds=600.0: event_loop.spawn(decode_threads.run(end.wait, seconds=seconds))
    end.set()
    settled(lambda: count_decoding_threads() == 0)


def test_decoding_thread_returns_results_and_errors():
    async def both():
        assert await decode_threads.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await decode_threads.run(divmod, 7, 0)

    event_loop.run_blocking(both())


def test_waiting_caller_gets_a_timeout_at_the_deadline(start_stuck_decode):
    with pytest.raises(ww.UnsafeMediaError, match=r"takes longer than 0\.01 s"):
        start_stuck_decode(0.01).result(10)


def test_decodes_past_the_deadline_leave_one_slot_usable(start_stuck_decode):
    for _ in range(decode_threads.MAX_CONCURRENCY - 1):
        with pytest.raises(ww.UnsafeMediaError):
            start_stuck_decode(0.01).result(20)
    assert event_loop.run_blocking(decode_threads.run(divmod, 7, 2)) == (3, 1)


def count_decoding_threads():
    return sum(each.name == "image-decoding" for each in threading.enumerate())


def test_number_of_stuck_decodes_is_limited(start_stuck_decode, settled):
    settled(lambda: count_decoding_threads() == 0)
    waiting = [start_stuck_decode(0.05) for _ in range(6 * decode_threads.MAX_CONCURRENCY)]
    messages = []
    for each in waiting:
        with pytest.raises(ww.UnsafeMediaError) as caught:
            each.result(20)
        messages.append(str(caught.value))
        assert count_decoding_threads() <= 2 * decode_threads.MAX_CONCURRENCY
    assert sum("was not opened" in each for each in messages) >= 4 * decode_threads.MAX_CONCURRENCY
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
    settled(lambda: count_decoding_threads() < decode_threads.MAX_CONCURRENCY)
    assert event_loop.run_blocking(decode_threads.run(divmod, 7, 2)) == (3, 1)
    for end in ends:
        end.set()
    settled(lambda: count_decoding_threads() == 0)


def test_abandoned_decode_keeps_its_slot_until_the_deadline(settled):
    running, end, counts = [], threading.Event(), []

    def work():
        running.append(None)
        counts.append(len(running))
        end.wait()
        running.pop()

    for _ in range(MORE_THAN_LIMIT):
        waiting = event_loop.spawn(decode_threads.run(work))
        event_loop.run_blocking(asyncio.sleep(0))
        waiting.cancel()
    settled(lambda: running)
    end.set()
    settled(lambda: not running)
    assert max(counts) <= decode_threads.MAX_CONCURRENCY
    assert event_loop.run_blocking(decode_threads.run(divmod, 7, 2)) == (3, 1)


def test_other_work_does_not_wait_for_decodes(start_stuck_decode, tmp_path):
    waiting = [start_stuck_decode() for _ in range(MORE_THAN_LIMIT)]
    with ww.Wonda.sandbox(seconds=0) as wonda:
        image = encoded("PNG", (8, 8))
        assert len(image) < 300
        started = time.monotonic()
        assert wonda.media.upload(image, name="a.png").media_id
        file = tmp_path / "a.png"
        file.write_bytes(image)
        assert wonda.media.upload(file).media_id
        assert time.monotonic() - started < 5
    assert not any(each.done() for each in waiting)


@pytest.mark.parametrize("work", ["decoding", "loop"])
def test_process_exits_despite_stuck_decodes(work):
    code = f"""
        import threading, time
        from wonda_widgets.utils import event_loop
        from wonda_widgets.imaging import decode_threads
        running = []
        def decoding():
            running.append(1)
            threading.Event().wait()
        def loop():
            running.append(1)
            while True:
                sum(range(1000))
        for _ in range(decode_threads.MAX_CONCURRENCY + 8):
            event_loop.spawn(decode_threads.run({work}))
        while len(running) < decode_threads.MAX_CONCURRENCY:
            time.sleep(0.01)
        print("ends")
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    started = time.monotonic()
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "ends\n", "")
    assert time.monotonic() - started < 15
