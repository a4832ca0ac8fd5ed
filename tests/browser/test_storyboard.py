"""The storyboard file in a real Chromium."""

from __future__ import annotations

import re

import frontends
import pytest
from axe_playwright_python.sync_playwright import Axe
from msgspec.structs import replace
from playwright.sync_api import expect

import wonda_widgets as ww
from wonda_widgets.api.accounts import AsyncAccounts
from wonda_widgets.api.history import AsyncHistory
from wonda_widgets.api.media import AsyncMedia
from wonda_widgets.client.edit import (
    Crop,
    Edit,
    Encode,
    Text,
)
from wonda_widgets.utils import event_loop

EVIL = (
    "</h2></title><script>window.ran = 1</script><img src=x onerror='window.ran = 2'>"
    "<a href='javascript:window.ran=3'>x</a><iframe srcdoc='<script>top.ran=4</script>'></iframe>"
    "<form action=https://example.org><button>Send</button></form>\u202e\u2028\0\ud83d"
)


@pytest.fixture(scope="module")
def wonda():
    with ww.Wonda.sandbox(seconds=0.01, seed=4, journal=":memory:") as client:
        yield client


@pytest.fixture(scope="module")
def images(wonda):
    for prompt in ("A sunset over the ocean", "A storm, low haze", "A harbour at dawn"):
        wonda.images.generate(model="nano-banana-2", prompt=prompt).wait()
    found = wonda.history.search()[::-1]
    found[0] = wonda.history.mark(found[0], rating=4, favorite=True, note="The mood")
    edit = Edit(found[0].media, wonda=wonda)
    edit.add(Crop(x=0, y=0, width=700, height=700), Text(text="New"), Encode(format="JPEG"))
    post = {
        "media_id": edit.upload().media_id,
        "instagram_account_id": wonda.accounts.instagram()[0].instagram_account_id,
    }
    wonda.publish.instagram(**post, caption="Open sea", alt_text="A square sunset").wait()
    return found


@pytest.fixture(scope="module")
def story(wonda, images, tmp_path_factory):
    path = tmp_path_factory.mktemp("mail") / "story.html"
    return ww.storyboard(images, path, title="Autumn", wonda=wonda)


@pytest.fixture
def opened(browser):
    """Open a file as a mail program hands it over; nothing else may be asked for."""
    contexts, files, asked, errors, watched = [], [], [], [], []

    def open_it(path, **how):
        context = browser.new_context(offline=True, **how)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.bring_to_front()
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: errors.append(dialog.message))
        page.on("popup", lambda popup: errors.append(popup.url))
        watched.append(frontends.watch_console(page))
        page.goto(path.as_uri())
        files.append(path.as_uri())
        return page

    yield open_it
    assert [url for url in asked if not url.startswith("data:image/")] == files
    assert [*errors, *(error for some in watched for error in some)] == []
    for context in contexts:
        context.close()


def test_page_is_complete_without_scripts_and_network(opened, story):
    page = opened(story, java_script_enabled=False)
    expect(page.get_by_role("heading", level=1, name="Autumn")).to_be_visible()
    expect(page.get_by_text("3 images, 1 edited, 1 posted")).to_be_visible()
    first = page.get_by_role("article", name="A sunset over the ocean")
    expect(first.get_by_text("cropped to 700 × 700")).to_be_visible()
    expect(first.get_by_role("heading", name="Posted to @lantern.shop")).to_be_visible()
    expect(first.get_by_text("Open sea")).to_be_visible()
    expect(first.get_by_role("link", name="View post")).to_be_visible()
    expect(first.get_by_role("list", name="Events")).to_contain_text("requested")
    expect(first.get_by_role("img", name="A sunset over the ocean")).to_be_visible()
    expect(first.get_by_role("img", name="A square sunset")).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("A .*"))).to_have_count(4)
    assert page.get_by_role("button").count() == 0, "what needs the script is not there"


@pytest.mark.parametrize("width", [390, 1024, 1920])
def test_page_fits_and_all_images_are_decoded(opened, story, width):
    page = opened(story, viewport={"width": width, "height": 900})
    widths = page.evaluate("[...document.images].map((image) => image.naturalWidth)")
    assert len(widths) == 4
    assert min(widths) > 300
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1200])
def test_page_passes_axe(opened, story, record_property, scheme, width):
    page = opened(story, color_scheme=scheme, viewport={"width": width, "height": 900})
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")
    states = (
        ("page", lambda: None),
        ("chosen", page.locator(".choose").first.click),
        ("look", page.locator(".open").nth(1).click),
    )
    for state, bring in states:
        bring()
        found = Axe().run(page)
        count = found.violations_count
        record_property("accessibility", f"storyboard {state} {width}|{scheme}|{count}")
        assert found.violations_count == 0, found.generate_report()


def test_enlarging_by_keyboard(opened, story):
    page = opened(story)
    keyboard = page.keyboard
    keyboard.press("Tab")
    first = page.get_by_role("button", name="A sunset over the ocean", exact=True)
    expect(first).to_be_focused()
    keyboard.press("Enter")
    look = page.get_by_role("dialog", name="Image")
    expect(look.get_by_role("img", name="A sunset over the ocean")).to_be_visible()
    expect(look.get_by_role("status")).to_have_text("1 of 4")
    keyboard.press("ArrowRight")
    expect(look.get_by_role("img", name="A square sunset")).to_be_visible()
    expect(look.get_by_text("cropped to 700 × 700")).to_be_visible()
    expect(look.get_by_text("Compare")).to_have_count(0)
    keyboard.press("ArrowLeft")
    keyboard.press("ArrowLeft")
    expect(look.get_by_role("img", name="A harbour at dawn")).to_be_visible()
    keyboard.press("Escape")
    expect(look).to_be_hidden()
    expect(page.get_by_role("button", name="A harbour at dawn", exact=True)).to_be_focused()


