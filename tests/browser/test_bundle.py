"""The bundle of all panels: loading it, and several versions of it on one page."""

import base64
import gzip
import hashlib
from pathlib import Path

import pytest
from playwright.sync_api import expect

import wonda_widgets

STATIC = Path(wonda_widgets.__file__).parent / "static"

#: Shows a `JobProgress` as anywidget does. `source` is what the kernel sends when it is asked for
#: the code: the code itself, or the name of a promise that the page settles later.
SHOW = """
async ({id, loader, version, source}) => {
  const address = URL.createObjectURL(new Blob([loader], {type: "text/javascript"}));
  const {default: {render}} = await import(address);
  const traits = {
    _panel: "job_progress", _version: version, _bundle: `anywidget:${id}`, permissions: [],
    sandbox: false, banner: false, error: null, hiding: "", scroll_requested_at: 0,
    can_close: false, receipt: 0, job_phase: "succeeded", job_status: "succeeded", job_note: "",
    job_id: "1", job_label: "Generating", job_elapsed: 3, job_updates: 0, job_durations: {},
  };
  const model = {
    get: (name) => traits[name], set() {}, save_changes() {}, send() {}, on() {}, off() {},
    widget_manager: {get_model: async () => model},
  };
  const decode = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const host = {
    getModel: async () => {
      if (!source) await new Promise((_, reject) => (window.endKernel = reject));
      return {get: () => decode(source)};
    },
  };
  const el = document.createElement("div");
  el.id = id;
  document.body.append(el);
  render({model, el, host, experimental: {}, signal: new AbortController().signal});
}
"""


@pytest.fixture
def show(page):
    page.set_content("<!doctype html><title>Panels</title>")
    loader = (STATIC / "loader.js").read_text("utf-8")

    def show_panel(name, code, *, has_kernel=True):
        version = hashlib.sha256(code.encode()).hexdigest()
        source = base64.b64encode(gzip.compress(code.encode())).decode() if has_kernel else ""
        page.evaluate(SHOW, {"id": name, "loader": loader, "version": version, "source": source})
        return page.locator(f"#{name} .wonda-progress")

    return show_panel


@pytest.fixture
def code():
    return (STATIC / "panels.js").read_text("utf-8")


def test_styles_of_two_versions_do_not_mix(show, code):
    later = code.replace("font:13px", "font:20px")
    assert later != code
    for first, second in (("a", "b"), ("c", "d")):
        panels = show(first, code), show(second, later)
        for panel, size in zip(panels, ("13px", "20px"), strict=True):
            expect(panel).to_have_css("font-size", size)


def test_panel_loads_from_its_own_kernel_if_another_has_ended(show, code, page):
    ended = show("ended", code, has_kernel=False)
    panel = show("live", code)
    expect(panel).to_have_count(0)
    page.evaluate("window.endKernel('The kernel has ended.')")
    expect(panel).to_contain_text("succeeded")
    expect(page.locator("#ended")).to_contain_text("This panel could not be loaded.")
    expect(ended).to_have_count(0)


def test_old_browser_is_told_which_one_it_needs(show, code, page):
    page.evaluate("delete globalThis.DecompressionStream")
    show("old", code)
    expect(page.locator("#old")).to_contain_text("This panel needs a newer browser")


@pytest.mark.parametrize(
    "theme",
    [
        {"tag": "body", "data-jp-theme-light": "false"},
        {"tag": "body", "data-vscode-theme-kind": "vscode-dark"},
        {"tag": "body", "class": "theme-dark"},
        {"tag": "html", "theme": "dark"},
    ],
    ids=str,
)
def test_panel_is_dark_on_a_dark_page(show, code, page, theme):
    panel = show("light", code)
    expect(panel).to_have_css("color-scheme", "light")
    (name, value) = list(theme.items())[1]
    page.evaluate(
        "([tag, name, value]) => document.querySelector(tag).setAttribute(name, value)",
        [theme["tag"], name, value],
    )
    expect(panel).to_have_css("color-scheme", "dark")
