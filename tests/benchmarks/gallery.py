"""A gallery and a grid of 10,000 images, and a search over 100,000, in a real JupyterLab.

The journal holds 100,000 images with their thumbnails, as years of work leave it.

- First paint: from the cell's run until each visible card shows its image, of 10,000
  images against 100, in turn; as cards and as a grid with two axes.
- Scrolling: end to end in eight seconds; the frames of the worst second.
- Filter: from a choice until what remains is painted; the 95th percentile.
- Memory of the kernel: what it grows by while all are looked at.
- The saved notebook: what it grows by, with the widget's state in it.
- Search: from a key pressed to the answer painted, word by word; the 95th percentile.
- Journal: the size of its file, and the time to open it and read the first page.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

import frontends

from .rows import ROOT, Row, keyless

if TYPE_CHECKING:
    from playwright.sync_api import Page

NAME = "gallery.ipynb"
MANY, FEW, ALL = 10_000, 100, 100_000
WORDS = ("harbour", "night", "lantern")
KEYS = 600  # some wait for TCP (see below), so that a few tell now this, now that
WHY = (
    "Jupyter's server leaves Nagle's algorithm on, so it sends a small message only after the "
    "browser's computer has acknowledged the previous one. For about one key press in 40, this "
    "takes 40 ms. With TCP_NODELAY in the server, it happened for none of 456 key presses, and the "
    "percentile was 30 ms."
)

BEGIN = """
import os
import wonda_widgets as ww
wonda = ww.Wonda("sk_" + "5a" * 32, base_url="http://127.0.0.1:9/api/v1")
images = wonda.history.search(limit=10_000)
def rss():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
print(len(images), "images are there")
"""
# Runs a cell of a gallery; resolves with the milliseconds until everything visible is painted.
PAINTED = """
async ([count, mark, axes]) => {
  const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const panel = jupyterapp.shell.currentWidget.content;
  const began = performance.now();
  panel.activeCell.model.sharedModel.setSource(
    `gallery = ww.Gallery(images[:${count}], wonda=wonda, ${axes}).add_class("${mark}")\\ngallery`
  );
  jupyterapp.commands.execute("notebook:run-cell");
  while (true) {
    await new Promise(requestAnimationFrame);
    const grid = document.querySelector(`.${mark} .wonda-grid`);
    const box = grid?.getBoundingClientRect();
    const seen = [...(grid?.querySelectorAll(".wonda-card") ?? [])].filter((card) => {
      const at = card.getBoundingClientRect();
      const isBeside = at.left >= box.right || at.right <= box.left;
      return at.top < box.bottom && at.bottom > box.top && !isBeside;
    });
    const done = (card) => {
      const img = card.querySelector("img");
      return img && !img.hidden && img.complete && img.naturalWidth > 0;
    };
    if (seen.length >= 8 && seen.every(done)) return performance.now() - began;
    if (performance.now() - began > 60000) throw new Error(`${seen.length} visible cards`);
  }
}
"""
# Scrolls end to end; resolves with the frames of each whole second.
SCROLLED = """
async ([mark, seconds]) => {
  const grid = document.querySelector(`.${mark} .wonda-grid`);
  const most = grid.scrollHeight - grid.clientHeight;
  const wide = grid.scrollWidth - grid.clientWidth;
  const frames = [];
  const began = performance.now();
  while (true) {
    const passed = Math.max(0, (await new Promise(requestAnimationFrame)) - began);
    if (passed > seconds * 1000) break;
    const second = Math.floor(passed / 1000);
    frames[second] = (frames[second] ?? 0) + 1;
    grid.scrollTop = (most * passed) / (seconds * 1000);
    grid.scrollLeft = (wide * passed) / (seconds * 1000);
  }
  return frames;
}
"""
# Types one more letter; resolves with the milliseconds until the answer is painted: another
# revision has arrived (a number beside the gallery shows it), and each visible card has its
# title and image.
TYPED = """
async ([mark, text]) => {
  const root = document.querySelector(`.${mark}`);
  const input = root.querySelector("input[type=search]");
  const grid = root.querySelector(".wonda-grid");
  const order = () => document.querySelector(`.${mark}-order input`).value;
  const painted = () => {
    const box = grid.getBoundingClientRect();
    const seen = [...grid.querySelectorAll(".wonda-card")].filter((card) => {
      const at = card.getBoundingClientRect();
      const isBeside = at.left >= box.right || at.right <= box.left;
      return at.top < box.bottom && at.bottom > box.top && !isBeside;
    });
    const isShown = (card) => card.title && card.querySelector("img")?.hidden === false;
    return seen.length && seen.every(isShown);
  };
  const before = order();
  const began = performance.now();
  input.value = text;
  input.dispatchEvent(new Event("input"));
  do await new Promise(requestAnimationFrame);
  while (order() === before || !painted());
  return performance.now() - began;
}
"""

# Chooses a filter; resolves with the milliseconds until what remains is painted.
FILTERED = """
async ([mark, value]) => {
  const root = document.querySelector(`.${mark}`);
  const select = root.querySelector('[aria-label="Show only: place"]');
  const grid = root.querySelector(".wonda-grid");
  const painted = () => {
    const box = grid.getBoundingClientRect();
    const seen = [...grid.querySelectorAll(".wonda-card")].filter((card) => {
      const at = card.getBoundingClientRect();
      const isBeside = at.left >= box.right || at.right <= box.left;
      return at.top < box.bottom && at.bottom > box.top && !isBeside;
    });
    return seen.length && seen.every((card) => card.title.includes(value));
  };
  const began = performance.now();
  select.value = value;
  select.dispatchEvent(new Event("change", { bubbles: true }));
  do await new Promise(requestAnimationFrame);
  while (!painted());
  return performance.now() - began;
}
"""


def measure(*, quick: bool) -> list[Row]:
    """Fill a journal and look at it."""
    rounds, everything = (1, 12_000) if quick else (3, ALL)
    with tempfile.TemporaryDirectory() as folder:
        home, work = Path(folder, "home"), Path(folder, "work")
        home.mkdir()
        work.mkdir()
        fill(home / "journal.db", everything)
        size = sum(
            file.stat().st_size for file in home.glob("journal.db*") if "thumb" not in file.name
        )
        opening = [_opening(home / "journal.db") for _ in range(1 if quick else 5)]
        frontends.write_notebook(work / NAME, BEGIN, "")
        with frontends.jupyterlab(work, home) as url, frontends.chromium() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            frontends.open_notebook(page, url, NAME)
            frontends.run_all(page)
            page.get_by_text(f"{MANY} images are there").wait_for()
            page.wait_for_timeout(1000)
            _painted(page, FEW, "warm")  # loads what is loaded once
            few, many, few_cells, many_cells = [], [], [], []
            for number in range(rounds):
                many.append(_painted(page, MANY, f"many{number}"))
                few.append(_painted(page, FEW, f"few{number}"))
                many_cells.append(_painted(page, MANY, f"cells{number}", AXES))
                few_cells.append(_painted(page, FEW, f"fewcells{number}", AXES))
            before = _asked(page, "rss()")
            _painted(page, MANY, "last")  # a cell that is run again replaces what it showed
            frames = page.evaluate(SCROLLED, ["last", 4 if quick else 8])
            page.wait_for_timeout(1500)
            filters = _filter(page, "last", 1 if quick else 5)
            _painted(page, MANY, "axes", AXES)
            cell_frames = page.evaluate(SCROLLED, ["axes", 4 if quick else 8])
            page.wait_for_timeout(1500)
            filters += _filter(page, "axes", 1 if quick else 5)
            grown = (_asked(page, "rss()") - before) / 1000
            state = _asked(page, "len(repr({k: v for k, v in gallery_of().items()}))", STATE)
            keys = _search(page, 1 if quick else KEYS // sum(map(len, WORDS)))
    p95 = _p95(keys)
    return [
        Row.ratio(
            f"gallery: first paint, {MANY:,} images against {FEW}",
            [took / 1000 for took in many],
            [took / 1000 for took in few],
            2,
        ),
        Row.ratio(
            f"grid with two axes: first paint, {MANY:,} images against {FEW}",
            [took / 1000 for took in many_cells],
            [took / 1000 for took in few_cells],
            2,
        ),
        Row(
            "gallery: scrolling end to end, ms per frame in the worst second",
            f"{min(frames)} frames; as a grid {min(cell_frames)}",
            "",
            1000 / min(*frames, *cell_frames),
            33.3,
        ),
        Row(
            f"gallery and grid of {MANY:,}: a filter change, 95th percentile, ms",
            f"{_p95(filters):.0f} (median {median(filters):.0f})",
            "",
            _p95(filters),
            150,
        ),
        Row(
            f"journal of {everything:,} images: size of the file, MB",
            f"{size / 1e6:.0f}",
            "",
            size / 1e6,
            120,
        ),
        Row(
            f"journal of {everything:,} images: opening, and the first page, ms",
            f"{median(opening):.0f} ({min(opening):.0f} to {max(opening):.0f})",
            "",
            median(opening),
            300,
        ),
        Row(
            "gallery: kernel memory after all images were displayed, MB",
            f"{grown:.1f}",
            "",
            max(0.0, grown),  # the kernel may have given memory back meanwhile
            80,
        ),
        Row(
            "gallery: widget state in the saved notebook, KB",
            f"{state / 1000:.1f}",
            "",
            state / 1000,
            100,
        ),
        Row(
            f"search in {everything:,} images: from the key press to the result, "
            "95th percentile, ms",
            f"{p95:.0f} (median {median(keys):.0f})",
            "",
            p95,
            50,
            why=WHY,
        ),
    ]


STATE = """
def gallery_of():
    # The style sheet and the script are the same for each panel of its kind.
    return {k: v for k, v in gallery.get_state().items() if k not in {"_esm", "_css"}}
