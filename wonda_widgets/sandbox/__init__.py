"""A Wonda of our own: the same HTTP, made-up pictures, nothing published.

It stands beside the package, not in it: the package reaches it over HTTP only,
either inside the process (`local_transport`) or on a socket (`serve`).

- `catalog`: the models, their parameters and prices
- `state`: jobs, media, posts and the purse, as they change with time
- `validation`: what the service refuses, and in which words
- `app`: the endpoints
- `storage`: the second origin, where pictures lie
- `faults`: replies that go wrong on demand, for tests
- `pictures`: what it makes
- `server`: all of it on a socket
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .app import Sandbox

if TYPE_CHECKING:
    import httpx

    from .faults import Faults

__all__ = ["Sandbox", "local_transport"]

# Names that resolve nowhere: in the process, no request ever leaves it.
API_ORIGIN = "https://sandbox.wonda.invalid"
STORAGE_ORIGIN = "https://storage.sandbox.wonda.invalid"


class Local(NamedTuple):
    """A sandbox in this process: how to reach it, a key that it takes, and its faults."""

    transport: httpx.AsyncBaseTransport
    base_url: str
    key: str
    faults: Faults


def local_transport(**options: Any) -> Local:
    """Make a sandbox in this process."""
    import httpx  # noqa: PLC0415 - a sandbox on a socket does without

    sandbox = Sandbox(storage_origin=STORAGE_ORIGIN, **options)
    storage_host = STORAGE_ORIGIN.partition("//")[2].encode()

    async def both(scope: Any, receive: Any, send: Any) -> None:
        host = dict(scope["headers"]).get(b"host")
        app = sandbox.storage if host == storage_host else sandbox.api
        await app(scope, receive, send)

    transport = httpx.ASGITransport(app=both)
    return Local(transport, f"{API_ORIGIN}/api/v1", sandbox.any_key, sandbox.faults)
