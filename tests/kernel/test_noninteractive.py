"""The output of a kernel without a live front end (nbconvert, papermill)."""

import pytest

SETUP = "import wonda_widgets as ww\nwonda = ww.Wonda.sandbox(seconds=1)"
JOB = "job = wonda.images.generate(model='z-image', prompt='A harbour')"


@pytest.fixture
def alone(kernel):
    """Run a cell as nbconvert and papermill do."""
    kernel.run(SETUP)
    return lambda code: kernel.finish(kernel.client.execute(code, allow_stdin=False))


def test_wait_prints_progress(kernel, alone):
    said = alone(f"{JOB}\n_ = job.wait()").splitlines()
    assert all(line.startswith("Generation: ") for line in said)
    assert said[-1].startswith("Generation: succeeded · ")
    assert len(said) == len(set(said)) > 1
    assert kernel.run(f"{JOB}\n_ = job.wait()") == "", "somebody is in front of this one"


def test_voila_counts_as_a_live_front_end(alone):
    alone("import os; os.environ['SERVER_SOFTWARE'] = 'voila/0.5.13'")
    assert alone(f"{JOB}\n_ = job.wait()") == ""


def kept(kernel, display_id):
    """What an output that is renewed shows in the end."""
    shown = [
        message["content"]["data"]
        for message in kernel.said
        if message["content"].get("transient", {}).get("display_id") == display_id
    ]
    return shown[-1]


def display_ids(kernel):
    shown = [m["content"] for m in kernel.said if m["msg_type"] == "display_data"]
    ids = [each["transient"]["display_id"] for each in shown if each.get("transient")]
    return [each for each in ids if not each.endswith("-live")]  # the panel itself


def test_panel_content_is_stored_in_its_cell(kernel, alone):
    alone(f"{JOB}\nmedia = job.wait().media")
    kernel.said.clear()
    alone("ww.ImagePreview(media, wonda=wonda, alt='A harbour')")
    [preview] = display_ids(kernel)
    assert "data:image/jpeg" in kept(kernel, preview)["text/html"]
    assert "“A harbour”" in kept(kernel, preview)["text/plain"]


def test_panel_displayed_after_its_image_stores_it(kernel, alone):
    alone(f"{JOB}\npreview = ww.ImagePreview(job.wait().media, wonda=wonda, alt='A harbour')")
    alone("import time\nwhile preview.state != 'ready': time.sleep(0.01)")
    alone("preview")
    [preview] = display_ids(kernel)
    assert "data:image/jpeg" in kept(kernel, preview)["text/html"]


def test_panel_error_is_stored(kernel, alone):
    alone(f"{JOB}\nmedia = job.wait().media\nwonda.faults.add('GET', 'storage/', 404, times=9)")
    alone("ww.ImagePreview(media, wonda=wonda)")
    [preview] = display_ids(kernel)
    assert "ImagePreview: Not found." in kept(kernel, preview)["text/plain"]


def test_waiting_cell_shows_the_updated_panel_of_an_earlier_cell(kernel, alone):
    alone(f"{JOB}\nww.JobProgress(job)")
    [progress] = display_ids(kernel)
    kernel.said.clear()
    waiting = kernel.client.execute("_ = job.wait()", allow_stdin=False)
    kernel.finish(waiting)
    renewed = [m for m in kernel.said if m["msg_type"] == "update_display_data"]
    assert {m["parent_header"]["msg_id"] for m in renewed} == {waiting}
    assert "Generation: succeeded · " in kept(kernel, progress)["text/plain"]


def test_studio_controlled_by_code_stores_its_image(kernel, alone):
    alone("studio = ww.Studio(wonda, prompt='A harbour'); studio")
    [studio] = display_ids(kernel)
    alone(
        "import time\n"
        "while studio.prompt_form.state != 'ready': time.sleep(0.01)\n"
        "studio.prompt_form.submit()\n"
        "while studio.job is None: time.sleep(0.01)\n"
        "_ = studio.job.wait()"
    )
    told = kept(kernel, studio)
    assert "data:image/jpeg" in told["text/html"]
    assert "Generation: succeeded · " in told["text/plain"]


def test_magic_stores_its_image(kernel, alone):
    alone("%load_ext wonda_widgets")
    kernel.said.clear()
    said = alone("%%wonda -m z-image\nA harbour at dawn")
    assert "Generation: succeeded · " in said
    [output] = display_ids(kernel)
    assert "data:image/jpeg" in kept(kernel, output)["text/html"]
    assert "“A harbour at dawn”" in kept(kernel, output)["text/plain"]


BOXES = {
    "a box": "W.VBox([preview])",
    "boxes within boxes": "W.HBox([W.Label('A'), W.VBox([W.Box([preview])])])",
    "a tab": "W.Tab([preview])",
    "an accordion": "display(W.Accordion([preview]))",
    "a layout": "W.AppLayout(center=preview)",
}


@pytest.mark.parametrize("box", BOXES)
def test_panel_inside_a_box_stores_its_image(kernel, alone, box):
    alone(f"{JOB}\nmedia = job.wait().media\nimport ipywidgets as W")
    kernel.said.clear()
    alone(f"preview = ww.ImagePreview(media, wonda=wonda, alt='A harbour')\n{BOXES[box]}")
    [preview] = display_ids(kernel)
    assert "data:image/jpeg" in kept(kernel, preview)["text/html"]
    kernel.said.clear()
    alone("W.VBox([W.Label('Nothing of ours')])")
    assert display_ids(kernel) == []
    [shown] = [m for m in kernel.said if m["msg_type"] in {"execute_result", "display_data"}]
    assert "application/vnd.jupyter.widget-view+json" in shown["content"]["data"]


def test_studio_inside_a_box_stores_one_output(kernel, alone):
    alone("import ipywidgets as W\nkept_box = W.VBox([ww.Studio(wonda)])")
    kernel.said.clear()
    alone("kept_box")
    assert len(display_ids(kernel)) == 1
