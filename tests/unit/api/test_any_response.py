"""A response with any status and any bytes raises only errors of this package."""

import json
import re

import httpx
import pytest
from conftest import KEY
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import wonda_widgets as ww
from wonda_widgets.http.credentials import ApiKey
from wonda_widgets.http.transport import Transport
from wonda_widgets.utils import event_loop

FIELD_NAMES = re.findall(
    r"\w+",
    """accounts status error message code deferUntil outputs outputKey outputValue media mediaId url
    width createdAt finishedAt errorMessage permalink inferenceJobId outputJobId generation image
    instagramAccountId username key label params attachments estimatedCostMicrodollars
    estimatedCostUsd estimatedCredits email accountId plan mimeType scheduledFor raw""",
)
STRINGS = st.sampled_from(
    ["succeeded", "failed", "queued", "", "..", "2026-12-01T00:00:00Z", "https://a.example/p"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | STRINGS | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(), inner, max_size=4)
        | st.fixed_dictionaries({}, optional=dict.fromkeys(FIELD_NAMES, inner))
    ),
    max_leaves=20,
)
JSON_VALUES = (
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELD_NAMES, STRINGS | VALUES)) | VALUES
)
BODIES = JSON_VALUES.map(lambda value: json.dumps(value).encode()) | st.binary()
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Retry-After", "Location", "Content-Encoding", "Content-Length", "X-Request-Id"]
    ),
    st.binary(max_size=20).filter(lambda value: not set(b"\r\n\0") & set(value))
    | st.sampled_from([b"-1", b"1e9", b"0", b"99999999999999999999", b"Mon, 99 Foo 0000", b"gzip"]),
    max_size=2,
)
STATUSES = st.sampled_from([200, 200, 200, 201, 302, 400, 401, 408, 429, 500, 503]) | st.integers(
    200, 599
)


class Body(httpx.AsyncByteStream):
    def __init__(self, content):
        self.content = content

    async def __aiter__(self):
        yield self.content


class FixedResponse(httpx.AsyncBaseTransport):
    """Return the same response to every request."""

    def __init__(self, status, headers, content):
        self.response = status, headers, content

    async def handle_async_request(self, _request):
        status, headers, content = self.response
        return httpx.Response(status, headers=list(headers.items()), stream=Body(content))


async def skip_pause(_seconds):
    pass


def client_receiving(status, headers, content):
    wonda = ww.AsyncWonda(
        KEY, base_url="https://api.example/v1", transport=FixedResponse(200, {}, b"")
    )
    wonda._core.transport = Transport(
        ApiKey(KEY),
        "https://api.example/v1",
        5.0,
        FixedResponse(status, {name.encode(): value for name, value in headers.items()}, content),
        sleep=skip_pause,
    )
    return wonda


async def poll_once(wonda, kind):
    """Poll a job once and check the resulting snapshot."""
    job = wonda.jobs.attach(kind, "j1")
    try:
        async for snapshot in job.updates():
            if snapshot.problem or snapshot.status != "submitted" or not snapshot.watching:
                repr(snapshot)
                assert snapshot.error is None or "Polling the job failed" not in str(snapshot.error)
                return
    finally:
        job.stop()


CALLS = {
    "capabilities": lambda wonda: wonda.capabilities(),
    "whoami": lambda wonda: wonda.whoami(),
    "accounts": lambda wonda: wonda.accounts.instagram(),
    "history": lambda wonda: wonda.publish.history(),
    "estimate": lambda wonda: wonda.pricing.estimate(model="m"),
    "prices": lambda wonda: wonda.pricing.list(),
    "generate": lambda wonda: wonda.images.generate(model="m", prompt="p"),
    "publish": lambda wonda: wonda.publish.instagram(media_id="m", instagram_account_id="a"),
    "upload": lambda wonda: wonda.media.upload(b"GIF89a"),
    "download": lambda wonda: wonda.media.download(ww.Media(url="https://storage.example/a")),
    "inference": lambda wonda: poll_once(wonda, "inference"),
    "published": lambda wonda: poll_once(wonda, "publish"),
}
many_examples = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("call", CALLS)
@many_examples
@given(status=STATUSES, headers=HEADERS, content=BODIES)
@example(200, {}, b'{"status": "succeeded", "createdAt": "0001-01-01T00:00:00+14:00"}')
@example(200, {}, b"[" * 100_000)
@example(200, {}, b"1" * 5000)
def test_any_response_raises_only_package_errors(call, status, headers, content):
    async def check_call():
        wonda = client_receiving(status, headers, content)
        try:
            result = await CALLS[call](wonda)
            if isinstance(result, ww.Job):
                result.stop()
        except ww.WondaError as error:
            assert str(error)  # noqa: PT017 - an error is optional
        finally:
            await wonda.aclose()

    event_loop.run_blocking(check_call())


ADDRESSES = st.text() | st.builds(
    "{}{}{}".format,
    st.sampled_from(["http://", "https://", "file://", "//", "http:/", "HTTP://[", "data:"]),
    st.text(max_size=20) | st.ip_addresses().map(str) | st.integers(0, 2**40).map(str),
    st.sampled_from(["", "/a", ":99999/", "]", ":x", "/\0", "@b.example/", "/\ud800"]),
)


@many_examples
@given(address=ADDRESSES)
@example("http://xn--/a")
@example("http://a..b/")
@example("http://[::1")
def test_any_media_address_is_downloaded_or_raises_a_package_error(address):
    async def check_download(wonda):
        try:
            await wonda.media.download(ww.Media(url=address))
        except ww.WondaError as error:
            assert str(error)  # noqa: PT017 - an error is optional
        finally:
            await wonda.aclose()

    event_loop.run_blocking(check_download(client_receiving(200, {}, b"image")))
    redirect = {"Location": address.encode("utf-8", "replace").translate(None, b"\r\n\0")}
    wonda = client_receiving(302, redirect, b"")
    event_loop.run_blocking(assert_download_raises(wonda))


async def assert_download_raises(wonda):
    try:
        with pytest.raises(ww.WondaError):
            await wonda.media.download(ww.Media(url="https://storage.example/a"))
    finally:
        await wonda.aclose()
