"""A locked journal or a full disk: nothing is lost, and nothing is sent unrecorded."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import warnings

import httpx
import pytest
from conftest import BASE, KEY

import wonda_widgets as ww
from wonda_widgets.errors import ClosedError
from wonda_widgets.journal import database, file_problems
from wonda_widgets.journal.images import Query
from wonda_widgets.journal.journal import Journal
from wonda_widgets.models import Snapshot
from wonda_widgets.utils import event_loop

BODY = b'{"model":"m","prompt":"a harbour"}'

HOLD = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute(sys.argv[2])
print("held", flush=True)
sys.stdin.read()  # until it is killed
"""


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(file_problems, "BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(database, "LOCK_WARNING_SECONDS", 0.1)
    monkeypatch.setattr(database, "EXIT_WAIT_SECONDS", 0.3)
    monkeypatch.setattr(database, "FILE_RETRY_SECONDS", 0.0)


@pytest.fixture
def locked():
    """Another process locks a file; what is given ends that."""
    holders = []

    def hold(path, statement="BEGIN IMMEDIATE"):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), statement],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        holders.append(holder)
        assert holder.stdout.readline() == b"held\n"

        def free():
            holder.kill()  # a forked child may hold the other end of its stdin
            holder.communicate()

        return free

    yield hold
    for holder in holders:
        with contextlib.suppress(ValueError):
            holder.kill()
            holder.communicate()


@pytest.fixture
def made(tmp_path):
    opened = []

    def make(path=tmp_path / "journal.db"):
        opened.append(Journal(path))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def begin(kept, same_as="", kind="inference"):
    return kept.begin_request(BASE, kind, BODY, same_as)


def recent(kept):
    return kept.recent(BASE, 50).result(20)


def stays_undone(future):
    """Whether a future is not done in many times what one try takes."""
    with pytest.raises(TimeoutError):
        future.result(0.5)
    return True


# ---------------------------------------------------------------- locks


@pytest.mark.parametrize("noted", [0, 1])
def test_request_waits_for_a_locked_journal(made, tmp_path, locked, noted):
    path = tmp_path / "journal.db"
    kept, other = made(), made()
    begin(other).result(20)
    for _ in range(noted):
        begin(kept).result(20)
    free = locked(path)
    begun = begin(kept, "same")
    with pytest.warns(database.JournalWarning, match="locked"):
        stays_undone(begun)
    free()
    intent, earlier = begun.result(20)
    assert earlier is None
    assert kept.path == path
    assert not kept.problem
    assert recent(other)[0].intent == intent


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_new_locked_file_is_waited_for(made, tmp_path, locked, statement):
    path = tmp_path / "journal.db"
    free = locked(path, statement)
    kept = made()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begun = begin(kept)
        assert stays_undone(begun)
    free()
    begun.result(20)
    assert kept.path == path
    assert len(recent(made())) == 1


def test_damaged_locked_file_is_renamed_when_unlocked(made, tmp_path, monkeypatch):
    path = tmp_path / "journal.db"
    begin(made()).result(20)
    real = file_problems.is_intact
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    answers = [busy, busy, busy, busy]

    def sound(path):
        if answers:
            raise answers.pop()
        return real(path)

    monkeypatch.setattr(file_problems, "is_intact", sound)
    path.write_bytes(b"no database at all" * 100)
    for side in tmp_path.glob("journal.db-*"):
        side.unlink()
    kept = made()
    with pytest.warns(database.JournalWarning, match="damaged"):
        begin(kept).result(20)
    assert kept.path == path
    assert len(file_problems.damaged_files(path)) == 1


