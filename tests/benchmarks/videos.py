"""Videos: memory of a gallery, speed of a download, and how soon a player is shown.

- Twenty clips of 60 MB are listed in the gallery of a real kernel, which sends their first frames.
  Its memory is that of the kernel's process, sampled every 10 ms.
- A file of 500 MB is downloaded to disk, in turn with a bare `httpx.AsyncClient` that writes what
  arrives. The server is Python's own, on this machine; the memory is that of a process that
  only downloads.
- In a real JupyterLab, the time from the result of a job in the kernel until the page has a player
  that knows the video's length. The video's address can be reached by the browser.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from .notebook import lab
from .rows import KEY, ROOT, Row, keyless
from .sandbox_server import serving_images

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIPS, CLIP_BYTES = 20, 60_000_000
FILE_BYTES = 500_000_000
GALLERY_MB, DOWNLOAD_MB = 60, 30
PLAYER_SECONDS = 0.3

SERVER = """
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print(server.server_port, flush=True)
server.serve_forever()
"""

#: Prints the greatest growth of memory and the bytes of the messages.
GALLERY = """
import json, sys, threading, time
import psutil
import wonda_widgets as ww
from wonda_widgets.models import Media

address, count = sys.argv[1], int(sys.argv[2])
wonda = ww.Wonda({key!r}, base_url=address + "/api/v1", journal=":memory:")
empty = ww.Gallery([], wonda=wonda)
clips = [
    ww.GeneratedImage(
        media=Media(media_id=f"m{{n}}", url=f"{{address}}/{{n}}.mp4", mime_type="video/mp4"),
        prompt=f"Clip {{n}}",
    )
    for n in range(count)
]
process, peak, told = psutil.Process(), 0, []
begin = process.memory_info().rss

def watch():
    global peak
    while True:
        peak = max(peak, process.memory_info().rss - begin)
        time.sleep(0.01)

threading.Thread(target=watch, daemon=True).start()
gallery = ww.Gallery(clips, wonda=wonda)
gallery.send = lambda content, buffers=None: told.append((content, buffers or []))
window = {{"type": "window", "view": "v", "windows": [[0, count]], "has": []}}
while not gallery.groups:
    time.sleep(0.01)
gallery._handle_custom_msg(window, [])
frames = {{}}
while len(frames) < count:
    frames = {{
        key: len(data)
        for content, buffers in list(told)
        for key, data in zip(content.get("keys", ()), buffers)
    }}
    time.sleep(0.05)
print(json.dumps([peak / 1e6, sum(frames.values())]))
wonda.close()
"""

#: Prints the durations of both sides, and the growth of memory.
DOWNLOAD = """
import asyncio, json, sys, time
from pathlib import Path
import httpx
import psutil
import threading
import wonda_widgets as ww
from wonda_widgets.models import Media

address, folder, rounds = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

async def bare():
    async with httpx.AsyncClient() as client, client.stream("GET", address + "/file") as response:
        with (folder / "bare").open("wb") as file:
            async for chunk in response.aiter_raw():
                file.write(chunk)

def timed(work, name):
    began = time.perf_counter()
    work()
    taken = time.perf_counter() - began
    (folder / name).unlink()
    return taken

wonda = ww.Wonda({key!r}, base_url=address + "/api/v1", journal=":memory:")
media = Media(media_id="m", url=address + "/file")
def ours():
    wonda.media.download(media, folder / "ours")

timed(ours, "ours"), timed(lambda: asyncio.run(bare()), "bare")  # loads what is loaded once
process, peak = psutil.Process(), 0
begin = process.memory_info().rss
def watch():
    global peak
    while True:
        peak = max(peak, process.memory_info().rss - begin)
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
ours_taken, bare_taken = [], []
for _ in range(rounds):
    ours_taken.append(timed(ours, "ours"))
    bare_taken.append(timed(lambda: asyncio.run(bare()), "bare"))
