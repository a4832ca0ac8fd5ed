"""CPU time of a poll, compared with the polling loops of published clients.

Every side follows one job by itself, without a pause between polls, in a process of its
own, at the same server. Ours is the whole of it: `Job` with a journal on disk and a
`JobProgress` that shows it. Theirs are the polling helpers of `fal_client`, `replicate`
and `openai`, and the loop of the service's page on httpx, blocking and asynchronous.

CPU time is counted, not time: it is what is taken from the kernel's own work.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from .light_server import running
from .rows import (
    KEY,
    ROOT,
    Row,
    keyless,
    side_by_side,
)

if TYPE_CHECKING:
    from collections.abc import Callable

LOOP = {"httpx, blocking": "httpx", "httpx, asynchronous": "httpx_async"}
PEERS = {"fal_client": "fal", "replicate": "replicate", "openai": "openai"}
OURS = "wonda_widgets"


def measure(*, quick: bool) -> list[Row]:
    """Measure each in turn."""
    polls, rounds = (150, 1) if quick else (1000, 21)
    sides = {OURS: "ours", **LOOP, **PEERS}
    found: dict[str, list[float]] = {name: [] for name in sides}
    with running() as address:
        for _ in range(rounds):
            for name, side in sides.items():
                found[name].append(_cpu(side, address, polls))
    typical = {name: median(seconds) for name, seconds in found.items()}
    cheapest = min(PEERS, key=lambda name: typical[name])
    return [
        Row(
            "CPU time per poll, with journal and JobProgress, against the fastest client",
            f"{typical[OURS] * 1000:.3f} ms",
            f"{typical[cheapest] * 1000:.3f} ms ({cheapest}); "
            f"a bare httpx loop: {typical['httpx, blocking'] * 1000:.3f} ms",
            side_by_side(found[OURS], found[cheapest]),
            1,
            points={name: seconds * 1000 for name, seconds in typical.items()},
        ),
        *(
            Row(f"CPU time per poll: {name}", "", f"{typical[name] * 1000:.2f} ms")
            for name in (*PEERS, *LOOP)
            if name != cheapest
        ),
    ]


def _cpu(side: str, address: str, polls: int) -> float:
    """CPU seconds that a poll costs, in a process of its own."""
    command = [sys.executable, "-m", __name__, side, address, str(polls)]
    done = subprocess.run(
        command, cwd=ROOT, env=keyless(), check=True, stdout=subprocess.PIPE, text=True
    )
    return float(done.stdout)


# ---------------------------------------------------------------- in the other process


def _ours(address: str) -> Callable[[str], object]:
    import asyncio
    import threading

    import wonda_widgets as ww
    from wonda_widgets.jobs.clock import Clock

    jumped = 0.0

    class Hurried(Clock):  # it jumps, as a job whose polls are on one spot would be spread
        monotonic = staticmethod(lambda: time.monotonic() + jumped)

        @staticmethod
        async def sleep(seconds: float) -> None:
            nonlocal jumped
            jumped += seconds
            await asyncio.sleep(0)

    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # the journal may still write
    wonda = ww.Wonda(KEY, base_url=f"{address}/api/v1", journal=Path(folder.name, "journal.db"))
    wonda._async._core._clock = Hurried

    def follow(prompt: str) -> object:
        job = wonda.images.generate(model="m", prompt=prompt)
        shown = ww.JobProgress(job, wonda=wonda)
        ended = threading.Event()
        job.watch(lambda snapshot: snapshot.terminal and ended.set())
        ended.wait()
        shown.close()
        return folder

    return follow


def _httpx(address: str) -> Callable[[str], object]:
    import httpx

    client = httpx.Client(headers={"Authorization": f"Bearer {KEY}"})

    def follow(prompt: str) -> None:
        job = _begun(address, prompt)
        while client.get(f"{address}/api/v1/jobs/inference/{job}").json()["status"] not in ENDED:
            time.sleep(0)

    return follow


def _httpx_async(address: str) -> Callable[[str], object]:
    import asyncio

    import httpx

    async def followed(prompt: str) -> None:
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}) as client:
            where = f"{address}/api/v1/jobs/inference/{_begun(address, prompt)}"
            while (await client.get(where)).json()["status"] not in ENDED:
                await asyncio.sleep(0)

    return lambda prompt: asyncio.run(followed(prompt))


def _fal(address: str) -> Callable[[str], object]:
    import fal_client

    client = fal_client.SyncClient(key="a:b")

    def follow(prompt: str) -> None:
        where = f"{address}/fal/{_begun(address, prompt)}"
        handle = fal_client.SyncRequestHandle(
            request_id="r",
            response_url=where,
            status_url=where,
            cancel_url=where,
            client=client._client,
        )
        handle.get(interval=0)

    return follow


def _replicate(address: str) -> Callable[[str], object]:
    import replicate

    client = replicate.Client(api_token="t", base_url=address)
    client.poll_interval = 0

    def follow(prompt: str) -> None:
        client.predictions.get(_begun(address, prompt)).wait()

    return follow


def _openai(address: str) -> Callable[[str], object]:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{address}/v1")

    def follow(prompt: str) -> None:
        # 0 would be taken for "as the server says".
        client.vector_stores.files.poll(
            _begun(address, prompt), vector_store_id="v", poll_interval_ms=1e-9
        )

    return follow


ENDED = {"succeeded", "failed", "canceled"}


def _begun(address: str, prompt: str) -> str:
    """Ask for a job without the client that is measured."""
    import json
    from urllib.request import urlopen

    body = json.dumps({"prompt": prompt}).encode()
    with urlopen(f"{address}/api/v1/image/generate", body) as reply:
        found: str = json.load(reply)["inferenceJobId"]
        return found


def _main(side: str, address: str, polls: int) -> None:
    sides: dict[str, Any] = {
        "ours": _ours,
        "httpx": _httpx,
        "httpx_async": _httpx_async,
        "fal": _fal,
        "replicate": _replicate,
        "openai": _openai,
    }
    follow = sides[side](address)
    follow("after 50 polls")  # what is done once only
    began = time.process_time()
    follow(f"after {polls} polls")
    print((time.process_time() - began) / polls)


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
