from itertools import islice

from wonda_widgets.jobs import polling


def test_the_pace_is_that_of_the_services_page():
    assert list(islice(polling.intervals(), 6)) == [1.0, 1.5, 2.25, 3.375, 5.0, 5.0]


def test_a_service_that_asks_for_patience_gets_it_within_bounds():
    assert polling.after_error(1.5, None) == 1.5
    assert polling.after_error(1.5, 7) == 7
    assert polling.after_error(5.0, 2) == 5.0
    assert polling.after_error(1.0, 86_400) == polling.MAX_RETRY_AFTER


def test_only_a_known_older_status_goes_back():
    assert polling.is_step_back("in_progress", "idle")
    assert polling.is_step_back("locked", "queued")
    assert not polling.is_step_back("idle", "locked")
    assert not polling.is_step_back("scheduled", "queued")
    assert not polling.is_step_back("in_progress", "a_new_word")
    assert not polling.is_step_back("a_new_word", "idle")
