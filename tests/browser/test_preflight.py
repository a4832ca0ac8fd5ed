"""Add reference images, then fix the result so that Instagram's feed accepts it."""

from io import BytesIO

from conftest import KEY
from PIL import Image
from playwright.sync_api import expect

CELL = """import wonda_widgets as ww
wonda = ww.Wonda({key!r}, base_url={base_url!r})
studio = ww.Studio(wonda, prompt="A sunset over the ocean", caption="Made with Wonda")
studio"""


def image(name, color, larger_by=0):
    buffer = BytesIO()
    Image.new("RGB", (60, 40), color).save(buffer, "PNG")
    data = buffer.getvalue() + bytes(larger_by)
    return {"name": name, "mimeType": "image/png", "buffer": data}


def posts(sandbox, path):
    return [each for each in sandbox.faults.arrived if each == ("POST", f"/api/v1/{path}")]


def bring_references(page):
    """Choose, drop and move them, by the keyboard and by dragging; one is refused."""
    chooser = page.locator("input[type=file][multiple]")
    expect(chooser).to_have_accessible_name("Reference images")
    chooser.set_input_files([image("red.png", "red", 2_500_000), image("blue.png", "blue")])
    shown = page.get_by_role("list", name="Reference images").get_by_role("img")
    expect(shown).to_have_count(2)
    page.evaluate(
        """() => {
            const carried = new DataTransfer();
            carried.items.add(new File(["no image"], "notes.txt"));
            document.querySelector(".wonda-drop").dispatchEvent(
                new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }),
            );
        }"""
    )
    expect(page.get_by_text("This is not an image (PNG, JPEG, WebP or GIF).")).to_be_visible()
    page.get_by_role("button", name="Remove: notes.txt").click()
    expect(page.get_by_text("2 of 14")).to_be_visible()
    page.get_by_role("button", name="Move left: blue.png").focus()
    page.keyboard.press("Enter")
    expect(shown.first).to_have_accessible_name("Reference image 1: blue.png")
    expect(page.get_by_role("button", name="Move left: blue.png")).to_be_focused()
    tiles = page.get_by_role("list", name="Reference images").get_by_role("listitem")
    tiles.nth(0).drag_to(tiles.nth(1))
    expect(shown.first).to_have_accessible_name("Reference image 1: red.png")


def test_from_reference_images_to_a_valid_feed_post(notebook, served):
    sandbox, base_url = served(seconds=0.5)
    page = notebook("preflight.ipynb", CELL.format(key=KEY, base_url=base_url))
    expect(page.get_by_text("about $0.04")).to_be_visible()
    bring_references(page)
    page.get_by_role("button", name="Generate").click()
    checks = page.get_by_role("group", name="Before you post")
    expect(checks).to_contain_text("9:16 is too tall for the feed.")
    (job,) = [job for job in sandbox.store.jobs.values() if "prompt" in job.body]
    assert len(job.body["attachmentMediaIds"]) == 2
    assert len(posts(sandbox, "media/upload")) == 2

    # A crop is looked at first; Escape leaves it, a double click makes it once.
    fix = checks.get_by_role("button", name="Crop to 4:5", exact=True)
    fix.click()
    trial = checks.get_by_role("group", name="Crop to 4:5: preview")
    box, rect = trial.locator(".wonda-trial-canvas"), trial.locator(".wonda-rect")
    expect(rect).to_be_visible()
    whole, kept = box.bounding_box(), rect.bounding_box()
    assert abs(kept["width"] / kept["height"] - 0.8) < 0.02
    assert abs(whole["width"] / whole["height"] - 0.5625) < 0.02
    page.keyboard.press("Escape")
    expect(trial).to_be_hidden()
    expect(fix).to_be_focused()
    fix.click()
    trial.get_by_role("button", name="Apply crop").dblclick()
    expect(checks).to_contain_text("This image was edited.")
    expect(checks).not_to_contain_text("too tall")
    checks.get_by_role("button", name="Convert to JPEG").dblclick()
    expect(checks).not_to_contain_text("The format is PNG.")
    assert len(posts(sandbox, "media/upload")) == 4

    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish now").dblclick()
    expect(page.get_by_role("link", name="View post")).to_be_visible()
    (post,) = sandbox.store.publishes.values()
    posted = sandbox.store.media[post.body["mediaId"]]
    assert posted.mime_type == "image/jpeg"
    checks.get_by_role("button", name="Revert to original").click()
    expect(checks).to_contain_text("9:16 is too tall for the feed.")
