"""Each message and trait from a page, for each kind of session.

A page can send anything. So each test here sends as a page would, to a real panel in a real
dashboard in the sandbox, and looks whether anything came of it.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import typescript
from conftest import send
from ipywidgets import Widget

import wonda_widgets as ww
from wonda_widgets import widgets
from wonda_widgets.utils import event_loop
from wonda_widgets.widgets._parts.composite import CompositePanel
from wonda_widgets.widgets._parts.lab_form import SEEN, LabForm
from wonda_widgets.widgets._shared.panel import Panel
from wonda_widgets.widgets._shared.permissions import (
    OWNER,
    REVIEWER,
    SPECTATOR,
    VISITOR,
    VOTER,
    Permission,
    Permissions,
    is_handler,
    required_permission,
)

VIEW, PUBLISH, SCHEDULE, CANCEL, SETTLE, EXPORT, SAVE, GENERATE, EDIT, KEEP = Permission

#: What each session may do, spelled out.
SESSIONS = {
    "owner": (OWNER, set(Permission)),
    "confirm": (VISITOR, {VIEW, PUBLISH, SCHEDULE, CANCEL, SETTLE, GENERATE, EDIT, KEEP}),
    "hidden": (SPECTATOR, {VIEW, GENERATE, EDIT, KEEP}),
    "reviewer": (REVIEWER, {VIEW}),
    "voter": (VOTER, set()),
}

#: What each message needs besides the permission to see its panel; None for nothing.
MESSAGES = {
    "Panel": {"close": None},
    "JobPanel": {"refresh": None, "stop": GENERATE, "resume": GENERATE},
    "PostingPanel": {
        "reload": PUBLISH,
        "publish": PUBLISH,
        "edit": PUBLISH,
        "confirm": PUBLISH,
        "repeat": PUBLISH,
        "unchecked": PUBLISH,
        "check": SETTLE,
        "answer": SETTLE,
    },
    "PreflightPanel": {"fix": PUBLISH, "original": PUBLISH},
    "PublishForm": {"scheduled": SCHEDULE},
    "CarouselForm": {"move": PUBLISH, "remove": PUBLISH, "fit": PUBLISH, "original": PUBLISH},
    "ScheduledPosts": {"reload": SCHEDULE, "cancel": CANCEL},
    "Unfinished": {"watch": GENERATE, "check": SETTLE, "dismiss_images": GENERATE, "dismiss": None},
    "ReferencesPanel": {
        "add_files": GENERATE,
        "chunk": GENERATE,
        "no_file": GENERATE,
        "move_reference": GENERATE,
        "remove_reference": GENERATE,
        "retry_reference": GENERATE,
    },
    "ZipDownload": {"zip": None, "zip_piece": None},
    "SnippetMenu": {"list_snippets": None},
    "Snippets": {"save": GENERATE, "remove": GENERATE, "load": GENERATE, "download": None},
    "SavedFile": {"saved_file": GENERATE, "undo_file": GENERATE},
    "PromptForm": {"reload": GENERATE, "submit": GENERATE, "dismiss_unknown": GENERATE},
    "LabForm": {
        "reload": GENERATE,
        "run_now": GENERATE,
        "unchecked": GENERATE,
        "open_plan": GENERATE,
        "dismiss_plan": GENERATE,
    },
    "TableField": {"table_file": GENERATE, "remove_table": GENERATE},
    "MediaPreview": {"save": SAVE},
    "ImagePreview": {"edit": EDIT, "animate": GENERATE, "large": None, "download": None},
    "VideoPanel": {"play": None, "video_piece": None, "unplayable": None},
    "Review": {
        "setup": GENERATE,
        **dict.fromkeys(("next", "name", "vote", "undo", "look", "results")),
    },
    "EditForm": {"apply": EDIT, "cancel": EDIT, "undo": EDIT, "redo": EDIT, "use": EDIT},
    "ImageGrid": {
        "window": None,
        "select": None,
        "toggle": None,
        "add": None,
        "select_all": None,
    },
    "Gallery": {
        "mark": None,
        "open": None,
        "search": None,
        "collect": None,
        "show_all": None,
        "act": None,  # each action has its own, see below
        "export": EXPORT,
        "retry": GENERATE,
        "retry_failed": GENERATE,
        "stop": GENERATE,
        "resume": GENERATE,
    },
    "Compare": {"look": None, "act": None},
    "Filmstrip": {"select": None},
    "Timeline": {"thumbs": None},
    "StoryboardBar": {"keep": KEEP, "page": None},
    "DashboardBar": {"hello": None, "ping": None, "present": None},
}

#: What a session needs to see a panel, and so to send it anything.
SEEN_WITH = {
    "PostingPanel": PUBLISH,
    "PreflightPanel": PUBLISH,
    "PublishForm": PUBLISH,
    "CarouselForm": PUBLISH,
    "ScheduledPosts": SCHEDULE,
    # Of these, also people who have only the link of a review see something.
    "Review": None,
    "Dashboard": None,
    "DashboardBar": None,
}

#: The traits that a page sets, and what it needs for that. It sets no other.
TRAITS = {
    "PostingPanel": dict.fromkeys(("account", "caption"), PUBLISH),
    "PreflightPanel": dict.fromkeys(("account", "caption"), PUBLISH),
    "CarouselForm": dict.fromkeys(("account", "caption"), PUBLISH),
    "PublishForm": {
        **dict.fromkeys(("account", "caption", "alt_text", "product", "share_to_feed"), PUBLISH),
        "scheduled_at": SCHEDULE,
    },
    "PromptForm": dict.fromkeys(("prompt", "kind", "model", "params"), GENERATE),
    "LabForm": dict.fromkeys(
        (
            *("kind", "templates", "values", "models", "params"),
            *("combine", "count", "seed", "takes"),
            *("budget", "max_concurrency"),
        ),
        GENERATE,
    ),
    "EditForm": dict.fromkeys(("tool", "draft"), EDIT),
    "Gallery": dict.fromkeys(
        (
            *("arrangement", "grid_rows", "grid_columns", "group_by"),
            *("filters", "favorites", "rating", "rank", "approval", "order"),
            *("kind", "model", "collection", "since", "until", "notify"),
        )
    ),
    "Compare": {"slider": None},
    "JobProgress": {"notify": None},
}


def panel_classes():
    for module in pkgutil.walk_packages(widgets.__path__, f"{widgets.__name__}."):
        importlib.import_module(module.name)
    found, todo = [], [Panel]
    while todo:
        cls = todo.pop()
        found.append(cls)
        todo += [each for each in cls.__subclasses__() if each.__module__.startswith("wonda_")]
    return sorted(set(found), key=lambda cls: cls.__name__)


CLASSES = panel_classes()


def messages_of(cls):
    """What a panel takes and what it needs, inherited ones too."""
    found = {}
    for base in reversed(cls.__mro__):
        found |= MESSAGES.get(base.__name__, {})
    return found


def set_by_page(panel, **state):
    """Send new values as ipywidgets' front end does."""
    content = {"data": {"method": "update", "state": state}}
    panel._handle_msg({"content": content, "buffers": []})


