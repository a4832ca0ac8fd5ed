"""Videos in panels: the form that requests them, the player, and the way their bytes take."""

from __future__ import annotations

import asyncio
import shutil

import httpx
import pytest
from conftest import KEY, only, sandbox_of, send

import wonda_widgets as ww
from wonda_widgets.api.video_files import VideoFiles
from wonda_widgets.client.edit import Edit
from wonda_widgets.utils import event_loop
from wonda_widgets.widgets._parts.lab_form import SEEN
from wonda_widgets.widgets._shared import video_panel

PARAMS = {"duration": 3, "aspectRatio": "9:16"}


@pytest.fixture
def wonda(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.05, seed=4) as client:
        yield client


@pytest.fixture
def job(wonda):
    job = wonda.videos.generate(model="kling_3_pro", prompt="A sail", params=PARAMS)
    job.wait()
    return job


class Page:
    """What a page receives of a panel."""

    def __init__(self, panel, settled):
        self.panel, self.settled, self.received = panel, settled, []
        panel.send = lambda content, buffers=None: self.received.append((content, buffers))

    def all_of(self, kind):
        return [each for each in self.received if each[0]["type"] == kind]

    def ask(self, kind, answer, **content):
        before = len(self.all_of(answer))
        send(self.panel, kind, view="v", **content)
        self.settled(lambda: len(self.all_of(answer)) > before)
        return self.all_of(answer)[-1]


@pytest.fixture
def preview(wonda, job, panel, settled):
    shown = panel(ww.VideoPreview, job, wonda=wonda)
    page = Page(shown, settled)
    settled(lambda: shown.data)
    return page


def test_preview_has_the_first_frame_and_facts_but_no_video(preview, job):
    shown = preview.panel
    assert shown.media == job.snapshot.media
    assert shown.mime_type == "image/jpeg"
    assert shown.facts == "720 × 1280 · 3 s long · 24 fps"
    assert shown.alt == "A sail"
    state = shown.get_state()
    assert not any("mp4" in str(value) for value in state.values())
    assert max(len(value) for value in state.values() if isinstance(value, bytes)) < 400_000


def test_page_gets_the_whole_video_in_pieces(preview, wonda, job, monkeypatch):
    monkeypatch.setattr(video_panel, "PIECE_BYTES", 10_000)
    of = preview.panel.media_id
    content, _ = preview.ask("play", "video", of=of)
    assert content["address"] == ""  # of a sandbox in the kernel
    arrived = b""
    while True:
        content, buffers = preview.ask("video_piece", "video_piece", of=of, at=len(arrived))
        assert (content["of"], content["view"], content["mime"]) == (of, "v", "video/mp4")
        arrived += buffers[0]
        if len(arrived) >= content["total"]:
            break
    assert arrived == wonda.media.download(job.snapshot.media)
    before = len(wonda.faults.arrived)
    preview.ask("video_piece", "video_piece", of=of, at=0)
    assert len(wonda.faults.arrived) == before  # from the copy on disk


def test_unknown_videos_and_positions_are_ignored(preview):
    send(preview.panel, "play", of="another")
    send(preview.panel, "video_piece", of="another", at=0, view="v")
    for at in (-1, "0", None):
        send(preview.panel, "video_piece", of=preview.panel.media_id, at=at, view="v")
    preview.ask("play", "video", of=preview.panel.media_id)
    assert preview.all_of("video_piece") == []


def test_large_video_does_not_come_through_the_kernel(preview, monkeypatch):
    monkeypatch.setattr(video_panel, "MAX_BYTES", 1_000)
    content, _ = preview.ask("video_piece", "video_failed", of=preview.panel.media_id, at=0)
    assert "it is too large to come from the kernel (at most 1 KB)" in content["reason"]
    assert content["reason"].endswith("Save it to a folder.")


def test_failed_download_is_a_sentence(preview, monkeypatch):
    async def fail(*_args):
        raise ww.ServiceUnreachableError("The file could not be downloaded.", "Try again.")

    media = preview.panel.wonda.media
    monkeypatch.setattr(media, "_video_files", VideoFiles(fail))
    content, _ = preview.ask("video_piece", "video_failed", of=preview.panel.media_id, at=0)
    assert content["reason"] == "The file could not be downloaded. Try again."


