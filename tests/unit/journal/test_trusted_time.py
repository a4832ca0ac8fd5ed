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
BODY = b'{"model":"m","prompt":"a harbor"}'


class Clocks:
    """Set the time of day and the computer's uptime independently."""

    def __init__(self, monkeypatch) -> None:
        self.time_of_day = time.time()
        self.uptime = monotonic_clock.seconds()
        self.name = "this computer"
        monkeypatch.setattr(time, "time", lambda: self.time_of_day)
        monkeypatch.setattr(monotonic_clock, "seconds", lambda: self.uptime)
        monkeypatch.setattr(monotonic_clock, "clock_id", lambda: self.name)

    def advance_days(self, days):
        self.time_of_day += days * DAY
        self.uptime += days * DAY

    def restart(self):
        self.uptime, self.name = 5.0, f"{self.name} again"


@pytest.fixture
def clocks(monkeypatch):
    return Clocks(monkeypatch)


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "journal.db", days=30)
    yield opened
    opened.close()


def record_request(journal, same_as="", *, kind="inference", end="succeeded"):
    """Record a request and, if `end` is a final status, the end of its job."""
    intent, earlier = journal.begin_request(BASE, kind, BODY, same_as).result()
    assert earlier is None
    if end:
        journal.mark_accepted(intent, f"job of {intent}").result()
    if end in {"succeeded", "failed"}:
        response = {"status": end, "outputs": [{"media": {"mediaId": "m"}}]}
        journal.update_status(
            BASE, kind, f"job of {intent}", Snapshot(status=end, raw=response)
        ).result()
    return intent


def prune(journal):
    def work(connection):
        trusted_time.take_reading(connection)
        pruning.prune(connection, 30, 50_000_000)

    journal._database.run(work).result()


def exists(journal, intent):
    return bool(journal.find_by_intent(intent).result())


def record_entries(journal):
    """Record one entry of each kind that is never pruned by age, and an ordinary one."""
    protected = {
        "sending": record_request(journal, end=""),
        "unfinished": record_request(journal, end="accepted"),
        "unfinished post": record_request(journal, "post", kind="publish", end="accepted"),
        "named": record_request(journal, "once:autumn:1"),
        "named, failed": record_request(journal, "once:autumn:2", end="failed"),
        "unknown": record_request(journal, end=""),
    }
    journal.mark_unknown(protected["unknown"], "lost").result()
    return protected, record_request(journal)


@pytest.mark.parametrize("days", [400, 3, 20_000])
def test_wrong_clock_prunes_nothing_and_its_correction_is_trusted(journal, clocks, days):
    protected, ordinary = record_entries(journal)
    clocks.time_of_day += days * DAY
    for _ in range(3):
        prune(journal)
        clocks.advance_days(0.01)
    assert exists(journal, ordinary)
    assert all(exists(journal, intent) for intent in protected.values())
    # The corrected clock is trusted immediately.
    clocks.time_of_day -= days * DAY
    clocks.advance_days(29)
    prune(journal)
    assert exists(journal, ordinary)


def test_inconsistent_clock_readings_prune_nothing(journal, clocks):
    _, ordinary = record_entries(journal)
    for ahead in (400, 401, 402, 900, 2000, 2001):
        clocks.time_of_day += ahead * DAY
        prune(journal)
        clocks.time_of_day -= ahead * DAY
        clocks.advance_days(0.001)
    for _ in range(5):  # the same with restarts in between
        clocks.time_of_day += 400 * DAY
        clocks.restart()
        prune(journal)
    assert exists(journal, ordinary)


def test_old_entries_are_pruned_once_a_second_day_confirms_the_time(journal, clocks):
    protected, ordinary = record_entries(journal)
    clocks.advance_days(100)
    prune(journal)
    assert exists(journal, ordinary), "one reading after a long time is not enough"
    clocks.advance_days(1.1)
    prune(journal)
    assert not exists(journal, ordinary)
    assert all(exists(journal, intent) for intent in protected.values()), (
        "these are never pruned by age"
    )


