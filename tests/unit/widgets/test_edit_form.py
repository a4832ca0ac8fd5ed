"""`EditForm` without a browser: messages, traits and results."""

import asyncio
import io
import threading

import pytest
from conftest import send
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.client.edit import (
    Crop,
    Encode,
    Pad,
    Resize,
    Text,
)
from wonda_widgets.models import Media
from wonda_widgets.utils import event_loop

pytestmark = pytest.mark.usefixtures("nothing_is_left")
LEFT = {"operation": "crop", "x": 0, "y": 0, "width": 60, "height": 80}


@pytest.fixture
def wonda():
    with ww.Wonda.sandbox(seconds=0.02) as client:
        yield client


@pytest.fixture
def form(panel, settled):
    """An editor with an image of ours, red on the left and blue on the right."""
    made = panel(ww.EditForm, Media(media_id="original-1"), data=image(), alt="Two halves")
    settled(lambda: at_rest(made))
    return made


def image(kind="PNG"):
    image = Image.new("RGB", (120, 80), "red")
    image.paste("blue", (60, 0, 120, 80))
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def at_rest(form):
    """Whether what is shown is what is there, with its bytes."""
    return form.state == "ready" and not form._is_rendering and "…" not in form.facts


def draft(form, tool, operation):
    form.tool = tool
    form.draft = operation


def shown(form):
    return Image.open(io.BytesIO(form.data)).convert("RGB")


def uploads(wonda):
    return [path for method, path in wonda.faults.arrived if path.endswith("/media/upload")]


# ---------------------------------------------------------------- what is shown


def test_image_is_shown_with_its_facts(form):
    assert form.facts == form.original_facts
    assert form.facts.startswith("120 × 80 · PNG · ")
    assert (form.alt, form.base_size, form.shown_size) == ("Two halves", [120, 80], [120, 80])
    assert form.operations == ()
    assert form.fonts[0] == "Default"
    assert form.defaults["text"]["fontFamily"] in form.fonts


def test_media_is_downloaded(panel, settled, wonda):
    media = wonda.images.generate(model="z-image", prompt="x").wait().media
    form = panel(ww.EditForm, media)
    settled(lambda: at_rest(form))
    assert form.media is media


def test_failed_download_is_shown_and_another_image_can_be_shown(panel, settled):
    form = panel(ww.EditForm, Media(media_id="m"))
    settled(lambda: form.error)
    assert form.state == "broken"
    form.show(None, {"prompt": "Mine"}, data=image())
    settled(lambda: at_rest(form))
    assert (form.error, form.alt) == (None, "Mine")
    form.show(None, data=b"no image")
    settled(lambda: form.error)
    assert form.state == "ready"  # the last one stays


def test_draft_is_shown_before_it_is_applied(form, settled):
    draft(form, "pad", {"operation": "pad", "width": 120, "height": 120, "color": "#00ff00"})
    settled(lambda: form.shown_size == [120, 120] and at_rest(form))
    assert shown(form).getpixel((60, 5))[1] > 200
    assert form.facts.startswith("120 × 120 · PNG")
    assert form.base_size == [120, 80]  # what the tool works on
    assert form.operations == ()


def test_crop_is_shown_as_a_frame_with_the_resulting_facts(form, settled):
    draft(form, "crop", LEFT)
    settled(lambda: form.facts.startswith("60 × 80") and at_rest(form))
    assert form.shown_size == [120, 80]
    assert shown(form).getpixel((110, 40))[2] > 200


def test_invalid_draft_is_reported_and_changes_nothing(form, settled):
    before = form.data
    draft(form, "crop", {**LEFT, "width": 500})
    settled(lambda: form.draft_problem)
    assert "extends beyond the image" in form.draft_problem
    assert form.data == before
    send(form, "apply")
    settled(lambda: form.error)
    assert form.error["field"] == "x"
    assert form.draft["width"] == 500  # what was typed stays
    draft(form, "crop", LEFT)
    settled(lambda: not form.draft_problem)


