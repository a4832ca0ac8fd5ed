"""A fork must not copy SQLite's locks while a thread holds one."""

import os
import threading
import warnings

import pytest

from wonda_widgets.journal import fork_safety
from wonda_widgets.journal.journal import Journal

pytestmark = [
    pytest.mark.forks,
    # As of Python 3.12, it warns that other threads are running, which is what is tested.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


def forked(child):
    """Run `child` in a forked process; return its exit status."""
    pid = os.fork()
    if not pid:
        status = 99
        try:
            status = child()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_fork_waits_for_a_transaction(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    entered, goes_on, ended = threading.Event(), threading.Event(), []

    def work(_connection):
        entered.set()
        goes_on.wait(10)
        ended.append(True)

    done = journal._database.run(work)
    assert entered.wait(10)
    timer = threading.Timer(0.1, goes_on.set)
    timer.start()
    assert forked(lambda: 0 if ended else 1) == 0
    assert done.result(10) is None
    journal.close()
    timer.join()


def test_journal_can_be_used_after_a_fork_in_both_processes(tmp_path):
    journal = Journal(tmp_path / "journal.db")
    stop = threading.Event()

    def keep_writing():
        while not stop.is_set():
            journal.begin_request("b", "upload", b"{}").result(10)

    thread = threading.Thread(target=keep_writing)
    thread.start()

    def child():
        own = Journal(tmp_path / "child.db")
        own.begin_request("b", "upload", b"{}").result(10)
        journal.begin_request("b", "upload", b"{}").result(10)
        return 0

    with warnings.catch_warnings():
        assert [forked(child) for _ in range(20)] == [0] * 20
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    journal.close()


def test_fork_is_not_delayed_for_ever(monkeypatch):
    monkeypatch.setattr(fork_safety, "MAX_WAIT_SECONDS", 0.05)
    with fork_safety.inside_sqlite():
        assert forked(lambda: 0) == 0
    with fork_safety.inside_sqlite():  # the gate is open again
        pass
