"""Choose the client that a function or panel uses: the first of these that exists.

wonda= ──> client of the given jobs, images and panels ──> new client with the API key
──> the only open client ──> shared sandbox
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from ..api import origin
from ..api.origin import NAME_ONE
from ..errors import InvalidInputError, MissingKeyError
from ..http import credentials
from ..jobs.job import Job
from ..journal.generated_image import GeneratedImage
from ..models import Media
from ..utils import open_clients
from .wonda_client import AsyncWonda, Wonda

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Base URL of the sandbox that panels use if there is no key.
SANDBOX_VARIABLE = "WONDA_SANDBOX_URL"


def has_key() -> bool:
    """Check for an API key: in the environment, from `connect`, or in the keyring."""
    return credentials.key_variable() is not None or credentials.saved_key() is not None


class ClientChoice(NamedTuple):
    """The chosen client; `owned` is the same client if the caller must close it."""

    client: AsyncWonda
    owned: AsyncWonda | None


def choose(wonda: Wonda | AsyncWonda | None, given: Iterable[object] = ()) -> ClientChoice:
    """Choose the client for some jobs, images, media, IDs or panels.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        The client that the user passed; it takes precedence.
    given : iterable
        The objects that the client is used for; None is ignored.

    Raises
    ------
    InvalidInputError
        If the objects belong to several clients or to another service than `wonda`, or if
        their client is closed and there is no key for a new one.
    """
    objects = [item for item in given if item is not None]
    if wonda is not None:
        explicit = as_async(wonda)
        origin.check_origin(explicit, objects)
        return ClientChoice(explicit, None)
    origins = distinct(client for item in objects if (client := origin.client_of(item)) is not None)
    if len(origins) > 1:
        raise InvalidInputError("wonda", "These are from different clients.", NAME_ONE)
    if origins:
        return ClientChoice(origins[0], None)
    client, is_new = default_client(for_media=bool(objects))
    if client.is_sandbox and any(map(_has_lost_its_client, objects)):
        raise InvalidInputError(
            "wonda",
            "The client that created these is closed, or belongs to another process.",
            "Pass wonda=… with an open client of the same account.",
        )
    return ClientChoice(client, client if is_new and not client.is_sandbox else None)


def media_of(thing: object) -> Media | None:
    """Return the `Media` object of an image, a finished job or a panel; keep media and None.

    Raises
    ------
    NoMediaError
        If a job has no media (yet).
    TypeError
        If `thing` is none of these.
    """
    if thing is None or isinstance(thing, Media):
        return thing
    found = getattr(thing, "media", None)
    if isinstance(found, Media):
        return found
    expected = "a Media object, an image or a finished job"
    raise TypeError(f"Expected {expected}, not {type(thing).__name__}.")


def _has_lost_its_client(thing: object) -> bool:
    had_client = (isinstance(thing, GeneratedImage) and bool(thing.client)) or (
        isinstance(thing, Job) and thing.wonda is not None
    )
    return had_client and origin.client_of(thing) is None


_shared_sandbox: AsyncWonda | None = None


def default() -> AsyncWonda:
    """Return the client to use if none is passed; see `default_client`."""
    return default_client()[0]


def default_client(*, for_media: bool = False) -> tuple[AsyncWonda, bool]:
    """Return the client to use if none is passed, and whether it was created now.

    With an API key, this is a new client with that key. Without one, it is the only open client
    of a real account, or else this process's shared sandbox. All panels share that sandbox, so
    an image generated in one panel is available in the others; it need not be closed.

    Parameters
    ----------
    for_media : bool
        Whether the client is for existing media. The only open client then takes precedence,
        because the media probably belong to it.

    Raises
    ------
    InvalidInputError
        If there is no key, and several clients of real accounts are open.
    """
    global _shared_sandbox  # noqa: PLW0603 - one per process
    real, sandboxes = _open_explicit_clients()
    if for_media and len(real) == 1:
        return real[0], False
    with contextlib.suppress(MissingKeyError):
        client = AsyncWonda()
        client.is_implicit = True
        return client, True
    if len(real) > 1:
        raise InvalidInputError(
            "wonda",
            "Several clients are open, and no key is set.",
            "Pass wonda=… with the one to use.",
        )
    if real:
        return real[0], False
    if for_media and len(sandboxes) == 1:
        return sandboxes[0], False
    if _shared_sandbox is None:
        served = os.environ.get(SANDBOX_VARIABLE, "").strip()
        _shared_sandbox = AsyncWonda.served_sandbox(served) if served else AsyncWonda.sandbox()
        _shared_sandbox.is_implicit = True
    return _shared_sandbox, False


def _open_explicit_clients() -> tuple[list[AsyncWonda], list[AsyncWonda]]:
    """Return the open clients that user code created: one per account, and all sandboxes."""
    explicit = [client for client in open_clients.all_open() if not client.is_implicit]
    real = distinct(client for client in explicit if not client.is_sandbox)
    return real, [client for client in explicit if client.is_sandbox]


def distinct(clients: Iterable[AsyncWonda]) -> list[AsyncWonda]:
    """Return the first client of each combination of account and journal."""
    different: list[AsyncWonda] = []
    for client in clients:
        if not any(client.is_equivalent_to(other) for other in different):
            different.append(client)
    return different


def as_async(wonda: Wonda | AsyncWonda) -> AsyncWonda:
    """Return the async client of either kind; widgets use it because they must not block."""
    if not isinstance(wonda, Wonda | AsyncWonda):
        raise TypeError(
            f"wonda= must be a Wonda or AsyncWonda, not {type(wonda).__name__}; "
            "for a key, write wonda=Wonda(key)."
        )
    return wonda._async if isinstance(wonda, Wonda) else wonda  # noqa: SLF001 - same folder
