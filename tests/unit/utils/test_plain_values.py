"""Values from tables and arrays are equal to their plain values and never "nan"."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

import wonda_widgets as ww
from wonda_widgets.http.request_body import encode_json
from wonda_widgets.jobs.idempotency import fingerprint
from wonda_widgets.jobs.matrix import plan_arguments
from wonda_widgets.utils.plain_values import is_missing, to_plain

ACCOUNT = "550e8400-e29b-41d4-a716-446655440000"


class NAType:
    """As `pandas.NA`: neither equal nor unequal, and no truth."""

    def __eq__(self, _other):
        return self

    __ne__ = __eq__
    __hash__ = object.__hash__

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    def __repr__(self):
        return "<NA>"


class NaTType(datetime):
    """As `pandas.NaT`: a datetime that is unlike itself."""

    def __eq__(self, _other):
        return False

    def __ne__(self, _other):
        return True

    __hash__ = datetime.__hash__

    def __str__(self):
        return "NaT"


class Column:
    """As a `pandas.Series` or a Polars column: no list, and no truth."""

    def __init__(self, *values):
        self._values = values

    def __bool__(self):
        raise ValueError("The truth value of a Series is ambiguous")

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)

    def __eq__(self, _other):
        return Column(*(False for _ in self._values))

    __hash__ = object.__hash__

    def tolist(self):
        return list(self._values)


NA, NAT = NAType(), NaTType(2000, 1, 1)
NOTHING = [
    float("nan"),
    np.float64("nan"),
    np.float32("nan"),
    np.datetime64("NaT", "ns"),
    np.ma.masked,
    Decimal("NaN"),
    Decimal("sNaN"),
    NA,
    NAT,
]


@pytest.fixture
def wonda():
    with ww.Wonda.sandbox(seconds=0.01) as client:
        yield client


@pytest.fixture(scope="module")
def refusing():
    with ww.Wonda.sandbox(seconds=0.01) as client:
        yield client


@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
def test_missing_values_are_recognized(nothing):
    assert is_missing(nothing)


@pytest.mark.parametrize(
    "thing", [0, "", "nan", False, [], [float("nan")], np.array([1.0, np.nan]), Column(NA), 1.5, {}]
)
def test_other_values_are_not_missing(thing):
    assert not is_missing(thing)


@pytest.mark.parametrize("nothing", [None, *NOTHING], ids=repr)
@pytest.mark.parametrize("column", [list, tuple, lambda some: Column(*some)])
def test_matrix_refuses_missing_values(refusing, nothing, column):
    with pytest.raises(ww.InvalidInputError, match=r"Value 2 of \{mood\} is empty") as caught:
        refusing.images.matrix(
            "A harbour, {mood}", {"mood": column(["calm", nothing, "wild"])}, "z-image"
        )
    assert caught.value.field == "values.mood"


@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
def test_single_missing_value_is_refused(refusing, nothing):
    with pytest.raises(ww.InvalidInputError, match=r"is empty|has no values"):
        refusing.images.matrix("A harbour, {mood}", {"mood": nothing}, "z-image")
    with pytest.raises(ww.InvalidInputError, match=r"is empty|no model|has no values"):
        refusing.images.matrix("A harbour", {}, [nothing])
    with pytest.raises(ww.InvalidInputError, match="Value 1 of seed is empty"):
        refusing.images.matrix("A harbour", {}, "nano-banana-2", {"seed": [nothing]})


def test_prompt_lab_reports_missing_values():
    with pytest.raises(ww.InvalidInputError, match=r"Value 1 of \{mood\} is empty"):
        ww.PromptLab(template="A {mood} sea", values={"mood": [float("nan")]})


@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
@pytest.mark.parametrize("field", ["caption", "alt_text", "product"])
def test_post_refuses_missing_values(refusing, nothing, field):
    with pytest.raises(ww.InvalidInputError, match="is empty") as caught:
        refusing.publish.instagram(media_id="m", instagram_account_id=ACCOUNT, **{field: nothing})
    assert caught.value.field == field


@pytest.mark.parametrize("other", [5, 2.5, b"bytes", ["a"], True])
def test_caption_must_be_text(refusing, other):
    with pytest.raises(ww.InvalidInputError, match="The caption must be a string"):
        refusing.publish.instagram(media_id="m", instagram_account_id=ACCOUNT, caption=other)
    with pytest.raises(ww.InvalidInputError, match="The caption must be a string"):
        refusing.publish.instagram_carousel(
            media_ids=["m", "n"], instagram_account_id=ACCOUNT, caption=other
        )


@pytest.mark.parametrize("nothing", NOTHING, ids=repr)
def test_generate_refuses_missing_values(refusing, nothing):
    generate = refusing.images.generate
    for wrong in (
        {"prompt": nothing},
        {"prompt": "A pier", "params": {"seed": nothing}},
        {"prompt": "A pier", "attachment_media_ids": [nothing]},
    ):
        with pytest.raises(ww.InvalidInputError):
            generate(model="nano-banana-2", **wrong)
    assert refusing.history.count() == 0


def test_invalid_time_is_refused(refusing):
    with pytest.raises(ww.InvalidInputError, match="is not a time"):
        refusing.publish.instagram(media_id="m", instagram_account_id=ACCOUNT, scheduled_at=NAT)
    with pytest.raises(ww.InvalidInputError, match="since"):
        ww.Budget(1, since=NAT)
    with pytest.raises(ww.InvalidInputError, match="since"):
        refusing.history.search(since=NAT)


@pytest.mark.parametrize(
    ("value", "same"),
    [
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float64(2.5), 2.5),
        (np.float32(0.1), 0.1),
        (np.array(0.1, dtype="float32"), 0.1),
        (np.array([[0.1, 0.7], [3e10, -2]], dtype="float32"), [[0.1, 0.7], [3e10, -2.0]]),
        (np.array([0.1], dtype="float16"), [0.1]),
        (np.ma.array(np.float32([0.1, 1]), mask=[False, True]), [0.1, None]),
        (np.array([], dtype="float32"), []),
        (np.bool_(True), True),
        (np.str_("4:5"), "4:5"),
        (np.array(3), 3),
        (np.array([1, 2]), [1, 2]),
        (np.array([[1.5], [2.5]]), [[1.5], [2.5]]),
        (np.array(["a", "b"], dtype=object), ["a", "b"]),
        (Column(np.int64(1), "x"), [1, "x"]),
        (Decimal("0.1"), 0.1),
        (Decimal("3.0"), 3),
        ({np.str_("a"): (np.int8(1),)}, {"a": [1]}),
    ],
)
def test_equal_values_give_the_same_request(value, same):
    assert to_plain(value) == same
    assert type(to_plain(value)) is type(same)
    body = {"model": "m", "params": {"x": value}}
    assert json.loads(encode_json(body))["params"]["x"] == same
    assert fingerprint(body) == fingerprint({"model": "m", "params": {"x": same}})


def test_once_treats_array_values_as_equal(wonda):
    def ask(**more):
        return wonda.images.generate(model="nano-banana-2", once="campaign", **more)

    first = ask(prompt="A pier", params={"aspectRatio": "4:5"})
    again = ask(prompt=np.str_("A pier"), params={np.str_("aspectRatio"): np.str_("4:5")})
    assert again.id == first.id
    assert ask(prompt="A pier", params={"aspectRatio": np.array("4:5")}).id == first.id


def test_plan_of_arrays_equals_plan_of_lists(wonda):
    def planned(column, *moods):
        settings = {"aspectRatio": column("4:5", "1:1")}
        return wonda.images.matrix(
            "A {mood} sea", {"mood": column(*moods)}, column("nano-banana-2"), settings
        )

    wanted = planned(lambda *some: list(some), "calm", "wild")
    for column in (Column, lambda *some: np.array(some)):
        found = planned(column, "calm", "wild")
        assert found.plan == wanted.plan
        assert found.fingerprint == wanted.fingerprint
    with pytest.raises(ww.InvalidInputError, match="twice"):
        planned(lambda *some: list(some), "calm", np.str_("calm"))


@pytest.mark.parametrize("usd", [np.int64(3), np.float32(3), np.float64(3), Decimal("3.00"), 3])
def test_budget_accepts_any_number_type(wonda, usd):
    assert ww.Budget(usd).usd == 3
    assert type(ww.Budget(usd).usd) is float
    assert wonda.images.matrix("A sea", {}, "z-image", budget=usd).budget == 3
    wonda.images.generate(model="z-image", prompt="A pier", budget=ww.Budget(usd)).wait()


@pytest.mark.parametrize("usd", [*NOTHING, np.bool_(True), "3", None, np.array([1, 2])], ids=repr)
def test_budget_refuses_other_values(usd):
    with pytest.raises(ww.InvalidInputError):
        ww.Budget(usd)


def test_array_numbers_are_accepted_everywhere(wonda, tmp_path):
    wonda.images.generate(model="z-image", prompt="A pier").wait()
    [found] = wonda.history.search(limit=np.int64(5), offset=np.int64(0))
    marked = wonda.history.mark(found, rating=np.int64(4), favorite=np.bool_(True))
    assert (marked.rating, marked.favorite) == (4, True)
    assert wonda.history.count(rating=np.int64(4), favorite=np.bool_(True)) == 1
    assert len(wonda.jobs.recent(np.int64(5))) == 1
    assert ww.Journal(tmp_path / "j.db", days=np.int64(3)).path
    matrix = wonda.images.matrix("A sea", {}, "z-image", max_concurrency=np.int64(2))
    assert len(matrix.plan) == 1
    reference = wonda.media.upload(b"\x89PNG\r\n\x1a\nx").media_id
    job = wonda.images.generate(
        model="nano-banana-2", prompt="A lake", attachment_media_ids=np.array([reference])
    )
    assert job.wait().media


def test_carousel_accepts_a_column(wonda):
    made = [wonda.images.generate(model="z-image", prompt=name).wait().media for name in "ab"]
    job = wonda.publish.instagram_carousel(
        media_ids=np.array([media.media_id for media in made]), instagram_account_id=ACCOUNT
    )
    assert job.wait().status == "succeeded"


def test_table_times_are_accepted():
    class Timestamp(datetime):
        pass

    at = Timestamp.now(UTC) + timedelta(days=1)
    assert not is_missing(at)
    assert to_plain(at) is at


def test_element_errors_name_the_value():
    with pytest.raises(ww.InvalidInputError, match="Value 3 of seed is empty"):
        plan_arguments.as_list("params.seed", "seed", [1, None, float("nan")])
