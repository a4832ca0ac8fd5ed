"""A client's connections: how many at once, and who need not wait for whom."""

import asyncio

import httpx
import pytest
from conftest import KEY

from wonda_widgets import runtime
from wonda_widgets.credentials import ApiKey
from wonda_widgets.transport import Transport

BASE = "https://api.example/api/v1"


class Held:
    """A service that answers nothing but what it is told to; it counts what waits."""

    def __init__(self, *at_once):
        self.at_once = at_once
        self.open = self.most = 0
        self.let_go = asyncio.Event()

    async def __call__(self, request):
        self.open += 1
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


def test_there_are_never_more_than_twenty_requests_at_once():
    async def work():
        held = Held()
        wire = held.transport()
        polls = [wire.poll(wire.question(f"/jobs/inference/{n}")) for n in range(100)]
        asks = [wire.get("/capabilities") for _ in range(100)]
        pictures = [wire.download(f"https://1.1.1.1/{n}.png") for n in range(100)]
        tasks = [asyncio.ensure_future(one) for one in (*polls, *asks, *pictures)]
        await _settle()
        held.let_go.set()
        await asyncio.gather(*tasks)
        return held.most

    assert runtime.call(work()) == 20


@pytest.mark.parametrize("kind", ["polls", "pictures"])
def test_a_click_waits_behind_neither_all_polls_nor_all_pictures(kind):
    async def work():
        held = Held("/image/generate")
        wire = held.transport()
        waiting = []
        if kind == "polls":
            waiting += [wire.poll(wire.question(f"/jobs/{n}")) for n in range(100)]
        if kind == "pictures":
            waiting += [wire.download(f"https://1.1.1.1/{n}.png") for n in range(100)]
        tasks = [asyncio.ensure_future(one) for one in waiting]
        await _settle()
        asked = await asyncio.wait_for(wire.post("/image/generate", "test", "Look.", body={}), 5)
        held.let_go.set()
        await asyncio.gather(*tasks)
        return asked

    assert runtime.call(work()) == {"status": "idle"}


def test_a_request_is_noted_as_leaving_when_its_turn_has_come():
    noted = []

    async def work():
        held = Held()
        wire = held.transport()

        async def leaving():
            noted.append(held.open)

        first = [asyncio.ensure_future(wire.get("/capabilities")) for _ in range(20)]
        await _settle()
        post = asyncio.ensure_future(wire.post("/x", "test", "Look.", body={}, leaving=leaving))
        await _settle()
        assert not noted
        held.let_go.set()
        await asyncio.gather(*first, post)

    runtime.call(work())
    assert len(noted) == 1
