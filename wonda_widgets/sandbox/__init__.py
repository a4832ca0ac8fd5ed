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

from typing import TYPE_CHECKING, Any

from .app import Sandbox

if TYPE_CHECKING:
    import httpx

__all__ = ["Sandbox", "local_transport"]

# Names that resolve nowhere: in the process, no request ever leaves it.
API_ORIGIN = "https://sandbox.wonda.invalid"
STORAGE_ORIGIN = "https://storage.sandbox.wonda.invalid"


def local_transport(**options: Any) -> tuple[httpx.AsyncBaseTransport, str, str]:
    """A sandbox in this process: its httpx transport, base URL and a key it takes."""
    import httpx  # noqa: PLC0415 - a sandbox on a socket does without

    sandbox = Sandbox(storage_origin=STORAGE_ORIGIN, **options)
    storage_host = STORAGE_ORIGIN.partition("//")[2].encode()

    async def both(scope: Any, receive: Any, send: Any) -> None:
        host = dict(scope["headers"]).get(b"host")
        app = sandbox.storage if host == storage_host else sandbox.api
        await app(scope, receive, send)

    return httpx.ASGITransport(app=both), f"{API_ORIGIN}/api/v1", sandbox.any_key
