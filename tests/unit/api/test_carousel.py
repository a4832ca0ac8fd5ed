"""Carousel posts: each is sent once; an accidental repeat is refused."""

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
    """Simulate a service that records carousel posts and drops responses on demand."""

    def __init__(self) -> None:
        self.posts = []
        self.rows = []
        self.drop = ""  # "before" or "after" the post is recorded
        self.omitted_fields = ()  # of the rows in the history
        self.response = None  # instead of the one that confirms the post
        self.read_timeouts = []

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
        self.read_timeouts.append(request.extensions["timeout"]["read"])
        body = json.loads(request.content)
        if self.drop == "before":
            raise httpx.ReadError("lost")
        self.posts.append(body)
        number = len(self.posts)
        published = {
            "instagramPublishId": f"i{number}",
            "igMediaId": f"1790{number}",
            "permalink": f"https://instagram.example.test/p/{number}",
        }
        row = {
            **published,
            "mediaIds": body["mediaIds"],
            "instagramAccountId": body["instagramAccountId"],
            "caption": body.get("caption"),
            "product": "CAROUSEL",
            "status": "succeeded",
            "createdAt": datetime.now(UTC).isoformat(),
        }
        self.rows.append({name: row[name] for name in row if name not in self.omitted_fields})
        if self.drop == "after":
            raise httpx.ReadError("lost")
        confirmation = {**published, "imageCount": len(body["mediaIds"])}
        return httpx.Response(200, json=confirmation if self.response is None else self.response)


@pytest.fixture
def service(monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 0.0)
    return Service()


def test_carousel_job_finishes_at_once_with_the_permalink(kernel, service):
    wonda = kernel()
    job = wonda.publish.instagram_carousel(**THREE)
    assert job.done
    done = job.wait(timeout=5)
    assert done.permalink == "https://instagram.example.test/p/1"
    assert done.raw["imageCount"] == 3
    assert service.posts == [
        {"mediaIds": ["m1", "m2", "m3"], "instagramAccountId": "a1", "caption": "Three"}
    ]
    assert min(service.read_timeouts) >= 120, "the service may take a minute to post all images"
    assert "wonda.publish.instagram_carousel(" in job.code()
    assert "media_ids=['m1', 'm2', 'm3']" in job.code()


def test_carousel_is_listed_as_succeeded_in_another_kernel(kernel):
    kernel().publish.instagram_carousel(**THREE)
    [job] = kernel().jobs.recent()
    assert (job.kind, job.status) == ("publish", "succeeded")
    assert job.wait(timeout=5).permalink == "https://instagram.example.test/p/1"
    assert kernel().jobs.unfinished() == []


def test_reordered_images_count_as_the_same_carousel(kernel, service):
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


def test_carousel_posted_elsewhere_is_refused_because_of_the_history(kernel, service, tmp_path):
    kernel().publish.instagram_carousel(**THREE)
    transport = httpx.MockTransport(service)
    with (
        ww.Wonda(
            KEY, base_url=BASE, journal=tmp_path / "elsewhere.db", transport=transport
        ) as elsewhere,
        pytest.raises(ww.AlreadyPublishedError),
    ):
        elsewhere.publish.instagram_carousel(**THREE)
    assert len(service.posts) == 1


@pytest.mark.parametrize("drop", ["before", "after"])
def test_history_settles_a_carousel_whose_response_was_lost(kernel, service, drop):
    wonda = kernel()
    service.drop = drop
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram_carousel(**THREE)
    service.drop = ""
    finding = wonda.publish.check(caught.value)
    assert finding.posted is (drop == "after")
    if drop == "after":
        assert finding.permalink == "https://instagram.example.test/p/1"
        with pytest.raises(ww.AlreadyPublishedError):
            wonda.publish.instagram_carousel(**THREE)
    else:
        wonda.publish.instagram_carousel(**THREE)
    assert len(service.posts) == 1


@pytest.mark.parametrize("omitted_fields", [("mediaIds",), ("mediaIds", "caption")])
def test_history_without_media_ids_leaves_the_outcome_unknown(kernel, service, omitted_fields):
    wonda = kernel()
    service.drop, service.omitted_fields = "after", omitted_fields
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram_carousel(**THREE)
    assert wonda.publish.check(caught.value).posted is None
    wonda.publish.settle(caught.value, posted=True)
    service.drop = ""
    with pytest.raises(ww.AlreadyPublishedError):
        wonda.publish.instagram_carousel(**THREE)
    assert len(service.posts) == 1


