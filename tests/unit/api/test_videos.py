"""Videos in code: what they share with images, and what differs."""

import io

import av
import pytest
from conftest import KEY, sandbox_of

import wonda_widgets as ww
from wonda_widgets.sandbox import catalog
from wonda_widgets.utils import event_loop

ACCOUNT = catalog.INSTAGRAM_ACCOUNT["instagramAccountId"]
CLIP = {"model": "seedance-2", "prompt": "A quiet harbor", "params": {"duration": 5}}

pytestmark = pytest.mark.usefixtures("quick_polls")


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "journal.db"


@pytest.fixture
def wonda(journal):
    with ww.Wonda.sandbox(seconds=0.02, seed=2, journal=journal) as client:
        yield client


def paths(wonda):
    return [path for _, path in wonda.faults.arrived if path.endswith("/generate")]


def test_video_is_generated_and_described(wonda):
    media = wonda.videos.generate(**CLIP).wait().media
    assert (media.mime_type, media.duration, media.fps) == ("video/mp4", 5.0, 24.0)
    assert media.is_video
    assert (media.width, media.height) == (720, 1280)
    assert paths(wonda) == ["/api/v1/video/generate"]


def test_image_media_has_no_duration(wonda):
    media = wonda.images.generate(model="z-image", prompt="A harbor").wait().media
    assert (media.duration, media.fps, media.is_video) == (None, None, False)


def test_models_are_listed_apart(wonda):
    found = wonda.capabilities()
    assert "seedance-2" in {model.key for model in found.video_models}
    assert not {model.key for model in found.video_models} & {m.key for m in found.image_models}
    for generate, model in ((wonda.videos, "z-image"), (wonda.images, "seedance-2")):
        with pytest.raises(ww.BadRequestError, match="Unknown model"):
            generate.generate(model=model, prompt="x")


def test_job_of_an_earlier_kernel_is_a_video(wonda, journal):
    job = wonda.videos.generate(**CLIP)
    job.wait()
    with ww.Wonda.sandbox(journal=journal) as later:
        [found] = later.jobs.recent()
        assert (found.id, found.path) == (job.id, "/video/generate")
        assert "wonda.videos.generate(" in found.code()
    [image] = wonda.history.search("harbor")
    assert "wonda.videos.generate(" in image.code()


def test_lost_response_is_about_a_video(wonda):
    wonda.faults.add("POST", "/video/generate", "drop")
    with pytest.raises(ww.OutcomeUnknownError, match="video generation"):
        wonda.videos.generate(**CLIP)
    [unknown] = wonda.jobs.unfinished()
    assert unknown.path == "/video/generate"


def test_idempotency_key_separates_images_from_videos(wonda):
    first = wonda.videos.generate(**CLIP, once="campaign")
    assert wonda.videos.generate(**CLIP, once="campaign").id == first.id
    with pytest.raises(ww.BadRequestError):  # it is sent, as it is another request
        wonda.images.generate(**CLIP, once="campaign")
    assert len(paths(wonda)) == 2


def test_price_and_budget_depend_on_the_duration(wonda):
    prices = {
        seconds: wonda.pricing.estimate(model="seedance-2", params={"duration": seconds}).usd
        for seconds in (5, 15)
    }
    assert prices == {5: pytest.approx(0.30), 15: pytest.approx(0.90)}
    with pytest.raises(ww.InvalidInputError, match="budget"):
        wonda.videos.generate(**{**CLIP, "params": {"duration": 15}}, budget=0.5)
    wonda.videos.generate(**CLIP, budget=0.5)
    with pytest.raises(ww.InvalidInputError, match="budget"):
        wonda.videos.generate(**CLIP, budget=0.5)


@pytest.mark.parametrize("duration", [4, 0, -5, "5", 5.5, 10**9])
def test_other_durations_are_refused(wonda, duration):
    with pytest.raises(ww.BadRequestError, match="duration"):
        wonda.videos.generate(**{**CLIP, "params": {"duration": duration}})


def test_plan_of_videos_is_not_one_of_images(wonda):
    matrix = wonda.videos.matrix("A {a}", {"a": ["sea", "lake"]}, "seedance-2", {"duration": 5})
    assert matrix.price.usd == pytest.approx(0.60)
    rows = list(matrix)
    assert {row["status"] for row in rows} == {"succeeded"}
    assert paths(wonda) == ["/api/v1/video/generate"] * 2
    wonda.faults.add("POST", "/video/generate", 402)
    stopped = wonda.videos.matrix("A {b}", {"b": ["bay", "cliff"]}, "seedance-2")
    with pytest.raises(ww.PaymentRequiredError):
        list(stopped)
    assert wonda.images.unfinished() == []
    [unfinished] = wonda.videos.unfinished()
    assert unfinished.plan.template == "A {b}"


