"""The key appears in no output, log, traceback, file or command line."""

from __future__ import annotations

import _thread
import asyncio
import base64
import getpass
import json
import os
import pickle
import random
import secrets
import sys
import threading
import time
import traceback
import types
import urllib.request

import frontends
import httpx
import notebook_files
import psutil
import pytest
from IPython.core.ultratb import VerboseTB
from jupyter_core.utils import run_sync
from key_search import assert_absent

import wonda_widgets as ww
from wonda_widgets.http import credentials
from wonda_widgets.http.credentials import ApiKey
from wonda_widgets.utils import event_loop

KEY = "sk_" + random.Random(11).randbytes(32).hex()  # it looks like no other text
ACCOUNT = "550e8400-e29b-41d4-a716-446655440000"


@pytest.fixture(autouse=True)
def _disconnected():
    yield
    credentials.forget()


# ---------------------------------------------------------------- the search itself


@pytest.mark.parametrize(
    "leak",
    [
        KEY,
        KEY.upper(),
        KEY[20:32],
        f"Bearer {KEY}".encode(),
        "\x1b[31m" + KEY[10:16] + "\x1b[0m" + KEY[16:30],
        *(base64.b64encode(b"x" * shift + KEY.encode() + b"yz") for shift in range(3)),
        *(base64.b64encode(b"x" * shift + KEY[9:40].encode()) for shift in range(3)),
        base64.encodebytes(b"x" * 50 + KEY.encode() + b"yz"),
        json.dumps({"data": base64.encodebytes(b"x" * 50 + KEY.encode()).decode()}),
    ],
)
def test_key_search_finds_a_key(leak):
    with pytest.raises(AssertionError, match="the key is in a test"):
        assert_absent(KEY, leak, "a test")


def test_key_search_has_no_false_positives():
    assert_absent(KEY, KEY[20:31], "eleven characters")
    assert_absent(KEY, secrets.token_hex(100_000), "noise")
    assert_absent(KEY, base64.b64encode(secrets.token_bytes(100_000)), "noise")
    assert_absent(KEY, "", "nothing")


# ---------------------------------------------------------------- a notebook

LOGGING = """
import asyncio, json, logging, sys, time
logging.basicConfig(filename="everything.log", level=0, force=True)
get_ipython().kernel.log.setLevel(0)
get_ipython().kernel.log.propagate = True
import wonda_widgets as ww
from wonda_widgets.utils import event_loop
event_loop.loop().set_debug(True)
def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
%xmode Verbose
"""
CONNECT = "ww.connect()"
WORK = """
studio = ww.Studio(prompt="A harbour")
studio
"""
POST = f"""
until(lambda: studio.prompt_form.state == "ready")
studio.prompt_form.submit()
until(lambda: studio.media)
wonda = ww.Wonda()
post = wonda.publish.instagram(
    media_id=studio.media.media_id, instagram_account_id="{ACCOUNT}", caption="x"
)
print(post.wait().status, wonda, vars(wonda), dir(), In, Out)
"""
WRONG = "wonda.images.generate(model='nothing', prompt='x')"


async def typed(client, cell, index):
    """Run a cell and type the key at its prompt."""
    client.kc.allow_stdin = True
    running = asyncio.ensure_future(client.async_execute_cell(cell, index))
    asked = await client.kc.get_stdin_msg(timeout=30)
    assert asked["content"]["password"] is True
    client.kc.input(KEY)
    await running
    client.kc.allow_stdin = False


