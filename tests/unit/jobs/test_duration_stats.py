"""Estimated progress from earlier runs: labeled, monotonic, never complete too early."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wonda_widgets as ww
from wonda_widgets.jobs import duration_stats

durations = st.lists(st.floats(0.01, 100_000), min_size=5, max_size=60)


@pytest.mark.parametrize("runs", [[], [30], [30, 31, 29, 30], [30, 31, 29, 30, float("nan")]])
def test_no_estimate_with_fewer_than_five_runs(runs):
    assert duration_stats.summarize(runs) is None


def test_median_and_percentiles():
    about = duration_stats.summarize(range(20, 41))
    assert (about.low, about.median, about.high, about.runs) == (22, 30, 38, 21)


@given(durations)
def test_estimate_is_monotonic_and_never_complete(runs):
    about = duration_stats.summarize(runs)
    points = duration_stats.progress_curve(about)
    assert points[0] == (0.0, 0.0)
    steps = [
        ((later - at), (more - full)) for (at, full), (later, more) in itertools.pairwise(points)
    ]
    assert all(time > 0 and gain > 0 for time, gain in steps)
    speeds = [gain / time for time, gain in steps]
    assert all(after <= before * 1.0001 for before, after in itertools.pairwise(speeds))
    assert points[-1][1] < duration_stats.MAX_PROGRESS


@given(durations, st.floats(0, 1_000_000))
def test_remaining_time_is_positive(runs, elapsed):
    about = duration_stats.summarize(runs)
    assert duration_stats.remaining(about, elapsed) >= elapsed / 10
    assert duration_stats.remaining(about, 0.0) == about.median


def test_estimate_uses_jobs_of_the_same_model(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.05) as wonda:

        def make(model):
            job = wonda.images.generate(model=model, prompt="A harbour")
            job.wait()
            return job

        for _ in range(4):
            make("nano-banana-2")
        make("z-image")
        assert asyncio.run(make("z-image").duration_stats()) is None
        about = asyncio.run(make("nano-banana-2").duration_stats())
        assert about.runs == 5
        assert 0.03 < about.median < 5
