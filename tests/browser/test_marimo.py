"""The panels in marimo, whose kernel is not ipykernel and whose page has shadow roots."""

from __future__ import annotations

import contextlib
import sqlite3

import frontends
import pytest
from axe_playwright_python.sync_playwright import Axe
from flow import PROMPT, generate, publish
from playwright.sync_api import expect

IMPORTS = """import marimo as mo
import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=1.5, seed=4)"""
STUDIO = """studio = ww.Studio(wonda, params={"aspectRatio": "4:5"}, caption="Made with Wonda")
studio"""


@pytest.fixture
def opened(page, tmp_path):
    """Open a notebook in marimo, which runs its cells."""
    with contextlib.ExitStack() as stack:

        def open_in(command, *cells, dark=False):
            path = frontends.write_marimo(tmp_path / "flow.py", *cells)
            server = frontends.marimo(path, tmp_path / "home", command=command, dark=dark)
            page.goto(stack.enter_context(server))
            return page

        yield open_in
        page.goto("about:blank")  # before its server goes, which would be an error of its own


@pytest.mark.parametrize("command", ["edit", "run"])
def test_from_a_prompt_to_a_post(opened, command):
    page = opened(command, IMPORTS, STUDIO)
    expect(page.get_by_role("note")).to_contain_text("nothing is published")
    page.evaluate(
        """() => {
            const status = document.querySelector("marimo-anywidget").shadowRoot;
            window.seen = new Set();
            new MutationObserver(() => {
                for (const each of status.querySelectorAll(".wonda-status"))
                    seen.add(each.textContent.trim().split(" ")[0]);
            }).observe(status, { subtree: true, childList: true, characterData: true });
        }"""
    )
    generate(page)
    assert page.evaluate("() => seen.size") > 2, "the statuses of the job were not seen"
    expect(page.get_by_role("button", name="Export page")).to_be_visible()
    expect(page.get_by_role("button", name="Keep in notebook…")).to_be_hidden()
    publish(page)
    expect(page.locator("[class*=wonda-fallback]")).to_have_count(0)
    # These are created only now, by the package's loop, and belong to the same cell.
    page.get_by_role("button", name="Edit", exact=True).click()
    expect(page.get_by_text("Edit image")).to_be_visible()
    page.get_by_role("button", name="Scheduled posts").click()
    expect(page.get_by_text("Nothing is scheduled")).to_be_visible()


def test_each_visitor_of_an_app_has_a_session(opened, page, browser):
    opened("run", IMPORTS, STUDIO)
    expect(page.get_by_role("textbox", name="Prompt")).to_be_visible()
    context = browser.new_context()
    other = context.new_page()
    errors = frontends.watch_console(other)
    other.goto(page.url)
    generate(other)
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("")
    generate(page, "A harbor at dawn")
    context.close()
    assert errors == []


def test_running_the_cell_again_submits_nothing(opened, tmp_path):
    journal = tmp_path / "jobs.db"
    # The job must not end before its cell is run again, also on a busy machine.
    imports = IMPORTS.replace("seconds=1.5, seed=4", f"seconds=6, journal={str(journal)!r}")
    other = 'other = ww.Studio(wonda, prompt="Another one")\nother'
    page = opened("edit", imports, STUDIO, other)
    prompts = page.get_by_role("textbox", name="Prompt")
    expect(prompts).to_have_count(2)
    prompts.first.fill(PROMPT)
    # Keys that mean something to a cell of marimo mean nothing to it in a panel.
    prompts.first.press("Control+Enter")
    expect(page.get_by_role("progressbar", name="Generation").first).to_be_visible()
    model = page.get_by_role("combobox", name="Model").first
    for key in ("a", "b", "d", "d", "j", "k", "Shift+Enter"):
        model.press(key)
    expect(page.locator("[data-cell-id]")).to_have_count(3)
    expect(prompts.first).to_have_value(PROMPT)
    # The job goes on while its cell runs again and the Studio is replaced.
    page.locator(".cm-content", has_text="studio = ").click()
    page.keyboard.press("Control+Enter")
    expect(prompts.first).to_have_value("")
    expect(page.get_by_text("1 job is unfinished")).to_be_visible()
    page.get_by_role("button", name="Resume watching").click()
    expect(page.get_by_role("img", name=PROMPT).first).to_be_visible()
    assert requests(journal) == 1
    # The code of the panels is still there for a page that is loaded now.
    page.reload()
    expect(page.get_by_role("img", name=PROMPT).first).to_be_visible()
    expect(prompts.last).to_have_value("Another one")
    # Nor does the other Studio need the cell that was the first to show a panel.
    page.locator(".cm-content", has_text="studio = ").click()
    page.keyboard.press("Control+a")
    page.keyboard.type("'no panel'")
    page.keyboard.press("Control+Enter")
    expect(prompts).to_have_count(1)
    page.reload()
    expect(prompts).to_have_value("Another one")
    generate(page)
    assert requests(journal) == 2


