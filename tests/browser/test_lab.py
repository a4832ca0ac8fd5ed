"""The prompt lab in a real JupyterLab, by keyboard alone."""

import re
import shutil

import frontends
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

CELL = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.5, seed=4)
lab = ww.PromptLab(wonda, params={"aspectRatio": ["4:5"]})
lab"""

FOUR = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.1, journal=":memory:")
wonda.images.matrix("A {a}", {"a": ["storm", "harbour"]}, ["z-image", "nano-banana-2"]).wait()
history = ww.History(wonda)
"""


def tab_to(page, name, *, back=False):
    """Press Tab until something with this name has the focus."""
    seen = []
    for _ in range(60):
        page.keyboard.press("Shift+Tab" if back else "Tab")
        found = page.evaluate(
            """() => {
                const at = document.activeElement;
                const label = at.labels?.[0]?.textContent;
                return at.getAttribute("aria-label") ?? label ?? at.textContent;
            }"""
        )
        if found.strip().startswith(name):
            return
        seen.append(found[:30])
    raise AssertionError(f"Tab does not lead to {name!r}: {seen}")


def run(page, code):
    """Run code in the notebook's kernel."""
    found = page.evaluate(
        """async (code) => {
            const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            return (await kernel.requestExecute({ code }).done).content;
        }""",
        code,
    )
    assert found["status"] == "ok", found


def make_four(page):
    """Write the plan and run it."""
    keyboard = page.keyboard
    page.get_by_role("textbox", name="Prompt template").focus()
    keyboard.type("A {subject}, {light}")
    expect(page.get_by_role("textbox", name="light")).to_be_visible()
    for name, values in (("subject", ("sunset", "storm")), ("light", ("haze", "violet dusk"))):
        tab_to(page, name)
        for value in values:
            keyboard.type(value)
            keyboard.press("Enter")
        expect(page.get_by_text(values[-1], exact=True).first).to_be_visible()
    expect(page.get_by_role("button", name="Run 4")).to_have_attribute("aria-disabled", "false")
    expect(page.get_by_text("$0.16 of $2.50 budget")).to_be_visible()
    keyboard.press("Control+Enter")
    expect(page.get_by_text("4 of 4", exact=True)).to_be_visible()
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 1, "the cell was not run again"


def publish(page):
    """Write a caption, look at the summary, post."""
    tab_to(page, "Caption")
    page.keyboard.type("Made with Wonda")
    tab_to(page, "Publish")
    expect(page.get_by_role("button", name="Publish", exact=True).first).to_have_attribute(
        "aria-disabled", "false"
    )
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="What will be posted")).to_be_focused()
    tab_to(page, "Publish now")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="View post")).to_be_visible()


def review_by_two(page):
    """Let two people decide between the selected images."""
    keyboard = page.keyboard
    tab_to(page, "Review", back=True)
    keyboard.press("Enter")
    review = page.locator(".wonda-lab .wonda-review")
    expect(review.locator("img:visible")).to_have_count(2)
    for name in ("Ana", "Ben"):
        tab_to(page, "Your name")
        keyboard.press("Control+a")
        keyboard.type(name)
        keyboard.press("Tab")
        expect(review.get_by_text("0 of 1 decided")).to_be_visible()
        tab_to(page, "The left one is better", back=True)
        keyboard.press("ArrowLeft")
        expect(review.get_by_text("Thank you. Your votes are recorded.")).to_be_visible()
    tab_to(page, "Results")
    keyboard.press("Enter")
    expect(review.get_by_text("2 votes by 2 people")).to_be_visible()
    expect(review.locator("tbody img:visible")).to_have_count(2)
    tab_to(page, "Close", back=True)
    keyboard.press("Enter")


