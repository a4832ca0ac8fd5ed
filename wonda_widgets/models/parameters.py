"""Turn a model's JSON Schema into form fields, and validate values against them.

Only what a form can show is supported: enums, booleans, numbers and strings. Other parameters
are left out, so the service uses its defaults for them.
"""

from __future__ import annotations

import contextlib
import math
import re
from typing import Any, Literal

import msgspec

FieldKind = Literal["choice", "slider", "number", "flag", "text"]

#: A range with more steps than this becomes a number field: a slider could not hit each value.
MAX_SLIDER_STEPS = 200
#: How many options an error message lists.
MAX_LISTED_OPTIONS = 8
#: Fields of the request itself. A form shows them anyway, so they are skipped in a schema.
REQUEST_FIELDS = frozenset({"prompt", "model", "attachmentMediaIds"})
#: The integers that every JSON library involved can represent.
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**64 - 1


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter as a form field.

    Attributes
    ----------
    name : str
        The parameter's name in the request.
    label : str
    kind : str
        The control to show; ``"flag"`` is a checkbox.
    default : str, bool, int, float or None
    options : list
        The values of a choice.
    minimum, maximum, step : float or None
        The range of a number.
    whole : bool
        Whether a number must be an integer.
    required : bool
    help : str
    """

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


def form_fields(schema: dict[str, Any]) -> list[Field]:
    """Return the fields of an object schema in its order; unsupported properties are left out."""
    properties = schema.get("properties")
    required = schema.get("required")
    required = required if isinstance(required, list) else []
    if not isinstance(properties, dict):
        return []
    fields = []
    for name, spec in properties.items():
        if name in REQUEST_FIELDS:
            continue
        with contextlib.suppress(ArithmeticError, TypeError, ValueError):
            fields.append(_field(name, spec, required=name in required))
    return [field for field in fields if field is not None]


def _field(name: str, spec: Any, *, required: bool) -> Field | None:
    if not isinstance(spec, dict):
        return None
    title, description = spec.get("title"), spec.get("description")
    common: dict[str, Any] = {
        "name": name,
        "label": title if isinstance(title, str) and title else humanize(name),
        "default": default if _is_simple(default := spec.get("default")) else None,
        "required": required,
        "help": description if isinstance(description, str) else "",
    }
    enum = spec.get("enum")
    json_type = _json_type(spec)
    if isinstance(enum, list):
        options = [item for item in enum if _is_simple(item)]
        if common["default"] not in options:  # else the form would show one value and send another
            common["default"] = None
        return Field(kind="choice", options=options, **common) if options else None
    if json_type == "boolean":
        return Field(kind="flag", **common)
    if json_type in {"integer", "number"}:
        return _number_field(spec, common, whole=json_type == "integer")
    return Field(kind="text", **common) if json_type == "string" else None


def _json_type(spec: dict[str, Any]) -> str | None:
    """Return the type; for ``["integer", "null"]``, the first that is not null."""
    json_type = spec.get("type")
    if isinstance(json_type, list):
        json_type = next((item for item in json_type if item != "null"), None)
    return json_type if isinstance(json_type, str) else None


def _number_field(spec: dict[str, Any], common: dict[str, Any], *, whole: bool) -> Field:
    def bound(name: str) -> float | None:
        value: Any = spec.get(name)
        return value if _is_number(value) else None

    low, high, step = bound("minimum"), bound("maximum"), bound("multipleOf")
    slider = low is not None and high is not None and common["default"] is not None
    if low is not None and high is not None:
        step = step or (1 if whole else (high - low) / 100 or 1)
        slider = slider and (high - low) / step <= MAX_SLIDER_STEPS
    return Field(
        kind="slider" if slider else "number",
        minimum=low,
        maximum=high,
        step=step or (1 if whole else None),
        whole=whole,
        **common,
    )


def _is_simple(value: Any) -> bool:
    """Return whether a form can show the value and JSON can represent it."""
    return isinstance(value, str | bool) or _is_number(value)


def _is_number(value: Any) -> bool:
    """Return whether the value is a number that JSON can represent: finite, within 64 bits."""
    if isinstance(value, float):
        return math.isfinite(value)
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer and MIN_INTEGER <= value <= MAX_INTEGER


def humanize(name: str) -> str:
    """Convert a name to a label: ``aspectRatio`` to "Aspect ratio"."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_-]+", " ", name).lower().strip()
    return words[:1].upper() + words[1:]


def validation_message(field: Field, value: Any) -> str | None:
    """Return why the service would reject a value, as a sentence; None if it is valid."""
    if value is None or value == "":
        return f"{field.label} is required." if field.required else None
    match field.kind:
        case "choice" if value not in field.options:
            options = ", ".join(map(str, field.options[:MAX_LISTED_OPTIONS]))
            end = ", …" if len(field.options) > MAX_LISTED_OPTIONS else "."
            return f"{field.label} does not support {value!r}; choose one of {options}{end}"
        case "flag" if not isinstance(value, bool):
            return f"{field.label} must be on or off."
        case "slider" | "number":
            return _number_message(field, value)
        case "text" if not isinstance(value, str):
            return f"{field.label} must be text."
    return None


def _number_message(field: Field, value: Any) -> str | None:
    if isinstance(value, bool) or not (isinstance(value, int) or _is_number(value)):
        return f"{field.label} must be a number."
    if field.whole and value != int(value):
        return f"{field.label} must be a whole number."
    low, high = field.minimum, field.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        if low is not None and high is not None:
            return f"{field.label} must be from {_format_number(low)} to {_format_number(high)}."
        side, bound = ("most", high) if low is None else ("least", low)
        return f"{field.label} must be at {side} {_format_number(bound or 0)}."
    return None if _is_number(value) else f"{field.label} has too many digits."


def _format_number(number: float) -> str:
    return f"{number:,.4f}".rstrip("0").rstrip(".")


_FLAGS = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def from_text(field: Field, text: str) -> Any:
    """Return the value that a text stands for; the text itself if it stands for none.

    ``"4"`` is a number for a number field, and ``"on"``, ``"true"`` and ``"yes"`` turn a flag on.
    """
    match field.kind:
        case "choice":
            return next((option for option in field.options if str(option) == text), text)
        case "flag":
            return _FLAGS.get(text.casefold(), text)
        case "slider" | "number":
            return _number(text)
    return text


def _number(text: str) -> int | float | str:
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        number = float(text)
        return int(number) if number.is_integer() else number
    return text


def params_to_send(fields: list[Field], values: dict[str, Any]) -> dict[str, Any]:
    """Return the request's ``params``: each value or its default, without empty ones."""
    params = {field.name: values.get(field.name, field.default) for field in fields}
    return {name: value for name, value in params.items() if value not in (None, "")}
