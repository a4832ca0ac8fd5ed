"""`LabForm`: a prompt template, the plan and price of its results, and the `Run` button."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import random
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import traitlets

from ...api import snippets
from ...errors import InvalidInputError
from ...jobs.matrix import combining, plan_arguments, tables, templates
from ...jobs.matrix.cells import total_price
from ...jobs.matrix.matrix import DEFAULT_CONCURRENCY, MAX_CONCURRENCY, Matrix
from ...jobs.matrix.plan_budget import check_amount
from ...models import Media, parameters, reference_limits
from ...utils import arguments, event_loop, plain_values
from ...utils.names import composed
from .._shared import error_alerts, formatting, plan_summary, saved_file
from .._shared.frontend import view
from .._shared.permissions import Permission, requires
from .._shared.reference_images import ReferencesPanel
from .._shared.saved_file import SavedFile
from .._shared.snippet_menu import SnippetMenu
from ..prompt_form import KINDS, shown
from .table_field import TableField, shown_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...api.generations import Templates
    from ...client.wonda_client import AsyncWonda, Wonda
    from ...imaging.saved_settings import SavedSettings
    from ...jobs.matrix.planning import Plan
    from ...journal.generated_image import GeneratedImage
    from ...models import GenerationModel
    from .._shared.reference_images import Reference

DEFAULT_BUDGET = 2.50  # US dollars
PLAN_DELAY_SECONDS = 0.05  # without a change; the page also waits until the user stops typing
DEFAULT_COUNT = 10  # of a random sample
DEFAULT_MORE = 4  # takes of a result
LARGEST_SEED = 2**31 - 1 - plan_arguments.MAX_TAKES  # so that each take can have the next one

#: US dollars with a point or a comma before the cents; "1,000" would be unclear.
_AMOUNT = re.compile(r"\$?\s*([0-9]+(?:\.[0-9]*|,[0-9]{1,2})?|[.,][0-9]{1,2})\s*\$?", re.ASCII)

UNCHECKED_NOTE = "You chose to continue: earlier results may be generated and charged again."
REFUSED_NOTE = "The plan has changed. Check the new price, then run it again."

#: Traits that the browser sets, and that a click on `Run` sends along.
FORM_TRAITS = (
    *("kind", "templates", "values", "models", "params"),
    *("combine", "count", "seed", "takes", "budget", "max_concurrency"),
)

#: What the click names of the plan that the user saw; it runs nothing if that has changed.
SEEN = ("action", "count", "usd", "run", "inputs")


class LabForm(TableField, SavedFile, SnippetMenu, ReferencesPanel):
    """A form that plans images or videos from a prompt template and its values, and runs the plan.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default a client with the key from the environment, or a sandbox.
    kind : str
        What is generated: ``"image"`` or ``"video"``.
    template : str, list of str or dict of str to str
        A prompt with ``{placeholders}``, or several by their names.
    values : dict of str to list of str
        The values of each placeholder.
    models : str or list of str
        Model keys; by default the service's first model of that kind.
    params : dict
        The value of each parameter, or a list of values.
    table, takes, combine, count, seed
        See `images.matrix`.
    budget : float
        The maximum cost of a plan in US dollars.
    max_concurrency : int
        The maximum number of jobs that run at the same time.
    """

    _panel = view("lab_form")
    _browser_traits = dict.fromkeys(FORM_TRAITS, Permission.GENERATE)

    kind = traitlets.Enum(KINDS, "image").tag(sync=True)
    """What is generated: ``"image"`` or ``"video"``."""
    templates: Any = traitlets.List(traitlets.Dict(traitlets.Unicode())).tag(sync=True)
    """Each prompt template: ``name`` and ``text``; a name may be empty."""
    placeholders = traitlets.List(traitlets.Unicode()).tag(sync=True)
    values: Any = traitlets.Dict(traitlets.List(traitlets.Unicode())).tag(sync=True)
    available_models: Any = traitlets.List().tag(sync=True)
    """The service's models, each with its form fields."""
    models = traitlets.List(traitlets.Unicode()).tag(sync=True)
    params: Any = traitlets.Dict(traitlets.List()).tag(sync=True)
    takes = traitlets.Int(1, min=1, max=plan_arguments.MAX_TAKES).tag(sync=True)
    """How often each combination is generated."""
    combine = traitlets.Enum(combining.COMBINE, "product").tag(sync=True)
    count = traitlets.Int(DEFAULT_COUNT, min=1, max=plan_arguments.MAX_IMAGES).tag(sync=True)
    """The size of a random sample."""
    seed = traitlets.Int(0).tag(sync=True)
    budget = traitlets.Unicode("").tag(sync=True)
    """US dollars, as typed."""
    max_concurrency = traitlets.Int(DEFAULT_CONCURRENCY, min=1, max=MAX_CONCURRENCY).tag(sync=True)
    plan = traitlets.Dict().tag(sync=True)
    """``kind``, ``count`` (results still to generate), ``requested`` (those requested before),
    ``action`` (``"run"``; or, for the plan that was run last, ``"resume"``, ``"retry"``,
    ``"repeat"``, or ``"check"`` if only unknown ones are left), ``run`` (the number of runs
    before), ``factors``, ``prices``, ``usd``, ``budget``, ``share`` of the budget, ``notes``;
    ``problem`` if it cannot run; and ``is_stale`` if the rest is about an earlier plan."""
    state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"``, ``"unavailable"``, ``"ready"`` or ``"running"``."""
    unfinished_plan = traitlets.Unicode("").tag(sync=True)
    """A sentence about a plan that an earlier kernel did not finish; empty for none."""

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        kind: str = "image",
        template: Templates = "",
        values: Mapping[str, Sequence[str]] | None = None,
        models: Sequence[str] | str = (),
        params: Mapping[str, Any] | None = None,
        table: Any = None,
        takes: int = 1,
        combine: str = "product",
        count: int | None = None,
        seed: int = 0,
        budget: float = DEFAULT_BUDGET,
        max_concurrency: int = DEFAULT_CONCURRENCY,
        **traits: Any,
    ) -> None:
        self._matrix: Matrix | None = None
        self._runs = 0  # a click names it, so that a repeated message runs nothing
        self._accepted_problem = ""  # the journal problem that the user accepted
        self._refused = False  # the last click, as the plan was no longer the one on the page
        self._unfinished_plan: Plan | None = None
        self._planning: asyncio.Task[None] | None = None
        self._plan_listeners: list[Callable[[Matrix], object]] = []
        self._run_listeners: list[Callable[[Matrix], object]] = []
        self._offered: dict[tuple[str, str], GenerationModel] = {}  # by kind and key
        self._more_of: str | None = None  # the prompt of the result of which more are wanted
        self._table = tables.read_table(table)
        amount = check_amount(budget)
        sample_size = DEFAULT_COUNT if count is None else count
        plan_arguments.check_options(
            combine, sample_size if combine == "random" else None, seed, takes
        )
        arguments.require_type(values or {}, Mapping, "a dict of values per placeholder")
        values = {composed(name): choices for name, choices in (values or {}).items()}
        arguments.require_type(params or {}, Mapping, "a dict of values per parameter")
        texts = templates.read_templates(template) if template else {"": ""}
        if template and not any(map(snippets.names_in, texts.values())):
            templates.check_names(texts.values(), values)
        super().__init__(
            wonda,
            kind=kind,
            templates=[{"name": name, "text": text} for name, text in texts.items()],
            table=shown_table(self._table),
            values={name: _as_texts(name, choices) for name, choices in values.items()},
            models=list(map(str, plan_arguments.as_list("models", "The model", models))),
            params={
                name: plan_arguments.as_list(f"params.{name}", name, choices)
                for name, choices in (params or {}).items()
            },
            takes=plain_values.to_plain(takes),
            combine=combine,
            count=plain_values.to_plain(sample_size),
            seed=plain_values.to_plain(seed),
            budget=f"{amount:.2f}" if round(amount, 2) == amount else _exact(amount),
            max_concurrency=plain_values.to_plain(max_concurrency),
            **traits,
        )
        self.observe(lambda _: event_loop.call_soon(self._select_models), "kind")
        self.observe(
            lambda _: event_loop.call_soon(self._form_changed),
            [*FORM_TRAITS, "table", "references"],
        )
        self.observe(
            lambda _: event_loop.call_soon(self._update_references_message), ["kind", "models"]
        )
        event_loop.call_soon(self._load)

    @property
    def matrix(self) -> Matrix | None:
        """The matrix that was run last; None before the first run."""
        return self._matrix

    def on_plan(self, listener: Callable[[Matrix], object]) -> None:
        """Call `listener` on the package's loop with each plan that was made but not run."""
        self._plan_listeners.append(listener)

    def on_run(self, listener: Callable[[Matrix], object]) -> None:
        """Call `listener` on the package's loop with each matrix that starts to run."""
        self._run_listeners.append(listener)

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        varied = [(name, ", ".join(map(str, choices))) for name, choices in self.values.items()]
        return [
            *((f"Template {each['name']}".strip(), each["text"]) for each in self.templates),
            *varied,
            ("Models", ", ".join(self.models)),
        ]

    # ------------------------------------------------------------ models and unfinished plans

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
            offered = (await self._client.capabilities()).models
        except Exception:
            self.state = "unavailable"
            raise
        self._offered = {(kind, model.key): model for kind, model in offered}
        with self.hold_sync():
            self.error = None
            self.available_models = [
                shown(model, parameters.form_fields(model.params), kind) for kind, model in offered
            ]
            if not self.models:
                self._select_models()
            for kind in KINDS:  # of the models that code chose
                if self.models and set(self.models) <= set(self._keys_of(kind)):
                    self.kind = kind
            self.state = "ready"
        self._update_plan_soon()
        await self._load_snippets()
        await self._find_unfinished_plan()

    def _select_models(self) -> None:
        """Select the first model of the kind if none of that kind is selected."""
        keys = self._keys_of(self.kind)
        if keys and not any(key in keys for key in self.models):
            self.models = keys[:1]

    def _keys_of(self, kind: str) -> list[str]:
        return [model["key"] for model in self.available_models if model["kind"] == kind]

    async def _find_unfinished_plan(self) -> None:
        """Offer to open a plan that an earlier kernel did not finish."""
        client = self._client
        for matrix in [*await client.images.unfinished(), *await client.videos.unfinished()]:
            plan = matrix.plan
            if self.state != "running":
                self._unfinished_plan = plan
                count = f"{len(plan)} {plan.kind}{'' if len(plan) == 1 else 's'}"
                pending = len(plan) - matrix.already_requested
                price = formatting.format_price(matrix.price.usd, matrix.price.credits)
                cost = f" Price: {price}." if price else ""
                self.unfinished_plan = f"Your last plan has {pending} of {count} left.{cost}"
                return

    # ------------------------------------------------------------ the plan

    def _form_changed(self) -> None:
        self._refused = False
        self._update_plan_soon()

    def _update_plan_soon(self) -> None:
        if self.state == "loading" or self._closed:
            return
        if self._planning is not None:
            self._planning.cancel()
        self._planning = self._start(self._update_plan)

    async def _update_plan(self) -> None:
        # Wait until the user stops typing; each change restarts the wait.
        await asyncio.sleep(PLAN_DELAY_SECONDS)
        try:
            await self._read_placeholders()
            matrix = await self._make_matrix()
            problem = self._problem_of(matrix)
        except Exception as error:  # noqa: BLE001 - a plan with any error must not run
            # The last plan stays visible until another one can be made.
            self.plan = {**self.plan, "problem": error_alerts.error_alert(error), "is_stale": True}
            return
        if self._matrix is not None and matrix.budget is not None:
            self._matrix.budget = matrix.budget  # retries also use it
        self.plan = {**self._describe_plan(matrix), "problem": problem}
        if self.state != "running":
            for listener in self._plan_listeners:
                self._catch_errors(listener, matrix)

    async def _make_matrix(self) -> Matrix:
        """Plan and price the matrix that the form describes.

        Raises
        ------
        InvalidInputError
        """
        columns = self.table.get("columns", ())
        values = {
            name: choices
            for name, choices in self.values.items()
            if name in self.placeholders and name not in columns
        }
        accepted = self._accepted_params()
        params = {
            name: choices
            for name, choices in self.params.items()
            if choices and name in accepted and name not in columns
        }
        client = self._client
        make = client.videos.matrix if self.kind == "video" else client.images.matrix
        return await make(
            self._named_templates(),
            values,
            self.models,
            params,
            table=self._table or None,
            takes=self.takes,
            combine=self.combine,
            count=self.count if self.combine == "random" else None,
            seed=self.seed,
            attachment_media_ids=self._uploaded_ids(),
            budget=self._valid_budget(),
            max_concurrency=self.max_concurrency,
            allow_unchecked=self._accepts_journal_problem,
        ).prepare()

    def _accepted_params(self) -> set[str]:
        """Return the names of the parameters of the chosen models."""
        return {
            field["name"]
            for model in self.available_models
            if model["kind"] == self.kind and model["key"] in self.models
            for field in model["fields"]
        }

    def _notes(self) -> list[str]:
        """Return sentences about what the form has and the plan does not use."""
        columns = self.table.get("columns", ())
        unused = [
            name
            for name, choices in self.params.items()
            if choices and name not in {*self._accepted_params(), *columns}
        ]
        notes = []
        if unused:
            labels = plan_arguments.enumerate_names(
                [parameters.humanize(each).lower() for each in unused]
            )
            notes.append(f"No chosen model has {labels}, so it is not sent.")
        if self._accepts_journal_problem:
            notes.append(UNCHECKED_NOTE)
        if self._refused:
            notes.append(REFUSED_NOTE)
        return notes

    def _named_templates(self) -> str | dict[str, str]:
        """Return the templates as `images.matrix` accepts them, each text once.

        A template is added as a copy of the last one, and counts when its text is changed.

        Raises
        ------
        InvalidInputError
            If two have the same name.
        """
        pairs = [(each.get("name", "").strip(), each.get("text", "")) for each in self.templates]
        if len(pairs) == 1 and not pairs[0][0]:
            return str(pairs[0][1])
        by_text: dict[str, str] = {}
        for name, text in templates.with_names(pairs).items():
            by_text.setdefault(text, name)
        return {name: text for text, name in by_text.items()}

    async def _read_placeholders(self) -> None:
        """Update the fields for values.

        Raises
        ------
        InvalidInputError
            If a template is invalid, or uses an unknown snippet.
        """
        known = await self._client.snippets.all()
        texts = [each.get("text", "") for each in self.templates]
        # An unknown snippet does not hide the fields of the placeholders.
        empty = {name: "" for text in texts for name in snippets.names_in(text)}
        self.placeholders = templates.all_placeholders(
            snippets.fill_template(text, empty | known) for text in texts
        )
        for text in texts:
            snippets.fill_template(text, known)

    # ------------------------------------------------------------ reference images

    def _limit(self, model: str) -> tuple[reference_limits.ReferenceLimit, str]:
        offered = self._offered.get((str(self.kind), model))
        if offered is None:
            return reference_limits.ReferenceLimit(0, None), model
        return reference_limits.limit_for(offered), offered.name

    def _chosen_model(self) -> str:
        """Return the selected model that accepts the fewest reference images."""
        limits = {key: self._limit(key)[0].maximum for key in self.models}
        return min(
            limits,
            key=lambda key: math.inf if limits[key] is None else limits[key] or 0,
            default="",
        )

    # ------------------------------------------------------------ more of a result

    def fill_more(self, image: GeneratedImage) -> None:
        """Fill the form with the request of a result, to generate more takes of it.

        Call this on the package's loop only. `Undo` restores what was in the form.
        """
        kind = "video" if image.media.is_video else "image"
        model = self._offered.get((kind, image.model))
        params, refused = saved_file.split_params(model, image.params)
        self._remember_all()
        with self.hold_sync():
            self.kind = kind
            self.templates = [{"name": "", "text": templates.literal(image.prompt)}]
            self.models = [image.model] if model is not None else self.models
            self.params = {name: [value] for name, value in _with_new_seed(params, model).items()}
            self.combine = "product"
            self.takes = DEFAULT_MORE
            self.file_note = (
                f"The selected result is filled in. Run generates {DEFAULT_MORE} more takes of it."
            )
        self._set_table([])
        self._references.clear()
        for media_id in image.references:
            self.add_reference(Media(media_id=media_id))
        self._show_references()
        self._more_of = image.prompt
        if model is None:
            self.file_note += f" This account has no model {image.model!r}, so another is selected."
        elif refused:
            labels = ", ".join(parameters.humanize(each).lower() for each in refused)
            self.file_note += f" {model.name} does not accept this {labels} any more."

    def is_more(self, matrix: Matrix) -> bool:
        """Return whether a matrix consists of more takes of a result."""
        return self._more_of is not None and {cell.cell.prompt for cell in matrix.cells} == {
            self._more_of
        }

    def _remember_all(self) -> None:
        others = self._table, list(self._references), self._more_of
        self._remember(*FORM_TRAITS, "table", others=others)

    def _restore(self, others: tuple[tables.Table, list[Reference], str | None]) -> None:
        self._table, references, self._more_of = others
        self._references[:] = references
        self._show_references()

    # ------------------------------------------------------------ a saved file

    def _use_settings(self, settings: SavedSettings, name: str) -> None:
        """Fill the form; a template that was typed is kept beside that of the file."""
        self._remember("kind", "templates", "models", "params")
        found = next((key for key in self._offered if key[1] == settings.model), None)
        model = self._offered[found] if found else None
        params, refused = saved_file.split_params(model, settings.params)
        typed = [each for each in self.templates if each.get("text", "").strip()]
        with self.hold_sync():
            new = {"name": "", "text": templates.literal(settings.prompt)}
            self.templates = [*(each for each in typed if each["text"] != new["text"]), new]
            if found:
                self.kind, self.models = found[0], [found[1]]
                self.params = {**self.params, **{key: [value] for key, value in params.items()}}
            self.file_note = saved_file.note(name, settings, model.name if model else "", refused)

    # ------------------------------------------------------------ the budget

    def _check_budget(self) -> float:
        """Return the budget in US dollars.

        Raises
        ------
        InvalidInputError
            If the field is empty or is not an amount above 0.
        """
        text = self.budget.strip()
        amount = _AMOUNT.fullmatch(text)
        with contextlib.suppress(ValueError, InvalidInputError):
            if amount is not None:
                return check_amount(float(amount.group(1).replace(",", ".")))
        raise InvalidInputError(
            "budget",
            f"“{text}” is not an amount above 0." if text else "No budget is set.",
            "Enter the maximum cost in US dollars, for example 2.50.",
        )

    def _valid_budget(self) -> float | None:
        """Return the budget in US dollars; None if it is invalid, so that a plan can be shown."""
        with contextlib.suppress(InvalidInputError):
            return self._check_budget()
        return None

    def _problem_of(self, matrix: Matrix) -> error_alerts.Alert | None:
        """Return why a plan cannot run; None if it can."""
        try:
            self._check(matrix)
        except InvalidInputError as error:
            return error_alerts.error_alert(error)
        return None

    def _check(self, matrix: Matrix) -> None:
        """Check that a plan can run.

        Raises
        ------
        InvalidInputError
            If the budget is invalid, the plan exceeds it, or the journal cannot be used.
        """
        self._check_budget()
        if self._action_for(matrix) != "retry":  # else the failed images are checked when it starts
            matrix.check_budget()
        try:
            matrix.check_journal()
        except InvalidInputError as error:  # the hint is for code; the form has a button instead
            problem = self._client.jobs.problem
            raise InvalidInputError(error.field, error.message, problem) from None

    @property
    def _accepts_journal_problem(self) -> bool:
        """Whether the user chose to continue despite the journal's current problem."""
        return self._accepted_problem != "" and self._accepted_problem == self._client.jobs.problem

    def _describe_plan(self, matrix: Matrix) -> dict[str, Any]:
        plan, price = matrix.plan, matrix.price
        action = self._action_for(matrix)
        count, requested = len(plan) - matrix.already_requested, matrix.already_requested
        if action == "retry" and self._matrix is not None:
            # Only failed images are generated, and charged; lost jobs are only polled again.
            price = total_price([cell for cell in self._matrix.cells if cell.state == "failed"])
            count = self._to_retry
            requested = len(plan) - count
        usd = price.usd
        return {
            "kind": plan.kind,
            "count": count,
            "requested": requested,
            "action": action,
            "run": self._runs,
            "inputs": self._inputs,
            "factors": plan_summary.factors(plan),
            "prices": [
                {"text": formatting.format_price(usd, credit) or "unknown", "count": count}
                for usd, credit, count in price.breakdown
            ],
            "usd": f"${usd:.2f}" if usd is not None else "unknown",
            "budget": f"${matrix.budget:.2f}" if matrix.budget is not None else "",
            "share": usd / matrix.budget if usd is not None and matrix.budget else 0.0,
            "notes": [*plan.notes, *self._notes()],
        }

    @property
    def _inputs(self) -> str:
        """A digest of what a click does not send along: the table and the references."""
        inputs = repr((self._table, self._uploaded_ids()))
        return hashlib.sha256(inputs.encode()).hexdigest()[:16]

    def _action_for(self, matrix: Matrix) -> str:
        """Return what the button does with a plan, compared with the one that was run last."""
        last = self._matrix
        if last is None or last.fingerprint != matrix.fingerprint:
            return "run"
        return self._action_for_last(last)

    def _action_for_last(self, last: Matrix) -> str:
        progress = last.progress
        if last.state == "stopped" and progress.waiting:
            return "resume"
        if self._to_retry:
            return "retry"
        return "check" if progress.unknown else "repeat"

    @property
    def _to_retry(self) -> int:
        """The number of failed images of the last run, and of jobs that are no longer polled."""
        cells = self._matrix.cells if self._matrix is not None else []
        return sum(cell.state in {"failed", "lost"} for cell in cells)

    # ------------------------------------------------------------ run

    @requires(Permission.GENERATE)
    def _on_run_now(self, content: Mapping[str, Any]) -> None:
        if self.state != "ready":
            return
        form = content.get("form")
        form = form if isinstance(form, dict) else {}
        # The values at the click; the traits may arrive later.
        given = {name: form[name] for name in FORM_TRAITS if name in form}
        with self.hold_sync():
            for name, value in self._valid(given).items():
                self.set_trait(name, value)
        seen = tuple(content.get(name) for name in SEEN)
        self.state = "running"
        self._refused = False
        self._start(self._continue if seen[0] in ("resume", "retry") else self._run, seen)

    async def _continue(self, seen: tuple[object, ...]) -> None:
        """Resume the last run, or retry its failed images; never generate any other image."""
        try:
            last = self._matrix_to_continue(seen)
            last.budget = self._check_budget()
        except InvalidInputError:
            self.state = "ready"
            self._update_plan_soon()
            raise
        self._runs += 1
        last.allow_unchecked = self._accepts_journal_problem
        last.max_concurrency = self.max_concurrency
        self.error = None
        last.start() if seen[0] == "resume" else last.retry_failed()
        event_loop.call_soon(lambda: self._update_state(last))  # if nothing was pending

    def _matrix_to_continue(self, seen: tuple[object, ...]) -> Matrix:
        """Return the matrix of the last run, if a click was made on its current state."""
        last = self._matrix
        action = self._action_for_last(last) if last is not None else ""
        count = self._to_retry if action == "retry" else self.plan.get("count")
        current = action, count, self.plan.get("usd"), self._runs, self._inputs
        if last is None or seen != current:
            raise InvalidInputError("plan", "The plan has changed in the meantime.", "Check it.")
        return last

    async def _run(self, seen: tuple[object, ...]) -> None:
        try:
            await self._read_placeholders()
            matrix = await self._make_matrix()
            self._check(matrix)
            plan = self._describe_plan(matrix)
        except BaseException:
            self.state = "ready"
            self._update_plan_soon()
            raise
        if seen == tuple(plan[name] for name in SEEN):
            self._run_matrix(matrix)
            return
        # The plan or its price changed after the user saw it, here or in another process.
        self.state = "ready"
        self._refused = True
        self.plan = {**self._describe_plan(matrix), "problem": self._problem_of(matrix)}

    def _run_matrix(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._runs += 1
        self.error = None
        self.state = "running"
        self.unfinished_plan = ""
        self._subscription.replace(matrix.watch(lambda _: self._update_state(matrix)))
        for listener in self._run_listeners:
            self._catch_errors(listener, matrix)
        matrix.start()

    def _update_state(self, matrix: Matrix) -> None:
        if self._closed or matrix is not self._matrix:
            return
        is_idle = matrix.state in {"stopped", "done"}
        if is_idle != (self.state == "ready"):
            self.state = "ready" if is_idle else "running"
            if is_idle:
                self.plan = {**self.plan, "is_stale": True}
                self._update_plan_soon()  # fewer images are pending, at another price

    @requires(Permission.GENERATE)
    def _on_unchecked(self, _content: object) -> None:
        """Allow plans even if the journal cannot be used; this does not run a plan."""
        self._accepted_problem = self._client.jobs.problem
        self._update_plan_soon()

    @requires(Permission.GENERATE)
    def _on_open_plan(self, _content: object) -> None:
        """Fill the form with the unfinished plan of an earlier kernel."""
        plan = self._unfinished_plan
        if plan is None or self.state != "ready":
            return
        self._on_dismiss_plan(None)
        request = plan.request
        self._remember_all()
        with self.hold_sync():
            self.kind = plan.kind
            self.templates = [{"name": name, "text": text} for name, text in plan.templates.items()]
            self.placeholders = templates.all_placeholders(plan.templates.values())
            self.values = request.values
            self.models = request.models or self.models
            self.params = request.params
            self._set_table(request.table)
            self.takes = request.takes
            self.combine, self.seed = request.combine, request.seed
            self.count = request.count or self.count
            self.file_note = "The unfinished plan is filled in."
        self._references.clear()
        for media_id in request.attachment_media_ids:
            self.add_reference(Media(media_id=media_id))

    @requires(Permission.GENERATE)
    def _on_dismiss_plan(self, _content: object) -> None:
        self._unfinished_plan = None
        self.unfinished_plan = ""


def _as_texts(name: str, choices: Any) -> list[str]:
    field, label = f"values.{name}", f"{{{name}}}"
    return plan_arguments.to_texts(field, label, plan_arguments.as_list(field, label, choices))


def _with_new_seed(params: dict[str, Any], model: GenerationModel | None) -> dict[str, Any]:
    """Replace the seed, which would give the same result again."""
    fields = parameters.form_fields(model.params) if model is not None else []
    seed = next((field for field in fields if field.name == plan_arguments.SEED), None)
    if seed is None:
        return params
    most = LARGEST_SEED if seed.maximum is None else int(seed.maximum) - plan_arguments.MAX_TAKES
    least = int(seed.minimum or 0)
    return {**params, seed.name: random.randint(least, max(least, most))}  # noqa: S311


def _exact(amount: float) -> str:
    """Return an amount with all its digits, and without an exponent."""
    return format(Decimal(repr(amount)), "f")
