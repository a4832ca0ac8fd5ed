"""Closed panels are not called or kept in memory."""

from __future__ import annotations

import gc
import weakref

import pytest
from conftest import send

import wonda_widgets as ww
from wonda_widgets.utils import event_loop
from wonda_widgets.widgets._shared.subscriptions import SingleSubscription, Subscriptions


@pytest.fixture
def wonda():
    with ww.Wonda.sandbox(seconds=60) as client:
        yield client


def on_loop(function, *args):
    async def work():
        return function(*args)

    return event_loop.run_blocking(work())


def turned():
    """Let the loop do what was posted."""
    on_loop(lambda: None)


def asked(wonda, prompt="x"):
    return wonda.images.generate(model="z-image", prompt=prompt)


def listening(job):
    turned()
    return len(job._listeners)


def freed(make):
    """Whether what was made and closed is let go."""
    owner = make()
    owner.close()
    turned()
    turned()
    gone = weakref.ref(owner)
    del owner
    for _ in range(3):
        gc.collect()
        turned()
    return gone() is None


PANELS = {
    "progress": lambda w, job: ww.JobProgress(job, wonda=w),
    "form": lambda w, _: ww.PromptForm(w),
    "gallery": lambda w, job: ww.Gallery([job], wonda=w),
    "history": lambda w, _: ww.History(w),
    "everything": lambda w, _: ww.Gallery(wonda=w),
    "publish": lambda w, _: ww.PublishForm("m1", wonda=w),
    "scheduled": lambda w, _: ww.ScheduledPosts(w),
    "lab": lambda w, _: ww.PromptLab(w),
    "studio": lambda w, _: ww.Studio(w),
    "dashboard": lambda w, _: ww.Dashboard(w),
}


@pytest.mark.parametrize("name", PANELS)
@pytest.mark.parametrize("waits", [False, True])
def test_closed_panel_is_garbage_collected(wonda, name, waits):
    job = asked(wonda)
    listeners = listening(job)
    watched = len(wonda._async._core.on_image)

    def make():
        panel = PANELS[name](wonda, job)
        if waits:
            turned()
        return panel

    assert freed(make)
    assert listening(job) == listeners
    assert len(wonda._async._core.on_image) == watched


def test_panel_closed_before_subscribing_never_subscribes(wonda):
    job = asked(wonda)
    before = listening(job)
    ww.JobProgress(job, wonda=wonda).close()
    panel = ww.JobProgress(wonda=wonda)
    panel.close()
    panel.job = job
    assert listening(job) == before


def test_new_job_ends_only_the_previous_subscription(wonda, opened):
    form = opened(ww.PromptForm(wonda))
    ended = []
    form._subscriptions.append(lambda: ended.append(1))
    jobs = [asked(wonda, str(number)) for number in range(3)]
    before = [listening(job) for job in jobs]
    for job in jobs:
        on_loop(form.attach_job, job)
    assert not ended
    assert [listening(job) - old for job, old in zip(jobs, before, strict=True)] == [0, 0, 1]
    form.close()
    turned()
    assert ended
    assert listening(jobs[2]) == before[2]


def test_lab_subscribes_only_to_its_last_matrix(wonda, opened):
    form = opened(ww.PromptLab(wonda)).form
    matrices = [wonda.images.matrix(f"{n} x", models="z-image") for n in range(3)]
    for matrix in matrices:
        matrix.start = lambda: None
        on_loop(form._run_matrix, matrix)
    turned()
    lab = form._subscription
    assert lab is not None
    followed = [len(matrix._runner._listeners) for matrix in matrices]
    assert followed[2] > max(followed[:2])
    assert len(form._subscriptions) == 1


def test_matrix_calls_no_ended_subscriber(wonda):
    matrix = wonda.images.matrix("x", models="z-image")
    told = []
    end = matrix.watch(told.append)
    turned()

    def told_while_it_ends():
        end()
        matrix._runner._notify(None)

    on_loop(told_while_it_ends)
    turned()
    end()  # again
    assert not told
    turned()
    assert not matrix._runner._listeners


def test_history_subscription_can_be_ended_twice(wonda):
    told = []
    end = wonda._async.history.watch(lambda: told.append(1))
    other = wonda._async.history.watch(lambda: told.append(2))
    end()
    end()
    for listener in wonda._async._core.on_image:
        listener()
    assert told == [2]
    other()
    assert not wonda._async._core.on_image


def test_dashboard_subscribes_to_a_post_until_it_ends(quick_polls, settled):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02) as wonda:
        board = ww.Dashboard(wonda)
        jobs = [asked(wonda, str(number)) for number in range(3)]
        for job in jobs:
            on_loop(board._follow_post, job)
        settled(lambda: all(job.done for job in jobs))
        turned()
        turned()
        assert [listening(job) for job in jobs] == [0, 0, 0]
        assert len(board._subscriptions) == 0
        board.close()


def test_posting_panel_subscribes_to_one_scheduled_post(wonda, opened):
    form = opened(ww.PublishForm("m1", wonda=wonda))
    form.summary = {"account_name": "a", "media_id": "m1"}
    jobs = [asked(wonda, str(number)) for number in range(3)]
    before = [listening(job) for job in jobs]

    def wait_for(job):
        form._job = job
        form._set_scheduled(None)

    for job in jobs:
        on_loop(wait_for, job)
    assert [listening(job) - old for job, old in zip(jobs, before, strict=True)] == [0, 0, 1]
    on_loop(form._set_posted, None, None)
    assert listening(jobs[2]) == before[2]


def test_subscription_after_close_ends_immediately():
    ended = []
    subscriptions = Subscriptions()
    following = SingleSubscription(subscriptions)
    following.replace(lambda: ended.append("first"))
    following.replace(lambda: ended.append("second"))
    subscriptions.append(lambda: ended.append("other"))
    subscriptions.close()
    subscriptions.append(lambda: ended.append("late"))
    following.end()
    assert ended == ["first", "second", "other", "late", "second"]
    assert len(subscriptions) == 0


def test_work_started_after_close_does_not_run(wonda):
    panel = ww.PromptForm(wonda)
    panel.close()
    done = []

    async def work():
        done.append(1)

    panel.start_soon(work)
    turned()
    turned()
    assert not done
    send(panel, "reload")
    assert not panel._tasks
