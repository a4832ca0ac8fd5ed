"""Take screenshots of all panels in a real browser.

python tests/screenshots.py FOLDER [SCENE …]   every state, front end, theme and width

Scenes are listed in `SCENES`; without one, all.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import frontends
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page

STUDIO = """import wonda_widgets as ww
studio = ww.Studio(
    ww.Wonda.sandbox(seconds=2, seed=4),
    prompt="A sunset over the ocean, a lone sail on the horizon",
    params={"aspectRatio": "4:5"},
    caption="Made with Wonda",
)
studio"""

LAB = """import wonda_widgets as ww
lab = ww.PromptLab(
    ww.Wonda.sandbox(seconds=1.2, seed=4),
    template="A {subject} over the ocean, {light}, long lens",
    values={
        "subject": ["sunset", "storm", "moonrise"],
        "light": ["low haze", "clear air", "violet dusk", "after rain"],
    },
    params={"aspectRatio": ["4:5"]},
)
lab"""

DECISION = """import wonda_widgets as ww
lab = ww.PromptLab(
    ww.Wonda.sandbox(seconds=0.3, seed=4),
    template={
        "subject first": "A {subject} over the ocean, {light}",
        "light first": "{light} light on a {subject}, 35 mm",
    },
    table=[
        {"subject": "sunset", "light": "golden"},
        {"subject": "storm", "light": "violet"},
        {"subject": "harbor", "light": "misty"},
    ],
    models="nano-banana-2",
    takes=2,
)
lab"""

APPROVAL = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.2, seed=4)
matrix = wonda.images.matrix(
    "A {a} by the sea", {"a": ["sunset", "storm", "harbor"]}, "nano-banana-2", max_concurrency=9
)
matrix.wait()
ww.Review(matrix.images, question="May we post it?", mode="approve")"""

SNIPPETS = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seed=4)
wonda.snippets.save("style:noir", "black and white, hard shadows, wet streets")
wonda.snippets.save("style:dawn", "first light, low haze, long shadows")
wonda.snippets.save("lens:long", "200 mm lens, compressed distance")
ww.Snippets(wonda)"""

HISTORY = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.2, seed=4)
wonda.images.matrix(
    "A {a} by the sea, {b}",
    {"a": ["sunset", "storm", "harbor"], "b": ["haze", "dusk", "rain"]},
    "nano-banana-2",
    {"aspectRatio": ["4:5", "16:9"]},
    max_concurrency=9,
).wait()
ww.History(wonda)"""

POSTS = """import wonda_widgets as ww
lab = ww.PromptLab(
    ww.Wonda.sandbox(seconds=0.3, seed=4),
    template="A {subject} over the ocean, {light}",
    values={"subject": ["sunset", "storm"], "light": ["low haze", "violet dusk"]},
    params={"aspectRatio": ["4:5", "16:9"]},
)
lab"""

UNCHECKED = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.3, seed=4)
wonda.faults.add("GET", "/instagram/publishes", 503, times=999)
studio = ww.Studio(wonda, prompt="A quiet harbor at dawn", caption="Made with Wonda")
studio"""

VIDEO = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.3, seed=4)
params = {"aspectRatio": "16:9", "duration": 3}
studio = ww.Studio(wonda, kind="video", model="kling_3_pro", prompt="A quiet harbor at dawn",
                   params=params, notify=True)
studio"""

VIDEO_LAB = """import wonda_widgets as ww
lab = ww.PromptLab(
    ww.Wonda.sandbox(seconds=0.3, seed=4),
    kind="video",
    template="A {subject} at dawn",
    values={"subject": ["quiet harbor", "mountain lake"]},
)
lab"""

WIDTHS = (400, 1200)


def studio(page: Page) -> Iterator[str]:
    """From a prompt to a post, then two mistakes, and what is done with an image."""
    yield from made_and_posted(page)
    yield from changed_and_kept(page)


def made_and_posted(page: Page) -> Iterator[str]:
    """From a prompt to a post, then two mistakes."""
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
    yield "3-image"
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
    page.get_by_text("The prompt is empty.", exact=True).wait_for()
    yield "8-bad-input"


