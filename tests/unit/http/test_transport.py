"""Requests, retries and responses, with httpx's mock transport."""

import asyncio
import email.utils
import gzip
import pickle
import socket
import time
import zlib
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.http import (
    connections,
    downloads,
    responses,
    transport,
)
from wonda_widgets.http.base_url import normalize_base_url
from wonda_widgets.http.credentials import ApiKey
from wonda_widgets.http.transport import Transport
from wonda_widgets.utils import event_loop

BASE = "https://api.example/api/v1"


class ScriptedService:
    """Return the given responses in turn, the last one repeatedly, and record the requests."""

    def __init__(self, *responses):
        self.responses = list(responses)
        self.requests = []
        self.slept = []

    def handle(self, request):
        self.requests.append(request)
        response = self.responses[min(len(self.requests), len(self.responses)) - 1]
        if isinstance(response, Exception):
            raise response
        if isinstance(response, int):
            return httpx.Response(response, json={"error": {"message": "no", "code": "c"}})
        return (
            response if isinstance(response, httpx.Response) else httpx.Response(200, json=response)
        )

    async def sleep(self, seconds):
        self.slept.append(seconds)

    def transport(self):
        mock = httpx.MockTransport(self.handle)
        return Transport(ApiKey(KEY), BASE, 5.0, mock, sleep=self.sleep)

    def post(self):
        return event_loop.run_blocking(self.transport().post("/x", "test", "Look there.", body={}))

    def get(self):
        return event_loop.run_blocking(self.transport().get("/x"))


def poll_once(service):
    transport = service.transport()
    return transport.poll(transport.poll_request("/x"))


