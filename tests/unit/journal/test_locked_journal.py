"""A locked or unwritable journal: no entry is lost, and no request is sent unrecorded."""

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
from wonda_widgets.journal.reviews import Vote
from wonda_widgets.models import Snapshot
from wonda_widgets.utils import event_loop

BODY = b'{"model":"m","prompt":"a harbor"}'

HOLD_LOCK = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], isolation_level=None)
file.execute(sys.argv[2])
print("held", flush=True)
sys.stdin.read()  # until this process is killed
"""


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(file_problems, "BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr(database, "LOCK_WARNING_SECONDS", 0.1)
    monkeypatch.setattr(database, "EXIT_WAIT_SECONDS", 0.3)
    monkeypatch.setattr(database, "FILE_RETRY_SECONDS", 0.0)


@pytest.fixture
def lock_file():
    """Lock a file from another process, and return a function that unlocks it."""
    holders = []

    def lock(path, statement="BEGIN IMMEDIATE"):
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD_LOCK, str(path), statement],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        holders.append(holder)
        assert holder.stdout.readline() == b"held\n"

        def unlock():
            holder.kill()  # a forked child may hold the other end of its stdin
            holder.communicate()

        return unlock

    yield lock
    for holder in holders:
        with contextlib.suppress(ValueError):
            holder.kill()
            holder.communicate()


@pytest.fixture
def open_journal(tmp_path):
    journals = []

    def open_one(path=tmp_path / "journal.db"):
        journals.append(Journal(path))
        return journals[-1]

    yield open_one
    for each in journals:
        each.close()


def begin(journal, same_as="", kind="inference"):
    return journal.begin_request(BASE, kind, BODY, same_as)


def recent(journal):
    return journal.recent(BASE, 50).result(20)


def stays_undone(future):
    """Check that a future is not done after the time of many attempts."""
    with pytest.raises(TimeoutError):
        future.result(0.5)
    return True


# ---------------------------------------------------------------- locks


@pytest.mark.parametrize("earlier_requests", [0, 1])
def test_request_waits_for_a_locked_journal(open_journal, tmp_path, lock_file, earlier_requests):
    path = tmp_path / "journal.db"
    journal, other = open_journal(), open_journal()
    begin(other).result(20)
    for _ in range(earlier_requests):
        begin(journal).result(20)
    unlock = lock_file(path)
    pending = begin(journal, "same")
    with pytest.warns(database.JournalWarning, match="locked"):
        stays_undone(pending)
    unlock()
    intent, earlier = pending.result(20)
    assert earlier is None
    assert journal.path == path
    assert not journal.problem
    assert recent(other)[0].intent == intent


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_request_waits_for_a_new_locked_file(open_journal, tmp_path, lock_file, statement):
    path = tmp_path / "journal.db"
    unlock = lock_file(path, statement)
    journal = open_journal()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pending = begin(journal)
        assert stays_undone(pending)
    unlock()
    pending.result(20)
    assert journal.path == path
    assert len(recent(open_journal())) == 1


def test_damaged_locked_file_is_renamed_when_unlocked(open_journal, tmp_path, monkeypatch):
    path = tmp_path / "journal.db"
    begin(open_journal()).result(20)
    is_intact = file_problems.is_intact
    busy = sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    errors = [busy, busy, busy, busy]

    def is_intact_when_unlocked(path):
        if errors:
            raise errors.pop()
        return is_intact(path)

    monkeypatch.setattr(file_problems, "is_intact", is_intact_when_unlocked)
    path.write_bytes(b"not a database" * 100)
    for file in tmp_path.glob("journal.db-*"):
        file.unlink()
    journal = open_journal()
    with pytest.warns(database.JournalWarning, match="damaged"):
        begin(journal).result(20)
    assert journal.path == path
    assert len(file_problems.damaged_files(path)) == 1


def test_locked_journal_delays_sending_and_keeps_the_response(tmp_path, lock_file):
    path = tmp_path / "journal.db"
    received, responded, unlocks = threading.Event(), threading.Event(), []

    def service(request):
        if request.method == "POST":
            received.set()
            unlocks.append(lock_file(path))  # before the response arrives
            responded.set()
            return httpx.Response(200, json={"inferenceJobId": "j1", "status": "idle"})
        return httpx.Response(200, json={"id": "j1", "status": "idle"})

    with ww.Wonda(
        KEY, base_url=BASE, journal=path, transport=httpx.MockTransport(service)
    ) as wonda:
        event_loop.run_blocking(wonda._async.jobs.recent())
        unlock = lock_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            submission = event_loop.spawn(
                wonda._async.images.generate(model="m", prompt="a harbor")
            )
            assert not received.wait(0.5)
            unlock()
            assert responded.wait(20)
            assert stays_undone(submission)  # the job is returned only once it is recorded
            unlocks.pop()()
            assert submission.result(20).id == "j1"
        [row] = Journal(path).recent(wonda._async._core.journal_key, 5).result(20)
        assert (row.state, row.job_id) == ("accepted", "j1")


def test_closing_a_locked_journal_does_not_wait_and_loses_nothing(
    open_journal, tmp_path, lock_file
):
    other, journal = open_journal(), open_journal()
    intent, _ = begin(journal).result(20)
    unlock = lock_file(tmp_path / "journal.db")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pending = journal.mark_accepted(intent, "j1")
        started = time.monotonic()
        journal.close()
        assert time.monotonic() - started < 0.5
        with pytest.raises(ClosedError):
            begin(journal)
        assert stays_undone(pending)
    unlock()
    assert pending.result(20)
    assert recent(other)[0].job_id == "j1"


RECORD_AND_EXIT = """
import sys
from wonda_widgets.journal import database, file_problems
from wonda_widgets.journal.journal import Journal
from wonda_widgets.journal.reviews import Vote
file_problems.BUSY_TIMEOUT_SECONDS = 0.05
database.LOCK_WARNING_SECONDS, database.EXIT_WAIT_SECONDS = 0.1, 0.3
journal = Journal(sys.argv[1])
for number in range(50):
    journal.begin_request("https://a.test", "inference", b"{}")
