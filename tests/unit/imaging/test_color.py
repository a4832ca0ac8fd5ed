"""Color profiles in previews, thumbnails and edits."""

import io
import struct

import pytest
from PIL import Image, ImageCms

from wonda_widgets.client.edit import Crop, Encode
from wonda_widgets.imaging import apply_edits, color, preview
from wonda_widgets.imaging.contact_sheet import make as make_contact_sheet

CROP = Crop(x=0, y=0, width=20, height=20)


def fixed_point(number):
    return struct.pack(">i", round(number * 65_536))


def profile_of(kind, tags):
    """Return a small ICC profile (version 2) with the given tags."""
    head = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for name, unaligned in tags.items():
        body = unaligned + b"\0" * (-len(unaligned) % 4)
        table += name + struct.pack(">II", head + len(data), len(body))
        data += body
    header = struct.pack(
        ">I4sI4s4s4s", head + len(data), b"lcms", 0x02400000, b"mntr", kind, b"XYZ "
    )
    header += bytes(12) + b"acsp" + bytes(28)
    header += fixed_point(0.9642) + fixed_point(1) + fixed_point(0.8249)
    return header.ljust(128, b"\0") + table + data


def xyz(*numbers):
    return b"XYZ " + bytes(4) + b"".join(map(fixed_point, numbers))


def curve(gamma):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def description(text):
    return b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(80)


COMMON = {b"wtpt": xyz(0.9642, 1, 0.8249), b"cprt": b"text" + bytes(4) + b"none\0"}
ADOBE_RGB = profile_of(
    b"RGB ",
    {
        **COMMON,
        b"desc": description(b"Wide RGB"),
        b"rXYZ": xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": xyz(0.14919, 0.06322, 0.74457),
        **dict.fromkeys([b"rTRC", b"gTRC", b"bTRC"], curve(2.2)),
    },
)
GRAY = profile_of(b"GRAY", {**COMMON, b"desc": description(b"Dark gray"), b"kTRC": curve(1.0)})
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREEN = (60, 200, 60)  # an Adobe RGB color that has less red in sRGB


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def in_srgb(rgb, profile=ADOBE_RGB):
    """Convert a color to sRGB with LittleCMS."""
    image = Image.new("RGB", (1, 1), rgb)
    source_profile = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    converted = ImageCms.profileToProfile(image, source_profile, ImageCms.createProfile("sRGB"))
    return converted.getpixel((0, 0))


def is_close(actual, expected, tolerance=4):
    return all(abs(a - b) <= tolerance for a, b in zip(actual, expected, strict=True))


def preview_color(data):
    small = preview.create_preview(data, 64)
    return Image.open(io.BytesIO(small.data)).convert("RGB").getpixel((10, 10))


def test_profiles_of_these_tests_are_valid_and_change_colors():
    assert color.is_valid_profile(ADOBE_RGB, "RGB")
    assert color.is_valid_profile(GRAY, "L")
    assert not is_close(GREEN, in_srgb(GREEN), tolerance=20)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(40, 30), (600, 400)])
def test_preview_has_the_correct_colors(kind, size):
    data = encoded(Image.new("RGB", size, GREEN), kind, icc_profile=ADOBE_RGB, quality=100)
    assert is_close(preview_color(data), in_srgb(GREEN))


def test_previews_of_palette_and_transparent_images_have_the_correct_colors():
    opaque = Image.new("RGB", (80, 60), GREEN)
    assert is_close(
        preview_color(encoded(opaque.quantize(4), icc_profile=ADOBE_RGB)), in_srgb(GREEN)
    )
    clear = opaque.convert("RGBA")
    clear.putpixel((70, 50), (0, 0, 0, 0))
    small = preview.create_preview(encoded(clear, icc_profile=ADOBE_RGB), 100)
    image = Image.open(io.BytesIO(small.data))
    assert image.mode == "RGBA"
    assert is_close(image.getpixel((10, 10)), (*in_srgb(GREEN), 255))
    assert image.getpixel((70, 50))[3] == 0


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_previews_of_gray_images_have_the_correct_colors(mode):
    image = Image.new("L", (80, 60), 60).convert(mode)
    assert min(preview_color(encoded(image, icc_profile=GRAY))) > 100


def test_contact_sheet_has_the_correct_colors():
    data = encoded(Image.new("RGB", (80, 60), GREEN), icc_profile=ADOBE_RGB)
    contact_sheet, _ = make_contact_sheet(
        [preview.create_preview(data, 64).data], max_bytes=100_000
    )
    image = Image.open(io.BytesIO(contact_sheet)).convert("RGB")
    assert is_close(
        image.getpixel((image.width // 2, image.height // 2)), in_srgb(GREEN), tolerance=6
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_edit_has_the_correct_colors(kind, mode):
    profile, background = (GRAY, 60) if mode == "L" else (ADOBE_RGB, GREEN)
    image = Image.new("L" if mode == "L" else "RGB", (40, 40), background)
    image = image.quantize(4) if mode == "P" else image
    data = encoded(image, icc_profile=profile)
    edited = Image.open(
        io.BytesIO(apply_edits.apply(data, [CROP, Encode(format=kind, quality=100)]).data)
    )
    assert "icc_profile" not in edited.info
    actual = edited.convert("RGB").getpixel((5, 5))
    assert min(actual) > 100 if mode == "L" else is_close(actual, in_srgb(GREEN))


def test_edit_preview_has_the_correct_colors():
    data = encoded(Image.new("RGB", (40, 40), GREEN), icc_profile=ADOBE_RGB)
    encoded_preview, _ = preview.encode_preview(
        apply_edits.draw(apply_edits.open_original(data), [CROP])
    )
    assert is_close(
        Image.open(io.BytesIO(encoded_preview)).convert("RGB").getpixel((5, 5)), in_srgb(GREEN)
    )


def test_file_without_edits_is_unchanged():
    data = encoded(Image.new("RGB", (40, 40), GREEN), icc_profile=ADOBE_RGB)
    assert apply_edits.apply(data, []).data == data


@pytest.mark.parametrize(
    "profile",
    [
        b"a profile",
        ADOBE_RGB[:200],
        GRAY,
        ADOBE_RGB[:132] + bytes(len(ADOBE_RGB) - 132),
        b"\0" * 5_000_000,
    ],
    ids=["not a profile", "truncated", "gray profile", "empty", "too large"],
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_invalid_profile_is_ignored(profile, kind):
    if len(profile) > 1_000_000 and kind == "PNG":
        profile = profile[:900_000]
    data = encoded(Image.new("RGB", (40, 40), GREEN), kind, icc_profile=profile, lossless=True)
    assert is_close(preview_color(data), GREEN)
    edited = Image.open(io.BytesIO(apply_edits.apply(data, [CROP]).data)).convert("RGB")
    assert is_close(edited.getpixel((5, 5)), GREEN)


def test_srgb_profile_changes_no_pixel():
    image = Image.effect_noise((50, 50), 90).convert("RGB")
    image.info["icc_profile"] = SRGB
    before = image.tobytes()
    assert color.to_srgb(image).tobytes() == before
