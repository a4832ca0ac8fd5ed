"""The sandbox validates requests as strictly as the service; tested with plain httpx."""

import asyncio
import io
from datetime import UTC, datetime, timedelta

import av
import httpx
import pytest
from conftest import KEY
from PIL import Image, ImageChops, ImageStat

import wonda_widgets as ww
from wonda_widgets.sandbox import catalog
from wonda_widgets.sandbox.app import Sandbox

ACCOUNT = catalog.INSTAGRAM_ACCOUNT["instagramAccountId"]


class Service:
    """A sandbox with a clock of its own, asked within the process."""

    def __init__(self, **options):
        self.now = 0.0
        options = {"seconds": 10.0, "seed": 1, "storage_origin": "http://store.invalid", **options}
        self.sandbox = Sandbox(clock=lambda: self.now, **options)

    def ask(self, method, path, *, key=KEY, app=None, base="http://api.invalid/api/v1", **more):
        async def send():
            transport = httpx.ASGITransport(app=app or self.sandbox.api)
            async with httpx.AsyncClient(transport=transport) as client:
                headers = {"Authorization": f"Bearer {key}"} if key else {}
                headers |= more.pop("headers", {})
                return await client.request(method, base + path, headers=headers, **more)

        return asyncio.run(send())

    def generate(self, prompt="A harbour", model="nano-banana-2", **more):
        return self.ask("POST", "/image/generate", json={"model": model, "prompt": prompt, **more})

    def job(self, job_id, kind="inference"):
        return self.ask("GET", f"/jobs/{kind}/{job_id}").json()

    def media(self):
        job_id = self.generate().json()["inferenceJobId"]
        self.now += 100
        return self.job(job_id)["outputs"][0]["media"]

    def publish(self, **body):
        return self.ask("POST", "/publish/instagram", json={"instagramAccountId": ACCOUNT, **body})


@pytest.fixture
def service():
    return Service()


def test_requests_of_the_vendors_own_client_are_served(service):
    """What `generate_video`, `get_inference_job` and `publish_instagram` send."""
    asked = {
        "model": "seedance-2",
        "prompt": "Waves at night",
        "params": {"duration": 10, "aspectRatio": "9:16", "quality": "basic"},
        "attachmentMediaIds": [service.media()["mediaId"]],
    }
    job_id = service.ask("POST", "/video/generate", json=asked).json()["inferenceJobId"]
    assert service.job(job_id)["status"] == "idle"
    service.now += 15
    assert service.job(job_id)["status"] == "in_progress", "a video takes longer than an image"
    service.now += 100
    job = service.job(job_id)
    assert (job["type"], job["model"], job["params"]) == ("video", "seedance-2", asked["params"])
    [output] = job["outputs"]
    media = output["media"]
    assert output["outputKey"] == "video"
    assert (media["mimeType"], media["durationMs"], media["fps"]) == ("video/mp4", 10_000, 24.0)
    reply = service.publish(
        mediaId=media["mediaId"], caption="Night", product="REELS", shareToFeed=True
    ).json()
    assert reply["status"] == "queued"
    service.now += 100
    assert service.job(reply["outputJobId"], "publish")["status"] == "succeeded"
    [row] = service.ask("GET", "/instagram/publishes").json()["publishes"]
    assert row["product"] == "REELS"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"params": {"duration": 7}}, "not allowed; allowed: 5, 10, 15"),
        ({"params": {"duration": "5"}}, "not allowed"),
        ({"params": {"fps": 24}}, "Unknown parameter"),
        ({"model": "z-image"}, "Unknown model"),
        ({"model": "kling_3_pro", "prompt": "x" * 2_501}, "at most 2500 characters"),
        ({"model": "kling_3_pro", "params": {"duration": 2}}, "not allowed"),
        ({"prompt": ""}, "required"),
    ],
)
def test_invalid_videos_are_refused(service, body, said):
    asked = {"model": "seedance-2", "prompt": "Waves", **body}
    reply = service.ask("POST", "/video/generate", json=asked)
    refused(reply, 400, "validation_error")
    assert said in reply.json()["error"]["message"]


