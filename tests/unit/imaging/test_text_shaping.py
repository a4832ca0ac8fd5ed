"""Text on images in scripts that need complex layout."""

import unicodedata

import msgspec
import pytest
from PIL import Image, ImageFont, features

from wonda_widgets.client.edit import Text
from wonda_widgets.errors import InvalidInputError
from wonda_widgets.imaging import (
    apply_edits,
    fonts,
    text_overlay,
    text_shaping,
)

TEXT = Text(text="Hello", stroke_width=0, font_family="Default")
RIGHT_TO_LEFT = ["مرحبا", "שלום", "ܫܠܡܐ", "ߒߞߏ", "ދިވެހި", "sale: خصم 50%", "\u202eabc"]
JOINING = ["नमस्ते", "வணக்கம்", "বাংলা", "ಕನ್ನಡ", "സ്വാഗതം", "བོད", "မြန်မာ", "ខ្មែរ", "සිංහල"]
PLAIN = [
    "Hello",
    "Grüße",
    "Привет",
    "日本語",
    "한국어",
    "Γειά",
    "e\u0301te\u0301",
    "“…” — 5 €",
    "x²",
]


def text_operation(content):
    return msgspec.structs.replace(TEXT, text=content)


@pytest.fixture
def complete_font(monkeypatch):
    """Simulate a font that has every character."""
    monkeypatch.setattr(fonts, "missing_characters", lambda *_: "")


@pytest.fixture
def without_raqm(monkeypatch):
    monkeypatch.setattr(ImageFont.core, "HAVE_RAQM", False)


@pytest.mark.usefixtures("complete_font", "without_raqm")
@pytest.mark.parametrize("words", RIGHT_TO_LEFT)
def test_right_to_left_text_is_refused_without_raqm(words):
    with pytest.raises(InvalidInputError, match="mirrored") as caught:
        apply_edits.check((200, 200), [text_operation(words)])
    assert caught.value.field == "text"
    assert "FriBiDi" in caught.value.hint


@pytest.mark.usefixtures("complete_font", "without_raqm")
@pytest.mark.parametrize("words", JOINING)
def test_joining_scripts_are_refused_without_raqm(words):
    with pytest.raises(InvalidInputError, match="would be separate"):
        apply_edits.check((200, 200), [text_operation(words)])


@pytest.mark.usefixtures("complete_font", "without_raqm")
@pytest.mark.parametrize("words", ["ที่นี่", "ẹ́\u0323\u0302"])
def test_marks_that_would_overlap_are_refused_without_raqm(words):
    with pytest.raises(InvalidInputError, match="would overlap"):
        apply_edits.check((200, 200), [text_operation(words)])


@pytest.mark.usefixtures("complete_font", "without_raqm")
@pytest.mark.parametrize("words", PLAIN)
def test_other_scripts_are_accepted_without_raqm(words):
    apply_edits.check((200, 200), [text_operation(words)])


@pytest.mark.usefixtures("complete_font")
@pytest.mark.parametrize("missing", ["raqm", "fribidi"])
def test_right_to_left_text_needs_both_raqm_and_fribidi(monkeypatch, missing):
    is_available = features.check
    monkeypatch.setattr(features, "check", lambda name: name != missing and is_available(name))
    with pytest.raises(InvalidInputError, match="mirrored"):
        apply_edits.check((200, 200), [text_operation("שלום")])


@pytest.mark.usefixtures("complete_font")
@pytest.mark.parametrize("words", [*RIGHT_TO_LEFT, *JOINING])
def test_every_script_is_accepted_if_text_can_be_shaped(monkeypatch, words):
    monkeypatch.setattr(text_shaping, "can_shape", lambda _: True)
    apply_edits.check((200, 200), [text_operation(words)])


@pytest.mark.parametrize(
    "hidden",
    ["\ufe0f", "\ufe0e", "\u200d", "\u200c", "\u00ad", "\u034f", "\u2060", "\U000e0100", "\u3164"],
)
def test_invisible_characters_are_neither_missing_nor_drawn(monkeypatch, hidden):
    with monkeypatch.context() as patched:
        patched.setattr(fonts, "_found", dict)  # simulates a computer without fonts
        patched.setattr(ImageFont.core, "HAVE_RAQM", False)
        face = fonts.load("Default", 30)
        assert fonts.missing_characters(face, f"a{hidden}b") == ""
        apply_edits.check((200, 200), [text_operation(f"a{hidden}b")])
        drawn = []
        for words in ("ab", f"a{hidden}b"):
            image = Image.new("RGB", (200, 200))
            text_overlay.draw(image, text_operation(words))
            drawn.append(image.tobytes())
        assert drawn[0] == drawn[1]


def test_missing_glyph_before_an_invisible_character_is_reported(monkeypatch):
    monkeypatch.setattr(fonts, "_found", dict)
    with pytest.raises(InvalidInputError, match="has no 海"):
        apply_edits.check((200, 200), [text_operation("海\ufe0f")])


def test_error_names_the_font_used_in_place_of_the_requested_one(monkeypatch):
    monkeypatch.setattr(fonts, "_found", dict)
    actual_name = ImageFont.load_default(16).getname()[0]
    for requested in ("Default", fonts.PREFERRED):
        operation = msgspec.structs.replace(TEXT, text="海", font_family=requested)
        with pytest.raises(
            InvalidInputError, match=f"The font {actual_name} used as {requested} has no 海"
        ):
            apply_edits.check((200, 200), [operation])


def test_display_name_of_a_font_is_its_family_name(tmp_path):
    face = ImageFont.load_default(16)
    path = tmp_path / "some.ttf"
    path.write_bytes(face.font_bytes)
    family = face.getname()[0]
    assert fonts.display_name(face, family.upper()) == family
    assert fonts.display_name(face, str(path)) == family


def test_long_word_is_broken_between_grapheme_clusters():
    face = fonts.load("Default", 20)
    word = unicodedata.normalize("NFD", "ạ̊" * 60)
    for line in text_overlay.wrap(word, face, 100):
        assert not unicodedata.combining(line[0])
