"""Convert a video with PyAV: trim, pad, another frame rate, H.264.

Call `video_process.convert`, which runs this in a process of its own.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import UnsafeMediaError
from . import video
from .operations import EncodeVideo, FrameRate, Pad, Resize, Trim, VideoOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_SECONDS = 15 * 60  # of a result; more cannot be posted
MAX_FPS = 60
DEFAULT_FPS = 30  # if the file does not say how many it has
TIME_BASE = Fraction(1, 90_000)
COPIED_CODECS = {"h264", "hevc"}  # in an MP4
AUDIO_RATE, AUDIO_BITS = 48_000, 128_000  # samples and bits per second
SHARE_FOR_FRAMES = 0.9  # of `max_bytes`; the rest is for the sound and the index
VIDEO_OPTIONS = {"preset": "veryfast", "crf": "20"}
REPORTS = 10  # of progress
READ_ON_SECONDS = 1  # after the end; packets are not in the order of display


def convert(
    path: str | Path,
    target: str | Path,
    operations: Sequence[VideoOperation | Mapping[str, Any]],
    on_progress: Callable[[float], object] = lambda _share: None,
) -> video.VideoFacts:
    """Write a changed copy of a video, as MP4 with its index first, and return its facts.

    Frames are encoded again only if an operation needs it. See `video_process.convert`.
    """
    path, target = Path(path), Path(target)
    steps = msgspec.convert(list(operations), tuple[VideoOperation, ...])
    import av  # noqa: PLC0415 - optional, and slow to import

    before = video.facts(path)
    length = min([MAX_SECONDS, *(step.seconds for step in steps if isinstance(step, Trim))])
    is_copy = before.codec in COPIED_CODECS and not any(
        isinstance(step, Pad | Resize | FrameRate | EncodeVideo) for step in steps
    )
    report = _reporter(min(length, before.seconds or length), on_progress)
    try:
        with (
            av.open(str(path), format=video.reader(path)) as source,
            av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as result,
        ):
            if is_copy:
                _copy(source, result, length, report)
            else:
                _encode(source, _Frames(result, steps, before, length), result, length, report)
    except (av.FFmpegError, IndexError, ValueError, OSError) as error:
        raise _failure(error) from None
    return video.facts(target)


def _failure(error: Exception) -> UnsafeMediaError:
    if isinstance(error, OSError) and error.errno in video.NO_SPACE:
        return UnsafeMediaError("The changed video cannot be written.", "Free some disk space.")
    return UnsafeMediaError(
        "This video cannot be converted.", "It may be damaged or in an unusual format."
    )


def _reporter(seconds: float, on_progress: Callable[[float], object]) -> Callable[[float], object]:
    """Return a function that reports the position, in seconds, as a share of the whole."""
    reported = 0

    def report(position: float) -> None:
        nonlocal reported
        number = int(min(1, position / seconds) * REPORTS) if seconds > 0 else 0
        if number > reported:
            reported = number
            on_progress(number / REPORTS)

    return report


# ---------------------------------------------------------------- without encoding


def _copy(source: Any, result: Any, length: float, report: Callable[[float], object]) -> None:
    streams = {}
    for stream in _streams(source):
        if stream.type == "video" or stream.codec_context.name == "aac":
            streams[stream.index] = result.add_stream_from_template(stream)
    start = _start(source)
    for packet in source.demux([source.streams[index] for index in streams]):
        if packet.dts is None or packet.pts is None:
            continue
        position = float(packet.pts * packet.time_base) - start
        if position < length:
            report(position)
            packet.stream = streams[packet.stream.index]
            result.mux(packet)
        elif _position(packet, start) > length + READ_ON_SECONDS:
            break


def _streams(source: Any) -> list[Any]:
    """Return the first video stream and the first sound."""
    return [source.streams.video[0], *source.streams.audio[:1]]


def _start(source: Any) -> float:
    import av  # noqa: PLC0415 - optional, and slow to import

    return (source.start_time or 0) / av.time_base


# ---------------------------------------------------------------- with encoding


def _encode(
    source: Any,
    frames: _Frames,
    result: Any,
    length: float,
    report: Callable[[float], object],
) -> None:
    streams = _streams(source)
    video.limit(streams[0])
    streams[0].thread_type = "AUTO"
    tracks: dict[str, _Frames | _Sound] = {"video": frames}
    if streams[1:]:
        tracks["audio"] = _Sound(result)
    start = _start(source)
    for packet in source.demux(streams):
        for frame in _decoded(packet):
            position = -1 if frame.time is None else frame.time - start
            if position < length:
                report(position)
                tracks[packet.stream.type].add(frame, max(0, position))
        if _position(packet, start) > length + READ_ON_SECONDS:
            break
    for track in tracks.values():
        track.finish()


def _position(packet: Any, start: float) -> float:
    return 0 if packet.dts is None else float(packet.dts * packet.time_base) - start


def _decoded(packet: Any) -> Iterator[Any]:
    import av  # noqa: PLC0415 - optional, and slow to import

    try:
        yield from packet.decode()
    except (av.InvalidDataError, av.EOFError):  # one damaged packet, which players skip, too
        return


class _Sound:
    """The sound of the result.

    Parameters
    ----------
    result : OutputContainer
    """

    def __init__(self, result: Any) -> None:
        import av  # noqa: PLC0415 - optional, and slow to import

        self._result = result
        self._stream = result.add_stream("aac", rate=AUDIO_RATE, layout="stereo")
        self._stream.bit_rate = AUDIO_BITS
        self._resampler = av.AudioResampler("fltp", "stereo", AUDIO_RATE)

    def add(self, frame: Any, position: float) -> None:
        """Add decoded samples at a position in seconds."""
        frame.time_base = Fraction(1, AUDIO_RATE)
        frame.pts = round(position * AUDIO_RATE)
        for each in self._resampler.resample(frame):
            self._result.mux(self._stream.encode(each))

    def finish(self) -> None:
        """Write what is still in the encoder."""
        self._result.mux(self._stream.encode())


class _Frames:
    """The frames of the result: FFmpeg's filters, then the encoder.

    Parameters
    ----------
    result : OutputContainer
    steps : sequence of VideoOperation
    before : VideoFacts
        Of the original.
    length : float
        Of the result, in seconds.
    """

    def __init__(
        self,
        result: Any,
        steps: Sequence[VideoOperation],
        before: video.VideoFacts,
        length: float,
    ) -> None:
        self._result, self._steps = result, steps
        self._fps = _frame_rate(before, steps)
        self._size = _final_size(before, steps)
        self._left = round(length * self._fps) + 1  # a gap in the times may ask for millions
        self._graph: Any = None
        self._format = 0, 0, ""  # of the frames that the filters take
        self._stream = stream = result.add_stream("libx264", rate=self._fps)
        stream.width, stream.height, stream.pix_fmt = *self._size, "yuv420p"
        seconds = min(length, before.seconds or length)
        stream.options = VIDEO_OPTIONS | _rate_options(steps, seconds)

    def add(self, frame: Any, position: float) -> None:
        """Add a decoded frame at a position in seconds."""
        format_ = frame.width, frame.height, frame.format.name
        if self._graph is None:
            self._graph, self._format = self._filters(frame), format_
        if format_ != self._format:
            frame = frame.reformat(*self._format)
        shown = frame.duration * frame.time_base / TIME_BASE  # else the last frame is too short
        frame.time_base = TIME_BASE
        frame.pts, frame.duration = round(position / TIME_BASE), round(shown)
        self._write(frame)

    def finish(self) -> None:
        """Write what is still in the filters and in the encoder."""
        if self._graph is None:
            raise ValueError("no frames")
        self._write(None)
        self._result.mux(self._stream.encode())

    def _write(self, frame: Any) -> None:
        import av  # noqa: PLC0415 - optional, and slow to import

        self._graph.push(frame)
        while self._left > 0:
            try:
                ready = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            self._left -= 1
            ready.pict_type = 0  # the encoder chooses the key frames
            self._result.mux(self._stream.encode(ready))

    def _filters(self, first: Any) -> Any:
        import av  # noqa: PLC0415 - optional, and slow to import

        graph = av.filter.Graph()
        source = graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=TIME_BASE
        )
        rest = [graph.add(*each) for each in _filters(first, self._steps, self._size, self._fps)]
        filters = [source, *rest, graph.add("buffersink")]
        for one, other in pairwise(filters):
            one.link_to(other)
        graph.configure()
        return graph


def _filters(
    first: Any, steps: Sequence[VideoOperation], size: tuple[int, int], fps: Fraction
) -> Iterator[tuple[str, str]]:
    yield "fps", str(fps)
    match video.rotation(first):
        case 90:
            yield "transpose", "cclock"
        case -90:
            yield "transpose", "clock"
        case 180:
            yield "hflip", ""
            yield "vflip", ""
    for step in steps:
        match step:
            case Resize(width=width, height=height):
                yield "scale", f"{width}:{height}"
            case Pad(width=width, height=height, color=color):
                color = color.replace("#", "0x")
                yield "pad", f"{width}:{height}:(ow-iw)/2:(oh-ih)/2:{color}"
    yield "scale", f"{size[0]}:{size[1]}"  # encoders need even sides
    yield "setsar", "1"
    yield "format", "yuv420p"


def _final_size(before: video.VideoFacts, steps: Sequence[VideoOperation]) -> tuple[int, int]:
    width, height = before.width, before.height
    for step in steps:
        if isinstance(step, Pad | Resize):
            width, height = step.width, step.height
    return max(2, width // 2 * 2), max(2, height // 2 * 2)


def _frame_rate(before: video.VideoFacts, steps: Sequence[VideoOperation]) -> Fraction:
    fps = next((step.fps for step in steps if isinstance(step, FrameRate)), before.fps)
    exact = Fraction(min(fps or DEFAULT_FPS, MAX_FPS))
    return exact.limit_denominator(1001)  # 29.97 is 30000/1001


def _rate_options(steps: Sequence[VideoOperation], seconds: float) -> dict[str, str]:
    """Limit the bits per second if the result has a largest size."""
    limits = [step.max_bytes for step in steps if isinstance(step, EncodeVideo) and step.max_bytes]
    if not limits:
        return {}
    bits = int(min(limits) * 8 * SHARE_FOR_FRAMES / max(1.0, seconds)) - AUDIO_BITS
    return {"maxrate": str(max(bits, 1)), "bufsize": str(max(2 * bits, 1))}