if sys.argv[2] == "closed":
    journal.close()
print("begun", flush=True)
"""


@pytest.mark.parametrize("state", ["open", "closed"])
def test_locked_journal_does_not_block_exit(open_journal, tmp_path, lock_file, state):
    begin(open_journal()).result(20)
    unlock = lock_file(tmp_path / "journal.db")
    completed = subprocess.run(
        [sys.executable, "-c", RECORD_AND_EXIT, str(tmp_path / "journal.db"), state],
        capture_output=True,
        timeout=60,
        check=False,
    )
    unlock()
    assert completed.returncode == 0
    assert b"Traceback" not in completed.stderr


@pytest.mark.forks
def test_child_forked_while_the_journal_is_locked_writes_later(open_journal, tmp_path, lock_file):
    journal = open_journal()
    begin(journal).result(20)
    unlock = lock_file(tmp_path / "journal.db")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pending = begin(journal)
        assert stays_undone(pending)
        child = os.fork()
        if child == 0:  # pragma: no cover - another process
            try:
                signal.alarm(30)
                pending_in_child = journal.begin_request(BASE, "inference", BODY)
                with contextlib.suppress(TimeoutError):
                    pending_in_child.result(0.3)
                    os._exit(1)
                pending_in_child.result(20)
                os._exit(0)
            finally:
                os._exit(2)
        time.sleep(0.6)  # by then, the child's request has timed out
        unlock()
        assert os.waitpid(child, 0)[1] == 0
        pending.result(20)
    assert len(recent(journal)) == 3


def test_journal_on_a_file_system_without_locks_uses_memory(
    open_journal, tmp_path, lock_file, monkeypatch
):
    path = tmp_path / "journal.db"
    assert file_problems.supports_locks(tmp_path)
    assert list(tmp_path.iterdir()) == []
    begin(open_journal()).result(20)
    lock_file(path)
    monkeypatch.setattr(file_problems, "supports_locks", lambda _: False)
    journal = open_journal()
    with pytest.warns(database.JournalWarning, match="does not support locks"):
        begin(journal).result(20)
    assert journal.path is None
    assert len(recent(journal)) == 2


# ---------------------------------------------------------------- full disks, missing permissions


@pytest.fixture(params=["max_page_count=1", "query_only=1"], ids=["full disk", "read-only"])
def unwritable_file(request, monkeypatch):
    """Make the journal's file unwritable while the `active` attribute of the result is set."""

    class Unwritable:
        active = False

    open_connection = database.Database._open_connection

    def open_unwritable(self, path):
        connection = open_connection(self, path)
        if path is not None and Unwritable.active:
            connection.execute(f"PRAGMA {request.param}")
        return connection

    monkeypatch.setattr(database.Database, "_open_connection", open_unwritable)
    return Unwritable


def record_in_memory(journal, unwritable_file):
    """Record a request in memory because the file became unwritable; return its intent."""
    unwritable_file.active = True
    # Reconnect, so that the open connection is affected too.
    journal._database._thread.submit(journal._database._disconnect).result(20)
    with pytest.warns(database.JournalWarning, match="in memory"):
        # Long enough to need a new page.
        intent, _ = journal.begin_request(
            BASE, "inference", b'{"model":"m","prompt":"%s"}' % (b"meanwhile " * 2000), "now"
        ).result(20)
    assert journal.path is None
    assert journal.problem
    return intent


