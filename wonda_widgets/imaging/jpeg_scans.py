"""Count the scans of a JPEG before it is decoded.

A progressive JPEG has about ten scans. A scan of a few bytes may cover all pixels, so a file
with thousands of them can occupy a single libjpeg call for minutes.

The count must never be lower than libjpeg's. libjpeg does not read the length of some segments
(restarts, reserved markers within pixels) and stops at others. Therefore, only the segments of real
images are skipped by their length; a file with many scans and any other segment is rejected.
"""

from __future__ import annotations

import re

SCAN = b"\xff\xda"
#: Start of a segment; within pixels, other markers are escaped bytes or restarts.
SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
ENDS = (0xD8, 0xD9)  # libjpeg stops at both; a second start of image is an error
FRAMES = (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)  # exactly one, before the first scan
#: Tables, restart intervals, metadata, comments: libjpeg skips them by their length.
TABLES = (0xC4, 0xCC, 0xDA, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE)
MAX_SEGMENTS = 10_000


def has_more_than(data: bytes, most: int) -> bool:
    """Check whether a JPEG may have more scans than `most`, or far too many segments.

    Data after its end (a video, more images) and a thumbnail in its metadata do not count.
    """
    if data.count(SCAN) <= most:  # true for nearly all files; metadata may also contain it
        return False
    at, scans, known = 2, 0, {*TABLES, *FRAMES}
    for _ in range(MAX_SEGMENTS):
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
        if scans:  # after the first scan, also count those inside other segments
            scans += data.count(SCAN, found.end(), at)
        if scans > most:
            return True
    return True
