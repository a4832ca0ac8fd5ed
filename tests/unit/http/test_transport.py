"""Requests, retries and responses, with httpx's mock transport."""

import asyncio
import email.utils
import gzip
import pickle
import socket
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.credentials import ApiKey
from wonda_widgets.http import (
    connections,
    downloads,
    responses,
    transport,
)
from wonda_widgets.http.base_url import normalize_base_url
from wonda_widgets.http.transport import Transport
from wonda_widgets.utils import event_loop

BASE = "https://api.example/api/v1"


class Wire:
    """A transport that answers from a list and remembers what arrived."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.slept = []

    def handle(self, request):
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return httpx.Response(answer, json={"error": {"message": "no", "code": "c"}})
        return answer if isinstance(answer, httpx.Response) else httpx.Response(200, json=answer)

    async def sleep(self, seconds):
        self.slept.append(seconds)

    def transport(self):
        mock = httpx.MockTransport(self.handle)
        return Transport(ApiKey(KEY), BASE, 5.0, mock, sleep=self.sleep)

    def post(self):
        return event_loop.run_blocking(self.transport().post("/x", "test", "Look there.", body={}))

    def get(self):
        return event_loop.run_blocking(self.transport().get("/x"))


def polled(wire):
    transport = wire.transport()
    return transport.poll(transport.poll_request("/x"))


LOST = [
    httpx.ReadError("reset"),
    httpx.ReadTimeout("slow"),
    httpx.WriteError("reset"),
    httpx.WriteTimeout("slow"),
    httpx.RemoteProtocolError("cut"),
    500,
    502,
    503,
    504,
    408,
]


@pytest.mark.parametrize("fault", LOST, ids=str)
def test_post_that_may_have_arrived_is_not_repeated(fault):
    wire = Wire(fault)
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wire.post()
    assert len(wire.requests) == 1
    assert caught.value.operation == "test"
    assert caught.value.check == "Look there."


@pytest.mark.parametrize("page", [httpx.Response(200, text="<html>"), httpx.Response(200)])
def test_unreadable_success_is_an_unknown_outcome(page):
    wire = Wire(page)
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wire.post()
    assert isinstance(caught.value, ww.UnexpectedReplyError)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("fault", [httpx.ConnectError("refused"), httpx.ConnectTimeout("x"), 429])
def test_post_that_did_not_arrive_is_retried(fault):
    wire = Wire(fault, {"fine": True})
    assert wire.post() == {"fine": True}
    assert len(wire.requests) == 2


def test_post_that_never_arrives_says_that_nothing_was_sent():
    wire = Wire(httpx.ConnectError("[Errno -2] Name or service not known"))
    with pytest.raises(ww.ServiceUnreachableError, match=r"does not resolve\. Nothing was sent\."):
        wire.post()


def test_retry_after_is_respected_up_to_a_limit():
    slow = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    wire = Wire(httpx.Response(429, headers={"Retry-After": "7"}, json=slow), {"fine": True})
    wire.post()
    assert wire.slept == [7.0]
    wire = Wire(httpx.Response(429, headers={"Retry-After": "3600"}, json=slow))
    with pytest.raises(ww.RateLimitError) as caught:
        wire.post()
    assert caught.value.retry_after == 3600
    assert wire.slept == []


@pytest.mark.parametrize(
    "fault", [*LOST[:5], 500, 503, 429, httpx.ConnectError("refused")], ids=str
)
def test_get_is_retried(fault):
    wire = Wire(fault, {"fine": True})
    assert wire.get() == {"fine": True}


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (400, ww.BadRequestError),
        (401, ww.AuthenticationError),
        (402, ww.PaymentRequiredError),
        (403, ww.PermissionDeniedError),
        (404, ww.NotFoundError),
        (409, ww.ConflictError),
        (410, ww.GoneError),
        (418, ww.APIError),
    ],
)
def test_each_rejection_has_an_error_class_and_is_final(status, cls):
    reply = httpx.Response(
        status,
        json={"error": {"message": "Because.", "code": "some_code"}},
        headers={"X-Request-Id": "r1"},
    )
    wire = Wire(reply)
    with pytest.raises(cls) as caught:
        wire.post()
    error = caught.value
    assert (error.status, error.code, error.message, error.request_id) == (
        status,
        "some_code",
        "Because.",
        "r1",
    )
    assert len(wire.requests) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert "Because" in str(error)


@pytest.mark.parametrize("place", [{"deferUntil": "2026-12-01T00:00:00Z"}, {}])
def test_rate_limit_error_says_when_to_retry(place):
    error = {"message": "Daily cap", "code": "throttled", "deferUntil": "2026-12-01T00:00:00Z"}
    body = {"error": {"message": "Daily cap", "code": "throttled"}, **place}
    wire = Wire(httpx.Response(429, json=body if place else {"error": error}))
    with pytest.raises(ww.RateLimitError) as caught:
        wire.get()
    assert caught.value.defer_until.year == 2026


@pytest.mark.parametrize(
    "body", ['{"error": "plain"}', "[]", "<html>", "", '{"error": {"message": 5}}']
)
def test_malformed_error_body_raises_the_right_error(body):
    with pytest.raises(ww.BadRequestError):
        Wire(httpx.Response(400, text=body)).get()


@pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 410, 418, 499])
@pytest.mark.parametrize(
    "body",
    [
        "<html>Blocked</html>",
        "",
        '{"error": "Forbidden"}',
        '{"error": {"code": 404}}',
        '{"error": {"message": "no"}}',
        '{"message": "no Route matched"}',
    ],
)
def test_rejection_by_another_server_is_an_unknown_outcome(status, body):
    wire = Wire(httpx.Response(status, text=body))
    with pytest.raises(ww.OutcomeUnknownError, match=f"HTTP {status}") as caught:
        wire.post()
    assert not isinstance(caught.value, ww.UnexpectedReplyError), "nobody says that it was taken"
    assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [401, 405, 407, 411, 413, 414, 421, 429, 431])
def test_status_of_an_unforwarded_request_means_not_sent(status):
    wire = Wire(httpx.Response(status, text="<html>"))
    with pytest.raises(ww.APIError):
        wire.post()
    assert len(wire.requests) == 1, "it is not known whose limit this is"


def test_partial_response_is_not_used():
    with pytest.raises(ww.UnexpectedReplyError):
        Wire(httpx.Response(206, json={"publishes": []})).get()


def test_key_is_sent_only_to_the_api():
    wire = Wire(httpx.Response(302, headers={"Location": "https://evil.example/"}))
    with pytest.raises(ww.UnexpectedReplyError, match="must not be sent"):
        wire.get()
    assert [request.url.host for request in wire.requests] == ["api.example"]
    assert wire.requests[0].headers["Authorization"] == f"Bearer {KEY}"

    wire = Wire(
        httpx.Response(302, headers={"Location": "https://other.example/b"}),
        httpx.Response(200, content=b"image"),
    )
    data = event_loop.run_blocking(wire.transport().download("https://storage.example/a"))
    assert data == b"image"
    assert [request.url.host for request in wire.requests] == ["storage.example", "other.example"]
    assert not any("authorization" in request.headers for request in wire.requests)


def test_download_size_is_limited():
    wire = Wire(httpx.Response(200, content=b"x" * 100))
    with pytest.raises(ww.UnsafeMediaError, match="larger"):
        event_loop.run_blocking(wire.transport().download("https://storage.example/a", 50))
    wire = Wire(httpx.Response(302, headers={"Location": "/again"}))
    with pytest.raises(ww.UnsafeMediaError, match="redirect"):
        event_loop.run_blocking(wire.transport().download("https://storage.example/a"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:1", "", "http://", "data:,x"])
def test_invalid_media_address_is_refused(url):
    with pytest.raises(ww.WondaError):
        event_loop.run_blocking(Wire(200).transport().download(url))


def test_key_in_a_response_is_redacted():
    for status in (200, 401):
        said = {"error": {"message": f"Bad header: Bearer {KEY}", "code": "x"}}
        wire = Wire(httpx.Response(status, json=said))
        try:
            shown = repr(wire.get())
        except ww.AuthenticationError as error:
            shown = f"{error} {vars(error)}"
        assert "Bad header" in shown
        assert KEY not in shown


def test_lone_surrogate_in_a_response_is_accepted():
    wire = Wire(httpx.Response(200, content=b'{"errorMessage": "cut \\ud83d", "ok": ["\\ud83c"]}'))
    assert wire.get() == {"errorMessage": "cut \ufffd", "ok": ["\ufffd"]}


def test_loopback_requests_use_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    local = Transport(ApiKey(KEY), "http://127.0.0.1:8/api/v1", 5.0)
    assert not local._connections.client()._mounts
    remote = Transport(ApiKey(KEY), BASE, 5.0)
    assert remote._connections.client()._mounts


def frames(error):
    """What the frames hold that an error came through, below the test's own."""
    while error is not None:
        trace = error.__traceback__.tb_next
        while trace is not None:
            yield from trace.tb_frame.f_locals.values()
            trace = trace.tb_next
        error = error.__context__


