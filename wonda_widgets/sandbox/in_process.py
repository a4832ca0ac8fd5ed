"""Run a sandbox in this process, behind an httpx transport instead of a socket."""

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

# ".invalid" never resolves, so no request can leave the process.
API_ORIGIN = "https://sandbox.wonda.invalid"
STORAGE_ORIGIN = "https://storage.sandbox.wonda.invalid"


class LocalSandbox(NamedTuple):
    """An in-process sandbox: its transport, base URL, an accepted API key, and its faults."""

    transport: httpx.AsyncBaseTransport
    base_url: str
    key: str
    faults: Faults


def local_transport(**options: Any) -> LocalSandbox:
    """Create a sandbox in this process.

    Without options, it is loaded with the first request, so that panels open sooner.

    Parameters
    ----------
    **options
        See `wonda_widgets.sandbox.app.Sandbox`.

    Raises
    ------
    TypeError
        If there is no such option.
    """
    import httpx  # noqa: PLC0415 - a sandbox on a socket does not need it

    faults = Faults()
    storage_host = STORAGE_ORIGIN.partition("//")[2].encode()

    lock = threading.Lock()

    @cache
    def create() -> Sandbox:
        sandbox: Sandbox = import_module(".app", __package__).Sandbox(
            storage_origin=STORAGE_ORIGIN, **options
        )
        sandbox.faults = faults
        # The storage origin does not resolve, but a browser must be able to open a post's page.
        pages = import_module(".local_pages", __package__)
        sandbox.store.page_address = lambda publish_id: pages.address(sandbox.store, publish_id)
        return sandbox

    def get_sandbox() -> Sandbox:
        with lock:
            return create()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        host = dict(scope["headers"]).get(b"host")
        if not create.cache_info().currsize:  # in a thread, because loading takes a while
            await asyncio.to_thread(get_sandbox)
        sandbox = get_sandbox()
        await (sandbox.storage if host == storage_host else sandbox.api)(scope, receive, send)

    key = get_sandbox().any_key if options else ANY_KEY  # reports wrong options immediately
    return LocalSandbox(httpx.ASGITransport(app=app), f"{API_ORIGIN}/api/v1", key, faults)
