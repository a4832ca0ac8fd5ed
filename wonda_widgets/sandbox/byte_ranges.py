"""Respond with a part of a file, as players and interrupted downloads request it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416


def respond(data: bytes, media_type: str, tag: str, request: Mapping[str, str]) -> Response:
    """Return the bytes that the headers of a request name, or all of them.

    Parameters
    ----------
    data : bytes
        The whole file.
    media_type : str
    tag : str
        The file's ETag, without quotes.
    request : dict
        The headers of the request.
    """
    headers = {"Accept-Ranges": "bytes", "ETag": f'"{tag}"'}
    is_current = request.get("if-range", headers["ETag"]) == headers["ETag"]
    wanted = request.get("range", "") if is_current else ""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
    if match is None or match.group() == "bytes=-":
        return Response(data, media_type=media_type, headers=headers)
    first, last = match.groups()
    if first:
        start, stop = int(first), min(int(last) + 1 if last else len(data), len(data))
    else:  # the last bytes
        start, stop = max(0, len(data) - int(last)), len(data)
    if start >= stop:
        headers["Content-Range"] = f"bytes */{len(data)}"
        return Response(status_code=RANGE_NOT_SATISFIABLE, headers=headers)
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return Response(data[start:stop], PARTIAL_CONTENT, headers, media_type)