BUGS = [RuntimeError("bug"), ValueError(KEY), ExceptionGroup("bugs", [OSError()])]


@pytest.mark.parametrize("call", ["get", "post", "poll"])
@pytest.mark.parametrize(
    "fault", [httpx.ReadError("x"), httpx.ConnectError("x"), 401, 500, *BUGS], ids=repr
)
def test_errors_do_not_reference_requests(fault, call):
    wire = Wire(fault)
    calls = {
        "get": wire.get,
        "post": wire.post,
        "poll": lambda: event_loop.run_blocking(polled(wire)),
    }
    with pytest.raises(ww.WondaError) as caught:
        calls[call]()
    held = [value for value in frames(caught.value) if isinstance(value, httpx.Request | Exception)]
    assert all(isinstance(value, ww.WondaError) for value in held)
    assert caught.value.__cause__ is None
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("bug", BUGS, ids=repr)
def test_transport_bug_during_a_post_is_an_unknown_outcome(bug):
    wire = Wire(bug)
    with pytest.raises(ww.OutcomeUnknownError, match=type(bug).__name__):
        wire.post()
    assert len(wire.requests) == 1
    with pytest.raises(ww.ServiceUnreachableError):
        event_loop.run_blocking(wire.transport().download("https://storage.example/a"))


