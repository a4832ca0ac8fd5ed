"""The documented poll intervals, and the order of statuses."""

from itertools import islice

from wonda_widgets.jobs import poll_intervals
from wonda_widgets.models.job_status import is_earlier_status


def test_poll_intervals_match_the_service_documentation():
    assert list(islice(poll_intervals.intervals(), 6)) == [1.0, 1.5, 2.25, 3.375, 5.0, 5.0]


def test_interval_after_an_error_respects_retry_after_up_to_a_limit():
    assert poll_intervals.after_error(1.5, None) == 1.5
    assert poll_intervals.after_error(1.5, 7) == 7
    assert poll_intervals.after_error(5.0, 2) == 5.0
    assert poll_intervals.after_error(1.0, 86_400) == poll_intervals.MAX_RETRY_AFTER


def test_only_known_statuses_are_ordered():
    assert is_earlier_status("idle", "in_progress")
    assert is_earlier_status("queued", "locked")
    assert not is_earlier_status("locked", "idle")
    assert not is_earlier_status("queued", "scheduled")
    assert not is_earlier_status("a_new_status", "in_progress")
    assert not is_earlier_status("idle", "a_new_status")
