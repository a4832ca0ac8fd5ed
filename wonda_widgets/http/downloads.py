"""Download images from the storage host, without the key.

Each download has limits: bytes, seconds, redirects. No address may lead into a private network
unless the API, or the redirecting host, is also in a private network.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import httpx

from ..errors import (
    APIError,
    ServerError,
    ServiceUnreachableError,
    UnsafeMediaError,
    WondaError,
)
from ..utils import logs
from . import (
    body_reader,
    public_addresses,
    responses,
    retries,
    transport_errors,
)
from .public_addresses import FROM_PRIVATE_NETWORK, RefusedAddressError

if TYPE_CHECKING:
    from .connections import Connections
    from .retries import Sleep

_log = logging.getLogger(__name__)

MAX_BYTES = 100 * 1024 * 1024
TIMEOUT_SECONDS = 300.0  # per image after its wait in the queue, with all attempts and redirects
MAX_REDIRECTS = 3


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
        host = _parse_url(url).host
        self._connections.client()  # creates the limits
        async with self._connections.limits.download:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS) as limit:
                    return await self._with_retries(url, host, max_bytes)
            except TimeoutError:
                if not limit.expired():
                    raise
        raise _unreachable(host, f"it takes longer than {TIMEOUT_SECONDS:g} s")

    async def _with_retries(self, url: str, host: str, max_bytes: int) -> bytes:
        for attempt in range(1, retries.TRIES + 1):
            wait = None
            try:
                return await self._try(url, max_bytes, attempt)
            except body_reader.TooLargeError:
                raise _too_large(max_bytes) from None
            except httpx.InvalidURL:  # of a redirect, which httpx reads first
                raise _invalid_url() from None
            except ServerError as error:
                problem: WondaError = error
                wait = error.retry_after
            except WondaError:
                raise
            except Exception as error:  # noqa: BLE001 - a transport's bug, too, gets a clear error
                transport_errors.log_unexpected(error)
                problem = _unreachable(
                    host, transport_errors.reason(error), transport_errors.hint(error)
                )
            if not await retries.wait_before_retry(self._sleep, attempt, wait):
                break
        raise problem

    async def _try(self, url: str, max_bytes: int, attempt: int) -> bytes:
        # The API leads to the first address, each redirect to the next one.
        may_be_private, target = self._api_is_private, _parse_url(url)
        for redirects in range(MAX_REDIRECTS + 1):
            try:
                response = await self._get(target, attempt, may_be_private=may_be_private)
            except RefusedAddressError:
                if redirects or not await self._find_out_whether_api_is_private():
                    raise _leads_into_private_network() from None
                response = await self._get(target, attempt, may_be_private=True)
            try:
                if not response.has_redirect_location:
                    if not response.is_success:
                        raise _api_error(response)
                    return await body_reader.read_body(response, max_bytes)
                may_be_private = response.extensions.get(
                    FROM_PRIVATE_NETWORK, public_addresses.is_private(target.host)
                )
                target = _parse_url(response.headers["Location"], target)
            finally:
                await response.aclose()
        raise UnsafeMediaError("The image's address redirects too often.")

    async def _get(
        self, target: httpx.URL, attempt: int, *, may_be_private: bool
    ) -> httpx.Response:
        """Send a GET request, to a private network only if `may_be_private`."""
        if not may_be_private and public_addresses.is_private(target.host):
            raise RefusedAddressError
        client = self._connections.media_client(None if may_be_private else "private")
        started, response = time.monotonic(), None
        try:
            response = await client.send(client.build_request("GET", target), stream=True)
        finally:
            # Not the path, because the full address is enough to open the image.
            label = f"an image of {target.host}"
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
    return UnsafeMediaError("The image's address is not an http or https address.")


def _api_error(response: httpx.Response) -> APIError:
    status = response.status_code
    return responses.error_class(status)(
        status,
        "",
        "The image could not be downloaded",
        hint="The address may have expired; poll the job again to get a new one.",
        retry_after=responses.retry_after(response.headers.get("Retry-After", "")),
    )


def _unreachable(host: str, reason: str, hint: str = "") -> ServiceUnreachableError:
    return ServiceUnreachableError(
        f"The image could not be downloaded from {host}: {reason}.",
        f"It is still at the service. {hint or 'Try again.'}",
    )


def _leads_into_private_network() -> UnsafeMediaError:
    return UnsafeMediaError(
        "The image's address leads into a private network, so it was not opened.",
        "Open its address in a browser if you trust it.",
    )


def _too_large(max_bytes: int) -> UnsafeMediaError:
    return UnsafeMediaError(
        f"The image is larger than {max_bytes // 2**20} MB, so it was not downloaded.",
        "Open its address in a browser if you trust it.",
    )
