"""Read a video with PyAV, which is an optional dependency (the extra ``video``).

Call `video_process.poster` and `.facts`, which run these functions in a process of their own.

Only MP4, MOV and WebM are opened, and only the file itself: other formats of FFmpeg, such as
playlists, may name further files or addresses.
"""

from __future__ import annotations

import errno
import io
import re
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UnsafeMediaError

MAX_PIXELS = 10_000_000  # of a frame; 4K has 8.8 million
HEAD_BYTES = 64  # in which the format is recognized
QUALITY = 90  # of the JPEG
MAX_PIXEL_RATIO = 10

#: FFmpeg's readers, by the first bytes of a file.
READERS = (
    (rb"....(ftyp|moov|mdat|free|wide|skip)", "mov"),
    (rb"\x1a\x45\xdf\xa3", "matroska"),
)

MAX_BOXES = 100  # at the start of an MP4 in which its index is searched
CODEC_NAMES = {
    "h264": "H.264",
    "hevc": "H.265 (HEVC)",
    "av1": "AV1",
    "libdav1d": "AV1",
    "vp8": "VP8",
    "vp9": "VP9",
    "mpeg4": "MPEG-4 Part 2",
    "prores": "ProRes",
}

UNREADABLE = "This video cannot be read.", "It may be damaged or in an unusual format."
NO_SPACE = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def poster(path: str | Path) -> bytes:
    """Return the first frame of a video, turned upright, as a JPEG; see `video_process.poster`."""
    frame, shape = _read(Path(path), _first_frame)
    image = frame.to_image()
    if shape != 1:
        image = image.resize((round(image.width * shape), image.height))
    buffer = io.BytesIO()
    image.rotate(rotation(frame), expand=True).save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


class VideoFacts(NamedTuple):
    """What a video file says about itself.

    Attributes
    ----------
    container : str
        ``"MP4"``, ``"MOV"`` or ``"WebM"``.
    codec, audio_codec : str
        FFmpeg's names, such as ``"h264"``; empty without sound.
    width, height : int
        In pixels, as displayed.
    seconds, fps : float
        The length, and the frames per second; 0 if unknown.
    size : int
        Bytes.
    index_first : bool
        Whether the index of an MP4 or MOV (``moov``) is before its frames.
    """

    container: str
    codec: str
    audio_codec: str
    width: int
    height: int
    seconds: float
    fps: float
    size: int
    index_first: bool

    @property
    def codec_name(self) -> str:
        """The usual name of the codec: ``"H.264"``."""
        return CODEC_NAMES.get(self.codec, self.codec.upper())


def facts(path: str | Path) -> VideoFacts:
    """Read what a video file says about itself; see `video_process.facts`."""
    found: VideoFacts = _read(Path(path), lambda container: _facts(container, Path(path)))
    return found


def _facts(container: Any, path: Path) -> VideoFacts:
    import av  # noqa: PLC0415 - optional, and slow to import

    stream = main_stream(container)
    sounds = container.streams.audio
    frame, shape = _first_frame(container)  # the header may have another size, or none
    size = round(frame.width * shape), frame.height
    width, height = size if rotation(frame) % 180 == 0 else size[::-1]
    return VideoFacts(
        container=_container_name(path),
        codec=stream.codec_context.name,
        audio_codec=sounds[0].codec_context.name if sounds else "",
        width=width,
        height=height,
        seconds=max(0, container.duration or 0) / av.time_base,
        fps=float(stream.guessed_rate or stream.average_rate or 0),
        size=path.stat().st_size,
        index_first=_has_index_first(path),
    )


def _read(path: Path, function: Any) -> Any:
    """Open a video and return what the function reads of it."""
    import av  # noqa: PLC0415 - optional, and slow to import

    try:
        with av.open(str(path), format=reader(path)) as container:
            return function(container)
    except (av.FFmpegError, StopIteration, ArithmeticError, LookupError, ValueError, OSError):
        raise UnsafeMediaError(*UNREADABLE) from None


def main_stream(container: Any) -> Any:
    """Return the first video stream that is not a cover picture."""
    from av.stream import Disposition  # noqa: PLC0415 - optional, and slow to import

    streams = container.streams.video
    return next(each for each in streams if not each.disposition & Disposition.attached_pic)


def pixel_ratio(stream: Any) -> Fraction:
    """Return the width of a pixel divided by its height; 1 in most videos."""
    ratio = stream.sample_aspect_ratio or Fraction(1)
    return Fraction(ratio) if 0 < ratio < MAX_PIXEL_RATIO else Fraction(1)


def rotation(frame: Any) -> int:
    """Return by how many degrees, counterclockwise, players turn a video: a multiple of 90."""
    turned = round(getattr(frame, "rotation", 0) / 90) * 90
    return -90 if turned == 270 else turned  # noqa: PLR2004 - degrees


def limit(stream: Any) -> None:
    """Refuse frames with too many pixels."""
    codec = stream.codec_context
    if codec.width * codec.height > MAX_PIXELS:
        raise UnsafeMediaError(
            f"The video has {codec.width} × {codec.height} pixels, which is too large to show."
        )
    codec.options = {"max_pixels": str(MAX_PIXELS)}  # the stream may say otherwise later


def _container_name(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if head.startswith(b"\x1a\x45"):
        return "WebM"
    return "MOV" if head[4:12] == b"ftypqt  " else "MP4"


def _has_index_first(path: Path) -> bool:
    """Whether ``moov`` is before ``mdat`` among the boxes of an MP4 (ISO 14496-12)."""
    with path.open("rb") as file:
        for _ in range(MAX_BOXES):
            head = file.read(8)
            size, name = int.from_bytes(head[:4], "big"), head[4:]
            if len(head) < len(name) * 2 or name in {b"moov", b"mdat"}:
                return name == b"moov"
            if size == 1:  # the size follows as 64 bits
                size = int.from_bytes(file.read(8), "big") - 8
            if size < len(head):
                return False
            file.seek(size - len(head), 1)
    return False


def reader(path: Path) -> str:
    """Return the name of FFmpeg's reader for a file."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for pattern, reader in READERS:
        if re.match(pattern, head, re.DOTALL):
            return reader
    raise ValueError("an unknown format")


def _first_frame(container: Any) -> tuple[Any, Fraction]:
    """Decode the first frame, and return it with the ratio of its pixels."""
    stream = main_stream(container)
    limit(stream)
    stream.codec_context.thread_count = 1
    return next(container.decode(stream)), pixel_ratio(stream)