def test_old_entries_are_pruned_after_a_restart(journal, clocks):
    _, ordinary = record_entries(journal)
    clocks.advance_days(100)
    prune(journal)
    clocks.advance_days(2)
    clocks.restart()
    prune(journal)
    assert not exists(journal, ordinary)


def test_plan_is_resumed_despite_clock_changes(journal, clocks):
    plan, _ = journal.saved_plans.resume_or_start(BASE, "same", b"{}", 7.0).result()
    record_request(journal, f"cell:{plan.id}:1")
    clocks.time_of_day += 400 * DAY
    prune(journal)
    resumed_plan, resumed = journal.saved_plans.resume_or_start(BASE, "same", b"{}", 7.0).result()
    assert resumed
    assert resumed_plan.id == plan.id
    assert journal.saved_plans.find_unfinished(BASE, "same", 7.0).result().id == plan.id
    assert [each.id for each in journal.saved_plans.unfinished(BASE, 7.0).result()] == [plan.id]
    clocks.time_of_day -= 400 * DAY
    clocks.advance_days(8)
    prune(journal)
    clocks.advance_days(1.1)
    prune(journal)
    assert journal.saved_plans.find_unfinished(BASE, "same", 7.0).result() is None


# ---------------------------------------------------------------- processes that own requests


def test_clock_change_does_not_end_a_request_of_an_unknown_process(journal, clocks, monkeypatch):
    monkeypatch.setattr(entries, "_host", lambda: "a container on this computer")
    intent = record_request(journal, "post", kind="publish", end="")
    monkeypatch.undo()
    local_clocks = Clocks(monkeypatch)
    local_clocks.name = clocks.name
    local_clocks.uptime = clocks.uptime + 30
    for ahead in (-DAY, 60, 3600, 400 * DAY):
        local_clocks.time_of_day = clocks.time_of_day + ahead
        [record] = journal.find_by_intent(intent).result()
        assert record.is_sending
    local_clocks.uptime = clocks.uptime + 700
    [record] = journal.find_by_intent(intent).result()
    assert record.is_unknown


def test_request_of_an_unknown_process_counts_as_sending_until_its_time_limit(
    journal, clocks, monkeypatch
):
    monkeypatch.setattr(entries, "_host", lambda: "a container on this computer")
    intent, _ = journal.begin_request(
        BASE, "publish", BODY, "post", response_timeout=2000.0
    ).result()
    monkeypatch.setattr(entries, "_host", lambda: "here")
    clocks.advance_days(1500 / DAY)
    assert journal.find_by_intent(intent).result()[0].is_sending
    clocks.advance_days(600 / DAY)
    assert journal.find_by_intent(intent).result()[0].is_unknown


SCRIPT = """
import sys
from wonda_widgets.journal.journal import Journal
journal = Journal(sys.argv[1])
if sys.argv[2] == "request":
    intent, _ = journal.begin_request("b", "publish", b"{}", "post").result()
    print(intent, flush=True)
    sys.stdin.readline()
else:
    _, earlier = journal.begin_request("b", "publish", b"{}", "post").result()
    print(earlier.is_sending, flush=True)
"""


@pytest.mark.namespaces
def test_processes_in_containers_with_the_same_name_are_distinguished(tmp_path):
    command = [*CONTAINER, sys.executable, "-c", SCRIPT, str(tmp_path / "shared.db")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "request"], **pipes) as first:
        assert first.stdout.readline().strip()
        with subprocess.Popen([*command, "check"], **pipes) as second:
            assert second.stdout.readline().strip() == "True"
        plain = [*command[len(CONTAINER) :], "check"]
        with subprocess.Popen(plain, **pipes) as outside:
            assert outside.stdout.readline().strip() == "True"
        first.stdin.write("\n")


def test_is_running_is_undecided_for_owners_recorded_by_earlier_versions():
    for owner in ("", "host", "host|1|x|5", "another/time:[1]/pid:[2]|1|x|5"):
        assert entries._is_running(owner) is None
    assert entries._is_running(entries.this_process()) is True
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert entries._is_running(f"{entries._host()}|{ended.pid}|x|7") is False
    assert entries._is_running(f"{entries._host()}|{os.getpid()}|x|7") is False
