"""Replies that go wrong on demand: what networks and services really do, for tests.

    sandbox.faults.add("POST", "/image/generate", "drop")
    sandbox.faults.add("GET", "/jobs/", 503, times=2)
    sandbox.faults.add("GET", "/storage/", "cut")  # where the images lie

A fault strikes before the request takes effect, or after it with
``after=True``: the hard case, in which only the reply is lost.
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
    """One thing that goes wrong, a number of times."""

    method: str
    path: str
    kind: Kind
    times: int
    after: bool
    headers: Mapping[str, str] = {}


class Faults:
    """The faults that wait to strike, and a record of every request that arrived."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        #: (method, path) of each request that arrived at the API
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
        """Make the next `times` requests whose path contains `path` go wrong.

        Parameters
        ----------
        method : str
        path : str
        kind : int or str
            An HTTP status; ``"drop"`` (the connection closes without a word), ``"cut"``
            (it closes within the reply), ``"hang"`` (no answer ever), ``"html"`` (a
            maintenance page with status 200), ``"empty"`` (JSON that says nothing).
        times : int
        after : bool
            Whether the request takes effect all the same.
        headers : dict, optional
            More reply headers, e.g. ``Retry-After``.
        """
        self._waiting.append(Fault(method, path, kind, times, after, headers or {}))

    def clear(self) -> None:
        """Let everything go well again."""
        self._waiting.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Note that a request arrived; the fault that strikes it, if any."""
        self.arrived.append((method, path))
        return self.find(method, path)

    def find(self, method: str, path: str) -> Fault | None:
        """Find the fault that strikes a request, if any; it strikes once less after that."""
        for fault in self._waiting:
            if fault.method == method and fault.path in path and fault.times > 0:
                fault.times -= 1
                return fault
        return None


async def strike(
    fault: Fault,
    receive: Callable[[], Awaitable[Any]],
    send: Callable[[Any], Awaitable[None]],
) -> None:
    """Answer with the fault instead of a reply."""
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
            error = {"message": f"Pretended fault {status}", "code": "sandbox_fault"}
            await send(
                {"type": "http.response.body", "body": json.dumps({"error": error}).encode()}
            )


async def _start(
    send: Callable[[Any], Awaitable[None]], status: int, headers: Mapping[str, str]
) -> None:
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _drop(send: Callable[[Any], Awaitable[None]]) -> None:
    """Close the connection under the reply."""
    # uvicorn offers no word for this, so its connection is taken from behind `send`.
    connection = getattr(getattr(send, "__self__", None), "transport", None)
    if connection is None:  # within the process there is no connection to close
        import httpx  # noqa: PLC0415

        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
    connection.abort()
    await asyncio.sleep(0.01)  # so that the server has noticed before we return
