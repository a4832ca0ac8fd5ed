"""Check every state of every panel with axe-core, in light and dark themes.

What was found is printed as a table after the tests.
"""

from __future__ import annotations

import pytest
import screenshots
from axe_playwright_python.sync_playwright import Axe

THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}


def wear(page, theme):
    """Change JupyterLab's theme and wait until the page shows it."""
    change = "(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })"
    page.evaluate(change, THEMES[theme])
    page.wait_for_function(
        "(theme) => document.body.dataset.jpThemeName === theme", arg=THEMES[theme]
    )


@pytest.mark.parametrize("scene", screenshots.SCENES)
def test_every_state_passes_axe(notebook, record_property, scene):
    # A job is to be in progress for as long as both themes are looked at.
    cell = screenshots.SCENES[scene].cell.replace("seconds=2,", "seconds=4.5,")
    page = notebook(f"accessibility-{scene}.ipynb", cell)
    page.locator(screenshots.SCENES[scene].panel).first.wait_for()
    axe, found, themes = Axe(), [], list(THEMES)
    for state in screenshots.SCENES[scene].states(page):
        # Each state in both themes, from the one that is worn.
        for theme in themes:
            wear(page, theme)
            # What only begins to show is faint on purpose.
            page.wait_for_timeout(400)
            result = axe.run(page, context=screenshots.SCENES[scene].panel)
            count = result.violations_count
            name = state[state.index("-") + 1 :]
            record_property("accessibility", f"{scene} {name}|{theme}|{count}")
            if count:
                found.append(f"{state}, {theme}: {result.generate_report()}")
        themes.reverse()
    wear(page, "light")  # the next test finds it as it was
    assert not found, "\n".join(found)
