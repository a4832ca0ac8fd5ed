"""Enter a key at the password prompt of a real kernel."""

from __future__ import annotations

import json

import pytest
from key_search import assert_absent

KEY = "sk_" + "4be91d07c25fa386" * 4
SERVICE = f"""
import asyncio, os
from wonda_widgets.utils import event_loop
from wonda_widgets.sandbox.server import serving
service = serving(key="{KEY[::-1]}"[::-1])
_, os.environ["WONDA_BASE_URL"] = event_loop.run_blocking(service.__aenter__())
import wonda_widgets as ww
"""


def answered(kernel, code, *answers):
    """Run a cell and type at its prompts; gives the requests."""
    cell = kernel.client.execute(code, allow_stdin=True)
    asked = []
    for answer in answers:
        asked.append(kernel.client.get_stdin_msg(timeout=30)["content"])
        kernel.client.input(answer)
    return asked, cell


@pytest.fixture
def ready(kernel):
    kernel.run(SERVICE)
    return kernel


def test_prompt_hides_the_key_and_nothing_stores_it(ready):
    asked, cell = answered(ready, "ww.connect()", KEY)
    assert asked[0]["password"] is True
    assert "Connected to 127.0.0.1" in ready.finish(cell)
    assert ready.run("print('plan', ww.Wonda().whoami().plan)") == "plan SANDBOX\n"
    told = ready.run("print(In, Out, dir(), globals(), ww.client.connect, vars(ww.client.connect))")
    assert "ww.connect()" in told
    assert_absent(KEY, json.dumps(ready.said, default=str), "what the kernel said")


def test_rejected_key_is_in_no_traceback(ready):
    ready.run("%xmode Verbose")
    other = KEY[:-1] + "0"
    _, cell = answered(ready, "ww.connect()", other)
    with pytest.raises(RuntimeError, match="rejected and was not saved") as caught:
        ready.finish(cell)
    assert_absent(other, str(caught.value), "the traceback")
    with pytest.raises(RuntimeError, match="MissingKeyError"):
        ready.run("ww.Wonda()")


def test_interrupted_prompt_shows_no_traceback(ready):
    ready.run("%xmode Verbose")
    cell = ready.client.execute("ww.connect()", allow_stdin=True)
    ready.client.get_stdin_msg(timeout=30)
    ready.interrupt()
    with pytest.raises(RuntimeError, match="KeyboardInterrupt") as caught:
        ready.finish(cell)
    assert "_input_request" not in str(caught.value)


def test_without_a_front_end_the_error_says_what_to_do(ready):
    with pytest.raises(RuntimeError, match="A key cannot be entered here") as caught:
        ready.finish(ready.client.execute("ww.connect()", allow_stdin=False))
    assert "WONDA_API_KEY" in str(caught.value)