# ---------------------------------------------------------------- the table is complete


def test_table_lists_every_message_of_every_panel():
    declared = {
        cls.__name__: {
            name.removeprefix("_on_"): required_permission(function)
            for name, function in vars(cls).items()
            if is_handler(function)
        }
        for cls in CLASSES
    }
    assert {name: some for name, some in declared.items() if some} == MESSAGES


def test_handler_without_a_permission_is_never_called(opened, settled):
    for cls in CLASSES:
        for name in vars(cls):
            if name.startswith("_on_"):
                assert is_handler(getattr(cls, name)), f"{cls.__name__}.{name} says nothing"

    class Forgetful(ww.JobProgress):
        called = False

        def _on_anything(self, _content):
            self.called = True

    panel = opened(Forgetful())
    send(panel, "anything")
    settled(lambda: panel.receipt)
    assert not panel.called


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_table_lists_every_trait_that_a_page_sets(cls):
    assert cls._browser_traits == TRAITS.get(cls.__name__, {})
    assert cls._view_permission == SEEN_WITH.get(cls.__name__, VIEW)
    written = typescript.traits_set_by(cls._panel.default_value)
    assert written <= cls._browser_traits.keys(), "what a page sets would be ignored"


@pytest.mark.parametrize(("permissions", "granted"), SESSIONS.values(), ids=SESSIONS)
def test_permissions_of_each_session(permissions, granted):
    assert set(permissions) == granted
    assert Permissions(granted).names == permissions.names


