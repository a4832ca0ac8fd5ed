"""Connection limits: parallel requests, and separate limits for polls and downloads."""

import asyncio
from collections import Counter

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.errors import ClosedError
from wonda_widgets.http.credentials import ApiKey
from wonda_widgets.http.transport import Transport
from wonda_widgets.utils import event_loop

BASE = "https://api.example/api/v1"


class HoldingService:
    """Hold every request until released, except those to the given paths, and count them."""

    def __init__(self, *immediate_paths):
        self.immediate_paths = immediate_paths
        self.open_count = self.max_open = self.received = 0
        self.released = asyncio.Event()

    async def __call__(self, request):
        self.open_count += 1
        self.received += 1
        self.max_open = max(self.max_open, self.open_count)
        if not request.url.path.endswith(self.immediate_paths):
            await self.released.wait()
        self.open_count -= 1
        return httpx.Response(200, json={"status": "idle"})

    def transport(self):
        return Transport(ApiKey(KEY), BASE, 5.0, httpx.MockTransport(self))


async def _run_pending():
    for _ in range(50):
        await asyncio.sleep(0)


def test_at_most_twenty_requests_run_in_parallel():
    async def work():
        service = HoldingService()
        transport = service.transport()
        polls = [transport.poll(transport.poll_request(f"/jobs/inference/{n}")) for n in range(100)]
        requests = [transport.get("/capabilities") for _ in range(100)]
        images = [transport.download(f"https://1.1.1.1/{n}.png") for n in range(100)]
        tasks = [asyncio.ensure_future(each) for each in (*polls, *requests, *images)]
        await _run_pending()
        service.released.set()
        await asyncio.gather(*tasks)
        return service.max_open

    assert event_loop.run_blocking(work()) == 20


@pytest.mark.parametrize("kinds", ["polls", "images", "polls and images"])
def test_submission_does_not_wait_for_polls_or_downloads(kinds):
    async def work():
        service = HoldingService("/image/generate")
        transport = service.transport()
        waiting = []
        if "polls" in kinds:
            waiting += [transport.poll(transport.poll_request(f"/jobs/{n}")) for n in range(100)]
        if "images" in kinds:
            waiting += [transport.download(f"https://1.1.1.1/{n}.png") for n in range(100)]
        tasks = [asyncio.ensure_future(each) for each in waiting]
        await _run_pending()
        response = await asyncio.wait_for(
            transport.post("/image/generate", "test", "Look.", body={}), 5
        )
        service.released.set()
        await asyncio.gather(*tasks)
        return response

    assert event_loop.run_blocking(work()) == {"status": "idle"}


def test_before_send_is_called_when_the_request_gets_a_connection():
    recorded = []

    async def work():
        service = HoldingService()
        transport = service.transport()

        async def before_send():
            recorded.append(service.open_count)

        earlier = [asyncio.ensure_future(transport.get("/capabilities")) for _ in range(20)]
        await _run_pending()
        post = asyncio.ensure_future(
            transport.post("/x", "test", "Look.", body={}, before_send=before_send)
        )
        await _run_pending()
        assert not recorded
        service.released.set()
        await asyncio.gather(*earlier, post)

    event_loop.run_blocking(work())
    assert len(recorded) == 1


def test_waiting_submission_is_not_sent_after_close(monkeypatch):
    monkeypatch.setattr("wonda_widgets.jobs.submission.CLOSE_TIMEOUT", 0.05)

    async def work():
        service = HoldingService()
        wonda = ww.AsyncWonda(KEY, base_url=BASE, transport=httpx.MockTransport(service))
        submissions = [
            asyncio.ensure_future(wonda.images.generate(model="m", prompt=str(number)))
            for number in range(21)
        ]
        while service.open_count < 20:
            await asyncio.sleep(0)
        await wonda.aclose()
        return await asyncio.gather(*submissions, return_exceptions=True)

    outcomes = Counter(type(each) for each in event_loop.run_blocking(work()))
    assert outcomes == {ww.OutcomeUnknownError: 20, ClosedError: 1}


def test_waiting_poll_is_not_sent_after_close():
    async def work():
        service = HoldingService()
        transport = service.transport()
        polls = [
            asyncio.ensure_future(transport.poll(transport.poll_request(f"/{n}")))
            for n in range(30)
        ]
        await _run_pending()
        await transport.aclose()
        service.released.set()
        return service, await asyncio.gather(*polls, return_exceptions=True)

    service, outcomes = event_loop.run_blocking(work())
    assert service.max_open == service.received == 10
    assert [type(each) for each in outcomes[10:]] == [ClosedError] * 20
