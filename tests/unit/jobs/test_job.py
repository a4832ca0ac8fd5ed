"""Jobs, with a fake clock and a list of responses."""

import asyncio
import pickle
import threading

import pytest

import wonda_widgets as ww
from wonda_widgets.errors import NotJSONError
from wonda_widgets.jobs.job import Job
from wonda_widgets.jobs.poller import NO_ANSWER

MEDIA = {"mediaId": "m1", "url": "https://x.example/m1.png", "mimeType": "image/png"}
DONE = {"status": "succeeded", "outputs": [{"media": None}, {"media": MEDIA}]}


def running(word="in_progress"):
    return {"status": word, "outputs": []}


class Service:
    """Replies from a list; the last one for ever. Exceptions are raised."""

    def __init__(self, *replies, gate=None):
        self.replies = list(replies)
        self.asked = 0
        self.gate = gate

    async def __call__(self):
        if self.gate:
            while not self.gate.is_set():
                await asyncio.sleep(0.001)
        self.asked += 1
        reply = self.replies[min(self.asked, len(self.replies)) - 1]
        if isinstance(reply, Exception):
            raise reply
        return reply


@pytest.fixture
def job(clock):
    return lambda *replies, kind="inference", **more: Job(
        kind, "j1", Service(*replies), clock=clock, **more
    )


def test_job_is_polled_at_the_documented_intervals(job, clock):
    walk = [running(word) for word in ("idle", "locked", "in_progress", "in_progress")]
    made = job(*walk, DONE)
    done = made.wait()
    assert done.status == "succeeded"
    assert done.terminal
    assert made.done
    assert done.media.media_id == "m1"
    assert done.raw == DONE
    assert clock.slept == [1.0, 1.5, 2.25, 3.375]
    assert done.elapsed == sum(clock.slept)


@pytest.mark.parametrize(
    "word", ["idle", "locked", "in_progress", "queued", "scheduled", "w\u00f6rd"]
)
def test_other_statuses_are_shown_unchanged_while_polling(clock, word):
    gate = threading.Event()
    gate.set()
    made = Job("publish", "j1", Service(running(word), DONE), clock=clock)
    seen = [snapshot.status for snapshot in made.updates()]
    assert seen in ([word, "succeeded"], ["succeeded"])
    assert made.wait().status == "succeeded"


ENDED = {"finishedAt": "2026-11-26T10:00:00.000Z"}
OUTPUTS = {"outputs": [{"media": MEDIA}]}
LINK = {"permalink": "https://www.instagram.com/p/abc/"}


@pytest.mark.parametrize(
    ("kind", "reply", "status"),
    [
        *(
            ("inference", {"status": word, **ENDED, "errorMessage": "Took too long"}, "failed")
            for word in ("aborted", "expired", "cancelled", "error", "timed_out", "w\u00f6rd")
        ),
        ("inference", {"status": "completed", **ENDED, **OUTPUTS}, "succeeded"),
        ("inference", {"status": "partially_done", **ENDED, **OUTPUTS}, "succeeded"),
        ("inference", {"status": "completed", **ENDED}, "failed"),
        ("inference", {"status": "aborted", "finishedAt": 1764150000}, "failed"),
        ("publish", {"status": "live", **LINK}, "succeeded"),
        ("publish", {"status": "completed", **ENDED}, "succeeded"),
        ("publish", {"status": "rejected", "errorMessage": "Took too long"}, "failed"),
        ("publish", {"status": "completed", "errorMessage": "Took too long"}, "failed"),
        ("publish", {"status": "expired", **ENDED}, "failed"),
        ("publish", {"status": "w\u00f6rd", "errorMessage": "Took too long"}, "failed"),
        ("publish", {"status": "Timed out", "errorMessage": "Took too long"}, "failed"),
        ("inference", {"status": "SUCCEEDED", **OUTPUTS}, "succeeded"),
        ("inference", {"status": " Failed", "errorMessage": "Took too long"}, "failed"),
        ("inference", {"status": "Canceled"}, "canceled"),
    ],
)
def test_unlisted_status_with_signs_of_an_end_ends_the_job(job, kind, reply, status):
    made = job(running(), reply, kind=kind)
    *_, last = made.updates()
    assert (last.status, last.terminal, made.done) == (status, True, True)
    assert last.raw == reply
    if status == "failed":
        with pytest.raises(ww.JobFailedError) as told:
            made.wait()
        assert reply.get("errorMessage", "") in str(told.value)
        assert "Failed" in reply["status"] or repr(reply["status"]) in str(told.value)


