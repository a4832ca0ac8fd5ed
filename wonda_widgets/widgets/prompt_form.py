"""`PromptForm`: prompt, model, parameters and price of an image, and the `Generate` button."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import traitlets

from ..errors import InvalidInputError, OutcomeUnknownError, WondaError
from ..journal import budgets
from ..models import parameters, prompt_requirement, reference_limits
from ..utils import event_loop, suggestions
from ._shared import error_alerts, formatting
from ._shared.frontend import view
from ._shared.permissions import Permission, requires
from ._shared.reference_images import ReferencesPanel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..journal.budgets import Budget
    from ..journal.generated_image import GeneratedImage
    from ..models import GenerationModel, Snapshot

#: Seconds between a change and the request for its price.
PRICE_DELAY_SECONDS = 0.25


class PromptForm(ReferencesPanel):
    """A form that requests an image: prompt, model, parameters, price and `Generate`.

    Models and parameters come from the service (`GET /capabilities`). Ctrl+Enter (or Cmd+Enter) has
    the same effect as `Generate`. While its job is running, the form is disabled, so that a double
    click is not charged twice.

    If the model accepts reference images, files can be dropped on the form or chosen;
    `add_reference` adds images from Python.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default, a client with the key from the environment, or a sandbox.
    prompt : str
    model : str, optional
        A model's key; by default the service's first model.
    params : dict, optional
        Initial parameter values, by the API's names.
    budget : Budget or float, optional
        The maximum amount to spend; a number is US dollars per day.

    Examples
    --------
    >>> form = ww.PromptForm(prompt="A sunset over the ocean")
    >>> form

    After `Generate`, in the next cell: ``form.job.wait().media``.
    """

    _panel = view("prompt_form")
    _browser_traits = dict.fromkeys(("prompt", "model", "params"), Permission.GENERATE)

    prompt = traitlets.Unicode("").tag(sync=True)
    """The prompt. Typed text is copied here after a short delay, at the latest on `Generate`."""
    model = traitlets.Unicode("").tag(sync=True)
    """The selected model's key."""
    params = traitlets.Dict().tag(sync=True)
    """The parameter values, by the API's names."""
    models: Any = traitlets.List().tag(sync=True)
    """The service's models, each with its form fields; loaded in the background."""
    price = traitlets.Unicode("").tag(sync=True)
    """The price of one image, as text."""
    state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"``, ``"unavailable"``, ``"ready"``, ``"sending"``, ``"running"``; or
    ``"unknown"`` after a request whose outcome is unknown."""

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        prompt: str = "",
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        budget: Budget | float | None = None,
        **traits: Any,
    ) -> None:
        self._budget = budgets.as_budget(budget)
        self._fields: dict[str, list[parameters.Field]] = {}
        self._limits: dict[str, tuple[reference_limits.ReferenceLimit, str]] = {}
        self._without_prompt: set[str] = set()  # models that need none
        self._job: Job | None = None
        self._unknown: OutcomeUnknownError | None = None
        self._early: Mapping[str, Any] | None = None
        self._listeners: list[Callable[[Job], object]] = []
        self._prices: dict[bytes, str] = {}
        self._pricing: asyncio.Task[None] | None = None
        super().__init__(
            wonda, prompt=prompt, model=model or "", params=dict(params or {}), **traits
        )
        self.observe(lambda _: event_loop.call_soon(self._update_price), ["model", "params"])
        self.observe(lambda _: event_loop.call_soon(self._update_references_message), "model")
        event_loop.call_soon(self._load)

    @property
    def job(self) -> Job | None:
        """The latest job of this form; None before the first."""
        return self._job

    @property
    def is_working(self) -> bool:
        """See `Panel.is_working`."""
        return self.state in {"sending", "running"}

    def on_job(self, listener: Callable[[Job], object]) -> None:
        """Call `listener` on the package's loop with each new job."""
        self._listeners.append(listener)

    def fill(self, image: GeneratedImage) -> None:
        """Copy an image's prompt, model and parameters into the form; return immediately."""
        with self.hold_sync():
            self.prompt = image.prompt
            if image.model:
                self.model = image.model
            found = self._fields.get(self.model)
            # Parameters without a value are shown with the model's default.
            self.params = (
                parameters.params_to_send(found, image.params) if found else dict(image.params)
            )

    def submit(self) -> None:
        """Generate with the current values, as `Generate` does; return immediately."""
        content = {"prompt": self.prompt, "model": self.model, "params": dict(self.params)}
        event_loop.call_soon(lambda: self._catch_errors(self._submit_from_code, content))

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        params = ", ".join(f"{name} {value}" for name, value in self.params.items())
        return [("Prompt", self.prompt), ("Model", self.model), ("Parameters", params)]

    # ------------------------------------------------------------ models

    def _load(self) -> None:
        if not self._closed:
            self.state = "loading"
            self.error = None
            self._start(self._load_models)

    @requires(Permission.GENERATE)
    def _on_reload(self, _content: object) -> None:
        if self.state == "unavailable":
            self._load()

    async def _available_models(self) -> list[GenerationModel]:
        models = (await self._client.capabilities()).image_models
        if not models:
            raise WondaError(
                "This account has no image models.", "Check its plan in your Wonda settings."
            )
        return models

    async def _load_models(self) -> None:
        try:
            models = await self._available_models()
        except Exception:
            self._early = None  # `Try again` must not generate anything
            self.state = "unavailable"
            raise
        self._fields = {model.key: parameters.form_fields(model.params) for model in models}
        self._without_prompt = {
            model.key for model in models if not prompt_requirement.is_prompt_required(model)
        }
        self._limits = {
            model.key: (reference_limits.limit_for(model), model.name) for model in models
        }
        wanted, given = self.model, list(self.params)
        with self.hold_sync():
            self.models = [shown(model, self._fields[model.key]) for model in models]
            self.model = wanted if wanted in self._fields else models[0].key
            self.params = self._fitting(self.model, self.params)
            self.state = self._idle_state()
        self._update_references_message()
        if wanted and wanted not in self._fields:
            self.error = error_alerts.error_alert(
                InvalidInputError(
                    "model",
                    f"This account has no model {wanted!r}.",
                    f"{models[0].name} is selected instead; choose another from the list.",
                )
            )
        else:
            self._report_unknown_params(given)
        self._update_price()
        if self._early is not None:
            self._catch_errors(self._on_submit, self._early)

    def _report_unknown_params(self, given: list[str]) -> None:
        """Show an error for initial parameters that the model does not accept."""
        known = [field.name for field in self._fields[self.model]]
        for name in given:
            if name not in known:
                takes = f"It accepts {', '.join(known) or 'none'}."
                hint = suggestions.did_you_mean(name, known) or takes
                model = next(each["name"] for each in self.models if each["key"] == self.model)
                problem = InvalidInputError("params", f"{model} has no parameter {name!r}.", hint)
                self.error = {
                    **error_alerts.error_alert(problem),
                    "text": f"It was ignored. {hint}",
                }

    def _fitting(self, model: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the parameters that `model` accepts, with its defaults."""
        return {
            field.name: params.get(field.name, field.default)
            for field in self._fields[model]
            if params.get(field.name, field.default) is not None
        }

    def _limit(self, model: str) -> tuple[reference_limits.ReferenceLimit, str]:
        return self._limits.get(model, (reference_limits.ReferenceLimit(0, None), model))

    def _chosen_model(self) -> str:
        return str(self.model)

    # ------------------------------------------------------------ price

    def _update_price(self) -> None:
        if self._pricing is not None:
            self._pricing.cancel()
        if self.model in self._fields and not self._closed:
            self._pricing = self._start(self._show_price, self.model, dict(self.params))

    async def _show_price(self, model: str, params: dict[str, Any]) -> None:
        """Request the price once for each distinct selection; hide it if it is unavailable."""
        found = self._fields[model]
        if any(parameters.validation_message(field, params.get(field.name)) for field in found):
            self.price = ""
            return
        choice = parameters.params_to_send(found, params)
        asked = msgspec.json.encode([model, choice])
        if asked not in self._prices:
            self.price = ""  # the last price would be wrong
            await asyncio.sleep(PRICE_DELAY_SECONDS)
            try:
                estimate = await self._client.pricing.estimate(
                    model=model, prompt=self.prompt.strip() or None, params=choice
                )
            except WondaError:
                self.price = ""
                return
            self._prices[asked] = formatting.format_price(estimate.usd, estimate.estimated_credits)
        self.price = self._prices[asked]

    # ------------------------------------------------------------ submitting

    def _submit_from_code(self, content: Mapping[str, Any]) -> None:
        if self.state == "loading":
            self._early = content
        else:
            self._on_submit(content)

    @requires(Permission.GENERATE)
    def _on_submit(self, content: Mapping[str, Any]) -> None:
        # The state changes here, on the loop, before anything is sent, so a second click has no
        # effect, even in another tab.
        if self.state != "ready":
            return
        self.error = self._early = None
        prompt = str(content.get("prompt", ""))
        model = str(content.get("model") or self.model)
        params = content.get("params")
        params = params if isinstance(params, dict) else {}
        found = self._fields.get(model)
        if found is None:
            raise InvalidInputError("model", f"There is no model {model!r}.", "Choose another.")
        if not prompt.strip() and model not in self._without_prompt:
            raise InvalidInputError(
                "prompt", "The prompt is empty.", "Describe the image you want."
            )
        for field in found:
            problem = parameters.validation_message(field, params.get(field.name))
            if problem:
                raise InvalidInputError(f"params.{field.name}", problem)
        references = self._attachments(model)
        self.state = "sending"
        asked = prompt if prompt.strip() else None
        self._start(
            self._generate, asked, model, parameters.params_to_send(found, params), references
        )

    @requires(Permission.GENERATE)
    def _on_dismiss_unknown(self, _content: object) -> None:
        """Enable the form after the user has checked an unknown outcome."""
        if self.state == "unknown" and self._unknown is not None:
            self.state = "ready"
            self.error = None
            self._start(self._client.jobs.dismiss, self._unknown)

    async def _generate(
        self, prompt: str | None, model: str, params: dict[str, Any], references: list[str]
    ) -> None:
        try:
            job = await self._client.images.generate(
                model=model,
                prompt=prompt,
                params=params,
                attachment_media_ids=references,
                budget=self._budget,
            )
        except OutcomeUnknownError as error:
            self._unknown = error
            # An image may have been generated and charged, so the user must confirm first.
            self.state = "unknown"
            raise
        except BaseException:
            self.state = "ready"
            raise
        self.attach_job(job)

    def attach_job(self, job: Job) -> None:
        """Track a job as if this form had submitted it. Call this on the package's loop only."""
        self._job = job

        def release(_snapshot: Snapshot) -> None:
            if self._job is job and not self._closed and self.state in {"ready", "running"}:
                self.state = self._idle_state()

        if self.state != "loading":
            self.state = "running"
        self._subscription.replace(job.watch(release))
        for listener in self._listeners:
            self._catch_errors(listener, job)

    def _idle_state(self) -> str:
        """Return the state of the form when no request is being sent."""
        return "running" if self._job is not None and self._job.snapshot.watching else "ready"


def shown(model: GenerationModel, fields: list[parameters.Field]) -> dict[str, Any]:
    """Return the data of a model that the form needs."""
    return {
        "key": model.key,
        "name": model.name,
        "help": model.description or "",
        "fields": [msgspec.to_builtins(field) for field in fields],
        "most_references": reference_limits.limit_for(model).maximum,
        "needs_prompt": prompt_requirement.is_prompt_required(model),
    }
