"""Unknown names and wrong types of arguments are refused with a suggestion."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import wonda_widgets as ww
from wonda_widgets.utils import suggestions

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "known", "expected"),
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
def test_did_you_mean_suggests_the_closest_name(name, known, expected):
    suggestion = suggestions.did_you_mean(name, known)
    assert suggestion == (f"Did you mean {expected!r}?" if expected else "")


@pytest.mark.parametrize(
    ("panel", "wrong", "expected"),
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
def test_unknown_panel_argument_raises_with_a_suggestion(panel, wrong, expected):
    with pytest.raises(TypeError, match=f"{panel.__name__} has no argument '{wrong}'") as caught:
        panel(**{wrong: "x"})
    assert f"Did you mean '{expected}'?" in str(caught.value)


@pytest.mark.parametrize("panel", [ww.Studio, ww.PromptForm])
def test_unknown_model_parameter_is_reported_with_a_suggestion(panel, settled):
    opened = panel(params={"aspect_ratio": "4:5", "resolution": "2K"}, model="nano-banana-2")
    form = getattr(opened, "prompt_form", opened)
    settled(lambda: form.error)
    assert form.error["title"] == "Nano Banana 2 has no parameter 'aspect_ratio'."
    assert "Did you mean 'aspectRatio'?" in form.error["text"]
    assert form.params["resolution"] == "2K"
    opened.close()


def test_values_for_an_unknown_placeholder_raise_with_a_suggestion():
    with pytest.raises(ww.InvalidInputError, match=r"no \{subjct\} in the template") as caught:
        ww.PromptLab(template="A {subject}", values={"subjct": ["lake"]})
    assert caught.value.hint == "Did you mean 'subject'?"
    with ww.Wonda.sandbox() as wonda, pytest.raises(ww.InvalidInputError, match="subjct"):
        wonda.images.matrix("A {subject}", {"subjct": ["lake"]}, "z-image")


def test_budget_may_be_a_number_of_dollars(quick_polls):  # noqa: ARG001
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


def test_timeline_refuses_images_and_points_to_the_storyboard():
    for wrong in ([], (), [ww.GeneratedImage(media=ww.Media())], ww.Media()):
        with pytest.raises(TypeError, match=r"ww\.storyboard\(images, path\)"):
            ww.Timeline(wrong)


def test_media_of_a_running_job_raises(quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=60) as wonda:
        job = wonda.images.generate(model="z-image", prompt="A lake")
        with pytest.raises(ww.NoMediaError, match="has no media yet") as caught:
            job.media  # noqa: B018
        assert "job.wait().media" in caught.value.hint
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        job = wonda.images.generate(model="z-image", prompt="A lake")
        assert job.wait().media == job.media


def test_setup_script_help_installs_nothing(tmp_path):
    script = tmp_path / ".ci" / "setup.py"
    script.parent.mkdir()
    script.write_text((ROOT / ".ci" / "setup.py").read_text())
    for flag in ("-h", "--help"):
        completed = subprocess.run(
            [sys.executable, script, flag], capture_output=True, text=True, check=True
        )
        assert "python .ci/setup.py test" in completed.stdout
    assert list(tmp_path.iterdir()) == [script.parent]
