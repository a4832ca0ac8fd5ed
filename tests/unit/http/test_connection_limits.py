"""Connection limits: parallel requests, and polls that wait for no upload."""

import asyncio
from collections import Counter

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.credentials import ApiKey
from wonda_widgets.errors import ClosedError
from wonda_widgets.http.transport import Transport
from wonda_widgets.utils import event_loop

BASE = "https://api.example/api/v1"


class Held:
    """A service that answers nothing but what it is told to; it counts what waits."""

    def __init__(self, *at_once):
        self.at_once = at_once
        self.open = self.most = self.asked = 0
        self.let_go = asyncio.Event()

    async def __call__(self, request):
        self.open += 1
        self.asked += 1
        self.most = max(self.most, self.open)
        if not request.url.path.endswith(self.at_once):
            await self.let_go.wait()
        self.open -= 1
        return httpx.Response(200, json={"status": "idle"})

    def transport(self):
        return Transport(ApiKey(KEY), BASE, 5.0, httpx.MockTransport(self))


async def _settle():
    for _ in range(50):
        await asyncio.sleep(0)


def test_at_most_twenty_parallel_requests():
    async def work():
        held = Held()
        wire = held.transport()
        polls = [wire.poll(wire.poll_request(f"/jobs/inference/{n}")) for n in range(100)]
        asks = [wire.get("/capabilities") for _ in range(100)]
        images = [wire.download(f"https://1.1.1.1/{n}.png") for n in range(100)]
        tasks = [asyncio.ensure_future(one) for one in (*polls, *asks, *images)]
        await _settle()
        held.let_go.set()
        await asyncio.gather(*tasks)
        return held.most

    assert event_loop.run_blocking(work()) == 20


@pytest.mark.parametrize("kinds", ["polls", "images", "polls and images"])
def test_clicks_do_not_wait_for_polls_or_downloads(kinds):
    async def work():
        held = Held("/image/generate")
        wire = held.transport()
        waiting = []
        if "polls" in kinds:
            waiting += [wire.poll(wire.poll_request(f"/jobs/{n}")) for n in range(100)]
        if "images" in kinds:
            waiting += [wire.download(f"https://1.1.1.1/{n}.png") for n in range(100)]
        tasks = [asyncio.ensure_future(one) for one in waiting]
        await _settle()
        asked = await asyncio.wait_for(wire.post("/image/generate", "test", "Look.", body={}), 5)
        held.let_go.set()
        await asyncio.gather(*tasks)
        return asked

    assert event_loop.run_blocking(work()) == {"status": "idle"}


def test_request_is_recorded_when_it_is_sent():
    noted = []

    async def work():
        held = Held()
        wire = held.transport()

        async def leaving():
            noted.append(held.open)

        first = [asyncio.ensure_future(wire.get("/capabilities")) for _ in range(20)]
        await _settle()
        post = asyncio.ensure_future(wire.post("/x", "test", "Look.", body={}, before_send=leaving))
        await _settle()
        assert not noted
        held.let_go.set()
        await asyncio.gather(*first, post)

    event_loop.run_blocking(work())
    assert len(noted) == 1


def test_waiting_request_is_not_sent_after_close(monkeypatch):
    monkeypatch.setattr("wonda_widgets.jobs.submission.CLOSE_TIMEOUT", 0.05)

    async def work():
        held = Held()
        wonda = ww.AsyncWonda(KEY, base_url=BASE, transport=httpx.MockTransport(held))
        asked = [
            asyncio.ensure_future(wonda.images.generate(model="m", prompt=str(number)))
            for number in range(21)
        ]
        while held.open < 20:
            await asyncio.sleep(0)
        await wonda.aclose()
        return await asyncio.gather(*asked, return_exceptions=True)

    became = Counter(type(one) for one in event_loop.run_blocking(work()))
    assert became == {ww.OutcomeUnknownError: 20, ClosedError: 1}


def test_waiting_poll_is_not_sent_after_close():
    async def work():
        held = Held()
        wire = held.transport()
        polls = [asyncio.ensure_future(wire.poll(wire.poll_request(f"/{n}"))) for n in range(30)]
        await _settle()
        await wire.aclose()
        held.let_go.set()
        return held, await asyncio.gather(*polls, return_exceptions=True)

    held, became = event_loop.run_blocking(work())
    assert held.most == held.asked == 10
    assert [type(one) for one in became[10:]] == [ClosedError] * 20
