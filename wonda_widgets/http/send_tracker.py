"""Track whether a request may have left this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The errors that httpx raises before any byte of the request could leave.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


class SendTracker:
    """A tracker of one request in httpcore, used as its ``trace`` extension.

    A connection through a proxy begins with a ``CONNECT`` request to the proxy, which can fail like
    any other request. Until this request and the TLS handshake are done, no part of the actual
    request has left.
    """

    def __init__(self) -> None:
        self._is_traced = self._has_begun = False

    def may_have_left(self, error: BaseException) -> bool:
        """Whether a part of the request may have left before `error`; True if unknown."""
        return (self._has_begun or not self._is_traced) and not isinstance(error, NOT_SENT)

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Process an event from httpcore; the request in `info` may be the one to the proxy."""
        self._is_traced = True
        if event.endswith(".send_request_headers.started"):
            self._has_begun = self._has_begun or info["request"].method != b"CONNECT"
