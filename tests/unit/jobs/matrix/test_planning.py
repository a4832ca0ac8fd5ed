"""Plans: invalid input is reported before anything is billed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wonda_widgets as ww
from wonda_widgets.jobs.matrix import combining
from wonda_widgets.jobs.matrix.planning import make_plan
from wonda_widgets.jobs.matrix.templates import fill_template, placeholders
from wonda_widgets.models import GenerationModel
from wonda_widgets.sandbox.catalog import MODELS

SEVERAL = ["nano-banana-2", "seedream-4-5"]
KNOWN = [
    GenerationModel(key=model.key, label=model.label, params=model.schema)
    for model in MODELS.values()
]


def plan(
    template="A {subject}, {light}",
    values=None,
    models="nano-banana-2",
    params=None,
    available=KNOWN,
):
    if values is None:
        values = {"subject": ["sunset", "storm", "moonrise"], "light": ["haze", "dusk"]}
    return make_plan(template, values, models, params or {}, available=available)


def test_combinations_vary_the_first_placeholder_slowest():
    made = plan(params={"aspectRatio": ["4:5", "16:9"]})
    assert len(made) == 12
    assert [cell.index for cell in made.cells] == list(range(12))
    assert made.cells[0].prompt == "A sunset, haze"
    assert made.cells[0].params == {"aspectRatio": "4:5"}
    assert made.cells[1].params == {"aspectRatio": "16:9"}
    assert made.cells[2].values == {"subject": "sunset", "light": "dusk"}
    assert made.cells[-1].prompt == "A moonrise, dusk"


def test_without_placeholders_there_is_one_prompt():
    assert [cell.prompt for cell in plan("A {{literal}} harbour", {}).cells] == [
        "A {literal} harbour"
    ]


def test_single_values_need_no_list():
    made = plan("A {subject}", {"subject": "storm"}, ["z-image"], {"aspectRatio": "4:3"})
    assert [cell.prompt for cell in made.cells] == ["A storm"]


def test_unsupported_parameters_are_dropped_per_model():
    made = plan("A storm", {}, ["nano-banana-2", "z-image"], {"resolution": ["1K", "2K"]})
    assert [(cell.model, cell.params) for cell in made.cells] == [
        ("nano-banana-2", {"resolution": "1K"}),
        ("nano-banana-2", {"resolution": "2K"}),
        ("z-image", {}),
    ]
    assert made.notes == ["Z-Image has no resolution, so it generates one result for all values."]


def test_equal_combinations_are_merged_and_reported():
    made = plan("A {a}{b}", {"a": ["x", "xy"], "b": ["yz", "z"]})
    assert [cell.prompt for cell in made.cells] == ["A xyz", "A xz", "A xyyz"]
    assert made.notes == ["1 more combination repeats another request and will not be generated."]


@given(st.text(max_size=60), st.dictionaries(st.text(min_size=1), st.text()))
def test_any_template_is_filled_or_reported(template, values):
    try:
        names = placeholders(template)
    except ww.InvalidInputError:
        return
    text = fill_template(template, {name: values.get(name, "x") for name in names})
    if not names and "{" not in template and "}" not in template:
        assert text == template


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"template": "  "}, "template", "is empty"),
        ({"template": "A {subject"}, "template", "unmatched “{” in the template"),
        ({"template": "A } b"}, "template", "unmatched “}”"),
        ({"template": "A {}", "values": {}}, "template", "“{}”"),
        ({"template": 'Style {"a": 1}', "values": {}}, "template", "{{ or }}"),
        ({"values": {"subject": ["sunset"]}}, "values.light", "{light} has no values"),
        ({"values": {"subject": ["x"], "light": []}}, "values.light", "{light} has no values"),
        ({"values": {"subject": ["x", "y", "x"], "light": ["a"]}}, "values.subject", "“x” twice"),
        ({"values": {"subject": ["x", " "], "light": ["a"]}}, "values.subject", "is empty"),
        (
            {"values": {"subject": ["x"], "light": ["a"], "mood": ["b"]}},
            "values.mood",
            "no {mood} in the template",
        ),
        ({"models": []}, "models", "has no values"),
        ({"models": "no-such"}, "models", "There is no model 'no-such'"),
        ({"models": ["z-image", "z-image"]}, "models", "twice"),
        (
            {"params": {"resolution": ["8K"]}},
            "params.resolution",
            "Resolution does not support '8K'",
        ),
        (
            {
                "models": ["nano-banana-2", "seedream-4-5"],
                "params": {"aspectRatio": ["1:1", "4:5"]},
            },
            "params.aspectRatio",
            "Remove 4:5, or replace it. All chosen models accept 9:16, 16:9, 1:1,",
        ),
        ({"params": {"seed": [1, 1.0]}}, "params.seed", "“1.0” twice"),
        ({"params": {"resolution": []}}, "params.resolution", "has no values"),
        ({"params": {"resolution": 7.5}}, "params.resolution", "does not support 7.5"),
        ({"params": {"foo": 1}}, "params.foo", "Nano Banana 2 has no 'foo'"),
        ({"params": {"resolution": object}}, "params.resolution", "must be a list of values"),
        (
            {
                "values": {
                    "subject": [str(n) for n in range(40)],
                    "light": [str(n) for n in range(26)],
                }
            },
            "values",
            "more than 1,000 results",
        ),
    ],
)
def test_invalid_input_is_reported_at_its_field(changes, field, said):
    with pytest.raises(ww.InvalidInputError) as caught:
        plan(**changes)
    assert caught.value.field == field
    assert said.lower() in str(caught.value).lower()


def test_unknown_parameters_are_left_to_the_service():
    made = plan("A storm", {}, "new", {"strength": [1, 2]}, available=[GenerationModel(key="new")])
    assert [cell.params for cell in made.cells] == [{"strength": 1}, {"strength": 2}]


SEEDED = GenerationModel(
    key="m",
    params={"properties": {"seed": {"type": "integer", "minimum": 0, "maximum": 10}}},
)


def seeds_of(*, takes, params=None, table=None):
    plan = make_plan(
        "A {s}",
        {} if table else {"s": ["a"]},
        "m",
        params or {},
        available=[SEEDED],
        takes=takes,
        table=table,
    )
    return [cell.params["seed"] for cell in plan.cells], plan.notes


def test_takes_of_neighboring_seeds_are_not_generated_twice():
    table = [{"s": "a", "seed": 1}, {"s": "a", "seed": 2}]
    seeds, notes = seeds_of(takes=2, table=table)
    assert seeds == [1, 2, 3]
    assert "1 more combination" in notes[0]


@pytest.mark.parametrize("first", [3, 3.0])
def test_each_take_has_the_next_seed(first):
    assert seeds_of(takes=3, params={"seed": [first]})[0] == [3, 4, 5]


def test_seed_of_a_take_beyond_the_models_limit_is_refused():
    with pytest.raises(ww.InvalidInputError, match="Take 2 would have the seed 11") as caught:
        seeds_of(takes=2, params={"seed": [10]})
    assert caught.value.field == "params.seed"


def test_huge_plans_are_refused_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(combining.Factors, "params_of", None)
    model = GenerationModel(key="m", params={})
    many = {name: list(range(1_000)) for name in "abc"}
    rows = [{"s": str(number)} for number in range(10_000)]
    for combine in ({}, {"combine": "random", "count": 1_000, "takes": 2}):
        with pytest.raises(ww.InvalidInputError, match="more than 1,000 results"):
            make_plan("A {s}", {}, "m", many, available=[model], table=rows, **combine)


def test_sample_of_astronomically_many_combinations_is_refused():
    model = GenerationModel(key="m", params={})
    template = " ".join(f"{{a{n}|b{n}}}" for n in range(1_100))
    with pytest.raises(ww.InvalidInputError, match="more than 1,000,000,000,000,000"):
        make_plan(template, {}, "m", {}, available=[model], combine="random", count=2)


@pytest.mark.parametrize("name", ["विषय", "ไม้ไผ่", "مُوضوع", "cafe\u0301", "می\u200cخواهم"])
def test_placeholders_of_every_script(name):
    model = GenerationModel(key="m", params={})
    plan = make_plan(f"A {{{name}}}", {name: ["x"]}, "m", {}, available=[model])
    assert plan.cells[0].prompt == "A x"
