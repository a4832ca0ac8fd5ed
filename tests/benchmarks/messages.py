"""The messages from the kernel to the browser: how many per job, and how many bytes per panel.

A panel that ticks once a second sends 30 for a job of 30 seconds, and every one
of them makes the front end work and is kept in its log. Here the clock ticks in
the browser and the kernel tells changes only.

A real kernel runs a displayed `Studio` in the sandbox; this side presses
`Generate` as a browser does, with a message to the prompt form, and counts every
message that the kernel publishes until the 4K image is shown and offered to be
posted: those of the `JobProgress`, and those of all panels together, the static output
under them included (an ``update_display_data``, with its image). Left out is only the
``status`` with which a kernel accompanies each request. The sandbox's seed makes the job
take 30.4 s, which the next poll finds out (the seconds in the table), so it runs once.
``--quick`` has a job of 6 s, of which a panel that tells changes only sends nearly as
many.

The bytes of a panel are those of all messages that its cell publishes, with their buffers, until
nothing follows for a second: of the first `Studio` of a kernel, which brings the code of all panels
along, and of one more panel of each kind.
"""

from __future__ import annotations

import json
import queue
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import frontends
from jupyter_client.manager import KernelManager

from .rows import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jupyter_client.blocking import BlockingKernelClient

PATIENCE = 90  # seconds

BEGIN = """
import json, time
import wonda_widgets as ww
params = {"resolution": "4K", "aspectRatio": "16:9"}
wonda = ww.Wonda.sandbox(seconds={seconds}, seed=19)
studio = ww.Studio(wonda, prompt="A quiet harbour", params=params)
display(studio)
while studio.prompt_form.state != "ready" or not studio.prompt_form.price:
    time.sleep(0.05)
"""
#: The panels that are displayed one after another in a fresh kernel.
PANELS = (
    "Studio(wonda)",
    "PromptForm(wonda)",
    "PublishForm(wonda=wonda)",
    "Gallery(wonda=wonda)",
    "EditForm(wonda=wonda)",
    "Compare(wonda=wonda)",
    "PromptLab(wonda)",
)
FACTS = """json.dumps({
    "form": studio.prompt_form.model_id,
    "model": studio.prompt_form.model,
    "params": studio.prompt_form.params,
    "progress": studio.progress.model_id,
    "preview": studio.preview.model_id,
})"""


def measure(*, quick: bool) -> list[Row]:
    """Run one job and count."""
    with tempfile.TemporaryDirectory() as folder:
        manager = KernelManager(kernel_name="python3")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        manager.start_kernel(env=frontends.environment(Path(folder)), **quiet)
        kernel = manager.client()
        kernel.start_channels()
        try:
            kernel.wait_for_ready(timeout=60)
            first, *others = _weights(kernel)
            facts = _ask(kernel, BEGIN.replace("{seconds}", "4" if quick else "20"), FACTS)
            seen = _generate(kernel, facts)
            seconds = _ask(kernel, "", "studio.job.snapshot.elapsed")
        finally:
            kernel.stop_channels()
            manager.shutdown_kernel(now=True)
    of_progress = sum(message["content"].get("comm_id") == facts["progress"] for message in seen)
    wire = sum(map(_size, seen))
    ticks = f"{int(seconds)} (one per second, job of {seconds:.1f} s)"
    return [
        Row(
            "messages from JobProgress while a job is polled",
            str(of_progress),
            ticks,
            of_progress,
            12,
        ),
        Row(
            "messages from Studio, from Generate until the 4K image is displayed",
            str(len(seen)),
            "",
            len(seen),
            12,
        ),
        Row("bytes of the messages from Studio", f"{wire:,}", "", wire, 400_000),
        Row(
            "bytes until the first Studio of a kernel is displayed",
            f"{first:,}",
            "",
            first,
            150_000,
        ),
        Row(
            "bytes of one more panel, the heaviest of six",
            f"{max(others):,}",
            "",
            max(others),
            40_000,
        ),
    ]


def _weights(kernel: BlockingKernelClient) -> list[int]:
    """The bytes of each of `PANELS`."""
    _ask(kernel, "import wonda_widgets as ww\nwonda = ww.Wonda.sandbox()", "1")
    weights = []
    for panel in PANELS:
        _drain(kernel)
        kernel.execute(f"panel = ww.{panel}\ndisplay(panel)")
        weights.append(sum(map(_size, _until_quiet(kernel))))
    return weights


def _until_quiet(kernel: BlockingKernelClient) -> Iterator[dict[str, Any]]:
    """The messages that are published until none follows for a second."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            yield kernel.get_iopub_msg(timeout=1)
        except queue.Empty:
            return
    raise RuntimeError("The kernel does not stop sending.")


def _size(message: dict[str, Any]) -> int:
    """The bytes of a message's content and buffers."""
    return len(json.dumps(message["content"])) + sum(map(len, message["buffers"]))


def _ask(kernel: BlockingKernelClient, code: str, expression: str) -> Any:
    """Run a cell; the value of an expression after it, which is JSON."""
    reply = kernel.execute_interactive(
        code,
        timeout=PATIENCE,
        user_expressions={"it": expression},
        allow_stdin=True,  # somebody is in front; else each word would be kept at once
        output_hook=lambda _: None,
    )
    content = reply["content"]
    if content["status"] != "ok" or content["user_expressions"]["it"]["status"] != "ok":
        raise RuntimeError(f"A cell failed in the kernel: {content}")
    text = content["user_expressions"]["it"]["data"]["text/plain"]
    return json.loads(text.strip("'"))


def _generate(kernel: BlockingKernelClient, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """Press `Generate`; every message until a second after the image is there."""
    _drain(kernel)
    press = {"type": "submit", "prompt": "A quiet harbour"}
    content = {
        "comm_id": facts["form"],
        "data": {
            "method": "custom",
            "content": {**press, "model": facts["model"], "params": facts["params"]},
        },
    }
    kernel.shell_channel.send(kernel.session.msg("comm_msg", content))
    seen: list[dict[str, Any]] = []
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            message = kernel.get_iopub_msg(timeout=1)
        except queue.Empty:
            continue
        if message["msg_type"] == "status":
            continue
        seen.append(message)
        state = message["content"]["data"].get("state") or {}
        # What follows an image (its thumb in the form and the filmstrip) counts too.
        if message["content"].get("comm_id") == facts["preview"] and state.get("state") == "ready":
            end = time.monotonic() + 2
    if not any("facts" in (message["content"]["data"].get("state") or {}) for message in seen):
        raise RuntimeError("The image was not shown.")
    return seen


def _drain(kernel: BlockingKernelClient) -> None:
    """Forget the messages that there are."""
    while True:
        try:
            kernel.get_iopub_msg(timeout=0.5)
        except queue.Empty:
            return