def test_requests_are_recorded_before_sending_and_responses_are_kept(tmp_path, locked):
    path = tmp_path / "journal.db"
    arrived, answered, frees = threading.Event(), threading.Event(), []

    def service(request):
        if request.method == "POST":
            arrived.set()
            frees.append(locked(path))  # as the answer comes back
            answered.set()
            return httpx.Response(200, json={"inferenceJobId": "j1", "status": "idle"})
        return httpx.Response(200, json={"id": "j1", "status": "idle"})

    with ww.Wonda(
        KEY, base_url=BASE, journal=path, transport=httpx.MockTransport(service)
    ) as wonda:
        event_loop.run_blocking(wonda._async.jobs.recent())
        free = locked(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            asked = event_loop.spawn(wonda._async.images.generate(model="m", prompt="a harbour"))
            assert not arrived.wait(0.5)
            free()
            assert answered.wait(20)
            assert stays_undone(asked)  # whoever has the job finds it in the journal
            frees.pop()()
            assert asked.result(20).id == "j1"
        [row] = Journal(path).recent(wonda._async._core.journal_key, 5).result(20)
        assert (row.state, row.job_id) == ("accepted", "j1")


def test_close_while_locked_does_not_wait_and_loses_nothing(made, tmp_path, locked):
    other, kept = made(), made()
    intent, _ = begin(kept).result(20)
    free = locked(tmp_path / "journal.db")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = kept.mark_accepted(intent, "j1")
        before = time.monotonic()
        kept.close()
        assert time.monotonic() - before < 0.5
        with pytest.raises(ClosedError):
            begin(kept)
        assert stays_undone(written)
    free()
    assert written.result(20)
    assert recent(other)[0].job_id == "j1"


ENDING = """
import sys
from wonda_widgets.journal import database, file_problems
from wonda_widgets.journal.journal import Journal
file_problems.BUSY_TIMEOUT_SECONDS = 0.05
database.LOCK_WARNING_SECONDS, database.EXIT_WAIT_SECONDS = 0.1, 0.3
kept = Journal(sys.argv[1])
for number in range(50):
    kept.begin_request("https://a.test", "inference", b"{}")
if sys.argv[2] == "closed":
    kept.close()
print("begun", flush=True)
"""


@pytest.mark.parametrize("how", ["open", "closed"])
def test_locked_journal_does_not_block_exit(made, tmp_path, locked, how):
    begin(made()).result(20)
    free = locked(tmp_path / "journal.db")
    ended = subprocess.run(
        [sys.executable, "-c", ENDING, str(tmp_path / "journal.db"), how],
        capture_output=True,
        timeout=60,
        check=False,
    )
    free()
    assert ended.returncode == 0
    assert b"Traceback" not in ended.stderr


@pytest.mark.forks
def test_child_forked_while_locked_ends_and_writes(made, tmp_path, locked):
    kept = made()
    begin(kept).result(20)
    free = locked(tmp_path / "journal.db")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begun = begin(kept)
        assert stays_undone(begun)
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            try:
                signal.alarm(30)
                begun_here = kept.begin_request(BASE, "inference", BODY)
                with contextlib.suppress(TimeoutError):
                    begun_here.result(0.3)
                    os._exit(1)
                begun_here.result(20)
                os._exit(0)
            finally:
                os._exit(2)
        time.sleep(0.6)  # the child is refused by then
        free()
        assert os.waitpid(child, 0)[1] == 0
        begun.result(20)
    assert len(recent(kept)) == 3


def test_file_system_without_locks_uses_memory(made, tmp_path, locked, monkeypatch):
    path = tmp_path / "journal.db"
    assert file_problems.supports_locks(tmp_path)
    assert list(tmp_path.iterdir()) == []
    begin(made()).result(20)
    locked(path)
    monkeypatch.setattr(file_problems, "supports_locks", lambda _: False)
    kept = made()
    with pytest.warns(database.JournalWarning, match="does not support locks"):
        begin(kept).result(20)
    assert kept.path is None
    assert len(recent(kept)) == 2


# ---------------------------------------------------------------- full disks, missing rights


@pytest.fixture(params=["max_page_count=1", "query_only=1"], ids=["full", "no rights"])
def broken(request, monkeypatch):
    """Has every file that is opened be one that cannot be written, while its `is_so`."""

    class Broken:
        is_so = False

    real = database.Database._open_connection

    def opened(self, path):
        connection = real(self, path)
        if path is not None and Broken.is_so:
            connection.execute(f"PRAGMA {request.param}")
        return connection

    monkeypatch.setattr(database.Database, "_open_connection", opened)
    return Broken


def gone_to_memory(kept, broken):
    """A request in a journal whose file cannot be written any more."""
    broken.is_so = True
    # As a disk becomes full, or rights are taken away, under the open connection.
    kept._database._thread.submit(kept._database._disconnect).result(20)
    with pytest.warns(database.JournalWarning, match="in memory"):
        # Enough to need a page of its own.
        intent, _ = kept.begin_request(
            BASE, "inference", b'{"model":"m","prompt":"%s"}' % (b"meanwhile " * 2000), "now"
        ).result(20)
    assert kept.path is None
    assert kept.problem
    return intent


def test_changes_in_memory_are_merged_into_the_file(made, tmp_path, broken):
    kept = made()
    before, _ = begin(kept).result(20)
    batch, _ = kept.saved_plans.resume_or_start(BASE, "plan", b"{}", None).result(20)
    intent = gone_to_memory(kept, broken)
    kept.mark_accepted(before, "j0").result(20)
    kept.mark_accepted(intent, "j1", "idle").result(20)
    kept.update_status(BASE, "inference", "j1", Snapshot(status="locked", raw={})).result(20)
    done = {"status": "succeeded", "outputs": [{"media": {"mediaId": "m1", "url": "u"}}]}
    kept.update_status(BASE, "inference", "j1", Snapshot(status="succeeded", raw=done)).result(20)
    kept.images.mark(before, favorite=True, note="a lighthouse").result(20)
    kept.saved_plans.set_finished(batch.id, finished=True).result(20)
    broken.is_so = False
    last, _ = begin(kept).result(20)
    assert kept.path == tmp_path / "journal.db"
    assert not kept.problem

    other = made()
    rows = {row.intent: row for row in recent(other)}
    assert set(rows) == {before, intent, last}
    assert (rows[intent].job_id, rows[intent].status) == ("j1", "succeeded")
    assert rows[before].job_id == "j0"
    assert other.images.marks([before]).result(20)[before].note == "a lighthouse"
    assert other.images.count(BASE, Query(text="meanwhile")).result(20) == 1
    words = "SELECT rowid FROM words WHERE words MATCH 'lighthouse'"
    assert len(other._database.run(lambda c: c.execute(words).fetchall()).result(20)) == 1
    assert other.saved_plans.unfinished(BASE, 7).result(20) == []
    statuses = "SELECT status FROM status WHERE intent=? ORDER BY at"
    told = other._database.run(lambda c: c.execute(statuses, (intent,)).fetchall()).result(20)
    assert [row["status"] for row in told] == ["locked", "succeeded"]


def test_still_unwritable_file_is_not_reported_again(made, broken):
    kept = made()
    begin(kept).result(20)
    intent = gone_to_memory(kept, broken)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            begin(kept).result(20)
    assert kept.path is None
    assert intent in {row.intent for row in recent(kept)}
    broken.is_so = False
    assert len(recent(kept)) == 5
    assert kept.path is not None
    assert len(recent(made())) == 5


def test_merge_keeps_results_of_other_processes(made, broken):
    kept, other = made(), made()
    posted, refused, asked = (begin(kept, kind="publish").result(20)[0] for _ in range(3))
    gone_to_memory(kept, broken)
    kept.mark_unknown(posted, "no answer").result(20)
    kept.mark_unknown(refused, "no answer").result(20)
    kept.mark_accepted(asked, "j3").result(20)
    broken.is_so = False
    other.mark_posted(posted, "https://instagram.test/p/1", None).result(20)
    other.mark_dismissed(refused).result(20)
    other.mark_unknown(asked, "no answer").result(20)
    begin(kept).result(20)
    assert kept.path is not None
    [first] = other.find_by_intent(posted).result(20)
    [second] = other.find_by_intent(refused).result(20)
    [third] = other.find_by_intent(asked).result(20)
    assert (first.state, first.permalink) == ("posted", "https://instagram.test/p/1")
    assert second.state == "dismissed"
    assert (third.state, third.job_id) == ("accepted", "j3")


def test_locked_file_is_merged_later(made, tmp_path, broken, locked):
    kept = made()
    begin(kept).result(20)
    gone_to_memory(kept, broken)
    broken.is_so = False
    free = locked(tmp_path / "journal.db")
    begin(kept).result(20)
    assert kept.path is None
    free()
    begin(kept).result(20)
    assert kept.path is not None
    assert len(recent(made())) == 4


def test_changes_in_memory_are_merged_at_exit(made, broken, monkeypatch):
    monkeypatch.setattr(database, "FILE_RETRY_SECONDS", 3600.0)  # it is not time to try again yet
    kept = made()
    intent = gone_to_memory(kept, broken)
    broken.is_so = False
    kept.close()
    kept._database._thread.shutdown(wait=True)
    assert [row.intent for row in recent(made())] == [intent]


@pytest.mark.forks
def test_child_of_a_process_in_memory_uses_the_file(made, broken):
    kept = made()
    begin(kept).result(20)
    gone_to_memory(kept, broken)
    broken.is_so = False
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            signal.alarm(30)
            kept.begin_request(BASE, "inference", BODY).result(10)
            os._exit(0 if kept.path is not None else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert len(recent(kept)) == 3
    assert kept.path is not None


FORKED = """
import os, sys
from wonda_widgets.journal.journal import Journal
kept = Journal(sys.argv[1])
kept.begin_request("https://a.test", "inference", b"{}").result()
kept.close()
child = os.fork()
if child == 0:
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.forks
def test_child_after_a_closed_journal_does_not_hang(tmp_path):
    subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path / "journal.db")], timeout=30, check=True
    )


LEFT = """import sys, warnings, wonda_widgets as ww
from pathlib import Path
warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
folder.write_text("in the way")
wonda = ww.Wonda.sandbox(seconds=0.01, journal=folder / "journal.db")
wonda.images.generate(model="z-image", prompt="Noted in memory").wait()
folder.unlink()
folder.mkdir()
"""


def test_changes_in_memory_are_merged_when_a_script_ends(tmp_path):
    folder = tmp_path / "folder"
    subprocess.run([sys.executable, "-c", LEFT, str(folder)], check=True, timeout=60)
    with ww.Wonda.sandbox(journal=folder / "journal.db") as wonda:
        assert [each.prompt for each in wonda.history.search()] == ["Noted in memory"]


def test_unusable_file_is_retried_when_idle(tmp_path, monkeypatch, settled):
    monkeypatch.setattr(database, "FILE_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(database, "IDLE_RETRY_SECONDS", 0.05)
    folder = tmp_path / "folder"
    folder.write_text("in the way")
    wonda = ww.Wonda.sandbox(seconds=0.01, journal=folder / "journal.db")
    with pytest.warns(database.JournalWarning):
        job = wonda.images.generate(model="z-image", prompt="Noted in memory")
    job.wait()
    folder.unlink()  # the next attempt makes the folder
    settled(lambda: (folder / "journal.db").exists() and not wonda.jobs.problem)
    wonda.close()
