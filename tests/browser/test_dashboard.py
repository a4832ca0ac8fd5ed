"""The dashboard served by one command, with several visitors."""

from __future__ import annotations

import contextlib
import json
import re
import sys

import frontends
import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Start `wonda-widgets demo --voila`; gives its address."""
    with contextlib.ExitStack() as stack:

        def start(*options):
            folder = tmp_path_factory.mktemp("demo")
            port = frontends.free_port()
            command = [sys.executable, "-m", "wonda_widgets", "demo", "--voila", "--no-browser"]
            url = f"http://127.0.0.1:{port}/"
            command += ["--port", str(port), *options]
            env = frontends.environment(tmp_path_factory.mktemp("home"))
            probe = f"{url}voila/static/voila.js"
            stack.enter_context(frontends.running(command, folder, env, probe))
            return url

        yield start


@pytest.fixture(scope="module")
def campaign(served):
    return served("--title", "Harbour campaign", "--budget", "0.30")


@pytest.fixture
def visitor(browser):
    """Open the page as one more visitor."""
    contexts = []
    errors = []

    def come(url, **how):
        context = browser.new_context(viewport={"width": 1300, "height": 1000}, **how)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        errors.append(frontends.watch_console(page))
        page.goto(url)
        return page

    yield come
    for context in contexts:
        context.close()
    assert [each for some in errors for each in some] == []


def ready(page):
    generate = page.get_by_role("button", name="Generate")
    expect(generate).to_have_attribute("aria-disabled", "false", timeout=60_000)
    return page


def begin(page, prompt):
    page.get_by_role("textbox", name="Prompt").fill(prompt)
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("progressbar", name="Generation")).to_be_visible()
    expect(page.get_by_text(re.compile(r"^(idle|locked|in_progress)$"))).to_be_visible()


def test_visitors_who_reload_during_a_job_get_their_images(campaign, visitor):
    one, other = ready(visitor(campaign)), ready(visitor(campaign))
    begin(one, "A lighthouse of the first")
    begin(other, "A harbour of the second")
    one.get_by_role("textbox", name="Caption").fill("Typed by the first")
    one.wait_for_timeout(1000)
    for page in (one, other):
        page.reload()
    expect(one.locator("img.wonda-image")).to_have_attribute(
        "alt", "A lighthouse of the first", timeout=60_000
    )
    expect(other.locator("img.wonda-image")).to_have_attribute(
        "alt", "A harbour of the second", timeout=60_000
    )
    expect(one.get_by_role("textbox", name="Prompt")).to_have_value("A lighthouse of the first")
    expect(one.get_by_role("textbox", name="Caption")).to_have_value("Typed by the first")
    # Each image was paid for once, and both visitors see both, with whose it is to mark.
    for page in (one, other):
        expect(page.get_by_text("$0.08 of $0.30 spent today")).to_be_visible()
        expect(page.locator(".wonda-timeline-title")).to_have_count(2)
        expect(page.locator(".wonda-gallery .wonda-card img:visible")).to_have_count(2)
    card = one.get_by_role("gridcell", name="A harbour of the second")
    card.dblclick()
    look = one.get_by_role("dialog", name="Image")
    expect(look.get_by_text("PNG")).to_be_visible()
    expect(look.get_by_role("button", name="Favorite")).to_be_hidden()
    expect(look.get_by_role("textbox", name="Note")).to_be_hidden()
    one.keyboard.press("Escape")
    one.get_by_role("gridcell", name="A lighthouse of the first").dblclick()
    expect(look.get_by_role("button", name="Favorite")).to_be_visible()
    one.keyboard.press("Escape")


def test_budget_applies_to_all_visitors(campaign, visitor):
    page = ready(visitor(campaign))
    page.get_by_role("combobox", name="Resolution").select_option("4K")
    page.get_by_role("textbox", name="Prompt").fill("Too dear for today")
    for _ in range(8):
        page.get_by_role("button", name="Generate").click()
        alert = page.get_by_role("alert").filter(has_text="budget is left")
        done = page.get_by_text("succeeded", exact=True)
        expect(alert.or_(done).first).to_be_visible(timeout=60_000)
        if alert.is_visible():
            break
        expect(page.get_by_role("button", name="Generate")).to_have_attribute(
            "aria-disabled", "false"
        )
    expect(alert).to_contain_text("Nothing was sent.")
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("Too dear for today")


def test_page_mentions_no_notebook_and_contacts_no_other_host(campaign, visitor):
    page = visitor("about:blank")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(campaign, wait_until="commit")
    expect(page.get_by_text("Loading the page.")).to_be_visible()
    ready(page)
    assert page.title() == "Harbour campaign"
    words = page.locator("body").inner_text()
    assert not re.search(r"kernel|cell\b|notebook|Executing|ww\.", words, re.IGNORECASE)
    assert [url for url in asked if not url.startswith((campaign, "data:", "blob:"))] == []


def test_presenter_mode_hides_publishing_and_enlarges_type(served, visitor):
    page = ready(visitor(served("--presenter")))
    expect(page.get_by_role("heading", name="Publish to Instagram")).to_be_hidden()
    height = page.get_by_role("button", name="Generate").bounding_box()["height"]
    page.get_by_role("button", name="Presenter").click()
    expect(page.get_by_role("heading", name="Publish to Instagram")).to_be_visible()
    expect(page.get_by_role("button", name="Presenter")).to_have_attribute("aria-pressed", "false")
    assert page.get_by_role("button", name="Generate").bounding_box()["height"] < 0.8 * height


def kill_kernel_of(page):
    about = json.loads(page.locator("#jupyter-config-data").text_content())
    name = f"kernel-{about['kernelId']}.json"
    [process] = [
        each
        for each in psutil.process_iter(["cmdline"])
        if any(name in word for word in each.info["cmdline"] or ())
    ]
    process.kill()


def test_ended_session_is_reported_and_reload_continues(campaign, visitor):
    page = ready(visitor(campaign))
    page.get_by_role("textbox", name="Prompt").fill("Typed before the end")
    page.wait_for_timeout(1000)
    kill_kernel_of(page)
    ended = page.get_by_role("dialog", name="The session has ended")
    expect(ended).to_be_visible(timeout=120_000)
    expect(ended.get_by_role("button", name="Reload")).to_be_focused()
    page.keyboard.press("Escape")
    expect(ended).to_be_visible()
    ended.get_by_role("button", name="Reload").click()
    ready(page)
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("Typed before the end")


@pytest.fixture(scope="module")
def told(served):
    """A dashboard with a story."""
    return served("--title", "With a story")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dashboard_passes_axe(told, visitor, record_property, scheme):
    page = ready(visitor(told, color_scheme=scheme, reduced_motion="reduce"))
    page.get_by_role("button", name="Generate").click()
    expect(page.locator(".wonda-timeline-list li").first).to_be_visible(timeout=60_000)
    expect(page.locator(".wonda-gallery .wonda-card img:visible").first).to_be_visible()
    found = Axe().run(page)
    record_property("accessibility", f"dashboard|{scheme}|{found.violations_count}")
    assert found.violations_count == 0, found.generate_report()


def test_reloaded_page_shows_earlier_images(told, visitor):
    page = ready(visitor(told))
    image = page.locator("img.wonda-image")
    for prompt in ("A sunset to be opened again", "An image that stays mine"):
        ready(page)
        page.get_by_role("textbox", name="Prompt").fill(prompt)
        page.get_by_role("button", name="Generate").click()
        expect(image).to_have_attribute("alt", prompt, timeout=60_000)
    page.reload()
    ready(page)
    expect(image).to_have_attribute("alt", "An image that stays mine", timeout=60_000)
    expect(page.get_by_role("button", name="Publish", exact=True)).to_have_attribute(
        "aria-disabled", "false"
    )
    others = page.get_by_role("gridcell", name=re.compile("^A sunset")).first
    others.click()
    page.get_by_role("button", name="Open in Studio").click()
    expect(image).to_have_attribute("alt", re.compile("^A sunset"))


def test_no_control_writes_files_on_the_server(told, visitor):
    page = ready(visitor(told))
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("button", name="Download")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Edit", exact=True)).to_be_visible()
    for hidden in (
        page.get_by_role("button", name="Save to folder", exact=True),
        page.get_by_role("combobox", name="Export"),
    ):
        expect(hidden).to_have_count(0)
    # Shown by hand it is refused all the same.
    page.evaluate(
        "() => [...document.querySelectorAll('button')].find("
        "(each) => each.textContent === 'Save to folder').click()"
    )
    refusal = page.get_by_role("alert").filter(has_text="Saving on the server is disabled here.")
    expect(refusal).to_be_visible()


def test_controls_that_write_files_appear_in_a_notebook(notebook):
    page = notebook("owner.ipynb", "import wonda_widgets as ww\nww.Studio(prompt='A lake')")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("button", name="Save to folder", exact=True)).to_be_visible(
        timeout=60_000
    )


def test_two_people_review_by_a_link_and_can_do_nothing_else(served, visitor):
    owner = ready(visitor(served("--title", "Cover"), permissions=["clipboard-read"]))
    for prompt in ("A lighthouse at dawn", "A harbor after rain"):
        begin(owner, prompt)
        expect(owner.locator("img.wonda-image")).to_have_attribute("alt", prompt, timeout=60_000)
    # A new image moves the cards before it.
    expect(owner.get_by_role("gridcell").first).to_have_accessible_name("A harbor after rain")
    for prompt in ("A lighthouse at dawn", "A harbor after rain"):
        owner.get_by_role("gridcell", name=prompt).click()
    expect(owner.get_by_text("2 selected")).to_be_visible()
    owner.get_by_role("button", name="Review…").click()
    owner.get_by_role("textbox", name="Question").fill("Which one is the cover?")
    expect(owner.get_by_role("heading", name="Which one is the cover?")).to_be_visible()
    owner.get_by_role("button", name="Copy link for others").click()
    expect(owner.get_by_role("button", name="Copied")).to_be_visible()
    link = owner.evaluate("navigator.clipboard.readText()")

    people = [visitor(link), visitor(link)]
    for page, name in zip(people, ("Ana", "Ben"), strict=True):
        expect(page.get_by_role("heading", name="Which one is the cover?")).to_be_visible()
        expect(page.locator(".wonda-review-image img:visible")).to_have_count(2)
        for absent in ("Generate", "Publish", "Presenter mode"):
            expect(page.get_by_role("button", name=absent)).to_be_hidden()
        assert "lighthouse" not in page.locator(".wonda-review").inner_html()
        page.get_by_label("Your name").fill(name)
        if name == "Ana":
            page.get_by_label("Your name").press("Enter")
            page.keyboard.press("ArrowLeft")
        else:  # the click also leaves the field
            page.get_by_role("button", name="The left one is better").click()
        expect(page.get_by_text("Thank you. Your votes are recorded.")).to_be_visible()
    ana = people[0]
    ana.get_by_role("button", name="Results").click()
    expect(ana.get_by_text("2 votes by 2 people")).to_be_visible()
    expect(ana.locator(".wonda-review-table tbody tr")).to_have_count(2)
    found = Axe().run(ana, options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert found.violations_count == 0, found.generate_report()
    ana.keyboard.press("Backspace")
    expect(ana.locator(".wonda-review-stage")).to_be_visible()
    expect(ana.get_by_text("1 vote by 1 person")).to_be_visible()
    ana.get_by_role("button", name="Enlarge").click()
    large = ana.get_by_role("dialog", name="Two images")
    expect(large.get_by_role("img")).to_have_count(2)
    large.get_by_role("button", name="Zoom in").click()
    ana.keyboard.press("ArrowLeft")  # moves the images; does not vote
    found = Axe().run(ana, options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert found.violations_count == 0, found.generate_report()
    expect(ana.get_by_text("1 vote by 1 person")).to_be_visible()
    large.get_by_role("button", name="Fit the whole image").click()
    ana.keyboard.press("ArrowDown")
    expect(large).to_be_hidden()
    expect(ana.get_by_text("2 votes by 2 people")).to_be_visible()