def test_estimate_counts_only_videos_of_the_same_length(wonda):
    for _ in range(5):
        wonda.videos.generate(**CLIP).wait()
    same = wonda.videos.generate(**CLIP)
    longer = wonda.videos.generate(**{**CLIP, "params": {"duration": 10}})
    assert event_loop.run_blocking(same.duration_stats()).runs >= 5
    assert event_loop.run_blocking(longer.duration_stats()) is None


def test_image_is_animated(wonda):
    start = wonda.images.generate(model="z-image", prompt="A lantern").wait().media
    job = wonda.videos.generate(
        model="kling_3_pro",
        prompt="It sways",
        params={"duration": 3, "aspectRatio": "1:1"},
        attachment_media_ids=[start.media_id],
    )
    data = wonda.media.download(job.wait().media)
    with av.open(io.BytesIO(data)) as clip:
        assert clip.duration == pytest.approx(3_000_000, rel=0.02)
    with pytest.raises(ww.BadRequestError, match="takes images"):
        wonda.videos.generate(**CLIP, attachment_media_ids=[job.media.media_id])


def test_reel_is_posted_once_however_it_is_named(wonda):
    media = wonda.videos.generate(**CLIP).wait().media
    post = {"media_id": media.media_id, "instagram_account_id": ACCOUNT, "caption": "Harbor"}
    wonda.publish.instagram(**post, alt_text="ignored", product="REELS", share_to_feed=True).wait()
    [row] = wonda.publish.history()["publishes"]
    assert row["product"] == "REELS"
    for product in (None, "REELS"):
        with pytest.raises(ww.AlreadyPublishedError):
            wonda.publish.instagram(**post, product=product)


@pytest.mark.parametrize("product", [None, "REELS"])
def test_reel_of_another_computer_is_recognized(served, tmp_path, product):
    _, url = served(seconds=0.02)
    here, elsewhere = (
        ww.Wonda(KEY, base_url=url, journal=tmp_path / f"{number}.db") for number in range(2)
    )
    with here, elsewhere:
        media = elsewhere.videos.generate(**CLIP).wait().media
        post = {"media_id": media.media_id, "instagram_account_id": ACCOUNT, "caption": "Harbor"}
        elsewhere.publish.instagram(**post).wait()
        with pytest.raises(ww.AlreadyPublishedError):
            here.publish.instagram(**post, product=product)


@pytest.mark.parametrize("product", ["IMAGE", "STORIES"])
def test_only_reels_are_also_shown_in_the_feed(wonda, product):
    with pytest.raises(ww.InvalidInputError, match="Only a reel"):
        wonda.publish.instagram(
            media_id="m", instagram_account_id=ACCOUNT, product=product, share_to_feed=True
        )
    assert wonda.publish.history()["publishes"] == []


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x14ftypqt  ", "video/quicktime"),
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm", "video/webm"),
    ],
)
def test_type_of_an_uploaded_video_is_detected(wonda, head, mime):
    assert wonda.media.upload(head + b"\0" * 64).mime_type == mime


def test_uploaded_video_is_used_when_it_is_normalized(wonda, monkeypatch):
    monkeypatch.setattr("wonda_widgets.jobs.core.NORMALIZING_WAITS", (0.05,) * 40)
    media = wonda.media.upload(b"\0\0\0\x20ftypisom" + b"\0" * 64, name="clip.mp4")
    store = sandbox_of(wonda).store
    store.media[media.media_id].ready_at = store.clock() + 0.2
    post = wonda.publish.instagram(media_id=media.media_id, instagram_account_id=ACCOUNT)
    assert post.wait().status == "succeeded"
    refused = [each for each in wonda.faults.arrived if each[1].endswith("/publish/instagram")]
    assert len(refused) > 1
    assert len(wonda.publish.history()["publishes"]) == 1


def test_other_conflicts_are_not_repeated(wonda):
    media = wonda.videos.generate(**CLIP).wait().media
    wonda.faults.add("POST", "/publish/instagram", 409)
    with pytest.raises(ww.ConflictError):
        wonda.publish.instagram(media_id=media.media_id, instagram_account_id=ACCOUNT)
    assert wonda.publish.history()["publishes"] == []
