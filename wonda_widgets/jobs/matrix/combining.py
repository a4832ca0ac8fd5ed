"""Combine templates, rows of a table, values, models and parameters into requests.

"product"  each value with each other one
"zip"      the first values, the second values, …
"random"   a sample of the product
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ...errors import InvalidInputError
from .templates import fill_template, lists_in_place, placeholders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: A model and its parameters.
Variant = tuple[str, dict[str, Any]]

COMBINE = ("product", "zip", "random")
MAX_BLOCKS = 100_000  # templates times rows
MAX_SAMPLED = 10**15
MAX_DRAWS = 100_000  # for a sample of combinations of which many make the same request


class TableRow(msgspec.Struct, frozen=True):
    """A row of a table, by what its columns are.

    Attributes
    ----------
    values : dict
        The values of placeholders.
    params : dict
    model : str or None
    references : tuple of str
        Media IDs of reference images.
    """

    values: dict[str, str] = {}
    params: dict[str, Any] = {}
    model: str | None = None
    references: tuple[str, ...] = ()


class Combination(NamedTuple):
    """One request, before its takes.

    Attributes
    ----------
    template : str
        The template's name.
    prompt : str
    values : dict
        Each placeholder's value.
    row : TableRow
    model : str
    params : dict
    """

    template: str
    prompt: str
    values: dict[str, str]
    row: TableRow
    model: str
    params: dict[str, Any]


class Factors(msgspec.Struct, frozen=True):
    """What is combined.

    Attributes
    ----------
    templates : dict
        Texts by name.
    values : dict
        The values of each placeholder that the table does not have.
    rows : list of TableRow
        A single empty one without a table.
    models : list of str
    params : dict
        The values of each parameter.
    accepts : callable
        Returns whether a model, given by its key, accepts a parameter.
    """

    templates: dict[str, str]
    values: dict[str, list[str]]
    rows: list[TableRow]
    models: list[str]
    params: dict[str, list[Any]]
    accepts: Callable[[str, str], bool]

    @property
    def used_models(self) -> list[str]:
        """The models of all cells."""
        of_rows = [row.model for row in self.rows if row.model]
        is_needed = len(of_rows) < len(self.rows)
        return list(dict.fromkeys([*(self.models if is_needed else []), *of_rows]))

    def params_of(self, row: TableRow, model: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return the parameters that a model accepts; those of the row take precedence."""
        return {
            name: value
            for name, value in {**params, **row.params}.items()
            if self.accepts(model, name)
        }

    def combination(
        self, template: str, values: dict[str, str], row: TableRow, variant: Variant
    ) -> Combination:
        """Return the request of a template, given the value of each placeholder and list."""
        prompt = fill_template(self.templates[template], values)
        return Combination(template, prompt, values, row, *variant)


class _Block(NamedTuple):
    """All combinations of one template and one row; it is indexed like a list.

    Nothing is built until it is asked for: a block may have more combinations than fit in memory.
    """

    factors: Factors
    template: str
    row: TableRow
    values: dict[str, list[str]]
    variants: int  # the number of models, each with its combinations of parameters

    @property
    def size(self) -> int:
        return math.prod(map(len, self.values.values())) * self.variants

    def combination(self, index: int) -> Combination:
        """Return one combination; the first placeholder varies slowest."""
        index, variant = divmod(index, self.variants)
        return self.factors.combination(
            self.template, _choose(self.values, index), self.row, self._variant(variant)
        )

    def _variant(self, index: int) -> Variant:
        """Return one of the models with one of its combinations of parameters."""
        for model in _models(self.factors, self.row):
            own = _varied(self.factors, self.row, model)
            count = math.prod(map(len, own.values()))
            if index < count:
                return model, self.factors.params_of(self.row, model, _choose(own, index))
            index -= count
        raise IndexError(index)


def _choose(lists: dict[str, list[Any]], index: int) -> dict[str, Any]:
    """Return the values at one place of the product of lists; the first one varies slowest."""
    chosen = {}
    for name, values in reversed(lists.items()):
        index, place = divmod(index, len(values))
        chosen[name] = values[place]
    return {name: chosen[name] for name in lists}


def _models(factors: Factors, row: TableRow) -> list[str]:
    return [row.model] if row.model else factors.models


def _varied(factors: Factors, row: TableRow, model: str) -> dict[str, list[Any]]:
    """Return the values of each parameter that a model accepts and the row does not have."""
    return {
        name: values
        for name, values in factors.params.items()
        if name not in row.params and factors.accepts(model, name)
    }


def _variant_count(factors: Factors, row: TableRow) -> int:
    return sum(
        math.prod(map(len, _varied(factors, row, model).values()))
        for model in _models(factors, row)
    )


