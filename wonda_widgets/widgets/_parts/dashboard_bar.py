"""The head of a dashboard: its title, what may be spent, and who looks at it.

A visitor who loads the page anew has another kernel. The browser's tab remembers which
kernels were theirs and what was typed, and tells the new one:

    browser ──hello (earlier processes, draft)──> kernel     once
    browser <──process, draft── kernel                       kept in the tab
    browser ──ping──> kernel ──pong──> browser               else the session has ended
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from .._shared.panel import Panel, css, esm
from .._shared.permissions import open_to_all

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST = 10_000  # characters of a draft's texts
MOST_PROCESSES = 50
DRAFT = ("prompt", "model", "caption")


class DashboardBar(Panel):
    """Title, budget, presenter mode; and the tab's memory.

    Parameters
    ----------
    title : str
    process : str
        A word for this kernel's process.
    hello : callable
        Called on the package's loop, once, with earlier processes of the same visitor and what
        they had typed.
    present : callable
        Called on the package's loop with whether the presenter mode is on.
    """

    _needs_client = False
    _esm = esm("dashboard_bar")
    _css = css("dashboard")

    title = traitlets.Unicode("").tag(sync=True)
    process = traitlets.Unicode("").tag(sync=True)
    presenter = traitlets.Bool(default_value=False).tag(sync=True)
    spending = traitlets.Unicode("").tag(sync=True)
    """What was spent of the budget, in words; empty without one."""
    draft = traitlets.Dict().tag(sync=True)
    """What is typed and not sent: ``prompt``, ``model``, ``params``, ``caption``."""

    def __init__(
        self,
        title: str,
        process: str,
        hello: Callable[[list[str], dict[str, Any]], object],
        present: Callable[[bool], object],
        **traits: Any,
    ) -> None:
        self._hello = hello
        self._present = present
        self._met = False
        super().__init__(title=title, process=process, **traits)

    @open_to_all
    def _on_hello(self, content: Mapping[str, Any]) -> None:
        if self._met:  # a second view of the same page
            return
        self._met = True
        processes, draft = content.get("processes"), content.get("draft")
        known = processes if isinstance(processes, list) else []
        earlier = [each for each in known if isinstance(each, str) and each != self.process]
        self._hello(earlier[-MOST_PROCESSES:], _checked(draft if isinstance(draft, dict) else {}))

    @open_to_all
    def _on_ping(self, content: Mapping[str, Any]) -> None:
        self.send({"type": "pong", "view": content.get("view")})

    @open_to_all
    def _on_present(self, content: Mapping[str, Any]) -> None:
        self.presenter = content.get("on") is True
        self._present(self.presenter)


def _checked(draft: Mapping[str, Any]) -> dict[str, Any]:
    """What a tab remembers, as far as it can be used."""
    texts = {name: draft[name][:LONGEST] for name in DRAFT if isinstance(draft.get(name), str)}
    params = draft.get("params")
    return {**texts, "params": params} if isinstance(params, dict) else texts
