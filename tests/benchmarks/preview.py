"""Time until a 4K image is visible, in a real JupyterLab.

A 12 MB PNG is in the kernel's hands, of a smooth kind and of a busy one. The usual
way gives it to an `ipywidgets.Image` as it is; ours gives it to an `ImagePreview`,
which sends a small copy. Both widgets stand in the page beforehand, empty. The
clock starts in the kernel, as the cell begins to run, and stops in the page (the
same machine, the same clock) when the image is decoded and two frames have been
drawn.

`ImagePreview` fetches its image through httpx; here from a transport that has
the bytes at hand and returns them at once. Every round has an image of its own,
because a trait that is set to what it is already sends nothing. One round before
the measured ones loads what is loaded once.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import frontends
from PIL import Image, ImageChops

from .rows import Row, side_by_side

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZE = (3840, 2160)
# By kind, layers of noise over a gradient: (pixels a grain, its strength). The finest makes
# the PNG about 12 MB. `busy` has detail at every scale, as a photograph has: its small copy
# is no smaller than one's, and its PNG takes longer to decode.
KINDS = {"smooth": ((1, 2.5),), "busy": ((1, 1.8), (4, 12), (16, 25))}
NAME = "preview.ipynb"
WHY = (
    "Pillow needs 90 ms of one core to decode the smooth PNG and 200 ms to decode the busy one. "
    "Most of that time undoes the row filter, one row after the other, and a PNG cannot be "
    "decoded at a smaller scale. Shrinking takes 15 ms; sending and displaying take 45 ms, "
    "including two frames. Tried but not adopted: decompression on a second core (-13 ms), other "
    "tile sizes and reused memory (no effect). Adopted: larger pieces without tiles (-20 ms; "
    "-1,400 ms while a cell is busy). Another decoder (libspng in pyspng or imagecodecs) takes "
    "140 ms for the busy image, which is not enough to justify two more packages."
)

BEGIN = """
import time
from pathlib import Path
import httpx, ipywidgets
import wonda_widgets as ww
from wonda_widgets import Media

images = {path.stem: path.read_bytes() for path in Path.cwd().glob("*.png")}

class AtOnce(httpx.AsyncBaseTransport):
    async def handle_async_request(self, request):
        return httpx.Response(200, content=images[request.url.path.strip("/")])

