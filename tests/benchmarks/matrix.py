"""Time for a matrix of 1,000 jobs, 32 in parallel, compared with a loop of httpx requests.

Both ask the same sandbox, in a process of its own, for the same images, and follow
each job at the pace of the service's page. The bare loop has no journal, no price, no
budget and no progress; the matrix has all of these.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

import wonda_widgets as ww
from wonda_widgets.jobs import poll_intervals

from .rows import KEY, Row, keyless

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT, AT_ONCE = 1_000, 32
SECONDS = "0.6"


def measure(*, quick: bool) -> list[Row]:
    """Make the same images both ways, in turn."""
    count, rounds = (12, 1) if quick else (COUNT, 2)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            with _sandbox() as url:  # a new one, whose credits last for both
                asyncio.run(_bare(url, AT_ONCE))
                theirs.append(asyncio.run(_bare(url, count)))
                ours.append(_matrix(url, count, Path(folder, f"{number}.db")))
    what = f"matrix of {count} jobs, {AT_ONCE} concurrent: time against a bare httpx loop"
    return [Row.ratio(what, ours, theirs, 1.1)]


@contextmanager
def _sandbox() -> Iterator[str]:
    command = [sys.executable, "-m", "wonda_widgets", "sandbox", "--seconds", SECONDS]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=keyless())
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def _prompts(count: int) -> list[str]:
    return [f"A harbour, number {number}" for number in range(count)]


def _matrix(url: str, count: int, journal: Path) -> float:
    with ww.Wonda(KEY, base_url=url, journal=journal) as wonda:
        matrix = wonda.images.matrix(
            "{what}", {"what": _prompts(count)}, "z-image", budget=100, max_concurrency=AT_ONCE
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
                f"{url}/image/generate", json={"model": "z-image", "prompt": prompt}
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
