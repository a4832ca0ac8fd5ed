"""Serve the pages of simulated posts for in-process sandboxes, on a loopback port.

The server starts with the first post, serves only these pages and their images, and ends with
the process.
"""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from . import post_page

if TYPE_CHECKING:
    from .state import Store

_stores: WeakValueDictionary[str, Store] = WeakValueDictionary()
_names: WeakKeyDictionary[Store, str] = WeakKeyDictionary()
_lock = threading.Lock()
_server: ThreadingHTTPServer | None = None
_log = logging.getLogger(__name__)


def address(store: Store, publish_id: str) -> str:
    """Return the URL of a post's page; empty if no server can be started."""
    try:
        port = _port()
    except OSError:
        return ""
    # The random name keeps other programs from requesting the pages.
    name = _names.setdefault(store, secrets.token_urlsafe(9))
    _stores[name] = store
    return f"http://127.0.0.1:{port}/{post_page.FOLDER}/{name}.{publish_id}"


def _port() -> int:
    global _server  # noqa: PLW0603 - one per process
    with _lock:
        if _server is None:
            server = _Server(("127.0.0.1", 0), _Handler)
            threading.Thread(target=server.serve_forever, daemon=True, name="wonda posts").start()
            atexit.register(server.server_close)
            _server = server
        return int(_server.server_port)


def _after_fork() -> None:
    """Discard the parent's server and lock in a forked child, which does not have its thread.

    An open socket would keep the port in use after the parent ends.
    """
    global _lock, _server
    if _server is not None:
        _server.socket.close()
    _lock, _server = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Ignore closed connections, whose traceback would appear below a notebook cell."""
        if not isinstance(sys.exception(), ConnectionError):
            _log.exception("The page of a simulated post failed")


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "wonda-widgets", ""

    def do_GET(self) -> None:
        """Send a page or an image."""
        port = self.connection.getsockname()[1]
        folder, _, rest = self.path.lstrip("/").partition("/")
        name, _, path = rest.partition(".")
        store = _stores.get(name)
        page = post_page.NOT_FOUND
        # Another host name may belong to another site (DNS rebinding, see `hosts`).
        is_own_host = self.headers.get("Host") in {f"127.0.0.1:{port}", f"localhost:{port}"}
        if is_own_host and folder == post_page.FOLDER and store is not None:
            page = post_page.respond(store, path)
        self.send_response(page.status)
        self.send_header("Content-Type", page.mime_type)
        self.send_header("Content-Length", str(len(page.data)))
        for header, value in post_page.HEADERS.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(page.data)

    def log_message(self, *_: Any) -> None:
        """Do not print requests to stderr."""
