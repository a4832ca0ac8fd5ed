"""Read the body of a response with a size limit.

Unencoded bodies are requested. If a server compresses the body anyway, this module decompresses it
in small pieces, because httpx would decompress each chunk as a whole, and 64 KB may become 64 MB.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING, cast

import httpx

if TYPE_CHECKING:
    from collections.abc import Iterator

UNENCODED = {"Accept-Encoding": "identity"}
PIECE_BYTES = 64 * 1024


class TooLargeError(Exception):
    """The body is larger than the limit."""


async def read_body(
    response: httpx.Response, max_bytes: int, headers: dict[bytes, bytes] | None = None
) -> bytes:
    """Read the whole body of a streamed response.

    Parameters
    ----------
    response : httpx.Response
    max_bytes : int
    headers : dict, optional
        The result of `lowercase_headers`, if already called.

    Raises
    ------
    TooLargeError
        If the body has or announces more than `max_bytes`.
    httpx.HTTPError
        If the body is cut short, or in an encoding that was not requested.
    """
    headers = lowercase_headers(response) if headers is None else headers
    announced = headers.get(b"content-length", b"").decode(errors="replace")
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > max_bytes):  # noqa: PLR2004 - digits
        raise TooLargeError
    if response.is_stream_consumed:  # from a test, already complete
        if len(response.content) > max_bytes:
            raise TooLargeError
        return response.content
    decoder = _decoder(headers.get(b"content-encoding", b"identity"))
    read = BytesIO()  # `getvalue` shares its buffer, so there is no second copy
    # Not with `aiter_raw`, which repeats the counting and checks of this function.
    async for chunk in cast("httpx.AsyncByteStream", response.stream):
        for piece in decoder.pieces(chunk):
            read.write(piece)
            if read.tell() > max_bytes:
                raise TooLargeError
    decoder.end()
    return read.getvalue()


def lowercase_headers(response: httpx.Response) -> dict[bytes, bytes]:
    """Return headers by lower-case name; the values of a repeated one are comma-separated."""
    found: dict[bytes, bytes] = {}
    for name, value in response.headers.raw:
        name = name.lower()  # noqa: PLW2901 - names are case-insensitive
        found[name] = found[name] + b", " + value if name in found else value
    return found


def _decoder(encoding: bytes) -> _Plain:
    match encoding.strip().lower():
        case b"identity" | b"":
            return _Plain()
        case b"gzip" | b"x-gzip" | b"deflate":
            return _Compressed()
    raise httpx.DecodingError("an encoding that was not requested")


class _Plain:
    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def end(self) -> None:
        pass


class _Compressed(_Plain):
    def __init__(self) -> None:
        self._decompressor = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its header

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            try:
                yield self._decompressor.decompress(chunk, PIECE_BYTES)
            except zlib.error:
                raise httpx.DecodingError("damaged") from None
            if self._decompressor.unused_data:
                raise httpx.DecodingError("more after its end")
            chunk = self._decompressor.unconsumed_tail

    def end(self) -> None:
        if not self._decompressor.eof:
            raise httpx.RemoteProtocolError("cut short")
