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
SUCCEEDED = {"status": "succeeded", "outputs": [{"media": None}, {"media": MEDIA}]}


def running(status="in_progress"):
    return {"status": status, "outputs": []}


class Service:
    """Return the given responses in turn, the last one repeatedly; raise the exceptions."""

    def __init__(self, *responses, gate=None):
        self.responses = list(responses)
        self.polls = 0
        self.gate = gate

    async def __call__(self):
        if self.gate:
            while not self.gate.is_set():
                await asyncio.sleep(0.001)
        self.polls += 1
        response = self.responses[min(self.polls, len(self.responses)) - 1]
        if isinstance(response, Exception):
            raise response
        return response


def all_updates(job, gate):
    """Return every update: the service responds only once the iteration watches the job."""
    watch = job.watch

    def watch_then_open(listener):
        unwatch = watch(listener)
        gate.set()
        return unwatch

    job.watch = watch_then_open
    return list(job.updates())


@pytest.fixture
def create_job(clock):
    return lambda *responses, kind="inference", **options: Job(
        kind, "j1", Service(*responses), clock=clock, **options
    )


def test_job_is_polled_at_the_documented_intervals(create_job, clock):
    responses = [running(status) for status in ("idle", "locked", "in_progress", "in_progress")]
    job = create_job(*responses, SUCCEEDED)
    done = job.wait()
    assert done.status == "succeeded"
    assert done.terminal
    assert job.done
    assert done.media.media_id == "m1"
    assert done.raw == SUCCEEDED
    assert clock.slept == [1.0, 1.5, 2.25, 3.375]
    assert done.elapsed == sum(clock.slept)


@pytest.mark.parametrize(
    "status", ["idle", "locked", "in_progress", "queued", "scheduled", "w\u00f6rd"]
)
def test_job_shows_other_statuses_unchanged_while_polling(clock, status):
    gate = threading.Event()
    gate.set()
    job = Job("publish", "j1", Service(running(status), SUCCEEDED), clock=clock)
    statuses = [snapshot.status for snapshot in job.updates()]
    assert statuses in ([status, "succeeded"], ["succeeded"])
    assert job.wait().status == "succeeded"


FINISHED = {"finishedAt": "2026-11-26T10:00:00.000Z"}
OUTPUTS = {"outputs": [{"media": MEDIA}]}
PERMALINK = {"permalink": "https://www.instagram.com/p/abc/"}


@pytest.mark.parametrize(
    ("kind", "response", "status"),
    [
        *(
            ("inference", {"status": word, **FINISHED, "errorMessage": "Took too long"}, "failed")
            for word in ("aborted", "expired", "cancelled", "error", "timed_out", "w\u00f6rd")
        ),
        ("inference", {"status": "completed", **FINISHED, **OUTPUTS}, "succeeded"),
        ("inference", {"status": "partially_done", **FINISHED, **OUTPUTS}, "succeeded"),
        ("inference", {"status": "completed", **FINISHED}, "failed"),
        ("inference", {"status": "aborted", "finishedAt": 1764150000}, "failed"),
        ("publish", {"status": "live", **PERMALINK}, "succeeded"),
        ("publish", {"status": "completed", **FINISHED}, "succeeded"),
        ("publish", {"status": "rejected", "errorMessage": "Took too long"}, "failed"),
        ("publish", {"status": "completed", "errorMessage": "Took too long"}, "failed"),
        ("publish", {"status": "expired", **FINISHED}, "failed"),
        ("publish", {"status": "w\u00f6rd", "errorMessage": "Took too long"}, "failed"),
        ("publish", {"status": "Timed out", "errorMessage": "Took too long"}, "failed"),
        ("inference", {"status": "SUCCEEDED", **OUTPUTS}, "succeeded"),
        ("inference", {"status": " Failed", "errorMessage": "Took too long"}, "failed"),
        ("inference", {"status": "Canceled"}, "canceled"),
    ],
)
def test_undocumented_status_with_evidence_of_an_end_ends_the_job(
    create_job, kind, response, status
):
    job = create_job(running(), response, kind=kind)
    *_, last = job.updates()
    assert (last.status, last.terminal, job.done) == (status, True, True)
    assert last.raw == response
    if status == "failed":
        with pytest.raises(ww.JobFailedError) as caught:
            job.wait()
        assert response.get("errorMessage", "") in str(caught.value)
        assert "Failed" in response["status"] or repr(response["status"]) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "response"),
    [
        ("inference", {"status": "rendering", "finishedAt": None}),
        ("inference", {"status": "rendering", "finishedAt": ""}),
        ("inference", {"status": "rendering", **OUTPUTS}),  # possibly a first draft
        ("inference", {"status": "retrying", "errorMessage": "The provider was busy"}),
        ("publish", {"status": "retrying"}),
        # The error of the first attempt; reported as failed, the post would be repeated.
        ("publish", {"status": "retrying", "errorMessage": "Instagram was busy"}),
        ("publish", {"status": "container_pending", "errorMessage": "Not ready yet"}),
        # A documented status keeps its documented meaning.
        ("inference", {"status": "in_progress", **FINISHED}),
    ],
)
def test_undocumented_status_without_evidence_of_an_end_is_polled_again(
    create_job, clock, kind, response
):
    assert (
        create_job(response, response, response, SUCCEEDED, kind=kind).wait().status == "succeeded"
    )
    assert clock.slept == [1.0, 1.5, 2.25]


