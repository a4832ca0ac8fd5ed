"""Save an original with its prompt and parameters, without encoding its pixels again.

The metadata goes into text chunks of a PNG, a comment segment of a JPEG, or the XMP chunk of a
WebP file. Files in other formats are not changed. `saved_settings` reads it.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from ..utils import graphemes, new_files, paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_HEADER_END = 33  # text chunks may follow the signature and the IHDR chunk
JPEG_START = b"\xff\xd8"
SOFTWARE = "wonda_widgets"
XMP_MARKER = "wonda:settings"  # the element with the metadata as JSON
MAX_SEGMENT_BYTES = 65_533  # bytes in a JPEG segment
RESERVED = re.compile(r"con|prn|aux|nul|com\w|lpt\w")  # Windows devices, with any extension
#: Maximum length of the prompt in a file name, which has at most 255 bytes with a number.
MAX_NAME_LENGTH = 48
MAX_NAME_BYTES = 180
_JOINERS = graphemes.ZERO_WIDTH_JOINER + graphemes.ZERO_WIDTH_NON_JOINER
WEBP_XMP, WEBP_ALPHA = 0x04, 0x10  # flags of the extended header
EXTENSIONS = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "WEBP": ".webp",
    "GIF": ".gif",
    "SVG": ".svg",
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
}


def metadata(made: Mapping[str, Any], job_id: str, media_id: str | None) -> dict[str, str]:
    """Convert an image's request body and IDs to strings for a file's metadata."""
    params = made.get("params")
    found = {
        "prompt": str(made.get("prompt") or ""),
        "model": str(made.get("model") or ""),
        "parameters": json.dumps(params, ensure_ascii=False) if params else "",
        "references": str(len(made.get("attachmentMediaIds") or []) or ""),
        "job id": job_id,
        "media id": media_id or "",
        "Software": SOFTWARE,
    }
    return {name: text for name, text in found.items() if text}


def with_metadata(data: bytes, texts: Mapping[str, str]) -> bytes:
    """Add entries to a file's metadata, if its format supports them."""
    if data.startswith(PNG_SIGNATURE):
        chunks = b"".join(_png_text(keyword, text) for keyword, text in texts.items())
        return _inserted(data, PNG_HEADER_END, chunks)
    if data.startswith(JPEG_START):
        comment = json.dumps(dict(texts), ensure_ascii=False).encode()
        if len(comment) <= MAX_SEGMENT_BYTES:
            segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
            return _inserted(data, _after_application_segments(data), segment)
    if detect_format(data) == "WEBP":
        return _webp_with_xmp(data, json.dumps(dict(texts), ensure_ascii=False))
    return data


def _webp_with_xmp(data: bytes, text: str) -> bytes:
    """Append an XMP chunk; a file that has one is not changed."""
    chunks = list(_webp_chunks(data))
    kinds = [kind for kind, _ in chunks]
    if not chunks or b"XMP " in kinds:
        return data
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
        'syntax-ns#"><rdf:Description rdf:about="" xmlns:wonda="https://wonda.sh/ns/">'
        f"<{XMP_MARKER}>{escape(text)}</{XMP_MARKER}>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode("utf-8", "replace")
    if kinds[0] == b"VP8X":
        head = chunks.pop(0)[1]
        extended = bytes([head[0] | WEBP_XMP]) + head[1:]
    else:
        extended = _webp_header(*chunks[0])
    body = b"".join(
        _webp_chunk(kind, content)
        for kind, content in [(b"VP8X", extended), *chunks, (b"XMP ", packet)]
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each chunk of a complete file."""
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size > len(data):
            return
        yield data[at : at + 4], data[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _webp_chunk(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _webp_header(kind: bytes, content: bytes) -> bytes:
    """Return the extended header of an image with a single chunk, ``VP8`` or ``VP8L``."""
    if kind == b"VP8L":
        bits = int.from_bytes(content[1:5], "little")
        width, height, alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    else:  # the size follows a frame tag of 3 bytes and a start code of 3 bytes
        width = (int.from_bytes(content[6:8], "little") & 0x3FFF) - 1
        height = (int.from_bytes(content[8:10], "little") & 0x3FFF) - 1
        alpha = 0
    flags = WEBP_XMP | (WEBP_ALPHA if alpha else 0)
    size = (width & 0xFFFFFF).to_bytes(3, "little") + (height & 0xFFFFFF).to_bytes(3, "little")
    return bytes([flags, 0, 0, 0]) + size


def _inserted(data: bytes, at: int, more: bytes) -> bytes:
    """Insert `more` into `data`, with a single copy."""
    view = memoryview(data)
    return b"".join((view[:at], more, view[at:]))


def _after_application_segments(data: bytes) -> int:
    """Return the offset just past a JPEG's JFIF and EXIF segments, which must come first."""
    at = 2
    while re.match(rb"\xff[\xe0-\xef]", data[at : at + 2]):  # APP0 to APP15
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at


def _png_text(keyword: str, text: str) -> bytes:
    """Build an iTXt chunk, which unlike tEXt supports all of Unicode."""
    body = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + text.replace("\0", "").encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def file_name(prompt: str, job_id: str, kind: str) -> str:
    """Create a recognizable file name that is valid on every file system.

    The name contains the words of the prompt, in any script, and its emoji; at most 48 characters.
    """
    stem = "-".join(_words(normalize("NFC", prompt.lower())))
    stem = graphemes.truncate(stem, MAX_NAME_LENGTH, MAX_NAME_BYTES).strip("-_")
    stem = stem or ("video" if kind.startswith("video/") else "image")
    tail = re.sub(r"\W", "", job_id)[:8]
    if not tail and RESERVED.fullmatch(stem):
        tail = "image"
    return f"{stem}{'-' + tail if tail else ''}{EXTENSIONS.get(kind, '')}"


def _words(text: str) -> list[str]:
    """Split a string at spaces and at symbols other than emoji."""
    words = [""]
    for cluster in graphemes.split(text):
        first = cluster[0]
        if first == "_" or first.isalnum() or graphemes.is_emoji(first):
            words[-1] += cluster.rstrip(_JOINERS)
            if cluster[-1] in _JOINERS and not graphemes.is_emoji(first):
                words[-1] += cluster[-1]  # Persian needs it within a word; stripped at its end
        else:
            words.append("")
    return [word.strip(_JOINERS) for word in words if word.strip(_JOINERS)]


def detect_format(data: bytes) -> str:
    """Detect the format by the first bytes: ``"PNG"``, ``"JPEG"``, …; empty if unknown."""
    if data.startswith(PNG_SIGNATURE):
        return "PNG"
    if data.startswith(JPEG_START):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return "GIF" if data.startswith((b"GIF87a", b"GIF89a")) else ""


def write(path: str | Path | None, name: str, data: bytes) -> Path:
    """Write a new file; add a number to the name if it is taken.

    Parameters
    ----------
    path : path or None
        A file, a folder, or None for the current folder.
    name : str
        The file name to use if `path` is a folder or None.
    data : bytes

    Raises
    ------
    InvalidInputError
        If the path is invalid.
    OSError
        If the file cannot be written. No partial file is left behind.
    """
    return new_files.write(target(path, name), data)


def target(path: str | Path | None, name: str) -> Path:
    """Return the path of a file: `path` itself, or `name` in that folder; see `write`."""
    chosen = Path.cwd() if path is None else paths.expand_user(path, "path")
    return chosen / name if chosen.is_dir() else chosen
