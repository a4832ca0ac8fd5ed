"""``once=``: requests with the same key are sent once, by whichever process."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from conftest import BASE, KEY

import wonda_widgets as ww
from wonda_widgets.api import images
from wonda_widgets.utils import event_loop

BODY = {"model": "m", "prompt": "A lake"}
NAMED = {**BODY, "once": "autumn"}


class Service:
    """A Wonda that counts what it makes; an answer can be lost or kept back."""

    def __init__(self) -> None:
        self.made = []
        self.status = "succeeded"
        self.goes_wrong = None
        self.held = None

    async def __call__(self, request):
        path = request.url.path.removeprefix("/api/v1")
        if path == "/pricing/estimate":
            return httpx.Response(200, json={"estimatedCostMicrodollars": 40_000})
        if path == "/image/generate":
            self.made.append(json.loads(request.content))
            if self.held is not None:
                await self.held.wait()
            if self.goes_wrong is not None:
                if self.goes_wrong == "lost":
                    raise httpx.ReadTimeout("")
                return httpx.Response(
                    self.goes_wrong, json={"error": {"message": "no", "code": "x"}}
                )
            return httpx.Response(200, json={"inferenceJobId": f"j{len(self.made)}"})
        media = {"mediaId": path.rpartition("/")[2]}
        return httpx.Response(200, json={"status": self.status, "outputs": [{"media": media}]})


@pytest.fixture
def service():
    return Service()


def test_same_key_and_request_return_the_same_job_in_every_kernel(kernel, service):
    first, second = kernel(), kernel()
    media = first.images.generate(**NAMED).wait().media
    again = second.images.generate(**NAMED)
    assert again.wait().media == media
    assert again.request == BODY
    assert len(service.made) == 1
    second.images.generate(**NAMED | {"once": " autumn "})
    assert len(service.made) == 1, "blanks beside a name are not part of it"


SAME = [
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


@pytest.mark.parametrize(("one", "other"), SAME, ids=ascii)
def test_equivalent_requests_are_sent_once(kernel, service, one, other):
    kernel().images.generate(**NAMED | one)
    job = kernel().images.generate(**NAMED | other)
    assert job.id == "j1"
    assert len(service.made) == 1
    kernel().images.generate(**NAMED | other | {"once": "winter"})
    assert len(service.made) == 2


@pytest.mark.parametrize(
    ("one", "other"),
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
def test_different_requests_are_sent_separately(kernel, service, one, other):
    kernel().images.generate(**NAMED | one)
    kernel().images.generate(**NAMED | other)
    assert len(service.made) == 2


@pytest.mark.parametrize(
    "other", [{"once": "winter"}, {"prompt": "A sea"}, {"params": {"n": 1}}, {"once": None}]
)
def test_different_values_are_different_requests(kernel, service, other):
    wonda = kernel()
    wonda.images.generate(**NAMED)
    wonda.images.generate(**NAMED | other)
    assert len(service.made) == 2


def test_simultaneous_requests_return_one_job(kernel, service, monkeypatch):
    monkeypatch.setattr(images, "RECHECK_SECONDS", 0.01)
    clients = [kernel() for _ in range(5)]

    async def all_at_once():
        service.held = asyncio.Event()
        asked = [
            asyncio.ensure_future(client._async.images.generate(**NAMED))
            for client in [*clients, clients[0]]
        ]
        while not service.made:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        assert not any(each.done() for each in asked)
        service.held.set()
        return await asyncio.gather(*asked)

    jobs = event_loop.run_blocking(all_at_once())
    assert {job.id for job in jobs} == {"j1"}
    assert len(service.made) == 1


def test_failed_job_is_not_repeated(kernel, service):
    service.status = "failed"
    with pytest.raises(ww.JobFailedError):
        kernel().images.generate(**NAMED).wait()
    later = kernel()
    with pytest.raises(ww.JobFailedError) as caught:
        later.images.generate(**NAMED).wait()
    assert len(service.made) == 1
    later.jobs.dismiss(caught.value)
    service.status = "succeeded"
    assert later.images.generate(**NAMED).wait().media.media_id == "j2"
    assert len(service.made) == 2


def test_unknown_outcome_is_not_repeated(kernel, service):
    service.goes_wrong = "lost"
    with pytest.raises(ww.OutcomeUnknownError):
        kernel().images.generate(**NAMED)
    service.goes_wrong = None
    later = kernel()
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        later.images.generate(**NAMED)
    assert len(service.made) == 1
    later.jobs.dismiss(caught.value)
    assert later.images.generate(**NAMED).id == "j2"


def test_rejected_request_can_be_repeated(kernel, service):
    service.goes_wrong = 402
    with pytest.raises(ww.PaymentRequiredError):
        kernel().images.generate(**NAMED)
    service.goes_wrong = None
    assert kernel().images.generate(**NAMED).wait().media.media_id == "j2"


def test_existing_job_needs_no_budget(kernel, service):
    wonda, budget = kernel(), ww.Budget(0.04)
    wonda.images.generate(**NAMED, budget=budget)
    assert wonda.images.generate(**NAMED, budget=budget).wait().media.media_id == "j1"
    with pytest.raises(ww.InvalidInputError, match="budget is left"):
        wonda.images.generate(**NAMED | {"once": "winter"}, budget=budget)
    assert len(service.made) == 1


@pytest.mark.parametrize("name", ["", " ", "x" * 201, 7, b"autumn"])
def test_invalid_key_is_refused(kernel, service, name):
    with pytest.raises(ww.InvalidInputError, match="must be a name") as caught:
        kernel().images.generate(**BODY, once=name)
    assert caught.value.field == "once"
    assert service.made == []


def test_unusable_journal_sends_nothing(service, tmp_path):
    (tmp_path / "no folder").write_text("a file")
    transport = httpx.MockTransport(service)
    journal = tmp_path / "no folder" / "j.db"
    with ww.Wonda(KEY, base_url=BASE, journal=journal, transport=transport) as wonda:
        with (
            pytest.warns(ww.JournalWarning),
            pytest.raises(ww.InvalidInputError, match="requested with this key"),
        ):
            wonda.images.generate(**NAMED)
        assert service.made == []


def test_entries_of_earlier_versions_are_recognized(kernel, service):
    import hashlib

    import msgspec

    def short(data):
        return hashlib.sha256(data).hexdigest()[:32]

    body = {"model": "m", "prompt": "A  lake", "params": {"n": 4.0}}
    first, name = kernel(), "caf\u00e9  sale"
    exact = short(msgspec.json.encode(body, order="sorted"))
    before = f"once:{short(name.encode())}:{exact}"
    journal = first._async._core.journal
    intent, _ = journal.begin_request(BASE, "inference", json.dumps(body).encode(), before).result()
    journal.mark_accepted(intent, "j9").result()
    assert first.images.generate(**body, once=name).id == "j9"
    assert service.made == []


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
def test_any_json_value_has_a_fingerprint(kernel, service, params):
    wonda, budget = kernel(), ww.Budget(0.10)
    first = wonda.images.generate(**NAMED, params=params)
    again = kernel().images.generate(**NAMED, params=params, budget=budget)
    assert again.request == first.request == service.made[0]
    wonda.images.generate(**BODY, params=params, budget=budget)
    with pytest.raises(ww.InvalidInputError, match="budget is left"):
        kernel().images.generate(**BODY, params=params, budget=ww.Budget(0.10))
    assert len(service.made) == 2


@pytest.mark.parametrize(
    "odd",
    [{(1, 2): 3}, {"n": {4, 5}}, {"n": object()}, {b"n": 1}],
    ids=["a tuple as a name", "a set", "an object", "bytes as a name"],
)
@pytest.mark.parametrize("more", [{}, {"once": "a"}, {"budget": ww.Budget(1)}], ids=str)
def test_non_json_value_is_reported(kernel, service, odd, more):
    with pytest.raises(ww.InvalidInputError, match="cannot be sent as JSON"):
        kernel().images.generate(**BODY, params=odd, **more)
    assert service.made == []