@pytest.mark.parametrize(
    ("kind", "reply"),
    [
        ("inference", {"status": "rendering", "finishedAt": None}),
        ("inference", {"status": "rendering", "finishedAt": ""}),
        ("inference", {"status": "rendering", **OUTPUTS}),  # a first draft, for all that is known
        ("inference", {"status": "retrying", "errorMessage": "The provider was busy"}),
        ("publish", {"status": "retrying"}),
        # Of its first try: called failed, the post would be made a second time.
        ("publish", {"status": "retrying", "errorMessage": "Instagram was busy"}),
        ("publish", {"status": "container_pending", "errorMessage": "Not ready yet"}),
        ("inference", {"status": "in_progress", **ENDED}),  # a word of the page means what it says
    ],
)
def test_unlisted_status_without_signs_of_an_end_is_polled(job, clock, kind, reply):
    assert job(reply, reply, reply, DONE, kind=kind).wait().status == "succeeded"
    assert clock.slept == [1.0, 1.5, 2.25]


def test_updates_yield_each_change_once(clock):
    gate = threading.Event()
    service = Service(running("idle"), running("idle"), running("locked"), DONE, gate=gate)
    made = Job("inference", "j1", service, clock=clock)
    updates = iter(made.updates())
    gate.set()
    assert [snapshot.status for snapshot in updates] == ["idle", "locked", "succeeded"]


@pytest.mark.parametrize(
    ("message", "shown"), [("The provider said no", "The provider said no"), (None, "Job failed")]
)
def test_failed_job_raises_the_message_of_the_service(job, message, shown):
    made = job({"status": "failed", "errorMessage": message})
    with pytest.raises(ww.JobFailedError) as caught:
        made.wait()
    assert str(caught.value) == shown
    assert caught.value.hint in caught.value.__notes__
    assert caught.value.job is made
    assert caught.value.snapshot.status == "failed"


def test_canceled_job_raises(job):
    with pytest.raises(ww.JobCanceledError) as caught:
        job({"status": "canceled"}).wait()
    assert str(caught.value) == "Job was canceled"


@pytest.mark.parametrize(
    "outputs", [[], [{"media": None}], [{"media": {"url": "https://x.example"}}], None, "text"]
)
def test_success_without_media_is_reported(job, outputs):
    done = job({"status": "succeeded", "outputs": outputs}).wait()
    with pytest.raises(ww.NoMediaError) as caught:
        done.media  # noqa: B018
    assert str(caught.value) == "No generated media found"


@pytest.mark.parametrize(
    "passing",
    [
        ww.ServiceUnreachableError("dropped"),
        ww.ServerError(503, "", "down"),
        NotJSONError("a maintenance page"),
        ww.RateLimitError(429, "rate_limit_exceeded", "slow down", retry_after=9.0),
        ww.ServerError(503, "", "maintenance", retry_after=9.0),
    ],
)
def test_temporary_poll_error_is_reported_and_polling_continues(clock, passing):
    gate = threading.Event()
    made = Job("inference", "j1", Service(running(), passing, DONE, gate=gate), clock=clock)
    updates = iter(made.updates())
    gate.set()
    seen = list(updates)
    assert [bool(snapshot.problem) for snapshot in seen] == [False, True, False]
    assert "retrying" in seen[1].problem
    assert seen[1].status == "in_progress"
    waited = getattr(passing, "retry_after", None) or 1.5
    assert clock.slept == [1.0, waited]


def test_missing_first_response_is_reported(clock):
    gate = threading.Event()
    service = Service(ww.ServiceUnreachableError("no"), DONE, gate=gate)
    made = Job("inference", "j1", service, clock=clock)
    updates = iter(made.updates())
    gate.set()
    assert [snapshot.problem for snapshot in updates] == [NO_ANSWER, None]


@pytest.mark.parametrize(
    "final",
    [
        ww.AuthenticationError(401, "unauthorized", "no"),
        ww.PermissionDeniedError(403, "forbidden", "no"),
        ww.NotFoundError(404, "not_found", "no"),
    ],
)
def test_permanent_poll_error_stops_polling(job, final):
    made = job(running(), final)
    with pytest.raises(type(final)):
        made.wait()
    assert not made.done
    assert not made.snapshot.watching


def test_response_without_a_status_does_not_loop(job):
    with pytest.raises(ww.UnexpectedReplyError, match="status"):
        job({"error": {"message": "?", "code": "?"}}).wait()


def test_late_earlier_status_is_ignored(clock):
    gate = threading.Event()
    late = Service(running("in_progress"), running("idle"), running("locked"), DONE, gate=gate)
    made = Job("inference", "j1", late, clock=clock)
    updates = iter(made.updates())
    gate.set()
    assert [snapshot.status for snapshot in updates] == ["in_progress", "succeeded"]


