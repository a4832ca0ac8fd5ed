"""Expand templates with their values, models and parameters into a plan, without side effects.

    `templates`, `tables`           read the templates and the table
    `plan_arguments`, `table_rows`  check the arguments and the table's rows
    `combining`                     combines them
    `make_plan`                     ──> Plan: one Cell for each image

All detectable mistakes are reported here, before anything is spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ...errors import InvalidInputError
from ...models import reference_limits
from ...utils import arguments
from ...utils.names import composed
from . import combining, plan_arguments, table_rows, tables, templates
from .combining import Combination, Factors, Product, TableRow
from .plan_arguments import SEED, TAKE, TEMPLATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...models import GenerationModel
    from .tables import Table


class Cell(msgspec.Struct, frozen=True):
    """One image of a plan.

    Attributes
    ----------
    index : int
    prompt, model : str
    params : dict
        With the API's names.
    values : dict
        Each placeholder's value; with several templates or takes, also ``template`` (its name) and
        ``take`` (``"1"``, ``"2"``, …).
    take : int
        Distinguishes equal requests; 1 for the first or only one.
    references : tuple of str
        Media IDs of the reference images.
    """

    index: int
    prompt: str
    model: str
    params: dict[str, Any]
    values: dict[str, str]
    take: int = 1
    references: tuple[str, ...] = ()


class MatrixRequest(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True
):
    """The arguments of `wonda.images.matrix`, from which a `Plan` can be recreated.

    The journal stores it as JSON, so its fields must not be renamed.

    Attributes
    ----------
    template : str
        A single template without a name; else empty.
    templates : dict
        Templates by name.
    values : dict
        Each placeholder's values.
    models : list of str
    params : dict
        Each parameter's values.
    attachment_media_ids : list of str
        Media IDs of reference images, for every cell.
    path : str
        The path of the requests; empty for images.
    takes : int
        How often each combination is generated.
    combine : str
        ``"product"``, ``"zip"`` or ``"random"``.
    count, seed : int
        Of a random sample.
    table : list of dict
    """

    template: str
    values: dict[str, list[str]]
    models: list[str]
    params: dict[str, list[Any]]
    attachment_media_ids: list[str]
    path: str = ""
    takes: int = 1
    templates: dict[str, str] = {}
    combine: str = "product"
    count: int | None = None
    seed: int = 0
    table: list[dict[str, Any]] = []


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The images or videos to generate.

    Attributes
    ----------
    cells : list of Cell
    request : MatrixRequest
        The arguments from which the plan was created.
    total : int
        The number of combinations, of which a random sample has only some.
    notes : list of str
        Sentences about images that are left out.
    """

    cells: list[Cell]
    request: MatrixRequest
    total: int = 0
    notes: list[str] = msgspec.field(default_factory=list)

    def __len__(self) -> int:
        return len(self.cells)

    @property
    def kind(self) -> str:
        """What is generated: ``"image"`` or ``"video"``."""
        return "video" if self.request.path else "image"

    @property
    def templates(self) -> dict[str, str]:
        """The templates by name; a single one without a name has an empty name."""
        return self.request.templates or {"": self.request.template}

    @property
    def template(self) -> str:
        """The first template."""
        return next(iter(self.templates.values()))

    @property
    def values(self) -> dict[str, list[str]]:
        """Each placeholder's values, including those of lists in place and of the table."""
        found: dict[str, dict[str, None]] = {}
        for cell in self.cells:
            for name, value in cell.values.items():
                found.setdefault(name, {})[value] = None
        return {name: list(values) for name, values in found.items()}


