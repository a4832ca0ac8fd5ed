"""The dashboard in the kernel: permissions to post, rate, spend and resume."""

from __future__ import annotations

import itertools
import time

import ipywidgets
import pytest
from conftest import send

import wonda_widgets as ww
from wonda_widgets.client import selection
from wonda_widgets.journal import entries
from wonda_widgets.sandbox.app import Sandbox


@pytest.fixture
def wonda(quick_polls):  # noqa: ARG001 - it changes the pace
    with ww.Wonda.sandbox(seconds=0.05, seed=4) as client:
        yield client


def made(dashboard, settled):
    settled(lambda: dashboard.studio.prompt_form.state == "ready")
    dashboard.studio.prompt_form.submit()
    settled(lambda: dashboard.publish_form.media_id)
    settled(lambda: dashboard.publish_form.accounts_state == "ready")


@pytest.mark.parametrize("settings", [{"publish": "hidden"}, {"presenter": True}])
def test_hidden_publishing_cannot_be_forced_by_messages(wonda, opened, settled, settings):
    dashboard = opened(ww.Dashboard(wonda, prompt="A lake", **settings))
    made(dashboard, settled)
    form = dashboard.publish_form
    form.confirm_publish = False
    assert form not in dashboard.studio.children
    form.summary = {"media_id": form.media_id}
    for step, kind in {
        "editing": "publish",
        "confirming": "confirm",
        "repeating": "repeat",
    }.items():
        form.step, form.error = step, None
        send(form, kind, media_id=form.media_id)
        settled(lambda: form.error)
        assert form.error["title"] == "Publishing is disabled here."
    assert wonda.publish.history()["publishes"] == []


def test_leaving_presenter_mode_allows_posting(wonda, opened, settled):
    dashboard = opened(ww.Dashboard(wonda, prompt="A lake", presenter=True))
    made(dashboard, settled)
    send(dashboard._bar, "present", on=False)
    form = dashboard.publish_form
    settled(lambda: form in dashboard.studio.children)
    send(form, "publish")
    settled(lambda: form.step == "confirming")
    send(form, "confirm", media_id=form.media_id)
    settled(lambda: form.posted)
    settled(lambda: any(entry["posted"] for entry in dashboard.timeline.entries))
    assert dashboard.timeline.summary == "1 image, 1 posted."
    assert dashboard.publish_job.status == "succeeded"


def test_only_its_creator_rates_an_image(wonda, opened, settled):
    dashboard = opened(ww.Dashboard(wonda))
    image = wonda.images.generate(model="z-image", prompt="Mine").wait()
    gallery = dashboard.gallery
    settled(lambda: len(gallery._items) == 1)
    item = gallery._items[0]
    send(gallery, "mark", key=item.key, favorite=True)
    settled(lambda: item.image.favorite)
    dashboard._visitor_processes.clear()
    send(gallery, "mark", key=item.key, favorite=False)
    settled(lambda: gallery.error)
    assert "generated in another session" in gallery.error["title"]
    assert item.image.favorite
    assert image.media.media_id


def test_defaults_come_from_the_environment(wonda, opened, monkeypatch):
    monkeypatch.setenv("WONDA_DASHBOARD_TITLE", "From outside")
    monkeypatch.setenv("WONDA_DASHBOARD_PRESENTER", "1")
    monkeypatch.setenv("WONDA_DASHBOARD_BUDGET_USD", "1.50")
    dashboard = opened(ww.Dashboard(wonda))
    assert (dashboard._bar.title, dashboard._bar.presenter) == ("From outside", True)
    assert dashboard._budget.usd == 1.5
    own = opened(ww.Dashboard(wonda, title="Own", presenter=False, budget=3))
    assert (own._bar.title, own._bar.presenter, own._budget.usd) == ("Own", False, 3)


@pytest.mark.parametrize(
    ("name", "value"), [("BUDGET_USD", "much"), ("BUDGET_USD", "-1"), ("PUBLISH", "always")]
)
def test_invalid_setting_is_reported(wonda, monkeypatch, name, value):
    monkeypatch.setenv(f"WONDA_DASHBOARD_{name}", value)
    with pytest.raises(ww.InvalidInputError):
        ww.Dashboard(wonda)


def test_invalid_tab_state_is_ignored(wonda, opened, settled):
    dashboard = opened(ww.Dashboard(wonda, prompt="As it was"))
    here = entries.process_id(entries.this_process())
    odd = {"prompt": 7, "model": ["x"], "params": "none", "caption": None, "more": {}}
    send(dashboard._bar, "hello", processes=[here, 3, None, "other"], draft=odd)
    settled(lambda: "other" in dashboard._visitor_processes)
    assert dashboard.studio.prompt_form.prompt == "As it was"
    send(dashboard._bar, "hello", processes=["late"], draft={"prompt": "late"})
    send(dashboard._bar, "ping", view="v")
    settled(lambda: dashboard._bar.receipt >= 3)
    assert "late" not in dashboard._visitor_processes
    assert dashboard.studio.prompt_form.prompt == "As it was"


