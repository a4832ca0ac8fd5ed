"""Distinguish public from private addresses, to prevent server-side request forgery.

A service on the internet must not make this computer connect to its local network: to a router,
another computer, or a cloud's metadata service, which returns secrets. Every address that is not
certainly public counts as private, in any notation.
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

#: The response extension for whether the response came from a private address.
FROM_PRIVATE_NETWORK = "wonda_from_private_network"

#: Concurrent DNS lookups. Without a response, each takes half a minute; separate threads prevent
#: delays of files, uploads and the end of the process.
MAX_LOOK_UPS = 8
_look_up_threads = daemon_threads.ConcurrencyLimit(MAX_LOOK_UPS)

_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
#: Networks that are not public. Python's `ipaddress` differs between versions and takes several of
#: them to be global. Source: IANA's IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890):
#: entries that are not global or are deprecated, and blocks with only single global addresses.
NON_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # shared by a provider's customers
            "127.0.0.0/8",  # loopback
            "169.254.0.0/16",  # link-local
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments, among them a cloud's metadata service
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112, served within any network
            "192.52.193.0/24",  # automatic multicast tunnels, likewise
            "192.88.99.0/24",  # 6to4 relays, deprecated
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
            "168.63.129.16/32",  # in no registry: the host of Azure's virtual machines
            "2001::/23",  # protocol assignments, Teredo, benchmarks, ORCHID
            "2001:db8::/32",  # documentation
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # contains an IPv4 address


class RefusedAddressError(Exception):
    """A request may not be sent to its address; nothing was sent."""


def parse_literal(host: str) -> IPv4Address | IPv6Address | None:
    """Parse a host as an address in any notation that systems accept; None for a name."""
    host = host.removesuffix(".").strip("[]")
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host)
    # 2130706433, 0x7f.1 and 0177.0.0.1 all mean 127.0.0.1.
    with contextlib.suppress(OSError, ValueError):
        return ipaddress.IPv4Address(socket.inet_aton(host))
    return None


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is public; an IPv4 address within an IPv6 address is also checked."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST:
            return False
    if any(address in network for network in NON_PUBLIC):
        return False
    return address.is_global and not address.is_multicast


def is_private(host: str) -> bool:
    """Whether a host is certainly private; names other than localhost are not looked up."""
    address = parse_literal(host)
    if address is not None:
        return not is_public(address)
    name = host.removesuffix(".").lower()
    return name == "localhost" or name.endswith(".localhost")


async def resolve(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    """Look up a host's addresses, in the order in which to try them; empty if there are none.

    A lookup cannot be canceled, so it counts toward `MAX_LOOK_UPS` until the system ends it.
    """
    if (address := parse_literal(host)) is not None:
        return [address]
    try:
        entries = await _look_up_threads.run(partial(_look_up, host, port))
        return list(dict.fromkeys(ipaddress.ip_address(entry[4][0]) for entry in entries))
    except (OSError, ValueError):  # no such name, or not a name
        return []


async def _look_up(host: str, port: int) -> list[tuple[Any, ...]]:
    work = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    return await asyncio.wrap_future(daemon_threads.start(work, "dns-look-up"))


def peer_address(response: httpx.Response) -> IPv4Address | IPv6Address | None:
    """Return the address from which a response came; None if the connection does not have it."""
    stream = response.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    return parse_literal(str(peer[0])) if isinstance(peer, tuple) and peer else None
