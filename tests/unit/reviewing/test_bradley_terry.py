"""Strengths from paired comparisons: known cases, and the coverage of the intervals."""

import itertools
import math
import random

import pytest

from wonda_widgets.reviewing.bradley_terry import FIRST, SECOND, TIE, Outcome, estimate
from wonda_widgets.reviewing.pairing import schedule

PAIRS = list(itertools.combinations(range(4), 2))


def simulate(strengths, tie, pairs, numbers):
    """Votes of people who choose by the model."""
    outcomes = []
    for first, second in pairs:
        odds = (
            math.exp(strengths[first]),
            math.exp(strengths[second]),
            math.exp(tie + (strengths[first] + strengths[second]) / 2),
        )
        outcomes.append(Outcome(first, second, numbers.choices([FIRST, SECOND, TIE], odds)[0]))
    return outcomes


def test_two_items_have_the_log_odds_of_the_wins():
    outcomes = [Outcome(0, 1, FIRST)] * 750 + [Outcome(1, 0, FIRST)] * 250
    strengths = estimate(2, outcomes)
    difference = strengths.values[0] - strengths.values[1]
    assert difference == pytest.approx(math.log(3), abs=0.01)
    low, high = strengths.interval(0)
    # The variance of a log odds is 1/750 + 1/250; each strength is half of the difference.
    assert (high - low) / 2 == pytest.approx(1.96 / 2 * math.sqrt(1 / 750 + 1 / 250), rel=0.02)


def test_published_example_without_ties():
    # Agresti, Categorical Data Analysis (2002), table 10.10: baseball, American League 1987;
    # the strengths relative to Baltimore, and wins of the row over the column.
    teams = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
    wins = [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ]
    outcomes = [
        Outcome(row, column, FIRST)
        for row, column in itertools.permutations(range(7), 2)
        for _ in range(wins[row][column])
    ]
    strengths = estimate(7, outcomes)
    found = [value - strengths.values[6] for value in strengths.values]
    published = [1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0]
    assert found == pytest.approx(published, abs=0.12), dict(zip(teams, found, strict=True))


def test_order_of_known_strengths_is_recovered():
    true = [1.5, 1.0, 0.5, 0.0, -0.5, -1.0, -1.5]
    numbers = random.Random(5)
    pairs = [pair for person in range(40) for pair in schedule(len(true), str(person))]
    strengths = estimate(len(true), simulate(true, -0.5, pairs, numbers))
    assert strengths.values == sorted(strengths.values, reverse=True)
    assert strengths.values == pytest.approx(true, abs=0.35)
    assert all(strengths.is_above(item, item + 2) for item in range(len(true) - 2))


@pytest.mark.parametrize(("count", "people"), [(4, 4), (8, 5)])
def test_intervals_contain_the_truth_at_their_rate(count, people):
    true = [3 * place / (count - 1) - 1.5 for place in range(count)]
    numbers = random.Random(count)
    inside = []
    for repetition in range(250):
        pairs = [p for person in range(people) for p in schedule(count, f"{repetition} {person}")]
        strengths = estimate(count, simulate(true, -0.5, pairs, numbers))
        intervals = map(strengths.interval, range(count))
        inside += [low <= value <= high for (low, high), value in zip(intervals, true, strict=True)]
    rate = sum(inside) / len(inside)
    # The intervals of one repetition depend on each other: twice the simple standard error.
    error = 2 * math.sqrt(0.95 * 0.05 / len(inside))
    assert 0.95 - 3 * error < rate < 0.95 + 4 * error


def test_ties_bring_items_together_and_no_votes_leave_them_equal():
    assert estimate(3, []).values == [0, 0, 0]
    tied = estimate(2, [Outcome(0, 1, TIE)] * 20)
    assert tied.values == pytest.approx([0, 0])
    assert not tied.is_above(0, 1)


def test_item_that_only_wins_stays_finite():
    strengths = estimate(3, [Outcome(0, 1, FIRST), Outcome(0, 2, FIRST)] * 50)
    assert math.isfinite(strengths.values[0])
    low, high = strengths.interval(0)
    assert low < strengths.values[0] < high


def test_six_of_six_votes_are_enough_and_four_are_not():
    for votes, is_enough in ((4, False), (6, True)):
        strengths = estimate(4, [Outcome(*pair, FIRST) for pair in PAIRS for _ in range(votes)])
        assert strengths.is_above(0, 1) is is_enough


def test_sides_do_not_matter():
    votes = [Outcome(0, 1, FIRST), Outcome(1, 0, SECOND), Outcome(2, 0, TIE)]
    swap = {FIRST: SECOND, SECOND: FIRST, TIE: TIE}
    mirrored = [Outcome(b, a, swap[result]) for a, b, result in votes]
    assert estimate(3, votes).values == pytest.approx(estimate(3, mirrored).values)
