"""An outcome that another kernel recorded is not overwritten."""

from __future__ import annotations

import pytest
from conftest import BASE
from posting_service import POST, Service, lost

import wonda_widgets as ww
from wonda_widgets.api import publish
from wonda_widgets.models import Snapshot
from wonda_widgets.utils import event_loop

PERMALINK = "https://instagram.example.test/p/1"


@pytest.fixture
def service():
    made = Service()
    made.history = 404
    return made


@pytest.fixture
def unknown(kernel, service):
    """A post whose answer was lost, as the first kernel holds it."""
    service.lose = "after"
    return lost(kernel())


def journal_of(wonda):
    return wonda._async._core.journal


FOUND = {
    "posted": lambda journal, intent: journal.mark_posted(intent, PERMALINK, None).result(),
    "succeeded": lambda journal, intent: (
        journal.mark_accepted(intent, "p1", "queued").result(),
        ended(journal, "succeeded"),
    ),
    "in progress": lambda journal, intent: journal.mark_accepted(intent, "p1", "queued").result(),
}


def ended(journal, status):
    reply = {"status": status, "permalink": PERMALINK}
    told = Snapshot(status=status, permalink=PERMALINK, raw=reply)
    journal.update_status(BASE, "publish", "p1", told).result()


def state(kernel, intent):
    [record] = journal_of(kernel()).find_by_intent(intent).result()
    return record.state


SAID = {
    "posted": "was posted",
    "succeeded": "was posted",
    "in progress": "arrived, and its job has not ended",
}


@pytest.mark.parametrize("found", FOUND)
@pytest.mark.parametrize("act", ["settle", "dismiss"])
@pytest.mark.parametrize("held", ["error", "job"])
def test_recorded_outcome_is_kept(kernel, service, unknown, found, act, held):
    first, second = kernel(), kernel()
    [job] = first.jobs.recent()
    holds = {"error": unknown, "job": job}[held]
    FOUND[found](journal_of(second), unknown.intent)
    before = state(kernel, unknown.intent)
    service.status = "queued"
    acts = {
        "settle": lambda: first.publish.settle(holds, posted=False),
        "dismiss": lambda: first.jobs.dismiss(holds),
    }
    with pytest.raises(ww.InvalidInputError, match=SAID[found]) as caught:
        acts[act]()
    assert (PERMALINK in caught.value.hint) == (found != "in progress")
    assert state(kernel, unknown.intent) == before
    service.lose = ""
    with pytest.raises(ww.AlreadyPublishedError):
        first.publish.instagram(**POST)
    assert service.posts == 1


@pytest.mark.parametrize("answers", [200, 503])
@pytest.mark.parametrize("was_lost", [True, False])
def test_running_job_is_not_reported_as_not_posted(kernel, service, answers, was_lost):
    """Whatever the one who says so saw of it earlier."""
    first, second = kernel(), kernel()
    service.status, service.lists = "in_progress", lambda _row: False
    job = first.publish.instagram(**POST)
    job.stop()
    if was_lost:
        service.gone = 404
        first.publish.check(job)
        service.gone = 0
        second.publish.check(second.jobs.attach("publish", job.id))
    service.gone = 0 if answers == 200 else answers
    with pytest.raises(ww.WondaError):
        first.publish.settle(job, posted=False)
    with pytest.raises(ww.WondaError):
        first.publish.instagram(**POST)
    assert service.posts == 1


def test_user_may_correct_a_manual_outcome(kernel, service, unknown):
    wonda = kernel()
    wonda.publish.settle(unknown, posted=True)
    wonda.publish.settle(unknown, posted=False)
    service.lose = ""
    kernel().publish.instagram(**POST)
    assert service.posts == 2


def test_outcome_found_during_settling_is_kept(kernel, unknown, monkeypatch):
    """Another kernel writes after `settle` has read the entry and before it writes its own."""
    first, second = kernel(), kernel()
    journal = journal_of(first)
    real = journal.mark_absent

    def absent(record):
        monkeypatch.setattr(journal, "mark_absent", real)
        journal_of(second).mark_posted(unknown.intent, PERMALINK, None).result()
        return real(record)

    monkeypatch.setattr(journal, "mark_absent", absent)
    with pytest.raises(ww.InvalidInputError, match="was posted"):
        first.publish.settle(unknown, posted=False)
    assert state(kernel, unknown.intent) == "posted"


@pytest.mark.parametrize("settled_as", ["absent", "dismissed", "failed"])
def test_repeated_settling_is_no_error(kernel, service, unknown, settled_as):
    first, second = kernel(), kernel()
    journal = journal_of(second)
    if settled_as == "absent":
        second.publish.settle(unknown, posted=False)
    elif settled_as == "dismissed":
        second.jobs.dismiss(unknown)
    else:
        journal.mark_accepted(unknown.intent, "p1", "queued").result()
        ended(journal, "failed")
    first.publish.settle(unknown, posted=False)
    first.jobs.dismiss(unknown)
    service.lose = ""
    first.publish.instagram(**POST)
    assert service.posts == 2


def test_posted_can_be_settled_at_any_time(kernel, unknown):
    kernel().publish.settle(unknown, posted=False)
    kernel().publish.settle(unknown, posted=True)
    kernel().publish.settle(unknown, posted=True)
    assert state(kernel, unknown.intent) == "posted"


def test_missing_job_can_be_settled_by_the_user(kernel, service):
    wonda = kernel()
    service.status = "in_progress"
    job = wonda.publish.instagram(**POST)
    service.gone = 404
    wonda.publish.settle(job, posted=False)
    service.gone, service.status = 0, "succeeded"
    wonda.publish.instagram(**POST)
    assert service.posts == 2


def test_image_generated_meanwhile_is_not_dismissed(kernel):
    wonda = kernel()
    journal = journal_of(wonda)
    intent, _ = journal.begin_request(BASE, "inference", b'{"model":"m"}', "once:a:b").result()
    journal.mark_unknown(intent, "the answer was lost").result()
    [job] = wonda.jobs.recent()
    other = journal_of(kernel())
    other.mark_accepted(intent, "j1", "queued").result()
    with pytest.raises(ww.InvalidInputError, match="has not ended"):
        wonda.jobs.dismiss(job)
    assert state(kernel, intent) == "accepted"


def test_panel_reports_the_recorded_outcome(kernel, service, opened, settled):
    service.lose, service.history = "after", 404
    wonda = kernel()
    unknown = lost(wonda)
    form = opened(ww.PublishForm(wonda=wonda))
    [record] = journal_of(wonda).find_by_intent(unknown.intent).result()
    job = wonda._async._core.restore_job(record, publish.PUBLISHING)
    event_loop.call_soon(lambda: form.attach_job(job))
    settled(lambda: form.step == "unknown")
    journal_of(kernel()).mark_posted(unknown.intent, PERMALINK, None).result()
    form.needs_answer = True
    form._receive(form, {"type": "answer", "posted": False}, [])
    settled(lambda: form.error and "now shows" in form.error["title"])
    assert form.step == "unknown"
    assert state(kernel, unknown.intent) == "posted"
    form._receive(form, {"type": "check"}, [])
    settled(lambda: form.posted)
    assert form.posted["link"] == PERMALINK