def test_codec_is_named_for_a_video_that_cannot_be_played(preview):
    content, _ = preview.ask("unplayable", "video_failed", of=preview.panel.media_id)
    assert content["reason"] == (
        "This browser cannot play this video (codec H.264). Save it, and open the file."
    )


def test_video_is_saved_with_a_name_from_its_prompt(preview, tmp_path, wonda, job):
    path = preview.panel.save(tmp_path)
    assert path.name.startswith("a-sail-")
    assert path.suffix == ".mp4"
    assert path.read_bytes() == wonda.media.download(job.snapshot.media)


def test_video_plays_without_pyav(wonda, job, panel, settled, monkeypatch):
    monkeypatch.setattr("wonda_widgets.imaging.video_process.is_available", lambda: False)
    shown = panel(ww.VideoPreview, job, wonda=wonda)
    settled(lambda: shown.state == "ready")
    assert shown.error is None
    assert shown.data == b""


def test_image_and_video_have_their_own_panels(wonda, job, panel, settled):
    image = wonda.images.generate(model="z-image", prompt="A lake").wait().media
    for cls, media, other in (
        (ww.VideoPreview, image, "ImagePreview"),
        (ww.ImagePreview, job.snapshot.media, "VideoPreview"),
    ):
        shown = panel(cls, media, wonda=wonda)
        settled(lambda shown=shown: shown.error)
        assert other in shown.error["text"]
        assert shown.media is None


def test_video_without_an_id_is_played(wonda, job, panel, settled):
    media = ww.Media(url=job.snapshot.media.url, mime_type="video/mp4")
    shown = panel(ww.VideoPreview, media, wonda=wonda)
    page = Page(shown, settled)
    settled(lambda: shown.state == "ready")
    page.ask("video_piece", "video_piece", of="", at=0)


@pytest.mark.parametrize(
    ("base_url", "address", "is_allowed"),
    [
        ("https://api.example/v1", "https://storage.example/a.mp4", True),
        ("https://api.example/v1", "http://192.168.0.1/a.mp4", False),
        ("https://api.example/v1", "http://localhost:80/a.mp4", False),
        ("https://api.example/v1", "javascript:alert(1)", False),
        ("https://api.example/v1", "file:///etc/passwd", False),
        ("https://api.example/v1", "", False),
        ("http://127.0.0.1:8765/v1", "http://127.0.0.1:8766/a.mp4", True),
    ],
)
def test_page_opens_only_addresses_that_a_download_may_open(base_url, address, is_allowed):
    with ww.Wonda(KEY, base_url=base_url, journal=":memory:") as wonda:
        found = wonda._async.media.address_for_page(ww.Media(url=address))
        assert found == (address if is_allowed else "")
    transport = httpx.MockTransport(lambda _: httpx.Response(404))
    with ww.Wonda(KEY, base_url=base_url, transport=transport) as wonda:
        assert wonda._async.media.address_for_page(ww.Media(url=address)) == ""


def test_form_requests_a_video(wonda, panel, settled):
    form = panel(ww.PromptForm, wonda=wonda, kind="video", prompt="A sail")
    settled(lambda: form.state == "ready")
    assert form.kind == "video"
    send(form, "submit", prompt=" ", kind="video", model=form.model, params={})
    settled(lambda: form.error)
    assert form.error["text"] == "Describe the video you want. Nothing was sent."
    send(form, "submit", prompt="A sail", kind="video", model=form.model, params={"duration": 99})
    settled(lambda: form.error and form.error["field"] == "params.duration")
    assert form.job is None
    send(form, "submit", prompt="A sail", kind="video", model=form.model, params=form.params)
    settled(lambda: form.job)
    assert form.job.path == "/video/generate"
    form.job.wait()


