"""Which addresses are open to everybody, and which lead into a private network.

A service on the internet has no business sending this machine to its own
network: to a router, a neighbour, or the address at which a cloud tells a
machine its secrets. Whatever is not certainly public counts as private, however
it is spelled.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from functools import partial
from typing import TYPE_CHECKING, Any

from ..utils import daemon_threads

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    import httpx

#: Of a response's extensions: whether it came from a private address.
FROM_INSIDE = "wonda_from_inside"

#: Names that are looked up at a time. Where the DNS is silent, each takes half a minute, and
#: neither files and uploads nor the end of the process wait for that.
LOOK_UPS = 8
_places = daemon_threads.ThreadLimit(LOOK_UPS)

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: Not of the public internet, whatever the `ipaddress` of this Python says: it differs between
#: versions, and takes several of these for global. Source: IANA's IPv4 and IPv6
#: Special-Purpose Address Registries (RFC 6890), with what they mark as not global or as
#: deprecated, and all of a block in which only single addresses are global.
SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by a provider's customers
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments; 192.0.0.192 tells a cloud's secrets
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112, answered by any network's own servers
            "192.52.193.0/24",  # automatic multicast tunnels, the same
            "192.88.99.0/24",  # 6to4 relays, deprecated
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
            "168.63.129.16/32",  # of no registry: by it, Azure's machines reach their host
            "2001::/23",  # protocol assignments, Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # an IPv4 address, for networks without


class RefusedAddressError(Exception):
    """A request leads to addresses that it must not be sent to; nothing was sent."""


def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host spells, in any spelling that systems take; None of a name."""
    host = host.removesuffix(".").strip("[]")
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host)
    # 2130706433, 0x7f.1 and 0177.0.0.1 are all this machine.
    with contextlib.suppress(OSError, ValueError):
        return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is open to everybody; one within another counts as itself."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    if any(address in network for network in SPECIAL):
        return False
    return address.is_global and not address.is_multicast


def is_private(host: str) -> bool:
    """Whether a host itself says that it is not public; no name is looked up."""
    address = literal(host)
    if address is not None:
        return not is_public(address)
    name = host.removesuffix(".").lower()
    return name == "localhost" or name.endswith(".localhost")


async def resolved(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    """The addresses of a host, by one look-up, in the order to be tried; empty if it has none.

    Nothing ends a look-up but the system, so it keeps its place, of `LOOK_UPS`, until then.
    """
    if (address := literal(host)) is not None:
        return [address]
    try:
        found = await _places.run(partial(_looked_up, host, port))
        # One that does not read as an address is no way to anywhere.
        return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in found))
    except (OSError, ValueError):  # no such name, or one that is none
        return []


async def _looked_up(host: str, port: int) -> list[tuple[Any, ...]]:
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return await asyncio.wrap_future(daemon_threads.start(look_up, "name-look-up"))


def peer(response: httpx.Response) -> IPv4Address | IPv6Address | None:
    """The address that a reply comes from, where its connection tells."""
    stream = response.extensions.get("network_stream")
    there = stream.get_extra_info("server_addr") if stream is not None else None
    return literal(str(there[0])) if isinstance(there, tuple) and there else None