"""


AXES = 'rows="row", columns="column"'


def _painted(page: Page, count: int, mark: str, axes: str = "") -> float:
    page.wait_for_timeout(500)
    found: float = page.evaluate(PAINTED, [count, mark, axes])
    return found


def _filter(page: Page, mark: str, rounds: int) -> list[float]:
    """Choose each value of a filter in turn."""
    took = []
    for value in ("harbour", "lake", "street", "desert") * rounds:
        took.append(float(page.evaluate(FILTERED, [mark, value])))
        page.wait_for_timeout(300)
    return took


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else values[0]


def _opening(path: Path) -> float:
    """Milliseconds until a new process has opened the journal and read the first page."""
    command = [sys.executable, "-c", OPENING, str(path)]
    done = subprocess.run(command, cwd=ROOT, env=keyless(), check=True, stdout=subprocess.PIPE)
    return float(done.stdout)


OPENING = """
import sys, time
from wonda_widgets.journal.images import Query
from wonda_widgets.journal.journal import Journal
began = time.perf_counter()
kept = Journal(sys.argv[1])
found = kept.images.search("http://127.0.0.1:9/api/v1", Query(), 120, 0).result()
assert len(found) == 120
print(1000 * (time.perf_counter() - began))
"""


def _asked(page: Page, expression: str, code: str = "") -> float:
    ask = """async ([code, expression]) => {
        const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        const request = { code, user_expressions: { it: expression } };
        const reply = await kernel.requestExecute(request).done;
        const it = reply.content.user_expressions?.it;
        if (it?.status !== "ok") throw new Error(JSON.stringify(reply.content));
        return Number(it.data["text/plain"]);
    }"""
    found: float = page.evaluate(ask, [code, expression])
    return found


def _search(page: Page, rounds: int) -> list[float]:
    """Type words into a gallery over everything, a letter at a time."""
    page.evaluate(
        """() => {
            const panel = jupyterapp.shell.currentWidget.content;
            panel.activeCell.model.sharedModel.setSource(
                `import ipywidgets
found = ww.Gallery(wonda=wonda)
found.add_class("found")
order = ipywidgets.IntText()
order.add_class("found-order")
ipywidgets.jslink((found, "revision"), (order, "value"))
ipywidgets.VBox([found, order])`
            );
            jupyterapp.commands.execute("notebook:run-cell");
        }"""
    )
    page.locator(".found .wonda-card").first.wait_for()
    page.wait_for_timeout(1500)
    took = []
    for word in WORDS * (rounds + 1):
        for end in range(1, len(word) + 1):
            took.append(float(page.evaluate(TYPED, ["found", word[:end]])))
            page.wait_for_timeout(250)  # as people type
    return took[sum(map(len, WORDS)) :]  # the first time, thumbnails travel


# ---------------------------------------------------------------- a year of work


def fill(path: Path, count: int) -> None:
    """Make a journal with many images, and their thumbnails beside it."""
    from io import BytesIO

    from PIL import Image

    from wonda_widgets.journal import journal, thumbnails

    base = "http://127.0.0.1:9/api/v1"
    kept = journal.Journal(path)
    kept.recent(base).result()  # makes the tables
    kept.close()
    kept._database._thread.shutdown(wait=True)
    places = ["harbour", "mountain", "lake", "street", "garden", "market", "desert", "lantern"]
    lights = ["night", "dawn", "fog", "noon", "dusk", "rain", "snow"]
    now = time.time()
    with sqlite3.connect(path) as file:
        for number in range(count):
            prompt = (
                f"A {places[number % 8]} in the {lights[number % 7]}, number {number}, "
                "long lens, low haze, a lone figure in the distance"
            )
            body = (
                f'{{"model":"m{number % 3}","prompt":"{prompt}","params":{{"aspectRatio":"4:5"}}}}'
            )
            reply = (
                f'{{"status":"succeeded","outputs":[{{"media":{{"mediaId":"p{number}",'
                f'"url":"http://127.0.0.1:9/p{number}.png","width":912,"height":1140}}}}]}}'
            )
            at = now - count + number
            file.execute(
                "INSERT INTO request (intent, base_url, kind, body, same_as, owner, asked_at,"
                " told_at, state, reason, job_id, status, ended, reply) VALUES"
                " (?,?,'inference',?,'','h|1|t|',?,?,'accepted','',?,'succeeded',1,?)",
                (f"i{number:06}", base, body, at, at + 20, f"j{number}", reply),
            )
            made = file.execute(
                "INSERT INTO picture (intent, base_url, asked_at, model, fills) VALUES (?,?,?,?,?)",
                (
                    *(f"i{number:06}", base, at, f"m{number % 3}"),
                    json.dumps(
                        {
                            "place": places[number % 8],
                            "row": f"row {number // 10 % 100}",
                            "column": f"column {number % 10 + 10 * (number // 1000 % 10)}",
                        }
                    ),
                ),
            )
            file.execute(
                "INSERT INTO words (rowid, prompt, note) VALUES (?,?,'')", (made.lastrowid, prompt)
            )
    file.close()
    small = thumbnails.Thumbnails(path)
    small._database.run(lambda connection: connection.total_changes).result()
    small.close()
    small._database._thread.shutdown(wait=True)
    noise = Image.effect_noise((256, 320), 60).convert("RGB")
    buffer = BytesIO()
    noise.save(buffer, "JPEG", quality=55)
    with sqlite3.connect(path.with_name(path.name + thumbnails.FILE_SUFFIX)) as file:
        for number in range(max(0, count - 12_000), count):
            # Each is a file of its own: what comes after a JPEG's end is not looked at.
            data = buffer.getvalue() + os.urandom(16)
            file.execute("INSERT INTO thumbnail VALUES (?,?,?,?)", (base, f"p{number}", now, data))
    file.close()