print(json.dumps([ours_taken, bare_taken, peak / 1e6]))
wonda.close()
"""

STUDIO = """
import time
import wonda_widgets as ww
wonda = ww.Wonda({key!r}, base_url={base_url!r}, journal=":memory:")
studio = ww.Studio(wonda, kind="video", prompt="A quiet harbor")
ended = []
def note(change):
    if change.new == "succeeded":
        ended.append(time.time())
studio.progress.observe(note, "job_status")
studio
"""
WATCH = """
() => {
  window.players = [];
  const look = () => {
    for (const video of document.querySelectorAll("video"))
      if (video.readyState >= 1 && video.src !== window.lastPlayer) {
        window.lastPlayer = video.src;
        window.players.push(Date.now() / 1000);
      }
    requestAnimationFrame(look);
  };
  look();
}
"""


def measure(*, quick: bool) -> list[Row]:
    """Measure all three."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            *_gallery(Path(folder, "clips"), 3 if quick else CLIPS),
            *_download(Path(folder, "file"), quick=quick),
            *_player(Path(folder, "player"), 1 if quick else 5),
        ]


def _gallery(folder: Path, count: int) -> list[Row]:
    folder.mkdir()
    clip = _clip()
    rest = CLIP_BYTES - len(clip)
    for number in range(count):
        with (folder / f"{number}.mp4").open("wb") as file:
            file.write(clip + rest.to_bytes(4, "big") + b"free")
            file.truncate(CLIP_BYTES)
    with _serving(folder) as address:
        peak, sent = _run(GALLERY, address, str(count))
    return [
        Row(
            f"memory of the kernel: {count} clips of 60 MB in a gallery, MB",
            f"{peak:.0f} MB",
            f"{sent / count / 1000:.0f} KB sent per clip",
            peak,
            GALLERY_MB,
        )
    ]


def _download(folder: Path, *, quick: bool) -> list[Row]:
    folder.mkdir()
    size = FILE_BYTES // 10 if quick else FILE_BYTES
    with (folder / "file").open("wb") as file:
        file.write(os.urandom(1_000_000))
        file.truncate(size)
    with _serving(folder) as address:
        ours, bare, peak = _run(DOWNLOAD, address, str(folder), "2" if quick else "9")
    return [
        Row.ratio(f"download of {size // 1_000_000} MB to disk", ours, bare, 1 / 0.9),
        Row("memory while downloading it, MB", f"{peak:.0f} MB", "", peak, DOWNLOAD_MB),
    ]


def _player(folder: Path, rounds: int) -> list[Row]:
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(_clip())
    with serving_images(folder, seconds=0.5) as (base_url, _), lab() as opened:
        opened.open("videos.ipynb", STUDIO.format(key=KEY, base_url=base_url))
        opened.run_next()
        generate = opened.page.get_by_role("button", name="Generate", exact=True).first
        opened.page.get_by_text("about $").first.wait_for()
        opened.page.evaluate(WATCH)
        taken = []
        for number in range(rounds + 1):
            generate.click()
            opened.page.wait_for_function(f"window.players.length > {number}")
            opened.page.wait_for_timeout(1_500)  # the poster is read meanwhile
            ended = opened.ask("ended[-1]")
            if number:  # the first loads what is loaded once
                taken.append(opened.page.evaluate(f"window.players[{number}]") - ended)
    return [
        Row(
            "from a video's result in the kernel until its player, ms",
            f"{median(taken) * 1000:.0f} ms (longest {max(taken) * 1000:.0f})",
            "",
            max(0.0, median(taken) * 1000),
            PLAYER_SECONDS * 1000,
        )
    ]


def _clip() -> bytes:
    from wonda_widgets.sandbox import stock_videos

    return stock_videos.render("A harbor", (720, 1280), 5, model="m", params={})


@contextlib.contextmanager
def _serving(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-c", SERVER, str(folder)]
    quiet = {"stderr": subprocess.DEVNULL, "env": keyless()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **quiet) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def _run(script: str, *arguments: str) -> Any:
    ran = subprocess.run(
        [sys.executable, "-c", script.format(key=KEY), *arguments],
        cwd=ROOT,
        env=keyless(),
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    return json.loads(ran.stdout)
