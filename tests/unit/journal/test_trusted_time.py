"""Clock changes, restarts, and containers with the same host name."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from conftest import CONTAINER

from wonda_widgets.journal import entries, pruning, trusted_time
from wonda_widgets.journal.journal import Journal
from wonda_widgets.models import Snapshot
from wonda_widgets.utils import monotonic_clock

BASE = "https://api.example.test/api/v1"
DAY = 86_400
BODY = b'{"model":"m","prompt":"a harbour"}'


class Clocks:
    """The time of day, and how long the computer has been running, each set at will."""

    def __init__(self, monkeypatch) -> None:
        self.day = time.time()
        self.running = monotonic_clock.seconds()
        self.name = "this computer"
        monkeypatch.setattr(time, "time", lambda: self.day)
        monkeypatch.setattr(monotonic_clock, "seconds", lambda: self.running)
        monkeypatch.setattr(monotonic_clock, "clock_id", lambda: self.name)

    def passes(self, days):
        self.day += days * DAY
        self.running += days * DAY

    def restarts(self):
        self.running, self.name = 5.0, f"{self.name} again"


@pytest.fixture
def clocks(monkeypatch):
    return Clocks(monkeypatch)


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal.db", days=30)
    yield opened
    opened.close()


def ask(journal, same_as="", *, kind="inference", end="succeeded"):
    """Note a request and, if `end` is one, its job's end."""
    intent, earlier = journal.begin_request(BASE, kind, BODY, same_as).result()
    assert earlier is None
    if end:
        journal.mark_accepted(intent, f"job of {intent}").result()
    if end in {"succeeded", "failed"}:
        reply = {"status": end, "outputs": [{"media": {"mediaId": "m"}}]}
        journal.update_status(
            BASE, kind, f"job of {intent}", Snapshot(status=end, raw=reply)
        ).result()
    return intent


def prune(journal):
    def work(connection):
        trusted_time.take_reading(connection)
        pruning.prune(connection, 30, 50_000_000)

    journal._database.run(work).result()


def there(journal, intent):
    return bool(journal.find_by_intent(intent).result())


def everything(journal):
    """One entry of each kind that is kept for something, and an ordinary one."""
    kept = {
        "sending": ask(journal, end=""),
        "unfinished": ask(journal, end="accepted"),
        "unfinished post": ask(journal, "post", kind="publish", end="accepted"),
        "named": ask(journal, "once:autumn:1"),
        "named, failed": ask(journal, "once:autumn:2", end="failed"),
        "unknown": ask(journal, end=""),
    }
    journal.mark_unknown(kept["unknown"], "lost").result()
    return kept, ask(journal)


@pytest.mark.parametrize("days", [400, 3, 20_000])
def test_one_wrong_clock_reading_deletes_nothing(journal, clocks, days):
    kept, ordinary = everything(journal)
    clocks.day += days * DAY
    for _ in range(3):
        prune(journal)
        clocks.passes(0.01)
    assert there(journal, ordinary)
    assert all(there(journal, intent) for intent in kept.values())
    # The clock is set right again, and is believed at once.
    clocks.day -= days * DAY
    clocks.passes(29)
    prune(journal)
    assert there(journal, ordinary)


def test_inconsistent_clock_readings_delete_nothing(journal, clocks):
    _, ordinary = everything(journal)
    for ahead in (400, 401, 402, 900, 2000, 2001):
        clocks.day += ahead * DAY
        prune(journal)
        clocks.day -= ahead * DAY
        clocks.passes(0.001)
    for _ in range(5):  # or with a restart in between
        clocks.day += 400 * DAY
        clocks.restarts()
        prune(journal)
    assert there(journal, ordinary)


def test_old_entries_are_deleted_after_confirmation_on_a_second_day(journal, clocks):
    kept, ordinary = everything(journal)
    clocks.passes(100)
    prune(journal)
    assert there(journal, ordinary), "the first look after a long while"
    clocks.passes(1.1)
    prune(journal)
    assert not there(journal, ordinary)
    assert all(there(journal, intent) for intent in kept.values()), "these never go by age"


