"""Let a fork wait until no thread is inside SQLite.

SQLite has locks for the whole process. A forked child has no other threads, so a lock that one of
them held at that moment would never be released, and the child's first use of SQLite would hang.
"""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_WAIT_SECONDS = 5.0  # a fork is not delayed longer, such as by another process's lock


class _Gate:
    """Counts the threads inside SQLite."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Open a gate in a forked child, which lacks the parent's threads."""
        self._changed = threading.Condition()
        self._inside = 0
        self._is_closed = False

    def enter(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._is_closed)
            self._inside += 1

    def leave(self) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.wait_for(lambda: not self._inside, MAX_WAIT_SECONDS)

    def open(self) -> None:
        with self._changed:
            self._is_closed = False
            self._changed.notify_all()


_gate = _Gate()


@contextmanager
def inside_sqlite() -> Iterator[None]:
    """Delay forks meanwhile; wait for one that has begun."""
    _gate.enter()
    try:
        yield
    finally:
        _gate.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_gate.close, after_in_parent=_gate.open, after_in_child=_gate.reset)
