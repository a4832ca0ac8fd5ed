"""SVG images: shown and saved, but not edited."""

from __future__ import annotations

import io

import pytest
from PIL import Image

import wonda_widgets as ww
from wonda_widgets.imaging import decode, svg
from wonda_widgets.imaging.preview import create_preview, create_svg_preview
from wonda_widgets.publishing import preflight

DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="60"><path d="M0 0h9"/></svg>'


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (DRAWING, (80, 60)),
        (b"\xef\xbb\xbf <?xml version='1.0'?><!-- x --><svg width='12.6px' height='7'/>", (13, 7)),
        (b'<svg viewBox="0 0 300 150" width="100%" height="100%"/>', (300, 150)),
        (b'<svg viewBox="-5,-5,40,20"/>', (40, 20)),
        (b"<svg>", (1024, 1024)),
        (b'<SVG width="0" height="5">', (1024, 1024)),
        (b'<!-- <svg width="9"> --><!DOCTYPE svg><svg width="7" height="8"/>', (7, 8)),
        (b'<svg width="999999" height="999999">', (1024, 1024)),
        (b'<svg width="1e9" height="-4">', (1024, 1024)),
    ],
)
def test_svg_is_recognized_and_its_size_is_limited(data, size):
    assert svg.is_svg(data)
    assert svg.size(data) == size
    shown = create_svg_preview(data)
    assert (shown.width, shown.height, shown.format, shown.size) == (*size, "SVG", len(data))
    thumbnail = create_svg_preview(data, 320, 20_000, as_it_is=False)
    assert len(thumbnail.data) <= 20_000
    assert max(Image.open(io.BytesIO(thumbnail.data)).size) <= 320


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svgx>",
        b"text <svg>",
        b"<html><svg></svg></html>",
        b"<!-- <svg> --><html>",
        b"\x89PNG <svg>",
        b"<" * 9999,
    ],
)
def test_other_data_is_not_recognized_as_svg(data):
    assert not svg.is_svg(data)
    with pytest.raises(ww.UnsafeMediaError):
        create_svg_preview(data)


@pytest.mark.parametrize(
    "content",
    [
        b"x" * 400_001,
        b'<!DOCTYPE svg [<!ENTITY a "aaaa">]>',
        b'<!doctype svg [<!entity a "aaaa">]>',
        b"\0",
        b'<g id="a"/><use href="#a"/>',
    ],
)
def test_svg_with_risky_content_is_not_passed_to_the_browser(content):
    shown = create_svg_preview(DRAWING + content)
    assert shown.mime_type != "image/svg+xml"
    assert b"svg" not in shown.data


def test_svg_is_not_decoded_and_fails_the_preflight_check():
    for open_image in (decode.full_size, create_preview):
        with pytest.raises(ww.UnsafeMediaError, match="an SVG image") as caught:
            open_image(DRAWING)
    assert "graphics editor" in caught.value.hint
    info = preflight.ImageInfo(80, 60, "SVG", len(DRAWING))
    (point, caption_point) = preflight.check(info, "IMAGE", "")
    assert (point.level, point.fixes, caption_point.level) == ("miss", (), "fine")
    assert preflight.combined_fix(info, "IMAGE") is None
    assert preflight.carousel_fixes([info, info]) == [(), ()]


def test_svg_is_previewed_and_saved(quick_polls, settled, tmp_path):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.01) as wonda:
        photo = io.BytesIO()
        Image.new("RGB", (60, 40), "teal").save(photo, "JPEG")
        media = wonda.media.upload(photo.getvalue(), name="x.jpg")
        request = {"model": "runware-vectorize", "attachment_media_ids": [media.media_id]}
        job = wonda.images.generate(**request)
        job.wait()
        form = ww.PublishForm(job, wonda=wonda)
        preview = ww.ImagePreview(job)
        settled(lambda: preview.state == "ready")
        assert preview.mime_type == "image/svg+xml"
        assert preview.facts.startswith("60 × 40 · SVG")
        saved = preview.save(tmp_path)
        assert saved.suffix == ".svg"
        assert saved.read_bytes() == wonda.media.download(job.media)
        settled(lambda: any("SVG" in point["text"] for point in form.check_results))
        for each in (form, preview):
            each.close()
        studio = ww.Studio(wonda)
        studio.preview.show(job.media, on_ready=lambda preview: studio._add_image(preview, ""))
        settled(lambda: studio.publish_form.media_id)
        assert any("SVG" in point["title"] for point in studio.publish_form.check_results)
        assert studio.publish_form.thumb
        studio.close()


def test_svg_can_be_uploaded():
    with ww.Wonda.sandbox() as wonda:
        assert wonda.media.upload(DRAWING).mime_type == "image/svg+xml"
