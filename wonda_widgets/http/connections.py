"""A client's connections, which are opened on first use and closed together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.request import getproxies

import httpx

from ..errors import ClosedError
from ..utils import event_loop
from ..utils.version import __version__
from . import body_reader, network_settings
from .connection_limits import MAX_CONNECTIONS, ConnectionLimits

if TYPE_CHECKING:
    from .ssrf_guard import Refused

DEFAULT_HEADERS = {
    "Accept": "*/*",
    "User-Agent": f"wonda-widgets/{__version__}",
    **body_reader.UNENCODED,
}
LIMITS = httpx.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Connections:
    """The httpx clients of one `Transport` in one process. On the package's loop.

    Parameters
    ----------
    base_url : str
    timeout : float
        Seconds for each of connecting, writing, reading and waiting for a connection.
    transport : httpx.AsyncBaseTransport, optional
        Used for all requests instead of the network.

    Attributes
    ----------
    host : str
        The host of the API.
    limits : ConnectionLimits
        Set when `client` is first called.
    context : ssl.SSLContext
        The TLS settings; set when `client` is first called, unless a transport was passed.
    direct : httpx.AsyncBaseTransport or None
        The transport that the client uses; None if there are proxies.
    """

    def __init__(
        self, base_url: str, timeout: float, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self.base_url = base_url
        self.host = httpx.URL(base_url).host
        self.timeout = timeout
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._media: dict[Refused, httpx.AsyncClient] = {}
        self.direct: httpx.AsyncBaseTransport | None = None
        self._pid = os.getpid()
        self.closed = False
        event_loop.reset_after_fork(self)
        event_loop.close_at_exit(self)

    def reset_in_child(self) -> None:
        """Leave the connections to the parent in a forked child; closing one would end both."""
        event_loop.keep_inherited((self._client, self._media, self.direct))
        self._client, self._media = None, {}
        self._pid = os.getpid()

    @property
    def uses_network(self) -> bool:
        """Whether requests use the network and not a transport that was passed."""
        return self._transport is None

    def is_same_way(self, other: Connections) -> bool:
        """Whether both use the network, or the same transport that was passed."""
        return self._transport is other._transport

    @property
    def _outward(self) -> bool:
        # A proxy must not see requests to this computer.
        return self.host not in LOOPBACK

    @property
    def _proxied(self) -> bool:
        return self._outward and bool(getproxies())

    def check_open(self) -> None:
        """Raise `ClosedError` after `aclose`."""
        if self.closed:
            raise ClosedError("This client is closed.", "Create a new one with Wonda().")

    def client(self) -> httpx.AsyncClient:
        """Return the client; create it on first use and again in a forked child.

        Raises
        ------
        ClosedError
        """
        self.check_open()
        if self._pid != os.getpid():  # a fork without hooks, such as by a C library
            self.reset_in_child()
        if self._client is None:  # created here, on the loop that will use it
            self._pid = os.getpid()
            self.limits = ConnectionLimits()
            direct, by_proxy = self._transport, {}
            if direct is None:
                # Reading all certificates takes a while, so it is done once.
                context = self.context = network_settings.ssl_context(
                    trust_env=self._outward or self.base_url.startswith("https:")
                )
                direct = httpx.AsyncHTTPTransport(verify=context, limits=LIMITS)
                if self._proxied:
                    by_proxy = network_settings.mounts(
                        lambda proxy: httpx.AsyncHTTPTransport(
                            proxy=proxy, verify=context, limits=LIMITS
                        )
                    )
            self.direct = None if by_proxy else direct
            self._client = httpx.AsyncClient(
                transport=direct,
                mounts=by_proxy,
                timeout=self.timeout,
                follow_redirects=False,
                trust_env=False,  # its proxies are among the mounts
                headers=DEFAULT_HEADERS,
            )
        return self._client

    def media_client(self, refused: Refused) -> httpx.AsyncClient:
        """Return the client for downloads without the key; see `ssrf_guard.client`.

        On the network, there is one client per rule, so that no connection opened under one rule is
        used under another.

        Raises
        ------
        ClosedError
        """
        client = self.client()
        if self._transport is not None:
            return client
        if refused not in self._media:
            from . import ssrf_guard  # noqa: PLC0415 - needed with the first image

            self._media[refused] = ssrf_guard.client(
                refused,
                context=self.context,
                timeout=self.timeout,
                trust_env=self._outward,
                headers=DEFAULT_HEADERS,
                limits=LIMITS,
            )
        return self._media[refused]

    async def aclose(self) -> None:
        """Close all connections."""
        self.closed = True
        clients = [*self._media.values(), *([self._client] if self._client else [])]
        self._client, self._media = None, {}
        for client in clients:
            await client.aclose()
