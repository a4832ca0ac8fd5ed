"""The journal: entries, pruning, permissions, and faults of its file."""

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
    images,
    saved_plans,
    search_terms,
    tables,
    thumbnails,
)
from wonda_widgets.journal import journal as journal_module
from wonda_widgets.journal.journal import Journal
from wonda_widgets.models import Snapshot
from wonda_widgets.utils import monotonic_clock

BASE = "https://api.example.test/api/v1"
BODY = b'{"model":"m","prompt":"a harbor"}'


@pytest.fixture
def open_journal(tmp_path):
    journals = []

    def open_one(path=tmp_path / "journal.db", **options):
        journals.append(Journal(path, **options))
        return journals[-1]

    yield open_one
    for each in journals:
        each.close()


def begin(journal, same_as="", *, kind="inference", body=BODY, repeat=False):
    return journal.begin_request(BASE, kind, body, same_as, allow_repeat=repeat).result()


def update_status(journal, job_id, status, response, kind="inference"):
    return journal.update_status(BASE, kind, job_id, Snapshot(status=status, raw=response))


def recent(journal, limit=50):
    return journal.recent(BASE, limit).result()


def test_entry_records_a_request_from_sending_to_success(open_journal):
    journal = open_journal()
    intent, earlier = begin(journal)
    assert earlier is None
    [row] = recent(journal)
    assert (row.state, row.job_id, row.body["prompt"]) == ("sending", None, "a harbor")
    journal.mark_accepted(intent, "j1").result()
    update_status(journal, "j1", "in_progress", {"status": "in_progress"}).result()
    update_status(journal, "j1", "succeeded", {"status": "succeeded", "outputs": []}).result()
    [row] = recent(journal)
    assert (row.state, row.job_id, row.status, row.ended) == ("accepted", "j1", "succeeded", True)
    assert row.response == {"status": "succeeded", "outputs": []}


def test_ended_entry_ignores_later_statuses(open_journal):
    first, second = open_journal(), open_journal()
    intent, _ = begin(first)
    first.mark_accepted(intent, "j1").result()
    update_status(first, "j1", "succeeded", {"status": "succeeded"}).result()
    update_status(second, "j1", "in_progress", {"status": "in_progress"}).result()
    assert recent(first)[0].status == "succeeded"


def test_statuses_are_stored_with_their_times(open_journal, tmp_path):
    journal = open_journal()
    intent, _ = begin(journal)
    journal.mark_accepted(intent, "j1").result()
    for status in ("idle", "in_progress", "failed"):
        update_status(journal, "j1", status, {"status": status}).result()
    with sqlite3.connect(tmp_path / "journal.db") as file:
        rows = file.execute("SELECT status, at FROM status ORDER BY at").fetchall()
    file.close()
    assert [status for status, _ in rows] == ["idle", "in_progress", "failed"]
    assert all(abs(at - time.time()) < 60 for _, at in rows)


def test_recent_omits_refused_requests_and_uploads(open_journal):
    journal = open_journal()
    intent, _ = begin(journal)
    journal.mark_refused(intent, "400").result()
    begin(journal, kind="upload")
    assert recent(journal) == []


def test_recent_returns_the_newest_entries_first_up_to_the_limit(open_journal):
    journal = open_journal()
    intents = [begin(journal)[0] for _ in range(5)]
    assert [row.intent for row in recent(journal, 3)] == intents[:1:-1]


def test_recent_lists_only_jobs_of_the_service(open_journal):
    journal = open_journal()
    begin(journal)
    assert journal.recent("https://other.example.test", 50).result() == []


# ---------------------------------------------------------------- duplicate guard


