"""Expand a template with its values, models and parameters into a plan, without side effects.

    template, values, models, params ──> `make_plan` ──> Plan: one Cell for each image

All detectable mistakes are reported here, before anything is spent.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ...errors import InvalidInputError
from ...models import parameters
from ...utils import arguments, plain_values, suggestions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...models import GenerationModel

MAX_IMAGES = 1_000
TAKE = "take"  # the name of the number of a take among the values of a cell
SEED = "seed"  # a parameter of some models

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_PLACEHOLDER_NAME = re.compile(r"\w[\w -]*")


class Cell(msgspec.Struct, frozen=True):
    """One image of a plan.

    Attributes
    ----------
    index : int
    prompt, model : str
    params : dict
        With the API's names.
    values : dict
        Each placeholder's value; with several takes, also ``take``: ``"1"``, ``"2"``, ….
    take : int
        Distinguishes equal requests; 1 for the first or only one.
    """

    index: int
    prompt: str
    model: str
    params: dict[str, Any]
    values: dict[str, str]
    take: int = 1


class MatrixRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The arguments of `wonda.images.matrix`, from which a `Plan` can be recreated.

    The journal stores it as JSON, so its fields must not be renamed. ``path`` is that of the
    requests; it is empty for images.
    """

    template: str
    values: dict[str, list[str]]
    models: list[str]
    params: dict[str, list[Any]]
    attachment_media_ids: list[str]
    path: str = ""
    takes: int = 1


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The images or videos to generate.

    Attributes
    ----------
    cells : list of Cell
    template : str
    values : dict
        Each placeholder's values.
    models : list of str
    params : dict
        Each parameter's values.
    attachments : list of str
        Media IDs of reference images, for every cell.
    notes : list of str
        Sentences about images that are left out.
    path : str
        The path of the requests; empty for images.
    takes : int
        How often each combination is generated.
    """

    cells: list[Cell]
    template: str
    values: dict[str, list[str]]
    models: list[str]
    params: dict[str, list[Any]]
    attachments: list[str] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)
    path: str = ""
    takes: int = 1

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def kind(self) -> str:
        """What is generated: ``"image"`` or ``"video"``."""
        return "video" if self.path else "image"

    @property
    def request(self) -> MatrixRequest:
        """The arguments from which the plan was created."""
        return MatrixRequest(
            template=self.template,
            values=self.values,
            models=self.models,
            params=self.params,
            attachment_media_ids=self.attachments,
            path=self.path,
            takes=self.takes,
        )


def placeholders(template: str) -> list[str]:
    """Return the names in ``{braces}`` in order; ``{{`` and ``}}`` are literal braces.

    Raises
    ------
    InvalidInputError
        If a brace is unmatched, or the text in braces is not a name.
    """
    names = []
    for match in _BRACES.finditer(template):
        name = match.group(1)
        if match.group() in {"{{", "}}"}:
            continue
        if name is None or not _PLACEHOLDER_NAME.fullmatch(name.strip()):
            found = match.group()[:40]
            raise InvalidInputError(
                "template",
                f"Unmatched “{found}” in the template."
                if name is None
                else f"“{found}” in the template is not a placeholder.",
                "Write {subject} for a variable part, and {{ or }} for a brace.",
            )
        names.append(name.strip())
    return list(dict.fromkeys(names))


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """Replace each placeholder of a template with its value."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        return match.group()[0] if name is None else values[name.strip()]

    return _BRACES.sub(fill, template)