# ---------------------------------------------------------------- changes


def test_apply_undo_and_redo(form, settled):
    send(form, "apply", operation=LEFT, tool="text")
    settled(lambda: form.changes == ["Crop to 60 × 80"] and form.base_size == [60, 80])
    assert (form.tool, form.draft, form.can_undo) == ("text", {}, True)
    send(form, "apply", operation={"operation": "text", "text": "Hello"})
    send(form, "apply", operation={"operation": "encode", "format": "JPEG", "quality": 80})
    settled(lambda: form.facts.startswith("60 × 80 · JPEG"))
    assert form.changes == ["Crop to 60 × 80", "Text “Hello”", "JPEG, quality 80"]
    assert form.operations == (
        Crop(x=0, y=0, width=60, height=80),
        Text(text="Hello"),
        Encode(format="JPEG", quality=80),
    )
    for _ in range(3):
        send(form, "undo")
    settled(lambda: form.facts.startswith("120 × 80 · PNG"))
    assert (form.can_undo, form.can_redo, form.changes) == (False, True, [])
    send(form, "redo")
    settled(lambda: form.changes == ["Crop to 60 × 80"])


def test_undo_removes_the_draft_first(form, settled):
    draft(form, "text", {"operation": "text", "text": "Long thought"})
    send(form, "undo")
    settled(lambda: form.can_redo)
    assert (form.draft, form.changes) == ({}, [])
    send(form, "redo")
    settled(lambda: form.changes == ["Text “Long thought”"])


def test_cancel_discards_the_draft(form, settled):
    draft(form, "pad", {"operation": "pad", "width": 200, "height": 200, "color": "red"})
    settled(lambda: form.shown_size == [200, 200])
    send(form, "cancel")
    settled(lambda: form.shown_size == [120, 80] and at_rest(form))
    assert (form.tool, form.draft, form.can_undo) == ("", {}, False)


@pytest.mark.parametrize(
    "nothing",
    [
        {},
        {"operation": "crop", "x": 0, "y": 0, "width": 120, "height": 80},
        {"operation": "pad", "width": 120, "height": 80},
        {"operation": "resize", "width": 120, "height": 80},
        {"operation": "text", "text": "  "},
    ],
)
def test_operation_without_effect_is_not_added(form, settled, nothing):
    send(form, "apply", operation=nothing, tool="")
    settled(lambda: form.receipt == 1)
    assert (form.changes, form.error, form.tool) == ([], None, "")


@pytest.mark.parametrize(
    "hostile",
    [{"operation": "sing"}, {"operation": "crop", "x": "<b>"}, {"width": {}}, "words", [1], None],
)
def test_any_message_is_handled(form, settled, hostile):
    send(form, "apply", operation=hostile, tool={"a": 1})
    send(form, "undo", operation=hostile)
    send(form, "cancel")
    settled(lambda: form.receipt == 3)
    assert form.state == "ready"
    assert form.changes == []


# ---------------------------------------------------------------- a proposed edit


def test_proposed_crop_is_editable_and_its_format_is_applied(panel, settled):
    crop, jpeg = Crop(x=0, y=0, width=64, height=80), Encode(format="JPEG")
    form = panel(ww.EditForm, Media(media_id="m"), data=image(), operations=[crop, jpeg])
    settled(lambda: form.tool == "crop" and at_rest(form))
    assert form.draft == {"operation": "crop", "x": 0, "y": 0, "width": 64, "height": 80}
    assert form.operations == (jpeg,)
    assert form.facts.startswith("64 × 80 · JPEG")
    assert form.shown_size == [120, 80]
    send(form, "apply", operation=form.draft)
    settled(lambda: form.changes == ["JPEG, quality 90", "Crop to 64 × 80"])


