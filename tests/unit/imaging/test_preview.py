"""Previews of images, and originals saved with metadata."""

import io
import struct
import zlib

import pytest
from PIL import Image, ImageChops, ImageOps

from wonda_widgets.errors import UnsafeMediaError
from wonda_widgets.imaging import (
    apply_edits,
    decode,
    preview,
    save_original,
)
from wonda_widgets.imaging.operations import Encode


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width, height):
    return Image.effect_noise((width, height), 120).convert("RGB")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(3000, 1200), (700, 2500), (64, 64), (1, 4000)])
def test_preview_is_small_and_keeps_the_aspect_ratio(kind, size):
    small = preview.create_preview(encoded(noise(*size), kind))
    shown = Image.open(io.BytesIO(small.data))
    assert len(small.data) <= preview.MAX_BYTES
    assert max(shown.size) <= preview.MAX_SIDE
    assert (small.width, small.height, small.format) == (*size, kind)
    if min(size) > 1:
        assert shown.width / shown.height == pytest.approx(size[0] / size[1], rel=0.02)


def test_small_image_is_not_enlarged():
    small = preview.create_preview(encoded(noise(64, 48)))
    assert Image.open(io.BytesIO(small.data)).size == (64, 48)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_preview_applies_the_exif_orientation(kind):
    image = Image.new("RGB", (2400, 1200), "red")
    image.paste("blue", (0, 0, 1200, 1200))
    exif = Image.Exif()
    exif[0x0112] = 6  # turned clockwise
    data = encoded(image, kind, exif=exif)
    small = preview.create_preview(data)
    shown = Image.open(io.BytesIO(small.data)).convert("RGB")
    assert (small.width, small.height) == (1200, 2400)
    assert shown.height > shown.width
    red, _, blue = shown.getpixel((shown.width // 2, 20))
    assert blue > red
    assert decode.full_size(data).size == (1200, 2400)


def test_preview_keeps_transparency_unless_it_exceeds_the_size_limit():
    plain = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    assert preview.create_preview(encoded(plain)).mime_type == "image/png"
    noisy = noise(2000, 2000).convert("RGBA")
    noisy.putalpha(Image.effect_noise((2000, 2000), 120))
    small = preview.create_preview(encoded(noisy))
    assert small.mime_type == "image/jpeg"
    assert len(small.data) <= preview.MAX_BYTES


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK"])
def test_every_mode_has_a_preview(mode):
    image = Image.new(mode, (300, 200))
    data = (
        encoded(image, "TIFF" if mode == "CMYK" else "PNG")
        if mode != "CMYK"
        else encoded(image, "JPEG")
    )
    assert preview.create_preview(data).width == 300


def gray_image(level, bits=16, **options):
    """Return an image of one gray level with 16 or 8 bits per pixel."""
    return encoded(Image.new("I;16" if bits == 16 else "L", (40, 20), level), **options)


@pytest.mark.parametrize("level", [0, 1, 127, 128, 200, 255])
def test_16_bit_gray_image_is_shown_like_its_8_bit_version(level):
    data, data_8_bit = gray_image(level * 257), gray_image(level, 8)
    assert decode.full_size(data).getpixel((5, 5)) == level
    assert apply_edits.open_original(data).getpixel((5, 5)) == (level,) * 3
    assert apply_edits.open_original(data).format == "PNG"
    edited = apply_edits.apply(data, [Encode(format="PNG")])
    assert Image.open(io.BytesIO(edited.data)).getpixel((5, 5)) == (level,) * 3
    assert preview.create_preview(data).data == preview.create_preview(data_8_bit).data
    tilted = Image.Exif()
    tilted[0x0112] = 6
    assert decode.full_size(gray_image(level * 257, exif=tilted)).size == (20, 40)


def test_16_bit_gray_image_keeps_its_transparency():
    data = gray_image(50_000, transparency=50_000)
    assert apply_edits.open_original(data).getchannel("A").getextrema() == (0, 0)
    assert (
        apply_edits.open_original(gray_image(10_000, transparency=50_000)).getpixel((5, 5))[3]
        == 255
    )
    assert preview.create_preview(data).mime_type == "image/png"


HTML = b"<html><script>alert(1)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


OTHER_FORMATS = [
    encoded(Image.new("RGB", (9, 9)), kind) for kind in ("BMP", "TIFF", "ICO", "EPS", "PPM")
]


@pytest.mark.parametrize(
    "data", [b"", HTML, SVG, b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", *OTHER_FORMATS]
)
def test_data_in_another_format_has_no_preview(data):
    with pytest.raises(UnsafeMediaError):
        preview.create_preview(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_truncated_image_has_no_preview(kind):
    data = encoded(noise(500, 500), kind)
    with pytest.raises(UnsafeMediaError):
        preview.create_preview(data[: len(data) // 2])


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, *more):
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + chunk(b"IEND", b"")


def pixel_chunk(width, height):
    return chunk(b"IDAT", zlib.compress(bytes((3 * width + 1) * height)))


def with_size(data, offset, width, height, layout):
    return (
        data[:offset]
        + struct.pack(layout, width, height)
        + data[offset + struct.calcsize(layout) :]
    )


TOO_LARGE = {
    "png": png(60_000, 60_000, chunk(b"IDAT", b"")),
    "gif": with_size(encoded(noise(9, 9), "GIF"), 6, 60_000, 60_000, "<HH"),
    "webp": encoded(Image.new("RGB", (16_383, 600)), "WEBP", lossless=True, method=0),
    "jpeg": encoded(Image.new("RGB", (6000, 6000)), "JPEG", progressive=True),
    "wide": png(1, 2**31 - 1, chunk(b"IDAT", b"")),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_many_pixels_are_refused_before_decoding(name, monkeypatch):
    monkeypatch.setattr(decode, "MAX_MEMORY_BYTES", 100_000_000)
    monkeypatch.setattr(Image.Image, "load", None)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    with pytest.raises(UnsafeMediaError, match="pixels"):
        preview.create_preview(TOO_LARGE[name])


@pytest.mark.parametrize("size", [(4096, 4096), (3840, 2160)])
def test_4k_images_are_within_the_limits(size):
    for kind in ("PNG", "JPEG"):
        data = encoded(Image.new("RGB", size), kind)
        assert preview.create_preview(data, 2048).width == size[0]
        assert decode.full_size(data).size == size
    data = encoded(Image.new("RGB", (3840, 2160)), "WEBP", lossless=True, method=0)
    assert preview.create_preview(data, 2048).width == 3840


def test_8k_jpeg_has_a_preview():
    data = encoded(Image.new("RGB", (7680, 4320)), "JPEG")
    assert preview.create_preview(data, 2048).width == 7680


METADATA = {
    "a large text": chunk(b"tEXt", b"k\0" + b"a" * 9_000_000),
    "compressed texts": chunk(b"iTXt", b"k\0\1\0\0\0" + zlib.compress(b"a" * 2**20)) * 60,
    "a compressed profile": chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(20_000_000))),
    "many texts": chunk(b"tEXt", b"k\0") * 120_000,
}


@pytest.mark.parametrize("name", METADATA)
@pytest.mark.parametrize("after", [False, True])
def test_png_with_too_much_metadata_is_refused(name, after):
    parts = [pixel_chunk(64, 64), METADATA[name]]
    with pytest.raises(UnsafeMediaError):
        preview.create_preview(png(64, 64, *(parts if after else parts[::-1])))


def test_file_with_too_much_metadata_before_the_image_is_refused():
    data = encoded(noise(64, 64), "JPEG")
    segment = b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)
    assert preview.create_preview(data[:2] + segment * 5 + data[2:]).width == 64
    with pytest.raises(UnsafeMediaError):
        preview.create_preview(data[:2] + segment * 50 + data[2:])
    gif = encoded(Image.new("P", (64, 64)), "GIF")
    comment = b"\x21\xfe" + (b"\xff" + b"c" * 255) * 4096 + b"\0"
    palette = 13 + 3 * 2 ** ((gif[10] & 7) + 1)
    assert preview.create_preview(gif[:palette] + comment + gif[palette:]).width == 64
    with pytest.raises(UnsafeMediaError):
        preview.create_preview(gif[:palette] + comment * 3 + gif[palette:])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\xff\xff\xff\xff", b""])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_damaged_exif_is_ignored(kind, exif):
    data = encoded(noise(64, 48), kind, exif=exif)
    assert preview.create_preview(data).width == 64
    assert decode.full_size(data).size == (64, 48)


def test_preview_of_an_animation_with_many_frames_is_created():
    frames = [Image.new("P", (300, 200), color) for color in range(50)]
    for kind in ("GIF", "PNG", "WEBP"):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert preview.create_preview(data).format == kind


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
@pytest.mark.parametrize(("size", "longest"), [((2300, 1700), 160), ((1500, 1100), 1024)])
def test_preview_scaled_in_steps_equals_one_scaled_at_once(mode, size, longest):
    image = Image.effect_noise(size, 120)
    data = encoded(image.convert(mode), "PNG")
    shown = preview._scale_to(preview._scale_down(decode.decode(data)[0], longest), longest)
    expected = image.convert("RGB").reduce(max(size) // longest)
    expected = expected.resize(shown.size, Image.Resampling.LANCZOS)
    differences = ImageChops.difference(shown.convert("RGB"), expected).getextrema()
    assert max(maximum for _, maximum in differences) <= 1


TEXTS = {"prompt": "Ein Fluß 🌊\n<b>", "model": "m", "job id": "j"}


def test_metadata_contains_only_known_values():
    request = {"prompt": "A harbor", "model": None, "params": {"style": "Öl"}}
    assert save_original.metadata(request, "j", None) == {
        "prompt": "A harbor",
        "parameters": '{"style": "Öl"}',
        "job id": "j",
        "Software": "wonda_widgets",
    }
    assert set(save_original.metadata({}, "", "m")) == {"media id", "Software"}


def test_saved_png_has_metadata_and_unchanged_pixels():
    data = encoded(noise(50, 40))
    saved = save_original.with_metadata(data, TEXTS)
    with Image.open(io.BytesIO(saved)) as image:
        image.load()
        assert image.text == TEXTS
        assert image.tobytes() == Image.open(io.BytesIO(data)).tobytes()
    assert data[33:] in saved


def test_saved_jpeg_has_metadata_and_other_formats_are_unchanged():
    data = encoded(noise(50, 40), "JPEG")
    saved = save_original.with_metadata(data, TEXTS)
    with Image.open(io.BytesIO(saved)) as image:
        assert "Ein Fluß" in image.info["comment"].decode()
        assert ImageOps.exif_transpose(image).size == (50, 40)
    assert saved.startswith(data[:20]), "the JFIF segment must come first"
    assert len(saved) - len(data) < 200
    gif = encoded(noise(5, 5), "GIF")
    assert save_original.with_metadata(gif, TEXTS) == gif


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A sunset, over the ocean!", "a-sunset-over-the-ocean-12345678.png"),
        ("../../etc/passwd", "etc-passwd-12345678.png"),
        ("💥", "💥-12345678.png"),
        ("x" * 500, "x" * 48 + "-12345678.png"),
        ("..", "image-12345678.png"),
        ("a\0b\r\nc\x1b[31m", "a-b-c-31m-12345678.png"),
        ("evil\u202egnp.exe", "evil-gnp-exe-12345678.png"),
        ("C:\\Windows\\\ud800", "c-windows-12345678.png"),
    ],
)
def test_file_name_is_safe_and_starts_with_the_prompt(prompt, name):
    assert save_original.file_name(prompt, "12345678-9abc", "PNG") == name


@pytest.mark.parametrize("device", ["CON", "nul", "com1", "LPT9", "com¹"])
def test_file_name_is_never_a_reserved_device_name(device):
    assert save_original.file_name(device, "", "PNG").startswith(device.lower() + "-")
    assert save_original.file_name("x" * 999, "../\0" * 9, "PNG") == "x" * 48 + ".png"


@pytest.mark.parametrize("data", [b"\xff\xd8\xff", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_saving_a_truncated_file_keeps_its_data(data):
    saved = save_original.with_metadata(data, TEXTS)
    assert saved.startswith(data[:2])
    assert len(saved) > len(data)


def test_saving_does_not_overwrite_an_existing_file(tmp_path):
    first = save_original.write(tmp_path, "a.png", b"1")
    second = save_original.write(tmp_path, "a.png", b"2")
    third = save_original.write(tmp_path / "b.png", "a.png", b"3")
    assert [path.name for path in (first, second, third)] == ["a.png", "a (2).png", "b.png"]
    assert first.read_bytes() == b"1"


def small_png(ending):
    """Return a 2 × 2 image with one byte of pixel data per chunk, whose end may be missing."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    pixel_data = zlib.compress(b"\0\1\2\3\4\5\6" * 2)
    pieces = b"".join(chunk(b"IDAT", bytes([byte])) for byte in pixel_data)
    content = b"\x89PNG\r\n\x1a\n" + head + pieces
    return {
        "no end": content,
        "no last checksum": content[:-4],
        "trailing data": content + b"\0" * 40,
        "complete": content + chunk(b"IEND", b""),
    }[ending]


@pytest.mark.parametrize("ending", ["no end", "no last checksum", "trailing data", "complete"])
def test_png_with_complete_pixels_and_a_damaged_end_is_decoded(ending):
    image, _ = decode.decode(small_png(ending))
    assert image.getpixel((1, 1)) == (4, 5, 6)