def make_plan(
    template: str,
    values: Mapping[str, Any],
    models: Any,
    params: Mapping[str, Any],
    *,
    available: Iterable[GenerationModel],
    attachments: Sequence[str] = (),
    path: str = "",
    takes: int = 1,
) -> Plan:
    """Create a plan of all combinations; the first placeholder varies slowest.

    A parameter is left out for models that do not accept it.

    Parameters
    ----------
    template : str
    values : dict
        Each placeholder's values.
    models : str or list of str
    params : dict
        Each parameter's value or values.
    available : iterable of GenerationModel
        The models that the service offers.
    attachments : sequence of str
        Media IDs of reference images.
    path : str
        The path of the requests; empty for images.
    takes : int
        How often each combination is generated. A model with a parameter ``seed`` gets a different
        one for each take.

    Raises
    ------
    InvalidInputError
        If an argument is missing, duplicated or not available; `field` names the argument.
    """
    if not isinstance(template, str) or not template.strip():
        raise InvalidInputError("template", "The prompt template is empty.", "Describe the result.")
    arguments.require_type(values, Mapping, "a dict of values per placeholder")
    arguments.require_type(params, Mapping, "a dict of values per parameter")
    placeholder_values = _placeholder_values(template, values)
    numbers = _take_numbers(takes, placeholder_values)
    offered = {model.key: model for model in available}
    chosen = _chosen_models(models, offered)
    settings = {
        name: _distinct_values(f"params.{name}", name, given) for name, given in params.items()
    }
    _check_settings(settings, chosen, offered)
    _check_size([chosen, *placeholder_values.values(), *settings.values(), list(numbers)])

    cells: dict[Any, Cell] = {}
    duplicates = 0
    for combination in itertools.product(*placeholder_values.values()):
        filled = dict(zip(placeholder_values, combination, strict=True))
        prompt = fill_template(template, filled)
        varied = itertools.product(chosen, itertools.product(*settings.values()), numbers)
        for model, setting, take in varied:
            cell_values = filled | ({TAKE: str(take)} if takes > 1 else {})
            cell_params = {
                name: value
                for name, value in zip(settings, setting, strict=True)
                if _takes(offered[model], name)
            }
            if takes > 1 and _has_seed(offered[model]):
                cell_params = {SEED: take, **cell_params}
            # Cells with the same request are merged, so that no image is charged twice.
            request = (prompt, model, msgspec.json.encode(cell_params), take)
            duplicates += request in cells and cells[request].values != cell_values
            cell = Cell(len(cells), prompt, model, cell_params, cell_values, take)
            cells.setdefault(request, cell)
    return Plan(
        cells=list(cells.values()),
        template=template,
        values=placeholder_values,
        models=chosen,
        params=settings,
        attachments=as_list("attachment_media_ids", "The list of references", attachments),
        notes=[*_notes(settings, chosen, offered), *_duplicates_note(duplicates)],
        path=path,
        takes=takes,
    )


def _take_numbers(takes: Any, values: Mapping[str, Any]) -> range:
    """Return the number of each take.

    Raises
    ------
    InvalidInputError
        If `takes` is no number above 0, or a placeholder has the name of a take's number.
    """
    if not isinstance(takes, int) or isinstance(takes, bool) or takes < 1:
        raise InvalidInputError("takes", "takes must be a whole number above 0.")
    if takes > 1 and TAKE in values:
        raise InvalidInputError(
            "template",
            "With several takes, no placeholder can be called {take}.",
            "Rename the placeholder.",
        )
    return range(1, takes + 1)


def _has_seed(model: GenerationModel) -> bool:
    """Return whether a model lists a parameter ``seed``."""
    properties = model.params.get("properties")
    return isinstance(properties, dict) and SEED in properties


def check_names(template: str, values: Iterable[str]) -> None:
    """Check that a template has a placeholder for each name.

    Raises
    ------
    InvalidInputError
    """
    names = placeholders(template)
    for name in values:
        if name not in names:
            suggestion = suggestions.did_you_mean(str(name), names)
            raise InvalidInputError(
                f"values.{name}",
                f"There is no {{{name}}} in the template.",
                suggestion or f"Write {{{name}}} in the template, or remove its values.",
            )


def as_list(field: str, name: str, given: Any) -> list[Any]:
    """Convert one value, a list, an array or a column into a list of plain Python values.

    None is a valid element: it selects the service's default.

    Parameters
    ----------
    field, name : str
        The argument, for the error's `field` and its message.
    given : Any

    Raises
    ------
    InvalidInputError
        If the argument is not iterable, or an element is a missing value, such as NaN.
    """
    given = plain_values.to_plain(given)
    if given is None or (isinstance(given, str) and not given):
        return []
    if isinstance(given, str | int | float) or plain_values.is_missing(given):
        given = [given]
    try:
        elements = [plain_values.to_plain(value) for value in given]
    except TypeError:
        raise InvalidInputError(field, f"{name} must be a list of values, not {given!r}.") from None
    for number, value in enumerate(elements, 1):
        if value is not None and plain_values.is_missing(value):
            raise InvalidInputError(
                field,
                f"Value {number} of {name} is empty ({value}).",
                "Give it a value or remove it.",
            )
    return elements