@pytest.mark.parametrize("given", ["environment", "connect"])
def test_key_is_in_no_notebook_export_file_or_log(given, tmp_path, served):
    server, base_url = served(seconds=0.1, key=KEY)
    environment = frontends.environment(
        tmp_path / "home", WONDA_BASE_URL=base_url, XDG_CONFIG_HOME=str(tmp_path / "config")
    )
    sources = [LOGGING, CONNECT, WORK, POST, WRONG]
    if given == "environment":
        environment["WONDA_API_KEY"] = KEY
        sources = [LOGGING, WORK, POST, WRONG]
    notebook = notebook_files.new(sources)
    notebook.cells[-1].metadata.tags = ["raises-exception"]
    from nbclient import NotebookClient  # takes two seconds

    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    with client.setup_kernel(env=environment):
        for index, cell in enumerate(notebook.cells):
            if cell.source == CONNECT:
                run_sync(typed)(client, cell, index)
                assert "Connected to" in cell.outputs[0].text
            else:
                client.execute_cell(cell, index)
        client.set_widgets_metadata()
    assert ("POST", "/api/v1/publish/instagram") in server.faults.arrived
    saved = notebook_files.text(notebook)
    (tmp_path / "saved.ipynb").write_text(saved)
    assert "Nothing was created or charged." in saved, "the error's traceback is there"
    assert len(notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"]) > 5
    page = notebook_files.html(notebook)
    (tmp_path / "export.html").write_text(page)
    log = (tmp_path / "everything.log").read_text()
    assert "httpcore" in log
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    kept = b"".join(file.read_bytes() for file in (tmp_path / "home").glob("journal.db*"))
    assert b"A harbour" in kept
    for path in files:
        assert_absent(KEY, path.read_bytes(), path.name)
    assert len(files) > 3


# ---------------------------------------------------------------- objects


def texts(thing, depth=7, seen=None):
    """Everything that can be printed of a thing and of what it is made of."""
    seen = set() if seen is None else seen
    if id(thing) in seen or depth == 0 or isinstance(thing, ApiKey | type | types.ModuleType):
        return
    seen.add(id(thing))
    yield repr(thing)
    yield str(thing)
    parts = list(getattr(thing, "__dict__", {}).values())
    for cls in type(thing).__mro__:
        names = getattr(cls, "__slots__", ())
        parts += [
            getattr(thing, name, None) for name in ([names] if isinstance(names, str) else names)
        ]
    if isinstance(thing, dict):
        parts += [*thing, *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        parts += thing
    if isinstance(thing, BaseException):
        parts += [thing.args, thing.__cause__, thing.__context__]
    for part in parts:
        if not isinstance(part, str | bytes | int | float | types.FunctionType | None):
            yield from texts(part, depth - 1, seen)
        else:
            yield str(part)


def test_key_in_a_prompt_is_redacted_in_the_journal(served, tmp_path):
    _, base_url = served(seconds=0.1, key=KEY)
    path = tmp_path / "journal.db"
    with ww.Wonda(KEY, base_url=base_url, journal=path) as wonda:
        wonda.images.generate(model="z-image", prompt=f"a harbour {KEY}").wait()
        [job] = wonda.jobs.recent()
        assert "a harbour" in job.request["prompt"]
        for file in tmp_path.glob("journal.db*"):
            assert_absent(KEY, file.read_bytes(), file.name)


def test_no_repr_contains_the_key(served, monkeypatch, settled):
    _, base_url = served(seconds=0.05, key=KEY)
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    monkeypatch.setenv("WONDA_BASE_URL", base_url)
    blocking, awaitable = ww.Wonda(), ww.AsyncWonda()
    job = blocking.images.generate(model="z-image", prompt="x")
    things = [blocking, awaitable, job, job.wait(), job.snapshot.media, job.request]
    things += [blocking.capabilities(), blocking.whoami(), blocking.accounts.instagram()]
    studio = ww.Studio()
    settled(lambda: studio.prompt_form.state == "ready")
    things += [studio, ww.PromptForm(), ww.PublishForm(), ww.ImagePreview()]
    things += [ww.JobProgress(job), credentials.resolve(None, None)[0]]
    for fail in (
        lambda: blocking.images.generate(model="nothing", prompt="x"),
        lambda: blocking.jobs.attach("inference", "nothing").wait(),
        lambda: blocking.images.generate(model="z-image", prompt="sandbox: fail").wait(),
    ):
        with pytest.raises(ww.WondaError) as caught:
            fail()
        things.append(caught.value)
    for thing in things:
        shown = "\n".join(texts(thing))
        assert_absent(KEY, shown, f"what {type(thing).__name__} prints")
        try:
            assert_absent(KEY, pickle.dumps(thing), f"the pickle of {type(thing).__name__}")
        except (TypeError, AttributeError, pickle.PicklingError):
            assert not isinstance(thing, ww.WondaError | ww.Snapshot)
    for thing in things:
        getattr(thing, "close", lambda: None)()
    event_loop.run_blocking(awaitable.aclose())


# ---------------------------------------------------------------- tracebacks


def rendered(error):
    """A traceback, and that of each error behind it, with all locals that Python can print."""
    chain, pages = [error], []
    for each in chain:
        chain += [e for e in (each.__cause__, each.__context__) if e and e not in chain]
        parts = traceback.TracebackException.from_exception(each, capture_locals=True)
        pages += parts.format()
        pages.append(VerboseTB("nocolor").text(type(each), each, each.__traceback__))
        pages += [*getattr(each, "__notes__", ()), repr(each), repr(vars(each))]
    return "\n".join(pages)


def held(error):
    """What the frames of an error and of each one behind it hold, whatever Python prints of it."""
    chain = [error]
    for each in chain:
        chain += [e for e in (each.__cause__, each.__context__) if e and e not in chain]
        for frame, _ in traceback.walk_tb(each.__traceback__):
            if frame.f_code.co_filename != __file__:
                yield from texts(dict(frame.f_locals), depth=6)


class Broken(httpx.AsyncBaseTransport):
    async def handle_async_request(self, _request):
        raise RuntimeError("a transport of somebody's own")


def answering(reply):
    def answer(request):
        return reply(request)

    return httpx.MockTransport(answer)


def echo(request):
    """A service that repeats what it was sent."""
    text = f"What is {request.headers['Authorization']}?"
    return httpx.Response(400, json={"error": {"message": text, "code": "x"}})


def echo_in_utf_16(request):
    return httpx.Response(400, content=json.dumps(echo(request).json()).encode("utf-16"))


def echo_escaped(request):
    text = "".join(f"\\u{ord(letter):04x}" for letter in request.headers["Authorization"])
    return httpx.Response(400, text=f'{{"error": {{"message": "{text}", "code": "x"}}}}')


def echo_in_headers(request):
    key = request.headers["Authorization"]
    return httpx.Response(500, headers={"X-Request-Id": key, "Retry-After": key})


def echo_as_job_id(request):
    text = json.dumps({"inferenceJobId": request.headers["Authorization"]})
    return httpx.Response(200, content=text.encode("utf-32"))


def interrupting(server):
    """Press Ctrl+C once the next request has arrived."""
    before = len(server.faults.arrived)

    def press():
        while len(server.faults.arrived) == before:
            time.sleep(0.01)
        _thread.interrupt_main()

    threading.Thread(target=press).start()


#: kind of failure: what the service does, what the client is made with
FAILURES = {
    "refused key": (401, {}),
    "dropped connection": ("drop", {}),
    "cut reply": ("cut", {}),
    "server error": (500, {}),
    "hanging service": ("hang", {"timeout": 0.2}),
    "maintenance page": ("html", {}),
    "no connection": (None, {"base_url": "http://127.0.0.1:9/api/v1"}),
    "no such host": (None, {"base_url": "https://nowhere.invalid/api/v1"}),
    "broken JSON": (None, {"transport": answering(lambda _: httpx.Response(200, text="{"))}),
    "a reply that is no object": (
        None,
        {"transport": answering(lambda _: httpx.Response(200, json=5))},
    ),
    "redirect": (
        None,
        {"transport": answering(lambda _: httpx.Response(307, headers={"Location": "/x"}))},
    ),
    "echo": (None, {"transport": answering(echo)}),
    "escaped echo": (None, {"transport": answering(echo_escaped)}),
    "echo in headers": (None, {"transport": answering(echo_in_headers)}),
    "echo in UTF-16": (None, {"transport": answering(echo_in_utf_16)}),
    "echo as job ID in UTF-32": (None, {"transport": answering(echo_as_job_id)}),
    "foreign transport": (None, {"transport": Broken()}),
    "bad address": (None, {"base_url": "http://api.example/v1"}),
}

CALLS = {
    "get": lambda wonda: wonda.whoami(),
    "post": lambda wonda: wonda.images.generate(model="z-image", prompt="x"),
    "upload": lambda wonda: wonda.media.upload(b"GIF89a"),
}


@pytest.fixture
def service(served, monkeypatch):
    """A sandbox that the environment names, with the key; and no waiting between tries."""
    server, base_url = served(seconds=0.05, key=KEY)
    monkeypatch.setenv("WONDA_API_KEY", KEY)
    monkeypatch.setenv("WONDA_BASE_URL", base_url)
    monkeypatch.setattr("wonda_widgets.http.retries.FIRST_DELAY", 0.01)
    return server


def failed_blocking(call, options):
    try:
        with ww.Wonda(**options) as wonda:
            call(wonda)
    except BaseException as error:  # noqa: BLE001 - an interrupt is one of them
        return error
    raise AssertionError("it did not fail")


def failed_awaited(call, options):
    async def main():
        async with ww.AsyncWonda(**options) as wonda:
            await call(wonda)

    try:
        asyncio.run(main(), debug=True)
    except BaseException as error:  # noqa: BLE001 - an interrupt is one of them
        return error
    raise AssertionError("it did not fail")


@pytest.mark.parametrize("failure", FAILURES)
def test_no_traceback_or_log_of_a_failed_call_contains_the_key(service, caplog, failure):
    caplog.set_level(0)
    fault, options = FAILURES[failure]
    for call, failed in (
        ("get", failed_awaited),
        ("post", failed_blocking),
        ("upload", failed_awaited),
    ):
        if fault:
            service.faults.add("GET" if call == "get" else "POST", "/api", fault, times=3)
        error = failed(CALLS[call], options)
        service.faults.clear()
        assert isinstance(error, ww.WondaError | RuntimeError)
        assert_absent(KEY, rendered(error), f"the traceback of {call}")
        assert_absent(KEY, "\n".join(held(error)), f"the frames of {call}")
        assert_absent(KEY, caplog.text, f"the log of {call}")
        if isinstance(error, ww.WondaError):
            assert_absent(KEY, pickle.dumps(error), f"the pickled error of {call}")


@pytest.mark.parametrize("make", [ww.Wonda, ww.AsyncWonda])
@pytest.mark.parametrize("wrong", ["sk_bad {}", "{}\u00fc", "{}\nx", "{}"])
@pytest.mark.parametrize("where", ["argument", "environment"])
def test_no_traceback_or_warning_contains_an_invalid_key(monkeypatch, make, wrong, where):
    monkeypatch.setenv("WONDA_API_KEY", wrong.format(KEY[3:]))
    given = [] if where == "environment" else [os.environ["WONDA_API_KEY"]]

    def cell(arguments):
        # What the person typed stands in their own cell alone, which is cut off below.
        return make(*arguments)

    with pytest.raises((ww.InvalidInputError, UserWarning)) as caught:
        cell(given)
    error = caught.value
    while error.__traceback__.tb_frame.f_code.co_filename == __file__:
        error.__traceback__ = error.__traceback__.tb_next
        if error.__traceback__ is None:
            break
    shown = rendered(error)
    assert "credentials.py" in shown
    assert_absent(KEY, shown, "the traceback")


def test_no_traceback_of_an_interrupt_contains_the_key(service):
    for call, act in CALLS.items():
        service.faults.add("GET" if call == "get" else "POST", "/api", "hang")
        interrupting(service)
        error = failed_blocking(act, {})
        assert isinstance(error, KeyboardInterrupt)
        assert_absent(KEY, rendered(error), f"the traceback of {call}")


@pytest.mark.parametrize("call", CALLS)
def test_no_frame_of_a_client_closed_during_a_call_contains_the_key(service, monkeypatch, call):
    monkeypatch.setattr("wonda_widgets.jobs.submission.CLOSE_TIMEOUT", 0.05)
    service.faults.add("GET" if call == "get" else "POST", "/api", "hang", times=9)
    wonda, errors = ww.AsyncWonda(), []

    async def on_the_loop():
        task = asyncio.ensure_future(CALLS[call](wonda))
        while not service.faults.arrived:
            await asyncio.sleep(0.01)
        await wonda.aclose()
        task.cancel()
        [error] = await asyncio.gather(task, return_exceptions=True)
        errors.append(error)

    event_loop.run_blocking(on_the_loop())
    [error] = errors
    assert isinstance(error, asyncio.CancelledError if call == "get" else ww.OutcomeUnknownError)
    assert_absent(KEY, rendered(error), f"the traceback of {call}")
    assert_absent(KEY, "\n".join(held(error)), f"the frames of {call}")


def test_frame_search_finds_a_request():
    def fail():
        request = httpx.Request("GET", "https://x.test", headers={"Authorization": f"Bearer {KEY}"})
        assert request
        raise ValueError("x")

    fail.__code__ = fail.__code__.replace(co_filename="elsewhere.py")
    try:
        try:
            fail()
        except ValueError:
            raise KeyError("y") from None
    except KeyError as error:
        with pytest.raises(AssertionError, match="in a test"):
            assert_absent(KEY, "\n".join(held(error)), "a test")


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError, "refused", "odd", "hang"])
def test_no_traceback_or_output_contains_an_entered_key(
    service, monkeypatch, failure, caplog, capsys
):
    caplog.set_level(0)
    text = f"{KEY[:-1]}{'g' if failure == 'odd' else '0'}"
    if failure == "odd":
        text = f"{text} {text}"
    if failure == "hang":
        service.faults.add("GET", "/auth", "hang")
        interrupting(service)

    def prompted(_prompt, held=text):
        """A prompt whose frame holds what was typed, as a kernel's does."""
        reply = {"content": {"value": held}}
        if isinstance(failure, type):
            raise failure(held)
        return reply["content"]["value"]

    monkeypatch.setattr(getpass, "getpass", prompted)
    monkeypatch.delenv("WONDA_API_KEY")
    with pytest.raises((ww.WondaError, KeyboardInterrupt)) as caught:
        ww.connect()
    error = caught.value
    error.__traceback__ = error.__traceback__.tb_next  # this test holds it itself
    shown = rendered(error)
    assert "connect.py" in shown
    assert_absent(text, shown, "the traceback")
    assert_absent(text, caplog.text, "the log")
    assert_absent(text, "".join(capsys.readouterr()), "what is printed")
    assert credentials.saved_key() is None


