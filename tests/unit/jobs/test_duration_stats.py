"""Progress estimated from earlier runs: monotonic and never complete."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wonda_widgets as ww
from wonda_widgets.jobs import duration_stats

durations = st.lists(st.floats(0.01, 100_000), min_size=5, max_size=60)


@pytest.mark.parametrize("runs", [[], [30], [30, 31, 29, 30], [30, 31, 29, 30, float("nan")]])
def test_fewer_than_five_valid_runs_give_no_stats(runs):
    assert duration_stats.summarize(runs) is None


def test_stats_contain_median_and_percentiles():
    stats = duration_stats.summarize(range(20, 41))
    assert (stats.low, stats.median, stats.high, stats.runs) == (22, 30, 38, 21)


@given(durations)
def test_progress_curve_rises_ever_more_slowly_and_never_completes(runs):
    stats = duration_stats.summarize(runs)
    points = duration_stats.progress_curve(stats)
    assert points[0] == (0.0, 0.0)
    steps = [
        ((next_time - time), (next_progress - progress))
        for (time, progress), (next_time, next_progress) in itertools.pairwise(points)
    ]
    assert all(duration > 0 and increase > 0 for duration, increase in steps)
    speeds = [increase / duration for duration, increase in steps]
    assert all(after <= before * 1.0001 for before, after in itertools.pairwise(speeds))
    assert points[-1][1] < duration_stats.MAX_PROGRESS


@given(durations, st.floats(0, 1_000_000))
def test_remaining_time_is_at_least_a_tenth_of_the_elapsed_time(runs, elapsed):
    stats = duration_stats.summarize(runs)
    assert duration_stats.remaining(stats, elapsed) >= elapsed / 10
    assert duration_stats.remaining(stats, 0.0) == stats.median


def test_job_duration_stats_use_jobs_of_the_same_model(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.05) as wonda:

        def run_job(model):
            job = wonda.images.generate(model=model, prompt="A harbor")
            job.wait()
            return job

        for _ in range(4):
            run_job("nano-banana-2")
        run_job("z-image")
        assert asyncio.run(run_job("z-image").duration_stats()) is None
        stats = asyncio.run(run_job("nano-banana-2").duration_stats())
        assert stats.runs == 5
        assert 0.03 < stats.median < 5
