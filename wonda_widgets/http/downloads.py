"""Download media from the storage host, without the key.

Each download has limits: bytes, seconds, redirects. A file is written while it arrives and, after
an interruption, continued where it was if the host supports that (``Range``).

No address may lead into a private network unless the API, or the redirecting host, is also in a
private network.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from types import MappingProxyType
from typing import IO, TYPE_CHECKING, TypeVar, cast

import httpx

from ..errors import (
    APIError,
    InvalidInputError,
    ServerError,
    ServiceUnreachableError,
    UnsafeMediaError,
    WondaError,
)
from ..utils import event_loop, logs
from . import (
    body_reader,
    public_addresses,
    responses,
    retries,
    transport_errors,
)
from .public_addresses import FROM_PRIVATE_NETWORK, RefusedAddressError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .connections import Connections
    from .retries import Sleep

T = TypeVar("T")

_log = logging.getLogger(__name__)

MAX_BYTES = 100 * 1024 * 1024
TIMEOUT_SECONDS = 300.0  # per file after its wait in the queue, with all attempts and redirects
MAX_REDIRECTS = 3
MAX_FILE_BYTES = 4 * 1024**3  # of a file on disk
#: What is written together; a larger part needs fewer changes between threads.
WRITE_BYTES, WRITE_SECONDS = 2 * 1024 * 1024, 0.25
PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE = 206, 416
CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-\d{1,19}/(\d{1,19}|\*)")


class Downloads:
    """The downloads of one client.

    Parameters
    ----------
    connections : Connections
    sleep : callable
        Awaitable sleep in seconds.
    """

    def __init__(self, connections: Connections, sleep: Sleep) -> None:
        self._connections = connections
        self._sleep = sleep
        self._api_is_private = public_addresses.is_private(connections.host)

    def page_may_open(self, url: str) -> bool:
        """Whether a page may load media from an address itself, without the key.

        As for downloads, it must not lead into a private network unless the API is in one.
        """
        try:
            host = _parse_url(url).host
        except UnsafeMediaError:
            return False
        is_allowed = self._api_is_private or not public_addresses.is_private(host)
        return self._connections.uses_network and is_allowed

    async def fetch(self, url: str, max_bytes: int = MAX_BYTES) -> bytes:
        """Download the bytes at a media's address.

        Raises
        ------
        UnsafeMediaError
            If the file is larger than `max_bytes`, or the address leads into a private network or
            redirects too often.
        APIError, ServiceUnreachableError
            Also raised if every attempt is cut short, or the download takes longer than
            `TIMEOUT_SECONDS`.
        """

        async def read(response: httpx.Response) -> bytes:
            if not response.is_success:
                raise _api_error(response)
            return await body_reader.read_body(response, max_bytes)

        host = _parse_url(url).host
        self._connections.client()  # creates the limits
        async with self._connections.limits.download:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS) as limit:
                    return await self._with_retries(
                        host, max_bytes, lambda attempt: self._try(url, attempt, read)
                    )
            except TimeoutError:
                if not limit.expired():
                    raise
        raise _unreachable(host, f"it takes longer than {TIMEOUT_SECONDS:g} s")

    async def save(
        self, url: str, file: IO[bytes], on_progress: Callable[[int, int | None], object]
    ) -> None:
        """Write the bytes at a media's address to a file, with a few MB of memory.

        Parameters
        ----------
        url : str
        file : binary file
            Open for writing; it may be written from the start again.
        on_progress : callable
            Called with the received bytes and, if known, the total.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            See `fetch`; there is no limit in time as long as bytes arrive.
        InvalidInputError
            If the file cannot be written, for example because the disk is full.
        """
        part = _PartialFile(file, on_progress)
        host = _parse_url(url).host
        self._connections.client()  # creates the limits
        async with self._connections.limits.download:
            while True:
                before = part.received
                try:
                    await self._with_retries(
                        host,
                        MAX_FILE_BYTES,
                        lambda attempt: self._try(url, attempt, part.read, part.headers),
                    )
                except ServiceUnreachableError:
                    if part.received <= before:
                        raise
                except _ProgressFunctionError as failed:
                    raise failed.error from None
                else:
                    return

    async def _with_retries(
        self, host: str, max_bytes: int, send: Callable[[int], Awaitable[T]]
    ) -> T:
        for attempt in range(1, retries.TRIES + 1):
            wait = None
            try:
                return await send(attempt)
            except body_reader.TooLargeError:
                raise _too_large(max_bytes) from None
            except httpx.InvalidURL:  # of a redirect, which httpx reads first
                raise _invalid_url() from None
            except ServerError as error:
                problem: WondaError = error
                wait = error.retry_after
            except (WondaError, _ProgressFunctionError):
                raise
            except Exception as error:  # noqa: BLE001 - a transport's bug, too, gets a clear error
                transport_errors.log_unexpected(error)
                problem = _unreachable(
                    host, transport_errors.reason(error), transport_errors.hint(error)
                )
            if not await retries.wait_before_retry(self._sleep, attempt, wait):
                break
        raise problem

    async def _try(
        self,
        url: str,
        attempt: int,
        read: Callable[[httpx.Response], Awaitable[T]],
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> T:
        # The API leads to the first address, each redirect to the next one.
        may_be_private, target = self._api_is_private, _parse_url(url)
        for redirects in range(MAX_REDIRECTS + 1):
            try:
                response = await self._get(target, attempt, headers, may_be_private=may_be_private)
            except RefusedAddressError:
                if redirects or not await self._find_out_whether_api_is_private():
                    raise _leads_into_private_network() from None
                response = await self._get(target, attempt, headers, may_be_private=True)
            try:
                if not response.has_redirect_location:
                    return await read(response)
                may_be_private = response.extensions.get(
                    FROM_PRIVATE_NETWORK, public_addresses.is_private(target.host)
                )
                target = _parse_url(response.headers["Location"], target)
            finally:
                await response.aclose()
        raise UnsafeMediaError("The file's address redirects too often.")

    async def _get(
        self,
        target: httpx.URL,
        attempt: int,
        headers: Mapping[str, str],
        *,
        may_be_private: bool,
    ) -> httpx.Response:
        """Send a GET request, to a private network only if `may_be_private`."""
        if not may_be_private and public_addresses.is_private(target.host):
            raise RefusedAddressError
        client = self._connections.media_client(None if may_be_private else "private")
        started, response = time.monotonic(), None
        try:
            response = await client.send(
                client.build_request("GET", target, headers=headers), stream=True
            )
        finally:
            # Not the path, because the full address is enough to open the image.
            label = f"media of {target.host}"
            logs.log_request(_log, "GET", label, response, started, attempt=attempt)
        return response

    async def _find_out_whether_api_is_private(self) -> bool:
        """Determine whether the API's host name has a private address.

        A DNS lookup is not enough, because its result may change. Therefore, this method connects
        to the API without the key; with TLS, no other host can respond.
        """
        if not self._api_is_private and self._connections.uses_network:
            client = self._connections.media_client("public")
            try:
                async with asyncio.timeout(2 * self._connections.timeout):
                    request = client.build_request("HEAD", self._connections.base_url)
                    response = await client.send(request, stream=True)
                    await response.aclose()
            except Exception:  # noqa: BLE001 - no answer from a private address
                return False
            self._api_is_private = bool(response.extensions[FROM_PRIVATE_NETWORK])
        return self._api_is_private


class _ProgressFunctionError(Exception):
    """An error of the caller's function, which is not one of the download."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _PartialFile:
    """A file that is being downloaded, possibly in several parts."""

    def __init__(self, file: IO[bytes], on_progress: Callable[[int, int | None], object]) -> None:
        self._file = file
        self._on_progress = on_progress
        self._version = ""  # of the remote file: its ETag, or when it was changed
        self.received = 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers that request the missing part, unless the remote file has changed."""
        if not (self.received and self._version):
            return {}
        return {"Range": f"bytes={self.received}-", "If-Range": self._version}

    async def read(self, response: httpx.Response) -> None:
        """Write the body of a response to the file."""
        if response.status_code == RANGE_NOT_SATISFIABLE and self.received:
            if response.headers.get("Content-Range") == f"bytes */{self.received}":
                return  # all bytes had been received
            self._version = ""  # the next attempt requests the whole file
            raise httpx.RemoteProtocolError("the file has become shorter")
        if not response.is_success:
            raise _api_error(response)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise httpx.DecodingError("an encoding that was not requested")
        if response.status_code == PARTIAL_CONTENT:
            total = self._total_of_part(response)
        else:
            await self._change(self._restart)
            self._version = _version(response)
            announced = response.headers.get("Content-Length", "")
            total = int(announced) if announced.isdecimal() else None
        self._report(total)
        await self._receive(response, total)
        if total is not None and self.received < total:  # it continues in the next attempt
            raise httpx.RemoteProtocolError("only a part was sent")

    async def _receive(self, response: httpx.Response, total: int | None) -> None:
        chunks: list[bytes] = []
        size, due = 0, time.monotonic() + WRITE_SECONDS
        writing: asyncio.Future[None] | None = None
        try:
            async for chunk in cast("httpx.AsyncByteStream", response.stream):
                chunks.append(chunk)
                size += len(chunk)
                if size >= WRITE_BYTES or time.monotonic() >= due:
                    if writing is not None:
                        await writing
                    # This is written while more arrives.
                    writing = asyncio.ensure_future(self._write(chunks, size, total))
                    chunks, size, due = [], 0, time.monotonic() + WRITE_SECONDS
        finally:  # what arrived before an interruption is not requested again
            if writing is not None:
                await writing
            await self._write(chunks, size, total)

    async def _write(self, chunks: list[bytes], size: int, total: int | None) -> None:
        if not size:
            return
        if self.received + size > MAX_FILE_BYTES:
            raise body_reader.TooLargeError
        await self._change(self._file.write, b"".join(chunks))
        self.received += size
        self._report(total)

    def _report(self, total: int | None) -> None:
        try:
            self._on_progress(self.received, total)
        except Exception as error:  # noqa: BLE001 - the caller gets it
            raise _ProgressFunctionError(error) from None

    def _total_of_part(self, response: httpx.Response) -> int | None:
        """Return the size of the whole file, of which a response has the next part.

        Raises
        ------
        httpx.RemoteProtocolError
            If it is another part, or of another version of the file. The next attempt requests
            the whole file.
        """
        found = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        is_same = _version(response) in {"", self._version}
        if found is None or int(found[1]) != self.received or not is_same or not self._version:
            self._version = ""
            raise httpx.RemoteProtocolError("another part than the requested one was sent")
        return None if found[2] == "*" else int(found[2])

    @staticmethod
    async def _change(change: Callable[..., object], *args: object) -> None:
        """Change the file, in a thread."""
        try:
            await event_loop.to_thread(change, *args)
        except OSError as error:
            raise InvalidInputError(
                "path",
                f"The file cannot be written: {error.strerror or error}.",
                "Free some space, or choose another folder.",
            ) from None

    def _restart(self) -> None:
        if not self._file.tell():
            return  # to truncate a new file makes its closing slow on ext4
        self._file.seek(0)
        self._file.truncate()
        self.received = 0


def _version(response: httpx.Response) -> str:
    """Return what identifies the version of a remote file in ``If-Range``; empty if unknown."""
    tag: str = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified", "")


def _parse_url(address: str, base: httpx.URL | None = None) -> httpx.URL:
    """Parse the address of media; only http and https are allowed."""
    try:
        url = base.join(address) if base else httpx.URL(address)
        is_valid = url.scheme in {"http", "https"} and bool(url.host)  # reading a host may fail
    except (httpx.InvalidURL, ValueError):
        is_valid = False
    if not is_valid:
        raise _invalid_url()
    return url


def _invalid_url() -> UnsafeMediaError:
    return UnsafeMediaError("The file's address is not an http or https address.")


def _api_error(response: httpx.Response) -> APIError:
    status = response.status_code
    return responses.error_class(status)(
        status,
        "",
        "The file could not be downloaded",
        hint="The address may have expired; poll the job again to get a new one.",
        retry_after=responses.retry_after(response.headers.get("Retry-After", "")),
    )


def _unreachable(host: str, reason: str, hint: str = "") -> ServiceUnreachableError:
    return ServiceUnreachableError(
        f"The file could not be downloaded from {host}: {reason}.",
        f"It is still at the service. {hint or 'Try again.'}",
    )


def _leads_into_private_network() -> UnsafeMediaError:
    return UnsafeMediaError(
        "The file's address leads into a private network, so it was not opened.",
        "Open its address in a browser if you trust it.",
    )


def _too_large(max_bytes: int) -> UnsafeMediaError:
    return UnsafeMediaError(
        f"The file is larger than {max_bytes // 2**20} MB, so it was not downloaded.",
        "Open its address in a browser if you trust it.",
    )