class Odd(BaseException):
    """What a library of a transport may raise for its own purposes."""


def grouped(*errors):
    return BaseExceptionGroup("bugs", [*errors, BaseExceptionGroup("more", [Odd(KEY)])])


def outcome(call):
    """What a call raises on a loop of its own, which an interrupt may end."""

    async def caught():
        try:
            await call
        except BaseException as error:  # noqa: BLE001 - these are what is looked at
            return error
        return None

    return asyncio.run(caught())


ODD = {
    "odd": (Odd(KEY), ww.WondaError),
    "a group": (grouped(ValueError(KEY), asyncio.CancelledError()), ww.WondaError),
    "a group of groups": (grouped(grouped(Odd(KEY))), ww.WondaError),
    "an interrupt": (KeyboardInterrupt(KEY), KeyboardInterrupt),
    "an interrupt in a group": (grouped(KeyboardInterrupt(KEY), OSError()), KeyboardInterrupt),
    "the end": (SystemExit(KEY), SystemExit),
    "the end in a group": (grouped(grouped(SystemExit(3))), SystemExit),
    "a coroutine's end": (GeneratorExit(KEY), GeneratorExit),
}


@pytest.mark.parametrize("way", ["get", "post", "poll"])
@pytest.mark.parametrize("case", ODD)
def test_transport_errors_do_not_reference_requests(case, way):
    fault, expected = ODD[case]
    arrived = []

    async def answer(request):
        arrived.append(request)
        raise fault

    async def no_sleep(_seconds):
        pass

    client = Transport(ApiKey(KEY), BASE, 5.0, httpx.MockTransport(answer), sleep=no_sleep)
    calls = {
        "get": lambda: client.get("/x"),
        "post": lambda: client.post("/x", "test", "Look there.", body={}),
        "poll": lambda: client.poll(client.poll_request("/x")),
    }
    error = outcome(calls[way]())
    assert isinstance(error, expected)
    assert error is not fault
    assert KEY not in str(error) + repr(error)
    held = list(frames(error))
    assert not any(isinstance(value, httpx.Request) or value is fault for value in held)
    if way == "post":
        assert len(arrived) == 1
        assert expected is not ww.WondaError or isinstance(error, ww.OutcomeUnknownError)
    if case == "the end in a group":
        assert error.code == 3


def test_cancellation_in_an_exception_group_is_recognized():
    began = asyncio.Event()

    async def answer(_request):
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise BaseExceptionGroup("of tasks", [error, ValueError(KEY)]) from None

    async def canceled():
        client = Transport(ApiKey(KEY), BASE, 5.0, httpx.MockTransport(answer))
        task = asyncio.ensure_future(client.get("/x"))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert not any(isinstance(value, httpx.Request) for value in frames(caught.value))

    asyncio.run(canceled())


class Streamed(httpx.AsyncByteStream):
    def __init__(self, *pieces, pause=0.0):
        self.pieces = pieces
        self.pause = pause

    async def __aiter__(self):
        for piece in self.pieces:
            await asyncio.sleep(self.pause)
            yield piece


@pytest.fixture
def _short(monkeypatch):
    """A client that waits at most 0.1 s for a whole reply."""
    monkeypatch.setattr(
        Wire,
        "transport",
        lambda wire: Transport(
            ApiKey(KEY), BASE, 0.05, httpx.MockTransport(wire.handle), sleep=wire.sleep
        ),
    )


