"""Animated images: a warning says that an edit keeps only one frame."""

import io

import pytest
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.client.edit import Edit, Encode, Resize
from wonda_widgets.imaging import animation
from wonda_widgets.imaging.preview import create_preview
from wonda_widgets.publishing import preflight

COLORS = ("red", "lime", "blue")


def encoded(kind, frames=3, **options):
    file = io.BytesIO()
    first, *more = (Image.new("RGB", (8, 6), color) for color in COLORS[:frames])
    animated = {"save_all": True, "append_images": more, "duration": 90} if more else {}
    first.save(file, kind, **animated, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animation_is_detected_by_its_structure(kind):
    assert animation.is_animated(encoded(kind))
    assert animation.is_animated(encoded(kind, 2))
    assert not animation.is_animated(encoded(kind, 1))
    assert create_preview(encoded(kind)).animated
    assert not create_preview(encoded(kind, 1)).animated


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_truncated_animation_raises_nothing(kind):
    data = encoded(kind)
    for length in range(len(data)):
        animation.is_animated(data[:length])


def test_other_formats_are_not_animations():
    assert not animation.is_animated(encoded("JPEG", 1))
    assert not animation.is_animated(b"")
    assert not animation.is_animated(b"GIF89a")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_uploading_an_edited_animation_warns(kind):
    with ww.Wonda.sandbox() as wonda:
        edit = Edit(encoded(kind), wonda=wonda)
        assert edit.notes == ["This is an animation; an edit keeps only its first image."]
        edit.add(Resize(width=4, height=3))
        with pytest.warns(UserWarning, match="only its first image"):
            edit.upload()
        assert Edit(encoded(kind, 1)).notes == []
        Edit(encoded(kind), wonda=wonda).upload()  # an unedited file stays an animation


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_preflight_warns_about_animations(kind):
    info = preflight.ImageInfo(1080, 1350, kind, 9, animated=True)
    [warning] = [point for point in preflight.check(info, "IMAGE", "") if point.level == "miss"]
    assert "Only the first frame" in warning.text
    edited = preflight.after_edit(info, (Encode(format="JPEG"),))
    assert not edited.animated
    still = preflight.check(info._replace(animated=False), "IMAGE", "")
    assert not any("first image" in point.text for point in still)


def test_editor_warns_about_animations(settled):
    with ww.Wonda.sandbox() as wonda:
        form = ww.EditForm(wonda=wonda, data=encoded("GIF"))
        try:
            settled(lambda: form.original_facts)
            assert form.original_facts.endswith("an edit keeps only its first image.")
        finally:
            form.close()
