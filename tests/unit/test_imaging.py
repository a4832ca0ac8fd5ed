import io

import pytest
from PIL import Image, ImageOps

from wonda_widgets.errors import UnsafeMediaError
from wonda_widgets.imaging import decode, original, preview


def encoded(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width, height):
    return Image.effect_noise((width, height), 120).convert("RGB")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(3000, 1200), (700, 2500), (64, 64), (1, 4000)])
def test_a_preview_is_small_and_in_proportion_whatever_came_in(kind, size):
    made = preview.preview(encoded(noise(*size), kind))
    shown = Image.open(io.BytesIO(made.data))
    assert len(made.data) <= preview.MAX_BYTES
    assert max(shown.size) <= preview.LONGEST
    assert (made.width, made.height, made.format) == (*size, kind)
    if min(size) > 1:
        assert shown.width / shown.height == pytest.approx(size[0] / size[1], rel=0.02)


def test_a_small_picture_is_not_enlarged():
    made = preview.preview(encoded(noise(64, 48)))
    assert Image.open(io.BytesIO(made.data)).size == (64, 48)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_orientation_is_honoured(kind):
    image = Image.new("RGB", (2400, 1200), "red")
    image.paste("blue", (0, 0, 1200, 1200))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    data = encoded(image, kind, exif=exif)
    made = preview.preview(data)
    shown = Image.open(io.BytesIO(made.data)).convert("RGB")
    assert (made.width, made.height) == (1200, 2400)
    assert shown.height > shown.width
    red, _, blue = shown.getpixel((shown.width // 2, 20))
    assert blue > red
    assert decode.full_size(data).size == (1200, 2400)


def test_transparency_is_kept_while_it_fits_and_laid_on_white_otherwise():
    soft = Image.new("RGBA", (400, 400), (255, 0, 0, 0))
    assert preview.preview(encoded(soft)).mime_type == "image/png"
    loud = noise(2000, 2000).convert("RGBA")
    loud.putalpha(Image.effect_noise((2000, 2000), 120))
    made = preview.preview(encoded(loud))
    assert made.mime_type == "image/jpeg"
    assert len(made.data) <= preview.MAX_BYTES


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "I;16", "CMYK"])
def test_every_mode_gives_a_preview(mode):
    image = Image.new(mode, (300, 200))
    data = (
        encoded(image, "TIFF" if mode == "CMYK" else "PNG")
        if mode != "CMYK"
        else encoded(image, "JPEG")
    )
    assert preview.preview(data).width == 300


HTML = b"<html><script>alert(1)</script></html>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize("data", [b"", HTML, SVG, b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff"])
def test_what_is_no_picture_is_refused(data):
    with pytest.raises(UnsafeMediaError):
        preview.preview(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_that_was_cut_short_is_refused(kind):
    data = encoded(noise(500, 500), kind)
    with pytest.raises(UnsafeMediaError):
        preview.preview(data[: len(data) // 2])


def test_too_many_pixels_are_refused_before_they_are_decoded():
    header = bytearray(encoded(Image.new("1", (1, 1))))
    header[16:24] = (60_000).to_bytes(4, "big") * 2
    import zlib

    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    with pytest.raises(UnsafeMediaError, match="pixels"):
        preview.preview(bytes(header))


TEXTS = {"prompt": "Ein Fluß 🌊\n<b>", "model": "m", "job id": "j"}


def test_a_saved_png_tells_how_it_was_made_and_keeps_its_pixels():
    data = encoded(noise(50, 40))
    saved = original.with_texts(data, TEXTS)
    with Image.open(io.BytesIO(saved)) as image:
        image.load()
        assert image.text == TEXTS
        assert image.tobytes() == Image.open(io.BytesIO(data)).tobytes()
    assert data[33:] in saved


def test_a_saved_jpeg_too_and_others_stay_as_they_are():
    data = encoded(noise(50, 40), "JPEG")
    saved = original.with_texts(data, TEXTS)
    with Image.open(io.BytesIO(saved)) as image:
        assert "Ein Fluß" in image.info["comment"].decode()
        assert ImageOps.exif_transpose(image).size == (50, 40)
    assert saved.startswith(data[:20]), "JFIF comes first"
    assert len(saved) - len(data) < 200
    webp = encoded(noise(5, 5), "WEBP")
    assert original.with_texts(webp, TEXTS) == webp


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("A sunset, over the ocean!", "a-sunset-over-the-ocean-12345678.png"),
        ("../../etc/passwd", "etc-passwd-12345678.png"),
        ("💥", "picture-12345678.png"),
        ("x" * 500, "x" * 48 + "-12345678.png"),
    ],
)
def test_a_file_name_is_recognised_and_harmless(prompt, name):
    assert original.file_name(prompt, "12345678-9abc", "PNG") == name


def test_a_file_that_is_there_stays(tmp_path):
    first = original.write(tmp_path, "a.png", b"1")
    second = original.write(tmp_path, "a.png", b"2")
    third = original.write(tmp_path / "b.png", "a.png", b"3")
    assert [path.name for path in (first, second, third)] == ["a.png", "a (2).png", "b.png"]
    assert first.read_bytes() == b"1"
