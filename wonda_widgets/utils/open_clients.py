"""The clients of this process that are open, by the names under which images know them.

They are `AsyncWonda` objects, of which nothing here depends.
"""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

_clients: WeakValueDictionary[str, Any] = WeakValueDictionary()


def add(name: str, client: Any) -> None:
    """Remember a new client for as long as somebody uses it."""
    _clients[name] = client


def by_name(name: str) -> Any:
    """Give the client of that name; None if it is closed or of another process."""
    client = _clients.get(name)
    return None if client is None or client.is_closed else client


def all_open() -> list[Any]:
    """Give all that are open, the oldest first."""
    return [client for client in list(_clients.values()) if not client.is_closed]


def is_open(thing: object) -> bool:
    """Whether something is a client that is open."""
    return any(thing is client for client in all_open())
