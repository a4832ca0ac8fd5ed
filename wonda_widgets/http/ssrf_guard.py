"""Connect only to checked addresses, to prevent DNS rebinding.

A name may resolve to a different address at each lookup. Therefore, each connection looks up its
name once, checks all addresses, and connects to one of exactly these. TLS and the ``Host`` header
use the name.

Behind a proxy, nothing is looked up here: the proxy resolves names, even those that this computer
cannot resolve. httpx decides which requests go through a proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Literal

import httpcore
import httpx

from . import network_settings, public_addresses

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
    from ipaddress import IPv4Address, IPv6Address
    from typing import Any

#: Which addresses are refused; None for none.
Refused = Literal["private", "public"] | None
#: Seconds before the next address of a name is tried while one has not responded yet.
NEXT_ADDRESS_DELAY = 0.25

NOT_RESOLVED = "getaddrinfo found no address"  # `transport_errors.reason` matches this


def client(
    refused: Refused, *, context: ssl.SSLContext, timeout: float, trust_env: bool, **options: Any
) -> httpx.AsyncClient:
    """Create a client that rejects addresses of one kind.

    Its connections are not shared, so that none is used under another rule.

    Parameters
    ----------
    refused : "private", "public" or None
        A name counts as private if any of its addresses is.
    context : ssl.SSLContext
    timeout : float
        Seconds for each of connecting, writing, reading and waiting for a connection.
    trust_env : bool
        Whether to use the proxies in the environment.
    **options
        Further options of `httpx.AsyncClient`.
    """
    limits = options["limits"]
    return httpx.AsyncClient(
        transport=_Direct(refused, context, limits),
        mounts=network_settings.mounts(lambda proxy: _Proxied(refused, proxy, context, limits))
        if trust_env
        else {},
        timeout=timeout,
        trust_env=False,  # the proxies are among the mounts
        **options,
    )


# ---------------------------------------------------------------- through a proxy


class _Proxied(httpx.AsyncBaseTransport):
    """A transport that uses a proxy, which resolves names; literal addresses are checked."""

    def __init__(
        self, refused: Refused, proxy: str, context: ssl.SSLContext, limits: httpx.Limits
    ) -> None:
        self._refused = refused
        self._transport = httpx.AsyncHTTPTransport(proxy=proxy, verify=context, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        private = public_addresses.is_private(request.url.host)
        _check(self._refused, private=private)
        response = await self._transport.handle_async_request(request)
        response.extensions[public_addresses.FROM_PRIVATE_NETWORK] = private
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


# ---------------------------------------------------------------- without a proxy


class _Direct(httpx.AsyncBaseTransport):
    """A transport that sends requests directly to their host."""

    def __init__(self, refused: Refused, context: ssl.SSLContext, limits: httpx.Limits) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=limits.max_connections,
            max_keepalive_connections=limits.max_keepalive_connections,
            keepalive_expiry=limits.keepalive_expiry,
            network_backend=_Checked(refused),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _httpx_errors():
            response = await self._pool.handle_async_request(sent)
        found = httpx.Response(
            response.status,
            headers=response.headers,
            stream=_Stream(response),
            extensions=response.extensions,
        )
        peer = public_addresses.peer_address(found)
        is_private = peer is not None and not public_addresses.is_public(peer)
        found.extensions[public_addresses.FROM_PRIVATE_NETWORK] = is_private
        return found

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Stream(httpx.AsyncByteStream):
    """A body that raises httpx's errors."""

    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for piece in self._response.aiter_stream():
                yield piece

    async def aclose(self) -> None:
        await self._response.aclose()


@contextlib.contextmanager
def _httpx_errors() -> Iterator[None]:
    """Raise httpcore's errors as httpx's errors of the same names."""
    try:
        yield
    except Exception as error:
        names = [kind.__name__ for kind in type(error).__mro__ if _of_httpcore(kind)]
        cls = next(filter(None, (getattr(httpx, name, None) for name in names)), None)
        if cls is None:
            raise
        raise cls(str(error)) from error


def _of_httpcore(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "httpcore"


class _Checked(httpcore.AsyncNetworkBackend):
    """A network backend that connects only to checked addresses."""

    def __init__(self, refused: Refused) -> None:
        self._refused = refused
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        async def connect(address: IPv4Address | IPv6Address) -> httpcore.AsyncNetworkStream:
            return await self._backend.connect_tcp(
                str(address), port, timeout, local_address, socket_options
            )

        try:
            async with asyncio.timeout(timeout):  # for the lookup and all addresses together
                addresses = await public_addresses.resolve(host, port)
                if not addresses:
                    raise httpcore.ConnectError(NOT_RESOLVED)
                _check(self._refused, private=not all(map(public_addresses.is_public, addresses)))
                return await _first_to_answer(addresses, connect)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _check(refused: Refused, *, private: bool) -> None:
    if refused == ("private" if private else "public"):
        raise public_addresses.RefusedAddressError


async def _first_to_answer(addresses: Sequence[Any], connect: Any) -> httpcore.AsyncNetworkStream:
    """Connect to the first address that responds.

    The next address is tried when one fails, or in parallel after `NEXT_ADDRESS_DELAY`, because a
    network may only appear to support IPv6.
    """
    waiting, running = list(addresses), set[asyncio.Task[httpcore.AsyncNetworkStream]]()
    problem: BaseException = httpcore.ConnectError(NOT_RESOLVED)
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(connect(waiting.pop(0))))
            timeout = NEXT_ADDRESS_DELAY if waiting else None
            done, running = await asyncio.wait(
                running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                if (failed := task.exception()) is None:
                    running |= done - {task}
                    return task.result()
                problem = failed
        raise problem
    finally:
        for task in running:
            task.add_done_callback(_close)
            task.cancel()


def _close(task: asyncio.Task[httpcore.AsyncNetworkStream]) -> None:
    """Close a connection that was opened too late."""
    if not task.cancelled() and task.exception() is None:
        closing = asyncio.ensure_future(task.result().aclose())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()  # the loop has only weak references to tasks