def drip():
    return httpx.Response(200, stream=Streamed(*[b" "] * 500, pause=0.02))


@pytest.mark.usefixtures("_short")
def test_slow_response_times_out():
    began = time.monotonic()
    wire = Wire(drip())
    with pytest.raises(ww.OutcomeUnknownError, match="time limit"):
        wire.post()
    assert len(wire.requests) == 1
    with pytest.raises(ww.ServiceUnreachableError, match="time limit"):
        event_loop.run_blocking(polled(Wire(drip())))
    with pytest.raises(ww.ServiceUnreachableError, match="time limit"):
        Wire(drip(), drip(), drip()).get()
    assert time.monotonic() - began < 2


@pytest.mark.usefixtures("_short")
def test_upload_timeout_is_proportional_to_size(monkeypatch):
    slow = httpx.Response(200, stream=Streamed(b"{}", pause=0.3))
    body = {"x": "x" * 1000}
    monkeypatch.setattr(transport, "MIN_UPLOAD_SPEED", 1000)
    assert (
        event_loop.run_blocking(Wire(slow).transport().post("/x", "test", "Look.", body=body)) == {}
    )


def test_too_large_response_is_not_read(monkeypatch):
    monkeypatch.setattr(responses, "MAX_BYTES", 100)

    def large(status=200):
        return httpx.Response(status, stream=Streamed(b'{"a": "', *[b"x" * 60] * 3, b'"}'))

    with pytest.raises(ww.OutcomeUnknownError, match="could not be read"):
        Wire(large()).post()
    with pytest.raises(ww.UnexpectedReplyError):
        Wire(large()).get()
    with pytest.raises(ww.BadRequestError, match="Bad Request"):
        Wire(large(400)).get()


@pytest.mark.parametrize("zipped", ["gzip", "deflate"])
def test_compressed_response_has_the_same_size_limit(monkeypatch, zipped):
    def reply(data):
        packed = gzip.compress(data)
        return httpx.Response(
            200, headers={"Content-Encoding": zipped}, stream=Streamed(packed[:9], packed[9:])
        )

    wire = Wire(reply(b'{"fine": true}'))
    assert wire.get() == {"fine": True}
    assert wire.requests[0].headers["Accept-Encoding"] == "identity"
    monkeypatch.setattr(responses, "MAX_BYTES", 10_000)
    with pytest.raises(ww.UnexpectedReplyError):
        Wire(reply(b" " * 10_001)).get()
    wire = Wire(reply(b"image"))
    assert (
        event_loop.run_blocking(wire.transport().download("https://storage.example/a")) == b"image"
    )
    assert wire.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"image")[:-3]),
        ("gzip", gzip.compress(b"image") + b"more"),
        ("gzip", b"image"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"image"))),
        ("br", b"image"),
    ],
    ids=["cut", "more", "not zipped", "zipped twice", "unknown"],  # a zip holds the time
)
def test_incomplete_compressed_download_is_refused(encoding, body):
    headers = {"Content-Encoding": encoding}
    replies = [httpx.Response(200, headers=headers, stream=Streamed(body)) for _ in range(3)]
    with pytest.raises(ww.ServiceUnreachableError, match=r"storage\.example: "):
        event_loop.run_blocking(Wire(*replies).transport().download("https://storage.example/a"))


