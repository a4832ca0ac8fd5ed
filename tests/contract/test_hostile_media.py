"""Malicious media over a real socket: the error message and the memory used.

Each case is a reply written by hand, fetched and shown by a process of its own.
By hand, ``python tests/contract/test_hostile_media.py`` prints the table.
"""

import asyncio
import contextlib
import functools
import gzip
import io
import json
import os
import re
import struct
import subprocess
import sys
import threading
import zlib

import pytest

MOST = 150  # MB (of 2**20 bytes) above the start of the process, whatever comes
LONGEST = 25  # seconds, on a busy machine; most take one

CHILD = """
import json, re, socket, sys, time

base_url, url, seconds = sys.argv[1:]
import wonda_widgets as ww
from wonda_widgets.http import downloads, retries

real = socket.getaddrinfo
NAMES = {"api.example": "1.1.1.1", "evil.example": "127.0.0.1"}
def getaddrinfo(host, *rest, **more):
    return real(NAMES.get(host, host), *rest, **more)
socket.getaddrinfo = getaddrinfo
downloads.TIMEOUT_SECONDS = float(seconds)
retries.FIRST_DELAY = 0.01

def peak():
    try:
        with open("/proc/self/status") as file:
            return int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]) / 1024
    except OSError:
        return 0.0

wonda = ww.Wonda("sk_" + "5a" * 32, base_url=base_url)
began, start = time.monotonic(), peak()
try:
    data = wonda.media.download(ww.Media(url=url))
    from wonda_widgets.imaging import preview
    small = preview.create_preview(data)
    preview.create_preview(data, 2048, 2_000_000)
    told, message = "shown", f"{small.width} x {small.height} {small.format}"
except ww.WondaError as error:
    told, message = type(error).__name__, str(error)
print(json.dumps({
    "told": told, "message": message, "peak": peak() - start, "took": time.monotonic() - began,
}))
"""


# ---------------------------------------------------------------- images


def zeros(count):
    packer = zlib.compressobj(1)
    packed = [packer.compress(bytes(min(2**20, count - at))) for at in range(0, count, 2**20)]
    return b"".join(packed) + packer.flush()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *, bits=8, colours=2, data=b"", beside=b""):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))
    body = head + beside + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def flat(width, height, colours=2):
    samples = {0: 1, 2: 3, 6: 4}[colours]
    return png(width, height, colours=colours, data=zeros((width * samples + 1) * height))


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(size, kind, mode="RGB", **options):
    from PIL import Image

    return encoded(Image.new(mode, size), kind, **options)


def noise(width, height, kind="PNG", **options):
    from PIL import Image

    image = Image.frombytes("RGB", (width, height), os.urandom(3 * width * height))
    return encoded(image, kind, **options)


def emoji_texts(count):
    text = zlib.compress("🌊".encode() + b"a" * 1_000_000)
    return b"".join(chunk(b"iTXt", b"k%d\0\1\0\0\0" % at + text) for at in range(count))


def as_wide_as_can_be(webp):
    """A lossless WebP whose header says 16,383 x 16,383."""
    size = struct.unpack("<I", webp[21:25])[0] & ~0xFFF_FFFF | 16_382 << 14 | 16_382
    return webp[:21] + struct.pack("<I", size) + webp[25:]


def rescanned(size, times, kind="JPEG"):
    """A JPEG that goes over its pixels many times, by a few bytes each."""
    data = plain(size, kind, "L", progressive=True)
    at, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[at:end] * times + data[end:]


def commented(count):
    """A GIF with a comment of as many parts."""
    gif = plain((9, 9), "GIF", "P")
    at = 13 + (3 << ((gif[10] & 7) + 1) if gif[10] & 0x80 else 0)
    return gif[:at] + b"\x21\xfe" + b"\x01a" * count + b"\0" + gif[at:]


def after_head(data, more):
    return data[:2] + more + data[2:]


# ---------------------------------------------------------------- replies


def reply(body, *headers):
    """A whole reply with this body."""
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def image(make, *rest, **options):
    async def answer(writer):
        writer.write(await asyncio.to_thread(lambda: reply(make(*rest, **options))))

    return answer


