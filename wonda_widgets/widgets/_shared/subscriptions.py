"""What a panel is subscribed to: all of it ends with the panel, and some of it before."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Subscriptions:
    """What ends with its owner, from whatever thread; after that, what is added ends at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # a panel is closed on the thread of a cell
        self._ends: list[Callable[[], None]] = []
        self._closed = False

    def __len__(self) -> int:
        return len(self._ends)

    def append(self, end: Callable[[], None]) -> None:
        """Have `end` called with the end of the owner."""
        with self._lock:
            if not self._closed:
                self._ends.append(end)
                return
        end()

    def remove(self, end: Callable[[], None]) -> None:
        """Forget one that was ended; no matter whether it is known."""
        with self._lock:
            if end in self._ends:
                self._ends.remove(end)

    def close(self) -> None:
        """End all."""
        with self._lock:
            self._closed = True
            ends, self._ends = self._ends, []
        for end in ends:
            end()


class Following:
    """One subscription at a time: a new one ends the last.

    Parameters
    ----------
    subscriptions : Subscriptions
        Of the panel, with which it ends too.
    """

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._subscriptions = subscriptions
        self._unwatch: Callable[[], None] | None = None

    def end(self) -> None:
        """Follow nothing."""
        unwatch, self._unwatch = self._unwatch, None
        if unwatch is not None:
            unwatch()
            self._subscriptions.remove(unwatch)

    def begin(self, unwatch: Callable[[], None]) -> None:
        """Follow something else, which `unwatch` ends."""
        self.end()
        self._unwatch = unwatch
        self._subscriptions.append(unwatch)
