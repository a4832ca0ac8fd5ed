"""What panels do with marimo's context; tests/browser/test_marimo.py has the rest."""

import contextlib
import dataclasses
import sys
import threading
from types import SimpleNamespace

import pytest

import wonda_widgets as ww
from wonda_widgets.widgets._shared import frontend, marimo_cell
from wonda_widgets.widgets._shared import panel as panel_module

pytestmark = pytest.mark.usefixtures("nothing_is_left")


@pytest.fixture
def wonda():
    with ww.Wonda.sandbox(seconds=0.3) as client:
        yield client


@dataclasses.dataclass
class Execution:
    cell_id: str


class Context:
    """What is used of marimo's `KernelRuntimeContext`."""

    def __init__(self):
        self.stream = object()
        self.execution_context = Execution("cell-1")
        self._kernel = SimpleNamespace(enqueue_control_request=lambda _: None)
        self.items = []
        self.cell_lifecycle_registry = SimpleNamespace(add=self.items.append)
        self.installed = []

    @contextlib.contextmanager
    def install(self):
        self.installed.append(self.execution_context.cell_id)
        yield

    def run_again(self):
        for item in self.items:
            assert item.dispose(self, False)


@pytest.fixture
def context(monkeypatch):
    made = Context()
    module = SimpleNamespace(safe_get_context=lambda: made)
    monkeypatch.setitem(sys.modules, "marimo._runtime.context", module)
    monkeypatch.setattr(frontend, "_bundles", {})
    yield made
    for bundle, _ in frontend._bundles.values():
        bundle.close()


def test_a_panel_closes_when_its_cell_runs_again(panel, context, settled):
    form = panel(ww.PromptForm)
    context.run_again()
    settled(lambda: form._closed)


def test_a_removed_panel_first_follows_its_job_to_the_end(panel, context, settled):
    studio = panel(ww.Studio)
    settled(lambda: studio.prompt_form.state == "ready")
    studio.prompt_form.prompt = "A harbor"
    studio.prompt_form.submit()
    settled(lambda: studio.job is not None)
    context.run_again()
    settled(lambda: studio._closed)
    assert studio.job.done


def test_nothing_is_sent_to_a_removed_model(monkeypatch, panel, settled):
    form = panel(ww.PromptForm)
    settled(lambda: form.price)
    sent = []
    monkeypatch.setattr(form.comm, "send", lambda **message: sent.append(message))
    form.model = "z-image"
    settled(lambda: sent)
    form.comm.close()
    settled(lambda: not form._pricing or form._pricing.done())
    sent.clear()
    form.error = {"title": "T", "text": "t", "field": ""}
    assert not sent


def test_the_bundle_belongs_to_the_session_and_to_no_cell(panel, context):
    first = panel(ww.PromptForm)._bundle
    assert "cell-1" not in context.installed[:1]
    assert panel(ww.PromptForm)._bundle is first
    context.stream = object()  # another visitor
    assert panel(ww.PromptForm)._bundle is not first


def test_panels_of_a_visitor_who_has_left_are_closed(monkeypatch, panel, context, settled):
    monkeypatch.setattr(panel_module, "SESSION_INTERVAL_SECONDS", 0.01)
    made = []
    visitor = threading.Thread(target=lambda: made.append(panel(ww.PromptForm)))
    visitor.start()
    visitor.join()
    settled(lambda: made[0]._closed)
    assert context.installed
    left = frontend.shared_bundle()
    context.stream = object()
    assert frontend.shared_bundle().is_open
    assert not left.is_open


def test_the_value_has_no_binary_data(panel, context, settled):
    image = panel(ww.ImagePreview)
    settled(lambda: image.state == "empty")
    image.data = b"\xff"
    value = image.get_state()
    assert value["media_id"] == ""
    assert context.items
    assert not {"data", "_esm", "_bundle", "hiding", "receipt", "update_count"} & set(value)
    assert image.get_state("data")["data"] == b"\xff"


@pytest.mark.parametrize(
    "module", [SimpleNamespace(), SimpleNamespace(safe_get_context=lambda: None)]
)
def test_another_version_of_marimo_or_none(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "marimo._runtime.context", module)
    assert marimo_cell.running_cell() is None
    assert marimo_cell.session() is None
    with marimo_cell.outside_cells():
        pass
