"""The journal's file never blocks the package's event loop."""

from __future__ import annotations

import contextlib
import threading
import time

import httpx
import loop_watch
import pytest
from conftest import BASE

from wonda_widgets.journal import database, file_problems
from wonda_widgets.utils import event_loop

REPLY = {
    "id": "j1",
    "status": "succeeded",
    "outputs": [{"media": {"mediaId": "m1", "url": "https://media.example.test/1.png"}}],
}


@pytest.fixture
def service():
    def answer(request):
        if request.method == "POST":
            return httpx.Response(200, json={"inferenceJobId": "j1", "status": "idle"})
        return httpx.Response(200, json=REPLY)

    return answer


@pytest.fixture
def later(kernel):
    """A client that knows a job that has ended only by the journal."""
    first = kernel()
    first.images.generate(model="m", prompt="a harbour").wait()
    assert first.base_url == BASE
    return kernel()


@pytest.fixture
def held(later):
    """Holds the journal's thread up, as a slow disk does."""
    free = threading.Event()
    journal = later._async._core.journal
    journal._database.run(lambda _: free.wait(20), writes=False)
    yield free
    free.set()


async def attached(wonda):
    before = time.perf_counter()
    job = wonda._async.jobs.attach("inference", "j1")
    return job, time.perf_counter() - before


def test_attach_on_the_loop_does_not_wait(later, held):
    job, _ = event_loop.run_blocking(attached(later))
    assert job.request == {}
    assert later._async.jobs.attach("inference", "j1") is job
    held.set()
    event_loop.run_blocking(job.entry_read())
    assert job.request["prompt"] == "a harbour"
    assert job.intent
    assert job.wait(20).media.media_id == "m1"


def test_attach_on_another_thread_waits_briefly(later, held):
    before = time.monotonic()
    job = later.jobs.attach("inference", "j1")
    assert time.monotonic() - before < 10
    held.set()
    event_loop.run_blocking(job.entry_read())
    assert job.request["prompt"] == "a harbour"


def test_job_details_wait_for_the_journal(later, held):
    job, _ = event_loop.run_blocking(attached(later))
    told = event_loop.spawn(later._async.history.of(job))
    held.set()
    assert told.result(20).prompt == "a harbour"


def test_job_without_an_entry_is_polled(kernel):
    wonda = kernel()
    job, _ = event_loop.run_blocking(attached(wonda))
    assert job.wait(20).media.media_id == "m1"
    assert job.request == {}


def test_listeners_get_details_from_the_journal(later, held, settled):
    job, _ = event_loop.run_blocking(attached(later))
    seen = []
    job.watch(seen.append)
    held.set()
    settled(lambda: job.done)
    settled(lambda: seen and seen[-1].terminal)


def test_journal_problem_on_the_loop_does_not_read_the_disk(later, tmp_path, monkeypatch):
    journal = later._async._core.journal
    monkeypatch.setattr(database, "DAMAGE_CHECK_SECONDS", 0.0)
    kept = tmp_path / "kernels.db.damaged-20260101-000000"
    kept.write_bytes(b"")
    journal.flush().result(20)
    looked = []
    real = file_problems.damaged_files

    def look(path, **how):
        looked.append(event_loop.on_loop())
        return real(path, **how)

    monkeypatch.setattr(file_problems, "damaged_files", look)

    async def trouble():
        return later._async.jobs.problem

    assert kept.name in event_loop.run_blocking(trouble())
    assert True not in looked
    kept.unlink()
    assert later.jobs.problem == ""  # elsewhere, as it is now
    journal.flush().result(20)
    assert event_loop.run_blocking(trouble()) == ""
    assert True not in looked


@pytest.mark.parametrize(
    "waits",
    [
        "open(__file__)",
        "import os; os.listdir('.')",
        "import time; time.sleep(0)",
        "import sqlite3; sqlite3.connect(':memory:').close()",
        "import concurrent.futures as f; f.Future().result(0)",
    ],
)
def test_blocking_call_on_the_loop_is_detected(waits):
    """Of the suite's own watch: see `loop_watch`."""
    work = compile(waits, loop_watch.PACKAGE + "anything.py", "exec")

    async def wait():
        with contextlib.suppress(TimeoutError, OSError):
            exec(work, {"__file__": loop_watch.PACKAGE + "no such file"})

    event_loop.run_blocking(wait())
    found, loop_watch.found[:] = list(loop_watch.found), []
    assert len(found) == 1
    with contextlib.suppress(TimeoutError, OSError):
        exec(work, {"__file__": loop_watch.PACKAGE + "no such file"})
    assert not loop_watch.found  # elsewhere it may