def test_comparing_by_keyboard(opened, story):
    page = opened(story)
    keyboard = page.keyboard
    keyboard.press("Tab")
    keyboard.press("Tab")
    one = page.get_by_role("button", name="Compare: A sunset over the ocean")
    expect(one).to_be_focused()
    keyboard.press("Enter")
    expect(one).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_text("One image is selected.")).to_be_visible()
    keyboard.press("Tab")
    keyboard.press("Tab")
    keyboard.press("Space")
    both = page.get_by_role("dialog", name="Two images side by side")
    expect(both.get_by_role("img")).to_have_count(2)
    boxes = [image.bounding_box() for image in both.get_by_role("img").all()]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
    keyboard.press("ArrowRight")
    expect(both.get_by_role("img")).to_have_count(2)
    keyboard.press("Escape")
    expect(both).to_be_hidden()
    expect(page.get_by_role("button", name="Compare: A square sunset")).to_be_focused()
    expect(one).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_text("One image is selected.")).to_have_count(0)


def test_hostile_text_neither_runs_nor_breaks_the_page(
    opened, wonda, images, tmp_path, monkeypatch
):
    async def named(_self):
        told = {"instagram_account_id": ids[0], "username": EVIL}
        return [ww.models.InstagramAccount(**told)]

    ids = [wonda.accounts.instagram()[0].instagram_account_id]
    monkeypatch.setattr(type(wonda._async.accounts), "instagram", named)
    core = wonda._async._core
    history = AsyncHistory(core, AsyncMedia(core), AsyncAccounts(core))  # it knows no names yet
    evil = replace(images[0], prompt=EVIL, model=EVIL, params={EVIL: EVIL}, note=EVIL)
    caption = EVIL.replace("\ud83d", "")
    wonda.publish.instagram(
        media_id=evil.media.media_id, instagram_account_id=ids[0], caption=caption, alt_text="x"
    ).wait()
    work = history.storyboard([evil], tmp_path / "evil.html", title=EVIL[:200])
    page = opened(event_loop.run_blocking(work))
    page.wait_for_timeout(300)
    assert page.evaluate("[window.ran, window.frames.length, document.forms.length]") == [
        None,
        0,
        0,
    ]
    assert page.locator("h1, h2").count() == 2
    assert page.locator("script").count() == 1
    expect(page.get_by_text("</h2></title><script>").first).to_be_visible()
    expect(page.get_by_role("link")).to_have_text(["View post", "View post"])
    page.locator(".open").first.click()
    page.locator("dialog").get_by_text("</h2></title><script>").wait_for()
    assert page.evaluate("window.ran ?? null") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [390, 1200])
def test_long_words_do_not_overflow(opened, wonda, images, tmp_path, width):
    word = "x" * 5_000
    long = replace(images[1], prompt=word, model=word, params={word: word}, note=word)
    path = ww.storyboard(long, tmp_path / "long.html", title=word[:200], wonda=wonda)
    page = opened(path, viewport={"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator(".open").first.click()
    expect(page.locator("dialog img")).to_be_visible()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= width


def test_content_security_policy_blocks_injected_scripts(browser, story, tmp_path):
    broken = tmp_path / "broken.html"
    inside = (
        "<main><script>window.ran=1</script><img src=x onerror='window.ran=2'>"
        "<p id=own style='color:red'>x</p><img src='http://127.0.0.1:9/x.png'>"
    )
    broken.write_text(story.read_text("utf-8").replace("<main>", inside, 1), "utf-8")
    context = browser.new_context()
    page = context.new_page()
    failed = []
    page.on("requestfinished", lambda request: failed.append(request.url))
    page.goto(broken.as_uri())
    page.wait_for_timeout(300)
    assert page.evaluate("window.ran ?? null") is None
    assert page.evaluate("getComputedStyle(own).color") != "rgb(255, 0, 0)"
    assert not [url for url in failed if url.startswith("http")]
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_print_layout(opened, story, scheme):
    page = opened(story, color_scheme=scheme)
    made = page.pdf(prefer_css_page_size=True, print_background=True)
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", made))
    assert 2 <= pages <= 3
    page.emulate_media(media="print", color_scheme=scheme)
    ink, paper = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    )
    assert (ink, paper) == ("rgb(29, 29, 34)", "rgb(255, 255, 255)")
    address = page.evaluate(
        "getComputedStyle(document.querySelector('.post-facts a'), '::after').content"
    )
    assert "/posts/" in address
    expect(page.locator(".choose").first).to_be_hidden()
    heights = page.evaluate(
        "[...document.images].map((image) => image.getBoundingClientRect().height)"
    )
    assert max(heights) < 200 / 25.4 * 96, "each fits on a page"
    assert (
        page.evaluate("getComputedStyle(document.querySelector('figure')).breakInside") == "avoid"
    )
