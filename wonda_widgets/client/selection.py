"""Which client a function or panel uses: that of what it is given, unless another one is named.

wonda=  ──>  the client of the jobs, images and panels given  ──>  the only open client
──>  the environment's  ──>  the sandbox
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple

from .. import credentials
from ..api import origin
from ..api.origin import NAME_ONE
from ..errors import InvalidInputError, MissingKeyError
from ..jobs.job import Job
from ..journal.images import GeneratedImage
from ..models import Media
from ..utils import open_clients
from .wonda_client import AsyncWonda, Wonda

if TYPE_CHECKING:
    from collections.abc import Iterable

#: The address of a sandbox that panels use where there is no key.
SANDBOX_VARIABLE = "WONDA_SANDBOX_URL"


def has_key() -> bool:
    """Whether there is a key: in the environment, of `connect`, or in the keyring."""
    return credentials.key_variable() is not None or credentials.saved_key() is not None


class ClientChoice(NamedTuple):
    """The client to work with, and the same again if it was made here and is to be closed."""

    client: AsyncWonda
    owned: AsyncWonda | None


def choose(wonda: Wonda | AsyncWonda | None, given: Iterable[object] = ()) -> ClientChoice:
    """Choose the client for some jobs, images, media, ids or panels.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        What the person passed.
    given : list
        What it is for; may be empty.

    Raises
    ------
    InvalidInputError
        If they are from several clients, or from another service than `wonda`, or if their
        client is closed and there is no key for another one.
    """
    some = [each for each in given if each is not None]
    if wonda is not None:
        named = as_async(wonda)
        origin.check_origin(named, some)
        return ClientChoice(named, None)
    origins = distinct(made_by for each in some if (made_by := origin.client_of(each)) is not None)
    if len(origins) > 1:
        raise InvalidInputError("wonda", "These are from different clients.", NAME_ONE)
    if origins:
        return ClientChoice(origins[0], None)
    found, is_new = default_client(for_media=bool(some))
    if found.is_sandbox and any(map(_has_lost_its_client, some)):
        raise InvalidInputError(
            "wonda",
            "The client that made these is closed, or belongs to another process.",
            "Pass wonda=… with an open client of the same account.",
        )
    return ClientChoice(found, found if is_new and not found.is_sandbox else None)


def media_of(thing: object) -> Media | None:
    """Give the media of what stands for one: a media, an image, a finished job, a panel.

    Raises
    ------
    NoMediaError
        If a job has none (yet).
    TypeError
        If it is none of these.
    """
    if thing is None or isinstance(thing, Media):
        return thing
    found = getattr(thing, "media", None)
    if isinstance(found, Media):
        return found
    raise TypeError(f"This takes a media, an image or a finished job, not {type(thing).__name__}.")


def _has_lost_its_client(thing: object) -> bool:
    had_one = isinstance(thing, GeneratedImage) and bool(thing.client)
    had_one = had_one or (isinstance(thing, Job) and thing.wonda is not None)
    return had_one and origin.client_of(thing) is None


_shared_sandbox: AsyncWonda | None = None


def default() -> AsyncWonda:
    """Give the client for where none is named; see `default_client`."""
    return default_client()[0]


def default_client(*, for_media: bool = False) -> tuple[AsyncWonda, bool]:
    """Find the client for where none is named, and say whether it was made now.

    It is one of the key that there is. Without a key it is the only open client of a real
    account; where none is open, it is the process's own sandbox, which is one for all, so that
    an image made in one panel is there in the next, and needs no closing.

    Parameters
    ----------
    for_media : bool
        Whether it is for media that exist: then an open client comes first, because they are
        likely to be from there.

    Raises
    ------
    InvalidInputError
        If there is no key, and several clients of real accounts are open.
    """
    global _shared_sandbox  # noqa: PLW0603 - one a process
    real, sandboxes = _open()
    if for_media and len(real) == 1:
        return real[0], False
    with contextlib.suppress(MissingKeyError):
        made = AsyncWonda()
        made.is_by_default = True
        return made, True
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
        _shared_sandbox.is_by_default = True
    return _shared_sandbox, False


def _open() -> tuple[list[AsyncWonda], list[AsyncWonda]]:
    """Give the open clients that people made: of real accounts, one of each, and sandboxes."""
    real: list[AsyncWonda] = []
    sandboxes: list[AsyncWonda] = []
    for each in open_clients.all_open():
        if each.is_by_default:
            continue
        (sandboxes if each.is_sandbox else real).append(each)
    return distinct(real), sandboxes


def distinct(clients: Iterable[AsyncWonda]) -> list[AsyncWonda]:
    """Give one of those that are alike, the first one, of each account and journal."""
    different: list[AsyncWonda] = []
    for each in clients:
        if not any(each.is_like(other) for other in different):
            different.append(each)
    return different


def as_async(wonda: Wonda | AsyncWonda) -> AsyncWonda:
    """The awaitable client of either; widgets never block, so they use this one."""
    if not isinstance(wonda, Wonda | AsyncWonda):
        raise TypeError(
            f"wonda= takes a Wonda or AsyncWonda, not {type(wonda).__name__}; "
            "for a key, write wonda=Wonda(key)."
        )
    return wonda._async if isinstance(wonda, Wonda) else wonda  # noqa: SLF001 - of this module
