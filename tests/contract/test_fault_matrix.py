"""Test each entry of the fault matrix over a real socket."""

from __future__ import annotations

import fault_matrix
import pytest
from conftest import KEY
from fault_matrix import FAULTS, NO_CONNECTION, NOTEBOOK

import wonda_widgets as ww
from wonda_widgets.sandbox.catalog import INSTAGRAM_ACCOUNT
from wonda_widgets.widgets._shared import error_alerts

ACCOUNT = INSTAGRAM_ACCOUNT["instagramAccountId"]
BASE = "/api/v1"


@pytest.fixture(autouse=True)
def _quick(monkeypatch, quick_polls):  # noqa: ARG001
    monkeypatch.setattr("wonda_widgets.http.retries.FIRST_DELAY", 0.0)


@pytest.fixture
def patience(request):
    """Seconds for an answer: few only where none comes, as a busy machine takes its time."""
    fault = request.node.callspec.params["fault"] if hasattr(request.node, "callspec") else None
    return 1.0 if fault is None or fault.kind == "hang" else 30.0


@pytest.fixture
def world(served, tmp_path, patience):
    """A sandbox on a socket, a client of it, and what its journal says."""
    sandbox, base_url = served(seconds=0.02)
    wonda = ww.Wonda(KEY, base_url=base_url, timeout=patience, journal=tmp_path / "journal.db")
    yield sandbox, wonda
    wonda.close()


def journal(wonda, kind):
    kept = wonda._async._core.journal
    condition = "kind=? ORDER BY asked_at DESC"
    return kept._find(condition, (kind,)).result()[0]


def title(error):
    return error_alerts.error_alert(error)["title"].replace("posted", "generated")


def effects(wonda, media_id="m"):
    return {
        "generate": (
            "/image/generate",
            "inference",
            lambda: wonda.images.generate(model="z-image", prompt="x"),
        ),
        "publish": (
            "/publish/instagram",
            "publish",
            lambda: wonda.publish.instagram(media_id=media_id, instagram_account_id=ACCOUNT),
        ),
        "upload": ("/media/upload", "upload", lambda: wonda.media.upload(b"GIF89a")),
    }


@pytest.mark.parametrize("operation", ["generate", "publish", "upload"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_faults_of_requests_that_take_effect(world, fault, operation):
    sandbox, wonda = world
    media_id = wonda.media.upload(b"GIF89a").media_id
    path, kind, call = effects(wonda, media_id)[operation]
    sandbox.faults.arrived.clear()
    sandbox.faults.add("POST", path, fault.kind, times=9, headers=fault.headers)
    with pytest.raises(ww.WondaError) as caught:
        call()
    assert sandbox.faults.arrived.count(("POST", BASE + path)) == fault.effect.arrives
    assert title(caught.value) == fault.effect.sees
    assert journal(wonda, kind).state == fault.effect.journal
    if fault.effect.journal == "unknown" and operation == "publish":
        with pytest.raises(ww.OutcomeUnknownError):  # nothing is sent until it is settled
            call()
        assert sandbox.faults.arrived.count(("POST", BASE + path)) == 1


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_faults_of_polls(world, fault):
    sandbox, wonda = world
    sandbox.faults.add("GET", "/jobs/inference", fault.kind, headers=fault.headers)
    job = wonda.images.generate(model="z-image", prompt="x")
    seen = list(job.updates())
    polls = [
        each for each in sandbox.faults.arrived if each[1] == f"{BASE}/jobs/inference/{job.id}"
    ]
    if fault.poll.arrives == 1:
        assert len(polls) == 1
        assert title(seen[-1].error) == fault.poll.sees
    else:
        assert len(polls) >= 2
        assert fault.poll.sees in [snapshot.problem for snapshot in seen]
        assert seen[-1].media
    record = journal(wonda, "inference")
    told = f"{record.state}, {record.status}" if record.ended else record.state
    assert told == fault.poll.journal


LOOKS = {
    "GET /capabilities": lambda wonda: wonda.capabilities(),
    "GET /auth/whoami": lambda wonda: wonda.whoami(),
    "GET /instagram/accounts": lambda wonda: wonda.accounts.instagram(),
    "GET /pricing": lambda wonda: wonda.pricing.list(),
    "POST /pricing/estimate": lambda wonda: wonda.pricing.estimate(model="z-image"),
}


@pytest.mark.parametrize("request_line", LOOKS)
@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.kind != "hang"], ids=lambda fault: fault.name
)
def test_faults_of_other_requests(world, fault, request_line):
    sandbox, wonda = world
    method, path = request_line.split()
    sandbox.faults.add(method, path, fault.kind, times=9, headers=fault.headers)
    if fault.kind == "empty":
        assert LOOKS[request_line](wonda) is not None
        return
    with pytest.raises(ww.WondaError) as caught:
        LOOKS[request_line](wonda)
    assert len(sandbox.faults.arrived) == fault.look.arrives
    assert title(caught.value) == fault.look.sees


def test_outcome_check_without_a_response(world):
    sandbox, wonda = world
    sandbox.faults.add("GET", "/auth/whoami", "hang", times=9)
    with pytest.raises(ww.ServiceUnreachableError):
        wonda.whoami()
    assert len(sandbox.faults.arrived) == 3


def test_faults_without_a_connection(tmp_path):
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    base_url = f"http://127.0.0.1:{port}/api/v1"
    with ww.Wonda(KEY, base_url=base_url, journal=tmp_path / "journal.db") as wonda:
        for operation, (_, kind, call) in effects(wonda).items():
            with pytest.raises(ww.ServiceUnreachableError) as caught:
                call()
            assert title(caught.value) == NO_CONNECTION.effect.sees
            assert journal(wonda, kind).state == NO_CONNECTION.effect.journal, operation
        snapshots = iter(wonda.jobs.attach("inference", "j1").updates())
        assert next(snapshots).problem == NO_CONNECTION.poll.sees
        with pytest.raises(ww.ServiceUnreachableError) as caught:
            wonda.whoami()
        assert title(caught.value) == NO_CONNECTION.look.sees


def test_notebook_shows_this_table():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert fault_matrix.BEGIN in text
    assert fault_matrix.written(text) == text, "run python -m tests.fault_matrix"