def test_missing_renderer_of_videos_is_named():
    images_only = Service(models=catalog.MODELS)
    reply = images_only.ask("POST", "/video/generate", json={"model": "seedance-2", "prompt": "x"})
    refused(reply, 400, "validation_error")
    assert "pip install 'wonda-widgets[video]'" in reply.json()["error"]["message"]
    assert images_only.ask("GET", "/capabilities").json()["generation"]["video"] == []


def clip(service, **params):
    asked = {"model": "kling_3_pro", "prompt": "Waves", "params": {"duration": 3, **params}}
    job_id = service.ask("POST", "/video/generate", json=asked).json()["inferenceJobId"]
    service.now += 100
    return service.job(job_id)["outputs"][0]["media"]


def load(service, media, **headers):
    path = "/" + media["url"].rpartition("/")[2]
    return service.ask(
        "GET", path, key="", app=service.sandbox.storage, base="http://store.invalid", **headers
    )


@pytest.mark.parametrize(("ratio", "size"), [("9:16", (720, 1280)), ("1:1", (720, 720))])
def test_clip_is_playable_and_reproducible(service, ratio, size):
    media = clip(service, aspectRatio=ratio)
    data = load(service, media).content
    assert (media["width"], media["height"]) == size
    assert len(data) < 1_000_000
    assert data.index(b"moov") < data.index(b"mdat"), "a player needs the index first"
    with av.open(io.BytesIO(data)) as container:
        [stream] = container.streams.video
        assert container.duration == pytest.approx(3_000_000, rel=0.01)
        assert (stream.width, stream.height, stream.average_rate) == (*size, 24)
        assert stream.codec_context.name == "h264"
        first, *_, last = container.decode(stream)
    assert difference(first, last) > 1, "the camera moves"
    other = Service()
    assert load(other, clip(other, aspectRatio=ratio)).content == data


