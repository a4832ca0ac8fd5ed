"""What a PNG carries beside its pixels, weighed before Pillow unpacks it.

Texts and profiles may be zipped, and Pillow keeps up to 64 of them of a million
characters each. They also come after the pixels, where it is too late to look.
"""

from __future__ import annotations

MOST = 100_000  # chunks; an image of 100 MB in usual pieces has a tenth of that
PIXELS = (b"IDAT", b"fdAT")  # these are unpacked piece by piece
ZIPPED = (b"zTXt", b"iTXt", b"iCCP")

PER_BYTE = 20  # of memory, for a small text as an entry of a dict
UNZIPPED = 1032  # times as large, at the very most
LARGEST = 2**20  # characters; Pillow unpacks no more of one chunk
PER_CHARACTER = 6  # bytes: what was unpacked, and a string with an emoji in it


def estimate_memory(data: bytes) -> int:
    """Bytes of memory that the texts and profiles of a PNG may take.

    Raises
    ------
    ValueError
        If there are more chunks than any image has.
    """
    total, at = 0, 8
    for _ in range(MOST):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if len(kind) < 4 or kind == b"IEND":  # noqa: PLR2004 - the length of a chunk's name
            return total
        if kind not in PIXELS:
            total += PER_BYTE * (length + 12)
            if kind in ZIPPED and not _plain(kind, data[at + 8 : at + 100]):
                total += PER_CHARACTER * min(LARGEST, UNZIPPED * length)
        at += length + 12
    raise ValueError(f"more than {MOST} chunks")


def _plain(kind: bytes, start: bytes) -> bool:
    """Whether it is a text that says of itself that it is not zipped."""
    return kind == b"iTXt" and start.partition(b"\0")[2][:1] == b"\0"
