"""`POST /image/generate` (wonda-api.md, section 4)."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import msgspec

from ..errors import InvalidInputError
from ..http.request_body import to_json_values
from ..jobs.core import Core, on_package_loop
from ..jobs.generation import GENERATION, read_reply, request_body
from ..jobs.idempotency import (
    RECHECK_SECONDS,
    DuplicateRequestError,
    guard_for_name,
    require_complete_journal,
)
from ..journal import budgets
from ..journal.budgets import UnpricedError
from ..utils import arguments
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from ..jobs.job import Job
    from ..jobs.matrix.matrix import Matrix
    from ..jobs.matrix.planning import Cell, Plan
    from ..journal.budgets import Budget
    from ..models import Capabilities, Estimate
    from .pricing import AsyncPricing

P = ParamSpec("P")
T = TypeVar("T")


class AsyncImages:
    """Generation of images."""

    def __init__(
        self,
        core: Core,
        capabilities: Callable[[], Awaitable[Capabilities]],
        pricing: AsyncPricing,
    ) -> None:
        self._core = core
        self._capabilities = capabilities
        self._pricing = pricing

    @on_package_loop
    async def generate(
        self,
        *,
        model: str,
        prompt: str | None = None,
        params: Mapping[str, Any] | None = None,
        attachment_media_ids: Sequence[str] = (),
        budget: Budget | float | None = None,
        once: str | None = None,
    ) -> Job:
        """Submit a generation request and return its job.

        Parameters
        ----------
        model : str
            A key of `capabilities`, e.g. ``"nano-banana-2"``.
        prompt : str, optional
            A description of the image; most models require one.
        params : dict, optional
            The model's parameters, e.g. ``{"aspectRatio": "4:5", "resolution": "2K"}``.
        attachment_media_ids : sequence of str, optional
            Reference images, in order.
        budget : Budget or float, optional
            A limit for the total cost of this image and the earlier images of the budget; a number
            is US dollars per day.
        once : str, optional
            An idempotency key, e.g. ``"autumn campaign"``. The same request with the same key, in
            any process that uses this journal, returns the job of the first request, even if that
            job failed. A task that is run again therefore generates nothing twice. `jobs.dismiss`
            allows another attempt.

            Requests with the same meaning are equal. This ignores the differences between numbers
            of equal value (``4`` and ``4.0``); between None, an empty dict and a missing parameter;
            between tuples and lists; and in the order of a dict's keys. In strings, it ignores the
            Unicode form, whitespace and invisible characters. The key is compared in the same way,
            and full-width letters equal ordinary ones.

            Requests differ if they differ in case, in punctuation, or in the order of a list or of
            the reference images. ``True`` and ``1`` are different, and so are ``1`` and ``"1"``.

        Raises
        ------
        InvalidInputError
            If the request is invalid, or exceeds the budget; nothing was sent.
        OutcomeUnknownError
            If this or the first request may have arrived but there is no usable response. Check
            your library; if the image is not there, pass the error to `jobs.dismiss` and try again.
        APIError
            If the service refused the request.

        Examples
        --------
        >>> job = wonda.images.generate(
        ...     model="nano-banana-2",
        ...     prompt="A quiet harbor",
        ...     params={"aspectRatio": "4:5", "resolution": "2K"},
        ... )
        >>> media = job.wait().media
        """
        body = to_json_values(request_body(model, prompt, params, attachment_media_ids))
        budget = budgets.as_budget(budget)
        if once is not None:
            return await self._generate_once(once, body, budget)
        if budget is None:
            return await self._core.start(GENERATION, body, read_reply)
        check = self._budget_check(budget, body)
        return await self._priced(
            budget, lambda: self._core.start(GENERATION, body, read_reply, precondition=check)
        )

    def _budget_check(self, budget: Budget, body: dict[str, Any]) -> Callable[[Any], None]:
        """Return a check for the journal's transaction that raises if the budget is exceeded."""
        check_budget = budget.spending_check(self._core.journal_key, body)

        def precondition(connection: Any) -> None:
            # In the transaction, because the journal's file may fail at any time.
            self._require_journal("budget", "it is not known how much of the budget is spent")
            check_budget(connection)

        return precondition

    def _require_journal(self, field: str, so: str) -> None:
        require_complete_journal(self._core.journal, field, so, f"Or leave out {field}=.")

    async def _generate_once(self, name: str, body: dict[str, Any], budget: Budget | None) -> Job:
        """Generate an image, or return the job of the same earlier request."""
        duplicate_guard = guard_for_name(name, body)
        check_budget = self._budget_check(budget, body) if budget else lambda _: None

        def precondition(connection: Any) -> None:
            self._require_journal("once", "it is not known what was requested with this key")
            check_budget(connection)

        async def start() -> Job:
            return await self._core.start(
                GENERATION,
                body,
                read_reply,
                duplicate_guard=duplicate_guard,
                precondition=precondition,
            )

        while True:
            try:
                return await (start() if budget is None else self._priced(budget, start))
            except DuplicateRequestError as duplicate:
                earlier = duplicate.record
            if not earlier.is_sending:
                break
            await asyncio.sleep(RECHECK_SECONDS)  # another process or task is sending it
        job = self._core.restore_job(earlier, GENERATION)
        if job.id is None and job.snapshot.error is not None:
            raise job.snapshot.error
        return job

    @on_package_loop
    async def spent(self, budget: Budget) -> float:
        """Estimate how much of a budget all kernels on this journal have spent, in US dollars.

        Raises
        ------
        InvalidInputError
            If the service has no price for one of the images.
        APIError, ServiceUnreachableError
        """
        arguments.require_type(budget, budgets.Budget, "a Budget")
        self._core.transport.check_open()
        journal, base_url = self._core.journal, self._core.journal_key
        return await self._priced(
            budget, lambda: asyncio.wrap_future(journal.spent(base_url, budget))
        )

    async def _priced(self, budget: Budget, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` and fetch the prices that it needs."""
        while True:
            try:
                return await work()
            except UnpricedError as unpriced:
                await budget.fetch_prices(self._core.journal_key, unpriced.bodies, self._estimate)

    async def _estimate(self, body: Mapping[str, Any]) -> Estimate:
        return await self._pricing.estimate(
            model=str(body["model"]), prompt=body.get("prompt"), params=body.get("params")
        )

    def matrix(
        self,
        template: str,
        values: Mapping[str, Sequence[str]] | None = None,
        models: str | Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        *,
        budget: float | None = None,
        max_concurrency: int = 4,
        attachment_media_ids: Sequence[str] = (),
        resume: bool = True,
        allow_unchecked: bool = False,
    ) -> Matrix:
        """Plan every variation of a prompt; iterating over the result generates them.

        Parameters
        ----------
        template : str
            A prompt with ``{placeholders}``; ``{{`` and ``}}`` are literal braces.
        values : dict of str to list of str
            Each placeholder's values.
        models : str or list of str
        params : dict
            Each parameter's value, or a list of values. A model that does not have a parameter is
            sent the request without it.
        budget : float, optional
            US dollars; a plan that costs more is not started.
        max_concurrency : int
            How many jobs run at the same time, at most 32.
        attachment_media_ids : sequence of str, optional
            Reference images for every image, in order.
        resume : bool
            Whether to resume the same plan if it was left unfinished in the last week; otherwise,
            the plan starts over.
        allow_unchecked : bool
            Whether to run even if the journal cannot be written, or was damaged. Images may then be
            generated and charged twice.

        Raises
        ------
        InvalidInputError
            If the plan is invalid; nothing was sent. If the plan exceeds the budget or the journal
            cannot be used, iterating raises this error before any image is generated.

        Examples
        --------
        >>> matrix = wonda.images.matrix(
        ...     "A {subject} over the ocean, {light}",
        ...     {"subject": ["sunset", "storm"], "light": ["low haze", "clear air"]},
        ...     "nano-banana-2",
        ...     {"aspectRatio": ["4:5", "16:9"]},
        ...     budget=2.50,
        ... )
        >>> rows = list(matrix)  # with AsyncWonda: [row async for row in matrix]
        """
        from ..jobs.matrix import planning  # noqa: PLC0415 - few scripts use it
        from ..jobs.matrix.matrix import Matrix  # noqa: PLC0415 - see above

        async def plan() -> Plan:
            offered = (await self._capabilities()).image_models
            return planning.make_plan(
                template,
                values or {},
                models,
                params or {},
                available=offered,
                attachments=attachment_media_ids,
            )

        return Matrix(
            self._core,
            plan,
            self._price,
            budget=budget,
            max_concurrency=max_concurrency,
            resume=resume,
            allow_unchecked=allow_unchecked,
        )

    @on_package_loop
    async def unfinished(self, days: float = 7) -> list[Matrix]:
        """List unfinished matrices, newest first.

        Matrices that are running, even in another kernel, are left out, and so are those whose
        models no longer exist. Nothing is generated until a matrix is iterated or started; its
        `price` is the cost of the remaining images.
        """
        from ..jobs.matrix.planning import MatrixRequest  # noqa: PLC0415 - few scripts use it

        plans = self._core.journal.saved_plans
        found = []
        for saved in await asyncio.wrap_future(
            plans.unfinished(self._core.journal_key, arguments.check_days(days))
        ):
            entries = await asyncio.wrap_future(plans.cell_entries(saved.id))
            if any(entry.is_active for entry in entries.values()):
                continue
            with contextlib.suppress(msgspec.MsgspecError, InvalidInputError):
                asked = msgspec.json.decode(saved.plan, type=MatrixRequest)
                matrix = await self.matrix(**msgspec.structs.asdict(asked)).prepare()
                # The plan may differ now, because the service may have changed the parameters.
                if matrix.matches(saved) and matrix.already_requested < len(matrix.plan):
                    found.append(matrix)
        return found

    async def _price(self, cell: Cell) -> Estimate | None:
        return await self._pricing.cached_estimate(model=cell.model, params=cell.params)


def _planned(matrix: Callable[P, Matrix]) -> Callable[P, Coroutine[Any, Any, Matrix]]:
    """Fetch a matrix's plan and its price in advance."""

    @functools.wraps(matrix)
    def planned(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Matrix]:
        return matrix(*args, **kwargs).prepare()

    return planned


class Images(Blocking[AsyncImages]):
    """Blocking interface for generating images."""

    generate = blocking(AsyncImages.generate, check=GENERATION.check)
    spent = blocking(AsyncImages.spent)
    matrix = blocking(_planned(AsyncImages.matrix))
    unfinished = blocking(AsyncImages.unfinished)
