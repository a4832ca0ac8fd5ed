"""Statistics of earlier durations, and estimates from them for a running job.

The service reports no percentage. After a few runs of the same model, an estimate can be shown,
provided that it is labeled as such.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_RUNS = 5  # with fewer, nothing is estimated

PROGRESS_AT_MEDIAN = 0.8  # of the bar
MAX_PROGRESS = 0.99
CURVE_POINTS = 24


class DurationStats(msgspec.Struct, frozen=True):
    """The durations of earlier runs, in seconds.

    Attributes
    ----------
    low, median, high : float
        The 10th, 50th and 90th percentile.
    runs : int
        The number of runs.
    """

    low: float
    median: float
    high: float
    runs: int


def summarize(durations: Sequence[float]) -> DurationStats | None:
    """Summarize earlier durations (seconds); return None if there are fewer than five."""
    ordered = sorted(seconds for seconds in durations if 0 < seconds < math.inf)
    if len(ordered) < MIN_RUNS:
        return None
    low, median, high = (_percentile(ordered, share) for share in (0.1, 0.5, 0.9))
    return DurationStats(low, median, high, len(ordered))


def progress_curve(stats: DurationStats) -> list[tuple[float, float]]:
    """Return the estimated progress as points (seconds, 0 to 0.99) to connect by lines.

    The progress never decreases and never reaches 1: it rises linearly to 0.8 at the median, then
    ever more slowly. After the last point, it is constant.
    """
    # After the median, it slows down immediately, no matter how similar the earlier runs were.
    slowness = max(stats.high - stats.median, stats.median / 4)
    points = [(0.0, 0.0), (stats.median, PROGRESS_AT_MEDIAN)]
    for step in range(1, CURVE_POINTS):
        later = slowness * step / 4
        share = 1 - math.exp(-later / slowness)
        progress = PROGRESS_AT_MEDIAN + (MAX_PROGRESS - PROGRESS_AT_MEDIAN) * share
        points.append((stats.median + later, progress))
    return points


def remaining(stats: DurationStats, elapsed: float) -> float:
    """Estimate the remaining seconds of a run; at least a tenth of `elapsed`."""
    return max(
        stats.median - elapsed,
        stats.high - elapsed if elapsed > stats.median else 0.0,
        elapsed / 10,
    )


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Interpolate linearly between the two nearest ranks."""
    rank = share * (len(ordered) - 1)
    below = math.floor(rank)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (rank - below)
