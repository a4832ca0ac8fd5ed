"""The event loop: fork, exit, reload, and many panels opened and closed."""

from __future__ import annotations

import gc
import importlib
import os
import queue
import subprocess
import sys
import textwrap
import tracemalloc
import weakref
from pathlib import Path

import ipywidgets
import pytest
import sniffio
from conftest import KEY

import wonda_widgets as ww
from wonda_widgets.utils import event_loop

REGISTRY = ipywidgets.widgets.widget._instances


def run(code, *arguments, seconds=120):
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds, env=os.environ.copy()
    )


@pytest.mark.forks
def test_forked_child_has_its_own_loop_and_connections(served):
    _, base_url = served(seconds=0.3)
    ended = run(
        """
        import os, sys, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
        import wonda_widgets as ww
        wonda = ww.Wonda(sys.argv[1], base_url=sys.argv[2])
        before = wonda.images.generate(model="z-image", prompt="before the fork")
        child = os.fork()
        who = "parent" if child else "child"
        after = wonda.images.generate(model="z-image", prompt=who)
        for job in (before, after):
            assert job.wait(30).media.media_id
        assert len(wonda.accounts.instagram()) == 1
        asked = {job.request["prompt"] for job in wonda.jobs.recent()}
        assert {who, "before the fork"} <= asked, asked
        print(who)
        sys.stdout.flush()
        if not child:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        wonda.close()
        """,
        KEY,
        base_url,
    )
    assert ended.stderr == ""
    assert sorted(ended.stdout.split()) == ["child", "parent"]