def requests(journal):
    with contextlib.closing(sqlite3.connect(journal)) as database:
        return database.execute("SELECT count(*) FROM request").fetchone()[0]


WRAPPED = """gallery = mo.ui.anywidget(ww.Gallery(images, wonda=wonda))
preview = mo.ui.anywidget(ww.ImagePreview(images[0], wonda=wonda))
form = mo.ui.anywidget(ww.PromptForm(wonda))
studio = mo.ui.anywidget(ww.Studio(wonda, storyboard=False))
mo.vstack([gallery, preview, form, studio])"""
IMAGES = """jobs = [wonda.images.generate(model="z-image", prompt=p) for p in ("First", "Second")]
images = [wonda.history.of(job) for job in jobs if job.wait()]"""
VALUES = """values = {
    "selected": gallery.value["selected_media_ids"],
    "previewed": preview.value["media_id"],
    "prompt": form.value["prompt"],
    "shown": studio.value["media_id"],
}
expected = [image.media.media_id for image in gallery.selected]
assert values["selected"] == expected
junk = [
    name
    for each in (gallery, preview, form, studio)
    for name, value in each.value.items()
    if name.startswith("_") or isinstance(value, bytes) or name in ("children", "hiding")
]
mo.md(f"selected={len(expected)} previewed={values['previewed'] == images[0].media.media_id} "
      f"prompt={values['prompt']} shown={bool(values['shown'])} junk={junk}")"""


def test_the_value_of_a_wrapped_panel(opened):
    page = opened("run", IMPORTS.replace("1.5", "0.5"), IMAGES, WRAPPED, VALUES)
    told = page.get_by_text("junk=")
    expect(told).to_have_text("selected=0 previewed=True prompt= shown=False junk=[]")
    # Both the page and the kernel change values, and the cell that uses them runs again.
    page.get_by_role("gridcell", name="First").click()
    expect(told).to_contain_text("selected=1")
    page.get_by_role("textbox", name="Prompt").first.fill("Typed")
    expect(told).to_contain_text("prompt=Typed")
    studio = page.locator("marimo-anywidget").last
    studio.get_by_role("textbox", name="Prompt").fill(PROMPT)
    studio.get_by_role("button", name="Generate", exact=True).click()
    expect(told).to_have_text("selected=1 previewed=True prompt=Typed shown=True junk=[]")


CONTRAST = """(element) => {
    const style = getComputedStyle(element);
    const canvas = document.createElement("canvas").getContext("2d");
    const light = (color) => {
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
            const share = value / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    return [light(style.color), light(style.backgroundColor)];
}"""


def test_both_themes_are_readable(opened):
    page = opened("run", IMPORTS, STUDIO, dark=True)
    generate(page)
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("Ready to post to @lantern.shop")).to_be_visible()
    for theme in ("dark", "light"):
        if theme == "light":  # as marimo changes it
            page.evaluate(
                """() => {
                    document.body.classList.replace("dark", "light");
                    document.body.dataset.theme = "light";
                }"""
            )
        caption = page.get_by_role("textbox", name="Caption")
        expect(caption).to_have_css("color-scheme", theme)
        ink, paper = caption.evaluate(CONTRAST)
        assert (ink > paper) == (theme == "dark")
        page.wait_for_timeout(400)  # what only begins to show is faint on purpose
        result = Axe().run(page, context="marimo-anywidget")
        assert result.violations_count == 0, result.generate_report()
    # A dialog is above everything and takes and returns the focus, also in a shadow root.
    opener = page.get_by_role("button", name="Open", exact=True)
    opener.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()
