"""Poll intervals derived from the durations of earlier jobs."""

import asyncio
import math
import random

import pytest

from wonda_widgets.jobs import adaptive_polling, duration_stats, poll_intervals
from wonda_widgets.jobs.job import Job


def sample_durations(sigma, runs=100, median=38.0, seed=1):
    source = random.Random(seed)
    return [median * math.exp(sigma * source.gauss(0, 1)) for _ in range(runs)]


def default_interval():
    intervals = poll_intervals.intervals()
    return lambda _age: next(intervals)


def simulate_polling(interval, seconds):
    """Return how late polling finds the end of a job, and the number of requests."""
    age, requests = 0.0, 1
    while age < seconds:
        age += interval(age)
        requests += 1
    return age - seconds, requests


def averages(create_interval, jobs):
    results = [simulate_polling(create_interval(), seconds) for seconds in jobs]
    return [sum(column) / len(jobs) for column in zip(*results, strict=True)]


@pytest.mark.parametrize(("sigma", "max_ratio"), [(0.15, 0.45), (0.25, 0.54), (0.4, 0.66)])
@pytest.mark.parametrize("runs", [20, 100])
def test_adaptive_polls_find_the_end_sooner_with_no_more_requests(sigma, max_ratio, runs):
    jobs = sample_durations(sigma, 1000, seed=2)
    default_lag, default_requests = averages(default_interval, jobs)
    lags, request_counts = [], []
    for seed in range(10):
        adaptive = adaptive_polling.from_stats(
            duration_stats.summarize(sample_durations(sigma, runs, seed=10 + seed))
        )
        lag, requests = averages(lambda adaptive=adaptive: adaptive.interval, jobs)
        lags.append(lag)
        request_counts.append(requests)
    assert sum(lags) / len(lags) <= max_ratio * default_lag
    assert sum(request_counts) / len(request_counts) <= default_requests


@pytest.mark.parametrize(
    "durations",
    [
        [30.0] * 5,
        [0.01] * 9,
        [1e-6, 1.0, 5.0, 60.0, 90.0],
        [299.0] * 6,
        sample_durations(0.25),
        sample_durations(2.0),
    ],
    ids=["equal", "instant", "varied", "long", "typical", "wide"],
)
def test_adaptive_intervals_are_one_to_five_seconds(durations):
    adaptive = adaptive_polling.AdaptivePolling(duration_stats.summarize(durations))
    age = 0.0
    for _ in range(3000):
        interval = adaptive.interval(age)
        assert poll_intervals.FIRST_INTERVAL <= interval <= poll_intervals.MAX_INTERVAL
        age += interval
    assert poll_intervals.FIRST_INTERVAL <= adaptive.interval(-3.0) <= poll_intervals.MAX_INTERVAL


def test_very_short_durations_give_no_adaptive_polling():
    # The default first interval is 1 s, and no interval is shorter.
    assert (
        adaptive_polling.from_stats(duration_stats.summarize(sample_durations(0.1, median=0.6)))
        is None
    )
    assert (
        adaptive_polling.from_stats(duration_stats.summarize(sample_durations(0.1, median=4.0)))
        is not None
    )


def test_very_long_durations_give_no_adaptive_polling():
    assert adaptive_polling.from_stats(duration_stats.summarize([86_400.0] * 6)) is None


def test_job_slower_than_usual_is_not_polled_much_more_often():
    adaptive = adaptive_polling.from_stats(duration_stats.summarize(sample_durations(0.1)))
    _, adaptive_requests = simulate_polling(adaptive.interval, 600)
    _, default_requests = simulate_polling(default_interval(), 600)
    assert adaptive_requests <= 1.15 * default_requests


async def _stats_of(durations):
    return duration_stats.summarize(durations)


def test_job_is_polled_at_adaptive_intervals(clock):
    durations = sample_durations(0.15)
    poll_times = []

    async def poll():
        poll_times.append(clock.monotonic())
        done = clock.monotonic() - poll_times[0] >= 36
        return {"status": "succeeded" if done else "in_progress"}

    job = Job("inference", "j1", poll, duration_stats=lambda: _stats_of(durations), clock=clock)
    job.wait()
    adaptive = adaptive_polling.from_stats(duration_stats.summarize(durations))
    ages = [0.0]
    while ages[-1] < 36:
        ages.append(ages[-1] + adaptive.interval(ages[-1]))
    assert [at - poll_times[0] for at in poll_times] == pytest.approx(ages)
    assert clock.slept[0] == 5.0
    assert min(clock.slept) < 3.0


@pytest.mark.parametrize("reason", ["no history", "too few", "unreadable"])
def test_job_without_enough_history_is_polled_at_default_intervals(clock, reason):
    async def load_stats():
        if reason == "unreadable":
            raise OSError("gone")
        return duration_stats.summarize([30.0] * (4 if reason == "too few" else 0))

    responses = [{"status": "in_progress"}] * 7 + [{"status": "succeeded"}]

    async def poll():
        return responses.pop(0)

    Job("inference", "j1", poll, duration_stats=load_stats, clock=clock).wait()
    assert clock.slept == [1.0, 1.5, 2.25, 3.375, 5.0, 5.0, 5.0]


def test_first_poll_does_not_wait_for_the_history(clock):
    polled = asyncio.Event()

    async def load_stats():
        await polled.wait()

    async def poll():
        polled.set()
        return {"status": "succeeded" if clock.slept else "idle"}

    assert (
        Job("inference", "j1", poll, duration_stats=load_stats, clock=clock).wait(20).status
        == "succeeded"
    )


def test_unresponsive_journal_does_not_stop_polling(clock, monkeypatch):
    monkeypatch.setattr("wonda_widgets.jobs.job.JOURNAL_TIMEOUT", 0.01)

    async def load_stats():
        await asyncio.Event().wait()

    responses = [{"status": "idle"}] * 3 + [{"status": "succeeded"}]

    async def poll():
        return responses.pop(0)

    Job("inference", "j1", poll, duration_stats=load_stats, clock=clock).wait(20)
    assert clock.slept == [1.0, 1.5, 2.25]


def test_job_of_ten_minutes_reports_only_its_changes(clock):
    """A panel sends a message for each report."""
    began, reports = clock.monotonic(), []

    async def poll():
        while not reports:  # until it is watched
            await asyncio.sleep(0)
        elapsed = clock.monotonic() - began
        status = "idle" if elapsed < 30 else "locked" if elapsed < 60 else "in_progress"
        return {"status": "succeeded" if elapsed >= 600 else status, "outputs": []}

    job = Job("inference", "j1", poll, clock=clock)
    job.watch(lambda snapshot: reports.append(snapshot.status))
    job.wait()
    assert len(clock.slept) > 100
    assert reports == ["submitted", "idle", "locked", "in_progress", "succeeded"]