def test_carousel_row_does_not_match_a_single_image_post(kernel, service):
    from wonda_widgets.publishing.post_history import parse_row
    from wonda_widgets.publishing.post_matching import match_repeat

    kernel().publish.instagram_carousel(**THREE)
    row = parse_row(service.rows[0])
    assert row.media_ids == {"m1", "m2", "m3"}
    single = {"mediaId": "m1", "instagramAccountId": "a1", "caption": "Three"}
    two = {"mediaIds": ["m1", "m2"], "instagramAccountId": "a1", "caption": "Three"}
    all_three = {**two, "mediaIds": ["m2", "m3", "m1"]}
    matches = [match_repeat(row, body).name for body in (single, two, all_three)]
    assert matches == ["DIFFERENT", "DIFFERENT", "MATCH"]


@pytest.mark.usefixtures("quick_polls")
def test_carousel_response_with_a_job_id_is_polled(kernel, service):
    service.response = {"outputJobId": "p9", "status": "queued"}
    job = kernel().publish.instagram_carousel(**THREE)
    assert job.id == "p9"
    assert job.wait(timeout=5).status == "succeeded"


@pytest.mark.parametrize("response", [{}, {"imageCount": 3}, [], "done"])
def test_response_without_post_ids_leaves_the_outcome_unknown(kernel, service, response):
    wonda = kernel()
    service.response = response
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram_carousel(**THREE)
    assert wonda.publish.check(caught.value).posted is True
    assert len(service.posts) == 1


@pytest.mark.parametrize(
    ("change", "message"),
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
def test_invalid_carousel_input_raises_and_sends_nothing(kernel, service, change, message):
    with pytest.raises(ww.InvalidInputError, match=message):
        kernel().publish.instagram_carousel(**{**THREE, **change})
    assert service.posts == []


@pytest.mark.usefixtures("quick_polls")
def test_sandbox_publishes_carousels_and_detects_repeats():
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


def test_outcome_stays_unknown_while_the_post_may_be_in_progress(kernel, service, monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 240.0)
    wonda = kernel()
    service.drop = "before"
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram_carousel(**THREE)
    finding = wonda.publish.check(caught.value)
    assert finding.posted is None
    assert finding.retry_after == outcome_check.RECHECK_SECONDS
    service.drop = ""
    with pytest.raises(ww.OutcomeUnknownError):
        kernel().publish.instagram_carousel(**THREE)
    assert service.posts == []


@pytest.mark.parametrize(
    "response",
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
def test_response_with_a_failure_or_progress_leaves_the_outcome_unknown(kernel, service, response):
    service.response = response
    with pytest.raises(ww.OutcomeUnknownError):
        kernel().publish.instagram_carousel(**THREE)


def row_of(**fields):
    from wonda_widgets.publishing.post_history import parse_row

    row = {"instagramAccountId": "a1", "caption": "Three", "createdAt": "2026-11-25T12:00:05Z"}
    return parse_row({**row, **fields})


@pytest.mark.parametrize(
    ("fields", "media_ids", "match"),
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
            {"product": "CAROUSEL", "mediaIds": ["x", "y"], "caption": "Another"},
            ["m1", "m2"],
            "DIFFERENT",
        ),
    ],
)
def test_history_row_is_matched_with_a_request(fields, media_ids, match):
    from wonda_widgets.publishing.post_matching import match_request

    body = {"instagramAccountId": "a1", "caption": "Three"}
    body |= {"mediaIds": media_ids} if len(media_ids) > 1 else {"mediaId": media_ids[0]}
    requested_at = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    assert match_request(row_of(**fields), body, requested_at).name == match


@pytest.mark.usefixtures("quick_polls")
def test_same_edits_in_another_kernel_count_as_the_same_carousel(served, tmp_path, monkeypatch):
    monkeypatch.setattr(outcome_check, "grace_seconds", lambda _record: 60.0)
    sandbox, base_url = served(seconds=0.05)
    edit = {"operations": [{"type": "encode", "format": "JPEG"}]}

    def upload_edited(wonda, media_ids):
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
            media_ids=upload_edited(one, originals), instagram_account_id=account
        )
        again = upload_edited(other, originals[::-1])
        with pytest.raises(ww.AlreadyPublishedError):
            other.publish.instagram_carousel(media_ids=again, instagram_account_id=account)
    assert len(sandbox.store.carousels) == 1