def test_very_long_statuses_and_messages_are_shortened(create_job):
    job = create_job(running("x" * 100_000), {"status": "failed", "errorMessage": "y " * 100_000})
    *earlier, last = job.updates()
    assert {snapshot.status for snapshot in earlier} <= {"submitted", "x" * 60 + "…"}
    assert last.error_message.startswith("y y")
    assert len(last.error_message) < 2_000


def test_updates_yield_each_change_once(clock):
    gate = threading.Event()
    service = Service(running("idle"), running("idle"), running("locked"), SUCCEEDED, gate=gate)
    job = Job("inference", "j1", service, clock=clock)
    statuses = [snapshot.status for snapshot in all_updates(job, gate)]
    assert statuses == ["idle", "locked", "succeeded"]


@pytest.mark.parametrize(
    ("message", "shown"), [("The provider said no", "The provider said no"), (None, "Job failed")]
)
def test_failed_job_raises_the_message_of_the_service(create_job, message, shown):
    job = create_job({"status": "failed", "errorMessage": message})
    with pytest.raises(ww.JobFailedError) as caught:
        job.wait()
    assert str(caught.value) == shown
    assert caught.value.hint in caught.value.__notes__
    assert caught.value.job is job
    assert caught.value.snapshot.status == "failed"


def test_canceled_job_raises_job_canceled_error(create_job):
    with pytest.raises(ww.JobCanceledError) as caught:
        create_job({"status": "canceled"}).wait()
    assert str(caught.value) == "Job was canceled"


@pytest.mark.parametrize(
    "outputs", [[], [{"media": None}], [{"media": {"url": "https://x.example"}}], None, "text"]
)
def test_media_of_a_succeeded_job_without_outputs_raises(create_job, outputs):
    done = create_job({"status": "succeeded", "outputs": outputs}).wait()
    with pytest.raises(ww.NoMediaError) as caught:
        done.media  # noqa: B018
    assert str(caught.value) == "No generated media found"


@pytest.mark.parametrize(
    "error",
    [
        ww.ServiceUnreachableError("dropped"),
        ww.ServerError(503, "", "down"),
        NotJSONError("a maintenance page"),
        ww.RateLimitError(429, "rate_limit_exceeded", "slow down", retry_after=9.0),
        ww.ServerError(503, "", "maintenance", retry_after=9.0),
    ],
)
def test_temporary_poll_error_is_reported_and_polling_continues(clock, error):
    gate = threading.Event()
    job = Job("inference", "j1", Service(running(), error, SUCCEEDED, gate=gate), clock=clock)
    snapshots = all_updates(job, gate)
    assert [bool(snapshot.problem) for snapshot in snapshots] == [False, True, False]
    assert "retrying" in snapshots[1].problem
    assert snapshots[1].status == "in_progress"
    expected_wait = getattr(error, "retry_after", None) or 1.5
    assert clock.slept == [1.0, expected_wait]


def test_failed_first_poll_is_reported_as_a_problem(clock):
    gate = threading.Event()
    service = Service(ww.ServiceUnreachableError("no"), SUCCEEDED, gate=gate)
    job = Job("inference", "j1", service, clock=clock)
    assert [snapshot.problem for snapshot in all_updates(job, gate)] == [NO_ANSWER, None]


@pytest.mark.parametrize(
    "error",
    [
        ww.AuthenticationError(401, "unauthorized", "no"),
        ww.PermissionDeniedError(403, "forbidden", "no"),
        ww.NotFoundError(404, "not_found", "no"),
    ],
)
def test_permanent_poll_error_stops_polling(create_job, error):
    job = create_job(running(), error)
    with pytest.raises(type(error)):
        job.wait()
    assert not job.done
    assert not job.snapshot.watching


def test_response_without_a_status_raises(create_job):
    with pytest.raises(ww.UnexpectedReplyError, match="status"):
        create_job({"error": {"message": "?", "code": "?"}}).wait()


def test_earlier_status_that_arrives_late_is_ignored(clock):
    gate = threading.Event()
    service = Service(
        running("in_progress"), running("idle"), running("locked"), SUCCEEDED, gate=gate
    )
    job = Job("inference", "j1", service, clock=clock)
    assert [snapshot.status for snapshot in all_updates(job, gate)] == ["in_progress", "succeeded"]


def test_wait_timeout_does_not_stop_polling(clock):
    gate = threading.Event()
    job = Job("inference", "j1", Service(SUCCEEDED, gate=gate), clock=clock)
    with pytest.raises(ww.JobTimeoutError) as caught:
        job.wait(timeout=0)
    assert isinstance(caught.value, TimeoutError)
    assert job.snapshot.watching
    gate.set()
    assert job.wait().status == "succeeded"


