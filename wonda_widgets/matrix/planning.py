"""What a matrix will make, before anything is made: pure functions.

    template, values, models, params ──> `planned` ──> Plan: one Cell an image

Everything that can be known to be wrong is said here, so that nothing is spent on it.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InvalidInputError
from ..models import parameters
from ..utils import plain_values, suggestions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..models import ImageModel

MOST = 1_000  # images

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"\w[\w -]*")


class Cell(msgspec.Struct, frozen=True):
    """One image of a plan.

    Attributes
    ----------
    index : int
    prompt, model : str
    params : dict
        By the API's names.
    values : dict
        Each placeholder's value.
    """

    index: int
    prompt: str
    model: str
    params: dict[str, Any]
    values: dict[str, str]


class MatrixRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `wonda.images.matrix` was given; a `Plan` can be made of it again."""

    template: str
    values: dict[str, list[str]]
    models: list[str]
    params: dict[str, list[Any]]
    attachment_media_ids: list[str]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What will be made.

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
        Media ids of reference images, for every cell.
    notes : list of str
        What a person should know, as sentences.
    """

    cells: list[Cell]
    template: str
    values: dict[str, list[str]]
    models: list[str]
    params: dict[str, list[Any]]
    attachments: list[str] = msgspec.field(default_factory=list)
    notes: list[str] = msgspec.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def asked(self) -> MatrixRequest:
        """What it was made of."""
        return MatrixRequest(
            template=self.template,
            values=self.values,
            models=self.models,
            params=self.params,
            attachment_media_ids=self.attachments,
        )


def placeholders(template: str) -> list[str]:
    """The names in ``{braces}``, in their order; ``{{`` and ``}}`` are braces themselves.

    Raises
    ------
    InvalidInputError
        If a brace stands alone or what is in braces is no name.
    """
    found = []
    for match in _BRACES.finditer(template):
        name = match.group(1)
        if match.group() in {"{{", "}}"}:
            continue
        if name is None or not _NAME.fullmatch(name.strip()):
            raise InvalidInputError(
                "template",
                f"“{match.group()[:40]}” in the template is no placeholder.",
                "Write {subject} for something that varies, and {{ or }} for a brace.",
            )
        found.append(name.strip())
    return list(dict.fromkeys(found))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The template with a value for each placeholder."""

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
    known: Iterable[ImageModel],
    attachments: Sequence[str] = (),
) -> Plan:
    """Every combination, as a plan; the first placeholder varies slowest.

    A parameter that one of several models does not take is left out for that model.

    Raises
    ------
    InvalidInputError
        If something is missing, there twice, or not offered; its `field` says where.
    """
    if not isinstance(template, str) or not template.strip():
        raise InvalidInputError("template", "The prompt template is empty.", "Describe an image.")
    varied = _varied(template, values)
    offered = {model.key: model for model in known}
    chosen = _models(models, offered)
    settings = {name: _listed(f"params.{name}", name, given) for name, given in params.items()}
    fields = {
        key: {f.name: f for f in parameters.form_fields(offered[key].params)} for key in chosen
    }
    _check_settings(settings, chosen, offered, fields)

    count = len(chosen)
    for some in (*varied.values(), *settings.values()):
        count *= len(some)
        if count > MOST:
            raise InvalidInputError(
                "values",
                f"This plan has more than {MOST:,} images.",
                "Take fewer values, or make it in parts.",
            )
    cells: dict[Any, Cell] = {}
    merged = 0
    for combination in itertools.product(*varied.values()):
        of = dict(zip(varied, combination, strict=True))
        prompt = filled(template, of)
        for model, setting in itertools.product(chosen, itertools.product(*settings.values())):
            takes = {
                name: value
                for name, value in zip(settings, setting, strict=True)
                if _takes(offered[model], name)
            }
            # What is asked for counts: the same image is never paid for twice.
            alike = (prompt, model, msgspec.json.encode(takes))
            merged += alike in cells and cells[alike].values != of
            cells.setdefault(alike, Cell(len(cells), prompt, model, takes, of))
    return Plan(
        cells=list(cells.values()),
        template=template,
        values=varied,
        models=chosen,
        params=settings,
        attachments=elements("attachment_media_ids", "The list of references", attachments),
        notes=[*_notes(settings, chosen, offered), *_merged(merged)],
    )


