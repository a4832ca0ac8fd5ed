"""Subscriptions of a panel, all of which end when the panel is closed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Subscriptions:
    """A collection of unsubscribe functions that `close` calls; safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a cell may close the panel on its own thread
        self._unsubscribers: list[Callable[[], None]] = []
        self._closed = False

    def __len__(self) -> int:
        return len(self._unsubscribers)

    def append(self, unsubscribe: Callable[[], None]) -> None:
        """Call `unsubscribe` on `close`, or immediately if already closed."""
        with self._lock:
            if not self._closed:
                self._unsubscribers.append(unsubscribe)
                return
        unsubscribe()

    def remove(self, unsubscribe: Callable[[], None]) -> None:
        """Remove a subscription that has ended; ignore an unknown one."""
        with self._lock:
            if unsubscribe in self._unsubscribers:
                self._unsubscribers.remove(unsubscribe)

    def close(self) -> None:
        """End all subscriptions."""
        with self._lock:
            self._closed = True
            unsubscribers, self._unsubscribers = self._unsubscribers, []
        for unsubscribe in unsubscribers:
            unsubscribe()


class SingleSubscription:
    """At most one subscription at a time.

    Parameters
    ----------
    subscriptions : Subscriptions
        The panel's collection, whose `close` also ends this subscription.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions
        self._unsubscribe: Callable[[], None] | None = None

    def end(self) -> None:
        """End the current subscription, if there is one."""
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            unsubscribe()
            self._subscriptions.remove(unsubscribe)

    def replace(self, unsubscribe: Callable[[], None]) -> None:
        """End the current subscription; from now on, `unsubscribe` ends the new one."""
        self.end()
        self._unsubscribe = unsubscribe
        self._subscriptions.append(unsubscribe)
