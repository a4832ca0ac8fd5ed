"""Private addresses are recognized in every notation."""

import asyncio
import socket
import subprocess
import sys
import textwrap
import threading
import time
from ipaddress import ip_address

import httpx
import pytest

import wonda_widgets as ww
from wonda_widgets.http import public_addresses
from wonda_widgets.utils import event_loop

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
    "192.0.0.1",
    "192.0.0.9",
    "192.0.0.192",
    "192.0.0.255",
    "192.0.2.7",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.9",
    "203.0.113.9",
    "168.63.129.16",
    "100.127.255.255",
    "240.0.0.1",
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
    "::ffff:192.0.0.192",
    "64:ff9b::c000:c0",
    "64:ff9b:1::7f00:1",
    "2002:c000:c0::",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:20::1",
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2620:4f:8000::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "5f00::1",
    "4000::1",
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
    "192.0.1.1",
    "192.88.98.1",
    "198.20.0.1",
    "168.63.129.17",
    "2001:200::1",
    "2001:4860:4860::8888",
    "2620:fe::fe",
    "3ffe::1",
    "2606:4700:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
    "api.example",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_private_addresses_are_recognized(host):
    assert public_addresses.is_private(host)


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_are_recognized(host):
    assert not public_addresses.is_private(host)


@pytest.mark.parametrize(
    ("result", "expected"),
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
def test_host_name_is_resolved_with_one_lookup(monkeypatch, result, expected):
    lookups = []

    def getaddrinfo(*args, **_options):
        lookups.append(args[:2])
        if isinstance(result, Exception):
            raise result
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in result]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    # As of Python 3.13, ::ffff:a00:1 is written as ::ffff:10.0.0.1.
    assert asyncio.run(public_addresses.resolve("name.example", 80)) == list(
        map(ip_address, expected)
    )
    assert lookups == [("name.example", 80)]


@pytest.fixture
def silent_dns(monkeypatch):
    """Let look-ups of `silent…` names hang until the test ends; return the names looked up."""
    names, end = [], threading.Event()

    def getaddrinfo(host, port, *_rest, **_options):
        names.append(host)
        if host.startswith("silent"):
            end.wait()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("1.1.1.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield names
    end.set()
    for each in threading.enumerate():
        if each.name == "dns-look-up":
            each.join(10)


async def resolve_with_timeout(name, seconds=0.01):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(seconds):
            await public_addresses.resolve(name, 80)


def test_stuck_lookups_are_limited(silent_dns):
    async def many():
        await asyncio.gather(*(resolve_with_timeout(f"silent{i}.example") for i in range(30)))
        await resolve_with_timeout("storage.example")

    asyncio.run(many())
    assert len(silent_dns) == public_addresses.MAX_LOOK_UPS
    assert (
        sum(each.name == "dns-look-up" for each in threading.enumerate())
        == public_addresses.MAX_LOOK_UPS
    )


def test_other_names_are_resolved_while_lookups_are_stuck(silent_dns):
    async def beside():
        silent = [
            resolve_with_timeout(f"silent{i}.example")
            for i in range(public_addresses.MAX_LOOK_UPS - 1)
        ]
        await asyncio.gather(*silent)
        return await public_addresses.resolve("storage.example", 80)

    assert list(map(str, asyncio.run(beside()))) == ["1.1.1.1"]
    assert "storage.example" in silent_dns


@pytest.mark.usefixtures("silent_dns")
def test_other_work_does_not_wait_for_lookups():
    lookups = [
        event_loop.spawn(public_addresses.resolve(f"silent{i}.example", 80)) for i in range(60)
    ]
    started = time.monotonic()
    assert event_loop.run_blocking(event_loop.to_thread(divmod, 7, 2)) == (3, 1)
    with ww.Wonda.sandbox(seconds=0) as wonda:
        assert wonda.media.upload(b"\x89PNG\r\n\x1a\n", name="a.png").media_id
    assert time.monotonic() - started < 5
    assert not any(each.done() for each in lookups)
    for each in lookups:
        each.cancel()


def test_process_exits_despite_stuck_lookups():
    code = """
        import socket, threading, time
        from wonda_widgets.http import public_addresses
        from wonda_widgets.utils import event_loop
        lookups = []
        def hang(*args, **options):
            lookups.append(args)
            threading.Event().wait()
        socket.getaddrinfo = hang
        for number in range(20):
            event_loop.spawn(public_addresses.resolve(f"h{number}.example", 443))
        while len(lookups) < public_addresses.MAX_LOOK_UPS:
            time.sleep(0.01)
        print("ends")
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    started = time.monotonic()
    completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, "ends\n", "")
    assert time.monotonic() - started < 15


def test_peer_address_is_the_one_of_the_connection():
    class Stream:
        def get_extra_info(self, _name):
            return ("127.0.0.1", 80)

    response = httpx.Response(200, extensions={"network_stream": Stream()})
    assert str(public_addresses.peer_address(response)) == "127.0.0.1"
    assert public_addresses.peer_address(httpx.Response(200)) is None
