"""The checks of `PublishForm` and their fixes."""

from io import BytesIO

import httpx
import pytest
from conftest import KEY, sandbox_of, send
from PIL import Image
from preflight_forms import press, uploads

import wonda_widgets as ww
from wonda_widgets.models import Media
from wonda_widgets.sandbox.catalog import INSTAGRAM_ACCOUNT
from wonda_widgets.utils import event_loop

ACCOUNT = INSTAGRAM_ACCOUNT["instagramAccountId"]


@pytest.fixture(autouse=True)
def _quick(quick_polls):
    """Nothing here waits for the pace of a job."""


@pytest.fixture
def wonda():
    with ww.Wonda.sandbox(seconds=0.02) as client:
        yield client


@pytest.fixture
def media(wonda):
    """The service's own example with its defaults: 9:16, PNG."""
    return wonda.images.generate(model="nano-banana-2", prompt="A sunset").wait().media


@pytest.fixture
def form(wonda, media, settled):
    made = ww.PublishForm(media, wonda=wonda, caption="Made with Wonda")
    settled(lambda: made.combined_fix and made.accounts_state == "ready")
    yield made
    made.close()


def misses(form):
    """The problems, and the advice about the format."""
    return [
        point["title"]
        for point in form.check_results
        if point["level"] == "miss" or point["title"].startswith("The format is")
    ]


def stored(wonda, media_id):
    return event_loop.run_blocking(wonda._async.media.download(Media(url=url_of(wonda, media_id))))


def url_of(wonda, media_id):
    return sandbox_of(wonda)._media(sandbox_of(wonda).store.media[media_id])["url"]


def test_failed_checks_are_shown_before_posting(form):
    assert misses(form) == ["9:16 is too tall for the feed.", "The format is PNG."]
    assert [point["title"] for point in form.check_results][2:] == ["Caption"]
    area = form.check_results[0]["fixes"][0]["area"]
    assert (area["kind"], area["x"], area["width"]) == ("crop", 0, 1)
    assert area["y"] == pytest.approx((1 - area["height"]) / 2, abs=0.01)


def test_padded_preview_matches_the_result(wonda, settled):
    buffer = BytesIO()
    Image.new("RGB", (2000, 7000), "teal").save(buffer, "JPEG")
    media = wonda.media.upload(buffer.getvalue(), name="tall.jpg")
    form = ww.PublishForm(media, wonda=wonda)
    settled(lambda: misses(form))
    (area,) = [
        fix["area"]
        for fix in form.check_results[0]["fixes"]
        if fix["label"] == "Shrink and pad to 4:5"
    ]
    assert (area["kind"], area["height"]) == ("pad", 1)
    assert area["width"] == pytest.approx(7000 * 0.8 / 2000, abs=0.01)
    press(form, "Shrink and pad to 4:5", color="#102030")
    settled(lambda: form.is_edited)
    assert misses(form) == []
    with Image.open(BytesIO(stored(wonda, form.media_id))) as image:
        assert image.size == pytest.approx((1440, 1800), abs=2)
        assert image.getpixel((2, 900)) == pytest.approx((16, 32, 48), abs=3)
    form.close()


def test_double_click_on_a_fix_uploads_once(form, wonda, settled):
    original, thumb = form.media_id, form.thumb
    label = form.combined_fix["label"]
    press(form, label)
    press(form, label)
    settled(lambda: form.is_edited and not form._tasks)
    assert len(uploads(wonda)) == 1
    assert form.media_id != original
    assert form.thumb not in {thumb, b""}
    assert misses(form) == []
    with Image.open(BytesIO(stored(wonda, form.media_id))) as image:
        assert (image.format, image.width / image.height) == ("JPEG", pytest.approx(0.8, abs=0.01))
    form.confirm_publish = False
    send(form, "publish", account=ACCOUNT, media_id=form.media_id)
    settled(lambda: form.posted)
    (post,) = sandbox_of(wonda).store.publishes.values()
    assert post.body["mediaId"] == form.media_id


def test_image_in_another_file_format_is_a_repetition(form, wonda, settled):
    form.confirm_publish = False
    send(form, "publish", account=ACCOUNT, media_id=form.media_id)
    settled(lambda: form.posted)
    press(form, "Convert to JPEG")
    settled(lambda: form.is_edited and not form.fixing)
    send(form, "publish", account=ACCOUNT, media_id=form.media_id)
    settled(lambda: form.step == "repeating")
    assert len(sandbox_of(wonda).store.publishes) == 1


