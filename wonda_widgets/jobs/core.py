"""The state that the resources of a client share: its transport, journal and live jobs."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import uuid
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar
from urllib.parse import quote

from ..errors import ConflictError
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

#: Seconds between requests that use an uploaded video which is still being normalized.
NORMALIZING_WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)

P = ParamSpec("P")
T = TypeVar("T")


class Core:
    """The transport, journal and live jobs of one client.

    Attributes
    ----------
    name : str
        The ID by which images refer to their client; see `open_clients`.
    client : AsyncWonda or None
    uploaded_videos : set of str
        The media IDs of this client's uploads that the service may still be normalizing.
    on_image : list of callable
        Called after each image that was generated.
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
        self.uploaded_videos: set[str] = set()
        self.on_image: list[Callable[[], object]] = []
        self._submitter = Submitter(transport, journal)
        self.submit = self._submitter.submit
        self.require_new = self._submitter.require_new
        self._jobs: weakref.WeakValueDictionary[tuple[str, str], Job] = (
            weakref.WeakValueDictionary()
        )
        self._jobs_lock = threading.Lock()  # `attach` may be called on any thread
        self._scheduler = PollScheduler()
        #: the number of runs when the statistics were read, and the reading
        self._stats: dict[Similar, tuple[int, asyncio.Task[DurationStats | None]]] = {}
        self._ended_runs: Counter[Similar] = Counter()
        event_loop.reset_after_fork(self)

    def reset_in_child(self) -> None:
        """Reset in a forked child, without the parent's locks and tasks."""
        self._jobs_lock = threading.Lock()
        event_loop.keep_inherited(self._stats)
        self._stats = {key: read for key, read in self._stats.items() if read[1].done()}

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "Only a client itself can be sent to another process, not its parts. "
            "Send wonda, and the data that you need: rows, images, snapshots, IDs."
        )

    @property
    def journal_key(self) -> str:
        """The name under which the journal keeps this client's requests."""
        return self.transport.journal_key

    def report_image_change(self) -> None:
        """Call the listeners of `on_image`: an image is new, or a mark of one has changed."""
        for listener in list(self.on_image):
            listener()

    # ------------------------------------------------------------ jobs

    async def start(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        read: Callable[[Any], SubmitResult],
        **options: Any,
    ) -> Job:
        """Submit a request and return its job; see `Submitter.submit_then`.

        The service refuses an uploaded video as long as it normalizes it (wonda-api.md, section
        2.2), so a request that uses one is sent again after such a refusal, which had no effect.
        """

        def job(result: SubmitResult) -> Job:
            kind: Any = operation.kind
            if result.final:
                return self._ended_job(kind, body, result)
            return self.follow(
                kind,
                result.id,
                request=body,
                path=operation.path,
                status=result.status,
                intent=result.intent,
            )

        for seconds in NORMALIZING_WAITS if self._uses_uploaded_video(body) else ():
            with contextlib.suppress(ConflictError):
                return await self._submitter.submit_then(job, operation, body, read, **options)
            await self._clock.sleep(seconds)
        return await self._submitter.submit_then(job, operation, body, read, **options)

    def _uses_uploaded_video(self, body: Mapping[str, Any]) -> bool:
        used = {body.get("mediaId"), *body.get("attachmentMediaIds", ())}
        return not self.uploaded_videos.isdisjoint(used)

    def follow(self, kind: Kind, job_id: str, **options: Any) -> Job:
        """Return the live job with this ID; create it if there is none."""
        with self._jobs_lock:
            job = self._jobs.get((kind, job_id))
            if job is None:
                job = self._jobs[kind, job_id] = self._new_job(kind, job_id, **options)
            return job

    def live_job(self, kind: Kind, job_id: str) -> Job | None:
        """Return the live job with this ID, or None."""
        with self._jobs_lock:
            return self._jobs.get((kind, job_id))

    def _new_job(self, kind: Kind, job_id: str, **options: Any) -> Job:
        request = self.transport.poll_request(job_path(kind, job_id))

        def similar() -> Similar:
            job = self._jobs.get((kind, job_id))  # its request may become known later
            return similar_jobs(kind, {} if job is None else job.request)

        def on_status(snapshot: Snapshot) -> None:
            with contextlib.suppress(RuntimeError):  # the interpreter ends
                self.journal.update_status(self.journal_key, kind, job_id, snapshot)
            if snapshot.status == "succeeded":
                self._ended_runs[similar()] += 1
                if kind == "inference":
                    self.report_image_change()

        return Job(
            kind,
            job_id,
            lambda: self.transport.poll(request),
            on_status=on_status,
            duration_stats=lambda: self.duration_stats(similar()),
            scheduler=self._scheduler,
            clock=self._clock,
            wonda=self.client,
            **options,
        )

    def _ended_job(self, kind: Kind, body: Mapping[str, Any], result: SubmitResult) -> Job:
        """Create the job of a request whose response contained the result."""
        raw = result.reply
        done = Snapshot(status="succeeded", permalink=find_permalink(raw), raw=raw)
        return self._without_id(kind, request=body, intent=result.intent, snapshot=done)

    def _without_id(self, kind: Kind, **options: Any) -> Job:
        """Create a job that cannot be polled."""

        async def nothing() -> Any:
            """A job without an ID is not polled."""

        return Job(kind, None, nothing, clock=self._clock, wonda=self.client, **options)

    @staticmethod
    def entry(entry: JournalEntry, operation: Operation) -> JobEntry:
        """Return the data that a live job takes from its journal entry."""
        snapshot = snapshot_of(entry, operation)
        return JobEntry(entry.body, entry.path, entry.intent, entry.requested_at, snapshot)

    def restore_job(self, entry: JournalEntry, operation: Operation) -> Job:
        """Return the job of a journal entry; poll it again if it has not ended."""
        kind: Any = entry.kind
        options: dict[str, Any] = {
            "request": entry.body,
            "path": entry.path,
            "intent": entry.intent,
            "submitted_at": entry.requested_at,
            "snapshot": snapshot_of(entry, operation),
            "attached": True,
        }
        if entry.job_id is None:
            return self._without_id(kind, **options)
        return self.follow(kind, entry.job_id, **options)

    async def tell(self, kind: Kind, job_id: str, raw: dict[str, Any]) -> None:
        """Record a job's response in the journal and in the live job. On the event loop only."""
        await self._note(kind, job_id, raw)
        job = self._jobs.get((kind, job_id))
        if job is not None:
            job.observe_elsewhere(raw)

    async def poll_once(self, kind: Kind, job_id: str) -> Snapshot:
        """Poll a job once and record the response in the journal."""
        raw = await self.transport.poll(self.transport.poll_request(job_path(kind, job_id)))
        return await self._note(kind, job_id, raw)

    async def _note(self, kind: Kind, job_id: str, raw: dict[str, Any]) -> Snapshot:
        snapshot = Snapshot(**snapshot_fields(kind, raw, parse(raw, JobResponse)))
        heard = self.journal.update_status(self.journal_key, kind, job_id, snapshot)
        await asyncio.wrap_future(heard)
        return snapshot

    # ------------------------------------------------------------ durations

    async def duration_stats(self, similar: Similar) -> DurationStats | None:
        """Return the durations of similar earlier jobs. On the event loop only.

        The durations are read again when the number of runs has grown by a tenth, so that 500 jobs
        that begin together read them only once.
        """
        runs = self._ended_runs[similar]
        runs_then, reading = self._stats.get(similar, (0, None))
        if reading is None or _is_outdated(reading, runs - runs_then):
            reading = asyncio.get_running_loop().create_task(self._read_stats(similar))
            self._stats[similar] = runs, reading
        return await event_loop.shield(reading)

    async def _read_stats(self, similar: Similar) -> DurationStats | None:
        read = self.journal.images.recent_successes(self.journal_key, similar.kind, similar.model)
        entries = await asyncio.wrap_future(read)
        # The time until a scheduled post is due says nothing about how long posting takes.
        durations = [
            seconds_taken(entry, recorded_reply(entry))
            for entry in entries
            if not entry.body.get("scheduledAt")
            and similar_jobs(similar.kind, entry.body).length == similar.length
        ]
        return duration_stats.summarize(durations)

    # ------------------------------------------------------------ the end

    async def aclose(self) -> None:
        """Wait for requests that are being sent, stop polling, and close the connections."""
        await self._submitter.aclose()
        for job in list(self._jobs.values()):
            job.stop()
        await self.transport.aclose()
        self.thumbnails.close()
        if self.closes_journal:
            self.journal.close()


