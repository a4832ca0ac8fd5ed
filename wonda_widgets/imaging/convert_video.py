"""Convert a video with PyAV: trim, pad, another frame rate, H.264.

    packets ──┬─ copied ─────────────────────────────────────┬── result
              └─ decoded ── filters ── encoded (H.264, AAC) ─┘

Call `video_process.convert`, which runs this in a process of its own.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec

from ..errors import UnsafeMediaError
from . import video
from .operations import EncodeVideo, FrameRate, Pad, Resize, Trim, VideoOperation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MAX_SECONDS = 60 * 60  # of a result
MAX_FPS = 60
DEFAULT_FPS = 30  # if the file does not say how many it has
TIME_BASE = Fraction(1, 90_000)
COPIED_CODECS = {"h264", "hevc"}  # in an MP4
COPIED_SOUND = "aac"
AUDIO_RATE, AUDIO_BITS = 48_000, 128_000  # samples and bits per second
SHARE_FOR_FRAMES = 0.9  # of `max_bytes`; the rest is for the sound and the index
THREADS = 4  # more need much memory
VIDEO_OPTIONS = {"preset": "veryfast", "crf": "20", "threads": str(THREADS)}
REPORTS = 10  # of progress
READ_ON_SECONDS = 1  # after the end; packets are not in the order of display
MISSING_SECONDS = 1  # that a result may be shorter than the file says


class _Plan(NamedTuple):
    """What is made of a video: the operations, its facts before, and its length in seconds."""

    steps: Sequence[VideoOperation]
    before: video.VideoFacts
    length: float

    @property
    def seconds(self) -> float:
        """The expected length of the result."""
        return min(self.length, self.before.seconds or self.length)


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
    before = video.facts(path)
    length = min((step.seconds for step in steps if isinstance(step, Trim)), default=math.inf)
    if min(length, before.seconds) > MAX_SECONDS:
        raise UnsafeMediaError("This video is longer than one hour.", "Trim it.")
    try:
        target.touch()
    except OSError as error:
        raise _unwritable(error) from None
    try:
        _write(path, target, _Plan(steps, before, min(length, MAX_SECONDS)), on_progress)
        after = video.facts(target)
        if after.seconds < min(length, before.seconds) - MISSING_SECONDS:
            raise UnsafeMediaError(  # noqa: TRY301 - the target is deleted
                f"This video ends after {after.seconds:.1f} s, but should have "
                f"{before.seconds:.1f} s.",
                "The file may be incomplete.",
            )
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return after


def _write(
    path: Path,
    target: Path,
    plan: _Plan,
    on_progress: Callable[[float], object],
) -> None:
    import av  # noqa: PLC0415 - optional, and slow to import

    try:
        with (
            av.open(str(path), format=video.reader(path)) as source,
            av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as result,
        ):
            tracks = _tracks(source, result, plan)
            _fill(source, tracks, plan.length, _reporter(plan.seconds, on_progress))
    except (av.FFmpegError, ArithmeticError, LookupError, ValueError, OSError) as error:
        raise _failure(error) from None


def _failure(error: Exception) -> UnsafeMediaError:
    if isinstance(error, OSError) and error.errno in video.NO_SPACE:
        return _unwritable(error)
    return UnsafeMediaError(
        "This video cannot be converted.", "It may be damaged or in an unusual format."
    )


def _unwritable(error: OSError) -> UnsafeMediaError:
    reason = error.strerror or "an error of the disk"
    return UnsafeMediaError(
        f"The changed video cannot be written: {reason}.", "Free some disk space."
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


# ---------------------------------------------------------------- the tracks


class Track(Protocol):
    """A track of the result."""

    def add(self, packet: Any, start: float) -> bool:
        """Add a packet of the original, which starts at `start`; return False after the end."""

    def finish(self) -> None:
        """Write what is left."""


def _tracks(source: Any, result: Any, plan: _Plan) -> dict[int, Track]:
    """Return a track for the frames and one for the sound, by the index of their streams."""
    pictures, length = video.main_stream(source), plan.length
    is_copied = plan.before.codec in COPIED_CODECS and not any(
        isinstance(step, Pad | Resize | FrameRate | EncodeVideo) for step in plan.steps
    )
    tracks: dict[int, Track] = {
        pictures.index: _Copied(result, pictures, length)
        if is_copied
        else _Frames(result, pictures, plan)
    }
    for sound in source.streams.audio[:1]:
        is_copied = sound.codec_context.name == COPIED_SOUND
        tracks[sound.index] = (_Copied if is_copied else _Sound)(result, sound, length)
    return tracks


def _fill(
    source: Any, tracks: Mapping[int, Track], length: float, report: Callable[[float], object]
) -> None:
    import av  # noqa: PLC0415 - optional, and slow to import

    start = (source.start_time or 0) / av.time_base
    open_tracks = dict(tracks)
    for packet in source.demux([source.streams[index] for index in tracks]):
        index = packet.stream.index
        position = _seconds(packet.dts, packet, start)
        report(min(position, length))
        if index in open_tracks and not open_tracks[index].add(packet, start):
            del open_tracks[index]
        if not open_tracks or position > length + READ_ON_SECONDS:
            break
    for track in tracks.values():
        track.finish()


def _seconds(time: int | None, packet: Any, start: float) -> float:
    return 0.0 if time is None else float(time * packet.time_base) - start


def _decoded(packet: Any) -> Iterator[Any]:
    import av  # noqa: PLC0415 - optional, and slow to import

    try:
        yield from packet.decode()
    except (av.InvalidDataError, av.EOFError):  # one damaged packet, which players skip, too
        return


class _Copied:
    """A track that is not encoded again.

    Parameters
    ----------
    result : OutputContainer
    stream : Stream
        Of the original.
    length : float
        In seconds.
    """

    def __init__(self, result: Any, stream: Any, length: float) -> None:
        self._result, self._length = result, length
        self._stream = result.add_stream_from_template(stream)

    def add(self, packet: Any, start: float) -> bool:
        """See `Track`."""
        if packet.dts is None or packet.pts is None:
            return True
        # The first frame after the end is the last one that others may refer to.
        if _seconds(packet.pts, packet, start) >= self._length:
            return False
        packet.stream = self._stream
        self._result.mux(packet)
        return True

    def finish(self) -> None:
        """See `Track`."""


class _Sound:
    """The sound, encoded as AAC; for the parameters see `_Copied`."""

    def __init__(self, result: Any, stream: Any, length: float) -> None:  # noqa: ARG002
        import av  # noqa: PLC0415 - optional, and slow to import

        self._result, self._length = result, length
        self._stream = result.add_stream("aac", rate=AUDIO_RATE, layout="stereo")
        self._stream.bit_rate = AUDIO_BITS
        self._resampler = av.AudioResampler("fltp", "stereo", AUDIO_RATE)

    def add(self, packet: Any, start: float) -> bool:
        """See `Track`."""
        for frame in _decoded(packet):
            if frame.time is None:
                continue
            position = frame.time - start
            if position >= self._length:
                return False
            frame.time_base = Fraction(1, AUDIO_RATE)
            frame.pts = round(max(0, position) * AUDIO_RATE)
            for each in self._resampler.resample(frame):
                self._result.mux(self._stream.encode(each))
        return True

    def finish(self) -> None:
        """See `Track`."""
        self._result.mux(self._stream.encode())


class _Frames:
    """The frames, which pass FFmpeg's filters and are encoded as H.264.

    Parameters
    ----------
    result : OutputContainer
    stream : VideoStream
        Of the original.
    plan : _Plan
    """

    def __init__(self, result: Any, stream: Any, plan: _Plan) -> None:
        video.limit(stream)
        steps, before, length = plan
        stream.thread_type, stream.codec_context.thread_count = "AUTO", THREADS
        self._result, self._steps, self._length = result, steps, length
        self._fps = _frame_rate(before, steps)
        self._shape = video.pixel_ratio(stream)
        self._size = _final_size(before, steps)
        # A gap in the times may ask for millions.
        self._frames_left = round(min(length, MAX_SECONDS) * self._fps) + 1
        self._graph: Any = None
        self._format = 0, 0, ""  # of the frames that the filters take
        self._stream = result.add_stream("libx264", rate=self._fps)
        self._stream.width, self._stream.height, self._stream.pix_fmt = *self._size, "yuv420p"
        self._stream.options = VIDEO_OPTIONS | _rate_options(steps, plan.seconds)

    def add(self, packet: Any, start: float) -> bool:
        """See `Track`."""
        for frame in _decoded(packet):
            position = -1 if frame.time is None else frame.time - start
            if 0 <= position < self._length:
                self._filter(frame, position)
        # Later packets may have earlier frames.
        return _seconds(packet.dts, packet, start) < self._length + READ_ON_SECONDS

    def finish(self) -> None:
        """See `Track`."""
        if self._graph is None:
            raise ValueError("no frames")
        self._encode(None)
        self._result.mux(self._stream.encode())

    def _filter(self, frame: Any, position: float) -> None:
        format_ = frame.width, frame.height, frame.format.name
        if self._graph is None:
            self._graph, self._format = self._make_graph(frame), format_
        if format_ != self._format:
            frame = frame.reformat(*self._format)
        shown = frame.duration * frame.time_base / TIME_BASE  # else the last frame is too short
        frame.time_base = TIME_BASE
        frame.pts, frame.duration = round(position / TIME_BASE), round(shown)
        self._encode(frame)

    def _encode(self, frame: Any) -> None:
        import av  # noqa: PLC0415 - optional, and slow to import

        self._graph.push(frame)
        while self._frames_left > 0:
            try:
                ready = self._graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            self._frames_left -= 1
            ready.pict_type = 0  # the encoder chooses the key frames
            self._result.mux(self._stream.encode(ready))

    def _make_graph(self, first: Any) -> Any:
        import av  # noqa: PLC0415 - optional, and slow to import

        codec = self._stream.codec_context
        codec.colorspace, codec.color_primaries = first.colorspace, first.color_primaries
        codec.color_trc, codec.color_range = first.color_trc, LIMITED_RANGE
        graph = av.filter.Graph()
        arguments = {
            "video_size": f"{first.width}x{first.height}",
            "pix_fmt": first.format.name,
            "time_base": str(TIME_BASE),
            "colorspace": str(int(first.colorspace)),
            "range": str(int(first.color_range)),
        }
        source = graph.add("buffer", ":".join(f"{key}={arguments[key]}" for key in arguments))
        steps = _filters(first, self._shape, self._steps, self._size, self._fps)
        chain = [source, *(graph.add(*each) for each in steps), graph.add("buffersink")]
        for one, following in pairwise(chain):
            one.link_to(following)
        graph.configure()
        return graph


LIMITED_RANGE = 1  # FFmpeg's number for brightness from 16 to 235, as most players expect


def _filters(
    first: Any,
    shape: Fraction,
    steps: Sequence[VideoOperation],
    size: tuple[int, int],
    fps: Fraction,
) -> Iterator[tuple[str, str]]:
    """Yield FFmpeg's filters, each with its arguments."""
    yield "fps", str(fps)
    if shape != 1:
        yield "scale", f"{round(first.width * shape)}:{first.height}"
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
    yield "scale", f"{size[0]}:{size[1]}:out_range=tv"  # encoders need even sides
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
    exact = Fraction(min(max(1, fps or DEFAULT_FPS), MAX_FPS))
    return exact.limit_denominator(1001)  # 29.97 is 30000/1001


def _rate_options(steps: Sequence[VideoOperation], seconds: float) -> dict[str, str]:
    """Limit the bits per second if the result has a largest size."""
    limits = [step.max_bytes for step in steps if isinstance(step, EncodeVideo) and step.max_bytes]
    if not limits:
        return {}
    bits = int(min(limits) * 8 * SHARE_FOR_FRAMES / max(1.0, seconds)) - AUDIO_BITS
    return {"maxrate": str(max(bits, 1)), "bufsize": str(max(2 * bits, 1))}
