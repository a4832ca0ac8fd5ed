"""When to ask next, learned from how long such jobs took before: pure functions, no clock.

The service's page asks a job that takes 40 s as often in its third second as when it is
about to be done. What earlier runs tell is the *hazard*: how likely a job that is not done
after t seconds is to be done in the next one. Waits of w seconds find it out w/2 seconds
late and cost 1/w requests a second; of all ways to spend the same number of requests, the
lag is least where

    wait(t) = reach / √hazard(t),    but never under 1 s nor over 5 s.

`reach` is chosen so that no more requests are made than by the page's own pace.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from . import polling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .duration_stats import DurationStats

STEPS = 256  # of the table
HORIZON = 4.0  # times the 90th percentile: what takes longer is asked as the page says
LEAST_SPREAD = 0.05  # of the logarithms: equal durations are a coincidence
BY_PERCENTILES = 2.563  # standard deviations between the 10th and the 90th

#: One job in twenty is like no earlier one: the service may have a bad day, or a better one.
UNLIKE = 0.05
#: Its durations are spread by a factor of about three, each way.
FAR = 1.0

#: Seconds; of jobs that take longer, most waits are the longest anyway, and there is little to win.
LONG = 300.0
FEW = 0.005  # of all jobs

#: Of the page's number of requests: history is a sample, and may be an unlucky one.
SPENT = 0.99


class AdaptivePolling:
    """How long to wait before the next poll, by a job's age.

    Parameters
    ----------
    about : Usual
        How long earlier runs took.
    """

    def __init__(self, about: DurationStats) -> None:
        middle = math.log(about.median)
        spread = math.log(about.high / about.low) / BY_PERCENTILES * (1 + 2 / about.runs)
        spread = max(LEAST_SPREAD, spread)
        kinds = ((1 - UNLIKE, spread), (UNLIKE, max(FAR, spread)))
        self._step = HORIZON * about.high / STEPS
        ages = (math.log(self._step * number) - middle for number in range(1, STEPS + 1))
        self._running = [1.0, *(_running(kinds, beyond) for beyond in ages)]
        self._fate = [-math.log(max(running, 1e-300)) for running in self._running]
        self._lived = [0.0]  # seconds that jobs have run by then, on average
        for before, after in pairwise(self._running):
            self._lived.append(self._lived[-1] + self._step * (before + after) / 2)
        page = polling.delays()
        by_page, requests = self._followed(lambda _age: next(page))
        self._reach = self._reach_for(SPENT * requests)
        #: whether it finds the end sooner than the page's pace; not where jobs take a second
        self.helps = self._followed(self.wait)[0] < by_page

    def wait(self, age: float) -> float:
        """Seconds to wait before the next poll of a job that has this age (seconds)."""
        return self._wait(max(0.0, age), self._reach)

    def _wait(self, age: float, reach: float) -> float:
        """The least wait over which wait · √(mean hazard) is `reach`, by halving."""
        begun = _at(self._fate, age / self._step)
        short, long = polling.FIRST, polling.LONGEST
        for _ in range(7):
            wait = (short + long) / 2
            hazards = _at(self._fate, (age + wait) / self._step) - begun  # over the whole wait
            short, long = (short, wait) if hazards * wait >= reach**2 else (wait, long)
        return long if long < polling.LONGEST - 0.05 else polling.LONGEST

    def _reach_for(self, requests: float) -> float:
        """The least reach that spends no more requests, by halving."""
        low, high = 0.0, math.sqrt(polling.LONGEST * self._fate[-1])
        for _ in range(16):
            reach = (low + high) / 2
            _, spent = self._followed(lambda age, reach=reach: self._wait(age, reach))  # type: ignore[misc]
            low, high = (reach, high) if spent > requests else (low, reach)
        return high

    def _followed(self, wait: Callable[[float], float]) -> tuple[float, float]:
        """The lag in seconds and the requests after the first, on average, until few still run."""
        lag, asked, age = 0.0, 0.0, 0.0
        while True:
            place = age / self._step
            running = _at(self._running, place)
            if running < FEW or place > STEPS:
                return lag, asked
            asked += running
            seconds = wait(age)
            age += seconds
            lag += seconds * running
            lag -= _at(self._lived, age / self._step) - _at(self._lived, place)


@lru_cache(maxsize=64)
def from_stats(about: DurationStats) -> AdaptivePolling | None:
    """The pace for jobs like these, if it helps; the same history is worked out once."""
    if about.high > LONG:
        return None
    pace = AdaptivePolling(about)
    return pace if pace.helps else None


def _running(kinds: Sequence[tuple[float, float]], beyond: float) -> float:
    """How many of all jobs, from 0 to 1, take longer than this above the logarithms' middle.

    The durations of each kind are log-normal: its share of the jobs, and its spread.
    """
    return sum(share * math.erfc(beyond / (spread * math.sqrt(2))) / 2 for share, spread in kinds)


def _at(table: list[float], place: float) -> float:
    """A table's value between two places; beyond its end, its last."""
    below = min(int(place), len(table) - 2)
    part = min(place - below, 1.0)
    return table[below] + (table[below + 1] - table[below]) * part
