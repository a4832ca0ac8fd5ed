"""From a prompt to a post in a browser, with elements located by role and name."""

import re

import frontends
import pytest
from playwright.sync_api import expect

CELL = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=1.5, seed=4)
studio = ww.Studio(
    wonda,
    prompt="A sunset over the ocean",
    params={"aspectRatio": "4:5"},
    caption="Made with Wonda",
)
studio"""
#: For who watches each status: a page on a busy machine paints seldom.
SLOW = CELL.replace("seconds=1.5", "seconds=4")

ORDER = ["submitted", "idle", "locked", "in_progress", "succeeded"]
PUBLISHING = ["queued", "in_progress", "succeeded"]


def record_statuses(page):
    """Collect each status word that is ever painted, by the bar's name."""
    page.evaluate(
        """() => {
            window.seen = { Generation: [], Publishing: [] };
            const look = () => {
                for (const bar of document.querySelectorAll("[role=progressbar]")) {
                    const list = window.seen[bar.getAttribute("aria-label")];
                    const word = bar.getAttribute("aria-valuetext");
                    if (bar.offsetParent && word && list.at(-1) !== word) list.push(word);
                }
                requestAnimationFrame(look);
            };
            look();
        }"""
    )


def go_through(page):
    """From the prompt to the post."""
    expect(page.get_by_role("note")).to_contain_text("Sandbox")
    expect(page.get_by_role("note")).to_contain_text("nothing is published")
    expect(page.get_by_role("combobox", name="Model")).to_have_value("nano-banana-2")
    expect(page.get_by_role("combobox", name="Aspect ratio")).to_have_value("4:5")
    expect(page.get_by_text("about $0.04 · 40 credits")).to_be_visible()
    frame = page.locator(".wonda-frame")
    expect(frame).to_have_attribute("style", re.compile("0.8"))  # the empty frame is 4:5 too
    publish = page.get_by_role("button", name="Publish", exact=True)
    expect(publish).to_have_attribute("aria-disabled", "true")
    record_statuses(page)

    page.get_by_role("textbox", name="Prompt").fill("A paper lantern on a wooden table")
    page.get_by_role("button", name="Generate").dblclick()
    bar = page.get_by_role("progressbar", name="Generation")
    expect(bar).to_be_visible()
    expect(bar).not_to_have_attribute("aria-valuenow", re.compile(".*"))
    expect(page.get_by_role("button", name="Stop watching")).to_be_visible()
    image = page.get_by_role("img", name="A paper lantern on a wooden table").first
    expect(image).to_be_visible()
    assert image.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 500
    expect(
        page.get_by_text(re.compile(r"912 × 1140 · PNG · .* MB · generated in \d+ s"))
    ).to_be_visible()
    expect(bar).to_have_attribute("aria-valuenow", "100")

    expect(page.get_by_role("textbox", name="Alt text")).to_have_value(
        "A paper lantern on a wooden table"
    )
    expect(page.get_by_role("combobox", name="Instagram account")).to_contain_text("@lantern.shop")
    page.get_by_role("textbox", name="Caption").fill("Made with Wonda")
    publish.click()
    expect(page.get_by_text("Ready to post to @lantern.shop")).to_be_visible()
    page.get_by_role("button", name="Publish now").dblclick()
    expect(page.get_by_role("progressbar", name="Publishing")).to_be_visible()
    link = page.get_by_role("link", name="View post")
    with page.context.expect_page() as opened:
        link.click()
    post = opened.value
    expect(post.get_by_role("note")).to_contain_text("Nothing was published.")
    expect(post.get_by_text("@lantern.shop")).to_be_visible()
    image = post.get_by_role("img")
    assert image.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 500
    post.close()
    seen = page.evaluate("window.seen")
    assert seen["Generation"] == [word for word in ORDER if word in seen["Generation"]]
    assert len(seen["Generation"]) >= 3
    assert seen["Publishing"] == [word for word in PUBLISHING if word in seen["Publishing"]]
    assert seen["Publishing"][-1] == "succeeded"


def test_from_a_prompt_to_a_post_in_jupyterlab(notebook):
    check = "print(len(wonda.publish.history()['publishes']), 'post')"
    page = notebook("flow.ipynb", SLOW)
    page.get_by_role("button", name="Generate").wait_for()
    go_through(page)
    page.evaluate("() => jupyterapp.commands.execute('notebook:insert-cell-below')")
    page.evaluate(
        "(code) => { jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel"
        ".setSource(code); jupyterapp.commands.execute('notebook:run-cell') }",
        check,
    )
    expect(page.get_by_text("1 post", exact=True)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_from_a_prompt_to_a_post_in_voila(page, tmp_path, theme):
    path = frontends.write_notebook(tmp_path / "dashboard.ipynb", SLOW)
    with frontends.voila(path, tmp_path / "home", dark=theme == "dark") as url:
        page.goto(url)
        page.get_by_role("button", name="Generate").wait_for()
        go_through(page)
        page.goto("about:blank")  # before its server goes, which would be an error of its own


def test_whole_flow_by_keyboard(notebook):
    page = notebook("keyboard.ipynb", CELL)
    prompt = page.get_by_role("textbox", name="Prompt")
    prompt.fill("A mountain lake")
    page.keyboard.press("Tab")
    expect(page.get_by_role("combobox", name="Model")).to_be_focused()
    resolution = page.get_by_role("combobox", name="Resolution")
    resolution.focus()
    page.keyboard.press("ArrowDown")
    expect(resolution).to_have_value("2K")
    expect(page.get_by_text("about $0.08 · 80 credits")).to_be_visible()
    prompt.focus()
    page.keyboard.press("Control+Enter")
    image = page.get_by_role("img", name="A mountain lake").first
    expect(image).to_be_visible()
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 1, "the cell was not run again"
    page.get_by_role("button", name="Open", exact=True).focus()
    page.keyboard.press("Enter")
    box = page.get_by_role("dialog", name="Image")
    expect(box).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(page.get_by_role("button", name="Open", exact=True)).to_be_focused()
    page.get_by_role("button", name="Publish", exact=True).focus()
    for _ in range(5):  # a held key opens the summary and does not press what is in it
        page.keyboard.down("Enter")
    page.keyboard.up("Enter")
    expect(page.get_by_role("group", name="What will be posted")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Publish now")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Publish", exact=True)).to_be_focused()


