"""Edit an image by mouse and keyboard, in two views of one panel, and use the result."""

import re

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

CELL = """import io
import wonda_widgets as ww
from PIL import Image
from IPython.display import display
wonda = ww.Wonda.sandbox(seconds=0.2)
buffer = io.BytesIO()
Image.linear_gradient("L").convert("RGB").resize((540, 960)).save(buffer, "PNG")
form = ww.EditForm(None, data=buffer.getvalue(), wonda=wonda, alt="A gradient")
display(form)
form"""


def tool(form, name):
    return form.get_by_role("group", name="Tools").get_by_role("button", name=name)


def number(form, name):
    return form.get_by_role("spinbutton", name=name)


def no_violations(page):
    found = Axe().run(page, context=".wonda-edit")
    assert found.violations_count == 0, found.generate_report()


def crop(page, form, other):
    """By a shape, by the keys, by the mouse; gives what is kept."""
    facts = form.locator(".wonda-facts").first
    tool(form, "Crop").click()
    form.get_by_role("button", name="4:5", exact=True).click()
    expect(facts).to_have_text(re.compile("540 × 675"))
    form.get_by_role("button", name="Crop area").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Shift+ArrowUp")
    expect(number(form, "Y")).to_have_value("131")
    expect(number(other, "Y")).to_have_value("131")
    box = form.get_by_role("button", name="Bottom right corner").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 50, box["y"] - 20, steps=4)
    page.mouse.up()
    width, height = (int(number(form, name).input_value()) for name in ("Width", "Height"))
    assert 300 < width < 540
    assert abs(width / height - 0.8) < 0.01
    expect(facts).to_have_text(re.compile(f"{width} × {height} · PNG · "))
    no_violations(page)
    form.get_by_role("button", name="Apply").click()
    expect(form.locator(".wonda-changes li")).to_have_text([f"Crop to {width} × {height}"])
    expect(tool(form, "Crop")).to_be_focused()
    return width, height


def write_over(page, form, other):
    """Shown while it is typed, taken along by the next tool, undone and done again by keys."""
    changes = form.locator(".wonda-changes li")
    tool(form, "Text").click()
    before = form.get_by_role("img").get_attribute("src")
    form.get_by_role("textbox", name="Text").fill("<b>Hello</b>")
    expect(form.get_by_role("img")).not_to_have_attribute("src", before)
    form.get_by_role("radio", name="bottom center").press("ArrowLeft")
    expect(other.get_by_role("radio", name="bottom left")).to_be_checked()
    no_violations(page)
    tool(form, "Format").click()
    expect(changes.nth(1)).to_have_text("Text “<b>Hello</b>”")
    page.keyboard.press("Escape")
    expect(form.get_by_role("combobox", name="Format")).to_be_hidden()
    page.keyboard.press("Control+z")
    expect(changes).to_have_count(1)
    page.keyboard.press("Control+Shift+Z")
    expect(changes).to_have_count(2)


def test_crop_and_text_are_applied_and_uploaded_once(notebook):
    page = notebook("edit.ipynb", CELL)
    views = page.locator(".wonda-edit")
    expect(views).to_have_count(2)
    form, other = views.nth(0), views.nth(1)
    use = form.get_by_role("button", name="Use this image")
    expect(form.locator(".wonda-facts").first).to_have_text(re.compile(r"540 × 960 · PNG · \d+ KB"))
    expect(form.get_by_role("img", name="A gradient")).to_be_visible()
    expect(use).to_have_attribute("aria-disabled", "true")

    size = crop(page, form, other)
    write_over(page, form, other)

    tool(form, "Crop").click()
    number(form, "Width").fill("9000")
    expect(form.get_by_role("status").filter(has_text="extends beyond")).to_be_visible()
    expect(use).to_have_attribute("aria-disabled", "true")
    form.get_by_role("button", name="Cancel").click()

    use.dblclick()
    for view in (form, other):
        expect(view.get_by_role("status").filter(has_text="Uploaded")).to_be_visible()
    page.evaluate(
        "(code) => { jupyterapp.commands.execute('notebook:insert-cell-below').then(() => {"
        "jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource(code);"
        "jupyterapp.commands.execute('notebook:run-cell') }) }",
        "made = [path for _, path in wonda.faults.arrived if 'upload' in path]\n"
        "print(len(made), 'upload of', wonda.media.open(form.media).size)",
    )
    expect(page.get_by_text(f"1 upload of {size}", exact=True)).to_be_visible()
    ids = page.locator(".wonda [id]").evaluate_all("(found) => found.map((each) => each.id)")
    assert len(ids) == len(set(ids))
