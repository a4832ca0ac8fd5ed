"""Read a frame of a video with PyAV, which is an optional dependency (the extra ``video``).

Only MP4, MOV and WebM are opened, and only the file itself: other formats of FFmpeg, such as
playlists, may name further files or addresses.
"""

from __future__ import annotations

import importlib.util
import io
import re
from typing import TYPE_CHECKING, Any

from ..errors import UnsafeMediaError

if TYPE_CHECKING:
    from pathlib import Path

MAX_PIXELS = 10_000_000  # of a frame; 4K has 8.8 million
HEAD_BYTES = 64  # in which the format is recognized
QUALITY = 90  # of the JPEG

#: FFmpeg's readers, by the first bytes of a file.
READERS = (
    (rb"....(ftyp|moov|mdat|free|wide|skip)", "mov"),
    (rb"\x1a\x45\xdf\xa3", "matroska"),
)

INSTALL = "Run: pip install 'wonda-widgets[video]'"


def is_available() -> bool:
    """Return whether PyAV is installed."""
    return importlib.util.find_spec("av") is not None


def poster(path: Path) -> bytes:
    """Return the first frame of a video as a JPEG. Slow: run it in a thread.

    Raises
    ------
    UnsafeMediaError
        If PyAV is not installed, or the file is not such a video, damaged or too large.
    """
    if not is_available():
        raise UnsafeMediaError("A frame of a video is shown only with PyAV.", INSTALL)
    import av  # noqa: PLC0415 - optional, and slow to import

    try:
        with av.open(str(path), format=_reader(path)) as container:
            return _first_frame(container)
    except (av.FFmpegError, StopIteration, IndexError, ValueError, OSError):
        raise UnsafeMediaError(
            "This video cannot be read.", "It may be damaged or in an unusual format."
        ) from None


def _reader(path: Path) -> str:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for pattern, reader in READERS:
        if re.match(pattern, head, re.DOTALL):
            return reader
    raise ValueError("an unknown format")


def _first_frame(container: Any) -> bytes:
    stream = container.streams.video[0]
    codec = stream.codec_context
    if codec.width * codec.height > MAX_PIXELS:
        raise UnsafeMediaError(
            f"The video has {codec.width} × {codec.height} pixels, which is too large to show."
        )
    codec.thread_count = 1
    codec.options = {"max_pixels": str(MAX_PIXELS)}  # the stream may say otherwise later
    buffer = io.BytesIO()
    next(container.decode(stream)).to_image().save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()