def make_plan(
    template: Any,
    values: Mapping[str, Any],
    models: Any,
    params: Mapping[str, Any],
    *,
    available: Iterable[GenerationModel],
    attachments: Sequence[str] = (),
    path: str = "",
    takes: int = 1,
    combine: str = "product",
    count: int | None = None,
    seed: int = 0,
    table: Table | None = None,
) -> Plan:
    """Create a plan of the combinations; the first placeholder varies slowest.

    A parameter is left out for models that do not accept it.

    Parameters
    ----------
    template : str, list of str or dict of str to str
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
    takes, combine, count, seed
        See `AsyncImages.matrix`.
    table : list of dict
        See `tables.read_table`.

    Raises
    ------
    InvalidInputError
        If an argument is missing, duplicated or not available; `field` names the argument.
    """
    texts = templates.read_templates(template)
    arguments.require_type(values, Mapping, "a dict of values per placeholder")
    arguments.require_type(params, Mapping, "a dict of values per parameter")
    values = {composed(str(name)): given for name, given in values.items()}
    plan_arguments.check_options(combine, count, seed, takes)
    takes, seed = int(takes), int(seed)  # NumPy's numbers cannot be stored
    count = None if count is None else int(count)
    offered = {model.key: model for model in available}
    names = templates.all_placeholders(texts.values())
    in_pairs = combine == "zip"
    rows = table or []
    chosen = plan_arguments.check_models(models, offered, rows, names, may_repeat=in_pairs)
    factors = Factors(
        templates=texts,
        values=plan_arguments.check_values(texts, values, rows, may_repeat=in_pairs),
        rows=table_rows.to_rows(rows, names, chosen, offered) if rows else [TableRow()],
        models=chosen,
        params={
            name: plan_arguments.check_list(f"params.{name}", name, given, may_repeat=in_pairs)
            for name, given in params.items()
        },
        accepts=lambda model, name: plan_arguments.accepts(offered[model], name),
    )
    if in_pairs:
        plan_arguments.check_size(combining.count_pairs(factors) * takes)
    used = [offered[key] for key in factors.used_models]
    plan_arguments.check_params(factors, offered, in_pairs=in_pairs)
    plan_arguments.check_facts(names, factors, takes)
    references = plan_arguments.as_list(
        "attachment_media_ids", "The list of references", attachments
    )

    product = combining.Product(factors)
    cells: dict[Any, Cell] = {}
    duplicates = 0
    for each in _combine(product, combine, count, seed, takes):
        model, sent = offered[each.model], (*references, *each.row.references)
        _check_references(sent, model, is_of_row=bool(each.row.references))
        for take in range(1, takes + 1):
            own_seed = _seed_of(each.params, model, take) if takes > 1 else {}
            cell = Cell(
                index=len(cells),
                prompt=each.prompt,
                model=each.model,
                params=each.params | own_seed,
                values=_facts(each, take, has_template=len(texts) > 1, has_take=takes > 1),
                take=take,
                references=sent,
            )
            # Cells with the same request are merged, so that no image is charged twice. Takes have
            # the same request only if they have no seeds.
            key = _request_key(cell), 1 if own_seed else take
            duplicates += (take == 1 or bool(own_seed)) and key in cells
            cells.setdefault(key, cell)
    unnamed = texts.get("", "")
    return Plan(
        cells=list(cells.values()),
        request=MatrixRequest(
            template=unnamed,
            templates={} if unnamed else texts,
            values=factors.values,
            models=chosen,
            params=factors.params,
            attachment_media_ids=references,
            path=path,
            takes=takes,
            combine=combine,
            count=count,
            seed=seed,
            table=rows,
        ),
        total=product.size,
        notes=[
            *plan_arguments.notes_on_params(factors.params, used),
            *_duplicates_note(duplicates),
        ],
    )


def _combine(
    product: Product, combine: str, count: int | None, seed: int, takes: int
) -> list[Combination]:
    """Return the combinations in the order of the plan.

    Raises
    ------
    InvalidInputError
        If there are too many, or fewer than a sample needs.
    """
    if count is not None:
        return _sample(product, count, seed, takes)
    if combine == "zip":
        return list(combining.pairs(product.factors))
    plan_arguments.check_size(product.size * takes)
    return list(product)


def _sample(product: Product, count: int, seed: int, takes: int) -> list[Combination]:
    drawn: dict[Any, tuple[int, Combination]] = {}
    if count <= product.size:
        plan_arguments.check_size(count * takes, is_sample=True)
        for place, each in product.sample(seed):
            key = (each.prompt, each.model, msgspec.json.encode(each.params), each.row.references)
            drawn.setdefault(key, (place, each))
            if len(drawn) == count:
                break
    if len(drawn) < count:
        available = f"{product.size:,}" if count > product.size else f"{len(drawn):,} different"
        raise InvalidInputError(
            "count",
            f"A sample of {count:,} is larger than the {available} combinations.",
            "Choose a smaller sample, or all combinations.",
        )
    return [each for _, each in sorted(drawn.values(), key=lambda item: item[0])]


def _facts(each: Combination, take: int, *, has_template: bool, has_take: bool) -> dict[str, str]:
    """Return what tells a cell from the others, beside its model and parameters."""
    facts = {TEMPLATE: each.template} if has_template else {}
    facts |= each.values
    if each.row.references:
        facts.setdefault(tables.REFERENCES, ", ".join(each.row.references))
    return facts | ({TAKE: str(take)} if has_take else {})


def _request_key(cell: Cell) -> Any:
    params = msgspec.json.encode(cell.params)
    return cell.prompt, cell.model, params, cell.references


def _seed_of(params: dict[str, Any], model: GenerationModel, take: int) -> dict[str, int]:
    """Return the seed of a take as a parameter; none if the model lists no such parameter.

    Raises
    ------
    InvalidInputError
        If the model does not accept it.
    """
    properties = model.params.get("properties")
    first = params.get(SEED, 1)
    if isinstance(first, float) and first.is_integer():
        first = int(first)
    if not (isinstance(properties, dict) and SEED in properties and plan_arguments.is_whole(first)):
        return {}
    own = first + take - 1
    rules = properties[SEED] if isinstance(properties[SEED], dict) else {}
    highest = rules.get("maximum")
    if isinstance(highest, int | float) and own > highest:
        raise InvalidInputError(
            f"params.{SEED}",
            f"Take {take} would have the seed {own}, and {model.name} accepts up to {highest:g}.",
            "Start with a lower seed.",
        )
    return {SEED: own}


def _check_references(sent: tuple[str, ...], model: GenerationModel, *, is_of_row: bool) -> None:
    problem = reference_limits.limit_for(model).message(len(sent), model.name) if sent else ""
    if problem:
        raise InvalidInputError(
            tables.FIELD if is_of_row else "references",
            problem,
            "" if "Remove" in problem else "Remove the reference images, or choose another model.",
        )


def _duplicates_note(count: int) -> list[str]:
    if not count:
        return []
    noun, verb = ("combination", "repeats") if count == 1 else ("combinations", "repeat")
    return [f"{count} more {noun} {verb} another request and will not be generated."]
