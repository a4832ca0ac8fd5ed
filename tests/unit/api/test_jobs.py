"""`wonda.jobs`: the `days` argument of `unfinished`."""

import pytest

import wonda_widgets as ww


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), 10**400, "7"])
def test_unfinished_refuses_invalid_days(days):
    with (
        ww.Wonda.sandbox() as wonda,
        pytest.raises(ww.InvalidInputError, match="days must be a number above 0"),
    ):
        wonda.jobs.unfinished(days=days)


@pytest.mark.parametrize("days", [0.5, 10**308, 1e308])
def test_unfinished_accepts_any_positive_number_of_days(days):
    with ww.Wonda.sandbox() as wonda:
        assert wonda.jobs.unfinished(days=days) == []
