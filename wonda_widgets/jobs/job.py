"""The live job: submitted once, polled, and ended exactly once.

Generations and posts are handled in the same way. The state of a job at a moment is an immutable
`Snapshot`. All changes are made on the package's event loop, one after the other, without locks.

The calls that lead from a poll to the screen::

    Poller.run ──> Transport.poll ──> Job.observe ──> Snapshot
                                                         │
                        ┌────────────────────────────────┤  only if something changed
                        ▼                                ▼
              journal (on_status)                each listener of Job.watch
                                                         │
              ┌──────────────────┬───────────────────────┼──────────────────┐
              ▼                  ▼                       ▼                  ▼
        Job.wait, await   Job.updates            JobTrackingPanel     StaticFallback
                                                 (traits, one         (the saved
                                                 message a change)    notebook)
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from ..errors import (
    JobCanceledError,
    JobFailedError,
    JobNotWatchedError,
    JobTimeoutError,
    NoMediaError,
    WondaError,
)
from ..errors.console_text import printable
from ..models import TERMINAL_STATUSES, JobResponse, Snapshot, parse, parse_timestamp
from ..models.job_status import is_earlier_status, snapshot_fields
from ..utils import arguments, code_snippet, event_loop, logs, noninteractive
from .clock import Clock
from .poll_scheduling import PollScheduler
from .poller import JOURNAL_TIMEOUT, Poller
from .updates import Updates

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
    from datetime import datetime

    from ..models import Media
    from .duration_stats import DurationStats

Kind = Literal["inference", "publish"]

_log = logging.getLogger(__name__)

LABELS: dict[Kind, str] = {"inference": "Generation", "publish": "Publishing"}
SUBMITTED = "submitted"  # the status until the service reports one
SCHEDULED = "scheduled"  # the service's status of a post that is not due yet


class JobEntry(NamedTuple):
    """The data of a job that is recorded in the journal."""

    request: Mapping[str, Any]
    path: str
    intent: str
    submitted_at: float  # seconds since 1970
    snapshot: Snapshot


class Job:
    """A generation or publish request that the service is processing.

    Jobs are returned by `wonda.images.generate`, `wonda.videos.generate`,
    `wonda.publish.instagram` and `wonda.jobs.attach`.
    A job is polled in the background even if nothing waits for it: immediately, then after 1 s,
    then at intervals that grow by 50% up to 5 s. If the journal has the durations of similar jobs,
    the same number of polls is concentrated around the likely end; see `adaptive_polling`. A poll
    that fails for a transient reason does not end the job.

    You can wait for a job (`wait`), await it (``await job``), iterate over its `updates` and show
    it in widgets, all at the same time.

    Attributes
    ----------
    id : str or None
        None for a request whose outcome is unknown (see `jobs.recent`); waiting for it raises
        `OutcomeUnknownError`.
    kind : str
        ``"inference"`` or ``"publish"``.
    request : dict
        The request, with the API's names; empty for a job that was attached by its ID alone.
    path : str
        The path of the request, such as ``"/video/generate"``; empty if unknown.
    intent : str or None
        The ID of the journal entry.
    wonda : AsyncWonda or None
        The job's client.

    Examples
    --------
    >>> job = wonda.images.generate(model="nano-banana-2", prompt="A quiet harbor")
    >>> done = job.wait(timeout=120)
    >>> done.status, done.media.media_id
    ('succeeded', '...')
    """

    def __init__(
        self,
        kind: Kind,
        job_id: str | None,
        poll: Callable[[], Awaitable[Any]],
        *,
        request: Mapping[str, Any] | None = None,
        path: str = "",
        status: str | None = None,
        attached: bool = False,
        snapshot: Snapshot | None = None,
        submitted_at: float | None = None,
        intent: str | None = None,
        on_status: Callable[[Snapshot], object] = lambda _: None,
        duration_stats: Callable[[], Coroutine[Any, Any, DurationStats | None]] | None = None,
        scheduler: PollScheduler | None = None,
        clock: type[Clock] | Clock = Clock,
        wonda: Any = None,
        read_entry: Callable[[], Awaitable[JobEntry | None]] | None = None,
    ) -> None:
        self.id = job_id
        self.kind: Kind = kind
        self.request = dict(request or {})
        self.path = path
        self.intent = intent
        self.wonda = wonda
        self._on_status = on_status
        self._duration_stats = duration_stats
        self._clock = clock
        self._poller = Poller(self, poll, duration_stats, scheduler or PollScheduler(), clock)
        self._attached = attached
        self._submitted = clock.monotonic()
        if submitted_at is not None:  # by an earlier kernel
            self._submitted -= max(0.0, clock.time() - submitted_at)
        self._listeners: list[Callable[[Snapshot], object]] = []
        self._task: asyncio.Task[None] | None = None
        self._read_entry = read_entry  # None as soon as it has been read
        self._reading: asyncio.Task[None] | None = None
        # A job that had ended in the first response is still polled, for its result.
        first = status if status and status not in TERMINAL_STATUSES else SUBMITTED
        self._snapshot = snapshot or Snapshot(status=first, watching=True)
        if self._snapshot.scheduled_for is None:  # responses need not repeat it
            due = parse_timestamp(self.request.get("scheduledAt"))
            self._snapshot = msgspec.structs.replace(self._snapshot, scheduled_for=due)
        event_loop.call_soon(self._start)

    # ------------------------------------------------------------ the current state

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot, with the current `elapsed`."""
        latest = self._snapshot
        if latest.terminal or self.id is None:
            return latest
        return msgspec.structs.replace(latest, elapsed=self._age())

    @property
    def status(self) -> str:
        """The service's status; ``"submitted"`` until it reports one."""
        return self._snapshot.status

    @property
    def done(self) -> bool:
        """Whether the job has ended."""
        return self._snapshot.terminal

    @property
    def media(self) -> Media:
        """The result of a job that has ended: the first output that has media.

        Raises
        ------
        NoMediaError
            If there is none or the job has not ended; ``job.wait().media`` waits for the end.
        """
        if not self.done:
            raise NoMediaError(
                f"This job is {self.status}, so it has no media yet.",
                "Write job.wait().media, or await the job.",
            )
        return self._snapshot.media

    async def duration_stats(self) -> DurationStats | None:
        """Return the durations of earlier similar jobs (seconds); None if fewer than five.

        Only jobs of the same model count and, for videos, of the same length.
        """
        stats = self._duration_stats
        return None if stats is None else await event_loop.run_on_loop(stats())

    def code(self) -> str:
        """Return Python code that submits the same request again."""
        in_sandbox = self.wonda is not None and self.wonda.is_sandbox
        return code_snippet.to_python(
            self.kind, self.request, is_video="/video/" in self.path, in_sandbox=in_sandbox
        )

    def __repr__(self) -> str:
        return printable(f"<Job {self.kind} {self.id} {self.status}>")

    def __reduce__(self) -> tuple[Any, ...]:
        # A pickled job would be polled by every process.
        raise TypeError(
            "A live job cannot leave the process that polls it. Send job.snapshot, or call "
            "wonda.jobs.attach(job.kind, job.id) in the other process."
        )

    # ------------------------------------------------------------ waiting

    def wait(self, timeout: float | None = None) -> Snapshot:
        """Wait until the job has ended and return its last snapshot.

        An interrupt (Ctrl-C, the kernel's stop button) ends the wait, not the polling. If polling
        was stopped, it is resumed.

        In a non-interactive notebook (nbconvert, papermill), each change is printed as a line:
        ``Generation: locked · 3 s``.

        Parameters
        ----------
        timeout : float, optional
            The maximum seconds to wait; by default, there is no limit.

        Raises
        ------
        JobFailedError, JobCanceledError
            If the job failed or was canceled.
        JobTimeoutError
            After `timeout` seconds; the job is still polled.
        JobNotWatchedError
            If `stop` was called while waiting.
        WondaError
            If the service refuses to report the job's status (401, 403, 404).
        """
        if event_loop.on_loop():
            raise RuntimeError("job.wait() on the package's own loop would wait for itself.")
        timeout = arguments.check_seconds("timeout", timeout)
        ended: concurrent.futures.Future[Snapshot] = concurrent.futures.Future()
        # Printing starts before the wait, so that the last line is not missed.
        with noninteractive.printing_changes(LABELS[self.kind], self.watch) as tell:
            unwatch = self._on_end(ended.set_result)
            try:
                # The loop reports a job that has ended immediately, even with timeout=0.
                limit = None if self._snapshot.terminal else timeout
                snapshot = event_loop.wait_for_result(ended, limit, tell)
            except TimeoutError:
                raise self._timed_out(timeout) from None
            finally:
                unwatch()
        return self._outcome(snapshot)

    def __await__(self) -> Generator[Any, None, Snapshot]:
        return self._ended().__await__()

    async def _ended(self) -> Snapshot:
        here = event_loop.callers_loop()
        ended: asyncio.Future[Snapshot] = here.create_future()

        def set_result(snapshot: Snapshot) -> None:
            event_loop.call_soon_on(
                here, lambda: None if ended.done() else ended.set_result(snapshot)
            )

        unwatch = self._on_end(set_result)
        try:
            return self._outcome(await ended)
        finally:
            unwatch()

    def _on_end(self, callback: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Call `callback` once, when the job has ended or is no longer polled."""
        called = False

        def check(snapshot: Snapshot) -> None:
            nonlocal called
            if not snapshot.watching and not called:
                called = True
                callback(snapshot)

        # The loop runs these in order: an earlier `stop`, then resuming, then listening.
        self.resume()
        return self.watch(check)

    def _outcome(self, snapshot: Snapshot) -> Snapshot:
        match snapshot.status:
            case "succeeded":
                return snapshot
            case "failed":
                message = snapshot.error_message or "Job failed"
                raise JobFailedError(message, job=self, snapshot=snapshot)
            case "canceled":
                raise JobCanceledError("Job was canceled", job=self, snapshot=snapshot)
        if snapshot.error is not None:
            raise snapshot.error.with_traceback(None)
        raise JobNotWatchedError(
            f"Job {self.id} is no longer watched.", job=self, snapshot=snapshot
        )

    def _timed_out(self, timeout: float | None) -> JobTimeoutError:
        snapshot = self.snapshot
        return JobTimeoutError(
            f"Job {self.id} has not ended within {timeout:g} s; it is {snapshot.status}.",
            job=self,
            snapshot=snapshot,
        )

    # ------------------------------------------------------------ watching

    def updates(self) -> Updates:
        """Iterate over snapshots from the current to the last, with ``for`` or ``async for``.

        There is one snapshot per change: a new status, a problem, the end. A failed job also yields
        a snapshot; no exception is raised.
        """
        return Updates(self)

    def watch(self, listener: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Call `listener` with the current snapshot and each later one.

        Parameters
        ----------
        listener : callable
            Called on the package's event loop; must return immediately.

        Returns
        -------
        callable
            Stops the calls.
        """

        def add(notify: Callable[[Snapshot], None]) -> None:
            self._listeners.append(notify)
            notify(self.snapshot)

        return event_loop.subscribe(listener, add, self._forget)

    def _forget(self, listener: Callable[[Snapshot], object]) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def stop(self) -> None:
        """Stop polling. The service continues the job; `resume` and `wait` poll it again."""
        event_loop.call_soon(self._stop)

    def resume(self) -> None:
        """Poll again after `stop` or after an error that ended the polling."""
        event_loop.call_soon(self._start)

    # ------------------------------------------------------------ on the event loop

    async def entry_read(self) -> None:
        """Wait until the job has read its journal entry. On the event loop only."""
        if self._read_entry is not None:
            await event_loop.shield(self._reading_entry(self._read_entry))

    def _reading_entry(self, read: Callable[[], Awaitable[JobEntry | None]]) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        if self._reading is None or self._reading.get_loop() is not loop:
            self._reading = loop.create_task(self._take_entry(read))
        return self._reading

    async def _take_entry(self, read: Callable[[], Awaitable[JobEntry | None]]) -> None:
        try:
            entry = await read()
        except Exception as error:  # noqa: BLE001 - then the service alone tells about the job
            logs.log_exception(_log, "The journal entry of %r cannot be read", self, error=error)
            entry = None
        self._read_entry = self._reading = None
        if entry is None:
            return
        self.request = self.request or dict(entry.request)
        self.path = self.path or entry.path
        self.intent = self.intent or entry.intent
        age = max(0.0, self._clock.time() - entry.submitted_at)
        self._submitted = self._clock.monotonic() - age
        if self._snapshot.raw:  # a response from the service is newer
            return
        if entry.snapshot.terminal and self._task is not None:
            self._task.cancel()
            self._task = None
        watching = self._snapshot.watching and not entry.snapshot.terminal
        self._notify(msgspec.structs.replace(entry.snapshot, watching=watching))

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is not loop:  # of a forked parent
            event_loop.keep_inherited(self._task)
            self._task = None
        if self._task is None and self.id is not None and not self._snapshot.terminal:
            self._change(watching=True, error=None, problem=None)
            self._task = loop.create_task(self._follow())

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._change(watching=False, problem=None)

    async def _follow(self) -> None:
        if self._read_entry is not None:
            await asyncio.wait([self._reading_entry(self._read_entry)], timeout=JOURNAL_TIMEOUT)
        await self._poller.run()

    def _age(self, snapshot: Snapshot | None = None) -> float:
        """Return the seconds since submission; for an attached job, by the service's times."""
        snapshot = snapshot or self._snapshot
        if self._attached and snapshot.created_at is not None:
            end = snapshot.finished_at.timestamp() if snapshot.finished_at else self._clock.time()
            return max(0.0, end - snapshot.created_at.timestamp())
        return self._clock.monotonic() - self._submitted

    def _due(self) -> datetime | None:
        """Return when a scheduled post is due; None for any other job."""
        return self._snapshot.scheduled_for if self._snapshot.status == SCHEDULED else None

    def _observe(self, raw: Any) -> bool:
        """Process a response from the service; return True if the job has ended.

        Raises
        ------
        UnexpectedReplyError
            If the response has no status.
        """
        fields = snapshot_fields(self.kind, raw, parse(raw, JobResponse))
        if is_earlier_status(fields["status"], self._snapshot.status):
            self._change(problem=None)
            return False
        fields["scheduled_for"] = fields["scheduled_for"] or self._snapshot.scheduled_for
        ended = fields["status"] in TERMINAL_STATUSES
        if ended:
            self._task = None
        self._change(**fields, problem=None, watching=not ended)
        return ended

    def observe_elsewhere(self, raw: dict[str, Any]) -> None:
        """Process a response that belongs to another request. On the event loop only."""
        task = self._task
        if not self.done and self._observe(raw) and task is not None:
            task.cancel()

    def _report_problem(self, problem: str) -> None:
        """Report why the service cannot be reached at the moment."""
        self._change(problem=problem)

    def _end_watching(self, error: WondaError) -> None:
        """Stop polling, because the service will not report more about the job."""
        self._task = None
        self._change(watching=False, error=error, problem=None)

    def _change(self, **changes: Any) -> None:
        """Create the next snapshot and notify the listeners if it differs."""
        old = self._snapshot
        new = msgspec.structs.replace(old, **changes)
        new = msgspec.structs.replace(new, elapsed=self._age(new))
        self._snapshot = new
        if new.raw and new.status != old.status:
            self._on_status(new)  # the journal is notified first
        self._notify(new, old)

    def _notify(self, new: Snapshot, old: Snapshot | None = None) -> None:
        old = old or self._snapshot
        self._snapshot = new
        if _state(new) != _state(old):
            for listener in list(self._listeners):
                try:
                    listener(new)
                except Exception as error:  # noqa: BLE001 - it must not affect the others
                    logs.log_exception(_log, "A listener of %r failed", self, error=error)


def _state(snapshot: Snapshot) -> tuple[object, ...]:
    """The values of which a change is reported to listeners."""
    return snapshot.status, snapshot.problem, snapshot.watching, snapshot.error
