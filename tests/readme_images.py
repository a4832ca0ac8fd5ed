"""Take the README's screenshots.

python tests/readme_images.py
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import frontends
from PIL import Image
from screenshots import SCENES, take

import wonda_widgets as ww

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

FLOW = """import wonda_widgets as ww
ww.Studio(ww.Wonda.sandbox(seconds=3, seed=4), params={"aspectRatio": "4:5"})"""

#: The scenes that are shown, each in one state.
PANELS = {"studio": "3-image", "lab": "3-chosen", "history": "1-all"}

IMAGES = frontends.ROOT / "notebooks" / "images"
MOST_BYTES = 2_000_000  # of the moving image


def everything() -> None:
    """Take all of them."""
    IMAGES.mkdir(exist_ok=True)
    with frontends.chromium() as browser:
        for theme in ("light", "dark"):
            with tempfile.TemporaryDirectory() as scratch:
                home = Path(scratch)
                for scene in PANELS:
                    frontends.write_notebook(home / f"{scene}.ipynb", SCENES[scene].cell)
                with frontends.jupyterlab(home, home / "lab", dark=theme == "dark") as url:
                    for scene, state in PANELS.items():
                        take(browser, url, scene, 1100, home, f"lab-{theme}")
                        taken = home / f"{scene}-{state}-1100-lab-{theme}.png"
                        smaller(taken.read_bytes(), IMAGES / f"{scene}-{theme}.png")
        dashboard(browser)
        storyboard(browser)
        flow(browser)


def smaller(data: bytes, path: Path) -> None:
    """Write a screenshot with few colours, as its images have."""
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def dashboard(browser: Browser) -> None:
    """The page for people who never see a notebook, with a story of its own."""
    for theme in ("light", "dark"):
        with tempfile.TemporaryDirectory() as scratch:
            home = Path(scratch)
            port = frontends.free_port()
            command = [sys.executable, "-m", "wonda_widgets", "demo"]
            command += ["--voila", "--no-browser", "--port", str(port)]
            command += ["--title", "Harbor campaign", "--budget", "2"]
            url = f"http://127.0.0.1:{port}/"
            env = frontends.environment(home)
            with frontends.running(command, home, env, f"{url}voila/static/voila.js"):
                context = browser.new_context(
                    viewport={"width": 1500, "height": 1560}, color_scheme=theme
                )
                page = context.new_page()
                page.set_default_timeout(60_000)
                page.goto(url)
                visit(page)
                smaller(page.screenshot(), IMAGES / f"dashboard-{theme}.png")
                context.close()


def visit(page: Page) -> None:
    """Make two images, and post one."""
    for prompt in ("A lighthouse at dawn, low haze", "A harbor after rain, long lens"):
        page.get_by_text("about $0.04 ·").wait_for()
        page.get_by_role("textbox", name="Prompt").fill(prompt)
        page.get_by_role("button", name="Generate").click()
        page.locator(f'img.wonda-image[alt="{prompt}"]').wait_for()
    page.get_by_role("textbox", name="Caption").fill("Back in the harbor")
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish now").click()
    page.get_by_text("Posted", exact=True).wait_for()
    page.locator(".wonda-timeline-posted").wait_for()
    page.wait_for_timeout(1500)


def storyboard(browser: Browser) -> None:
    """The page that a script writes about a post."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "harbor.html"
        with ww.Wonda.sandbox(seconds=0.2, seed=4) as wonda:
            job = wonda.images.generate(
                model="nano-banana-2", prompt="A quiet harbor", params={"aspectRatio": "4:5"}
            )
            account = wonda.accounts.instagram()[0].instagram_account_id
            post = wonda.publish.instagram(
                media_id=job.wait().media.media_id,
                instagram_account_id=account,
                caption="Made with Wonda",
            )
            post.wait()
            ww.storyboard([job], path, title="Harbor campaign", wonda=wonda)
        for theme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": 1100, "height": 800}, color_scheme=theme
            )
            page = context.new_page()
            page.goto(path.as_uri())
            page.wait_for_timeout(500)
            smaller(page.screenshot(full_page=True), IMAGES / f"storyboard-{theme}.png")
            context.close()


class Camera:
    """Takes the frames of an image that moves."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.durations: list[int] = []

    def shoot(self, milliseconds: int, *, after: int = 0) -> None:
        """Take a frame that is shown so long, after so long."""
        self.page.wait_for_timeout(after)
        self.frames.append(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))
        self.durations.append(milliseconds)

    def press(self, name: str) -> None:
        """Point at a button, take a frame, press it."""
        target = self.page.get_by_role("button", name=name, exact=True)
        target.hover()
        self.shoot(700)
        target.click()


def flow(browser: Browser) -> None:
    """The whole flow as a moving image."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        notebook = frontends.write_notebook(home / "flow.ipynb", FLOW)
        with frontends.voila(notebook, home / "voila") as url:
            context = browser.new_context(viewport={"width": 1100, "height": 1090})
            page = context.new_page()
            page.set_default_timeout(60_000)
            page.goto(url)
            camera = Camera(page)
            act(page, camera)
            context.close()
    moving(camera.frames, camera.durations)


def act(page: Page, camera: Camera) -> None:
    """From an idea to a post."""
    page.get_by_text("about $0.04").wait_for()
    camera.shoot(800)
    words = "A sunset over the ocean, a lone sail on the horizon"
    for end in range(8, len(words) + 8, 8):
        page.get_by_role("textbox", name="Prompt").fill(words[:end])
        camera.shoot(160)
    camera.press("Generate")
    while not page.locator("img.wonda-image[src]").is_visible():
        camera.shoot(450, after=450)
    camera.shoot(1800, after=600)
    camera.press("Convert to JPEG")
    page.get_by_text("This image was edited.").wait_for()
    camera.shoot(900)
    page.get_by_role("textbox", name="Caption").fill("Made with Wonda")
    camera.press("Publish")
    page.get_by_role("button", name="Publish now").wait_for()
    camera.shoot(1200, after=300)
    camera.press("Publish now")
    page.get_by_text("Posted", exact=True).wait_for()
    camera.shoot(3500, after=300)


def moving(frames: list[Image.Image], durations: list[int]) -> None:
    """Write frames as one image that moves, within its bytes."""
    for quality in (80, 65, 50, 35):
        buffer = io.BytesIO()
        frames[0].save(
            buffer,
            "WEBP",
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            loop=0,
            quality=quality,
            method=6,
        )
        if len(buffer.getvalue()) <= MOST_BYTES:
            break
    (IMAGES / "flow.webp").write_bytes(buffer.getvalue())


if __name__ == "__main__":
    everything()