def check_names(template: str, values: Iterable[str]) -> None:
    """See that a template has a placeholder for each name of some values.

    Raises
    ------
    InvalidInputError
    """
    names = placeholders(template)
    for name in values:
        if name not in names:
            meant = suggestions.did_you_mean(name, names)
            raise InvalidInputError(
                f"values.{name}",
                f"There is no {{{name}}} in the template.",
                meant or f"Write {{{name}}} where its values belong, or take them away.",
            )


def _varied(template: str, values: Mapping[str, Any]) -> dict[str, list[str]]:
    """Each placeholder's values, checked."""
    check_names(template, values)
    names = placeholders(template)
    varied = {}
    for name in names:
        listed = _listed(f"values.{name}", f"{{{name}}}", values.get(name))
        given = [str(value) for value in listed]
        for number, value in enumerate(given, 1):
            if listed[number - 1] is None or not value.strip():
                raise InvalidInputError(
                    f"values.{name}",
                    f"Value {number} of {{{name}}} is empty.",
                    "Fill it in or take it out.",
                )
        _no_doubles(f"values.{name}", f"{{{name}}}", given)
        varied[name] = given
    return varied


def _models(models: Any, offered: Mapping[str, ImageModel]) -> list[str]:
    chosen = [str(model) for model in _listed("models", "The model", models)]
    for model in chosen:
        if model not in offered:
            raise InvalidInputError(
                "models", f"There is no model {model!r}.", f"There are: {', '.join(offered)}."
            )
    return chosen


def _listed(field: str, name: str, given: Any) -> list[Any]:
    """One value or several, as a list that has some and none twice."""
    listed = elements(field, name, given)
    if not listed:
        raise InvalidInputError(field, f"{name} has no values.", "Add one or more.")
    _no_doubles(field, name, listed)
    return listed


def elements(field: str, name: str, given: Any) -> list[Any]:
    """One value or several, of a list, an array or a column, as a list of plain Python.

    Raises
    ------
    InvalidInputError
        If there is none to go through, or one stands for nothing, as not-a-number does; the
        message says which. None is taken: a parameter may be left to the service.
    """
    given = plain_values.to_plain(given)
    if given is None or (isinstance(given, str) and not given):
        return []
    if isinstance(given, str | int | float) or plain_values.is_missing(given):
        given = [given]
    try:
        listed = [plain_values.to_plain(value) for value in given]
    except TypeError:
        raise InvalidInputError(field, f"{name} takes a list of values, not {given!r}.") from None
    for number, value in enumerate(listed, 1):
        if value is not None and plain_values.is_missing(value):
            raise InvalidInputError(
                field, f"Value {number} of {name} is empty ({value}).", "Fill it in or take it out."
            )
    return listed


def _no_doubles(field: str, name: str, listed: list[Any]) -> None:
    seen: list[tuple[bool, Any]] = []
    for value in listed:
        # 1 and 1.0 ask for the same; True does not.
        if (isinstance(value, bool), value) in seen:
            raise InvalidInputError(
                field, f"{name} has “{value}” twice.", "The same image would be paid for twice."
            )
        seen.append((isinstance(value, bool), value))


def _takes(model: ImageModel, name: str) -> bool:
    """Whether a model takes a parameter; of one that does not say, presumably."""
    properties = model.params.get("properties")
    return not isinstance(properties, dict) or not properties or name in properties


def _check_settings(
    settings: Mapping[str, list[Any]],
    chosen: Sequence[str],
    offered: Mapping[str, ImageModel],
    fields: Mapping[str, Mapping[str, parameters.Field]],
) -> None:
    for name, some in settings.items():
        if not any(_takes(offered[key], name) for key in chosen):
            raise InvalidInputError(
                f"params.{name}",
                f"{_enumerated([offered[key].name for key in chosen])} takes no {name!r}.",
            )
        for key, value in itertools.product(chosen, some):
            field = fields[key].get(name)
            problem = field and parameters.validation_message(field, value)
            if problem:
                raise InvalidInputError(f"params.{name}", f"{offered[key].name}: {problem}")


def _notes(
    settings: Mapping[str, list[Any]], chosen: Sequence[str], offered: Mapping[str, ImageModel]
) -> list[str]:
    notes = []
    for name, some in settings.items():
        without = [offered[key].name for key in chosen if not _takes(offered[key], name)]
        if without and len(some) > 1:
            label = parameters.humanize(name).lower()
            notes.append(f"{_enumerated(without)} has no {label}, so it is made once for all.")
    return notes


def _merged(count: int) -> list[str]:
    if not count:
        return []
    return [f"{count} more would ask for the same as another one, so they are not made."]


def _enumerated(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
