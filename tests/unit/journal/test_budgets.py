"""Budgets are enforced across all kernels that share a journal."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import httpx
import pytest
from conftest import BASE, KEY

import wonda_widgets as ww
from wonda_widgets.utils import event_loop

BODY = {"model": "m", "prompt": "A lake"}
PRICES = {"m": 40_000, "dear": 900_000, "free": 0, "untold": None, "odd": -5}


class Service:
    """A Wonda that makes images and tells prices, one of which it does not know."""

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


def test_images_are_generated_until_the_budget_is_used(kernel, service):
    wonda, other = kernel(), kernel()
    for client in (wonda, other):
        client.images.generate(**BODY, budget=budget(0.10))
    with pytest.raises(
        ww.InvalidInputError, match=r"\$0.04, but only \$0.02 of the \$0.10"
    ) as caught:
        other.images.generate(**BODY, budget=budget(0.10))
    assert caught.value.field == "budget"
    assert len(service.made) == 2
    assert other.images.spent(budget(0.10)) == pytest.approx(0.08)
    assert other.jobs.recent(10)[0].status
    assert len(other.jobs.recent(10)) == 2, "what was refused by the budget is not in the journal"


def test_simultaneous_requests_do_not_exceed_the_budget(kernel, service):
    clients = [kernel() for _ in range(6)]
    each = [budget(0.10) for _ in clients]

    async def all_at_once():
        asked = [
            client._async.images.generate(**BODY, budget=own)
            for client, own in zip(clients, each, strict=True)
        ]
        return await asyncio.gather(*asked, return_exceptions=True)

    found = event_loop.run_blocking(all_at_once())
    assert len(service.made) == 2
    assert sum(isinstance(each, ww.InvalidInputError) for each in found) == 4


def test_requests_without_a_budget_count_and_rejected_ones_do_not(kernel, service):
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
def test_unknown_price_is_refused_within_a_budget(kernel, service, model):
    with pytest.raises(ww.InvalidInputError, match="has no price"):
        kernel().images.generate(model=model, prompt="A lake", budget=budget(1))
    assert service.made == []


def test_free_image_fits_any_budget(kernel, service):
    wonda = kernel()
    wonda.images.generate(model="free", prompt="A lake", budget=budget(0))
    with pytest.raises(ww.InvalidInputError):
        wonda.images.generate(**BODY, budget=budget(0))
    assert [body["model"] for body in service.made] == ["free"]


def test_each_price_is_requested_once(kernel, service):
    wonda, own = kernel(), budget(10)
    for order in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        wonda.images.generate(**BODY, params=order, budget=own)
    wonda.images.spent(own)
    assert len(service.priced) == 1


def test_prices_are_kept_per_service(kernel, service, tmp_path):
    own = budget(0.10)
    kernel().images.generate(**BODY, budget=own)  # $0.04 there

    async def dear(request):
        if request.url.path.endswith("/estimate"):
            return httpx.Response(200, json={"estimatedCostMicrodollars": 900_000})
        return await service(request)

    other = ww.Wonda(
        KEY,
        base_url="https://other.example/api/v1",
        journal=tmp_path / "kernels.db",
        transport=httpx.MockTransport(dear),
    )
    with other, pytest.raises(ww.InvalidInputError, match=r"\$0.90"):
        other.images.generate(**BODY, budget=own)
    assert len(service.made) == 1


def test_earlier_spending_does_not_count(kernel):
    wonda = kernel()
    wonda.images.generate(**BODY)
    later = ww.Budget(0.05, datetime.now().astimezone() + timedelta(seconds=1))
    assert wonda.images.spent(later) == 0


@pytest.mark.parametrize("usd", [-1, float("nan"), float("inf"), 10**400, "2", None, True])
def test_invalid_budget_is_refused(usd):
    with pytest.raises(ww.InvalidInputError, match="amount in US dollars"):
        budget(usd)


def test_unusable_journal_refuses_a_budget(service, tmp_path):
    (tmp_path / "no folder").write_text("a file")
    transport = httpx.MockTransport(service)
    journal = tmp_path / "no folder" / "j.db"
    wonda = ww.Wonda(KEY, base_url=BASE, journal=journal, transport=transport)
    with pytest.warns(ww.JournalWarning):
        wonda.images.generate(**BODY)
    with pytest.raises(ww.InvalidInputError, match="how much of the budget is spent"):
        wonda.images.generate(**BODY, budget=budget(1))
    assert len(service.made) == 1
    wonda.close()


def test_removed_model_is_named_in_the_error(kernel):
    wonda = kernel()
    wonda.images.generate(model="untold", prompt="A lake")
    with pytest.raises(ww.InvalidInputError, match="the remaining budget is unknown"):
        wonda.images.generate(**BODY, budget=budget(1))


def test_request_that_would_prune_spending_is_refused(kernel, service):
    with pytest.raises(ww.InvalidInputError, match="too long"):
        kernel().images.generate(model="m", prompt="x" * 300_000)
    assert service.made == []


@pytest.mark.parametrize("since", ["yesterday", 17])
def test_invalid_since_is_refused(since):
    with pytest.raises(ww.InvalidInputError, match="datetime"):
        ww.Budget(1, since)


# ---------------------------------------------------------------- what does not shrink


def journal_of(tmp_path, service, **options):
    transport = httpx.MockTransport(service)
    journal = ww.Journal(tmp_path / "small.db", **options)
    return ww.Wonda(KEY, base_url=BASE, journal=journal, transport=transport)


def test_long_prompts_do_not_prune_spending(service, tmp_path, quick_polls):  # noqa: ARG001
    allowed = budget(1.0)
    with journal_of(tmp_path, service, megabytes=0.2) as wonda:
        for number in range(25):
            prompt = f"{number} " + "long " * 10_000
            wonda.images.generate(model="m", prompt=prompt, budget=allowed).wait(10)
        with pytest.raises(ww.InvalidInputError, match=r"\$0.00 of the \$1.00"):
            wonda.images.generate(**BODY, budget=allowed)
        assert wonda.images.spent(allowed) == pytest.approx(1.0)
        assert len(wonda.jobs.recent(100)) < 25, "entries have gone"
    assert len(service.made) == 25


def test_pruned_entries_still_count(tmp_path):
    from wonda_widgets.journal import pruning

    now = datetime.now().astimezone()
    journal = ww.Journal(tmp_path / "j.db")
    asked = [
        ("one", {"model": "m", "prompt": "a", "params": {"n": 2, "b": [1]}}),
        ("one", {"prompt": "b", "model": "m", "params": {"b": [1], "n": 2}}),
        ("one", {"model": "m"}),
        ("one", {"model": "refused"}),
        ("another", {"model": "m"}),
    ]
    for base_url, body in asked:
        intent, _ = journal.begin_request(base_url, "inference", json.dumps(body).encode()).result()
        if body["model"] == "refused":
            journal.mark_refused(intent, "no").result()
        else:
            journal.mark_accepted(intent, intent).result()
            done = ww.Snapshot(status="failed", raw={"status": "failed"})
            journal.update_status(base_url, "inference", intent, done).result()

    def spent(since):
        wanted = ww.Budget(9, since)
        wanted._prices = {("one", '["m",{"b":[1],"n":2}]'): 0.1, ("one", '["m",{}]'): 0.04}
        return journal.spent("one", wanted).result()

    began, ended = now - timedelta(minutes=1), now + timedelta(minutes=1)
    assert spent(began) == pytest.approx(0.24)
    journal._database.run(lambda connection: pruning.prune(connection, 365, 1)).result()
    assert journal.recent("one").result() == []
    assert spent(began) == pytest.approx(0.24)
    assert spent(ended) == 0
    journal.close()


def test_spending_records_contain_no_texts(tmp_path):
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
    spent._prices = {("b", '["m",{"resolution":"2K"}]'): 0.1}
    assert journal.spent("b", spent).result() == pytest.approx(2.0)
    rows = journal._database.run(
        lambda connection: connection.execute("SELECT body FROM priced").fetchall()
    ).result()
    assert [row["body"] for row in rows] == ['{"model": "m", "params": {"resolution": "2K"}}']
    journal.close()


def test_full_disk_at_the_first_write_sends_nothing(kernel, service, monkeypatch):
    import sqlite3

    from wonda_widgets.journal import schema

    clients = [kernel() for _ in range(4)]
    for client in clients:
        assert client.jobs.recent() == []  # the file is there and in order

    class Full(sqlite3.Connection):
        def execute(self, sql, *values):
            if sql.startswith("INSERT INTO request"):
                raise sqlite3.OperationalError("database or disk is full")
            return super().execute(sql, *values)

    real = sqlite3.connect

    def connect(path, **options):
        kind = sqlite3.Connection if path == schema.MEMORY else Full
        return real(path, factory=kind, **options)

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
    assert service.made == []


def test_damaged_journal_refuses_budgets_in_every_kernel(kernel, service, tmp_path):
    allowed = budget(0.10)
    kernel().images.generate(**BODY, budget=allowed, once="autumn")
    path = tmp_path / "kernels.db"
    for client in (kernel(), kernel()):  # the first notices, the second comes later
        client.close()
    for file in tmp_path.glob("kernels.db*"):
        file.unlink()
    path.write_bytes(b"these are not the pages of a database " * 500)
    first = kernel()
    with pytest.warns(ww.JournalWarning, match="damaged"):
        first.jobs.recent()
    later = kernel()
    for client in (first, later):
        with pytest.raises(
            ww.InvalidInputError, match="how much of the budget is spent"
        ) as refused:
            client.images.generate(**BODY, budget=allowed)
        assert "damaged" in str(refused.value)
        with pytest.raises(ww.InvalidInputError, match="requested with this key"):
            client.images.generate(**BODY, once="autumn")
    assert len(service.made) == 1
    [aside] = tmp_path.glob("kernels.db.damaged-*")
    aside.unlink()  # a person has looked
    later.images.generate(**BODY, budget=allowed)
    assert len(service.made) == 2


def test_slow_clock_does_not_hide_spending(kernel, service, monkeypatch):
    import time

    wonda, now = kernel(), time.time()
    allowed = ww.Budget(0.10, datetime.now().astimezone())
    wonda.images.generate(**BODY, budget=allowed)
    monkeypatch.setattr(time, "time", lambda: now - 3600)
    with pytest.raises(ww.InvalidInputError, match="in the future"):
        wonda.images.generate(**BODY, budget=allowed)
    assert len(service.made) == 1
