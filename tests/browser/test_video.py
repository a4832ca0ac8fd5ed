"""Videos in real browsers: generate, play, post, animate; and where their bytes come from."""

from __future__ import annotations

import contextlib
import re

import frontends
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import KEY
from playwright.sync_api import expect

PROMPT = "A quiet harbor at dawn"
STUDIO = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.8, seed=4)
studio = ww.Studio(wonda, kind="video", caption="Made with Wonda")
studio"""
MARIMO = (
    "import wonda_widgets as ww",
    "wonda = ww.Wonda.sandbox(seconds=0.8, seed=4)",
    """studio = ww.Studio(wonda, kind="video", caption="Made with Wonda")
studio""",
)

#: A sandbox with addresses that the browser can reach, in a process of its own.
REMOTE = f"""import subprocess, sys
import wonda_widgets as ww
server = subprocess.Popen(
    [sys.executable, "-m", "wonda_widgets", "sandbox", "--port", "0", "--seconds", "0.8"],
    stdout=subprocess.PIPE, text=True,
)
address = server.stdout.readline().strip()
wonda = ww.Wonda("{KEY}", base_url=address, journal=":memory:")
studio = ww.Studio(wonda, kind="video")
studio"""


@pytest.fixture
def opened(page, folder, tmp_path, request):
    """Open cells in a front end and run them."""
    with contextlib.ExitStack() as stack:

        def open_in(front_end, *cells):
            if front_end == "marimo":
                path = frontends.write_marimo(tmp_path / "video.py", *cells)
                page.goto(stack.enter_context(frontends.marimo(path, tmp_path / "home")))
            elif front_end == "voila":
                path = frontends.write_notebook(tmp_path / "video.ipynb", *cells)
                page.goto(stack.enter_context(frontends.voila(path, tmp_path / "home")))
            else:
                name = f"video-{tmp_path.name}.ipynb"
                frontends.write_notebook(folder / name, *cells)
                frontends.open_notebook(page, request.getfixturevalue("lab"), name)
                frontends.run_all(page)
            return page

        yield open_in
        page.goto("about:blank")


def generate(page, prompt=PROMPT):
    page.get_by_role("textbox", name="Prompt", exact=True).fill(prompt)
    page.get_by_role("button", name="Generate", exact=True).first.click()
    expect(page.get_by_role("progressbar", name="Generation").first).to_be_visible()
    return page.locator(f"video[aria-label='{prompt}']")


def play(video):
    """Play a video and wait until its position moves."""
    expect(video).to_be_visible()
    return video.evaluate(
        """async (video) => {
            const until = async (condition) => {
                const end = Date.now() + 25000;
                while (!condition()) {
                    if (Date.now() > end) throw new Error(`${video.readyState} ${video.error}`);
                    await new Promise((done) => setTimeout(done, 50));
                }
            };
            await until(() => video.readyState >= 2);
            video.muted = true;
            await video.play();
            await until(() => video.currentTime > 0.3);
            video.pause();
            return video.src.split(":")[0];
        }"""
    )


@pytest.mark.parametrize("front_end", ["jupyterlab", "voila", "marimo"])
def test_from_a_prompt_to_a_reel(opened, front_end):
    page = opened(front_end, *(MARIMO if front_end == "marimo" else [STUDIO]))
    assert play(generate(page)) == "blob"
    expect(page.get_by_text("720 × 1280 · 5 s long")).to_be_visible()
    page.get_by_role("button", name="Publish", exact=True).click()
    expect(page.get_by_text("Ready to post to @lantern.shop")).to_be_visible()
    page.get_by_role("button", name="Publish now").click()
    link = page.get_by_role("link", name="View post")
    expect(link).to_have_attribute("href", re.compile(r"^http://127\.0\.0\.1:\d+/posts/"))


def test_image_is_animated(opened):
    page = opened("jupyterlab", STUDIO)
    output = page.get_by_role("combobox", name="Output")
    output.select_option("image")
    page.get_by_role("textbox", name="Prompt", exact=True).fill("A lighthouse")
    page.get_by_role("button", name="Generate", exact=True).first.click()
    page.get_by_role("button", name="Animate").click()
    expect(output).to_have_value("video")
    expect(page.get_by_role("img", name="Reference image 1: Start image")).to_be_visible()
    play(generate(page, "The light turns"))
    expect(page.get_by_role("button", name=re.compile("^Show: "))).to_have_count(2)
    for is_light in ("true", "false"):
        page.evaluate("(is_light) => document.body.dataset.jpThemeLight = is_light", is_light)
        result = Axe().run(page, context=".wonda")
        assert result.violations_count == 0, result.generate_report()


def test_reachable_address_is_played_without_the_key(opened):
    requests = []
    page = opened("jupyterlab", REMOTE, "studio.media and studio.media.url")
    page.on("request", lambda request: requests.append(request))  # noqa: PLW0108 - playwright
    video = generate(page)
    assert play(video) == "http"
    found = [each for each in requests if each.resource_type == "media"]
    assert found
    for request in found:
        sent = request.all_headers()
        assert "authorization" not in sent
        assert KEY not in f"{request.url} {sent}"
        assert "range" in sent  # so that seeking does not need the whole file
    assert video.evaluate(
        """(video) => new Promise((done) => {
            video.onseeked = () => done(video.currentTime);
            video.currentTime = 4;
        })"""
    ) == pytest.approx(4, abs=0.2)


def test_videos_are_found_and_compared_in_sync(opened):
    page = opened(
        "jupyterlab",
        """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.1, seed=4)
for prompt in ("A harbor", "A hill"):
    wonda.videos.generate(model="seedance-2", prompt=prompt, params={"duration": 5}).wait()
wonda.images.generate(model="z-image", prompt="A lake").wait()
history = ww.History(wonda)
history""",
    )
    cards = page.get_by_role("gridcell")
    expect(cards).to_have_count(3)
    page.get_by_role("combobox", name="Show only: images or videos").select_option("video")
    expect(cards).to_have_count(2)
    cards.first.dblclick()
    dialog = page.get_by_role("dialog")
    play(dialog.locator("video"))
    dialog.get_by_role("button", name="Close").click()
    for card in cards.all():
        if card.get_attribute("aria-selected") != "true":
            card.click()
    page.get_by_role("button", name="Compare", exact=True).click()
    videos = page.locator(".wonda-compare video")
    expect(videos).to_have_count(2)
    for video in videos.all():
        video.evaluate("(video) => { video.muted = true; }")
        expect(video).to_have_js_property("readyState", 4)
    page.locator(".wonda-compare").get_by_role("button", name="Play").click()
    page.wait_for_function(
        """() => [...document.querySelectorAll(".wonda-compare video")].every(
            (video) => video.currentTime > 0.5
        )"""
    )
    page.locator(".wonda-compare").get_by_role("button", name="Pause").click()
    times = [video.evaluate("(video) => video.currentTime") for video in videos.all()]
    assert abs(times[0] - times[1]) < 0.4
    page.get_by_role("slider", name="Position in all videos").fill("3")
    for video in videos.all():
        expect(video).to_have_js_property("currentTime", 3)
