"""Edits: the resulting pixels and sizes."""

import io

import msgspec
import pytest
from PIL import Image, ImageFont

from wonda_widgets.errors import InvalidInputError, UnsafeMediaError
from wonda_widgets.imaging import (
    apply_edits,
    decode,
    fonts,
    preview,
    text_overlay,
    text_shaping,
)
from wonda_widgets.imaging.operations import (
    Crop,
    Encode,
    Pad,
    Resize,
    Text,
)

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
TEXT = Text(text="Hello", stroke_width=0, font_family="Default", text_color="#ff0000")


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def red_and_blue(width=40, height=20, mode="RGB"):
    """Return an image that is red on the left and blue on the right."""
    image = Image.new(mode, (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def apply(data, *operations):
    edited = apply_edits.apply(data, operations)
    image = Image.open(io.BytesIO(edited.data))
    assert (image.width, image.height, image.format) == (edited.width, edited.height, edited.format)
    return image


def color_box(image, color=RED):
    """Return the bounding box of the red or blue pixels."""
    red, _, blue = image.convert("RGB").split()
    strong = red.point(lambda value: 255 * (value > 128)) if color == RED else blue
    return strong.getbbox()


# ---------------------------------------------------------------- operations


def test_crop_keeps_the_exact_pixels():
    image = Image.new("RGB", (8, 6))
    image.putdata([(x, y, 7) for y in range(6) for x in range(8)])
    edited = apply(encoded(image), Crop(x=2, y=1, width=3, height=4))
    pixels = [edited.getpixel((x, y)) for y in range(4) for x in range(3)]
    assert pixels == [(x, y, 7) for y in range(1, 5) for x in range(2, 5)]


def test_pad_centers_the_image():
    edited = apply(encoded(red_and_blue()), Pad(width=60, height=40, color="#00ff00"))
    assert [edited.getpixel(at) for at in ((0, 0), (9, 20), (10, 10), (29, 29), (30, 10))] == [
        (0, 255, 0),
        (0, 255, 0),
        RED,
        RED,
        BLUE,
    ]
    assert edited.getpixel((10, 30)) == (0, 255, 0)


def test_transparent_padding_is_white_in_jpeg():
    clear = Pad(width=60, height=40, color="#ffffff00")
    assert apply(encoded(red_and_blue()), clear).getpixel((0, 0)) == (255, 255, 255, 0)
    edited = apply(encoded(red_and_blue()), clear, Encode(format="JPEG"))
    assert min(edited.getpixel((0, 0))) > 240


def test_resize_scales_the_whole_image():
    edited = apply(encoded(red_and_blue()), Resize(width=10, height=30))
    assert edited.getpixel((1, 15)) == RED
    assert edited.getpixel((8, 15)) == BLUE


def test_operations_are_applied_in_order():
    crop, pad = Crop(x=0, y=0, width=20, height=20), Pad(width=40, height=20, color="white")
    edited = apply(encoded(red_and_blue()), crop, pad)
    assert [edited.getpixel((x, 5)) for x in (5, 15, 25, 35)] == [WHITE, RED, RED, WHITE]
    edited = apply(encoded(red_and_blue()), Pad(width=80, height=20, color="white"), crop)
    assert edited.getpixel((5, 5)) == WHITE


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_format_is_kept_by_default(kind):
    data = encoded(red_and_blue(), kind)
    assert apply_edits.apply(data, [Crop(x=0, y=0, width=5, height=5)]).format == kind
    edited = apply_edits.apply(data, [Encode(format="PNG"), Encode(format="WEBP")])
    assert (edited.format, edited.mime_type) == ("WEBP", "image/webp")


def test_without_operations_the_file_is_unchanged():
    data = encoded(red_and_blue(), "GIF")
    edited = apply_edits.apply(data, [])
    assert (edited.data, edited.format, edited.mime_type) == (data, "GIF", "image/gif")
    assert apply_edits.apply(data, [Crop(x=0, y=0, width=5, height=5)]).format == "PNG"


def test_lower_quality_gives_a_smaller_file():
    data = encoded(Image.effect_noise((200, 200), 90).convert("RGB"))
    sizes = [
        len(apply_edits.apply(data, [Encode(format="JPEG", quality=quality)]).data)
        for quality in (20, 60, 95)
    ]
    assert sizes == sorted(sizes)


def test_exif_orientation_is_applied_first():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned clockwise, which moves the left half to the top
    data = encoded(red_and_blue(40, 20), "JPEG", exif=exif, quality=100)
    edited = apply(data, Crop(x=0, y=0, width=20, height=20))
    assert edited.format == "JPEG"
    red, _, blue = edited.getpixel((10, 10))
    assert red > 200
    assert blue < 50
    assert not edited.getexif()


def test_profile_is_kept_and_location_is_removed():
    exif = Image.Exif()
    exif[0x010E] = "at home"
    data = encoded(red_and_blue(), "JPEG", icc_profile=b"a profile", exif=exif, comment=b"private")
    edited = apply(data, Crop(x=0, y=0, width=9, height=9))
    assert edited.info["icc_profile"] == b"a profile"
    assert not edited.getexif()
    assert "comment" not in edited.info


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_every_mode_can_be_edited(mode):
    kind = "JPEG" if mode == "CMYK" else "PNG"
    data = encoded(red_and_blue().convert("L" if mode == "I;16" else mode).convert(mode), kind)
    assert apply(data, Crop(x=0, y=0, width=9, height=9), TEXT).size == (9, 9)


# ---------------------------------------------------------------- text


@pytest.mark.parametrize(
    "position",
    [
        *("top-left", "top-center", "top-right"),
        *("center-left", "center", "center-right"),
        *("bottom-left", "bottom-center", "bottom-right"),
    ],
)
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_text_is_drawn_at_its_position_with_a_margin(position, mode):
    background = Image.new(mode, (300, 300), "black" if mode == "RGB" else (0, 0, 0, 0))
    text = msgspec.structs.replace(TEXT, position=position, size_percent=100)
    left, top, right, bottom = color_box(apply(encoded(background), text))
    middle = ((left + right) / 2, (top + bottom) / 2)
    for coordinate, first, last in ((middle[0], "left", "right"), (middle[1], "top", "bottom")):
        expected = 0 if first in position else 2 if last in position else 1
        assert int(coordinate // 100) == expected
    # A margin of 5 percent of the canvas stays empty.
    assert min(left, top, 300 - right, 300 - bottom) >= 15


def test_text_is_wrapped_and_long_words_are_broken():
    font = fonts.load("Default", 20)
    text = "Nothing is billed twice and\nnothing is " + "x" * 80
    lines = list(text_overlay.wrap(text, font, 120))
    assert all(font.getlength(line) <= 120 for line in lines)
    assert " ".join(lines).replace("x x", "xx").split() == text.split()
    background = Image.new("RGB", (400, 400))
    operation = msgspec.structs.replace(TEXT, text="word " * 12, size_percent=40, position="center")
    left, _, right, _ = color_box(apply(encoded(background), operation))
    assert right - left <= 160


def test_text_scale_and_outline_set_the_size_drawn():
    background = encoded(Image.new("RGB", (1080, 1080)))
    small, large = (
        color_box(apply(background, msgspec.structs.replace(TEXT, font_size_scale=scale)))
        for scale in (1, 2)
    )
    assert large[3] - large[1] == pytest.approx(2 * (small[3] - small[1]), rel=0.1)
    outlined = msgspec.structs.replace(TEXT, stroke_width=8, stroke_color="#0000ff")
    outline_box = color_box(apply(background, outlined), BLUE)
    assert outline_box[0] == pytest.approx(small[0] - 8, abs=2)
    # On an image half as wide, the outline is half as thick.
    assert color_box(apply(encoded(Image.new("RGB", (540, 540))), outlined), BLUE)[0] == (
        pytest.approx(outline_box[0] / 2, abs=2)
    )


def test_text_on_a_transparent_image_has_no_fringe():
    clear = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
    edited = apply(encoded(clear), msgspec.structs.replace(TEXT, text_color="white"))
    colors = {pixel[:3] for _, pixel in edited.getcolors(100_000) if pixel[3]}
    assert colors == {WHITE}


@pytest.mark.parametrize(
    "text",
    [
        "👩‍🚀 emoji",
        "שלום עולם",
        "مرحبا",
        "a\tb\0c",
        "日本語",
        "\u202eabc",
        "e\u0301" * 40,
        "A\r\n\r\nB",
    ],
)
def test_any_text_is_drawn_or_raises(text):
    background = encoded(Image.new("RGB", (120, 90)))
    operation = msgspec.structs.replace(TEXT, text=text, font_size_scale=9)
    face = fonts.load(operation.font_family, 16)
    needs_shaping = text_shaping.find_problem(text) and not text_shaping.can_shape(face)
    # This depends on the installed fonts and libraries.
    if fonts.missing_characters(face, text) or needs_shaping:
        with pytest.raises(InvalidInputError, match=r"has no|cannot be drawn"):
            apply(background, operation)
    else:
        assert apply(background, operation)


def test_missing_glyphs_are_named_in_the_error(monkeypatch):
    monkeypatch.setattr(fonts, "_found", dict)  # simulates a computer without fonts
    operation = msgspec.structs.replace(TEXT, font_family="Default", text="Zoë — 5 €")
    with pytest.raises(InvalidInputError, match="Default has no ë — €"):
        apply_edits.check((200, 200), [operation])
    apply_edits.check((200, 200), [msgspec.structs.replace(operation, text="Zoe, 5 “euros”…")])


def test_original_pixels_are_not_modified():
    image = red_and_blue(200, 200)
    before = image.tobytes()
    apply_edits.draw(image, [msgspec.structs.replace(TEXT, text_color="lime")])
    assert image.tobytes() == before


# ---------------------------------------------------------------- fonts


@pytest.fixture
def no_fonts(monkeypatch):
    monkeypatch.setattr(fonts, "_found", dict)


def test_default_font_is_always_available(no_fonts):  # noqa: ARG001
    assert fonts.families() == ["Default"]
    assert fonts.load("Default", 12).getname() == fonts.load("Inter", 12).getname()
    background = encoded(Image.new("RGB", (90, 90)))
    assert color_box(apply(background, Text(text="Hello")))


def test_missing_font_error_lists_available_fonts(no_fonts):  # noqa: ARG001
    with pytest.raises(InvalidInputError, match="“Bebas Neue” is not on this computer") as caught:
        apply_edits.check((90, 90), [Text(text="x", font_family="Bebas Neue")])
    assert "Default" in caught.value.hint


def test_fonts_are_loaded_by_family_name_or_path(monkeypatch, tmp_path):
    built_in = ImageFont.load_default(10)
    (tmp_path / "deep").mkdir()
    path = tmp_path / "deep" / "some.ttf"
    path.write_bytes(built_in.font_bytes)
    (tmp_path / "broken.ttf").write_bytes(b"not a font")
    monkeypatch.setattr(fonts, "_folders", lambda: [tmp_path, tmp_path / "not-there"])
    fonts._found.cache_clear()
    family = built_in.getname()[0]
    try:
        assert fonts.families() == ["Default", family]
        assert fonts.load(family.upper(), 12).size == 12
    finally:
        fonts._found.cache_clear()
    assert fonts.load(str(path), 12).getname() == built_in.getname()
    with pytest.raises(InvalidInputError, match="cannot be read as a font"):
        fonts.load(str(tmp_path / "broken.ttf"), 12)


# ---------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("operation", "field", "message"),
    [
        (Crop(x=-1, y=0, width=5, height=5), "x", "extends beyond the image"),
        (Crop(x=36, y=0, width=5, height=5), "x", "which has 40 × 20 pixels"),
        (Crop(x=0, y=16, width=5, height=5), "y", "Make it smaller, or move it"),
        (Crop(x=0, y=0, width=0, height=5), "width", "is empty"),
        (Pad(width=39, height=30), "width", "smaller than the image"),
        (Pad(width=50, height=30, color="blurple"), "color", "“blurple” is not a color"),
        (Resize(width=0, height=10), "width", "is empty"),
        (Resize(width=6000, height=6000), "width", "25 million"),
        (Resize(width=20_000, height=1), "width", "16,383"),
        (Text(text=" \n"), "text", "The text is empty"),
        (Text(text="\ud800"), "text", "invalid character"),
        (Text(text="x" * 2001), "text", "2,001 characters"),
        (Text(text="x", padding_top=51), "padding_top", "from 0 to 50"),
        (Text(text="x", padding_left=50, padding_right=50), "padding_left", "no room"),
        (Text(text="x", size_percent=9), "size_percent", "from 10 to 100"),
        (Text(text="x", font_size_scale=float("nan")), "font_size_scale", "from 0.1 to 10"),
        (Text(text="x", stroke_width=-1), "stroke_width", "from 0 to 50"),
        (Text(text="x", text_color=""), "text_color", "not a color"),
        (Encode(format="JPEG", quality=0), "quality", "from 1 to 100"),
        (Encode(format="JPEG", quality=101), "quality", "from 1 to 100"),
    ],
)
def test_check_raises_for_an_invalid_operation(operation, field, message):
    with pytest.raises(InvalidInputError) as caught:
        apply_edits.check((40, 20), [operation])
    assert caught.value.field == field
    assert message in str(caught.value)


def test_check_uses_the_size_after_earlier_operations():
    operations = [
        Crop(x=0, y=0, width=10, height=10),
        Pad(width=12, height=15),
        Encode(format="PNG"),
    ]
    assert apply_edits.check((40, 20), operations) == (12, 15)
    with pytest.raises(InvalidInputError, match="which has 12 × 15"):
        apply_edits.check((40, 20), [*operations, Crop(x=0, y=0, width=13, height=5)])


@pytest.mark.parametrize(
    "operations",
    [
        [{"operation": "rotate"}],
        [{"operation": "crop", "x": 0}],
        [{"operation": "crop", "x": "0", "y": 0, "width": 1, "height": 1}],
        [Encode(format="GIF")],
        [Text(text=5)],
        ["crop"],
        5,
    ],
)
def test_parsing_invalid_operations_raises(operations):
    with pytest.raises(InvalidInputError, match=r"not a valid edit|No image"):
        apply_edits.parse_operations(operations)


def test_operations_are_restored_from_json():
    operations = (
        Crop(x=1, y=2, width=3, height=4),
        TEXT,
        Pad(width=9, height=9),
        Encode(format="PNG"),
    )
    assert (
        apply_edits.parse_operations(msgspec.json.decode(msgspec.json.encode(operations)))
        == operations
    )


def test_invalid_or_too_large_image_is_refused(monkeypatch):
    with pytest.raises(UnsafeMediaError):
        apply_edits.apply(b"<html>", [Encode(format="PNG")])
    monkeypatch.setattr(decode, "MAX_MEMORY_BYTES", 1000)
    with pytest.raises(UnsafeMediaError):
        apply_edits.apply(encoded(red_and_blue(100, 100)), [Encode(format="PNG")])


# ---------------------------------------------------------------- aspect ratios


@pytest.mark.parametrize(
    "size", [(1080, 1920), (2000, 1351), (1023, 2000), (333, 333), (1530, 2720)]
)
@pytest.mark.parametrize("ratio", [4 / 5, 1, 1.91, 9 / 16, 16 / 9])
def test_crop_and_pad_never_exceed_the_requested_aspect_ratio(size, ratio):
    crop, pad = apply_edits.centered_crop(size, ratio), apply_edits.padded(size, ratio)
    assert apply_edits.check(size, [crop]) == (crop.width, crop.height)
    assert apply_edits.check(size, [pad]) == (pad.width, pad.height)
    for operation in (crop, pad):
        actual_ratio = operation.width / operation.height
        assert actual_ratio == pytest.approx(ratio, rel=0.01)
        assert actual_ratio <= ratio + 1e-9 if ratio >= 1 else actual_ratio >= ratio - 1e-9
    assert abs(2 * crop.x + crop.width - size[0]) <= 1


def test_tall_image_is_cropped_or_padded_to_4_5():
    assert apply_edits.centered_crop((1080, 1920), 4 / 5) == Crop(
        x=0, y=285, width=1080, height=1350
    )
    assert apply_edits.padded((1080, 1920), 4 / 5, "#000000") == Pad(
        width=1536, height=1920, color="#000000"
    )
    with pytest.raises(InvalidInputError, match="not a valid ratio"):
        apply_edits.centered_crop((10, 10), 0)


def test_encoded_preview_keeps_its_size_limits():
    data, mime_type = preview.encode_preview(Image.effect_noise((3000, 1200), 120).convert("RGB"))
    assert (len(data) <= preview.MAX_BYTES, mime_type) == (True, "image/jpeg")
    assert max(Image.open(io.BytesIO(data)).size) <= preview.MAX_SIDE
