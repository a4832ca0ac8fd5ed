"""The pages of posts for sandboxes that live within a process: one small server on loopback.

It is there when the first post is made, serves pages and their images and nothing else, and
ends with the process.
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
    """Give where the page of a post is; empty if nothing can be served here."""
    try:
        port = _port()
    except OSError:
        return ""
    # Whoever does not know the name cannot ask for pages of posts.
    name = _names.setdefault(store, secrets.token_urlsafe(9))
    _stores[name] = store
    return f"http://127.0.0.1:{port}/{post_page.FOLDER}/{name}.{publish_id}"


def _port() -> int:
    global _server  # noqa: PLW0603 - one a process
    with _lock:
        if _server is None:
            made = _Server(("127.0.0.1", 0), _Handler)
            threading.Thread(target=made.serve_forever, daemon=True, name="wonda posts").start()
            atexit.register(made.server_close)
            _server = made
        return int(_server.server_port)


def _forked() -> None:
    """Forget, in a child, the parent's server: its thread is not here, its lock may be held.

    An open socket would keep its port taken after the parent's end, with nobody to answer.
    """
    global _lock, _server
    if _server is not None:
        _server.socket.close()
    _lock, _server = threading.Lock(), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Print nothing where a browser left: in a notebook it would appear below a cell."""
        if not isinstance(sys.exception(), ConnectionError):
            _log.exception("The page of a simulated post failed")


class _Handler(BaseHTTPRequestHandler):
    server_version, sys_version = "wonda-widgets", ""

    def do_GET(self) -> None:
        """Answer a browser."""
        port = self.connection.getsockname()[1]
        folder, _, rest = self.path.lstrip("/").partition("/")
        name, _, path = rest.partition(".")
        store = _stores.get(name)
        found = post_page.NOT_FOUND
        # Another name for this address is another site's, which must not read what is here.
        is_own = self.headers.get("Host") in {f"127.0.0.1:{port}", f"localhost:{port}"}
        if is_own and folder == post_page.FOLDER and store is not None:
            found = post_page.answer(store, path)
        self.send_response(found.status)
        self.send_header("Content-Type", found.mime_type)
        self.send_header("Content-Length", str(len(found.data)))
        for header, value in post_page.HEADERS.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(found.data)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""
