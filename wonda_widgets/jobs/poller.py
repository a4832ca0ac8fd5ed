"""Poll one job until it has ended."""

# ruff: noqa: SLF001 - a job has no public methods for polling

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import (
    APIError,
    NotJSONError,
    RateLimitError,
    ServerError,
    ServiceUnreachableError,
    WondaError,
)
from ..utils import logs
from . import adaptive_polling, poll_intervals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from datetime import datetime

    from .adaptive_polling import AdaptivePolling
    from .clock import Clock
    from .duration_stats import DurationStats
    from .poll_scheduling import PollScheduler

_log = logging.getLogger(__name__)

NO_ANSWER = "The service is not responding; retrying."
RATE_LIMITED = "Rate limited; retrying."
REQUEST_TIMEOUT = 408
JOURNAL_TIMEOUT = 0.25  # seconds to wait for the journal, whose file may be locked


class Followed(Protocol):
    """The part of a job that the poller uses."""

    def _age(self) -> float:
        """Return the seconds since the job was submitted."""

    def _due(self) -> datetime | None:
        """Return when a scheduled post is due; None for any other job."""

    def _observe(self, raw: Any) -> bool:
        """Process a response from the service; return True if the job has ended."""

    def _report_problem(self, problem: str) -> None:
        """Report why the service cannot be reached at the moment."""

    def _end_watching(self, error: WondaError) -> None:
        """Stop polling, because the service will not report more about the job."""


class Poller:
    """A poller of one job.

    Parameters
    ----------
    job : Followed
    poll : callable
        Awaitable; sends one request and returns the response.
    duration_stats : callable, optional
        Awaitable; returns the durations of similar earlier jobs.
    scheduler : PollScheduler
    clock : Clock
    """

    def __init__(
        self,
        job: Followed,
        poll: Callable[[], Awaitable[Any]],
        duration_stats: Callable[[], Coroutine[Any, Any, DurationStats | None]] | None,
        scheduler: PollScheduler,
        clock: type[Clock] | Clock,
    ) -> None:
        self._job = job
        self._poll = poll
        self._duration_stats = duration_stats
        self._scheduler = scheduler
        self._clock = clock

    async def run(self) -> None:
        """Poll until the job has ended or the service will not report more about it."""
        reading = asyncio.get_running_loop().create_task(self._adaptive())
        try:
            await self._run(reading)
        finally:
            reading.cancel()

    async def _run(self, reading: asyncio.Task[AdaptivePolling | None]) -> None:
        for number, interval in enumerate(poll_intervals.intervals()):
            retry_after = None
            failed = False
            try:
                if self._job._observe(await self._poll()):
                    return
            except WondaError as error:
                if not _is_transient(error):
                    self._job._end_watching(error)
                    return
                failed = True
                retry_after = error.retry_after if isinstance(error, APIError) else None
                is_limited = isinstance(error, RateLimitError)
                self._job._report_problem(RATE_LIMITED if is_limited else NO_ANSWER)
            except Exception as error:  # noqa: BLE001 - a bug must not leave anybody waiting
                logs.log_exception(_log, "Polling %r failed", self._job, error=error)
                message = f"Polling the job failed: {type(error).__name__}: {error}."
                self._job._end_watching(WondaError(message))
                return
            if number == 0:  # only after the first poll, and only briefly
                await asyncio.wait([reading], timeout=JOURNAL_TIMEOUT)
            # After errors, the intervals grow, whatever earlier runs suggest.
            adaptive = reading.result() if reading.done() and not failed else None
            await self._clock.sleep(
                poll_intervals.after_error(self._interval(interval, adaptive), retry_after)
            )

    async def _adaptive(self) -> AdaptivePolling | None:
        """Return the intervals that earlier runs suggest; None for the documented ones."""
        try:
            stats = None if self._duration_stats is None else await self._duration_stats()
            return adaptive_polling.from_stats(stats) if stats is not None else None
        except Exception as error:  # noqa: BLE001 - it is optional: the page's intervals do
            message = "The history of %r cannot be used"
            logs.log_exception(_log, message, self._job, error=error, level=logging.DEBUG)
            return None

    def _interval(self, interval: float, adaptive: AdaptivePolling | None) -> float:
        due = self._job._due()
        if due is not None:
            return poll_intervals.until_due(interval, due.timestamp() - self._clock.time())
        if adaptive is not None and not self._scheduler.is_crowded:
            interval = adaptive.interval(self._job._age())
        return self._scheduler.schedule(self._clock.monotonic(), interval)


def _is_transient(error: WondaError) -> bool:
    """Whether a failed poll says nothing about the job and is therefore repeated."""
    if isinstance(error, APIError):
        return isinstance(error, RateLimitError | ServerError) or error.status == REQUEST_TIMEOUT
    # A maintenance page, which is not JSON, is temporary; JSON without a status is not.
    return isinstance(error, ServiceUnreachableError | NotJSONError)