LOST_RESPONSES = [
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


@pytest.mark.parametrize("fault", LOST_RESPONSES, ids=str)
def test_post_that_may_have_arrived_is_not_retried(fault):
    service = ScriptedService(fault)
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        service.post()
    assert len(service.requests) == 1
    assert caught.value.operation == "test"
    assert caught.value.check == "Look there."


@pytest.mark.parametrize("response", [httpx.Response(200, text="<html>"), httpx.Response(200)])
def test_unreadable_success_response_leaves_the_outcome_unknown(response):
    service = ScriptedService(response)
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        service.post()
    assert isinstance(caught.value, ww.UnexpectedReplyError)
    assert len(service.requests) == 1


@pytest.mark.parametrize("fault", [httpx.ConnectError("refused"), httpx.ConnectTimeout("x"), 429])
def test_post_that_did_not_arrive_is_retried(fault):
    service = ScriptedService(fault, {"fine": True})
    assert service.post() == {"fine": True}
    assert len(service.requests) == 2


def test_error_of_an_undelivered_post_says_that_nothing_was_sent():
    service = ScriptedService(httpx.ConnectError("[Errno -2] Name or service not known"))
    with pytest.raises(ww.ServiceUnreachableError, match=r"does not resolve\. Nothing was sent\."):
        service.post()


def test_post_waits_for_a_short_retry_after_and_raises_for_a_long_one():
    body = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    service = ScriptedService(
        httpx.Response(429, headers={"Retry-After": "7"}, json=body), {"fine": True}
    )
    service.post()
    assert service.slept == [7.0]
    service = ScriptedService(httpx.Response(429, headers={"Retry-After": "3600"}, json=body))
    with pytest.raises(ww.RateLimitError) as caught:
        service.post()
    assert caught.value.retry_after == 3600
    assert service.slept == []


@pytest.mark.parametrize(
    "fault", [*LOST_RESPONSES[:5], 500, 503, 429, httpx.ConnectError("refused")], ids=str
)
def test_failed_get_is_retried(fault):
    service = ScriptedService(fault, {"fine": True})
    assert service.get() == {"fine": True}


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
def test_each_rejection_has_its_error_class_and_is_not_retried(status, cls):
    response = httpx.Response(
        status,
        json={"error": {"message": "Because.", "code": "some_code"}},
        headers={"X-Request-Id": "r1"},
    )
    service = ScriptedService(response)
    with pytest.raises(cls) as caught:
        service.post()
    error = caught.value
    assert (error.status, error.code, error.message, error.request_id) == (
        status,
        "some_code",
        "Because.",
        "r1",
    )
    assert len(service.requests) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert "Because" in str(error)


@pytest.mark.parametrize("top_level", [{"deferUntil": "2026-12-01T00:00:00Z"}, {}])
def test_rate_limit_error_says_when_to_retry(top_level):
    error = {"message": "Daily cap", "code": "throttled", "deferUntil": "2026-12-01T00:00:00Z"}
    body = {"error": {"message": "Daily cap", "code": "throttled"}, **top_level}
    service = ScriptedService(httpx.Response(429, json=body if top_level else {"error": error}))
    with pytest.raises(ww.RateLimitError) as caught:
        service.get()
    assert caught.value.defer_until.year == 2026


@pytest.mark.parametrize(
    "body", ['{"error": "plain"}', "[]", "<html>", "", '{"error": {"message": 5}}']
)
def test_malformed_error_body_raises_the_error_of_its_status(body):
    with pytest.raises(ww.BadRequestError):
        ScriptedService(httpx.Response(400, text=body)).get()


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
def test_rejection_not_from_the_service_leaves_the_outcome_unknown(status, body):
    service = ScriptedService(httpx.Response(status, text=body))
    with pytest.raises(ww.OutcomeUnknownError, match=f"HTTP {status}") as caught:
        service.post()
    assert not isinstance(caught.value, ww.UnexpectedReplyError), (
        "no response says that the service accepted it"
    )
    assert len(service.requests) == 1


@pytest.mark.parametrize("status", [401, 405, 407, 411, 413, 414, 421, 429, 431])
def test_status_of_a_request_that_was_not_forwarded_raises_an_api_error(status):
    service = ScriptedService(httpx.Response(status, text="<html>"))
    with pytest.raises(ww.APIError):
        service.post()
    assert len(service.requests) == 1, "the limit may be a proxy's"


def test_partial_content_response_raises():
    with pytest.raises(ww.UnexpectedReplyError):
        ScriptedService(httpx.Response(206, json={"publishes": []})).get()


def test_key_is_sent_only_to_the_api():
    service = ScriptedService(httpx.Response(302, headers={"Location": "https://evil.example/"}))
    with pytest.raises(ww.UnexpectedReplyError, match="must not be sent"):
        service.get()
    assert [request.url.host for request in service.requests] == ["api.example"]
    assert service.requests[0].headers["Authorization"] == f"Bearer {KEY}"

    service = ScriptedService(
        httpx.Response(302, headers={"Location": "https://other.example/b"}),
        httpx.Response(200, content=b"image"),
    )
    data = event_loop.run_blocking(service.transport().download("https://storage.example/a"))
    assert data == b"image"
    assert [request.url.host for request in service.requests] == [
        "storage.example",
        "other.example",
    ]
    assert not any("authorization" in request.headers for request in service.requests)


def test_download_size_is_limited():
    service = ScriptedService(httpx.Response(200, content=b"x" * 100))
    with pytest.raises(ww.UnsafeMediaError, match="larger"):
        event_loop.run_blocking(service.transport().download("https://storage.example/a", 50))
    service = ScriptedService(httpx.Response(302, headers={"Location": "/again"}))
    with pytest.raises(ww.UnsafeMediaError, match="redirect"):
        event_loop.run_blocking(service.transport().download("https://storage.example/a"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:1", "", "http://", "data:,x"])
def test_invalid_media_address_is_refused(url):
    with pytest.raises(ww.WondaError):
        event_loop.run_blocking(ScriptedService(200).transport().download(url))


def test_key_in_a_response_is_redacted():
    for status in (200, 401):
        body = {"error": {"message": f"Bad header: Bearer {KEY}", "code": "x"}}
        service = ScriptedService(httpx.Response(status, json=body))
        try:
            shown = repr(service.get())
        except ww.AuthenticationError as error:
            shown = f"{error} {vars(error)}"
        assert "Bad header" in shown
        assert KEY not in shown


def test_very_long_error_message_is_shortened():
    body = {"error": {"message": "No " * 100_000, "code": "x"}}
    with pytest.raises(ww.BadRequestError) as caught:
        ScriptedService(httpx.Response(400, json=body)).get()
    assert caught.value.message.startswith("No No")
    assert len(str(caught.value)) < 2_000


def test_lone_surrogate_in_a_response_is_accepted():
    service = ScriptedService(
        httpx.Response(200, content=b'{"errorMessage": "cut \\ud83d", "ok": ["\\ud83c"]}')
    )
    assert service.get() == {"errorMessage": "cut \ufffd", "ok": ["\ufffd"]}


def test_loopback_requests_use_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    local = Transport(ApiKey(KEY), "http://127.0.0.1:8/api/v1", 5.0)
    assert not local._connections.client()._mounts
    remote = Transport(ApiKey(KEY), BASE, 5.0)
    assert remote._connections.client()._mounts


def frame_locals(error):
    """Yield the local variables of the frames that an error passed, except the test's own."""
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
def test_errors_do_not_reference_requests_or_other_exceptions(fault, call):
    service = ScriptedService(fault)
    calls = {
        "get": service.get,
        "post": service.post,
        "poll": lambda: event_loop.run_blocking(poll_once(service)),
    }
    with pytest.raises(ww.WondaError) as caught:
        calls[call]()
    exceptions = [
        value
        for value in frame_locals(caught.value)
        if isinstance(value, httpx.Request | Exception)
    ]
    assert all(isinstance(value, ww.WondaError) for value in exceptions)
    assert caught.value.__cause__ is None
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("bug", BUGS, ids=repr)
def test_transport_bug_during_a_post_leaves_the_outcome_unknown(bug):
    service = ScriptedService(bug)
    with pytest.raises(ww.OutcomeUnknownError, match=type(bug).__name__):
        service.post()
    assert len(service.requests) == 1
    with pytest.raises(ww.ServiceUnreachableError):
        event_loop.run_blocking(service.transport().download("https://storage.example/a"))


class LibraryError(BaseException):
    """Simulate an exception that a transport's library raises internally."""


def group(*errors):
    return BaseExceptionGroup("bugs", [*errors, BaseExceptionGroup("more", [LibraryError(KEY)])])


def exception_of(call):
    """Return the exception of a call on a separate loop, which an interrupt may stop."""

    async def run():
        try:
            await call
        except BaseException as error:  # noqa: BLE001 - the test inspects any exception
            return error
        return None

    return asyncio.run(run())


LIBRARY_ERRORS = {
    "a base exception": (LibraryError(KEY), ww.WondaError),
    "a group": (group(ValueError(KEY), asyncio.CancelledError()), ww.WondaError),
    "a group of groups": (group(group(LibraryError(KEY))), ww.WondaError),
    "an interrupt": (KeyboardInterrupt(KEY), KeyboardInterrupt),
    "an interrupt in a group": (group(KeyboardInterrupt(KEY), OSError()), KeyboardInterrupt),
    "an exit": (SystemExit(KEY), SystemExit),
    "an exit in a group": (group(group(SystemExit(3))), SystemExit),
    "a generator exit": (GeneratorExit(KEY), GeneratorExit),
}


@pytest.mark.parametrize("method", ["get", "post", "poll"])
@pytest.mark.parametrize("case", LIBRARY_ERRORS)
def test_errors_of_a_transport_library_are_replaced(case, method):
    fault, expected = LIBRARY_ERRORS[case]
    requests = []

    async def respond(request):
        requests.append(request)
        raise fault

    async def no_sleep(_seconds):
        pass

    client = Transport(ApiKey(KEY), BASE, 5.0, httpx.MockTransport(respond), sleep=no_sleep)
    calls = {
        "get": lambda: client.get("/x"),
        "post": lambda: client.post("/x", "test", "Look there.", body={}),
        "poll": lambda: client.poll(client.poll_request("/x")),
    }
    error = exception_of(calls[method]())
    assert isinstance(error, expected)
    assert error is not fault
    assert KEY not in str(error) + repr(error)
    values = list(frame_locals(error))
    assert not any(isinstance(value, httpx.Request) or value is fault for value in values)
    if method == "post":
        assert len(requests) == 1
        assert expected is not ww.WondaError or isinstance(error, ww.OutcomeUnknownError)
    if case == "an exit in a group":
        assert error.code == 3


def test_cancellation_in_an_exception_group_is_recognized():
    started = asyncio.Event()

    async def respond(_request):
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise BaseExceptionGroup("of tasks", [error, ValueError(KEY)]) from None

    async def cancel_request():
        client = Transport(ApiKey(KEY), BASE, 5.0, httpx.MockTransport(respond))
        task = asyncio.ensure_future(client.get("/x"))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert not any(isinstance(value, httpx.Request) for value in frame_locals(caught.value))

    asyncio.run(cancel_request())


class Chunks(httpx.AsyncByteStream):
    def __init__(self, *pieces, pause=0.0):
        self.chunks = pieces
        self.pause = pause

    async def __aiter__(self):
        for piece in self.chunks:
            await asyncio.sleep(self.pause)
            yield piece


@pytest.fixture
def _short_timeout(monkeypatch):
    """Use a client whose responses must be complete within 0.1 s."""
    monkeypatch.setattr(
        ScriptedService,
        "transport",
        lambda service: Transport(
            ApiKey(KEY), BASE, 0.05, httpx.MockTransport(service.handle), sleep=service.sleep
        ),
    )


def slow_response():
    return httpx.Response(200, stream=Chunks(*[b" "] * 500, pause=0.02))


@pytest.mark.usefixtures("_short_timeout")
def test_slow_response_exceeds_the_time_limit():
    started = time.monotonic()
    service = ScriptedService(slow_response())
    with pytest.raises(ww.OutcomeUnknownError, match="time limit"):
        service.post()
    assert len(service.requests) == 1
    with pytest.raises(ww.ServiceUnreachableError, match="time limit"):
        event_loop.run_blocking(poll_once(ScriptedService(slow_response())))
    with pytest.raises(ww.ServiceUnreachableError, match="time limit"):
        ScriptedService(slow_response(), slow_response(), slow_response()).get()
    assert time.monotonic() - started < 2


@pytest.mark.usefixtures("_short_timeout")
def test_upload_timeout_is_proportional_to_size(monkeypatch):
    monkeypatch.setattr(transport, "MIN_UPLOAD_SPEED", 1000)

    def post(size):
        slow = httpx.Response(200, stream=Chunks(b"{}", pause=0.3))
        body = {"x": "x" * size}
        sending = ScriptedService(slow).transport().post("/x", "test", "Look.", body=body)
        return event_loop.run_blocking(sending)

    assert post(1000) == {}
    with pytest.raises(ww.OutcomeUnknownError):
        post(1)


def test_response_above_the_size_limit_is_not_read(monkeypatch):
    monkeypatch.setattr(responses, "MAX_BYTES", 100)

    def large(status=200):
        return httpx.Response(status, stream=Chunks(b'{"a": "', *[b"x" * 60] * 3, b'"}'))

    with pytest.raises(ww.OutcomeUnknownError, match="could not be read"):
        ScriptedService(large()).post()
    with pytest.raises(ww.UnexpectedReplyError):
        ScriptedService(large()).get()
    with pytest.raises(ww.BadRequestError, match="Bad Request"):
        ScriptedService(large(400)).get()


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_response_has_the_same_size_limit(monkeypatch, encoding, compress):
    def compressed_response(data):
        compressed = compress(data)
        return httpx.Response(
            200,
            headers={"Content-Encoding": encoding},
            stream=Chunks(compressed[:9], compressed[9:]),
        )

    service = ScriptedService(compressed_response(b'{"fine": true}'))
    assert service.get() == {"fine": True}
    assert service.requests[0].headers["Accept-Encoding"] == "identity"
    monkeypatch.setattr(responses, "MAX_BYTES", 10_000)
    with pytest.raises(ww.UnexpectedReplyError):
        ScriptedService(compressed_response(b" " * 10_001)).get()
    service = ScriptedService(compressed_response(b"image"))
    assert (
        event_loop.run_blocking(service.transport().download("https://storage.example/a"))
        == b"image"
    )
    assert service.requests[0].headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(b"image")[:-3]),
        ("gzip", gzip.compress(b"image") + b"more"),
        ("gzip", b"image"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"image"))),
        ("br", b"image"),
    ],
    # Without IDs, they would contain the data, in which gzip writes the time.
    ids=["cut", "trailing data", "not gzip", "gzip twice", "unknown"],
)
def test_invalid_compressed_download_is_refused(encoding, body):
    headers = {"Content-Encoding": encoding}
    attempts = [httpx.Response(200, headers=headers, stream=Chunks(body)) for _ in range(3)]
    with pytest.raises(ww.ServiceUnreachableError, match=r"storage\.example: "):
        event_loop.run_blocking(
            ScriptedService(*attempts).transport().download("https://storage.example/a")
        )


