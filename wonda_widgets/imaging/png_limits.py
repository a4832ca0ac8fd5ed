"""Estimate the memory for a PNG's text chunks and profiles before Pillow decompresses them.

Pillow keeps up to 64 compressed text chunks of a million characters each. They may also come after
the pixels, when it is too late for a check.
"""

from __future__ import annotations

MAX_CHUNKS = 100_000  # an image of 100 MB usually has a tenth as many
PIXEL_CHUNKS = (b"IDAT", b"fdAT")  # decompressed in pieces
COMPRESSED_CHUNKS = (b"zTXt", b"iTXt", b"iCCP")

MEMORY_PER_BYTE = 20  # for a small text as an entry of a dict
MAX_COMPRESSION_RATIO = 1032  # of zlib
MAX_TEXT_LENGTH = 2**20  # characters per chunk that Pillow decompresses
BYTES_PER_CHARACTER = 6  # the decompressed text, and a string that contains an emoji


def estimate_memory(data: bytes) -> int:
    """Return the bytes of memory that the text chunks and profiles of a PNG may take.

    Raises
    ------
    ValueError
        If there are more than `MAX_CHUNKS` chunks.
    """
    total, offset = 0, 8
    for _ in range(MAX_CHUNKS):
        length = int.from_bytes(data[offset : offset + 4], "big")
        kind = data[offset + 4 : offset + 8]
        if len(kind) < 4 or kind == b"IEND":  # noqa: PLR2004 - the length of a chunk's name
            return total
        if kind not in PIXEL_CHUNKS:
            total += MEMORY_PER_BYTE * (length + 12)
            start = data[offset + 8 : offset + 100]
            if kind in COMPRESSED_CHUNKS and not _is_uncompressed(kind, start):
                total += BYTES_PER_CHARACTER * min(MAX_TEXT_LENGTH, MAX_COMPRESSION_RATIO * length)
        offset += length + 12
    raise ValueError(f"more than {MAX_CHUNKS} chunks")


def _is_uncompressed(kind: bytes, start: bytes) -> bool:
    """Check the compression flag of an iTXt chunk."""
    return kind == b"iTXt" and start.partition(b"\0")[2][:1] == b"\0"
