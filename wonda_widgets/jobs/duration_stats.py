"""How long a thing usually takes, from how long it took before: pure functions.

The service reports no percentage. With a few earlier runs of the same model there is
something to say all the same, as long as it is labelled as an estimate:

- `usual` sums earlier durations up, or says that they are too few;
- `curve` is how far a bar is after so many seconds. It never goes back and is never
  full: up to the median it moves evenly to four fifths, and then ever slower.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

#: With fewer runs nothing is estimated.
FEWEST = 5

AT_THE_MEDIAN = 0.8  # of the bar
NEVER_BEYOND = 0.99
POINTS = 24


class DurationStats(msgspec.Struct, frozen=True):
    """What earlier runs took, in seconds.

    Attributes
    ----------
    low, median, high : float
        The 10th, 50th and 90th percentile.
    runs : int
        How many there were.
    """

    low: float
    median: float
    high: float
    runs: int


def summarize(durations: Sequence[float]) -> DurationStats | None:
    """Sum up earlier durations (seconds); None if there are fewer than five."""
    ordered = sorted(seconds for seconds in durations if 0 < seconds < math.inf)
    if len(ordered) < FEWEST:
        return None
    low, median, high = (_percentile(ordered, share) for share in (0.1, 0.5, 0.9))
    return DurationStats(low, median, high, len(ordered))


def curve(about: DurationStats) -> list[tuple[float, float]]:
    """How much of the bar is full (0 to 0.99) after how many seconds; a line through points.

    After the last point it stays as it is.
    """
    # After the median it slows down at once, however close together the earlier runs were.
    slowness = max(about.high - about.median, about.median / 4)
    points = [(0.0, 0.0), (about.median, AT_THE_MEDIAN)]
    for step in range(1, POINTS):
        later = slowness * step / 4
        reached = 1 - math.exp(-later / slowness)
        points.append(
            (about.median + later, AT_THE_MEDIAN + (NEVER_BEYOND - AT_THE_MEDIAN) * reached)
        )
    return points


def remaining(about: DurationStats, elapsed: float) -> float:
    """Seconds that are probably left of a run; of one that takes long, at least a tenth of it."""
    return max(
        about.median - elapsed,
        about.high - elapsed if elapsed > about.median else 0.0,
        elapsed / 10,
    )


def _percentile(ordered: Sequence[float], share: float) -> float:
    """By linear interpolation between the two nearest ranks."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
