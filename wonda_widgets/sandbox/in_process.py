"""Run a sandbox in this process, behind an httpx transport instead of a socket."""

from __future__ import annotations

import asyncio
import threading
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
STORAGE_HOST = STORAGE_ORIGIN.partition("//")[2].encode()


class LocalSandbox(NamedTuple):
    """An in-process sandbox: its transport, base URL, an accepted API key, and its faults."""

    transport: httpx.AsyncBaseTransport
    base_url: str
    key: str
    faults: Faults


def local_transport(**options: Any) -> LocalSandbox:
    """Create a sandbox in this process.

    Without options, the sandbox is loaded with the first request, so that panels open sooner.

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

    app = LazyApp(options)
    key = app.sandbox.any_key if options else ANY_KEY  # reports wrong options immediately
    return LocalSandbox(httpx.ASGITransport(app=app), f"{API_ORIGIN}/api/v1", key, app.faults)


class LazyApp:
    """An ASGI application of both hosts, which loads the sandbox with its first request.

    Parameters
    ----------
    options : dict
        See `wonda_widgets.sandbox.app.Sandbox`.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._sandbox: Sandbox | None = None
        self._lock = threading.Lock()
        self.faults = Faults()

    @property
    def sandbox(self) -> Sandbox:
        """The sandbox, loaded on first use."""
        with self._lock:
            if self._sandbox is None:
                module = import_module(".app", __package__)
                sandbox: Sandbox = module.Sandbox(storage_origin=STORAGE_ORIGIN, **self._options)
                sandbox.faults = self.faults
                # The storage origin does not resolve, but a browser must be able to open a
                # post's page.
                pages = import_module(".local_pages", __package__)
                sandbox.store.page_address = lambda post: pages.address(sandbox.store, post)
                self._sandbox = sandbox
            return self._sandbox

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request of either host; see the ASGI specification."""
        if self._sandbox is None:  # in a thread, because loading takes a while
            await asyncio.to_thread(lambda: self.sandbox)
        is_storage = dict(scope["headers"]).get(b"host") == STORAGE_HOST
        await (self.sandbox.storage if is_storage else self.sandbox.api)(scope, receive, send)