def test_job_supports_simultaneous_wait_await_iteration_and_watch(clock, settled):
    gate = threading.Event()
    job = Job("inference", "j1", Service(running(), SUCCEEDED, gate=gate), clock=clock)
    watched, waited, iterated = [], [], []
    job.watch(lambda snapshot: watched.append(snapshot.status))
    threads = [
        threading.Thread(daemon=True, target=lambda: waited.append(job.wait().status)),
        threading.Thread(
            daemon=True, target=lambda: iterated.extend(s.status for s in job.updates())
        ),
    ]
    for thread in threads:
        thread.start()

    async def in_another_loop():
        async def collect_statuses():
            return [snapshot.status async for snapshot in job.updates()]

        gather = asyncio.gather(job, collect_statuses())
        gate.set()
        return await gather

    done, collected = asyncio.run(in_another_loop())
    for thread in threads:
        thread.join(10)
    settled(lambda: watched[-1:] == ["succeeded"])
    assert done.status == "succeeded"
    assert waited == ["succeeded"]
    assert collected[-1] == iterated[-1] == "succeeded"


def test_wait_after_stop_resumes_polling(clock, settled):
    gate = threading.Event()
    job = Job("inference", "j1", Service(SUCCEEDED, gate=gate), clock=clock)
    job.stop()
    settled(lambda: not job.snapshot.watching)
    assert not job.done
    gate.set()
    assert job.wait().status == "succeeded"


def test_stop_by_another_thread_ends_a_wait(clock, settled):
    gate = threading.Event()
    job = Job("inference", "j1", Service(SUCCEEDED, gate=gate), clock=clock)
    caught = []

    def wait():
        try:
            job.wait()
        except ww.JobNotWatchedError as error:
            caught.append(error)

    thread = threading.Thread(daemon=True, target=wait)
    thread.start()
    settled(lambda: job._listeners)
    job.stop()
    thread.join(10)
    assert "resume" in caught[0].hint


def test_interrupt_ends_the_wait_and_polling_continues(clock, monkeypatch):
    gate = threading.Event()
    job = Job("inference", "j1", Service(SUCCEEDED, gate=gate), clock=clock)

    def interrupt(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("wonda_widgets.utils.event_loop.wait_for_result", interrupt)
        with pytest.raises(KeyboardInterrupt):
            job.wait()
    assert job.snapshot.watching
    gate.set()
    assert job.wait().status == "succeeded"


def test_failing_listener_does_not_affect_the_job(clock, caplog):
    gate = threading.Event()
    job = Job("inference", "j1", Service(running(), SUCCEEDED, gate=gate), clock=clock)
    job.watch(lambda snapshot: 1 / bool(snapshot.raw == {}))
    gate.set()
    assert job.wait().status == "succeeded"
    assert "listener" in caplog.text


def test_blocking_wait_on_the_event_loop_is_refused(create_job):
    from wonda_widgets.utils import event_loop

    job = create_job(SUCCEEDED)

    async def block_the_loop():
        job.wait()

    with pytest.raises(RuntimeError, match="wait for itself"):
        event_loop.run_blocking(block_the_loop())


def test_job_errors_and_snapshots_are_picklable(create_job):
    with pytest.raises(ww.JobFailedError) as caught:
        create_job({"status": "failed", "errorMessage": "no"}).wait()
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.job, again.snapshot.status) == ("no", None, "failed")
    assert pickle.loads(pickle.dumps(again.snapshot)) == again.snapshot


def test_job_known_to_have_ended_is_polled_once_and_never_times_out(clock):
    job = Job("publish", "j1", Service(SUCCEEDED), clock=clock, status="succeeded")
    assert job.wait().raw == SUCCEEDED
    assert job.wait(timeout=0).status == "succeeded"


def test_wait_immediately_after_stop_resumes_polling(create_job):
    job = create_job(running(), SUCCEEDED)
    job.stop()
    assert job.wait().status == "succeeded"


def test_elapsed_time_of_an_attached_job_comes_from_the_service(clock):
    response = {
        "status": "succeeded",
        "createdAt": "2026-11-20T09:00:00.000Z",
        "finishedAt": "2026-11-20T09:00:31.000Z",
    }
    assert (
        Job("inference", "j1", Service(response), clock=clock, attached=True).wait().elapsed == 31
    )


def test_permalink_is_found_in_any_field_and_validated(create_job):
    nested = {"status": "succeeded", "publish": {"permalink": "https://example.org/p/1"}}
    assert create_job(nested, kind="publish").wait().permalink == "https://example.org/p/1"
    for link in (
        "javascript:alert(1)",
        "https://a.example/\n",
        "https://a/\u202egnp",
        "https:///<b>",
    ):
        hostile = {"status": "succeeded", "permalink": link}
        assert create_job(hostile, kind="publish").wait().permalink is None
