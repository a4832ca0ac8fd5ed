"""The service's time, read from the ``Date`` header of its responses."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from ..utils import monotonic_clock
from .responses import http_date

MAX_DIFFERENCE = 100 * 365 * 86_400  # seconds; a clock that is further off is ignored


class ServiceClock:
    """The service's clock, which is correct even if this computer's clock is changed."""

    def __init__(self) -> None:
        self._last_header = ""  # many responses arrive within one second
        self._reading: tuple[float, float] | None = None  # seconds since 1970, and when it was read

    def read(self, date_header: str) -> None:
        """Read a response's ``Date`` header; ignore a missing or unreadable one."""
        if date_header == self._last_header:
            return
        now = http_date(date_header)
        if now is None:
            return
        self._last_header = date_header
        if abs((now - datetime.now(UTC)).total_seconds()) < MAX_DIFFERENCE:
            self._reading = now.timestamp(), monotonic_clock.seconds()

    @property
    def now(self) -> float | None:
        """Seconds since 1970 by the service's clock; None before its first response."""
        if self._reading is None:
            return None
        service_time, read_at = self._reading
        return service_time + monotonic_clock.seconds() - read_at

    @property
    def offset(self) -> float:
        """Seconds by which the service's clock is ahead of this computer's; 0 if unknown."""
        now = self.now
        return 0.0 if now is None else now - time.time()
