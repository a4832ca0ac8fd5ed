"""Budgets are enforced across all kernels that share a journal."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timedelta

import httpx
import pytest
from conftest import BASE, KEY

import wonda_widgets as ww
from wonda_widgets.api import pricing
from wonda_widgets.journal import budgets
from wonda_widgets.utils import event_loop

BODY = {"model": "m", "prompt": "A lake"}
PRICES = {"m": 40_000, "expensive": 900_000, "free": 0, "unknown": None, "invalid": -5}


class Service:
    """Simulate a service that generates images and estimates prices, one of them unknown."""

    def __init__(self) -> None:
        self.submissions = []
        self.price_requests = []
        self.status = "succeeded"
        self.rejects = False

    async def __call__(self, request):
        path = request.url.path.removeprefix("/api/v1")
        body = json.loads(request.content) if request.content else {}
        await asyncio.sleep(0)
        if path == "/pricing/estimate":
            self.price_requests.append(body)
            return httpx.Response(200, json={"estimatedCostMicrodollars": PRICES[body["model"]]})
        if path == "/image/generate":
            if self.rejects:
                return httpx.Response(400, json={"error": {"message": "no", "code": "x"}})
            self.submissions.append(body)
            return httpx.Response(200, json={"inferenceJobId": f"j{len(self.submissions)}"})
        return httpx.Response(200, json={"status": self.status})


@pytest.fixture
def service():
    return Service()


def budget(usd):
    return ww.Budget(usd, datetime.now().astimezone() - timedelta(hours=1))


def test_images_are_generated_until_the_budget_is_used(kernel, service):
    wonda, other = kernel(), kernel()
    for client in (wonda, other):
        client.images.generate(**BODY, budget=budget(0.10))
    with pytest.raises(
        ww.InvalidInputError, match=r"\$0.04, but only \$0.02 of the \$0.10"
    ) as caught:
        other.images.generate(**BODY, budget=budget(0.10))
    assert caught.value.field == "budget"
    assert len(service.submissions) == 2
    assert other.images.spent(budget(0.10)) == pytest.approx(0.08)
    assert other.jobs.recent(10)[0].status
    assert len(other.jobs.recent(10)) == 2, "a request refused by the budget is not recorded"


def test_simultaneous_requests_do_not_exceed_the_budget(kernel, service):
    clients = [kernel() for _ in range(6)]
    budgets = [budget(0.10) for _ in clients]

    async def submit_all():
        submissions = [
            client._async.images.generate(**BODY, budget=own_budget)
            for client, own_budget in zip(clients, budgets, strict=True)
        ]
        return await asyncio.gather(*submissions, return_exceptions=True)

    results = event_loop.run_blocking(submit_all())
    assert len(service.submissions) == 2
    assert sum(isinstance(result, ww.InvalidInputError) for result in results) == 4


def test_spending_includes_requests_without_a_budget_but_not_rejected_ones(kernel, service):
    wonda = kernel()
    service.rejects = True
    for _ in range(3):
        with pytest.raises(ww.BadRequestError):
            wonda.images.generate(**BODY, budget=budget(0.05))
    service.rejects = False
    service.status = "failed"
    # A failed job counts, since the service does not say that it is free.
    wonda.images.generate(**BODY)
    with pytest.raises(ww.InvalidInputError, match="budget is left"):
        wonda.images.generate(**BODY, budget=budget(0.05))
    assert len(service.submissions) == 1


@pytest.mark.parametrize("model", ["unknown", "invalid"])
def test_model_without_a_valid_price_is_refused_within_a_budget(kernel, service, model):
    with pytest.raises(ww.InvalidInputError, match="has no price"):
        kernel().images.generate(model=model, prompt="A lake", budget=budget(1))
    assert service.submissions == []


def test_free_image_fits_any_budget(kernel, service):
    wonda = kernel()
    wonda.images.generate(model="free", prompt="A lake", budget=budget(0))
    with pytest.raises(ww.InvalidInputError):
        wonda.images.generate(**BODY, budget=budget(0))
    assert [body["model"] for body in service.submissions] == ["free"]


def test_each_price_is_requested_once(kernel, service):
    wonda, own = kernel(), budget(10)
    for order in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        wonda.images.generate(**BODY, params=order, budget=own)
    wonda.images.spent(own)
    assert len(service.price_requests) == 1


def test_raised_price_is_noticed_by_a_budget_in_use(kernel, monkeypatch):
    wonda, own, now = kernel(), budget(1), time.time()
    wonda.images.generate(**BODY, budget=own)
    monkeypatch.setitem(PRICES, BODY["model"], 900_000)
    monkeypatch.setattr(budgets.clock, "time", lambda: now + budgets.PRICE_SECONDS + 1)
    monkeypatch.setattr(pricing, "CACHE_SECONDS", -1.0)
    with pytest.raises(ww.InvalidInputError, match=r"costs about \$0.90"):
        wonda.images.generate(**BODY, budget=own)
    assert wonda.images.spent(own) == pytest.approx(0.90)


def test_prices_are_cached_separately_for_each_service(kernel, service, tmp_path):
    own = budget(0.10)
    kernel().images.generate(**BODY, budget=own)  # $0.04 at this service

    async def expensive_service(request):
        if request.url.path.endswith("/estimate"):
            return httpx.Response(200, json={"estimatedCostMicrodollars": 900_000})
        return await service(request)

    other = ww.Wonda(
        KEY,
        base_url="https://other.example/api/v1",
        journal=tmp_path / "kernels.db",
        transport=httpx.MockTransport(expensive_service),
    )
    with other, pytest.raises(ww.InvalidInputError, match=r"\$0.90"):
        other.images.generate(**BODY, budget=own)
    assert len(service.submissions) == 1


def test_spending_before_the_start_of_a_budget_does_not_count(kernel):
    wonda = kernel()
    wonda.images.generate(**BODY)
    later = ww.Budget(0.05, datetime.now().astimezone() + timedelta(seconds=1))
    assert wonda.images.spent(later) == 0


@pytest.mark.parametrize("usd", [-1, float("nan"), float("inf"), 10**400, "2", None, True])
def test_invalid_budget_is_refused(usd):
    with pytest.raises(ww.InvalidInputError, match="amount in US dollars"):
        budget(usd)


def test_budget_is_refused_without_a_usable_journal(service, tmp_path):
    (tmp_path / "no folder").write_text("a file")
    transport = httpx.MockTransport(service)
    journal = tmp_path / "no folder" / "j.db"
    wonda = ww.Wonda(KEY, base_url=BASE, journal=journal, transport=transport)
    with pytest.warns(ww.JournalWarning):
        wonda.images.generate(**BODY)
    with pytest.raises(ww.InvalidInputError, match="how much of the budget is spent"):
        wonda.images.generate(**BODY, budget=budget(1))
    assert len(service.submissions) == 1
    wonda.close()


def test_budget_is_refused_if_an_earlier_request_has_no_price(kernel):
    wonda = kernel()
    wonda.images.generate(model="unknown", prompt="A lake")
    with pytest.raises(ww.InvalidInputError, match="the remaining budget is unknown"):
        wonda.images.generate(**BODY, budget=budget(1))


def test_request_too_long_for_the_journal_is_refused(kernel, service):
    with pytest.raises(ww.InvalidInputError, match="too long"):
        kernel().images.generate(model="m", prompt="x" * 300_000)
    assert service.submissions == []


@pytest.mark.parametrize("since", ["yesterday", 17])
def test_invalid_start_of_a_budget_is_refused(since):
    with pytest.raises(ww.InvalidInputError, match="datetime"):
        ww.Budget(1, since)


# ---------------------------------------------------------------- pruning and faults of the file


def client_with_journal(tmp_path, service, **options):
    transport = httpx.MockTransport(service)
    journal = ww.Journal(tmp_path / "small.db", **options)
    return ww.Wonda(KEY, base_url=BASE, journal=journal, transport=transport)


def test_spending_counts_after_long_prompts_were_pruned(service, tmp_path, quick_polls):  # noqa: ARG001
    allowed = budget(1.0)
    with client_with_journal(tmp_path, service, megabytes=0.2) as wonda:
        for number in range(25):
            prompt = f"{number} " + "long " * 10_000
            wonda.images.generate(model="m", prompt=prompt, budget=allowed).wait(10)
        with pytest.raises(ww.InvalidInputError, match=r"\$0.00 of the \$1.00"):
            wonda.images.generate(**BODY, budget=allowed)
        assert wonda.images.spent(allowed) == pytest.approx(1.0)
        assert len(wonda.jobs.recent(100)) < 25, "some entries must have been pruned"
    assert len(service.submissions) == 25


def test_pruned_entries_count_as_spending(tmp_path):
    from wonda_widgets.journal import pruning

    now = datetime.now().astimezone()
    journal = ww.Journal(tmp_path / "j.db")
    requests = [
        ("one", {"model": "m", "prompt": "a", "params": {"n": 2, "b": [1]}}),
        ("one", {"prompt": "b", "model": "m", "params": {"b": [1], "n": 2}}),
        ("one", {"model": "m"}),
        ("one", {"model": "refused"}),
        ("another", {"model": "m"}),
    ]
    for base_url, body in requests:
        intent, _ = journal.begin_request(base_url, "inference", json.dumps(body).encode()).result()
        if body["model"] == "refused":
            journal.mark_refused(intent, "no").result()
        else:
            journal.mark_accepted(intent, intent).result()
            done = ww.Snapshot(status="failed", raw={"status": "failed"})
            journal.update_status(base_url, "inference", intent, done).result()

    def spent(since):
        priced_budget = ww.Budget(9, since)
        priced_budget._prices = {
            ("one", '["m",{"b":[1],"n":2}]'): (0.1, time.time()),
            ("one", '["m",{}]'): (0.04, time.time()),
        }
        return journal.spent("one", priced_budget).result()

    before, after = now - timedelta(minutes=1), now + timedelta(minutes=1)
    assert spent(before) == pytest.approx(0.24)
    journal._database.run(lambda connection: pruning.prune(connection, 365, 1)).result()
    assert journal.recent("one").result() == []
    assert spent(before) == pytest.approx(0.24)
    assert spent(after) == 0
    journal.close()


def test_records_of_pruned_spending_contain_no_prompts(tmp_path):
    from wonda_widgets.journal import pruning

    journal = ww.Journal(tmp_path / "j.db")
    for number in range(20):
        params = {"negativePrompt": f"{number} " + "long " * 30_000, "resolution": "2K"}
        body = {"model": "m", "prompt": "A lake", "params": params}
        intent, _ = journal.begin_request("b", "inference", json.dumps(body).encode()).result()
        journal.mark_accepted(intent, intent).result()
        done = ww.Snapshot(status="failed", raw={"status": "failed"})
        journal.update_status("b", "inference", intent, done).result()
    journal._database.run(lambda connection: pruning.prune(connection, 365, 1)).result()
    spent = ww.Budget(9)
    spent._prices = {("b", '["m",{"resolution":"2K"}]'): (0.1, time.time())}
    assert journal.spent("b", spent).result() == pytest.approx(2.0)
    rows = journal._database.run(
        lambda connection: connection.execute("SELECT body FROM priced").fetchall()
    ).result()
    assert [row["body"] for row in rows] == ['{"model": "m", "params": {"resolution": "2K"}}']
    journal.close()


def test_full_disk_refuses_a_budget_and_sends_nothing(kernel, service, monkeypatch):
    import sqlite3

    from wonda_widgets.journal import schema

    clients = [kernel() for _ in range(4)]
    for client in clients:
        assert client.jobs.recent() == []  # creates the file

    class FullDisk(sqlite3.Connection):
        def execute(self, sql, *values):
            if sql.startswith("INSERT INTO request"):
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    original_connect = sqlite3.connect

    def connect(path, **options):
        factory = sqlite3.Connection if path == schema.MEMORY else FullDisk
        return original_connect(path, factory=factory, **options)

    monkeypatch.setattr(sqlite3, "connect", connect)
    for client in clients:
        client._async._core.journal._database.run(
            lambda _, database=client._async._core.journal._database: database._disconnect()
        )
        with (
            pytest.warns(ww.JournalWarning, match="full"),
            pytest.raises(ww.InvalidInputError, match="how much of the budget is spent"),
        ):
            client.images.generate(**BODY, budget=budget(0.10))
    assert service.submissions == []


def test_damaged_journal_refuses_budgets_in_every_kernel(kernel, service, tmp_path):
    allowed = budget(0.10)
    kernel().images.generate(**BODY, budget=allowed, once="autumn")
    path = tmp_path / "kernels.db"
    for client in (kernel(), kernel()):  # both close before the file is damaged
        client.close()
    for file in tmp_path.glob("kernels.db*"):
        file.unlink()
    path.write_bytes(b"these are not the pages of a database " * 500)
    first = kernel()
    with pytest.warns(ww.JournalWarning, match="damaged"):
        first.jobs.recent()
    second = kernel()
    for client in (first, second):
        with pytest.raises(ww.InvalidInputError, match="how much of the budget is spent") as caught:
            client.images.generate(**BODY, budget=allowed)
        assert "damaged" in str(caught.value)
        with pytest.raises(ww.InvalidInputError, match="requested with this key"):
            client.images.generate(**BODY, once="autumn")
    assert len(service.submissions) == 1
    [damaged] = tmp_path.glob("kernels.db.damaged-*")
    damaged.unlink()  # as a user does after looking at it
    second.images.generate(**BODY, budget=allowed)
    assert len(service.submissions) == 2


def test_budget_is_refused_while_the_clock_is_before_its_start(kernel, service, monkeypatch):
    wonda, now = kernel(), time.time()
    allowed = ww.Budget(0.10, datetime.now().astimezone())
    wonda.images.generate(**BODY, budget=allowed)
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    with pytest.raises(ww.InvalidInputError, match="in the future"):
        wonda.images.generate(**BODY, budget=allowed)
    assert len(service.submissions) == 1
