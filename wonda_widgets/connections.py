"""A client's connections: made where they are used, and closed in one place."""

from __future__ import annotations

import os
from urllib.request import getproxies

import httpx

from . import __version__, bounded, runtime
from .errors import ClosedError
from .places import CONNECTIONS, Places

OWN_HEADERS = {
    "Accept": "*/*",
    "User-Agent": f"wonda-widgets/{__version__}",
    **bounded.UNENCODED,
}
LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Connections:
    """The httpx client that one `Transport` has in one process. On the package's loop.

    Parameters
    ----------
    base_url : str
    timeout : float
        Seconds for each of connecting, writing, reading and waiting for a connection.
    transport : httpx.AsyncBaseTransport, optional
        Used for everything instead of the network.

    Attributes
    ----------
    host : str
        Of the API.
    places : Places
        Who may use how many of them; there once `client` was asked for.
    wire : httpx.AsyncBaseTransport or None
        What the client sends by; None where only the client itself knows, as there are proxies.
    """

    def __init__(
        self, base_url: str, timeout: float, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self.host = httpx.URL(base_url).host
        self.timeout = timeout
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self.wire: httpx.AsyncBaseTransport | None = None
        self._pid = os.getpid()
        self.closed = False

    @property
    def by_network(self) -> bool:
        """Whether requests go by the network, and not by a transport that was passed."""
        return self._transport is None

    @property
    def direct(self) -> bool:
        """Whether the other end of a connection is the host itself, and no proxy."""
        return self.by_network and not self._proxied

    @property
    def _outward(self) -> bool:
        # A proxy must not see what is meant for this machine only.
        return self.host not in LOOPBACK

    @property
    def _proxied(self) -> bool:
        return self._outward and bool(getproxies())

    def check_open(self) -> None:
        """Refuse to go on after `aclose`."""
        if self.closed:
            raise ClosedError("This client is closed.", "Make a new one with Wonda().")

    def client(self) -> httpx.AsyncClient:
        """The client, made when first needed, and again in a forked child.

        Raises
        ------
        ClosedError
        """
        self.check_open()
        if self._pid != os.getpid():  # forked: these connections are the parent's
            runtime.abandon(self._client)
            self._client = None
        if self._client is None:  # made here, on the loop that will use it
            self._pid = os.getpid()
            self.places = Places()
            self.wire = self._transport
            if self.wire is None and not self._proxied:
                self.wire = httpx.AsyncHTTPTransport(trust_env=self._outward, limits=LIMITS)
            self._client = httpx.AsyncClient(
                transport=self.wire,
                timeout=self.timeout,
                follow_redirects=False,
                trust_env=self._outward,
                headers=OWN_HEADERS,
                limits=LIMITS,
            )
        return self._client

    async def aclose(self) -> None:
        """Close all of them."""
        self.closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
