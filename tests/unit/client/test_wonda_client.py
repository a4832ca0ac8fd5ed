"""`Wonda` and `AsyncWonda`: settings, requests, imports and shutdown."""

import asyncio
import io
import json
import subprocess
import sys
import warnings

import httpx
import pytest
from conftest import KEY
from PIL import Image

import wonda_widgets as ww


def test_arguments_override_environment_variables(monkeypatch):
    with pytest.raises(ww.MissingKeyError, match=r"WONDA_API_KEY.*Wonda\.sandbox\(\)"):
        ww.Wonda()
    requests = []

    def respond(request):
        requests.append((request.headers["Authorization"][-4:], str(request.url)))
        return httpx.Response(200, json={})

    mock = httpx.MockTransport(respond)
    monkeypatch.setenv("WONDERCAT_API_KEY", "sk_" + "b" * 64)
    monkeypatch.setenv("WONDA_API_BASE", "https://second.example/v1/")
    ww.Wonda(transport=mock).whoami()
    monkeypatch.setenv("WONDA_API_KEY", "sk_" + "a" * 64)
    monkeypatch.setenv("WONDA_BASE_URL", "https://first.example/v1")
    ww.Wonda(transport=mock).whoami()
    ww.Wonda("sk_" + "c" * 64, base_url="https://given.example/v1", transport=mock).whoami()
    assert requests == [
        ("bbbb", "https://second.example/v1/auth/whoami"),
        ("aaaa", "https://first.example/v1/auth/whoami"),
        ("cccc", "https://given.example/v1/auth/whoami"),
    ]


def test_unusual_key_warns_and_invalid_key_raises():
    with pytest.warns(UserWarning, match="does not look like one"):
        ww.Wonda("nearly")
    for wrong in ("sk_\nx", "sk ü"):
        with pytest.raises(ww.InvalidInputError):
            ww.Wonda(wrong)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ww.Wonda(f"  {KEY}\n")


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda w: w.images.generate(model="m", prompt="  "), "prompt"),
        (lambda w: w.images.generate(model="", prompt="x"), "model"),
        (lambda w: w.images.generate(model="m", prompt="x", params={"a": object()}), "request"),
        (lambda w: w.images.generate(model="m", prompt="x", params={"a": float("nan")}), "request"),
        (lambda w: w.images.generate(model="m", prompt="half \ud83d"), "request"),
        (lambda w: w.pricing.estimate(model="m", params={"a": object()}), "request"),
        (
            lambda w: w.images.generate(model="m", prompt="x", attachment_media_ids="id"),
            "attachment_media_ids",
        ),
        (lambda w: w.publish.instagram(media_id="", instagram_account_id="a"), "media_id"),
        (
            lambda w: w.publish.instagram(media_id="m", instagram_account_id=""),
            "instagram_account_id",
        ),
        (
            lambda w: w.publish.instagram(
                media_id="m", instagram_account_id="a", caption="x" * 2201
            ),
            "caption",
        ),
        (
            lambda w: w.publish.instagram(
                media_id="m", instagram_account_id="a", alt_text="x" * 1001
            ),
            "alt_text",
        ),
        (lambda w: w.jobs.attach("video", "x"), "kind"),
        (lambda w: w.jobs.attach("inference", " "), "job_id"),
        (lambda w: w.jobs.attach("inference", "half an emoji \ud83d"), "job_id"),
        (lambda w: w.media.upload("no/such/file.png"), "source"),
        (lambda w: w.media.upload(b""), "source"),
        (lambda w: w.media.upload(5), "source"),
    ],
)
def test_invalid_argument_raises_before_sending(call, field):
    sent = []

    def respond(request):
        sent.append(request)
        return httpx.Response(200, json={})

    wonda = ww.Wonda(KEY, transport=httpx.MockTransport(respond))
    with pytest.raises(ww.InvalidInputError) as caught:
        call(wonda)
    assert isinstance(caught.value, ValueError)
    assert caught.value.field == field
    assert sent == []


