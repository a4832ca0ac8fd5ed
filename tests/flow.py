"""From a prompt to a post in a front end's page, as a person does it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

CELL = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=1.5, seed=4)
studio = ww.Studio(wonda, params={"aspectRatio": "4:5"}, caption="Made with Wonda")
studio"""
PROMPT = "A paper lantern on a wooden table"


def from_prompt_to_post(page: Page) -> None:
    """Generate an image in the only `Studio` of a page and publish it."""
    expect(page.get_by_role("note")).to_contain_text("nothing is published")
    generate(page)
    publish(page)


def generate(page: Page, prompt: str = PROMPT) -> None:
    """Type a prompt in the first form, press Generate, and wait until its image is painted."""
    page.get_by_role("textbox", name="Prompt").first.fill(prompt)
    page.get_by_role("button", name="Generate", exact=True).first.click()
    expect(page.get_by_role("progressbar", name="Generation").first).to_be_visible()
    image = page.get_by_role("img", name=prompt).first
    expect(image).to_be_visible()
    assert image.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 500


def publish(page: Page) -> None:
    """Publish the image and wait for the link to the post."""
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("Ready to post to @lantern.shop")).to_be_visible()
    page.get_by_role("button", name="Publish now").click()
    expect(page.get_by_role("progressbar", name="Publishing")).to_be_visible()
    link = page.get_by_role("link", name="View post")
    expect(link).to_have_attribute("href", re.compile(r"^http://127\.0\.0\.1:\d+/posts/"))
    # The static output is there for readers without a kernel, and only for them.
    expect(page.locator("[class*=wonda-fallback]")).to_be_hidden()