class Product:
    """Each value with each other one.

    Parameters
    ----------
    factors : Factors
    """

    def __init__(self, factors: Factors) -> None:
        self.factors = factors
        self._blocks = _blocks(factors)
        self._ends = list(itertools.accumulate(block.size for block in self._blocks))

    @property
    def size(self) -> int:
        """The number of combinations."""
        return self._ends[-1] if self._ends else 0

    def __iter__(self) -> Iterator[Combination]:
        for block in self._blocks:
            yield from map(block.combination, range(block.size))

    def _at(self, place: int) -> Combination:
        which = bisect.bisect_right(self._ends, place)
        start = self._ends[which - 1] if which else 0
        return self._blocks[which].combination(place - start)

    def sample(self, seed: int) -> Iterator[tuple[int, Combination]]:
        """Yield combinations in a random order, with their places in the product.

        The same seed results in the same order, in every version of Python.

        Raises
        ------
        InvalidInputError
            If there are too many combinations.
        """
        if self.size > MAX_SAMPLED:  # `random` could not reach each one
            raise InvalidInputError(
                "count",
                f"There are more than {MAX_SAMPLED:,} combinations.",
                "Use fewer lists of values.",
            )
        numbers = random.Random(seed)  # noqa: S311 - not for security
        drawn: set[int] = set()
        for _ in range(MAX_DRAWS):
            if len(drawn) == self.size:
                return
            # `random()` is the only method with a guaranteed sequence.
            place = min(int(numbers.random() * self.size), self.size - 1)
            if place not in drawn:
                drawn.add(place)
                yield place, self._at(place)


def _lists(factors: Factors) -> dict[str, list[Any]]:
    """Return the lists that are combined in pairs, by the arguments of `images.matrix`."""
    return {
        **{f"values.{name}": values for name, values in factors.values.items()},
        "models": factors.models,
        **{f"params.{name}": values for name, values in factors.params.items()},
        "table": factors.rows,
    }


def _count_places(lists: dict[str, list[Any]]) -> int:
    """Return the length of the lists.

    Raises
    ------
    InvalidInputError
        If they have different lengths.
    """
    several = {name: values for name, values in lists.items() if len(values) > 1}
    lengths = {name: len(values) for name, values in several.items()}
    if len(set(lengths.values())) > 1:
        first = next(iter(lengths))
        other = next(name for name in lengths if lengths[name] != lengths[first])
        raise InvalidInputError(
            other,
            _capitalized(f"{_label(first)} has {lengths[first]} values, and ")
            + f"{_label(other)} has {lengths[other]}.",
            "To combine them in pairs, give all lists the same length.",
        )
    return max(lengths.values(), default=1)


def count_pairs(factors: Factors) -> int:
    """Return the number of combinations of `pairs`.

    Raises
    ------
    InvalidInputError
        If the lists have different lengths.
    """
    in_place = (lists_in_place(text).values() for text in factors.templates.values())
    return _count_places(_lists(factors)) * sum(math.prod(map(len, each)) for each in in_place)


def pairs(factors: Factors) -> Iterator[Combination]:
    """Yield the first values, the second values, and so on; single values are used for all.

    Raises
    ------
    InvalidInputError
        If the lists have different lengths.
    """
    lists = _lists(factors)
    for place in range(_count_places(lists)):
        at = {
            name: values[place if len(values) > 1 else 0]
            for name, values in lists.items()
            if values
        }
        params = {name: at[f"params.{name}"] for name in factors.params}
        row: TableRow = at["table"]
        model = row.model or str(at["models"])
        for template, text in factors.templates.items():
            names, in_place = placeholders(text), lists_in_place(text)
            fixed = {name: row.values.get(name) or at[f"values.{name}"] for name in names}
            sent = factors.params_of(row, model, params)
            for choice in itertools.product(*in_place.values()):
                chosen = fixed | dict(zip(in_place, choice, strict=True))
                yield factors.combination(template, chosen, row, (model, sent))


def _blocks(factors: Factors) -> list[_Block]:
    if len(factors.templates) * len(factors.rows) > MAX_BLOCKS:
        raise InvalidInputError(
            "table",
            f"{len(factors.templates)} templates and {len(factors.rows):,} rows are too many.",
            "Use fewer templates, or a part of the table.",
        )
    variants: dict[Any, int] = {}  # rows with the same columns have the same number
    blocks = []
    for template, text in factors.templates.items():
        names, lists = placeholders(text), lists_in_place(text)
        for row in factors.rows:
            values = {
                name: [row.values[name]] if name in row.values else factors.values[name]
                for name in names
            }
            columns = row.model, frozenset(row.params)
            if columns not in variants:
                variants[columns] = _variant_count(factors, row)
            blocks.append(_Block(factors, template, row, values | lists, variants[columns]))
    return blocks


def _capitalized(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _label(field: str) -> str:
    """Return how an error names a list."""
    kind, _, name = field.partition(".")
    if kind == "values":
        return f"{{{name}}}"
    return name or {"models": "the list of models", "table": "the table"}[kind]