def test_download_has_a_total_time_limit(monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT_SECONDS", 0.1)
    with pytest.raises(ww.ServiceUnreachableError, match=r"longer than 0\.1 s"):
        event_loop.run_blocking(
            ScriptedService(slow_response()).transport().download("https://storage.example/a")
        )


def test_failed_download_is_retried_after_the_given_time():
    busy = httpx.Response(503, headers={"Retry-After": "7"})
    service = ScriptedService(busy, httpx.Response(200, content=b"image"))
    assert (
        event_loop.run_blocking(service.transport().download("https://storage.example/a"))
        == b"image"
    )
    assert service.slept == [7.0]


# ---------------------------------------------------------------- private addresses

PRIVATE_URLS = [
    "http://127.0.0.1/a",
    "http://169.254.169.254/latest/meta-data",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://[::ffff:10.0.0.1]/",
    "http://localhost:8888/api",
    "http://127。0。0。1/",
]


@pytest.mark.parametrize("url", PRIVATE_URLS)
def test_public_service_cannot_link_to_a_private_network(url):
    service = ScriptedService(httpx.Response(200, content=b"secret"))
    with pytest.raises(ww.UnsafeMediaError, match="private"):
        event_loop.run_blocking(service.transport().download(url))
    assert service.requests == []
    service = ScriptedService(httpx.Response(302, headers={"Location": url.encode()}))
    with pytest.raises(ww.UnsafeMediaError):
        event_loop.run_blocking(service.transport().download("https://storage.example/a"))
    assert len(service.requests) == 1


def private_api(*responses):
    service = ScriptedService(*responses)
    mock = httpx.MockTransport(service.handle)
    return service, Transport(ApiKey(KEY), "https://10.0.0.1/v1", 5.0, mock, sleep=service.sleep)


def test_private_service_may_link_to_a_private_network_directly():
    inward = httpx.Response(302, headers={"Location": "http://10.0.0.3/b"})
    service, api = private_api(inward, httpx.Response(200, content=b"image"))
    assert event_loop.run_blocking(api.download("http://10.0.0.2/a")) == b"image"

    outward = httpx.Response(302, headers={"Location": "https://storage.example/b"})
    service, api = private_api(outward, inward)
    with pytest.raises(ww.UnsafeMediaError, match="private"):
        event_loop.run_blocking(api.download("http://10.0.0.2/a"))
    assert len(service.requests) == 2


def resolve_names(monkeypatch, **names):
    original = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **options):
        name = host.decode() if isinstance(host, bytes) else host
        return original(names.get(name.partition(".")[0], host), port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(connections, "getproxies", dict)


def test_media_host_with_a_private_address_is_refused(monkeypatch):
    resolve_names(monkeypatch, api="1.1.1.1", storage="127.0.0.1")
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
    async def block_the_loop():
        event_loop.run_blocking(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="AsyncWonda"):
        event_loop.run_blocking(block_the_loop())


def test_polls_use_the_proxy_of_the_environment(monkeypatch):
    request_lines = []

    async def serve(reader, writer):
        request_lines.append(await reader.readline())
        writer.close()

    async def poll():
        proxy = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = proxy.sockets[0].getsockname()[1]
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        api = Transport(ApiKey(KEY), "https://no.example/api/v1", 5.0)
        try:
            await api.poll(api.poll_request("/jobs/inference/j"))
        finally:
            await api.aclose()
            proxy.close()

    with pytest.raises(ww.ServiceUnreachableError):
        event_loop.run_blocking(poll())
    assert request_lines == [b"CONNECT no.example:443 HTTP/1.1\r\n"]


@pytest.mark.parametrize("date", ["", "garbage", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_invalid_date_header_does_not_change_the_service_clock(date):
    moment = email.utils.format_datetime(datetime.now(UTC) + timedelta(hours=3), usegmt=True)
    service = ScriptedService(
        *(httpx.Response(200, headers={"Date": value}, json={}) for value in (moment, date))
    )
    transport = service.transport()
    for _ in range(2):
        event_loop.run_blocking(transport.get("/x"))
        assert transport.clock.offset == pytest.approx(3 * 3600, abs=5)


def test_custom_transport_receives_polls_like_other_requests():
    requests = []

    class RecordingTransport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            timeouts = {part: request.extensions["timeout"][part] for part in ("connect", "read")}
            details = request.method, request.url, request.content, timeouts
            requests.append((dict(request.headers), *details))
            return httpx.Response(200, json={})

    transport = Transport(ApiKey(KEY), BASE, 5.0, RecordingTransport())
    event_loop.run_blocking(transport.get("/x"))
    event_loop.run_blocking(transport.poll(transport.poll_request("/x")))
    get_request, poll = requests
    # The header `Connection` is set by httpx itself.
    assert {**get_request[0], "connection": ""} == {**poll[0], "connection": ""}
    assert get_request[1:] == poll[1:]
