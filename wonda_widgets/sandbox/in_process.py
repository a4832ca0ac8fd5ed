"""A sandbox within this process: reached by HTTP all the same, without a socket."""

from __future__ import annotations

import asyncio
import threading
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from .faults import Faults
from .validation import ANY_KEY

if TYPE_CHECKING:
    import httpx

    from .app import Sandbox

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