def test_changes_in_memory_are_merged_into_the_file(open_journal, tmp_path, unwritable_file):
    journal = open_journal()
    first, _ = begin(journal).result(20)
    plan, _ = journal.saved_plans.resume_or_start(BASE, "plan", b"{}", None).result(20)
    intent = record_in_memory(journal, unwritable_file)
    journal.mark_accepted(first, "j0").result(20)
    journal.mark_accepted(intent, "j1", "idle").result(20)
    journal.update_status(BASE, "inference", "j1", Snapshot(status="locked", raw={})).result(20)
    done = {"status": "succeeded", "outputs": [{"media": {"mediaId": "m1", "url": "u"}}]}
    journal.update_status(BASE, "inference", "j1", Snapshot(status="succeeded", raw=done)).result(
        20
    )
    journal.images.mark(first, favorite=True, note="a lighthouse").result(20)
    journal.saved_plans.set_finished(plan.id, finished=True).result(20)
    unwritable_file.active = False
    last, _ = begin(journal).result(20)
    assert journal.path == tmp_path / "journal.db"
    assert not journal.problem

    other = open_journal()
    rows = {row.intent: row for row in recent(other)}
    assert set(rows) == {first, intent, last}
    assert (rows[intent].job_id, rows[intent].status) == ("j1", "succeeded")
    assert rows[first].job_id == "j0"
    assert other.images.marks([first]).result(20)[first].note == "a lighthouse"
    assert other.images.count(BASE, Query(text="meanwhile")).result(20) == 1
    words = "SELECT rowid FROM words WHERE words MATCH 'lighthouse'"
    assert len(other._database.run(lambda c: c.execute(words).fetchall()).result(20)) == 1
    assert other.saved_plans.unfinished(BASE, 7).result(20) == []
    statuses = "SELECT status FROM status WHERE intent=? ORDER BY at"
    status_rows = other._database.run(lambda c: c.execute(statuses, (intent,)).fetchall()).result(
        20
    )
    assert [row["status"] for row in status_rows] == ["locked", "succeeded"]


def test_merge_keeps_marks_that_another_process_set_meanwhile(open_journal, unwritable_file):
    journal, other = open_journal(), open_journal()
    first, _ = begin(journal).result(20)
    journal.images.mark(first, note="before").result(20)
    record_in_memory(journal, unwritable_file)
    journal.images.mark(first, rating=5).result(20)
    unwritable_file.active = False
    other.images.mark(first, favorite=True, note="elsewhere").result(20)
    begin(journal).result(20)
    assert not journal.problem
    marks = other.images.marks([first]).result(20)[first]
    assert (marks.favorite, marks.rating, marks.note) == (True, 5, "elsewhere")


def test_votes_collections_and_snippets_in_memory_are_merged(open_journal, unwritable_file):
    journal, other = open_journal(), open_journal()
    first, _ = begin(journal).result(20)
    journal.snippets.save({"style:old": "x"}).result(20)
    journal.collections.add(BASE, "old", [first]).result(20)
    record_in_memory(journal, unwritable_file)
    review = journal.reviews.open(BASE, "Which one?", "compare", ["a", "b"]).result(20)
    vote = Vote("", "name:ana", "Ana", "a", "b", "left", "", 0.0)
    assert journal.reviews.vote(review.id, vote).result(20) is None
    journal.snippets.save({"style:new": "y"}).result(20)
    journal.snippets.remove("style:old").result(20)
    journal.collections.remove(BASE, "old", [first]).result(20)
    journal.collections.add(BASE, "new", [first]).result(20)
    unwritable_file.active = False
    other.snippets.save({"style:other": "z"}).result(20)
    begin(journal).result(20)
    assert not journal.problem
    assert [each.choice for each in other.reviews.votes(review.id).result(20)] == ["left"]
    assert other.collections.names(BASE).result(20) == {"new": 1}
    assert [each.name for each in other.snippets.all().result(20)] == ["style:new", "style:other"]