def difference(first, last):
    """The mean difference of two frames, 0 to 255."""
    images = [frame.to_image().convert("L") for frame in (first, last)]
    return ImageStat.Stat(ImageChops.difference(*images)).mean[0]


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-7", slice(-7, None)),
        ("bytes=5-99999999", slice(5, None)),
    ],
)
def test_part_of_a_clip_is_served(service, wanted, part):
    media = clip(service)
    whole = load(service, media).content
    reply = load(service, media, headers={"Range": wanted})
    assert (reply.status_code, reply.content) == (206, whole[part])
    start = part.indices(len(whole))[0]
    expected = f"bytes {start}-{start + len(reply.content) - 1}/{len(whole)}"
    assert reply.headers["content-range"] == expected
    changed = load(service, media, headers={"Range": wanted, "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, whole)


@pytest.mark.parametrize("wanted", ["bytes=99999999-", "bytes=9-5"])
def test_part_outside_a_clip_is_refused(service, wanted):
    assert load(service, clip(service), headers={"Range": wanted}).status_code == 416


def test_products_fit_their_media(service):
    image, video = service.media(), clip(service)
    refused(service.publish(mediaId=video["mediaId"], product="IMAGE"), 400, "validation_error")
    refused(service.publish(mediaId=image["mediaId"], product="REELS"), 400, "validation_error")
    both = {"mediaIds": [image["mediaId"], video["mediaId"]], "instagramAccountId": ACCOUNT}
    refused(service.ask("POST", "/publish/instagram/carousel", json=both), 400, "validation_error")
    for product in (None, "REELS", "STORIES"):
        assert service.publish(mediaId=video["mediaId"], product=product).status_code == 200


def test_uploaded_video_is_normalized_first(service):
    files = {"file": ("a.mp4", b"\0\0\0\x20ftypisom", "video/mp4")}
    media_id = service.ask("POST", "/media/upload", files=files).json()["mediaId"]
    refused(service.publish(mediaId=media_id), 409, "conflict")
    service.now += 3
    assert service.publish(mediaId=media_id).status_code == 200


def refused(reply, status, code):
    error = reply.json()["error"]
    assert (reply.status_code, error["code"]) == (status, code)
    assert set(error) == {"message", "code"}
    assert error["message"]
    return True


def test_job_statuses_follow_the_clock(service):
    job_id = service.generate().json()["inferenceJobId"]
    seen = []
    for _ in range(300):
        status = service.job(job_id)["status"]
        if status not in seen:
            seen.append(status)
        service.now += 0.1
    assert seen == ["idle", "locked", "in_progress", "succeeded"]
    done = service.job(job_id)
    assert done["outputs"][0]["media"]["mimeType"] == "image/png"
    assert done["errorMessage"] is None
    assert done["finishedAt"]


def test_publish_job_statuses_follow_the_clock(service):
    media = service.media()
    reply = service.publish(mediaId=media["mediaId"]).json()
    assert reply["status"] == "queued"
    seen = []
    for _ in range(200):
        status = service.job(reply["outputJobId"], "publish")["status"]
        if status not in seen:
            seen.append(status)
        service.now += 0.1
    assert seen == ["queued", "in_progress", "succeeded"]


def test_durations_vary_within_the_configured_range():
    service = Service(seconds=6.0)
    durations = set()
    for _ in range(30):
        service.generate()
    durations = {job.duration for job in service.sandbox.store.jobs.values()}
    assert len(durations) == 30
    assert 6 <= min(durations) < max(durations) <= 12


def test_image_matches_the_request_and_a_repetition_is_another_take(service):
    params = {"aspectRatio": "4:5", "resolution": "1K"}
    images = []
    for _ in range(2):
        job_id = service.generate(params=params).json()["inferenceJobId"]
        service.now += 100
        media = service.job(job_id)["outputs"][0]["media"]
        reply = service.ask("GET", "", key=None, app=service.sandbox.storage, base=media["url"])
        assert reply.headers["content-type"] == "image/png"
        with Image.open(io.BytesIO(reply.content)) as image:
            assert image.format == "PNG"
            assert image.size == (media["width"], media["height"])
            assert image.width * 5 == image.height * 4
        images.append(reply.content)
    assert images[0] != images[1]


def test_storage_rejects_a_key(service):
    url = service.media()["url"]
    assert service.ask("GET", "", app=service.sandbox.storage, base=url).status_code == 400


@pytest.mark.parametrize(
    ("prompt", "status", "message"),
    [
        ("sandbox: fail", "failed", "The provider rejected the input"),
        ("Sandbox:cancel", "canceled", None),
        ("sandbox: no media", "succeeded", None),
        ("sandbox: slow", "in_progress", None),
    ],
)
def test_simulated_faults(service, prompt, status, message):
    job_id = service.generate(prompt).json()["inferenceJobId"]
    service.now += 40
    job = service.job(job_id)
    assert (job["status"], job["errorMessage"]) == (status, message)
    assert not [output for output in job["outputs"] if output["media"]]


def test_wrong_keys_are_rejected(service):
    strict = Service(key=KEY)
    for key in (None, "sk_short", "sk_" + "g" * 64):
        assert refused(service.ask("GET", "/capabilities", key=key), 401, "unauthorized")
    other = "sk_" + "0" * 64
    assert service.ask("GET", "/capabilities", key=other).status_code == 200
    assert refused(strict.ask("GET", "/capabilities", key=other), 401, "unauthorized")
    assert strict.ask("GET", "/capabilities").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"model": "no-such"},
        {"model": ""},
        {"model": 5},
        {"prompt": ""},
        {"prompt": 5},
        {"surprise": 1},
        {"params": {"aspectRatio": "5:4"}},
        {"params": {"resolution": "8K"}},
        {"params": {"steps": 5}},
        {"params": []},
        {"params": {"styleId": "no uuid"}},
        {"attachmentMediaIds": "id"},
        {"model": "z-image", "attachmentMediaIds": ["x"]},
    ],
    ids=str,
)
def test_invalid_requests_are_rejected(service, body):
    reply = service.ask(
        "POST", "/image/generate", json={"model": "nano-banana-2", "prompt": "x", **body}
    )
    assert refused(reply, 400, "validation_error")
    assert service.sandbox.store.credits == 10_000


