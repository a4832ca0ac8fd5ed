"""The journal: entries, and faults of its file, which never stop other work."""

from __future__ import annotations

import errno
import json
import math
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import warnings
from pathlib import Path

import msgspec
import pytest

from wonda_widgets.errors import InvalidInputError
from wonda_widgets.journal import (
    database,
    entries,
    journal,
    saved_plans,
    tables,
    thumbnails,
)
from wonda_widgets.journal.journal import Journal
from wonda_widgets.models import Snapshot
from wonda_widgets.utils import monotonic_clock

BASE = "https://api.example.test/api/v1"
BODY = b'{"model":"m","prompt":"a harbour"}'


@pytest.fixture
def made(tmp_path):
    opened = []

    def make(path=tmp_path / "journal.db", **options):
        opened.append(Journal(path, **options))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def begin(kept, same_as="", *, kind="inference", body=BODY, repeat=False):
    return kept.begin_request(BASE, kind, body, same_as, allow_repeat=repeat).result()


def heard(kept, job_id, status, reply, kind="inference"):
    return kept.update_status(BASE, kind, job_id, Snapshot(status=status, raw=reply))


def recent(kept, limit=50):
    return kept.recent(BASE, limit).result()


def test_entry_from_request_to_end(made):
    kept = made()
    intent, earlier = begin(kept)
    assert earlier is None
    [row] = recent(kept)
    assert (row.state, row.job_id, row.body["prompt"]) == ("sending", None, "a harbour")
    kept.mark_accepted(intent, "j1").result()
    heard(kept, "j1", "in_progress", {"status": "in_progress"}).result()
    heard(kept, "j1", "succeeded", {"status": "succeeded", "outputs": []}).result()
    [row] = recent(kept)
    assert (row.state, row.job_id, row.status, row.ended) == ("accepted", "j1", "succeeded", True)
    assert row.response == {"status": "succeeded", "outputs": []}


def test_ended_entry_stays_ended(made):
    first, second = made(), made()
    intent, _ = begin(first)
    first.mark_accepted(intent, "j1").result()
    heard(first, "j1", "succeeded", {"status": "succeeded"}).result()
    heard(second, "j1", "in_progress", {"status": "in_progress"}).result()
    assert recent(first)[0].status == "succeeded"


def test_statuses_are_stored_with_their_times(made, tmp_path):
    kept = made()
    intent, _ = begin(kept)
    kept.mark_accepted(intent, "j1").result()
    for word in ("idle", "in_progress", "failed"):
        heard(kept, "j1", word, {"status": word}).result()
    with sqlite3.connect(tmp_path / "journal.db") as file:
        rows = file.execute("SELECT status, at FROM status ORDER BY at").fetchall()
    file.close()
    assert [word for word, _ in rows] == ["idle", "in_progress", "failed"]
    assert all(abs(at - time.time()) < 60 for _, at in rows)


def test_refused_requests_and_uploads_are_not_jobs(made):
    kept = made()
    intent, _ = begin(kept)
    kept.mark_refused(intent, "400").result()
    begin(kept, kind="upload")
    assert recent(kept) == []


def test_entries_are_newest_first_and_limited(made):
    kept = made()
    intents = [begin(kept)[0] for _ in range(5)]
    assert [row.intent for row in recent(kept, 3)] == intents[:1:-1]


def test_jobs_are_listed_per_service(made):
    kept = made()
    begin(kept)
    assert kept.recent("https://other.example.test", 50).result() == []


# ---------------------------------------------------------------- once


@pytest.mark.parametrize("state", ["unknown", "accepted", "posted"])
def test_same_request_is_blocked_until_settled(made, state):
    kept = made()
    intent, _ = begin(kept, "same", kind="publish")
    args = {"unknown": ("lost",), "accepted": ("p1",), "posted": (None, None)}[state]
    getattr(kept, f"mark_{state}")(intent, *args).result()
    assert begin(kept, "same", kind="publish")[1].intent == intent
    assert begin(kept, "other", kind="publish")[1] is None
    assert begin(kept, "same", kind="publish", repeat=True)[1] is None


