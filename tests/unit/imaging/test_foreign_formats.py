"""Image formats that the service rejects are refused before sending."""

import importlib.machinery
import io
import sys

import pytest
from PIL import Image, features

import wonda_widgets as ww
from wonda_widgets.api.media import read_source
from wonda_widgets.imaging import decode, foreign_formats


def box(*brands):
    inside = b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    return (len(inside) + 4).to_bytes(4, "big") + inside + b"\0\0\0\x08mdat"


def encoded(kind):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, kind)
    return file.getvalue()


FOREIGN = {
    "HEIC": [box(b"heic", b"mif1", b"heic"), box(b"mif1", b"mif1", b"heic"), box(b"hevc")],
    "AVIF": [box(b"avif", b"mif1"), box(b"mif1", b"avif"), box(b"avis")],
    "TIFF": [encoded("TIFF"), b"MM\0*\0\0\0\x08", b"II+\0\x08\0"],
    "BMP": [encoded("BMP")],
    "JPEG XL": [b"\xff\x0a\xfa", b"\0\0\0\x0cJXL \r\n\x87\n"],
    "JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0"],
    "Photoshop": [b"8BPS\0\1"],
    "ICO": [encoded("ICO")],
}
ALL = [(kind, data) for kind, some in FOREIGN.items() for data in some]


@pytest.mark.parametrize(("kind", "data"), ALL)
def test_upload_of_unsupported_format_names_it_and_sends_nothing(kind, data, tmp_path):
    path = tmp_path / "image.jpg"  # whatever it is called
    path.write_bytes(data)
    for source in (data, path, io.BytesIO(data)):
        with pytest.raises(ww.InvalidInputError, match=f"This is a {kind} image") as caught:
            read_source(source, None)
        assert "JPEG, PNG, GIF, WebP and SVG" in caught.value.message
        assert caught.value.hint


@pytest.mark.parametrize(("kind", "data"), ALL)
def test_opening_an_unsupported_format_names_it(kind, data):
    with pytest.raises(ww.UnsafeMediaError, match=f"This is a {kind} image"):
        decode.check(data)


@pytest.mark.parametrize(
    "data",
    [
        *(encoded(kind) for kind in ("PNG", "JPEG", "GIF", "WEBP")),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        box(b"isom", b"mp42"),  # videos
        box(b"qt  "),
        b"RIFF....AVI ",
        b"BMW is no bitmap",
        b"II",
        b"",
        b"\0\0\0\x18ftyp",
        b"\xff\xff\xff\xffftypisom",
    ],
)
def test_other_data_is_no_unsupported_format(data):
    assert foreign_formats.detect(data) == ""


def test_avif_can_be_converted_if_pillow_supports_it(monkeypatch):
    assert "sends it as PNG" in foreign_formats.conversion_hint("TIFF")
    for opens in (True, False):
        monkeypatch.setattr(features, "check", lambda _, opens=opens: opens)
        assert ("sends it as PNG" in foreign_formats.conversion_hint("AVIF")) is opens


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "ICO"])
def test_suggested_conversion_works(kind):
    with ww.Wonda.sandbox() as wonda:
        media = wonda.media.upload(Image.open(io.BytesIO(encoded(kind))))
    assert media.mime_type == "image/png"


def test_heic_needs_another_package(monkeypatch):
    monkeypatch.setattr(foreign_formats, "find_spec", lambda _: None)
    assert "install pillow-heif" in foreign_formats.conversion_hint("HEIC")
    found = importlib.machinery.ModuleSpec("pillow_heif", None)
    monkeypatch.setattr(foreign_formats, "find_spec", lambda _: found)
    assert foreign_formats.conversion_hint("HEIC").startswith(
        "Convert it: call pillow_heif.register"
    )
    assert "pillow_heif" not in sys.modules
