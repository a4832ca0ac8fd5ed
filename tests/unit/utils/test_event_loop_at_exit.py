"""The interpreter exits quickly and quietly, with all files closed."""

import signal
import subprocess
import sys
import textwrap
import time

import pytest
from conftest import KEY

BEGIN = """
import asyncio, atexit, sqlite3, sys, threading, time
made = []

class Watched(sqlite3.Connection):
    open = True
    def __init__(self, *args, **how):
        super().__init__(*args, **how)
        made.append(self)
    def close(self):
        super().close()
        self.open = False

connect = sqlite3.connect
sqlite3.connect = lambda *args, **how: connect(*args, factory=Watched, **how)
atexit.register(lambda: [print("left open", file=sys.stderr) for each in made if each.open])
import wonda_widgets as ww

def ready():
    print("ready", flush=True)
"""

#: What is going on; it is interrupted after `ready()`, or ends by itself where there is none.
DOING = {
    "a job": """
        wonda = ww.Wonda.sandbox(seconds=600)
        job = wonda.images.generate(model="z-image", prompt="x")
    """,
    "an awaitable client": """
        async def main():
            wonda = ww.AsyncWonda.sandbox(seconds=600)
            await wonda.images.generate(model="z-image", prompt="x")
        asyncio.run(main())
    """,
    "tasks that nobody awaits": """
        async def main():
            wonda = ww.AsyncWonda.sandbox(seconds=600)
            job = await wonda.images.generate(model="z-image", prompt="x")
            asyncio.create_task(job._ended())
            asyncio.create_task(wonda.images.generate(model="z-image", prompt="y"))
            await asyncio.sleep(0.05)
        asyncio.run(main())
    """,
    "a plan": """
        wonda = ww.Wonda.sandbox(seconds=600, journal=sys.argv[1])
        plan = wonda.images.matrix("a {x}", {"x": ["1", "2", "3"]}, "z-image")
        plan.start()
        time.sleep(0.3)
    """,
    "a panel": """
        studio = ww.Studio(ww.Wonda.sandbox(seconds=600), prompt="x")
        studio.prompt_form.submit()
    """,
    "threads": """
        wonda = ww.Wonda.sandbox(seconds=600)
        job = wonda.images.generate(model="z-image", prompt="x")
        for work in (job.wait, wonda.capabilities, lambda: list(job.updates())):
            threading.Thread(target=work, daemon=True).start()
        time.sleep(0.1)
    """,
    "journals": """
        ww.Journal(sys.argv[1]).flush().result()
        kept = ww.Journal(":memory:")
        kept.flush()
    """,
    "a file that cannot be used": """
        import warnings
        warnings.simplefilter("ignore", UserWarning)
        kept = ww.Journal("/proc/nobody/journal.db")
        kept.flush().result()
    """,
    "thumbnails": """
        wonda = ww.Wonda.sandbox(seconds=0.01, journal=sys.argv[1])
        wonda.images.generate(model="z-image", prompt="x").wait()
        wonda.history.thumbnail(wonda.history.search()[0])
    """,
    "connections": """
        wonda = ww.Wonda(sys.argv[2], base_url=sys.argv[3], journal=":memory:")
        job = wonda.images.generate(model="z-image", prompt="x")
        wonda.capabilities()
        wonda.media.download(job.wait().media)
    """,
    "sys.exit": """
        wonda = ww.Wonda.sandbox(seconds=600)
        job = wonda.images.generate(model="z-image", prompt="x")
        sys.exit(0)
    """,
    "a wait that is interrupted": """
        wonda = ww.Wonda.sandbox(seconds=600)
        job = wonda.images.generate(model="z-image", prompt="x")
        ready()
        job.wait()
    """,
    "an await that is interrupted": """
        async def main():
            async with ww.AsyncWonda.sandbox(seconds=600) as wonda:
                job = await wonda.images.generate(model="z-image", prompt="x")
                ready()
                await job
        asyncio.run(main())
    """,
    "a request that is interrupted": """
        wonda = ww.Wonda.sandbox(seconds=600)
        wonda.faults.add("POST", "/image/generate", "hang")
        ready()
        wonda.images.generate(model="z-image", prompt="x")
    """,
    "a plan that is interrupted": """
        wonda = ww.Wonda.sandbox(seconds=600)
        ready()
        wonda.images.matrix("a {x}", {"x": ["1", "2"]}, "z-image").wait()
    """,
    "a post that is interrupted": """
        wonda = ww.Wonda.sandbox(seconds=0.01)
        media = wonda.images.generate(model="z-image", prompt="x").wait().media
        account = wonda.accounts.instagram()[0].instagram_account_id
        wonda.faults.add("POST", "/publish/instagram", "hang")
        ready()
        wonda.publish.instagram(media_id=media.media_id, instagram_account_id=account)
    """,
}


AFTERWARDS = """
import atexit, asyncio, sys, threading
def after():
    for ask in (wonda.whoami, wonda.close, lambda: asyncio.run(wonda._async.whoami())):
        try:
            ask()
        except ww.WondaError as error:
            print(error.message)
atexit.register(after)  # it is called after what is registered later
import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=600)
job = wonda.images.generate(model="z-image", prompt="x")
def ask_on():
    while True:
        wonda.whoami()
threading.Thread(target=ask_on, daemon=True).start()
"""


def test_calls_after_exit_are_refused_quietly():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", AFTERWARDS],
        check=False,
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert done.stdout.splitlines() == ["The interpreter is ending, so nothing was sent."] * 3


@pytest.mark.parametrize("doing", DOING)
def test_interpreter_exits_quietly_and_closes_files(tmp_path, served, doing):
    arguments = [str(tmp_path / "journal.db")]
    if "sys.argv[3]" in DOING[doing]:
        arguments += [KEY, served(seconds=0.01)[1]]
    body = textwrap.indent(textwrap.dedent(DOING[doing]), "    ")
    program = f"{BEGIN}\ntry:\n{body}\nexcept KeyboardInterrupt:\n    pass\n"
    process = subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        if "ready()" in body:
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.3)  # it has to be in the midst of it
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=40)
    # On a busy machine asyncio's debug mode says how long a callback took.
    said = [line for line in said.splitlines() if not line.startswith("Executing <")]
    assert (said, process.returncode) == ([], 0)
