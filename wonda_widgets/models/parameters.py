"""A model's JSON Schema as fields of a form, and values checked against it.

Only what a form can show is understood: enums, booleans, numbers and strings.
Anything else the service may add is left to its own defaults.
"""

from __future__ import annotations

import contextlib
import math
import re
from typing import Any, Literal

import msgspec

FieldKind = Literal["choice", "slider", "number", "flag", "text"]

#: A range with more steps than this is a number field; a slider would be too coarse.
MOST_SLIDER_STEPS = 200
NAMED = 8  # options, in a sentence
#: Where a schema names these, it means the request's own field, which a form has anyway.
OF_THE_REQUEST = frozenset({"prompt", "model", "attachmentMediaIds"})
LOWEST, HIGHEST = -(2**63), 2**64 - 1  # of the whole numbers that all JSON on the way can hold


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter, as a form shows it."""

    name: str
    label: str
    kind: FieldKind
    default: Any = None
    options: list[Any] = msgspec.field(default_factory=list)
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    whole: bool = False
    required: bool = False
    help: str = ""


def fields(schema: dict[str, Any]) -> list[Field]:
    """The fields of an object schema, in its order; odd entries are left out."""
    properties = schema.get("properties")
    required = schema.get("required")
    required = required if isinstance(required, list) else []
    if not isinstance(properties, dict):
        return []
    found = []
    for name, spec in properties.items():
        if name in OF_THE_REQUEST:
            continue
        with contextlib.suppress(ArithmeticError, TypeError, ValueError):
            found.append(_field(name, spec, required=name in required))
    return [field for field in found if field is not None]


def _field(name: str, spec: Any, *, required: bool) -> Field | None:
    if not isinstance(spec, dict):
        return None
    title, described = spec.get("title"), spec.get("description")
    common: dict[str, Any] = {
        "name": name,
        "label": title if isinstance(title, str) and title else humanize(name),
        "default": default if _is_simple(default := spec.get("default")) else None,
        "required": required,
        "help": described if isinstance(described, str) else "",
    }
    options = spec.get("enum")
    kind = _type(spec)
    if isinstance(options, list):
        simple = [item for item in options if _is_simple(item)]
        if common["default"] not in simple:  # else the form would show one and send another
            common["default"] = None
        return Field(kind="choice", options=simple, **common) if simple else None
    if kind == "boolean":
        return Field(kind="flag", **common)
    if kind in {"integer", "number"}:
        return _number(spec, common, whole=kind == "integer")
    return Field(kind="text", **common) if kind == "string" else None


def _type(spec: dict[str, Any]) -> str | None:
    """The type; of ``["integer", "null"]`` the one that is not null."""
    kind = spec.get("type")
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), None)
    return kind if isinstance(kind, str) else None


def _number(spec: dict[str, Any], common: dict[str, Any], *, whole: bool) -> Field:
    def bound(name: str) -> float | None:
        value: Any = spec.get(name)
        return value if _is_number(value) else None

    low, high, step = bound("minimum"), bound("maximum"), bound("multipleOf")
    slider = low is not None and high is not None and common["default"] is not None
    if low is not None and high is not None:
        step = step or (1 if whole else (high - low) / 100 or 1)
        slider = slider and (high - low) / step <= MOST_SLIDER_STEPS
    return Field(
        kind="slider" if slider else "number",
        minimum=low,
        maximum=high,
        step=step or (1 if whole else None),
        whole=whole,
        **common,
    )


def _is_simple(value: Any) -> bool:
    """Whether it is something that a form can show and JSON has."""
    return isinstance(value, str | bool) or _is_number(value)


def _is_number(value: Any) -> bool:
    """Whether it is a number that can be sent: no NaN, no infinity, within 64 bits."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and LOWEST <= value <= HIGHEST


def humanize(name: str) -> str:
    """``aspectRatio`` as "Aspect ratio"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]+", " ", name).lower().strip()
    return words[:1].upper() + words[1:]


def problem(field: Field, value: Any) -> str | None:
    """Why a value would be refused, as a sentence; None if it would not be."""
    if value is None or value == "":
        return f"{field.label} is needed." if field.required else None
    match field.kind:
        case "choice" if value not in field.options:
            some = ", ".join(map(str, field.options[:NAMED]))
            end = ", …" if len(field.options) > NAMED else "."
            return f"{field.label} has no {value!r}; choose one of {some}{end}"
        case "flag" if not isinstance(value, bool):
            return f"{field.label} is on or off."
        case "slider" | "number":
            return _number_problem(field, value)
        case "text" if not isinstance(value, str):
            return f"{field.label} is a text."
    return None


def _number_problem(field: Field, value: Any) -> str | None:
    if isinstance(value, bool) or not (isinstance(value, int) or _is_number(value)):
        return f"{field.label} is a number."
    if field.whole and value != int(value):
        return f"{field.label} is a whole number."
    low, high = field.minimum, field.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        if low is not None and high is not None:
            return f"{field.label} goes from {_plain(low)} to {_plain(high)}."
        side, bound = ("most", high) if low is None else ("least", low)
        return f"{field.label} is at {side} {_plain(bound or 0)}."
    return None if _is_number(value) else f"{field.label} has too many digits."


def _plain(number: float) -> str:
    return f"{number:,.4f}".rstrip("0").rstrip(".")


def select(found: list[Field], values: dict[str, Any]) -> dict[str, Any]:
    """What to send: the given values, else the defaults; nothing for what is empty."""
    picked = {field.name: values.get(field.name, field.default) for field in found}
    return {name: value for name, value in picked.items() if value not in (None, "")}
