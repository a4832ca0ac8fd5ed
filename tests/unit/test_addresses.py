"""Which addresses are private, however they are spelled."""

import asyncio
import socket

import httpx
import pytest

from wonda_widgets import addresses

PRIVATE = [
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "0.0.0.0",
    "10.0.0.5",
    "172.16.9.9",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "[::1]",
    "fc00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:7f00:1::",
    "localhost",
    "LOCALHOST.",
    "a.localhost",
]
PUBLIC = [
    "1.1.1.1",
    "0x01010101",
    "16843009",
    "2606:4700:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "api.example",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_what_leads_inside_is_private(host):
    assert addresses.is_private(host)


@pytest.mark.parametrize("host", PUBLIC)
def test_what_is_open_to_everybody_is_not(host):
    assert not addresses.is_private(host)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["1.1.1.1"], ["1.1.1.1"]),
        (["2606:4700::1", "1.1.1.1", "2606:4700::1"], ["2606:4700::1", "1.1.1.1"]),
        (["::ffff:10.0.0.1"], ["::ffff:a00:1"]),
        ([], []),
        (socket.gaierror(), []),
        (UnicodeError(), []),
        (["no address"], []),
    ],
)
def test_a_name_has_the_addresses_that_one_look_up_finds(monkeypatch, found, expected):
    asked = []

    def getaddrinfo(*args, **_more):
        asked.append(args[:2])
        if isinstance(found, Exception):
            raise found
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    assert list(map(str, asyncio.run(addresses.resolved("name.example", 80)))) == expected
    assert asked == [("name.example", 80)]


def test_a_connection_tells_its_other_end():
    class Stream:
        def get_extra_info(self, _name):
            return ("127.0.0.1", 80)

    reply = httpx.Response(200, extensions={"network_stream": Stream()})
    assert str(addresses.peer(reply)) == "127.0.0.1"
    assert addresses.peer(httpx.Response(200)) is None