def test_timeout_does_not_stop_polling(clock):
    gate = threading.Event()
    made = Job("inference", "j1", Service(DONE, gate=gate), clock=clock)
    with pytest.raises(ww.JobTimeoutError) as caught:
        made.wait(timeout=0)
    assert isinstance(caught.value, TimeoutError)
    assert made.snapshot.watching
    gate.set()
    assert made.wait().status == "succeeded"


def test_job_supports_simultaneous_wait_await_iteration_and_watch(clock, settled):
    gate = threading.Event()
    made = Job("inference", "j1", Service(running(), DONE, gate=gate), clock=clock)
    watched, waited, iterated = [], [], []
    made.watch(lambda snapshot: watched.append(snapshot.status))
    threads = [
        threading.Thread(daemon=True, target=lambda: waited.append(made.wait().status)),
        threading.Thread(
            daemon=True, target=lambda: iterated.extend(s.status for s in made.updates())
        ),
    ]
    for thread in threads:
        thread.start()

    async def in_another_loop():
        async def each():
            return [snapshot.status async for snapshot in made.updates()]

        gather = asyncio.gather(made, each())
        gate.set()
        return await gather

    done, each = asyncio.run(in_another_loop())
    for thread in threads:
        thread.join(10)
    settled(lambda: watched[-1:] == ["succeeded"])
    assert done.status == "succeeded"
    assert waited == ["succeeded"]
    assert each[-1] == iterated[-1] == "succeeded"


def test_wait_after_stop_resumes_polling(clock, settled):
    gate = threading.Event()
    made = Job("inference", "j1", Service(DONE, gate=gate), clock=clock)
    made.stop()
    settled(lambda: not made.snapshot.watching)
    assert not made.done
    gate.set()
    assert made.wait().status == "succeeded"


def test_stop_by_another_thread_ends_a_wait(clock, settled):
    gate = threading.Event()
    made = Job("inference", "j1", Service(DONE, gate=gate), clock=clock)
    caught = []

    def wait():
        try:
            made.wait()
        except ww.JobNotWatchedError as error:
            caught.append(error)

    thread = threading.Thread(daemon=True, target=wait)
    thread.start()
    settled(lambda: made._listeners)
    made.stop()
    thread.join(10)
    assert "resume" in caught[0].hint


def test_interrupt_ends_the_wait_and_polling_continues(clock, monkeypatch):
    gate = threading.Event()
    made = Job("inference", "j1", Service(DONE, gate=gate), clock=clock)

    def interrupted(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("wonda_widgets.utils.event_loop.wait_for_result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made.wait()
    assert made.snapshot.watching
    gate.set()
    assert made.wait().status == "succeeded"


def test_failing_listener_does_not_affect_the_job(clock, caplog):
    gate = threading.Event()
    made = Job("inference", "j1", Service(running(), DONE, gate=gate), clock=clock)
    made.watch(lambda snapshot: 1 / bool(snapshot.raw == {}))
    gate.set()
    assert made.wait().status == "succeeded"
    assert "listener" in caplog.text


def test_blocking_wait_on_the_event_loop_is_refused(job):
    from wonda_widgets.utils import event_loop

    made = job(DONE)

    async def wrong():
        made.wait()

    with pytest.raises(RuntimeError, match="wait for itself"):
        event_loop.run_blocking(wrong())


def test_errors_and_snapshots_are_picklable(job):
    with pytest.raises(ww.JobFailedError) as caught:
        job({"status": "failed", "errorMessage": "no"}).wait()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.job, again.snapshot.status) == ("no", None, "failed")
    assert pickle.loads(pickle.dumps(again.snapshot)) == again.snapshot


def test_ended_job_is_polled_once_and_never_times_out(clock):
    made = Job("publish", "j1", Service(DONE), clock=clock, status="succeeded")
    assert made.wait().raw == DONE
    assert made.wait(timeout=0).status == "succeeded"


def test_wait_immediately_after_stop_resumes_polling(job):
    made = job(running(), DONE)
    made.stop()
    assert made.wait().status == "succeeded"


def test_elapsed_time_of_an_attached_job_comes_from_the_service(clock):
    reply = {
        "status": "succeeded",
        "createdAt": "2026-11-20T09:00:00.000Z",
        "finishedAt": "2026-11-20T09:00:31.000Z",
    }
    assert Job("inference", "j1", Service(reply), clock=clock, attached=True).wait().elapsed == 31


def test_permalink_is_found_in_any_field_and_validated(job):
    nested = {"status": "succeeded", "publish": {"permalink": "https://example.org/p/1"}}
    assert job(nested, kind="publish").wait().permalink == "https://example.org/p/1"
    for link in (
        "javascript:alert(1)",
        "https://a.example/\n",
        "https://a/\u202egnp",
        "https:///<b>",
    ):
        hostile = {"status": "succeeded", "permalink": link}
        assert job(hostile, kind="publish").wait().permalink is None