def test_proposal_replaces_operations_and_can_be_undone(form, settled):
    send(form, "apply", operation=LEFT)
    settled(lambda: form.changes)
    form.edit([Resize(width=240, height=160), Pad(width=240, height=300)])
    settled(lambda: form.tool == "pad" and at_rest(form))
    assert form.changes == ["Resize to 240 × 160"]
    send(form, "cancel")
    send(form, "undo")
    settled(lambda: form.changes == ["Crop to 60 × 80"])


def test_invalid_proposal_is_reported(form, settled):
    form.edit([Crop(x=0, y=0, width=500, height=5)])
    settled(lambda: form.error)
    assert "beyond the image" in form.error["title"]
    assert form.tool == ""


def test_proposal_waits_for_its_image(form, settled):
    large = Image.new("RGB", (400, 400))
    buffer = io.BytesIO()
    large.save(buffer, "PNG")
    form.show(Media(media_id="second"), data=buffer.getvalue())
    form.edit([Crop(x=0, y=0, width=300, height=300)])
    settled(lambda: form.tool == "crop" and at_rest(form))
    assert (form.error, form.base_size) == (None, [400, 400])


# ---------------------------------------------------------------- using it


def test_use_uploads_once_and_calls_listeners(form, settled, wonda):
    heard, told = [], threading.Event()
    form.on_media(heard.append)
    form.on_media(lambda _: told.set())
    send(form, "apply", operation=LEFT)
    settled(lambda: at_rest(form) and form.changes)
    send(form, "use")
    send(form, "use")
    settled(lambda: form.upload)
    assert told.wait(5)
    send(form, "use")
    settled(lambda: form.receipt == 4)
    assert len(uploads(wonda)) == 1
    assert heard == [form.media]
    assert form.media.media_id == form.upload["media_id"] != "original-1"
    assert (form.media.width, form.media.height) == (60, 80)
    assert wonda.media.download(form.media) == form.result.data
    assert form.step == "editing"
    records = wonda._async._core.journal._find("kind='upload'", ()).result()
    assert records[0].body["edit"] == {"of": "original-1", "operations": [LEFT]}
    assert records[0].body["name"] == "two-halves-edited.png"
    send(form, "undo")
    settled(lambda: not form.upload)


def test_use_includes_the_open_draft(form, settled, wonda):
    send(form, "use", operation=LEFT)
    settled(lambda: form.upload)
    assert wonda.media.open(form.media).size == (60, 80)
    assert form.changes == ["Crop to 60 × 80"]


def test_used_image_can_be_edited_and_used_again(form, settled, wonda):
    send(form, "use", operation=LEFT)
    settled(lambda: form.upload)
    draft(form, "encode", {"operation": "encode", "format": "JPEG", "quality": 70})
    settled(lambda: not form.upload)
    send(form, "use", operation=form.draft)
    settled(lambda: form.upload)
    assert len(uploads(wonda)) == 2
    assert form.result.format == "JPEG"


PAD = {"operation": "pad", "width": 200, "height": 200, "color": "red"}


def test_same_result_is_uploaded_once(form, settled, wonda):
    heard = []
    form.on_media(heard.append)
    send(form, "use", operation=LEFT)
    settled(lambda: form.upload)
    first = form.upload
    assert first["in_use"]
    draft(form, "pad", PAD)
    settled(lambda: not form.upload)
    send(form, "cancel")
    settled(lambda: form.upload == {**first, "in_use": False})
    form.use()  # whoever listens may have gone on to another image meanwhile
    settled(lambda: form.upload == first and len(heard) == 2)
    send(form, "use", operation=PAD)
    settled(lambda: len(heard) == 3)
    second = form.media
    send(form, "undo")
    settled(lambda: form.upload == {**first, "in_use": False})
    form.use()
    settled(lambda: len(heard) == 4)
    send(form, "redo")
    form.use()
    settled(lambda: len(heard) == 5)
    ids = [media.media_id for media in heard]
    assert ids == [first["media_id"]] * 2 + [second.media_id, first["media_id"], second.media_id]
    assert (form.media.media_id, form.result.width) == (second.media_id, 200)
    assert len(uploads(wonda)) == 2


