"""What may be spent is kept by all kernels of a journal together."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import httpx
import pytest
from conftest import BASE, KEY

import wonda_widgets as ww
from wonda_widgets import runtime

BODY = {"model": "m", "prompt": "A lake"}
PRICES = {"m": 40_000, "dear": 900_000, "free": 0, "untold": None, "odd": -5}


class Service:
    """A Wonda that makes pictures and tells prices, one of which it does not know."""

    def __init__(self) -> None:
        self.made = []
        self.priced = []
        self.status = "succeeded"
        self.refuses = False

    async def __call__(self, request):
        path = request.url.path.removeprefix("/api/v1")
        body = json.loads(request.content) if request.content else {}
        await asyncio.sleep(0)
        if path == "/pricing/estimate":
            self.priced.append(body)
            return httpx.Response(200, json={"estimatedCostMicrodollars": PRICES[body["model"]]})
        if path == "/image/generate":
            if self.refuses:
                return httpx.Response(400, json={"error": {"message": "no", "code": "x"}})
            self.made.append(body)
            return httpx.Response(200, json={"inferenceJobId": f"j{len(self.made)}"})
        return httpx.Response(200, json={"status": self.status})


@pytest.fixture
def service():
    return Service()


def budget(usd):
    return ww.Budget(usd, datetime.now().astimezone() - timedelta(hours=1))


def test_pictures_are_made_until_too_little_is_left(kernel, service):
    wonda, other = kernel(), kernel()
    for client in (wonda, other):
        client.images.generate(**BODY, budget=budget(0.10))
    with pytest.raises(ww.InvalidInputError, match=r"\$0.04, and \$0.02 of the \$0.10") as caught:
        other.images.generate(**BODY, budget=budget(0.10))
    assert caught.value.field == "budget"
    assert len(service.made) == 2
    assert other.images.spent(budget(0.10)) == pytest.approx(0.08)
    assert other.jobs.recent(10)[0].status
    assert len(other.jobs.recent(10)) == 2, "what was refused by the budget is not in the journal"


def test_those_who_ask_at_the_same_moment_do_not_spend_the_rest_twice(kernel, service):
    clients = [kernel() for _ in range(6)]
    each = [budget(0.10) for _ in clients]

    async def all_at_once():
        asked = [
            client._async.images.generate(**BODY, budget=own)
            for client, own in zip(clients, each, strict=True)
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    found = runtime.call(all_at_once())
    assert len(service.made) == 2
    assert sum(isinstance(each, ww.InvalidInputError) for each in found) == 4


def test_what_was_asked_for_without_a_budget_counts_and_what_was_refused_does_not(kernel, service):
    wonda = kernel()
    service.refuses = True
    for _ in range(3):
        with pytest.raises(ww.BadRequestError):
            wonda.images.generate(**BODY, budget=budget(0.05))
    service.refuses = False
    service.status = "failed"
    wonda.images.generate(**BODY)  # by a script, say; the service does not say that it was free
    with pytest.raises(ww.InvalidInputError, match="budget is left"):
        wonda.images.generate(**BODY, budget=budget(0.05))
    assert len(service.made) == 1


@pytest.mark.parametrize("model", ["untold", "odd"])
def test_within_a_budget_nothing_is_made_blindly(kernel, service, model):
    with pytest.raises(ww.InvalidInputError, match="tells no price"):
        kernel().images.generate(model=model, prompt="A lake", budget=budget(1))
    assert service.made == []


def test_what_costs_nothing_fits_into_nothing(kernel, service):
    wonda = kernel()
    wonda.images.generate(model="free", prompt="A lake", budget=budget(0))
    with pytest.raises(ww.InvalidInputError):
        wonda.images.generate(**BODY, budget=budget(0))
    assert [body["model"] for body in service.made] == ["free"]


def test_each_price_is_asked_for_once(kernel, service):
    wonda, own = kernel(), budget(10)
    for order in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        wonda.images.generate(**BODY, params=order, budget=own)
    wonda.images.spent(own)
    assert len(service.priced) == 1


def test_what_was_spent_before_does_not_count(kernel):
    wonda = kernel()
    wonda.images.generate(**BODY)
    later = ww.Budget(0.05, datetime.now().astimezone() + timedelta(seconds=1))
    assert wonda.images.spent(later) == 0


@pytest.mark.parametrize("usd", [-1, float("nan"), float("inf"), 10**400, "2", None, True])
def test_a_budget_is_an_amount_of_money(usd):
    with pytest.raises(ww.InvalidInputError, match="amount of US dollars"):
        budget(usd)


def test_where_nothing_can_be_counted_nothing_is_spent(service, tmp_path):
    (tmp_path / "no folder").write_text("a file")
    transport = httpx.MockTransport(service)
    journal = tmp_path / "no folder" / "j.db"
    wonda = ww.Wonda(KEY, base_url=BASE, journal=journal, transport=transport)
    with pytest.warns(ww.JournalWarning):
        wonda.images.generate(**BODY)
    with pytest.raises(ww.InvalidInputError, match="nobody can count"):
        wonda.images.generate(**BODY, budget=budget(1))
    assert len(service.made) == 1
    wonda.close()


def test_a_picture_of_a_model_that_is_gone_is_said_to_be_why(kernel):
    wonda = kernel()
    wonda.images.generate(model="untold", prompt="A lake")
    with pytest.raises(ww.InvalidInputError, match="not known what is left of the budget"):
        wonda.images.generate(**BODY, budget=budget(1))


def test_a_request_that_would_push_out_what_is_known_is_refused(kernel, service):
    with pytest.raises(ww.InvalidInputError, match="too long"):
        kernel().images.generate(model="m", prompt="x" * 300_000)
    assert service.made == []


@pytest.mark.parametrize("since", ["yesterday", 17])
def test_since_is_a_time(since):
    with pytest.raises(ww.InvalidInputError, match="datetime"):
        ww.Budget(1, since)
