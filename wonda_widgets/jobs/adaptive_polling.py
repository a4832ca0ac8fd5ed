"""Poll intervals that adapt to the durations of earlier jobs.

The service's documented interval polls a job of 40 s as often after its tenth second as when it is
about to end. The durations of earlier jobs determine the *hazard*: the probability that a job that
is still running after t seconds ends in the next second. An interval of w seconds detects the end
w/2 seconds late on average and costs 1/w requests per second. For a given number of requests, the
mean delay is smallest with

    interval(t) = reach / √hazard(t),    at least 1 s and at most 5 s.

`reach` is chosen so that there are no more requests than with the documented interval.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

from . import poll_intervals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .duration_stats import DurationStats

TABLE_STEPS = 256
HORIZON = 4.0  # times the 90th percentile; then the documented interval is used
MIN_SIGMA = 0.05  # of the logarithms; equal earlier durations are a coincidence
SIGMAS_BETWEEN_PERCENTILES = 2.563  # from the 10th to the 90th

#: One job in twenty is unlike the earlier ones, because the service may be slower or faster.
OUTLIERS = 0.05
OUTLIER_SIGMA = 1.0  # a factor of about three either way

MAX_HIGH = 300.0  # seconds; most intervals of longer jobs are the longest one anyway
MIN_RUNNING = 0.005  # the share of jobs that still run when the calculation stops
REQUESTS = 0.99  # of the documented number, because the earlier runs are a sample


class AdaptivePolling:
    """The poll interval as a function of a job's age.

    Parameters
    ----------
    stats : DurationStats
        How long earlier runs took.

    Attributes
    ----------
    helps : bool
        Whether these intervals detect the end sooner than the documented ones.
    """

    def __init__(self, stats: DurationStats) -> None:
        mean = math.log(stats.median)
        sigma = math.log(stats.high / stats.low) / SIGMAS_BETWEEN_PERCENTILES * (1 + 2 / stats.runs)
        sigma = max(MIN_SIGMA, sigma)
        parts = ((1 - OUTLIERS, sigma), (OUTLIERS, max(OUTLIER_SIGMA, sigma)))
        self._step = HORIZON * stats.high / TABLE_STEPS
        logs = (math.log(self._step * step) - mean for step in range(1, TABLE_STEPS + 1))
        #: the share of jobs still running, the cumulative hazard, and the mean seconds run
        self._running = [1.0, *(_share_above(parts, log) for log in logs)]
        self._hazard = [-math.log(max(running, 1e-300)) for running in self._running]
        self._mean_run = [0.0]
        for before, after in pairwise(self._running):
            self._mean_run.append(self._mean_run[-1] + self._step * (before + after) / 2)
        page = poll_intervals.intervals()
        delay_of_page, requests = self._simulate(lambda _age: next(page))
        self._reach = self._find_reach(REQUESTS * requests)
        self.helps = self._simulate(self.interval)[0] < delay_of_page

    def interval(self, age: float) -> float:
        """Return the seconds to wait before the next poll of a job of this age (seconds)."""
        return self._interval(max(0.0, age), self._reach)

    def _interval(self, age: float, reach: float) -> float:
        """Find by bisection the shortest interval with interval · √(mean hazard) ≥ reach."""
        start = _interpolate(self._hazard, age / self._step)
        short, long = poll_intervals.FIRST_INTERVAL, poll_intervals.MAX_INTERVAL
        for _ in range(7):
            interval = (short + long) / 2
            hazard = _interpolate(self._hazard, (age + interval) / self._step) - start
            if hazard * interval >= reach**2:
                long = interval
            else:
                short = interval
        return long if long < poll_intervals.MAX_INTERVAL - 0.05 else poll_intervals.MAX_INTERVAL

    def _find_reach(self, max_requests: float) -> float:
        """Find by bisection the smallest reach that needs no more requests."""
        low, high = 0.0, math.sqrt(poll_intervals.MAX_INTERVAL * self._hazard[-1])
        for _ in range(16):
            reach = (low + high) / 2
            _, requests = self._simulate(lambda age, reach=reach: self._interval(age, reach))  # type: ignore[misc]
            low, high = (reach, high) if requests > max_requests else (low, reach)
        return high

    def _simulate(self, interval: Callable[[float], float]) -> tuple[float, float]:
        """Return the mean delay (seconds) and the mean number of requests after the first one."""
        delay, requests, age = 0.0, 0.0, 0.0
        while True:
            step = age / self._step
            running = _interpolate(self._running, step)
            if running < MIN_RUNNING or step > TABLE_STEPS:
                return delay, requests
            requests += running
            seconds = interval(age)
            age += seconds
            delay += seconds * running
            delay -= _interpolate(self._mean_run, age / self._step)
            delay += _interpolate(self._mean_run, step)


@lru_cache(maxsize=64)
def from_stats(stats: DurationStats) -> AdaptivePolling | None:
    """Compute the intervals for similar jobs; return None if they would not help."""
    if stats.high > MAX_HIGH:
        return None
    adaptive = AdaptivePolling(stats)
    return adaptive if adaptive.helps else None


def _share_above(parts: Sequence[tuple[float, float]], log: float) -> float:
    """Return the share of jobs whose log-duration is at least this far above the mean.

    Durations are a mixture of log-normal parts, each with a share of the jobs and a sigma.
    """
    return sum(share * math.erfc(log / (sigma * math.sqrt(2))) / 2 for share, sigma in parts)


def _interpolate(table: list[float], step: float) -> float:
    """Interpolate between two steps of a table; after its end, return the last value."""
    below = min(int(step), len(table) - 2)
    part = min(step - below, 1.0)
    return table[below] + (table[below + 1] - table[below]) * part
