"""Idempotency keys (``once=``): requests with the same key are sent once across processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3

import httpx
import pytest
from conftest import BASE, KEY

import wonda_widgets as ww
from wonda_widgets.api import generations
from wonda_widgets.journal.database import JournalWarning
from wonda_widgets.utils import event_loop

BODY = {"model": "m", "prompt": "A lake"}
WITH_KEY = {**BODY, "once": "autumn"}


class Service:
    """Simulate a service that records submissions and can fail, drop or delay responses."""

    def __init__(self) -> None:
        self.submissions = []
        self.status = "succeeded"
        self.fault = None
        self.release = None

    async def __call__(self, request):
        path = request.url.path.removeprefix("/api/v1")
        if path == "/pricing/estimate":
            return httpx.Response(200, json={"estimatedCostMicrodollars": 40_000})
        if path == "/image/generate":
            self.submissions.append(json.loads(request.content))
            if self.release is not None:
                await self.release.wait()
            if self.fault is not None:
                if self.fault == "lost":
                    raise httpx.ReadTimeout("")
                return httpx.Response(self.fault, json={"error": {"message": "no", "code": "x"}})
            return httpx.Response(200, json={"inferenceJobId": f"j{len(self.submissions)}"})
        media = {"mediaId": path.rpartition("/")[2]}
        return httpx.Response(200, json={"status": self.status, "outputs": [{"media": media}]})


@pytest.fixture
def service():
    return Service()


def test_same_key_and_request_return_the_same_job_in_every_kernel(kernel, service):
    first, second = kernel(), kernel()
    media = first.images.generate(**WITH_KEY).wait().media
    repeated = second.images.generate(**WITH_KEY)
    assert repeated.wait().media == media
    assert repeated.request == BODY
    assert len(service.submissions) == 1
    second.images.generate(**WITH_KEY | {"once": " autumn "})
    assert len(service.submissions) == 1, "surrounding spaces are not part of the key"


EQUIVALENT = [
    ({"params": {"n": 4}}, {"params": {"n": 4.0}}),
    ({"params": {"n": 0.0}}, {"params": {"n": -0.0}}),
    ({"params": {"n": 10**20}}, {"params": {"n": 1e20}}),
    ({"params": {"n": 1e300}}, {"params": {"n": int(1e300)}}),
    ({"params": {"n": [1, {"m": 2}]}}, {"params": {"n": (1.0, {"m": 2.0})}}),
    ({"params": {"styleId": None, "n": 1}}, {"params": {"n": 1}}),
    ({"params": {"styleId": None}}, {}),
    ({"params": {}}, {"params": None}),
    ({"params": {"a": 1, "b": 2}}, {"params": {"b": 2, "a": 1}}),
    ({"prompt": "Caf\u00e9"}, {"prompt": "Cafe\u0301"}),
    ({"prompt": "\uac00"}, {"prompt": "\u1100\u1161"}),
    ({"prompt": "A lake"}, {"prompt": "A\u00a0lake"}),
    ({"prompt": "A lake"}, {"prompt": " A\r\n lake\t"}),
    ({"prompt": "A lake"}, {"prompt": "A\u3000lake"}),
    ({"params": {"caf\u00e9": "\u00e9"}}, {"params": {"cafe\u0301": "e\u0301"}}),
    ({"once": "caf\u00e9"}, {"once": "cafe\u0301"}),
    ({"once": "autumn sale"}, {"once": "autumn\u00a0sale"}),
    ({"once": "autumn sale"}, {"once": "\u200bautumn \n sale\ufeff"}),
    ({"once": "autumn 2"}, {"once": "\uff41\uff55\uff54\uff55\uff4d\uff4e \uff12"}),
    ({"attachment_media_ids": ["a", "b"]}, {"attachment_media_ids": ("a", "b")}),
    ({"prompt": "A lake"}, {"prompt": "A\u200b la\u00adke\ufeff"}),
    ({"prompt": "A heart \u2764"}, {"prompt": "A heart \u2764\ufe0f"}),
    ({"once": "heart \u2764"}, {"once": "\u200fheart \u2764\ufe0f"}),
    ({"prompt": "Line one\nLine two"}, {"prompt": "Line one Line two"}),
    ({"params": {1: "a", "b": 2}}, {"params": {"b": 2, "1": "a"}}),
    ({"params": {True: 1, None: 2}}, {"params": {"null": 2, "true": 1}}),
    ({"params": {"n": [{2.5: {0: 1}}]}}, {"params": {"n": [{"2.5": {"0": 1}}]}}),
    ({"params": {"x": None, "x\u200b": 1}}, {"params": {"x": 1}}),
]


@pytest.mark.parametrize(("first", "second"), EQUIVALENT, ids=ascii)
def test_equivalent_requests_are_sent_once(kernel, service, first, second):
    kernel().images.generate(**WITH_KEY | first)
    job = kernel().images.generate(**WITH_KEY | second)
    assert job.id == "j1"
    assert len(service.submissions) == 1
    kernel().images.generate(**WITH_KEY | second | {"once": "winter"})
    assert len(service.submissions) == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"params": {"n": 1}}, {"params": {"n": True}}),
        ({"params": {"n": 1}}, {"params": {"n": "1"}}),
        ({"params": {"n": 2**53}}, {"params": {"n": 2**53 + 1}}),
        ({"params": {"n": [1, 2]}}, {"params": {"n": [2, 1]}}),
        ({"params": {"n": [None]}}, {"params": {"n": []}}),
        ({"params": {"n": 0}}, {"params": {}}),
        ({"prompt": "5 m\u00b2"}, {"prompt": "5 m2"}),
        ({"prompt": "A lake"}, {"prompt": "a lake"}),
        ({"once": "autumn"}, {"once": "Autumn"}),
        ({"attachment_media_ids": ["a", "b"]}, {"attachment_media_ids": ["b", "a"]}),
        ({"params": {"x": 1, "x\u200b": 2}}, {"params": {"x": 2}}),
        ({"params": {"x": 1, "x\u200b": 2}}, {"params": {"x": 2, "x\u200b": 1}}),
        ({"params": {"a  b": 1, "a b": 2, "c": 3}}, {"params": {"a b": 2, "c": 3}}),
        ({"params": {"n": {"e\u0301": 1, "\u00e9": 2}}}, {"params": {"n": {"\u00e9": 2}}}),
        ({"params": {1: "a", "2": "b"}}, {"params": {2: "a", "1": "b"}}),
    ],
    ids=ascii,
)
def test_different_requests_are_sent_separately(kernel, service, first, second):
    kernel().images.generate(**WITH_KEY | first)
    kernel().images.generate(**WITH_KEY | second)
    assert len(service.submissions) == 2


@pytest.mark.parametrize(
    "change", [{"once": "winter"}, {"prompt": "A sea"}, {"params": {"n": 1}}, {"once": None}]
)
def test_request_with_another_key_or_value_is_sent(kernel, service, change):
    wonda = kernel()
    wonda.images.generate(**WITH_KEY)
    wonda.images.generate(**WITH_KEY | change)
    assert len(service.submissions) == 2


def test_simultaneous_requests_with_one_key_return_one_job(kernel, service, monkeypatch):
    monkeypatch.setattr(generations, "RECHECK_SECONDS", 0.01)
    clients = [kernel() for _ in range(5)]

    async def submit_all():
        service.release = asyncio.Event()
        submissions = [
            asyncio.ensure_future(client._async.images.generate(**WITH_KEY))
            for client in [*clients, clients[0]]
        ]
        while not service.submissions:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        assert not any(each.done() for each in submissions)
        service.release.set()
        return await asyncio.gather(*submissions)

    jobs = event_loop.run_blocking(submit_all())
    assert {job.id for job in jobs} == {"j1"}
    assert len(service.submissions) == 1


def test_failed_job_with_a_key_is_not_repeated_until_dismissed(kernel, service):
    service.status = "failed"
    with pytest.raises(ww.JobFailedError):
        kernel().images.generate(**WITH_KEY).wait()
    later_client = kernel()
    with pytest.raises(ww.JobFailedError) as caught:
        later_client.images.generate(**WITH_KEY).wait()
    assert len(service.submissions) == 1
    later_client.jobs.dismiss(caught.value)
    service.status = "succeeded"
    assert later_client.images.generate(**WITH_KEY).wait().media.media_id == "j2"
    assert len(service.submissions) == 2


def test_unknown_outcome_with_a_key_is_not_repeated_until_dismissed(kernel, service):
    service.fault = "lost"
    with pytest.raises(ww.OutcomeUnknownError):
        kernel().images.generate(**WITH_KEY)
    service.fault = None
    later_client = kernel()
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        later_client.images.generate(**WITH_KEY)
    assert len(service.submissions) == 1
    later_client.jobs.dismiss(caught.value)
    assert later_client.images.generate(**WITH_KEY).id == "j2"


def test_rejected_request_with_a_key_can_be_repeated(kernel, service):
    service.fault = 402
    with pytest.raises(ww.PaymentRequiredError):
        kernel().images.generate(**WITH_KEY)
    service.fault = None
    assert kernel().images.generate(**WITH_KEY).wait().media.media_id == "j2"


def test_existing_job_with_the_key_needs_no_budget(kernel, service):
    wonda, budget = kernel(), ww.Budget(0.04)
    wonda.images.generate(**WITH_KEY, budget=budget)
    assert wonda.images.generate(**WITH_KEY, budget=budget).wait().media.media_id == "j1"
    with pytest.raises(ww.InvalidInputError, match="budget is left"):
        wonda.images.generate(**WITH_KEY | {"once": "winter"}, budget=budget)
    assert len(service.submissions) == 1


@pytest.mark.parametrize("key", ["", " ", "x" * 201, 7, b"autumn"])
def test_invalid_idempotency_key_is_refused(kernel, service, key):
    with pytest.raises(ww.InvalidInputError, match="must be a name") as caught:
        kernel().images.generate(**BODY, once=key)
    assert caught.value.field == "once"
    assert service.submissions == []


def test_request_with_a_key_is_not_sent_without_a_usable_journal(service, tmp_path):
    (tmp_path / "no folder").write_text("a file")
    transport = httpx.MockTransport(service)
    journal = tmp_path / "no folder" / "j.db"
    with ww.Wonda(KEY, base_url=BASE, journal=journal, transport=transport) as wonda:
        with (
            pytest.warns(ww.JournalWarning),
            pytest.raises(ww.InvalidInputError, match="requested with this key"),
        ):
            wonda.images.generate(**WITH_KEY)
        assert service.submissions == []


def test_key_recorded_by_an_earlier_version_is_recognized(kernel, service):
    import hashlib

    import msgspec

    def short_hash(data):
        return hashlib.sha256(data).hexdigest()[:32]

    body = {"model": "m", "prompt": "A  lake", "params": {"n": 4.0}}
    client, key = kernel(), "caf\u00e9  sale"
    body_hash = short_hash(msgspec.json.encode(body, order="sorted"))
    former_key = f"once:{short_hash(key.encode())}:{body_hash}"
    journal = client._async._core.journal
    intent, _ = journal.begin_request(
        BASE, "inference", json.dumps(body).encode(), former_key
    ).result()
    journal.mark_accepted(intent, "j9").result()
    assert client.images.generate(**body, once=key).id == "j9"
    assert service.submissions == []


@pytest.mark.parametrize(
    "params",
    [
        {1: "a"},
        {True: 1},
        {None: 1},
        {2.5: 1},
        {1: "a", "b": 2},
        {"n": [{1: {2: 3}}]},
        {"n": 2**70},
    ],
    ids=str,
)
def test_any_json_parameters_are_recognized_when_repeated(kernel, service, params):
    wonda, budget = kernel(), ww.Budget(0.10)
    first = wonda.images.generate(**WITH_KEY, params=params)
    repeated = kernel().images.generate(**WITH_KEY, params=params, budget=budget)
    assert repeated.request == first.request == service.submissions[0]
    wonda.images.generate(**BODY, params=params, budget=budget)
    with pytest.raises(ww.InvalidInputError, match="budget is left"):
        kernel().images.generate(**BODY, params=params, budget=ww.Budget(0.10))
    assert len(service.submissions) == 2


@pytest.mark.parametrize(
    "params",
    [{(1, 2): 3}, {"n": {4, 5}}, {"n": object()}, {b"n": 1}],
    ids=["a tuple as a key", "a set", "an object", "bytes as a key"],
)
@pytest.mark.parametrize("options", [{}, {"once": "a"}, {"budget": ww.Budget(1)}], ids=str)
def test_parameters_that_are_not_json_raise_and_send_nothing(kernel, service, params, options):
    with pytest.raises(ww.InvalidInputError, match="cannot be sent as JSON"):
        kernel().images.generate(**BODY, params=params, **options)
    assert service.submissions == []


@pytest.mark.parametrize("damage", ["body='{'", "body=x'ff'", "reply='}'", "state='?'", "tick='x'"])
def test_damaged_journal_entry_still_prevents_a_second_request(kernel, service, tmp_path, damage):
    first = kernel()
    first.images.generate(**WITH_KEY).wait()
    first.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "kernels.db")) as file, file:
        file.execute(f"UPDATE request SET {damage}")
    with contextlib.suppress(ww.OutcomeUnknownError):
        kernel().images.generate(**WITH_KEY)
    assert len(service.submissions) == 1


def test_request_with_a_key_is_refused_after_the_journal_was_deleted(kernel, service, tmp_path):
    first = kernel()
    first.images.generate(**WITH_KEY).wait()
    for file in tmp_path.glob("kernels.db*"):
        file.unlink()
    with (
        pytest.warns(JournalWarning, match="was deleted or replaced"),
        pytest.raises(ww.InvalidInputError, match="restart the kernel"),
    ):
        first.images.generate(**WITH_KEY)
    assert "was deleted or replaced" in first.jobs.problem
    assert len(service.submissions) == 1
    first.images.generate(**BODY)  # without a key, nothing is promised
    assert kernel().jobs.problem == "", "a new client starts with the new journal"


@pytest.mark.parametrize("body", ["'{'", "'5'", "'[]'", "'null'", "x'ff'"])
def test_old_damaged_entry_does_not_stop_requests(kernel, service, tmp_path, body):
    first = kernel()
    first.images.generate(**BODY).wait()
    first.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "kernels.db")) as file, file:
        file.execute(f"UPDATE request SET body={body}, asked_at=asked_at-86400*400")
    later = kernel()  # it deletes old entries at its first request
    later.images.generate(**BODY)
    later.images.generate(**WITH_KEY)
    assert (len(service.submissions), later.jobs.problem) == (3, "")


@pytest.mark.parametrize("body", ["'{'", "'5'", "x'ff'"])
def test_damaged_entry_disables_neither_marks_nor_the_journal(kernel, service, tmp_path, body):
    first = kernel()
    first.images.generate(**BODY).wait()
    first.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "kernels.db")) as file, file:
        file.execute(f"UPDATE request SET body={body}")
    later = kernel()
    [image] = later.history.search()
    assert later.history.mark(image, rating=3).rating == 3
    with pytest.raises(ww.InvalidInputError, match="entry of the journal is damaged"):
        later.images.generate(**BODY, budget=5)
    assert (len(service.submissions), later.jobs.problem) == (1, "")


@pytest.mark.parametrize("damage", ["kind='abc'", "owner='x'", "owner=owner || '|x'"])
def test_damaged_entry_hides_no_other_job(kernel, tmp_path, damage):
    first = kernel()
    first.images.generate(**BODY).wait()
    first.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "kernels.db")) as file, file:
        file.execute(f"UPDATE request SET {damage}")
    later = kernel()
    later.images.generate(**BODY).wait()
    assert "j2" in [job.id for job in later.jobs.recent()]
    later.jobs.unfinished()
