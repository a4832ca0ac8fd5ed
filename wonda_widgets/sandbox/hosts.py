"""Which hosts a server on this machine answers to, against DNS rebinding.

A page on the internet may let its own name point to 127.0.0.1 after it was loaded. For the
browser it is then still the same site, so it could read and send anything here; only the
`Host` header tells. So a server answers to names that nobody else can own: loopback ones
and those that it was told.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: ``name``, ``name:port``, ``[IPv6]`` or ``[IPv6]:port``, and nothing else.
_HOST = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?P<port>[0-9]{1,5}))?")
_PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class AllowedHosts:
    """The hosts that requests may name.

    Attributes
    ----------
    names : frozenset of str or address
        Beside ``localhost``, ``*.localhost`` and loopback addresses.
    own_addresses : bool
        Whether each address of this machine is one, for a server that listens on all.
    """

    names: frozenset[str | Address] = frozenset()
    own_addresses: bool = False

    def refusal(
        self, hosts: Sequence[str], origins: Sequence[str] = (), arrived_at: str = ""
    ) -> str:
        """Why a request is refused, in a sentence; empty if it is not.

        Parameters
        ----------
        hosts, origins : list of str
            All its `Host` and `Origin` headers.
        arrived_at : str
            The address of this machine that it arrived at.
        """
        if len(hosts) != 1:
            return "A request needs one Host header."
        found = _split(hosts[0])
        if found is None or not self._allows(found[0], arrived_at):
            return "This server does not answer to that host name."
        # Scripts send none; a browser sends one with all that a page could misuse.
        if len(origins) > 1 or any(not _is_same(origin, found) for origin in origins):
            return "This server does not answer pages of other sites."
        return ""

    def _allows(self, host: str | Address, arrived_at: str) -> bool:
        if host in self.names:
            return True
        if isinstance(host, str):
            return host == "localhost" or host.endswith(".localhost")
        return host.is_loopback or (self.own_addresses and host == _named(arrived_at))


def allowed_for(bound: str, more: Iterable[str] = ()) -> AllowedHosts:
    """The hosts that a server bound to `bound` answers to, and `more`.

    Bound to every address, it answers to each of this machine's addresses, and to its name.
    """
    given = {bound, *more}
    if is_every_address(bound):
        name = socket.gethostname()
        given = {name, name.partition(".")[0], *more}
    return AllowedHosts(frozenset(map(_named, given - {""})), is_every_address(bound))


def is_every_address(bound: str) -> bool:
    """Whether a server bound to it listens on every address of this machine."""
    address = _named(bound)
    return bound == "" if isinstance(address, str) else address.is_unspecified


def _split(host: str) -> tuple[str | Address, int | None] | None:
    """Host and port of a `Host` header; None for what no browser sends."""
    match = _HOST.fullmatch(host)
    if match is None:
        return None
    port = match["port"]
    named = _named(match["host"])
    if match["host"].startswith("[") and isinstance(named, str):  # no address after all
        return None
    return named, None if port is None else int(port)


def _named(host: str) -> str | Address:
    """A host in the form in which it is compared."""
    name = host.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return name
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address


def _is_same(origin: str, host: tuple[str | Address, int | None]) -> bool:
    """Whether an `Origin` is that of a page that this host has served."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    found = _split(parts.netloc)
    if found is None or parts.scheme not in _PORTS or origin.lower() != _bare(parts):
        return False
    ports = [_PORTS[parts.scheme] if port is None else port for _, port in (found, host)]
    return found[0] == host[0] and ports[0] == ports[1]


def _bare(parts: SplitResult) -> str:
    """Scheme and host alone, which is all that an `Origin` has."""
    return f"{parts.scheme}://{parts.netloc}".lower()


class HostCheck:
    """ASGI middleware that answers 403 to whatever names another host, websockets too.

    Parameters
    ----------
    app : ASGI application
    allowed : AllowedHosts
    """

    def __init__(self, app: Any, allowed: AllowedHosts) -> None:
        self._app = app
        self._allowed = allowed

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] not in {"http", "websocket"}:  # the server's own start and end
            await self._app(scope, receive, send)
            return
        why = self._refusal(scope)
        if not why:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before accept: a 403
        else:
            text = (b"content-type", b"text/plain; charset=utf-8")
            await send({"type": "http.response.start", "status": 403, "headers": [text]})
            await send({"type": "http.response.body", "body": f"{why}\n".encode()})

    def _refusal(self, scope: Any) -> str:
        def values(name: bytes) -> list[str]:
            return [value.decode("latin-1") for key, value in scope["headers"] if key == name]

        # A target with a host of its own ("GET http://…") is for proxies.
        if not scope["path"].startswith("/"):
            return "This server is no proxy."
        server = scope.get("server") or ("", None)
        return self._allowed.refusal(values(b"host"), values(b"origin"), str(server[0]))
