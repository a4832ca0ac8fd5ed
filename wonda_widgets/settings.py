"""A client in another process: it travels as its settings, and never with its key.

    pickle ──> address, timeout, journal's file ──> there: the key of the environment there

All that arrive in a process with the same settings are one client, so that a worker with
hundreds of tasks has one journal open and one set of connections. It needs no closing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from . import credentials
from .journal import Journal

if TYPE_CHECKING:
    from .client import AsyncWonda


class Settings(NamedTuple):
    """What a client is made of, but for its key."""

    base_url: str
    timeout: float
    journal: tuple[str, float, float]
    is_sandbox: bool


_arrived: dict[Any, AsyncWonda] = {}


def of(client: AsyncWonda) -> Settings:
    """Give what another process needs to make the same client.

    Raises
    ------
    TypeError
        If no other process could reach what this one uses.
    """
    core = client._core  # noqa: SLF001 - its other half
    if client.faults is not None:
        raise TypeError(
            "This sandbox lives within its process, where no other one reaches it. Serve one with "
            "`wonda-widgets sandbox`, and use ww.Wonda.served_sandbox(address)."
        )
    if not core.transport.by_network:
        raise TypeError(
            "A client with a transport of its own stays in its process. Make one in each worker, "
            "with a transport of its own there."
        )
    return Settings(
        client.base_url, core.transport.timeout, core.journal.settings, client.is_sandbox
    )


def shared(cls: type[AsyncWonda], settings: Settings) -> AsyncWonda:
    """Give this process's one client of these settings, and of the key that there is here.

    Raises
    ------
    MissingKeyError
        If there is none.
    """
    key = (cls, settings, None if settings.is_sandbox else credentials.in_use())
    found = _arrived.get(key)
    if found is not None and not found.is_closed:
        return found
    path, days, megabytes = settings.journal
    how: dict[str, Any] = {"base_url": settings.base_url, "timeout": settings.timeout}
    how["journal"] = Journal(path, days=days, megabytes=megabytes)
    made = cls.served_sandbox(**how) if settings.is_sandbox else cls(**how)
    made._core.closes_journal = True  # noqa: SLF001 - nobody else has it
    if found is not None:
        _arrived.pop(key, None)
    # Of two that arrive at once the first one stays; the other has opened nothing yet.
    return _arrived.setdefault(key, made)
