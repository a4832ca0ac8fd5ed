"""The checks of a video before it is posted."""

from __future__ import annotations

import pytest

from wonda_widgets.imaging.video import VideoFacts
from wonda_widgets.publishing import video_preflight

GOOD = VideoFacts("MP4", "h264", "aac", 1080, 1920, 10.0, 30.0, 8_000_000, index_first=True)


def levels(facts, product="REELS"):
    return [(each.topic, each.level) for each in video_preflight.check(facts, product)]


def test_good_video_has_one_line():
    [result] = video_preflight.check(GOOD, "REELS")
    assert (result.level, result.title) == ("fine", "MP4 with H.264, 1080 × 1920, 10 s")


def test_unknown_video_is_not_called_good():
    assert video_preflight.check(None, "REELS") == [video_preflight.UNCHECKED]


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
