"""Estimate strengths from paired comparisons with ties.

The model is Bradley and Terry's, extended to ties by Davidson (1970). With a strength `s` of each
item and one value `t` for ties, the odds of the three outcomes are::

    first : second : tie  =  exp(s1) : exp(s2) : exp(t + (s1 + s2) / 2)

The strengths maximize the likelihood of all outcomes. A weak prior keeps them finite if an item has
only won or only lost. Their covariance, from the second derivatives, gives the intervals.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

FIRST, SECOND, TIE = "first", "second", "tie"
#: Standard deviation of the prior of each strength and of `t`. With 1.5, six of six votes for one
#: item are enough for 95% confidence, as in a sign test; a wider prior would require more votes,
#: because the second derivatives are small where an item has only won.
PRIOR_SIGMA = 1.5
MAX_STEPS = 50
TOLERANCE = 1e-9
Z_95 = 1.959964  # a 95% interval is this many standard deviations on both sides

Matrix = list[list[float]]


class Outcome(NamedTuple):
    """One comparison: the numbers of two items, and ``"first"``, ``"second"`` or ``"tie"``."""

    first: int
    second: int
    result: str


class Strengths(NamedTuple):
    """Estimated strengths, relative to their mean, and their covariance.

    Attributes
    ----------
    values : list of float
        Differences are log odds: an item beats another one with the odds ``exp(difference)``, if
        there is no tie.
    covariance : list of list of float
    """

    values: list[float]
    covariance: Matrix

    def interval(self, item: int) -> tuple[float, float]:
        """Return the 95% interval of a strength."""
        margin = Z_95 * math.sqrt(max(0.0, self.covariance[item][item]))
        return self.values[item] - margin, self.values[item] + margin

    def is_above(self, item: int, other: int) -> bool:
        """Return whether the 95% interval of the difference of two items is above 0."""
        c = self.covariance
        variance = c[item][item] + c[other][other] - 2 * c[item][other]
        difference = self.values[item] - self.values[other]
        return difference > Z_95 * math.sqrt(max(0.0, variance))


def estimate(count: int, outcomes: Iterable[Outcome]) -> Strengths:
    """Estimate the strengths of `count` items; slow with hundreds of items, so use a thread."""
    tallies = _tally(outcomes)
    values = [0.0] * (count + 1)  # the last one is `t`
    for _ in range(MAX_STEPS):
        gradient, information = _derivatives(values, tallies)
        step = _solve(_cholesky(information), gradient)
        # The likelihood is concave; limiting the step keeps the first ones from overshooting.
        scale = min(1.0, 2.0 / max(1e-12, *map(abs, step)))
        values = [value + scale * change for value, change in zip(values, step, strict=True)]
        if max(map(abs, step)) < TOLERANCE:
            break
    _, information = _derivatives(values, tallies)
    covariance = _inverse(_cholesky(information))
    mean = math.fsum(values[:count]) / count
    return Strengths([value - mean for value in values[:count]], _centered(covariance, count))


def _tally(outcomes: Iterable[Outcome]) -> dict[tuple[int, int], list[float]]:
    """Count wins of the first, of the second, and ties for each pair in ascending order."""
    tallies: dict[tuple[int, int], list[float]] = {}
    for first, second, result in outcomes:
        pair = (first, second) if first < second else (second, first)
        counts = tallies.setdefault(pair, [0.0, 0.0, 0.0])
        winner = {FIRST: first, SECOND: second}.get(result)
        counts[2 if winner is None else pair.index(winner)] += 1
    return tallies


def _derivatives(
    values: list[float], tallies: dict[tuple[int, int], list[float]]
) -> tuple[list[float], Matrix]:
    """Return the gradient of the log posterior, and minus its second derivatives."""
    size = len(values)
    tie = size - 1
    precision = 1 / PRIOR_SIGMA**2
    gradient = [-value * precision for value in values]
    information = [
        [precision if row == column else 0.0 for column in range(size)] for row in range(size)
    ]
    for (i, j), counts in tallies.items():
        logits = (values[i], values[j], values[tie] + (values[i] + values[j]) / 2)
        top = max(logits)
        odds = [math.exp(logit - top) for logit in logits]
        total = sum(odds)
        p = [each / total for each in odds]
        n = sum(counts)
        # What each outcome contributes to the exponents of i, j and the tie.
        features = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.5, 1.0))
        places = (i, j, tie)
        mean = [sum(p[k] * features[k][f] for k in range(3)) for f in range(3)]
        for f, place in enumerate(places):
            observed = sum(counts[k] * features[k][f] for k in range(3))
            gradient[place] += observed - n * mean[f]
            for g, other in enumerate(places):
                product = sum(p[k] * features[k][f] * features[k][g] for k in range(3))
                information[place][other] += n * (product - mean[f] * mean[g])
    return gradient, information


def _cholesky(matrix: Matrix) -> Matrix:
    """Return the lower triangle L with L·Lᵀ = matrix."""
    size = len(matrix)
    lower = [[0.0] * size for _ in range(size)]
    for row in range(size):
        own = lower[row]
        for column in range(row + 1):
            other = lower[column]
            rest = matrix[row][column] - sum(
                a * b for a, b in zip(own[:column], other[:column], strict=True)
            )
            own[column] = math.sqrt(rest) if row == column else rest / other[column]
    return lower


def _solve(lower: Matrix, right: list[float]) -> list[float]:
    """Solve L·Lᵀ·x = right."""
    size = len(lower)
    middle = [0.0] * size
    for row in range(size):
        known = sum(a * b for a, b in zip(lower[row][:row], middle[:row], strict=True))
        middle[row] = (right[row] - known) / lower[row][row]
    solution = [0.0] * size
    for row in reversed(range(size)):
        known = sum(lower[below][row] * solution[below] for below in range(row + 1, size))
        solution[row] = (middle[row] - known) / lower[row][row]
    return solution


def _inverse(lower: Matrix) -> Matrix:
    size = len(lower)
    return [_solve(lower, [float(row == column) for row in range(size)]) for column in range(size)]


def _centered(covariance: Matrix, count: int) -> Matrix:
    """Return the covariance of the strengths minus their mean."""
    rows = [math.fsum(covariance[row][:count]) / count for row in range(count)]
    mean = math.fsum(rows) / count
    return [
        [covariance[i][j] - rows[i] - rows[j] + mean for j in range(count)] for i in range(count)
    ]
