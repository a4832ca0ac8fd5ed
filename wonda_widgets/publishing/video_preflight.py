"""Check a video against Instagram's limits before posting.

Several publishers' help pages agree on these limits, but only the service decides. Therefore the
checks advise and never forbid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..imaging.operations import (
    EncodeVideo,
    FrameRate,
    MoveIndex,
    Pad,
    Resize,
    Trim,
    VideoOperation,
)
from ..models import format_duration
from .preflight import CheckResult, Fix, Level, combine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..imaging.video import VideoFacts

CODECS = {"h264", "hevc"}
MIN_SECONDS, MAX_SECONDS = 3, 15 * 60
MAX_STORY_SECONDS = 60
MIN_FPS, MAX_FPS = 23, 60
MAX_BYTES = 300_000_000
MAX_WIDTH = 1920  # pixels
FIXED_FPS = 30
PADDED_SIZE = 1080, 1920  # pixels, recommended; the largest canvas
PADDING = "#000000"
RATIO = 9 / 16  # width / height, recommended
RATIO_TOLERANCE = 0.01  # relative; the difference is not visible
ROUNDING = 0.05  # seconds or frames per second; a clip of 3 s may say 2.97 s


def unchecked(reason: str = "") -> CheckResult:
    """Say that a video is not checked, and what Instagram accepts."""
    accepted = (
        "Instagram accepts MP4 or MOV with H.264: 3 seconds to 15 minutes, 23 to 60 frames per "
        "second, at most 300 MB."
    )
    return CheckResult(
        topic="video",
        level="advice",
        title="The video is not checked.",
        text=f"{reason} {accepted}".lstrip(),
    )


def check(video: VideoFacts, product: str) -> list[CheckResult]:
    """Check a reel or a story; return probable rejections first.

    Parameters
    ----------
    video : VideoFacts
    product : str
        ``"REELS"`` or ``"STORIES"``.
    """
    found = [*_format(video), *_length(video, product), *_frames(video), *_shape(video)]
    if all(result.level == "advice" for result in found):
        sizes = f"{video.width} × {video.height}, {format_duration(video.seconds)}"
        title = f"{video.container} with {video.codec_name}, {sizes}"
        found.append(CheckResult(topic="video", level="fine", title=title))
    return sorted(found, key=lambda result: ("miss", "advice", "fine").index(result.level))


def combined_fix(video: VideoFacts, product: str) -> Fix | None:
    """Return one fix for all that Instagram may reject; None if at most one is needed."""
    fixes = [
        fix
        for result in check(video, product)
        if result.level == "miss" or result.topic == "format"
        for fix in result.fixes
    ]
    operations = tuple(operation for fix in fixes for operation in fix.operations)
    return combine([fix.label for fix in fixes], operations)


def _format(video: VideoFacts) -> Iterator[CheckResult]:
    if video.container == "WebM" or video.codec not in CODECS:
        title = f"The format is {video.container} with {video.codec_name}."
        text = "Instagram accepts MP4 or MOV with H.264 or H.265."
        fix = _fix("Convert to H.264", EncodeVideo())
        yield _result("format", "miss", title, text, fix)
    elif not video.index_first:
        title = "The video does not start with its index."
        text = "Its index is at the end of the file, so Instagram may reject it."
        fix = _fix("Move the index to the start", MoveIndex())
        yield _result("format", "advice", title, text, fix)
    if video.size > MAX_BYTES:
        title = f"The video has {video.size // 1_000_000} MB."
        text = f"Instagram accepts at most {MAX_BYTES // 1_000_000} MB."
        fix = _fix("Convert to a smaller file", EncodeVideo(max_bytes=MAX_BYTES))
        yield _result("size", "miss", title, text, fix)


def _length(video: VideoFacts, product: str) -> Iterator[CheckResult]:
    seconds = video.seconds
    maximum = MAX_STORY_SECONDS if product == "STORIES" else MAX_SECONDS
    if 0 < seconds < MIN_SECONDS - ROUNDING:
        text = f"Instagram accepts at least {MIN_SECONDS} seconds. Generate a longer video."
        yield _result("length", "miss", f"The video is {seconds:.1f} s long.", text)
    elif seconds > maximum + ROUNDING:
        kind = "A story" if product == "STORIES" else "A reel"
        text = f"{kind} has at most {format_duration(maximum)}."
        title = f"The video is {format_duration(seconds)} long."
        fix = _fix(f"Trim to the first {format_duration(maximum)}", Trim(seconds=maximum))
        yield _result("length", "miss", title, text, fix)


def _frames(video: VideoFacts) -> Iterator[CheckResult]:
    if video.fps and not MIN_FPS - ROUNDING <= video.fps <= MAX_FPS + ROUNDING:
        title = f"The video has {video.fps:g} frames per second."
        text = f"Instagram accepts {MIN_FPS} to {MAX_FPS}."
        fix = _fix(f"Convert to {FIXED_FPS} frames per second", FrameRate(fps=FIXED_FPS))
        yield _result("frames", "miss", title, text, fix)


def _shape(video: VideoFacts) -> Iterator[CheckResult]:
    if video.width > MAX_WIDTH:
        title = f"The video is {video.width:,} pixels wide."
        text = f"Instagram accepts at most {MAX_WIDTH:,} pixels."
        smaller = _scaled(video, MAX_WIDTH / video.width)
        fix = _fix(f"Shrink to {smaller.width} × {smaller.height}", smaller)
        yield _result("width", "miss", title, text, fix)
    ratio = video.width / max(1, video.height)
    if abs(ratio / RATIO - 1) > RATIO_TOLERANCE:
        title = f"The video has {video.width} × {video.height} pixels."
        text = "A ratio of 9:16 fills the screen; others get empty bars."
        yield _result("ratio", "advice", title, text, _fix("Pad to 9:16", *_padding(video)))


def _padding(video: VideoFacts) -> tuple[VideoOperation, ...]:
    """Return a canvas of 9:16 around a video, which is made smaller if it does not fit."""
    width = max(video.width, round(video.height * RATIO))
    if width <= PADDED_SIZE[0]:
        height = round(width / RATIO)
        return (Pad(width=_even(width), height=_even(height), color=PADDING),)
    width, height = PADDED_SIZE
    smaller = _scaled(video, min(width / video.width, height / video.height))
    return smaller, Pad(width=width, height=height, color=PADDING)


def _scaled(video: VideoFacts, scale: float) -> Resize:
    return Resize(width=_even(video.width * scale), height=_even(video.height * scale))


def _even(length: float) -> int:
    return max(2, round(length / 2) * 2)  # as the encoder needs it


def _fix(label: str, *operations: VideoOperation) -> Fix:
    return Fix(label=label, operations=operations)


def _result(topic: str, level: Level, title: str, text: str, *fixes: Fix) -> CheckResult:
    return CheckResult(topic=topic, level=level, title=title, text=text, fixes=fixes)
