"""Shielded work that fails after its caller has stopped waiting."""

import asyncio
import contextlib
import gc

import pytest

import wonda_widgets as ww
from wonda_widgets.errors import ClosedError
from wonda_widgets.jobs.core import similar_jobs
from wonda_widgets.utils import event_loop


@pytest.fixture
def reported():
    """What asyncio reports of the package's loop."""
    told, loop = [], event_loop.loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, context: told.append(context["message"]))
    yield told
    loop.set_exception_handler(before)


@pytest.fixture
def wonda():
    client = ww.AsyncWonda.sandbox()
    yield client
    event_loop.run_blocking(client.aclose())


class Held:
    """Work that fails when it may go on."""

    def __init__(self):
        self.begun, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self, *_):
        self.begun.set()
        await self.may_go_on.wait()
        raise ClosedError("The journal is closed.")


def plan(wonda, held):
    matrix = wonda.images.matrix("a {x}", {"x": ["1"]}, "z-image")
    matrix._make_plan = held
    return matrix.prepare()


def price(wonda, held):
    wonda.pricing._known = held
    return wonda.pricing.cached_estimate(model="z-image", params={})


def earlier_runs(wonda, held):
    wonda._core._read_stats = held
    return wonda._core.duration_stats(similar_jobs("inference", {"model": "z-image"}))


async def anything(_wonda, held):
    await event_loop.shield(held())


@pytest.mark.parametrize("ask", [plan, price, earlier_runs, anything])
@pytest.mark.parametrize("gives_up", [True, False])
def test_error_goes_only_to_remaining_waiters(wonda, reported, ask, gives_up):
    async def tried():
        held = Held()
        waiting = asyncio.ensure_future(ask(wonda, held))
        await held.begun.wait()
        if gives_up:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting
        held.may_go_on.set()
        if not gives_up:
            with pytest.raises(ClosedError):
                await waiting
        for _ in range(5):
            await asyncio.sleep(0)

    event_loop.run_blocking(tried())
    event_loop.run_blocking(wonda.aclose())
    for name in ("pricing", "_core"):  # which keep their last work
        getattr(wonda, name).reset_in_child()
    event_loop._inherited.clear()
    gc.collect()
    event_loop.run_blocking(asyncio.sleep(0))
    assert reported == []
