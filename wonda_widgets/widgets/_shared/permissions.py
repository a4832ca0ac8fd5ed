"""Permissions of a session, which are checked for every message from the browser.

A page is not trusted: its connection can carry any message to any panel, so a hidden button
protects nothing. Each message handler declares the permission that it needs:

    @requires(Permission.CANCEL)
    def _on_cancel(self, content): ...

`Panel` checks it before the call, and never calls a handler without a declaration. The browser
hides controls by the trait `permissions`, which is set from the same object, so that the hidden
controls are exactly those that are rejected.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

F = TypeVar("F", bound="Callable[..., Any]")


class Permission(Enum):
    """A right to see something, or to change it at the service, on disk or in the notebook."""

    VIEW = "view"
    """See results, prompts and snippets, and mark the session's own images."""
    PUBLISH = "publish"
    SCHEDULE = "schedule"
    """Schedule posts, and see the scheduled ones."""
    CANCEL = "cancel"
    """Cancel a scheduled post."""
    SETTLE = "settle"
    """Look up or state the outcome of a post whose outcome is unknown."""
    EXPORT = "export"
    """Write tables, folders and pages to the server's disk."""
    SAVE = "save"
    """Write an original to the server's disk; a download needs no permission."""
    GENERATE = "generate"
    """Generate images, including references, prices and running jobs."""
    EDIT = "edit"
    """Edit an image and upload the result."""
    KEEP = "keep"
    """Replace a panel in the notebook with a static copy."""


_REFUSALS = {
    Permission.VIEW: "Only the review is available here.",
    Permission.PUBLISH: "Publishing is disabled here.",
    Permission.SCHEDULE: "Scheduling is disabled here.",
    Permission.CANCEL: "Canceling scheduled posts is disabled here.",
    Permission.SETTLE: "Resolving posts is disabled here.",
    Permission.EXPORT: "Exporting is disabled here.",
    Permission.SAVE: "Saving on the server is disabled here.",
    Permission.GENERATE: "Generating is disabled here.",
    Permission.EDIT: "Editing is disabled here.",
    Permission.KEEP: "Keeping panels in the notebook is disabled here.",
}


class Permissions:
    """The permissions of a session. Immutable, and shared by a panel and its parts.

    Parameters
    ----------
    granted : iterable of Permission
    """

    __slots__ = ("_granted",)

    def __init__(self, granted: Iterable[Permission] = ()) -> None:
        self._granted = frozenset(granted)

    def __iter__(self) -> Iterator[Permission]:
        return (each for each in Permission if each in self._granted)

    def __repr__(self) -> str:
        return f"Permissions({', '.join(self.names)})"

    @property
    def names(self) -> list[str]:
        """The names of the granted permissions."""
        return [each.value for each in self]

    def without(self, *removed: Permission) -> Permissions:
        """Return the same permissions without `removed`."""
        return Permissions(self._granted.difference(removed))

    def grants(self, *required: Permission | None) -> bool:
        """Return whether all permissions are granted; None is always granted."""
        return all(each is None or each in self._granted for each in required)

    def check(self, *required: Permission | None) -> None:
        """Raise an error for the first permission that is not granted.

        Raises
        ------
        InvalidInputError
            The error contains the message that the panel shows.
        """
        for each in required:
            if each is not None and not self.grants(each):
                raise InvalidInputError(each.value, _REFUSALS[each])


#: The user who runs the cell.
OWNER = Permissions(Permission)
#: A visitor of a dashboard, who may not write to the server's disk.
VISITOR = OWNER.without(Permission.EXPORT, Permission.SAVE)
#: A visitor of a dashboard that publishes nothing.
SPECTATOR = VISITOR.without(
    Permission.PUBLISH, Permission.SCHEDULE, Permission.CANCEL, Permission.SETTLE
)
#: A user who may only view, select and mark images.
REVIEWER = Permissions([Permission.VIEW])
#: A user who only takes part in a review.
VOTER = Permissions()


def requires(permission: Permission) -> Callable[[F], F]:
    """Declare the permission that a message handler needs."""
    return _declare(permission)


def open_to_all(handler: F) -> F:
    """Declare that a message handler needs only the permission to see the panel.

    For handlers that only show or select something, or mark the session's own images.
    """
    return _declare(None)(handler)


def _declare(permission: Permission | None) -> Callable[[F], F]:
    def decorate(handler: F) -> F:
        handler._permission = permission  # type: ignore[attr-defined]  # noqa: SLF001
        return handler

    return decorate


def is_handler(function: object) -> bool:
    """Return whether a function is declared as a message handler."""
    return hasattr(function, "_permission")


def required_permission(handler: Callable[..., Any]) -> Permission | None:
    """Return the permission that a handler needs; None if it is open to all."""
    permission: Permission | None = handler._permission  # type: ignore[attr-defined]  # noqa: SLF001
    return permission
