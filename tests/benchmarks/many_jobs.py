"""Hundreds of parallel jobs: their load on the kernel, and how evenly they poll.

Jobs are followed on a thread of the package's own, so a busy cell and the panels share one
interpreter with them. In a process of its own each way follows 500 jobs of a server in
another process, begun together, of 25 to 45 seconds. Its main thread meanwhile sleeps a
millisecond at a time and notes how much later than asked it wakes.

- ours: `AsyncWonda`, with a journal on disk;
- a bare loop: a task a job in one thread, httpx, the pace of the service's page;
- one thread per job: httpx, blocking.

None knows how long such jobs take, so all ask at the page's pace. Then 2,000 jobs, ours
alone: how late each end is known.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

import httpx

from wonda_widgets.jobs import poll_intervals

from .light_server import facts, running
from .rows import (
    KEY,
    ROOT,
    Row,
    keyless,
    percentile,
    side_by_side,
)

if TYPE_CHECKING:
    from collections.abc import Callable

COUNT, MANY = 500, 2000
NAP = 0.001  # seconds
START = 10.0  # seconds, after which requests are to be even
CONNECTIONS = 20
SHORTEST, LONGEST = 25.0, 45.0  # seconds of a job


def measure(*, quick: bool) -> list[Row]:
    """Follow the jobs each way, in turn."""
    count, many, rounds, scale = (40, 80, 1, 0.03) if quick else (COUNT, MANY, 3, 1.0)
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "bare": [], "threads": []}
    for number in range(rounds):
        for side, runs in found.items():
            if side != "threads" or number == 0:  # it is far away
                runs.append(_run(side, count, scale))
    ours, bare = found["ours"], found["bare"]
    threads = found["threads"][0]
    held = [percentile(run["late"], 0.99) for run in (*ours, *bare)]
    ours_held, bare_held = median(held[:rounds]), median(held[rounds:])
    cpus = [[run["cpu"] for run in runs] for runs in (ours, bare)]
    cpu, bare_cpu = map(median, cpus)
    grown = median(run["grown"] for run in ours)
    connections = max(run["connections"] for run in ours)
    seconds = _seconds(ours[0], START * scale, SHORTEST * scale)
    crowd = median(_crowd(_seconds(run, START * scale, SHORTEST * scale)) for run in ours)
    bare_crowd = median(_crowd(_seconds(run, START * scale, SHORTEST * scale)) for run in bare)
    lots = _run("ours", many, scale)
    late = [lots["known"][name] - job["done"] for name, job in lots["jobs"].items()]
    return [
        Row(
            f"{count} jobs: main thread blocked, 99th percentile, ms",
            f"{ours_held:.1f} ms (longest {max(max(run['late']) for run in ours):.0f})",
            f"{bare_held:.1f} ms; one thread per job: {percentile(threads['late'], 0.99):.1f} ms",
            ours_held,
            10,
        ),
        Row(
            f"{count} jobs: CPU time against a bare loop",
            f"{cpu:.1f} s, {median(len(run['asked']) for run in ours):,.0f} polls",
            f"{bare_cpu:.1f} s, {median(len(run['asked']) for run in bare):,.0f} polls; "
            f"one thread per job: {threads['cpu']:.1f} s",
            side_by_side(*cpus),
            1.3,
            points={"ours": cpu, "bare": bare_cpu, "threads": threads["cpu"]},
        ),
        Row(
            f"{count} jobs: memory above an idle client, MB",
            f"{grown:.1f} MB",
            f"{median(run['grown'] for run in bare):.1f} MB; "
            f"one thread per job: {threads['grown']:.0f} MB",
            grown,
            60,
            points={"ours": grown, "threads": threads["grown"]},
        ),
        Row(
            f"{count} jobs: concurrent connections",
            str(connections),
            f"{max(run['connections'] for run in bare)}; "
            f"one thread per job: {threads['connections']}",
            connections,
            CONNECTIONS,
        ),
        Row(
            f"{count} jobs: requests in the busiest second against the mean",
            f"{max(seconds)}, mean {fmean(seconds):.0f}",
            f"a bare loop: {bare_crowd:.1f} times the mean",
            crowd,
            2,
            points={
                "ours": _seconds(ours[0], 0, LONGEST * scale),
                "bare": _seconds(bare[0], 0, LONGEST * scale),
            },
        ),
        Row(
            f"{many:,} jobs: number that did not end",
            f"{many - len(late)}",
            "",
            float(many - len(late)),
            0,
        ),
        Row(
            f"{many:,} jobs: delay until the end is detected, 99th percentile, s",
            f"{percentile(late, 0.99):.2f} s (mean {fmean(late):.2f})",
            "",
            percentile(late, 0.99),
            poll_intervals.MAX_INTERVAL + 1,
            points={"lags": [round(lag, 2) for lag in sorted(late)[:: max(1, many // 200)]]},
        ),
        Row(
            f"{many:,} jobs: CPU time, memory above an idle client, requests per second",
            f"{lots['cpu']:.1f} s, {lots['grown']:.0f} MB, "
            f"{fmean(_seconds(lots, START * scale, SHORTEST * scale)):.0f}",
        ),
    ]


def _seconds(run: dict[str, Any], begin: float, end: float) -> list[int]:
    """How many requests there were in each second, while all jobs were polled."""
    first = min(run["asked"])
    counted = Counter(int(at - first) for at in run["asked"])
    return [counted[second] for second in range(int(begin), max(int(begin) + 1, int(end)))]


def _crowd(seconds: list[int]) -> float:
    """The busiest second, in means."""
    return max(seconds) / fmean(seconds)


def _run(side: str, count: int, scale: float) -> dict[str, Any]:
    with running() as address:
        command = [sys.executable, "-m", __name__, side, address, str(count), str(scale)]
        done = subprocess.run(
            command, cwd=ROOT, env=keyless(), check=True, stdout=subprocess.PIPE, text=True
        )
        return {**json.loads(done.stdout), **facts(address)}


# ---------------------------------------------------------------- in the other process


def _prompts(count: int, scale: float) -> list[str]:
    source = random.Random(7)
    return [f"after {source.uniform(SHORTEST, LONGEST) * scale:.3f} s" for _ in range(count)]


def _watched(follow: Callable[[list[str]], object], prompts: list[str]) -> dict[str, Any]:
    """Follow the jobs on another thread; what this one notes until all have ended."""
    idle, cpu = _memory(), time.process_time()
    late, most = [], idle
    following = threading.Thread(target=follow, args=(prompts,))
    following.start()
    while following.is_alive():
        began = time.perf_counter()
        time.sleep(NAP)
        late.append((time.perf_counter() - began - NAP) * 1000)
        if len(late) % 200 == 0:
            most = max(most, _memory())
    return {"late": late, "cpu": time.process_time() - cpu, "grown": (most - idle) / 1e6}


def _memory() -> int:
    """Resident bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def _ours(address: str, folder: str, known: dict[str, float]) -> Callable[[list[str]], object]:
    import wonda_widgets as ww

    wonda = ww.AsyncWonda(KEY, base_url=f"{address}/api/v1", journal=Path(folder, "journal.db"))
    kept = []

    async def started(prompts: list[str]) -> list[Any]:
        asked = (wonda.images.generate(model="m", prompt=prompt) for prompt in prompts)
        return await asyncio.gather(*asked)

    def follow(prompts: list[str]) -> None:
        left = threading.Semaphore(0)

        def listener(job: Any) -> Callable[[Any], None]:
            def listen(snapshot: Any) -> None:
                if snapshot.terminal and job.id not in known:
                    known[job.id] = time.time()
                    left.release()

            return listen

        jobs = asyncio.run(started(prompts))
        kept.extend(jobs)
        for job in jobs:
            job.watch(listener(job))
        for _ in jobs:
            left.acquire()

    return follow


