"""How many times a JPEG goes over its pixels, counted before it is decoded.

A progressive JPEG comes in about ten scans. A scan of a few bytes may go over all pixels,
so a file that repeats one thousands of times takes minutes within a single call of
libjpeg.
"""

from __future__ import annotations

import re

SCAN = b"\xff\xda"
#: What begins a segment; within pixels, other markers stand for a byte or a restart.
SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
ENDS = (0xD8, 0xD9)
MOST_SEGMENTS = 10_000


def more_than(data: bytes, most: int) -> bool:
    """Whether the JPEG that a file begins with has more scans, or far too many segments.

    What comes after its end, such as a film or further pictures, does not count.
    """
    if data.count(SCAN) <= most:  # of nearly all files; it may also stand in metadata
        return False
    at, scans = 2, 0
    for _ in range(MOST_SEGMENTS):
        found = SEGMENT.search(data, at)
        if found is None or data[found.end() - 1] in ENDS:
            return False
        scans += found[0] == SCAN
        if scans > most:
            return True
        at = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
    return True
