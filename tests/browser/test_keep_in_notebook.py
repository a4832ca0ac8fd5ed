"""`Keep in notebook`: by click or in code, and read without a kernel."""

from __future__ import annotations

import json
import subprocess
import sys

import frontends
import pytest
from playwright.sync_api import expect

CELL = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.5, seed=4)
studio = ww.Studio(
    wonda, prompt="A sunset <b>over</b> the ocean", params={"resolution": "4K"}, caption="Kept"
)
studio"""

LAB = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.1, seed=4)
lab = ww.PromptLab(wonda, template="A {a}", values={"a": ["sunset", "storm", "harbour"]})
lab"""


@pytest.fixture
def reopened(browser, lab, folder):
    """Open a saved notebook anew, as somebody does who trusts it, or does not."""
    contexts = []

    def open_it(name, *, trusted):
        if not trusted:  # a changed file has no signature
            notebook = json.loads((folder / name).read_text())
            notebook["metadata"]["changed"] = True
            name = f"untrusted-{name}"
            (folder / name).write_text(json.dumps(notebook))
        contexts.append(browser.new_context())
        page = contexts[-1].new_page()
        frontends.open_notebook_without_kernel(page, lab, name)
        return page

    yield open_it
    for context in contexts:
        context.close()


def save(page):
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_timeout(500)


def test_kept_studio_is_readable_in_trusted_and_untrusted_notebooks(notebook, reopened, folder):
    page = notebook("keep.ipynb", CELL, "")
    page.get_by_role("button", name="Generate").click()
    expect(page.locator("img.wonda-image")).to_be_visible()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish now").click()
    expect(page.get_by_role("link", name="View post")).to_be_visible()
    page.get_by_role("button", name="Keep in notebook…").press("Enter")
    expect(page.get_by_role("group", name="Keep in notebook")).to_be_focused()
    page.get_by_role("button", name="Cancel").press("Enter")
    expect(page.get_by_role("button", name="Keep in notebook…")).to_be_focused()
    page.get_by_role("button", name="Keep in notebook…").click()
    page.get_by_role("button", name="Replace").click()
    kept = page.locator(".jp-RenderedImage img")
    expect(kept).to_be_visible()
    expect(page.locator(".wonda-studio")).to_have_count(0)
    words = page.get_by_role("cell", name="A sunset <b>over</b> the ocean")
    expect(words).to_be_visible()
    expect(page.get_by_role("cell", name="posted: @lantern.shop")).to_be_visible()

    # It goes on in another cell, and what was kept stays.
    page.evaluate(
        """async () => {
            const panel = jupyterapp.shell.currentWidget;
            panel.content.activeCellIndex = 1;
            panel.content.activeCell.model.sharedModel.setSource('studio');
            await jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    expect(page.locator(".wonda-studio")).to_be_visible()
    expect(page.locator(".wonda-studio img.wonda-image")).to_be_visible()
    expect(kept).to_be_visible()
    expect(words).to_be_visible()
    page.evaluate("() => jupyterapp.commands.execute('notebook:clear-cell-output')")
    save(page)
    saved = (folder / "keep.ipynb").read_text()
    assert len(saved) < 300_000 + 5_000
    assert "sk_" not in saved
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    for trusted in (True, False):
        again = reopened("keep.ipynb", trusted=trusted)
        expect(again.locator(".jp-RenderedImage img")).to_be_visible()
        expect(again.get_by_role("cell", name="A sunset <b>over</b> the ocean")).to_be_visible()
        assert again.get_by_text("Error displaying widget").count() == 0

    command = [sys.executable, "-m", "nbconvert", "--to", "html", "keep.ipynb"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    page_of_it = (folder / "keep.html").read_text()
    assert "A sunset &lt;b&gt;over&lt;/b&gt; the ocean" in page_of_it
    assert "<b>over</b>" not in page_of_it
    assert "data:image/jpeg;base64," in page_of_it


def test_lab_kept_by_code_has_contact_sheet_and_table(notebook):
    page = notebook("keep_lab.ipynb", LAB, "")
    page.get_by_role("button", name="Run 3").click()
    expect(page.locator(".wonda-card img:visible")).to_have_count(3)
    page.evaluate(
        """async () => {
            const panel = jupyterapp.shell.currentWidget;
            panel.content.activeCellIndex = 1;
            panel.content.activeCell.model.sharedModel.setSource('lab.keep()');
            await jupyterapp.commands.execute('notebook:run-cell');
        }"""
    )
    expect(page.locator(".jp-RenderedImage img")).to_be_visible()
    expect(page.locator(".wonda-studio")).to_have_count(0)
    for prompt in ("A sunset", "A storm", "A harbour"):
        expect(page.get_by_role("cell", name=prompt)).to_be_visible()


def test_exported_page_opens(notebook, tmp_path, browser):
    page = notebook("page.ipynb", LAB)
    page.get_by_role("button", name="Run 3").click()
    expect(page.locator(".wonda-card img:visible")).to_have_count(3)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export page").click()
    assert waiting.value.suggested_filename == "story.html"
    waiting.value.save_as(tmp_path / "story.html")
    context = browser.new_context(offline=True)
    story = context.new_page()
    story.goto((tmp_path / "story.html").as_uri())
    expect(story.get_by_role("img", name="A storm")).to_be_visible()
    context.close()