def test_unknown_media_paths_and_jobs_return_404(service):
    for method, path in (
        ("GET", "/nowhere"),
        ("GET", "/jobs/inference/none"),
        ("GET", "/jobs/publish/none"),
        ("GET", "/media/none"),
        ("GET", "/image/generate"),
        ("DELETE", "/publish/scheduled/none"),
    ):
        assert refused(service.ask(method, path), 404, "not_found")
    assert refused(service.publish(mediaId="none"), 404, "not_found")
    assert refused(service.generate(attachmentMediaIds=["none"]), 404, "not_found")


def test_wrong_content_type_is_rejected(service):
    reply = service.ask(
        "POST", "/image/generate", content=b"{}", headers={"Content-Type": "text/plain"}
    )
    assert refused(reply, 400, "bad_request")
    reply = service.ask(
        "POST", "/image/generate", content=b"{", headers={"Content-Type": "application/json"}
    )
    assert refused(reply, 400, "bad_request")
    assert refused(service.ask("POST", "/media/upload", json={}), 400, "bad_request")


def test_publish_requests_are_validated(service):
    media_id = service.media()["mediaId"]
    assert refused(service.publish(mediaId=media_id, caption="x" * 2201), 400, "validation_error")
    assert refused(service.publish(mediaId=media_id, altText="x" * 1001), 400, "validation_error")
    assert refused(service.publish(mediaId=media_id, product="POSTER"), 400, "validation_error")
    assert refused(service.publish(mediaId=media_id, product="REELS"), 400, "validation_error")
    assert refused(service.publish(mediaId=media_id, mood="good"), 400, "validation_error")
    body = {"mediaId": media_id, "instagramAccountId": "00000000-0000-4000-8000-000000000009"}
    assert refused(service.ask("POST", "/publish/instagram", json=body), 403, "forbidden")
    assert not service.sandbox.store.publishes


def test_credits_decrease_and_without_credits_requests_are_rejected():
    service = Service(credits=100)
    assert service.generate(params={"resolution": "2K"}).status_code == 200
    assert service.ask("GET", "/balance").json()["credits"] == 20
    reply = service.generate(params={"resolution": "2K"})
    assert refused(reply, 402, "insufficient_credits")
    assert "needs 80, the account has 20" in reply.json()["error"]["message"]


def test_charge_equals_the_estimate(service):
    image = service.media()["mediaId"]
    for model, about in catalog.MODELS.items():
        before = service.ask("GET", "/balance").json()["credits"]
        body = {"model": model, "params": {}}
        estimate = service.ask("POST", "/pricing/estimate", json=body).json()
        service.generate(model=model, attachmentMediaIds=[image] * about.min_attachments)
        after = service.ask("GET", "/balance").json()["credits"]
        assert before - after == estimate["estimatedCredits"]
        assert estimate["estimatedCostUsd"].startswith("$0.")


def test_single_and_multiple_uploads(service):
    def png():
        buffer = io.BytesIO()
        Image.new("RGB", (8, 6)).save(buffer, "PNG")
        return buffer.getvalue()

    one = service.ask("POST", "/media/upload", files={"file": ("a.png", png(), "image/png")}).json()
    assert one["mediaId"] == one["uploads"]["file"]["mediaId"]
    files = {"a": ("a.png", png(), "image/png"), "b": ("b.txt", b"x", "text/plain")}
    several = service.ask("POST", "/media/upload", files=files).json()
    assert "mediaId" not in several
    assert several["errors"] == {"b": "Unsupported MIME type"}
    listed = service.ask("GET", "/media?kind=image&source=user_upload").json()["media"]
    assert [item["width"] for item in listed] == [8, 8]
    assert service.ask("GET", f"/media/{one['mediaId']}").json()["height"] == 6


