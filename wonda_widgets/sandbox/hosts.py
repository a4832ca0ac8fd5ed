"""Protect local servers against DNS rebinding by checking the `Host` and `Origin` headers.

A website can change its own DNS name to 127.0.0.1 after a page was loaded. The browser still
treats a local server as that site, so the page could read and send anything; only the `Host`
header reveals the site's name. Therefore, a server accepts only loopback names and configured ones.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: ``name``, ``name:port``, ``[IPv6]`` or ``[IPv6]:port``, and nothing else.
_HOST = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts that the `Host` header may name.

    ``localhost``, ``*.localhost`` and loopback addresses are always allowed.

    Attributes
    ----------
    names : frozenset of str or address
        More hosts to allow.
    own_addresses : bool
        Whether to allow every address of this computer, for a server that listens on all.
    """

    names: frozenset[str | Address] = frozenset()
    own_addresses: bool = False

    def refusal(
        self, hosts: Sequence[str], origins: Sequence[str] = (), arrived_at: str = ""
    ) -> str:
        """Return a sentence that says why a request is refused; empty if it is allowed.

        Parameters
        ----------
        hosts, origins : list of str
            All `Host` and `Origin` headers of the request.
        arrived_at : str
            The address of this computer that received the request.
        """
        if len(hosts) != 1:
            return "A request needs exactly one Host header."
        host = _parse_header(hosts[0])
        if host is None or not self._allows(host[0], arrived_at):
            return "This server does not accept that host name."
        # Scripts send no Origin; browsers send it with every request that a page could misuse.
        if len(origins) > 1 or any(not _is_same_origin(origin, host) for origin in origins):
            return "This server does not accept requests from other sites."
        return ""

    def _allows(self, host: str | Address, arrived_at: str) -> bool:
        if host in self.names:
            return True
        if isinstance(host, str):
            return host == "localhost" or host.endswith(".localhost")
        return host.is_loopback or (self.own_addresses and host == _normalize(arrived_at))


def allowed_for(bound: str, more: Iterable[str] = ()) -> AllowedHosts:
    """Return the hosts that a server bound to `bound` accepts, including `more`.

    If it is bound to all addresses, every address of this computer and its host name are accepted.
    """
    hosts = {bound, *more}
    if is_every_address(bound):
        name = socket.gethostname()
        hosts = {name, name.partition(".")[0], *more}
    return AllowedHosts(frozenset(map(_normalize, hosts - {""})), is_every_address(bound))


def is_every_address(bound: str) -> bool:
    """Check whether a server bound to `bound` listens on every address of this computer."""
    address = _normalize(bound)
    return bound == "" if isinstance(address, str) else address.is_unspecified


def _parse_header(header: str) -> tuple[str | Address, int | None] | None:
    """Return host and port of a `Host` header, or None if it is malformed."""
    match = _HOST.fullmatch(header)
    if match is None:
        return None
    port = match["port"]
    host = _normalize(match["host"])
    if match["host"].startswith("[") and isinstance(host, str):  # not a valid IPv6 address
        return None
    return host, None if port is None else int(port)


def _normalize(host: str) -> str | Address:
    """Convert a host to the form in which hosts are compared."""
    name = host.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_same_origin(origin: str, host: tuple[str | Address, int | None]) -> bool:
    """Check whether an `Origin` header belongs to a page that this host has served."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    found = _parse_header(parts.netloc)
    if found is None or parts.scheme not in _PORTS:
        return False
    if origin.lower() != f"{parts.scheme}://{parts.netloc}".lower():  # it has a path or a query
        return False
    ports = [_PORTS[parts.scheme] if port is None else port for _, port in (found, host)]
    return found[0] == host[0] and ports[0] == ports[1]


class HostCheck:
    """ASGI middleware that rejects requests and websockets for other hosts with 403.

    Parameters
    ----------
    app : ASGI application
    allowed : AllowedHosts
    """

    def __init__(self, app: Any, allowed: AllowedHosts) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request to the app or reject it."""
        if scope["type"] not in {"http", "websocket"}:  # lifespan events
            await self._app(scope, receive, send)
            return
        reason = self._refusal(scope)
        if not reason:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            # Before the handshake is accepted, this response becomes a 403.
            await send({"type": "websocket.close", "code": 1008})
        else:
            content_type = (b"content-type", b"text/plain; charset=utf-8")
            await send({"type": "http.response.start", "status": 403, "headers": [content_type]})
            await send({"type": "http.response.body", "body": f"{reason}\n".encode()})

    def _refusal(self, scope: Any) -> str:
        def values(name: bytes) -> list[str]:
            return [value.decode("latin-1") for key, value in scope["headers"] if key == name]

        # Only proxies receive absolute targets ("GET http://…").
        if not scope["path"].startswith("/"):
            return "This server is not a proxy."
        server = scope.get("server") or ("", None)
        return self._allowed.refusal(values(b"host"), values(b"origin"), str(server[0]))
