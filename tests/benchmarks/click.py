"""Time from a click on `Generate` to the request at the service, in a real JupyterLab.

Between them lie the browser, JupyterLab's server, the kernel, and the journal on disk,
which has the request before it leaves. The clock starts with the browser's own time of
the click and stops where the request arrives: a sandbox in another process, on the same
machine and the same clock.

Beside it, in the same kernel, the same request by a bare `httpx.Client` over a warm
connection: from the call to its arrival. The goal is 50 ms and 1.2 times that. The two
are measured in turn.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median
from typing import IO

from .notebook import Lab, lab
from .rows import KEY, Row
from .sandbox_server import serving_images

FIXED, FACTOR = 0.050, 1.2  # seconds; times the bare request

BEGIN = """
import time
import httpx
import wonda_widgets as ww
wonda = ww.Wonda({key!r}, base_url={base_url!r})
bare = httpx.Client(base_url={base_url!r}, headers={{"Authorization": "Bearer " + {key!r}}})
studio = ww.Studio(wonda, prompt="A quiet harbour")
studio
"""
POST = """
began = time.time()
bare.post("/image/generate", json=studio.job.request)
"""
CLICKED = """
() => window.addEventListener(
  "click",
  (event) => (window.clicked = (performance.timeOrigin + event.timeStamp) / 1000),
  { capture: true },
)
"""


def measure(*, quick: bool) -> list[Row]:
    """Click and post in turn."""
    from .preview import paint

    rounds = 3 if quick else 15
    with tempfile.TemporaryDirectory() as folder:
        paint(Path(folder), "smooth", 1, size=(1024, 1024))
        with serving_images(Path(folder)) as (base_url, arrivals), lab() as opened:
            opened.open("click.ipynb", BEGIN.format(key=KEY, base_url=base_url))
            opened.run_next()
            opened.page.evaluate(CLICKED)
            clicks, posts = [], []
            for number in range(rounds + 1):  # the first loads what is loaded once
                click, post = _click(opened, arrivals), _post(opened, arrivals)
                if number:
                    clicks.append(click)
                    posts.append(post)
    ours, bare = median(clicks), median(posts)
    allowed = FIXED + FACTOR * bare
    return [
        Row(
            "from the click on Generate until the request arrives, ms",
            f"{ours * 1000:.1f} ms (longest {max(clicks) * 1000:.1f})",
            f"{bare * 1000:.1f} ms (bare httpx POST)",
            ours * 1000,
            round(allowed * 1000, 1),
        )
    ]


def _click(opened: Lab, arrivals: IO[str]) -> float:
    """Seconds from a click to the arrival, once the form takes one."""
    page = opened.page
    generate = page.get_by_role("button", name="Generate")
    page.locator("button[aria-disabled=false]", has_text="Generate").wait_for()
    page.wait_for_timeout(300)  # what the last image left to do is over
    generate.click()
    arrived = float(arrivals.readline())
    clicked: float = page.evaluate("() => window.clicked")
    return arrived - clicked


def _post(opened: Lab, arrivals: IO[str]) -> float:
    """Seconds from a call of httpx to the arrival."""
    opened.page.locator("button[aria-disabled=false]", has_text="Generate").wait_for()
    began: float = opened.ask("began", POST)
    return float(arrivals.readline()) - began
