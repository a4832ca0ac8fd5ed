"""Fixtures: JupyterLab and Voilà in Chromium."""

from __future__ import annotations

import frontends
import pytest
from playwright.sync_api import expect

expect.set_options(timeout=30_000)

VIEWPORT = {"width": 1300, "height": 1400}
#: Less motion needs less CPU time, as there is no graphics card.
CONTEXT = {"viewport": VIEWPORT, "reduced_motion": "reduce"}


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
    context = browser.new_context(**CONTEXT)
    context.set_default_timeout(30_000)
    opened = context.new_page()
    opened.bring_to_front()  # a page that is not has no focus
    errors = frontends.watch_console(opened)
    yield opened
    context.close()
    assert errors == [], "the browser's console has errors"


@pytest.fixture(scope="module")
def lab_page(browser, lab):
    """A page of JupyterLab for a whole module, because loading it takes seconds of CPU time."""
    context = browser.new_context(**CONTEXT)
    context.set_default_timeout(30_000)
    opened = context.new_page()
    errors = frontends.watch_console(opened)
    frontends.open_lab(opened, lab)
    yield opened, errors
    context.close()


@pytest.fixture
def notebook(lab_page, folder):
    """Open a notebook of these cells in JupyterLab and run it; without cells, an existing file."""
    page, errors = lab_page
    errors.clear()

    def open_it(name, *cells, run=True):
        if cells:
            frontends.write_notebook(folder / name, *cells)
        page.bring_to_front()  # only the page in front has the focus
        frontends.open_in_lab(page, name)
        if run:
            frontends.run_all(page)
        return page

    yield open_it
    found = list(errors)
    frontends.close_notebooks(page)
    page.set_viewport_size(VIEWPORT)
    assert found == [], "the browser's console has errors"
