"""The client to which a job, an image or a panel belongs.

A client here is an `AsyncWonda`, a class above this layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import InvalidInputError
from ..journal.generated_image import GeneratedImage
from ..utils import open_clients

if TYPE_CHECKING:
    from collections.abc import Iterable

NAME_ONE = "Pass wonda=… with the client that created them."


def client_of(thing: object) -> Any:
    """Give the client of a job, an image, a matrix or a panel; None if it is closed or unknown."""
    if isinstance(thing, GeneratedImage):
        return open_clients.by_name(thing.client)
    client = getattr(thing, "wonda", None)
    return client if open_clients.is_open(client) else None


def check_origin(client: Any, things: Iterable[object]) -> None:
    """Check that jobs, images and panels come from the service that a client talks to.

    Raises
    ------
    InvalidInputError
        If some do not, because their addresses, IDs and prices are meaningless there.
    """
    for thing in things:
        origin = client_of(thing)
        if origin is not None and not client.is_of_same_service(origin):
            raise InvalidInputError(
                "wonda",
                f"This comes from {_describe(origin, 'another ')},"
                f" but the client here talks to {_describe(client)}.",
                NAME_ONE,
            )


def _describe(client: Any, article: str = "a ") -> str:
    """Describe the service that a client talks to."""
    org = f" (organization {client.org})" if client.org else ""
    return f"{article}sandbox" if client.is_sandbox else f"{client.base_url}{org}"
