"""The live job: submitted once, followed by polling, ended exactly once.

A generation and a publish are the same thing here. What is true of a job at one
moment is an immutable `Snapshot`; a job is a stream of them. All changes happen
on the package's loop, one after the other, so that nothing here needs a lock:

    poll ──> _observe ──> snapshot ──> journal, every listener (wait, await, updates, widgets)

A listener is called on the loop and must return at once.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import queue
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from ..errors import (
    APIError,
    JobCanceledError,
    JobFailedError,
    JobNotWatchedError,
    JobTimeoutError,
    NoMediaError,
    NotJSONError,
    RateLimitError,
    ServerError,
    ServiceUnreachableError,
    WondaError,
)
from ..errors.console_text import printable
from ..models import (
    TERMINAL,
    JobReply,
    Snapshot,
    parse,
    permalink,
    timestamp,
)
from ..utils import (
    code_snippet,
    event_loop,
    logs,
    noninteractive,
)
from . import adaptive_polling, polling, terminal_status
from .poll_scheduling import PollScheduler

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Coroutine,
        Generator,
        Iterator,
        Mapping,
    )

    from ..models import Media
    from .duration_stats import DurationStats

Kind = Literal["inference", "publish"]

_log = logging.getLogger(__name__)

SILENT = "The service does not answer, trying again."
BUSY = "The service asks for patience, trying again."

LABELS: dict[Kind, str] = {"inference": "Generation", "publish": "Publishing"}

SUBMITTED = "submitted"  # our own word, until the service gives one

SCHEDULED = "scheduled"  # the service's word for a post that waits for its time

REQUEST_TIMEOUT = 408

JOURNAL_TIMEOUT = 0.25  # seconds that following waits for the journal, whose file may be locked


class JobEntry(NamedTuple):
    """What the journal knows of a job."""

    request: Mapping[str, Any]
    intent: str
    asked_at: float
    known: Snapshot


class Clock:
    """Time as jobs see it; tests have one of their own."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)
    sleep = staticmethod(asyncio.sleep)


