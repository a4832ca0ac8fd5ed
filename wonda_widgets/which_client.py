"""Which client a function or panel uses: that of what it is given, unless another one is named.

wonda=  ──>  the client of the jobs, images and panels given  ──>  the only open client
──>  the environment's  ──>  the sandbox
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from . import client, open_clients
from .errors import InvalidInputError
from .jobs import Job
from .models import Media
from .pictures import Picture

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .client import AsyncWonda, Wonda

NAME_ONE = "Pass wonda=… with the client that made them."


class Chosen(NamedTuple):
    """The client to work with, and the same again if it was made here and is to be closed."""

    client: AsyncWonda
    owned: AsyncWonda | None


def chosen(wonda: Wonda | AsyncWonda | None, given: Iterable[object] = ()) -> Chosen:
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
        named = client.awaitable(wonda)
        check(named, some)
        return Chosen(named, None)
    origins = client.distinct(origin for each in some if (origin := of(each)) is not None)
    if len(origins) > 1:
        raise InvalidInputError("wonda", "These are from different clients.", NAME_ONE)
    if origins:
        return Chosen(origins[0], None)
    found, is_new = client.found(for_media=bool(some))
    if found.is_sandbox and any(map(_has_lost_its_client, some)):
        raise InvalidInputError(
            "wonda",
            "The client that made these is closed, or belongs to another process.",
            "Pass wonda=… with an open client of the same account.",
        )
    return Chosen(found, found if is_new and not found.is_sandbox else None)


def of(thing: object) -> AsyncWonda | None:
    """Give the client that a job, an image, a matrix or a panel is of, if it is open."""
    if isinstance(thing, Picture):
        return open_clients.named(thing.client)
    found = getattr(thing, "wonda", None)
    return found if isinstance(found, client.AsyncWonda) and not found.is_closed else None


def check(used: AsyncWonda, given: Iterable[object]) -> None:
    """See that jobs, images and panels are of the service that a client talks to.

    Raises
    ------
    InvalidInputError
        If some are not: their addresses, ids and costs mean nothing there.
    """
    for each in given:
        origin = of(each)
        if origin is not None and not used.is_of_same_service(origin):
            raise InvalidInputError(
                "wonda",
                f"This is of {_said(origin, 'another ')}, and the client here is of {_said(used)}.",
                NAME_ONE,
            )


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
    had_one = isinstance(thing, Picture) and bool(thing.client)
    had_one = had_one or (isinstance(thing, Job) and thing.wonda is not None)
    return had_one and of(thing) is None


def _said(used: AsyncWonda, which: str = "a ") -> str:
    """Give what a client talks to, for people."""
    org = f" (organization {used.org})" if used.org else ""
    return f"{which}sandbox" if used.is_sandbox else f"{used.base_url}{org}"
