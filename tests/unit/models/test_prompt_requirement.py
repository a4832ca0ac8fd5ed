"""Models that need no prompt, but one reference image."""

from __future__ import annotations

import io

import pytest
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.models import GenerationModel, parameters, prompt_requirement

OBJECT = {"type": "object"}


@pytest.mark.parametrize(
    ("said", "needed"),
    [
        ({"key": "m"}, True),
        ({"key": "birefnet-bg-removal"}, False),
        ({"key": "runware-vectorize"}, False),
        ({"key": "m", "accepts": {"text": {"optional": True}}}, False),
        ({"key": "m", "accepts": {"text": {"required": False}}}, False),
        ({"key": "m", "accepts": {"media": {"min": 1}, "text": None}}, False),
        ({"key": "m", "accepts": {"text": {"optional": False}}}, True),
        ({"key": "m", "accepts": {"text": {"min": 0}}}, False),
        ({"key": "birefnet-bg-removal", "accepts": {"text": {"min": 1}}}, True),
        ({"key": "runware-vectorize", "accepts": {"text": {"required": True}}}, True),
        ({"key": "m", "params": {"properties": {"prompt": {"type": "string"}}}}, False),
        ({"key": "birefnet-bg-removal", "params": {**OBJECT, "required": ["prompt"]}}, True),
        ({"key": "m", "accepts": "text", "params": {"required": "prompt"}}, True),
        ({"key": "m", "accepts": {"text": "maybe"}, "params": {"properties": []}}, True),
        ({"key": "m", "accepts": {"text": {"optional": "yes"}}}, True),
    ],
)
def test_prompt_requirement_comes_from_the_service(said, needed):
    assert prompt_requirement.is_prompt_required(GenerationModel(**said)) is needed


def test_request_fields_are_not_parameters():
    named = {name: {"type": "string"} for name in ("prompt", "model", "style")}
    assert [field.name for field in parameters.form_fields({**OBJECT, "properties": named})] == [
        "style"
    ]


@pytest.fixture
def wonda(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01) as client:
        yield client


@pytest.fixture
def photo():
    target = io.BytesIO()
    Image.new("RGB", (60, 40), "teal").save(target, "JPEG")
    return target.getvalue()


def test_sandbox_uses_the_reference_image(wonda, photo):
    media = wonda.media.upload(photo, name="photo.jpg")
    made = {
        model: wonda.images.generate(model=model, attachment_media_ids=[media.media_id]).wait()
        for model in ("birefnet-bg-removal", "runware-vectorize")
    }
    cut_out = wonda.media.open(made["birefnet-bg-removal"].media)
    assert (cut_out.size, cut_out.mode) == ((60, 40), "RGBA")
    assert cut_out.getchannel("A").getextrema() == (0, 255)
    drawing = made["runware-vectorize"].media
    assert drawing.mime_type == "image/svg+xml"
    assert wonda.media.download(drawing).startswith(b"<svg ")


def test_sandbox_requires_an_image_or_a_prompt(wonda):
    with pytest.raises(ww.BadRequestError, match="needs 1 reference image"):
        wonda.images.generate(model="birefnet-bg-removal")
    with pytest.raises(ww.BadRequestError, match="'prompt' is required"):
        wonda.images.generate(model="z-image")


def test_form_has_no_prompt_if_none_is_needed(wonda, photo, settled):
    form = ww.PromptForm(wonda, model="birefnet-bg-removal")
    settled(lambda: form.state == "ready")
    needed = {each["key"]: each["needs_prompt"] for each in form.models}
    assert needed["z-image"]
    assert not needed["birefnet-bg-removal"]
    form.submit()
    settled(lambda: form.error)
    assert "Add 1" in form.error["title"] + form.error["text"]
    form.add_reference(wonda.media.upload(photo, name="photo.jpg"))
    settled(lambda: form.references)
    form.prompt = "  "
    form.submit()
    settled(lambda: form.job is not None)
    assert "prompt" not in form.job.request
    assert form.job.wait().media.mime_type == "image/png"
    settled(lambda: form.state == "ready")
    form.model = "z-image"
    form.submit()
    settled(lambda: form.error)
    assert form.error["field"] == "prompt"
    form.close()
