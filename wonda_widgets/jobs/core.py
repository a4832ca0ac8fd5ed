"""What the resources of one client share: its transport, its journal, and its live jobs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import uuid
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import quote

from ..journal.recorded_replies import recorded_reply, seconds_taken
from ..journal.thumbnails import Thumbnails
from ..models import JobResponse, Snapshot, find_permalink, parse
from ..models.job_status import snapshot_fields
from ..utils import event_loop
from . import duration_stats
from .clock import Clock
from .job import Job, JobEntry
from .poll_scheduling import PollScheduler
from .recorded_jobs import snapshot_of
from .submission import Submitter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from ..http.transport import Transport
    from ..journal.entries import JournalEntry
    from ..journal.journal import Journal
    from .duration_stats import DurationStats
    from .job import Kind
    from .submission import Operation, SubmitResult

P = ParamSpec("P")
T = TypeVar("T")


class Core:
    """One client's transport, journal and live jobs.

    Attributes
    ----------
    name : str
        The id by which images name their client; see `open_clients`.
    client : AsyncWonda or None
    on_image : list of callable
        Called after each image that was made.
    """

    def __init__(
        self,
        transport: Transport,
        journal: Journal,
        *,
        closes_journal: bool = True,
        clock: type[Clock] | Clock = Clock,
    ) -> None:
        self.transport = transport
        self.journal = journal
        self.closes_journal = closes_journal
        self._clock = clock
        self.is_sandbox = False
        self.name = uuid.uuid4().hex
        self.client: Any = None
        self.thumbnails = Thumbnails(journal.path)
        self.on_image: list[Callable[[], object]] = []
        self._submitter = Submitter(transport, journal)
        self.submit = self._submitter.submit
        self._jobs: weakref.WeakValueDictionary[tuple[str, str], Job] = (
            weakref.WeakValueDictionary()
        )
        self._jobs_lock = threading.Lock()  # `attach` may be called on any thread
        self._scheduler = PollScheduler()
        #: by kind and model: the number of runs when the statistics were read, and the reading
        self._stats: dict[
            tuple[str, str | None], tuple[int, asyncio.Task[DurationStats | None]]
        ] = {}
        self._ended_runs: Counter[tuple[str, str | None]] = Counter()
        event_loop.reset_after_fork(self)

    def reset_in_child(self) -> None:
        """Start anew in a forked child, without the parent's locks and tasks."""
        self._jobs_lock = threading.Lock()
        event_loop.keep_inherited(self._stats)
        self._stats = {key: read for key, read in self._stats.items() if read[1].done()}

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "Only a client itself can be sent to another process, not its parts. "
            "Send wonda, and what you need as data: rows, images, snapshots, ids."
        )

    @property
    def journal_key(self) -> str:
        """The name under which the journal keeps this client's requests."""
        return self.transport.journal_key

    # ------------------------------------------------------------ jobs

    async def start(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        read: Callable[[Any], SubmitResult],
        **options: Any,
    ) -> Job:
        """Submit something that becomes a job, and give the job; see `Submitter.submit_then`."""

        def job(result: SubmitResult) -> Job:
            kind: Any = operation.kind
            if result.final:
                return self._ended_job(kind, body, result)
            return self.follow(
                kind, result.id, request=body, status=result.status, intent=result.intent
            )

        return await self._submitter.submit_then(job, operation, body, read, **options)

    def follow(self, kind: Kind, job_id: str, **options: Any) -> Job:
        """Give the job that follows `job_id`: the live one, or a new one."""
        with self._jobs_lock:
            job = self._jobs.get((kind, job_id))
            if job is None:
                job = self._jobs[kind, job_id] = self._new_job(kind, job_id, **options)
            return job

    def live_job(self, kind: Kind, job_id: str) -> Job | None:
        """Give the live job with this id, if there is one."""
        with self._jobs_lock:
            return self._jobs.get((kind, job_id))

    def _new_job(self, kind: Kind, job_id: str, **options: Any) -> Job:
        request = self.transport.poll_request(job_path(kind, job_id))

        def model() -> str | None:
            job = self._jobs.get((kind, job_id))  # its request may become known later
            return None if job is None else job.request.get("model")

        def on_status(snapshot: Snapshot) -> None:
            with contextlib.suppress(RuntimeError):  # the interpreter ends
                self.journal.update_status(self.journal_key, kind, job_id, snapshot)
            if snapshot.status == "succeeded":
                self._ended_runs[kind, model()] += 1
                if kind == "inference":
                    for listener in list(self.on_image):
                        listener()

        return Job(
            kind,
            job_id,
            lambda: self.transport.poll(request),
            on_status=on_status,
            duration_stats=lambda: self.duration_stats(kind, model()),
            scheduler=self._scheduler,
            clock=self._clock,
            wonda=self.client,
            **options,
        )

    def _ended_job(self, kind: Kind, body: Mapping[str, Any], result: SubmitResult) -> Job:
        """Make the job of a request whose result came at once."""
        raw = result.reply
        done = Snapshot(status="succeeded", permalink=find_permalink(raw), raw=raw)
        return self._without_id(kind, request=body, intent=result.intent, snapshot=done)

    def _without_id(self, kind: Kind, **options: Any) -> Job:
        """Make a job that cannot be polled."""

        async def nothing() -> Any:
            """A job without an id is not polled."""

        return Job(kind, None, nothing, clock=self._clock, wonda=self.client, **options)

    @staticmethod
    def entry(entry: JournalEntry, operation: Operation) -> JobEntry:
        """Give what a live job learns from its journal entry."""
        return JobEntry(entry.body, entry.intent, entry.requested_at, snapshot_of(entry, operation))

    def restore_job(self, entry: JournalEntry, operation: Operation) -> Job:
        """Give the job of a journal entry; it is polled again if it has not ended."""
        kind: Any = entry.kind
        options: dict[str, Any] = {
            "request": entry.body,
            "intent": entry.intent,
            "submitted_at": entry.requested_at,
            "snapshot": snapshot_of(entry, operation),
            "attached": True,
        }
        if entry.job_id is None:
            return self._without_id(kind, **options)
        return self.follow(kind, entry.job_id, **options)

    async def tell(self, kind: Kind, job_id: str, raw: dict[str, Any]) -> None:
        """Note a reply about a job, in the journal and in the live job. On the event loop only."""
        await self._note(kind, job_id, raw)
        job = self._jobs.get((kind, job_id))
        if job is not None:
            job.observe_elsewhere(raw)

    async def poll_once(self, kind: Kind, job_id: str) -> Snapshot:
        """Poll a job once, and note the reply in the journal."""
        raw = await self.transport.poll(self.transport.poll_request(job_path(kind, job_id)))
        return await self._note(kind, job_id, raw)

    async def _note(self, kind: Kind, job_id: str, raw: dict[str, Any]) -> Snapshot:
        snapshot = Snapshot(**snapshot_fields(kind, raw, parse(raw, JobResponse)))
        heard = self.journal.update_status(self.journal_key, kind, job_id, snapshot)
        await asyncio.wrap_future(heard)
        return snapshot

    # ------------------------------------------------------------ durations

    async def duration_stats(self, kind: Kind, model: str | None) -> DurationStats | None:
        """Give how long such jobs took before. On the event loop only.

        They are read again when the number of runs has grown by a tenth, so that 500 jobs that
        begin together read them once.
        """
        runs = self._ended_runs[kind, model]
        runs_then, reading = self._stats.get((kind, model), (0, None))
        if reading is None or _is_outdated(reading, runs - runs_then):
            reading = asyncio.get_running_loop().create_task(self._read_stats(kind, model))
            self._stats[kind, model] = runs, reading
        return await event_loop.shield(reading)

    async def _read_stats(self, kind: Kind, model: str | None) -> DurationStats | None:
        read = self.journal.images.recent_successes(self.journal_key, kind, model)
        entries = await asyncio.wrap_future(read)
        # The time until a scheduled post is due says nothing about how long posting takes.
        unscheduled = [entry for entry in entries if not entry.body.get("scheduledAt")]
        return duration_stats.summarize(
            [seconds_taken(entry, recorded_reply(entry)) for entry in unscheduled]
        )

    # ------------------------------------------------------------ the end

    async def aclose(self) -> None:
        """Let requests that are being sent arrive, stop polling, close the connections."""
        await self._submitter.aclose()
        for job in list(self._jobs.values()):
            job.stop()
        await self.transport.aclose()
        self.thumbnails.close()
        if self.closes_journal:
            self.journal.close()


def _is_outdated(reading: asyncio.Task[DurationStats | None], new_runs: int) -> bool:
    """Whether the statistics are to be read again, now that `new_runs` more have ended."""
    if not reading.done():
        return False
    if reading.cancelled() or reading.exception() is not None:
        return True
    stats = reading.result()
    return stats is None or new_runs * 10 >= stats.runs


def job_path(kind: str, job_id: str) -> str:
    """Give the path of a job; its id is opaque, so it is quoted as one segment."""
    return f"/jobs/{kind}/{quote(job_id, safe='')}"


def on_package_loop(
    method: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Run a coroutine method on the package's event loop, awaited from any other one.

    A client's connections belong to one loop; its callers may use any.
    """

    @functools.wraps(method)
    async def bridged(*args: P.args, **kwargs: P.kwargs) -> T:
        return await event_loop.run_on_loop(method(*args, **kwargs))

    return bridged
