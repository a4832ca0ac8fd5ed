"""Unknown names are rejected, with a suggestion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wonda_widgets as ww
from wonda_widgets.utils import suggestions

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("aspect_ratio", ["styleId", "aspectRatio"], "aspectRatio"),
        ("subjct", ["light", "subject"], "subject"),
        ("budget_usd", ["wonda", "budget"], "budget"),
        ("RESOLUTION", ["resolution"], "resolution"),
        ("at-once", ["at_once"], "at_once"),
        ("entirely", ["prompt", "model"], None),
        ("", ["prompt"], None),
        ("日本", ["日本語", "model"], "日本語"),
    ],
)
def test_unknown_name_suggests_the_right_one(name, known, meant):
    said = suggestions.did_you_mean(name, known)
    assert said == (f"Did you mean {meant!r}?" if meant else "")


@pytest.mark.parametrize(
    ("panel", "wrong", "meant"),
    [
        (ww.Studio, "promt", "prompt"),
        (ww.PromptLab, "budget_usd", "budget"),
        (ww.PromptLab, "template_", "template"),
        (ww.Dashboard, "titel", "title"),
        (ww.History, "confirmpublish", "confirm_publish"),
        (ww.PromptForm, "modell", "model"),
        (ww.ImagePreview, "alt_text", "alt"),
        (ww.PublishForm, "captions", "caption"),
        (ww.Gallery, "groupby", "group_by"),
    ],
)
def test_unknown_panel_argument_suggests_the_right_one(panel, wrong, meant):
    with pytest.raises(TypeError, match=f"{panel.__name__} has no argument '{wrong}'") as caught:
        panel(**{wrong: "x"})
    assert f"Did you mean '{meant}'?" in str(caught.value)


@pytest.mark.parametrize("panel", [ww.Studio, ww.PromptForm])
def test_unsupported_parameter_is_reported(panel, settled):
    made = panel(params={"aspect_ratio": "4:5", "resolution": "2K"}, model="nano-banana-2")
    form = getattr(made, "prompt_form", made)
    settled(lambda: form.error)
    assert form.error["title"] == "Nano Banana 2 has no parameter 'aspect_ratio'."
    assert "Did you mean 'aspectRatio'?" in form.error["text"]
    assert form.params["resolution"] == "2K"
    made.close()


def test_values_of_an_unknown_placeholder_are_refused():
    with pytest.raises(ww.InvalidInputError, match=r"no \{subjct\} in the template") as caught:
        ww.PromptLab(template="A {subject}", values={"subjct": ["lake"]})
    assert caught.value.hint == "Did you mean 'subject'?"
    with ww.Wonda.sandbox() as wonda, pytest.raises(ww.InvalidInputError, match="subjct"):
        wonda.images.matrix("A {subject}", {"subjct": ["lake"]}, "z-image")


def test_budget_may_be_a_number(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        with pytest.raises(ww.InvalidInputError, match="budget"):
            wonda.images.generate(model="z-image", prompt="A lake", budget=0.001)
        assert wonda.images.generate(model="z-image", prompt="A lake", budget=2.5).wait()
        matrix = wonda.images.matrix("A {a}", {"a": ["lake"]}, "z-image", budget=2)
        assert matrix.budget == 2.0
        for panel in (ww.Studio, ww.PromptForm, ww.PromptLab, ww.Dashboard):
            panel(wonda, budget=2.5).close()
        for wrong in ("2.50", -1, True):
            with pytest.raises(ww.InvalidInputError) as caught:
                wonda.images.generate(model="z-image", prompt="A lake", budget=wrong)
            assert caught.value.field == "budget"


def test_timeline_refuses_images_and_names_the_storyboard():
    for wrong in ([], (), [ww.GeneratedImage(media=ww.Media())], ww.Media()):
        with pytest.raises(TypeError, match=r"ww\.storyboard\(images, path\)"):
            ww.Timeline(wrong)


def test_job_media_raises_until_the_job_has_ended(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=60) as wonda:
        job = wonda.images.generate(model="z-image", prompt="A lake")
        with pytest.raises(ww.NoMediaError, match="has no media yet") as caught:
            job.media  # noqa: B018
        assert "job.wait().media" in caught.value.hint
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        job = wonda.images.generate(model="z-image", prompt="A lake")
        assert job.wait().media == job.media


def test_setup_help_installs_nothing(tmp_path):
    script = tmp_path / ".ci" / "setup.py"
    script.parent.mkdir()
    script.write_text((ROOT / ".ci" / "setup.py").read_text())
    for flag in ("-h", "--help"):
        said = subprocess.run(
            [sys.executable, script, flag], capture_output=True, text=True, check=True
        )
        assert "python .ci/setup.py test" in said.stdout
    assert list(tmp_path.iterdir()) == [script.parent]
