"""`DashboardBar`: the header of a dashboard, which also restores a reloaded session.

A visitor who reloads the page gets a new kernel. The browser tab stores the processes of the
visitor's earlier kernels and the text of the forms, and sends them to the new kernel:

    browser ──hello (earlier processes, draft, review)──> kernel     once
    browser <──process, draft── kernel                       stored in the tab
    browser ──ping──> kernel ──pong──> browser               no pong: the session has ended
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import traitlets

from .._shared.frontend import view
from .._shared.panel import Panel
from .._shared.permissions import open_to_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_TEXT_LENGTH = 10_000  # characters of each text in a draft
MAX_PROCESSES = 50
MAX_REVIEW_LENGTH = 100  # characters
DRAFT_TEXTS = ("kind", "prompt", "model", "caption")


class Hello(NamedTuple):
    """What a page knows of its visitor.

    Attributes
    ----------
    processes : list of str
        The earlier kernels of the tab.
    draft : dict
        The text of the forms.
    review : str
        The ID in the page's link; empty without.
    """

    processes: list[str]
    draft: dict[str, Any]
    review: str = ""


class DashboardBar(Panel):
    """A bar with the title, the amount spent and the presenter switch.

    Parameters
    ----------
    title : str
    process : str
        Identifies this kernel's process.
    on_hello : callable
        Called once, on the package's loop, with what the page knows of the visitor.
    on_presenter : callable
        Called on the package's loop with whether presenter mode is on.
    """

    _needs_client = False
    _panel = view("dashboard_bar")
    _view_permission = None

    title = traitlets.Unicode("").tag(sync=True)
    process = traitlets.Unicode("").tag(sync=True)
    presenter = traitlets.Bool(default_value=False).tag(sync=True)
    spending = traitlets.Unicode("").tag(sync=True)
    """The amount spent from the budget, as text; empty without a budget."""
    is_review_only = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether the page shows nothing but reviews."""
    draft = traitlets.Dict().tag(sync=True)
    """The contents of the forms: ``kind``, ``prompt``, ``model``, ``params``, ``caption``."""

    def __init__(
        self,
        title: str,
        process: str,
        on_hello: Callable[[Hello], object],
        on_presenter: Callable[[bool], object],
        **traits: Any,
    ) -> None:
        self._hello_listener = on_hello
        self._presenter_listener = on_presenter
        self._was_greeted = False
        super().__init__(title=title, process=process, **traits)

    @open_to_all
    def _on_hello(self, content: Mapping[str, Any]) -> None:
        if self._was_greeted:  # by another view on the same page
            return
        self._was_greeted = True
        processes, draft = content.get("processes"), content.get("draft")
        stored = processes if isinstance(processes, list) else []
        earlier = [each for each in stored if isinstance(each, str) and each != self.process]
        review = content.get("review")
        self._hello_listener(
            Hello(
                earlier[-MAX_PROCESSES:],
                _valid_draft(draft if isinstance(draft, dict) else {}),
                review[:MAX_REVIEW_LENGTH] if isinstance(review, str) else "",
            )
        )

    @open_to_all
    def _on_ping(self, content: Mapping[str, Any]) -> None:
        self.send({"type": "pong", "view": content.get("view")})

    @open_to_all
    def _on_present(self, content: Mapping[str, Any]) -> None:
        self.presenter = content.get("on") is True
        self._presenter_listener(self.presenter)


def _valid_draft(draft: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a stored draft that have the correct type."""
    texts = {
        name: draft[name][:MAX_TEXT_LENGTH]
        for name in DRAFT_TEXTS
        if isinstance(draft.get(name), str)
    }
    params = draft.get("params")
    return {**texts, "params": params} if isinstance(params, dict) else texts
