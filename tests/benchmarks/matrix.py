"""Time for a matrix of 1,000 jobs, 32 in parallel, compared with a loop of httpx requests.

Both ask the same `light_server`, in a process of its own, for the same images, each of which
takes 0.6 seconds, and follow each job at the pace of the service's page. The bare loop has no
journal, no price, no budget and no progress; the matrix has all of these.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import httpx

import wonda_widgets as ww
from wonda_widgets.jobs import poll_intervals

from .light_server import FOLDER, running
from .rows import KEY, Row

COUNT, AT_ONCE = 1_000, 32


def measure(*, quick: bool) -> list[Row]:
    """Make the same images both ways, in turn."""
    count, rounds = (12, 1) if quick else (COUNT, 2)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder, running() as address:
        url = f"{address}{FOLDER}"
        asyncio.run(_bare(url, AT_ONCE))
        for number in range(rounds):
            theirs.append(asyncio.run(_bare(url, count)))
            ours.append(_matrix(url, count, Path(folder, f"{number}.db")))
    what = f"matrix of {count} jobs, {AT_ONCE} concurrent: time against a bare httpx loop"
    return [Row.ratio(what, ours, theirs, 1.1)]


def _prompts(count: int) -> list[str]:
    return [f"after 0.6 s: harbor {number}" for number in range(count)]


def _matrix(url: str, count: int, journal: Path) -> float:
    with ww.Wonda(KEY, base_url=url, journal=journal) as wonda:
        matrix = wonda.images.matrix(
            "{what}", {"what": _prompts(count)}, "m", budget=100, max_concurrency=AT_ONCE
        )
        began = time.perf_counter()
        rows = matrix.wait()
        took = time.perf_counter() - began
    if any(row["status"] != "succeeded" for row in rows):
        raise RuntimeError("A job of the matrix has not succeeded.")
    return took


async def _bare(url: str, count: int) -> float:
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(client: httpx.AsyncClient, prompt: str) -> None:
        async with turn:
            asked = await client.post(
                f"{url}/image/generate", json={"model": "m", "prompt": prompt}
            )
            job = asked.json()["inferenceJobId"]
            for delay in poll_intervals.intervals():
                told = (await client.get(f"{url}/jobs/inference/{job}")).json()
                if told["status"] == "succeeded":
                    return
                await asyncio.sleep(delay)

    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers) as client:
        began = time.perf_counter()
        await asyncio.gather(*(one(client, prompt) for prompt in _prompts(count)))
        return time.perf_counter() - began
