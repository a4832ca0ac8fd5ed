"""Widgets whose traits a cell and the package's loop may set at the same time.

ipywidgets keeps what it holds back in one place for all threads: whatever one thread sets
while another one is about to send may be dropped, or fail. And of two that send one trait,
the one that read the older value may be the last to send it.

So each thread holds back its own traits, and reading and sending is one step under a lock.
The lock is held neither while a ``with`` is open nor while observers run, which may wait for
the other thread.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any

import ipywidgets
from traitlets.utils.bunch import Bunch

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Here(threading.local):
    """What one thread does with a widget."""

    held: set[str] | None = None  # traits that are held back
    caches = False  # whether traitlets keeps its notifications back


class ThreadSafeTraits(ipywidgets.Widget):  # type: ignore[misc]  # ipywidgets is untyped
    """Base of widgets that several threads change."""

    def __new__(cls, *args: Any, **named: Any) -> Any:
        made = super().__new__(cls, *args, **named)
        made._here = _Here()
        made._sending = threading.RLock()
        return made

    @contextlib.contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send what this thread sets within as one message, at the end of the outermost."""
        if self._here.held is not None:
            yield
            return
        held: set[str] = set()
        self._here.held = held
        try:
            yield
        finally:
            self._here.held = None
            if held:
                self.send_state(held)

    def send_state(self, key: Any = None) -> None:
        """Send all traits or some, as they are when it is sent."""
        with self._sending:
            super().send_state(key)

    def _should_send_property(self, key: str, value: Any) -> bool:
        held = self._here.held
        if not super()._should_send_property(key, value):  # the page has it
            if held is not None:
                held.discard(key)
            return False
        if held is not None:
            held.add(key)
            return False
        return True

    @contextlib.contextmanager
    def hold_trait_notifications(self) -> Iterator[None]:
        """Keep back the notifications of what this thread sets within."""
        if self._cross_validation_lock:  # it does so already, or another one does
            with super().hold_trait_notifications():
                yield
            return
        self._here.caches = True
        try:
            with super().hold_trait_notifications():
                yield
        finally:
            self._here.caches = False

    def _notify_trait(self, name: str, old_value: Any, new_value: Any) -> None:
        if self._here.caches:
            super()._notify_trait(name, old_value, new_value)
            return
        # Past what another thread keeps back, which may be the end of it just now.
        change = Bunch(name=name, old=old_value, new=new_value, owner=self, type="change")
        type(self).notify_change(self, change)
