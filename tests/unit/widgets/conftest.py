"""Fixtures for the tests of the panels."""

import ipywidgets
import pytest

from wonda_widgets.widgets._shared import frontend

REGISTRY = ipywidgets.widgets.widget._instances


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch, tmp_path):
    """Panels export into the kernel's folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def nothing_is_left(settled, quick_polls):  # noqa: ARG001
    """After the test, no widget may be left in the registry of ipywidgets."""
    frontend.shared_bundle()  # stays open for the next panel
    before = len(REGISTRY)
    yield
    settled(lambda: len(REGISTRY) == before)


@pytest.fixture
def panel(wonda):
    """Makes panels of the test's client, and closes them when the test has ended."""
    made = []

    def make(cls, *args, **options):
        options.setdefault("wonda", wonda)
        made.append(cls(*args, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()
