"""What is sent, how often, and what comes of it; replies from httpx's own mock."""

import asyncio
import pickle

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets import runtime
from wonda_widgets.credentials import ApiKey
from wonda_widgets.transport import Transport, checked_base_url

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
        return runtime.call(self.transport().post("/x", "test", "Look there.", body={}))

    def get(self):
        return runtime.call(self.transport().get("/x"))


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
def test_a_post_that_may_have_arrived_is_sent_once(fault):
    wire = Wire(fault)
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wire.post()
    assert len(wire.requests) == 1
    assert caught.value.operation == "test"
    assert caught.value.check == "Look there."


@pytest.mark.parametrize("page", [httpx.Response(200, text="<html>"), httpx.Response(200)])
def test_a_post_whose_yes_cannot_be_read_is_unknown_and_unexpected(page):
    wire = Wire(page)
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wire.post()
    assert isinstance(caught.value, ww.UnexpectedReplyError)
    assert len(wire.requests) == 1


@pytest.mark.parametrize("fault", [httpx.ConnectError("refused"), httpx.ConnectTimeout("x"), 429])
def test_a_post_that_did_not_arrive_is_sent_again(fault):
    wire = Wire(fault, {"fine": True})
    assert wire.post() == {"fine": True}
    assert len(wire.requests) == 2


def test_a_post_that_never_arrives_says_that_nothing_was_sent():
    wire = Wire(httpx.ConnectError("[Errno -2] Name or service not known"))
    with pytest.raises(ww.ServiceUnreachableError, match=r"does not resolve\. Nothing was sent\."):
        wire.post()


def test_retry_after_is_honoured_and_bounded():
    wire = Wire(httpx.Response(429, headers={"Retry-After": "7"}, json={}), {"fine": True})
    wire.post()
    assert wire.slept == [7.0]
    wire = Wire(httpx.Response(429, headers={"Retry-After": "3600"}, json={}))
    with pytest.raises(ww.RateLimitError) as caught:
        wire.post()
    assert caught.value.retry_after == 3600
    assert wire.slept == []


@pytest.mark.parametrize(
    "fault", [*LOST[:5], 500, 503, 429, httpx.ConnectError("refused")], ids=str
)
def test_a_get_is_tried_again(fault):
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
def test_a_refusal_is_an_error_of_its_own_and_final(status, cls):
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
def test_a_throttled_reply_says_when_it_opens_again(place):
    error = {"message": "Daily cap", "code": "throttled", "deferUntil": "2026-12-01T00:00:00Z"}
    body = {"error": {"message": "Daily cap", "code": "throttled"}, **place}
    wire = Wire(httpx.Response(429, json=body if place else {"error": error}))
    with pytest.raises(ww.RateLimitError) as caught:
        wire.get()
    assert caught.value.defer_until.year == 2026


@pytest.mark.parametrize(
    "body", ['{"error": "plain"}', "[]", "<html>", "", '{"error": {"message": 5}}']
)
def test_an_odd_error_body_still_gives_our_error(body):
    with pytest.raises(ww.BadRequestError):
        Wire(httpx.Response(400, text=body)).post()


def test_the_key_goes_to_the_api_and_not_to_storage_or_after_a_redirect():
    wire = Wire(httpx.Response(302, headers={"Location": "https://evil.example/"}))
    with pytest.raises(ww.UnexpectedReplyError, match="must not go"):
        wire.get()
    assert [request.url.host for request in wire.requests] == ["api.example"]
    assert wire.requests[0].headers["Authorization"] == f"Bearer {KEY}"

    wire = Wire(
        httpx.Response(302, headers={"Location": "https://other.example/b"}),
        httpx.Response(200, content=b"picture"),
    )
    data = runtime.call(wire.transport().download("https://storage.example/a"))
    assert data == b"picture"
    assert [request.url.host for request in wire.requests] == ["storage.example", "other.example"]
    assert not any("authorization" in request.headers for request in wire.requests)


def test_a_download_is_bounded_whatever_it_announces():
    wire = Wire(httpx.Response(200, content=b"x" * 100))
    with pytest.raises(ww.UnsafeMediaError, match="larger"):
        runtime.call(wire.transport().download("https://storage.example/a", 50))
    wire = Wire(httpx.Response(302, headers={"Location": "/again"}))
    with pytest.raises(ww.UnsafeMediaError, match="redirect"):
        runtime.call(wire.transport().download("https://storage.example/a"))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:1", "", "http://", "data:,x"])
def test_a_media_address_that_is_none_is_refused(url):
    with pytest.raises(ww.WondaError):
        runtime.call(Wire(200).transport().download(url))


def test_a_key_that_the_service_repeats_is_not_shown():
    for status in (200, 401):
        said = {"error": {"message": f"Bad header: Bearer {KEY}", "code": "x"}}
        wire = Wire(httpx.Response(status, json=said))
        try:
            shown = repr(wire.get())
        except ww.AuthenticationError as error:
            shown = f"{error} {vars(error)}"
        assert "Bad header" in shown
        assert KEY not in shown


def test_half_an_emoji_in_a_reply_costs_nothing():
    wire = Wire(httpx.Response(200, content=b'{"errorMessage": "cut \\ud83d", "ok": ["\\ud83c"]}'))
    assert wire.get() == {"errorMessage": "cut \ufffd", "ok": ["\ufffd"]}


def test_what_is_meant_for_this_machine_is_shown_to_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    local = Transport(ApiKey(KEY), "http://127.0.0.1:8/api/v1", 5.0)
    assert not local._http()._mounts
    remote = Transport(ApiKey(KEY), BASE, 5.0)
    assert remote._http()._mounts


def test_errors_hold_no_request_and_so_no_key():
    for fault in (httpx.ReadError("x"), httpx.ConnectError("x"), 401, 500):
        with pytest.raises(ww.WondaError) as caught:
            Wire(fault).post()
        assert caught.value.__cause__ is None
        assert not isinstance(caught.value.__context__, httpx.HTTPError)


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
    ],
)
def test_an_address_that_cannot_be_used_is_refused(address):
    with pytest.raises(ww.InvalidInputError) as caught:
        checked_base_url(address)
    assert caught.value.field == "base_url"


def test_a_good_address_loses_its_last_slash():
    assert checked_base_url("https://api.example/api/v1/") == BASE
    assert checked_base_url("http://127.0.0.1:8/api/v1") == "http://127.0.0.1:8/api/v1"
    assert checked_base_url("http://[::1]:8/api/v1")


def test_a_blocking_call_on_the_packages_own_loop_is_refused():
    async def wrong():
        runtime.call(asyncio.sleep(0))

    with pytest.raises(RuntimeError, match="AsyncWonda"):
        runtime.call(wrong())
