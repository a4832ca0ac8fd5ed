"""Serve a Voilà page to this computer only: ``python -m wonda_widgets.cli.page_server``.

Voilà accepts requests for any host name (its `allow_remote_access` is fixed to True), so a web page
whose host name resolves to 127.0.0.1 could use the dashboard. This server checks each request
before any other route handles it: pages, static files, kernels, websockets.
"""

from __future__ import annotations

from typing import Any

from tornado.routing import Matcher, Rule
from tornado.web import ErrorHandler
from voila.app import Voila

from ..sandbox.hosts import AllowedHosts


class PageServer(Voila):  # type: ignore[misc]  # Voilà is untyped
    """A Voilà server for requests with a loopback host name; 403 for all others."""

    def init_handlers(self) -> list[Any]:
        """Add Voilà's routes after the route that rejects requests."""
        refusing = Rule(_Refused(AllowedHosts()), _Refusal, {"status_code": 403})
        return [refusing, *super().init_handlers()]


class _Refused(Matcher):
    """A matcher of the requests to reject."""

    def __init__(self, allowed: AllowedHosts) -> None:
        self._allowed = allowed

    def match(self, request: Any) -> dict[str, Any] | None:
        headers = request.headers
        why = self._allowed.refusal(headers.get_list("Host"), headers.get_list("Origin"))
        # A link on another site may lead here; an image, script or frame may not start kernels.
        is_of_this_site = headers.get("Sec-Fetch-Site", "none") in {"same-origin", "none"}
        if not is_of_this_site and headers.get("Sec-Fetch-Dest") != "document":
            return {}
        # A target that includes a host ("GET http://…") is meant for proxies.
        return {} if why or not request.path.startswith("/") else None


class _Refusal(ErrorHandler):
    """The response to a rejected request, even to a websocket's handshake."""

    def write_error(self, status_code: int, **_: Any) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}: This server serves its pages on localhost only.\n")


if __name__ == "__main__":
    PageServer.launch_instance()
