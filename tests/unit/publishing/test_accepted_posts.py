"""An accepted post is never reported as missing because a list does not show it."""

from __future__ import annotations

import httpx
import pytest
from conftest import BASE, KEY
from posting_service import POST, Service, lost

import wonda_widgets as ww
from wonda_widgets.utils import monotonic_clock

FINISHED = {"succeeded", "failed"}


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def later(monkeypatch):
    """Let time pass for everything that measures it, but not for the time of day."""
    start = monotonic_clock.seconds()

    def pass_by(seconds):
        monkeypatch.setattr(monotonic_clock, "seconds", lambda: start + seconds)

    return pass_by


def accepted(wonda, service):
    """A post that was accepted, whose job is gone, and which no history shows yet."""
    service.status = "in_progress"
    service.lists = lambda row: row["status"] in FINISHED
    job = wonda.publish.instagram(**POST)
    job.stop()
    service.gone = 404
    return job


@pytest.mark.parametrize("status", [404, 410])
def test_accepted_post_is_not_repeated_however_long_it_takes(kernel, service, later, status):
    wonda = kernel()
    accepted(wonda, service)
    service.gone = status
    for seconds in (0, 16, 32, 700, 86_400):
        later(seconds)
        for client in (wonda, kernel()):
            error = lost(client)
            assert "accepted" in error.reason
            finding = client.publish.check(error)
            assert (finding.posted, finding.retry_after) == (None, None), "the person is asked"
    assert service.posts == 1


def test_check_of_an_accepted_post_keeps_its_state(kernel, service, later):
    wonda = kernel()
    job = accepted(wonda, service)
    for seconds in (0, 700):
        later(seconds)
        assert wonda.publish.check(job).posted is None
    lost(wonda)
    later(1500)
    assert wonda.publish.check(job).posted is None
    assert service.posts == 1


def test_user_decides(kernel, service, later):
    wonda = kernel()
    accepted(wonda, service)
    error = lost(wonda)
    wonda.publish.settle(error, posted=False)
    service.gone = 0
    wonda.publish.instagram(**POST)
    assert service.posts == 2
    later(700)
    with pytest.raises(ww.AlreadyPublishedError):
        wonda.publish.instagram(**POST)


def test_job_that_reappears_is_polled(kernel, service):
    wonda = kernel()
    accepted(wonda, service)
    error = lost(wonda)
    service.gone = 0
    finding = wonda.publish.check(error)
    assert (finding.posted, finding.job.id) == (None, "p1")
    with pytest.raises(ww.AlreadyPublishedError, match="in progress"):
        kernel().publish.instagram(**POST)
    service.status = "succeeded"
    assert finding.job.wait(10).permalink
    assert service.posts == 1


@pytest.mark.parametrize("reply", [b"<html>", b"", b"{}", b"[]", b'{"outputJobId": ""}', b"null"])
def test_accepted_post_without_a_job_id_is_not_repeated(kernel, service, later, reply):
    wonda = kernel()
    service.reply, service.lists = reply, lambda _row: False
    error = lost(wonda)
    service.reply = None
    later(700)
    assert wonda.publish.check(error).posted is None
    lost(kernel())
    assert service.posts == 1


def test_failed_post_elsewhere_does_not_match(kernel, service, later):
    wonda = kernel()
    accepted(wonda, service)
    # Another computer tries the same, which fails; ours is still in progress.
    row = {**service.rows[0], "status": "failed", "permalink": None}
    for other_job in ("p77", None):
        service.rows = [service.rows[0], {**row, "outputJobId": other_job}]
        later(700)
        error = lost(wonda)
        assert wonda.publish.check(error).posted is None
    assert service.posts == 1


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_matching_row_without_a_job_is_trusted(kernel, service, status):
    wonda = kernel()
    accepted(wonda, service)
    error = lost(wonda)
    service.rows[0]["status"] = status
    finding = wonda.publish.check(error)
    assert finding.posted is (status == "succeeded")
    if status == "succeeded":
        with pytest.raises(ww.AlreadyPublishedError) as caught:
            kernel().publish.instagram(**POST)
        assert caught.value.permalink == "https://instagram.example.test/p/1"
    else:
        service.gone, service.status = 0, "succeeded"
        kernel().publish.instagram(**POST).wait(10)
    assert service.posts == (1 if status == "succeeded" else 2)


def test_lost_response_waits_for_the_history(kernel, service, later):
    wonda = kernel()
    service.lists = lambda row: row["status"] in FINISHED
    service.lose, service.status = "after", "in_progress"
    error = lost(wonda)
    service.lose = ""
    for seconds in (32, 120, 590):  # it is made in its own time
        later(seconds)
        finding = wonda.publish.check(error)
        assert finding.posted is None
        assert finding.retry_after <= 30
        lost(kernel())
    service.rows[0]["status"] = "succeeded"
    service.status = "succeeded"
    assert wonda.publish.check(error).posted is True
    assert service.posts == 1


