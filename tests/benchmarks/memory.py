"""Memory growth of a kernel that generates and shows 1,000 4K images.

A real kernel runs a displayed Studio on a service in another process, whose jobs have
ended at the first look. Image after image is generated, downloaded, decoded and
shown; this side takes every message, as a browser would. The images are a few files,
3840 × 2160, but each one is a job, an address and a media of its own, so that nothing is
known from before. They are smooth ones, which decode fast: as many pixels as others,
and the run takes minutes, not a quarter of an hour.

The memory is what the system says the kernel holds (its resident set), after ten
images and after the last. Python and the C library keep some of what was freed.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import frontends
from jupyter_client.manager import KernelManager
from PIL import Image

from .rows import KEY, Row
from .sandbox_server import serving_images

if TYPE_CHECKING:
    from jupyter_client.blocking import BlockingKernelClient

SIZE = (3840, 2160)
FIRST, MANY, FEW = 10, 1_000, 40
ALLOWED = 100  # MB
PATIENCE = 900  # seconds

BEGIN = """
import json, os, time
import psutil
import wonda_widgets as ww
wonda = ww.Wonda({key!r}, base_url={base_url!r})
studio = ww.Studio(wonda, prompt="A quiet harbour")
display(studio)
process = psutil.Process()
held = []
shown = None
while studio.prompt_form.state != "ready":
    time.sleep(0.01)
"""
# The thread of the cell only waits: what is measured runs on the package's loop.
MAKE = """
for number in range({count}):
    studio.prompt_form.submit()
    while studio.media is None or studio.media.media_id == shown or (
        studio.prompt_form.state != "ready"
    ):
        if studio.prompt_form.error or studio.preview.error:
            raise RuntimeError((studio.prompt_form.error, studio.preview.error))
        time.sleep(0.005)
    shown = studio.media.media_id
    if studio.preview.shown.preview.width != {wide}:
        raise RuntimeError("This is not the image that was served.")
    if (number + 1) % {each} == 0:
        held.append([number + 1, process.memory_info().rss / 1e6])
"""


def measure(*, quick: bool) -> list[Row]:
    """Make images, and look at the kernel's memory meanwhile."""
    count = FEW if quick else MANY
    with tempfile.TemporaryDirectory() as folder:
        home, images = Path(folder, "home"), Path(folder, "images")
        home.mkdir()
        images.mkdir()
        _paint(images)
        with serving_images(images) as (base_url, _):
            manager = KernelManager(kernel_name="python3")
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            manager.start_kernel(env=frontends.environment(home), **quiet)
            kernel = manager.client()
            kernel.start_channels()
            try:
                kernel.wait_for_ready(timeout=60)
                _run(kernel, BEGIN.format(key=KEY, base_url=base_url))
                course = _run(kernel, MAKE.format(count=count, each=FIRST, wide=SIZE[0]))
            finally:
                kernel.stop_channels()
                manager.shutdown_kernel(now=True)
    begin, end = course[0][1], course[-1][1]
    return [
        Row(
            f"memory of the kernel: growth in MB from ten to {count:,} displayed 4K images",
            f"{end:,.0f} MB",
            f"{begin:,.0f} MB with ten images",
            max(0.0, end - begin),  # the kernel may have given memory back meanwhile
            ALLOWED,
            points={"images and MB": course},
        )
    ]


def _paint(folder: Path) -> None:
    """Three gradients, of three sizes on disk."""
    for number in range(3):
        ramp = Image.linear_gradient("L").rotate(90 * number).resize(SIZE)
        Image.merge("RGB", (ramp, ramp.transpose(Image.Transpose.ROTATE_180), ramp)).save(
            folder / f"{number}.png", compress_level=1
        )


def _run(kernel: BlockingKernelClient, code: str) -> list[list[float]]:
    """Run a cell, taking all messages; gives what was noted of the memory."""
    reply = kernel.execute_interactive(
        code,
        timeout=PATIENCE,
        user_expressions={"held": "json.dumps(held)"},
        allow_stdin=True,  # somebody is in front; else each word would be kept at once
        output_hook=lambda _: None,
    )["content"]
    if reply["status"] != "ok":
        raise RuntimeError(f"A cell failed in the kernel: {reply}")
    found: list[list[float]] = json.loads(
        reply["user_expressions"]["held"]["data"]["text/plain"].strip("'")
    )
    return found