def test_kernels_share_a_served_sandbox(served, monkeypatch, tmp_path):
    from wonda_widgets.utils import event_loop

    sandbox, base_url = served(seconds=0.05)
    assert isinstance(sandbox, Sandbox)
    monkeypatch.setenv("WONDA_SANDBOX_URL", base_url)
    monkeypatch.setenv("WONDA_JOURNAL", str(tmp_path / "shared.db"))
    monkeypatch.setattr(selection, "_shared_sandbox", None)
    used = selection.default()
    assert used.is_sandbox
    assert used.base_url == base_url
    with ww.Wonda.served_sandbox(base_url) as other:
        assert other.is_sandbox
        other.images.generate(model="z-image", prompt="Shared").wait()
    found = []
    deadline = time.monotonic() + 20
    while not found and time.monotonic() < deadline:  # the other client writes on a thread
        found = [image.prompt for image in event_loop.run_blocking(used.history.search())]
    assert found == ["Shared"]
    event_loop.run_blocking(used.aclose())


def test_scheduled_post_is_listed_once(wonda, opened, settled):
    dashboard = opened(ww.Dashboard(wonda, prompt="A lake"))
    made(dashboard, settled)
    send(dashboard.publish_form, "scheduled")
    settled(lambda: dashboard.studio.scheduled_posts is not None)
    settled(lambda: dashboard.studio.scheduled_posts.state == "ready")
    lists = [
        panel
        for panel in (*dashboard._panels, *dashboard.studio._panels)
        if isinstance(panel, ww.ScheduledPosts)
    ]
    assert len(lists) == 1


def test_video_is_shown_restored_and_counted(wonda, opened, settled):
    dashboard = opened(ww.Dashboard(wonda))
    send(
        dashboard._bar,
        "hello",
        processes=[],
        draft={"kind": "video", "prompt": "A sail", "model": "kling_3_pro"},
    )
    form = dashboard.studio.prompt_form
    settled(lambda: form.prompt == "A sail")
    assert (form.kind, form.model) == ("video", "kling_3_pro")
    settled(lambda: dashboard._bar.draft.get("kind") == "video")
    wonda.videos.generate(model="kling_3_pro", prompt="A kite", params={"duration": 3}).wait()
    [clip] = wonda.history.search(kind="video")
    dashboard.start_soon(dashboard_opens, dashboard, clip)
    settled(lambda: dashboard.media is not None and dashboard.media.is_video)
    settled(lambda: dashboard.studio.video_preview.state == "ready")


async def dashboard_opens(dashboard, image):
    dashboard._open_in_studio(image)


@pytest.mark.parametrize("kind", ["audio", 5, None, ["video"]])
def test_unknown_kind_of_a_draft_is_ignored(wonda, opened, settled, kind):
    dashboard = opened(ww.Dashboard(wonda))
    send(dashboard._bar, "hello", processes=[], draft={"kind": kind, "prompt": "A sail"})
    settled(lambda: dashboard.studio.prompt_form.prompt == "A sail")
    assert dashboard.studio.prompt_form.kind == "image"


def review_of(wonda, count=3):
    matrix = wonda.images.matrix(
        "A {what}", {"what": ["sail", "kite", "pier"][:count]}, "z-image", max_concurrency=3
    )
    matrix.wait()
    return wonda.reviews.open(matrix.images, "Which one?")


def test_link_shows_only_its_review_and_allows_nothing_else(wonda, opened, settled):
    review = review_of(wonda)
    dashboard = opened(ww.Dashboard(wonda))
    settled(lambda: dashboard.studio.prompt_form.state == "ready")
    arrived = len(wonda.faults.arrived)
    send(dashboard._bar, "hello", processes=["other"], draft={"prompt": "x"}, review=review.id)
    settled(lambda: dashboard.review is not None and dashboard.review.state == "ready")
    assert dashboard.children == [dashboard._bar, dashboard.review]
    assert dashboard.review.question == "Which one?"
    assert list(dashboard._permissions) == []
    send(dashboard._bar, "present", on=False)
    send(dashboard.studio.prompt_form, "submit", prompt="A sail", params={})
    settled(lambda: dashboard.studio.prompt_form.error)
    assert dashboard.studio.prompt_form.prompt == ""
    assert list(dashboard._permissions) == []
    assert {method for method, _ in wonda.faults.arrived[arrived:]} <= {"GET"}
    send(dashboard.review, "vote", visitor="v", choice="left", images=review.images[:2])
    while not wonda.reviews.votes(review):
        pass  # it is being recorded


