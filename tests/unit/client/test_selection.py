"""The client that a panel or function uses."""

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
def real_client():
    """Create clients of a simulated service that they do not take for a sandbox."""
    clients = []

    def respond(request):
        if request.url.path.endswith(".png"):
            return httpx.Response(200, content=PNG)
        if request.method == "POST":
            return httpx.Response(200, json={"inferenceJobId": "j1"})
        media = {"mediaId": "m1", "url": "https://a.example/m1.png", "mimeType": "image/png"}
        content = {"status": "succeeded", "outputs": [{"media": media}]}
        if request.url.path.endswith("capabilities"):
            return httpx.Response(200, json={"generation": {"image": [{"key": "z-image"}]}})
        if request.url.path.endswith("accounts"):
            content = {"accounts": [{"instagramAccountId": "a1"}]}
        return httpx.Response(200, json=content)

    def create(key=KEY, base_url="https://a.example/v1", transport=None, **options):
        mock = transport or httpx.MockTransport(respond)
        clients.append(ww.Wonda(key, base_url=base_url, transport=mock, **options))
        return clients[-1]

    yield create
    for each in clients:
        each.close()


@pytest.fixture
def open_panel(quick_polls):  # noqa: ARG001
    """Create panels, and close them after the test."""
    panels = []

    def create(cls, *args, **options):
        panels.append(cls(*args, **options))
        return panels[-1]

    yield create
    for each in panels:
        each.close()


def finished_job(wonda):
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


@pytest.mark.parametrize("other_client", ["no key", "another key", "another client"])
@pytest.mark.parametrize("panel", PANELS)
def test_panel_uses_the_client_of_its_objects(
    panel, other_client, real_client, open_panel, monkeypatch
):
    wonda = real_client()
    job = finished_job(wonda)
    [image] = wonda.history.search()
    if other_client == "another key":
        monkeypatch.setenv("WONDA_API_KEY", OTHER_KEY)
    if other_client == "another client":
        real_client(OTHER_KEY, "https://b.example/v1")
    opened = PANELS[panel](open_panel, job, image)
    assert opened.wonda is wonda._async
    assert not opened.sandbox


@pytest.mark.parametrize("panel", PANELS)
def test_panel_of_sandbox_objects_shows_the_banner(panel, real_client, open_panel):
    real_client()  # another client that is open
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        opened = PANELS[panel](open_panel, finished_job(wonda), wonda.history.search()[0])
        assert opened.wonda is wonda._async
        assert opened.sandbox
        assert opened.banner or panel == "JobProgress"  # it has no banner of its own


@pytest.mark.usefixtures("quick_polls")
def test_storyboard_of_a_real_account_has_no_sandbox_banner(real_client, tmp_path):
    wonda = real_client()
    matrix = wonda.images.matrix("A {a}", {"a": ["pier", "dune"]}, "z-image")
    matrix.wait()
    for source in (
        finished_job(wonda),
        [finished_job(wonda)],
        wonda.history.search(),
        matrix,
        matrix.images,
    ):
        page = ww.storyboard(source, tmp_path / "x.html").read_text("utf-8")
        assert "Sandbox" not in page
        assert "data:image" in page
    with ww.Wonda.sandbox(seconds=0.01) as sandbox:
        page = ww.storyboard([finished_job(sandbox)], tmp_path / "x.html").read_text("utf-8")
        assert "Sandbox" in page


@pytest.mark.usefixtures("quick_polls")
def test_objects_of_different_clients_are_refused(real_client, open_panel, tmp_path):
    first, second = real_client(), real_client(OTHER_KEY)
    with ww.Wonda.sandbox(seconds=0.01) as third:
        jobs = [finished_job(each) for each in (first, second, third)]
        images = [each.history.search()[0] for each in (first, second, third)]
        for some in (jobs[:2], jobs[1:], images[:2], [jobs[0], images[2]]):
            for call in (
                lambda objects=some: ww.storyboard(objects, tmp_path / "x.html"),
                lambda objects=some: open_panel(ww.Gallery, objects),
                lambda objects=some: open_panel(ww.Compare, objects),
                lambda objects=some: open_panel(ww.CarouselForm, objects),
            ):
                with pytest.raises(ww.InvalidInputError, match="different clients") as caught:
                    call()
                assert "wonda=" in caught.value.hint
        for cls, objects in ((ww.ImagePreview, images[0]), (ww.Compare, images[:2])):
            with pytest.raises(ww.InvalidInputError, match="but the client here talks to"):
                open_panel(cls, objects, wonda=third)
        compare = open_panel(ww.Compare, wonda=third)
        with pytest.raises(ww.InvalidInputError, match="but the client here talks to"):
            compare.show(images[:2])
        with pytest.raises(ww.InvalidInputError, match="but the client here talks to"):
            third.history.storyboard(jobs[0], tmp_path / "x.html")
    assert not list(tmp_path.glob("*"))


