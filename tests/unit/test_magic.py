"""``%%wonda``: its line, its completion, and its sentences."""

import pytest

import wonda_widgets as ww
from wonda_widgets import magic
from wonda_widgets.models import ImageModel
from wonda_widgets.sandbox.catalog import MODELS

KNOWN = [
    ImageModel(key=model.key, label=model.label, params=model.schema) for model in MODELS.values()
]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", {}),
        ("-m z-image -o a", {"model": "z-image", "output": "a"}),
        ("--aspectRatio=4:5 --resolution 2K", {"aspectRatio": "4:5", "resolution": "2K"}),
        ('--style-id "a b"', {"style-id": "a b"}),
        ("--strength -1", {"strength": "-1"}),
    ],
)
def test_a_line_of_options(line, found):
    assert magic.parsed(line) == found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a sunset", "goes into the cell"),
        ("-m", "has no value"),
        ("--resolution --model x", "has no value"),
        ('--style-id "a', "not closed"),
        ("--", "no option"),
    ],
)
def test_a_line_that_is_none(line, said):
    with pytest.raises(ww.InvalidInputError, match=said):
        magic.parsed(line)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("%%wonda -m z", ["z-image"]),
        ("%%wonda -m ", [model.key for model in KNOWN]),
        ("%%wonda --res", ["--resolution"]),
        ("%%wonda -m z-image --res", []),
        ("%%wonda --resolution ", ["1K", "2K", "4K"]),
        ("%%wonda --aspect-ratio 16", ["16:9"]),
        ("%%wonda -o ", []),
        ("%%wonda --resolution 2K --r", []),
    ],
)
def test_completion(line, found):
    assert magic.completions(KNOWN, line) == found