@pytest.mark.parametrize("state", ["refused", "absent", "dismissed"])
def test_request_without_effect_does_not_block(made, state):
    kept = made()
    intent, _ = begin(kept, "same", kind="publish")
    [row] = recent(kept)
    args = {"refused": (intent, "no"), "absent": (row,), "dismissed": (intent,)}[state]
    assert getattr(kept, f"mark_{state}")(*args).result()
    assert begin(kept, "same", kind="publish")[1] is None


def test_failed_post_may_be_repeated(made):
    kept = made()
    intent, _ = begin(kept, "same", kind="publish")
    kept.mark_accepted(intent, "p1").result()
    heard(kept, "p1", "failed", {"status": "failed"}, "publish").result()
    assert begin(kept, "same", kind="publish")[1] is None


def test_request_in_progress_is_never_sent_twice(made):
    first, second = made(), made()
    begin(first, "same", kind="publish")
    earlier = begin(second, "same", kind="publish", repeat=True)[1]
    assert earlier.is_sending
    assert not earlier.is_unknown


def claim(path, start, won):
    kept = Journal(path)
    start.wait()
    if kept.begin_request(BASE, "publish", BODY, "same").result()[1] is None:
        won.put(1)
    won.put(0)
    kept.close()


def test_only_one_of_many_processes_may_post(tmp_path):
    context = multiprocessing.get_context("spawn")
    start, won = context.Barrier(4), context.Queue()
    path = tmp_path / "journal.db"
    others = [context.Process(target=claim, args=(path, start, won)) for _ in range(4)]
    for process in others:
        process.start()
    for process in others:
        process.join(30)
    total = sum(won.get(timeout=5) for _ in range(5))
    assert total == 1
    won.close()
    won.join_thread()


def test_request_of_an_ended_process_is_unknown(made, tmp_path):
    path = tmp_path / "journal.db"
    code = (
        "import os, sys\n"
        "from wonda_widgets.journal.journal import Journal\n"
        f"Journal(sys.argv[1]).begin_request({BASE!r}, 'publish', b'{{}}', 'same').result()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    [row] = recent(made(path))
    assert row.state == "sending"
    assert row.is_unknown
    assert not row.is_sending


def test_reused_process_id_is_recognized(made, monkeypatch):
    kept = made()
    begin(kept)
    monkeypatch.setattr(entries, "_process_token", (os.getpid(), "another one"))
    assert recent(kept)[0].is_unknown


# ---------------------------------------------------------------- the file


def test_journal_is_readable_only_by_its_owner(made, tmp_path):
    begin(made())
    for name in ("journal.db", "journal.db-wal"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def modes(folder):
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0o644, 0o600),
        (0o640, 0o600),
        (0o604, 0o600),
        (0o755, 0o700),
        (0o660, 0o660),
        (0o664, 0o660),
        (0o620, 0o620),
    ],
)
def test_permissions_of_a_readable_journal_are_restricted(made, tmp_path, before, after):
    def left_by_an_earlier_version(suffix):
        file = tmp_path / f"journal.db{suffix}"
        file.write_bytes(b"")
        file.chmod(before)

    path = tmp_path / "journal.db"
    first = made(path)
    begin(first)
    for name in modes(tmp_path):
        (tmp_path / name).chmod(before)
    left_by_an_earlier_version(".damaged-20260101-000000")
    left_by_an_earlier_version(".damaged-20260101-000000+2-wal")
    begin(made(path))  # while the first one is open
    assert modes(tmp_path) == dict.fromkeys(
        [
            "journal.db",
            "journal.db-wal",
            "journal.db-shm",
            "journal.db.damaged-20260101-000000",
            "journal.db.damaged-20260101-000000+2-wal",
        ],
        after,
    )
    begin(first)
    assert len(recent(first)) == 3


@pytest.mark.parametrize("mode", [0o666, 0o606, 0o662])
def test_world_writable_journal_is_reported_once(made, tmp_path, mode):
    path = tmp_path / "journal.db"
    path.touch()
    path.chmod(mode)
    first, second = made(path), made(path)
    with pytest.warns(database.JournalWarning, match="and write it") as told:
        begin(first)
    assert len(told) == 1
    begin(second)  # where warnings are errors
    assert set(modes(tmp_path).values()) == {mode}