def changed_and_kept(page: Page) -> Iterator[str]:
    """An image that the feed does not take: checked, edited, kept."""
    page.get_by_role("textbox", name="Prompt").fill("A sunset, too wide for the feed")
    page.get_by_role("combobox", name="Aspect ratio").select_option("9:16")
    page.get_by_role("combobox", name="Resolution").select_option("2K")
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("img", name="A sunset, too wide").first.wait_for()
    page.wait_for_timeout(1500)
    yield "9-preflight"
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_role("button", name="Crop", exact=True).click()
    page.get_by_role("group", name="Shape").get_by_role("button", name="1:1", exact=True).click()
    page.wait_for_timeout(1500)
    yield "10-crop"
    page.get_by_role("button", name="Text", exact=True).click()
    page.get_by_role("textbox", name="Text", exact=True).fill("Open sea\nsince 1974")
    page.wait_for_timeout(1500)
    yield "11-text"
    keep = page.get_by_role("button", name="Keep in notebook…")
    if keep.is_visible():  # a page of Voilà is no notebook
        keep.click()
    yield "12-keep"


def lab(page: Page) -> Iterator[str]:
    """From a template to the winner's post."""
    run = page.get_by_role("button", name="Run 12")
    run.wait_for()
    page.wait_for_timeout(500)
    yield "1-plan"
    run.click()
    page.get_by_text("4 of 12").first.wait_for()
    yield "2-running"
    page.get_by_text("12 of 12").first.wait_for()
    page.wait_for_timeout(800)
    page.locator(".wonda-card").first.focus()
    for key in ("Space", "f", "ArrowRight", "ArrowRight", "Space"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    yield "3-chosen"
    page.keyboard.press("Enter")
    page.wait_for_timeout(1500)
    yield "4-look"
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Compare").click()
    page.locator(".wonda-compare img:visible").nth(1).wait_for()
    page.wait_for_timeout(800)
    yield "5-compare"
    page.get_by_role("button", name="Slider").click()
    page.wait_for_timeout(300)
    yield "6-slider"
    page.get_by_role("button", name="Publish left").click()
    page.get_by_role("textbox", name="Caption").wait_for()
    page.wait_for_timeout(800)
    yield "7-publish"
    page.get_by_role("textbox", name="Template").fill("A {subject} and {nobody}")
    page.wait_for_timeout(800)
    yield "8-bad-input"


def history(page: Page) -> Iterator[str]:
    """Everything ever made, searched, and used again."""
    page.locator(".wonda-card img:visible").nth(5).wait_for()
    page.wait_for_function(
        """() => [...document.querySelectorAll(".wonda-card")].every((card) => {
            const img = card.querySelector("img");
            return !card.offsetParent || (img.offsetParent && img.complete);
        })"""
    )
    yield "1-all"
    page.get_by_role("searchbox").fill("storm")
    page.wait_for_timeout(1500)
    yield "2-found"
    page.get_by_role("searchbox").fill("nothing like it")
    page.wait_for_timeout(1500)
    yield "3-nothing"
    page.get_by_role("searchbox").fill("")
    page.wait_for_timeout(1500)
    page.locator(".wonda-card:visible").first.click()
    page.get_by_role("button", name="Use prompt…").first.click()
    page.wait_for_timeout(2500)
    yield "4-again"


def posts(page: Page) -> Iterator[str]:
    """Several images as one post, and one that waits for its time."""
    run = page.get_by_role("button", name="Run 8")
    run.wait_for()
    page.wait_for_timeout(500)
    run.click()
    page.get_by_text("8 of 8").first.wait_for()
    page.wait_for_timeout(800)
    page.locator(".wonda-card").first.focus()
    for key in ("Space", "ArrowRight", "Space", "ArrowRight", "Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Carousel…").click()
    form = page.locator(".wonda-carousel")
    form.get_by_text("not JPEG").first.wait_for()
    form.get_by_role("textbox", name="Caption").fill("Four looks at one sea")
    yield "1-carousel"
    form.get_by_role("button", name="Fit all images").click()
    form.get_by_text("All are JPEG").wait_for()
    form.get_by_role("button", name="Move right").first.click()
    # What is published is what was seen: a click before the answer would be of the old order.
    expect(form.get_by_role("button", name=re.compile("^Move right: image 2"))).to_be_focused()
    form.get_by_role("button", name="Publish", exact=True).click()
    form.get_by_role("button", name="Publish now").wait_for()
    yield "2-confirm"
    form.get_by_role("button", name="Publish now").click()
    form.get_by_role("link", name="View post").wait_for()
    yield "3-posted"
    page.locator(".wonda-card").first.focus()
    for key in ("Space", "ArrowRight", "Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Publish…").click()
    single = page.locator(".wonda-publish:not(.wonda-carousel)")
    single.get_by_role("combobox", name="When").select_option("later")
    single.get_by_role("textbox", name="Caption").fill("For tomorrow")
    page.wait_for_timeout(800)
    yield "4-later"
    single.get_by_role("button", name="Schedule", exact=True).click()
    single.get_by_role("button", name="Schedule post").click()
    page.get_by_role("list", name="Scheduled posts").wait_for()
    page.get_by_role("button", name="Cancel the post").click()
    yield "5-scheduled"


def unchecked(page: Page) -> Iterator[str]:
    """A post whose history cannot be read."""
    page.get_by_role("textbox", name="Prompt").wait_for()
    page.get_by_role("combobox", name="Aspect ratio").select_option("4:5")
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("img", name="A quiet harbor").first.wait_for()
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish anyway").wait_for()
    yield "1-asked"
    page.get_by_role("button", name="Publish anyway").click()
    page.get_by_role("button", name="Publish now").click()
    page.get_by_role("link", name="View post").wait_for()
    yield "2-posted"


def video(page: Page) -> Iterator[str]:
    """From a prompt to a video, a fix of it, and a reel; then an animated image."""
    generate = page.get_by_role("button", name="Generate")
    page.get_by_text("about $").first.wait_for()
    yield "1-empty"
    generate.click()
    page.get_by_text("in_progress", exact=True).wait_for()
    yield "2-running"
    page.locator("video").first.wait_for()
    page.get_by_role("button", name="Pad to 9:16").wait_for()
    page.wait_for_timeout(1500)
    yield "3-video"
    page.get_by_role("button", name="Pad to 9:16").click()
    page.get_by_role("button", name="Apply padding").wait_for()
    yield "4-pad"
    page.get_by_role("button", name="Apply padding").click()
    page.get_by_text("This video was edited.").wait_for()
    page.wait_for_timeout(1000)
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish now").wait_for()
    yield "5-confirm"
    page.get_by_role("button", name="Publish now").click()
    page.get_by_role("link", name="View post").wait_for()
    yield "6-posted"
    page.get_by_role("combobox", name="Output").select_option("image")
    generate.click()
    page.get_by_role("button", name="Animate").click()
    page.wait_for_timeout(1000)
    yield "7-animate"


def video_lab(page: Page) -> Iterator[str]:
    """A plan of two videos, enlarged and compared."""
    page.get_by_role("button", name="Run 2").wait_for()
    page.wait_for_timeout(500)
    yield "1-plan"
    page.get_by_role("button", name="Run 2").click()
    page.get_by_text("2 of 2").first.wait_for()
    page.wait_for_timeout(1500)
    yield "2-made"
    page.locator(".wonda-card").first.focus()
    for key in ("Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    page.get_by_role("button", name="Compare").click()
    page.wait_for_timeout(2500)
    yield "3-compare"


def decision(page: Page) -> Iterator[str]:
    """Two wordings, a table and two takes; the grid, and a review of four images."""
    run = page.get_by_role("button", name="Run 12")
    run.wait_for()
    page.wait_for_timeout(500)
    yield "1-plan"
    run.click()
    page.get_by_text("12 of 12").first.wait_for()
    page.get_by_label("Arrangement").select_option("grid", force=True)
    page.locator(".wonda-axis-grid img:visible").nth(11).wait_for()
    page.wait_for_timeout(800)
    yield "2-grid"
    for at in (0, 3, 6, 9):
        page.locator(".wonda-card").nth(at).focus()
        page.keyboard.press("Space")
    page.get_by_text("4 selected").wait_for()
    page.get_by_role("button", name="Review").click()
    page.locator(".wonda-review-image img:visible").nth(1).wait_for()
    page.wait_for_timeout(800)
    yield "3-review"
    page.get_by_role("button", name="Enlarge").click()
    page.wait_for_timeout(500)
    yield "4-enlarged"
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Results").click()
    page.wait_for_timeout(300)
    yield "5-results-too-soon"
    page.get_by_label("Your name").fill("Ana")
    page.get_by_label("Your name").press("Tab")
    for _ in range(6):
        page.get_by_role("button", name="The left one is better").click()
        page.wait_for_timeout(700)
    page.get_by_text("Thank you.").wait_for()
    page.wait_for_timeout(1500)
    yield "6-results"


def approval(page: Page) -> Iterator[str]:
    """One image after another, approved or rejected."""
    page.locator(".wonda-review-image img:visible").wait_for()
    yield "1-first"
    page.get_by_label("Comment").fill("The horizon is level, the light is warm.")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Reject").click()
    page.wait_for_timeout(700)
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("Thank you.").wait_for()
    page.get_by_role("button", name="Results").click()
    page.locator(".wonda-review-table img:visible").nth(2).wait_for()
    page.wait_for_timeout(500)
    yield "2-results"


def snippets(page: Page) -> Iterator[str]:
    """The panel of named pieces of prompts, and its use in a form."""
    page.get_by_text("style:noir").first.wait_for()
    page.wait_for_timeout(500)
    yield "1-list"


class Scene(NamedTuple):
    """A cell, and what is done with the panel that it shows."""

    cell: str
    states: Callable[[Page], Iterator[str]]
    panel: str = ".wonda-studio"


SCENES = {
    "studio": Scene(STUDIO, studio),
    "lab": Scene(LAB, lab),
    "history": Scene(HISTORY, history),
    "posts": Scene(POSTS, posts),
    "unchecked": Scene(UNCHECKED, unchecked),
    "decision": Scene(DECISION, decision),
    "approval": Scene(APPROVAL, approval, ".wonda-review"),
    "snippets": Scene(SNIPPETS, snippets, ".wonda-snippets-panel"),
    "video": Scene(VIDEO, video),
    "video_lab": Scene(VIDEO_LAB, video_lab),
}


def take(browser: Browser, url: str, scene: str, width: int, folder: Path, name: str) -> None:
    """Save an image of each state at one width."""
    is_lab = name.startswith("lab")
    # JupyterLab has bars at both sides; the panel is to have the width that was asked for.
    size = {"width": width + (160 if is_lab else 40), "height": 3200}
    context = browser.new_context(viewport=size)
    page = context.new_page()
    page.set_default_timeout(60_000)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    if is_lab:
        frontends.open_notebook(page, url, f"{scene}.ipynb")
        frontends.run_all(page)
    else:
        page.goto(url)
    panel = page.locator(SCENES[scene].panel).first
    panel.wait_for()
    for state in SCENES[scene].states(page):
        page.wait_for_timeout(300)
        dialog = page.locator("dialog[open]")
        shown = dialog if dialog.count() else panel
        shown.screenshot(path=folder / f"{scene}-{state}-{width}-{name}.png")
    if broken:
        sys.exit(f"{scene} {width} {name}: the page had errors: {broken}")
    context.close()


def everything(folder: Path, scenes: list[str]) -> None:
    """Take all images of these scenes."""
    folder.mkdir(parents=True, exist_ok=True)
    with frontends.chromium() as browser:
        for theme in ("light", "dark"):
            with tempfile.TemporaryDirectory() as scratch:
                home = Path(scratch)
                dark = theme == "dark"
                written = {
                    scene: frontends.write_notebook(home / f"{scene}.ipynb", SCENES[scene].cell)
                    for scene in scenes
                }
                with frontends.jupyterlab(home, home / "lab", dark=dark) as url:
                    for scene in scenes:
                        for width in WIDTHS:
                            take(browser, url, scene, width, folder, f"lab-{theme}")
                for scene, notebook in written.items():
                    with frontends.voila(notebook, home / f"voila-{scene}", dark=dark) as url:
                        for width in WIDTHS:
                            take(browser, url, scene, width, folder, f"voila-{theme}")


if __name__ == "__main__":
    chosen = sys.argv[2:] or list(SCENES)
    if len(sys.argv) < 2 or set(chosen) - set(SCENES):
        sys.exit(__doc__)
    everything(Path(sys.argv[1]), chosen)
