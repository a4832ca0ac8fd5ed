"""Describe the size of a plan: ``"3 subjects × 4 lights × 1 model"``."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ...jobs.matrix import templates
from ...models import facts

if TYPE_CHECKING:
    from ...jobs.matrix.planning import Plan


def factors(plan: Plan) -> str:
    """Return what a plan combines, with the number of each."""
    request = plan.request
    if request.count is not None:
        parts = [(request.count, f"of {plan.total:,} combinations")]
    elif request.combine == "zip":
        parts = [(len(plan) // request.takes, "combination")]
    else:
        parts = _lists(plan)
        # Each template has its own placeholders, so their numbers cannot always be multiplied.
        if math.prod(count for count, _ in parts) != plan.total:
            parts = [(plan.total, "combination")]
    if request.takes > 1:
        parts.append((request.takes, "take"))
    return " × ".join(_counted(count, name) for count, name in parts)


def _lists(plan: Plan) -> list[tuple[int, str]]:
    request = plan.request
    counts = [(len(request.templates), "template")] if len(request.templates) > 1 else []
    if request.table:
        counts.append((len(request.table), "row"))
    counts += [(len(choices), name) for name, choices in request.values.items()]
    counts += [
        (len(choices), "alternative")
        for text in plan.templates.values()
        for choices in templates.lists_in_place(text).values()
    ]
    if request.models:
        counts.append((len(request.models), "model"))
    counts += [
        (len(choices), facts.label(f"params.{name}").lower())
        for name, choices in request.params.items()
        if len(choices) > 1
    ]
    return counts


def _counted(count: int, name: str) -> str:
    """Return a number with the plural of a name, by the simple English rules."""
    if count == 1 or name.endswith("s") or not name[-1].isalpha():
        plural = name
    elif name.endswith("y") and name[-2:-1] not in "aeiou":
        plural = f"{name[:-1]}ies"
    else:
        plural = f"{name}s"
    return f"{count:,} {plural}"
