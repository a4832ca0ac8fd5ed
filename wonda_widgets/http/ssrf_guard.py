"""Connect to the address that was checked, so that a name cannot lead elsewhere meanwhile.

A name may have another address each time it is asked for. Here it is asked for once a
connection: all its addresses are checked, and the connection goes to one of exactly these.
TLS and the ``Host`` header keep the name.

Behind a proxy that resolves names, none is asked for here: the proxy knows names that this
machine does not. Which requests go by a proxy is httpx's decision.
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

#: Which addresses are not connected to; None is any.
Refused = Literal["private", "public"] | None
#: Seconds until the next address of a name is tried beside the one that does not answer.
NEXT_ADDRESS = 0.25

NOT_RESOLVED = "getaddrinfo found no address"  # `responses.why` knows these words


def client(
    refused: Refused, *, context: ssl.SSLContext, timeout: float, trust_env: bool, **options: Any
) -> httpx.AsyncClient:
    """A client that connects to no address of a kind.

    Its connections are its own: none is used for a request that another rule applies to.

    Parameters
    ----------
    refused : "private", "public" or None
        A name of which one address is private counts as private.
    context : ssl.SSLContext
    timeout : float
        Seconds for each of connecting, writing, reading and waiting for a connection.
    trust_env : bool
        Whether to go by the proxies of the environment.
    **options
        Further ones of `httpx.AsyncClient`.
    """
    limits = options["limits"]
    return httpx.AsyncClient(
        transport=_Direct(refused, context, limits),
        mounts=network_settings.mounts(lambda proxy: _Proxied(refused, proxy, context, limits))
        if trust_env
        else {},
        timeout=timeout,
        trust_env=False,  # its proxies are among the mounts
        **options,
    )


# ---------------------------------------------------------------- by a proxy


class _Proxied(httpx.AsyncBaseTransport):
    """Requests that go by a proxy, which looks names up; what a URL spells is checked."""

    def __init__(
        self, refused: Refused, proxy: str, context: ssl.SSLContext, limits: httpx.Limits
    ) -> None:
        self._refused = refused
        self._transport = httpx.AsyncHTTPTransport(proxy=proxy, verify=context, limits=limits)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        private = public_addresses.is_private(request.url.host)
        _check(self._refused, private=private)
        response = await self._transport.handle_async_request(request)
        response.extensions[public_addresses.FROM_INSIDE] = private
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


# ---------------------------------------------------------------- without one


class _Direct(httpx.AsyncBaseTransport):
    """Requests that go straight to their host."""

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
        there = public_addresses.peer(found)
        inside = there is not None and not public_addresses.is_public(there)
        found.extensions[public_addresses.FROM_INSIDE] = inside
        return found

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Stream(httpx.AsyncByteStream):
    """A body whose errors are httpx's."""

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
    """Raise httpcore's errors as httpx has them, by the same names."""
    try:
        yield
    except Exception as error:
        names = [kind.__name__ for kind in type(error).__mro__ if _of_httpcore(kind)]
        alike = next(filter(None, (getattr(httpx, name, None) for name in names)), None)
        if alike is None:
            raise
        raise alike(str(error)) from error


def _of_httpcore(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == "httpcore"


class _Checked(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses that were checked, and to no others."""

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
            async with asyncio.timeout(timeout):  # the look-up and all addresses together
                found = await public_addresses.resolved(host, port)
                if not found:
                    raise httpcore.ConnectError(NOT_RESOLVED)
                _check(self._refused, private=not all(map(public_addresses.is_public, found)))
                return await _first(found, connect)
        except TimeoutError:
            raise httpcore.ConnectTimeout from None

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _check(refused: Refused, *, private: bool) -> None:
    if refused == ("private" if private else "public"):
        raise public_addresses.RefusedAddressError


async def _first(found: Sequence[Any], connect: Any) -> httpcore.AsyncNetworkStream:
    """Connect to the first address that answers.

    The next one has its turn when one fails, or beside it after `NEXT_ADDRESS`: where a
    network only seems to have IPv6, nobody waits for it.
    """
    waiting, running = list(found), set[asyncio.Task[httpcore.AsyncNetworkStream]]()
    problem: BaseException = httpcore.ConnectError(NOT_RESOLVED)
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.ensure_future(connect(waiting.pop(0))))
            patience = NEXT_ADDRESS if waiting else None
            done, running = await asyncio.wait(
                running, timeout=patience, return_when=asyncio.FIRST_COMPLETED
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
    """Close a connection that came too late."""
    if not task.cancelled() and task.exception() is None:
        closing = asyncio.ensure_future(task.result().aclose())
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)


_closing: set[asyncio.Future[None]] = set()  # the loop holds tasks only weakly
