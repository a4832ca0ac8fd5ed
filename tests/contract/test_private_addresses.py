"""Downloads never connect to private addresses: real sockets, a proxy, changing DNS."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import socket
import threading

import httpcore
import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.http import public_addresses, ssrf_guard
from wonda_widgets.http.credentials import ApiKey
from wonda_widgets.http.transport import Transport
from wonda_widgets.utils import event_loop

IMAGE = b"an image"
API = "https://api.example/v1"
OPEN = "127.0.0.2"  # taken for an address that is open to everybody
SHUT = "127.0.0.3"  # so is this one, at which nobody listens
HOME = "127.0.0.1"
#: Ports that no system assigns by itself. Kernels of other tests reconnect to assigned ports, even
#: after these have been reused, and their connections would be counted.
UNASSIGNED_PORTS = range(20_000, 32_768)
TRIES = 50
PROXY_NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Listener:
    """Answers on one address; what it was sent is in `heads`."""

    def __init__(self, host, answer, port=0):
        self.heads = []
        self.touched = 0
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        ports = [port] if port else random.sample(UNASSIGNED_PORTS, TRIES)
        self._server = next(filter(None, (self._open(host, each) for each in ports)))
        self.port = self._server.sockets[0].getsockname()[1]

    def _open(self, host, port):
        try:
            return self._do(asyncio.start_server(self._serve, host, port))
        except OSError:  # in use
            return None

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _serve(self, reader, writer):
        self.touched += 1
        try:
            while True:
                first = await reader.read(1)
                if first == b"\x16":  # a TLS handshake
                    self.heads.append((first + await reader.read(4096)).decode("latin-1"))
                    break
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                writer.write(self._answer(head))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def close(self):
        async def end():
            self._server.close()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def image(head):
    body = b"" if head.startswith("HEAD") else IMAGE
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(IMAGE) + body


def moved(where):
    return lambda _head: (
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n" % where.encode()
    )


@pytest.fixture
def listen():
    opened = []

    def start(host=HOME, answer=image, port=0):
        opened.append(Listener(host, answer, port))
        return opened[-1]

    yield start
    for each in opened:
        each.close()


@pytest.fixture
def names(monkeypatch):
    """The answers of the look-up: by name, one list of addresses after the other."""
    answers = {}
    asked = []

    def getaddrinfo(host, port, *_rest, **_more):
        name = host.decode() if isinstance(host, bytes) else host
        asked.append(name)
        found = next(answers[name])
        if isinstance(found, Exception):
            raise found
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, 1, 6, "", (each, port))
            for each in found
        ]

    def set_names(**given):
        for name, found in given.items():
            answers[name.replace("_", ".")] = iter(found)
        return asked

    real = public_addresses.is_public
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(
        public_addresses, "is_public", lambda address: str(address) in {OPEN, SHUT} or real(address)
    )
    return set_names


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in PROXY_NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def client():
    made = []

    def make(base_url=API):
        async def no_sleep(_seconds):
            await asyncio.sleep(0)

        made.append(Transport(ApiKey(KEY), base_url, 5.0, sleep=no_sleep))
        return made[-1]

    yield make
    for each in made:
        event_loop.run_blocking(each.aclose())


def always(*found):
    return itertools.repeat(list(found))


def fetched(client, url):
    return event_loop.run_blocking(client.download(url))


def refused(client, url, match="private"):
    with pytest.raises(ww.UnsafeMediaError, match=match):
        fetched(client, url)


# ---------------------------------------------------------------- names that change


def test_name_is_resolved_once_and_connected_as_checked(names, listen, client):
    there, home = listen(OPEN), None
    home = listen(HOME, port=there.port)
    asked = names(storage_example=[[OPEN], [HOME], [HOME]])
    assert fetched(client(), f"http://storage.example:{there.port}/a") == IMAGE
    assert asked == ["storage.example"]
    assert "Host: storage.example" in there.heads[0]
    assert home.touched == 0


def test_name_that_later_resolves_to_a_private_address_is_refused(names, listen, client):
    home = listen(HOME)
    asked = names(storage_example=[[SHUT], [HOME], [HOME]], api_example=always(OPEN))
    refused(client(), f"http://storage.example:{home.port}/a")
    assert asked[:2] == ["storage.example"] * 2
    assert home.touched == 0


@pytest.mark.parametrize(
    "found",
    [
        [HOME],
        [OPEN, HOME],
        [HOME, OPEN],
        ["::ffff:127.0.0.1"],
        ["::ffff:7f00:1", OPEN],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["fe80::1%1"],
        ["::1"],
        ["0.0.0.0"],
        ["169.254.169.254"],
    ],
)
def test_name_with_one_private_address_is_refused(names, listen, client, found):
    home = listen(HOME)
    there = listen(OPEN, port=home.port)
    names(storage_example=always(*found), api_example=always(OPEN))
    refused(client(), f"http://storage.example:{home.port}/a")
    assert home.touched == there.touched == 0


@pytest.mark.parametrize("name", ["storage.example.", "STORAGE.example", "bücher.example"])
def test_every_spelling_of_a_name_is_resolved(names, listen, client, name):
    home = listen(HOME)
    sure = always(HOME)
    names(storage_example=sure, storage_example_=sure, api_example=always(OPEN))
    names(**{"xn--bcher-kva_example": sure})
    refused(client(), f"http://{name}:{home.port}/a")
    assert home.touched == 0


@pytest.mark.parametrize(
    "found",
    [always(), itertools.repeat(socket.gaierror(-2, "no")), itertools.repeat(UnicodeError())],
)
def test_unresolvable_name_is_reported(names, client, found):
    names(storage_example=found)
    with pytest.raises(ww.ServiceUnreachableError, match="does not resolve"):
        fetched(client(), "http://storage.example/a")


def test_redirect_to_a_private_name_is_refused(names, listen, client):
    home = listen(HOME)
    there = listen(OPEN, moved(f"http://next.example:{home.port}/"))
    names(storage_example=always(OPEN), next_example=always(HOME), api_example=always(OPEN))
    refused(client(), f"http://storage.example:{there.port}/a")
    assert there.touched == 1
    assert home.touched == 0


def test_tls_verifies_the_original_name(names, listen, client):
    there = listen(OPEN)
    names(storage_example=always(OPEN))
    with pytest.raises(ww.ServiceUnreachableError):
        fetched(client(), f"https://storage.example:{there.port}/a")
    assert "storage.example" in there.heads[0]


# ---------------------------------------------------------------- from inside


def test_private_api_may_use_private_storage(names, listen, client):
    home = listen(HOME)
    names(wonda_corp=always(HOME), storage_corp=always(HOME))
    inside = client(f"http://wonda.corp:{home.port}/v1")
    for host in ("storage.corp", HOME, "storage.corp"):
        assert fetched(inside, f"http://{host}:{home.port}/a") == IMAGE
    asked = [head.splitlines()[0] for head in home.heads]
    assert asked == ["HEAD /v1 HTTP/1.1", *["GET /a HTTP/1.1"] * 3]
    assert not any("authorization" in head.lower() for head in home.heads)


def test_api_with_a_private_looking_name_may_not_use_private_storage(names, listen, client):
    home = listen(HOME)
    free = socket.create_server((HOME, 0))
    nobody = free.getsockname()[1]
    free.close()
    names(api_example=always(HOME), storage_example=always(HOME))
    public = client(f"http://api.example:{nobody}/v1")
    for host in ("storage.example", HOME):
        refused(public, f"http://{host}:{home.port}/a")
    assert home.touched == 0


def test_connections_to_private_hosts_are_not_shared(names, listen, client):
    home = listen(HOME)
    there = listen(OPEN, moved(f"http://storage.corp:{home.port}/a"))
    names(storage_corp=always(HOME), public_example=always(OPEN))
    inside = client(f"http://127.0.0.1:{home.port}/v1")
    assert fetched(inside, f"http://storage.corp:{home.port}/a") == IMAGE  # it stays open
    refused(inside, f"http://public.example:{there.port}/a")
    assert (home.touched, len(home.heads)) == (1, 1)


def test_custom_transport_is_used_for_all_requests(names, listen):
    home = listen(HOME)
    asked = names()
    requests = []

    async def answer(request):
        requests.append(str(request.url))
        return httpx.Response(200, content=IMAGE)

    passed = Transport(ApiKey(KEY), API, 5.0, httpx.MockTransport(answer))
    assert fetched(passed, f"http://storage.example:{home.port}/a") == IMAGE
    refused(passed, f"http://127.0.0.1:{home.port}/a")
    assert len(requests) == 1
    assert asked == []
    assert home.touched == 0
    event_loop.run_blocking(passed.aclose())


# ---------------------------------------------------------------- several addresses


def test_next_address_is_tried_after_a_failed_one(names, listen, client):
    there = listen(OPEN)
    names(storage_example=always(SHUT, OPEN))
    assert fetched(client(), f"http://storage.example:{there.port}/a") == IMAGE


class Connection:
    def __init__(self):
        self.closed = asyncio.Event()

    async def aclose(self):
        self.closed.set()


def test_silent_address_does_not_delay_and_late_connection_is_closed(monkeypatch):
    monkeypatch.setattr(ssrf_guard, "NEXT_ADDRESS_DELAY", 0.001)

    async def both():
        late, quick, go = Connection(), Connection(), asyncio.Event()

        async def connect(address):
            if address == "silent":
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    go.set()
                    return late  # it was connected at this very moment
            return quick

        assert await ssrf_guard._first_to_answer(["silent", "quick"], connect) is quick
        await asyncio.wait_for(go.wait(), 5)
        await asyncio.wait_for(late.closed.wait(), 5)
        assert not quick.closed.is_set()

    asyncio.run(both())


def test_error_if_no_address_responds():
    async def connect(address):
        raise httpcore.ConnectError(address)

    async def neither():
        with pytest.raises(httpcore.ConnectError, match="b"):
            await ssrf_guard._first_to_answer(["a", "b"], connect)

    asyncio.run(neither())


def test_dns_lookup_ends_with_the_timeout(monkeypatch):
    async def resolved(_host, _port):
        await asyncio.Event().wait()

    monkeypatch.setattr(public_addresses, "resolve", resolved)

    async def connect():
        with pytest.raises(httpcore.ConnectTimeout):
            await ssrf_guard._Checked("private").connect_tcp("storage.example", 80, timeout=0.01)

    asyncio.run(connect())


# ---------------------------------------------------------------- by a proxy


@pytest.fixture(params=["lower", "UPPER"])
def environment(monkeypatch, request):
    def put(**values):
        for name, value in values.items():
            cased = name.upper() if request.param == "UPPER" else name
            monkeypatch.setenv(cased, value)

    return put


@pytest.mark.parametrize("which", ["http_proxy", "all_proxy"])
def test_names_are_resolved_by_the_proxy(names, listen, client, environment, which):
    proxy = listen(HOME)
    asked = names()
    environment(**{which: f"http://{HOME}:{proxy.port}"})
    assert fetched(client(), "http://storage.example/a") == IMAGE
    assert proxy.heads[0].startswith("GET http://storage.example/a ")
    assert asked == []


def test_tunnel_is_opened_by_name(names, listen, client, environment):
    proxy = listen(HOME, lambda _head: b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    asked = names()
    environment(https_proxy=f"{HOME}:{proxy.port}")
    with pytest.raises(ww.ServiceUnreachableError, match="proxy"):
        fetched(client(), "https://storage.example/a")
    assert proxy.heads[0].startswith("CONNECT storage.example:443 ")
    assert asked == []


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0x7f.1", "[::1]", "[::ffff:10.0.0.1]", "localhost", "a.localhost.", "10.1.2.3"],
)
def test_proxy_gets_no_request_for_a_private_address(names, listen, client, environment, host):
    proxy = listen(HOME)
    names()
    environment(all_proxy=f"http://{HOME}:{proxy.port}")
    refused(client(), f"http://{host}/a")
    assert proxy.touched == 0


def test_proxied_redirect_to_a_private_address_is_refused(names, listen, client, environment):
    proxy = listen(HOME, moved("http://10.0.0.1/"))
    names()
    environment(http_proxy=f"http://{HOME}:{proxy.port}")
    refused(client(), "http://storage.example/a")
    assert proxy.touched == 1


@pytest.mark.parametrize(
    "none",
    [
        "storage.example",
        ".example",
        "example",
        "x, *",
        "storage.example:PORT",
        "http://storage.example",
    ],
)
def test_no_proxy_hosts_are_checked(names, listen, client, environment, none):
    proxy, home = listen(HOME), listen(HOME)
    asked = names(storage_example=always(HOME), api_example=always(OPEN))
    none = none.replace("PORT", str(home.port))
    environment(all_proxy=f"http://{HOME}:{proxy.port}", no_proxy=none)
    refused(client(), f"http://storage.example:{home.port}/a")
    assert asked[0] == "storage.example"
    assert proxy.touched == home.touched == 0


def test_no_proxy_hosts_do_not_need_the_proxy(names, listen, client, environment):
    proxy, there = listen(HOME), listen(OPEN)
    names(storage_example=always(OPEN))
    environment(http_proxy=f"http://{HOME}:{proxy.port}", no_proxy="storage.example")
    assert fetched(client(), f"http://storage.example:{there.port}/a") == IMAGE
    assert proxy.touched == 0


ROUTED = {
    "http_proxy": ["", "proxy.example:1", "http://proxy.example:1"],
    "https_proxy": ["", "http://proxy.example:2"],
    "all_proxy": ["", "http://u:p@proxy.example:3"],
    "no_proxy": [
        "",
        "*",
        "a.example",
        ".a.example",
        "a.example:81",
        "https://a.example",
        "10.0.0.0/8",
        "10.0.0.1",
        "::1",
        "localhost",
        "LOCALHOST , a.example",
        "all://b.example",
    ],
}
ASKED = ["a.example", "b.a.example", "wa.example", "10.0.0.1", "10.1.1.1", "[::1]", "localhost"]
ASKED += ["a.example:81", "b.example"]


@pytest.mark.parametrize("http", ROUTED["http_proxy"])
@pytest.mark.parametrize("https", ROUTED["https_proxy"])
@pytest.mark.parametrize("both", ROUTED["all_proxy"])
def test_proxy_is_used_for_the_same_hosts_as_in_httpx(monkeypatch, http, https, both):
    for name, value in zip(PROXY_NAMES, (http, https, both), strict=False):
        monkeypatch.setenv(name, value)
    context = httpx.create_ssl_context()
    limits = httpx.Limits(max_connections=1)
    for none in ROUTED["no_proxy"]:
        monkeypatch.setenv("no_proxy", none)
        own = ssrf_guard.client(None, context=context, timeout=1, trust_env=True, limits=limits)
        theirs = httpx.AsyncClient(verify=context)
        for scheme, host in itertools.product(("http", "https"), ASKED):
            url = httpx.URL(f"{scheme}://{host}/x")
            ours = own._transport_for_url(url)
            proxied = isinstance(ours, ssrf_guard._Proxied)
            its = theirs._transport_for_url(url)
            assert proxied == (its is not theirs._transport), (dict(os.environ), url)
            if proxied:
                assert ours._transport._pool._proxy_url == its._pool._proxy_url
        asyncio.run(own.aclose())
        asyncio.run(theirs.aclose())
