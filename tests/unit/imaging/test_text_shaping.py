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

WORDS = Text(text="Hello", stroke_width=0, font_family="Default")
RIGHT_TO_LEFT = ["مرحبا", "שלום", "ܫܠܡܐ", "ߒߞߏ", "ދިވެހި", "sale: خصم 50%", "\u202eabc"]
JOINED = ["नमस्ते", "வணக்கம்", "বাংলা", "ಕನ್ನಡ", "സ്വാഗതം", "བོད", "မြန်မာ", "ខ្មែរ", "සිංහල"]
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


def text(words):
    return msgspec.structs.replace(WORDS, text=words)


@pytest.fixture
def all_signs(monkeypatch):
    """A font that has every sign."""
    monkeypatch.setattr(fonts, "missing_characters", lambda *_: "")


@pytest.fixture
def without_raqm(monkeypatch):
    monkeypatch.setattr(ImageFont.core, "HAVE_RAQM", False)


@pytest.mark.usefixtures("all_signs", "without_raqm")
@pytest.mark.parametrize("words", RIGHT_TO_LEFT)
def test_right_to_left_text_is_reported(words):
    with pytest.raises(InvalidInputError, match="mirrored") as caught:
        apply_edits.check((200, 200), [text(words)])
    assert caught.value.field == "text"
    assert "FriBiDi" in caught.value.hint


@pytest.mark.usefixtures("all_signs", "without_raqm")
@pytest.mark.parametrize("words", JOINED)
def test_joining_scripts_are_reported(words):
    with pytest.raises(InvalidInputError, match="would be separate"):
        apply_edits.check((200, 200), [text(words)])


@pytest.mark.usefixtures("all_signs", "without_raqm")
@pytest.mark.parametrize("words", ["ที่นี่", "ẹ́\u0323\u0302"])
def test_overlapping_marks_are_reported(words):
    with pytest.raises(InvalidInputError, match="would overlap"):
        apply_edits.check((200, 200), [text(words)])


@pytest.mark.usefixtures("all_signs", "without_raqm")
@pytest.mark.parametrize("words", PLAIN)
def test_other_scripts_need_no_libraries(words):
    apply_edits.check((200, 200), [text(words)])


@pytest.mark.usefixtures("all_signs")
@pytest.mark.parametrize("lacks", ["raqm", "fribidi"])
def test_both_layout_libraries_are_needed(monkeypatch, lacks):
    real = features.check
    monkeypatch.setattr(features, "check", lambda name: name != lacks and real(name))
    with pytest.raises(InvalidInputError, match="mirrored"):
        apply_edits.check((200, 200), [text("שלום")])


@pytest.mark.usefixtures("all_signs")
@pytest.mark.parametrize("words", [*RIGHT_TO_LEFT, *JOINED])
def test_every_script_is_drawn_with_the_libraries(monkeypatch, words):
    monkeypatch.setattr(text_shaping, "can_shape", lambda _: True)
    apply_edits.check((200, 200), [text(words)])


@pytest.mark.parametrize(
    "hidden",
    ["\ufe0f", "\ufe0e", "\u200d", "\u200c", "\u00ad", "\u034f", "\u2060", "\U000e0100", "\u3164"],
)
def test_invisible_characters_are_neither_missing_nor_drawn(monkeypatch, hidden):
    with monkeypatch.context() as patched:
        patched.setattr(fonts, "_found", dict)  # a computer without fonts
        patched.setattr(ImageFont.core, "HAVE_RAQM", False)
        face = fonts.load("Default", 30)
        assert fonts.missing_characters(face, f"a{hidden}b") == ""
        apply_edits.check((200, 200), [text(f"a{hidden}b")])
        drawn = []
        for words in ("ab", f"a{hidden}b"):
            image = Image.new("RGB", (200, 200))
            text_overlay.draw(image, text(words))
            drawn.append(image.tobytes())
        assert drawn[0] == drawn[1]


def test_missing_glyphs_are_still_reported(monkeypatch):
    monkeypatch.setattr(fonts, "_found", dict)
    with pytest.raises(InvalidInputError, match="has no 海"):
        apply_edits.check((200, 200), [text("海\ufe0f")])


def test_used_font_is_named(monkeypatch):
    monkeypatch.setattr(fonts, "_found", dict)
    real = ImageFont.load_default(16).getname()[0]
    for asked in ("Default", fonts.PREFERRED):
        words = msgspec.structs.replace(WORDS, text="海", font_family=asked)
        with pytest.raises(InvalidInputError, match=f"The font {real} used as {asked} has no 海"):
            apply_edits.check((200, 200), [words])


def test_requested_font_is_named_once(tmp_path):
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