def test_same_image_shown_again_is_recognized(form, settled, wonda):
    send(form, "use", operation=LEFT)
    settled(lambda: form.upload)
    media = form.media
    form.show(Media(media_id="another"), data=image())
    settled(lambda: form.media.media_id == "another" and at_rest(form))
    send(form, "apply", operation=LEFT)
    settled(lambda: form.changes)
    assert form.upload == {}
    form.show(Media(media_id="original-1"), data=image())
    settled(lambda: form.media.media_id == "original-1" and at_rest(form))
    assert (form.upload, form.operations) == ({}, ())
    heard = []
    form.on_media(heard.append)
    send(form, "use", operation=LEFT)
    settled(lambda: heard)
    assert heard[0] == media
    assert len(uploads(wonda)) == 1


def held_back(monkeypatch):
    """Uploads wait for the event that this gives."""
    arrived, upload = asyncio.Event(), ww.edit.Edit.send

    async def slow(*args):
        await arrived.wait()
        return await upload(*args)

    monkeypatch.setattr(ww.edit.Edit, "send", slow)
    return arrived


def test_upload_in_progress_is_not_repeated(form, settled, monkeypatch, wonda):
    heard, arrived = [], held_back(monkeypatch)
    form.on_media(heard.append)
    send(form, "use", operation=LEFT)
    settled(lambda: form.step == "sending")
    form.show(Media(media_id="original-1"), data=image())
    settled(lambda: form.step == "editing" and at_rest(form))
    send(form, "use", operation=LEFT)
    settled(lambda: form.step == "sending")
    event_loop.call_soon(arrived.set)
    settled(lambda: len(heard) == 2)
    assert heard[0] == heard[1]
    assert len(uploads(wonda)) == 1


def test_unchanged_image_is_reported_and_not_uploaded(form, settled, wonda):
    form.use()
    settled(lambda: form.error)
    assert form.error["title"] == "No changes yet."
    assert not uploads(wonda)


@pytest.mark.parametrize(
    ("fault", "title"),
    [
        (400, "Invalid request."),
        (402, "Not enough credits."),
        (502, "We don’t know whether this was generated."),
    ],
)
def test_rejected_upload_is_reported_and_operations_are_kept(form, settled, wonda, fault, title):
    wonda.faults.add("POST", "/media/upload", fault)
    heard = []
    form.on_media(heard.append)
    send(form, "use", operation=LEFT)
    settled(lambda: form.error)
    assert form.error["title"] == title
    assert form.changes == ["Crop to 60 × 80"]
    assert (form.step, form.upload, heard) == ("editing", {}, [])
    form.use()
    settled(lambda: form.upload)
    assert form.error is None
    settled(lambda: heard)


def test_failing_listener_is_reported_and_others_are_called(form, settled):
    heard = []
    form.on_media(lambda _: 1 / 0)
    form.on_media(heard.append)
    send(form, "use", operation=LEFT)
    settled(lambda: heard and form.error)
    assert "ZeroDivisionError" in form.error["text"]


def test_image_shown_during_an_upload_stays(form, settled, monkeypatch):
    heard, arrived = [], held_back(monkeypatch)
    form.on_media(heard.append)
    send(form, "use", operation=LEFT)
    settled(lambda: form.step == "sending")
    send(form, "undo")  # what is in progress is not changed
    form.show(Media(media_id="second"), data=image("JPEG"))
    settled(lambda: form.media.media_id == "second" and at_rest(form))
    event_loop.call_soon(arrived.set)
    settled(lambda: heard)
    assert (form.media.media_id, form.upload, form.step) == ("second", {}, "editing")
    assert heard[0].width == 60


def test_closed_panel_does_nothing(form, settled):
    form.close()
    form.edit([Encode(format="JPEG")])
    form.show(None, data=image())
    send(form, "apply", operation=LEFT)
    form.use()
    settled(lambda: True)
    assert form.operations == ()
