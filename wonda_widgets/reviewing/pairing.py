"""Choose the pairs that a person compares, so that each image is seen equally often.

A tournament has rounds in which each image meets one other (with an odd number, one image pauses),
and in all rounds each pair meets once. Each person gets the rounds, the pairs of a round and the
sides in an own random order, which is the same after a restart.
"""

from __future__ import annotations

import random

PAIRS_PER_PERSON = 60  # asked of one person, unless there are fewer pairs

Pair = tuple[int, int]


def schedule(count: int, seed: str) -> list[Pair]:
    """Return all pairs of `count` images, left and right, in the order for one person.

    Parameters
    ----------
    count : int
        At least 2.
    seed : str
        Another one for each review and person.
    """
    numbers = random.Random(seed)  # noqa: S311 - not for security
    places: list[int | None] = [*range(count), *([None] if count % 2 else [])]
    numbers.shuffle(places)
    rounds = []
    for _ in range(len(places) - 1):
        half = len(places) // 2
        pairs = [
            (left, right) if numbers.random() < 1 / 2 else (right, left)
            for left, right in zip(places[:half], reversed(places[half:]), strict=True)
            if left is not None and right is not None
        ]
        numbers.shuffle(pairs)
        rounds.append(pairs)
        places = [places[0], places[-1], *places[1:-1]]  # the first one stays, the others move on
    numbers.shuffle(rounds)
    return [pair for pairs in rounds for pair in pairs]


def pairs_to_ask(count: int) -> int:
    """Return how many pairs are asked of one person: all of them, or some complete rounds."""
    total = count * (count - 1) // 2
    per_round = count // 2
    if total <= PAIRS_PER_PERSON:
        return total
    return max(1, PAIRS_PER_PERSON // per_round) * per_round
