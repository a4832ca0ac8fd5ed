"""Save an original with how it was made; its pixels are never encoded again.

A PNG takes texts as chunks beside its pixels, a JPEG as a comment segment. Other
formats are kept byte for byte.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

from ..utils import graphemes, new_files, paths

if TYPE_CHECKING:
    from collections.abc import Mapping

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_HEADER_END = 33  # signature and the IHDR chunk, after which texts may come
JPEG_START = b"\xff\xd8"
MAX_SEGMENT = 65_533  # bytes in a JPEG segment
RESERVED = re.compile(r"con|prn|aux|nul|com\w|lpt\w")  # devices, on Windows with any extension
MOST_CHARACTERS = 48  # of a prompt, in a name
MOST_BYTES = 180  # the same; a name has up to 255, and a number may follow
_JOINERS = graphemes.ZERO_WIDTH_JOINER + graphemes.ZERO_WIDTH_NON_JOINER
EXTENSIONS = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp", "GIF": ".gif", "SVG": ".svg"}


def texts(made: Mapping[str, Any], job_id: str, media_id: str | None) -> dict[str, str]:
    """How an image was made (its request), as a file's metadata hold it."""
    params = made.get("params")
    found = {
        "prompt": str(made.get("prompt") or ""),
        "model": str(made.get("model") or ""),
        "parameters": json.dumps(params, ensure_ascii=False) if params else "",
        "job id": job_id,
        "media id": media_id or "",
        "Software": "wonda_widgets",
    }
    return {name: text for name, text in found.items() if text}


def with_texts(data: bytes, texts: Mapping[str, str]) -> bytes:
    """The same file with `texts` in its metadata, where its format takes them."""
    if data.startswith(PNG_SIGNATURE):
        chunks = b"".join(_png_text(keyword, text) for keyword, text in texts.items())
        return _inserted(data, PNG_HEADER_END, chunks)
    if data.startswith(JPEG_START):
        comment = json.dumps(dict(texts), ensure_ascii=False).encode()
        if len(comment) <= MAX_SEGMENT:
            segment = b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
            return _inserted(data, _after_application_segments(data), segment)
    return data


def _inserted(data: bytes, at: int, more: bytes) -> bytes:
    """`data` with `more` in it, copied once."""
    view = memoryview(data)
    return b"".join((view[:at], more, view[at:]))


def _after_application_segments(data: bytes) -> int:
    """Where a JPEG's JFIF and EXIF segments end, which have to come first."""
    at = 2
    while re.match(rb"\xff[\xe0-\xef]", data[at : at + 2]):  # APP0 to APP15
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at


def _png_text(keyword: str, text: str) -> bytes:
    """An iTXt chunk, which unlike tEXt takes all of Unicode."""
    body = b"iTXt" + keyword.encode("latin-1") + b"\0\0\0\0\0" + text.replace("\0", "").encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def file_name(prompt: str, job_id: str, kind: str) -> str:
    """A name that a person recognises and no file system refuses.

    It has the prompt's words in any script, and its emoji; at most 48 characters of them.
    """
    stem = "-".join(_words(normalize("NFC", prompt.lower())))
    stem = graphemes.truncate(stem, MOST_CHARACTERS, MOST_BYTES).strip("-_") or "image"
    tail = re.sub(r"\W", "", job_id)[:8]
    if not tail and RESERVED.fullmatch(stem):
        tail = "image"
    return f"{stem}{'-' + tail if tail else ''}{EXTENSIONS.get(kind, '')}"


def _words(text: str) -> list[str]:
    """What stands between spaces and signs that are no emoji."""
    words = [""]
    for cluster in graphemes.split(text):
        first = cluster[0]
        if first == "_" or first.isalnum() or graphemes.is_emoji(first):
            words[-1] += cluster.rstrip(_JOINERS)
            if cluster[-1] in _JOINERS and not graphemes.is_emoji(first):
                words[-1] += cluster[-1]  # within a Persian word; at its end it goes below
        else:
            words.append("")
    return [word.strip(_JOINERS) for word in words if word.strip(_JOINERS)]


def kind(data: bytes) -> str:
    """The format that the first bytes tell: ``"PNG"``, ``"JPEG"``, …; empty if they do not."""
    if data.startswith(PNG_SIGNATURE):
        return "PNG"
    if data.startswith(JPEG_START):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return "GIF" if data.startswith((b"GIF87a", b"GIF89a")) else ""


def write(path: str | Path | None, name: str, data: bytes) -> Path:
    """Write to `path`: a file, a folder (as `name`), or None for the present folder.

    A file that is there already stays; the new one gets a number.

    Raises
    ------
    InvalidInputError
        If it is no path.
    OSError
        If it cannot be written; then nothing is left of it.
    """
    target = Path.cwd() if path is None else paths.expand_user(path, "path")
    return new_files.write(target / name if target.is_dir() else target, data)
