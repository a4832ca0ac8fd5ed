"""`ThreadSafeTraits`: widgets whose traits several threads may set concurrently.

ipywidgets collects unsent traits in one set for all threads. A trait that one thread sets while
another is about to send may be lost or cause an error; if two threads send the same trait, the
older value may be sent last.

With this class, each thread collects its own traits, which are read and sent in one step under a
lock. The lock is not held while a ``with`` block is open or while observers run, because they may
wait for another thread.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import ipywidgets
from traitlets.utils.bunch import Bunch

if TYPE_CHECKING:
    from collections.abc import Iterator


class _ThreadState(threading.local):
    """The state of a widget in one thread."""

    held: set[str] | None = None  # names of traits that are not sent yet
    holds_notifications = False


class ThreadSafeTraits(ipywidgets.Widget):  # type: ignore[misc]  # ipywidgets is untyped
    """Base of widgets that several threads change."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        widget = super().__new__(cls, *args, **kwargs)
        widget._thread_state = _ThreadState()
        widget._send_lock = threading.RLock()
        return widget

    @contextlib.contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send the traits that this thread sets in the block as one message at its end."""
        if self._thread_state.held is not None:
            yield
            return
        held: set[str] = set()
        self._thread_state.held = held
        try:
            yield
        finally:
            self._thread_state.held = None
            if held:
                self.send_state(held)

    def send_state(self, key: Any = None) -> None:
        """Send all traits, or those named by `key`, with their current values."""
        with self._send_lock:
            super().send_state(key)

    def _should_send_property(self, key: str, value: Any) -> bool:
        held = self._thread_state.held
        if not super()._should_send_property(key, value):  # the browser has this value
            if held is not None:
                held.discard(key)
            return False
        if held is not None:
            held.add(key)
            return False
        return True

    @contextlib.contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Hold the notifications of traits that this thread sets in the block."""
        if self._cross_validation_lock:  # this thread or another one already holds them
            with super().hold_trait_notifications():
                yield
            return
        self._thread_state.holds_notifications = True
        try:
            with super().hold_trait_notifications():
                yield
        finally:
            self._thread_state.holds_notifications = False

    def _notify_trait(self, name: str, old_value: Any, new_value: Any) -> None:
        if self._thread_state.holds_notifications:
            super()._notify_trait(name, old_value, new_value)
            return
        # Bypass another thread's hold, because that thread may be about to release it.
        change = Bunch(name=name, old=old_value, new=new_value, owner=self, type="change")
        type(self).notify_change(self, change)
