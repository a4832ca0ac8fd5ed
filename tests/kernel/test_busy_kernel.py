"""Jobs and panels in a kernel that is busy, interrupted or has queued cells."""

import time

import pytest

SETUP = """
import time, threading
import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.3)
studio = ww.Studio(wonda, prompt="A harbour")
def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
until(lambda: studio.prompt_form.state == "ready")
print(studio.prompt_form.comm.comm_id)
"""


def test_queued_cells_run_while_jobs_are_polled(kernel):
    first = kernel.send(SETUP + "job = wonda.images.generate(model='z-image', prompt='x')")
    cells = [
        kernel.send("print(job.wait().status)"),
        kernel.send("print((await job).status)"),
        kernel.send("print([s.status async for s in job.updates()][-1])"),
        kernel.send("print('last')"),
    ]
    kernel.finish(first)
    said = [kernel.finish(cell).strip() for cell in cells]
    assert said == ["succeeded", "succeeded", "succeeded", "last"]


@pytest.mark.parametrize("where", ["main shell", "subshell"])
def test_click_starts_a_job_and_progress_continues_in_a_busy_cell(kernel, where):
    comm_id = kernel.run(SETUP).strip()
    subshell = kernel.subshell() if where == "subshell" else None
    click = {
        "type": "submit",
        "prompt": "A harbour",
        "model": "nano-banana-2",
        "params": {"aspectRatio": "1:1"},
    }
    if where == "main shell":
        # It arrives when no cell runs; the cell after it blocks, and the job goes on.
        kernel.click(comm_id, **click)
        kernel.run("until(lambda: studio.job)")
        busy = kernel.send("time.sleep(4); print(studio.progress.job_status, bool(studio.media))")
    else:
        busy = kernel.send("time.sleep(5); print(studio.progress.job_status, bool(studio.media))")
        kernel.listen(0.5)
        kernel.click(comm_id, subshell, **click)
    said = kernel.finish(busy).strip()
    if said == "False":
        # Some kernels hand a subshell's click to the main thread, after its cell.
        assert where == "subshell"
        said = kernel.run(
            "until(lambda: studio.media); print(studio.progress.job_status, bool(studio.media))"
        ).strip()
    assert said == "succeeded True"
    assert kernel.run("print(studio.job.request['prompt'])").strip() == "A harbour"


def test_progress_is_sent_while_the_main_thread_is_blocked(kernel):
    kernel.run(SETUP)
    busy = kernel.send("studio.prompt_form.submit(); time.sleep(4)")
    began = time.monotonic()
    words = set()
    while time.monotonic() - began < 3.5:
        kernel.listen(0.2)
        for message in kernel.said:
            state = message["content"].get("data", {}).get("state", {})
            if "job_status" in state:
                words.add(state["job_status"])
    assert "succeeded" in words, "the end was told before the cell ended"
    kernel.finish(busy)


def test_interrupt_ends_the_cell_and_the_job_is_still_polled(kernel):
    kernel.run("import wonda_widgets as ww\nwonda = ww.Wonda.sandbox(seconds=2)")
    kernel.run("job = wonda.images.generate(model='z-image', prompt='x')")
    waiting = kernel.send("job.wait()")
    kernel.listen(1)
    kernel.interrupt()
    with pytest.raises(RuntimeError, match="KeyboardInterrupt"):
        kernel.finish(waiting, 5)
    assert kernel.run("print(job.snapshot.watching or job.done)").strip() == "True"
    assert kernel.run("print(job.wait().status)").strip() == "succeeded"


def test_asyncio_run_works_after_enable_nested_asyncio(kernel):
    pasted = """
import asyncio
import wonda_widgets as ww
ww.enable_nested_asyncio()
async def main():
    async with ww.AsyncWonda.sandbox(seconds=0.1) as wonda:
        job = await wonda.images.generate(model="z-image", prompt="x")
        return (await job).status
print(asyncio.run(main()))
"""
    cells = [kernel.send(pasted), *(kernel.send(f"print({n})") for n in range(4))]
    assert [kernel.finish(cell).strip() for cell in cells] == ["succeeded", "0", "1", "2", "3"]


def test_displayed_studio_has_a_live_panel_and_an_updated_static_copy(kernel):
    kernel.run(SETUP)
    shown = kernel.send("studio")
    kernel.finish(shown)
    bundles = [
        message["content"] for message in kernel.said if message["msg_type"] == "display_data"
    ]
    live, twin = bundles
    assert "application/vnd.jupyter.widget-view+json" in live["data"]
    assert "text/html" not in live["data"], "an untrusted notebook would show it beside the twin"
    assert twin["transient"]["display_id"]
    kernel.run("studio.prompt_form.submit(); until(lambda: studio.media)")
    kernel.listen(2)
    renewed = [m for m in kernel.said if m["msg_type"] == "update_display_data"]
    assert renewed[-1]["content"]["transient"] == twin["transient"]
    assert "data:image/jpeg;base64" in renewed[-1]["content"]["data"]["text/html"]


def test_panels_print_nothing_and_raise_no_hidden_error(kernel):
    kernel.run(SETUP)
    kernel.run("studio.prompt_form.submit(); until(lambda: studio.media); studio.close()")
    kernel.listen(1)
    loud = [m for m in kernel.said if m["msg_type"] == "error"]
    streams = [
        m["content"]["text"]
        for m in kernel.said
        if m["msg_type"] == "stream" and m["content"]["name"] == "stderr"
    ]
    assert (loud, streams) == ([], [])


def test_panels_are_imported_after_the_cell_with_the_import(kernel):
    known = "print('wonda_widgets.widgets.studio' in __import__('sys').modules)"
    assert kernel.run(f"import wonda_widgets\n{known}").strip() == "False"
    kernel.listen(0.5)  # nobody writes the next cell sooner
    assert kernel.run(known).strip() == "True"
    # Once: what the next cell leaves unloaded stays so.
    assert "over" not in kernel.run(
        "print([f.__name__ for f in get_ipython().events.callbacks['post_run_cell']])"
    )
