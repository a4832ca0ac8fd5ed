"""Carousels and scheduled posts: what the panels send and refuse."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from conftest import sandbox_of, send

import wonda_widgets as ww
from wonda_widgets.publishing import preflight
from wonda_widgets.publishing.preflight import ImageInfo
from wonda_widgets.utils import event_loop


@pytest.fixture
def wonda(quick_polls):  # noqa: ARG001 - it changes the pace
    with ww.Wonda.sandbox(seconds=0.05, seed=4) as client:
        yield client


@pytest.fixture
def images(wonda):
    matrix = wonda.images.matrix(
        "A {a}", {"a": ["sunset", "storm"]}, "nano-banana-2", {"aspectRatio": ["4:5", "16:9"]}
    )
    matrix.wait()
    return matrix.images


def ready(settled, panel):
    settled(lambda: panel.accounts_state == "ready")
    return panel


def test_carousel_is_ordered_fitted_and_posted_once(wonda, images, opened, settled):
    form = ready(settled, opened(ww.CarouselForm(images, wonda=wonda, caption="Four")))
    settled(lambda: len(form.check_results) and all(slide["facts"] for slide in form.slides))
    keys = [slide["key"] for slide in form.slides]
    assert form.media_id.split() == keys == [image.media.media_id for image in images]
    assert [slide["facts"] for slide in form.slides] == ["4:5 · PNG", "16:9 · PNG"] * 2
    assert all(form.thumbs[key] for key in keys)
    assert [point["level"] for point in form.check_results] == ["advice", "advice", "fine"]

    send(form, "move", key=keys[3], to=0)
    send(form, "remove", key=keys[1])
    settled(lambda: form.media_id.split() == [keys[3], keys[0], keys[2]])
    send(form, "fit", media_id=form.media_id)
    settled(lambda: not form.can_fit and not form.fixing)
    assert [slide["facts"] for slide in form.slides] == ["16:9 · JPEG"] * 3
    assert [slide["key"] for slide in form.slides] == [keys[3], keys[0], keys[2]]
    fitted = form.media_id
    assert not set(fitted.split()) & set(keys)

    send(form, "publish", media_id=fitted)
    settled(lambda: form.step == "confirming")
    assert form.summary["media_ids"] == fitted.split()
    for _ in range(3):
        send(form, "confirm", media_id=fitted)
    settled(lambda: form.posted)
    assert form.job_phase == "none", "there was nothing to follow"
    send(form, "publish", media_id=fitted)
    settled(lambda: form.step == "repeating")
    assert form.refusal["text"].startswith("These images were already posted")
    send(form, "edit")
    send(form, "original")
    settled(lambda: form.media_id.split() == [keys[3], keys[0], keys[2]])


def test_repeated_post_is_asked_about_before_the_summary(wonda, images, opened, settled):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda, caption="Once")))
    settled(lambda: form.media_id)
    sent = {"media_id": form.media_id}

    def posts():
        return len(wonda.publish.history()["publishes"])

    send(form, "publish", **sent)
    settled(lambda: form.step == "confirming")
    send(form, "confirm", **sent)
    settled(lambda: form.posted)
    send(form, "publish", **sent)
    settled(lambda: form.step == "repeating")
    assert form.refusal["text"].startswith("This image was already posted")
    send(form, "confirm", **sent)  # the summary is not shown
    send(form, "repeat", **sent)
    settled(lambda: form.step == "confirming")
    assert posts() == 1
    form.posted = {}
    send(form, "confirm", **sent)
    settled(lambda: form.posted)
    assert posts() == 2


def test_check_of_one_post_does_not_decide_about_another(wonda, images, opened, settled):
    """A check that was canceled must not ask about, or allow, the post that follows."""
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    settled(lambda: form.media_id)
    sent = {"media_id": form.media_id}
    account = form.account or form.accounts[0]["id"]
    for caption in ("A", "B"):
        wonda.publish.instagram(caption=caption, instagram_account_id=account, **sent).wait()
    checks = []
    original = form._require_new

    async def slow(summary):
        checks.append(summary)
        while len(checks) == 1:  # the first check ends after the second has begun
            await asyncio.sleep(0.01)
        await original(summary)

    form._require_new = slow
    send(form, "publish", caption="A", **sent)
    settled(lambda: checks)
    form.step = "editing"
    send(form, "publish", caption="new", **sent)
    settled(lambda: form.step == "confirming")
    assert (form.refusal, form._allowed) == ({}, {})


def test_consent_to_a_repetition_does_not_cover_a_later_post(wonda, images, opened, settled):
    forms = [
        ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda, caption="Once")))
        for _ in range(2)
    ]
    sent = {"media_id": images[0].media.media_id}
    settled(lambda: all(form.media_id for form in forms))
    account = forms[0].account
    wonda.publish.instagram(caption="Once", instagram_account_id=account, **sent).wait()
    for form in forms:
        send(form, "publish", **sent)
        settled(lambda form=form: form.step == "repeating")
        send(form, "repeat", **sent)
        settled(lambda form=form: form.step == "confirming")
    first, second = forms
    send(first, "confirm", **sent)
    settled(lambda: first.posted)
    send(second, "confirm", **sent)
    settled(lambda: second.step == "repeating")
    assert len(wonda.publish.history()["publishes"]) == 2
    send(second, "repeat", **sent)  # now it is about the newer post
    settled(lambda: second.posted)
    assert len(wonda.publish.history()["publishes"]) == 3


@pytest.fixture
def clip(wonda):
    params = {"duration": 3, "aspectRatio": "9:16"}
    return wonda.videos.generate(model="kling_3_pro", prompt="A sail", params=params).wait().media


def posts_of(wonda):
    return [job.body for job in sandbox_of(wonda).store.publishes.values()]


@pytest.mark.parametrize("shared", [True, False])
def test_video_is_posted_as_a_reel(wonda, clip, opened, settled, shared):
    form = ready(settled, opened(ww.PublishForm(clip, wonda=wonda, alt_text="No use")))
    settled(lambda: form.is_video and form.thumb)
    assert form.product == "REELS"
    assert form.check_results[0]["title"] == "MP4 with H.264, 720 × 1280, 3 s"
    form.share_to_feed = shared
    send(form, "publish", media_id=clip.media_id)
    settled(lambda: form.step == "confirming")
    send(form, "confirm", media_id=clip.media_id)
    settled(lambda: form.posted.get("link"))
    [body] = posts_of(wonda)
    assert (body["product"], body["shareToFeed"]) == ("REELS", shared)
    assert "altText" not in body


def test_products_follow_the_kind_of_media(wonda, clip, images, opened, settled):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    settled(lambda: form.thumb)
    for media, product, impossible in (
        (clip, "REELS", "IMAGE"),
        (images[1].media, "IMAGE", "REELS"),
    ):
        form.start_soon(form.show, media)
        settled(lambda media=media: form.media_id == media.media_id)
        assert form.product == product
        send(form, "publish", media_id=media.media_id, product=impossible)
        settled(lambda: form.error)
        assert form.error["field"] == "product"
    form.product = "STORIES"
    form.start_soon(form.show, clip)
    settled(lambda: form.is_video)
    assert form.product == "STORIES"
    assert posts_of(wonda) == []


def test_video_without_a_readable_frame_can_be_posted(wonda, clip, opened, settled, monkeypatch):
    monkeypatch.setattr("wonda_widgets.imaging.video_process.is_available", lambda: False)
    form = ready(settled, opened(ww.PublishForm(clip, wonda=wonda)))
    settled(lambda: form.is_video)
    assert form.thumb == b""
    assert form.check_results[0]["title"] == "The video is not checked."
    send(form, "publish", media_id=clip.media_id)
    settled(lambda: form.step == "confirming")


def test_late_click_does_not_confirm_another_post(wonda, images, opened, settled):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    settled(lambda: form.media_id)
    sent = {"media_id": form.media_id}
    send(form, "publish", caption="first", **sent)
    settled(lambda: form.step == "confirming")
    shown = form.summary["number"]  # on a page that is slow
    send(form, "edit")
    send(form, "publish", caption="second", **sent)
    settled(lambda: form.step == "confirming" and form.summary["caption"] == "second")
    send(form, "confirm", summary=shown, **sent)
    settled(lambda: form.error)
    assert form.error["title"] == "The post changed in the meantime."
    assert (form.step, wonda.publish.history()["publishes"]) == ("editing", [])


def test_late_answer_is_not_taken_for_one_about_another_post(wonda, images, opened, settled):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    settled(lambda: form.media_id)
    sent = {"media_id": form.media_id}

    def lose(caption):
        wonda.faults.add("POST", "/publish/instagram", "drop", after=True)
        send(form, "publish", caption=caption, **sent)
        settled(lambda: form.step == "confirming")
        send(form, "confirm", **sent)
        settled(lambda: form.step == "unknown")
        form.needs_answer = True
        return form.summary["number"]

    first = lose("first")
    send(form, "answer", posted=True, summary=first)
    settled(lambda: form.step == "editing")
    second = lose("second")
    received = form.receipt
    send(form, "answer", posted=False, summary=first)
    settled(lambda: form.receipt > received)
    assert form.step == "unknown"
    send(form, "answer", posted=True, summary=second)
    settled(lambda: form.step == "editing")


@pytest.mark.parametrize("method", ["_require_new", "_send_post"])
def test_post_that_is_being_sent_is_not_offered_again(wonda, images, opened, settled, method):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda, caption="Once")))
    settled(lambda: form.media_id)
    sent = {"media_id": form.media_id}

    async def refuse(*_args, **_kwargs):
        raise ww.AlreadyPublishedError("It is already being sent.", hint="", code="being_sent")

    if method == "_send_post":
        send(form, "publish", **sent)
        settled(lambda: form.step == "confirming")
    setattr(form, method, refuse)
    send(form, "confirm" if method == "_send_post" else "publish", **sent)
    settled(lambda: form.error)
    assert form.error["text"].startswith("It is already being sent.")
    assert (form.step, form.refusal) == ("editing", {})


def test_failed_post_is_not_told_to_change_its_prompt(wonda, images, opened, settled):
    store = sandbox_of(wonda).store
    publish = store.publish

    def publish_in_vain(*args):
        job = publish(*args)
        job.ending = "failed"
        return job

    store.publish = publish_in_vain
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda, caption="Once")))
    settled(lambda: form.media_id)
    sent = {"media_id": form.media_id}
    send(form, "publish", **sent)
    settled(lambda: form.step == "confirming")
    send(form, "confirm", **sent)
    settled(lambda: form.error)
    assert form.error["text"].startswith("Nothing was posted.")
    assert "prompt" not in form.error["text"]


def test_late_snapshot_does_not_change_the_next_post(wonda, images, opened, settled):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    settled(lambda: form.media_id)
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    send(form, "publish", media_id=form.media_id, scheduled_at=due)
    settled(lambda: form.step == "confirming")
    send(form, "confirm", media_id=form.media_id)
    settled(lambda: form.posted)
    send(form, "publish", media_id=form.media_id, caption="Another", scheduled_at="")
    settled(lambda: form.step == "repeating")  # the list may have the same post
    posted, received = form.posted, form.receipt
    send(form, "refresh")
    settled(lambda: form.receipt > received)
    assert (form.step, form.posted) == ("repeating", posted)


@pytest.mark.parametrize("how", ["message", "trait"])
def test_half_an_emoji_does_not_jam_the_form(wonda, images, opened, settled, how):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    settled(lambda: form.media_id)
    if how == "trait":
        form.set_state({"caption": "cut \ud83d"})
        assert form.caption == "cut \ufffd"
    received = form.receipt
    send(form, "publish", media_id=form.media_id, caption="cut \ud83d")
    settled(lambda: form.step == "confirming")
    assert (form.summary["caption"], form.receipt) == ("cut \ufffd", received + 1)


def test_check_before_the_summary_can_be_canceled(wonda, images, opened, settled):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    settled(lambda: form.media_id)
    for _ in range(3):
        wonda.faults.add("GET", "/publish", "hang")
        send(form, "publish", media_id=form.media_id)
        settled(lambda: form.step == "preparing")
        send(form, "edit")
        settled(lambda: form.step == "editing")
    wonda.faults.clear()
    send(form, "publish", media_id=form.media_id)
    settled(lambda: form.step == "confirming")
    assert form.error is None


def test_summary_is_not_changed_while_shown(wonda, images, opened, settled):
    form = ready(settled, opened(ww.CarouselForm(images, wonda=wonda)))
    settled(lambda: len(form.slides) == 4)
    seen = form.media_id
    send(form, "publish", media_id=seen)
    settled(lambda: form.step == "confirming")
    send(form, "move", key=form.slides[0]["key"], to=3)
    send(form, "remove", key=form.slides[0]["key"])
    send(form, "confirm", media_id="others")
    settled(lambda: form.error)
    assert form.error["title"] == "The image changed in the meantime."
    assert form.media_id == seen


@pytest.mark.parametrize("count", [1, 11])
def test_too_few_or_too_many_images_are_reported(wonda, images, opened, settled, count):
    form = ready(settled, opened(ww.CarouselForm(wonda=wonda)))
    some = (images * 3)[:count]
    with pytest.raises(ww.InvalidInputError, match="A carousel has 2 to 10 images"):
        event_loop.run_blocking(_show(form, some))
    assert form.slides == []


async def _show(form, images):
    form.show(images)


def test_carousel_keeps_at_least_two_images(wonda, images, opened, settled):
    form = ready(settled, opened(ww.CarouselForm(images[:2], wonda=wonda)))
    settled(lambda: len(form.slides) == 2)
    send(form, "remove", key=form.slides[0]["key"])
    send(form, "move", key=form.slides[0]["key"], to=1)
    settled(lambda: form.slides[1]["key"] == images[0].media.media_id)
    assert len(form.slides) == 2


def test_lost_carousel_response_is_checked(wonda, images, opened, settled):
    form = ready(settled, opened(ww.CarouselForm(images[:2], wonda=wonda)))
    settled(lambda: form.media_id)
    wonda.faults.add("POST", "publish/instagram/carousel", "drop", after=True)
    send(form, "publish", media_id=form.media_id)
    settled(lambda: form.step == "confirming")
    send(form, "confirm", media_id=form.media_id)
    settled(lambda: form.step == "unknown")
    assert form.error["title"] == "We don’t know whether this was posted."
    send(form, "check")
    settled(lambda: form.posted)
    assert form.posted["link"]
    assert form.error is None


def test_slides_are_cropped_to_the_first_aspect_ratio():
    tall, wide = ImageInfo(900, 1600, "PNG", 2_000_000), ImageInfo(1600, 900, "JPEG", 9_000_000)
    fine = ImageInfo(1080, 1350, "JPEG", 400_000)
    assert preflight.carousel_fixes([fine, fine]) == [(), ()]
    of_tall, of_wide, of_fine = preflight.carousel_fixes([tall, wide, fine])
    shapes = [preflight.after_edit(f, o) for f, o in ((tall, of_tall), (wide, of_wide))]
    assert [preflight.ratio_name(facts.ratio) for facts in shapes] == ["4:5", "4:5"]
    assert {facts.format for facts in shapes} == {"JPEG"}
    assert of_fine == ()
    assert preflight.carousel_fixes([None, tall]) == [(), ()]
    said = [point.title for point in preflight.check_carousel([tall, wide, fine], "")]
    assert said[0] == "The first image is 9:16, too tall for the feed."
    assert "Images 1 and 2 must be JPEG, at most 8 MB." in said


def test_post_is_scheduled_listed_and_canceled(wonda, images, opened, settled):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    asked = []
    form.on_scheduled(lambda: asked.append(1))
    due = (datetime.now(UTC) + timedelta(hours=3)).replace(microsecond=0)
    send(form, "publish", scheduled_at=due.isoformat())
    settled(lambda: form.step == "confirming")
    send(form, "confirm", media_id=form.media_id)
    settled(lambda: form.posted)
    assert form.posted["due"] == due.timestamp()
    assert (form.step, form.scheduled_at, form.job_phase) == ("editing", "", "none")
    assert form.job.status == "scheduled"
    assert asked == [1]

    listed = opened(ww.ScheduledPosts(wonda))
    settled(lambda: listed.state == "ready")
    [post] = listed.posts
    assert (post["due"], post["account"], post["images"]) == (due.timestamp(), "@lantern.shop", 1)
    send(listed, "cancel", job_id="another")
    for _ in range(3):
        send(listed, "cancel", job_id=post["job_id"])
    settled(lambda: listed.posts == [])
    settled(lambda: listed.message == "Canceled. It will not be posted.")
    assert listed.error is None
    assert form.job.status == "canceled"


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (timedelta(hours=-1), "in the past"),
        (timedelta(minutes=2), "less than 5 minutes"),
        (timedelta(days=30), "more than 29 days"),
    ],
)
def test_invalid_time_is_reported_before_the_summary(wonda, images, opened, settled, ahead, said):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda, caption="Kept")))
    send(form, "publish", scheduled_at=(datetime.now(UTC) + ahead).isoformat())
    settled(lambda: form.error)
    assert said in form.error["title"]
    assert form.error["text"].endswith("Nothing was sent.")
    assert (form.step, form.caption) == ("editing", "Kept")


def test_account_without_scheduling_is_reported_in_both_panels(opened, settled):
    with ww.Wonda.sandbox(seconds=0.01, scheduling=False) as client:
        media = client.images.generate(model="z-image", prompt="A lake").wait().media
        form = ready(settled, opened(ww.PublishForm(media, wonda=client, confirm_publish=False)))
        due = datetime.now(UTC) + timedelta(hours=3)
        send(form, "publish", scheduled_at=due.isoformat())
        settled(lambda: form.error)
        assert "Scheduling is not enabled for this account." in form.error["text"]
        listed = opened(ww.ScheduledPosts(client))
        settled(lambda: listed.state == "off")
        assert "Scheduling is not enabled for this account." in listed.message
        form.close()
        listed.close()


def test_outcome_of_a_scheduled_post_is_shown_in_its_form(wonda, images, opened, settled):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    due = datetime.now(UTC) + timedelta(hours=3)
    for _ in range(2):
        send(form, "publish", scheduled_at=due.isoformat())
        settled(lambda: form.step == "confirming")
        send(form, "confirm", media_id=form.media_id)
        settled(lambda: form.posted)
        kept = dict(form._snapshot_facts())
        assert kept["Scheduled"].endswith(f"{due.astimezone():%b %Y, %H:%M}")
        wonda.publish.cancel(form.job)
        settled(lambda: not form.posted)
        assert form.outcome == "The scheduled post was canceled. It will not be posted."


async def _tell(wonda, job_id, raw):
    await wonda._async._core.tell("publish", job_id, raw)


def test_failed_scheduled_post_is_not_a_success(wonda, images, opened, settled):
    form = ready(settled, opened(ww.PublishForm(images[0].media, wonda=wonda)))
    due = datetime.now(UTC) + timedelta(hours=3)
    send(form, "publish", scheduled_at=due.isoformat())
    settled(lambda: form.step == "confirming")
    send(form, "confirm", media_id=form.media_id)
    settled(lambda: form.posted)
    event_loop.run_blocking(
        _tell(wonda, form.job.id, {"status": "failed", "errorMessage": "Refused."})
    )
    settled(lambda: form.error)
    assert form.error["text"] == "Refused. Nothing was posted."
    assert form.posted == {}


def test_failed_cancel_is_not_reported_as_done(wonda, images, opened, settled):
    jobs = [
        wonda.publish.instagram(
            media_id=image.media.media_id,
            instagram_account_id=wonda.accounts.instagram()[0].instagram_account_id,
            scheduled_at=datetime.now(UTC) + timedelta(hours=2),
        )
        for image in images[:2]
    ]
    listed = opened(ww.ScheduledPosts(wonda))
    settled(lambda: len(listed.posts) == 2)
    send(listed, "cancel", job_id=jobs[0].id)
    settled(lambda: listed.message and len(listed.posts) == 1)
    wonda.faults.add("DELETE", "publish/scheduled", 409)
    send(listed, "cancel", job_id=jobs[1].id)
    settled(lambda: listed.error and not listed.canceling)
    assert listed.message == ""
    assert "started or ended" in listed.error["text"]


def test_kept_sandbox_output_says_so(wonda):
    from wonda_widgets.widgets._shared import notebook_snapshot

    for cls in (ww.Studio, ww.PublishForm, ww.Gallery, ww.ImagePreview):
        made = cls(wonda=wonda)
        twin = made._fallback if isinstance(made, ww.Studio) else made._own_fallback()
        for text in (twin._bundle["text/html"], twin._bundle["text/plain"]):
            assert notebook_snapshot.SANDBOX_NOTE in text
        kept = event_loop.run_blocking(
            notebook_snapshot.from_facts("Wonda", [("Caption", "x")], is_sandbox=True)
            if cls is ww.Studio
            else made._make_snapshot()
        )
        assert notebook_snapshot.SANDBOX_NOTE in kept.html
        assert notebook_snapshot.SANDBOX_NOTE in kept.plain
        made.close()