def _is_outdated(reading: asyncio.Task[DurationStats | None], new_runs: int) -> bool:
    """Whether to read the statistics again after `new_runs` more jobs have ended."""
    if not reading.done():
        return False
    if reading.cancelled() or reading.exception() is not None:
        return True
    stats = reading.result()
    return stats is None or new_runs * 10 >= stats.runs


class Similar(NamedTuple):
    """Jobs that are expected to take about as long as each other.

    Attributes
    ----------
    kind : str
    model : str or None
    length : str
        The requested length of a video; empty for others.
    """

    kind: Kind
    model: str | None
    length: str


def similar_jobs(kind: Kind, request: Mapping[str, Any]) -> Similar:
    """Return which jobs are similar to the one of a request."""
    model, params = request.get("model"), request.get("params")
    length = params.get("duration", "") if isinstance(params, dict) else ""
    return Similar(kind, model if isinstance(model, str) else None, str(length))


def job_path(kind: str, job_id: str) -> str:
    """Return the path of a job; the ID is opaque, so it is quoted as one segment."""
    return f"/jobs/{kind}/{quote(job_id, safe='')}"


def on_package_loop(
    method: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a coroutine method run on the package's event loop when awaited on any other one.

    A client's connections belong to one loop; its callers may use any.
    """

    @functools.wraps(method)
    async def bridged(*args: P.args, **kwargs: P.kwargs) -> T:
        return await event_loop.run_on_loop(method(*args, **kwargs))

    return bridged
