"""The client that a job, an image or a panel came from.

A client here is an `AsyncWonda`, which stands above this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..journal.images import GeneratedImage
from ..utils import open_clients

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_ONE = "Pass wonda=… with the client that made them."


def client_of(thing: object) -> Any:
    """Give the client that a job, an image, a matrix or a panel is of, if it is open."""
    if isinstance(thing, GeneratedImage):
        return open_clients.by_name(thing.client)
    found = getattr(thing, "wonda", None)
    return found if open_clients.is_open(found) else None


def check_origin(used: Any, given: Iterable[object]) -> None:
    """See that jobs, images and panels are of the service that a client talks to.

    Raises
    ------
    InvalidInputError
        If some are not: their addresses, ids and costs mean nothing there.
    """
    for each in given:
        made_by = client_of(each)
        if made_by is not None and not used.is_of_same_service(made_by):
            raise InvalidInputError(
                "wonda",
                f"This is of {_said(made_by, 'another ')},"
                f" and the client here is of {_said(used)}.",
                NAME_ONE,
            )


def _said(used: Any, which: str = "a ") -> str:
    """Give what a client talks to, for people."""
    org = f" (organization {used.org})" if used.org else ""
    return f"{which}sandbox" if used.is_sandbox else f"{used.base_url}{org}"