def test_permissions_follow_links_to_the_file_only(made, tmp_path):
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    own.mkdir()
    begin(made(own / "real.db"))
    for name in modes(own):
        (own / name).chmod(0o644)
    page = tmp_path / "page.html"
    page.touch(0o644)
    page.chmod(0o644)
    (shared / "journal.db").symlink_to(own / "real.db")
    (shared / "journal.db.damaged-20260101-000000").symlink_to(page)
    begin(made(shared / "journal.db"))
    assert set(modes(own).values()) == {0o600}
    assert stat.S_IMODE(page.stat().st_mode) == 0o644


def test_thumbnails_are_readable_only_by_their_owner(tmp_path):
    path = tmp_path / "journal.db"
    for _ in range(2):
        kept = thumbnails.Thumbnails(path)
        kept._database.run(lambda connection: connection.total_changes).result()
        (tmp_path / "journal.db.thumbnails").chmod(0o644)
        kept.close()
        kept._database._thread.shutdown(wait=True)
    kept = thumbnails.Thumbnails(path)
    kept._database.run(lambda connection: connection.total_changes).result()
    assert set(modes(tmp_path).values()) == {0o600}
    kept.close()


@pytest.mark.parametrize("why", ["not the owner", "no rights in this file system", "refused"])
def test_unrestrictable_permissions_are_reported_once(made, tmp_path, monkeypatch, why):
    path = tmp_path / "journal.db"
    begin(made(path))
    path.chmod(0o644)

    def chmod(_self, _mode):
        if why == "refused":
            raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "chmod", chmod)
    if why == "not the owner":
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    kept = made(path)

    def use():
        begin(kept)
        begin(made(path))

    with pytest.warns(database.JournalWarning, match=r"chmod go-rwx .* WONDA_JOURNAL") as told:
        use()
    assert [str(path) in str(each.message) for each in told] == [True]
    assert kept.problem == ""
    assert len(recent(kept)) == 3