# ---------------------------------------------------------------- everything is sent


@pytest.fixture
def wonda(quick_polls, tmp_path, monkeypatch):  # noqa: ARG001 - it changes the pace
    folder = tmp_path / "server"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with ww.Wonda.sandbox(seconds=0.02, seed=4) as client:
        yield client


@pytest.fixture
def dashboard(wonda, opened, settled):
    """A dashboard with every panel there is, at work."""
    first, second = (
        wonda.images.generate(model="z-image", prompt=f"A lake {at}") for at in range(2)
    )
    first.wait()
    second.wait()
    images = [wonda.history.of(job) for job in (first, second)]
    account = wonda.accounts.instagram()[0].instagram_account_id
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    wonda.publish.instagram(
        media_id=images[0].media.media_id,
        instagram_account_id=account,
        caption="Later",
        scheduled_at=due,
    )
    made = opened(ww.Dashboard(wonda, prompt="A lake", publish="confirm"))
    settled(lambda: made.studio.prompt_form.state == "ready")
    made.studio.prompt_form.submit()
    settled(lambda: made.publish_form.media_id)
    settled(lambda: made.publish_form.accounts_state == "ready")
    settled(lambda: len(made.gallery._shown) == 3)
    settled(lambda: len(made.timeline.entries) == 3)
    made.publish_form.account = account

    def open_all():
        studio = made.studio
        studio._edit(studio.preview.shown)
        studio._show_scheduled()
        studio._carousel(made.gallery, images)
        made._show_comparison(made.gallery, made.compare, images)
        made._show_review(made.gallery, images)
        made._reveal(LabForm(wonda, template="A {a}", values={"a": ["lake"]}))

    event_loop.run_blocking(on_loop(open_all))
    settled(lambda: made.studio.scheduled_posts.posts)
    settled(lambda: made.studio.edit_form.facts.endswith("B"))
    settled(lambda: made.studio.carousel_form.accounts_state == "ready")
    settled(lambda: all(slide["facts"] for slide in made.studio.carousel_form.slides))
    settled(lambda: made.compare.shown)
    settled(lambda: made.review.state == "ready")
    lab = next(each for each in made._panels if type(each).__name__ == "LabForm")
    settled(lambda: lab.state == "ready" and lab.plan.get("count"))
    return made


async def on_loop(act):
    act()


def panels_of(together):
    yield together
    for panel in together._panels:
        yield from panels_of(panel) if isinstance(panel, CompositePanel) else [panel]


def content_for(dashboard, panel, kind):
    """A message that would do something."""
    key = dashboard.gallery._shown[0].key
    posts = dashboard.studio.scheduled_posts.posts
    more = {
        "publish": {"account": getattr(panel, "account", ""), "caption": "By hand"},
        "cancel": {"job_id": posts[0]["job_id"] if posts else ""},
        "answer": {"posted": True},
        "fix": {"key": next(iter(getattr(panel, "_fixes", {})), "")},
        "move": {"to": 0},
        "add_files": {"files": [{"key": "x", "name": "x.png", "size": 10}]},
        "submit": {"prompt": "By hand", "model": "z-image", "params": {}},
        "run_now": {name: getattr(panel, "plan", {}).get(name) for name in SEEN},
        "apply": {"operation": {"operation": "resize", "width": 32, "height": 32}},
        "use": {"operation": {"operation": "resize", "width": 32, "height": 32}},
        "export": {"kind": "folder"},
    }
    seen = {"media_id": panel.media_id} if panel.has_trait("media_id") else {}
    slides = getattr(panel, "slides", ())
    return {"key": slides[1]["key"] if slides else key, **seen, **more.get(kind, {})}


