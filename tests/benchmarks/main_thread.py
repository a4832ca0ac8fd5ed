"""How long 100 followed jobs keep the main thread from running.

Jobs are followed on a thread of the package's own, so a busy cell and the panels
share one interpreter. A process follows 100 jobs of a sandbox in another process,
over a socket, at the service's pace (at once, then after 1, 1.5, 2.25, … 5 s), all
in step, which is the worst case. Its main thread meanwhile sleeps a millisecond
at a time and notes how much longer each turn took than asked.

Beside it stands the same process while it follows no job; both in turn. Every
turn begins the following anew, with the pace at its densest.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from .rows import ROOT, Row, keyless, percentile

if TYPE_CHECKING:
    from wonda_widgets import Job

JOBS = 100
NAP = 0.001
KEY = "sk_" + "5a" * 32


def measure(*, quick: bool) -> list[Row]:
    """Start a sandbox and the process that follows its jobs."""
    rounds, seconds = (1, 3.0) if quick else (2, 5.0)
    command = [sys.executable, "-m", "wonda_widgets", "sandbox", "--seconds", "60"]
    sandbox = subprocess.Popen(command, cwd=ROOT, env=keyless(), stdout=subprocess.PIPE, text=True)
    try:
        assert sandbox.stdout is not None
        base_url = sandbox.stdout.readline().strip()
        command = [sys.executable, "-m", __name__, base_url, str(rounds), str(seconds)]
        done = subprocess.run(
            command, cwd=ROOT, env=keyless(), check=True, stdout=subprocess.PIPE, text=True
        )
    finally:
        sandbox.terminate()
        sandbox.wait(15)
        if sandbox.stdout is not None:
            sandbox.stdout.close()
    found = json.loads(done.stdout)
    with_jobs, without = found["with_jobs"], found["without"]
    late = percentile(with_jobs, 0.99)
    return [
        Row(
            f"main thread late by, {JOBS} jobs | none (99th percentile, ms)",
            f"{late:.1f} ms (longest {max(with_jobs):.1f})",
            f"{percentile(without, 0.99):.1f} ms (longest {max(without):.1f})",
            late,
            20,
        ),
        Row(
            "    how much was measured",
            f"{len(with_jobs):,} turns, {found['polls']:,} polls in {rounds * seconds:g} s",
            f"{len(without):,} turns in {rounds * seconds:g} s",
        ),
    ]


# ---------------------------------------------------------------- in the other process


def _follow(base_url: str, rounds: int, seconds: float) -> None:
    """Follow the jobs and print how late the main thread was, in milliseconds."""
    import wonda_widgets as ww

    with ww.Wonda(KEY, base_url=base_url) as wonda:
        polls = _count_polls(wonda)
        jobs = [
            wonda.images.generate(model="nano-banana-2", prompt=f"Boat {number}")
            for number in range(JOBS)
        ]
        without, with_jobs, counted = [], [], 0
        for _ in range(rounds):
            _all(jobs, "stop")
            without += _lateness(seconds)
            before = len(polls)
            _all(jobs, "resume")
            with_jobs += _lateness(seconds)
            counted += len(polls) - before
        if any(job.done for job in jobs):
            raise RuntimeError("A job ended before all was measured.")
    print(json.dumps({"with_jobs": with_jobs, "without": without, "polls": counted}))


def _count_polls(wonda: object) -> list[str]:
    """The paths that are polled, as they are."""
    transport = wonda._async._core.transport  # type: ignore[attr-defined]
    asked: list[str] = []
    poll = transport.poll

    async def noted(path: str) -> object:
        asked.append(path)
        return await poll(path)

    transport.poll = noted
    return asked


def _all(jobs: list[Job], action: str) -> None:
    """Stop or resume all jobs; stopping is given the time to take effect."""
    for job in jobs:
        getattr(job, action)()
    if action == "stop":
        time.sleep(0.5)


def _lateness(seconds: float) -> list[float]:
    """How much later than asked the thread woke, in milliseconds."""
    late = []
    end = time.perf_counter() + seconds
    while (began := time.perf_counter()) < end:
        time.sleep(NAP)
        late.append((time.perf_counter() - began - NAP) * 1000)
    return late


if __name__ == "__main__":
    _follow(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
