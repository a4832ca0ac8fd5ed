"""A key is typed into `Connect` in a real JupyterLab, and the next cell uses it."""

import frontends
import pytest
from axe_playwright_python.sync_playwright import Axe
from key_search import assert_absent
from playwright.sync_api import expect

KEY = "sk_" + "4be91d07c25fa386" * 4

CELL = f"""import os
os.environ["XDG_CONFIG_HOME"] = os.getcwd()
import keyring
from keyring.backend import KeyringBackend

class Memory(KeyringBackend):
    priority = 5
    kept = {{}}
    def get_password(self, service, name):
        return self.kept.get((service, name))
    def set_password(self, service, name, password):
        self.kept[service, name] = password
    def delete_password(self, service, name):
        del self.kept[service, name]

keyring.set_keyring(Memory())
from wonda_widgets import runtime
from wonda_widgets.sandbox.server import serving
service = serving(key="{KEY[::-1]}"[::-1], seconds=0.1)
_, base_url = runtime.call(service.__aenter__())
import wonda_widgets as ww
panel = ww.Connect(base_url=base_url)
panel"""
NEXT = "print('plan', ww.Wonda().whoami().plan, len(Memory.kept))"


def run(page, index):
    """Run one cell, whichever was clicked in last."""
    page.evaluate(
        """(index) => {
            jupyterapp.shell.currentWidget.content.activeCellIndex = index;
            jupyterapp.commands.execute('notebook:run-cell');
        }""",
        index,
    )


@pytest.fixture
def no_violations(page):
    def look():
        found = Axe().run(page, context=".wonda-connect")
        assert found.violations_count == 0, found.generate_report()

    return look


def test_a_key_is_typed_and_the_next_cell_uses_the_account(page, lab, folder, no_violations):
    frontends.write_notebook(folder / "connect.ipynb", CELL, NEXT, "ww.Studio()")
    frontends.open_notebook(page, lab, "connect.ipynb")
    run(page, 0)
    key = page.get_by_label("API key", exact=True)
    connect = page.get_by_role("button", name="Connect", exact=True)
    keep = page.get_by_role("checkbox", name="Keep it in this computer's keyring")
    expect(keep).to_be_visible()
    expect(key).to_have_attribute("type", "password")
    expect(key).to_have_attribute("autocomplete", "off")
    no_violations()

    connect.click()
    expect(page.get_by_text("Paste your key first.")).to_be_visible()
    key.fill("nearly")
    key.press("Enter")
    expect(page.locator(".wonda").get_by_text("does not look like a key")).to_be_visible()
    expect(key).to_be_focused()
    expect(key).to_have_value("nearly")
    no_violations()
    connect.click()
    alert = page.get_by_role("alert").filter(has_text="The key was refused.")
    expect(alert).to_be_visible()
    expect(page.locator(".wonda").get_by_text("does not look like a key")).to_be_hidden()
    expect(key).to_have_value("nearly")
    no_violations()

    keep.check()
    key.fill(f"  {KEY} ")
    key.press("Enter")
    said = page.get_by_role("status").filter(has_text="Connected.")
    expect(said).to_have_text(
        "Connected. Plan SANDBOX. Cells that you run from now on use this account."
    )
    expect(page.get_by_text("It is in this computer's keyring for next time.")).to_be_visible()
    expect(alert).to_be_hidden()
    expect(key).to_have_value("")
    no_violations()

    run(page, 1)
    expect(page.get_by_text("plan SANDBOX 1")).to_be_visible()
    run(page, 2)
    expect(page.get_by_role("button", name="Generate")).to_be_visible()
    expect(page.locator(".wonda-sandbox")).to_have_count(0)

    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("The key was removed from memory.")).to_be_visible()
    expect(key).to_be_focused()
    page.evaluate("() => jupyterapp.commands.execute('docmanager:save')")
    assert_absent(KEY, (folder / "connect.ipynb").read_bytes(), "the saved notebook")
    assert_absent(KEY, page.content(), "the page")


def test_the_sandbox_says_how_to_use_ones_own_account(notebook):
    page = notebook("hint.ipynb", "import wonda_widgets as ww\nww.Studio()")
    expect(page.get_by_role("note")).to_contain_text("To use your own account, run ww.Connect()")
