"""Grapheme clusters, and file names that are never cut inside one."""

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wonda_widgets.imaging import save_original
from wonda_widgets.utils import graphemes, new_files

FAMILY = "👩‍👩‍👧"
FLAG = "🇯🇵"
WAVE = "👋🏽"
SCOTLAND = "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    "characters",
    [
        list("abc"),
        ["e\u0301", "a"],
        [FAMILY, FLAG, FLAG, WAVE, SCOTLAND, "☀️", "1️⃣"],
        ["हि", "न्दी"],
        ["क्ष", "त्रि", "य"],
        ["ที่", "นี่"],
        ["🇯🇵", "🇫"],
        ["a", " ", "b"],
        ["\u1112\u1161\u11ab", "\u1100\u1173\u11af"],  # Hangul syllables in parts
    ],
)
def test_split_into_grapheme_clusters(characters):
    assert list(graphemes.split("".join(characters))) == characters


@pytest.mark.parametrize(
    "text", [FLAG, FAMILY, "👩\u200d", "e\u0301", "क\u094d", "\u1100", "\u0600", "\r\n", SCOTLAND]
)
def test_splitting_a_long_text_takes_linear_time(text):
    long = text * 100_000
    started = time.process_time()
    assert "".join(graphemes.split(long)) == long
    assert time.process_time() - started < 60, "quadratic time would take minutes"


@given(st.text(max_size=30), st.integers(0, 9), st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_truncate_between_clusters(text, characters, size):
    short = graphemes.truncate(text, characters, size)
    assert text.startswith(short)
    assert len(short.encode(errors="replace")) <= size
    assert (
        list(graphemes.split(short))
        == list(graphemes.split(text))[: len(list(graphemes.split(short)))]
    )


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [
        ("हिन्दी समुद्र", "हिन्दी-समुद्र"),
        ("พระอาทิตย์ตก, ทะเล", "พระอาทิตย์ตก-ทะเล"),
        (unicodedata.normalize("NFD", "Phở trên biển"), "phở-trên-biển"),
        ("क्षत्रिय", "क्षत्रिय"),
        ("شَمْس", "شَمْس"),
        ("می‌خواهم", "می‌خواهم"),
        (f"{FAMILY} on a {FLAG} beach ☀️!", f"{FAMILY}-on-a-{FLAG}-beach-☀️"),
        (f"{WAVE}", WAVE),
        ("\u0301x", "x"),  # a mark of nothing
        ("\u200d\ufe0f", "image"),
        ("a\u200d", "a"),
        ("evil\u202egnp.exe", "evil-gnp-exe"),
        ("a\u2066b\u2069", "a-b"),
        ("name. ", "name"),
    ],
)
def test_file_name_keeps_marks_and_emoji(prompt, stem):
    assert save_original.file_name(prompt, "12345678", "PNG") == f"{stem}-12345678.png"


@pytest.mark.parametrize(
    "character", [FAMILY, FLAG, WAVE, SCOTLAND, "क्षि", "ที่", "海", "ü", "노", "x", "☀️"]
)
def test_long_file_name_is_cut_between_clusters(character):
    name = save_original.file_name(character * 500, "12345678", "PNG")
    stem = name.removesuffix("-12345678.png")
    assert stem
    assert stem == character * (len(stem) // len(character))
    assert len(name.encode()) <= 220


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_prompt_gives_a_valid_file_name(prompt):
    name = save_original.file_name(prompt, "", "PNG")
    assert 5 <= len(name.encode()) <= 220
    assert not set(name) & set('<>:"/\\|?* \0\r\n\t')
    assert name == name.strip(". ")
    stem = name.removesuffix(".png")
    assert not save_original.RESERVED.fullmatch(stem)


def test_file_name_in_any_script_can_be_written(tmp_path):
    for prompt in ("हिन्दी समुद्र", FAMILY * 99, "海" * 99, "e\u0301" * 300):
        written = save_original.write(
            tmp_path, save_original.file_name(prompt, "12345678", "PNG"), b"x"
        )
        assert written.exists()


@pytest.mark.parametrize("stem", ["x" * 250, "海" * 83, FAMILY * 13])
def test_numbered_file_name_is_not_too_long(tmp_path, stem):
    name = f"{stem}.png"
    assert len(name.encode()) <= 255
    first = save_original.write(tmp_path / name, "", b"1")
    second = save_original.write(tmp_path / name, "", b"2")
    assert first.name == name
    assert second.name.endswith(" (2).png")
    assert len(second.name.encode()) <= 255
    assert stem.startswith(second.name.removesuffix(" (2).png"))
    assert new_files.numbered_name("a" * 255, 9_999).endswith(" (9999)")
