"""The clients of this process that are open, by the names under which images know them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from .client import AsyncWonda

_clients: WeakValueDictionary[str, AsyncWonda] = WeakValueDictionary()


def add(name: str, client: AsyncWonda) -> None:
    """Remember a new client for as long as somebody uses it."""
    _clients[name] = client


def named(name: str) -> AsyncWonda | None:
    """Give the client of that name; None if it is closed or of another process."""
    client = _clients.get(name)
    return None if client is None or client.is_closed else client


def all_open() -> list[AsyncWonda]:
    """Give all that are open, the oldest first."""
    return [client for client in list(_clients.values()) if not client.is_closed]
