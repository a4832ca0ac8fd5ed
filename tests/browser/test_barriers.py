"""Whether anybody is kept out: axe-core over every state of every panel, light and dark.

What was found is printed as a table after the tests.
"""

from __future__ import annotations

import frontends
import pytest
import screenshots
from axe_playwright_python.sync_playwright import Axe

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def wear(page, theme):
    change = "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })"
    page.evaluate(change, theme)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("scene", screenshots.SCENES)
def test_no_state_has_a_barrier(page, lab, folder, record_property, scene, theme):
    name = f"barriers-{scene}-{theme}.ipynb"
    frontends.write_notebook(folder / name, screenshots.SCENES[scene].cell)
    page.emulate_media(reduced_motion="reduce")
    frontends.open_notebook(page, lab, name)
    wear(page, THEMES[theme])
    frontends.run_all(page)
    page.locator(".wonda-studio").first.wait_for()
    found = []
    for state in screenshots.SCENES[scene].states(page):
        # What only begins to show is faint on purpose.
        page.wait_for_timeout(400)
        result = Axe().run(page, context=".wonda-studio")
        count = result.violations_count
        record_property("barriers", f"{scene} {state[state.index('-') + 1 :]}|{theme}|{count}")
        if count:
            found.append(f"{state}: {result.generate_report()}")
    wear(page, THEMES["light"])  # the next test finds it as it was
    assert not found, "\n".join(found)
