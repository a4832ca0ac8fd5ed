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
from statistics import NormalDist
from typing import TYPE_CHECKING

from . import polling

if TYPE_CHECKING:
    from collections.abc import Callable

    from .estimates import Usual

STEPS = 256  # of the table
HORIZON = 4.0  # times the 90th percentile: what takes longer is asked as the page says
LEAST_SPREAD = 0.05  # of the logarithms: equal durations are a coincidence
BY_PERCENTILES = 2.563  # standard deviations between the 10th and the 90th

#: One job in twenty is like no earlier one: the service may have a bad day, or a better one.
UNLIKE = 0.05
#: Its durations are spread by a factor of about three, each way.
FAR = 1.0

FEW = 0.002  # of all jobs

#: Of the page's number of requests: history is a sample, and may be an unlucky one.
SPENT = 0.99


class Pace:
    """How long to wait before the next poll, by a job's age.

    Parameters
    ----------
    about : Usual
        How long earlier runs took.
    """

    def __init__(self, about: Usual) -> None:
        middle = math.log(about.median)
        spread = math.log(about.high / about.low) / BY_PERCENTILES * (1 + 2 / about.runs)
        near = NormalDist(middle, max(LEAST_SPREAD, spread))
        kinds = ((1 - UNLIKE, near), (UNLIKE, NormalDist(middle, max(FAR, near.stdev))))
        self._step = HORIZON * about.high / STEPS
        ages = [self._step * (number + 0.5) for number in range(STEPS)]
        self._running = [_running(kinds, age) for age in ages]
        self._root = [
            math.sqrt(_ending(kinds, age) / running) if running > 0 else 0.0
            for age, running in zip(ages, self._running, strict=True)
        ]
        page = polling.waits()
        self._reach = self._reach_for(SPENT * self._requests(lambda _age: next(page)))

    def wait(self, age: float) -> float:
        """Seconds to wait before the next poll of a job that has this age (seconds)."""
        return self._wait(max(0.0, age), self._reach)

    def _wait(self, age: float, reach: float) -> float:
        wait = polling.LONGEST
        for _ in range(3):  # the hazard that counts is the one in the middle of the wait
            root = self._root[min(int((age + wait / 2) / self._step), STEPS - 1)]
            wait = max(polling.FIRST, min(reach / root, polling.LONGEST)) if root else wait
        return wait

    def _reach_for(self, requests: float) -> float:
        """The least reach that spends no more requests, by halving."""
        low, high = 0.0, polling.LONGEST * max(self._root)
        for _ in range(16):
            reach = (low + high) / 2
            spent = self._requests(lambda age, reach=reach: self._wait(age, reach))  # type: ignore[misc]
            low, high = (reach, high) if spent > requests else (low, reach)
        return high

    def _requests(self, wait: Callable[[float], float]) -> float:
        """How often is asked, on average, after the first time, until hardly a job still runs."""
        asked, age = 0.0, 0.0
        while True:
            running = self._running[min(int(age / self._step), STEPS - 1)] if age else 1.0
            if running < FEW or age > STEPS * self._step:
                return asked
            asked += running
            age += wait(age)


@lru_cache(maxsize=64)
def learned(about: Usual) -> Pace:
    """The pace for jobs like these; the same history is worked out once."""
    return Pace(about)


def _running(kinds: tuple[tuple[float, NormalDist], ...], age: float) -> float:
    """How many of all jobs, from 0 to 1, take longer than `age` seconds."""
    return sum(share * (1 - kind.cdf(math.log(age))) for share, kind in kinds)


def _ending(kinds: tuple[tuple[float, NormalDist], ...], age: float) -> float:
    """How many of all jobs end in a second at `age`."""
    return sum(share * kind.pdf(math.log(age)) for share, kind in kinds) / age