def test_model_of_one_kind_is_not_requested_as_the_other(wonda, panel, settled):
    form = panel(ww.PromptForm, wonda=wonda)
    settled(lambda: form.state == "ready")
    send(form, "submit", prompt="A sail", kind="image", model="seedance-2", params={})
    settled(lambda: form.error)
    assert form.error["field"] == "model"


def test_model_of_a_form_tells_its_kind(wonda, panel, settled):
    form = panel(ww.PromptForm, wonda=wonda, model="seedance-2")
    settled(lambda: form.state == "ready")
    assert (form.kind, form.model, form.error) == ("video", "seedance-2", None)


def test_animate_selects_a_model_that_takes_the_image(wonda, panel, settled):
    image = wonda.images.generate(model="z-image", prompt="A lake").wait().media
    form = panel(ww.PromptForm, wonda=wonda, params={"aspectRatio": "9:16", "resolution": "1K"})
    form.add_reference(wonda.images.generate(model="z-image", prompt="A hill").wait().media)
    event_loop.call_soon(lambda: form.animate(image))  # also before the models are loaded
    settled(lambda: form.kind == "video" and len(form.reference_ids) == 2)
    assert form.reference_ids[0] == image.media_id
    assert form.params["aspectRatio"] == "9:16"
    assert form.params.get("resolution") != "1K"


def test_animate_without_such_a_model_says_so(wonda, panel, settled):
    sandbox = sandbox_of(wonda)
    for key in [key for key, model in sandbox._models.items() if model.is_video]:
        del sandbox._models[key]
    image = wonda.images.generate(model="z-image", prompt="A lake").wait().media
    form = panel(ww.PromptForm, wonda=wonda)
    settled(lambda: form.state == "ready")
    event_loop.call_soon(lambda: form.animate(image))
    settled(lambda: form.error)
    assert "no video model that accepts an image" in form.error["title"]


def test_studio_shows_an_image_or_a_video(wonda, panel, settled):
    studio = panel(ww.Studio, wonda=wonda)
    form = studio.prompt_form
    settled(lambda: form.state == "ready")
    send(
        form,
        "submit",
        prompt="A sail",
        kind="video",
        model="seedance-2",
        params=PARAMS | {"duration": 5},
    )
    settled(lambda: studio.video_preview.data and studio.publish_form.is_video)
    assert studio.media.is_video
    visible = [panel for row in studio.children for panel in getattr(row, "children", ())]
    visible += [each for box in visible for each in getattr(box, "children", ())]
    assert studio.video_preview in visible
    assert studio.preview not in visible
    assert studio.publish_form.product == "REELS"
    settled(lambda: form.state == "ready")
    send(form, "submit", prompt="A lake", kind="image", model="z-image", params={})
    settled(lambda: studio.preview.data and not studio.publish_form.is_video)
    assert not studio.media.is_video
    assert studio.filmstrip.videos == [False, True]
    send(studio.filmstrip, "select", index=1)
    settled(lambda: studio.publish_form.is_video)
    assert studio.media.is_video


def test_history_finds_images_or_videos(wonda, job):
    image = wonda.images.generate(model="z-image", prompt="A sail at dawn")
    image.wait()
    assert {each.job_id for each in wonda.history.search("sail")} == {job.id, image.id}
    assert [each.job_id for each in wonda.history.search("sail", kind="video")] == [job.id]
    assert [each.job_id for each in wonda.history.search("sail", kind="image")] == [image.id]
    assert wonda.history.count(kind="video") == 1
    with pytest.raises(ww.InvalidInputError, match='"image" or "video"'):
        wonda.history.search(kind="clip")


@pytest.mark.usefixtures("job")
def test_gallery_marks_and_plays_videos(wonda, panel, settled):
    wonda.images.generate(model="z-image", prompt="A sail at dawn").wait()
    gallery = panel(ww.Gallery, wonda=wonda)
    page = Page(gallery, settled)
    settled(lambda: gallery.total == 2)
    assert gallery.has_videos
    send(gallery, "window", view="v", windows=[[0, 2]])
    settled(lambda: page.all_of("items"))
    [clip] = [item for item in page.all_of("items")[-1][0]["parts"][0]["items"] if item["is_video"]]
    assert clip["length"] == "0:03"
    content, _ = page.ask("play", "video", of=clip["key"])
    assert content["of"] == clip["key"]
    gallery.kind = "image"
    settled(lambda: gallery.total == 1)
    send(gallery, "show_all")
    settled(lambda: gallery.total == 2)


