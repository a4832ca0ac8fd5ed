"""Forms that are filled from a saved image."""

import json
from io import BytesIO

import pytest
from conftest import only, send
from PIL import Image, PngImagePlugin

import wonda_widgets as ww
from wonda_widgets.imaging import save_original


@pytest.fixture
def wonda(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.02) as client:
        yield client


@pytest.fixture
def saved(wonda, tmp_path):
    """An image as `history.export` writes it."""
    params = {"aspectRatio": "4:5", "resolution": "2K"}
    wonda.images.generate(model="nano-banana-2", prompt="A {quiet} harbor", params=params).wait()
    folder = wonda.history.export(wonda.history.search(), tmp_path / "saved")
    return next(folder.glob("*.png"))


def file(texts):
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    return save_original.with_metadata(out.getvalue(), {"Software": "wonda_widgets", **texts})


def drop(panel, name, data):
    panel._receive(panel, {"type": "saved_file", "name": name}, [data])


def test_form_is_opened_with_the_settings_of_a_file(wonda, saved, settled):
    form = ww.PromptForm.from_file(saved, wonda)
    settled(lambda: form.file_note)
    assert (form.prompt, form.model) == ("A {quiet} harbor", "nano-banana-2")
    assert form.params["aspectRatio"] == "4:5"
    assert form.params["resolution"] == "2K"
    assert form.file_note == f"Filled in from {saved.name}."
    form.close()


def test_dropped_file_can_be_undone(panel, saved, settled):
    form = panel(ww.PromptForm, prompt="Typed", model="z-image")
    settled(lambda: form.state == "ready")
    before = (form.prompt, form.model, form.params)
    drop(form, saved.name, saved.read_bytes())
    settled(lambda: form.file_note)
    assert form.prompt == "A {quiet} harbor"
    send(form, "undo_file")
    settled(lambda: not form.file_note)
    assert (form.prompt, form.model, form.params) == before


def test_what_the_model_no_longer_accepts_is_said(panel, settled):
    form = panel(ww.PromptForm)
    settled(lambda: form.state == "ready")
    params = json.dumps({"aspectRatio": "4:5", "resolution": "9K", "guidance": 3})
    texts = {"prompt": "A sail", "model": "nano-banana-2", "parameters": params}
    drop(form, "sail.png", file(texts))
    settled(lambda: form.file_note)
    assert form.file_note == (
        "Filled in from sail.png. Nano Banana 2 does not accept this resolution, guidance any "
        "more, so it was left out."
    )
    assert form.params["aspectRatio"] == "4:5"
    assert form.params["resolution"] != "9K"


def test_model_that_no_longer_exists_is_said(panel, settled):
    form = panel(ww.PromptForm, model="z-image")
    settled(lambda: form.state == "ready")
    drop(form, "old.png", file({"prompt": "A sail", "model": "gone-1"}))
    settled(lambda: form.file_note)
    assert "no model 'gone-1'" in form.file_note
    assert (form.prompt, form.model) == ("A sail", "z-image")


def test_prompt_of_another_program_is_used_alone(panel, settled):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a lone sail\nNegative prompt: blurry\nSteps: 20, Seed: 5")
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    form = panel(ww.PromptForm)
    settled(lambda: form.state == "ready")
    model = form.model
    drop(form, "a1111.png", out.getvalue())
    settled(lambda: form.file_note)
    assert (form.prompt, form.model) == ("a lone sail", model)
    assert "names no model" in form.file_note


def test_file_without_settings_changes_nothing(panel, settled, tmp_path, wonda):
    form = panel(ww.PromptForm, prompt="Typed")
    settled(lambda: form.state == "ready")
    out = BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")
    for data in (out.getvalue(), b"", b"text"):
        form.error = None
        drop(form, "plain.png", data)
        settled(lambda: form.error)
        assert form.error["title"] == "plain.png does not say how it was generated."
    assert (form.prompt, form.file_note) == ("Typed", "")
    (tmp_path / "plain.png").write_bytes(out.getvalue())
    with pytest.raises(ww.InvalidInputError, match="does not say how"):
        ww.PromptForm.from_file(tmp_path / "plain.png", wonda)
    with pytest.raises(ww.InvalidInputError, match="cannot be read"):
        ww.PromptForm.from_file(tmp_path / "no.png", wonda)
    with pytest.raises(ww.InvalidInputError, match="Expected a path"):
        ww.PromptForm.from_file(5, wonda)


def test_lab_keeps_the_typed_template_beside_that_of_the_file(panel, saved, settled):
    lab = panel(ww.PromptLab, template="A {subject}", values={"subject": ["sail"]})
    settled(lambda: lab.form.plan.get("count") == 1)
    drop(lab.form, saved.name, saved.read_bytes())
    settled(lambda: lab.form.plan.get("count") == 2)
    assert [each["text"] for each in lab.form.templates] == ["A {subject}", "A {{quiet}} harbor"]
    assert lab.form.params["aspectRatio"] == ["4:5"]
    send(lab.form, "undo_file")
    settled(lambda: lab.form.plan.get("count") == 1)
    assert lab.form.templates == only("A {subject}")