def test_clock_changes_do_not_affect_the_check(kernel, service, monkeypatch):
    import time

    wonda = kernel()
    service.lose = "before"
    service.lists = lambda _row: False
    error = lost(wonda)
    now = time.time()
    for ahead in (60, 3600, 400 * 86_400, -86_400):
        monkeypatch.setattr(time, "time", lambda ahead=ahead: now + ahead)
        assert wonda.publish.check(error).posted is None
        lost(kernel())
    assert service.posts == 1


def test_second_computer_uses_the_service_clock(service, tmp_path, monkeypatch):
    from datetime import timedelta

    def client():
        transport = httpx.MockTransport(service)
        return ww.Wonda(KEY, base_url=BASE, journal=tmp_path / "shared.db", transport=transport)

    service.lose = "before"
    with client() as wonda:
        error = lost(wonda)
    # What is measured there cannot be compared with what is measured here.
    monkeypatch.setattr(monotonic_clock, "clock_id", lambda: "another computer")
    monkeypatch.setattr(monotonic_clock, "seconds", lambda: 1.0)
    monkeypatch.setattr("wonda_widgets.journal.entries._process_token", (0, ""))
    with client() as wonda:
        # Nor does the service's own clock tell: each of its servers may have another one.
        for seconds in (300, 7000, 0):
            service.ahead = timedelta(seconds=seconds)
            assert wonda.publish.check(error).posted is None
        monkeypatch.setattr(monotonic_clock, "seconds", lambda: 700.0)
        assert wonda.publish.check(error).posted is False


def test_empty_history_proves_nothing(kernel, service, later):
    service.lose, service.earlier, service.lists = "after", [], lambda _row: False
    wonda = kernel()
    error = lost(wonda)
    for seconds in (0, 700):
        later(seconds)
        assert wonda.publish.check(error).posted is None
        lost(kernel())
    assert service.posts == 1


def test_incomplete_history_proves_nothing(kernel, service, later):
    wonda = kernel()
    wonda.publish.instagram(**{**POST, "caption": "Another one"}).wait(10)
    service.lose, service.lists = "after", lambda _row: False
    error = lost(wonda)
    later(700)
    assert wonda.publish.check(error).posted is None
    lost(kernel())
    assert service.posts == 2


def test_same_image_in_another_format_is_the_same_post(kernel, service, monkeypatch):
    wonda = kernel()
    wonda.publish.instagram(**POST).wait(10)
    edits = {
        "m1 as JPEG": {"of": "m1", "operations": [{"operation": "encode", "format": "JPEG"}]},
        "m1 again": {"of": "m1 as JPEG", "operations": [{"operation": "encode", "format": "PNG"}]},
        "m1 cropped": {
            "of": "m1",
            "operations": [
                {"operation": "crop", "width": 1},
                {"operation": "encode", "format": "JPEG"},
            ],
        },
    }
    journal = wonda._async._core.journal

    def edit_of(_base_url, media_id):
        return journal._database.run(lambda _: edits.get(media_id))

    monkeypatch.setattr(journal, "find_edit", edit_of)
    for same in ("m1 as JPEG", "m1 again"):
        with pytest.raises(ww.AlreadyPublishedError):
            wonda.publish.instagram(**{**POST, "media_id": same})
    wonda.publish.instagram(**{**POST, "media_id": "m1 cropped"}).wait(10)
    assert service.posts == 2


@pytest.mark.parametrize("act", ["settle", "dismiss"])
def test_request_in_progress_cannot_be_settled(kernel, service, act):
    import asyncio
    import threading

    entered, goes_on = threading.Event(), threading.Event()

    async def wait():
        entered.set()
        await asyncio.to_thread(goes_on.wait, 10)

    service.gate = wait
    first, second = kernel(), kernel()
    thread = threading.Thread(target=lambda: first.publish.instagram(**POST))
    thread.start()
    assert entered.wait(10)
    [job] = second.jobs.recent()
    acts = {
        "settle": lambda: second.publish.settle(job, posted=False),
        "dismiss": lambda: second.jobs.dismiss(job),
    }
    with pytest.raises(ww.InvalidInputError, match="already being sent"):
        acts[act]()
    with pytest.raises(ww.AlreadyPublishedError) as caught:
        second.publish.instagram(**POST)
    assert caught.value.code == "being_sent"
    goes_on.set()
    thread.join()
    assert service.posts == 1