def test_fixes_accumulate_and_revert_restores_the_original(form, wonda, settled):
    original = form.media_id
    press(form, "Pad to 4:5", color="#102030")
    settled(lambda: misses(form) == ["The format is PNG."])
    press(form, "Convert to JPEG")
    settled(lambda: misses(form) == [])
    with Image.open(BytesIO(stored(wonda, form.media_id))) as image:
        assert image.getpixel((2, image.height // 2)) == pytest.approx((16, 32, 48), abs=3)
    fixed = form.media_id
    send(form, "original", media_id=form.media_id)
    settled(lambda: form.media_id == original)
    assert (form.is_edited, len(misses(form))) == (False, 2)
    # The same fixes again are the same media, which is not posted twice.
    press(form, "Pad to 4:5", color="#102030")
    settled(lambda: misses(form) == ["The format is PNG."])
    press(form, "Convert to JPEG")
    settled(lambda: form.media_id == fixed)
    assert len(uploads(wonda)) == 2


def test_post_as_a_story_does_not_change_the_image(form, wonda, settled):
    original = form.media_id
    press(form, "Switch to story")
    settled(lambda: misses(form) == ["The format is PNG."])
    assert (form.product, form.media_id, uploads(wonda)) == ("STORIES", original, [])


def test_fix_is_available_only_while_editing(form, wonda, settled):
    send(form, "publish", account=ACCOUNT)
    settled(lambda: form.step == "confirming")
    press(form, "Convert to JPEG")
    send(form, "original", media_id=form.media_id)
    settled(lambda: form.receipt == 3)
    assert (form.fixing, uploads(wonda)) == ("", [])
    assert form.step == "confirming"


def test_no_post_during_a_fix(form, wonda, settled):
    form.confirm_publish = False
    press(form, "Convert to JPEG")
    send(form, "publish", account=ACCOUNT)
    settled(lambda: form.is_edited)
    assert not sandbox_of(wonda).store.publishes
    # A click that was made while the other image was shown is ignored, too.
    send(form, "publish", account=ACCOUNT, media_id="the-original")
    settled(lambda: form.error)
    assert form.error["title"] == "The image changed in the meantime."
    assert not sandbox_of(wonda).store.publishes


@pytest.mark.parametrize(
    ("fault", "said"),
    [(403, "Permission denied"), ("drop", "no response was received"), (413, "failed")],
)
def test_failed_upload_keeps_the_input(form, wonda, settled, fault, said):
    original, thumb = form.media_id, form.thumb
    wonda.faults.add("POST", "/media/upload", fault)
    press(form, "Convert to JPEG")
    settled(lambda: form.error and not form.fixing)
    assert form.error["title"] == "The image was not changed."
    assert said in form.error["text"]
    assert "nothing was posted" in form.error["text"]
    assert (form.media_id, form.thumb, form.caption) == (original, thumb, "Made with Wonda")
    press(form, "Convert to JPEG")
    settled(lambda: form.is_edited)
    assert form.error is None


def test_late_fix_changes_nothing(form, wonda, settled):
    press(form, "Convert to JPEG")
    event_loop.call_soon(lambda: form.offer("another"))
    settled(lambda: uploads(wonda) and not form._tasks)
    assert (form.media_id, form.is_edited, form.fixing) == ("another", False, "")
    assert [point["title"] for point in form.check_results] == ["Caption"]
    assert form.error is None


def test_same_image_chosen_again_during_a_post_replaces_the_pending_one(form, media, settled):
    form.step = "running"
    event_loop.call_soon(lambda: form.offer("another"))
    settled(lambda: form._next)
    event_loop.call_soon(lambda: form.offer(media.media_id))
    settled(lambda: form._next is None)
    assert form.media_id == media.media_id


def test_image_given_by_id_is_not_checked_but_its_caption_is(wonda, settled):
    form = ww.PublishForm("some-id", wonda=wonda, caption="#a " * 32)
    settled(lambda: form.check_results)
    assert misses(form) == ["32 hashtags may be too many."]
    form.caption = "#a"
    settled(lambda: misses(form) == [])
    assert [point["title"] for point in form.check_results] == ["Caption, 1 hashtag"]
    form.close()


def test_new_media_id_clears_known_facts(form, settled):
    form.media_id = "set-from-code"
    settled(lambda: len(form.check_results) == 1)
    assert (form.thumb, form.combined_fix) == (b"", {})


def test_undecodable_image_can_be_posted(settled):
    def answer(request):
        if request.url.path.endswith("/accounts"):
            return httpx.Response(200, json={"accounts": []})
        return httpx.Response(200, content=b"<html>")

    with ww.Wonda(KEY, transport=httpx.MockTransport(answer)) as wonda:
        form = ww.PublishForm(Media(media_id="m", url="https://x.example/m"), wonda=wonda)
        settled(lambda: len(form.check_results) == 2)
        assert form.check_results[0]["title"] == "The image could not be checked."
        assert (form.check_results[0]["level"], form.error) == ("advice", None)
        form.close()


def test_fixed_studio_image_can_be_chosen_again(wonda, settled):
    studio = ww.Studio(wonda, prompt="A harbour")
    settled(lambda: studio.prompt_form.state == "ready")
    studio.prompt_form.submit()
    form = studio.publish_form
    settled(lambda: form.combined_fix)
    press(form, "Convert to JPEG")
    settled(lambda: form.is_edited)
    fixed = form.media_id
    send(studio.filmstrip, "select", index=0)
    settled(lambda: studio.filmstrip.receipt == 1)
    assert form.media_id == fixed
    studio.close()


def test_fixes_are_recorded_in_the_journal(form, wonda, media, settled):
    press(form, "Convert to JPEG")
    settled(lambda: form.is_edited)
    journal = wonda._async._core.journal
    (upload,) = journal._find("kind = 'upload'", ()).result()
    assert upload.body["edit"] == {
        "of": media.media_id,
        "operations": [{"operation": "encode", "format": "JPEG", "quality": 90}],
    }