@pytest.mark.usefixtures("quick_polls")
def test_clients_with_the_same_account_and_journal_are_interchangeable(
    real_client, tmp_path, open_panel
):
    journal = ww.Journal(tmp_path / "journal.db")
    mock = httpx.MockTransport(lambda _: httpx.Response(404, json={}))
    first = real_client(transport=mock, journal=journal)
    second = real_client(transport=mock, journal=journal)
    images = [
        ww.GeneratedImage(media=ww.Media(), client=each._async._core.name)
        for each in (first, second)
    ]
    assert open_panel(ww.Gallery, images).wonda is first._async
    assert selection.default_client(for_media=True) == (first._async, False)
    journal.close()


def test_media_without_a_client_uses_the_only_open_client(real_client, open_panel, monkeypatch):
    media = ww.Media(media_id="m1", url="https://a.example/m1.png")
    assert open_panel(ww.ImagePreview, media).sandbox  # no client is open
    with ww.Wonda.sandbox():
        wonda = real_client()
        assert open_panel(ww.ImagePreview, media).wonda is wonda._async
        assert open_panel(ww.PublishForm, "m1").wonda is wonda._async
        monkeypatch.setenv("WONDA_API_KEY", OTHER_KEY)
        assert open_panel(ww.EditForm, media).wonda is wonda._async
        assert open_panel(ww.Studio).wonda is not wonda._async  # it shows no existing media
    real_client(OTHER_KEY)
    assert not open_panel(ww.ImagePreview, media).sandbox
    monkeypatch.delenv("WONDA_API_KEY")
    with pytest.raises(ww.InvalidInputError, match="Several clients are open") as caught:
        open_panel(ww.ImagePreview, media)
    assert "wonda=" in caught.value.hint


def test_panel_uses_the_open_client_instead_of_a_sandbox(real_client, open_panel):
    wonda = real_client()
    for cls in (ww.Studio, ww.Gallery, ww.PromptForm, ww.History, ww.PublishForm, ww.Timeline):
        panel = open_panel(cls)
        assert panel.wonda is wonda._async
        panel.close()
    assert not wonda._async.is_closed  # the panel does not own it


@pytest.mark.usefixtures("quick_polls")
def test_objects_of_a_closed_client_are_not_shown_with_a_sandbox(
    real_client, open_panel, monkeypatch
):
    wonda = real_client()
    job = finished_job(wonda)
    [image] = wonda.history.search()
    wonda.close()
    for source in (job, image, pickle.loads(pickle.dumps(image))):
        with pytest.raises(ww.InvalidInputError, match="is closed, or belongs to another process"):
            open_panel(ww.ImagePreview, source)
    monkeypatch.setenv("WONDA_API_KEY", KEY)  # the key of the closed client
    assert not open_panel(ww.ImagePreview, image).sandbox


def test_unreferenced_client_is_not_used():
    wonda = ww.Wonda(KEY, transport=httpx.MockTransport(lambda _: httpx.Response(404)))
    assert selection.default() is wonda._async
    del wonda
    gc.collect()
    assert selection.default().is_sandbox


@pytest.mark.parametrize("value", [5, b"x", {"mediaId": "m"}, ["m"]])
def test_media_panel_refuses_other_objects(value, open_panel):
    for cls in (ww.ImagePreview, ww.EditForm, ww.PublishForm):
        with pytest.raises(TypeError, match="a Media object, an image or a finished job"):
            open_panel(cls, value)
    assert selection.media_of(None) is None


@pytest.mark.parametrize("panel", [ww.Gallery, ww.Compare, ww.CarouselForm])
def test_image_panel_refuses_other_objects_immediately(panel):
    media = ww.Media(media_id="m1", url="https://media.example/1.png")
    with ww.Wonda.sandbox() as wonda:
        for wrong in (media, "m1", None):
            with pytest.raises(
                TypeError, match=f"{panel.__name__} accepts .*{type(wrong).__name__}"
            ):
                panel([wrong, wrong], wonda=wonda)


def test_job_progress_refuses_other_objects():
    with pytest.raises(TypeError, match="JobProgress accepts a job, not str"):
        ww.JobProgress("j1")
    progress = ww.JobProgress()
    with pytest.raises(TypeError, match="JobProgress accepts a job, not Snapshot"):
        progress.job = ww.Snapshot(status="succeeded")
    progress.close()
