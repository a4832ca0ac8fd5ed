"""What images and videos have in common: budgets, idempotency keys and plans."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeAlias, TypeVar

import msgspec

from ..errors import InvalidInputError
from ..http.request_body import to_json_values
from ..jobs.core import Core, on_package_loop
from ..jobs.generation import identity, read_reply
from ..jobs.idempotency import (
    RECHECK_SECONDS,
    DuplicateRequestError,
    guard_for_name,
    require_complete_journal,
)
from ..journal import budgets
from ..journal.budgets import UnpricedError
from ..utils import arguments, event_loop
from .snippets import AsyncSnippets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from ..jobs.job import Job
    from ..jobs.matrix.matrix import Matrix
    from ..jobs.matrix.planning import Cell, Plan
    from ..jobs.submission import Operation
    from ..journal.budgets import Budget
    from ..models import Capabilities, Estimate, GenerationModel
    from .pricing import AsyncPricing

#: One or several prompt templates, which can have names.
Templates: TypeAlias = "str | Sequence[str] | Mapping[str, str]"

P = ParamSpec("P")
T = TypeVar("T")


class AsyncGenerations:
    """Base of `AsyncImages` and `AsyncVideos`.

    Attributes
    ----------
    operation : Operation
        The request.
    plan_path : str
        The path in saved plans; empty for images.
    """

    operation: ClassVar[Operation]
    plan_path: ClassVar[str] = ""

    def __init__(
        self,
        core: Core,
        capabilities: Callable[[], Awaitable[Capabilities]],
        pricing: AsyncPricing,
    ) -> None:
        self._core = core
        self._capabilities = capabilities
        self._pricing = pricing
        self._snippets = AsyncSnippets(core)

    def _models(self, capabilities: Capabilities) -> list[GenerationModel]:
        raise NotImplementedError

    async def _generate(
        self,
        request: Mapping[str, Any],
        budget: Budget | float | None,
        once: str | None,
    ) -> Job:
        """Submit a request; see `AsyncImages.generate`."""
        body = to_json_values(request)
        budget = budgets.as_budget(budget)
        if once is not None:
            return await self._generate_once(once, body, budget)
        if budget is None:
            return await self._core.start(self.operation, body, read_reply)
        check = self._budget_check(budget, body)
        return await self._priced(
            budget, lambda: self._core.start(self.operation, body, read_reply, precondition=check)
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
        """Generate, or return the job of the same earlier request."""
        duplicate_guard = guard_for_name(name, identity(self.operation, body))
        check_budget = self._budget_check(budget, body) if budget else lambda _: None

        def precondition(connection: Any) -> None:
            self._require_journal("once", "it is not known what was requested with this key")
            check_budget(connection)

        async def start() -> Job:
            return await self._core.start(
                self.operation,
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
        job = self._core.restore_job(earlier, self.operation)
        if job.id is None and job.snapshot.error is not None:
            raise job.snapshot.error
        return job

    @on_package_loop
    async def spent(self, budget: Budget) -> float:
        """Estimate how much of a budget all kernels on this journal have spent, in US dollars.

        Raises
        ------
        InvalidInputError
            If the service has no price for one of the images or videos.
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
        template: Templates,
        values: Mapping[str, Any] | None = None,
        models: str | Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        *,
        table: Any = None,
        takes: int = 1,
        combine: str = "product",
        count: int | None = None,
        seed: int = 0,
        budget: float | None = None,
        max_concurrency: int = 4,
        attachment_media_ids: Sequence[str] = (),
        resume: bool = True,
        allow_unchecked: bool = False,
    ) -> Matrix:
        """Plan every variation of a prompt; iterating over the result generates them.

        `images.matrix` generates images, `videos.matrix` videos.

        Parameters
        ----------
        template : str, list of str or dict of str to str
            A prompt with ``{placeholders}``, or several that are compared, by their names (A, B, C
            for a list). ``{red|blue}`` is a list of values in place, and ``{style:noir}`` a snippet
            (see `Snippets`); ``{{`` and ``}}`` are literal braces. With several templates,
            `GeneratedImage.values` has the name as ``template``.
        values : dict of str to list of str
            Each placeholder's values.
        models : str or list of str
        params : dict
            Each parameter's value, or a list of values. A model that does not have a parameter is
            sent the request without it.
        table : pandas.DataFrame, polars.DataFrame, list of dict, str or path, optional
            Values that belong together, in rows; a string or path is that of a CSV file in UTF-8.
            A column is a placeholder (``subject``), a parameter (``aspectRatio``), ``model``, or
            ``references``: media IDs of further reference images. Empty cells of a parameter are
            left to the service.
        takes : int
            How often each combination is generated. `GeneratedImage.values` has the number as
            ``take``. A model that has a parameter ``seed`` gets a different one for each take.
        combine : str
            ``"product"``: each value with each other one, and with each row of the table.
            ``"zip"``: the first values of all lists and the first row, the second ones, and so on.
            ``"random"``: a sample of `count` different combinations of the product. Each template
            is used for all of them.
        count : int, optional
            The size of a random sample.
        seed : int
            Another seed selects another random sample.
        budget : float, optional
            US dollars; a plan that costs more is not started.
        max_concurrency : int
            How many jobs run at the same time, at most 32.
        attachment_media_ids : sequence of str, optional
            Reference images for every image, in order; for videos, the start image and further
            attachments.
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

        Two takes of each of three templates, for each row of a table:

        >>> matrix = wonda.images.matrix(
        ...     ["A {subject}, {light}", "{subject} at {light}, 35mm", "Photo: {subject}, {light}"],
        ...     models="nano-banana-2",
        ...     table=[
        ...         {"subject": "sunset", "light": "low haze"},
        ...         {"subject": "storm", "light": "violet dusk"},
        ...     ],
        ...     takes=2,
        ... )
        """
        from ..jobs.matrix import planning, tables  # noqa: PLC0415 - few scripts use it
        from ..jobs.matrix.matrix import Matrix  # noqa: PLC0415 - see above

        async def plan() -> Plan:
            return planning.make_plan(
                await self._with_snippets(template),
                values or {},
                models,
                params or {},
                available=self._models(await self._capabilities()),
                attachments=attachment_media_ids,
                path=self.plan_path,
                table=await event_loop.to_thread(tables.read_table, table),
                takes=takes,
                combine=combine,
                count=count,
                seed=seed,
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

    async def _with_snippets(self, template: Templates) -> Any:
        """Replace the snippets of templates by their texts, which the plan then has."""
        match template:
            case str():
                return await self._snippets.fill_template(template)
            case Mapping():
                return {name: await self._with_snippets(text) for name, text in template.items()}
            case list() | tuple():
                return [await self._with_snippets(text) for text in template]
        return template

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
                if asked.path != self.plan_path:
                    continue
                matrix = await self.matrix(
                    asked.templates or asked.template,
                    asked.values,
                    asked.models,
                    asked.params,
                    attachment_media_ids=asked.attachment_media_ids,
                    table=asked.table or None,
                    takes=asked.takes,
                    combine=asked.combine,
                    count=asked.count,
                    seed=asked.seed,
                ).prepare()
                # The plan may differ now, because the service may have changed the parameters.
                if matrix.matches(saved) and matrix.already_requested < len(matrix.plan):
                    found.append(matrix)
        return found

    async def _price(self, cell: Cell) -> Estimate | None:
        return await self._pricing.cached_estimate(model=cell.model, params=cell.params)


def planned(matrix: Callable[P, Matrix]) -> Callable[P, Coroutine[Any, Any, Matrix]]:
    """Fetch a matrix's plan and its price in advance."""

    @functools.wraps(matrix)
    def prepared(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Matrix]:
        return matrix(*args, **kwargs).prepare()

    return prepared