def test_download_has_a_total_time_limit(monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(ww.ServiceUnreachableError, match=r"longer than 0\.1 s"):
        event_loop.run_blocking(Wire(drip()).transport().download("https://storage.example/a"))


def test_failed_download_is_retried_after_the_given_time():
    busy = httpx.Response(503, headers={"Retry-After": "7"})
    wire = Wire(busy, httpx.Response(200, content=b"image"))
    assert (
        event_loop.run_blocking(wire.transport().download("https://storage.example/a")) == b"image"
    )
    assert wire.slept == [7.0]


# ---------------------------------------------------------------- private addresses

INSIDE = [
    "http://127.0.0.1/a",
    "http://169.254.169.254/latest/meta-data",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[::ffff:10.0.0.1]/",
    "http://localhost:8888/api",
    "http://127。0。0。1/",
]


@pytest.mark.parametrize("url", INSIDE)
def test_public_service_cannot_link_to_a_private_network(url):
    wire = Wire(httpx.Response(200, content=b"secret"))
    with pytest.raises(ww.UnsafeMediaError, match="private"):
        event_loop.run_blocking(wire.transport().download(url))
    assert wire.requests == []
    wire = Wire(httpx.Response(302, headers={"Location": url.encode()}))
    with pytest.raises(ww.UnsafeMediaError):
        event_loop.run_blocking(wire.transport().download("https://storage.example/a"))
    assert len(wire.requests) == 1


def private_api(*answers):
    wire = Wire(*answers)
    mock = httpx.MockTransport(wire.handle)
    return wire, Transport(ApiKey(KEY), "https://10.0.0.1/v1", 5.0, mock, sleep=wire.sleep)


def test_private_service_may_link_to_a_private_network_directly():
    there = httpx.Response(302, headers={"Location": "http://10.0.0.3/b"})
    wire, inside = private_api(there, httpx.Response(200, content=b"image"))
    assert event_loop.run_blocking(inside.download("http://10.0.0.2/a")) == b"image"

    out = httpx.Response(302, headers={"Location": "https://storage.example/b"})
    wire, inside = private_api(out, there)
    with pytest.raises(ww.UnsafeMediaError, match="private"):
        event_loop.run_blocking(inside.download("http://10.0.0.2/a"))
    assert len(wire.requests) == 2


def resolving(monkeypatch, **names):
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *rest, **more):
        name = host.decode() if isinstance(host, bytes) else host
        return real(names.get(name.partition(".")[0], host), port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(connections, "getproxies", dict)


def test_private_name_is_refused_before_the_request(monkeypatch):
    resolving(monkeypatch, api="1.1.1.1", storage="127.0.0.1")
    public = Transport(ApiKey(KEY), BASE, 5.0)
    with pytest.raises(ww.UnsafeMediaError, match="private"):
        event_loop.run_blocking(public.download("http://storage.example:9/a"))


@pytest.mark.parametrize(
    "address",
    [
        "api.example",
        "ftp://api.example",
        "http://api.example/api/v1",
        "https://",
        "https://u:p@x.example",
        "https://:p@x.example",
        "https://x.example/v1#a",
        "http://[::1",
        "https://x.example:port",
        "https://\N{EURO SIGN}.example",
        "https://xn--a",
        "https://x.example/\0v1",
    ],
)
def test_invalid_base_url_is_refused(address):
    with pytest.raises(ww.InvalidInputError) as caught:
        normalize_base_url(address)
    assert caught.value.field == "base_url"


def test_trailing_slash_of_the_base_url_is_removed():
    assert normalize_base_url("https://api.example/api/v1/") == BASE
    assert normalize_base_url("http://127.0.0.1:8/api/v1") == "http://127.0.0.1:8/api/v1"
    assert normalize_base_url("http://[::1]:8/api/v1")


def test_blocking_call_on_the_event_loop_is_refused():
    async def wrong():
        event_loop.run_blocking(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="AsyncWonda"):
        event_loop.run_blocking(wrong())


def test_polls_use_the_proxy(monkeypatch):
    asked = []

    async def answer(reader, writer):
        asked.append(await reader.readline())
        writer.close()

    async def poll():
        proxy = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        wire = Transport(ApiKey(KEY), "https://no.example/api/v1", 5.0)
        try:
            await wire.poll(wire.poll_request("/jobs/inference/j"))
        finally:
            await wire.aclose()
            proxy.close()

    with pytest.raises(ww.ServiceUnreachableError):
        event_loop.run_blocking(poll())
    assert asked == [b"CONNECT no.example:443 HTTP/1.1\r\n"]


@pytest.mark.parametrize("date", ["", "garbage", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_invalid_date_header_does_not_change_the_service_clock(date):
    moment = email.utils.format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)
    wire = Wire(*(httpx.Response(200, headers={"Date": told}, json={}) for told in (moment, date)))
    transport = wire.transport()
    for _ in range(2):
        event_loop.run_blocking(transport.get("/x"))
        assert transport.clock.offset == pytest.approx(3 * 3600, abs=5)


def test_custom_transport_receives_polls():
    seen = []

    class Own(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            patience = {part: request.extensions["timeout"][part] for part in ("connect", "read")}
            said = request.method, request.url, request.content, patience
            seen.append((dict(request.headers), *said))
            return httpx.Response(200, json={})

    transport = Transport(ApiKey(KEY), BASE, 5.0, Own())
    event_loop.run_blocking(transport.get("/x"))
    event_loop.run_blocking(transport.poll(transport.poll_request("/x")))
    asked, poll = seen
    assert {**asked[0], "connection": ""} == {**poll[0], "connection": ""}  # the client's own
    assert asked[1:] == poll[1:]
