"""Enter a key at the password prompt of a real JupyterLab and use it in the next cell."""

from key_search import assert_absent
from playwright.sync_api import expect

KEY = "sk_" + "4be91d07c25fa386" * 4

CELL = f"""import os
from wonda_widgets.utils import event_loop
from wonda_widgets.sandbox.server import serving
service = serving(key="{KEY[::-1]}"[::-1], seconds=0.1)
_, base_url = event_loop.run_blocking(service.__aenter__())
import wonda_widgets as ww
ww.connect(base_url=base_url)"""
NEXT = "print('plan', ww.Wonda().whoami().plan)"


def run(page, index):
    """Run one cell, whichever was clicked in last."""
    page.evaluate(
        """(index) => {
            jupyterapp.shell.currentWidget.content.activeCellIndex = index;
            jupyterapp.commands.execute('notebook:run-cell');
        }""",
        index,
    )


def test_key_entered_at_prompt_is_used_by_next_cell(notebook, folder):
    page = notebook("connect.ipynb", CELL, NEXT, "ww.Studio()", run=False)
    run(page, 0)
    prompt = page.locator(".jp-Stdin-input")
    expect(prompt).to_have_attribute("type", "password")
    prompt.fill(f' "{KEY}" ')
    prompt.press("Enter")
    expect(page.get_by_text("Connected to 127.0.0.1")).to_be_visible()

    run(page, 1)
    expect(page.get_by_text("plan SANDBOX", exact=True)).to_be_visible()
    run(page, 2)
    expect(page.get_by_role("button", name="Generate")).to_be_visible()
    expect(page.locator(".wonda-sandbox")).to_have_count(0)

    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    saved = folder / "connect.ipynb"
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    assert "Connected to" in saved.read_text()
    assert_absent(KEY, saved.read_bytes(), "the saved notebook")
    assert_absent(KEY, page.content(), "the page")


def test_sandbox_banner_says_how_to_connect(notebook):
    page = notebook("hint.ipynb", "import wonda_widgets as ww\nww.Studio()")
    expect(page.get_by_role("note")).to_contain_text("To use your own account, run ww.connect()")
