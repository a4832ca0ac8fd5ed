"""AsyncWonda under trio and other event loops."""

import asyncio
import gc
import inspect

import pytest
import sniffio

import wonda_widgets as ww
from wonda_widgets.utils import event_loop


@pytest.fixture
def wonda():
    made = ww.AsyncWonda.sandbox(seconds=0.01)
    yield made
    event_loop.run_blocking(made.aclose())


def by_hand(work):
    """Begin a coroutine as another library's loop would."""
    try:
        return work.send(None)
    finally:
        work.close()


def asked(wonda, job):
    yield "generate", lambda: wonda.images.generate(model="nano-banana-2", prompt="A harbour")
    yield "instagram", lambda: wonda.publish.instagram(media_id="m", instagram_account_id="a")
    yield "whoami", wonda.whoami
    yield "recent", wonda.jobs.recent
    yield "open", lambda: wonda.media.open("https://a.example/a.png")
    yield "search", wonda.history.search
    yield "estimate", lambda: wonda.pricing.estimate(model="nano-banana-2")
    yield "aclose", wonda.aclose
    yield "await job", job._ended
    yield "async for", lambda: job.updates().__aiter__().__anext__()
    yield "duration_stats", job.duration_stats


@pytest.mark.parametrize("library", [None, "trio", "curio"])
def test_other_event_loop_is_refused_and_nothing_is_sent(monkeypatch, wonda, library):
    job = asyncio.run(wonda.images.generate(model="nano-banana-2", prompt="A boat"))
    job.wait()
    monkeypatch.setattr(sniffio.thread_local, "name", library)
    for name, ask in asked(wonda, job):
        with pytest.raises(ww.NoEventLoopError, match="asyncio") as caught:
            by_hand(_awaited(ask))
        assert (library or "none") in str(caught.value), name
    monkeypatch.setattr(sniffio.thread_local, "name", None)
    gc.collect()  # a coroutine that was never awaited is a warning, and so an error
    assert len(asyncio.run(wonda.jobs.recent())) == 1


async def _awaited(ask):
    found = ask()
    return await found if inspect.isawaitable(found) else found


def test_nested_event_loops_are_distinguished(monkeypatch, wonda):
    async def nested():
        monkeypatch.setattr(sniffio.thread_local, "name", "trio")
        with pytest.raises(ww.NoEventLoopError, match="this is trio"):
            by_hand(wonda.whoami())
        monkeypatch.setattr(sniffio.thread_local, "name", None)
        return await wonda.whoami()

    assert asyncio.run(nested()).plan
