"""Fetch images from where the service keeps them, without the key.

What comes is bounded: in bytes, in time, in redirects. No address leads into a
private network, unless what sends us there is in one.
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
)
from .public_addresses import FROM_INSIDE, RefusedAddressError

if TYPE_CHECKING:
    from .connections import Connections
    from .retries import Sleep

_log = logging.getLogger(__name__)

MAX_BYTES = 100 * 1024 * 1024
SECONDS = 300.0  # for one image, from its turn on, with all tries and redirects
MAX_REDIRECTS = 3


class Downloads:
    """Fetches images for one client.

    Parameters
    ----------
    connections : Connections
    sleep : callable
        Awaitable sleep in seconds.
    """

    def __init__(self, connections: Connections, sleep: Sleep) -> None:
        self._connections = connections
        self._sleep = sleep
        #: whether the API is in a private network, as far as that is known
        self._inside = public_addresses.is_private(connections.host)

    async def fetch(self, url: str, max_bytes: int = MAX_BYTES) -> bytes:
        """The bytes at a media's address, fetched without the key.

        Raises
        ------
        UnsafeMediaError
            If it is larger than `max_bytes`, leads into a private network, or is
            redirected too often.
        APIError, ServiceUnreachableError
            Also if it was cut short each time, or is not there within `SECONDS`
            of its turn.
        """
        where = _address(url).host
        self._connections.client()  # with it come its places
        async with self._connections.places.download:
            try:
                async with asyncio.timeout(SECONDS) as limit:
                    return await self._tried(url, where, max_bytes)
            except TimeoutError:
                if not limit.expired():
                    raise
        raise _not_fetched(where, f"it takes longer than {SECONDS:g} s")

    async def _tried(self, url: str, where: str, max_bytes: int) -> bytes:
        for attempt in range(1, retries.TRIES + 1):
            wait = None
            try:
                return await self._once(url, max_bytes, attempt)
            except body_reader.TooLargeError:
                raise _too_large(max_bytes) from None
            except httpx.InvalidURL:  # httpx reads where a redirect leads before we do
                raise _not_opened() from None
            except ServerError as error:
                problem: WondaError = error
                wait = error.retry_after
            except WondaError:
                raise
            except Exception as error:  # noqa: BLE001 - a transport's bug is told in our words too
                responses.note_fault(error)
                problem = _not_fetched(where, responses.why(error), responses.advice(error))
            if not await retries.delay(self._sleep, attempt, wait):
                break
        raise problem

    async def _once(self, url: str, max_bytes: int, attempt: int) -> bytes:
        # What sends us there: the API first, then each redirect.
        inside, target = self._inside, _address(url)
        for redirects in range(MAX_REDIRECTS + 1):
            try:
                response = await self._get(target, attempt, inside=inside)
            except RefusedAddressError:
                if redirects or not await self._api_is_inside():
                    raise _leads_inside() from None
                response = await self._get(target, attempt, inside=True)
            try:
                if not response.has_redirect_location:
                    if not response.is_success:
                        raise _refusal(response)
                    return await body_reader.body(response, max_bytes)
                inside = response.extensions.get(
                    FROM_INSIDE, public_addresses.is_private(target.host)
                )
                target = _address(response.headers["Location"], target)
            finally:
                await response.aclose()
        raise UnsafeMediaError("The image's address leads from one redirect to the next.")

    async def _get(self, target: httpx.URL, attempt: int, *, inside: bool) -> httpx.Response:
        """Ask for it, where that may be: into a private network only what is in one may lead."""
        if not inside and public_addresses.is_private(target.host):
            raise RefusedAddressError
        client = self._connections.media_client(None if inside else "private")
        begun, found = time.monotonic(), None
        try:
            found = await client.send(client.build_request("GET", target), stream=True)
        finally:
            # Not its path: whoever knows all of an image's address can open it.
            logs.request(_log, "GET", f"an image of {target.host}", found, begun, attempt=attempt)
        return found

    async def _api_is_inside(self) -> bool:
        """Whether the API, known by a name, has a private address.

        Its name alone could say so only now. So a connection is made there, if need be, and
        with TLS only the API itself can answer. It has no key.
        """
        if not self._inside and self._connections.by_network:
            client = self._connections.media_client("public")
            try:
                async with asyncio.timeout(2 * self._connections.timeout):
                    request = client.build_request("HEAD", self._connections.base_url)
                    response = await client.send(request, stream=True)
                    await response.aclose()
            except Exception:  # noqa: BLE001 - whatever it is, it is no answer from inside
                return False
            self._inside = bool(response.extensions[FROM_INSIDE])
        return self._inside


def _address(address: str, base: httpx.URL | None = None) -> httpx.URL:
    """Read the address of media; only http and https are opened."""
    try:
        url = base.join(address) if base else httpx.URL(address)
        opens = url.scheme in {"http", "https"} and bool(url.host)  # a host may be unreadable
    except (httpx.InvalidURL, ValueError):
        opens = False
    if not opens:
        raise _not_opened()
    return url


def _not_opened() -> UnsafeMediaError:
    return UnsafeMediaError("The image's address is not one that can be opened (http or https).")


def _refusal(response: httpx.Response) -> APIError:
    status = response.status_code
    return responses.error_class(status)(
        status,
        "",
        "The image could not be fetched from its address",
        hint="The address may have expired; follow the job again for a fresh one.",
        retry_after=responses.retry_after(response.headers.get("Retry-After", "")),
    )


def _not_fetched(where: str, why: str, hint: str = "") -> ServiceUnreachableError:
    return ServiceUnreachableError(
        f"The image could not be fetched from {where}: {why}.",
        f"It stays at the service. {hint}" if hint else "It stays at the service; try again.",
    )


def _leads_inside() -> UnsafeMediaError:
    return UnsafeMediaError(
        "The image's address leads into a private network, so it was not opened.",
        "Open its address in a browser if you trust it.",
    )


def _too_large(max_bytes: int) -> UnsafeMediaError:
    return UnsafeMediaError(
        f"The image is larger than {max_bytes // 2**20} MB, so it was not downloaded.",
        "Open its address in a browser if you trust it.",
    )
