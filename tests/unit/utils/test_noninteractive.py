"""Detecting whether a front end is live, and the output if there is none."""

import asyncio
import sys
import threading
from types import SimpleNamespace

import pytest

import wonda_widgets as ww
from wonda_widgets.jobs.job import Job
from wonda_widgets.models import MAX_LINE_LENGTH, Snapshot, one_line
from wonda_widgets.utils import noninteractive

DONE = {"status": "succeeded", "outputs": [{"media": {"mediaId": "m1"}}]}


def running(word):
    return {"status": word, "outputs": []}


class Events(dict):
    """IPython's callbacks after a cell."""

    def register(self, name, function):
        self.setdefault(name, []).append(function)

    def unregister(self, name, function):
        self[name].remove(function)

    def end_cell(self):
        for function in list(self.get("post_run_cell", [])):
            function(None)


def shell_asked(content):
    """A kernel's shell while a message of this content is handled."""
    kernel = SimpleNamespace(get_parent=lambda: {"content": content})
    return SimpleNamespace(kernel=kernel, events=Events())


@pytest.fixture
def front(monkeypatch):
    """Put this process into a kernel whose cell was asked for so."""
    for name in ("VOILA_PREHEAT", "SERVER_SOFTWARE"):
        monkeypatch.delenv(name, raising=False)

    def put(shell):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
        return shell

    return put


NOBODY = {"code": "job.wait()", "allow_stdin": False}


def test_kernel_without_stdin_is_noninteractive(front):
    front(shell_asked(NOBODY))
    assert noninteractive.is_unattended()


@pytest.mark.parametrize(
    "content",
    [
        {"code": "job.wait()", "allow_stdin": True},
        {"code": "job.wait()"},
        {"comm_id": "1", "data": {}},
        {},
        None,
    ],
    ids=["front end", "silent about it", "a click", "no message", "no content"],
)
def test_other_kernels_are_interactive(front, content):
    front(shell_asked(content))
    assert not noninteractive.is_unattended()


def test_script_and_terminal_have_no_kernel(front, monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not noninteractive.is_unattended()
    assert "IPython" not in sys.modules, "and it is not loaded for the question"
    for shell in (None, SimpleNamespace(), SimpleNamespace(kernel=None)):
        front(shell)
        assert not noninteractive.is_unattended()


@pytest.mark.parametrize(
    ("name", "value"), [("SERVER_SOFTWARE", "voila/0.5.13"), ("VOILA_PREHEAT", "True")]
)
def test_voila_is_interactive(front, monkeypatch, name, value):
    front(shell_asked(NOBODY))
    monkeypatch.setenv(name, value)
    assert not noninteractive.is_unattended()


def test_other_threads_print_nothing(front):
    front(shell_asked(NOBODY))
    said = []
    thread = threading.Thread(target=lambda: said.append(noninteractive.is_unattended()))
    thread.start()
    thread.join()
    assert said == [False]


@pytest.fixture
def job(clock):
    def make(*replies, kind="inference"):
        left = list(replies)
        gate = threading.Event()

        async def answer():
            while not gate.is_set():  # until somebody waits
                await asyncio.sleep(0.001)
            reply = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(reply, Exception):
                raise reply
            return reply

        threading.Timer(0.05, gate.set).start()
        return Job(kind, "j1", answer, clock=clock)

    return make


WALK = [running(word) for word in ("idle", "locked", "locked", "locked", "in_progress")]


def test_wait_prints_each_change_once(front, job, capsys):
    front(shell_asked(NOBODY))
    job(*WALK, DONE).wait()
    assert capsys.readouterr().out.splitlines() == [
        "Generation: submitted · 0 s",
        "Generation: idle · 0 s",
        "Generation: locked · 1 s",
        "Generation: in_progress · 8 s",
        "Generation: succeeded · 13 s",
    ]


def test_posts_and_problems_are_printed(front, job, capsys):
    front(shell_asked(NOBODY))
    silent = ww.ServiceUnreachableError("gone")
    job(running("queued"), silent, silent, DONE, kind="publish").wait()
    assert capsys.readouterr().out.splitlines() == [
        "Publishing: submitted · 0 s",
        "Publishing: queued · 0 s",
        "Publishing: queued · 1 s · The service is not responding; retrying.",
        "Publishing: succeeded · 4 s",
    ]


def test_failure_is_printed_before_it_is_raised(front, job, capsys):
    front(shell_asked(NOBODY))
    with pytest.raises(ww.JobFailedError):
        job({"status": "failed", "errorMessage": "No\x1b[31m lanterns\n\nhere"}).wait()
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Generation: failed · 0 s · No [31m lanterns here"
    )


def test_interactive_wait_prints_nothing(front, job, capsys):
    front(shell_asked({"code": "job.wait()", "allow_stdin": True}))
    job(*WALK, DONE).wait()
    assert capsys.readouterr().out == ""


def test_iteration_prints_nothing(front, job, capsys):
    front(shell_asked(NOBODY))
    assert [snapshot.status for snapshot in job(*WALK, DONE).updates()][-1] == "succeeded"
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("quick_polls")
def test_matrix_prints_its_progress(front, capsys):
    front(shell_asked(NOBODY))
    with ww.Wonda.sandbox(seconds=0.02) as wonda:
        planned = wonda.images.matrix(
            "{what}", {"what": ["a sail", "sandbox: fail", "a storm"]}, "z-image", max_concurrency=1
        )
        planned.wait()
        assert capsys.readouterr().out.splitlines()[-1] == "Images: 2 of 3, 1 failed"
        planned.wait()
        assert capsys.readouterr().out == "Images: 2 of 3, 1 failed\n"
        for _ in planned:
            pass
        assert capsys.readouterr().out == ""


def test_cell_waits_for_its_panels(front):
    shell = front(shell_asked(NOBODY))
    asked = []

    def settled():
        asked.append(1)
        return len(asked) > 2

    noninteractive.delay_cell_end_until(settled)
    shell.events.end_cell()
    assert len(asked) == 3
    shell.events.end_cell()
    assert len(asked) == 4


def test_cell_does_not_wait_twice_for_a_stuck_panel(front, monkeypatch):
    shell = front(shell_asked(NOBODY))
    monkeypatch.setattr(noninteractive, "SETTLE_TIMEOUT_SECONDS", 0.0)
    asked = []
    noninteractive.delay_cell_end_until(lambda: bool(asked.append(1)))
    shell.events.end_cell()
    before = len(asked)
    shell.events.end_cell()
    assert len(asked) == before


def test_external_text_stays_on_one_line():
    assert one_line("a\r\nb\x1b[2J\u202ec") == "a b [2J c"
    assert len(one_line("x" * 5000)) == MAX_LINE_LENGTH
    assert str(Snapshot(status="wörd\nGeneration: succeeded", elapsed=125)) == (
        "wörd Generation: succeeded · 2 min 05 s"
    )
