"""`PromptForm`: prompt, model, parameters and price of an image or video, and `Generate`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import traitlets

from ..api import snippets
from ..errors import InvalidInputError, OutcomeUnknownError, WondaError
from ..journal import budgets
from ..models import parameters, prompt_requirement, reference_limits, require_image
from ..utils import event_loop, suggestions
from ._shared import error_alerts, formatting, saved_file
from ._shared.frontend import view
from ._shared.permissions import Permission, requires
from ._shared.reference_images import ReferencesPanel
from ._shared.saved_file import SavedFile
from ._shared.snippet_menu import SnippetMenu

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from ..client.wonda_client import AsyncWonda, Wonda
    from ..imaging.saved_settings import SavedSettings
    from ..jobs.job import Job
    from ..journal.budgets import Budget
    from ..journal.generated_image import GeneratedImage
    from ..models import GenerationModel, Media, Snapshot

KINDS = ("image", "video")

#: Seconds between a change and the request for its price.
PRICE_DELAY_SECONDS = 0.25


class PromptForm(SavedFile, SnippetMenu, ReferencesPanel):
    """A form that requests an image or a video: prompt, model, parameters, price and `Generate`.

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
    kind : str
        What is generated: ``"image"`` or ``"video"``.
    model : str, optional
        A model's key; by default the service's first model of that kind.
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
    _browser_traits = dict.fromkeys(("prompt", "kind", "model", "params"), Permission.GENERATE)

    prompt = traitlets.Unicode("").tag(sync=True)
    """The prompt. Typed text is copied here after a short delay, at the latest on `Generate`."""
    kind = traitlets.Enum(KINDS, "image").tag(sync=True)
    """What is generated: ``"image"`` or ``"video"``."""
    model = traitlets.Unicode("").tag(sync=True)
    """The selected model's key."""
    params = traitlets.Dict().tag(sync=True)
    """The parameter values, by the API's names."""
    models: Any = traitlets.List().tag(sync=True)
    """The service's models, each with its form fields; loaded in the background."""
    price = traitlets.Unicode("").tag(sync=True)
    """The price of one image or video, as text."""
    note = traitlets.Unicode("").tag(sync=True)
    """Where to find the result, if no other panel shows it; else empty."""
    state = traitlets.Unicode("loading").tag(sync=True)
    """``"loading"``, ``"unavailable"``, ``"ready"``, ``"sending"``, ``"running"``; or
    ``"unknown"`` after a request whose outcome is unknown."""

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        prompt: str = "",
        kind: str = "image",
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        budget: Budget | float | None = None,
        **traits: Any,
    ) -> None:
        self._budget = budgets.as_budget(budget)
        self._choices: dict[tuple[str, str], _Choice] = {}  # by kind and model key
        self._after_loading: Callable[[], object] | None = None
        self._job: Job | None = None
        self._unknown: OutcomeUnknownError | None = None
        self._early: Mapping[str, Any] | None = None
        self._listeners: list[Callable[[Job], object]] = []
        self._prices: dict[bytes, str] = {}
        self._pricing: asyncio.Task[None] | None = None
        super().__init__(
            wonda,
            prompt=prompt,
            kind=kind,
            model=model or "",
            params=dict(params or {}),
            **traits,
        )
        self.observe(
            lambda _: event_loop.call_soon(self._update_price), ["kind", "model", "params"]
        )
        self.observe(
            lambda _: event_loop.call_soon(self._update_references_message), ["kind", "model"]
        )
        event_loop.call_soon(self._load)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        wonda: Wonda | AsyncWonda | None = None,
        **options: Any,
    ) -> PromptForm:
        """Open a form with the prompt, model and parameters of a saved image.

        Of a file from AUTOMATIC1111's web UI, only the prompt is used. The form says what the model
        no longer accepts.

        Parameters
        ----------
        path : str or path
            A PNG, JPEG or WebP file that `Save`, `Download` or `history.export` wrote.
        wonda, **options
            As of the class.

        Raises
        ------
        InvalidInputError
            If the file cannot be read, or does not say how it was generated.

        Examples
        --------
        >>> folder = wonda.history.export(images, "harbor")
        >>> form = ww.PromptForm.from_file(next(folder.glob("*.png")))
        """
        settings, name = saved_file.read_path(path)
        form = cls(wonda, **options)
        event_loop.call_soon(lambda: form._use_settings(settings, name))
        return form

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
            self.prompt = snippets.literal(image.prompt)
            if image.model:
                self.kind = "video" if image.media.is_video else "image"
                self.model = image.model
            choice = self._choice()
            found = choice.fields if choice else None
            # Parameters without a value are shown with the model's default.
            self.params = (
                parameters.params_to_send(found, image.params) if found else dict(image.params)
            )

    def _use_settings(self, settings: SavedSettings, name: str) -> None:
        if self.state == "loading":
            self._after_loading = lambda: self._use_settings(settings, name)
            return
        self._remember("prompt", "kind", "model", "params")
        found = next((key for key in self._choices if key[1] == settings.model), None)
        choice = self._choices.get(found) if found else None
        params, refused = saved_file.split_params(choice and choice.model, settings.params)
        with self.hold_sync():
            self.prompt = snippets.literal(settings.prompt)
            if found and choice:
                self.kind, self.model = found
                self.params = choice.fitting(params)
            model = choice.model.name if choice else ""
            self.file_note = saved_file.note(name, settings, model, refused)

    def animate(self, media: Media, *, thumb: bytes = b"") -> None:
        """Prepare a video that starts with an image. Call this on the package's loop only.

        Parameters
        ----------
        media : Media
        thumb : bytes, optional
            A thumbnail to show.

        Raises
        ------
        InvalidInputError
            If the media is a video.
        """
        require_image(media, "animated")
        if self.state == "loading":
            self._after_loading = lambda: self.animate(media, thumb=thumb)
            return
        accepting = [
            key for key, each in self._choices.items() if key[0] == "video" and each.takes_images
        ]
        if not accepting:
            self.error = error_alerts.error_alert(
                InvalidInputError(
                    "model",
                    "This account has no video model that accepts an image.",
                    "Choose another model, or generate a video from a prompt.",
                )
            )
            return
        if (self.kind, self.model) not in accepting:
            self._select(*accepting[0])
        self.add_reference(media, name="Start image", thumb=thumb, first=True)

    def _select(self, kind: str, model: str) -> None:
        with self.hold_sync():
            self.kind, self.model = kind, model
            self.params = self._choices[kind, model].fitting(self.params)

    def submit(self) -> None:
        """Generate with the current values, as `Generate` does; return immediately."""
        content = {
            "prompt": self.prompt,
            "kind": self.kind,
            "model": self.model,
            "params": dict(self.params),
        }
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

    async def _available_models(self) -> list[tuple[str, GenerationModel]]:
        models = (await self._client.capabilities()).models
        if not models:
            raise WondaError(
                "This account has no models.", "Check its plan in your Wonda settings."
            )
        return models

    async def _load_models(self) -> None:
        try:
            models = await self._available_models()
        except Exception:
            self._early = None  # `Try again` must not generate anything
            self.state = "unavailable"
            raise
        self._choices = {(kind, model.key): _Choice.of(model) for kind, model in models}
        wanted, given = self.model, list(self.params)
        of_kind = [key for key in self._choices if key[0] == self.kind] or list(self._choices)
        chosen = (self.kind, wanted)
        if not wanted or chosen not in self._choices:
            others = [key for key in self._choices if key[1] == wanted]
            chosen = (others or of_kind)[0]
        with self.hold_sync():
            self.models = [shown(model, _Choice.of(model).fields, kind) for kind, model in models]
            self._select(*chosen)
            self.state = self._idle_state()
        self._update_references_message()
        await self._load_snippets()
        if wanted and wanted != self.model:
            self.error = error_alerts.error_alert(
                InvalidInputError(
                    "model",
                    f"This account has no model {wanted!r}.",
                    f"{self._choices[chosen].model.name} is selected instead; choose another from "
                    "the list.",
                )
            )
        else:
            self._report_unknown_params(given)
        if self._after_loading is not None:
            self._after_loading()
            self._after_loading = None
        self._update_price()
        if self._early is not None:
            self._catch_errors(self._on_submit, self._early)

    def _report_unknown_params(self, given: list[str]) -> None:
        """Show an error for initial parameters that the model does not accept."""
        choice = self._choices[self.kind, self.model]
        known = [field.name for field in choice.fields]
        for name in given:
            if name not in known:
                takes = f"It accepts {', '.join(known) or 'none'}."
                hint = suggestions.did_you_mean(name, known) or takes
                problem = InvalidInputError(
                    "params", f"{choice.model.name} has no parameter {name!r}.", hint
                )
                self.error = {
                    **error_alerts.error_alert(problem),
                    "text": f"It was ignored. {hint}",
                }

    def _choice(self) -> _Choice | None:
        return self._choices.get((str(self.kind), self.model))

    def _limit(self, model: str) -> tuple[reference_limits.ReferenceLimit, str]:
        choice = self._choices.get((str(self.kind), model))
        if choice is None:
            return reference_limits.ReferenceLimit(0, None), model
        return choice.limit, choice.model.name

    def _chosen_model(self) -> str:
        return str(self.model)

    # ------------------------------------------------------------ price

    def _update_price(self) -> None:
        if self._pricing is not None:
            self._pricing.cancel()
        choice = self._choice()
        if choice is not None and not self._closed:
            self._pricing = self._start(
                self._show_price, choice.fields, self.model, dict(self.params)
            )

    async def _show_price(
        self, found: list[parameters.Field], model: str, params: dict[str, Any]
    ) -> None:
        """Request the price once for each distinct selection; hide it if it is unavailable."""
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
        kind = str(content.get("kind") or self.kind)
        params = content.get("params")
        params = params if isinstance(params, dict) else {}
        choice = self._choices.get((kind, model))
        if choice is None:
            raise InvalidInputError("model", f"There is no model {model!r}.", "Choose another.")
        if kind != self.kind:  # the page sends both; the limits below are those of this kind
            self._select(kind, model)
        if not prompt.strip() and choice.needs_prompt:
            raise InvalidInputError(
                "prompt", "The prompt is empty.", f"Describe the {kind} you want."
            )
        for field in choice.fields:
            problem = parameters.validation_message(field, params.get(field.name))
            if problem:
                raise InvalidInputError(f"params.{field.name}", problem)
        references = self._attachments(model)
        self.state = "sending"
        asked = prompt if prompt.strip() else None
        sent = parameters.params_to_send(choice.fields, params)
        self._start(self._generate, kind, asked, model, sent, references)

    @requires(Permission.GENERATE)
    def _on_dismiss_unknown(self, _content: object) -> None:
        """Enable the form after the user has checked an unknown outcome."""
        if self.state == "unknown" and self._unknown is not None:
            self.state = "ready"
            self.error = None
            self._start(self._client.jobs.dismiss, self._unknown)

    async def _generate(
        self,
        kind: str,
        prompt: str | None,
        model: str,
        params: dict[str, Any],
        references: list[str],
    ) -> None:
        resource = self._client.videos if kind == "video" else self._client.images
        try:
            filled = await self._client.snippets.fill(prompt) if prompt is not None else None
            job = await resource.generate(
                model=model,
                prompt=filled,
                params=params,
                attachment_media_ids=references,
                budget=self._budget,
            )
        except OutcomeUnknownError as error:
            self._unknown = error
            # An image or video may have been generated and charged, so the user must confirm first.
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
                self.note = self._note_on(job)

        if self.state != "loading":
            self.state = "running"
        self.note = self._note_on(job)
        self._subscription.replace(job.watch(release))
        for listener in self._listeners:
            self._catch_errors(listener, job)

    def _note_on(self, job: Job) -> str:
        """Return where to find the result of a job that no other panel shows."""
        if self._listeners:
            return ""
        if job.snapshot.status == "succeeded":
            return "Done. The form’s `job.media` is the result."
        if job.snapshot.terminal or job.snapshot.error:
            return "No result. The form’s `job` says why."
        return "Generating. The form’s `job` is the running job."

    def _idle_state(self) -> str:
        """Return the state of the form when no request is being sent."""
        return "running" if self._job is not None and self._job.snapshot.watching else "ready"