def test_compare_knows_that_all_are_videos(wonda, job, panel, settled):
    other = wonda.videos.generate(model="kling_3_pro", prompt="A hill", params=PARAMS)
    image = wonda.images.generate(model="z-image", prompt="A lake")
    other.wait(), image.wait()
    compare = panel(ww.Compare, [job, other], wonda=wonda)
    settled(lambda: len(compare.shown) == 2)
    assert compare.videos
    page = Page(compare, settled)
    assert page.ask("play", "video", of=compare.shown[1])[0]["of"] == compare.shown[1]
    compare.show([job, image])
    settled(lambda: not compare.videos)


def test_copies_are_downloaded_once_and_deleted():
    downloads = []

    async def download(media, target, _on_progress):
        downloads.append(media.media_id)
        path = target.with_name(f"{media.media_id}-{len(downloads)}")
        await event_loop.to_thread(path.write_bytes, b"x" * 10)
        return path

    async def work():
        files = VideoFiles(download)
        first = ww.Media(media_id="a")
        async with files.borrow(first, print) as path, files.borrow(first, print) as again:
            assert path == again
        async with files.borrow(first, print) as kept:
            assert kept == path
        assert downloads == ["a"]
        async with files.borrow(ww.Media(media_id="b"), print) as second:
            pass
        await files.aclose()
        return path, second

    for path in event_loop.run_blocking(work()):
        assert not path.parent.exists()


def test_copies_that_nobody_reads_are_limited(monkeypatch):
    monkeypatch.setattr("wonda_widgets.api.video_files.MAX_KEPT_BYTES", 15)

    async def download(media, target, _on_progress):
        path = target.with_name(media.media_id)
        await event_loop.to_thread(path.write_bytes, b"x" * 10)
        return path

    async def work():
        files = VideoFiles(download)
        async with files.borrow(ww.Media(media_id="a"), print) as read:
            for name in "bcd":
                async with files.borrow(ww.Media(media_id=name), print) as last:
                    pass
            left = await event_loop.to_thread(
                lambda: sorted(each.name for each in last.parent.iterdir())
            )
            assert left == ["a", "d"]  # the one that is being read, and the latest
            assert await event_loop.to_thread(read.exists)
        await files.aclose()

    event_loop.run_blocking(work())


@pytest.mark.parametrize(
    ("cls", "given", "sentence"),
    [
        (ww.EditForm, lambda clip: clip.media, "A video cannot be edited."),
        (ww.CarouselForm, lambda clip: [clip, clip], "A video cannot be part of a carousel here."),
    ],
)
def test_panel_for_images_refuses_a_video(wonda, job, panel, settled, cls, given, sentence):
    job.wait()
    [clip] = wonda.history.search(kind="video")
    made = panel(cls, given(clip), wonda=wonda)
    settled(lambda: made.error)
    assert sentence in f"{made.error['title']} {made.error['text']}"


def test_video_is_no_start_image_and_no_reference(wonda, job, panel):
    form = panel(ww.PromptForm, wonda=wonda)
    clip = job.wait().media
    with pytest.raises(ww.InvalidInputError, match="cannot be a reference image"):
        form.add_reference(clip)
    with pytest.raises(ww.InvalidInputError, match="cannot be animated"):
        form.animate(clip)
    with pytest.raises(ww.InvalidInputError, match="cannot be edited"):
        Edit(clip, wonda=wonda)
    with pytest.raises(ww.UnsafeMediaError, match="This is a video"):
        wonda.media.open(clip)


