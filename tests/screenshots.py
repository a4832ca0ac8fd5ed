"""Pictures of Studio from the real thing in a real browser.

python tests/screenshots.py FOLDER      every state, front end, theme and width
python tests/screenshots.py --readme    renews the picture of the README
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import frontends

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CELL = """import wonda_widgets as ww
studio = ww.Studio(
    ww.Wonda.sandbox(seconds=2, seed=4),
    prompt="A sunset over the ocean, a lone sail on the horizon",
    params={"aspectRatio": "4:5"},
    caption="Made with Wonda",
)
studio"""

README = frontends.ROOT / "notebooks" / "pictures" / "studio.png"
WIDTHS = (400, 1200)


def states(page: Page) -> Iterator[str]:
    """Take the panel through its states; yields the name of each when it is there."""
    prompt = page.get_by_role("textbox", name="Prompt")
    generate = page.get_by_role("button", name="Generate")
    page.get_by_text("about $0.04").wait_for()
    yield "1-empty"
    generate.click()
    page.get_by_text("locked", exact=True).or_(
        page.get_by_text("in_progress", exact=True)
    ).wait_for()
    yield "2-running"
    page.get_by_role("img", name="A sunset").first.wait_for()
    page.wait_for_timeout(500)
    yield "3-picture"
    prompt.fill("A mountain lake in the snow")
    page.get_by_role("combobox", name="Aspect ratio").select_option("16:9")
    generate.click()
    page.get_by_text("locked", exact=True).or_(
        page.get_by_text("in_progress", exact=True)
    ).wait_for()
    yield "4-next"
    page.get_by_role("img", name="A mountain").first.wait_for()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish now").wait_for()
    yield "5-confirm"
    page.get_by_role("button", name="Publish now").click()
    page.get_by_role("link", name="View post").wait_for()
    yield "6-posted"
    prompt.fill("sandbox: fail")
    generate.click()
    page.locator(".wonda [role=alert]:visible").wait_for()
    yield "7-failed"
    prompt.fill(" ")
    generate.click()
    page.get_by_text("The prompt is empty.").wait_for()
    yield "8-bad-input"


def take(browser: Browser, url: str, width: int, folder: Path, name: str, *, lab: bool) -> None:
    """Save a picture of each state at one width."""
    # JupyterLab has bars at both sides; the panel is to have the width that was asked for.
    context = browser.new_context(viewport={"width": width + (160 if lab else 40), "height": 2200})
    page = context.new_page()
    page.set_default_timeout(60_000)
    if lab:
        frontends.open_notebook(page, url, "studio.ipynb")
        frontends.run_all(page)
    else:
        page.goto(url)
    panel = page.locator(".wonda-studio")
    panel.wait_for()
    for state in states(page):
        page.wait_for_timeout(300)
        panel.screenshot(path=folder / f"{name}-{width}-{state}.png")
    context.close()


def everything(folder: Path) -> None:
    """Take all pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    with frontends.chromium() as browser:
        for theme in ("light", "dark"):
            with tempfile.TemporaryDirectory() as scratch:
                home = Path(scratch)
                notebook = frontends.write_notebook(home / "studio.ipynb", CELL)
                dark = theme == "dark"
                with frontends.jupyterlab(home, home / "lab", dark=dark) as url:
                    for width in WIDTHS:
                        take(browser, url, width, folder, f"lab-{theme}", lab=True)
                with frontends.voila(notebook, home / "voila", dark=dark) as url:
                    for width in WIDTHS:
                        take(browser, url, width, folder, f"voila-{theme}", lab=False)


def readme() -> None:
    """Renew the picture of the README: posted, light."""
    with frontends.chromium() as browser, tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        frontends.write_notebook(home / "studio.ipynb", CELL)
        with frontends.jupyterlab(home, home / "lab") as url:
            take(browser, url, 1100, home, "readme", lab=True)
        README.parent.mkdir(exist_ok=True)
        README.write_bytes((home / "readme-1100-6-posted.png").read_bytes())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    readme() if sys.argv[1] == "--readme" else everything(Path(sys.argv[1]))
