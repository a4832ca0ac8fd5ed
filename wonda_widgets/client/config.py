"""Pickle a client as its settings, without its API key, and reconnect it on first use.

    client ──pickle──> base URL, timeout, journal file ──unpickle──> unconnected client
                                                                          │ first use
    API key of the receiving process ─────────────────────────────> connected client

An unpickled client connects only when it is used, so a scheduler that passes it on needs no
key. All unpickled clients with the same settings share one client per process, so that a
worker with hundreds of tasks opens one journal. Closing one of them has no effect.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..errors import InvalidInputError, MissingKeyError
from ..http import credentials
from ..journal.journal import Journal

if TYPE_CHECKING:
    from ..jobs.core import Core


class Client(Protocol):
    """The attributes of `Wonda` and `AsyncWonda` that this module uses."""

    base_url: str
    org: str
    is_sandbox: bool
    faults: Any
    _pending_settings: ClientSettings | None

    def _connect(self, settings: ClientSettings) -> None: ...


ClientT = TypeVar("ClientT", bound=Client)


class ClientSettings(NamedTuple):
    """The settings of a client, without its API key."""

    base_url: str
    timeout: float
    journal: tuple[str, float, float]
    is_sandbox: bool
    org: str


#: Attributes whose first use connects an unpickled client.
CONNECTING_ATTRIBUTES = frozenset(
    {
        *("_async", "_core", "faults", "images", "publish", "media"),
        *("accounts", "pricing", "jobs", "history"),
    }
)

#: The shared `AsyncWonda` for each combination of settings and key.
_shared: dict[Any, Any] = {}


def settings_of(client: Client) -> ClientSettings:
    """Return the settings that another process needs to create the same client.

    Raises
    ------
    TypeError
        If another process cannot use the client's sandbox or transport.
    """
    pending = client._pending_settings  # noqa: SLF001 - this module implements its pickling
    if pending is not None:
        return pending
    core: Core = vars(vars(client).get("_async", client))["_core"]
    if client.faults is not None:
        raise TypeError(
            "Other processes cannot reach this in-process sandbox. Start one with "
            "`wonda-widgets sandbox` and use ww.Wonda.served_sandbox(base_url)."
        )
    if not core.transport.uses_network:
        raise TypeError(
            "A client with a custom transport cannot be pickled. Create one in each worker."
        )
    return ClientSettings(
        client.base_url,
        core.transport.timeout,
        core.journal.settings,
        client.is_sandbox,
        client.org,
    )


def from_settings(cls: type[ClientT], settings: ClientSettings) -> ClientT:
    """Create an unconnected client from unpickled settings."""
    client = cls.__new__(cls)
    client._pending_settings = settings  # noqa: SLF001 - see above
    client.base_url, client.org = settings.base_url, settings.org
    client.is_sandbox = settings.is_sandbox
    return client


def connect_on_first_use(client: Client, name: str) -> Any:
    """Connect an unpickled client and return the attribute that it lacked.

    Raises
    ------
    AttributeError
        If the client has no such attribute.
    MissingKeyError
        If this process has no API key.
    """
    settings = client._pending_settings  # noqa: SLF001 - see above
    if settings is None and name in vars(client):
        return vars(client)[name]  # another thread has just connected it
    if settings is None or name not in CONNECTING_ATTRIBUTES:
        raise AttributeError(f"{type(client).__name__!r} object has no attribute {name!r}")
    client._connect(settings)  # noqa: SLF001
    client._pending_settings = None  # noqa: SLF001
    return getattr(client, name)


def is_shared(client: Any) -> bool:
    """Check whether other unpickled clients use this one, so that it must stay open."""
    return any(client._core is shared._core for shared in _shared.values())  # noqa: SLF001 - see above


def shared_client(cls: Any, settings: ClientSettings) -> Any:
    """Return this process's client for these settings and its current key; create it if needed.

    Raises
    ------
    MissingKeyError
        If this process has no API key.
    InvalidInputError
        If the journal file is not on this computer. An empty journal would not prevent
        duplicate requests.
    """
    key = (
        cls,
        settings,
        None if settings.is_sandbox else credentials.current_fingerprint(settings.base_url),
    )
    found = _shared.get(key)
    if found is not None:
        return found
    path, days, megabytes = settings.journal
    if not Path(path).exists():
        raise InvalidInputError(
            "journal",
            f"The journal {path} is not on this computer, so duplicates cannot be detected.",
            "Use workers on the computer that has the journal, or create a client in each worker.",
        )
    arguments: dict[str, Any] = {
        "base_url": settings.base_url,
        "timeout": settings.timeout,
        "journal": Journal(path, days=days, megabytes=megabytes),
        "org": settings.org,
    }
    try:
        client = cls.served_sandbox(**arguments) if settings.is_sandbox else cls(**arguments)
    except MissingKeyError as error:
        error.add_note(
            "A pickled client does not contain its API key. Set WONDA_API_KEY before this "
            "worker process starts."
        )
        raise
    client._core.closes_journal = True  # noqa: SLF001 - no other client uses this journal
    # If two threads get here simultaneously, the first client is used; the other has opened nothing
    # yet.
    return _shared.setdefault(key, client)