@pytest.mark.parametrize(
    "doing",
    [
        "wonda.images.generate(model='z-image', prompt='x')",
        "studio = ww.Studio(wonda, prompt='x'); studio.prompt_form.submit()",
        """
        job = wonda.images.generate(model='z-image', prompt='x')
        threading.Thread(target=job.wait, daemon=True).start()
        """,
        """
        wonda.faults.add('POST', '/image/generate', 'hang')
        ask = lambda: wonda.images.generate(model='z-image', prompt='x')
        threading.Thread(target=ask, daemon=True).start()
        time.sleep(0.2)
        """,
    ],
    ids=["a job", "a panel", "a wait", "a request"],
)
def test_interpreter_exits_quickly_and_quietly(doing):
    ended = run(
        "import threading, time\n"
        "import wonda_widgets as ww\n"
        "wonda = ww.Wonda.sandbox(seconds=600)\n" + textwrap.dedent(doing),
        seconds=20,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_reload_keeps_the_loop_and_its_jobs(quick_polls):  # noqa: ARG001
    loop = event_loop.loop()
    with ww.Wonda.sandbox(seconds=0.2) as wonda:
        job = wonda.images.generate(model="z-image", prompt="x")
        importlib.reload(event_loop)
        assert event_loop.loop() is loop
        assert job.wait(30).media
        assert wonda.images.generate(model="z-image", prompt="y").wait(30).media


def test_two_studios_on_one_client_are_independent(settled, quick_polls):  # noqa: ARG001
    with ww.Wonda.sandbox(seconds=0.05) as wonda:
        studios = [ww.Studio(wonda, prompt=prompt) for prompt in ("one", "two")]
        for studio in studios:
            settled(lambda studio=studio: studio.prompt_form.state == "ready")
            studio.prompt_form.submit()
        for studio in studios:
            settled(lambda studio=studio: studio.media)
        assert [studio.job.request["prompt"] for studio in studios] == ["one", "two"]
        for studio in studios:
            studio.close()


def test_jobs_of_a_closed_client_can_be_resumed(tmp_path, served):
    _, base_url = served(seconds=0.5)
    path = tmp_path / "journal.db"
    with ww.Wonda(KEY, base_url=base_url, journal=path) as wonda:
        job = wonda.images.generate(model="z-image", prompt="x")
    with pytest.raises(ww.WondaError):
        job.wait(10)
    with ww.Wonda(KEY, base_url=base_url, journal=path) as wonda:
        [again] = wonda.jobs.recent()
        assert again.wait(30).media


def test_closed_panels_leave_no_objects(settled):
    panels = weakref.WeakSet()

    def cycle():
        studio = ww.Studio(wonda, prompt="x")
        panels.add(studio)
        settled(lambda: studio.prompt_form.state == "ready")
        studio.prompt_form.submit()
        settled(lambda: studio.job)
        studio.job.stop()
        studio.close()

    with ww.Wonda.sandbox(seconds=600, credits=1e9) as wonda:
        for _ in range(20):  # what is loaded once is loaded
            cycle()
        gc.collect()
        widgets, tasks = len(REGISTRY), _tasks()
        tracemalloc.start()
        before = tracemalloc.take_snapshot()
        for _ in range(60):
            cycle()
        settled(lambda: len(REGISTRY) == widgets and _tasks() <= tasks + 2)
        settled(lambda: gc.collect() is not None and not panels)
        after = tracemalloc.take_snapshot()
        tracemalloc.stop()
    package = Path(ww.__file__).parent  # the checkout may have the same name, with `.venv` in it
    changes = {
        Path(change.traceback[0].filename): change.size_diff
        for change in after.compare_to(before, "filename")
    }
    ours = [
        size
        for path, size in changes.items()
        if path.is_relative_to(package) and not path.is_relative_to(package / "sandbox")
    ]
    # One-time allocations take 50 kB. A leak of 1 kB per panel, of its about 100, fails this.
    assert sum(ours) < 96 * 1024


def _tasks():
    import asyncio

    return len(asyncio.all_tasks(event_loop.loop()))


def test_async_library_is_known_to_httpx():
    # Outside of a task there is nothing to find out by: the answer was there beforehand.
    told = queue.SimpleQueue()
    event_loop.call_soon(lambda: told.put(sniffio.current_async_library()))
    assert told.get(timeout=10) == "asyncio"


#: What a program may have done with its clients before it forks.
EARLIER = {
    "a closed client": """
        with ww.Wonda.sandbox(seconds=0.01) as wonda:
            wonda.images.generate(model="z-image", prompt="x").wait()
        ask = wonda.jobs.recent
    """,
    "an unused client": """
        wonda = ww.Wonda.sandbox(seconds=0.01)
        wonda.close()
        ask = wonda.jobs.recent
    """,
    "a closed journal": """
        journal = Journal(sys.argv[1])
        journal.flush().result()
        journal.close()
        journal.close()
        ask = lambda: journal.flush().result()
    """,
    "a client closed by another thread": """
        wonda = ww.Wonda.sandbox(seconds=0.01)
        wonda.images.generate(model="z-image", prompt="x")
        closing = threading.Thread(target=wonda.close)
        closing.start()
        closing.join()
        ask = wonda.jobs.recent
    """,
}


@pytest.mark.forks
@pytest.mark.parametrize("earlier", EARLIER)
def test_child_inherits_closed_objects(tmp_path, earlier):
    code = f"""
import os, signal, sys, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
import wonda_widgets as ww
from wonda_widgets.errors import ClosedError
from wonda_widgets.journal.journal import Journal
{textwrap.dedent(EARLIER[earlier])}
child = os.fork()
signal.alarm(55)  # a child does not outlive the test
try:
    ask()
except ClosedError:
    print("closed", flush=True)
with ww.Wonda.sandbox(seconds=0.01) as another:
    another.images.generate(model="z-image", prompt="x").wait()
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    ended = run(code, str(tmp_path / "journal.db"))
    assert ended.stderr == ""
    assert "".join(ended.stdout.split()) == "closed" * 2  # both may say it at once


#: The parent's requests never get an answer, so that the child is forked amid all of them.
FORKED = """
import asyncio, os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of forking with threads
import httpx
import wonda_widgets as ww
from wonda_widgets.utils import event_loop
from wonda_widgets.sandbox.in_process import local_transport
from wonda_widgets.sandbox import stock_images
signal.alarm(100)
PARENT = os.getpid()
render = stock_images.render  # small images: this is about requests, and there are many
stock_images.render = lambda prompt, width, height, **options: render(prompt, 64, 64, **options)
local = local_transport(seconds=0.01)

class Wire(httpx.AsyncBaseTransport):
    answers = True
    async def handle_async_request(self, request):
        while os.getpid() == PARENT and not self.answers:
            await asyncio.sleep(0.05)
        return await local.transport.handle_async_request(request)

wire = Wire()
wonda = ww.AsyncWonda(local.key, base_url=local.base_url, transport=wire, journal=sys.argv[1])
call = lambda work: event_loop.wait_for_result(event_loop.spawn(work), 40)
async def made(prompt):
    return await (await wonda.images.generate(model="z-image", prompt=prompt))
for number in range(8):
    call(made(f"before {number}"))
images = call(wonda.history.search())
data = call(wonda.media.download(images[0].media))
edit = {"of": images[0].media.media_id, "operations": []}
matrix = wonda.images.matrix("a {thing}", {"thing": ["cup", "pot", "jug"]}, "z-image")
wire.answers = False

def everything():
    yield from (wonda.history.thumbnail(image) for image in images)
    yield from (wonda.media.download(image.media) for image in images)
    yield wonda.pricing.cached_estimate(model="z-image", params={})
    yield wonda.media.upload(data, name="a.png", edit=edit)
    yield from (wonda.images.generate(model="z-image", prompt=f"x {n}") for n in range(4))
    yield from (wonda.whoami() for _ in range(30))

parents = [event_loop.spawn(work) for work in everything()]
matrix.start()
time.sleep(0.5)
assert not any(each.done() for each in parents)
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
    wire.answers = True
    for each in parents:
        event_loop.wait_for_result(each, 40)
    matrix.wait()
    call(wonda.aclose())
    print("parent")
else:
    async def all_of_it():
        return await asyncio.gather(*everything())
    call(all_of_it())
    matrix.wait()
    assert {row["status"] for row in matrix.rows()} == {"succeeded"}
    call(wonda.aclose())
    print("child")
    sys.stdout.flush()
    if sys.argv[2] == "at once":
        os._exit(0)
"""


@pytest.mark.forks
@pytest.mark.parametrize("ends", ["at once", "as an interpreter"])
def test_child_forked_during_requests_sends_its_own(tmp_path, ends):
    ended = run(FORKED, str(tmp_path / "journal.db"), ends)
    assert ended.stderr == ""
    assert ended.stdout.split() == ["child", "parent"]
