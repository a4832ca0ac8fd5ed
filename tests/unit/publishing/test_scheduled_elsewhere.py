"""A post that another computer scheduled is not posted or scheduled again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from conftest import BASE, KEY
from posting_service import POST, Service, refusal

import wonda_widgets as ww

DUE = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
LATER = DUE + timedelta(days=1)
ROW = {
    "outputJobId": "there",
    "scheduledFor": DUE.isoformat(),
    "mediaId": POST["media_id"],
    "instagramAccountId": POST["instagram_account_id"],
    "caption": POST["caption"],
}
BARE = {"outputJobId": "there", "scheduledFor": DUE.isoformat()}


class Scheduling(Service):
    """A Wonda whose list of scheduled posts answers as a test wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.told = httpx.Response(200, json={"scheduled": []})

    async def answer(self, request):
        if request.url.path.endswith("/publish/scheduled"):
            if isinstance(self.told, Exception):
                raise self.told
            return httpx.Response(self.told.status_code, content=self.told.content)
        return await super().answer(request)


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr("wonda_widgets.http.retries.FIRST_DELAY", 0.0)
    return Scheduling()


def listed(*rows):
    return httpx.Response(200, json={"scheduled": list(rows)})


@pytest.mark.parametrize("when", [DUE, LATER, None])
def test_post_scheduled_elsewhere_is_not_repeated(kernel, service, tmp_path, when):
    there = ww.Wonda(
        KEY,
        base_url=BASE,
        journal=tmp_path / "there.db",
        transport=httpx.MockTransport(service),
    )
    with there:
        there.publish.instagram(**POST, scheduled_at=DUE)
    service.rows.clear()  # the history lists none that waits
    service.told = listed(ROW)
    with pytest.raises(ww.AlreadyPublishedError, match="is already scheduled for") as caught:
        kernel().publish.instagram(**POST, scheduled_at=when)
    assert caught.value.code == "already_requested"
    assert service.posts == 1


@pytest.mark.parametrize(
    ("row", "when"),
    [
        ({**ROW, "mediaId": None}, None),
        ({**ROW, "mediaId": None}, LATER),
        (BARE, DUE),
        ({"outputJobId": "there"}, DUE),
    ],
)
def test_scheduled_row_without_media_requires_confirmation(kernel, service, row, when):
    service.told = listed(row)
    wonda = kernel()
    with pytest.raises(
        ww.AlreadyPublishedError, match="list of scheduled posts has a post that"
    ) as e:
        wonda.publish.instagram(**POST, scheduled_at=when)
    assert e.value.code == "possibly_published"
    assert service.posts == 0
    wonda.publish.instagram(**POST, scheduled_at=when, allow_repeat=True)
    assert service.posts == 1


@pytest.mark.parametrize(
    "change",
    [
        {"caption": "Something else"},
        {"mediaId": "m9"},
        {"instagramAccountId": "a9"},
        {"product": "STORIES"},
        {"mediaId": None, "instagramAccountId": None, "caption": None, "platform": "TikTok"},
        {"mediaId": None, "instagramAccountId": None, "caption": None, "tiktokAccountId": "t1"},
        {"mediaId": None, "instagramAccountId": None, "caption": None},  # of another time
        *({"status": over} for over in ("canceled", "cancelled", "Failed", "succeeded")),
    ],
)
def test_other_scheduled_posts_do_not_block(kernel, service, change):
    service.told = listed({**ROW, **change})
    kernel().publish.instagram(**POST)
    assert service.posts == 1


def test_canceled_post_may_be_posted_despite_an_outdated_list(kernel, service):
    wonda = kernel()
    service.status = "canceled"
    job = wonda.publish.instagram(**POST, scheduled_at=DUE)
    service.told = listed({**ROW, "outputJobId": job.id})
    wonda._async._core.journal.update_status(
        BASE, "publish", job.id, ww.Snapshot(status="canceled", raw={"status": "canceled"})
    ).result()
    wonda.publish.instagram(**POST)
    assert service.posts == 2


def test_journal_decides_without_the_list(kernel, service):
    wonda = kernel()
    job = wonda.publish.instagram(**{**POST, "media_id": "m7"}, scheduled_at=DUE)
    service.told = listed({**BARE, "outputJobId": job.id})
    wonda.publish.instagram(**POST)
    assert service.posts == 2


@pytest.mark.parametrize(
    "told",
    [
        httpx.Response(503),
        httpx.Response(429, json=refusal("slow down", "rate_limited")),
        httpx.Response(200, content=b"<html>"),
        httpx.Response(200, json={"message": "down", "details": []}),
        httpx.Response(200, json={"scheduled": [], "nextCursor": "x"}),
        httpx.ReadTimeout("silent"),
    ],
    ids=str,
)
def test_unreadable_list_requires_confirmation(kernel, service, told):
    service.told = told
    wonda = kernel()
    with pytest.raises(ww.HistoryUnavailableError, match="list of scheduled posts cannot be read"):
        wonda.publish.instagram(**POST)
    assert service.posts == 0
    wonda.publish.instagram(**POST, allow_unchecked=True)
    assert service.posts == 1


@pytest.mark.parametrize("status", [404, 405, 410, 501])
def test_service_without_a_list_has_no_scheduled_posts(kernel, service, status):
    service.told = httpx.Response(status, content=b"<html>no such page</html>")
    wonda = kernel()
    wonda.publish.instagram(**POST)
    other = {**POST, "media_id": "m2"}
    with pytest.raises(ww.HistoryUnavailableError):  # it is to wait, so others may
        wonda.publish.instagram(**other, scheduled_at=DUE)
    assert service.posts == 1


def test_account_without_scheduling_posts_immediately(kernel, service):
    service.told = httpx.Response(403, json=refusal("off", "feature_disabled"))
    kernel().publish.instagram(**POST)
    assert service.posts == 1
