"""The checks of a video in `PublishForm`, and their fixes."""

import pytest
from clips import write
from conftest import sandbox_of, send
from preflight_forms import press, uploads

import wonda_widgets as ww
from wonda_widgets.imaging import video, video_process
from wonda_widgets.models import Media


@pytest.fixture(autouse=True)
def _quick(quick_polls):
    """Nothing here waits for the pace of a job."""


@pytest.fixture
def wonda():
    with ww.Wonda.sandbox(seconds=0.02) as client:
        yield client


@pytest.fixture
def form(wonda, tmp_path, settled):
    path = write(tmp_path / "clip.mp4", size=(320, 180), fps=12)
    media = wonda.media.upload(path)
    made = ww.PublishForm(media, wonda=wonda)
    settled(lambda: made.thumb and made.accounts_state == "ready")
    yield made
    made.close()


def titles(form):
    return [point["title"] for point in form.check_results if point["level"] != "fine"]


def test_fixes_accumulate_and_the_result_is_posted(form, wonda, settled, tmp_path):
    original = form.media_id
    assert titles(form) == [
        "The video has 12 frames per second.",
        "The video does not start with its index.",
        "The video has 320 × 180 pixels.",
    ]
    press(form, "Convert to 30 frames per second")
    settled(lambda: form.is_edited)
    assert titles(form) == ["The video has 320 × 180 pixels."]
    [area] = [fix["area"] for point in form.check_results for fix in point["fixes"]]
    assert (area["kind"], area["width"], area["color"]) == ("pad", 1, "#000000")
    press(form, "Pad to 9:16", color="#102030")
    settled(lambda: not titles(form))
    assert form.fixing == ""
    assert len(uploads(wonda)) == 3
    service = sandbox_of(wonda)
    url = service._media(service.store.media[form.media_id])["url"]
    made = wonda.media.download(Media(url=url), tmp_path / "made.mp4")
    assert video.facts(made)[:5] == ("MP4", "h264", "aac", 320, 568)
    send(form, "publish", media_id=form.media_id)
    settled(lambda: form.step == "confirming")
    send(form, "confirm", media_id=form.media_id)
    settled(lambda: form.posted.get("link"))
    [post] = sandbox_of(wonda).store.publishes.values()
    assert (post.body["product"], post.body["mediaId"]) == ("REELS", form.media_id)
    assert form.media_id != original


def test_same_fix_is_uploaded_once_and_the_original_comes_back(form, wonda, settled):
    original, label = form.media_id, form.combined_fix["label"]
    assert label == "Convert to 30 frames per second and move the index to the start"
    ids = set()
    for _ in range(2):
        press(form, label)
        settled(lambda: form.is_edited)
        ids.add(form.media_id)
        send(form, "original", media_id=form.media_id)
        settled(lambda: not form.is_edited)
        assert form.media_id == original
    assert len(ids) == 1
    assert len(uploads(wonda)) == 2


def test_failed_conversion_changes_nothing(form, settled, monkeypatch):
    async def fail(*_):
        raise ww.UnsafeMediaError("This video cannot be converted.", "It may be damaged.")

    monkeypatch.setattr(video_process, "convert", fail)
    original = form.media_id
    press(form, "Convert to 30 frames per second")
    settled(lambda: form.error)
    assert form.error["title"] == "The video was not changed."
    assert "This video cannot be converted." in form.error["text"]
    assert (form.media_id, form.fixing) == (original, "")


def test_progress_of_a_conversion_is_shown(form, settled):
    seen = []
    form.observe(lambda change: seen.append(change.new), "fixing")
    press(form, "Convert to 30 frames per second")
    settled(lambda: form.is_edited)
    assert seen[0] == "Convert to 30 frames per second"
    assert any("%" in text for text in seen)
    assert seen[-1] == ""
    assert len(seen) <= 13


@pytest.mark.parametrize(
    "label", ["Move the index to the start", "Convert to 30 frames per second"]
)
def test_video_in_another_file_format_is_a_repetition(form, wonda, settled, label):
    form.confirm_publish = False
    send(form, "publish", media_id=form.media_id)
    settled(lambda: form.posted)
    press(form, label)
    settled(lambda: form.is_edited and not form.fixing)
    send(form, "publish", media_id=form.media_id)
    settled(lambda: form.step == "repeating")
    assert len(sandbox_of(wonda).store.publishes) == 1


def test_media_that_code_selects_is_the_one_that_is_posted(wonda, tmp_path, settled):
    first, second = (
        wonda.media.upload(write(tmp_path / f"{n}.mp4", size=size, sound=None))
        for n, size in enumerate([(180, 320), (320, 180)])
    )
    form = ww.PublishForm(first, wonda=wonda, confirm_publish=False)
    form.media_id = second.media_id
    settled(lambda: form.accounts_state == "ready" and not form._tasks)
    form.product = "STORIES"
    send(form, "publish", media_id=second.media_id)
    settled(lambda: form.posted)
    assert form.media_id == second.media_id
    [post] = sandbox_of(wonda).store.publishes.values()
    assert post.body["mediaId"] == second.media_id
    form.close()


def test_another_selection_during_a_conversion_remains(form, wonda, tmp_path, settled):
    other = wonda.media.upload(write(tmp_path / "other.mp4", size=(180, 320), sound=None))
    press(form, "Convert to 30 frames per second")
    form.start_soon(form.show, other)
    settled(lambda: form.media_id == other.media_id and form.thumb and not form._tasks)
    assert (form.is_edited, form.fixing) == (False, "")
    assert form.media_id == other.media_id


def test_full_disk_is_told_and_changes_nothing(form, settled, monkeypatch):
    def fail(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", fail)
    original = form.media_id
    press(form, "Convert to 30 frames per second")
    settled(lambda: form.error)
    assert form.error["text"].startswith(
        "No temporary file can be written: No space left on device."
    )
    assert form.media_id == original
