"""If the publish history cannot be read, posting requires confirmation."""

from __future__ import annotations

import json

import httpx
import pytest
from conftest import BASE, KEY
from posting_service import POST, Service, lost

import wonda_widgets as ww


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr("wonda_widgets.http.retries.FIRST_DELAY", 0.0)
    return Service()


@pytest.fixture
def second_computer(service, tmp_path):
    """A client on a journal of its own."""
    transport = httpx.MockTransport(service)
    with ww.Wonda(KEY, base_url=BASE, journal=tmp_path / "2.db", transport=transport) as wonda:
        yield wonda


OUTAGES = [
    (200, b"<!doctype html><title>Maintenance</title>"),
    (200, b""),
    (200, b"null"),
    (200, b"[]"),
    (200, b'"ok"'),
    (200, b"{}"),
    (200, b'{"ok": true}'),
    (200, b'{"data": []}'),
    (200, b'{"errors": []}'),
    (200, b'{"items": [], "total": 0}'),
    (200, b'{"publishes": null}'),
    (200, b'{"publishes": {}}'),
    (200, b'{"publishes": [null]}'),
    (200, b'{"publishes": [1, 2]}'),
    (200, b'{"publishes": [{"healthy": true}]}'),
    (200, b'{"publishes": [], "error": {"message": "backend down"}}'),
    (200, b'{"one": [], "two": []}'),
    (200, b'{"publishes": [], "errors": ["upstream timeout"]}'),
    (200, b'{"publishes": [], "success": false}'),
    (200, b'{"publishes": [], "partial": true}'),
    (206, b'{"publishes": []}'),
    (404, b'{"error": "Not Found"}'),
    (403, b'{"error": "Forbidden"}'),
    (404, b'{"error": {"code": 404, "message": "not found", "status": "NOT_FOUND"}}'),
    (403, b'{"error": {"message": "wait", "code": "throttled"}}'),
    (204, b""),
    (302, b""),
    (404, b"<html>nginx</html>"),
    (404, b'{"message": "no route"}'),
    (403, b"Forbidden by the proxy"),
    (400, b""),
    (410, b"gone"),
    (402, b'{"error": {"message": "pay", "code": "payment_required"}}'),
    (409, b'{"error": {"message": "busy", "code": "conflict"}}'),
    (429, b'{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}'),
    (500, b'{"error": {"message": "oops"}}'),
    (502, b"<html>"),
    (503, b""),
    (504, b""),
    httpx.ReadTimeout(""),
    httpx.RemoteProtocolError("cut"),
]


@pytest.mark.parametrize("outage", OUTAGES, ids=lambda each: str(each)[:60])
def test_malformed_history_proves_nothing(kernel, service, second_computer, outage):
    kernel().publish.instagram(**POST).wait()
    service.no_history = outage
    with pytest.raises(ww.HistoryUnavailableError) as caught:
        second_computer.publish.instagram(**POST)
    assert service.posts == 1
    assert caught.value.code == "history_unavailable"
    assert "The journal on this computer has no such post" in caught.value.message
    assert "allow_unchecked=True" in caught.value.hint
    # Nothing stands in the way when it can be read again, and then the post is found.
    service.no_history = None
    with pytest.raises(ww.AlreadyPublishedError):
        second_computer.publish.instagram(**POST, allow_unchecked=True)
    assert service.posts == 1


@pytest.mark.parametrize("outage", OUTAGES[:2] + OUTAGES[-5:], ids=lambda each: str(each)[:60])
def test_history_outage_is_not_a_publishing_outage(kernel, service, outage):
    service.no_history = outage
    wonda = kernel()
    job = wonda.publish.instagram(**POST, allow_unchecked=True)
    assert job.wait(10).permalink
    # The journal is asked all the same.
    for client in (wonda, kernel()):
        with pytest.raises(ww.AlreadyPublishedError):
            client.publish.instagram(**POST, allow_unchecked=True)
    assert service.posts == 1


def test_missing_connection_is_reported(kernel, service):
    service.no_history = httpx.ConnectError("refused")
    with pytest.raises(ww.ServiceUnreachableError):
        kernel().publish.instagram(**POST)
    assert service.posts == 0


def test_carousel_with_unreadable_history_requires_confirmation(kernel, service):
    service.no_history = (503, b"")
    post = {"media_ids": ["m1", "m2"], "instagram_account_id": "a1"}
    with pytest.raises(ww.HistoryUnavailableError):
        kernel().publish.instagram_carousel(**post)


def test_unknown_outcome_stays_unknown_during_a_history_outage(kernel, service):
    wonda = kernel()
    service.lose = "after"
    lost(wonda)
    service.lose, service.no_history = "", (503, b"")
    error = lost(wonda, allow_unchecked=True)
    assert "cannot be read right now" in error.reason
    assert error.intent, "the person can settle it"
    assert service.posts == 1


@pytest.mark.parametrize(
    "row",
    [
        {"permalink": "https://instagram.example.test/p/9"},
        {"permalink": "https://instagram.example.test/p/9", "caption": POST["caption"]},
        {"instagramPublishId": "i9", "caption": "Made with Wonda &amp; more"[:15]},
    ],
)
def test_row_without_media_requires_confirmation(kernel, service, row):
    service.no_history = (200, json.dumps({"publishes": [row]}).encode())
    with pytest.raises(ww.AlreadyPublishedError, match="may be the same") as caught:
        kernel().publish.instagram(**POST, allow_unchecked=True)
    assert caught.value.code == "possibly_published"
    assert service.posts == 0
    kernel().publish.instagram(**POST, allow_repeat=True)
    assert service.posts == 1


@pytest.mark.parametrize(
    "change",
    [
        {"caption": "Other words"},
        {"instagramAccountId": "a2"},
        {"product": "STORIES"},
        {"status": "failed"},
        {"outputJobId": "p1"},  # which the journal knows to be another post
    ],
    ids=lambda change: next(iter(change)),
)
def test_row_of_another_post_does_not_match(kernel, service, change):
    kernel().publish.instagram(**{**POST, "caption": "The first one"}).wait()
    row = {"permalink": "https://instagram.example.test/p/9", **change}
    service.no_history = (200, json.dumps({"publishes": [row]}).encode())
    kernel().publish.instagram(**POST)
    assert service.posts == 2


def test_carousel_row_may_name_only_some_images(kernel, service):
    row = {"mediaIds": ["m1", "m2"], "caption": "Three", "product": "CAROUSEL"}
    service.no_history = (200, json.dumps({"publishes": [row]}).encode())
    post = {"media_ids": ["m1", "m2", "m3"], "instagram_account_id": "a1", "caption": "Three"}
    with pytest.raises(ww.AlreadyPublishedError) as caught:
        kernel().publish.instagram_carousel(**post)
    assert caught.value.code == "possibly_published"


def test_unwritable_journal_requires_confirmation(service, tmp_path):
    (tmp_path / "no folder").write_text("a file")
    transport = httpx.MockTransport(service)
    journal = tmp_path / "no folder" / "j.db"
    with ww.Wonda(KEY, base_url=BASE, journal=journal, transport=transport) as wonda:
        with (
            pytest.warns(ww.JournalWarning),
            pytest.raises(ww.HistoryUnavailableError, match="may have been posted before"),
        ):
            wonda.publish.instagram(**POST)
        assert service.posts == 0
        wonda.publish.instagram(**POST, allow_unchecked=True).wait(10)
    assert service.posts == 1