class Job:
    """Something that the service was asked to do, and how it is getting on.

    You get one from `wonda.images.generate`, `wonda.publish.instagram` or
    `wonda.jobs.attach`. It is followed in the background, whether or not anyone
    waits, at the pace of the service's page: at once, then after 1 s, growing by
    half to at most 5 s. Where the journal knows how long such jobs take, as many polls
    are put where they are likely to find the end: see `adaptive_polling`.
    A poll that fails for a passing reason does not end it.

    It can be waited for (`wait`), awaited (``await job``), iterated (`updates`)
    and watched by widgets, all at the same time.

    Attributes
    ----------
    id : str or None
        None for a request of which nobody read the answer (see `jobs.recent`); waiting for
        it raises `OutcomeUnknownError`.
    kind : str
        ``"inference"`` or ``"publish"``.
    request : dict
        What was asked, by the API's names; empty for a job of which only the id is known.
    intent : str or None
        Its entry in the journal.
    wonda : AsyncWonda or None
        The client that it is of.
    """

    def __init__(
        self,
        kind: Kind,
        job_id: str | None,
        poll: Callable[[], Awaitable[Any]],
        *,
        request: Mapping[str, Any] | None = None,
        status: str | None = None,
        attached: bool = False,
        known: Snapshot | None = None,
        asked_at: float | None = None,
        intent: str | None = None,
        keep: Callable[[Snapshot], object] = lambda _: None,
        usual: Callable[[], Coroutine[Any, Any, DurationStats | None]] | None = None,
        spread: PollScheduler | None = None,
        clock: type[Clock] | Clock = Clock,
        wonda: Any = None,
        entry: Callable[[], Awaitable[JobEntry | None]] | None = None,
    ) -> None:
        self.id = job_id
        self.kind: Kind = kind
        self.request = dict(request or {})
        self.intent = intent
        self.wonda = wonda
        self._keep = keep
        self._usual = usual
        self._spread = spread or PollScheduler()
        self._poll = poll
        self._clock = clock
        self._attached = attached
        self._submitted = clock.monotonic()
        if asked_at is not None:  # seconds since 1970, by an earlier kernel
            self._submitted -= max(0.0, clock.time() - asked_at)
        self._listeners: list[Callable[[Snapshot], object]] = []
        self._task: asyncio.Task[None] | None = None
        self._entry = entry  # None as soon as it is read
        self._reading: asyncio.Task[None] | None = None
        # A job that the service calls finished at once is asked for its result all the same.
        first = status if status and status not in TERMINAL else SUBMITTED
        self._snapshot = known or Snapshot(status=first, watching=True)
        if self._snapshot.scheduled_for is None:  # a reply need not repeat it
            due = timestamp(self.request.get("scheduledAt"))
            self._snapshot = msgspec.structs.replace(self._snapshot, scheduled_for=due)
        event_loop.call_soon(self._start)

    # ------------------------------------------------------------ what is true now

    @property
    def snapshot(self) -> Snapshot:
        """The latest snapshot; its `elapsed` is as of now."""
        latest = self._snapshot
        if latest.terminal or self.id is None:
            return latest
        return msgspec.structs.replace(latest, elapsed=self._age())

    @property
    def status(self) -> str:
        """The service's own word; ``"submitted"`` until it gave one."""
        return self._snapshot.status

    @property
    def done(self) -> bool:
        """Whether the job has ended."""
        return self._snapshot.terminal

    @property
    def media(self) -> Media:
        """The result of a job that has ended: its first output that has media.

        Raises
        ------
        NoMediaError
            If it has none, or has not ended; ``job.wait().media`` waits for it.
        """
        if not self.done:
            raise NoMediaError(
                f"This job is {self.status}, so it has no media yet.",
                "Write job.wait().media, or await the job.",
            )
        return self._snapshot.media

    async def usual(self) -> DurationStats | None:
        """How long such jobs took before, in seconds; None if there were fewer than five.

        An image's are those of its model.
        """
        return None if self._usual is None else await event_loop.run_on_loop(self._usual())

    def code(self) -> str:
        """The Python that asks for the same again, to be copied into a cell or a script."""
        in_sandbox = self.wonda is not None and self.wonda.is_sandbox
        return code_snippet.to_python(self.kind, self.request, in_sandbox=in_sandbox)

    def __repr__(self) -> str:
        return printable(f"<Job {self.kind} {self.id} {self.status}>")

    def __reduce__(self) -> tuple[Any, ...]:
        # One that followed itself anew in each process would be polled by all of them.
        raise TypeError(
            "A live job stays in the process that follows it. Send job.snapshot, or what "
            "wonda.jobs.attach(job.kind, job.id) follows there."
        )

    # ------------------------------------------------------------ waiting

    def wait(self, timeout: float | None = None) -> Snapshot:
        """Wait until the job has ended and return its last snapshot.

        Interrupting (Ctrl-C, the kernel's stop button) frees the cell and leaves
        the job watched. A job whose watching was stopped is followed again.

        In a notebook that runs with nobody in front (nbconvert, papermill), each change is
        printed as a line: ``Generation: locked · 3 s``.

        Parameters
        ----------
        timeout : float, optional
            Seconds; without it there is no limit.

        Raises
        ------
        JobFailedError, JobCanceledError
            As the job ended.
        JobTimeoutError
            After `timeout`; the job stays watched.
        JobNotWatchedError
            If somebody stopped the watching meanwhile.
        WondaError
            If the service will not tell more about the job (401, 403, 404).
        """
        if event_loop.on_loop():
            raise RuntimeError("job.wait() on the package's own loop would wait for itself.")
        ended: concurrent.futures.Future[Snapshot] = concurrent.futures.Future()
        # It is told before it is known to have ended, so that the last line is not missed.
        with noninteractive.printing_changes(LABELS[self.kind], self.watch) as tell:
            unwatch = self._on_end(ended.set_result)
            try:
                # What has ended already is told by the loop at once, even with timeout=0.
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

        def settle(snapshot: Snapshot) -> None:
            event_loop.call_soon_on(
                here, lambda: None if ended.done() else ended.set_result(snapshot)
            )

        unwatch = self._on_end(settle)
        try:
            return self._outcome(await ended)
        finally:
            unwatch()

    def _on_end(self, settle: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Call `settle` once, when there is nothing more to wait for."""
        settled = False

        def look(snapshot: Snapshot) -> None:
            nonlocal settled
            if not snapshot.watching and not settled:
                settled = True
                settle(snapshot)

        # In this order, on the loop: a stop that was asked for before comes first, then
        # the job is followed again, then this listens.
        self.resume()
        return self.watch(look)

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
            f"Watching job {self.id} was stopped.", job=self, snapshot=snapshot
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
        """Iterate over snapshots, from the present one to the last.

        Works in ``for`` and in ``async for``. A snapshot comes for each change:
        a new status, a trouble, the end. A failed job is a snapshot too, not an
        exception.
        """
        return Updates(self)

    def watch(self, listener: Callable[[Snapshot], object]) -> Callable[[], None]:
        """Have `listener` called with the present snapshot and each later one.

        It is called on the package's loop and must return at once.

        Returns
        -------
        callable
            Ends it.
        """
        active = True

        def guarded(snapshot: Snapshot) -> None:
            if active:
                listener(snapshot)

        def begin() -> None:
            if active:
                self._listeners.append(guarded)
                guarded(self.snapshot)

        def end() -> None:
            nonlocal active
            active = False
            event_loop.call_soon(lambda: self._forget(guarded))

        event_loop.call_soon(begin)
        return end

    def _forget(self, listener: Callable[[Snapshot], object]) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def stop(self) -> None:
        """Stop watching. The service goes on; `resume` (or `wait`) follows the job again."""
        event_loop.call_soon(self._stop)

    def resume(self) -> None:
        """Follow the job again after `stop`, or after an error that ended the watching."""
        event_loop.call_soon(self._start)

    # ------------------------------------------------------------ on the loop

    async def recalled(self) -> None:
        """Wait until it knows what the journal does. On the loop only."""
        if self._entry is not None:
            await event_loop.shielded(self._recalling(self._entry))

    def _recalling(self, entry: Callable[[], Awaitable[JobEntry | None]]) -> asyncio.Task[None]:
        here = asyncio.get_running_loop()
        if self._reading is None or self._reading.get_loop() is not here:
            self._reading = here.create_task(self._recall(entry))
        return self._reading

    async def _recall(self, entry: Callable[[], Awaitable[JobEntry | None]]) -> None:
        try:
            found = await entry()
        except Exception as error:  # noqa: BLE001 - without it, the service tells what there is
            logs.fault(_log, "The entry of %r cannot be read", self, error=error)
            found = None
        self._entry = self._reading = None
        if found is None:
            return
        self.request = self.request or dict(found.request)
        self.intent = self.intent or found.intent
        age = max(0.0, self._clock.time() - found.asked_at)
        self._submitted = self._clock.monotonic() - age
        if self._snapshot.raw:  # the service's own words are newer
            return
        if found.known.terminal and self._task is not None:
            self._task.cancel()
            self._task = None
        watching = self._snapshot.watching and not found.known.terminal
        self._tell(msgspec.structs.replace(found.known, watching=watching))

    def _start(self) -> None:
        here = asyncio.get_running_loop()
        if self._task is not None and self._task.get_loop() is not here:
            event_loop.drop_tasks(
                self._task
            )  # it runs in the process that this one was forked from
            self._task = None
        if self._task is None and self.id is not None and not self._snapshot.terminal:
            self._emit(watching=True, error=None, trouble=None)
            self._task = here.create_task(self._follow())

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None
            self._emit(watching=False, trouble=None)

    async def _follow(self) -> None:
        if self._entry is not None:  # as below, not for long
            await asyncio.wait([self._recalling(self._entry)], timeout=JOURNAL_TIMEOUT)
        reading = asyncio.get_running_loop().create_task(self._learned())
        try:
            await self._ask_until_ended(reading)
        finally:
            reading.cancel()

    async def _ask_until_ended(
        self, reading: asyncio.Task[adaptive_polling.AdaptivePolling | None]
    ) -> None:
        for number, delay in enumerate(polling.delays()):
            retry_after = None
            failed = False
            try:
                reply = await self._poll()
                if self._observe(reply, parse(reply, JobReply)):
                    return
            except WondaError as error:
                if not _passes(error):
                    self._end(error)
                    return
                failed = True
                retry_after = error.retry_after if isinstance(error, APIError) else None
                self._emit(trouble=BUSY if isinstance(error, RateLimitError) else SILENT)
            except Exception as error:  # noqa: BLE001 - a bug of ours must not leave waiters hanging
                logs.fault(_log, "Following %r failed", self, error=error)
                self._end(WondaError(f"Following the job failed: {type(error).__name__}: {error}."))
                return
            if number == 0:  # not before the first poll, and not for long
                await asyncio.wait([reading], timeout=JOURNAL_TIMEOUT)
            # A service in trouble is asked less and less, whatever was learned.
            wait = self._wait(delay, reading.result() if reading.done() and not failed else None)
            await self._clock.sleep(polling.retry_delay(wait, retry_after))

    async def _learned(self) -> adaptive_polling.AdaptivePolling | None:
        """The pace that earlier runs suggest; None for the service's own."""
        try:
            about = None if self._usual is None else await self._usual()
            return adaptive_polling.from_stats(about) if about is not None else None
        except Exception as error:  # noqa: BLE001 - a help; without it the page's pace serves
            how: dict[str, Any] = {"error": error, "level": logging.DEBUG}
            logs.fault(_log, "The history of %r cannot be used", self, **how)
            return None

    def _wait(self, delay: float, learned: adaptive_polling.AdaptivePolling | None) -> float:
        """Seconds until the next poll."""
        due = self._snapshot.scheduled_for
        if self._snapshot.status == SCHEDULED and due is not None:
            return polling.seconds_until_due(delay, due.timestamp() - self._clock.time())
        if learned is not None and not self._spread.crowded:
            delay = learned.wait(self._age())
        return self._spread.place(self._clock.monotonic(), delay)

    def hear(self, raw: dict[str, Any]) -> None:
        """Take in a reply that somebody else was given. On the loop only."""
        task = self._task
        if not self.done and self._observe(raw, parse(raw, JobReply)) and task is not None:
            task.cancel()

    def _observe(self, raw: Any, reply: JobReply) -> bool:
        """Take in a reply; True if the job has ended."""
        changes = snapshot_fields(self.kind, raw, reply)
        if polling.is_step_back(self._snapshot.status, changes["status"]):
            self._emit(trouble=None)
            return False
        changes["scheduled_for"] = changes["scheduled_for"] or self._snapshot.scheduled_for
        ended = changes["status"] in TERMINAL
        if ended:
            self._task = None
        self._emit(**changes, trouble=None, watching=not ended)
        return ended

    def _end(self, error: WondaError) -> None:
        self._task = None
        self._emit(watching=False, error=error, trouble=None)

    def _emit(self, **changes: Any) -> None:
        """Make the next snapshot, and tell the listeners if it says anything new."""
        old = self._snapshot
        new = msgspec.structs.replace(old, **changes)
        new = msgspec.structs.replace(new, elapsed=self._age(new))
        self._snapshot = new
        if new.raw and new.status != old.status:
            self._keep(new)  # in the journal before anyone is told
        self._tell(new, old)

    def _tell(self, new: Snapshot, old: Snapshot | None = None) -> None:
        old = old or self._snapshot
        self._snapshot = new
        if _told(new) != _told(old):
            for listener in list(self._listeners):
                try:
                    listener(new)
                except Exception as error:  # noqa: BLE001 - one view's fault is not another's
                    logs.fault(_log, "A listener of %r failed", self, error=error)

    def _age(self, snapshot: Snapshot | None = None) -> float:
        """Seconds since submission; of an attached job by the service's own times."""
        snapshot = snapshot or self._snapshot
        if self._attached and snapshot.created_at is not None:
            end = snapshot.finished_at.timestamp() if snapshot.finished_at else self._clock.time()
            return max(0.0, end - snapshot.created_at.timestamp())
        return self._clock.monotonic() - self._submitted


def snapshot_fields(kind: str, raw: Any, reply: JobReply) -> dict[str, Any]:
    """What a reply says, as fields of a `Snapshot`."""
    link = permalink(raw) if kind == "publish" else None
    status, message = terminal_status.ended_status(kind, raw, reply, link)
    return {
        "status": status,
        "outputs": tuple(reply.outputs),
        "error_message": message,
        "permalink": link,
        "created_at": timestamp(reply.created_at),
        "finished_at": timestamp(reply.finished_at),
        "scheduled_for": timestamp(reply.scheduled_for),
        "raw": raw,
    }


def _told(snapshot: Snapshot) -> tuple[object, ...]:
    return snapshot.status, snapshot.trouble, snapshot.watching, snapshot.error


def _passes(error: WondaError) -> bool:
    """Whether a failed poll says nothing about the job."""
    if isinstance(error, APIError):
        return isinstance(error, RateLimitError | ServerError) or error.status == REQUEST_TIMEOUT
    # A maintenance page is no JSON and passes; JSON without a status would stay so.
    return isinstance(error, ServiceUnreachableError | NotJSONError)


def _has_news(snapshot: Snapshot) -> bool:
    """False only before the service has said anything, or failed to."""
    return bool(snapshot.raw or snapshot.trouble or not snapshot.watching)


class Updates:
    """The snapshots of a job, for ``for`` and ``async for``."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __iter__(self) -> Iterator[Snapshot]:
        if event_loop.on_loop():
            raise RuntimeError("`for` over updates on the package's own loop would block it.")
        snapshots: queue.SimpleQueue[Snapshot] = queue.SimpleQueue()
        unwatch = self._job.watch(snapshots.put)
        try:
            while True:
                snapshot = event_loop.get_blocking(snapshots)
                if _has_news(snapshot):
                    yield snapshot
                if not snapshot.watching:
                    return
        finally:
            unwatch()

    async def __aiter__(self) -> AsyncIterator[Snapshot]:
        here = event_loop.callers_loop()
        snapshots: asyncio.Queue[Snapshot] = asyncio.Queue()

        def put(snapshot: Snapshot) -> None:
            event_loop.call_soon_on(here, lambda: snapshots.put_nowait(snapshot))

        unwatch = self._job.watch(put)
        try:
            while True:
                snapshot = await snapshots.get()
                if _has_news(snapshot):
                    yield snapshot
                if not snapshot.watching:
                    return
        finally:
            unwatch()
