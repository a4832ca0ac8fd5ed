"""Price estimates: values that cannot be prices are ignored."""

import asyncio
import json

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.utils import event_loop


@pytest.fixture
def client_quoting():
    """Create clients of a service that quotes one price for every request."""
    clients = []

    def create(**price):
        transport = httpx.MockTransport(lambda _: httpx.Response(200, json=price))
        clients.append(ww.Wonda(KEY, transport=transport))
        return clients[-1]

    yield create
    for client in clients:
        client.close()


def cached_estimate(wonda, **params):
    return event_loop.run_blocking(wonda._async.pricing.cached_estimate(model="m", params=params))


def test_negative_estimate_is_ignored(client_quoting):
    wonda = client_quoting(estimatedCostMicrodollars=-5, estimatedCredits=-1)
    estimate = wonda.pricing.estimate(model="m")
    assert (estimate.usd, estimate.estimated_credits) == (None, None)
    assert cached_estimate(wonda) is None


def test_estimate_keeps_a_valid_price_beside_an_invalid_one(client_quoting):
    estimate = cached_estimate(
        client_quoting(estimatedCostMicrodollars=20_000, estimatedCredits=-1)
    )
    assert (estimate.usd, estimate.estimated_credits) == (0.02, None)
    assert cached_estimate(client_quoting(estimatedCostMicrodollars=0)).usd == 0


def test_many_seeds_need_one_request():
    bodies = []

    def answer(request):
        bodies.append(json.loads(request.content))
        return httpx.Response(200, json={"estimatedCostMicrodollars": 20_000})

    with ww.Wonda(KEY, transport=httpx.MockTransport(answer)) as wonda:
        for seed in range(20):
            assert cached_estimate(wonda, size="2K", seed=seed).usd == 0.02
    assert bodies == [{"model": "m", "params": {"size": "2K"}}]


def test_canceled_caller_does_not_cause_a_second_price_request():
    requests = []

    async def respond(request):
        requests.append(request)
        await asyncio.sleep(0)
        return httpx.Response(200, json={"estimatedCostMicrodollars": 20_000})

    async def cancel_and_repeat(pricing):
        first = asyncio.create_task(pricing.cached_estimate(model="m", params={}))
        while not requests:
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        return first.cancelled(), await pricing.cached_estimate(model="m", params={})

    with ww.Wonda(KEY, transport=httpx.MockTransport(respond)) as wonda:
        waiting = cancel_and_repeat(wonda._async.pricing)
        was_canceled, price = event_loop.run_blocking(waiting)
    assert was_canceled
    assert price.usd == 0.02
    assert len(requests) == 1