def test_lab_generates_videos(wonda, panel, settled):
    lab = panel(
        ww.PromptLab,
        wonda=wonda,
        kind="video",
        template="A {subject}",
        values={"subject": ["sail", "kite"]},
        budget=50,
    )
    settled(lambda: lab.form.plan.get("count"))
    assert lab.form.models == ["seedance-2"]
    assert (lab.form.plan["kind"], lab.form.plan["count"]) == ("video", 2)
    seen = {name: lab.form.plan[name] for name in SEEN}
    send(lab.form, "run_now", form={}, **seen)
    settled(lambda: lab.form.state == "ready" and lab.matrix and lab.matrix.state == "done")
    assert [image.media.is_video for image in wonda.history.search()] == [True, True]
    lab.form.kind = "image"
    settled(lambda: lab.form.models == ["nano-banana-2"])
    settled(lambda: lab.form.plan["kind"] == "image")
    with pytest.raises(ww.InvalidInputError, match="cannot be edited"):
        lab._edit(wonda.history.search()[0])


def test_unfinished_plan_of_videos_is_offered(wonda, panel, settled):
    values = {"subject": ["sail", "kite", "lake", "tree"]}
    matrix = wonda.videos.matrix("A {subject}", values, "seedance-2", max_concurrency=1)
    matrix.start()
    settled(lambda: matrix.progress.succeeded)
    matrix.stop()
    settled(lambda: not matrix.progress.running)
    left = matrix.progress.waiting
    lab = panel(ww.PromptLab, wonda=wonda)
    settled(lambda: lab.form.unfinished_plan)
    assert f"{left} of 4 videos left" in lab.form.unfinished_plan
    send(lab.form, "open_plan")
    settled(lambda: lab.form.kind == "video")
    assert lab.form.templates == only("A {subject}")


def test_studio_offers_a_reel_before_there_is_a_video(wonda, panel, settled):
    studio = panel(ww.Studio, wonda=wonda, kind="video")
    settled(lambda: studio.publish_form.product == "REELS")
    studio.prompt_form.kind = "image"
    settled(lambda: studio.publish_form.product == "IMAGE")


def test_copy_that_was_deleted_is_downloaded_again(wonda, job):
    media = job.wait().media
    facts = event_loop.run_blocking(wonda._async.media.video_facts(media))
    shutil.rmtree(wonda._async.media._video_files._folder)
    assert event_loop.run_blocking(wonda._async.media.video_facts(media)) == facts


def test_studio_posts_the_video_that_it_shows(wonda, panel, settled, monkeypatch):
    """Even while its first frame is still being loaded."""
    studio = panel(ww.Studio, wonda=wonda, prompt="A lake")
    settled(lambda: studio.prompt_form.state == "ready")
    studio.prompt_form.submit()
    settled(lambda: studio.publish_form.media_id)
    image = studio.publish_form.media_id

    async def never(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(wonda._async.history, "poster", never)
    clip = wonda.videos.generate(model="kling_3_pro", prompt="A sail", params=PARAMS)
    clip.wait()
    [found] = wonda.history.search(kind="video")
    event_loop.call_soon(lambda: studio.show(found))
    settled(lambda: studio.video_preview.media_id)
    settled(lambda: studio.publish_form.media_id != image)
    assert studio.publish_form.media_id == clip.snapshot.media.media_id
    assert (studio.publish_form.product, studio.publish_form.is_video) == ("REELS", True)


def test_models_of_the_lab_tell_its_kind(wonda, panel, settled):
    lab = panel(ww.PromptLab, wonda=wonda, template="A lake", models="seedance-2")
    settled(lambda: lab.form.plan.get("kind") == "video")
    assert lab.form.kind == "video"


def test_actions_for_images_are_off_for_a_video(wonda, job, panel, settled):
    job.wait()
    gallery = panel(ww.History, wonda=wonda).gallery
    settled(lambda: gallery.total == 1)
    only = {action["name"] for action in gallery.actions if action["images_only"]}
    assert only == {"animate", "reference", "carousel"}
    send(gallery, "select", keys=[gallery._items[0].key])
    settled(lambda: gallery.selected_keys)
    assert gallery.has_selected_video


def test_folder_is_no_file(wonda, job, tmp_path):
    with pytest.raises(ww.InvalidInputError, match="is a folder"):
        wonda.media.download(job.wait().media, tmp_path)
    assert list(tmp_path.iterdir()) == []
