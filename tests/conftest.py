"""Fixtures for all tests. Tests connect only to this computer and have no real key."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import threading
from functools import cache, lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

import loop_watch
import pytest

from wonda_widgets.client import selection
from wonda_widgets.jobs.clock import Clock
from wonda_widgets.sandbox import state
from wonda_widgets.utils import event_loop, open_clients

KEY = "sk_" + "5a" * 32


#: Runs a command that counts its processes apart, as a container does.
CONTAINER = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc"]


#: What takes minutes a file begins first, so that no worker is left with such a file at the end.
LONG = ("browser", "model", "package", "crash", "kernel", "contract")


def _when(item):
    folder = item.path.parent.name
    return LONG.index(folder) if folder in LONG else len(LONG)


def pytest_collection_modifyitems(items):
    """Put what takes long first, and leave out what the system does not have.

    That is forks on Windows, and namespaces beside Linux.
    """
    items.sort(key=_when)
    missing = {"forks"} if not hasattr(os, "fork") else set()
    if any(item.get_closest_marker("namespaces") for item in items) and not _makes_namespaces():
        missing.add("namespaces")
    items[:] = [item for item in items if not missing & {mark.name for mark in item.iter_markers()}]


def _makes_namespaces():
    try:
        return not subprocess.run([*CONTAINER, "true"], check=False, capture_output=True).returncode
    except OSError:
        return False


def pytest_terminal_summary(terminalreporter):
    """Print what axe-core found where, as a table."""
    told = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "accessibility":
                    state, theme, count = value.split("|")
                    told.setdefault(state, {})[theme] = count
    if told:
        terminalreporter.section("axe-core: violations")
        terminalreporter.write_line(f"{'state':<40}{'light':>8}{'dark':>8}")
        for state, counts in sorted(told.items()):
            both = "".join(f"{counts.get(theme, '-'):>8}" for theme in ("light", "dark"))
            terminalreporter.write_line(f"{state:<40}{both}")


@pytest.fixture(autouse=True)
def _free_loop(request):
    """Fail a test in which the package waited, on its own loop, for a disk or for other work.

    It goes by what is called there and not by the time it takes, so that it says the same on
    a machine that is busy.
    """
    loop_watch.found.clear()
    yield
    if "unit" in request.node.path.parts:
        assert not loop_watch.found, "The package's loop waited:\n" + "\n".join(loop_watch.found)


@pytest.fixture(autouse=True, scope="session")
def _interrupts():
    """Have Ctrl+C mean something also where the tests run in the background of a shell."""
    if signal.getsignal(signal.SIGINT) in {signal.SIG_IGN, signal.SIG_DFL}:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _nothing_written():
    """Fail if a test wrote into the project's folder, or into that of the notebooks."""
    folders = [Path(__file__).parents[1], Path(__file__).parents[1] / "notebooks"]
    before = {path for folder in folders for path in folder.iterdir()}
    yield
    written = {path for folder in folders for path in folder.iterdir()} - before
    assert {path for path in written if not path.name.startswith(".")} == set()


@pytest.fixture(autouse=True)
def _no_open_clients(monkeypatch):
    """Have each test begin without what others left open."""
    monkeypatch.setattr(open_clients, "_clients", WeakValueDictionary())
    monkeypatch.setattr(selection, "_shared_sandbox", None)


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    for name in ("WONDA_API_KEY", "WONDERCAT_API_KEY", "WONDA_BASE_URL", "WONDA_API_BASE"):
        monkeypatch.delenv(name, raising=False)
    # Whoever runs the tests may have a key of their own in their keyring.
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")


@pytest.fixture(autouse=True)
def _own_journal(monkeypatch, tmp_path):
    """No test writes into what a person did, and none finds what another one did."""
    monkeypatch.setenv("WONDA_JOURNAL", str(tmp_path / "journal.db"))