def test_carousel_is_posted_immediately(service):
    ids = [service.media()["mediaId"] for _ in range(2)]
    body = {"mediaIds": ids, "instagramAccountId": ACCOUNT}
    reply = service.ask("POST", "/publish/instagram/carousel", json=body).json()
    assert reply["imageCount"] == 2
    short = {**body, "mediaIds": ids[:1]}
    assert refused(
        service.ask("POST", "/publish/instagram/carousel", json=short), 400, "validation_error"
    )
    rows = service.ask("GET", "/instagram/publishes?product=CAROUSEL").json()["publishes"]
    assert len(rows) == 1


def test_scheduled_post_waits_and_can_be_canceled(service):
    media_id = service.media()["mediaId"]
    at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    reply = service.publish(mediaId=media_id, scheduledAt=at).json()
    assert reply["status"] == "scheduled"
    assert service.job(reply["outputJobId"], "publish")["status"] == "scheduled"
    listed = service.ask("GET", "/publish/scheduled").json()["scheduled"]
    assert [row["outputJobId"] for row in listed] == [reply["outputJobId"]]
    path = f"/publish/scheduled/{reply['outputJobId']}"
    assert service.ask("DELETE", path).json()["status"] == "canceled"
    assert refused(service.ask("DELETE", path), 409, "conflict")
    assert service.job(reply["outputJobId"], "publish")["status"] == "canceled"
    for wrong in ("soon", datetime.now(UTC).isoformat(), "2026-12-01T10:00:00"):
        assert refused(
            service.publish(mediaId=media_id, scheduledAt=wrong), 400, "validation_error"
        )


def test_publish_history_is_paginated(service):
    media_id = service.media()["mediaId"]
    for number in range(5):
        service.publish(mediaId=media_id, caption=str(number))
    service.now += 100
    first = service.ask("GET", "/instagram/publishes?limit=3").json()
    cursor = first["nextCursor"]
    query = {
        "limit": 3,
        "cursorCreatedAt": cursor["createdAt"],
        "cursorInstagramPublishId": cursor["instagramPublishId"],
    }
    second = service.ask("GET", "/instagram/publishes", params=query).json()
    rows = first["publishes"] + second["publishes"]
    assert sorted(row["caption"] for row in rows) == ["0", "1", "2", "3", "4"]
    assert second["nextCursor"] is None
    assert all(row["status"] == "succeeded" and row["permalink"] for row in rows)
    assert refused(service.ask("GET", "/instagram/publishes?limit=x"), 400, "validation_error")


def test_account_and_capabilities_responses(service):
    assert service.ask("GET", "/auth/whoami").json()["plan"] == "SANDBOX"
    accounts = service.ask("GET", "/instagram/accounts").json()["accounts"]
    assert accounts[0]["instagramAccountId"] == "550e8400-e29b-41d4-a716-446655440000"
    offered = service.ask("GET", "/capabilities").json()["generation"]
    models = [*offered["image"], *offered["video"]]
    assert models[0]["params"]["properties"]["aspectRatio"]["default"] == "9:16"
    assert len(service.ask("GET", "/pricing").json()["models"]) == len(models)


def test_simulated_download_faults_are_not_api_requests():
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        media = wonda.images.generate(model="z-image", prompt="A harbour").wait().media
        arrived = list(wonda.faults.arrived)
        wonda.faults.add("GET", "storage/", "cut")
        assert wonda.media.open(media).size == (media.width, media.height)
        wonda.faults.add("GET", "storage/", "cut", times=3)
        with pytest.raises(ww.ServiceUnreachableError):
            wonda.media.open(media)
        assert wonda.faults.arrived == arrived
