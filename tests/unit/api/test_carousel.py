"""Carousels: posted once, and never twice by accident."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest
from conftest import BASE, KEY
from posting_service import EARLIER

import wonda_widgets as ww
from wonda_widgets.publishing import outcome_check

THREE = {"media_ids": ["m1", "m2", "m3"], "instagram_account_id": "a1", "caption": "Three"}
PATH = "/publish/instagram/carousel"


class Service:
    """A Wonda that posts carousels, remembers, and loses its answers on demand."""

    def __init__(self) -> None:
        self.posts = []
        self.rows = []
        self.lose = ""
        self.bare = ()
        self.reply = None
        self.waited = []

    async def __call__(self, request):
        path = request.url.path.removeprefix("/api/v1")
        if path == "/instagram/publishes":
            rows = [*self.rows[::-1], EARLIER]
            return httpx.Response(200, json={"publishes": rows, "nextCursor": None})
        if path.startswith("/jobs/"):
            return httpx.Response(200, json={"status": "succeeded"})
        if path == "/publish/scheduled":
            return httpx.Response(200, json={"scheduled": []})
        assert path == PATH
        self.waited.append(request.extensions["timeout"]["read"])
        body = json.loads(request.content)
        if self.lose == "before":
            raise httpx.ReadError("lost")
        self.posts.append(body)
        number = len(self.posts)
        made = {
            "instagramPublishId": f"i{number}",
            "igMediaId": f"1790{number}",
            "permalink": f"https://instagram.example.test/p/{number}",
        }
        row = {
            **made,
            "mediaIds": body["mediaIds"],
            "instagramAccountId": body["instagramAccountId"],
            "caption": body.get("caption"),
            "product": "CAROUSEL",
            "status": "succeeded",
            "createdAt": datetime.now(UTC).isoformat(),
        }
        self.rows.append({name: row[name] for name in row if name not in self.bare})
        if self.lose == "after":
            raise httpx.ReadError("lost")
        answer = {**made, "imageCount": len(body["mediaIds"])}
        return httpx.Response(200, json=answer if self.reply is None else self.reply)


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 0.0)
    return Service()


def test_job_ends_immediately_with_the_permalink(kernel, service):
    wonda = kernel()
    job = wonda.publish.instagram_carousel(**THREE)
    assert job.done
    done = job.wait(timeout=5)
    assert done.permalink == "https://instagram.example.test/p/1"
    assert done.raw["imageCount"] == 3
    assert service.posts == [
        {"mediaIds": ["m1", "m2", "m3"], "instagramAccountId": "a1", "caption": "Three"}
    ]
    assert min(service.waited) >= 120, "the service may take a minute to post all of it"
    assert "wonda.publish.instagram_carousel(" in job.code()
    assert "media_ids=['m1', 'm2', 'm3']" in job.code()


def test_next_kernel_recognizes_the_post(kernel):
    kernel().publish.instagram_carousel(**THREE)
    [job] = kernel().jobs.recent()
    assert (job.kind, job.status) == ("publish", "succeeded")
    assert job.wait(timeout=5).permalink == "https://instagram.example.test/p/1"
    assert kernel().jobs.unfinished() == []


def test_same_images_in_another_order_are_the_same_post(kernel, service):
    wonda, other = kernel(), kernel()
    wonda.publish.instagram_carousel(**THREE)
    again = {**THREE, "media_ids": ["m3", "m1", "m2"]}
    with pytest.raises(
        ww.AlreadyPublishedError, match="These images were already posted"
    ) as caught:
        other.publish.instagram_carousel(**again)
    assert caught.value.permalink == "https://instagram.example.test/p/1"
    assert len(service.posts) == 1
    other.publish.instagram_carousel(**again, allow_repeat=True)
    other.publish.instagram_carousel(**{**THREE, "media_ids": ["m1", "m2"]})
    assert len(service.posts) == 3


def test_carousel_posted_elsewhere_is_found_in_the_history(kernel, service, tmp_path):
    kernel().publish.instagram_carousel(**THREE)
    transport = httpx.MockTransport(service)
    with (
        ww.Wonda(
            KEY, base_url=BASE, journal=tmp_path / "else.db", transport=transport
        ) as elsewhere,
        pytest.raises(ww.AlreadyPublishedError),
    ):
        elsewhere.publish.instagram_carousel(**THREE)
    assert len(service.posts) == 1


@pytest.mark.parametrize("lose", ["before", "after"])
def test_lost_response_is_settled_by_the_history(kernel, service, lose):
    wonda = kernel()
    service.lose = lose
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram_carousel(**THREE)
    service.lose = ""
    finding = wonda.publish.check(caught.value)
    assert finding.posted is (lose == "after")
    if lose == "after":
        assert finding.permalink == "https://instagram.example.test/p/1"
        with pytest.raises(ww.AlreadyPublishedError):
            wonda.publish.instagram_carousel(**THREE)
    else:
        wonda.publish.instagram_carousel(**THREE)
    assert len(service.posts) == 1


@pytest.mark.parametrize("bare", [("mediaIds",), ("mediaIds", "caption")])
def test_history_without_media_ids_settles_nothing(kernel, service, bare):
    wonda = kernel()
    service.lose, service.bare = "after", bare
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram_carousel(**THREE)
    assert wonda.publish.check(caught.value).posted is None
    wonda.publish.settle(caught.value, posted=True)
    service.lose = ""
    with pytest.raises(ww.AlreadyPublishedError):
        wonda.publish.instagram_carousel(**THREE)
    assert len(service.posts) == 1


def test_carousel_row_does_not_match_a_single_image_post(kernel, service):
    from wonda_widgets.publishing.post_history import parse_row
    from wonda_widgets.publishing.post_matching import match_repeat

    kernel().publish.instagram_carousel(**THREE)
    row = parse_row(service.rows[0])
    assert row.media_ids == {"m1", "m2", "m3"}
    alone = {"mediaId": "m1", "instagramAccountId": "a1", "caption": "Three"}
    two = {"mediaIds": ["m1", "m2"], "instagramAccountId": "a1", "caption": "Three"}
    all_three = {**two, "mediaIds": ["m2", "m3", "m1"]}
    found = [match_repeat(row, body).name for body in (alone, two, all_three)]
    assert found == ["DIFFERENT", "DIFFERENT", "MATCH"]


@pytest.mark.usefixtures("quick_polls")
def test_response_with_a_job_is_polled(kernel, service):
    service.reply = {"outputJobId": "p9", "status": "queued"}
    job = kernel().publish.instagram_carousel(**THREE)
    assert job.id == "p9"
    assert job.wait(timeout=5).status == "succeeded"


@pytest.mark.parametrize("reply", [{}, {"imageCount": 3}, [], "done"])
def test_empty_response_leaves_the_outcome_unknown(kernel, service, reply):
    wonda = kernel()
    service.reply = reply
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram_carousel(**THREE)
    assert wonda.publish.check(caught.value).posted is True
    assert len(service.posts) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"media_ids": ["m1"]}, "A carousel has 2 to 10 images; this one has 1 image."),
        ({"media_ids": [f"m{n}" for n in range(11)]}, "this one has 11 images."),
        ({"media_ids": []}, "needs a list of media IDs"),
        ({"media_ids": "m1"}, "needs a list of media IDs"),
        ({"media_ids": ["m1", None]}, "needs a list of media IDs"),
        ({"media_ids": ["m1", "m1"]}, "twice"),
        ({"instagram_account_id": ""}, "No Instagram account"),
        ({"caption": "x" * 2201}, "2,201 characters"),
    ],
)
def test_invalid_input_is_reported_and_nothing_is_sent(kernel, service, change, said):
    with pytest.raises(ww.InvalidInputError, match=said):
        kernel().publish.instagram_carousel(**{**THREE, **change})
    assert service.posts == []


@pytest.mark.usefixtures("quick_polls")
def test_carousel_on_the_sandbox():
    with ww.Wonda.sandbox(seconds=0.05) as wonda:
        jobs = [wonda.images.generate(model="z-image", prompt=f"A {n}") for n in "abc"]
        ids = [job.wait().media.media_id for job in jobs]
        account = wonda.accounts.instagram()[0].instagram_account_id
        post = {"media_ids": ids, "instagram_account_id": account, "caption": "All"}
        done = wonda.publish.instagram_carousel(**post).wait()
        assert done.permalink
        with pytest.raises(ww.AlreadyPublishedError):
            wonda.publish.instagram_carousel(**post)
        wonda.faults.add("POST", "publish/instagram/carousel", "drop", after=True)
        with pytest.raises(ww.OutcomeUnknownError) as caught:
            wonda.publish.instagram_carousel(**{**post, "caption": "Lost"})
        assert wonda.publish.check(caught.value).posted is True


def test_post_in_progress_is_not_reported_as_missing(kernel, service, monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 240.0)
    wonda = kernel()
    service.lose = "before"
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram_carousel(**THREE)
    finding = wonda.publish.check(caught.value)
    assert finding.posted is None
    assert finding.retry_after == outcome_check.RECHECK_SECONDS
    service.lose = ""
    with pytest.raises(ww.OutcomeUnknownError):
        kernel().publish.instagram_carousel(**THREE)
    assert service.posts == []


@pytest.mark.parametrize(
    "reply",
    [
        {"instagramPublishId": "i", "status": "failed", "errorMessage": "no"},
        {"instagramPublishId": "i", "status": "processing"},
        {"instagramPublishId": "i", "error": {"message": "no"}},
        {"instagramPublishId": "i", "success": False},
        {"instagramPublishId": "i", "published": False},
        {"igMediaId": "x", "ok": False, "message": "2 of 3 slides failed"},
        {"instagramPublishId": "i", "errors": ["container expired"]},
    ],
)
def test_response_without_completion_is_not_reported_as_posted(kernel, service, reply):
    service.reply = reply
    with pytest.raises(ww.OutcomeUnknownError):
        kernel().publish.instagram_carousel(**THREE)


def row_of(**facts):
    from wonda_widgets.publishing.post_history import parse_row

    row = {"instagramAccountId": "a1", "caption": "Three", "createdAt": "2026-11-25T12:00:05Z"}
    return parse_row({**row, **facts})


@pytest.mark.parametrize(
    ("facts", "wanted", "like"),
    [
        ({"product": "IMAGE", "mediaId": "m1"}, ["m1", "m2"], "AMBIGUOUS"),
        ({"product": "FEED"}, ["m1", "m2"], "AMBIGUOUS"),
        (
            {"product": "CAROUSEL", "mediaIds": ["c1", "c2"], "caption": None},
            ["m1", "m2"],
            "AMBIGUOUS",
        ),
        ({"product": "CAROUSEL_ALBUM", "mediaIds": ["m1", "m2"]}, ["m2", "m1"], "MATCH"),
        ({"mediaIds": ["m1", "m2"]}, ["m1"], "AMBIGUOUS"),
        ({"product": "STORIES", "mediaIds": ["x"]}, ["m1", "m2"], "DIFFERENT"),
        (
            {"product": "CAROUSEL", "mediaIds": ["x", "y"], "caption": "Else"},
            ["m1", "m2"],
            "DIFFERENT",
        ),
    ],
)
def test_matching_history_rows_with_posts(facts, wanted, like):
    from wonda_widgets.publishing.post_matching import match_request

    body = {"instagramAccountId": "a1", "caption": "Three"}
    body |= {"mediaIds": wanted} if len(wanted) > 1 else {"mediaId": wanted[0]}
    asked = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    assert match_request(row_of(**facts), body, asked).name == like


@pytest.mark.usefixtures("quick_polls")
def test_same_edits_by_another_kernel_are_the_same_carousel(served, tmp_path, monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 60.0)
    sandbox, base_url = served(seconds=0.05)
    edit = {"operations": [{"type": "encode", "format": "JPEG"}]}

    def edited(wonda, media_ids):
        return [
            wonda.media.upload(b"\xff\xd8\xff same", edit={"of": each, **edit}).media_id
            for each in media_ids
        ]

    with (
        ww.Wonda.served_sandbox(base_url, journal=tmp_path / "j.db") as one,
        ww.Wonda.served_sandbox(base_url, journal=tmp_path / "j.db") as other,
    ):
        jobs = [one.images.generate(model="z-image", prompt=f"A {n}") for n in "ab"]
        originals = [job.wait().media.media_id for job in jobs]
        account = one.accounts.instagram()[0].instagram_account_id
        one.publish.instagram_carousel(
            media_ids=edited(one, originals), instagram_account_id=account
        )
        again = edited(other, originals[::-1])
        with pytest.raises(ww.AlreadyPublishedError):
            other.publish.instagram_carousel(media_ids=again, instagram_account_id=account)
    assert len(sandbox.store.carousels) == 1
