"""Serve a page by Voilà to this machine alone: ``python -m wonda_widgets.cli.page_server``.

Voilà answers whatever host a request names (its `allow_remote_access` is fixed to True), so
a web page whose name is made to point to 127.0.0.1 could use the dashboard. Here each
request is checked before any other route has it: pages, static files, kernels, websockets.
"""

from __future__ import annotations

from typing import Any

from tornado.routing import Matcher, Rule
from tornado.web import ErrorHandler
from voila.app import Voila

from ..sandbox.hosts import AllowedHosts


class PageServer(Voila):  # type: ignore[misc]  # Voilà is untyped
    """Voilà, for requests that name this machine by a loopback name; 403 for all others."""

    def init_handlers(self) -> list[Any]:
        """Voilà's own routes, after the one that refuses."""
        refusing = Rule(_Refused(AllowedHosts()), _Refusal, {"status_code": 403})
        return [refusing, *super().init_handlers()]


class _Refused(Matcher):
    """Matches what is to be refused."""

    def __init__(self, allowed: AllowedHosts) -> None:
        self._allowed = allowed

    def match(self, request: Any) -> dict[str, Any] | None:
        headers = request.headers
        why = self._allowed.refusal(headers.get_list("Host"), headers.get_list("Origin"))
        # A link on another site may lead here; an image, script or frame may not start kernels.
        is_of_this_site = headers.get("Sec-Fetch-Site", "none") in {"same-origin", "none"}
        if not is_of_this_site and headers.get("Sec-Fetch-Dest") != "document":
            return {}
        # A target with a host of its own ("GET http://…") is for proxies.
        return {} if why or not request.path.startswith("/") else None


class _Refusal(ErrorHandler):
    """The answer to it, a websocket's handshake included."""

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: This server answers its own pages at localhost only.\n")


if __name__ == "__main__":
    PageServer.launch_instance()
