"""Color profiles in previews, thumbnails and edits."""

import io
import struct

import pytest
from PIL import Image, ImageCms

from wonda_widgets.client.edit import Crop, Encode
from wonda_widgets.imaging import apply_edits, color, preview
from wonda_widgets.imaging.contact_sheet import make as sheet

CROP = Crop(x=0, y=0, width=20, height=20)


def fixed(number):
    return struct.pack(">i", round(number * 65_536))


def profile_of(kind, tags):
    """A small ICC profile (version 2), made of its tags."""
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
    header += fixed(0.9642) + fixed(1) + fixed(0.8249)
    return header.ljust(128, b"\0") + table + data


def xyz(*numbers):
    return b"XYZ " + bytes(4) + b"".join(map(fixed, numbers))


def curve(gamma):
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def description(text):
    return b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(80)


COMMON = {b"wtpt": xyz(0.9642, 1, 0.8249), b"cprt": b"text" + bytes(4) + b"none\0"}
ADOBE = profile_of(
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
GREY = profile_of(b"GRAY", {**COMMON, b"desc": description(b"Dark grey"), b"kTRC": curve(1.0)})
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREEN = (60, 200, 60)  # in Adobe RGB; in sRGB it has less red


def encoded(image, kind="PNG", **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def meant(rgb, profile=ADOBE):
    """What colours stand for in sRGB, by LittleCMS itself."""
    image = Image.new("RGB", (1, 1), rgb)
    own = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    made = ImageCms.profileToProfile(image, own, ImageCms.createProfile("sRGB"))
    return made.getpixel((0, 0))


def near(found, wanted, within=4):
    return all(abs(one - other) <= within for one, other in zip(found, wanted, strict=True))


def shown(data):
    made = preview.create_preview(data, 64)
    return Image.open(io.BytesIO(made.data)).convert("RGB").getpixel((10, 10))


def test_profiles_are_valid():
    assert color.is_valid_profile(ADOBE, "RGB")
    assert color.is_valid_profile(GREY, "L")
    assert not near(GREEN, meant(GREEN), within=20)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(40, 30), (600, 400)])
def test_preview_has_the_correct_colors(kind, size):
    data = encoded(Image.new("RGB", size, GREEN), kind, icc_profile=ADOBE, quality=100)
    assert near(shown(data), meant(GREEN))


def test_previews_of_palette_and_transparent_images_have_the_correct_colors():
    opaque = Image.new("RGB", (80, 60), GREEN)
    assert near(shown(encoded(opaque.quantize(4), icc_profile=ADOBE)), meant(GREEN))
    clear = opaque.convert("RGBA")
    clear.putpixel((70, 50), (0, 0, 0, 0))
    made = preview.create_preview(encoded(clear, icc_profile=ADOBE), 100)
    image = Image.open(io.BytesIO(made.data))
    assert image.mode == "RGBA"
    assert near(image.getpixel((10, 10)), (*meant(GREEN), 255))
    assert image.getpixel((70, 50))[3] == 0


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_previews_of_gray_images_have_the_correct_colors(mode):
    image = Image.new("L", (80, 60), 60).convert(mode)
    assert min(shown(encoded(image, icc_profile=GREY))) > 100


def test_contact_sheet_has_the_correct_colors():
    data = encoded(Image.new("RGB", (80, 60), GREEN), icc_profile=ADOBE)
    made, _ = sheet([preview.create_preview(data, 64).data], max_bytes=100_000)
    image = Image.open(io.BytesIO(made)).convert("RGB")
    assert near(image.getpixel((image.width // 2, image.height // 2)), meant(GREEN), within=6)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGB", "P", "L"])
def test_edit_has_the_correct_colors(kind, mode):
    profile, ground = (GREY, 60) if mode == "L" else (ADOBE, GREEN)
    image = Image.new("L" if mode == "L" else "RGB", (40, 40), ground)
    image = image.quantize(4) if mode == "P" else image
    data = encoded(image, icc_profile=profile)
    made = Image.open(
        io.BytesIO(apply_edits.apply(data, [CROP, Encode(format=kind, quality=100)]).data)
    )
    assert "icc_profile" not in made.info
    found = made.convert("RGB").getpixel((5, 5))
    assert min(found) > 100 if mode == "L" else near(found, meant(GREEN))


def test_edit_preview_equals_its_result():
    data = encoded(Image.new("RGB", (40, 40), GREEN), icc_profile=ADOBE)
    small, _ = preview.encode_preview(apply_edits.draw(apply_edits.open_original(data), [CROP]))
    assert near(Image.open(io.BytesIO(small)).convert("RGB").getpixel((5, 5)), meant(GREEN))


def test_unedited_file_is_unchanged():
    data = encoded(Image.new("RGB", (40, 40), GREEN), icc_profile=ADOBE)
    assert apply_edits.apply(data, []).data == data


@pytest.mark.parametrize(
    "profile",
    [b"a profile", ADOBE[:200], GREY, ADOBE[:132] + bytes(len(ADOBE) - 132), b"\0" * 5_000_000],
    ids=["none", "cut", "of another kind", "empty", "too large"],
)
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_invalid_profile_is_ignored(profile, kind):
    if len(profile) > 1_000_000 and kind == "PNG":
        profile = profile[:900_000]
    data = encoded(Image.new("RGB", (40, 40), GREEN), kind, icc_profile=profile, lossless=True)
    assert near(shown(data), GREEN)
    made = Image.open(io.BytesIO(apply_edits.apply(data, [CROP]).data)).convert("RGB")
    assert near(made.getpixel((5, 5)), GREEN)


def test_srgb_profile_changes_no_pixel():
    image = Image.effect_noise((50, 50), 90).convert("RGB")
    image.info["icc_profile"] = SRGB
    before = image.tobytes()
    assert color.to_srgb(image).tobytes() == before
