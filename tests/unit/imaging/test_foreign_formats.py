"""Image formats that the service rejects are refused before an upload."""

import importlib.machinery
import io
import sys

import pytest
from PIL import Image, features

import wonda_widgets as ww
from wonda_widgets.api.media import read_source
from wonda_widgets.imaging import decode, foreign_formats


def ftyp_box(*brands):
    content = b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    return (len(content) + 4).to_bytes(4, "big") + content + b"\0\0\0\x08mdat"


def encoded(kind):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, kind)
    return file.getvalue()


FOREIGN = {
    "HEIC": [
        ftyp_box(b"heic", b"mif1", b"heic"),
        ftyp_box(b"mif1", b"mif1", b"heic"),
        ftyp_box(b"hevc"),
    ],
    "AVIF": [ftyp_box(b"avif", b"mif1"), ftyp_box(b"mif1", b"avif"), ftyp_box(b"avis")],
    "TIFF": [encoded("TIFF"), b"MM\0*\0\0\0\x08", b"II+\0\x08\0"],
    "BMP": [encoded("BMP")],
    "JPEG XL": [b"\xff\x0a\xfa", b"\0\0\0\x0cJXL \r\n\x87\n"],
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0"],
    "Photoshop": [b"8BPS\0\1"],
    "ICO": [encoded("ICO")],
}
EXAMPLES = [(kind, data) for kind, some in FOREIGN.items() for data in some]


@pytest.mark.parametrize(("kind", "data"), EXAMPLES)
def test_upload_source_in_an_unsupported_format_is_refused_by_name(kind, data, tmp_path):
    path = tmp_path / "image.jpg"  # the suffix does not matter
    path.write_bytes(data)
    for source in (data, path, io.BytesIO(data)):
        with pytest.raises(ww.InvalidInputError, match=f"This is a {kind} image") as caught:
            read_source(source, None)
        assert "JPEG, PNG, GIF, WebP and SVG" in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize(("kind", "data"), EXAMPLES)
def test_decoding_an_unsupported_format_is_refused_by_name(kind, data):
    with pytest.raises(ww.UnsafeMediaError, match=f"This is a {kind} image"):
        decode.check(data)


@pytest.mark.parametrize(
    "data",
    [
        *(encoded(kind) for kind in ("PNG", "JPEG", "GIF", "WEBP")),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        ftyp_box(b"isom", b"mp42"),  # videos
        ftyp_box(b"qt  "),
        b"RIFF....AVI ",
        b"BMW is not a bitmap",
        b"II",
        b"",
        b"\0\0\0\x18ftyp",
        b"\xff\xff\xff\xffftypisom",
    ],
)
def test_other_data_is_not_detected_as_an_unsupported_format(data):
    assert foreign_formats.detect(data) == ""


def test_hint_suggests_converting_avif_only_if_pillow_supports_it(monkeypatch):
    assert "sends it as PNG" in foreign_formats.conversion_hint("TIFF")
    for supported in (True, False):
        monkeypatch.setattr(features, "check", lambda _, supported=supported: supported)
        assert ("sends it as PNG" in foreign_formats.conversion_hint("AVIF")) is supported


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "ICO"])
def test_image_opened_with_pillow_is_uploaded_as_png(kind):
    with ww.Wonda.sandbox() as wonda:
        media = wonda.media.upload(Image.open(io.BytesIO(encoded(kind))))
    assert media.mime_type == "image/png"


def test_hint_for_heic_depends_on_pillow_heif(monkeypatch):
    monkeypatch.setattr(foreign_formats, "find_spec", lambda _: None)
    assert "install pillow-heif" in foreign_formats.conversion_hint("HEIC")
    spec = importlib.machinery.ModuleSpec("pillow_heif", None)
    monkeypatch.setattr(foreign_formats, "find_spec", lambda _: spec)
    assert foreign_formats.conversion_hint("HEIC").startswith(
        "Convert it: call pillow_heif.register"
    )
    assert "pillow_heif" not in sys.modules