#: The step in which a form that posts would take a message.
STEPS = {
    "confirm": "confirming",
    "repeat": "repeating",
    "unchecked": "unchecked",
    "edit": "confirming",
} | dict.fromkeys(("check", "answer"), "unknown")


def prepare(panel, kind):
    if not hasattr(panel, "summary") or not hasattr(panel, "_validated"):
        return
    panel.step = STEPS.get(kind, "editing")
    panel._unknown = object() if panel.step == "unknown" else None
    panel.summary = {
        "account": panel.account,
        "account_name": "@x",
        "media_id": panel.media_id,
        "media_ids": panel.media_id.split(),
        "product": "IMAGE",
        **dict.fromkeys(("caption", "alt_text", "scheduled_at"), ""),
    }


def told(panel):
    state = {name: getattr(panel, name) for name in panel.keys}
    return {name: state[name] for name in state if name not in {"receipt", "error", "layout"}}


@pytest.mark.parametrize("session", ["confirm", "hidden", "reviewer"])
def test_refused_message_has_no_effect(session, dashboard, wonda, settled, tmp_path):
    permissions, granted = SESSIONS[session]
    event_loop.run_blocking(on_loop(lambda: dashboard.grant(permissions)))
    unfinished = dashboard.studio.unfinished
    unfinished._posts = [object()]  # what it would check fails at once
    classes = set()
    refused = 0
    for panel in panels_of(dashboard):
        name = type(panel).__name__
        classes.add(name)
        assert panel.permissions == [each.value for each in permissions]
        for kind, need in messages_of(type(panel)).items():
            needs = {SEEN_WITH.get(name), need} - {None}
            if needs <= granted:
                continue
            refused += 1
            prepare(panel, kind)
            content = content_for(dashboard, panel, kind)
            panel.error = None
            arrived, before, rows = len(wonda.faults.arrived), told(panel), dashboard.children
            send(panel, kind, **content)
            settled(lambda panel=panel: panel.error)
            assert panel.error["title"].endswith("disabled here."), (name, kind, panel.error)
            assert panel.error["field"] in {each.value for each in needs}
            assert told(panel) == before, (name, kind)
            assert dashboard.children == rows
            asked = [method for method, _ in wonda.faults.arrived[arrived:]]
            assert set(asked) <= {"GET"}, (name, kind)
    assert list(tmp_path.joinpath("server").iterdir()) == []
    assert len(wonda.publish.scheduled()) == 1
    assert wonda.publish.history()["publishes"] == []
    assert refused == {"confirm": 3, "hidden": 38, "reviewer": 81}[session]
    bases = {
        "Panel",
        "ImageGrid",
        "JobPanel",
        "PostingPanel",
        "PreflightPanel",
        "ReferencesPanel",
        "SavedFile",
        "TableField",
    }
    bases |= {
        "MediaPreview",
        "VideoPanel",
        "CompositePanel",
        "PublishForms",
        "PromptLab",
        "History",
        "MagicOutput",
        "SnippetMenu",
        "ZipDownload",
        "Snippets",
    }
    assert {cls.__name__ for cls in CLASSES} - bases == classes


def test_visitor_can_post_schedule_and_cancel(dashboard, wonda, settled):
    posts = dashboard.studio.scheduled_posts
    send(posts, "cancel", job_id=posts.posts[0]["job_id"])
    settled(lambda: posts.message)
    settled(lambda: not posts.posts)
    assert wonda.publish.scheduled() == []
    form = dashboard.publish_form
    send(form, "publish", caption="Seen")
    settled(lambda: form.step == "confirming")
    send(form, "confirm", media_id=form.media_id)
    settled(lambda: form.posted)
    assert [post["caption"] for post in wonda.publish.history()["publishes"]] == ["Seen"]


def test_hidden_publishing_shows_no_scheduled_posts(dashboard, settled):
    form, posts = dashboard.publish_form, dashboard.studio.scheduled_posts
    assert posts in dashboard.studio.children
    event_loop.run_blocking(on_loop(lambda: dashboard.grant(SPECTATOR)))
    for panel in (form, posts, dashboard.studio.carousel_form):
        assert panel not in dashboard.studio.children
    send(form, "scheduled")
    settled(lambda: form.error)
    assert posts not in dashboard.studio.children