@cache
def _cached_stock_images():
    """Wrap the sandbox's renderer so that it renders equal images once per worker.

    Rendering and encoding take most of the time of many tests, and most prompts are the same.
    """
    from wonda_widgets.sandbox import stock_images

    @lru_cache(maxsize=64)  # about 1 MB each
    def encoded(prompt, width, height, model, params):
        image = stock_images.render(prompt, width, height, model=model, params=json.loads(params))
        return stock_images.encode_png(image)

    def render(prompt, width, height, *, model="", params=None):
        return encoded(prompt, width, height, model, json.dumps(params or {}, sort_keys=True))

    return SimpleNamespace(render=render, encode_png=bytes, size_for=stock_images.size_for)


@pytest.fixture(autouse=True)
def _images_rendered_once(monkeypatch, request):
    if "unit" in request.node.path.parts:  # the contract tests check the renderer itself
        monkeypatch.setattr(state, "_stock_images", _cached_stock_images)


@pytest.fixture
def no_retry_pause(monkeypatch):
    """Retry a request at once, so that a test does not wait for the pauses."""
    monkeypatch.setattr("wonda_widgets.http.retries.FIRST_DELAY", 0.0)


@pytest.fixture
def quick_polls(monkeypatch):
    """Ask the sandbox often, so that a test waits for it and not for the pace."""
    monkeypatch.setattr("wonda_widgets.jobs.poll_intervals.FIRST_INTERVAL", 0.01)
    monkeypatch.setattr("wonda_widgets.jobs.poll_intervals.GROWTH", 1.1)


class FakeClock(Clock):
    """A clock that jumps: sleeping takes no time and moves the hands."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []
        self.monotonic = lambda: self.now
        self.time = lambda: 1_700_000_000.0 + self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def clock():
    return FakeClock()


class Settled:
    """Waits for a condition of something that changes on the package's loop."""

    def __call__(self, condition: Any, seconds: float = 20) -> None:
        done = threading.Event()

        async def look() -> None:
            while not condition():
                await asyncio.sleep(0.005)
            done.set()

        task = event_loop.spawn(look())
        if not done.wait(seconds):
            task.cancel()
            raise AssertionError("the condition did not come true")


@pytest.fixture
def settled():
    return Settled()


@pytest.fixture
def served():
    """A sandbox on a real socket: its object and base URL."""
    from wonda_widgets.sandbox.server import serving

    stack: list[Any] = []

    def start(**options: Any) -> tuple[Any, str]:
        context = serving(**options)
        stack.append(context)
        return event_loop.run_blocking(context.__aenter__())

    yield start
    for context in stack:
        with contextlib.suppress(Exception):
            event_loop.run_blocking(context.__aexit__(None, None, None))


#: The address of a service that a test plays itself, by a fixture called `service`.
BASE = "https://wonda.example.test/api/v1"


@pytest.fixture
def kernel(service, tmp_path):
    """A client as each of several kernels on one journal has it."""
    import httpx

    import wonda_widgets as ww

    made = []

    def start():
        transport = httpx.MockTransport(service)
        journal = tmp_path / "kernels.db"
        made.append(ww.Wonda(KEY, base_url=BASE, journal=journal, transport=transport))
        return made[-1]

    yield start
    for wonda in made:
        wonda.close()


@pytest.fixture
def opened():
    """Keeps panels until the test has ended, and closes them then."""
    panels = []

    def keep(panel):
        panels.append(panel)
        return panel

    yield keep
    for panel in panels:
        panel.close()


def sandbox_of(wonda):
    """The sandbox in this process that a client uses."""
    return wonda._async._core.transport._connections._transport.app.sandbox


def only(template):
    """Return the trait of a lab's form that has a single prompt template."""
    return [{"name": "", "text": template}]


def send(panel, kind, /, **content):
    """Send a message as a panel's browser does."""
    panel._receive(panel, {"type": kind, **content}, [])