def _bare(address: str, _folder: str, known: dict[str, float]) -> Callable[[list[str]], object]:
    async def one(client: httpx.AsyncClient, prompt: str) -> None:
        asked = await client.post(
            f"{address}/api/v1/image/generate", json={"model": "m", "prompt": prompt}
        )
        name = asked.json()["inferenceJobId"]
        delay = 1.0
        while True:
            told = (await client.get(f"{address}/api/v1/jobs/inference/{name}")).json()
            if told["status"] == "succeeded":
                known[name] = time.time()
                return
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, 5.0)

    async def every(prompts: list[str]) -> None:
        limits = httpx.Limits(max_connections=CONNECTIONS)
        headers = {"Authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60) as client:
            await asyncio.gather(*(one(client, prompt) for prompt in prompts))

    return lambda prompts: asyncio.run(every(prompts))


def _threads(address: str, _folder: str, known: dict[str, float]) -> Callable[[list[str]], object]:
    def one(prompt: str) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {KEY}"}, timeout=60) as client:
            asked = client.post(
                f"{address}/api/v1/image/generate", json={"model": "m", "prompt": prompt}
            )
            name = asked.json()["inferenceJobId"]
            delay = 1.0
            while True:
                told = client.get(f"{address}/api/v1/jobs/inference/{name}").json()
                if told["status"] == "succeeded":
                    known[name] = time.time()
                    return
                time.sleep(delay)
                delay = min(delay * 1.5, 5.0)

    def follow(prompts: list[str]) -> None:
        each = [threading.Thread(target=one, args=(p,), daemon=True) for p in prompts]
        for thread in each:
            thread.start()
        for thread in each:
            thread.join()

    return follow


def _main(side: str, address: str, count: int, scale: float) -> None:
    known: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        follow = {"ours": _ours, "bare": _bare, "threads": _threads}[side](address, folder, known)
        follow([f"after {scale} s"])  # what is loaded once
        facts(address)  # forgets it
        found = _watched(follow, _prompts(count, scale))
    print(json.dumps({**found, "known": known}))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