@pytest.mark.parametrize("damage", ["text", "header", "middle"])
def test_damaged_file_is_renamed_and_replaced(made, tmp_path, damage):
    path = tmp_path / "journal.db"
    kept = made(path)
    for _ in range(200):
        begin(kept)
    kept.close()
    kept._database._thread.shutdown(wait=True)
    data = bytearray(path.read_bytes())
    if damage == "text":
        data = bytearray(b"these are not the pages of a database " * 500)
    elif damage == "header":
        data[:100] = os.urandom(100)
    else:
        data[4096 : len(data) // 2] = os.urandom(len(data) // 2 - 4096)
    path.write_bytes(data)
    again = made(path)

    def use():
        for _ in range(60):  # until it is noticed
            begin(again)
            recent(again)
            if again.problem:
                break

    with pytest.warns(database.JournalWarning, match="damaged") as told:
        use()
    assert len(told) == 1
    [aside] = tmp_path.glob("journal.db.damaged-*[0-9]")
    assert aside.read_bytes()[:16] == bytes(data[:16])
    assert again.path == path
    begin(again)
    later = made(path)
    assert recent(later)
    older = tmp_path / "journal.db.damaged-20200101-000000"
    older.write_bytes(b"an earlier one")
    (tmp_path / "journal.db.damaged-notes1").write_text("what somebody wrote about it")
    for each in (again, later):  # the new file does not know what the old one knew
        assert str(aside) in each.problem
    aside.rename(tmp_path / "looked at")
    for each in (again, later):
        assert str(older) in each.problem
    older.unlink()
    for each in (again, later):
        assert each.problem == ""


def test_file_replaced_by_another_process_is_reopened(made, tmp_path):
    path = tmp_path / "journal.db"
    kept = made(path)
    begin(kept)
    for file in tmp_path.glob("journal.db*"):
        file.unlink()
    begin(kept)
    assert len(recent(made(path))) == 1


def test_without_a_usable_file_work_continues_in_memory(made, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    kept = made(tmp_path / "file" / "journal.db")
    with pytest.warns(database.JournalWarning, match="in memory"):
        intent, _ = begin(kept)
    kept.mark_accepted(intent, "j1").result()
    assert recent(kept)[0].job_id == "j1"
    assert kept.path is None
    assert "WONDA_JOURNAL" in kept.problem


def test_folder_at_the_journal_path_does_not_stop_work(made, tmp_path):
    (tmp_path / "journal.db").mkdir()
    kept = made()
    with pytest.warns(database.JournalWarning):
        begin(kept)
    assert len(recent(kept)) == 1


def test_file_of_a_newer_version_is_not_changed(made, tmp_path):
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE request (later TEXT)")
        file.execute("PRAGMA user_version=99")
    file.close()
    before = path.read_bytes()
    kept = made(path)
    with pytest.warns(database.JournalWarning, match="newer"):
        begin(kept)
    assert path.read_bytes() == before


def test_warnings_as_errors_do_not_stop_work(made, tmp_path):
    (tmp_path / "file").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        begin(made(tmp_path / "file" / "journal.db"))


def test_older_schema_is_migrated(made, tmp_path, monkeypatch):
    path = tmp_path / "journal.db"
    begin(made(path))
    added = "CREATE TABLE later (x TEXT); INSERT INTO later VALUES ('there')"
    later = msgspec.structs.replace(tables.SCHEMA, migrations=(*tables.MIGRATIONS, added))
    monkeypatch.setattr(tables, "SCHEMA", later)
    kept = made(path)
    assert len(recent(kept)) == 1
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT x FROM later").fetchall() == [("there",)]
    file.close()


def test_journal_is_pruned_by_age(made, monkeypatch):
    kept = made(days=30)
    now, running = time.time(), monotonic_clock.seconds()
    for age in (31, 31, 3, 2, 1, 0):  # it is used on several days
        monkeypatch.setattr(time, "time", lambda age=age: now - age * 86_400)
        monkeypatch.setattr(monotonic_clock, "seconds", lambda age=age: running - age * 86_400)
        kept._entry_count = 0  # the next one looks
        intent, _ = begin(kept)
        kept.mark_accepted(intent, f"j{age}")
        heard(kept, f"j{age}", "succeeded", {"status": "succeeded"})
    assert [row.job_id for row in recent(kept)] == ["j0", "j1", "j2", "j3"]


def test_journal_is_pruned_by_size(made, tmp_path):
    kept = made(megabytes=0.5)
    body = b'{"prompt":"' + b"x" * 2_000 + b'"}'
    standing, _ = begin(kept)
    for number in range(1_000):
        intent, _ = begin(kept, body=body)
        kept.mark_accepted(intent, f"j{number}")
        heard(kept, f"j{number}", "succeeded", {"status": "succeeded"})
    rows = recent(kept, 5_000)
    assert 50 < len(rows) < 600
    assert rows[-1].intent == standing, "what is not settled is kept"
    kept.close()
    kept._database._thread.shutdown(wait=True)
    assert (tmp_path / "journal.db").stat().st_size < 1_500_000


def test_uploads_are_pruned_by_size_except_edits(made):
    kept = made(megabytes=0.5)

    def upload(number, **more):
        about = json.dumps({"name": f"{number}.png", "pad": "x" * 2_000, **more}).encode()
        intent, _ = kept.begin_request(BASE, "upload", about).result()
        kept.mark_accepted(intent, f"m{number}").result()

    upload("edited", edit={"of": "m1", "operations": []})
    for number in range(1_000):
        upload(number)
    rows = kept._find("kind='upload'", ()).result()
    assert 50 < len(rows) < 600
    assert kept.find_edit(BASE, "medited").result() == {"of": "m1", "operations": []}


def test_entries_of_unfinished_plans_are_not_pruned(made):
    kept = made(megabytes=0.5)
    body = b'{"prompt":"' + b"x" * 2_000 + b'"}'
    old, _ = begin(kept)
    kept.mark_accepted(old, "old")
    heard(kept, "old", "succeeded", {"status": "succeeded"})
    batch, _ = kept.saved_plans.resume_or_start(BASE, "alike", b"{}", None).result()

    def make(first):
        for number in range(first, first + 400):
            name = saved_plans.cell_key(batch.id, f"{number:032}")
            intent, _ = kept.begin_request(BASE, "inference", body, name).result()
            kept.mark_accepted(intent, f"j{number}")
            heard(kept, f"j{number}", "succeeded", {"status": "succeeded"})

    make(0)
    assert len(kept.saved_plans.cell_entries(batch.id).result()) == 400, (
        "or they would be made twice"
    )
    kept.saved_plans.set_finished(batch.id, finished=True)
    make(400)
    assert len(recent(kept, 5_000)) < 600
    assert kept.saved_plans.unfinished(BASE, 7).result() == []


def test_huge_response_is_not_stored_completely(made):
    kept = made()
    intent, _ = begin(kept)
    kept.mark_accepted(intent, "j1").result()
    reply = {"status": "succeeded", "outputs": [], "noise": "x" * 1_000_000}
    heard(kept, "j1", "succeeded", reply).result()
    assert recent(kept)[0].response == {
        "status": "succeeded",
        "errorMessage": None,
        "outputs": [],
        "createdAt": None,
        "finishedAt": None,
    }


def test_in_memory_journal_writes_no_file(made, tmp_path):
    kept = made(":memory:")
    begin(kept)
    assert len(recent(kept)) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.forks
def test_forked_child_can_write(made):
    kept = made()
    begin(kept)
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            kept.begin_request(BASE, "inference", BODY).result(10)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(recent(kept)) == 2


def test_several_journals_on_one_file_keep_all_rows(made, tmp_path):
    path = tmp_path / "journal.db"
    first = made(path)
    begin(first)
    recent(made(path))  # a second one here, as a panel of its own opens it
    code = (
        "import sys\n"
        "from wonda_widgets.journal.journal import Journal\n"
        "kept = Journal(sys.argv[1])\n"
        f"kept.begin_request({BASE!r}, 'inference', b'{{}}').result()\n"
        "kept.close()\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    for _ in range(3):
        subprocess.run(command, check=True, timeout=60)
        for _ in range(5):
            begin(first)
    with sqlite3.connect(path) as other:
        assert other.execute("SELECT count(*) FROM request").fetchone() == (19,)
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    other.close()


def test_request_settled_meanwhile_is_not_sent(made):
    kept = made()
    intent, _ = begin(kept, "same", kind="publish")
    [row] = recent(kept)
    assert kept.mark_absent(row).result()
    assert not kept.mark_sent(intent).result()


def test_request_sent_during_a_check_is_not_reported_as_missing(made, monkeypatch):
    kept = made()
    intent, _ = begin(kept, "same", kind="publish")
    [row] = recent(kept)
    later = time.time() + 1
    monkeypatch.setattr(journal.time, "time", lambda: later)
    assert kept.mark_sent(intent).result()
    assert not kept.mark_absent(row).result()
    assert recent(kept)[0].state == "sending"


def test_relative_path_is_resolved_once(made, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = made("project.db")
    begin(kept)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(recent(kept)) == 1
    assert kept.path == tmp_path / "project.db"


@pytest.mark.parametrize("what", ["other tables", "a bad row", "not a file"])
def test_foreign_database_does_not_stop_work(made, tmp_path, what):
    path = tmp_path / "journal.db"
    if what == "not a file":
        path = Path(os.devnull)
    elif what == "other tables":
        with sqlite3.connect(path) as file:
            file.execute("CREATE TABLE other (x)")
            file.execute(f"PRAGMA user_version={len(tables.MIGRATIONS)}")
        file.close()
    else:
        begin(made(path))
        with sqlite3.connect(path) as file:
            file.execute("UPDATE request SET body='{oops'")
        file.close()
    kept = made(path)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        begin(kept)
    assert len(recent(kept)) == 1
    assert len(told) == (what != "a bad row")


@pytest.mark.parametrize("options", [{"days": 0}, {"days": math.nan}, {"megabytes": -1}])
def test_invalid_limits_are_refused(options):
    with pytest.raises(InvalidInputError, match="above 0"):
        Journal(":memory:", **options)


def test_fast_clock_does_not_keep_a_request_alive(made, monkeypatch):
    kept = made()
    now = time.time()
    monkeypatch.setattr(journal.time, "time", lambda: now + 86_400)
    monkeypatch.setattr(entries, "this_process", lambda: "another computer|1|x|")
    monkeypatch.setattr(monotonic_clock, "clock_id", lambda: "of another computer")
    begin(kept)
    monkeypatch.undo()
    assert recent(kept)[0].is_unknown


@pytest.mark.forks
def test_zombie_process_counts_as_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = f"{entries._host()}|{child.pid}|x|{entries._start_time(child.pid)}"
    try:
        assert entries._is_running(owner)
        os.kill(child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and left as it is
        assert not entries._is_running(owner)
    finally:
        child.communicate()


def earlier_version(path):
    """A journal as the version before had it, with an accepted request."""
    old = sqlite3.connect(path)
    for statements in tables.MIGRATIONS[:3]:
        for statement in statements.split(";"):
            old.execute(statement)
    old.execute("PRAGMA user_version=3")
    rows = [
        ("a", "accepted", "", "j1"),
        ("u", "unknown", "the service took it, but its reply names nothing to follow", None),
        ("l", "unknown", "the connection was lost", None),
    ]
    for intent, state, reason, job_id in rows:
        old.execute(
            "INSERT INTO request VALUES (?,?,'publish','{}','','',?,?,?,?,?,'',0,'{}',NULL)",
            (intent, BASE, time.time() + 400 * 86_400, time.time(), state, reason, job_id),
        )
    old.commit()
    old.close()


def test_requests_accepted_by_earlier_versions_are_recognized(made, tmp_path):
    earlier_version(tmp_path / "journal.db")
    kept = made()
    taken = {row.intent: row.was_accepted for row in recent(kept)}
    assert taken == {"a": True, "u": True, "l": False}
    # A kernel of that version that still runs notes an answer as it always did.
    kept._database.run(
        lambda file: file.execute("UPDATE request SET job_id='j2', taken=0 WHERE intent='l'")
    ).result()
    assert all(row.was_accepted for row in recent(kept))


def test_future_entry_times_are_not_trusted(made, tmp_path):
    from wonda_widgets.journal import trusted_time

    earlier_version(tmp_path / "journal.db")
    believed = (
        made()
        ._database.run(lambda file: file.execute("SELECT believed FROM reading").fetchone()[0])
        .result()
    )
    assert abs(believed - time.time()) < 60
    assert abs(made()._database.run(trusted_time.now).result() - time.time()) < 60


@pytest.mark.parametrize("bare", [False, True])
def test_read_only_older_file_is_read(made, tmp_path, monkeypatch, bare):
    path = tmp_path / "journal.db"
    earlier_version(path)
    real = sqlite3.connect

    def connect(name, **options):
        # What a full disk, and a file system that takes no files at all, say.
        if name == path:
            raise sqlite3.OperationalError("attempt to write a readonly database")
        if bare and "mode=ro" in str(name) and "immutable" not in str(name):
            raise sqlite3.OperationalError("unable to open database file")
        return real(name, **options)

    monkeypatch.setattr(sqlite3, "connect", connect)
    kept = made(path)
    with pytest.warns(database.JournalWarning):
        begin(kept)
    assert {row.intent for row in recent(kept)} >= {"a", "u", "l"}


FORKED = """import os, sys
from wonda_widgets.utils import event_loop  # before thread pools, so that its hooks run first
from wonda_widgets.journal.journal import Journal
kept = Journal(sys.argv[1])
kept.recent("x", 1).result()
kept.close()
child = os.fork()
if not child:
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.forks
def test_fork_after_close_does_not_wait(tmp_path):
    command = [sys.executable, "-c", FORKED, str(tmp_path / "journal.db")]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