@pytest.mark.parametrize("call", ["generate", "publish", "upload"])
def test_response_without_an_id_leaves_the_outcome_unknown(call):
    sent = []

    def respond(request):
        sent.append(request)
        return httpx.Response(200, json={"surprise": 1})

    wonda = ww.Wonda(KEY, transport=httpx.MockTransport(respond))
    calls = {
        "generate": lambda: wonda.images.generate(model="m", prompt="x"),
        "publish": lambda: wonda.publish.instagram(
            media_id="m", instagram_account_id="a", allow_unchecked=True
        ),
        "upload": lambda: wonda.media.upload(b"GIF89a"),
    }
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        calls[call]()
    assert isinstance(caught.value, ww.UnexpectedReplyError)
    assert [request.method for request in sent].count("POST") == 1


def test_generated_image_is_published(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02) as wonda:
        job = wonda.images.generate(
            model="nano-banana-2", prompt="A quiet harbor", params={"aspectRatio": "4:5"}
        )
        media = job.wait().media
        image = wonda.media.open(media)
        account = wonda.accounts.instagram()[0].instagram_account_id
        post = wonda.publish.instagram(
            media_id=media.media_id, instagram_account_id=account, caption="Made with Wonda"
        )
        assert post.wait().permalink.startswith("http://127.0.0.1:")
        assert image.width * 5 == image.height * 4
        assert (image.width, image.height) == (media.width, media.height)
        assert wonda.publish.history()["publishes"][0]["mediaId"] == media.media_id


def test_image_is_generated_with_asyncio(quick_polls):  # noqa: ARG001
    async def main():
        async with ww.AsyncWonda.sandbox(seconds=0.02) as wonda:
            job = await wonda.images.generate(model="z-image", prompt="A quiet harbor")
            done = await job
            return done, await wonda.media.open(done.media)

    done, image = asyncio.run(main())
    assert done.status == "succeeded"
    assert image.size == (done.media.width, done.media.height)


@pytest.mark.parametrize("kind", ["path", "bytes", "file", "image"])
def test_upload_accepts_every_kind_of_source(tmp_path, kind):
    image = Image.new("RGB", (30, 20), "teal")
    path = tmp_path / "Bild ü.png"
    image.save(path)
    source = {
        "path": path,
        "bytes": path.read_bytes(),
        "file": io.BytesIO(path.read_bytes()),
        "image": image,
    }[kind]
    with ww.Wonda.sandbox() as wonda:
        media = wonda.media.upload(source)
        assert media.mime_type == "image/png"
        assert wonda.media.open(media).size == (30, 20)


def test_job_is_attached_by_its_id(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02) as wonda:
        job = wonda.images.generate(model="z-image", prompt="x")
        again = wonda.jobs.attach("inference", job.id)
        assert again.wait().media == job.wait().media
        with pytest.raises(ww.NotFoundError):
            wonda.jobs.attach("publish", "nowhere/../x").wait()


def test_closed_client_stops_polling_and_refuses_calls():
    wonda = ww.Wonda.sandbox(seconds=60)
    job = wonda.images.generate(model="z-image", prompt="x")
    wonda.close()
    with pytest.raises(ww.WondaError):
        job.wait(5)
    with pytest.raises(ww.WondaError, match="closed"):
        wonda.whoami()


def test_no_repr_contains_the_key():
    wonda = ww.Wonda(KEY)
    assert KEY not in repr(wonda) + repr(vars(wonda)) + repr(vars(wonda.images))


WITHOUT_JUPYTER = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"ipywidgets", "IPython", "anywidget", "traitlets"}:
            raise ImportError(name)
sys.meta_path.insert(0, Block())
import wonda_widgets as ww
with ww.Wonda.sandbox(seconds=0.01) as wonda:
    media = wonda.images.generate(model="z-image", prompt="x").wait().media
    print(wonda.media.open(media).size)
