"""The whole flow, and differences between front ends, in each supported front end."""

from __future__ import annotations

import contextlib
import itertools

import flow
import frontends
import pytest
from playwright.sync_api import expect

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def notebook7(folder, tmp_path_factory):
    """A Notebook 7 for all tests of it."""
    with frontends.notebook7(folder, tmp_path_factory.mktemp("notebook7-home")) as url:
        yield url


@pytest.fixture
def opened(page, folder, tmp_path, request):
    """Open a notebook in a front end and run it, as a person does."""
    with contextlib.ExitStack() as stack:

        def open_in(front_end, *cells):
            if front_end == "voila":
                path = frontends.write_notebook(tmp_path / "flow.ipynb", *cells)
                page.goto(stack.enter_context(frontends.voila(path, tmp_path / "home")))
                return page
            name = f"where-{next(NUMBERS)}.ipynb"
            frontends.write_notebook(folder / name, *cells)
            fixture, at = {
                "jupyterlab": ("lab", "doc/tree"),
                "notebook7": ("notebook7", "notebooks"),
            }[front_end]
            frontends.open_notebook(page, request.getfixturevalue(fixture), name, at=at)
            frontends.run_all(page)
            return page

        yield open_in
        page.goto("about:blank")  # before its server goes, which would be an error of its own


@pytest.mark.parametrize("front_end", ["jupyterlab", "notebook7", "voila"])
def test_from_a_prompt_to_a_post(opened, front_end):
    page = opened(front_end, flow.CELL)
    flow.from_prompt_to_post(page)


WITHIN_OUTPUTS = """import ipywidgets as W
import wonda_widgets as ww
from IPython.display import display
wonda = ww.Wonda.sandbox(seconds=0.2)
media = wonda.images.generate(model="z-image", prompt="A lake").wait().media
out = W.Output()
with out:
    print("text in an Output")
    display(ww.ImagePreview(media, wonda=wonda, alt="In an Output"))
button = W.Button(description="Show one more")
place = W.Output()

@button.on_click
def shown(_):
    with place:
        print("text of a callback")
        display(ww.ImagePreview(media, wonda=wonda, alt="Of a callback"))

display(out, button, place)

@W.interact(name=["first", "second"])
def show(name):
    print("text of", name)
    return ww.ImagePreview(media, wonda=wonda, alt=f"Of {name}")
"""
IN_A_BOX = "W.VBox([W.Label('A label'), ww.ImagePreview(media, wonda=wonda, alt='In a box')])"


@pytest.mark.parametrize("front_end", ["jupyterlab", "notebook7", "voila"])
def test_other_output_of_a_panels_cell_is_visible(opened, front_end):
    page = opened(front_end, WITHIN_OUTPUTS, IN_A_BOX)
    expect(page.get_by_role("img", name="In an Output")).to_be_visible()
    expect(page.get_by_text("text in an Output", exact=True)).to_be_visible()
    page.get_by_role("button", name="Show one more").click()
    expect(page.get_by_role("img", name="Of a callback")).to_be_visible()
    expect(page.get_by_text("text of a callback", exact=True)).to_be_visible()
    expect(page.get_by_role("img", name="Of first")).to_be_visible()
    page.locator("select:has(option[value=second]), .widget-dropdown select").first.select_option(
        "second"
    )
    expect(page.get_by_role("img", name="Of second")).to_be_visible()
    expect(page.get_by_text("text of second", exact=True)).to_be_visible()
    expect(page.get_by_role("img", name="In a box")).to_be_visible()
    expect(page.get_by_text("A label", exact=True)).to_be_visible()
    for twin in page.locator("[class*=wonda-fallback]").all():
        expect(twin).to_be_hidden()


# From the moment at which the page reads the models of the kernel, one after another changes,
# while others of its traits change all the time.
CHANGES_DURING_LOADING = """import threading, time
import ipywidgets as W
import wonda_widgets as ww
wonda = ww.Wonda.sandbox()
panels = [ww.ImagePreview(wonda=wonda, banner=False) for _ in range(80)]

def change():
    while W.Widget._control_comm is None:
        time.sleep(0.001)
    for panel in panels:
        time.sleep(0.02)
        panel.facts = "changed"

def change_often():
    while any(not panel.facts for panel in panels):
        for panel in panels:
            panel.alt += "."
        time.sleep(0.05)

threading.Thread(target=change).start()
threading.Thread(target=change_often).start()
W.VBox(panels)
"""


def test_changes_while_the_page_loads_are_shown(opened):
    page = opened("voila", CHANGES_DURING_LOADING)
    expect(page.get_by_text("changed", exact=True)).to_have_count(80)


@pytest.mark.parametrize("front_end", ["jupyterlab", "notebook7"])
def test_keys_in_a_panel_trigger_no_notebook_shortcuts(opened, front_end):
    page = opened(front_end, flow.CELL)
    prompt = page.get_by_role("textbox", name="Prompt")
    prompt.click()
    # Each of them does something to a cell when it is typed beside one.
    page.keyboard.type("abxddzm1 y")
    expect(prompt).to_have_value("abxddzm1 y")
    for focused in (
        page.get_by_role("button", name="Generate"),
        page.get_by_role("combobox", name="Model"),
    ):
        focused.focus()
        for key in ("a", "b", "m", "y", "1", "z", "x", "d", "d"):
            page.keyboard.press(key)
    cells = page.locator(".jp-Notebook .jp-Cell")
    expect(cells).to_have_count(1)
    assert cells.first.evaluate("(cell) => cell.className").count("jp-CodeCell") == 1
    expect(prompt).to_have_value("abxddzm1 y")
    page.keyboard.press("Control+s")  # but this is the notebook's, from wherever
    prompt.focus()
    page.keyboard.press("Control+Enter")  # would run the cell anew
    expect(page.get_by_role("progressbar", name="Generation")).to_be_visible()
    expect(page.locator(".jp-InputPrompt").first).to_have_text("[1]:")


def test_wait_prints_nothing_in_voila(opened):
    page = opened(
        "voila",
        flow.CELL,
        "job = wonda.images.generate(model='z-image', prompt='x')\njob.wait()\nprint('over')",
    )
    expect(page.get_by_text("over", exact=True)).to_be_visible()
    expect(page.get_by_text("Generation: ")).to_have_count(0)


TYPED = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.05)
media = wonda.images.generate(model="z-image", prompt="ميناء هادئ عند الفجر").wait().media
ww.Dashboard(wonda)"""
MORE = "ww.PromptLab(wonda)", "ww.EditForm(media, wonda=wonda)"


def test_text_direction_follows_the_script(opened):
    page = opened("jupyterlab", TYPED, *MORE)
    expect(page.get_by_role("gridcell").first).to_be_visible()
    fields = page.locator(".wonda :is(textarea, input[type=text], input[type=search])")
    expect(page.get_by_role("textbox", name="Prompt template")).to_be_visible()
    assert fields.count() > 8
    for field in fields.all():
        assert field.get_attribute("dir") == "auto", field.evaluate("(each) => each.outerHTML")
    prompt = page.get_by_role("textbox", name="Prompt", exact=True).first
    prompt.fill("مرفأ")
    expect(prompt).to_have_css("direction", "rtl")
    expect(page.locator(".wonda-card-title").first).to_have_css("direction", "rtl")
