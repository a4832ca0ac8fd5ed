"""Instagram's requirements: failed checks, fixes, and fixed images that pass."""

import re
from io import BytesIO

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from wonda_widgets.imaging import apply_edits
from wonda_widgets.imaging.operations import (
    Crop,
    Encode,
    Pad,
    Resize,
)
from wonda_widgets.publishing import preflight
from wonda_widgets.publishing.preflight import ImageInfo


def png(width, height, mode="RGB"):
    buffer = BytesIO()
    Image.new(mode, (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()


def facts_of(edited):
    return ImageInfo(edited.width, edited.height, edited.format, len(edited.data))


def missed(facts, product="IMAGE", caption=""):
    """The problems, and the advice about the format."""
    return [
        point
        for point in preflight.check(facts, product, caption)
        if point.level == "miss" or (point.topic, point.level) == ("format", "advice")
    ]


def test_default_image_format_is_reported_before_posting():
    ratio, file = missed(ImageInfo(1530, 2720, "PNG", 3_100_000))
    assert ratio.title == "9:16 is too tall for the feed."
    assert ratio.text == "The feed accepts 4:5 (0.80:1) to 1.91:1; this image is 0.56:1."
    assert [fix.label for fix in ratio.fixes] == ["Crop to 4:5", "Pad to 4:5", "Switch to story"]
    assert ratio.fixes[2].product == "STORIES"
    assert file.title == "The format is PNG."
    assert (ratio.level, file.level) == ("miss", "advice")
    assert file.text == "Instagram stores JPEG. Convert it to be sure that it is accepted."
    assert [fix.label for fix in file.fixes] == ["Convert to JPEG"]


@pytest.mark.parametrize("size", [(153, 272), (768, 1376), (101, 999), (2720, 1000), (997, 311)])
@pytest.mark.parametrize("which", [0, 1])
def test_fixed_image_passes_the_checks(size, which):
    data, facts, operations = png(*size), ImageInfo(*size, "PNG", 1000), ()
    while points := missed(facts):
        fixes = points[0].fixes
        operations += fixes[min(which, len(fixes) - 1)].operations
        facts = facts_of(apply_edits.apply(data, operations))
    assert facts.format == "JPEG"
    assert len(operations) == 2
    with Image.open(BytesIO(apply_edits.apply(data, operations).data)) as image:
        assert image.format == "JPEG"
        assert preflight.MIN_RATIO <= image.width / image.height <= preflight.MAX_RATIO


@given(st.integers(1, 9000), st.integers(1, 9000))
@example(100, 50)
@example(50, 10)
@example(6336, 2688)
@example(4000, 6000)
@example(8192, 2048)
@settings(max_examples=300, deadline=None)
def test_every_aspect_ratio_fix_works(width, height):
    facts = ImageInfo(width, height, "JPEG", 1)
    for product in ("IMAGE", "STORIES"):
        points = preflight.check(facts, product, "")
        (ratio,) = [point for point in points if point.topic == "ratio"]
        for fix in ratio.fixes:
            if fix.product:
                continue
            apply_edits.check((width, height), fix.operations)
            again = preflight.check(preflight.after_edit(facts, fix.operations), product, "")
            assert [each.level for each in again if each.topic == "ratio"] == ["fine"]


@pytest.mark.parametrize(
    ("size", "product", "canvas"),
    [
        ((6336, 2688), "STORIES", (1440, 2560)),
        ((4000, 6000), "IMAGE", (1440, 1800)),
        ((8192, 2048), "IMAGE", (1440, 753)),
    ],
)
def test_too_large_canvas_is_limited_to_the_displayed_size(size, product, canvas):
    points = preflight.check(ImageInfo(*size, "JPEG", 1), product, "")
    (ratio,) = [point for point in points if point.topic == "ratio"]
    (fix,) = [fix for fix in ratio.fixes if "pad" in fix.label]
    assert fix.label.startswith("Shrink and pad to ")
    resize, pad = fix.operations
    assert isinstance(resize, Resize)
    assert (pad.width, pad.height) == pytest.approx(canvas, abs=2)
    assert resize.width / resize.height == pytest.approx(size[0] / size[1], rel=0.01)


def test_one_click_applies_all_fixes():
    facts = ImageInfo(765, 1360, "PNG", 9_100_000)
    fix = preflight.combined_fix(facts, "IMAGE")
    assert fix.label == "Crop to 4:5 and convert to JPEG"
    assert [type(each) for each in fix.operations] == [Crop, Encode]
    assert missed(facts_of(apply_edits.apply(png(765, 1360), fix.operations))) == []
    assert preflight.combined_fix(ImageInfo(800, 1000, "PNG", 1), "IMAGE") is None


def test_too_large_file_is_reduced_to_the_displayed_size():
    (point,) = missed(ImageInfo(4000, 4000, "JPEG", 12_300_000))
    assert point.title == "12.3 MB is too large."
    resize, encode = point.fixes[0].operations
    assert (resize, encode) == (Resize(width=1440, height=1440), Encode(format="JPEG"))


def test_transparency_becomes_white_in_jpeg():
    buffer = BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(buffer, "PNG")
    edited = apply_edits.apply(buffer.getvalue(), [Encode(format="JPEG")])
    with Image.open(BytesIO(edited.data)) as image:
        assert image.getpixel((4, 4)) == (255, 255, 255)


def test_padding_has_the_chosen_color():
    edited = apply_edits.apply(png(10, 40), [Pad(width=32, height=40, color="#ff0000")])
    with Image.open(BytesIO(edited.data)) as image:
        assert (image.size, image.getpixel((1, 20))) == ((32, 40), (255, 0, 0))


def test_story_gets_advice_only():
    assert missed(ImageInfo(1080, 1920, "JPEG", 1), "STORIES") == []
    points = preflight.check(ImageInfo(800, 1000, "JPEG", 1), "STORIES", "")
    assert [(point.topic, point.level) for point in points[:2]] == [
        ("ratio", "advice"),
        ("width", "advice"),
    ]
    assert [fix.label for fix in points[0].fixes] == [
        "Crop to 9:16",
        "Pad to 9:16",
        "Switch to feed image",
    ]


def test_scaled_width_is_no_failed_check():
    assert missed(ImageInfo(4000, 5000, "JPEG", 1)) == []
    assert missed(ImageInfo(200, 250, "JPEG", 1)) == []
    points = preflight.check(ImageInfo(200, 250, "JPEG", 1), "IMAGE", "")
    assert points[0].title == "200 pixels is narrow for the feed."


def test_unknown_image_facts_are_not_checked():
    (point,) = preflight.check(None, "IMAGE", "Hello #sea")
    assert (point.level, point.title) == ("fine", "Caption, 1 hashtag")


@pytest.mark.parametrize(
    ("caption", "tags", "names"),
    [
        ("", 0, 0),
        ("#a #b#c", 3, 0),
        ("#Ünïcode #日本語 #_x #1", 4, 0),
        ("# no, C# no, a#b no, &#39; no", 0, 0),
        ("@a, (@b) .@c", 0, 3),
        ("#☀️ #हिन्दी#ไทย #️⃣ #_ #", 4, 0),
        ("☀️#sun 👋🏽#wave", 2, 0),
        ("e\u0301#no é#no हि#no ก็#no", 0, 0),
        ("#e\u0301te\u0301#plage", 2, 0),
        ("#👩‍👩‍👧#x #🇯🇵 #a☀️b", 4, 0),
        ("#می‌خواهم #море #ゆき", 3, 0),
        ("#… #, #\u0301 # x", 0, 0),
        (".@brand @a-@b +@c …@d", 0, 5),
        ("☀️@sun", 0, 1),
        ("e\u0301@no.fr मेरी@no.in ไม่@no.th иван@no.ru 日本@no.jp a_@no", 0, 0),
        ("@ a @… @", 0, 0),
        ("mail me@example.com or x.y+z@example.com", 0, 0),
        ("https://example.com/#top?by=@me www.example.com/@you/#x #yes @yes", 1, 1),
    ],
)
def test_hashtags_and_mentions_are_counted_like_instagram(caption, tags, names):
    assert (preflight.count_hashtags(caption), preflight.count_mentions(caption)) == (tags, names)


@pytest.mark.parametrize(
    ("caption", "title"),
    [
        ("#a " * 31, "31 hashtags may be too many."),
        ("x" * 2202, "2 characters too many."),
    ],
)
def test_caption_over_a_limit_shows_the_count(caption, title):
    (point,) = missed(None, caption=caption)
    assert point.title == title
    assert point.fixes == ()
    assert missed(None, caption=caption[:-6]) == []


@pytest.mark.parametrize("caption", ["#a " * 6, "#a " * 30, "@a " * 21, "@a " * 300])
def test_uncertain_limit_is_advice(caption):
    (point,) = preflight.check(None, "IMAGE", caption)
    assert point.level == "advice"
    assert "@" not in caption or not re.search(r"\d", point.text)  # no figure that pages agree on


@pytest.mark.parametrize("caption", ["", "#a " * 5, "@a " * 20])
def test_caption_within_limits_passes(caption):
    assert [point.level for point in preflight.check(None, "IMAGE", caption)] == ["fine"]


@pytest.mark.parametrize(
    ("size", "title", "text"),
    [
        ((1200, 628), "1,200 × 628 is too wide for the feed.", "at most 1,199 pixels"),
        ((799, 1000), "799 × 1,000 is too tall for the feed.", "at least 800 pixels"),
        ((1079, 1350), "1,079 × 1,350 is too tall for the feed.", "at least 1,080 pixels"),
        ((1940, 1000), "1,940 × 1,000 is too wide for the feed.", "at most 1,910 pixels"),
    ],
)
def test_exact_limit_in_pixels_is_shown(size, title, text):
    (ratio,) = missed(ImageInfo(*size, "JPEG", 1000))
    assert ratio.title == title
    assert text in ratio.text
    width = int(re.search(r"([\d,]+) pixels", ratio.text)[1].replace(",", ""))
    assert missed(ImageInfo(width, size[1], "JPEG", 1000)) == []
    (first, *_) = preflight.check_carousel([ImageInfo(*size, "JPEG", 1000)], "")
    assert text in first.text
