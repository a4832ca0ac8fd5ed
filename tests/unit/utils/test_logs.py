"""The log: useful in a bug report, and without a key."""

import asyncio
import io
import logging
import subprocess
import sys

import httpx
import pytest
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.http.credentials import ApiKey
from wonda_widgets.http.transport import Transport
from wonda_widgets.utils import event_loop, logs
from wonda_widgets.widgets._shared import error_alerts

BASE = "https://api.example/api/v1"
OTHER_KEY = "a-key-of-another-shape-0123"


@pytest.fixture
def everything():
    """All that is logged, also by httpx, as a file would have it."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
    root, levels = logging.getLogger(), {}
    for name in ("", "wonda_widgets", "httpx", "httpcore"):
        levels[name] = logging.getLogger(name).level
        logging.getLogger(name).setLevel(logging.DEBUG)
    root.addHandler(handler)
    yield text.getvalue
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def fails(*_):
    raise ZeroDivisionError(f"header was 'Bearer {KEY}' or {OTHER_KEY}")


def test_panel_error_is_logged_with_traceback_and_without_keys(everything, settled):
    kept = ApiKey(OTHER_KEY)
    with ww.Wonda.sandbox() as wonda:
        form = ww.PromptForm(wonda)
        settled(lambda: form.state == "ready")
        form.start_soon(_failing)
        settled(lambda: form.error)
        form.close()
    said = everything()
    assert "ERROR wonda_widgets.widgets._shared.panel Error in <PromptForm>" in said
    assert "Traceback (most recent call last)" in said
    assert "in fails" in said
    assert "ZeroDivisionError: header was" in said
    for shown in (said, str(form.error)):
        assert KEY not in shown
        assert OTHER_KEY not in shown
    assert "Please report this" in form.error["text"]
    assert "wonda_widgets" in form.error["text"]
    assert kept.is_sendable


async def _failing():
    fails()


def test_logged_error_object_has_no_key():
    records = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("wonda_widgets.test")
    logger.addHandler(handler)
    for message in ("100 % wrong", f"bad {KEY}"):
        logs.log_exception(logger, "It failed at %d %%", 5, error=ValueError(message))
    logger.removeHandler(handler)
    assert [record.getMessage() for record in records] == ["It failed at 5 %"] * 2
    assert isinstance(records[0].exc_info[1], ValueError)
    assert KEY not in str(records[1].exc_info[1]) + records[1].exc_text
    assert "ValueError" in records[1].exc_text


def test_chained_errors_have_no_key():
    try:
        try:
            fails()
        except ZeroDivisionError as first:
            raise KeyError(KEY) from first
    except KeyError as error:
        said = error_alerts.error_alert(error)["text"]
        records = []
        logger = logging.getLogger("wonda_widgets.test")
        logger.handle = records.append
        logs.log_exception(logger, "x %s", KEY, error=error)
        del logger.handle
    assert KEY not in said + records[0].exc_text + records[0].getMessage()
    assert "direct cause" in records[0].exc_text


@pytest.mark.parametrize("fault", [TypeError, ZeroDivisionError, AttributeError, RuntimeError])
def test_background_error_is_logged_with_traceback(everything, fault):
    def answer(request):
        raise fault(f"with {request.headers['Authorization']}")

    async def no_sleep(_):
        await asyncio.sleep(0)

    transport = Transport(ApiKey(KEY), BASE, 5, httpx.MockTransport(answer), sleep=no_sleep)
    with pytest.raises(ww.ServiceUnreachableError, match=fault.__name__):
        event_loop.run_blocking(transport.get("/x"))
    assert "in answer" in everything()
    assert f"{fault.__name__}: with" in everything()
    assert KEY not in everything()


def test_network_problems_are_not_logged_as_errors(everything):
    def answer(_):
        raise httpx.ReadError("reset")

    transport = Transport(ApiKey(KEY), BASE, 5, httpx.MockTransport(answer))
    with pytest.raises(ww.OutcomeUnknownError):
        event_loop.run_blocking(transport.post("/x", "test", "Look.", body={}))
    assert "Traceback" not in everything()
    assert (
        "INFO wonda_widgets.http.transport POST /x: no response (the connection was lost"
        in everything()
    )


def test_each_request_is_one_log_line(everything):
    answers = iter([500, 429, 200])

    async def no_sleep(_):
        await asyncio.sleep(0)

    def answer(_):
        return httpx.Response(next(answers), json={}, headers={"Retry-After": "0"})

    transport = Transport(ApiKey(KEY), BASE, 5, httpx.MockTransport(answer), sleep=no_sleep)
    event_loop.run_blocking(transport.get("/jobs", {"token": "secret-in-a-query"}))
    lines = [line for line in everything().splitlines() if line.startswith("INFO wonda_widgets")]
    assert [line.split(" in ")[0].split(" ", 2)[2] for line in lines] == [
        "GET /jobs: 500",
        "GET /jobs: 429",
        "GET /jobs: 200",
    ]
    assert lines[-1].endswith(" ms (attempt 3)")
    assert "secret-in-a-query" not in everything()


def test_log_has_no_key_prompt_or_image_address(everything, served):
    _, base_url = served(seconds=0.01)
    with ww.Wonda(KEY, base_url=base_url, journal=":memory:") as wonda:
        job = wonda.images.generate(model="z-image", prompt="a secret harbour")
        media = job.wait(30).media
        wonda.media.download(media)
    said = everything()
    assert "INFO wonda_widgets.http.transport POST /image/generate: 20" in said
    assert f"GET media of {httpx.URL(media.url).host}: 200" in said
    assert httpx.URL(media.url).path not in said
    assert "secret harbour" not in said
    assert KEY not in said
    assert "HTTP Request" not in said


def test_httpx_logs_of_others_are_kept(everything):
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as others:
        others.get("https://other.example/x")
    assert "HTTP Request: GET https://other.example/x" in everything()


UNCONFIGURED = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.01)
job = wonda.images.generate(model="z-image", prompt="A lake")
def listener(snapshot):
    raise ZeroDivisionError("of my own")
job.watch(listener)
job.wait()
wonda.close()
"""


def test_without_logging_setup_only_errors_are_shown():
    said = subprocess.run(
        [sys.executable, "-c", UNCONFIGURED], capture_output=True, text=True, check=True
    )
    assert said.stdout == ""
    assert "ZeroDivisionError: of my own" in said.stderr
    assert "in listener" in said.stderr
    assert "/jobs/inference" not in said.stderr  # no line for each request