def edit_to_a_square(page):
    """Crop the selected image, and use it."""
    keyboard = page.keyboard
    lab = page.locator(".wonda-lab")
    tab_to(page, "Edit", back=True)
    keyboard.press("Enter")
    edit = lab.locator(".wonda-edit")
    expect(edit.get_by_role("img")).to_be_visible()
    tab_to(page, "Crop")
    keyboard.press("Enter")
    tab_to(page, "1:1")
    keyboard.press("Enter")
    tab_to(page, "Apply")
    keyboard.press("Enter")
    expect(edit.locator(".wonda-changes li")).to_have_count(1)
    tab_to(page, "Use this image")
    keyboard.press("Enter")
    expect(edit.get_by_text("Uploaded")).to_be_visible()
    expect(lab.get_by_text(re.compile("^1:1, "))).to_be_visible()


def test_prompt_lab_notebook_by_keyboard(notebook, folder):
    shutil.copy(frontends.ROOT / "notebooks" / "prompt_lab.ipynb", folder)
    page = notebook("prompt_lab.ipynb")
    keyboard = page.keyboard
    lab = page.locator(".wonda-lab")
    expect(page.get_by_role("button", name="Run 18")).to_have_attribute("aria-disabled", "false")
    expect(page.get_by_text("3 templates × 3 rows × 1 model × 2 takes")).to_be_visible()
    page.get_by_role("textbox", name="Template A", exact=True).focus()
    tab_to(page, "Run 18")
    keyboard.press("Enter")
    # The cells below run meanwhile; what the panel asks for waits for their end.
    expect(lab.get_by_text("18 of 18", exact=True)).to_be_visible(timeout=60_000)

    tab_to(page, "Arrangement")
    keyboard.press("ArrowRight")
    expect(lab.get_by_role("columnheader", name="collage")).to_be_visible()
    expect(lab.get_by_role("rowheader", name="harbor")).to_be_visible()
    expect(lab.locator(".wonda-card img:visible").first).to_be_visible()
    tab_to(page, "A lighthouse by the sea, low haze")
    keyboard.press("Space")
    keyboard.press("ArrowDown")
    expect(lab.get_by_role("gridcell", name="A harbor by the sea").first).to_be_focused()
    keyboard.press("f")
    keyboard.press("Space")
    expect(lab.get_by_text("2 selected")).to_be_visible()

    review_by_two(page)
    keyboard.press("Escape")
    lab.get_by_role("gridcell", name="A harbor by the sea").first.focus()
    keyboard.press("Escape")
    keyboard.press("Space")
    expect(lab.get_by_text("1 selected")).to_be_visible()
    edit_to_a_square(page)
    publish(page)
    found = Axe().run(page, context=".wonda-lab", options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert found.violations_count == 0, found.generate_report()


def test_from_a_template_to_a_post_by_keyboard(notebook):
    page = notebook("lab.ipynb", CELL)
    keyboard = page.keyboard
    make_four(page)
    tab_to(page, "A sunset, haze")
    keyboard.press("Space")
    keyboard.press("ArrowDown")
    keyboard.press("Space")
    expect(page.get_by_text("2 selected")).to_be_visible()
    cell = page.get_by_role("gridcell", name="A storm, haze")
    expect(cell).to_be_focused()
    expect(cell).to_have_attribute("aria-selected", "true")

    keyboard.press("Enter")
    look = page.get_by_role("dialog", name="Image")
    expect(look.get_by_text("PNG")).to_be_visible()
    keyboard.press("+")
    expect(look.locator(".wonda-zoomed")).to_be_visible()
    keyboard.press("0")
    keyboard.press("ArrowLeft")
    expect(look.get_by_text("A sunset, violet dusk")).to_be_visible()
    keyboard.press("Escape")
    expect(look).to_be_hidden()
    expect(page.get_by_role("gridcell", name="A sunset, violet dusk")).to_be_focused()

    tab_to(page, "Compare", back=True)
    keyboard.press("Enter")
    expect(page.locator(".wonda-compare img:visible")).to_have_count(2)
    expect(page.locator(".wonda-differs mark")).to_have_text(["sunset", "storm"])
    tab_to(page, "Slider")
    keyboard.press("Enter")
    tab_to(page, "Share of the left")
    keyboard.press("ArrowRight")
    tab_to(page, "Publish right")
    keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Alt text")).to_have_value("A storm, haze")
    publish(page)

    found = Axe().run(page, context=".wonda-studio", options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert found.violations_count == 0, found.generate_report()


def test_empty_search_result_offers_to_show_all(notebook):
    page = notebook(
        "history.ipynb",
        f"{FOUR}history",
    )
    search = page.get_by_role("searchbox")
    cards = page.locator(".wonda-card img:visible")
    expect(cards).to_have_count(4)
    search.fill("nothing like it")
    expect(page.get_by_text("Nothing matches.")).to_be_visible()
    search.fill("")
    expect(cards).to_have_count(4)
    page.get_by_role("combobox", name="Show only: Model").select_option("z-image")
    expect(cards).to_have_count(2)
    page.get_by_label("Made from").fill("2999-01-01")
    page.get_by_role("button", name="Show all").click()
    expect(cards).to_have_count(4)
    expect(page.get_by_label("Made from")).to_have_value("")
    expect(search).to_be_focused()

    # What is looked at stays that, also when another image takes its place.
    page.locator(".wonda-card").first.dblclick()
    look = page.get_by_role("dialog", name="Image")
    expect(look.get_by_text("PNG")).to_be_visible()
    looked_at = look.locator(".wonda-about-prompt").inner_text()
    run(page, "wonda.images.generate(model='z-image', prompt='The newest').wait()")
    run(page, "history.gallery.refresh()")
    expect(page.locator(".wonda-card").first).to_have_attribute("title", "The newest")
    look.get_by_role("button", name="Favorite").click()
    expect(look.get_by_role("button", name="★ Favorite")).to_be_visible()
    looked_at = f"[{looked_at!r}]"
    run(page, f"assert [p.prompt for p in wonda.history.search(favorite=True)] == {looked_at}")


def test_gallery_requests_no_images_that_it_already_has(notebook):
    page = notebook(
        "quiet.ipynb",
        f"""{FOUR}
from functools import wraps
asked, answer = [], history.gallery._on_window
history.gallery._on_window = wraps(answer)(lambda content: (asked.append(content), answer(content)))
history""",
    )
    search = page.get_by_role("searchbox")
    cards = page.locator(".wonda-card img:visible")
    expect(cards).to_have_count(4)
    search.fill("storm")
    expect(cards).to_have_count(2)
    page.wait_for_timeout(300)  # a message would be there by now
    run(page, "before = len(asked); assert before")
    search.fill("harbour")
    expect(page.locator(".wonda-card[title='A harbour'] img:visible")).to_have_count(2)
    page.wait_for_timeout(300)
    run(page, "assert len(asked) == before, asked[before:]")


def test_two_views_show_the_same_search(notebook):
    page = notebook(
        "two_views.ipynb",
        """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.1, journal=":memory:")
wonda.images.matrix("A {a}", {"a": ["storm", "harbour"]}, ["z-image"]).wait()
gallery = ww.Gallery(wonda=wonda)
gallery""",
        "gallery",
    )
    first, second = (page.get_by_role("searchbox").nth(place) for place in (0, 1))
    cards = page.locator(".wonda-card img:visible")
    expect(cards).to_have_count(4)
    first.fill("nothing like it")
    expect(second).to_have_value("nothing like it")
    expect(page.get_by_text("Nothing matches.")).to_have_count(2)
    page.get_by_role("button", name="Show all").last.click()
    expect(first).to_have_value("")
    expect(cards).to_have_count(4)
    run(page, "gallery.text = 'storm'")
    for box in (first, second):
        expect(box).to_have_value("storm")
    expect(cards).to_have_count(2)

    # A view that is scrolled through many has thumbnails sent that the other one has no use for.
    run(
        page,
        """small = wonda.history.thumbnail(wonda.history.search()[0])
for number in range(400):
    gallery.send({"type": "thumbs", "keys": [f"another{number}"]}, [small])
gallery.text = "harbour" """,
    )
    expect(page.locator(".wonda-card[title='A harbour'] img:visible")).to_have_count(2)
    run(
        page,
        """for number in range(400):
    gallery.send({"type": "thumbs", "keys": [f"one_more{number}"]}, [small])
gallery.note = "All were sent." """,
    )
    expect(page.get_by_text("All were sent.")).to_have_count(2)
    expect(cards).to_have_count(2)


def test_values_may_contain_commas_and_pasted_lines_are_separate_values(notebook):
    page = notebook("values.ipynb", CELL)
    page.get_by_role("textbox", name="Prompt template").fill("A {light} lake")
    light = page.get_by_role("textbox", name="light")
    light.fill("calm, quiet")
    light.press("Enter")
    light.evaluate(
        """(input) => {
            const clipboardData = new DataTransfer();
            clipboardData.setData("text", "red sky\\ngreen, then blue\\r\\n");
            input.dispatchEvent(new ClipboardEvent("paste", { clipboardData, cancelable: true }));
        }"""
    )
    values = page.locator(".wonda-chips", has=page.get_by_text("calm, quiet"))
    expect(values.locator(".wonda-chip")).to_have_text(
        ["calm, quiet×", "red sky×", "green, then blue×"]
    )
    light.press("Backspace")  # takes the last one away
    expect(values.locator(".wonda-chip")).to_have_text(["calm, quiet×", "red sky×"])
    light.fill("x")
    light.press("Backspace")  # of the text that is typed
    expect(light).to_have_value("")
    light.fill("green")
    light.press("Enter")
    expect(values.locator(".wonda-chip")).to_have_text(["calm, quiet×", "red sky×", "green×"])
    expect(page.get_by_role("button", name="Run 3")).to_have_attribute("aria-disabled", "false")


def test_budget_changed_just_before_a_run_applies(notebook):
    page = notebook("typed.ipynb", CELL)
    make_four(page)
    images = page.locator(".wonda-card img:visible")
    expect(images).to_have_count(4)
    old = {each.get_attribute("src") for each in images.all()}
    page.get_by_role("textbox", name="Prompt template").fill("A {light} {subject} at sea")
    expect(page.get_by_role("button", name="Run 4")).to_have_attribute("aria-disabled", "false")
    page.get_by_role("textbox", name="Budget").fill("0.01")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("the budget is $0.01").first).to_be_visible()
    expect(page.get_by_role("gridcell", name="A sunset, haze")).to_be_visible()
    page.get_by_role("textbox", name="Budget").fill("1")
    # The plan of the small budget may arrive after this is typed, and nothing runs by that.
    expect(page.get_by_text("of $1.00 budget")).to_be_visible()
    expect(page.get_by_role("button", name="Run 4")).to_have_attribute("aria-disabled", "false")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("gridcell", name="A haze sunset at sea")).to_be_visible()
    expect(images).to_have_count(4)
    assert not old & {each.get_attribute("src") for each in images.all()}


def test_unusable_journal_requires_confirmation(notebook):
    page = notebook(
        "no_journal.ipynb",
        "import tempfile\nimport wonda_widgets as ww\n"
        'wonda = ww.Wonda.sandbox(seconds=0.1, journal=tempfile.mkdtemp(suffix=".db"))\n'
        'ww.PromptLab(wonda, template="A {a}", values={"a": ["storm", "harbour"]})',
    )
    expect(page.get_by_text("it may be generated and charged again").first).to_be_visible()
    run_button = page.get_by_role("button", name="Run 2")
    expect(run_button).to_have_attribute("aria-disabled", "true")
    page.get_by_role("textbox", name="Prompt template").focus()
    tab_to(page, "Continue anyway")
    page.keyboard.press("Enter")
    expect(run_button).to_have_attribute("aria-disabled", "false")
    expect(page.get_by_role("button", name="Continue anyway")).to_have_count(0)
    expect(page.get_by_text("You chose to continue").first).to_be_visible()
    expect(run_button).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 2", exact=True)).to_be_visible()