@pytest.mark.parametrize("state", ["unknown", "accepted", "posted"])
def test_duplicate_guard_blocks_an_unknown_or_accepted_request(open_journal, state):
    journal = open_journal()
    intent, _ = begin(journal, "same", kind="publish")
    args = {"unknown": ("lost",), "accepted": ("p1",), "posted": (None, None)}[state]
    getattr(journal, f"mark_{state}")(intent, *args).result()
    assert begin(journal, "same", kind="publish")[1].intent == intent
    assert begin(journal, "other", kind="publish")[1] is None
    assert begin(journal, "same", kind="publish", repeat=True)[1] is None


@pytest.mark.parametrize("state", ["refused", "absent", "dismissed"])
def test_duplicate_guard_ignores_requests_without_effect(open_journal, state):
    journal = open_journal()
    intent, _ = begin(journal, "same", kind="publish")
    [row] = recent(journal)
    args = {"refused": (intent, "no"), "absent": (row,), "dismissed": (intent,)}[state]
    assert getattr(journal, f"mark_{state}")(*args).result()
    assert begin(journal, "same", kind="publish")[1] is None


def test_duplicate_guard_ignores_failed_posts(open_journal):
    journal = open_journal()
    intent, _ = begin(journal, "same", kind="publish")
    journal.mark_accepted(intent, "p1").result()
    update_status(journal, "p1", "failed", {"status": "failed"}, "publish").result()
    assert begin(journal, "same", kind="publish")[1] is None


def test_request_in_progress_blocks_even_an_allowed_repeat(open_journal):
    first, second = open_journal(), open_journal()
    begin(first, "same", kind="publish")
    earlier = begin(second, "same", kind="publish", repeat=True)[1]
    assert earlier.is_sending
    assert not earlier.is_unknown


def claim(path, barrier, results):
    journal = Journal(path)
    barrier.wait()
    if journal.begin_request(BASE, "publish", BODY, "same").result()[1] is None:
        results.put(1)
    results.put(0)
    journal.close()


