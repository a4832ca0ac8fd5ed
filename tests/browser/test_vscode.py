"""The whole flow with the widget manager, the module loader and the themes of VS Code."""

from __future__ import annotations

import re

import flow
import frontends
import pytest
import vscode_page
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

PANELS = (
    "lab = ww.PromptLab(wonda)\nlab",
    "ww.History(wonda)",
    "ww.EditForm(wonda.history.search()[0], wonda=wonda)",
    "import ipywidgets as W\nW.VBox([W.Label('A label'), ww.PromptForm(wonda=wonda)])",
)
PANEL = "#container :is(.wonda-studio, .wonda)"
#: Behind other widgets, whose text is dark in all themes, it stays white.
BEHIND = ".cell-output-ipywidget-background:has(.wonda):not(:has(.widget-label))"
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A Jupyter server whose kernels a page of another origin may use, as VS Code's page does."""
    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
    with frontends.jupyterlab(folder, home, "--ServerApp.allow_origin=*") as url:
        yield url


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder and the address of the page."""
    folder = tmp_path_factory.mktemp("vscode")
    with vscode_page.served(folder) as url:
        yield folder, url


@pytest.fixture
def host(page, server, site):
    """Open the page in a theme, with a kernel, and run cells there."""
    folder, url = site

    def open_it(theme, *cells):
        page.goto(url)
        paint(page, theme)
        options = {"baseUrl": server, "token": "test-token", "modules": vscode_page.modules(folder)}
        page.evaluate("(options) => vscode.start(options)", options)
        run(page, *cells)
        return page

    yield open_it
    page.evaluate("() => vscode.stop()")


def paint(page, theme):
    page.evaluate("(theme) => vscode.paint(theme)", vscode_page.THEMES[theme])


def run(page, *cells):
    for cell in cells:
        reply = page.evaluate("(code) => vscode.run(code)", cell)
        assert reply["status"] == "ok", reply


def test_from_a_prompt_to_a_post(host, page, site):
    requested = []
    page.on("request", lambda request: requested.append(request.url))
    host("Dark Modern", flow.CELL)
    flow.from_prompt_to_post(page)
    # Without a CDN: anywidget's module is in the kernel's environment.
    own_module = site[1].replace("page.html", "nbextensions/anywidget/index.js")
    assert own_module in requested
    assert [url for url in requested if not re.match("http://127.0.0.1:|blob:|data:", url)] == []


def test_panels_follow_the_theme(host):
    page = host("Light Modern", flow.CELL)
    flow.from_prompt_to_post(page)
    run(page, *PANELS)
    expect(page.get_by_role("gridcell").first).to_be_visible()
    expect(page.get_by_role("textbox", name="Prompt template")).to_be_visible()
    expect(page.locator(".wonda-edit").get_by_role("img")).to_be_visible()
    problems = []
    for theme in vscode_page.THEMES:
        paint(page, theme)
        problems += [f"{theme}: {each}" for each in (*too_pale(page), *not_of_the_theme(page))]
    assert not problems, "\n".join(problems)


def too_pale(page):
    """Texts of less contrast than 4.5, or 3 if they are large."""
    for violation in Axe().run(page, options=CONTRAST).response["violations"]:
        for node in violation["nodes"]:
            found = node["any"][0]["data"]
            colors = f"{found['fgColor']} on {found['bgColor']}"
            yield f"{found['contrastRatio']}, {colors}: {node['html'][:99]}"


def not_of_the_theme(page):
    """Panels, and what is behind them, of another background than the editor's."""
    for selector in (PANEL, BEHIND):
        yield from page.locator(selector).evaluate_all(
            """(elements) => {
                const colorOf = (element) => getComputedStyle(element).backgroundColor;
                const editor = colorOf(document.documentElement);
                return elements
                    .filter((each) => ![editor, "rgba(0, 0, 0, 0)"].includes(colorOf(each)))
                    .map((each) => `${colorOf(each)}, not ${editor}: ${each.className}`);
            }"""
        )
