"""A Wonda of our own: the same HTTP, made-up pictures, nothing published.

It stands beside the package, not in it: the package reaches it over HTTP only,
either inside the process (`local_transport`) or on a socket (`serve`).

- `catalog`: the models, their parameters and prices
- `state`: jobs, media, posts and the purse, as they change with time
- `validation`: what the service refuses, and in which words
- `app`: the endpoints
- `storage`: the second origin, where images are
- `post_page`, `local_pages`: what a simulated post links to
- `faults`: replies that go wrong on demand, for tests
- `pictures`: what it makes
- `server`: all of it on a socket
"""

from __future__ import annotations

import asyncio
import threading
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from .faults import Faults

if TYPE_CHECKING:
    import httpx

    from .app import Sandbox as Sandbox

__all__ = ["Sandbox", "local_transport"]

# Names that resolve nowhere: in the process, no request ever leaves it.
API_ORIGIN = "https://sandbox.wonda.invalid"
STORAGE_ORIGIN = "https://storage.sandbox.wonda.invalid"
ANY_KEY = "sk_" + "0" * 64  # one of the right shape


class Local(NamedTuple):
    """A sandbox in this process: how to reach it, a key that it takes, and its faults."""

    transport: httpx.AsyncBaseTransport
    base_url: str
    key: str
    faults: Faults


def local_transport(**options: Any) -> Local:
    """Make a sandbox in this process.

    Without options it is loaded when the first request arrives: a panel is there sooner
    than what it asks.
    """
    import httpx  # noqa: PLC0415 - a sandbox on a socket does without

    faults = Faults()
    storage_host = STORAGE_ORIGIN.partition("//")[2].encode()

    one_at_a_time = threading.Lock()

    @cache
    def made_once() -> Sandbox:
        made: Sandbox = import_module(".app", __package__).Sandbox(
            storage_origin=STORAGE_ORIGIN, **options
        )
        made.faults = faults
        # Its origins resolve nowhere, and a browser is to open what a post links to.
        pages = import_module(".local_pages", __package__)
        made.store.page_address = lambda publish_id: pages.address(made.store, publish_id)
        return made

    def sandbox() -> Sandbox:
        with one_at_a_time:
            return made_once()

    async def both(scope: Any, receive: Any, send: Any) -> None:
        host = dict(scope["headers"]).get(b"host")
        if not made_once.cache_info().currsize:  # off the loop, which has other work meanwhile
            await asyncio.to_thread(sandbox)
        app = sandbox().storage if host == storage_host else sandbox().api
        await app(scope, receive, send)

    key = sandbox().any_key if options else ANY_KEY  # options may be wrong, which is said here
    transport = httpx.ASGITransport(app=both)
    return Local(transport, f"{API_ORIGIN}/api/v1", key, faults)


def __getattr__(name: str) -> object:
    if name != "Sandbox":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(".app", __name__).Sandbox