def test_link_reveals_nothing_but_its_review(wonda, opened, settled, monkeypatch):
    review = review_of(wonda)
    wonda.snippets.save("style:house", "secret text")
    dashboard = opened(ww.Dashboard(wonda))
    settled(lambda: len(dashboard.gallery._items) == 3)
    send(dashboard._bar, "hello", processes=[], draft={}, review=review.id)
    settled(lambda: dashboard.review is not None and dashboard.review.state == "ready")
    sent = []
    monkeypatch.setattr(
        ipywidgets.Widget, "_send", lambda _, *told, **more: sent.append((told, more))
    )
    gallery, form = dashboard.gallery, dashboard.studio.prompt_form
    keys = [item.key for item in gallery._items]
    send(gallery, "window", view="v", windows=[[0, 3]])
    for kind in ("open", "zip", "collect", "mark", "select", "export", "act"):
        send(gallery, kind, key=keys[0], keys=keys, name="cover", kind="csv", favorite=True)
    send(form, "list_snippets")
    send(form, "submit", prompt="A sail", params={})
    settled(lambda: form.receipt >= 2)
    gallery.set_state({"favorites": True})
    assert not gallery.favorites
    assert wonda.history.collections() == {}
    assert "facets" not in gallery.get_state()
    assert "snippets" not in form.get_state()
    text = repr(sent)
    assert "receipt" in text
    for secret in ("A sail", "secret text", keys[0], "z-image"):
        assert secret not in text


def test_person_with_a_link_sees_prompts_only_after_deciding(wonda, opened, settled):
    review = review_of(wonda)
    dashboard = opened(ww.Dashboard(wonda))
    send(dashboard._bar, "hello", processes=[], draft={}, review=review.id)
    settled(lambda: dashboard.review is not None and dashboard.review.state == "ready")
    heard = []
    dashboard.review.send = lambda content, buffers=None: heard.append(content)  # noqa: ARG005

    def titles():
        before = len([each for each in heard if each["type"] == "results"])
        send(dashboard.review, "results", visitor="v", view="a")
        settled(lambda: len([each for each in heard if each["type"] == "results"]) > before)
        results = [each for each in heard if each["type"] == "results"]
        return {row["title"] for row in results[-1]["rows"]}

    assert titles() == {""}
    for left, right in itertools.combinations(review.images, 2):
        send(dashboard.review, "vote", visitor="v", choice="left", images=[left, right])
    settled(lambda: sum(each["type"] == "turn" and each["done"] == 3 for each in heard))
    assert "" not in titles()
    assert "visitor" not in repr(heard)


def test_link_to_an_unknown_review_is_explained(wonda, opened, settled):
    dashboard = opened(ww.Dashboard(wonda))
    send(dashboard._bar, "hello", processes=[], draft={}, review="<b>no</b>")
    settled(lambda: dashboard.review is not None and dashboard.review.error)
    assert "no such review" in dashboard.review.error["title"]


def test_page_for_reviews_shows_nothing_without_a_link(wonda, opened, settled, monkeypatch):
    monkeypatch.setenv("WONDA_DASHBOARD_REVIEW_ONLY", "1")
    dashboard = opened(ww.Dashboard(wonda))
    assert dashboard.children == [dashboard._bar]
    send(dashboard._bar, "hello", processes=["other"], draft={"prompt": "A sail"})
    settled(lambda: dashboard._bar.receipt)
    assert dashboard.children == [dashboard._bar]
    assert list(dashboard._permissions) == []


def test_selected_images_are_reviewed_with_a_question(wonda, opened, settled):
    review_of(wonda)
    dashboard = opened(ww.Dashboard(wonda))
    settled(lambda: len(dashboard.gallery._items) == 3)
    keys = [item.key for item in dashboard.gallery._items]
    send(dashboard.gallery, "act", name="review", keys=keys)
    settled(lambda: dashboard.review is not None and dashboard.review.state == "ready")
    first = dashboard.review.review_id
    send(dashboard.review, "setup", question="Which one sells?", mode="approve")
    settled(lambda: dashboard.review.review_id != first)
    assert (dashboard.review.question, dashboard.review.mode) == ("Which one sells?", "approve")
    send(dashboard.review, "setup", question="x" * 2_000, mode="compare")
    settled(lambda: dashboard.review.error)
    assert dashboard.review.mode == "approve"
