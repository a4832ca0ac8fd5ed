"""How many times a JPEG goes over its pixels, counted before it is decoded.

A progressive JPEG comes in about ten scans. A scan of a few bytes may go over all pixels,
so a file that repeats one thousands of times takes minutes within a single call of
libjpeg.

A count must never be lower than what libjpeg finds. Where a segment ends is told by its
length, but libjpeg reads none after some markers (restarts, within pixels also reserved
ones) and gives up at others. So what follows is certain only among the segments that
real images have; a file with any other is refused, if it has many scans at all.
"""

from __future__ import annotations

import re

SCAN = b"\xff\xda"
#: What begins a segment; within pixels, other markers stand for a byte or a restart.
SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
ENDS = (0xD8, 0xD9)  # libjpeg ends at both, the second time that an image begins with an error
FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # one, before the first scan
#: Tables, restarts, metadata, comments: libjpeg goes on exactly where their lengths say.
TABLES = (0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE)
MOST_SEGMENTS = 10_000


def more_than(data: bytes, most: int) -> bool:
    """Whether the JPEG that a file begins with may have more scans, or has far too many segments.

    What comes after its end, such as a film or further images, does not count, nor does a
    thumbnail in the metadata before its pixels.
    """
    if data.count(SCAN) <= most:  # of nearly all files; it may also stand in metadata
        return False
    at, scans, known = 2, 0, {*TABLES, *FRAMES}
    for _ in range(MOST_SEGMENTS):
        found = SEGMENT.search(data, at)
        if found is None:
            return False
        marker = data[found.end() - 1]
        if marker in ENDS:
            return False
        if marker not in known:
            return True
        if marker in FRAMES:
            known.difference_update(FRAMES)
        at = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
        scans += found[0] == SCAN
        if scans:  # from here on nothing stands between scans in which another may hide
            scans += data.count(SCAN, found.end(), at)
        if scans > most:
            return True
    return True