class _Choice(NamedTuple):
    """A model, and what the form knows about it."""

    model: GenerationModel
    fields: list[parameters.Field]
    limit: reference_limits.ReferenceLimit
    needs_prompt: bool

    @classmethod
    def of(cls, model: GenerationModel) -> _Choice:
        """Read what the form needs from a model's capabilities."""
        return cls(
            model,
            parameters.form_fields(model.params),
            reference_limits.limit_for(model),
            prompt_requirement.is_prompt_required(model),
        )

    @property
    def takes_images(self) -> bool:
        """Whether the model accepts at least one image."""
        return self.limit.maximum != 0

    def fitting(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of the parameters that the model accepts, with its defaults."""
        values = {field.name: self._value(field, params) for field in self.fields}
        return {name: value for name, value in values.items() if value is not None}

    @staticmethod
    def _value(field: parameters.Field, params: Mapping[str, Any]) -> Any:
        """Return a value, or the default if the model has no such choice."""
        value = params.get(field.name, field.default)
        return value if not field.options or value in field.options else field.default


def shown(
    model: GenerationModel, fields: list[parameters.Field], kind: str = "image"
) -> dict[str, Any]:
    """Return the data of a model that the form needs."""
    return {
        "key": model.key,
        "kind": kind,
        "name": model.name,
        "help": model.description or "",
        "fields": [msgspec.to_builtins(field) for field in fields],
        "most_references": reference_limits.limit_for(model).maximum,
        "needs_prompt": prompt_requirement.is_prompt_required(model),
    }