wonda = ww.Wonda("sk_" + "5a" * 32, base_url="http://127.0.0.1", transport=AtOnce())
theirs = ipywidgets.Image(layout={"width": "300px"})
ours = ww.ImagePreview(wonda=wonda)
ours.layout.width = "300px"
theirs.add_class("theirs")
ours.add_class("ours")
ipywidgets.HBox([theirs, ours])
"""
SHOW = {
    "theirs": "began = time.time()\ntheirs.value = images['{name}']",
    "ours": (
        "began = time.time()\nours.show(Media(media_id='{name}', url='http://127.0.0.1/{name}'))"
    ),
}
# Runs `code` in the notebook's kernel; resolves with the seconds until it can be seen.
TIMED = """
async ([side, code]) => {
  const box = document.querySelector(`.${side}`);
  const image = () => (box.matches("img") ? box : box.querySelector("img.wonda-image"));
  const old = image().src;
  const painted = new Promise((resolve) => {
    const look = async () => {
      const img = image();
      if (!img.src || img.src === old) return;
      observer.disconnect();
      await img.decode();
      await new Promise(requestAnimationFrame);
      await new Promise(requestAnimationFrame);
      if (!img.complete || !img.naturalWidth) throw new Error("not painted");
      resolve({ at: Date.now() / 1000, width: img.naturalWidth });
    };
    const observer = new MutationObserver(look);
    observer.observe(box, { attributes: true, attributeFilter: ["src"], subtree: true });
  });
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const ask = async (code, expression) => {
    const request = { code, user_expressions: { it: expression } };
    const reply = (await kernel.requestExecute(request).done).content;
    const it = reply.user_expressions?.it;
    if (it?.status !== "ok") throw new Error(JSON.stringify(reply));
    return Number(it.data["text/plain"]);
  };
  const began = await ask(code, "began");
  const late = new Promise((_, refuse) =>
    setTimeout(() => refuse(new Error(`${side}: no image within 30 s`)), 30_000),
  );
  const { at, width } = await Promise.race([painted, late]);
  const sent = await ask("", side === "ours" ? "len(ours.data)" : "len(theirs.value)");
  return { seconds: at - began, width, sent };
}
"""


def measure(*, quick: bool) -> list[Row]:
    """Show images of each kind both ways, in turn."""
    rounds = 1 if quick else 5
    shown: dict[tuple[str, str], list[Any]] = {
        (kind, side): [] for kind in KINDS for side in ("theirs", "ours")
    }
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        for kind in KINDS:
            paint(work, kind, rounds + 1)
        frontends.write_notebook(work / NAME, BEGIN)
        with frontends.jupyterlab(work, home) as url, frontends.chromium() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            frontends.open_notebook(page, url, NAME)
            frontends.run_all(page)
            page.wait_for_selector(".ours .wonda-frame", timeout=60_000)
            page.wait_for_selector(".theirs", state="attached")
            for number in range(rounds + 1):
                for (kind, side), found in shown.items():
                    found.append(_show(page, side, f"{kind}-{number}"))
    rows: list[Row] = []
    both: list[tuple[float, float, float, str]] = []
    for kind in KINDS:
        seconds = {
            side: [showing["seconds"] for showing in shown[kind, side][1:]]
            for side in ("theirs", "ours")
        }
        theirs, ours = map(median, seconds.values())
        ratio = side_by_side(seconds["ours"], seconds["theirs"])
        size = max(showing["sent"] for showing in shown[kind, "theirs"])
        sent = max(showing["sent"] for showing in shown[kind, "ours"])
        both.append((ratio, ours, theirs, kind))
        rows += [
            Row(
                f"{kind} image displayed",
                f"{ours * 1000:.0f} ms",
                f"{theirs * 1000:.0f} ms",
                ratio,
                points={"ours": ours * 1000, "theirs": theirs * 1000},
            ),
            Row(f"{kind} image, bytes sent", f"{sent:,}", f"{size:,}", sent, 400_000),
        ]
    ratio, ours, theirs, kind = max(both)
    what = f"image displayed ({SIZE[0]} × {SIZE[1]}, 12 MB PNG), the slower of two kinds"
    told = f"{ours * 1000:.0f} ms ({kind} image)", f"{theirs * 1000:.0f} ms (ipywidgets.Image)"
    return [Row(what, *told, value=ratio, goal=0.5, why=WHY), *rows]


def paint(folder: Path, kind: str, count: int, size: tuple[int, int] = SIZE) -> None:
    """Make images that differ, of noise over a gradient."""
    bands = []
    for _ in range(3):
        band = Image.linear_gradient("L").resize(size)
        for part, strength in KINDS[kind]:
            grain = Image.effect_noise((size[0] // part, size[1] // part), strength)
            band = ImageChops.add(band, grain.resize(size, Image.Resampling.BICUBIC), offset=-128)
        bands.append(band)
    for number in range(count):
        image = Image.merge("RGB", [ImageChops.offset(band, 97 * number) for band in bands])
        image.save(folder / f"{kind}-{number}.png")


def _show(page: Page, side: str, name: str) -> dict[str, Any]:
    """Show one image: the seconds until it can be seen, its width, its bytes on the wire."""
    page.wait_for_timeout(1000)  # what the last one left to do is over
    found: dict[str, Any] = page.evaluate(TIMED, [side, SHOW[side].format(name=name)])
    if found["width"] < 1000:
        raise RuntimeError(f"{side}: an image of {found['width']} pixels is not what was sent.")
    return found