def test_only_one_of_many_processes_may_post(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(4), context.Queue()
    path = tmp_path / "journal.db"
    processes = [context.Process(target=claim, args=(path, barrier, results)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    total = sum(results.get(timeout=5) for _ in range(5))
    assert total == 1
    results.close()
    results.join_thread()


def test_request_of_a_killed_process_has_an_unknown_outcome(open_journal, tmp_path):
    path = tmp_path / "journal.db"
    code = (
        "import os, sys\n"
        "from wonda_widgets.journal.journal import Journal\n"
        f"Journal(sys.argv[1]).begin_request({BASE!r}, 'publish', b'{{}}', 'same').result()\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False, timeout=60)
    [row] = recent(open_journal(path))
    assert row.state == "sending"
    assert row.is_unknown
    assert not row.is_sending


def test_request_of_an_earlier_process_with_the_same_id_is_unknown(open_journal, monkeypatch):
    journal = open_journal()
    begin(journal)
    monkeypatch.setattr(entries, "_process_token", (os.getpid(), "another process"))
    assert recent(journal)[0].is_unknown


# ---------------------------------------------------------------- the file


def test_journal_is_readable_only_by_its_owner(open_journal, tmp_path):
    begin(open_journal())
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
def test_permissions_of_a_journal_readable_by_others_are_restricted(
    open_journal, tmp_path, before, after
):
    def create_damaged_file(suffix):
        file = tmp_path / f"journal.db{suffix}"
        file.write_bytes(b"")
        file.chmod(before)

    path = tmp_path / "journal.db"
    first = open_journal(path)
    begin(first)
    for name in modes(tmp_path):
        (tmp_path / name).chmod(before)
    create_damaged_file(".damaged-20260101-000000")
    create_damaged_file(".damaged-20260101-000000+2-wal")
    begin(open_journal(path))  # while the first journal is open
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
def test_world_writable_journal_is_reported_once_and_not_changed(open_journal, tmp_path, mode):
    path = tmp_path / "journal.db"
    path.touch()
    path.chmod(mode)
    first, second = open_journal(path), open_journal(path)
    with pytest.warns(database.JournalWarning, match="and write it") as reported:
        begin(first)
    assert len(reported) == 1
    begin(second)  # a second warning would be an error
    assert set(modes(tmp_path).values()) == {mode}


def test_permissions_are_changed_through_a_link_to_the_journal_only(open_journal, tmp_path):
    shared, own = tmp_path / "shared", tmp_path / "own"
    shared.mkdir()
    own.mkdir()
    begin(open_journal(own / "real.db"))
    for name in modes(own):
        (own / name).chmod(0o644)
    page = tmp_path / "page.html"
    page.touch(0o644)
    page.chmod(0o644)
    (shared / "journal.db").symlink_to(own / "real.db")
    (shared / "journal.db.damaged-20260101-000000").symlink_to(page)
    begin(open_journal(shared / "journal.db"))
    assert set(modes(own).values()) == {0o600}
    assert stat.S_IMODE(page.stat().st_mode) == 0o644


def test_thumbnails_are_readable_only_by_their_owner(tmp_path):
    path = tmp_path / "journal.db"
    for _ in range(2):
        cache = thumbnails.Thumbnails(path)
        cache._database.run(lambda connection: connection.total_changes).result()
        (tmp_path / "journal.db.thumbnails").chmod(0o644)
        cache.close()
        cache._database._thread.shutdown(wait=True)
    cache = thumbnails.Thumbnails(path)
    cache._database.run(lambda connection: connection.total_changes).result()
    assert set(modes(tmp_path).values()) == {0o600}
    cache.close()


@pytest.mark.parametrize("reason", ["not the owner", "no rights in this file system", "refused"])
def test_permissions_that_cannot_be_restricted_are_reported_once(
    open_journal, tmp_path, monkeypatch, reason
):
    path = tmp_path / "journal.db"
    begin(open_journal(path))
    path.chmod(0o644)

    def chmod(_self, _mode):
        if reason == "refused":
            raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "chmod", chmod)
    if reason == "not the owner":
        monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    journal = open_journal(path)

    def use_twice():
        begin(journal)
        begin(open_journal(path))

    with pytest.warns(database.JournalWarning, match=r"chmod go-rwx .* WONDA_JOURNAL") as reported:
        use_twice()
    assert [str(path) in str(each.message) for each in reported] == [True]
    assert journal.problem == ""
    assert len(recent(journal)) == 3


@pytest.mark.parametrize("damage", ["text", "header", "middle"])
def test_damaged_file_is_renamed_and_replaced(open_journal, tmp_path, damage):
    path = tmp_path / "journal.db"
    journal = open_journal(path)
    for _ in range(200):
        begin(journal)
    journal.close()
    journal._database._thread.shutdown(wait=True)
    data = bytearray(path.read_bytes())
    if damage == "text":
        data = bytearray(b"these are not the pages of a database " * 500)
    elif damage == "header":
        data[:100] = os.urandom(100)
    else:
        data[4096 : len(data) // 2] = os.urandom(len(data) // 2 - 4096)
    path.write_bytes(data)
    replaced = open_journal(path)

    def use_until_noticed():
        for _ in range(60):  # until the damage is noticed
            begin(replaced)
            recent(replaced)
            if replaced.problem:
                break

    with pytest.warns(database.JournalWarning, match="damaged") as reported:
        use_until_noticed()
    assert len(reported) == 1
    [damaged] = tmp_path.glob("journal.db.damaged-*[0-9]")
    assert damaged.read_bytes()[:16] == bytes(data[:16])
    assert replaced.path == path
    begin(replaced)
    later = open_journal(path)
    assert recent(later)
    older = tmp_path / "journal.db.damaged-20200101-000000"
    older.write_bytes(b"an earlier damaged file")
    (tmp_path / "journal.db.damaged-notes1").write_text("notes of a user")
    for each in (replaced, later):  # the new file lacks the entries of the damaged one
        assert str(damaged) in each.problem
    damaged.rename(tmp_path / "inspected")
    for each in (replaced, later):
        assert str(older) in each.problem
    older.unlink()
    for each in (replaced, later):
        assert each.problem == ""


def test_file_replaced_by_another_process_is_reopened(open_journal, tmp_path):
    path = tmp_path / "journal.db"
    journal = open_journal(path)
    begin(journal)
    for file in tmp_path.glob("journal.db*"):
        file.unlink()
    begin(journal)
    assert len(recent(open_journal(path))) == 1


def test_journal_without_a_usable_file_continues_in_memory(open_journal, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    journal = open_journal(tmp_path / "file" / "journal.db")
    with pytest.warns(database.JournalWarning, match="in memory"):
        intent, _ = begin(journal)
    journal.mark_accepted(intent, "j1").result()
    assert recent(journal)[0].job_id == "j1"
    assert journal.path is None
    assert "WONDA_JOURNAL" in journal.problem


def test_journal_whose_path_is_a_folder_continues_in_memory(open_journal, tmp_path):
    (tmp_path / "journal.db").mkdir()
    journal = open_journal()
    with pytest.warns(database.JournalWarning):
        begin(journal)
    assert len(recent(journal)) == 1


def test_file_of_a_newer_version_is_not_changed(open_journal, tmp_path):
    path = tmp_path / "journal.db"
    with sqlite3.connect(path) as file:
        file.execute("CREATE TABLE request (later TEXT)")
        file.execute("PRAGMA user_version=99")
    file.close()
    before = path.read_bytes()
    journal = open_journal(path)
    with pytest.warns(database.JournalWarning, match="newer"):
        begin(journal)
    assert path.read_bytes() == before


def test_journal_works_when_its_warnings_are_errors(open_journal, tmp_path):
    (tmp_path / "file").write_text("")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        journal = open_journal(tmp_path / "file" / "journal.db")
        begin(journal)
    assert len(recent(journal)) == 1


def test_older_schema_is_migrated(open_journal, tmp_path, monkeypatch):
    path = tmp_path / "journal.db"
    begin(open_journal(path))
    migration = "CREATE TABLE later (x TEXT); INSERT INTO later VALUES ('there')"
    newer_schema = msgspec.structs.replace(
        tables.SCHEMA, migrations=(*tables.MIGRATIONS, migration)
    )
    monkeypatch.setattr(tables, "SCHEMA", newer_schema)
    journal = open_journal(path)
    assert len(recent(journal)) == 1
    with sqlite3.connect(path) as file:
        assert file.execute("SELECT x FROM later").fetchall() == [("there",)]
    file.close()


def test_images_of_the_schema_before_reviews_are_found_reviewed_and_collected(
    open_journal, tmp_path
):
    path = tmp_path / "journal.db"
    before = next(at for at, each in enumerate(tables.MIGRATIONS) if "TABLE review" in each)
    with sqlite3.connect(path) as file:
        file.create_function("searchable", 1, search_terms.searchable)
        for statement in ";".join(tables.MIGRATIONS[:before]).split(";"):
            file.execute(statement)
        file.execute(f"PRAGMA user_version={before}")
        for at, prompt in ((1, "A quiet harbor"), (2, "A kite")):
            body = json.dumps({"model": "z", "prompt": prompt})
            media = {"mediaId": f"m{at}", "url": f"{BASE}/m{at}.png"}
            reply = json.dumps({"status": "succeeded", "outputs": [{"media": media}]})
            intent, now = f"i{at}", time.time()
            file.execute(
                "INSERT INTO request (intent, base_url, kind, body, same_as, owner, asked_at,"
                " told_at, state, reason, job_id, status, ended, reply)"
                " VALUES (?,?,'inference',?,'','',?,?,'accepted','',?,'succeeded',1,?)",
                (intent, BASE, body, now, now, f"j{at}", reply),
            )
            file.execute(
                "INSERT INTO picture (id, intent, base_url, asked_at, model, rating, note)"
                " VALUES (?,?,?,?,'z',4,'keep')",
                (at, intent, BASE, now),
            )
            file.execute(
                "INSERT INTO words (rowid, prompt, note) VALUES (?,?,'keep')",
                (at, search_terms.searchable(prompt)),
            )
    file.close()
    journal = open_journal(path)
    [found] = journal.images.search(BASE, images.Query(text="harb keep"), 10, 0).result()
    assert (found.prompt, found.rating, found.note) == ("A quiet harbor", 4, "keep")
    assert (found.values, found.rank, found.approval) == ({}, 0, "")
    marks = journal.images.marks(["i1", "i2"]).result()
    ranked = {key: msgspec.structs.replace(mark, rank=1) for key, mark in marks.items()}
    journal.images.set_review_results(ranked).result()
    journal.collections.add(BASE, "best", ["i1"]).result()
    assert journal.collections.names(BASE).result() == {"best": 1}
    [found] = journal.images.search(BASE, images.Query(collection="best"), 10, 0).result()
    assert (found.intent, found.rank) == ("i1", 1)


def test_journal_is_pruned_by_age(open_journal, monkeypatch):
    journal = open_journal(days=30)
    now, running = time.time(), monotonic_clock.seconds()
    for age in (31, 31, 3, 2, 1, 0):  # the journal is used on several days
        monkeypatch.setattr(time, "time", lambda age=age: now - age * 86_400)
        monkeypatch.setattr(monotonic_clock, "seconds", lambda age=age: running - age * 86_400)
        journal._entry_count = 0  # makes the next request prune
        intent, _ = begin(journal)
        journal.mark_accepted(intent, f"j{age}")
        update_status(journal, f"j{age}", "succeeded", {"status": "succeeded"})
    assert [row.job_id for row in recent(journal)] == ["j0", "j1", "j2", "j3"]


def test_journal_is_pruned_by_size(open_journal, tmp_path):
    journal = open_journal(megabytes=0.5)
    body = b'{"prompt":"' + b"x" * 2_000 + b'"}'
    unsettled, _ = begin(journal)
    for number in range(1_000):
        intent, _ = begin(journal, body=body)
        journal.mark_accepted(intent, f"j{number}")
        update_status(journal, f"j{number}", "succeeded", {"status": "succeeded"})
    rows = recent(journal, 5_000)
    assert 50 < len(rows) < 600
    assert rows[-1].intent == unsettled, "an unsettled request is kept"
    journal.close()
    journal._database._thread.shutdown(wait=True)
    assert (tmp_path / "journal.db").stat().st_size < 1_500_000


def test_uploads_are_pruned_by_size_except_edits(open_journal):
    journal = open_journal(megabytes=0.5)

    def upload(number, **fields):
        body = json.dumps({"name": f"{number}.png", "pad": "x" * 2_000, **fields}).encode()
        intent, _ = journal.begin_request(BASE, "upload", body).result()
        journal.mark_accepted(intent, f"m{number}").result()

    upload("edited", edit={"of": "m1", "operations": []})
    for number in range(1_000):
        upload(number)
    rows = journal._find("kind='upload'", ()).result()
    assert 50 < len(rows) < 600
    assert journal.find_edit(BASE, "medited").result() == {"of": "m1", "operations": []}


def test_entries_of_unfinished_plans_are_not_pruned(open_journal):
    journal = open_journal(megabytes=0.5)
    body = b'{"prompt":"' + b"x" * 2_000 + b'"}'
    old, _ = begin(journal)
    journal.mark_accepted(old, "old")
    update_status(journal, "old", "succeeded", {"status": "succeeded"})
    plan, _ = journal.saved_plans.resume_or_start(BASE, "same", b"{}", None).result()

    def record_cells(first):
        for number in range(first, first + 400):
            name = saved_plans.cell_key(plan.id, f"{number:032}")
            intent, _ = journal.begin_request(BASE, "inference", body, name).result()
            journal.mark_accepted(intent, f"j{number}")
            update_status(journal, f"j{number}", "succeeded", {"status": "succeeded"})

    record_cells(0)
    assert len(journal.saved_plans.cell_entries(plan.id).result()) == 400, (
        "cells without an entry would be generated again"
    )
    journal.saved_plans.set_finished(plan.id, finished=True)
    record_cells(400)
    assert len(recent(journal, 5_000)) < 600
    assert journal.saved_plans.unfinished(BASE, 7).result() == []


def test_huge_response_is_not_stored_completely(open_journal):
    journal = open_journal()
    intent, _ = begin(journal)
    journal.mark_accepted(intent, "j1").result()
    response = {"status": "succeeded", "outputs": [], "noise": "x" * 1_000_000}
    update_status(journal, "j1", "succeeded", response).result()
    assert recent(journal)[0].response == {
        "status": "succeeded",
        "errorMessage": None,
        "outputs": [],
        "createdAt": None,
        "finishedAt": None,
    }


def test_in_memory_journal_writes_no_file(open_journal, tmp_path):
    journal = open_journal(":memory:")
    begin(journal)
    assert len(recent(journal)) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.forks
def test_forked_child_can_write(open_journal):
    journal = open_journal()
    begin(journal)
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        try:
            journal.begin_request(BASE, "inference", BODY).result(10)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert len(recent(journal)) == 2


def test_journals_in_several_processes_on_one_file_keep_all_rows(open_journal, tmp_path):
    path = tmp_path / "journal.db"
    first = open_journal(path)
    begin(first)
    recent(open_journal(path))  # a second journal in this process, as a panel may open
    code = (
        "import sys\n"
        "from wonda_widgets.journal.journal import Journal\n"
        "journal = Journal(sys.argv[1])\n"
        f"journal.begin_request({BASE!r}, 'inference', b'{{}}').result()\n"
        "journal.close()\n"
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


def test_request_settled_as_absent_cannot_be_marked_as_sent(open_journal):
    journal = open_journal()
    intent, _ = begin(journal, "same", kind="publish")
    [row] = recent(journal)
    assert journal.mark_absent(row).result()
    assert not journal.mark_sent(intent).result()


def test_request_sent_during_a_check_is_not_marked_as_absent(open_journal, monkeypatch):
    journal = open_journal()
    intent, _ = begin(journal, "same", kind="publish")
    [row] = recent(journal)
    later = time.time() + 1
    monkeypatch.setattr(journal_module.time, "time", lambda: later)
    assert journal.mark_sent(intent).result()
    assert not journal.mark_absent(row).result()
    assert recent(journal)[0].state == "sending"


def test_relative_path_is_resolved_once(open_journal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    journal = open_journal("project.db")
    begin(journal)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(recent(journal)) == 1
    assert journal.path == tmp_path / "project.db"


@pytest.mark.parametrize("content", ["other tables", "a bad row", "not a file"])
def test_file_with_foreign_or_invalid_content_does_not_stop_work(open_journal, tmp_path, content):
    path = tmp_path / "journal.db"
    if content == "not a file":
        path = Path(os.devnull)
    elif content == "other tables":
        with sqlite3.connect(path) as file:
            file.execute("CREATE TABLE other (x)")
            file.execute(f"PRAGMA user_version={len(tables.MIGRATIONS)}")
        file.close()
    else:
        begin(open_journal(path))
        with sqlite3.connect(path) as file:
            file.execute("UPDATE request SET body='{oops'")
        file.close()
    journal = open_journal(path)
    with warnings.catch_warnings(record=True) as reported:
        warnings.simplefilter("always")
        begin(journal)
    # A damaged entry stays, because it still blocks an identical request.
    assert len(recent(journal)) == (2 if content == "a bad row" else 1)
    assert len(reported) == (content != "a bad row")


@pytest.mark.parametrize("options", [{"days": 0}, {"days": math.nan}, {"megabytes": -1}])
def test_invalid_journal_limits_are_refused(options):
    with pytest.raises(InvalidInputError, match="above 0"):
        Journal(":memory:", **options)


def test_request_dated_in_the_future_by_another_computer_is_unknown(open_journal, monkeypatch):
    journal = open_journal()
    now = time.time()
    monkeypatch.setattr(journal_module.time, "time", lambda: now + 86_400)
    monkeypatch.setattr(entries, "this_process", lambda: "another computer|1|x|")
    monkeypatch.setattr(monotonic_clock, "clock_id", lambda: "of another computer")
    begin(journal)
    monkeypatch.undo()
    assert recent(journal)[0].is_unknown


@pytest.mark.forks
def test_zombie_process_counts_as_ended():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = f"{entries._host()}|{child.pid}|x|{entries._start_time(child.pid)}"
    try:
        assert entries._is_running(owner)
        os.kill(child.pid, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, but still a zombie
        assert not entries._is_running(owner)
    finally:
        child.communicate()


def earlier_version(path):
    """Create a journal as an earlier version did, with accepted and unknown requests."""
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


def test_requests_accepted_by_earlier_versions_are_recognized(open_journal, tmp_path):
    earlier_version(tmp_path / "journal.db")
    journal = open_journal()
    accepted = {row.intent: row.was_accepted for row in recent(journal)}
    assert accepted == {"a": True, "u": True, "l": False}
    # A kernel that still runs the earlier version records a response in its own way.
    journal._database.run(
        lambda file: file.execute("UPDATE request SET job_id='j2', taken=0 WHERE intent='l'")
    ).result()
    assert all(row.was_accepted for row in recent(journal))


def test_entries_dated_in_the_future_do_not_change_the_trusted_time(open_journal, tmp_path):
    from wonda_widgets.journal import trusted_time

    earlier_version(tmp_path / "journal.db")
    believed = (
        open_journal()
        ._database.run(lambda file: file.execute("SELECT believed FROM reading").fetchone()[0])
        .result()
    )
    assert abs(believed - time.time()) < 60
    assert abs(open_journal()._database.run(trusted_time.now).result() - time.time()) < 60


@pytest.mark.parametrize("immutable", [False, True])
def test_read_only_file_of_an_earlier_version_is_read(
    open_journal, tmp_path, monkeypatch, immutable
):
    path = tmp_path / "journal.db"
    earlier_version(path)
    original_connect = sqlite3.connect

    def connect(name, **options):
        # The errors of a full disk and of a file system that allows no new files.
        if name == path:
            raise sqlite3.OperationalError("attempt to write a readonly database")
        if immutable and "mode=ro" in str(name) and "immutable" not in str(name):
            raise sqlite3.OperationalError("unable to open database file")
        return original_connect(name, **options)

    monkeypatch.setattr(sqlite3, "connect", connect)
    journal = open_journal(path)
    with pytest.warns(database.JournalWarning):
        begin(journal)
    assert {row.intent for row in recent(journal)} >= {"a", "u", "l"}


FORK_AFTER_CLOSE = """import os, sys
from wonda_widgets.utils import event_loop  # before thread pools, so that its hooks run first
from wonda_widgets.journal.journal import Journal
journal = Journal(sys.argv[1])
journal.recent("x", 1).result()
journal.close()
child = os.fork()
if not child:
    os._exit(0)
sys.exit(os.waitpid(child, 0)[1])
"""


@pytest.mark.forks
def test_process_that_forks_after_closing_a_journal_ends(tmp_path):
    command = [sys.executable, "-c", FORK_AFTER_CLOSE, str(tmp_path / "journal.db")]
    assert subprocess.run(command, timeout=60, check=False).returncode == 0
