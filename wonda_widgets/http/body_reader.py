"""Read the body of a reply, but not more of it than was agreed.

Replies are asked for unencoded. A server that zips them all the same is unzipped
here, a little at a time: httpx would unzip each piece whole, and a piece of
64 KB may hold 64 MB, or another zipped piece.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING, cast

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

UNENCODED = {"Accept-Encoding": "identity"}
PIECE = 64 * 1024


class TooLargeError(Exception):
    """The body goes on beyond the bound."""


async def body(
    response: httpx.Response, most: int, headers: dict[bytes, bytes] | None = None
) -> bytes:
    """The whole body of a streamed reply; `headers` are `lowered`, if that was done already.

    Raises
    ------
    TooLargeError
        If it has more than `most` bytes, or says so.
    httpx.HTTPError
        If it ends before its end, or is encoded in a way that was not asked for.
    """
    headers = lowered(response) if headers is None else headers
    announced = headers.get(b"content-length", b"").decode(errors="replace")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > most):  # noqa: PLR2004 - digits
        raise TooLargeError
    if response.is_stream_consumed:  # one that a test made up is whole already
        if len(response.content) > most:
            raise TooLargeError
        return response.content
    unzip = _unzip(headers.get(b"content-encoding", b"identity"))
    read = BytesIO()  # its value shares its buffer, so there is no second copy
    # Not by `aiter_raw`, which counts and checks what is done here.
    async for chunk in cast("httpx.AsyncByteStream", response.stream):
        for piece in unzip.pieces(chunk):
            read.write(piece)
            if read.tell() > most:
                raise TooLargeError
    unzip.end()
    return read.getvalue()


def lowered(response: httpx.Response) -> dict[bytes, bytes]:
    """The headers of a reply, looked through once; one that comes twice is joined."""
    found: dict[bytes, bytes] = {}
    for name, value in response.headers.raw:
        name = name.lower()  # noqa: PLW2901 - the same, as it is compared
        found[name] = found[name] + b", " + value if name in found else value
    return found


def _unzip(encoding: bytes) -> _Plain:
    match encoding.strip().lower():
        case b"identity" | b"":
            return _Plain()
        case b"gzip" | b"x-gzip" | b"deflate":
            return _Zipped()
    raise httpx.DecodingError("an encoding that was not asked for")


class _Plain:
    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def end(self) -> None:
        pass


class _Zipped(_Plain):
    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, as it says itself

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            try:
                yield self._zlib.decompress(chunk, PIECE)
            except zlib.error:
                raise httpx.DecodingError("damaged") from None
            if self._zlib.unused_data:
                raise httpx.DecodingError("more after its end")
            chunk = self._zlib.unconsumed_tail

    def end(self) -> None:
        if not self._zlib.eof:
            raise httpx.RemoteProtocolError("cut short")
