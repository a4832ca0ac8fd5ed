"""Which client a panel or function uses."""

from __future__ import annotations

import gc
import pickle

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.client import selection

OTHER_KEY = "sk_" + "6b" * 32
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)


@pytest.fixture
def real():
    """Makes clients of a service that is no sandbox, as far as the client can tell."""
    made = []

    def answer(request):
        if request.url.path.endswith(".png"):
            return httpx.Response(200, content=PNG)
        if request.method == "POST":
            return httpx.Response(200, json={"inferenceJobId": "j1"})
        media = {"mediaId": "m1", "url": "https://a.example/m1.png", "mimeType": "image/png"}
        reply = {"status": "succeeded", "outputs": [{"media": media}]}
        if request.url.path.endswith("capabilities"):
            return httpx.Response(200, json={"generation": {"image": [{"key": "z-image"}]}})
        if request.url.path.endswith("accounts"):
            reply = {"accounts": [{"instagramAccountId": "a1"}]}
        return httpx.Response(200, json=reply)

    def make(key=KEY, base_url="https://a.example/v1", transport=None, **options):
        how = transport or httpx.MockTransport(answer)
        made.append(ww.Wonda(key, base_url=base_url, transport=how, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def shown(quick_polls):  # noqa: ARG001
    """Makes panels, and closes them."""
    made = []

    def show(cls, *args, **options):
        made.append(cls(*args, **options))
        return made[-1]

    yield show
    for each in made:
        each.close()


def job_of(wonda):
    job = wonda.images.generate(model="z-image", prompt="A pier")
    job.wait()
    return job


PANELS = {
    "JobProgress": lambda show, job, _: show(ww.JobProgress, job),
    "ImagePreview of an image": lambda show, _, image: show(ww.ImagePreview, image),
    "ImagePreview of a job": lambda show, job, _: show(ww.ImagePreview, job),
    "Gallery": lambda show, job, image: show(ww.Gallery, [job, image]),
    "Compare": lambda show, job, image: show(ww.Compare, [image, job]),
    "EditForm": lambda show, _, image: show(ww.EditForm, image),
    "PublishForm": lambda show, _, image: show(ww.PublishForm, image),
    "PublishForm of a job": lambda show, job, _: show(ww.PublishForm, job),
    "CarouselForm": lambda show, job, image: show(ww.CarouselForm, [image, job]),
}


@pytest.mark.parametrize("beside", ["no key", "another key", "another client"])
@pytest.mark.parametrize("panel", PANELS)
def test_panel_uses_the_client_of_its_objects(panel, beside, real, shown, monkeypatch):
    wonda = real()
    job = job_of(wonda)
    [image] = wonda.history.search()
    if beside == "another key":
        monkeypatch.setenv("WONDA_API_KEY", OTHER_KEY)
    if beside == "another client":
        real(OTHER_KEY, "https://b.example/v1")
    made = PANELS[panel](shown, job, image)
    assert made.wonda is wonda._async
    assert not made.sandbox


@pytest.mark.parametrize("panel", PANELS)
def test_panel_of_sandbox_objects_shows_the_banner(panel, real, shown):
    real()  # an account that is open beside it
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        made = PANELS[panel](shown, job_of(wonda), wonda.history.search()[0])
        assert made.wonda is wonda._async
        assert made.sandbox
        assert made.banner or panel == "JobProgress"  # which claims nothing of its own


@pytest.mark.usefixtures("quick_polls")
def test_storyboard_of_a_real_account_has_no_sandbox_banner(real, tmp_path):
    wonda = real()
    matrix = wonda.images.matrix("A {a}", {"a": ["pier", "dune"]}, "z-image")
    matrix.wait()
    for what in (job_of(wonda), [job_of(wonda)], wonda.history.search(), matrix, matrix.images):
        page = ww.storyboard(what, tmp_path / "x.html").read_text("utf-8")
        assert "Sandbox" not in page
        assert "data:image" in page
    with ww.Wonda.sandbox(seconds=0.01) as sandbox:
        page = ww.storyboard([job_of(sandbox)], tmp_path / "x.html").read_text("utf-8")
        assert "Sandbox" in page


@pytest.mark.usefixtures("quick_polls")
def test_objects_of_two_clients_are_refused(real, shown, tmp_path):
    first, second = real(), real(OTHER_KEY)
    with ww.Wonda.sandbox(seconds=0.01) as third:
        jobs = [job_of(each) for each in (first, second, third)]
        images = [each.history.search()[0] for each in (first, second, third)]
        for some in (jobs[:2], jobs[1:], images[:2], [jobs[0], images[2]]):
            for call in (
                lambda what=some: ww.storyboard(what, tmp_path / "x.html"),
                lambda what=some: shown(ww.Gallery, what),
                lambda what=some: shown(ww.Compare, what),
                lambda what=some: shown(ww.CarouselForm, what),
            ):
                with pytest.raises(ww.InvalidInputError, match="different clients") as caught:
                    call()
                assert "wonda=" in caught.value.hint
        for cls, what in ((ww.ImagePreview, images[0]), (ww.Compare, images[:2])):
            with pytest.raises(ww.InvalidInputError, match="but the client here talks to"):
                shown(cls, what, wonda=third)
        compare = shown(ww.Compare, wonda=third)
        with pytest.raises(ww.InvalidInputError, match="but the client here talks to"):
            compare.show(images[:2])
        with pytest.raises(ww.InvalidInputError, match="but the client here talks to"):
            third.history.storyboard(jobs[0], tmp_path / "x.html")
    assert not list(tmp_path.glob("*"))


@pytest.mark.usefixtures("quick_polls")
def test_clients_of_one_account_and_journal_are_equal(real, tmp_path, shown):
    journal = ww.Journal(tmp_path / "journal.db")
    mock = httpx.MockTransport(lambda _: httpx.Response(404, json={}))
    first = real(transport=mock, journal=journal)
    second = real(transport=mock, journal=journal)
    images = [
        ww.GeneratedImage(media=ww.Media(), client=each._async._core.name)
        for each in (first, second)
    ]
    assert shown(ww.Gallery, images).wonda is first._async
    assert selection.default_client(for_media=True) == (first._async, False)
    journal.close()


def test_bare_media_uses_the_only_open_account(real, shown, monkeypatch):
    media = ww.Media(media_id="m1", url="https://a.example/m1.png")
    assert shown(ww.ImagePreview, media).sandbox  # nothing is open
    with ww.Wonda.sandbox():
        wonda = real()
        assert shown(ww.ImagePreview, media).wonda is wonda._async
        assert shown(ww.PublishForm, "m1").wonda is wonda._async
        monkeypatch.setenv("WONDA_API_KEY", OTHER_KEY)
        assert shown(ww.EditForm, media).wonda is wonda._async
        assert shown(ww.Studio).wonda is not wonda._async  # about nothing that exists
    real(OTHER_KEY)
    assert not shown(ww.ImagePreview, media).sandbox
    monkeypatch.delenv("WONDA_API_KEY")
    with pytest.raises(ww.InvalidInputError, match="Several clients are open") as caught:
        shown(ww.ImagePreview, media)
    assert "wonda=" in caught.value.hint


def test_open_account_prevents_the_implicit_sandbox(real, shown):
    wonda = real()
    for cls in (ww.Studio, ww.Gallery, ww.PromptForm, ww.History, ww.PublishForm, ww.Timeline):
        made = shown(cls)
        assert made.wonda is wonda._async
        made.close()
    assert not wonda._async.is_closed  # it belongs to somebody else


@pytest.mark.usefixtures("quick_polls")
def test_object_without_a_client_is_not_a_sandbox_object(real, shown, monkeypatch):
    wonda = real()
    job = job_of(wonda)
    [image] = wonda.history.search()
    wonda.close()
    for what in (job, image, pickle.loads(pickle.dumps(image))):
        with pytest.raises(ww.InvalidInputError, match="is closed, or belongs to another process"):
            shown(ww.ImagePreview, what)
    monkeypatch.setenv("WONDA_API_KEY", KEY)  # as it was made with
    assert not shown(ww.ImagePreview, image).sandbox


def test_unreferenced_client_is_not_open():
    wonda = ww.Wonda(KEY, transport=httpx.MockTransport(lambda _: httpx.Response(404)))
    assert selection.default() is wonda._async
    del wonda
    gc.collect()
    assert selection.default().is_sandbox


@pytest.mark.parametrize("thing", [5, b"x", {"mediaId": "m"}, ["m"]])
def test_invalid_media_is_refused(thing, shown):
    for cls in (ww.ImagePreview, ww.EditForm, ww.PublishForm):
        with pytest.raises(TypeError, match="a Media object, an image or a finished job"):
            shown(cls, thing)
    assert selection.media_of(None) is None


@pytest.mark.parametrize("panel", [ww.Gallery, ww.Compare, ww.CarouselForm])
def test_image_panel_refuses_invalid_objects_immediately(panel):
    media = ww.Media(media_id="m1", url="https://media.example/1.png")
    with ww.Wonda.sandbox() as wonda:
        for wrong in (media, "m1", None):
            with pytest.raises(
                TypeError, match=f"{panel.__name__} accepts .*{type(wrong).__name__}"
            ):
                panel([wrong, wrong], wonda=wonda)


def test_job_progress_refuses_invalid_jobs():
    with pytest.raises(TypeError, match="JobProgress accepts a job, not str"):
        ww.JobProgress("j1")
    progress = ww.JobProgress()
    with pytest.raises(TypeError, match="JobProgress accepts a job, not Snapshot"):
        progress.job = ww.Snapshot(status="succeeded")
    progress.close()
