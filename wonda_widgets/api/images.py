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
    require_writable_journal,
)
from ..journal import budgets
from ..journal.budgets import UnpricedError
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence

    from ..jobs.job import Job
    from ..journal.budgets import Budget
    from ..matrix.matrix import Matrix
    from ..matrix.planning import Cell, Plan
    from ..models import Capabilities, Estimate
    from .pricing import AsyncPricing

P = ParamSpec("P")
T = TypeVar("T")


class AsyncImages:
    """Make images."""

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
        """Ask for an image and get the job that follows it.

        Parameters
        ----------
        model : str
            A key of `capabilities`, e.g. ``"nano-banana-2"``.
        prompt : str, optional
            What to make; most models need it.
        params : dict, optional
            The model's parameters, e.g. ``{"aspectRatio": "4:5", "resolution": "2K"}``.
        attachment_media_ids : sequence of str, optional
            Reference images, in order.
        budget : Budget or float, optional
            What may be spent, together with all that was asked for since its moment; a number
            is so many US dollars a day.
        once : str, optional
            A name for what the image is for, e.g. ``"autumn campaign"``. Whoever asks for the
            same again under this name, in any process on this journal, gets the job of the first
            time, also of a failed one. So a task that is run again makes nothing twice.
            `jobs.dismiss` makes room for another try.

            What counts as the same: numbers of the same value (``4`` and ``4.0``); None, an
            empty dict and a parameter that is left out; tuples and lists; any order of a dict's
            members. Texts, names of parameters included, count as the same in any form of
            Unicode and if they differ only in whitespace (a line break, a tab and several blanks
            are one blank; those at the ends are none) or in characters that are not seen (marks
            without width, variation selectors). So a prompt in two lines is the same as in one.
            The name itself is compared in the same way, and full-width letters are like others.

            What makes another request: capital letters, punctuation, ``True`` and ``1``, ``1``
            and ``"1"``, the order of a list and of the reference images.

        Raises
        ------
        InvalidInputError
            If something is known to be refused, or the budget does not suffice; nothing was
            sent.
        OutcomeUnknownError
            If the request may have arrived but its reply was lost, now or the first time. Look
            into your library; if it is not there, `jobs.dismiss` the error and ask again.
        APIError
            If the service refused it.
        """
        body = to_json_values(request_body(model, prompt, params, attachment_media_ids))
        budget = budgets.as_budget(budget)
        if once is not None:
            return await self._asked_once(once, body, budget)
        if budget is None:
            return await self._core.start(GENERATION, body, read_reply)
        guard = self._within(budget, body)
        return await self._priced(
            budget, lambda: self._core.start(GENERATION, body, read_reply, guard=guard)
        )

    def _within(self, budget: Budget, body: dict[str, Any]) -> Callable[[Any], None]:
        """Give what refuses a request within the journal's transaction, see `Budget.guard`."""
        allowed = budget.guard(self._core.journal_key, body)

        def guard(connection: Any) -> None:
            # Here, because the journal's file may have become useless just now.
            self._check_written("budget", "it is not known how much of the budget is spent")
            allowed(connection)

        return guard

    def _check_written(self, field: str, so: str) -> None:
        require_writable_journal(self._core.journal, field, so, f"Or leave out {field}=.")

    async def _asked_once(self, name: str, body: dict[str, Any], budget: Budget | None) -> Job:
        """Ask for it, or give the job of the one who did."""
        once = guard_for_name(name, body)
        within = self._within(budget, body) if budget else lambda _: None

        def guard(connection: Any) -> None:
            # See `_within`.
            self._check_written("once", "it is not known what was asked for under this name")
            within(connection)

        async def ask() -> Job:
            return await self._core.start(GENERATION, body, read_reply, once=once, guard=guard)

        while True:
            try:
                return await (ask() if budget is None else self._priced(budget, ask))
            except DuplicateRequestError as standing:
                earlier = standing.record
            if not earlier.is_sending:
                break
            await asyncio.sleep(
                RECHECK_SECONDS
            )  # by another process, or another task, at this moment
        job = self._core.revived(earlier, GENERATION)
        if job.id is None and job.snapshot.error is not None:
            raise job.snapshot.error
        return job

    @on_package_loop
    async def spent(self, budget: Budget) -> float:
        """US dollars, about, that were asked for within a budget, by all kernels of the journal.

        Raises
        ------
        InvalidInputError
            If the service tells no price for some of it.
        APIError, ServiceUnreachableError
        """
        self._core.transport.check_open()
        journal, base_url = self._core.journal, self._core.journal_key
        return await self._priced(
            budget, lambda: asyncio.wrap_future(journal.spent(base_url, budget))
        )

    async def _priced(self, budget: Budget, work: Callable[[], Awaitable[T]]) -> T:
        """Do `work`, and learn what prices it lacks; each time it lacks fewer."""
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
        """Plan every variation of a prompt; iterating over the result makes them.

        Parameters
        ----------
        template : str
            A prompt with ``{placeholders}``; ``{{`` and ``}}`` are braces themselves.
        values : dict of str to list of str
            Each placeholder's values.
        models : str or list of str
        params : dict
            Each parameter's value, or the list of its values. A model that does not take
            one of them goes without it.
        budget : float, optional
            US dollars; a plan that costs more is not begun.
        max_concurrency : int
            How many jobs run at a time, at most 32.
        attachment_media_ids : sequence of str, optional
            Reference images of every image, in order.
        resume : bool
            Whether the same plan, left unfinished in the last week, is gone on with. If
            not, it is made anew.
        allow_unchecked : bool
            Whether to run even if the journal cannot be written, or was damaged. Images that were
            asked for before may then be made and billed again.

        Raises
        ------
        InvalidInputError
            If the plan cannot be made; nothing was sent. That it costs more than the budget, or
            that the journal cannot be used, is raised by iterating, before anything is made.

        Examples
        --------
        >>> matrix = wonda.images.matrix(
        ...     "A {subject} over the ocean, {light}",
        ...     {"subject": ["sunset", "storm"], "light": ["low haze", "clear air"]},
        ...     "nano-banana-2",
        ...     {"aspectRatio": ["4:5", "16:9"]},
        ...     budget=2.50,
        ... )
        >>> pandas.DataFrame(row async for row in matrix)
        """
        from ..matrix import planning  # noqa: PLC0415 - few scripts need it
        from ..matrix.matrix import Matrix  # noqa: PLC0415 - see above

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
        """Give the matrices that were left with images still to be made, newest first.

        Not among them: what is being made at this moment, also by another kernel, and what
        the service offers no more. Nothing is made until one is iterated or started; its
        `price` says what that costs.
        """
        from ..matrix.planning import MatrixRequest  # noqa: PLC0415 - few scripts need it

        batches = self._core.journal.saved_plans
        found = []
        for batch in await asyncio.wrap_future(batches.unfinished(self._core.journal_key, days)):
            records = await asyncio.wrap_future(batches.cell_entries(batch.id))
            if any(record.is_active for record in records.values()):
                continue
            with contextlib.suppress(msgspec.MsgspecError, InvalidInputError):
                asked = msgspec.json.decode(batch.plan, type=MatrixRequest)
                matrix = await self.matrix(**msgspec.structs.asdict(asked)).prepare()
                # It may have become another one: the service takes other parameters now.
                if matrix.matches(batch) and matrix.already_requested < len(matrix.plan):
                    found.append(matrix)
        return found

    async def _price(self, cell: Cell) -> Estimate | None:
        return await self._pricing.each(model=cell.model, params=cell.params)


def _planned(matrix: Callable[P, Matrix]) -> Callable[P, Coroutine[Any, Any, Matrix]]:
    """Have the plan and its price there at once."""

    @functools.wraps(matrix)
    def planned(*args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Matrix]:
        return matrix(*args, **kwargs).prepare()

    return planned


class Images(Blocking[AsyncImages]):
    """Make images (blocking)."""

    generate = blocking(AsyncImages.generate, check=GENERATION.check)
    spent = blocking(AsyncImages.spent)
    matrix = blocking(_planned(AsyncImages.matrix))
    unfinished = blocking(AsyncImages.unfinished)
