"""The pairs of a person: each once, and each image equally often."""

from collections import Counter

import pytest

from wonda_widgets.reviewing.pairing import PAIRS_PER_PERSON, pairs_to_ask, schedule


@pytest.mark.parametrize("count", [2, 3, 4, 7, 12, 31])
def test_each_pair_is_asked_once(count):
    pairs = schedule(count, "seed")
    assert len(pairs) == count * (count - 1) // 2
    assert len({frozenset(pair) for pair in pairs}) == len(pairs)


@pytest.mark.parametrize("count", [6, 7, 20, 41])
def test_at_any_time_each_image_was_seen_equally_often(count):
    seen = Counter(dict.fromkeys(range(count), 0))
    for number, pair in enumerate(schedule(count, "seed"), 1):
        seen.update(pair)
        if number % (count // 2) == 0:
            # With an odd number of images, one pauses in each round.
            assert max(seen.values()) - min(seen.values()) <= count % 2


def test_people_have_other_orders_and_sides():
    first, second = schedule(8, "Ana"), schedule(8, "Ben")
    assert first != second
    assert schedule(8, "Ana") == first
    sides = Counter(left for person in range(200) for left, _ in schedule(4, str(person)))
    assert max(sides.values()) < 1.15 * min(sides.values())


@pytest.mark.parametrize("count", [2, 5, 11, 12, 40, 300])
def test_not_too_many_are_asked(count):
    asked = pairs_to_ask(count)
    assert 1 <= asked <= max(PAIRS_PER_PERSON, count // 2)
    assert asked == count * (count - 1) // 2 or asked % (count // 2) == 0
