"""The polls of many jobs are spread over time."""

import heapq
from collections import Counter
from itertools import islice

from wonda_widgets.errors import RateLimitError
from wonda_widgets.jobs import duration_stats, poll_intervals
from wonda_widgets.jobs.job import Job
from wonda_widgets.jobs.poll_scheduling import PollScheduler


def asked(jobs, until, *, spread=True):
    """When so many jobs, begun within two seconds, ask at the page's pace."""
    slots = PollScheduler()
    queue = [(2.0 * job / jobs, job) for job in range(jobs)]
    waits = [poll_intervals.intervals() for _ in range(jobs)]
    heapq.heapify(queue)
    times = []
    while queue[0][0] < until:
        now, job = heapq.heappop(queue)
        times.append(now)
        wait = next(waits[job])
        placed = slots.schedule(now, wait) if spread else wait
        assert max(poll_intervals.FIRST_INTERVAL, wait / 2) <= placed + 1e-9
        assert placed <= wait
        heapq.heappush(queue, (now + placed, job))
    return times


def test_polls_are_spread_evenly():
    for jobs in (200, 500, 2000):
        seconds = Counter(int(at) for at in asked(jobs, 60) if at >= 10)
        assert max(seconds.values()) <= 2 * sum(seconds.values()) / 50
        bare = Counter(int(at) for at in asked(jobs, 60, spread=False) if at >= 10)
        assert max(bare.values()) > 2 * sum(bare.values()) / 50


def test_spreading_adds_few_requests():
    assert len(asked(500, 60)) <= 1.04 * len(asked(500, 60, spread=False))


def test_few_jobs_keep_their_exact_intervals():
    assert asked(5, 60) == asked(5, 60, spread=False)


def test_past_polls_are_forgotten():
    slots = PollScheduler()
    for now in range(1000):
        slots.schedule(float(now), 5.0)
    assert len(slots._polls) <= 5 / 0.25 + 1


class Earlier(PollScheduler):
    def schedule(self, _now, wait):
        return wait - 0.25


def replied(*replies):
    left = list(replies)

    async def poll():
        reply = left.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    return poll


BUSY = RateLimitError(429, "", "wait", retry_after=7)


def test_scheduled_poll_respects_retry_after(clock):
    poll = replied({"status": "idle"}, BUSY, {"status": "succeeded"})
    Job("inference", "j1", poll, scheduler=Earlier(), clock=clock).wait()
    assert clock.slept == [poll_intervals.FIRST_INTERVAL - 0.25, 7]


async def usual():
    return duration_stats.summarize([30.0] * 20)


def test_adaptive_polling_is_disabled_for_very_many_jobs(clock):
    crowd = PollScheduler()
    for _ in range(150):
        crowd.schedule(clock.monotonic(), 300.0)
    poll = replied(*[{"status": "idle"}] * 3, {"status": "succeeded"})
    Job("inference", "j1", poll, duration_stats=usual, scheduler=crowd, clock=clock).wait()
    assert clock.slept == list(islice(poll_intervals.intervals(), 3))


def test_failing_service_is_polled_less_often(clock):
    trouble = [RateLimitError(429, "", "wait")] * 8
    poll = replied({"status": "idle"}, *trouble, {"status": "succeeded"})
    Job("inference", "j1", poll, duration_stats=usual, clock=clock).wait()
    assert clock.slept[1:] == list(islice(poll_intervals.intervals(), 9))[1:]
