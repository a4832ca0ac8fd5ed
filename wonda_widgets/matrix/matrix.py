"""`wonda.images.matrix`: many variations of a prompt, planned, priced, and each made once.

    Plan ──> price against budget ──> batch in the journal ──> cells, a few at a time
                                                                 │
      rows, images, progress  <── waiting, running, succeeded, failed, lost, unknown

A cell's request has a name of its own in the journal, and a name is asked for once: so a
kernel that died half way leaves a batch with which the next one goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import math
import queue
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..errors import (
    AuthenticationError,
    ClosedError,
    InvalidInputError,
    JobCanceledError,
    JobFailedError,
    NoMediaError,
    OutcomeUnknownError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnreachableError,
    WondaError,
)
from ..jobs import duration_stats
from ..jobs.generation import GENERATION, read_reply, request_body
from ..jobs.idempotency import (
    RECHECK_SECONDS,
    DuplicateRequestError,
    IdempotencyGuard,
    canonical,
    fingerprint,
    former_fingerprint,
    require_writable_journal,
)
from ..journal.images import GeneratedImage
from ..journal.saved_plans import RESUMABLE_DAYS, cell_key
from ..utils import (
    event_loop,
    logs,
    noninteractive,
    plain_values,
)
from .cells import (
    SETTLED,
    CellResult,
    Progress,
    total_price,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from ..jobs.core import Core
    from ..jobs.duration_stats import DurationStats
    from ..jobs.job import Job
    from ..journal.entries import JournalEntry
    from ..journal.saved_plans import SavedPlan
    from ..models import Estimate, Snapshot
    from .cells import Price
    from .planning import Cell, Plan

DEFAULT_CONCURRENCY = 4
MAX_CONCURRENCY = 32
UNCHECKED = "allow_unchecked"
UNPLANNED = "This matrix is not planned yet: `await matrix.prepare()` first."

State = Literal["planned", "running", "stopped", "done"]

_log = logging.getLogger(__name__)

#: What is wrong with the account or the way to the service, so with each cell that follows.
HALTING = (
    AuthenticationError,
    ClosedError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnreachableError,
)


class Matrix:
    """Many variations of a prompt, each made once, a few at a time.

    Iterating (``for`` or ``async for``) makes them and gives a row for each that ends, in
    the order in which they do; leaving the loop begins no more. `start` does the same in
    the background. A failed image stops none of the others. What is wrong with the account
    or the connection does; the rest then waits, and `start` goes on.

    Made again after a crash or a restart, the same plan goes on where it was: no image
    is asked for twice. Two kernels that run the same plan at once have all of it, no sooner
    than one alone; ``once=`` of `images.generate` shares the work among processes.

    You get one from `wonda.images.matrix`.

    Attributes
    ----------
    plan : Plan
    price : Price
        Of what was still to be made when it was planned, or begun.
    budget : float or None
        US dollars that may be spent with this object, what is made again included. It can be
        set anew, for what begins after that.
    allow_unchecked : bool
        Whether it runs even if the journal cannot be written, or was damaged. It can be set anew,
        too.
    begun : int
        How many images an earlier kernel had asked for; they are not asked for again.
    resumed : bool
        Whether it goes on with what an earlier kernel had begun.
    error : WondaError or None
        What halted it.
    """

    def __init__(
        self,
        core: Core,
        plan: Callable[[], Awaitable[Plan]],
        priced: Callable[[Cell], Awaitable[Estimate | None]],
        *,
        budget: float | None = None,
        at_once: int = DEFAULT_CONCURRENCY,
        resume: bool = True,
        allow_unchecked: bool = False,
    ) -> None:
        self.budget = checked_budget(budget)
        at_once = plain_values.to_plain(at_once)
        if isinstance(at_once, bool) or not isinstance(at_once, int) or at_once < 1:
            raise InvalidInputError("at_once", "at_once is a whole number above 0.")
        self._at_once = min(at_once, MAX_CONCURRENCY)
        self._core = core
        self._make_plan = plan
        self._priced = priced
        self._resume = resume
        self.allow_unchecked = allow_unchecked
        self._plan: Plan | None = None
        self._price: Price | None = None
        self._batch: SavedPlan | None = None
        self._made: list[CellResult] = []
        self._queue: list[CellResult] = []
        self._running: set[asyncio.Task[None]] = set()
        self._wanted = False  # that it runs; it may be stopped before it does
        self._again = 0  # retries that are being prepared
        self._spent = 0.0  # US dollars, at most: a failed job may not have been charged
        self._usual: dict[str, DurationStats | None] = {}
        self._listeners: list[Callable[[CellResult | None], object]] = []
        self._preparing: asyncio.Task[None] | None = None
        self._beginning: asyncio.Task[None] | None = None
        self.state: State = "planned"
        self.resumed = False
        self.error: WondaError | None = None
        event_loop.reset_after_fork(self)

    def renew(self) -> None:
        """Be stopped in a forked child; started there, it goes on by the journal, as a kernel."""
        event_loop.keep_inherited((self._running, self._preparing, self._beginning))
        self._running, self._queue, self._again = set(), [], 0
        self._beginning = None
        if self._preparing is not None and not self._preparing.done():
            self._preparing = None
        if self.state == "running":
            self.state = "stopped"
        for each in self._made:
            if each.state == "running" and each.job is None:  # the parent is sending it
                each.state = "waiting"

    # ------------------------------------------------------------ before anything is made

    async def prepare(self) -> Matrix:
        """Plan and ask for the prices; nothing is made. Iterating does this by itself.

        Raises
        ------
        InvalidInputError
            If the plan cannot be made as it stands.
        """
        await event_loop.run_on_loop(self._prepared())
        return self

    async def _prepared(self) -> None:
        if self._preparing is None or (self._preparing.done() and self._plan is None):
            self._preparing = asyncio.get_running_loop().create_task(self._prepare())
        await event_loop.shield(self._preparing)

    async def _prepare(self) -> None:
        plan = await self._make_plan()
        made = [_cell(cell, plan) for cell in plan.cells]
        prices = await asyncio.gather(*(self._priced(each.cell) for each in made))
        for each, price in zip(made, prices, strict=True):
            each.price = price
        left = await self._left_of(made, plan)
        self._made, self._plan = made, plan
        self._know(left)

    def _know(self, left: dict[int, JournalEntry]) -> None:
        """Take note of which cells an earlier kernel has asked for."""
        for each in self._made:
            record = left.get(each.cell.index)
            each.begun = record is not None and _stands(record)
        self._price = total_price([each for each in self._made if not each.begun])

    async def _left_of(self, made: list[CellResult], plan: Plan) -> dict[int, JournalEntry]:
        """What the journal knows of the cells, if the same plan was left unfinished."""
        if not self._resume:
            return {}
        batches = self._core.journal.saved_plans
        self._core.transport.check_open()
        also = await self._also(made, plan)
        left = batches.find_unfinished(
            self._core.journal_key, _alike(made), RESUMABLE_DAYS, former_fingerprints=also
        )
        batch = await asyncio.wrap_future(left)
        return await self._recognized(made, batch) if batch else {}

    async def _also(self, made: list[CellResult], plan: Plan) -> list[str]:
        """What else the same plan may be called in the journal, by versions before.

        Versions before told plans apart by each character, so the same plan may have been left
        under the name of another spelling.
        """
        batches = self._core.journal.saved_plans
        left = await asyncio.wrap_future(batches.unfinished(self._core.journal_key, RESUMABLE_DAYS))
        asked = _meaning(self._written(plan))
        others = [each.fingerprint for each in left if _meaning(each.plan) == asked]
        return list(filter(None, [_alike_before(made), *others]))

    def _written(self, plan: Plan) -> bytes:
        """A plan as the journal keeps it."""
        return self._core.transport.without_key(msgspec.json.encode(plan.asked))

    async def _recognized(
        self, made: list[CellResult], batch: SavedPlan
    ) -> dict[int, JournalEntry]:
        """Name the cells as a batch does; gives the requests that it has, by cell."""
        records = await asyncio.wrap_future(self._core.journal.saved_plans.cell_entries(batch.id))
        # A batch keeps the names it was begun with: an earlier version may be at it, too.
        is_before = batch.fingerprint != _alike(made) and batch.fingerprint == _alike_before(made)
        by_meaning: dict[str, list[str]] = {}
        if batch.fingerprint != _alike(made):
            for noted, record in records.items():
                by_meaning.setdefault(fingerprint(record.body), []).append(noted)
        found = {}
        for each in made:
            first = [each.before, each.digest] if is_before else [each.digest, each.before]
            names = dict.fromkeys(filter(None, [*first, *by_meaning.get(each.digest, ())]))
            each.name, *also = [cell_key(batch.id, name) for name in names]
            each.also = tuple(also)
            known = [records[name] for name in names if name in records]
            if known:
                # One that stands is not asked for again, whatever became of another spelling.
                found[each.cell.index] = next(filter(_stands, known), known[0])
        return found

    @property
    def plan(self) -> Plan:
        """What will be made."""
        if self._plan is None:
            raise RuntimeError(UNPLANNED)
        return self._plan

    @property
    def alike(self) -> str:
        """What another plan has too if it asks for the same images."""
        return _alike(self._made)

    def is_of(self, batch: SavedPlan) -> bool:
        """Whether a batch was begun, by this version or one before, for the same images."""
        return batch.fingerprint in {_alike(self._made), _alike_before(self._made)}

    @property
    def begun(self) -> int:
        """How many images an earlier kernel had asked for."""
        return sum(each.begun for each in self._made)

    @property
    def price(self) -> Price:
        """What it costs to make what is still to be made."""
        if self._price is None:
            raise RuntimeError(UNPLANNED)
        return self._price

    def check_budget(self) -> None:
        """Say why the budget does not allow it.

        Raises
        ------
        InvalidInputError
        """
        self._check_budget([each for each in self._made if _is_ahead(each)])

    def check_journal(self) -> None:
        """Say why the journal cannot promise that nothing is asked for twice.

        Raises
        ------
        InvalidInputError
            Unless this begins anew, or goes on all the same (`allow_unchecked`).
        """
        if self._resume and not self.allow_unchecked:
            require_writable_journal(
                self._core.journal,
                UNCHECKED,
                "if part of this plan was made before, it may be made and billed again",
                "To go on all the same, pass allow_unchecked=True.",
            )

    def _guard(self, _connection: object) -> None:
        """See `check_journal`; within the transaction: its file may have failed just now."""
        self.check_journal()

    def _check_budget(self, some: list[CellResult]) -> None:
        """Whether the budget allows it to make these, after what was spent on others."""
        if self.budget is None or not some:
            return
        price = total_price(some)
        if price.usd is None:
            raise InvalidInputError(
                "budget",
                f"The service gives no price for {', '.join(price.unpriced)}, so a budget "
                "cannot be kept.",
                "Leave the model out, or make it without a budget.",
            )
        # A sum of prices is not exact to the last digit.
        if self._spent + price.usd > self.budget + 1e-9:
            images = "1 image costs" if len(some) == 1 else f"{len(some)} images cost"
            spent = f", after up to ${self._spent:.2f} already spent" if self._spent else ""
            raise InvalidInputError(
                "budget",
                f"{images} about ${price.usd:.2f}{spent}; the budget is ${self.budget:.2f}.",
                "Take fewer values or raise the budget.",
            )

    # ------------------------------------------------------------ what is true now

    @property
    def cells(self) -> list[CellResult]:
        """Each cell with what became of it, in the plan's order."""
        return list(self._made)

    @property
    def progress(self) -> Progress:
        """How far it is."""
        count = Counter(each.state for each in self._made)
        return Progress(
            total=len(self._made),
            succeeded=count["succeeded"],
            failed=count["failed"],
            running=count["running"],
            waiting=count["waiting"],
            unknown=count["unknown"] + count["lost"],
            left=self._left(),
        )

    def _left(self) -> float | None:
        """Seconds until the last one ends, from how long their models took before."""
        if self.state != "running":
            return None
        ahead, longest = 0.0, 0.0
        for each in self._made:
            if each.state not in {"waiting", "running"}:
                continue
            usual = self._usual.get(each.cell.model)
            if usual is None:
                return None
            job = each.job
            left = duration_stats.remaining(usual, job.snapshot.elapsed) if job else usual.median
            ahead, longest = ahead + left, max(longest, left)
        return max(ahead / self._at_once, longest)

    def rows(self) -> list[dict[str, Any]]:
        """Each cell as a flat row, in the plan's order: ``pandas.DataFrame(matrix.rows())``."""
        return [each.row() for each in self._made]

    @property
    def images(self) -> list[GeneratedImage]:
        """The images that are there, in the plan's order."""
        return [each.image for each in self._made if each.image is not None]

    @property
    def wonda(self) -> Any:
        """The client that it is of: `AsyncWonda`, or None."""
        return self._core.client

    def _shows(self) -> tuple[None, list[GeneratedImage]]:
        """What was made of it, by its own client; see `export.storyboard.Shows`."""
        return None, self.images

    def __repr__(self) -> str:
        return f"<Matrix {self.state}: {self.progress if self._plan else 'not planned yet'}>"

    def watch(self, listener: Callable[[CellResult | None], object]) -> Callable[[], None]:
        """Have `listener` called, on the package's loop, with each cell that changes.

        It is called with None when the matrix itself begins, stops or is done.

        Returns
        -------
        callable
            Ends it.
        """
        active = True

        def guarded(made: CellResult | None) -> None:
            if active:
                listener(made)

        def begin() -> None:
            if active:
                self._listeners.append(guarded)

        def forget() -> None:
            if guarded in self._listeners:
                self._listeners.remove(guarded)

        def end() -> None:
            nonlocal active
            active = False
            event_loop.call_soon(forget)

        event_loop.call_soon(begin)
        return end

    def _tell(self, made: CellResult | None) -> None:
        for listener in list(self._listeners):
            try:
                listener(made)
            except Exception as error:  # noqa: BLE001 - it halts neither this nor others
                logs.log_exception(_log, "A listener of %r failed", self, error=error)

    # ------------------------------------------------------------ begin, stop, retry

    def start(self) -> None:
        """Make what is still to be made, in the background."""
        event_loop.call_soon(self._start)

    def stop(self) -> None:
        """Begin no more; what has begun goes on to its end."""
        event_loop.call_soon(self._stop)

    def retry_failed(self) -> None:
        """Make the failed ones again, and follow again those that were lost from sight."""
        event_loop.call_soon(self._retry_failed)

    def retry(self, index: int) -> None:
        """Make one again: a failed one, or an unknown one of which you know it was not made."""
        event_loop.call_soon(lambda: self._retry([self._made[index]]))

    def _start(self) -> None:
        self._wanted = True
        if self._beginning is None:
            self._beginning = asyncio.get_running_loop().create_task(self._begin())
        elif self._beginning.done() and self.state in {"stopped", "planned"}:
            try:
                self.check_budget()
            except InvalidInputError as error:
                self._halt(error)
            else:
                self._go()

    async def _begin(self) -> None:
        try:
            await self._prepared()
            self.check_budget()
            await self._take_up()
        except WondaError as error:
            self._beginning = None
            self._halt(error)
        except Exception as fault:  # noqa: BLE001 - whoever iterates is told
            self._beginning = None
            logs.log_exception(_log, "The plan of %r failed", self, error=fault)
            self._halt(WondaError(f"The plan failed: {type(fault).__name__}: {fault}."))
        else:
            self._go()

    async def _take_up(self) -> None:
        """Go on with the batch of the same plan that was left, or begin a new one."""
        journal, base_url = self._core.journal, self._core.journal_key
        days, also = (
            (RESUMABLE_DAYS, await self._also(self._made, self.plan))
            if self._resume
            else (None, [])
        )
        plan = self._written(self.plan)
        begun = journal.saved_plans.resume_or_start(
            base_url, _alike(self._made), plan, days, former_fingerprints=also, guard=self._guard
        )
        batch, self.resumed = await asyncio.wrap_future(begun)
        self._batch = batch
        records = await self._recognized(self._made, batch)
        # What was left when this was planned may have come to its end since.
        self._know(records)
        try:
            self.check_budget()
        except InvalidInputError:
            if not self.resumed:
                await asyncio.wrap_future(journal.saved_plans.set_finished(batch.id, finished=True))
            raise
        if not records:
            return
        for each in self._made:
            if each.cell.index in records:
                self._recall(each, records[each.cell.index])
        marks = await asyncio.wrap_future(
            journal.images.marks([record.intent for record in records.values()])
        )
        for each in self._made:
            if each.image is not None and each.image.intent in marks:
                facts = msgspec.structs.asdict(marks[each.image.intent])
                each.image = msgspec.structs.replace(each.image, **facts)

    def _recall(self, made: CellResult, record: JournalEntry) -> None:
        """Take up what the journal knows of a cell."""
        if record.job_id is not None:
            self._follow(made, self._core.revived(record, GENERATION))
            made.state = "running"
            self._heard(made, made.job.snapshot if made.job else None)
        elif record.is_unknown:
            made.job = self._core.revived(record, GENERATION)
            made.state, made.error = "unknown", made.job.snapshot.error
        # What was refused, or settled by a person, or is being sent, waits for its turn.

    def _go(self, only: list[CellResult] | None = None) -> None:
        """Make what waits; `only` these, where a person wants no more."""
        if not self._wanted:  # it was stopped meanwhile
            self.state = "stopped"
            self._tell(None)
            return
        self.error = None
        # Jobs that run already come first: they count among those at once.
        mine = {id(each) for each in self._queue}
        some = self._made if only is None else only
        ready = [each for each in some if each.state in {"running", "waiting"}]
        ready.sort(key=lambda each: each.state != "running")
        self._queue += [each for each in ready if id(each) not in mine and not self._is_at(each)]
        self.state = "running"
        self._tell(None)
        self._fill()

    def _is_at(self, made: CellResult) -> bool:
        return any(task.get_name() == str(made.cell.index) for task in self._running)

    def _fill(self) -> None:
        """Begin as many as may run at once; the end, if there is nothing more to do."""
        while self.state == "running" and self._queue and len(self._running) < self._at_once:
            made = self._queue.pop(0)
            task = asyncio.get_running_loop().create_task(
                self._one(made), name=str(made.cell.index)
            )
            self._running.add(task)
            task.add_done_callback(self._ended_one)
        at_rest = not self._running and not self._queue and not self._again
        if at_rest and self.state == "running":
            self.state = "done" if self._complete else "stopped"
            event_loop.spawn_detached(self._note_end)
            self._tell(None)

    @property
    def _complete(self) -> bool:
        return all(each.state in {"succeeded", "failed"} for each in self._made)

    async def _note_end(self) -> None:
        if self._batch is not None:
            batches = self._core.journal.saved_plans
            with contextlib.suppress(RuntimeError):  # the client was closed meanwhile
                await asyncio.wrap_future(
                    batches.set_finished(self._batch.id, finished=self._complete)
                )

    def _ended_one(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            fault = task.exception()
            assert fault is not None  # noqa: S101 - see above
            logs.log_exception(_log, "An image of %r failed", self, error=fault)
            self._halt(WondaError(f"Making an image failed: {type(fault).__name__}: {fault}."))
        self._fill()
        if self.state == "stopped" and not self._running:
            self._tell(None)

    def _stop(self) -> None:
        self._wanted = False
        self._queue.clear()
        if self.state == "running":
            self.state = "stopped"
            self._tell(None)

    def _halt(self, error: WondaError) -> None:
        self._wanted = False
        self.error = error
        self._queue.clear()
        self.state = "stopped"
        self._tell(None)

    def _retry_failed(self) -> None:
        self._retry([each for each in self._made if each.state in {"failed", "lost"}])

    def _retry(self, some: list[CellResult]) -> None:
        if self._batch is None:
            return
        again = [each for each in some if each.state in {"failed", "unknown"}]
        lost = [each for each in some if each.state == "lost"]
        if not again and not lost:
            return
        try:
            self._check_budget(again)
        except InvalidInputError as error:
            self.error = error
            self._tell(None)
            return
        for each in lost:
            if each.job is not None and each.job.id is not None:
                each.state, each.error = "running", None
                each.job.resume()
        looked_into = [
            each.job.intent
            for each in again
            if each.job and (each.state == "unknown" or isinstance(each.error, NoMediaError))
        ]
        for each in again:
            each.unwatch()
            each.state, each.error, each.job, each.image = "waiting", None, None, None
            each.again = True
            self._tell(each)
        # Of a matrix that was stopped, the others stay stopped.
        only = None if self.state == "running" else [*lost, *again]
        self.state, self._wanted = "running", True
        self._again += 1
        event_loop.spawn_detached(
            self._make_again, [intent for intent in looked_into if intent], only
        )

    async def _make_again(self, looked_into: list[str], only: list[CellResult] | None) -> None:
        try:
            for intent in looked_into:
                await asyncio.wrap_future(self._core.journal.mark_dismissed(intent))
            if self._batch is not None:
                batches = self._core.journal.saved_plans
                await asyncio.wrap_future(batches.set_finished(self._batch.id, finished=False))
        except RuntimeError as closed:  # the client was, meanwhile
            self._halt(ClosedError(str(closed)))
        finally:
            self._again -= 1
        self._go(only)

    # ------------------------------------------------------------ one cell

    async def _one(self, made: CellResult) -> None:
        if made.cell.model not in self._usual:
            self._usual[made.cell.model] = None
            await self._learn(made.cell.model)
        if made.job is None and not await self._ask(made):
            self._tell(made)
            return
        self._tell(made)
        job = made.job
        assert job is not None  # noqa: S101 - it was asked for, or was there
        try:
            await job
        except (JobFailedError, JobCanceledError) as error:
            made.state, made.error = "failed", error
        except WondaError as error:  # it goes on at the service, and nobody knows how
            made.state, made.error = "lost", error
        else:
            await self._learn(made.cell.model)
        self._heard(made, job.snapshot)
        self._tell(made)

    async def _learn(self, model: str) -> None:
        self._usual[model] = await self._core.usual("inference", model)

    async def _ask(self, made: CellResult) -> bool:
        """Ask for a cell, once; whether it has a job."""
        once = IdempotencyGuard(made.name, former_keys=made.also, include_failed=not made.again)
        cell = made.cell
        body = request_body(cell.model, cell.prompt, cell.params, self.plan.attachments)
        made.state = "running"
        self._tell(made)
        while True:
            if not self._wanted:  # it was stopped while this one was about to be asked for
                made.state = "waiting"
                return False
            try:
                job = await self._core.start(
                    GENERATION, body, read_reply, once=once, guard=self._guard
                )
                self._follow(made, job)
            except DuplicateRequestError as standing:
                if standing.record.is_sending:  # by another kernel, at this moment
                    await asyncio.sleep(RECHECK_SECONDS)
                    continue
                self._recall(made, standing.record)
                return made.job is not None and made.job.id is not None
            except OutcomeUnknownError as error:
                [record] = await asyncio.wrap_future(
                    self._core.journal.find_by_intent(error.intent or "")
                )
                self._recall(made, record)
                made.error = error
                self._spent += _usd(made)
                return False
            except HALTING as error:
                made.state = "waiting"
                self._halt(error)
                return False
            except WondaError as error:
                if isinstance(error, InvalidInputError) and error.field == UNCHECKED:
                    made.state = "waiting"
                    self._halt(error)
                else:
                    made.state, made.error = "failed", error
                return False
            self._spent += _usd(made)
            return True

    def _follow(self, made: CellResult, job: Job) -> None:
        made.job = job
        made.unwatch()
        made.unwatch = job.watch(lambda snapshot: self._seen(made, job, snapshot))

    def _seen(self, made: CellResult, job: Job, snapshot: Snapshot) -> None:
        if made.job is job and not snapshot.terminal:
            self._tell(made)
        if snapshot.terminal:
            made.unwatch()
            if made.job is job and made.state == "running" and not self._is_at(made):
                self._heard(made, snapshot)  # it was running when this was stopped
                self._tell(made)

    def _heard(self, made: CellResult, snapshot: Snapshot | None) -> None:
        """Take in how a job ended, if it has."""
        if snapshot is None or not snapshot.terminal:
            return
        made.state = "failed"
        if snapshot.status == "succeeded":
            try:
                made.image = self._image(made, snapshot)
            except NoMediaError as error:
                made.error = error
            else:
                made.state, made.error = "succeeded", None
        elif made.error is None:
            message = snapshot.error_message or "Job failed"
            made.error = JobFailedError(message, job=made.job, snapshot=snapshot)

    def _image(self, made: CellResult, snapshot: Snapshot) -> GeneratedImage:
        job, cell = made.job, made.cell
        return GeneratedImage(
            media=snapshot.media,
            prompt=cell.prompt,
            model=cell.model,
            params=cell.params,
            values=cell.values,
            references=tuple(self.plan.attachments),
            made_at=snapshot.created_at,
            seconds=snapshot.elapsed,
            job_id=(job and job.id) or "",
            intent=(job and job.intent) or "",
            client=self._core.name,
        )

    # ------------------------------------------------------------ waiting

    def wait(self) -> list[dict[str, Any]]:
        """Make everything that is still to be made, and give all rows when that has ended.

        In a notebook that runs with nobody in front (nbconvert, papermill), each image's
        end is printed as a line: ``ImageIndex: 4 of 12, 1 failed``.

        Raises
        ------
        InvalidInputError
            If the budget does not allow it.
        WondaError
            What halted it; what was made until then is in `rows`.
        """
        tell = noninteractive.StatusLine("Images")
        for _ in self:
            tell(self.progress)
        return self.rows()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if event_loop.on_loop():
            raise RuntimeError("`for` over a matrix on the package's own loop would block it.")
        told: queue.SimpleQueue[CellResult | None] = queue.SimpleQueue()
        end = self._listen(told.put)
        try:
            while True:
                made = event_loop.get_blocking(told)
                if made is None:
                    break
                yield made.row()
            self._raise()
        finally:
            end()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        here = event_loop.callers_loop()
        told: asyncio.Queue[CellResult | None] = asyncio.Queue()
        end = self._listen(
            lambda made: event_loop.call_soon_on(here, lambda: told.put_nowait(made))
        )
        try:
            while (made := await told.get()) is not None:
                yield made.row()
            self._raise()
        finally:
            end()

    def _raise(self) -> None:
        if self.error is not None:
            raise self.error.with_traceback(None)

    def _listen(self, put: Callable[[CellResult | None], object]) -> Callable[[], None]:
        """Start, and `put` each cell once that has an end, then None; gives what ends that."""
        given: set[int] = set()

        def look(_: CellResult | None) -> None:
            for each in self._made:
                if each.state in SETTLED and each.cell.index not in given:
                    given.add(each.cell.index)
                    put(each)
            if self.state in {"stopped", "done"} and not self._running:
                put(None)

        def begin() -> None:
            self._listeners.append(look)
            if self.state == "done":
                look(None)
            else:
                self._start()

        def end() -> None:
            if look in self._listeners:
                self._listeners.remove(look)
            self._stop()

        event_loop.call_soon(begin)
        return lambda: event_loop.call_soon(end)


def _cell(cell: Cell, plan: Plan) -> CellResult:
    """A cell that is told from others by what it asks for, and by nothing else."""
    body = request_body(cell.model, cell.prompt, cell.params, plan.attachments)
    return CellResult(cell, fingerprint(body), former_fingerprint(body))


def _alike(made: list[CellResult]) -> str:
    """What makes another plan the same one: that it asks for the same images."""
    return _together([each.digest for each in made])


def _alike_before(made: list[CellResult]) -> str:
    """What made another plan the same one for versions before; empty if they could not make it."""
    digests = [each.before for each in made]
    return _together(digests) if all(digests) else ""


def _meaning(plan: bytes) -> Any:
    """What a plan that the journal keeps means; None of one that cannot be read."""
    try:
        return canonical(json.loads(plan))
    except (ValueError, RecursionError):
        return None


def _together(digests: list[str]) -> str:
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def _usd(made: CellResult) -> float:
    """What one costs, as far as that is known."""
    return (made.price and made.price.usd) or 0.0


def _is_ahead(made: CellResult) -> bool:
    """Whether it is still to be asked for."""
    return made.state == "waiting" and not made.begun


def _stands(record: JournalEntry) -> bool:
    """Whether a cell was asked for, so that it is not asked for again by itself."""
    return record.job_id is not None or record.is_unknown or record.is_sending


def checked_budget(budget: Any) -> float | None:
    """A budget in US dollars; None for none.

    Raises
    ------
    InvalidInputError
    """
    if budget is None:
        return None
    budget = plain_values.to_plain(budget)
    is_number = isinstance(budget, int | float) and not isinstance(budget, bool)
    if not is_number or not 0 < budget < math.inf:
        raise InvalidInputError(
            "budget", "The budget of a plan is a number of US dollars above 0, such as 2.50."
        )
    return float(budget)
