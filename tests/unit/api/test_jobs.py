"""`wonda.jobs`: invalid arguments are reported."""

import pytest

import wonda_widgets as ww


@pytest.mark.parametrize("days", [0, -1, float("nan"), float("inf"), 10**400, "7"])
def test_invalid_days_are_refused(days):
    with (
        ww.Wonda.sandbox() as wonda,
        pytest.raises(ww.InvalidInputError, match="days must be a number above 0"),
    ):
        wonda.jobs.unfinished(days=days)


@pytest.mark.parametrize("days", [0.5, 10**308, 1e308])
def test_any_positive_number_of_days_is_accepted(days):
    with ww.Wonda.sandbox() as wonda:
        assert wonda.jobs.unfinished(days=days) == []
