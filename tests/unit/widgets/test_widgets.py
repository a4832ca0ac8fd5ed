"""The panels without a browser: messages and traits."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import httpx
import ipywidgets
import pytest
from conftest import KEY, sandbox_of, send
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.models import Media
from wonda_widgets.publishing.post_history import HistoryPost
from wonda_widgets.sandbox.catalog import INSTAGRAM_ACCOUNT, Model
from wonda_widgets.utils import event_loop
from wonda_widgets.widgets._shared import frontend

pytestmark = pytest.mark.usefixtures("nothing_is_left")
REGISTRY = ipywidgets.widgets.widget._instances
ACCOUNT = INSTAGRAM_ACCOUNT["instagramAccountId"]

EVERYTHING = Model(
    "everything",
    "Everything",
    "",
    {
        "steps": {"type": "integer", "minimum": 1, "maximum": 50, "default": 20},
        "guidance": {"type": "number", "minimum": 0, "maximum": 1},
        "tile": {"type": "boolean", "default": False},
    },
    {"": 5},
)


@pytest.fixture
def wonda():
    with ww.Wonda.sandbox(seconds=0.02) as client:
        yield client


# ---------------------------------------------------------------- prompt form


@pytest.fixture
def form(panel, settled):
    made = panel(ww.PromptForm, prompt="A harbour", params={"resolution": "2K"})
    settled(lambda: made.price)
    return made


def test_form_is_built_from_capabilities(form):
    assert form.state == "ready"
    assert form.model == "nano-banana-2"
    assert form.params == {"aspectRatio": "9:16", "resolution": "2K"}
    assert form.price == "about $0.08 · 80 credits"
    labels = [field["label"] for field in form.models[0]["fields"]]
    assert labels == ["Aspect ratio", "Resolution", "Style ID"]
    assert form.sandbox


def test_double_click_on_generate_creates_one_job(form, settled, wonda):
    content = {"prompt": "A harbour", "model": form.model, "params": form.params}
    send(form, "submit", **content)
    send(form, "submit", **content)
    settled(lambda: form.job and form.state == "ready")
    assert form.job.wait().media
    assert len(sandbox_of(wonda).store.jobs) == 1
    assert form.job.request["params"] == {"aspectRatio": "9:16", "resolution": "2K"}


@pytest.mark.parametrize(
    ("content", "field", "said"),
    [
        ({"prompt": "  \n"}, "prompt", "empty"),
        ({"model": "no-such"}, "model", "no model"),
        ({"params": {"resolution": "8K"}}, "params.resolution", "choose one"),
        ({"model": "everything", "params": {"steps": 99}}, "params.steps", "from 1 to 50"),
        ({"model": "everything", "params": {"steps": 5, "guidance": None}}, None, ""),
    ],
)
def test_invalid_input_is_shown_at_its_field_and_not_sent(panel, settled, content, field, said):
    from wonda_widgets.sandbox import catalog

    models = {**catalog.MODELS, "everything": EVERYTHING}
    with ww.Wonda.sandbox(seconds=0.02, models=models) as wonda:
        form = panel(ww.PromptForm, wonda=wonda)
        settled(lambda: form.state == "ready")
        send(form, "submit", **{"prompt": "x", "model": form.model, "params": {}, **content})
        if field is None:
            settled(lambda: form.job)
            return
        settled(lambda: form.error)
        assert form.error["field"] == field
        assert said in form.error["title"]
        assert form.job is None
        assert not sandbox_of(wonda).store.jobs


def test_input_is_kept_after_a_rejection(panel, settled):
    with ww.Wonda.sandbox(credits=10) as wonda:
        form = panel(ww.PromptForm, wonda=wonda, prompt="Long thought")
        settled(lambda: form.state == "ready")
        send(form, "submit", prompt="Long thought", model=form.model, params=form.params)
        settled(lambda: form.error)
        assert form.error["title"] == "Not enough credits."
        assert "Add credits" in form.error["text"]
        assert form.prompt == "Long thought"
        assert form.state == "ready"


def test_unknown_model_is_reported_and_replaced(panel, settled):
    form = panel(ww.PromptForm, model="no-such")
    settled(lambda: form.error)
    assert form.model == "nano-banana-2"
    assert "no model 'no-such'" in form.error["title"]


@pytest.mark.parametrize(
    ("status", "title"),
    [(401, "The API key was rejected."), (403, "Permission denied.")],
)
def test_account_rejection_is_reported(panel, settled, status, title):
    def answer(_request):
        return httpx.Response(status, json={"error": {"message": "No.", "code": "c"}})

    wonda = ww.Wonda(KEY, transport=httpx.MockTransport(answer))
    form = panel(ww.PromptForm, wonda=wonda)
    settled(lambda: form.error)
    assert form.error["title"] == title
    assert form.state == "unavailable"


def test_unreachable_service_can_be_retried(panel, settled, wonda):
    server = sandbox_of(wonda)
    server.faults.add("GET", "/capabilities", 500, times=3)
    form = panel(ww.PromptForm, prompt="kept")
    settled(lambda: form.error)
    assert form.error["title"] == "Service error."
    send(form, "reload")
    settled(lambda: form.state == "ready")
    assert (form.error, form.prompt) == (None, "kept")


def test_unknown_outcome_is_not_reported_as_failure(form, settled, wonda):
    sandbox_of(wonda).faults.add("POST", "/image/generate", 502, after=True)
    form.submit()
    settled(lambda: form.error)
    assert form.error["title"] == "We don’t know whether this was generated."
    form.submit()
    send(form, "dismiss_unknown")
    settled(lambda: form.state == "ready")
    posts = [request for request in sandbox_of(wonda).faults.arrived if request[0] == "POST"]
    assert posts.count(("POST", "/api/v1/image/generate")) == 1
    sandbox_of(wonda).faults.add("POST", "/image/generate", 502, after=True)
    form.submit()
    settled(lambda: form.error)
    assert "Credits may have been used" in form.error["text"]


def test_submit_from_code_waits_for_capabilities(panel, settled):
    form = panel(ww.PromptForm, prompt="A harbour")
    form.submit()
    settled(lambda: form.job)


# ---------------------------------------------------------------- progress


def test_progress_shows_status_and_end(panel, settled, wonda):
    job = wonda.images.generate(model="z-image", prompt="x")
    progress = panel(ww.JobProgress, job)
    words = []
    progress.observe(lambda change: words.append(change["new"]), "job_status")
    settled(lambda: progress.job_phase == "succeeded")
    assert progress.job is job
    assert progress.job_label == "Generation"
    assert progress.job_id == job.id
    assert words[-1] == "succeeded"
    assert progress.job_elapsed == job.snapshot.elapsed


@pytest.mark.parametrize(
    ("prompt", "phase", "text"),
    [
        ("sandbox: fail", "failed", "provider rejected"),
        ("sandbox: cancel", "canceled", "Submit it again"),
    ],
)
def test_progress_shows_a_failure_as_an_alert(panel, settled, wonda, prompt, phase, text):
    progress = panel(ww.JobProgress, wonda.images.generate(model="z-image", prompt=prompt))
    settled(lambda: progress.job_phase == phase)
    assert text in progress.error["text"]


def test_stop_and_resume_watching(panel, settled):
    with ww.Wonda.sandbox(seconds=60) as wonda:
        progress = panel(ww.JobProgress, wonda.images.generate(model="z-image", prompt="x"))
        settled(lambda: progress.job_phase == "running")
        send(progress, "stop")
        settled(lambda: progress.job_phase == "stopped")
        assert "still running" in progress.job_note
        send(progress, "resume")
        settled(lambda: progress.job_phase == "running")


def test_missing_responses_are_reported_and_watching_can_resume(panel, settled, wonda):
    faults = sandbox_of(wonda).faults
    faults.add("GET", "/jobs/", 503, times=20)
    faults.add("GET", "/jobs/", 404)
    progress = panel(ww.JobProgress)
    notes = []
    progress.observe(lambda change: notes.append(change["new"]), "job_note")
    progress.job = wonda.images.generate(model="z-image", prompt="x")
    settled(lambda: progress.job_phase == "lost")
    assert any("not responding" in note for note in notes)
    assert progress.error["title"] == "Not found."
    send(progress, "resume")
    settled(lambda: progress.job_phase == "succeeded")
    assert progress.error is None


# ---------------------------------------------------------------- preview


@pytest.fixture
def preview(panel, settled, wonda):
    job = wonda.images.generate(
        model="nano-banana-2", prompt="A <b>harbour</b>", params={"resolution": "2K"}
    )
    shown = panel(ww.ImagePreview)
    shown.show(job.wait().media, job.request, job_id=job.id)
    settled(lambda: shown.state == "ready")
    return shown


def test_preview_is_small_and_describes_the_original(preview):
    assert len(preview.data) <= 400_000
    assert preview.alt == "A <b>harbour</b>"
    assert preview.facts.startswith("1530 × 2720 · PNG · ")
    assert preview.media.media_id == preview.media_id
    assert preview.image().size == (1530, 2720)


def test_save_writes_the_original_with_metadata(preview, tmp_path, monkeypatch, settled):
    monkeypatch.chdir(tmp_path)
    send(preview, "save")
    settled(lambda: preview.saved)
    assert str(tmp_path) in preview.saved
    (path,) = tmp_path.iterdir()
    with Image.open(path) as image:
        assert image.size == (1530, 2720)
        assert image.text["prompt"] == "A <b>harbour</b>"
        assert image.text["model"] == "nano-banana-2"
        assert json.loads(image.text["parameters"]) == {"resolution": "2K"}
        assert image.text["job id"]
    assert preview.save(tmp_path / "own.png").name == "own.png"


def test_unwritable_folder_is_reported(preview, tmp_path, settled, monkeypatch):
    from wonda_widgets.imaging import save_original

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(save_original, "write", full)
    monkeypatch.chdir(tmp_path)
    send(preview, "save")
    settled(lambda: preview.error)
    assert "No space left" in preview.error["text"]
    assert preview.data


def test_image_never_has_the_previous_prompt(preview, settled):
    preview.show(preview.media)
    settled(lambda: preview.alt == "Image")


def test_invalid_image_is_reported(panel, settled):
    def answer(_request):
        return httpx.Response(200, content=b"<html>not an image</html>")

    wonda = ww.Wonda(KEY, transport=httpx.MockTransport(answer))
    shown = panel(ww.ImagePreview, Media(media_id="m", url="https://x.example/m.png"), wonda=wonda)
    settled(lambda: shown.error)
    assert shown.error["title"] == "The image cannot be shown."
    assert shown.state == "broken"


def test_save_needs_an_image(panel):
    with pytest.raises(ValueError, match="no image"):
        panel(ww.ImagePreview).save()


# ---------------------------------------------------------------- publishing


@pytest.fixture
def publisher(panel, settled, wonda):
    media = wonda.images.generate(model="z-image", prompt="x").wait().media
    made = panel(ww.PublishForm, media.media_id)
    settled(lambda: made.accounts_state == "ready")
    return made


def fields(**changed):
    return {
        "account": ACCOUNT,
        "caption": "Made with Wonda",
        "alt_text": "A harbour",
        "product": "IMAGE",
        **changed,
    }


def test_publish_confirms_and_posts_once(publisher, settled, wonda):
    assert publisher.account == ACCOUNT
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "confirming")
    assert not sandbox_of(wonda).store.publishes
    for _ in range(3):
        send(publisher, "confirm", media_id=publisher.media_id)
    settled(lambda: publisher.posted)
    (post,) = sandbox_of(wonda).store.publishes.values()
    assert post.body == {
        "mediaId": publisher.media_id,
        "instagramAccountId": ACCOUNT,
        "caption": "Made with Wonda",
        "altText": "A harbour",
        "product": "IMAGE",
    }
    assert publisher.posted["account"] == "@lantern.shop"
    assert publisher.posted["link"].startswith("http://127.0.0.1:")
    assert publisher.job.kind == "publish"
    assert publisher.job_label == "Publishing"


def test_keep_editing_posts_nothing(publisher, settled, wonda):
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "confirming")
    send(publisher, "edit")
    settled(lambda: publisher.step == "editing")
    send(publisher, "confirm", media_id=publisher.media_id)
    settled(lambda: publisher.receipt == 3)
    assert not sandbox_of(wonda).store.publishes


def test_without_confirmation_one_click_posts_once(publisher, settled, wonda):
    publisher.confirm_publish = False
    send(publisher, "publish", **fields())
    send(publisher, "publish", **fields())
    settled(lambda: publisher.posted)
    assert len(sandbox_of(wonda).store.publishes) == 1


def test_outdated_summary_posts_nothing(publisher, settled, wonda):
    from wonda_widgets.utils import event_loop

    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "confirming")
    event_loop.call_soon(lambda: publisher.offer("another"))
    send(publisher, "confirm", media_id="another")
    settled(lambda: publisher.receipt == 2)
    assert publisher.step == "editing"
    assert not sandbox_of(wonda).store.publishes


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"caption": "x" * 2201}, "caption", "2,201 characters"),
        ({"alt_text": "x" * 1001}, "alt_text", "1,001 characters"),
        ({"account": "foreign"}, "account", "No Instagram account"),
    ],
)
def test_invalid_post_is_reported_and_not_sent(publisher, settled, wonda, changed, field, said):
    send(publisher, "publish", **fields(**changed))
    settled(lambda: publisher.error)
    assert publisher.error["field"] == field
    assert said in publisher.error["title"]
    assert publisher.step == "editing"
    assert not sandbox_of(wonda).store.publishes


def test_only_the_summarized_post_is_sent(publisher, settled, wonda):
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "confirming")
    sandbox_of(wonda)._accounts["other"] = {**INSTAGRAM_ACCOUNT, "instagramAccountId": "other"}
    send(publisher, "reload")
    publisher.caption, publisher.account, publisher.product = "A draft", "other", "STORIES"
    send(publisher, "confirm", media_id=publisher.media_id)
    settled(lambda: publisher.posted)
    (post,) = sandbox_of(wonda).store.publishes.values()
    assert post.body["caption"] == "Made with Wonda"
    assert post.body["instagramAccountId"] == ACCOUNT
    assert post.body["product"] == "IMAGE"
    assert publisher.posted["account"] == "@lantern.shop"


def test_unpollable_post_is_unknown_and_can_be_settled(publisher, settled, wonda):
    sandbox_of(wonda).faults.add("GET", "/jobs/publish", 404)
    publisher.confirm_publish = False
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "unknown")
    assert publisher.error["title"] == "Not found."
    send(publisher, "resume")
    settled(lambda: publisher.posted and publisher.step == "editing")


def test_missing_account_is_reported_and_can_be_refreshed(panel, settled):
    with ww.Wonda.sandbox(accounts=[]) as wonda:
        form = panel(ww.PublishForm, "m", wonda=wonda)
        settled(lambda: form.accounts_state == "none")
        sandbox_of(wonda)._accounts[ACCOUNT] = INSTAGRAM_ACCOUNT
        send(form, "reload")
        settled(lambda: form.accounts_state == "ready")


def test_several_accounts_require_a_choice(panel, settled):
    two = [INSTAGRAM_ACCOUNT, {**INSTAGRAM_ACCOUNT, "instagramAccountId": "second"}]
    with ww.Wonda.sandbox(accounts=two) as wonda:
        form = panel(ww.PublishForm, "m", wonda=wonda)
        settled(lambda: form.accounts_state == "ready")
        assert form.account == ""


def post_another(wonda):
    """Have something in the history: with nothing in it, it proves nothing."""
    media = wonda.media.upload(b"GIF89a another")
    wonda.publish.instagram(media_id=media.media_id, instagram_account_id=ACCOUNT).wait()


def lose(publisher, settled, wonda, *, after):
    """Have the answer to a post lost, after or before it takes effect."""
    wonda.faults.add("POST", "/publish/instagram", "drop", after=after)
    publisher.confirm_publish = False
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "unknown" and publisher.error)
    assert publisher.error["title"] == "We don’t know whether this was posted."


def test_unknown_outcome_blocks_posting_until_checked(publisher, settled, wonda):
    lose(publisher, settled, wonda, after=True)
    send(publisher, "publish", **fields())
    settled(lambda: publisher.receipt == 2)
    send(publisher, "check")
    send(publisher, "check")
    settled(lambda: publisher.posted and publisher.step == "editing")
    assert publisher.posted["link"].startswith("http://127.0.0.1:")
    assert publisher.error is None
    assert len(sandbox_of(wonda).store.publishes) == 1


def test_check_waits_until_absence_is_certain(publisher, settled, wonda, monkeypatch):
    monkeypatch.setattr("wonda_widgets.publishing.outcome_check.grace_seconds", lambda _record: 0.3)
    post_another(wonda)
    lose(publisher, settled, wonda, after=False)
    send(publisher, "check")
    settled(lambda: publisher.recheck_seconds > 0)
    assert "may still appear" in publisher.error["text"]
    settled(lambda: publisher.step == "editing")  # it looks again by itself
    assert publisher.outcome == "It was not posted. You can publish it again."
    send(publisher, "publish", **fields())
    settled(lambda: publisher.posted)
    assert publisher.outcome == ""
    assert len(sandbox_of(wonda).store.publishes) == 2


@pytest.mark.parametrize(
    ("status", "said"), [(401, "history can’t"), (403, "no readable publish history")]
)
def test_unreadable_history_leaves_the_outcome_unknown(publisher, settled, wonda, status, said):
    lose(publisher, settled, wonda, after=True)
    wonda.faults.add("GET", "/instagram/publishes", status)
    send(publisher, "check")
    settled(lambda: publisher.step == "unknown" and said in publisher.error["text"])
    assert publisher.error["title"] == "We don’t know whether this was posted."
    assert publisher.needs_answer


def test_unknown_post_keeps_its_image_selected(publisher, settled, wonda, monkeypatch):
    monkeypatch.setattr("wonda_widgets.publishing.outcome_check.grace_seconds", lambda _record: 0.0)
    post_another(wonda)
    lose(publisher, settled, wonda, after=False)
    first = publisher.media_id
    event_loop.call_soon(lambda: publisher.offer("another"))
    settled(lambda: publisher._next)
    assert publisher.media_id == first
    send(publisher, "check")
    settled(lambda: publisher.step == "editing" and publisher.outcome)
    assert publisher.media_id == "another"
    assert publisher.outcome == (
        "Your earlier selection was not posted. Select it again to publish it."
    )


def test_repeated_check_starts_one_timer(publisher, settled, wonda):
    lose(publisher, settled, wonda, after=False)
    for number in range(1, 6):
        send(publisher, "check")
        settled(lambda number=number: publisher.receipt > number and publisher.step == "unknown")
        settled(lambda: publisher.recheck_seconds > 0)
    settled(lambda: len(publisher._tasks) == 1)
    assert publisher.needs_answer  # who has looked twice may say it


@pytest.mark.parametrize("posted", [True, False])
def test_inconclusive_history_requires_a_decision(publisher, settled, wonda, monkeypatch, posted):
    lose(publisher, settled, wonda, after=True)
    monkeypatch.setattr(
        "wonda_widgets.publishing.post_history.parse_row",
        lambda _row: HistoryPost(),
    )
    send(publisher, "check")
    settled(lambda: publisher.needs_answer and publisher.step == "unknown")
    send(publisher, "answer", posted=posted)
    settled(lambda: publisher.step == "editing")
    assert bool(publisher.posted) is posted
    assert publisher.error is None
    monkeypatch.undo()
    with pytest.raises(ww.AlreadyPublishedError):  # the history knows better
        wonda.publish.instagram(
            media_id=publisher.media_id, instagram_account_id=ACCOUNT, caption="Made with Wonda"
        )


def test_same_post_is_repeated_only_after_confirmation(publisher, settled, wonda):
    publisher.confirm_publish = False
    send(publisher, "publish", **fields())
    settled(lambda: publisher.posted and publisher.step == "editing")
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "repeating")
    assert "already posted" in publisher.refusal["text"]
    assert publisher.refusal["link"].startswith("http://127.0.0.1:")
    send(publisher, "edit")
    settled(lambda: publisher.step == "editing")
    assert len(sandbox_of(wonda).store.publishes) == 1
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "repeating")
    for _ in range(3):
        send(publisher, "repeat", media_id=publisher.media_id)
    settled(lambda: publisher.posted and publisher.step == "editing")
    assert len(sandbox_of(wonda).store.publishes) == 2


@pytest.mark.usefixtures("no_retry_pause")
def test_unchecked_post_requires_confirmation(publisher, settled, wonda):
    sandbox = sandbox_of(wonda)
    sandbox.faults.add("GET", "/instagram/publishes", 503, times=99)
    publisher.confirm_publish = False
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "unchecked")
    assert publisher.refusal["title"] == "Could not check for an earlier post."
    assert "cannot be read right now" in publisher.refusal["text"]
    assert publisher.error is None
    send(publisher, "unchecked", media_id="another")
    send(publisher, "repeat", media_id=publisher.media_id)
    send(publisher, "edit")
    settled(lambda: publisher.step == "editing")
    assert not sandbox.store.publishes
    send(publisher, "unchecked", media_id=publisher.media_id)  # what nobody is asked
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "unchecked")
    assert not sandbox.store.publishes
    for _ in range(3):
        send(publisher, "unchecked", media_id=publisher.media_id)
    settled(lambda: publisher.posted and publisher.step == "editing")
    assert len(sandbox.store.publishes) == 1


def test_possible_duplicate_is_reported_as_such(publisher, settled, wonda, monkeypatch):
    from wonda_widgets.publishing import post_history

    whole = post_history.parse_row
    monkeypatch.setattr(
        post_history,
        "parse_row",
        lambda row: whole({name: row[name] for name in ("permalink", "createdAt")}),
    )
    wonda.publish.instagram(
        media_id=wonda.media.upload(b"GIF89a").media_id, instagram_account_id=ACCOUNT
    ).wait()
    wonda._async._core.journal._database.run(lambda file: file.execute("DELETE FROM request"))
    publisher.confirm_publish = False
    send(publisher, "publish", **fields())
    settled(lambda: publisher.step == "repeating")
    assert publisher.refusal["title"] == "Possibly already posted."
    assert publisher.refusal["link"]
    send(publisher, "repeat", media_id=publisher.media_id)
    settled(lambda: publisher.posted)
    assert len(sandbox_of(wonda).store.publishes) == 2


def test_rejected_post_keeps_the_input(publisher, settled, wonda):
    sandbox_of(wonda).faults.add("POST", "/publish/instagram", 403)
    publisher.confirm_publish = False
    send(publisher, "publish", **fields())
    settled(lambda: publisher.error)
    assert publisher.step == "editing"


# ---------------------------------------------------------------- Studio


def test_whole_flow_in_studio(panel, settled):
    studio = panel(ww.Studio, prompt="A harbour")
    settled(lambda: studio.prompt_form.state == "ready")
    assert (studio.job, studio.publish_job, studio.media) == (None, None, None)
    studio.prompt_form.submit()
    settled(lambda: studio.media)
    first = studio.media
    assert studio.job.wait().media == first
    settled(lambda: studio.publish_form.media_id == first.media_id)
    assert studio.publish_form.alt_text == "A harbour"

    settled(lambda: studio.prompt_form.state == "ready")
    studio.prompt_form.prompt = "A mountain"
    studio.prompt_form.submit()
    settled(lambda: studio.job.request["prompt"] == "A mountain")
    assert studio.preview.data, "the last image stays until the new one is there"
    settled(lambda: studio.media != first and len(studio.filmstrip.thumbs) == 2)

    send(studio.filmstrip, "select", index=1)
    settled(lambda: studio.media == first and studio.publish_form.media_id == first.media_id)
    assert studio.filmstrip.selected == 1

    send(studio.publish_form, "publish", **fields())
    settled(lambda: studio.publish_form.step == "confirming")
    send(studio.publish_form, "confirm", media_id=first.media_id)
    settled(lambda: studio.publish_form.posted)
    assert studio.publish_job.snapshot.permalink


def test_selected_image_is_published_despite_a_new_one(panel, settled):
    studio = panel(ww.Studio, prompt="A harbour")
    settled(lambda: studio.prompt_form.state == "ready")
    studio.prompt_form.submit()
    settled(lambda: studio.publish_form.media_id)
    first = studio.preview.shown
    download = studio.preview._client.media.download

    async def slow(media):
        data = await download(media)
        studio._select(first, "")  # somebody goes back just before it is there
        return data

    studio.preview._client.media.download = slow
    settled(lambda: studio.prompt_form.state == "ready")
    studio.prompt_form.submit()
    settled(lambda: len(studio.filmstrip.thumbs) == 2)
    assert studio.media is first.media
    assert studio.publish_form.media_id == first.media.media_id
    assert studio.filmstrip.selected == 1


def test_job_without_an_image_is_reported(panel, settled):
    studio = panel(ww.Studio, prompt="sandbox: no media")
    settled(lambda: studio.prompt_form.state == "ready")
    studio.prompt_form.submit()
    settled(lambda: studio.progress.error)
    assert "No generated media found" in studio.progress.error["text"]
    assert studio.progress.job_phase == "empty"


def test_stopped_job_still_delivers_its_image(panel, settled):
    studio = panel(ww.Studio, prompt="A lost lighthouse")
    settled(lambda: studio.prompt_form.state == "ready")
    studio.prompt_form.submit()
    settled(lambda: studio.job)
    first = studio.job
    send(studio.progress, "stop")
    settled(lambda: studio.prompt_form.state == "ready")
    studio.prompt_form.prompt = "A harbour"
    studio.prompt_form.submit()
    settled(lambda: len(studio.filmstrip.thumbs) == 2)
    assert first.done
    settled(lambda: studio.preview.alt == "A harbour")
    assert sorted(studio.filmstrip.labels) == ["A harbour", "A lost lighthouse"]


def test_studio_without_a_key_uses_the_sandbox(panel, monkeypatch):
    studio = panel(ww.Studio, wonda=None)
    assert studio.sandbox
    assert studio.banner
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    monkeypatch.setenv("WONDA_BASE_URL", "http://127.0.0.1:9/api/v1")
    live = panel(ww.Studio, wonda=None)
    assert not live.sandbox
    assert KEY not in str(live.get_state()) + repr(vars(live)) + repr(live)


def test_unknown_keyword_is_reported(wonda):
    for cls in (ww.Studio, ww.PromptForm, ww.ImagePreview, ww.PublishForm, ww.JobProgress):
        with pytest.raises(TypeError, match=r"has no argument 'promt'"):
            cls(wonda=wonda, promt="x")
    with pytest.raises(TypeError, match=r"Wonda\(key\)"):
        ww.Studio("sk_key")


def test_submit_from_code_is_not_made_up_for_by_a_later_click(panel, settled, wonda):
    wonda.faults.add("GET", "/capabilities", 400)
    form = panel(ww.PromptForm, wonda=wonda, prompt="A first idea")
    form.submit()
    settled(lambda: form.state == "unavailable")
    form.prompt = "A second ide"  # being typed
    send(form, "reload")
    settled(lambda: form.state == "ready" and form.models)
    assert (form.job, wonda.jobs.recent()) == (None, [])


@pytest.mark.parametrize("name", ["_panel", "_version", "permissions", "receipt", "hiding"])
def test_internal_traits_are_no_arguments(wonda, name):
    with pytest.raises(TypeError, match=f"has no argument '{name}'"):
        ww.PromptForm(wonda, **{name: []})


def left_over(wonda):
    """Leave a running job, an image and a post of which nobody read the answer."""
    media = wonda.images.generate(model="z-image", prompt="first").wait().media
    wonda.faults.add("POST", "/image/generate", "drop")
    with pytest.raises(ww.OutcomeUnknownError):
        wonda.images.generate(model="z-image", prompt="lost")
    wonda.faults.add("POST", "/publish/instagram", "drop", after=True)
    with pytest.raises(ww.OutcomeUnknownError):
        wonda.publish.instagram(media_id=media.media_id, instagram_account_id=ACCOUNT)
    job = wonda.images.generate(model="z-image", prompt="A harbour left behind")
    job.stop()
    return job


def test_unfinished_work_of_an_earlier_kernel_is_resumed(panel, settled, wonda):
    left = left_over(wonda)
    studio = panel(ww.Studio)
    offer = studio.unfinished
    settled(lambda: (offer.running, offer.images, offer.posts) == (1, 1, 1))
    assert studio.job is None
    send(offer, "watch")
    settled(lambda: studio.media)
    assert studio.job.id == left.id
    assert studio.preview.alt == "A harbour left behind"
    settled(lambda: studio.publish_form.media_id == studio.media.media_id)
    send(offer, "check")
    settled(lambda: studio.publish_form.posted)
    assert len(sandbox_of(wonda).store.publishes) == 1
    send(offer, "dismiss_images")
    settled(lambda: not wonda._async._core.journal.unfinished(wonda.base_url, 0).result())
    assert (offer.running, offer.images, offer.posts) == (0, 0, 0)


def test_unfinished_work_can_be_postponed(panel, settled, wonda):
    left_over(wonda)
    studio = panel(ww.Studio)
    settled(lambda: studio.unfinished.posts)
    send(studio.unfinished, "dismiss")
    settled(lambda: not studio.unfinished.posts)
    assert panel(ww.Studio)
    assert len(wonda.jobs.unfinished()) == 3


def test_unfinished_work_does_not_replace_a_running_job(panel, settled):
    with ww.Wonda.sandbox(seconds=0.3) as wonda:
        left = wonda.images.generate(model="z-image", prompt="left")
        left.stop()
        studio = panel(ww.Studio, wonda=wonda, prompt="new")
        settled(lambda: studio.unfinished.running and studio.prompt_form.state == "ready")
        studio.prompt_form.submit()
        settled(lambda: studio.prompt_form.state == "running")
        send(studio.unfinished, "watch")
        settled(lambda: len(studio.filmstrip.thumbs) == 2)
        assert studio.job.request["prompt"] == "new"
        assert studio.preview.alt == "new"
        studio.close()


def test_unwritable_journal_is_shown(panel, settled, tmp_path):
    (tmp_path / "file").write_text("")
    wonda = ww.Wonda.sandbox(journal=tmp_path / "file" / "journal.db")
    with pytest.warns(ww.JournalWarning):
        wonda.jobs.recent()
    studio = panel(ww.Studio, wonda=wonda)
    settled(lambda: "Work continues in memory" in studio.unfinished.journal_problem)
    studio.close()
    wonda.close()


def test_close_during_a_job_frees_everything(panel, settled):
    frontend.shared_bundle()  # stays open for the next panel
    before = len(REGISTRY)
    with ww.Wonda.sandbox(seconds=60) as wonda:
        studio = panel(ww.Studio, wonda=wonda, prompt="x")
        settled(lambda: studio.prompt_form.state == "ready")
        studio.prompt_form.submit()
        settled(lambda: studio.job)
        job = studio.job
        studio.close()
        studio.close()
        settled(lambda: not job._listeners)
    assert len(REGISTRY) == before


def test_static_copy_has_image_and_escaped_text(panel, settled):
    studio = panel(ww.Studio, prompt="<script>alert(1)</script> harbour")
    settled(lambda: studio.prompt_form.state == "ready")
    assert "Run this cell again" in studio._fallback._bundle["text/plain"]
    studio.prompt_form.submit()
    settled(lambda: "data:image/jpeg" in studio._fallback._bundle["text/html"])
    html = studio._fallback._bundle["text/html"]
    assert "<script>" not in html
    assert len(html) < 80_000
    assert "harbour" in studio._fallback._bundle["text/plain"]


@pytest.mark.parametrize(
    ("prompt", "told"),
    [
        ("A harbour", "Done. The form’s `job.media` is the result."),
        ("sandbox: fail", "No result. The form’s `job` says why."),
    ],
)
def test_form_that_stands_alone_tells_where_the_result_is(panel, settled, prompt, told):
    form = panel(ww.PromptForm, prompt=prompt)
    notes = []
    form.observe(lambda change: notes.append(change["new"]), "note")
    form.submit()
    settled(lambda: form.note == told)
    assert notes == ["Generating. The form’s `job` is the running job.", told]


def test_form_of_a_studio_leaves_the_result_to_the_studio(panel, settled):
    studio = panel(ww.Studio, prompt="A harbour")
    studio.prompt_form.submit()
    settled(lambda: studio.prompt_form.job is not None and studio.prompt_form.job.snapshot.terminal)
    assert studio.prompt_form.note == ""


def test_reprs_are_short(panel):
    for made in (panel(ww.Studio), panel(ww.PromptForm), panel(ww.PublishForm)):
        assert len(repr(made)) < 80


def test_static_files_are_in_the_package():
    names = {path.name for path in (Path(ww.__file__).parent / "static").iterdir()}
    assert names == {"loader.js", "panels.js"}


def test_older_anywidget_is_reported_at_the_first_panel():
    code = (
        "import anywidget; del anywidget.WidgetTrait; anywidget.__version__ = '0.9.21'\n"
        "import wonda_widgets as ww\n"
        "ww.Wonda\n"
        "ww.Studio"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.stderr.strip().splitlines()[-1] == (
        "ImportError: wonda_widgets needs anywidget 0.11 or newer; this is 0.9.21. "
        "Run: pip install --upgrade anywidget"
    )
    assert "line 4, in <module>" in ran.stderr, "not before the first panel"


def test_unusual_key_warns_at_the_studio_call(panel, monkeypatch):
    monkeypatch.setenv("WONDA_API_KEY", "nearly-a-key")
    monkeypatch.setenv("WONDA_BASE_URL", "http://127.0.0.1:9/api/v1")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        panel(ww.Studio, wonda=None)
    assert any("does not look like one" in str(each.message) for each in caught)


def test_image_is_edited_before_posting(panel, settled):
    studio = panel(ww.Studio, prompt="A harbour")
    settled(lambda: studio.prompt_form.state == "ready")
    form = studio.prompt_form
    send(form, "submit", prompt="A harbour", model=form.model, params=form.params)
    settled(lambda: studio.media is not None and studio.publish_form.media_id)
    made = studio.media
    assert studio.preview.editable
    send(studio.preview, "edit")
    settled(lambda: studio.edit_form is not None and studio.edit_form.state == "ready")
    assert studio.edit_form in studio.children
    studio.edit_form.edit([ww.edit.Encode(format="JPEG")])
    settled(lambda: studio.edit_form.operations)
    studio.edit_form.use()
    settled(lambda: studio.media != made)
    settled(lambda: studio.publish_form.media_id == studio.media.media_id)
    assert studio.preview.facts.endswith("edited")
    assert studio.filmstrip.labels == ["A harbour", "A harbour"]
    edited = studio.media
    send(studio.filmstrip, "select", index=1)
    settled(lambda: studio.publish_form.media_id == made.media_id)
    send(studio.edit_form, "undo")
    send(studio.edit_form, "redo")
    studio.edit_form.use()
    settled(lambda: studio.publish_form.media_id == edited.media_id)
    assert studio.filmstrip.labels == ["A harbour", "A harbour"]
    assert studio.filmstrip.selected == 0


# -------------------------------------------------------------------- classes


def own_classes(base):
    """All classes of the package that derive from a class of ipywidgets."""
    for cls in base.__subclasses__():
        if cls.__module__.startswith("wonda_widgets."):
            yield cls
        yield from own_classes(cls)


def test_panels_override_no_private_ipywidgets_method():
    meant = {"_notify_trait", "_should_send_property"}  # overridden by ThreadSafeTraits
    for name in ww.__all__:
        getattr(ww, name)  # imports the panels, which are imported on first use
    panels = set(own_classes(ipywidgets.Widget))
    assert len(panels) > 15
    for cls in panels:
        for base in cls.__mro__[1:]:
            if base.__module__.startswith(("ipywidgets.", "anywidget.", "traitlets.")):
                both = {name for name in vars(cls).keys() & vars(base).keys() if name[:2] != "__"}
                private = {name for name in both if callable(vars(cls)[name]) and name[0] == "_"}
                assert private <= meant, cls
