"""What the resources share: requests that take effect, the jobs that live, how to wait.

A request that takes effect goes this way, and to its end even if nobody waits
for it any more (a cell is interrupted, a panel closed):

    journal: begin ──> POST ──> journal: accepted ──> Job
                          ├───> journal: refused, error
                          └───> journal: unknown, OutcomeUnknownError
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import uuid
import weakref
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar
from urllib.parse import quote

import msgspec

from ..errors import (
    ClosedError,
    InvalidInputError,
    OutcomeUnknownError,
    UnexpectedReplyError,
    UnreadableOutcomeError,
    WondaError,
)
from ..http.request_body import encode_json
from ..journal.thumbnails import Thumbnails
from ..models import (
    TERMINAL,
    JobReply,
    Snapshot,
    parse,
    permalink,
)
from ..utils import event_loop
from . import duration_stats
from .job import (
    SUBMITTED,
    Clock,
    Job,
    JobEntry,
    snapshot_fields,
)
from .poll_scheduling import PollScheduler

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Future

    from ..http.transport import Transport
    from ..journal.entries import JournalEntry
    from ..journal.journal import Journal
    from .duration_stats import DurationStats
    from .job import Kind

P = ParamSpec("P")
T = TypeVar("T")

MOST_BYTES = 200_000  # of a request's text; more would push out what the journal knows
CLOSING = 5.0  # seconds that closing a client waits for requests that are on their way
WRITING = 5.0  # seconds that it waits for the journal then
UNKNOWN = "unknown"  # our own word for the status of what may have been made
NEVER_READ = "the process that asked ended before it read the answer"
NEVER_SENT = "the client was closed before its turn came"
CLOSED = "the client was closed before the answer came"
BEING_SENT = "it is being sent at this moment"


class Operation(NamedTuple):
    """A kind of request that takes effect.

    Attributes
    ----------
    kind : str
        As the journal has it.
    path : str
    name : str
        For people: ``"image generation"``.
    check : str
        Where to look if its outcome is unknown, as a sentence.
    seconds : float
        How long its answer may take, where that may be longer than of others.
    """

    kind: str
    path: str
    name: str
    check: str
    seconds: float = 0.0


class SubmitResult(NamedTuple):
    """What the reply to a POST names: an id, perhaps a first status, and our own intent.

    Where `final`, what was asked for is done, and there is no job to follow.
    """

    id: str
    status: str = ""
    reply: Any = None
    intent: str = ""
    final: bool = False


class DuplicateGuard(Protocol):
    """What keeps a request from being made twice."""

    same_as: str
    also: tuple[str, ...]
    repeat: bool
    for_good: bool

    async def settle(self, earlier: JournalEntry) -> None:
        """Look what became of the same request; raises if it stands in the way."""

    async def look(self) -> None:
        """Look whether it was made elsewhere; raises if so."""


class Core:
    """One client's transport, journal and live jobs."""

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
        #: by which images name their client, see `open_clients`
        self.name = uuid.uuid4().hex
        self.client: Any = None  # the `AsyncWonda` that it is of
        self._jobs: weakref.WeakValueDictionary[tuple[str, str], Job] = (
            weakref.WeakValueDictionary()
        )
        self.thumbnails = Thumbnails(journal.path)
        self.on_image: list[Callable[[], object]] = []  # called when the journal has one more
        self._spread = PollScheduler()
        self._usual: dict[
            tuple[str, str | None], tuple[int, asyncio.Task[DurationStats | None]]
        ] = {}
        self._ended_runs: Counter[tuple[str, str | None]] = Counter()
        self._following = threading.Lock()
        self._sending: set[asyncio.Task[Any]] = set()
        event_loop.reset_after_fork(self)

    def renew(self) -> None:
        """Begin anew in a forked child; what the parent sends is the parent's to note."""
        self._following = threading.Lock()
        event_loop.drop_tasks((self._sending, self._usual))
        self._sending = set()
        self._usual = {key: kept for key, kept in self._usual.items() if kept[1].done()}

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError(
            "Only a client itself travels to another process, not what belongs to it. "
            "Send wonda, and what you need as data: rows, images, snapshots, ids."
        )

    @property
    def journal_key(self) -> str:
        """Under which the journal keeps what this client does: the address and organization."""
        return self.transport.journal_key

    # ------------------------------------------------------------ what takes effect

    async def submit(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        read: Callable[[Any], SubmitResult],
        **how: Any,
    ) -> SubmitResult:
        """POST something that takes effect, once.

        Parameters
        ----------
        operation : Operation
        body : dict
            What is asked, sent as JSON.
        read : callable
            Gives what the reply names, or raises `UnexpectedReplyError`.
        **how
            ``files`` to send instead of `body`, which then only describes them; `Once` as
            ``once``; and ``guard``, see `Journal.begin`.

        Raises
        ------
        OutcomeUnknownError
            If it may have arrived but the reply was lost.
        WondaError
            If it took no effect.
        """
        return await self._to_its_end(self._submit(operation, body, read, **how))

    async def start(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        read: Callable[[Any], SubmitResult],
        **how: Any,
    ) -> Job:
        """POST something that becomes a job, like `submit`, and give the job that follows it."""

        async def started() -> Job:
            named = await self._submit(operation, body, read, **how)
            kind: Any = operation.kind
            if named.final:
                return self._ended(kind, body, named)
            return self.follow(
                kind, named.id, request=body, status=named.status, intent=named.intent
            )

        return await self._to_its_end(started())

    async def _to_its_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` also if the one who waits for it gives up: what was sent was sent."""
        task = asyncio.get_running_loop().create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sent)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise  # the one who waits was
        raise ClosedError("The client was closed before this was sent.", "Ask with a new one.")

    def _sent(self, task: asyncio.Task[Any]) -> None:
        self._sending.discard(task)
        if not task.cancelled():
            task.exception()  # it is in the journal, also if nobody waits for it any more

    async def _submit(  # noqa: C901 - each end of a request, one after the other
        self,
        operation: Operation,
        body: Mapping[str, Any],
        read: Callable[[Any], SubmitResult],
        *,
        files: Mapping[str, Any] | None = None,
        once: DuplicateGuard | None = None,
        guard: Callable[[Any], None] | None = None,
    ) -> SubmitResult:
        intent = await self._begin(operation, body, once, guard)
        named: SubmitResult | None = None
        left = False

        async def before_send() -> None:
            nonlocal left
            # As late as can be: what is found out later about it is asked as of this moment.
            if not await asyncio.wrap_future(self.journal.sent(intent, self.transport.clock.now)):
                why = self.journal.trouble or "This was settled meanwhile."
                raise WondaError(f"Nothing was sent. {why}", "Then ask again.")
            left = True

        def on_not_sent() -> None:
            nonlocal left
            left = False

        try:
            if once is not None and not once.repeat:
                await once.look()
        except WondaError as error:
            await _noted(self.journal.refused(intent, f"not sent: {_reason(error)}"))
            raise
        except BaseException as error:
            self.journal.refused(intent, f"not sent: {_reason(error)}")
            raise
        try:
            raw = await self.transport.post(
                operation.path,
                operation.name,
                operation.check,
                before_send=before_send,
                on_not_sent=on_not_sent,
                seconds=operation.seconds,
                **({"files": files} if files else {"body": body}),
            )
            named = _read(raw, operation, read)
        except OutcomeUnknownError as error:
            error.intent, error.kind = intent, operation.kind
            taken = isinstance(error, UnreadableOutcomeError)
            await _noted(self.journal.unknown(intent, error.reason, taken=taken))
            raise
        except WondaError as error:
            # Awaited, as above, so that whoever tries again, in whichever kernel, finds it settled.
            await _noted(self.journal.refused(intent, _reason(error)))
            raise
        except asyncio.CancelledError:
            with contextlib.suppress(RuntimeError):  # the interpreter ends
                if not left:  # it waited for its turn, or for the next try
                    self.journal.refused(intent, f"not sent: {NEVER_SENT}")
                    raise
                self.journal.unknown(intent, CLOSED)
        except Exception as error:
            if not left:  # the journal's disk, for one
                self.journal.refused(intent, f"not sent: {_reason(error)}")
            raise
        if named is None:  # raised here, so that it holds nothing of what was canceled
            raise OutcomeUnknownError(
                operation.name, CLOSED, operation.check, intent=intent, kind=operation.kind
            )
        # Whoever holds the job finds it in the journal too.
        await _noted(
            self.journal.posted(intent, permalink(named.reply), None)
            if named.final
            else self.journal.accepted(intent, named.id, named.status)
        )
        return named._replace(intent=intent)

    async def _begin(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        once: DuplicateGuard | None,
        guard: Callable[[Any], None] | None,
    ) -> str:
        self.transport.check_open()
        text = self.transport.without_key(encode_json(body))
        if len(text) > MOST_BYTES:
            raise InvalidInputError(
                "prompt",
                f"This is too long: the request has {len(text) / 1e6:.1f} MB.",
                "Shorten the text.",
            )
        stopped = threading.Event()

        def wanted(connection: Any) -> None:
            if stopped.is_set():  # it stood in line behind another process's work until now
                raise ClosedError("The client was closed before this was sent.")
            if guard is not None:
                guard(connection)

        while True:
            begun = self.journal.begin(
                self.journal_key,
                operation.kind,
                text,
                once.same_as if once else "",
                also=once.also if once else (),
                repeat=once.repeat if once else False,
                for_good=once.for_good if once else False,
                answer_limit=self.transport.time_limit(operation.seconds),
                guard=wanted,
            )
            try:
                intent, earlier = await asyncio.wrap_future(begun)
            except asyncio.CancelledError:  # it may be noted already, but nobody will send it
                stopped.set()
                begun.add_done_callback(self._never_sent)
                raise
            if earlier is None or once is None:
                return intent
            await once.settle(earlier)

    def _never_sent(self, begun: Future[tuple[str, JournalEntry | None]]) -> None:
        if begun.cancelled() or begun.exception() is not None:
            return
        intent, earlier = begun.result()
        if earlier is None:
            with contextlib.suppress(ClosedError, RuntimeError):  # the interpreter ends
                self.journal.refused(intent, f"not sent: {NEVER_SENT}")

    # ------------------------------------------------------------ jobs

    def follow(self, kind: Kind, job_id: str, **more: Any) -> Job:
        """Give the job that follows `job_id`: the one that lives, or a new one."""
        with self._following:  # `attach` may be called on any thread
            living = self._jobs.get((kind, job_id))
            if living is None:
                living = self._jobs[kind, job_id] = self._new(kind, job_id, **more)
            return living

    def living(self, kind: Kind, job_id: str) -> Job | None:
        """Give the job that is followed already."""
        with self._following:
            return self._jobs.get((kind, job_id))

    def _new(self, kind: Kind, job_id: str, **more: Any) -> Job:
        poll_request = self.transport.poll_request(job_path(kind, job_id))

        def model() -> str | None:
            job = self._jobs.get((kind, job_id))  # which may learn later what was asked
            return None if job is None else job.request.get("model")

        def keep(snapshot: Snapshot) -> None:
            with contextlib.suppress(RuntimeError):  # the interpreter ends
                self.journal.heard(self.journal_key, kind, job_id, snapshot)
            if snapshot.status == "succeeded":
                self._ended_runs[kind, model()] += 1
            if kind == "inference" and snapshot.status == "succeeded":
                for listener in list(self.on_image):
                    listener()

        return Job(
            kind,
            job_id,
            lambda: self.transport.poll(poll_request),
            keep=keep,
            usual=lambda: self.usual(kind, model()),
            spread=self._spread,
            clock=self._clock,
            wonda=self.client,
            **more,
        )

    def _ended(self, kind: Kind, body: Mapping[str, Any], named: SubmitResult) -> Job:
        """A job that had its result at once."""
        raw = named.reply
        done = Snapshot(status="succeeded", permalink=permalink(raw), raw=raw)
        return Job(
            kind,
            None,
            _never,
            request=body,
            intent=named.intent,
            known=done,
            clock=self._clock,
            wonda=self.client,
        )

    async def usual(self, kind: Kind, model: str | None) -> DurationStats | None:
        """Sum up how long such jobs took before, if there were a few.

        What was read is good until a tenth more runs have ended: five hundred jobs that begin
        together read it once. On the loop only.
        """
        ended = self._ended_runs[kind, model]
        since, read = self._usual.get((kind, model), (0, None))
        if read is None or _outdated(read, ended - since):
            read = asyncio.get_running_loop().create_task(self._usual_now(kind, model))
            self._usual[kind, model] = ended, read
        return await event_loop.shielded(read)

    async def _usual_now(self, kind: Kind, model: str | None) -> DurationStats | None:
        waited = self.journal.images.ended(self.journal_key, kind, model)
        ended = await asyncio.wrap_future(waited)
        # One that waited for its time says nothing of how long posting takes.
        at_once = [record for record in ended if not record.body.get("scheduledAt")]
        return duration_stats.summarize([_took(record, _heard(record)) for record in at_once])

    async def tell(self, kind: Kind, job_id: str, raw: dict[str, Any]) -> None:
        """Have the journal, and the job that lives, know what became of a job. On the loop only."""
        now = Snapshot(**snapshot_fields(kind, raw, parse(raw, JobReply)))
        await asyncio.wrap_future(self.journal.heard(self.journal_key, kind, job_id, now))
        living = self._jobs.get((kind, job_id))
        if living is not None:
            living.hear(raw)

    async def ask(self, kind: Kind, job_id: str) -> Snapshot:
        """Ask once how a job is, for nobody who watches it; the journal hears it."""
        raw = await self.transport.poll(self.transport.poll_request(job_path(kind, job_id)))
        now = Snapshot(**snapshot_fields(kind, raw, parse(raw, JobReply)))
        await asyncio.wrap_future(self.journal.heard(self.journal_key, kind, job_id, now))
        return now

    @staticmethod
    def entry(record: JournalEntry, operation: Operation) -> JobEntry:
        """Give what a job that lives learns from its entry in the journal."""
        return JobEntry(record.body, record.intent, record.asked_at, snapshot_of(record, operation))

    def revived(self, record: JournalEntry, operation: Operation) -> Job:
        """Give the job of an entry in the journal; what has not ended is followed again."""
        kind: Any = record.kind
        about: dict[str, Any] = {
            "request": record.body,
            "intent": record.intent,
            "asked_at": record.asked_at,
            "known": snapshot_of(record, operation),
            "attached": True,
        }
        if record.job_id is None:
            return Job(kind, None, _never, clock=self._clock, wonda=self.client, **about)
        return self.follow(kind, record.job_id, **about)

    async def aclose(self) -> None:
        """Let what is on its way arrive, stop watching every job, close the connections."""
        if self._sending:
            _, late = await asyncio.wait(self._sending, timeout=CLOSING)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            # Who asks next, in whichever kernel, finds what is known of them.
            with contextlib.suppress(ClosedError, TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(self.journal.written()), WRITING)
        for job in list(self._jobs.values()):
            job.stop()
        await self.transport.aclose()
        self.thumbnails.close()
        if self.closes_journal:
            self.journal.close()


async def _noted(written: Future[Any]) -> None:
    """Wait until the journal has what became of a request.

    Closing the client ends the wait, not the writing, and the answer is known all the same.
    """
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wrap_future(written)


def _outdated(read: asyncio.Task[DurationStats | None], more: int) -> bool:
    """Whether a summary of earlier runs is to be made again, now that `more` have ended."""
    if not read.done():
        return False
    if read.cancelled() or read.exception() is not None:
        return True
    about = read.result()
    return about is None or more * 10 >= about.runs


def job_path(kind: str, job_id: str) -> str:
    """Where a job is asked after. Its id is opaque, so it is quoted as one segment."""
    return f"/jobs/{kind}/{quote(job_id, safe='')}"


async def _never() -> Any:
    """Ask nothing: a request without an id cannot be asked about."""


def snapshot_of(record: JournalEntry, operation: Operation) -> Snapshot:
    """What the journal knows of a request, as a snapshot."""
    if record.state == "posted":
        return Snapshot(status="succeeded", permalink=record.permalink)
    if record.job_id is None:
        reason = BEING_SENT if record.sending else record.reason or NEVER_READ
        error = OutcomeUnknownError(
            operation.name, reason, operation.check, intent=record.intent, kind=operation.kind
        )
        return Snapshot(status=UNKNOWN, error=error)
    # What the service called finished at once has not been asked for its result yet.
    heard = record.ended or record.status not in TERMINAL
    status = (heard and record.status) or SUBMITTED
    last = _heard(record, Snapshot(status=status, watching=not record.ended))
    return msgspec.structs.replace(last, elapsed=_took(record, last)) if last.raw else last


def _heard(record: JournalEntry, before: Snapshot = Snapshot()) -> Snapshot:  # noqa: B008 - frozen
    """What the journal has of the service's last reply; `before` if that is nothing."""
    with contextlib.suppress(UnexpectedReplyError):
        if record.reply:
            reply = parse(record.reply, JobReply)
            return msgspec.structs.replace(
                before, **snapshot_fields(record.kind, record.reply, reply)
            )
    return before


def _took(record: JournalEntry, snapshot: Snapshot) -> float:
    """Seconds that an ended job took, by the service's own times where it gives them."""
    if snapshot.created_at and snapshot.finished_at:
        return max(0.0, (snapshot.finished_at - snapshot.created_at).total_seconds())
    return max(0.0, record.told_at - record.asked_at)


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, WondaError) else type(error).__name__


def _read(raw: Any, operation: Operation, read: Callable[[Any], SubmitResult]) -> SubmitResult:
    """What the reply to a POST that was taken names; if nothing, nobody knows the outcome."""
    named = None
    with contextlib.suppress(UnexpectedReplyError):
        named = read(raw)
    if named is None or named.id in {"", ".", ".."}:
        reason = "the service took it, but its reply does not say what came of it"
        raise UnreadableOutcomeError(operation.name, reason, operation.check)
    return named


def on_package_loop(
    method: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Run a coroutine method on the package's loop, awaited from any other.

    A client's connections belong to one loop; so a caller may use it from as
    many loops and threads as they like.
    """

    @functools.wraps(method)
    async def bridged(*args: P.args, **kwargs: P.kwargs) -> T:
        return await event_loop.run_on_loop(method(*args, **kwargs))

    return bridged
