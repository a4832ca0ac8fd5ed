"""A carousel and a scheduled post in a real JupyterLab, by keyboard and by dragging."""

from __future__ import annotations

import re

import frontends
from playwright.sync_api import expect

CELL = """import wonda_widgets as ww
wonda = ww.Wonda.sandbox(seconds=0.2, seed=4)
matrix = wonda.images.matrix("A {a}", {"a": ["sunset", "storm", "harbour"]}, "z-image")
matrix.wait()
history = ww.History(wonda)
history"""


def order(form):
    names = [img.get_attribute("alt") for img in form.locator(".wonda-slide img").all()]
    return [re.search(r"A (\w+)", name)[1] for name in names]


def test_publish_a_carousel_and_schedule_a_post(notebook):
    page = notebook("posts.ipynb", CELL)
    cards = page.locator(".wonda-card")
    expect(cards.locator("img:visible")).to_have_count(3)
    cards.first.focus()
    for key in ("Space", "ArrowRight", "Space", "ArrowRight", "Space"):
        page.keyboard.press(key)
    expect(page.get_by_text("3 selected").first).to_be_visible()
    page.get_by_role("button", name="Carousel…").press("Enter")
    form = page.locator(".wonda-carousel")
    expect(form.locator(".wonda-slide img:visible")).to_have_count(3)
    first = order(form)
    form.get_by_role("button", name=re.compile("^Move right: image 1")).press("Enter")
    moved = [first[1], first[0], first[2]]
    expect(form.locator(".wonda-slide").first).to_have_attribute("title", f"A {moved[0]}")
    assert order(form) == moved
    expect(form.get_by_role("button", name=re.compile("^Move right: image 2"))).to_be_focused()
    form.locator(".wonda-slide").nth(2).drag_to(form.locator(".wonda-slide").nth(0))
    expect(form.locator(".wonda-slide").first).to_have_attribute("title", f"A {moved[2]}")
    form.get_by_role("textbox", name="Caption").fill("All of them")
    form.get_by_role("button", name="Publish", exact=True).press("Enter")
    expect(form.get_by_role("group", name="What will be posted")).to_be_focused()
    form.get_by_role("button", name="Publish now").dblclick()
    expect(form.get_by_role("link", name="View post")).to_be_visible()

    cards.last.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    expect(page.get_by_text("1 selected").first).to_be_visible()
    page.get_by_role("button", name="Publish…").press("Enter")
    single = page.locator(".wonda-publish:not(.wonda-carousel):visible")
    single.get_by_role("combobox", name="When").select_option("later")
    time = single.get_by_label("Date and time")
    expect(time).to_be_focused()
    expect(single.get_by_text(re.compile(r"^UTC$|\(UTC[+-]\d\d:\d\d\)"))).to_be_visible()
    time.fill("2020-01-01T10:00")
    expect(single.get_by_text("This time is in the past.").first).to_be_visible()
    schedule = single.get_by_role("button", name="Schedule", exact=True)
    expect(schedule).to_have_attribute("aria-disabled", "true")
    ahead = page.evaluate(
        "() => { const d = new Date(Date.now() + 86400000);"
        " return new Date(d - d.getTimezoneOffset() * 60000).toISOString().slice(0, 16); }"
    )
    time.fill(ahead)
    expect(schedule).to_have_attribute("aria-disabled", "false")
    schedule.press("Enter")
    single.get_by_role("button", name="Schedule post").press("Enter")
    expect(single.get_by_text("Scheduled", exact=True)).to_be_visible()
    listed = page.get_by_role("list", name="Scheduled posts").get_by_role("listitem")
    expect(listed).to_have_count(1)
    page.get_by_role("button", name="Cancel the post").press("Enter")
    expect(page.get_by_role("button", name="Keep post")).to_be_focused()
    page.get_by_role("button", name="Cancel post").dblclick()
    expect(page.get_by_text("Canceled. It will not be posted.", exact=True)).to_be_visible()
    expect(page.get_by_text("Nothing is scheduled.")).to_be_visible()


FORM = """import wonda_widgets as ww
form = ww.PublishForm("m1", wonda=ww.Wonda.sandbox(), alt_text="A lake", caption="Later")
form"""


def test_ambiguous_and_missing_local_times_are_reported(page, lab, folder):
    frontends.write_notebook(folder / "clocks.ipynb", FORM)
    frontends.open_notebook(page, lab, "clocks.ipynb")  # a page of its own, as its clock is changed
    frontends.run_all(page)
    form = page.locator(".wonda-publish")
    zone = page.context.new_cdp_session(page)
    zone.send("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})
    page.clock.set_fixed_time("2026-10-20T12:00:00Z")
    form.get_by_role("combobox", name="When").select_option("later")
    time = form.get_by_label("Date and time")
    which = form.get_by_role("combobox", name="Which occurrence")
    schedule = form.get_by_role("button", name="Schedule", exact=True)
    expect(which).to_be_hidden()
    time.fill("2026-10-25T02:30")
    expect(form.get_by_text("02:30 occurs twice on that day").first).to_be_visible()
    expect(form.get_by_text("First: UTC+02:00 · Second: UTC+01:00")).to_be_visible()
    expect(schedule).to_have_attribute("aria-disabled", "true")
    which.select_option("1")
    expect(schedule).to_have_attribute("aria-disabled", "false")
    expect(form.get_by_text("(UTC+01:00)")).to_be_visible()
    which.select_option("0")
    expect(form.get_by_text("(UTC+02:00)")).to_be_visible()
    time.fill("2026-10-25T03:30")
    expect(which).to_be_hidden()
    expect(schedule).to_have_attribute("aria-disabled", "false")
    page.clock.set_fixed_time("2027-03-20T12:00:00Z")
    time.fill("2027-03-28T02:30")
    expect(form.get_by_text("02:30 doesn’t exist on that day").first).to_be_visible()
    expect(schedule).to_have_attribute("aria-disabled", "true")


def test_story_has_no_alt_text_field(notebook):
    page = notebook("story.ipynb", FORM)
    form = page.locator(".wonda-publish")
    alt_text = form.get_by_role("textbox", name="Alt text")
    expect(alt_text).to_have_value("A lake")
    form.get_by_role("combobox", name="Post as").select_option("STORIES")
    expect(alt_text).to_be_hidden()
    publish = form.get_by_role("button", name="Publish", exact=True)
    expect(publish).to_have_attribute("aria-disabled", "false")
    publish.press("Enter")
    expect(form.get_by_role("group", name="What will be posted")).not_to_contain_text("alt text")
    form.get_by_role("button", name="Keep editing").first.press("Enter")
    form.get_by_role("combobox", name="Post as").select_option("IMAGE")
    expect(alt_text).to_have_value("A lake")  # what was typed is still there
