"""Check a video against Instagram's limits before posting.

Several publishers' help pages agree on these limits, but only the service decides. Therefore the
checks advise and never forbid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import format_duration
from .preflight import CheckResult, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..imaging.video import VideoFacts

CODECS = {"h264", "hevc"}
MIN_SECONDS, MAX_SECONDS = 3, 15 * 60
MAX_STORY_SECONDS = 60
MIN_FPS, MAX_FPS = 23, 60
MAX_BYTES = 300_000_000
MAX_WIDTH = 1920  # pixels
RATIO = 9 / 16  # width / height, recommended
RATIO_TOLERANCE = 0.01  # relative; the difference is not visible
ROUNDING = 0.05  # seconds or frames per second; a clip of 3 s may say 2.97 s

#: Says that a video is not checked, and what Instagram accepts.
UNCHECKED = CheckResult(
    topic="video",
    level="advice",
    title="The video is not checked.",
    text="Instagram accepts MP4 or MOV with H.264: 3 seconds to 15 minutes, 23 to 60 frames per "
    "second, at most 300 MB.",
)


def check(video: VideoFacts | None, product: str) -> list[CheckResult]:
    """Check a reel or a story; return probable rejections first.

    Parameters
    ----------
    video : VideoFacts or None
        None if nothing is known about the video.
    product : str
        ``"REELS"`` or ``"STORIES"``.
    """
    if video is None:
        return [UNCHECKED]
    found = [*_format(video), *_length(video, product), *_frames(video), *_shape(video)]
    if all(result.level == "advice" for result in found):
        sizes = f"{video.width} × {video.height}, {format_duration(video.seconds)}"
        title = f"{video.container} with {video.codec_name}, {sizes}"
        found.append(CheckResult(topic="video", level="fine", title=title))
    return sorted(found, key=lambda result: ("miss", "advice", "fine").index(result.level))


def _format(video: VideoFacts) -> Iterator[CheckResult]:
    if video.container == "WebM" or video.codec not in CODECS:
        named = f"{video.container} with {video.codec_name}"
        text = "Instagram accepts MP4 or MOV with H.264 or H.265."
        yield _result("format", "miss", f"The format is {named}.", text)
    elif not video.index_first:
        text = "Its index is at the end of the file, so Instagram may reject it."
        yield _result("format", "advice", "The video does not start with its index.", text)
    if video.size > MAX_BYTES:
        text = f"Instagram accepts at most {MAX_BYTES // 1_000_000} MB."
        yield _result("size", "miss", f"The video has {video.size // 1_000_000} MB.", text)


def _length(video: VideoFacts, product: str) -> Iterator[CheckResult]:
    seconds = video.seconds
    maximum = MAX_STORY_SECONDS if product == "STORIES" else MAX_SECONDS
    if 0 < seconds < MIN_SECONDS - ROUNDING:
        text = f"Instagram accepts at least {MIN_SECONDS} seconds."
        yield _result("length", "miss", f"The video is {seconds:.1f} s long.", text)
    elif seconds > maximum + ROUNDING:
        kind = "A story" if product == "STORIES" else "A reel"
        text = f"{kind} has at most {format_duration(maximum)}."
        yield _result("length", "miss", f"The video is {format_duration(seconds)} long.", text)


def _frames(video: VideoFacts) -> Iterator[CheckResult]:
    if video.fps and not MIN_FPS - ROUNDING <= video.fps <= MAX_FPS + ROUNDING:
        title = f"The video has {video.fps:g} frames per second."
        text = f"Instagram accepts {MIN_FPS} to {MAX_FPS}."
        yield _result("frames", "miss", title, text)


def _shape(video: VideoFacts) -> Iterator[CheckResult]:
    if video.width > MAX_WIDTH:
        text = f"Instagram accepts at most {MAX_WIDTH:,} pixels."
        yield _result("width", "miss", f"The video is {video.width:,} pixels wide.", text)
    ratio = video.width / max(1, video.height)
    if abs(ratio / RATIO - 1) > RATIO_TOLERANCE:
        title = f"The video has {video.width} × {video.height} pixels."
        text = "A ratio of 9:16 fills the screen; others get empty bars."
        yield _result("ratio", "advice", title, text)


def _result(topic: str, level: Level, title: str, text: str) -> CheckResult:
    return CheckResult(topic=topic, level=level, title=title, text=text)
