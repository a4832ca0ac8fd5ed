"""`LabForm`: a prompt that varies, what it will cost, and the button that makes it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import traitlets

from ...errors import InvalidInputError
from ...matrix import planning
from ...matrix.cells import checked_budget
from ...matrix.matrix import DEFAULT_CONCURRENCY, MAX_CONCURRENCY, Matrix
from ...models import parameters
from ...utils import event_loop, plain_values
from .._shared import gallery_items, messages
from .._shared.panel import Panel, css, esm
from .._shared.permissions import Permission, requires
from ..prompt_form import PRICE_PAUSE, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ...client.wonda_client import AsyncWonda, Wonda
    from ...matrix.cells import CellResult
    from ...models import ImageModel

BUDGET = 2.50  # US dollars, to begin with

NOT_CHECKED = "You chose to continue: images generated before may be generated and billed again."

TYPED = ("template", "values", "models", "params", "budget", "at_once")


class LabForm(Panel):
    """A prompt template with its values, models and parameters; plan, price and `Run`.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        Without it: the key of the environment, or the sandbox.
    template : str
    values : dict of str to list of str
        Each placeholder's values.
    models : list of str
        Keys; the service's first one by default.
    params : dict of str to list
        Each parameter's values.
    budget : float
        US dollars.
    at_once : int
        How many jobs run at a time.
    """

    _esm = esm("lab_form")
    _css = css("lab_form")
    _page_sets = dict.fromkeys(TYPED, Permission.GENERATE)

    template = traitlets.Unicode("").tag(sync=True)
    placeholders = traitlets.List(traitlets.Unicode()).tag(sync=True)
    values: Any = traitlets.Dict().tag(sync=True)
    offered: Any = traitlets.List().tag(sync=True)
    """The models, each with its fields."""
    models = traitlets.List(traitlets.Unicode()).tag(sync=True)
    params: Any = traitlets.Dict().tag(sync=True)
    budget = traitlets.Unicode("").tag(sync=True)
    """As it was typed."""
    at_once = traitlets.Int(DEFAULT_CONCURRENCY, min=1, max=MAX_CONCURRENCY).tag(sync=True)
    plan = traitlets.Dict().tag(sync=True)
    """``count`` of what is still to be made, ``begun`` of what was asked for already,
    ``again`` if all of it was just made,
    ``factors``, ``each``, ``together``, ``share`` of the budget, ``notes``, or ``problem``: why
    it cannot run."""
    state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"``, ``"unavailable"``, ``"ready"`` or ``"running"``."""
    left = traitlets.Unicode("").tag(sync=True)
    """What an earlier kernel left, as a sentence."""

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        template: str = "",
        values: Mapping[str, Sequence[str]] | None = None,
        models: Sequence[str] | str = (),
        params: Mapping[str, Any] | None = None,
        budget: float = BUDGET,
        at_once: int = DEFAULT_CONCURRENCY,
        **traits: Any,
    ) -> None:
        self._matrix: Matrix | None = None
        self._accepted = ""  # what is wrong with the journal, and a person goes on all the same
        self._left: planning.Plan | None = None
        self._planning: asyncio.Task[None] | None = None
        self._plan_listeners: list[Callable[[Matrix], object]] = []
        self._run_listeners: list[Callable[[Matrix], object]] = []
        self._known: list[ImageModel] = []
        amount = checked_budget(budget)
        if template:
            planning.check_names(template, values or {})
        super().__init__(
            wonda,
            template=template,
            values={
                name: planning.as_list(f"values.{name}", f"{{{name}}}", some)
                for name, some in (values or {}).items()
            },
            models=planning.as_list("models", "The model", models),
            params={
                name: planning.as_list(f"params.{name}", name, some)
                for name, some in (params or {}).items()
            },
            budget=f"{amount:.2f}" if amount is not None else "",
            at_once=plain_values.to_plain(at_once),
            **traits,
        )
        self.observe(
            lambda _: event_loop.call_soon(self._replan),
            list(TYPED),
        )
        event_loop.call_soon(self._load)

    @property
    def matrix(self) -> Matrix | None:
        """The matrix that runs or ran last; None before the first."""
        return self._matrix

    def on_plan(self, listener: Callable[[Matrix], object]) -> None:
        """Have `listener` called, on the package's loop, with each plan before it runs."""
        self._plan_listeners.append(listener)

    def on_run(self, listener: Callable[[Matrix], object]) -> None:
        """Have `listener` called, on the package's loop, with each matrix that begins."""
        self._run_listeners.append(listener)

    def _kept_facts(self) -> list[tuple[str, str]]:
        varied = [(name, ", ".join(map(str, some))) for name, some in self.values.items()]
        return [("Template", self.template), *varied, ("Models", ", ".join(self.models))]

    # ------------------------------------------------------------ what there is

    def _load(self) -> None:
        if not self._closed:
            self.state = "loading"
            self._start(self._load_models)

    @requires(Permission.GENERATE)
    def _on_reload(self, _content: object) -> None:
        if self.state == "unavailable":
            self._load()

    async def _load_models(self) -> None:
        try:
            self._known = (await self._client.capabilities()).image_models
        except Exception:
            self.state = "unavailable"
            raise
        with self.hold_sync():
            self.error = None
            self.offered = [
                shown(model, parameters.form_fields(model.params)) for model in self._known
            ]
            if not self.models and self._known:
                self.models = [self._known[0].key]
            self.state = "ready"
        self._replan()
        await self._look_for_left()

    async def _look_for_left(self) -> None:
        """Offer what an earlier kernel left half made."""
        for matrix in await self._client.images.unfinished():
            plan = matrix.plan
            if not plan.attachments and self.state != "running":
                self._left = plan
                count = f"{len(plan)} image{'' if len(plan) == 1 else 's'}"
                pending = len(plan) - matrix.already_requested
                price = messages.price(matrix.price.usd, matrix.price.credits)
                self.left = f"An unfinished plan has {pending} of {count} pending" + (
                    f", {price}." if price else "."
                )
                return

    # ------------------------------------------------------------ the plan

    def _replan(self) -> None:
        if self.state == "loading" or self._closed:
            return
        if self._planning is not None:
            self._planning.cancel()
        self._planning = self._start(self._make_plan)

    async def _make_plan(self) -> None:
        # What is typed in the meantime makes another plan.
        await asyncio.sleep(PRICE_PAUSE)
        try:
            self.placeholders = planning.placeholders(self.template)
            matrix = await self._made()
            problem = self._refused(matrix)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be run by it
            self.plan = {"problem": messages.problem(error)}
            return
        if self._matrix is not None:
            self._matrix.budget = matrix.budget  # for what is made again
        self.plan = {**self._told(matrix), "problem": problem}
        if self.state != "running":
            for listener in self._plan_listeners:
                self._guard(listener, matrix)

    async def _made(self) -> Matrix:
        """The matrix of what is in the form, planned and priced.

        Raises
        ------
        InvalidInputError
        """
        values = {
            name: some for name, some in self.values.items() if name in set(self.placeholders)
        }
        takes = {
            field["name"]
            for model in self.offered
            if model["key"] in self.models
            for field in model["fields"]
        }
        params = {name: some for name, some in self.params.items() if some and name in takes}
        return await self._client.images.matrix(
            self.template,
            values,
            self.models,
            params,
            budget=self._budget(),
            max_concurrency=self.at_once,
            allow_unchecked=self._is_accepted,
        ).prepare()

    def _budget(self) -> float:
        text = self.budget.strip().removeprefix("$").replace(",", ".")
        try:
            dollars = float(text)
        except ValueError:
            raise InvalidInputError(
                "budget", "No budget is set.", "Enter the maximum cost in US dollars."
            ) from None
        return checked_budget(dollars) or dollars

    def _refused(self, matrix: Matrix) -> messages.Problem | None:
        """Why a plan cannot run."""
        try:
            self._check(matrix)
        except InvalidInputError as error:
            return messages.problem(error)
        return None

    def _check(self, matrix: Matrix) -> None:
        """Refuse a plan that cannot run.

        Raises
        ------
        InvalidInputError
        """
        matrix.check_budget()
        try:
            matrix.check_journal()
        except InvalidInputError as error:  # its hint is for code; here is a button
            trouble = self._client.jobs.trouble
            raise InvalidInputError(error.field, error.message, trouble) from None

    @property
    def _is_accepted(self) -> bool:
        """Whether a person knows what is wrong with the journal, and goes on all the same."""
        return self._accepted != "" and self._accepted == self._client.jobs.trouble

    def _told(self, matrix: Matrix) -> dict[str, Any]:
        plan, price = matrix.plan, matrix.price
        each = [
            {"text": messages.price(usd, credit) or "unknown", "count": count}
            for usd, credit, count in price.breakdown
        ]
        last = self._matrix
        return {
            "count": len(plan) - matrix.already_requested,
            "begun": matrix.already_requested,
            "again": last is not None
            and last.state == "done"
            and last.fingerprint == matrix.fingerprint,
            "factors": _factors(plan),
            "each": each,
            "together": messages.price(price.usd, price.credits),
            "usd": f"${price.usd:.2f}" if price.usd is not None else "unknown",
            "budget": f"${matrix.budget:.2f}" if matrix.budget is not None else "",
            "share": price.usd / matrix.budget if price.usd is not None and matrix.budget else 0.0,
            "notes": [*plan.notes, *([NOT_CHECKED] if self._is_accepted else [])],
        }

    # ------------------------------------------------------------ run

    @requires(Permission.GENERATE)
    def _on_run_now(self, content: Mapping[str, Any]) -> None:
        if self.state != "ready":
            return
        form: Mapping[str, Any] = content.get("form") or {}
        with self.hold_sync():  # as the browser has it at the click; a trait may be behind
            for name in TYPED:
                self.set_trait(name, form.get(name, getattr(self, name)))
        self.state = "running"
        self._start(self._run, content.get("count"), content.get("usd"))

    async def _run(self, count: object, usd: object) -> None:
        try:
            self.placeholders = planning.placeholders(self.template)
            matrix = await self._made()
            self._check(matrix)
            told = self._told(matrix)
        except BaseException:
            self.state = "ready"
            self._replan()
            raise
        if (count, usd) == (told["count"], told["usd"]):
            self._begin(matrix)
            return
        # Something was typed, or made elsewhere, since the price was seen.
        self.state = "ready"
        notes = [*told["notes"], "The plan has changed. Check the new price, then run it again."]
        self.plan = {**told, "notes": notes, "problem": self._refused(matrix)}

    def _begin(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self.error = None
        self.state = "running"
        self.left = ""
        self._following.begin(matrix.watch(lambda made: self._follow(matrix, made)))
        for listener in self._run_listeners:
            self._guard(listener, matrix)
        matrix.start()

    def _follow(self, matrix: Matrix, _made: CellResult | None) -> None:
        if self._closed or matrix is not self._matrix:
            return
        rests = matrix.state in {"stopped", "done"}
        if rests != (self.state == "ready"):
            self.state = "ready" if rests else "running"
            if rests:
                self._replan()  # what is left is another number, and has another price

    @requires(Permission.GENERATE)
    def _on_unchecked(self, _content: object) -> None:
        """Allow plans although the journal cannot be used; nothing runs by that."""
        self._accepted = self._client.jobs.trouble
        self._replan()

    @requires(Permission.GENERATE)
    def _on_take_up(self, _content: object) -> None:
        """Fill the form with what an earlier kernel left: what is left of it, and its price."""
        plan = self._left
        if plan is None or self.state != "ready":
            return
        self._on_leave(None)
        with self.hold_sync():
            self.template = plan.template
            self.placeholders = list(plan.values)
            self.values = plan.values
            self.models = plan.models
            self.params = plan.params

    @requires(Permission.GENERATE)
    def _on_leave(self, _content: object) -> None:
        self._left = None
        self.left = ""


def _factors(plan: planning.Plan) -> str:
    """How a number of images comes about: ``"3 subjects × 4 lights × 1 model"``."""
    counts = [(len(some), name) for name, some in plan.values.items()]
    counts.append((len(plan.models), "model"))
    counts += [
        (len(some), gallery_items.label(f"params.{name}").lower())
        for name, some in plan.params.items()
        if len(some) > 1
    ]
    return " × ".join(f"{count} {_plural(name, count)}" for count, name in counts)


def _plural(name: str, count: int) -> str:
    """A name that somebody gave, for several of it, as far as that is simple English."""
    if count == 1 or name.endswith("s") or not name[-1].isalpha():
        return name
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return f"{name}s"
