"""Whether a file is an animation, by its structure alone: nothing is decoded."""

from __future__ import annotations

LOST = "This is an animation; an edit keeps only its first image."

_PNG, _GIF = b"\x89PNG\r\n\x1a\n", (b"GIF87a", b"GIF89a")
_WEBP_ANIMATED = 0x02  # among the flags of an extended WebP
_TABLE = 0x80  # a GIF's flag for a colour table, whose size the lowest three bits tell
_EXTENSION, _IMAGE = 0x21, 0x2C


def is_animated(data: bytes) -> bool:
    """Whether a GIF, WebP or PNG has more than one image."""
    if data.startswith(_PNG):
        pixels = data.find(b"IDAT")
        return pixels > 0 and data.find(b"acTL", 0, pixels) > 0
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        return bool(data[20:21]) and bool(data[20] & _WEBP_ANIMATED)
    return data.startswith(_GIF) and _has_two_images(data)


def _has_two_images(data: bytes) -> bool:
    images = 0
    try:
        at = 13 + _table(data[10])
        while True:
            kind = data[at]
            if kind == _IMAGE:
                images += 1
                if images > 1:
                    return True
                at = _after_blocks(data, at + 11 + _table(data[at + 9]))
            elif kind == _EXTENSION:
                at = _after_blocks(data, at + 2)
            else:
                return False
    except IndexError:  # it was cut short
        return False


def _table(flags: int) -> int:
    """Bytes of a colour table."""
    return 3 * 2 ** ((flags & 0x07) + 1) if flags & _TABLE else 0


def _after_blocks(data: bytes, at: int) -> int:
    while data[at]:
        at += data[at] + 1
    return at + 1
