"""A real JupyterLab and a real Voilà in a real Chromium."""

from __future__ import annotations

import frontends
import pytest
from playwright.sync_api import expect

expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")  # while it is open, its event loop owns this thread
def browser():
    with frontends.chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture(scope="session")
def lab(folder, tmp_path_factory):
    with frontends.jupyterlab(folder, tmp_path_factory.mktemp("lab-home")) as url:
        yield url


@pytest.fixture
def page(browser):
    context = browser.new_context(viewport={"width": 1300, "height": 1400})
    context.set_default_timeout(30_000)
    opened = context.new_page()
    opened.bring_to_front()  # a page that is not has no focus
    errors = frontends.watch_console(opened)
    yield opened
    context.close()
    assert errors == [], "the browser's console has errors"


@pytest.fixture
def notebook(page, lab, folder):
    """Open a notebook of these cells in JupyterLab and run it."""

    def open_it(name, *cells):
        frontends.write_notebook(folder / name, *cells)
        frontends.open_notebook(page, lab, name)
        frontends.run_all(page)
        return page

    return open_it