def test_old_entries_are_deleted_after_downtime(journal, clocks):
    _, ordinary = everything(journal)
    clocks.passes(100)
    prune(journal)
    clocks.passes(2)
    clocks.restarts()
    prune(journal)
    assert not there(journal, ordinary)


def test_plan_is_resumed_despite_clock_changes(journal, clocks):
    batch, _ = journal.saved_plans.resume_or_start(BASE, "alike", b"{}", 7.0).result()
    ask(journal, f"cell:{batch.id}:1")
    clocks.day += 400 * DAY
    prune(journal)
    again, resumed = journal.saved_plans.resume_or_start(BASE, "alike", b"{}", 7.0).result()
    assert resumed
    assert again.id == batch.id
    assert journal.saved_plans.find_unfinished(BASE, "alike", 7.0).result().id == batch.id
    assert [each.id for each in journal.saved_plans.unfinished(BASE, 7.0).result()] == [batch.id]
    clocks.day -= 400 * DAY
    clocks.passes(8)
    prune(journal)
    clocks.passes(1.1)
    prune(journal)
    assert journal.saved_plans.find_unfinished(BASE, "alike", 7.0).result() is None


# ---------------------------------------------------------------- whose request it is


def test_clock_change_does_not_end_requests_of_unknown_processes(journal, clocks, monkeypatch):
    monkeypatch.setattr(entries, "_host", lambda: "a container on this computer")
    intent = ask(journal, "post", kind="publish", end="")
    monkeypatch.undo()
    here = Clocks(monkeypatch)
    here.name = clocks.name
    here.running = clocks.running + 30
    for ahead in (-DAY, 60, 3600, 400 * DAY):
        here.day = clocks.day + ahead
        [record] = journal.find_by_intent(intent).result()
        assert record.is_sending
    here.running = clocks.running + 700
    [record] = journal.find_by_intent(intent).result()
    assert record.is_unknown


def test_request_may_take_its_full_time_limit(journal, clocks, monkeypatch):
    monkeypatch.setattr(entries, "_host", lambda: "a container on this computer")
    intent, _ = journal.begin_request(
        BASE, "publish", BODY, "post", response_timeout=2000.0
    ).result()
    monkeypatch.setattr(entries, "_host", lambda: "here")
    clocks.passes(1500 / DAY)
    assert journal.find_by_intent(intent).result()[0].is_sending
    clocks.passes(600 / DAY)
    assert journal.find_by_intent(intent).result()[0].is_unknown


NAMESPACE = """
import sys
from wonda_widgets.journal.journal import Journal
journal = Journal(sys.argv[1])
if sys.argv[2] == "ask":
    intent, _ = journal.begin_request("b", "publish", b"{}", "post").result()
    print(intent, flush=True)
    sys.stdin.readline()
else:
    _, earlier = journal.begin_request("b", "publish", b"{}", "post").result()
    print(earlier.is_sending, flush=True)
"""


@pytest.mark.namespaces
def test_containers_with_the_same_name_are_distinguished(tmp_path):
    command = [*CONTAINER, sys.executable, "-c", NAMESPACE, str(tmp_path / "shared.db")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "ask"], **pipes) as first:
        assert first.stdout.readline().strip()
        with subprocess.Popen([*command, "look"], **pipes) as second:
            assert second.stdout.readline().strip() == "True"
        plain = [*command[len(CONTAINER) :], "look"]
        with subprocess.Popen(plain, **pipes) as outside:
            assert outside.stdout.readline().strip() == "True"
        first.stdin.write("\n")


def test_process_of_an_earlier_version_is_unknown():
    for owner in ("", "host", "host|1|x|5", "another/time:[1]/pid:[2]|1|x|5"):
        assert entries._is_running(owner) is None
    assert entries._is_running(entries.this_process()) is True
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert entries._is_running(f"{entries._host()}|{ended.pid}|x|7") is False
    assert entries._is_running(f"{entries._host()}|{os.getpid()}|x|7") is False
