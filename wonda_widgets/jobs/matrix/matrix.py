"""`wonda.images.matrix`: many variations of a prompt, planned, priced, and each generated once.

    `planning`  template and values ──> Plan
    `cells`     price of the plan, compared with the budget
    `resume`    the same plan, left unfinished by an earlier kernel
    `runner`    generates the cells, a few at a time

The journal has a dedupe key for each cell's request and allows each key only once. If a kernel dies
halfway, the next one can therefore resume its plan.
"""

from __future__ import annotations

import asyncio
import queue
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from ...errors import InvalidInputError, WondaError
from ...utils import event_loop, noninteractive, plain_values
from ..generation import IMAGE_GENERATION, identity, operation_of, request_body
from ..idempotency import fingerprint, former_fingerprint, require_complete_journal
from .cells import SETTLED_STATES, CellResult, Progress, total_price
from .plan_arguments import is_whole
from .plan_budget import PlanBudget
from .resume import PlanStore, blocks_request, former_plan_fingerprint, plan_fingerprint
from .runner import ALLOW_UNCHECKED, MatrixRunner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from ...journal.generated_image import GeneratedImage
    from ...journal.saved_plans import SavedPlan
    from ...models import Estimate
    from ..core import Core
    from .cells import Price
    from .planning import Cell, Plan
    from .resume import CellEntries
    from .runner import State

DEFAULT_CONCURRENCY = 4
MAX_CONCURRENCY = 32
NOT_PREPARED = "This matrix has no plan yet: call `await matrix.prepare()` first."


