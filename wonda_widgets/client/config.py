"""A client in another process: it travels as its settings, and never with its key.

    pickle ──> address, timeout, journal's file ──> there, when it is first used: the key there

Until then it is its settings and nothing else, because a scheduler that only hands it on
need have no key. All that arrive in a process with the same settings are then one client,
so that a worker with hundreds of tasks has one journal open. It needs no closing, and closing
one of them closes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from .. import credentials
from ..errors import InvalidInputError, MissingKeyError
from ..journal.journal import Journal

if TYPE_CHECKING:
    from ..jobs.core import Core


class Client(Protocol):
    """What `Wonda` and `AsyncWonda` have in common here."""

    base_url: str
    org: str
    is_sandbox: bool
    faults: Any
    _arrived: ClientSettings | None

    def _use(self, how: ClientSettings) -> None: ...


C = TypeVar("C", bound=Client)


class ClientSettings(NamedTuple):
    """What a client is made of, but for its key."""

    base_url: str
    timeout: float
    journal: tuple[str, float, float]
    is_sandbox: bool
    org: str


#: With any of these it is used.
USED_BY = frozenset(
    {
        *("_async", "_core", "faults", "images", "publish", "media"),
        *("accounts", "pricing", "jobs", "history"),
    }
)

#: The `AsyncWonda` of each address and key.
_shared: dict[Any, Any] = {}


def settings_of(client: Client) -> ClientSettings:
    """Give what another process needs to make the same client.

    Raises
    ------
    TypeError
        If no other process could reach what this one uses.
    """
    arrived = client._arrived  # noqa: SLF001 - its other half
    if arrived is not None:
        return arrived
    core: Core = vars(vars(client).get("_async", client))["_core"]
    if client.faults is not None:
        raise TypeError(
            "This sandbox lives within its process, where no other one reaches it. Serve one with "
            "`wonda-widgets sandbox`, and use ww.Wonda.served_sandbox(address)."
        )
    if not core.transport.uses_network:
        raise TypeError(
            "A client with a transport of its own stays in its process. Make one in each worker, "
            "with a transport of its own there."
        )
    return ClientSettings(
        client.base_url,
        core.transport.timeout,
        core.journal.settings,
        client.is_sandbox,
        client.org,
    )


def from_settings(cls: type[C], settings: ClientSettings) -> C:
    """Give a client that has arrived in this process."""
    client = cls.__new__(cls)
    client._arrived = settings  # noqa: SLF001 - see above
    client.base_url, client.org = settings.base_url, settings.org
    client.is_sandbox = settings.is_sandbox
    return client


def connect_on_first_use(client: Client, name: str) -> Any:
    """Give what a client has not: of one that has arrived, it is made now.

    Raises
    ------
    MissingKeyError
        If there is no key here.
    """
    settings = client._arrived  # noqa: SLF001 - see above
    if settings is None and name in vars(client):
        return vars(client)[name]  # another thread used it first, just now
    if settings is None or name not in USED_BY:
        raise AttributeError(f"{type(client).__name__!r} object has no attribute {name!r}")
    client._use(settings)  # noqa: SLF001
    client._arrived = None  # noqa: SLF001
    return getattr(client, name)


def is_shared(client: Any) -> bool:
    """Whether others in this process have arrived as this one, so that none may close it."""
    return any(client._core is each._core for each in _shared.values())  # noqa: SLF001 - see above


def shared_client(cls: Any, settings: ClientSettings) -> Any:
    """Give this process's one client of these settings, and of the key that there is here.

    Raises
    ------
    MissingKeyError
        If there is none.
    InvalidInputError
        If its journal is not on this computer: with an empty one, all would be made again.
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
            f"The journal {path} is not here, so it is not known here what was asked for already.",
            "Use workers on the computer that has it, or make a client in each worker.",
        )
    how: dict[str, Any] = {"base_url": settings.base_url, "timeout": settings.timeout}
    how["journal"] = Journal(path, days=days, megabytes=megabytes)
    how["org"] = settings.org
    try:
        made = cls.served_sandbox(**how) if settings.is_sandbox else cls(**how)
    except MissingKeyError as error:
        error.add_note(
            "A client that was sent here left its key behind: set WONDA_API_KEY before this "
            "process (a worker) begins."
        )
        raise
    made._core.closes_journal = True  # noqa: SLF001 - nobody else has it
    # Of two that arrive at once the first one stays; the other has opened nothing yet.
    return _shared.setdefault(key, made)
