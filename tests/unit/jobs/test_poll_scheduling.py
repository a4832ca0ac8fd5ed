"""Poll scheduling: the polls of many jobs are spread over time."""

import heapq
from collections import Counter
from itertools import islice

from wonda_widgets.errors import RateLimitError
from wonda_widgets.jobs import duration_stats, poll_intervals
from wonda_widgets.jobs.job import Job
from wonda_widgets.jobs.poll_scheduling import PollScheduler


def poll_times(jobs, until, *, spread=True):
    """Return the poll times of jobs that start within two seconds, at the default intervals."""
    scheduler = PollScheduler()
    queue = [(2.0 * job / jobs, job) for job in range(jobs)]
    intervals = [poll_intervals.intervals() for _ in range(jobs)]
    heapq.heapify(queue)
    times = []
    while queue[0][0] < until:
        now, job = heapq.heappop(queue)
        times.append(now)
        interval = next(intervals[job])
        scheduled = scheduler.schedule(now, interval) if spread else interval
        assert max(poll_intervals.FIRST_INTERVAL, interval / 2) <= scheduled + 1e-9
        assert scheduled <= interval
        heapq.heappush(queue, (now + scheduled, job))
    return times


def test_polls_are_spread_evenly():
    for jobs in (200, 500, 2000):
        per_second = Counter(int(at) for at in poll_times(jobs, 60) if at >= 10)
        assert max(per_second.values()) <= 2 * sum(per_second.values()) / 50
        unspread_per_second = Counter(
            int(at) for at in poll_times(jobs, 60, spread=False) if at >= 10
        )
        assert max(unspread_per_second.values()) > 2 * sum(unspread_per_second.values()) / 50


def test_spreading_adds_few_requests():
    assert len(poll_times(500, 60)) <= 1.04 * len(poll_times(500, 60, spread=False))


def test_polls_of_few_jobs_keep_their_exact_intervals():
    assert poll_times(5, 60) == poll_times(5, 60, spread=False)


def test_scheduler_forgets_past_polls():
    scheduler = PollScheduler()
    for now in range(1000):
        scheduler.schedule(float(now), 5.0)
    assert len(scheduler._polls) <= 5 / 0.25 + 1


class EarlyScheduler(PollScheduler):
    def schedule(self, _now, interval):
        return interval - 0.25


def poll_returning(*responses):
    remaining = list(responses)

    async def poll():
        response = remaining.pop(0)
        if isinstance(response, Exception):
            raise response
        return response

    return poll


RATE_LIMITED = RateLimitError(429, "", "wait", retry_after=7)


def test_scheduled_polls_respect_retry_after(clock):
    poll = poll_returning({"status": "idle"}, RATE_LIMITED, {"status": "succeeded"})
    Job("inference", "j1", poll, scheduler=EarlyScheduler(), clock=clock).wait()
    assert clock.slept == [poll_intervals.FIRST_INTERVAL - 0.25, 7]


async def load_stats():
    return duration_stats.summarize([30.0] * 20)


def test_adaptive_polling_is_disabled_for_very_many_jobs(clock):
    busy_scheduler = PollScheduler()
    for _ in range(150):
        busy_scheduler.schedule(clock.monotonic(), 300.0)
    poll = poll_returning(*[{"status": "idle"}] * 3, {"status": "succeeded"})
    Job(
        "inference", "j1", poll, duration_stats=load_stats, scheduler=busy_scheduler, clock=clock
    ).wait()
    assert clock.slept == list(islice(poll_intervals.intervals(), 3))


def test_failing_service_is_polled_less_often(clock):
    errors = [RateLimitError(429, "", "wait")] * 8
    poll = poll_returning({"status": "idle"}, *errors, {"status": "succeeded"})
    Job("inference", "j1", poll, duration_stats=load_stats, clock=clock).wait()
    assert clock.slept[1:] == list(islice(poll_intervals.intervals(), 9))[1:]