def test_presenter_mode_applies_to_later_panels(wonda, opened, settled):
    made = opened(ww.Dashboard(wonda, presenter=True))
    job = wonda.images.generate(model="z-image", prompt="A lake")
    job.wait()
    image = wonda.history.of(job)
    event_loop.run_blocking(on_loop(lambda: made.studio._carousel(made.gallery, [image, image])))
    event_loop.run_blocking(on_loop(made.studio._show_scheduled))
    later = [made.studio.carousel_form, made.studio.scheduled_posts]
    assert [panel._permissions for panel in later] == [SPECTATOR, SPECTATOR]
    assert not set(later) & set(made.studio.children)
    send(made._bar, "present", on=False)
    settled(lambda: set(later) <= set(made.studio.children))
    assert [panel._permissions for panel in later] == [VISITOR, VISITOR]


def test_unfinished_posts_are_polled_only_with_permission(wonda, opened, settled):
    made = opened(ww.Dashboard(wonda, publish="hidden"))
    unfinished, taken = made.studio.unfinished, []
    post, image = (SimpleNamespace(kind=kind, body={}) for kind in ("publish", "inference"))
    settled(lambda: not unfinished._tasks)
    unfinished._resume = lambda records: taken.extend(records) or []
    unfinished._running, unfinished._posts = [post, image], [post]
    event_loop.run_blocking(on_loop(unfinished._update))
    assert (unfinished.running, unfinished.posts) == (1, 0)
    send(unfinished, "watch")
    settled(lambda: taken)
    assert (taken, unfinished._running, unfinished.running) == ([image], [post], 0)
    event_loop.run_blocking(on_loop(lambda: made.grant(VISITOR)))
    settled(lambda: (unfinished.running, unfinished.posts) == (1, 1))


def test_scheduling_needs_its_own_permission(wonda, opened, settled):
    form = opened(ww.PublishForm("media", wonda=wonda))
    settled(lambda: form.accounts_state == "ready")
    form.account = form.accounts[0]["id"]
    form.grant(OWNER.without(SCHEDULE))
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    set_by_page(form, scheduled_at=due)
    assert form.scheduled_at == ""
    send(form, "publish", scheduled_at=due)
    settled(lambda: form.error)
    assert (form.step, form.error["title"]) == ("editing", "Scheduling is disabled here.")
    form.error, form.scheduled_at = None, due  # summed up by whoever may, then taken away
    form.grant(OWNER)
    send(form, "publish")
    settled(lambda: form.step == "confirming")
    form.grant(OWNER.without(SCHEDULE))
    send(form, "confirm", media_id="media")
    settled(lambda: form.error)
    assert (form.step, wonda.publish.scheduled()) == ("editing", [])


def test_owner_can_export_and_save(wonda, opened, settled, tmp_path):
    wonda.images.generate(model="z-image", prompt="A lake").wait()
    gallery = opened(ww.Gallery(wonda=wonda))
    settled(lambda: gallery._shown)
    send(gallery, "export", kind="csv")
    settled(lambda: gallery.note.startswith("Exported"))
    assert [path.name for path in (tmp_path / "server").iterdir()] == ["wonda-results.csv"]
    preview = opened(ww.ImagePreview(gallery._shown[0].image.media, wonda=wonda))
    settled(lambda: preview.state == "ready")
    send(preview, "save")
    settled(lambda: preview.saved)
    assert len(list((tmp_path / "server").iterdir())) == 2


# ---------------------------------------------------------------- actions by name


def test_action_runs_only_for_permitted_sessions(wonda, opened, settled):
    job = wonda.images.generate(model="z-image", prompt="A lake")
    job.wait()
    gallery = opened(ww.Gallery([job], wonda=wonda))
    done = []
    gallery.add_action("post", "Post", done.append, permission=PUBLISH)
    gallery.add_action("pair", "Pair", done.append, min_images=2, max_images=2, permission=None)
    gallery.add_action("look", "Look", lambda _: done.append("looked"), permission=None)
    settled(lambda: gallery._shown)
    key = gallery._shown[0].key
    gallery.grant(REVIEWER)
    assert [each["name"] for each in gallery.actions] == ["pair", "look"]
    send(gallery, "act", name="post", keys=[key])
    settled(lambda: gallery.error)
    assert gallery.error["title"] == "Publishing is disabled here."
    send(gallery, "act", name="pair", keys=[key, key])
    send(gallery, "act", name="__init__", keys=[key])
    send(gallery, "act", name="look", keys=[key])
    settled(lambda: done)
    assert done == ["looked"]
    gallery.grant(OWNER)
    assert [each["name"] for each in gallery.actions] == ["post", "pair", "look"]


