"""Allowed host names: the rule, and the sandbox on a real socket."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest
from raw_http import answer

from wonda_widgets.sandbox.hosts import AllowedHosts, allowed_for

LOOPBACK = [
    "localhost",
    "localhost:8866",
    "LocalHost:1",
    "localhost.",
    "demo.localhost:8866",
    "127.0.0.1:8866",
    "127.8.9.10",
    "[::1]",
    "[::1]:8866",
    "[0:0:0:0:0:0:0:1]:8866",
    "[::ffff:127.0.0.1]:8866",
]
FOREIGN = [
    "evil.example",
    "evil.example:8866",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evillocalhost",
    "localhost..",
    "localhost@evil.example",
    "evil.example@localhost",
    "localhost:80@evil.example",
    "localhost:port",
    "localhost:",
    "localhost/",
    "localhost evil.example",
    "localhost,evil.example",
    "2130706433",
    "0x7f000001",
    "127.1",
    "0177.0.0.1",
    "192.168.1.5:8866",
    "10.0.0.1",
    "8.8.8.8",
    "0.0.0.0:8866",
    "169.254.169.254",
    "::1",
    "[::1",
    "[::1%25lo]:8866",
    "[fe80::1%lo0]",
    "[fe80::1]:8866",
    "[::]",
    "[localhost]",
    "[2001:db8::1]:8866",
    "ⅼocalhost",
    "loca\u017fhost",
    "%6cocalhost",
    "",
    ".",
    ":8866",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_host_is_accepted(host):
    assert AllowedHosts().refusal([host]) == ""


@pytest.mark.parametrize("host", FOREIGN)
def test_other_host_is_rejected(host):
    assert "that host name" in AllowedHosts().refusal([host])


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "evil.example"]])
def test_exactly_one_host_is_required(hosts):
    assert "one Host header" in AllowedHosts().refusal(hosts)


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:8866", "http://localhost:8866"),
        ("LOCALHOST:8866", "http://localhost:8866"),
        ("localhost", "http://localhost:80"),
        ("localhost", "https://localhost"),
        ("[::1]:8866", "http://[::1]:8866"),
    ],
)
def test_own_origin_is_accepted(host, origin):
    assert AllowedHosts().refusal([host], [origin]) == ""


@pytest.mark.parametrize(
    "origins",
    [
        ["http://evil.example"],
        ["http://evil.example:8866"],
        ["http://localhost:8888"],
        ["http://localhost"],
        ["http://127.0.0.1:8866"],
        ["http://user@localhost:8866"],
        ["http://localhost:8866/"],
        ["http://localhost:8866#x"],
        ["ftp://localhost:8866"],
        ["chrome-extension://localhost:8866"],
        ["//localhost:8866"],
        ["localhost:8866"],
        ["http://[::1"],
        ["null"],
        [""],
        ["http://localhost:8866", "http://localhost:8866"],
    ],
)
def test_other_origin_is_rejected(origins):
    assert "other sites" in AllowedHosts().refusal(["localhost:8866"], origins)


def test_bound_address_is_accepted():
    allowed = allowed_for("192.168.1.5", ["wonda-sandbox"])
    for host in ("192.168.1.5:80", "wonda-sandbox:80", "WONDA-SANDBOX", "localhost:80"):
        assert allowed.refusal([host], arrived_at="192.168.1.5") == ""
    assert allowed.refusal(["192.168.1.6"], arrived_at="192.168.1.6")
    assert allowed.refusal(["evil.example"])


@pytest.mark.parametrize("bound", ["0.0.0.0", "::", "0:0::0", ""])
def test_wildcard_address_accepts_own_addresses_and_name(bound):
    allowed = allowed_for(bound)
    assert allowed.refusal(["10.1.2.3:80"], arrived_at="10.1.2.3") == ""
    assert allowed.refusal(["10.1.2.3:80"], arrived_at="::ffff:10.1.2.3") == ""
    assert allowed.refusal([f"{socket.gethostname()}:80"], arrived_at="10.1.2.3") == ""
    for host in ("10.1.2.4", "8.8.8.8", "evil.example", "0.0.0.0", "[::]", ""):
        assert allowed.refusal([host], arrived_at="10.1.2.3")


# ---------------------------------------------------------------- on a socket

PATHS = ["/api/v1/capabilities", "/", "/nothing", "/api/v1/jobs/inference/x"]


@pytest.fixture
def sandbox(served):
    sandbox, base_url = served()
    return sandbox, urlsplit(base_url).port


@pytest.mark.parametrize("path", PATHS)
def test_sandbox_rejects_other_hosts_on_every_path(sandbox, path):
    served, port = sandbox
    assert answer(port, path, f"127.0.0.1:{port}") in {200, 401, 404}
    for host in ("evil.example", f"evil.example:{port}", "2130706433"):
        assert answer(port, path, host) == 403
    assert [each for each in served.faults.arrived if "evil" in str(each)] == []


def test_image_origin_rejects_other_hosts(sandbox):
    served, _ = sandbox
    port = urlsplit(served.storage_origin).port
    assert answer(port, "/x.png", "evil.example") == 403
    assert answer(port, "/x.png", f"localhost:{port}") == 404


def test_malformed_requests_are_rejected(sandbox):
    _, port = sandbox
    path = "/api/v1/capabilities"
    assert answer(port, path) == 400
    assert answer(port, path, "localhost", "evil.example") == 400
    assert answer(port, path, version="1.0") == 403
    assert answer(port, f"http://evil.example{path}", "localhost") == 403
    assert answer(port, f"http://localhost{path}", "evil.example") == 403
    assert answer(port, path, "localhost", origin="http://evil.example") == 403
    assert answer(port, path, "localhost", websocket=True, origin="http://evil.example") == 403
    assert answer(port, path, "evil.example", websocket=True) == 403


def test_sandbox_accepts_configured_names(served):
    port = urlsplit(served(host="0.0.0.0", names=["wonda-sandbox"])[1]).port
    for host in ("wonda-sandbox", f"127.0.0.1:{port}", socket.gethostname()):
        assert answer(port, "/nothing", host) == 404
    assert answer(port, "/nothing", "evil.example") == 403
    assert answer(port, "/nothing", "8.8.8.8") == 403
