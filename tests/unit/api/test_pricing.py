"""Price estimates; values that cannot be prices are ignored."""

import asyncio

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.utils import event_loop


@pytest.fixture
def quoted():
    """A client of a service with one price for everything."""
    made = []

    def at(**price):
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=price))
        made.append(ww.Wonda(KEY, transport=transport))
        return made[-1]

    yield at
    for client in made:
        client.close()


def each(wonda):
    return event_loop.run_blocking(wonda._async.pricing.cached_estimate(model="m", params={}))


def test_negative_price_is_ignored(quoted):
    wonda = quoted(estimatedCostMicrodollars=-5, estimatedCredits=-1)
    estimate = wonda.pricing.estimate(model="m")
    assert (estimate.usd, estimate.estimated_credits) == (None, None)
    assert each(wonda) is None


def test_valid_price_is_kept(quoted):
    found = each(quoted(estimatedCostMicrodollars=20_000, estimatedCredits=-1))
    assert (found.usd, found.estimated_credits) == (0.02, None)
    assert each(quoted(estimatedCostMicrodollars=0)).usd == 0


def test_canceled_wait_does_not_repeat_the_request():
    requests = []

    async def respond(request):
        requests.append(request)
        await asyncio.sleep(0)
        return httpx.Response(200, json={"estimatedCostMicrodollars": 20_000})

    async def cancel_and_ask_again(pricing):
        first = asyncio.create_task(pricing.cached_estimate(model="m", params={}))
        while not requests:
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        return first.cancelled(), await pricing.cached_estimate(model="m", params={})

    with ww.Wonda(KEY, transport=httpx.MockTransport(respond)) as wonda:
        asked = cancel_and_ask_again(wonda._async.pricing)
        was_canceled, price = event_loop.run_blocking(asked)
    assert was_canceled
    assert price.usd == 0.02
    assert len(requests) == 1
