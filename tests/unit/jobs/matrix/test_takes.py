"""Several takes of the same request."""

import pytest
from conftest import sandbox_of

import wonda_widgets as ww
from wonda_widgets.jobs.matrix import planning
from wonda_widgets.models import GenerationModel

VALUES = {"subject": ["sail", "kite"]}


@pytest.fixture
def wonda(quick_polls, tmp_path):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02, journal=tmp_path / "journal.db") as client:
        yield client


def jobs(wonda):
    return sandbox_of(wonda).store.jobs


def test_each_combination_is_generated_several_times(wonda):
    matrix = wonda.images.matrix("A {subject}", VALUES, "z-image", takes=3)
    rows = list(matrix)
    assert sorted((row["subject"], row["take"]) for row in rows) == [
        (subject, take) for subject in ("kite", "sail") for take in ("1", "2", "3")
    ]
    assert len({row["media_id"] for row in rows}) == 6
    assert len(jobs(wonda)) == 6
    assert sorted(image.values["take"] for image in matrix.images) == [*"112233"]


def test_takes_are_counted_by_the_price_and_the_budget(wonda):
    one = wonda.images.matrix("A {subject}", VALUES, "z-image")
    three = wonda.images.matrix("A {subject}", VALUES, "z-image", takes=3)
    assert three.price.usd == pytest.approx(3 * one.price.usd)
    with pytest.raises(ww.InvalidInputError, match="6 results cost"):
        list(wonda.images.matrix("A {subject}", VALUES, "z-image", takes=3, budget=0.001))
    assert not jobs(wonda)


def test_takes_of_an_unfinished_plan_are_generated_once(wonda):
    matrix = wonda.images.matrix("A {subject}", VALUES, "z-image", takes=3, max_concurrency=1)
    for _ in matrix:
        break
    matrix.stop()
    again = wonda.images.matrix("A {subject}", VALUES, "z-image", takes=3)
    assert 0 < again.already_requested < 6
    rows = list(again)
    assert len(jobs(wonda)) == 6
    assert len({(row["subject"], row["take"]) for row in rows}) == 6


def test_plan_with_takes_is_another_one(wonda):
    plain = wonda.images.matrix("A {subject}", VALUES, "z-image")
    several = wonda.images.matrix("A {subject}", VALUES, "z-image", takes=2)
    assert plain.fingerprint != several.fingerprint
    assert "take" not in plain.rows()[0]


def test_model_with_a_seed_gets_another_one_for_each_take():
    schema = {"properties": {"seed": {"type": "integer"}, "size": {"type": "string"}}}
    available = [
        GenerationModel(key="seeded", label="Seeded", params=schema),
        GenerationModel(key="plain", label="Plain", params={"properties": {}}),
    ]

    def seeds(**options):
        models = ["seeded", "plain"]
        options = {"params": {}, **options}
        plan = planning.make_plan("A sail", {}, models, available=available, **options)
        return [(cell.model, cell.take, cell.params.get("seed")) for cell in plan.cells]

    assert seeds(takes=2) == [
        ("seeded", 1, 1),
        ("seeded", 2, 2),
        ("plain", 1, None),
        ("plain", 2, None),
    ]
    assert seeds() == [("seeded", 1, None), ("plain", 1, None)]
    assert seeds(params={"seed": 7}, takes=2)[:2] == [("seeded", 1, 7), ("seeded", 2, 8)]
    with pytest.raises(ww.InvalidInputError, match="only one seed"):
        seeds(params={"seed": [7, 8]}, takes=2)


@pytest.mark.parametrize("takes", [0, -1, 1.5, "3", None, True])
def test_odd_number_of_takes_is_refused(wonda, takes):
    with pytest.raises(ww.InvalidInputError, match="takes must be"):
        wonda.images.matrix("A {subject}", VALUES, "z-image", takes=takes)


def test_placeholder_may_not_be_called_take(wonda):
    values = {"take": ["wide", "close"]}
    assert len(wonda.images.matrix("A {take} shot", values, "z-image").plan) == 2
    with pytest.raises(ww.InvalidInputError, match="no placeholder can be called"):
        wonda.images.matrix("A {take} shot", values, "z-image", takes=2)


def test_size_of_a_plan_counts_takes(wonda):
    with pytest.raises(ww.InvalidInputError, match="more than 1,000"):
        wonda.images.matrix("A {n}", {"n": list(range(11))}, "z-image", takes=100)
    for takes in (101, 0, True, 1.5):
        with pytest.raises(ww.InvalidInputError, match="from 1 to 100"):
            wonda.images.matrix("A {subject}", VALUES, "z-image", takes=takes)
