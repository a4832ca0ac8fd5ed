import pytest

from wonda_widgets.models import parameters

SCHEMA = {
    "type": "object",
    "required": ["count"],
    "properties": {
        "aspectRatio": {"type": "string", "enum": ["1:1", "4:5"], "default": "4:5"},
        "guidanceScale": {"type": "number", "minimum": 1, "maximum": 9, "default": 3},
        "count": {"type": "integer", "minimum": 1, "maximum": 4, "default": 1},
        "seed": {"type": ["integer", "null"], "minimum": 0},
        "upscale": {"type": "boolean", "title": "Upscale it", "default": False},
        "negativePrompt": {"type": "string"},
        "shape": {"type": "object"},
        "odd": 5,
    },
}


def test_each_kind_of_parameter_has_a_field():
    found = {field.name: (field.kind, field.label) for field in parameters.form_fields(SCHEMA)}
    assert found == {
        "aspectRatio": ("choice", "Aspect ratio"),
        "guidanceScale": ("slider", "Guidance scale"),
        "count": ("slider", "Count"),
        "seed": ("number", "Seed"),
        "upscale": ("flag", "Upscale it"),
        "negativePrompt": ("text", "Negative prompt"),
    }


@pytest.mark.parametrize(
    "odd", [{}, {"properties": None}, {"properties": []}, {"properties": {"a": {}}}]
)
def test_invalid_schema_has_no_fields(odd):
    assert parameters.form_fields(odd) == []


def test_defaults_are_sent_and_empty_values_are_not():
    found = parameters.form_fields(SCHEMA)
    assert parameters.params_to_send(found, {"seed": "", "aspectRatio": "1:1", "unknown": 1}) == {
        "aspectRatio": "1:1",
        "guidanceScale": 3,
        "count": 1,
        "upscale": False,
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("aspectRatio", "2:1", "choose one"),
        ("guidanceScale", 9.5, "from 1 to 9"),
        ("guidanceScale", float("nan"), "number"),
        ("count", 2.5, "whole number"),
        ("count", "two", "number"),
        ("count", None, "required"),
        ("seed", -1, "at least 0"),
        pytest.param("seed", 10**400, "too many digits", id="seed-huge"),
        pytest.param("count", 10**400, "from 1 to 4", id="count-huge"),
        pytest.param("guidanceScale", -(10**400), "from 1 to 9", id="scale-huge"),
        ("upscale", "yes", "on or off"),
        ("negativePrompt", 5, "text"),
    ],
)
def test_invalid_value_is_reported(name, value, said):
    field = next(field for field in parameters.form_fields(SCHEMA) if field.name == name)
    problem = parameters.validation_message(field, value)
    assert said in problem
    assert problem.endswith(".")


def test_valid_values_have_no_problem():
    values = {"aspectRatio": "1:1", "guidanceScale": 2.5, "count": 4, "upscale": True, "seed": ""}
    found = {field.name: field for field in parameters.form_fields(SCHEMA)}
    assert [
        parameters.validation_message(found[name], value) for name, value in values.items()
    ] == [None] * 5


@pytest.mark.parametrize(
    "odd",
    [float("nan"), float("inf"), 10**400, {"a": float("nan")}],
    ids=["nan", "infinity", "huge", "object"],
)
@pytest.mark.parametrize("kind", ["number", "integer", "string", "boolean"])
def test_non_json_default_is_ignored(odd, kind):
    spec = {"type": kind, "default": odd, "minimum": 0, "maximum": 9}
    (field,) = parameters.form_fields({"properties": {"a": spec}})
    assert field.default is None
    (choice,) = parameters.form_fields({"properties": {"a": {**spec, "enum": [1, odd]}}})
    assert (choice.default, choice.options) == (None, [1])
