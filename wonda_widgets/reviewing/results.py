"""The results of a review: a ranking, how certain it is, and how far people agree.

votes ──> `bradley_terry` ──> ranks with intervals
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from . import bradley_terry
from .bradley_terry import FIRST, SECOND, TIE, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..journal.reviews import Vote

LEFT, RIGHT, EQUAL, BOTH_BAD = "left", "right", "equal", "both bad"
PAIR_CHOICES = (LEFT, RIGHT, EQUAL, BOTH_BAD)
APPROVE, REJECT = "approve", "reject"
DECISIONS = (APPROVE, REJECT)


class RankedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image in a ranking.

    Attributes
    ----------
    key : str
    rank : int
        From 1; equal for equal strengths.
    score : float
        The estimated share of votes, from 0 to 1, that it wins against an average image.
    low, high : float
        The 95% interval of the score. It becomes narrower with more votes.
    best_rank, worst_rank : int
        The ranks that the votes do not rule out.
    wins, losses, ties, both_bad : int
        Numbers of votes; a vote for “both bad” is also a tie.
    """

    key: str
    rank: int
    score: float
    low: float
    high: float
    best_rank: int
    worst_rank: int
    wins: int
    losses: int
    ties: int
    both_bad: int


class Ranking(msgspec.Struct, frozen=True):
    """A ranking of images.

    Attributes
    ----------
    images : list of RankedImage
        Best first.
    votes : int
    is_decided : bool
        Whether the first image is better than each other one, with 95% confidence.
    """

    images: list[RankedImage]
    votes: int
    is_decided: bool


def ranks(ranking: Ranking) -> dict[str, int]:
    """Return the ranks among the images that have been compared; the others have none yet."""
    compared = [each for each in ranking.images if each.wins + each.losses + each.ties]
    return {each.key: 1 + sum(other.rank < each.rank for other in compared) for each in compared}


def rank(keys: Sequence[str], votes: Sequence[Vote]) -> Ranking:
    """Rank images by votes on pairs; slow with hundreds of images, so use a thread."""
    numbers = {key: number for number, key in enumerate(keys)}
    known = [vote for vote in votes if vote.subject in numbers and vote.other in numbers]
    outcomes = [
        Outcome(
            numbers[vote.subject],
            numbers[vote.other],
            {LEFT: FIRST, RIGHT: SECOND}.get(vote.choice, TIE),
        )
        for vote in known
    ]
    strengths = bradley_terry.estimate(len(keys), outcomes)
    above = [[strengths.is_above(i, j) for j in range(len(keys))] for i in range(len(keys))]
    tallies = _tally(known)
    order = sorted(range(len(keys)), key=lambda number: -strengths.values[number])
    images: list[RankedImage] = []
    for place, number in enumerate(order):
        previous = images[-1] if images else None
        score = _share(strengths.values[number])
        is_equal = previous is not None and math.isclose(previous.score, score, abs_tol=1e-9)
        low, high = strengths.interval(number)
        images.append(
            RankedImage(
                key=keys[number],
                rank=previous.rank if previous is not None and is_equal else place + 1,
                score=score,
                low=_share(low),
                high=_share(high),
                best_rank=1 + sum(row[number] for row in above),
                worst_rank=len(keys) - sum(above[number]),
                **tallies.get(keys[number], dict.fromkeys(_COUNTS, 0)),
            )
        )
    is_decided = bool(known) and images[0].worst_rank == 1
    return Ranking(images, len(known), is_decided)


_COUNTS = ("wins", "losses", "ties", "both_bad")


def _share(strength: float) -> float:
    return 1 / (1 + math.exp(-strength))


def _tally(votes: Sequence[Vote]) -> dict[str, dict[str, int]]:
    tallies: dict[str, dict[str, int]] = {}
    for vote in votes:
        sides = {LEFT: (vote.subject, vote.other), RIGHT: (vote.other, vote.subject)}
        counts = [
            tallies.setdefault(key, dict.fromkeys(_COUNTS, 0)) for key in (vote.subject, vote.other)
        ]
        if vote.choice in sides:
            winner, loser = sides[vote.choice]
            tallies[winner]["wins"] += 1
            tallies[loser]["losses"] += 1
            continue
        for each in counts:
            each["ties"] += 1
            each["both_bad"] += vote.choice == BOTH_BAD
    return tallies


def agreement(votes: Sequence[Vote]) -> float | None:
    """Return how often two people who voted on the same images chose the same, from 0 to 1.

    None if no two people voted on the same images.
    """
    by_images: dict[frozenset[str], list[tuple[str, str]]] = {}
    for vote in votes:
        chosen = {LEFT: vote.subject, RIGHT: vote.other}.get(vote.choice, vote.choice)
        images = frozenset({vote.subject, vote.other})
        by_images.setdefault(images, []).append((vote.person, chosen))
    same = [
        chosen == other
        for each in by_images.values()
        for (person, chosen), (another, other) in itertools.combinations(each, 2)
        if person != another
    ]
    return sum(same) / len(same) if same else None


def approvals(votes: Sequence[Vote]) -> dict[str, Counter[str]]:
    """Count the decisions about each image."""
    counts: dict[str, Counter[str]] = {}
    for vote in votes:
        counts.setdefault(vote.subject, Counter())[vote.choice] += 1
    return counts


def approval(counts: Counter[str]) -> str:
    """Return ``"approved"`` or ``"rejected"`` by majority, ``"divided"``, or "" for no decision."""
    yes, no = counts[APPROVE], counts[REJECT]
    if yes == no:
        return "divided" if yes else ""
    return "approved" if yes > no else "rejected"
