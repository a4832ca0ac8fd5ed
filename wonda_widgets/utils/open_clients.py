"""Find the open client in this process from which an image or a job came.

A registry of `AsyncWonda` objects by client name, with weak references and without importing the
class.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

_clients: WeakValueDictionary[str, Any] = WeakValueDictionary()


def add(name: str, client: Any) -> None:
    """Register a new client under a unique name."""
    _clients[name] = client


def by_name(name: str) -> Any:
    """Return the client with this name; None if it is closed or belongs to another process."""
    client = _clients.get(name)
    return None if client is None or client.is_closed else client


def all_open() -> list[Any]:
    """Return all open clients, oldest first."""
    return [client for client in list(_clients.values()) if not client.is_closed]


def is_open(thing: object) -> bool:
    """Return whether `thing` is an open client."""
    return any(thing is client for client in all_open())