@pytest.mark.parametrize("panel", [ww.Gallery, ww.Compare])
def test_each_offered_action_has_a_permission(panel):
    needs = inspect.signature(panel.add_action).parameters["permission"]
    assert needs.kind is needs.KEYWORD_ONLY
    assert needs.default is needs.empty


def test_compare_runs_only_offered_actions(wonda, opened, settled):
    jobs = [wonda.images.generate(model="z-image", prompt=f"A lake {at}") for at in range(2)]
    for job in jobs:
        job.wait()
    compare = opened(ww.Compare(jobs, wonda=wonda))
    done = []
    compare.add_action("post", "Post", done.append, permission=PUBLISH)
    settled(lambda: compare.shown)
    compare.grant(SPECTATOR)
    assert compare.actions == []
    send(compare, "act", name="post", key=compare.shown[0])
    settled(lambda: compare.error)
    assert (done, compare.error["field"]) == ([], "publish")


# ---------------------------------------------------------------- traits


def other(value):
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, list):
        return [*value, "x"]
    if isinstance(value, Widget):
        return "anywidget:another"
    return {**(value or {}), "x": "x"} if value is None or isinstance(value, dict) else value * 2


def test_page_can_set_only_traits_with_a_control(dashboard):
    for panel in panels_of(dashboard):
        name = type(panel).__name__
        own = {each for each in panel.keys if each != "layout"}
        for trait in own - TRAITS.get(name, {}).keys() - {"_view_count"}:
            before = getattr(panel, trait)
            set_by_page(panel, **{trait: other(before)})
            assert getattr(panel, trait) == before, f"{name}.{trait}"


def test_text_input_reaches_the_kernel(dashboard):
    form = dashboard.publish_form
    set_by_page(form, caption="Typed", step="confirming", _view_count=2)
    assert (form.caption, form.step, form._view_count) == ("Typed", "editing", 2)


def test_page_without_publish_permission_cannot_set_post_texts(dashboard):
    form = dashboard.publish_form
    dashboard.grant(SPECTATOR)
    set_by_page(form, caption="Typed")
    assert form.caption == ""
    dashboard.grant(REVIEWER)
    set_by_page(dashboard.studio.prompt_form, prompt="Typed")
    assert dashboard.studio.prompt_form.prompt == "A lake"


@pytest.mark.parametrize("forged", [{"confirm_publish": False}, {"step": "confirming"}, {}])
def test_confirm_requires_the_summary(forged, dashboard, wonda, settled):
    form = dashboard.publish_form
    set_by_page(form, **forged, summary={"media_id": form.media_id, "account": form.account})
    send(form, "confirm", media_id=form.media_id)
    send(form, "repeat", media_id=form.media_id)
    send(form, "publish", caption="Summed up")
    settled(lambda: form.step == "confirming")
    set_by_page(form, summary={**form.summary, "caption": "Another"}, media_id="another")
    assert wonda.publish.history()["publishes"] == []
    send(form, "confirm", media_id=form.media_id)
    settled(lambda: form.posted)
    assert [post["caption"] for post in wonda.publish.history()["publishes"]] == ["Summed up"]


def test_ignored_message_is_logged_without_its_value(dashboard, caplog):
    with caplog.at_level("DEBUG", logger="wonda_widgets"):
        set_by_page(dashboard.publish_form, summary={"caption": "unheard"}, nothing=1)
    [line] = [record.getMessage() for record in caplog.records if "ignored" in record.getMessage()]
    assert "'nothing', 'summary'" in line
    assert "unheard" not in caplog.text