def raw(*pieces):
    async def answer(writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()

    return answer


async def endless(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(bytes(2**16))
        await writer.drain()


async def drip(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        writer.write(b"\x89")
        await writer.drain()
        await asyncio.sleep(0.05)


async def dripped_head(writer):
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-A: b\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


def moved(where):
    return raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % where)


def zipped(pack, encoding=b"gzip"):
    async def answer(writer):
        body = await asyncio.to_thread(pack)
        writer.write(reply(body, b"Content-Encoding: " + encoding))

    return answer


HTML = b"<!doctype html><script>alert(1)</script><h1>Sign in</h1>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
UNSAFE, LOST = "UnsafeMediaError", "ServiceUnreachableError"
A_MEGABYTE = bytes(2**20)

#: What comes, and what a person is told.
CASES = {
    "HTML called PNG": (image(lambda: HTML), UNSAFE),
    "SVG called PNG": (image(lambda: SVG), UNSAFE),
    "BMP called PNG": (image(plain, (99, 99), "BMP"), UNSAFE),
    "TIFF called PNG": (image(plain, (99, 99), "TIFF"), UNSAFE),
    "EPS called PNG": (image(plain, (99, 99), "EPS"), UNSAFE),
    "cut PNG": (image(lambda: noise(300, 300)[:50_000]), UNSAFE),
    "cut JPEG": (image(lambda: noise(300, 300, "JPEG")[:20_000]), UNSAFE),
    "cut WebP": (image(lambda: noise(300, 300, "WEBP")[:20_000]), UNSAFE),
    "cut GIF": (image(lambda: noise(300, 300, "GIF")[:20_000]), UNSAFE),
    "cut transfer": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n\x89PNG"), LOST),
    "cut chunked transfer": (
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\x89PNG\r\n"),
        LOST,
    ),
    "no reply": (raw(), LOST),
    "no HTTP": (raw(b"\x89PNG\r\n\x1a\n" * 99), LOST),
    "endless body": (endless, UNSAFE),
    "9 GB announced": (
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\n", A_MEGABYTE),
        UNSAFE,
    ),
    "gzip bomb": (zipped(lambda: gzip.compress(bytes(300_000_000), 1)), UNSAFE),
    "gzip bomb in a gzip bomb": (
        zipped(lambda: gzip.compress(gzip.compress(bytes(300_000_000), 1)), b"gzip, gzip"),
        LOST,
    ),
    "slow drip": (drip, LOST),
    "slow drip of headers": (dripped_head, LOST),
    "redirect loop": (moved(b"/redirect loop"), UNSAFE),
    "redirect to a file": (moved(b"file:///etc/passwd"), UNSAFE),
    "redirect to data": (moved(b"data:image/png;base64,AAAA"), UNSAFE),
    "redirect to another origin": (moved(b"http://localhost:PORT/small"), "shown"),
    "small": (image(plain, (64, 64), "PNG"), "shown"),
    "PNG 60,000 x 60,000, a header": (image(png, 60_000, 60_000), UNSAFE),
    "PNG 60,000 x 60,000, whole": (
        image(
            lambda: png(60_000, 60_000, bits=1, colours=0, data=zeros(7501 * 60_000)),
        ),
        UNSAFE,
    ),
    "PNG of 100 Mpixel": (image(flat, 10_000, 10_000, 0), UNSAFE),
    "PNG of 33 Mpixel with alpha": (image(flat, 7680, 4320, 6), UNSAFE),
    "PNG 65,500 x 500": (image(flat, 65_500, 500, 6), "shown"),
    "PNG 500 x 65,500": (image(flat, 500, 65_500, 6), "shown"),
    "PNG of 17 Mpixel noise, 50 MB": (image(noise, 4096, 4096, compress_level=1), "shown"),
    "PNG with 60 MB of zipped texts": (
        image(lambda: png(9, 9, data=zeros(28 * 9), beside=emoji_texts(60))),
        UNSAFE,
    ),
    "PNG with a zipped profile of 100 MB": (
        image(lambda: png(9, 9, beside=chunk(b"iCCP", b"k\0\0" + zeros(100_000_000)))),
        UNSAFE,
    ),
    "PNG with a text of 90 MB": (
        image(lambda: png(9, 9, beside=chunk(b"tEXt", b"k\0" + b"a" * 90_000_000))),
        UNSAFE,
    ),
    "JPEG with 90 MB of EXIF": (
        image(
            lambda: after_head(
                plain((64, 64), "JPEG"), (b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * 1400
            )
        ),
        UNSAFE,
    ),
    "JPEG of 88 Mpixel": (image(plain, (9400, 9400), "JPEG"), "shown"),
    "JPEG of 33 Mpixel, progressive": (
        image(plain, (7680, 4320), "JPEG", progressive=True, subsampling=0),
        UNSAFE,
    ),
    "JPEG of 40,000 scans": (image(rescanned, (1024, 1024), 40_000), UNSAFE),
    "JPEG of 100 scans of 16 Mpixel": (image(rescanned, (4096, 4096), 90), "shown"),
    "JPEG with a film behind it": (
        image(lambda: noise(99, 99, "JPEG") + b"\xff\xda" * 2_000_000),
        "shown",
    ),
    "JPEG after 2 MB of fill bytes": (
        image(lambda: after_head(plain((9, 9), "JPEG"), b"\xff" * 1_900_000)),
        UNSAFE,
    ),
    "GIF with a comment in 90,000 parts": (image(commented, 90_000), "shown"),
    "GIF with a comment in 900,000 parts": (image(commented, 900_000), UNSAFE),
    "WebP 16,383 x 16,383": (
        image(lambda: as_wide_as_can_be(plain((99, 99), "WEBP", lossless=True))),
        UNSAFE,
    ),
    "WebP of 4K": (image(plain, (3840, 2160), "WEBP", lossless=True, method=0), "shown"),
    "GIF 60,000 x 60,000": (
        image(
            lambda: re.sub(b"(?s)^(.{6}).{4}", rb"\1" + b"\x60\xea" * 2, plain((9, 9), "GIF", "P"))
        ),
        UNSAFE,
    ),
}

#: Media addresses that a public service has no business giving away.
ADDRESSES = ["http://127.0.0.1:{}/small", "http://2130706433:{}/small", "http://evil.example:{}/s"]
ADDRESSES += ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd", "data:,x"]


class Server:
    """The cases on a socket, in a thread with a loop of its own."""

    def __enter__(self):
        self.asked = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.start_server(self._answer, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_):
        async def end():
            self._server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _answer(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(head)
            name = head.split("\r\n")[0].partition("/")[2].rpartition(" HTTP")[0]
            name = name.replace("%20", " ")
            port = _Port(writer, self.port)
            await CASES[name][0](port)
            await writer.drain()
        writer.close()


class _Port:
    """A writer that knows which port it writes from."""

    def __init__(self, writer, port):
        self.drain = writer.drain
        self.write = lambda data: writer.write(
            data.replace(b"PORT", b"%d" % port) if len(data) < 500 else data
        )


def fetched(base_url, url, seconds=20):
    """What became of one fetch, in a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, base_url, url, str(seconds)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def tried(server, name):
    base_url = f"http://127.0.0.1:{server.port}/api/v1"
    url = f"http://127.0.0.1:{server.port}/{name.replace(' ', '%20')}"
    return fetched(base_url, url, 0.7 if "drip" in name else 20)


def led(server, address):
    return fetched("https://api.example/v1", address.format(server.port))


@pytest.fixture(scope="module")
def server():
    with Server() as server:
        yield server


@pytest.mark.parametrize("name", CASES)
def test_hostile_media_end_in_a_clear_error_and_little_memory(server, name):
    server.asked.clear()
    became = tried(server, name)
    assert became["told"] == CASES[name][1], became
    assert "<" not in became["message"]
    assert became["peak"] <= MOST
    assert became["took"] <= LONGEST
    assert not any("authorization" in head.lower() for head in server.asked)


@pytest.mark.parametrize("address", ADDRESSES)
def test_public_service_cannot_redirect_to_private_addresses(server, address):
    server.asked.clear()
    assert led(server, address)["told"] == UNSAFE
    assert server.asked == []


def main():
    with Server() as server:
        cases = {name: functools.partial(tried, server, name) for name in CASES}
        cases |= {
            f"{url} of a public API": functools.partial(led, server, url) for url in ADDRESSES
        }
        for name, run in cases.items():
            became = run()
            peak, told, took = became["peak"], became["told"], became["took"]
            print(f"{name:44} {peak:6.1f} MB {took:5.1f} s  {told}: {became['message']}")  # noqa: T201


if __name__ == "__main__":
    main()
