"""What tells images of one prompt apart: values of placeholders, the model, and parameters.

A fact's name has a prefix, so that a placeholder and a parameter may have the same name:
``"values.light"``, ``"model"``, ``"params.aspectRatio"``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Facts = dict[str, str]

MAX_LABEL_LENGTH = 120  # characters
NUMBERED = ("values.take",)  # facts whose values are only numbers
IN_SECONDS = ("params.duration",)


def facts_of(values: Mapping[str, str], model: str, params: Mapping[str, Any]) -> Facts:
    """Return the facts of one image by name."""
    facts = {f"values.{name}": str(value) for name, value in values.items()}
    facts["model"] = model
    return facts | {f"params.{name}": str(value) for name, value in params.items()}


def values_of(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the values of placeholders among facts, by the names of the placeholders."""
    kind = "values."
    return {name.removeprefix(kind): text for name, text in facts.items() if name.startswith(kind)}


def label(name: str) -> str:
    """Return the display name of a fact."""
    kind, _, rest = name.partition(".")
    return {"values": rest, "params": parameters.humanize(rest)}.get(kind, "Model")


def value_text(name: str, value: str) -> str:
    """Return a fact's value as it is read without the fact's label: ``"take 2"``, ``"5 s"``."""
    if name in NUMBERED:
        return f"{label(name)} {value}"
    return f"{value} s" if name in IN_SECONDS else value[:MAX_LABEL_LENGTH]


def resolve(name: str, known: Iterable[str]) -> str:
    """Return a fact's full name for a full or short one; empty if there is no such fact."""
    names = set(known)
    return next((fact for fact in (name, f"values.{name}", f"params.{name}") if fact in names), "")


def varying(all_facts: Sequence[Facts]) -> dict[str, list[str]]:
    """Return the facts that differ, with their values, in the order of first appearance.

    A fact that only some images have also differs.
    """
    seen: dict[str, dict[str, None]] = {}
    count: dict[str, int] = {}
    for facts in all_facts:
        for name, value in facts.items():
            seen.setdefault(name, {})[value] = None
            count[name] = count.get(name, 0) + 1
    return {
        name: list(values)
        for name, values in seen.items()
        if len(values) + (count[name] < len(all_facts)) > 1
    }
