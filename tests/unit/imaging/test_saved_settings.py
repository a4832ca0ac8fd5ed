"""A saved file brings its settings back."""

import json
from io import BytesIO

import pytest
from PIL import Image, PngImagePlugin

from wonda_widgets.imaging import save_original, saved_settings

MADE = {
    "model": "nano-banana-2",
    "prompt": 'A "quiet" harbor <at> dawn & 港 🎏\nlong lens',
    "params": {"aspectRatio": "4:5", "resolution": "2K", "seed": 7},
}
A1111 = "a lone sail, dusk\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, Seed: 5"


def file(kind, mode="RGB", **options):
    out = BytesIO()
    Image.new(mode, (37, 20), "teal").save(out, kind, **options)
    return out.getvalue()


FILES = {
    "png": file("PNG"),
    "jpeg": file("JPEG"),
    "webp": file("WEBP"),
    "lossless webp": file("WEBP", lossless=True),
    "webp with transparency": file("WEBP", "RGBA"),
    "webp with a profile": file("WEBP", icc_profile=b"x" * 3),
    "animated webp": file("WEBP", save_all=True, append_images=[Image.new("RGB", (37, 20), "red")]),
}


@pytest.mark.parametrize("kind", FILES)
def test_settings_are_read_from_what_save_writes(kind):
    texts = save_original.metadata(MADE, "job-1", "media-1")
    data = save_original.with_metadata(FILES[kind], texts)
    found = saved_settings.read(data)
    assert (found.prompt, found.model, found.params) == (
        MADE["prompt"],
        MADE["model"],
        MADE["params"],
    )
    with Image.open(BytesIO(FILES[kind])) as before, Image.open(BytesIO(data)) as after:
        assert (after.size, after.mode) == (before.size, before.mode)
        assert after.convert("RGBA").tobytes() == before.convert("RGBA").tobytes()
        assert getattr(after, "n_frames", 1) == getattr(before, "n_frames", 1)


def test_first_part_of_a_file_is_enough():
    texts = save_original.metadata(MADE, "job-1", "media-1")
    noise = Image.effect_noise((900, 900), 100)
    for kind in ("PNG", "JPEG"):
        out = BytesIO()
        noise.save(out, kind)
        data = save_original.with_metadata(out.getvalue(), texts)
        assert saved_settings.read(data[:100_000]).prompt == MADE["prompt"]


def exif_comment(text):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
    return exif


def test_prompt_is_read_from_text_of_a1111():
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", A1111)
    for data in (
        file("PNG", pnginfo=info),
        file("JPEG", exif=exif_comment(A1111)),
        file("WEBP", exif=exif_comment(A1111)),
    ):
        assert saved_settings.read(data) == saved_settings.SavedSettings("a lone sail, dusk")


def test_only_values_that_a_form_has_are_read():
    texts = {"Software": "wonda_widgets", "prompt": "A sail", "model": "m"}
    params = {"good": 1, "list": [1], "nested": {"a": 1}, "none": None}
    data = save_original.with_metadata(FILES["png"], {**texts, "parameters": json.dumps(params)})
    assert saved_settings.read(data).params == {"good": 1}
    for broken in ("{", "[1]", "[" * 100_000):
        data = save_original.with_metadata(FILES["png"], {**texts, "parameters": broken})
        assert saved_settings.read(data).params == {}


@pytest.mark.parametrize(
    "data",
    [
        *FILES.values(),
        b"",
        b"not an image",
        b"\x89PNG\r\n\x1a\n" + b"\xff" * 100,
        FILES["png"][:40],
        b"RIFF\xff\xff\xff\xffWEBP" + b"VP8X" * 10,
        b"<wonda:settings>{</wonda:settings>",
        b"<wonda:settings>" * 50_000,
    ],
)
def test_file_without_settings_has_none(data):
    assert saved_settings.read(data) is None


def test_damaged_webp_is_saved_unchanged():
    texts = save_original.metadata(MADE, "job-1", "media-1")
    for data in (b"RIFF\x10\0\0\0WEBP", b"RIFF\x10\0\0\0WEBPVP8 \xff\xff\xff\x7fx"):
        assert save_original.with_metadata(data, texts) == data


def test_png_with_a_comment_keeps_its_settings():
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "by Ana")
    data = save_original.with_metadata(
        file("PNG", pnginfo=info), save_original.metadata(MADE, "j", "m")
    )
    assert saved_settings.read(data).prompt == MADE["prompt"]


@pytest.mark.parametrize(
    ("given", "count"), [("2", 2), ("12abc", 0), ("9" * 5_000, 0), ("-1", 0), ("", 0)]
)
def test_number_of_references_in_a_file(given, count):
    texts = save_original.metadata(MADE, "j", "m") | {"references": given}
    data = save_original.with_metadata(file("PNG"), texts)
    assert saved_settings.read(data).references == count
