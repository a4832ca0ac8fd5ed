"""Generate the cells of a matrix, a few at a time, and poll their jobs.

    waiting ──> running ──> succeeded | failed
                       ├──> lost     (the job can no longer be polled)
                       └──> unknown  (no response was read)

All methods run on the package's event loop. Errors of one image end only that cell; errors of the
account or the connection (`HALTING_ERRORS`) stop the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Literal

from ...errors import (
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
from ...journal.generated_image import GeneratedImage
from ...utils import event_loop, logs
from .. import duration_stats
from ..core import Similar, similar_jobs
from ..generation import IMAGE_GENERATION, read_reply, request_body
from ..idempotency import RECHECK_SECONDS, DuplicateRequestError, IdempotencyGuard

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable

    from ...journal.entries import JournalEntry
    from ...journal.saved_plans import SavedPlan
    from ...models import Snapshot
    from ..core import Core
    from ..duration_stats import DurationStats
    from ..job import Job
    from .cells import CellResult
    from .plan_budget import PlanBudget

ALLOW_UNCHECKED = "allow_unchecked"

State = Literal["planned", "running", "stopped", "done"]

_log = logging.getLogger(__name__)

#: Errors of the account or the connection, which would also occur for all later cells.
HALTING_ERRORS = (
    AuthenticationError,
    ClosedError,
    PaymentRequiredError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnreachableError,
)


class MatrixRunner:
    """A runner of the cells of one matrix.

    Parameters
    ----------
    core : Core
    max_concurrency : int
        How many jobs run at a time.
    budget : PlanBudget
    begin : callable
        Prepares the plan and saves it in the journal, once before the first cell.
    precondition : callable
        Called in the transaction that records a request; raises to reject the request.

    Attributes
    ----------
    cells : list of CellResult
        Set when the plan is prepared.
    operation : Operation
        What each cell requests: images or videos.
    saved_plan : SavedPlan or None
    state : str
        ``"planned"``, ``"running"``, ``"stopped"`` or ``"done"``.
    error : WondaError or None
        The error that stopped the run.
    """

    def __init__(
        self,
        core: Core,
        max_concurrency: int,
        budget: PlanBudget,
        begin: Callable[[], Awaitable[None]],
        precondition: Callable[[sqlite3.Connection], None],
    ) -> None:
        self._core = core
        self.max_concurrency = max_concurrency
        self._budget = budget
        self._begin = begin
        self._precondition = precondition
        self.cells: list[CellResult] = []
        self.operation = IMAGE_GENERATION
        self.saved_plan: SavedPlan | None = None
        self.state: State = "planned"
        self.error: WondaError | None = None
        self._is_wanted = False  # set by `start`, cleared by `stop`, even before the run begins
        self._beginning: asyncio.Task[None] | None = None
        self._queue: list[CellResult] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending_retries = 0
        self._durations: dict[Similar, DurationStats | None] = {}
        self._listeners: list[Callable[[CellResult | None], object]] = []

    def reset_in_child(self) -> None:
        """Be stopped in a forked child; `start` resumes from the journal, like a new kernel."""
        event_loop.keep_inherited((self._tasks, self._beginning))
        self._tasks, self._queue, self._pending_retries = set(), [], 0
        self._beginning = None
        if self.state == "running":
            self.state = "stopped"
        for cell in self.cells:
            if cell.state == "running" and cell.job is None:  # the parent is sending its request
                cell.state = "waiting"

    def __repr__(self) -> str:
        return f"<MatrixRunner {self.state}: {len(self.cells)} cells>"

    # ------------------------------------------------------------ state

    @property
    def is_idle(self) -> bool:
        """Whether no cell is being requested or polled."""
        return not self._tasks

    @property
    def is_complete(self) -> bool:
        """Whether every cell has succeeded or failed."""
        return all(cell.state in {"succeeded", "failed"} for cell in self.cells)

    def check_budget(self) -> None:
        """Check that the budget allows all cells that are still to be requested.

        Raises
        ------
        InvalidInputError
        """
        self._budget.check([cell for cell in self.cells if cell.is_pending])

    def seconds_left(self) -> float | None:
        """Estimate the seconds until the last cell ends; None without enough earlier jobs."""
        if self.state != "running":
            return None
        total, longest = 0.0, 0.0
        for cell in self.cells:
            if cell.state not in {"waiting", "running"}:
                continue
            stats = self._durations.get(_similar(cell))
            if stats is None:
                return None
            job = cell.job
            left = duration_stats.remaining(stats, job.snapshot.elapsed) if job else stats.median
            total, longest = total + left, max(longest, left)
        return max(total / self.max_concurrency, longest)

    def add_listener(self, listener: Callable[[CellResult | None], object]) -> None:
        """Call `listener` with each cell that changes, and with None when the state changes."""
        self._listeners.append(listener)

    def remove_listener(self, listener: Callable[[CellResult | None], object]) -> None:
        """Stop calling `listener`, if it was added."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def _notify(self, cell: CellResult | None) -> None:
        for listener in list(self._listeners):
            try:
                listener(cell)
            except Exception as error:  # noqa: BLE001 - one listener must not stop the others
                logs.log_exception(_log, "A listener of %r failed", self, error=error)

    # ------------------------------------------------------------ start, stop, retry

    def start(self) -> None:
        """Generate the waiting cells; prepare and save the plan first."""
        self._is_wanted = True
        if self._beginning is None:
            self._beginning = asyncio.get_running_loop().create_task(self._begin_and_run())
        elif self._beginning.done() and self.state in {"stopped", "planned"}:
            try:
                self.check_budget()
            except InvalidInputError as error:
                self._halt(error)
            else:
                self._run()

    def stop(self) -> None:
        """Stop starting cells; running ones continue."""
        self._is_wanted = False
        self._queue.clear()
        if self.state == "running":
            self.state = "stopped"
            self._notify(None)

    def retry(self, cells: list[CellResult]) -> None:
        """Generate failed or unknown cells again, and resume polling lost jobs."""
        if self.saved_plan is None:
            return
        again = [cell for cell in cells if cell.state in {"failed", "unknown"}]
        lost = [cell for cell in cells if cell.state == "lost"]
        if not again and not lost:
            return
        try:
            self._budget.check(again)
        except InvalidInputError as error:
            self.error = error
            self._notify(None)
            return
        for cell in lost:
            if cell.job is not None and cell.job.id is not None:
                cell.state, cell.error = "running", None
                cell.job.resume()
        # By retrying, the user confirms that these requests did not generate an image.
        dismissed = [
            cell.job.intent
            for cell in again
            if cell.job and (cell.state == "unknown" or isinstance(cell.error, NoMediaError))
        ]
        for cell in again:
            cell.unwatch()
            cell.state, cell.error, cell.job, cell.image = "waiting", None, None, None
            cell.is_retry = True
            self._notify(cell)
        # If the matrix was stopped, the other cells remain stopped.
        only = None if self.state == "running" else [*lost, *again]
        self.state, self._is_wanted = "running", True
        self._pending_retries += 1
        event_loop.spawn_detached(self._retry, [intent for intent in dismissed if intent], only)

    async def _retry(self, dismissed: list[str], only: list[CellResult] | None) -> None:
        try:
            for intent in dismissed:
                await asyncio.wrap_future(self._core.journal.mark_dismissed(intent))
            if self.saved_plan is not None:
                await self._record_finished(finished=False)
        except RuntimeError as closed:  # the client was closed in the meantime
            self._halt(ClosedError(str(closed)))
        finally:
            self._pending_retries -= 1
        self._run(only)

    async def _begin_and_run(self) -> None:
        try:
            await self._begin()
        except WondaError as error:
            self._beginning = None
            self._halt(error)
        except Exception as error:  # noqa: BLE001 - iterating over the matrix raises it
            self._beginning = None
            logs.log_exception(_log, "The plan of %r failed", self, error=error)
            self._halt(WondaError(f"The plan failed: {type(error).__name__}: {error}."))
        else:
            self._run()

    def _halt(self, error: WondaError) -> None:
        self._is_wanted = False
        self.error = error
        self._queue.clear()
        self.state = "stopped"
        self._notify(None)

    # ------------------------------------------------------------ the queue

    def _run(self, only: list[CellResult] | None = None) -> None:
        """Queue the cells to request or poll: all of them, or some for a retry."""
        if not self._is_wanted:  # stopped in the meantime
            self.state = "stopped"
            self._notify(None)
            return
        self.error = None
        queued = {id(cell) for cell in self._queue}
        cells = self.cells if only is None else only
        ready = [cell for cell in cells if cell.state in {"running", "waiting"}]
        # Running jobs come first, because they count toward the concurrency.
        ready.sort(key=lambda cell: cell.state != "running")
        self._queue += [
            cell for cell in ready if id(cell) not in queued and not self._has_task(cell)
        ]
        self.state = "running"
        self._notify(None)
        self._fill()

    def _has_task(self, cell: CellResult) -> bool:
        return any(task.get_name() == str(cell.cell.index) for task in self._tasks)

    def _fill(self) -> None:
        """Start tasks up to the concurrency; end the run if nothing is left."""
        while self.state == "running" and self._queue and len(self._tasks) < self.max_concurrency:
            cell = self._queue.pop(0)
            task = asyncio.get_running_loop().create_task(
                self._make_cell(cell), name=str(cell.cell.index)
            )
            self._tasks.add(task)
            task.add_done_callback(self._on_task_done)
        nothing_left = not self._tasks and not self._queue and not self._pending_retries
        if nothing_left and self.state == "running":
            self.state = "done" if self.is_complete else "stopped"
            event_loop.spawn_detached(self._record_end)
            self._notify(None)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            logs.log_exception(_log, "A cell of %r failed", self, error=error)
            self._halt(WondaError(f"The run failed: {type(error).__name__}: {error}."))
        self._fill()
        if self.state == "stopped" and not self._tasks:
            self._notify(None)

    async def _record_end(self) -> None:
        if self.saved_plan is not None:
            with contextlib.suppress(RuntimeError):  # the client was closed in the meantime
                await self._record_finished(finished=self.is_complete)

    async def _record_finished(self, *, finished: bool) -> None:
        assert self.saved_plan is not None  # noqa: S101 - checked by the callers
        plans = self._core.journal.saved_plans
        await asyncio.wrap_future(plans.set_finished(self.saved_plan.id, finished=finished))

    # ------------------------------------------------------------ one cell

    async def _make_cell(self, cell: CellResult) -> None:
        """Request a cell unless it has a job, then poll the job until it ends."""
        if _similar(cell) not in self._durations:
            self._durations[_similar(cell)] = None
            await self._update_durations(_similar(cell))
        if cell.job is None and not await self._request(cell):
            self._notify(cell)
            return
        self._notify(cell)
        job = cell.job
        assert job is not None  # noqa: S101 - it had one, or `_request` set it
        try:
            await job
        except (JobFailedError, JobCanceledError) as error:
            cell.state, cell.error = "failed", error
        except WondaError as error:  # the job continues at the service but is not polled
            cell.state, cell.error = "lost", error
        else:
            await self._update_durations(_similar(cell))
        self._take_result(cell, job.snapshot)
        self._notify(cell)

    async def _update_durations(self, similar: Similar) -> None:
        self._durations[similar] = await self._core.duration_stats(similar)

    async def _request(self, cell: CellResult) -> bool:
        """Request a cell once; return whether it has a job."""
        duplicate_guard = IdempotencyGuard(
            cell.dedupe_key, former_keys=cell.former_keys, include_failed=not cell.is_retry
        )
        planned = cell.cell
        body = request_body(planned.model, planned.prompt, planned.params, planned.references)
        cell.state = "running"
        self._notify(cell)
        while True:
            if not self._is_wanted:  # stopped while this request was about to be sent
                cell.state = "waiting"
                return False
            try:
                job = await self._core.start(
                    self.operation,
                    body,
                    read_reply,
                    duplicate_guard=duplicate_guard,
                    precondition=self._precondition,
                    values=planned.values,
                )
                self._follow(cell, job)
            except DuplicateRequestError as duplicate:
                if duplicate.record.is_sending:  # another kernel is sending it at this moment
                    await asyncio.sleep(RECHECK_SECONDS)
                    continue
                self.restore(cell, duplicate.record)
                return cell.job is not None and cell.job.id is not None
            except OutcomeUnknownError as error:
                found = await asyncio.wrap_future(
                    self._core.journal.find_by_intent(error.intent or "")
                )
                cell.state = "unknown"
                for entry in found:  # none if the journal was deleted
                    self.restore(cell, entry)
                cell.error = error
                self._budget.spent += cell.usd
                return False
            except HALTING_ERRORS as error:
                cell.state = "waiting"
                self._halt(error)
                return False
            except WondaError as error:
                if isinstance(error, InvalidInputError) and error.field == ALLOW_UNCHECKED:
                    cell.state = "waiting"
                    self._halt(error)
                else:
                    cell.state, cell.error = "failed", error
                return False
            self._budget.spent += cell.usd
            return True

    def restore(self, cell: CellResult, entry: JournalEntry) -> None:
        """Set a cell's state from its entry in the journal."""
        if entry.job_id is not None:
            self._follow(cell, self._core.restore_job(entry, self.operation))
            cell.state = "running"
            self._take_result(cell, cell.job.snapshot if cell.job else None)
        elif entry.is_unknown:
            cell.job = self._core.restore_job(entry, self.operation)
            cell.state, cell.error = "unknown", cell.job.snapshot.error
        # Any other cell waits: it was refused, settled by the user, or is being sent.

    def _follow(self, cell: CellResult, job: Job) -> None:
        cell.job = job
        cell.unwatch()
        cell.unwatch = job.watch(lambda snapshot: self._on_snapshot(cell, job, snapshot))

    def _on_snapshot(self, cell: CellResult, job: Job, snapshot: Snapshot) -> None:
        if cell.job is job and not snapshot.terminal:
            self._notify(cell)
        if snapshot.terminal:
            cell.unwatch()
            # After `stop`, no task waits for a job that was restored from the journal.
            if cell.job is job and cell.state == "running" and not self._has_task(cell):
                self._take_result(cell, snapshot)
                self._notify(cell)

    def _take_result(self, cell: CellResult, snapshot: Snapshot | None) -> None:
        """Set a cell's state and image from a job that has ended."""
        if snapshot is None or not snapshot.terminal:
            return
        cell.state = "failed"
        if snapshot.status == "succeeded":
            try:
                cell.image = self._to_image(cell, snapshot)
            except NoMediaError as error:
                cell.error = error
            else:
                cell.state, cell.error = "succeeded", None
        elif cell.error is None:
            message = snapshot.error_message or "Job failed"
            cell.error = JobFailedError(message, job=cell.job, snapshot=snapshot)

    def _to_image(self, cell: CellResult, snapshot: Snapshot) -> GeneratedImage:
        job, planned = cell.job, cell.cell
        return GeneratedImage(
            media=snapshot.media,
            prompt=planned.prompt,
            model=planned.model,
            params=planned.params,
            values=planned.values,
            references=planned.references,
            made_at=snapshot.created_at,
            seconds=snapshot.elapsed,
            job_id=(job and job.id) or "",
            intent=(job and job.intent) or "",
            client=self._core.name,
        )


def _similar(cell: CellResult) -> Similar:
    return similar_jobs("inference", {"model": cell.cell.model, "params": cell.cell.params})