def test_no_log_of_a_failing_listener_contains_the_key(service, caplog, settled):
    caplog.set_level(0)
    event_loop.loop().set_debug(True)
    called = []

    def listener(snapshot):
        called.append(snapshot)
        raise RuntimeError("a listener of somebody's own")

    try:
        with ww.Wonda() as wonda:
            job = wonda.images.generate(model="z-image", prompt="x")
            job.watch(listener)
            service.faults.add("GET", "/jobs/", "drop", times=1)
            job.wait()
            settled(lambda: called and called[-1].terminal)
    finally:
        event_loop.loop().set_debug(False)
    assert "somebody's own" in caplog.text
    assert_absent(KEY, caplog.text, "the log")


# ---------------------------------------------------------------- processes


def test_no_command_line_contains_the_key(tmp_path, served):
    _, base_url = served(key=KEY)
    port = frontends.free_port()
    demo = ["demo", "--live", "--no-browser", "--port", str(port)]
    command = [sys.executable, "-m", "wonda_widgets", *demo]
    environment = frontends.environment(
        tmp_path / "home", JUPYTER_TOKEN="test-token", WONDA_API_KEY=KEY, WONDA_BASE_URL=base_url
    )
    url = f"http://127.0.0.1:{port}/api/kernels?token=test-token"
    with frontends.running(command, tmp_path, environment, url):
        start = urllib.request.Request(url, data=b"{}", method="POST")
        with urllib.request.urlopen(start) as reply:
            assert reply.status == 201
        listed = [
            " ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])
        ]
    assert any("ipykernel" in line for line in listed)
    assert any("demo --live" in line for line in listed)
    assert_absent(KEY, "\n".join(listed), "the list of processes")
    assert_absent(KEY, (tmp_path / "server.log").read_bytes(), "what the command prints")
