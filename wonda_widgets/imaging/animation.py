"""Detect animations from a file's structure, without decoding it."""

from __future__ import annotations

EDIT_NOTE = "This is an animation; an edit keeps only its first image."

_PNG, _GIF = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a")
_WEBP_ANIMATED = 0x02  # a flag of an extended WebP
_HAS_COLOR_TABLE = 0x80  # a GIF flag; the lowest three bits encode the table's size
_EXTENSION, _IMAGE = 0x21, 0x2C


def is_animated(data: bytes) -> bool:
    """Check whether a GIF, WebP or PNG has more than one frame."""
    if data.startswith(_PNG):
        pixels = data.find(b"IDAT")
        return pixels > 0 and data.find(b"acTL", 0, pixels) > 0
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        return bool(data[20:21]) and bool(data[20] & _WEBP_ANIMATED)
    return data.startswith(_GIF) and _has_two_frames(data)


def _has_two_frames(data: bytes) -> bool:
    """Check a GIF for a second image block."""
    frames = 0
    try:
        offset = 13 + _color_table_bytes(data[10])
        while True:
            kind = data[offset]
            if kind == _IMAGE:
                frames += 1
                if frames > 1:
                    return True
                offset = _skip_blocks(data, offset + 11 + _color_table_bytes(data[offset + 9]))
            elif kind == _EXTENSION:
                offset = _skip_blocks(data, offset + 2)
            else:
                return False
    except IndexError:  # the file is truncated
        return False


def _color_table_bytes(flags: int) -> int:
    return 3 * 2 ** ((flags & 0x07) + 1) if flags & _HAS_COLOR_TABLE else 0


def _skip_blocks(data: bytes, offset: int) -> int:
    """Return the offset just past a sequence of data blocks."""
    while data[offset]:
        offset += data[offset] + 1
    return offset + 1
