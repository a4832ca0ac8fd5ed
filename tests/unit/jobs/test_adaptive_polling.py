"""Poll times that follow from earlier durations."""

import asyncio
import math
import random

import pytest

from wonda_widgets.jobs import adaptive_polling, duration_stats, poll_intervals
from wonda_widgets.jobs.job import Job


def history(sigma, runs=100, median=38.0, seed=1):
    source = random.Random(seed)
    return [median * math.exp(sigma * source.gauss(0, 1)) for _ in range(runs)]


def by_the_page():
    waits = poll_intervals.intervals()
    return lambda _age: next(waits)


def found(wait, seconds):
    """When a job that takes so long is found to be done, and after how many requests."""
    age, asked = 0.0, 1
    while age < seconds:
        age += wait(age)
        asked += 1
    return age - seconds, asked


def averages(make, jobs):
    both = [found(make(), seconds) for seconds in jobs]
    return [sum(column) / len(jobs) for column in zip(*both, strict=True)]


@pytest.mark.parametrize(("sigma", "most"), [(0.15, 0.45), (0.25, 0.54), (0.4, 0.66)])
@pytest.mark.parametrize("runs", [20, 100])
def test_adaptive_polls_find_the_end_sooner_with_no_more_requests(sigma, most, runs):
    jobs = history(sigma, 1000, seed=2)
    page_lag, page_asked = averages(by_the_page, jobs)
    lags, asked = [], []
    for seed in range(10):
        learned = adaptive_polling.from_stats(
            duration_stats.summarize(history(sigma, runs, seed=10 + seed))
        )
        lag, requests = averages(lambda learned=learned: learned.interval, jobs)
        lags.append(lag)
        asked.append(requests)
    assert sum(lags) / len(lags) <= most * page_lag
    assert sum(asked) / len(asked) <= page_asked


@pytest.mark.parametrize(
    "durations",
    [
        [30.0] * 5,
        [0.01] * 9,
        [1e-6, 1.0, 5.0, 60.0, 90.0],
        [299.0] * 6,
        history(0.25),
        history(2.0),
    ],
    ids=["alike", "instant", "wild", "long", "usual", "wide"],
)
def test_intervals_are_one_to_five_seconds(durations):
    learned = adaptive_polling.AdaptivePolling(duration_stats.summarize(durations))
    age = 0.0
    for _ in range(3000):
        wait = learned.interval(age)
        assert poll_intervals.FIRST_INTERVAL <= wait <= poll_intervals.MAX_INTERVAL
        age += wait
    assert poll_intervals.FIRST_INTERVAL <= learned.interval(-3.0) <= poll_intervals.MAX_INTERVAL


def test_very_short_durations_are_ignored():
    # The page asks after 1 s, and no wait is shorter.
    assert adaptive_polling.from_stats(duration_stats.summarize(history(0.1, median=0.6))) is None
    assert (
        adaptive_polling.from_stats(duration_stats.summarize(history(0.1, median=4.0))) is not None
    )


def test_very_long_durations_are_ignored():
    assert adaptive_polling.from_stats(duration_stats.summarize([86_400.0] * 6)) is None


def test_slow_service_is_not_polled_more_often():
    learned = adaptive_polling.from_stats(duration_stats.summarize(history(0.1)))
    _, asked = found(learned.interval, 600)
    _, by_page = found(by_the_page(), 600)
    assert asked <= 1.15 * by_page


async def _usual_of(durations):
    return duration_stats.summarize(durations)


def test_job_is_polled_at_adaptive_intervals(clock):
    durations = history(0.15)
    polled = []

    async def poll():
        polled.append(clock.monotonic())
        done = clock.monotonic() - polled[0] >= 36
        return {"status": "succeeded" if done else "in_progress"}

    job = Job("inference", "j1", poll, duration_stats=lambda: _usual_of(durations), clock=clock)
    job.wait()
    learned = adaptive_polling.from_stats(duration_stats.summarize(durations))
    ages = [0.0]
    while ages[-1] < 36:
        ages.append(ages[-1] + learned.interval(ages[-1]))
    assert [at - polled[0] for at in polled] == pytest.approx(ages)
    assert clock.slept[0] == 5.0
    assert min(clock.slept) < 3.0


@pytest.mark.parametrize("why", ["no history", "too few", "unreadable"])
def test_default_intervals_without_history(clock, why):
    async def usual():
        if why == "unreadable":
            raise OSError("gone")
        return duration_stats.summarize([30.0] * (4 if why == "too few" else 0))

    replies = [{"status": "in_progress"}] * 7 + [{"status": "succeeded"}]

    async def poll():
        return replies.pop(0)

    Job("inference", "j1", poll, duration_stats=usual, clock=clock).wait()
    assert clock.slept == [1.0, 1.5, 2.25, 3.375, 5.0, 5.0, 5.0]


def test_first_poll_does_not_wait_for_the_history(clock):
    polled = asyncio.Event()

    async def usual():
        await polled.wait()

    async def poll():
        polled.set()
        return {"status": "succeeded" if clock.slept else "idle"}

    assert (
        Job("inference", "j1", poll, duration_stats=usual, clock=clock).wait(20).status
        == "succeeded"
    )


def test_unresponsive_journal_does_not_stop_polling(clock, monkeypatch):
    monkeypatch.setattr("wonda_widgets.jobs.job.JOURNAL_TIMEOUT", 0.01)

    async def usual():
        await asyncio.Event().wait()

    replies = [{"status": "idle"}] * 3 + [{"status": "succeeded"}]

    async def poll():
        return replies.pop(0)

    Job("inference", "j1", poll, duration_stats=usual, clock=clock).wait(20)
    assert clock.slept == [1.0, 1.5, 2.25]
