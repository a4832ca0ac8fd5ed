"""The delay until the end of a job is noticed, and the number of polls until then.

Jobs take as long as a log-normal distribution says (median 38 s); the journal knows a
hundred of them, drawn apart. Pure arithmetic on the package's own functions, so that it is
the same in each run: the average of many histories and many jobs.

Beside the page's pace stands the best that there could be: for one who knows the
distribution itself, found by dynamic programming over waits of 1 to 5 s.
"""

from __future__ import annotations

import math
import random
from itertools import pairwise
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING

from wonda_widgets.jobs import adaptive_polling, duration_stats, poll_intervals

from .rows import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MEDIAN = 38.0  # seconds
SPREADS = (0.15, 0.25, 0.4)  # of the durations' logarithms
RUNS = 100  # in the journal
STEP = 0.125  # seconds, of the best schedule
END = 300.0  # seconds; longer jobs are one in a million


def measure(*, quick: bool) -> list[Row]:
    """Follow many jobs, each way."""
    del quick  # it takes a second
    histories, count = 60, 4000
    rows = []
    shortest, longest = poll_intervals.MAX_INTERVAL, poll_intervals.FIRST_INTERVAL
    for spread in SPREADS:
        source = random.Random(int(spread * 100))
        jobs = sorted(_durations(source, spread, count))
        page = _followed(_page(), jobs)
        learned, waits = [], []
        for _ in range(histories):
            about = duration_stats.summarize(_durations(source, spread, RUNS))
            assert about is not None
            schedule = _schedule(adaptive_polling.AdaptivePolling(about).interval)
            # As they were asked for: the sum of many has lost its last digits.
            waits += [round(later - at, 9) for at, later in pairwise(schedule)]
            learned.append(_followed(schedule, jobs))
        ours = tuple(fmean(column) for column in zip(*learned, strict=True))
        best = _best(spread, page[1], jobs)
        shortest, longest = min(shortest, *waits), max(longest, *waits)
        rows += [
            Row(
                f"delay until the end is detected, spread {spread:g}, "
                "against the web page's schedule",
                _told(ours),
                _told(page),
                ours[0] / page[0],
                0.65,
                points={"spread": spread, "ours": ours, "page": page, "best": best},
            ),
            Row(
                f"requests, spread {spread:g}, against the web page's schedule",
                f"{ours[1]:.2f}",
                f"{page[1]:.2f}",
                ours[1] / page[1],
                1,
            ),
            Row(
                f"best possible delay, spread {spread:g}, against the web page's schedule",
                _told(best),
                _told(page),
                best[0] / page[0],
            ),
        ]
    unlearned = _unlearned()
    others = sum(wait != page for wait, page in zip(unlearned, _page_waits(), strict=True))
    bounds = max(poll_intervals.FIRST_INTERVAL - shortest, longest - poll_intervals.MAX_INTERVAL)
    return [
        *rows,
        Row(
            "seconds by which a poll interval is shorter than 1 s or longer than 5 s",
            f"{shortest:.2f} to {longest:.2f} s",
            "1.00 to 5.00 s",
            max(0.0, bounds),
            0,
        ),
        Row(
            "without history: poll intervals that differ from the web page's schedule",
            f"{others} of {len(unlearned)}: "
            + ", ".join(f"{wait:g}" for wait in unlearned[:6])
            + ", … s",
            "",
            float(others),
            0,
        ),
    ]


def _told(found: tuple[float, ...]) -> str:
    return f"{found[0]:.2f} s, {found[1]:.2f} requests"


def _durations(source: random.Random, spread: float, count: int) -> list[float]:
    return [MEDIAN * math.exp(spread * source.gauss(0, 1)) for _ in range(count)]


def _schedule(wait: Callable[[float], float]) -> list[float]:
    """When is asked, in seconds after the beginning."""
    at = [0.0]
    while at[-1] < END:
        at.append(at[-1] + wait(at[-1]))
    return at


def _page_waits() -> Iterator[float]:
    """The pace of job-polling.txt, written down anew."""
    delay = 1.0
    for _ in range(60):
        yield delay
        delay = min(delay * 1.5, 5.0)


def _page() -> list[float]:
    waits = _page_waits()
    return _schedule(lambda _: next(waits, 5.0))


def _followed(schedule: list[float], jobs: list[float]) -> tuple[float, float]:
    """The average lag in seconds, and the average number of requests; `jobs` in order."""
    lag = asked = 0.0
    place = 0
    for seconds in jobs:
        while schedule[place] < seconds:
            place += 1
        lag += schedule[place] - seconds
        asked += place + 1
    return lag / len(jobs), asked / len(jobs)


def _unlearned() -> list[float]:
    """The waits of a real job whose journal is empty, on a clock that jumps."""
    import threading

    from wonda_widgets.jobs.clock import Clock
    from wonda_widgets.jobs.job import Job

    slept: list[float] = []

    class Jumping(Clock):
        monotonic = staticmethod(lambda: sum(slept))

        @staticmethod
        async def sleep(seconds: float) -> None:
            slept.append(seconds)

    async def usual() -> duration_stats.DurationStats | None:
        return duration_stats.summarize([])

    async def poll() -> dict[str, str]:
        return {"status": "succeeded" if len(slept) == 60 else "in_progress"}

    ended = threading.Event()
    job = Job("inference", "j", poll, duration_stats=usual, clock=Jumping)
    job.watch(lambda snapshot: snapshot.terminal and ended.set())
    ended.wait(30)
    return slept


# ---------------------------------------------------------------- the best there could be


def _best(spread: float, requests: float, jobs: list[float]) -> tuple[float, float]:
    """What the schedule with the least lag does, of those with so many requests."""
    count = int(END / STEP)
    normal = NormalDist(math.log(MEDIAN), spread)
    running = [1.0, *(1 - normal.cdf(math.log(STEP * number)) for number in range(1, count + 1))]
    dear, cheap = 0.0, 20.0  # seconds of lag that a request is worth
    for _ in range(18):
        price = (dear + cheap) / 2
        found = _followed(_cheapest(running, price), jobs)
        dear, cheap = (price, cheap) if found[1] > requests else (dear, price)
    return _followed(_cheapest(running, cheap), jobs)


def _cheapest(running: list[float], price: float) -> list[float]:
    """The schedule with the least lag, if a request is worth so many seconds of it."""
    count = len(running) - 1
    steps = range(
        int(poll_intervals.FIRST_INTERVAL / STEP), int(poll_intervals.MAX_INTERVAL / STEP) + 1
    )
    known = [0.0]  # seconds that jobs have run by then, on average
    for left in running:
        known.append(known[-1] + left * STEP)
    cost = [0.0] * (count + steps[-1] + 1)
    chosen = [steps[-1]] * (count + 1)
    for place in range(count, -1, -1):
        least = math.inf
        for step in steps:
            after = min(place + step, count)
            lag = running[place] * step * STEP - (known[after] - known[place])
            total = lag + price * running[place] + cost[place + step]
            if total < least:
                least, chosen[place] = total, step
        cost[place] = least
    at = [0]
    while at[-1] <= count:
        at.append(at[-1] + chosen[at[-1]])
    return [place * STEP for place in at]


if __name__ == "__main__":
    from .rows import table

    print(table(measure(quick=False)))
