"""After lost responses and restarts: resume watching, check the outcome, post again."""

from __future__ import annotations

from conftest import KEY
from playwright.sync_api import expect

import wonda_widgets as ww

CELL = """import wonda_widgets as ww
import wonda_widgets.publishing.outcome_check
wonda_widgets.publishing.outcome_check.grace_seconds = lambda _record: 2
wonda = ww.Wonda({key!r}, base_url={base_url!r})
studio = ww.Studio(wonda, prompt="A quiet harbour", caption="Made with Wonda")
studio"""


def publish(page):
    page.get_by_role("button", name="Publish", exact=True).click()
    page.get_by_role("button", name="Publish now").click()


def start_publishing(page):
    """Press `Publish`; an earlier post is asked about before the summary."""
    page.get_by_role("button", name="Publish", exact=True).click()


def post_another(base_url):
    """Have something in the history: with nothing in it, it proves nothing."""
    with ww.Wonda(KEY, base_url=base_url, journal=":memory:") as wonda:
        media = wonda.media.upload(b"GIF89a another")
        account = wonda.accounts.instagram()[0].instagram_account_id
        wonda.publish.instagram(media_id=media.media_id, instagram_account_id=account).wait()


def test_after_restart_job_is_resumed_and_lost_post_is_checked(notebook, served):
    sandbox, base_url = served(seconds=4)
    post_another(base_url)
    page = notebook("trust.ipynb", CELL.format(key=KEY, base_url=base_url))
    page.get_by_role("textbox", name="Prompt").fill("A mountain lake")
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("progressbar", name="Generation")).to_be_visible()
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    expect(page.locator(".wonda-studio.wonda-disconnected")).to_be_attached()
    page.evaluate("() => jupyterapp.commands.execute('notebook:run-all-cells')")
    expect(page.get_by_text("1 job is unfinished: “A mountain lake”.")).to_be_visible()
    page.get_by_role("button", name="Resume watching").first.click()
    expect(page.get_by_role("img", name="A mountain lake").first).to_be_visible()
    expect(page.get_by_text("1 job is unfinished: “A mountain lake”.")).to_be_hidden()

    # The answer is lost before it took effect, and then after.
    sandbox.faults.add("POST", "/publish/instagram", "drop")
    sandbox.faults.add("POST", "/publish/instagram", "drop", after=True)
    publish(page)
    alert = page.get_by_role("alert").filter(has_text="We don’t know whether this was posted.")
    expect(alert).to_be_visible()
    expect(page.get_by_role("button", name="Publish", exact=True)).to_have_attribute(
        "aria-disabled", "true"
    )
    page.get_by_role("button", name="Check", exact=True).dblclick()
    expect(page.get_by_text("It was not posted. You can publish it again.")).to_be_visible()
    publish(page)
    expect(alert).to_be_visible()
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("link", name="View post")).to_be_visible()
    assert len(sandbox.store.publishes) == 2

    # The same again is asked about.
    start_publishing(page)
    box = page.get_by_role("group", name="Already posted")
    expect(box).to_contain_text("Nothing was sent. Publish the post again?")
    expect(box.get_by_role("link", name="View post")).to_be_visible()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    assert len(sandbox.store.publishes) == 2
    start_publishing(page)
    box.get_by_role("button", name="Post again").dblclick()
    expect(page.get_by_role("group", name="What will be posted")).to_be_focused()
    assert len(sandbox.store.publishes) == 2
    page.get_by_role("button", name="Publish now").dblclick()
    expect(page.get_by_role("progressbar", name="Publishing")).to_be_visible()
    expect(page.get_by_text("Posted", exact=True)).to_be_visible()
    assert len(sandbox.store.publishes) == 3


def test_unreadable_publish_history_requires_confirmation(notebook, served):
    sandbox, base_url = served(seconds=0.3)
    sandbox.faults.add("GET", "/instagram/publishes", 503, times=999)
    page = notebook("unchecked.ipynb", CELL.format(key=KEY, base_url=base_url))
    page.get_by_role("button", name="Generate").click()
    expect(page.get_by_role("img", name="A quiet harbour").first).to_be_visible()
    start_publishing(page)
    box = page.get_by_role("group", name="Could not check for an earlier post")
    expect(box).to_contain_text("cannot be read right now")
    expect(box).to_be_focused()
    expect(page.get_by_role("alert")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(page.get_by_role("textbox", name="Caption")).to_have_value("Made with Wonda")
    assert not sandbox.store.publishes
    start_publishing(page)
    box.get_by_role("button", name="Publish anyway").dblclick()
    page.get_by_role("button", name="Publish now").dblclick()
    expect(page.get_by_role("link", name="View post")).to_be_visible()
    assert len(sandbox.store.publishes) == 1