def test_file_that_stays_unwritable_is_reported_only_once(open_journal, unwritable_file):
    journal = open_journal()
    begin(journal).result(20)
    intent = record_in_memory(journal, unwritable_file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            begin(journal).result(20)
    assert journal.path is None
    assert intent in {row.intent for row in recent(journal)}
    unwritable_file.active = False
    assert len(recent(journal)) == 5
    assert journal.path is not None
    assert len(recent(open_journal())) == 5


def test_merge_keeps_states_recorded_by_other_processes(open_journal, unwritable_file):
    journal, other = open_journal(), open_journal()
    posted, dismissed, accepted = (begin(journal, kind="publish").result(20)[0] for _ in range(3))
    record_in_memory(journal, unwritable_file)
    journal.mark_unknown(posted, "no answer").result(20)
    journal.mark_unknown(dismissed, "no answer").result(20)
    journal.mark_accepted(accepted, "j3").result(20)
    unwritable_file.active = False
    other.mark_posted(posted, "https://instagram.test/p/1", None).result(20)
    other.mark_dismissed(dismissed).result(20)
    other.mark_unknown(accepted, "no answer").result(20)
    begin(journal).result(20)
    assert journal.path is not None
    [first] = other.find_by_intent(posted).result(20)
    [second] = other.find_by_intent(dismissed).result(20)
    [third] = other.find_by_intent(accepted).result(20)
    assert (first.state, first.permalink) == ("posted", "https://instagram.test/p/1")
    assert second.state == "dismissed"
    assert (third.state, third.job_id) == ("accepted", "j3")


def test_changes_in_memory_are_merged_once_the_file_is_unlocked(
    open_journal, tmp_path, unwritable_file, lock_file
):
    journal = open_journal()
    begin(journal).result(20)
    record_in_memory(journal, unwritable_file)
    unwritable_file.active = False
    unlock = lock_file(tmp_path / "journal.db")
    begin(journal).result(20)
    assert journal.path is None
    unlock()
    begin(journal).result(20)
    assert journal.path is not None
    assert len(recent(open_journal())) == 4


def test_changes_in_memory_are_merged_when_the_journal_closes(
    open_journal, unwritable_file, monkeypatch
):
    monkeypatch.setattr(
        database, "FILE_RETRY_SECONDS", 3600.0
    )  # no retry before the journal closes
    journal = open_journal()
    intent = record_in_memory(journal, unwritable_file)
    unwritable_file.active = False
    journal.close()
    journal._database._thread.shutdown(wait=True)
    assert [row.intent for row in recent(open_journal())] == [intent]


@pytest.mark.forks
def test_forked_child_of_a_process_in_memory_uses_the_file(open_journal, unwritable_file):
    journal = open_journal()
    begin(journal).result(20)
    record_in_memory(journal, unwritable_file)
    unwritable_file.active = False
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            signal.alarm(30)
            journal.begin_request(BASE, "inference", BODY).result(10)
            os._exit(0 if journal.path is not None else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert len(recent(journal)) == 3
    assert journal.path is not None


FORK_AFTER_CLOSE = """
import os, sys
from wonda_widgets.journal.journal import Journal
from wonda_widgets.journal.reviews import Vote
journal = Journal(sys.argv[1])
journal.begin_request("https://a.test", "inference", b"{}").result()
journal.close()
child = os.fork()
if child == 0:
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.forks
def test_child_forked_after_closing_a_journal_does_not_hang(tmp_path):
    subprocess.run(
        [sys.executable, "-c", FORK_AFTER_CLOSE, str(tmp_path / "journal.db")],
        timeout=30,
        check=True,
    )


RECORD_IN_MEMORY = """import sys, warnings, wonda_widgets as ww
from pathlib import Path
warnings.simplefilter("ignore")
folder = Path(sys.argv[1])
folder.write_text("a file")
wonda = ww.Wonda.sandbox(seconds=0.01, journal=folder / "journal.db")
wonda.images.generate(model="z-image", prompt="Noted in memory").wait()
folder.unlink()
folder.mkdir()
"""


def test_changes_in_memory_are_merged_when_a_script_ends(tmp_path):
    folder = tmp_path / "folder"
    subprocess.run([sys.executable, "-c", RECORD_IN_MEMORY, str(folder)], check=True, timeout=60)
    with ww.Wonda.sandbox(journal=folder / "journal.db") as wonda:
        assert [each.prompt for each in wonda.history.search()] == ["Noted in memory"]


def test_idle_journal_in_memory_retries_its_file(tmp_path, monkeypatch, settled):
    monkeypatch.setattr(database, "FILE_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(database, "IDLE_RETRY_SECONDS", 0.05)
    folder = tmp_path / "folder"
    folder.write_text("a file")
    wonda = ww.Wonda.sandbox(seconds=0.01, journal=folder / "journal.db")
    with pytest.warns(database.JournalWarning):
        job = wonda.images.generate(model="z-image", prompt="Noted in memory")
    job.wait()
    folder.unlink()  # the next attempt creates the folder
    settled(lambda: (folder / "journal.db").exists() and not wonda.jobs.problem)
    wonda.close()
