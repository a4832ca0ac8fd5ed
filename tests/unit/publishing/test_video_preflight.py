"""The checks of a video before it is posted."""

from __future__ import annotations

import pytest

from wonda_widgets.imaging.operations import (
    EncodeVideo,
    FrameRate,
    MoveIndex,
    Pad,
    Resize,
    Trim,
)
from wonda_widgets.imaging.video import VideoFacts
from wonda_widgets.publishing import video_preflight

GOOD = VideoFacts("MP4", "h264", "aac", 1080, 1920, 10.0, 30.0, 8_000_000, index_first=True)


def levels(facts, product="REELS"):
    return [(each.topic, each.level) for each in video_preflight.check(facts, product)]


def test_good_video_has_one_line():
    [result] = video_preflight.check(GOOD, "REELS")
    assert (result.level, result.title) == ("fine", "MP4 with H.264, 1080 × 1920, 10 s")


def test_unknown_video_is_not_called_good():
    result = video_preflight.unchecked("This video cannot be read.")
    assert (result.level, result.title) == ("advice", "The video is not checked.")
    assert result.text.startswith("This video cannot be read. Instagram accepts MP4")


@pytest.mark.parametrize(
    ("change", "topic"),
    [
        ({"container": "WebM", "codec": "vp9"}, "format"),
        ({"codec": "av1"}, "format"),
        ({"size": 301_000_000}, "size"),
        ({"seconds": 2.5}, "length"),
        ({"seconds": 901}, "length"),
        ({"fps": 15}, "frames"),
        ({"fps": 120}, "frames"),
        ({"width": 2160, "height": 3840}, "width"),
    ],
)
def test_probable_rejection_comes_first(change, topic):
    assert levels(GOOD._replace(**change))[0] == (topic, "miss")


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": 2.97},
        {"seconds": 900},
        {"seconds": 0},  # unknown
        {"fps": 23.976},
        {"fps": 60},
        {"fps": 0},
        {"codec": "hevc", "container": "MOV"},
        {"width": 1080, "height": 1918},
        {"size": 300_000_000},
    ],
)
def test_limits_themselves_are_accepted(change):
    assert levels(GOOD._replace(**change)) == [("video", "fine")]


@pytest.mark.parametrize(
    ("change", "topic"), [({"height": 1080}, "ratio"), ({"index_first": False}, "format")]
)
def test_advice_does_not_hide_that_the_rest_is_good(change, topic):
    assert levels(GOOD._replace(**change)) == [(topic, "advice"), ("video", "fine")]


def test_story_is_shorter_than_a_reel():
    long = GOOD._replace(seconds=61.0)
    assert levels(long) == [("video", "fine")]
    [result] = video_preflight.check(long, "STORIES")
    assert (result.level, result.text) == ("miss", "A story has at most 1 min 00 s.")


@pytest.mark.parametrize(
    ("change", "product", "label", "operations"),
    [
        ({"container": "WebM", "codec": "vp9"}, "REELS", "Convert to H.264", (EncodeVideo(),)),
        ({"index_first": False}, "REELS", "Move the index to the start", (MoveIndex(),)),
        ({"seconds": 90.0}, "STORIES", "Trim to the first 1 min 00 s", (Trim(seconds=60),)),
        ({"fps": 12}, "REELS", "Convert to 30 frames per second", (FrameRate(fps=30),)),
        (
            {"size": 400_000_000},
            "REELS",
            "Convert to a smaller file",
            (EncodeVideo(max_bytes=300_000_000),),
        ),
        (
            {"width": 2160, "height": 3840},
            "REELS",
            "Shrink to 1920 × 3414",
            (Resize(width=1920, height=3414),),
        ),
        (
            {"width": 720, "height": 720},
            "REELS",
            "Pad to 9:16",
            (Pad(width=720, height=1280, color="#000000"),),
        ),
        (
            {"width": 1920, "height": 1080},
            "REELS",
            "Pad to 9:16",
            (Resize(width=1080, height=608), Pad(width=1080, height=1920, color="#000000")),
        ),
    ],
)
def test_problem_has_a_fix(change, product, label, operations):
    [fix] = video_preflight.check(GOOD._replace(**change), product)[0].fixes
    assert (fix.label, fix.operations) == (label, operations)


def test_several_problems_have_one_fix():
    video = GOOD._replace(container="WebM", codec="vp9", seconds=90, fps=12)
    fix = video_preflight.combined_fix(video, "STORIES")
    assert fix.label == (
        "Convert to H.264, trim to the first 1 min 00 s and convert to 30 frames per second"
    )
    assert fix.operations == (EncodeVideo(), Trim(seconds=60), FrameRate(fps=30))
    assert video_preflight.combined_fix(video._replace(fps=30, seconds=9), "STORIES") is None
    assert video_preflight.combined_fix(GOOD, "REELS") is None


@pytest.mark.parametrize("width", [2, 101, 405, 1079, 1081, 1920, 4096])
@pytest.mark.parametrize("height", [2, 101, 720, 1919, 1921, 4096])
def test_padding_contains_the_whole_video(width, height):
    results = video_preflight.check(GOOD._replace(width=width, height=height), "REELS")
    for fix in (fix for result in results if result.topic == "ratio" for fix in result.fixes):
        *resize, pad = fix.operations
        inner = (resize[0].width, resize[0].height) if resize else (width, height)
        assert pad.width >= inner[0] - 1  # the encoder rounds odd sides down
        assert pad.height >= inner[1] - 1
        assert (pad.width % 2, pad.height % 2) == (0, 0)
        assert pad.width <= 1080
        assert pad.height <= 1920
