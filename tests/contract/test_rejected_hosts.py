"""Both servers of `wonda-widgets demo` reject unknown hosts (DNS rebinding)."""

from __future__ import annotations

import re
import sys
import urllib.request

import frontends
import pytest
from raw_http import answer

CHANNELS = "/api/kernels/00000000-0000-0000-0000-000000000000/channels"
FOREIGN = ["evil.example", "localhost.evil.example", "2130706433", "192.168.7.7"]


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Start a demo; gives its port."""
    stack = []

    def start(probe, *options):
        port = frontends.free_port()
        command = [sys.executable, "-m", "wonda_widgets", "demo", "--no-browser"]
        command += ["--port", str(port), *options]
        env = frontends.environment(tmp_path_factory.mktemp("home"))
        url = f"http://127.0.0.1:{port}{probe}"
        server = frontends.running(command, tmp_path_factory.mktemp("demo"), env, url)
        server.__enter__()
        stack.append(server)
        return port

    yield start
    for server in stack:
        server.__exit__(None, None, None)


@pytest.fixture(scope="module")
def page(started):
    """The port of a page of Voilà, and the id of a visitor's kernel."""
    port = started("/voila/static/voila.js", "--voila")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answered:
        [kernel] = set(re.findall(r'"kernelId": ?"([0-9a-f-]{36})"', answered.read().decode()))
    return port, kernel


def paths(kernel):
    return [
        "/",
        "/voila/static/voila.js",
        "/voila/templates/wonda/static/x.css",
        "/api/kernels",
        f"/api/kernels/{kernel}",
        f"/api/kernels/{kernel}/channels",
        f"/voila/api/shutdown/{kernel}",
        "/voila/query/x",
        "/static/x",
        "/nothing",
    ]


@pytest.mark.parametrize("host", FOREIGN)
def test_page_rejects_other_hosts_on_every_path(page, host):
    port, kernel = page
    for path in paths(kernel):
        for method in ("GET", "POST", "DELETE"):
            assert answer(port, path, f"{host}:{port}", method=method) == 403, (method, path)
        assert answer(port, path, host, websocket=True) == 403, path


def test_page_accepts_loopback_hosts(page):
    port, kernel = page
    for host in ("localhost", "LOCALHOST", "demo.localhost", "127.0.0.2", "[::1]", "localhost."):
        assert answer(port, "/voila/static/voila.js", f"{host}:{port}") == 200
        assert answer(port, f"/api/kernels/{kernel}", f"{host}:{port}") == 200


def test_kernel_accepts_only_its_own_page(page):
    port, kernel = page
    path, host = f"/api/kernels/{kernel}/channels", f"localhost:{port}"
    for origin in ("http://evil.example", f"http://evil.example:{port}", "null"):
        assert answer(port, path, host, websocket=True, origin=origin) == 403
    assert answer(port, path, "evil.example", websocket=True, origin="http://evil.example") == 403
    assert answer(port, path, host, websocket=True, origin=f"http://{host}") == 101
    assert answer(port, path, host, websocket=True) == 101


def test_other_sites_may_link_to_the_page_but_not_embed_it(page):
    port, _ = page

    def asked(site, mode, into="empty"):
        fetched = {"Site": site, "Mode": mode, "Dest": into}
        headers = tuple(f"Sec-Fetch-{name}: {value}" for name, value in fetched.items())
        return answer(port, "/voila/static/voila.js", f"localhost:{port}", headers=headers)

    for mode in ("no-cors", "cors", "websocket"):
        assert asked("cross-site", mode) == 403
        assert asked("same-site", mode) == 403
        assert asked("same-origin", mode) == 200
    for into in ("iframe", "frame", "object", "embed"):
        assert asked("cross-site", "navigate", into) == 403
    assert asked("cross-site", "navigate", "document") == 200
    assert asked("none", "navigate", "document") == 200


def test_malformed_requests_are_refused(page):
    port, _ = page
    assert answer(port, "/") == 400
    assert answer(port, "/", "localhost", "evil.example") == 400
    assert answer(port, "/", "localhost@evil.example") in {400, 403}
    assert answer(port, "/", "[fe80::1%25lo]") in {400, 403}
    assert answer(port, "/", version="1.0") == 403
    assert answer(port, "http://evil.example/", "localhost") == 403
    assert answer(port, "http://localhost/", "evil.example") == 403


@pytest.fixture(scope="module")
def lab(started):
    return started("/api")


@pytest.mark.parametrize("host", FOREIGN)
def test_jupyterlab_rejects_other_hosts(lab, host):
    for path in ("/lab", "/api", "/api/kernels", "/api/contents", "/static/x", "/login"):
        assert answer(lab, path, f"{host}:{lab}") == 403, path
    assert answer(lab, CHANNELS, host, websocket=True) == 403


def test_jupyterlab_requires_its_token(lab):
    host = f"localhost:{lab}"
    assert answer(lab, "/lab", host) == 302, "to the login"
    for path in ("/api/kernels", "/api/contents", "/api/terminals"):
        assert answer(lab, path, host) == 403
    assert answer(lab, CHANNELS, host, websocket=True) == 403