def test_input_error_is_shown_next_to_its_field_and_input_is_kept(notebook):
    page = notebook("bad.ipynb", CELL)
    prompt = page.get_by_role("textbox", name="Prompt")
    prompt.fill("   ")
    page.get_by_role("button", name="Generate").click()
    alert = page.get_by_role("alert").filter(visible=True)
    expect(alert).to_contain_text("The prompt is empty. Describe the image you want.")
    expect(prompt).to_have_attribute("aria-invalid", "true")
    prompt.fill("sandbox: fail")
    page.get_by_role("button", name="Generate").click()
    expect(alert).to_contain_text("The provider rejected the input")
    expect(page.get_by_text("failed", exact=True)).to_be_visible()
    expect(prompt).to_have_value("sandbox: fail")
    caption = page.get_by_role("textbox", name="Caption")
    caption.fill("x" * 2203)
    expect(page.get_by_text("2,203 / 2,200")).to_be_visible()
    expect(page.get_by_text("Too long by 3 characters.")).to_be_visible()
    caption.fill("👩‍🚀")
    expect(page.get_by_text("3 / 2,200")).to_be_visible()


def test_stop_and_resume_watching(notebook):
    page = notebook("stop.ipynb", SLOW)
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("button", name="Stop watching").click()
    expect(page.get_by_text("Stopped watching. The job is still running.")).to_be_visible()
    page.get_by_role("button", name="Resume watching").click()
    expect(page.get_by_role("img", name="A sunset over the ocean").first).to_be_visible()


HOSTILE = """<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"""


def test_hostile_text_is_shown_as_text(notebook):
    setup = CELL.replace('"A sunset over the ocean"', repr(HOSTILE)).replace(
        "wonda = ww.Wonda.sandbox(seconds=1.5, seed=4)",
        "from wonda_widgets.sandbox import catalog\n"
        f"account = {{**catalog.INSTAGRAM_ACCOUNT, 'username': {HOSTILE!r}}}\n"
        "wonda = ww.Wonda.sandbox(seconds=0.3, seed=4, accounts=[account])",
    )
    page = notebook("hostile.ipynb", setup)
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("img", name=HOSTILE).first).to_be_visible()
    page.get_by_role("textbox", name="Caption").fill(HOSTILE)
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish now").click()
    expect(page.get_by_role("link", name="View post")).to_be_visible()
    assert "owned" not in page.title()


def test_click_during_a_running_cell_says_that_it_waits(notebook):
    page = notebook("busy.ipynb", CELL, "import time; time.sleep(6)")
    page.get_by_role("button", name="Generate").click()
    # Kernels with subshells take the click at once; for others it says why nothing happens.
    waits = page.get_by_text(
        "The notebook is busy. Your action starts when the running cell finishes."
    )
    expect(waits.or_(page.get_by_role("progressbar", name="Generation"))).to_be_visible(
        timeout=5_000
    )
    expect(page.get_by_role("img", name="A sunset over the ocean").first).to_be_visible()


def test_stopped_kernel_is_reported(notebook):
    page = notebook("gone.ipynb", CELL)
    page.get_by_role("button", name="Generate").wait_for()
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    panel = page.locator(".wonda-studio.wonda-disconnected")
    expect(panel).to_be_visible()
    expect(panel.get_by_text("Run this cell again to bring the panel back")).to_be_visible()
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_text("The kernel has stopped. Run this cell again.")).to_be_visible()


def test_image_remains_after_kernel_shutdown(notebook, lab, browser):
    page = notebook("survives.ipynb", CELL)
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("img", name="A sunset over the ocean").first).to_be_visible()
    twin = page.locator("[class*=wonda-fallback]")
    expect(twin.locator("img")).to_have_count(1)
    expect(twin).to_be_hidden()
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(500)
    page.evaluate(
        "() => jupyterapp.shell.currentWidget.sessionContext.shutdown()"
        ".then(() => jupyterapp.commands.execute('docmanager:save'))"
    )
    again = browser.new_context().new_page()
    frontends.open_notebook_without_kernel(again, lab, "survives.ipynb")
    kept = again.get_by_role("img", name="A sunset over the ocean")
    expect(kept).to_be_visible()
    expect(again.get_by_text("Run this cell again to bring the panel back.")).to_be_visible()
    again.context.close()


def test_panels_work_separately(notebook):
    page = notebook(
        "parts.ipynb",
        "import wonda_widgets as ww\n"
        "wonda = ww.Wonda.sandbox(seconds=0.5)\n"
        "form = ww.PromptForm(wonda, prompt='A quiet harbour'); form",
        "job = wonda.images.generate(model='z-image', prompt='A lone tree')\nww.JobProgress(job)",
        "media = job.wait().media\nww.ImagePreview(media, wonda=wonda, alt='A lone tree')",
        "ww.PublishForm(media.media_id, wonda=wonda)",
    )
    expect(page.get_by_role("progressbar", name="Generation")).to_be_visible()
    expect(page.get_by_role("img", name="A lone tree").first).to_be_visible()
    expect(page.get_by_role("note")).to_have_count(3)
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish now").click()
    expect(page.get_by_role("link", name="View post")).to_be_visible()
