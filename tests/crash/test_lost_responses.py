"""A post whose response is lost arrives once, and `check` finds its outcome."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time

import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.publishing import outcome_check
from wonda_widgets.sandbox.catalog import INSTAGRAM_ACCOUNT

ACCOUNT = INSTAGRAM_ACCOUNT["instagramAccountId"]
PATH = "/api/v1/publish/instagram"

KERNEL = textwrap.dedent(
    """
    import sys
    import wonda_widgets as ww
    key, base_url, journal, media, account = sys.argv[1:]
    wonda = ww.Wonda(key, base_url=base_url, journal=journal)
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        wonda.publish.instagram(media_id=media, instagram_account_id=account, caption="Once")
        print("posted", flush=True)
    except ww.AlreadyPublishedError:
        print("already", flush=True)
    """
)


@pytest.fixture
def world(served, tmp_path, monkeypatch, quick_polls):  # noqa: ARG001
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 0.0)
    sandbox, base_url = served(seconds=0.05)
    path = tmp_path / "journal.db"
    clients = []

    def client():
        clients.append(ww.Wonda(KEY, base_url=base_url, timeout=0.5, journal=path))
        return clients[-1]

    media_id = client().media.upload(b"GIF89a").media_id
    # A history with nothing in it proves nothing.
    earlier = {"instagram_account_id": ACCOUNT, "caption": "An earlier one"}
    client().publish.instagram(media_id=media_id, **earlier).wait(10)
    started = []

    def kernel():
        command = [sys.executable, "-c", KERNEL, KEY, base_url, str(path), media_id, ACCOUNT]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, **pipes))
        assert started[-1].stdout.readline() == "ready\n"
        return started[-1]

    yield sandbox, client, media_id, kernel
    for each in clients:
        each.close()
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def arrived(sandbox):
    return sandbox.faults.arrived.count(("POST", PATH)) - 1  # but for the earlier one


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def settle(client):
    """What a new kernel finds out about the post, and that it posts it no second time."""
    job, _ = client.jobs.recent()
    return client.publish.check(job)


@pytest.mark.parametrize("effect", [True, False], ids=["it took effect", "it did not"])
@pytest.mark.parametrize("loss", ["drop", "cut", 500, 502, "hang"])
def test_lost_response(world, loss, effect):
    sandbox, client, media_id, _ = world
    sandbox.faults.add("POST", "/publish/instagram", loss, times=9, after=effect)
    post = {"media_id": media_id, "instagram_account_id": ACCOUNT, "caption": "Once"}
    with pytest.raises(ww.OutcomeUnknownError):
        client().publish.instagram(**post)
    assert arrived(sandbox) == 1
    finding = settle(client())
    sandbox.faults.clear()
    if effect:
        assert finding.job.wait(10).permalink
        with pytest.raises(ww.AlreadyPublishedError):
            client().publish.instagram(**post)
    else:
        assert finding.posted is False
        assert client().publish.instagram(**post).wait(10).permalink
    assert len(sandbox.store.publishes) - 1 == 1


@pytest.mark.parametrize("effect", [True, False], ids=["it took effect", "it did not"])
def test_killed_after_sending(world, effect):
    sandbox, client, _, kernel = world
    sandbox.faults.add("POST", "/publish/instagram", "hang", times=9, after=effect)
    process = kernel()
    process.stdin.write("\n")
    process.stdin.flush()
    # The request is logged before it takes effect.
    until(lambda: arrived(sandbox) and len(sandbox.store.publishes) - 1 == effect)
    process.kill()
    process.wait()
    finding = settle(client())
    assert arrived(sandbox) == 1
    if effect:
        assert finding.job.wait(10).permalink
    else:
        assert finding.posted is False
    assert len(sandbox.store.publishes) - 1 == effect


def test_two_kernels_at_once(world):
    sandbox, client, _, kernel = world
    both = [kernel(), kernel()]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    said = sorted(process.stdout.readline().strip() for process in both)
    assert said == ["already", "posted"]
    assert arrived(sandbox) == 1
    assert client().jobs.recent()[0].wait(10).permalink