import wonda_widgets.imaging.preview, wonda_widgets.imaging.save_original
import wonda_widgets.models.parameters
import wonda_widgets.export.storyboard
"""

IMPORT_CHECK = """
import sys, asyncio
run = asyncio.run
{line}
heavy = ("ipywidgets", "IPython", "PIL", "jinja2", "starlette", "nest_asyncio", {more})
print([name for name in heavy if name in sys.modules], asyncio.run is run)
"""


def run_python(code):
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_client_works_without_jupyter():
    assert "(" in run_python(WITHOUT_JUPYTER)


def test_import_loads_no_heavy_package_and_patches_nothing():
    package = IMPORT_CHECK.format(line="import wonda_widgets", more="'httpx', 'msgspec'")
    assert run_python(package).strip() == "[] True"
    client = IMPORT_CHECK.format(line="from wonda_widgets import Wonda, Job", more="")
    assert run_python(client).strip() == "[] True"


def test_sandbox_does_not_import_jinja():
    line = "import wonda_widgets; wonda_widgets.Wonda.sandbox().close()"
    code = f"{line}; import sys; print('jinja2' in sys.modules)"
    assert run_python(code).strip() == "False"


def test_interpreter_with_a_running_job_exits_quickly_without_output():
    code = (
        "import wonda_widgets as ww\n"
        "wonda = ww.Wonda.sandbox(seconds=600)\n"
        "wonda.images.generate(model='z-image', prompt='x')\n"
    )
    # Without `-X dev`: asyncio's debug mode prints each callback that takes over 0.1 s, which would
    # fail on a slow machine. Warnings about unclosed or never awaited objects appear without it.
    command = [sys.executable, "-W", "error", "-c", code]
    completed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    assert completed.stderr == ""


def test_every_public_name_is_accessible():
    for name in ww.__all__:
        assert getattr(ww, name) is not None
    assert set(ww.__all__) <= set(dir(ww))
    with pytest.raises(AttributeError, match="no attribute"):
        ww.nothing  # noqa: B018


@pytest.mark.parametrize("nested", [False, True])
def test_reel_of_an_image_is_refused_before_sending(nested):
    sent = []

    def respond(request):
        sent.append((request.method, request.url.path.removeprefix("/api/v1")))
        media = {"mediaId": "m", "mimeType": "image/webp"}
        return httpx.Response(200, json={"media": media} if nested else media)

    wonda = ww.Wonda(KEY, transport=httpx.MockTransport(respond))
    with pytest.raises(ww.InvalidInputError, match="A reel must be a video") as caught:
        wonda.publish.instagram(media_id="m", instagram_account_id="a", product="REELS")
    assert caught.value.field == "product"
    assert sent == [("GET", "/media/m")]


@pytest.mark.parametrize(
    "media_response",
    [
        httpx.Response(200, json={"mimeType": "video/mp4"}),
        httpx.Response(200, json={"surprise": 1}),
        httpx.Response(200, json=["surprise"]),
        httpx.Response(404, json={"error": {"message": "No", "code": "not_found"}}),
    ],
)
def test_reel_of_unknown_media_is_sent(media_response):
    def respond(request):
        if "/media/" in request.url.path:
            return media_response
        return httpx.Response(200, json={"outputJobId": "j", "status": "queued"})

    wonda = ww.Wonda(KEY, transport=httpx.MockTransport(respond))
    job = wonda.publish.instagram(
        media_id="m", instagram_account_id="a", product="REELS", allow_unchecked=True
    )
    assert job.id == "j"
    job.stop()


@pytest.mark.parametrize("product", ["STORIES", "REELS", "IMAGE", None])
def test_alt_text_is_sent_only_for_the_feed(product):
    sent = []

    def respond(request):
        if request.method == "POST":
            sent.append(json.loads(request.content))
        return httpx.Response(200, json={"outputJobId": "j", "status": "queued"})

    wonda = ww.Wonda(KEY, transport=httpx.MockTransport(respond))
    post = {"media_id": "m", "instagram_account_id": "a", "alt_text": "A lake", "product": product}
    wonda.publish.instagram(**post, allow_unchecked=True).stop()
    assert ("altText" in sent[0]) == (product not in {"STORIES", "REELS"})
