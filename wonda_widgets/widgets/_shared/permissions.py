"""What a session may do: decided once, asked before every message from a page.

A page is not trusted. With its connection, anybody can send any message to any panel, shown
or not, so a hidden button protects nothing. Each handler of a message says what it needs:

    @requires(Permission.CANCEL)
    def _on_cancel(self, content): ...

`Panel` asks before it calls one, and calls none that says nothing. What a page hides comes
from the same `Permissions`, as the trait `may`, so hiding and refusing cannot differ.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

F = TypeVar("F", bound="Callable[..., Any]")


class Permission(Enum):
    """Something that changes more than the page: at the service, on disk, in the notebook."""

    PUBLISH = "publish"
    SCHEDULE = "schedule"
    """To post later, and to see what waits for its time."""
    CANCEL = "cancel"
    """To take back a scheduled post."""
    SETTLE = "settle"
    """To find out, or to say, what became of a post whose outcome is unknown."""
    EXPORT = "export"
    """To write tables, folders and pages to the server's disk."""
    SAVE = "save"
    """To write an original to the server's disk; a download needs no permission."""
    GENERATE = "generate"
    """To ask for images, with all that leads to it: references, prices, running jobs."""
    EDIT = "edit"
    """To change an image and upload the result."""
    KEEP = "keep"
    """To replace a panel in the notebook by a static copy."""


_REFUSALS = {
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
    """What a session may do. Immutable: a parent hands the same object to its children.

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
        """Their names, as a page knows them."""
        return [each.value for each in self]

    def without(self, *taken: Permission) -> Permissions:
        """The same without some."""
        return Permissions(self._granted.difference(taken))

    def grants(self, *needed: Permission | None) -> bool:
        """Whether all of them are granted; None always is."""
        return all(each is None or each in self._granted for each in needed)

    def check(self, *needed: Permission | None) -> None:
        """Refuse what is not granted.

        Raises
        ------
        InvalidInputError
            With the sentence that the panel then shows.
        """
        for each in needed:
            if each is not None and not self.grants(each):
                raise InvalidInputError(each.value, _REFUSALS[each])


#: Whoever runs the cell.
OWNER = Permissions(Permission)
#: A visitor of a dashboard: the server's disk is not theirs.
VISITOR = OWNER.without(Permission.EXPORT, Permission.SAVE)
#: A visitor of a dashboard that publishes nothing.
SPECTATOR = VISITOR.without(
    Permission.PUBLISH, Permission.SCHEDULE, Permission.CANCEL, Permission.SETTLE
)
#: Who looks, chooses and marks, and nothing else.
REVIEWER = Permissions()


def requires(permission: Permission) -> Callable[[F], F]:
    """Have a handler called only for whoever was granted `permission`."""
    return _marked(permission)


def open_to_all(handler: F) -> F:
    """Have a handler called for everybody: it only looks, chooses, or marks what is theirs."""
    return _marked(None)(handler)


def _marked(permission: Permission | None) -> Callable[[F], F]:
    def mark(handler: F) -> F:
        handler._needs = permission  # type: ignore[attr-defined]  # noqa: SLF001
        return handler

    return mark


def is_handler(function: object) -> bool:
    """Whether a page may call it at all."""
    return hasattr(function, "_needs")


def needed(handler: Callable[..., Any]) -> Permission | None:
    """What a handler needs; None if it is open to all."""
    permission: Permission | None = handler._needs  # type: ignore[attr-defined]  # noqa: SLF001
    return permission
