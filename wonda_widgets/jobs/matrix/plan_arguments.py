"""Check the arguments of a plan, and return them as plain values."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInputError
from ...models import parameters
from ...utils import plain_values
from . import combining, templates
from .tables import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...models import GenerationModel
    from .combining import Factors
    from .tables import Table

MAX_IMAGES = 1_000
MAX_TAKES = 100  # of a combination
SEED = "seed"  # a parameter of some models
#: Facts of a cell beside the values of its placeholders.
TAKE, TEMPLATE = "take", "template"


def check_options(combine: Any, count: Any, seed: Any, takes: Any) -> None:
    """Check how values are combined; parameters as of `make_plan`.

    Raises
    ------
    InvalidInputError
    """
    if not isinstance(combine, str) or combine not in combining.COMBINE:
        known = ", ".join(map(repr, combining.COMBINE))
        raise InvalidInputError("combine", f"combine must be one of {known}, not {combine!r}.")
    if (combine == "random") != (count is not None):
        raise InvalidInputError(
            "count",
            "A random sample needs its size: pass count=."
            if count is None
            else 'count is the size of a random sample: pass combine="random" with it.',
        )
    check_takes(takes)
    if count is not None and (not is_whole(count) or count < 1):
        raise InvalidInputError("count", "count must be a whole number above 0.")
    if not is_whole(seed):
        raise InvalidInputError("seed", "seed must be a whole number.")


def check_takes(takes: Any) -> None:
    """Check how often each combination is to be generated.

    Raises
    ------
    InvalidInputError
    """
    if not is_whole(takes) or not 1 <= takes <= MAX_TAKES:
        raise InvalidInputError("takes", f"takes must be a whole number from 1 to {MAX_TAKES}.")


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number, also NumPy's, and no bool."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_facts(names: Iterable[str], factors: Factors, takes: int) -> None:
    """Check that takes and templates can be told apart.

    Parameters
    ----------
    names : iterable of str
        The placeholders of all templates.
    factors : Factors
    takes : int

    Raises
    ------
    InvalidInputError
        If a placeholder has the name of such a fact, or there are takes of several seeds.
    """
    for fact, count in {TAKE: takes, TEMPLATE: len(factors.templates)}.items():
        if count > 1 and fact in names:
            raise InvalidInputError(
                "template",
                f"With several {fact}s, no placeholder can be called {{{fact}}}.",
                "Rename the placeholder.",
            )
    if takes > 1 and len(factors.params.get(SEED, ())) > 1:
        raise InvalidInputError(
            f"params.{SEED}",
            "With several takes, there can be only one seed.",
            "Each take gets the next seed.",
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
    if isinstance(given, bytes) or hasattr(given, "__aiter__"):  # a matrix would be generated
        raise InvalidInputError(
            field, f"{name} must be a list of values, not {type(given).__name__}."
        )
    if given is None or (isinstance(given, str) and not given):
        return []
    if isinstance(given, str | int | float | Mapping) or plain_values.is_missing(given):
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


def check_list(field: str, name: str, given: Any, *, may_repeat: bool) -> list[Any]:
    """Return one or more values as a list; without duplicates unless they may repeat."""
    elements = as_list(field, name, given)
    if not elements:
        raise InvalidInputError(field, f"{name} has no values.", "Add at least one.")
    if not may_repeat:
        _refuse_duplicates(field, name, elements)
    return elements


def _refuse_duplicates(field: str, name: str, elements: list[Any]) -> None:
    seen: set[Any] = set()
    for value in elements:
        # 1 and 1.0 make the same request; True does not.
        plain = value if isinstance(value, Hashable) else repr(value)
        key = (isinstance(value, bool), plain)
        if key in seen:
            raise InvalidInputError(
                field, f"{name} has “{value}” twice.", "The same request would be charged twice."
            )
        seen.add(key)


def check_values(
    texts: Mapping[str, str], values: Mapping[str, Any], table: Table, *, may_repeat: bool
) -> dict[str, list[str]]:
    """Check the values of each placeholder that is no column, and return them as strings."""
    templates.check_names(texts.values(), values)
    checked = {}
    for name in templates.all_placeholders(texts.values()):
        field, label = f"values.{name}", f"{{{name}}}"
        if table and name in table[0]:
            if as_list(field, label, values.get(name)):
                raise InvalidInputError(
                    field, f"{label} has values and is a column of the table.", "Remove one."
                )
            continue
        given = check_list(field, label, values.get(name), may_repeat=may_repeat)
        texts_given = to_texts(field, label, given)
        if not may_repeat:
            _refuse_duplicates(field, label, texts_given)
        checked[name] = texts_given
    return checked


def to_texts(field: str, label: str, values: Sequence[Any]) -> list[str]:
    """Return the values of a placeholder as texts.

    Raises
    ------
    InvalidInputError
        If a value is empty, or neither text nor a number nor a date.
    """
    texts = []
    for number, value in enumerate(values, 1):
        text = "" if value is None else plain_values.to_text(value)
        if text is None:
            raise InvalidInputError(
                field,
                f"Value {number} of {label} is of the type {type(value).__name__}.",
                "Use text or a number.",
            )
        if not text.strip():
            raise InvalidInputError(
                field, f"Value {number} of {label} is empty.", "Give it a value or remove it."
            )
        texts.append(text)
    return texts


def check_models(
    models: Any,
    offered: Mapping[str, GenerationModel],
    table: Table,
    names: Sequence[str],
    *,
    may_repeat: bool,
) -> list[str]:
    """Return the models of the cells whose row of the table names none.

    Parameters
    ----------
    models : object
    offered : dict of str to GenerationModel
    table : list of dict
    names : sequence of str
        The placeholders. A column of that name has their values.
    may_repeat : bool
    """
    if table and MODEL not in names and all(row.get(MODEL) for row in table):
        if len(as_list("models", "models", models)) > 1:
            raise InvalidInputError(
                "models", "Each row of the table names its own model.", "Choose only one model."
            )
        return []
    chosen = [str(model) for model in check_list("models", "models", models, may_repeat=may_repeat)]
    for model in chosen:
        if model not in offered:
            raise InvalidInputError(
                "models",
                f"There is no model {model!r}.",
                f"Available models: {', '.join(offered)}.",
            )
    return chosen


def check_params(
    factors: Factors, offered: Mapping[str, GenerationModel], *, in_pairs: bool
) -> None:
    """Check each parameter's values with the models that are sent them.

    Raises
    ------
    InvalidInputError
        If no model accepts a parameter, a model does not accept a value, or the table has the
        parameter in each row.
    """
    models = [offered[key] for key in factors.used_models]
    for name, values in factors.params.items():
        if len(values) > 1 and all(name in row.params for row in factors.rows):
            raise InvalidInputError(
                f"params.{name}",
                f"{name} has several values and is a column of the table.",
                "Remove one.",
            )
        if not any(accepts(model, name) for model in models):
            raise InvalidInputError(
                f"params.{name}",
                f"{enumerate_names([model.name for model in models])} has no {name!r}.",
            )
    fields = {m.key: {f.name: f for f in parameters.form_fields(m.params)} for m in models}
    for name, key, value in _sent_in_pairs(factors) if in_pairs else _sent(factors):
        field = fields[key].get(name)
        problem = field and parameters.validation_message(field, value)
        if problem:
            hint = _accepted_by_all(
                factors.params[name], [fields[each.key].get(name) for each in models]
            )
            raise InvalidInputError(f"params.{name}", f"{offered[key].name}: {problem}", hint)


def _sent(factors: Factors) -> Iterator[tuple[str, str, Any]]:
    """Yield each parameter, model and value that are combined."""
    for name, values in factors.params.items():
        for model, value in itertools.product(factors.used_models, values):
            yield name, model, value


def _sent_in_pairs(factors: Factors) -> Iterator[tuple[str, str, Any]]:
    for each in combining.pairs(factors):
        for name in factors.params:
            if name in each.params and name not in each.row.params:
                yield name, each.model, each.params[name]


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
    return f"Remove {enumerate_names(wrong)}, or replace {verb}. All chosen models accept {names}."


def check_size(count: int, *, is_sample: bool = False) -> None:
    """Check that a plan is not too large; `count` includes the takes.

    Raises
    ------
    InvalidInputError
    """
    if count > MAX_IMAGES:
        raise InvalidInputError(
            "count" if is_sample else "values",
            f"This plan has more than {MAX_IMAGES:,} results.",
            "Choose a smaller sample, or fewer takes."
            if is_sample
            else "Use fewer values or takes, choose a random sample, or split the plan.",
        )


def accepts(model: GenerationModel, name: str) -> bool:
    """Return whether a model accepts a parameter; True if it does not list its parameters."""
    properties = model.params.get("properties")
    return not isinstance(properties, dict) or not properties or name in properties


def notes_on_params(
    params: Mapping[str, list[Any]], models: Sequence[GenerationModel]
) -> list[str]:
    """Return a sentence about each varied parameter that some models do not have."""
    notes = []
    for name, values in params.items():
        without = [model.name for model in models if not accepts(model, name)]
        if without and len(values) > 1:
            label = parameters.humanize(name).lower()
            names = enumerate_names(without)
            notes.append(f"{names} has no {label}, so it generates one result for all values.")
    return notes


def enumerate_names(names: list[str]) -> str:
    """Return ``"A, B and C"``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