def _placeholder_values(template: str, values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Check each placeholder's values and return them as strings."""
    check_names(template, values)
    checked = {}
    for name in placeholders(template):
        field, label = f"values.{name}", f"{{{name}}}"
        given = _distinct_values(field, label, values.get(name))
        texts = [str(value) for value in given]
        for number, (value, text) in enumerate(zip(given, texts, strict=True), 1):
            if value is None or not text.strip():
                raise InvalidInputError(
                    field, f"Value {number} of {label} is empty.", "Give it a value or remove it."
                )
        _refuse_duplicates(field, label, texts)
        checked[name] = texts
    return checked


def _chosen_models(models: Any, offered: Mapping[str, GenerationModel]) -> list[str]:
    chosen = [str(model) for model in _distinct_values("models", "The model", models)]
    for model in chosen:
        if model not in offered:
            raise InvalidInputError(
                "models",
                f"There is no model {model!r}.",
                f"Available models: {', '.join(offered)}.",
            )
    return chosen


def _distinct_values(field: str, name: str, given: Any) -> list[Any]:
    """Return one or more values as a list without duplicates."""
    elements = as_list(field, name, given)
    if not elements:
        raise InvalidInputError(field, f"{name} has no values.", "Add at least one.")
    _refuse_duplicates(field, name, elements)
    return elements


def _refuse_duplicates(field: str, name: str, elements: list[Any]) -> None:
    seen: list[tuple[bool, Any]] = []
    for value in elements:
        key = (isinstance(value, bool), value)  # 1 and 1.0 make the same request; True does not
        if key in seen:
            raise InvalidInputError(
                field, f"{name} has “{value}” twice.", "The same request would be charged twice."
            )
        seen.append(key)


def _check_settings(
    settings: Mapping[str, list[Any]], chosen: Sequence[str], offered: Mapping[str, GenerationModel]
) -> None:
    fields = {
        key: {f.name: f for f in parameters.form_fields(offered[key].params)} for key in chosen
    }
    for name, values in settings.items():
        if not any(_takes(offered[key], name) for key in chosen):
            raise InvalidInputError(
                f"params.{name}",
                f"{_enumerate([offered[key].name for key in chosen])} has no {name!r}.",
            )
        for key, value in itertools.product(chosen, values):
            field = fields[key].get(name)
            problem = field and parameters.validation_message(field, value)
            if problem:
                hint = _accepted_by_all(values, [fields[each].get(name) for each in chosen])
                raise InvalidInputError(f"params.{name}", f"{offered[key].name}: {problem}", hint)


def _accepted_by_all(values: list[Any], fields: list[parameters.Field | None]) -> str:
    """Say which values to replace, and with which ones; empty if the models accept no list."""
    choices = [field.options for field in fields if field is not None and field.kind == "choice"]
    if len(choices) < 2:  # noqa: PLR2004 - a single model's message lists them
        return ""
    accepted = [option for option in choices[0] if all(option in each for each in choices)]
    wrong = [str(value) for value in values if value not in accepted]
    if not accepted or not wrong:
        return "Choose models that accept the same values."
    verb = "it" if len(wrong) == 1 else "them"
    names = ", ".join(map(str, accepted))
    return f"Remove {_enumerate(wrong)}, or replace {verb}. All chosen models accept {names}."


def _check_size(factors: list[list[Any]]) -> None:
    count = 1
    for factor in factors:
        count *= len(factor)
    if count > MAX_IMAGES:
        raise InvalidInputError(
            "values",
            f"This plan has more than {MAX_IMAGES:,} combinations.",
            "Use fewer values, or split the plan.",
        )


def _takes(model: GenerationModel, name: str) -> bool:
    """Return whether a model accepts a parameter; True if it does not list its parameters."""
    properties = model.params.get("properties")
    return not isinstance(properties, dict) or not properties or name in properties


def _notes(
    settings: Mapping[str, list[Any]], chosen: Sequence[str], offered: Mapping[str, GenerationModel]
) -> list[str]:
    notes = []
    for name, values in settings.items():
        without = [offered[key].name for key in chosen if not _takes(offered[key], name)]
        if without and len(values) > 1:
            label = parameters.humanize(name).lower()
            notes.append(
                f"{_enumerate(without)} has no {label}, so it generates one result for all values."
            )
    return notes


def _duplicates_note(count: int) -> list[str]:
    if not count:
        return []
    noun, verb = ("combination", "repeats") if count == 1 else ("combinations", "repeat")
    return [f"{count} more {noun} {verb} another request and will not be generated."]


def _enumerate(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
