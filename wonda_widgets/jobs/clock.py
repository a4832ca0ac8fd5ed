"""Time as jobs see it."""

from __future__ import annotations

import asyncio
import time


class Clock:
    """The system's clock; tests replace it."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)
    sleep = staticmethod(asyncio.sleep)