class Matrix:
    """Many variations of a prompt, each generated once, a few at a time.

    Iterating (``for`` or ``async for``) generates the images and yields a row for each one that
    ends, in the order in which they end; no more images are started after leaving the loop. `start`
    generates the images in the background. A failed image does not affect the others. An error of
    the account or the connection stops the matrix; the remaining images then wait until `start` is
    called.

    After a crash or a restart, the same plan resumes where it stopped: no image is requested twice.
    If two kernels run the same plan simultaneously, both get all images, but no faster than a
    single kernel; to share work among processes, use ``once=`` of `images.generate`.

    `wonda.images.matrix` returns a matrix.

    Attributes
    ----------
    plan : Plan
    price : Price
        The price of the images that were pending when the matrix was prepared or started.
    budget : float or None
        The maximum in US dollars that this object may spend, including retries. A change applies to
        images that are started later.
    allow_unchecked : bool
        Whether to run even if the journal cannot be written or was damaged. It can be changed.
    already_requested : int
        How many images an earlier kernel requested; they are not requested again.
    resumed : bool
        Whether the matrix continues an earlier kernel's plan.
    state : str
        ``"planned"``, ``"running"``, ``"stopped"`` or ``"done"``.
    error : WondaError or None
        The error that stopped the matrix.

    Examples
    --------
    >>> matrix = wonda.images.matrix(
    ...     "A {subject}", {"subject": ["sunset", "storm"]}, "nano-banana-2", budget=1
    ... )
    >>> for row in matrix:
    ...     print(row["subject"], row["seconds"])
    """

    def __init__(
        self,
        core: Core,
        make_plan: Callable[[], Awaitable[Plan]],
        estimate_price: Callable[[Cell], Awaitable[Estimate | None]],
        *,
        budget: float | None = None,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        resume: bool = True,
        allow_unchecked: bool = False,
    ) -> None:
        self._budget = PlanBudget(budget)
        concurrency = _check_concurrency(max_concurrency)
        self._core = core
        self._make_plan = make_plan
        self._estimate_price = estimate_price
        self._resume = resume
        self.allow_unchecked = allow_unchecked
        self._plan: Plan | None = None
        self._price: Price | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._store = PlanStore(core)
        self._runner = MatrixRunner(
            core,
            concurrency,
            self._budget,
            self._begin,
            lambda _connection: self.check_journal(),
        )
        self.resumed = False
        event_loop.reset_after_fork(self)

    def reset_in_child(self) -> None:
        """Reset to the stopped state in a forked child; `start` resumes from the journal."""
        event_loop.keep_inherited(self._preparing)
        if self._preparing is not None and not self._preparing.done():
            self._preparing = None
        self._runner.reset_in_child()

    # ------------------------------------------------------------ preparation

    async def prepare(self) -> Matrix:
        """Create the plan and fetch its prices without generating anything, as iterating also does.

        Raises
        ------
        InvalidInputError
            If the arguments are not a valid plan.
        """
        await event_loop.run_on_loop(self._prepare_once())
        return self

    async def _prepare_once(self) -> None:
        if self._preparing is None or (self._preparing.done() and self._plan is None):
            self._preparing = asyncio.get_running_loop().create_task(self._prepare())
        await event_loop.shield(self._preparing)

    async def _prepare(self) -> None:
        plan = await self._make_plan()
        cells = [_to_result(cell, plan) for cell in plan.cells]
        prices = await asyncio.gather(*(self._estimate_price(each.cell) for each in cells))
        for each, price in zip(cells, prices, strict=True):
            each.price = price
        entries = await self._store.find_entries(cells, plan) if self._resume else {}
        self._runner.cells = cells
        self._runner.operation = operation_of(plan.request.path)
        self._plan = plan
        self._set_already_requested(entries)

    def _set_already_requested(self, entries: CellEntries) -> None:
        """Mark the cells that an earlier kernel requested; update the price of the others."""
        for each in self._runner.cells:
            entry = entries.get(each.cell.index)
            each.already_requested = entry is not None and blocks_request(entry)
        self._price = total_price([c for c in self._runner.cells if not c.already_requested])

    async def _begin(self) -> None:
        """Prepare the plan, then resume or save it; called before the first request."""
        await self._prepare_once()
        self.check_budget()
        cells, plan = self._runner.cells, self.plan
        saved, self.resumed = await self._store.resume_or_start(
            cells, plan, lambda _connection: self.check_journal(), resume=self._resume
        )
        self._runner.saved_plan = saved
        entries = await self._store.assign_keys(cells, saved)
        # Cells may have ended since the matrix was prepared.
        self._set_already_requested(entries)
        journal = self._core.journal
        try:
            self.check_budget()
        except InvalidInputError:
            if not self.resumed:
                await asyncio.wrap_future(journal.saved_plans.set_finished(saved.id, finished=True))
            raise
        if not entries:
            return
        for each in cells:
            if each.cell.index in entries:
                self._runner.restore(each, entries[each.cell.index])
        marks = await asyncio.wrap_future(
            journal.images.marks([entry.intent for entry in entries.values()])
        )
        for each in cells:
            if each.image is not None and each.image.intent in marks:
                changes = msgspec.structs.asdict(marks[each.image.intent])
                each.image = msgspec.structs.replace(each.image, **changes)

    # ------------------------------------------------------------ plan, price, budget

    @property
    def plan(self) -> Plan:
        """The planned images."""
        if self._plan is None:
            raise RuntimeError(NOT_PREPARED)
        return self._plan

    @property
    def price(self) -> Price:
        """The price of the pending images."""
        if self._price is None:
            raise RuntimeError(NOT_PREPARED)
        return self._price

    @property
    def budget(self) -> float | None:
        """The maximum in US dollars that this object may spend; None for no limit."""
        return self._budget.usd

    @budget.setter
    def budget(self, usd: float | None) -> None:
        self._budget.usd = usd

    @property
    def max_concurrency(self) -> int:
        """How many jobs run at a time."""
        return self._runner.max_concurrency

    @max_concurrency.setter
    def max_concurrency(self, count: int) -> None:
        self._runner.max_concurrency = _check_concurrency(count)

    @property
    def already_requested(self) -> int:
        """How many images an earlier kernel requested."""
        return sum(each.already_requested for each in self._runner.cells)

    @property
    def fingerprint(self) -> str:
        """A fingerprint that is equal for matrices that request the same images."""
        return plan_fingerprint(self._runner.cells)

    def matches(self, saved: SavedPlan) -> bool:
        """Return whether a saved plan, of this or an earlier version, has the same images."""
        return saved.fingerprint in {
            self.fingerprint,
            former_plan_fingerprint(self._runner.cells),
        }

    def check_budget(self) -> None:
        """Check that the budget allows the pending images.

        Raises
        ------
        InvalidInputError
        """
        self._runner.check_budget()

    def check_journal(self) -> None:
        """Check that the journal can prevent duplicate requests.

        Raises
        ------
        InvalidInputError
            If the journal cannot prevent them and this matrix resumes earlier plans, unless
            `allow_unchecked` is set.
        """
        if self._resume and not self.allow_unchecked:
            require_complete_journal(
                self._core.journal,
                ALLOW_UNCHECKED,
                "if part of this plan was generated before, it may be generated and charged again",
                "To run it anyway, pass allow_unchecked=True.",
            )

    # ------------------------------------------------------------ state and results

    @property
    def state(self) -> State:
        """``"planned"``, ``"running"``, ``"stopped"`` or ``"done"``."""
        return self._runner.state

    @property
    def error(self) -> WondaError | None:
        """The error that stopped the matrix."""
        return self._runner.error

    @property
    def cells(self) -> list[CellResult]:
        """The cells with their outcomes, in the plan's order."""
        return list(self._runner.cells)

    @property
    def progress(self) -> Progress:
        """The number of cells in each state, and the estimated time left."""
        count = Counter(each.state for each in self._runner.cells)
        return Progress(
            total=len(self._runner.cells),
            succeeded=count["succeeded"],
            failed=count["failed"],
            running=count["running"],
            waiting=count["waiting"],
            unknown=count["unknown"] + count["lost"],
            seconds_left=self._runner.seconds_left(),
        )

    def rows(self) -> list[dict[str, Any]]:
        """Return each cell as a flat row, in the plan's order.

        Examples
        --------
        >>> rows = matrix.rows()  # for pandas.DataFrame(rows)
        """
        return [each.row() for each in self._runner.cells]

    @property
    def images(self) -> list[GeneratedImage]:
        """The images generated so far, in the plan's order."""
        return [each.image for each in self._runner.cells if each.image is not None]

    @property
    def wonda(self) -> Any:
        """The client that created the matrix: `AsyncWonda`, or None."""
        return self._core.client

    def _shows(self) -> tuple[None, list[GeneratedImage]]:
        """Return the images for a storyboard; see `export.storyboard.Shows`."""
        return None, self.images

    def __repr__(self) -> str:
        return f"<Matrix {self.state}: {self.progress if self._plan else 'not planned yet'}>"

    def watch(self, listener: Callable[[CellResult | None], object]) -> Callable[[], None]:
        """Call `listener` on the package's event loop with each cell that changes.

        The listener is called with None when the matrix starts, stops or is done.

        Returns
        -------
        callable
            Stops the calls.
        """
        return event_loop.subscribe(
            listener, self._runner.add_listener, self._runner.remove_listener
        )

    # ------------------------------------------------------------ start, stop, retry

    def start(self) -> None:
        """Generate the pending images in the background."""
        event_loop.call_soon(self._runner.start)

    def stop(self) -> None:
        """Stop starting images; running ones continue."""
        event_loop.call_soon(self._runner.stop)

    def retry_failed(self) -> None:
        """Generate failed images again, and resume polling lost jobs."""
        event_loop.call_soon(
            lambda: self._runner.retry(
                [each for each in self._runner.cells if each.state in {"failed", "lost"}]
            )
        )

    def retry(self, index: int) -> None:
        """Generate one image again: a failed one, or an unknown one that was not generated."""
        cells = self._runner.cells
        index = plain_values.to_plain(index)
        if not (is_whole(index) and 0 <= index < len(cells)):
            raise InvalidInputError(
                "index", f"There is no image {index!r}.", "Use a row's `index`."
            )
        event_loop.call_soon(lambda: self._runner.retry([cells[index]]))

    # ------------------------------------------------------------ waiting and iterating

    def wait(self) -> list[dict[str, Any]]:
        """Generate all pending images; return all rows when they have ended.

        In a non-interactive notebook (nbconvert, papermill), a line is printed for each image that
        ends: ``Images: 4 of 12, 1 failed``.

        Raises
        ------
        InvalidInputError
            If the budget does not allow the images.
        WondaError
            The error that stopped the matrix; `rows` has the images generated until then.
        """
        status_line = noninteractive.StatusLine("Images")
        for _ in self:
            status_line(self.progress)
        return self.rows()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        if event_loop.on_loop():
            raise RuntimeError("`for` over a matrix would block the package's event loop.")
        settled: queue.SimpleQueue[CellResult | None] = queue.SimpleQueue()
        end = self._start_and_listen(settled.put)
        try:
            while (cell := event_loop.get_blocking(settled)) is not None:
                yield cell.row()
            self._raise_error()
        finally:
            end()

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        loop = event_loop.callers_loop()
        settled: asyncio.Queue[CellResult | None] = asyncio.Queue()
        end = self._start_and_listen(
            lambda cell: event_loop.call_soon_on(loop, lambda: settled.put_nowait(cell))
        )
        try:
            while (cell := await settled.get()) is not None:
                yield cell.row()
            self._raise_error()
        finally:
            end()

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error.with_traceback(None)

    def _start_and_listen(self, put: Callable[[CellResult | None], object]) -> Callable[[], None]:
        """Start; call `put` once with each cell whose outcome is final, then with None.

        Returns
        -------
        callable
            Stops the calls and the matrix.
        """
        reported: set[int] = set()

        def report(_: CellResult | None) -> None:
            for each in self._runner.cells:
                if each.state in SETTLED_STATES and each.cell.index not in reported:
                    reported.add(each.cell.index)
                    put(each)
            if self.state in {"stopped", "done"} and self._runner.is_idle:
                put(None)

        def begin() -> None:
            self._runner.add_listener(report)
            if self.state == "done":
                report(None)
            else:
                self._runner.start()

        def end() -> None:
            self._runner.remove_listener(report)
            self._runner.stop()

        event_loop.call_soon(begin)
        return lambda: event_loop.call_soon(end)


def _to_result(cell: Cell, plan: Plan) -> CellResult:
    body = request_body(cell.model, cell.prompt, cell.params, cell.references)
    operation = operation_of(plan.request.path)
    requested = fingerprint(identity(operation, body))
    if cell.take > 1:  # earlier versions had no takes
        return CellResult(cell, f"{requested}-{cell.take}")
    former = former_fingerprint(body) if operation is IMAGE_GENERATION else ""
    return CellResult(cell, requested, former)


def _check_concurrency(count: object) -> int:
    """Return how many jobs may run at a time.

    Raises
    ------
    InvalidInputError
        If it is not a whole number above 0.
    """
    concurrency = plain_values.to_plain(count)
    if not is_whole(concurrency) or concurrency < 1:
        raise InvalidInputError(
            "max_concurrency", "max_concurrency must be a whole number above 0."
        )
    return min(int(concurrency), MAX_CONCURRENCY)
