"""Simulate network and service errors, for tests.

    sandbox.faults.add("POST", "/image/generate", "drop")
    sandbox.faults.add("GET", "/jobs/", 503, times=2)
    sandbox.faults.add("GET", "/storage/", "cut")  # the storage host

By default, the request has no effect. With ``after=True`` it takes effect and only the
response is lost.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

Kind = int | Literal["drop", "cut", "hang", "html", "empty"]


class Fault(msgspec.Struct):
    """An error for the next `times` matching requests."""

    method: str
    path: str
    kind: Kind
    times: int
    after: bool
    headers: Mapping[str, str] = {}


class Faults:
    """The pending faults, and a log of the requests that arrived."""

    def __init__(self) -> None:
        self._pending: list[Fault] = []
        #: (method, path) of each request to the API
        self.arrived: list[tuple[str, str]] = []

    def add(
        self,
        method: str,
        path: str,
        kind: Kind,
        *,
        times: int = 1,
        after: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Make the next `times` requests whose path contains `path` fail.

        Parameters
        ----------
        method : str
            The HTTP method.
        path : str
            A part of the path.
        kind : int or str
            An HTTP status; ``"drop"`` (the connection closes without a response), ``"cut"``
            (it closes during the response), ``"hang"`` (no response), ``"html"`` (a maintenance
            page with status 200), ``"empty"`` (an empty JSON object).
        times : int
        after : bool
            Whether the request still takes effect.
        headers : dict, optional
            More response headers, such as ``Retry-After``.
        """
        self._pending.append(Fault(method, path, kind, times, after, headers or {}))

    def clear(self) -> None:
        """Remove all pending faults."""
        self._pending.clear()

    def on_request(self, method: str, path: str) -> Fault | None:
        """Log a request and return the fault for it, if any."""
        self.arrived.append((method, path))
        return self.find(method, path)

    def find(self, method: str, path: str) -> Fault | None:
        """Return the fault for a request, if any, and count it as used once."""
        for fault in self._pending:
            if fault.method == method and fault.path in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None


async def send_fault(
    fault: Fault,
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Send the fault instead of a response."""
    match fault.kind:
        case "hang":
            while (await receive())["type"] != "http.disconnect":
                pass
        case "drop":
            await _drop(send)
        case "cut":
            await _start(send, 200, {**fault.headers, "Content-Length": "1000"})
            await send({"type": "http.response.body", "body": b'{"in', "more_body": True})
            await _drop(send)
        case "html":
            await _start(send, 200, {**fault.headers, "Content-Type": "text/html"})
            body = b"<!doctype html><title>Down for maintenance</title>"
            await send({"type": "http.response.body", "body": body})
        case "empty":
            await _start(send, 200, {**fault.headers, "Content-Type": "application/json"})
            await send({"type": "http.response.body", "body": b"{}"})
        case int(status):
            await _start(send, status, {**fault.headers, "Content-Type": "application/json"})
            error = {"message": f"Simulated fault {status}", "code": "sandbox_fault"}
            await send(
                {"type": "http.response.body", "body": json.dumps({"error": error}).encode()}
            )


async def _start(
    send: Callable[[Any], Awaitable[None]], status: int, headers: Mapping[str, str]
) -> None:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _drop(send: Callable[[Any], Awaitable[None]]) -> None:
    """Close the connection without completing the response."""
    # uvicorn has no API for this, so the connection is taken from the object behind `send`.
    connection = getattr(getattr(send, "__self__", None), "transport", None)
    if connection is None:  # an in-process sandbox has no connection
        import httpx  # noqa: PLC0415

        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
    connection.abort()
    await asyncio.sleep(0.01)  # so that the server notices before this returns
