"""Prompt templates with ``{placeholders}`` and lists of values in place, ``{red|blue}``."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInputError
from ...utils import plain_values, suggestions
from ...utils.names import composed, is_name

if TYPE_CHECKING:
    from collections.abc import Iterable

_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_SEPARATOR = "|"  # between the values of a list in place


def read_templates(given: Any) -> dict[str, str]:
    """Return one or several templates by their names.

    A single template without a name has an empty one; several without names are called A, B, C.

    Raises
    ------
    InvalidInputError
        If there is no template, one is empty, or two are the same.
    """
    given = plain_values.to_plain(given)
    match given:
        case str():
            named = {"": given}
        case Mapping():
            named = with_names([(str(name).strip(), text) for name, text in given.items()])
        case list():
            named = with_names([("", text) for text in given])
        case _:
            raise InvalidInputError(
                "template", f"The prompt template must be a string, not {given!r:.40}."
            )
    for name, text in named.items():
        if not isinstance(text, str) or not text.strip():
            label = f"Template “{name}”" if name else "The prompt template"
            raise InvalidInputError("template", f"{label} is empty.", "Describe the result.")
        same = next(other for other, known in named.items() if known == text)
        if same != name:
            raise InvalidInputError(
                "template",
                f"Templates “{same}” and “{name}” are the same.",
                "To generate several results of one template, set the takes.",
            )
    if not named:
        raise InvalidInputError("template", "There is no prompt template.", "Add one.")
    return named


def with_names(pairs: list[tuple[str, str]]) -> dict[str, str]:
    """Return templates by name; those without one are called by their place: A, B, C, ….

    Raises
    ------
    InvalidInputError
        If two have the same name.
    """
    named: dict[str, str] = {}
    given = [name for name, _ in pairs if name]
    for place, (name, text) in enumerate(pairs):
        letter = string.ascii_uppercase[place : place + 1] or str(place + 1)
        own = name or (letter if letter not in given else f"{letter} {place + 1}")
        if own in named:
            raise InvalidInputError("template", f"Two templates are called “{own}”.", "Rename one.")
        named[own] = text
    return named


def placeholders(template: str) -> list[str]:
    """Return the names in ``{braces}`` in order; ``{{`` and ``}}`` are literal braces.

    Lists in place are left out; see `lists_in_place`.

    Raises
    ------
    InvalidInputError
        If a brace is unmatched, or the text in braces is neither a name nor a list.
    """
    return [name for name in _names(template) if _SEPARATOR not in name]


def all_placeholders(templates: Iterable[str]) -> list[str]:
    """Return the names of `placeholders` in several templates, in order."""
    return list(dict.fromkeys(name for text in templates for name in placeholders(text)))


def lists_in_place(template: str) -> dict[str, list[str]]:
    """Return the values of each list in a template, such as ``{red|blue}``, by its text.

    Raises
    ------
    InvalidInputError
        If a value is empty or repeated.
    """
    found = {}
    for name in _names(template):
        if _SEPARATOR in name:
            values = [value.strip() for value in name.split(_SEPARATOR)]
            if not all(values):
                raise InvalidInputError(
                    "template",
                    f"A value of “{{{name}}}” is empty.",
                    "Write a value on both sides of each |.",
                )
            if len(set(values)) < len(values):
                raise InvalidInputError("template", f"“{{{name}}}” has a value twice.")
            found[name] = values
    return found


def _names(template: str) -> list[str]:
    names = []
    for match in _BRACES.finditer(template):
        name = match.group(1)
        if match.group() in {"{{", "}}"}:
            continue
        is_valid = name is not None and (_SEPARATOR in name or is_name(name.strip()))
        if not is_valid:
            found = match.group()[:40]
            raise InvalidInputError(
                "template",
                f"Unmatched “{found}” in the template."
                if name is None
                else f"“{found}” in the template is not a placeholder.",
                "Write {subject} for a variable part, and {{ or }} for a brace.",
            )
        names.append(composed(name.strip()))
    return list(dict.fromkeys(names))


def fill_template(template: str, values: Mapping[str, str]) -> str:
    """Replace each placeholder and each list of a template with its value."""

    def fill(match: re.Match[str]) -> str:
        name = match.group(1)
        return match.group()[0] if name is None else values[composed(name.strip())]

    return _BRACES.sub(fill, template)


def literal(prompt: str) -> str:
    """Return a template that is filled with exactly this prompt."""
    return prompt.replace("{", "{{").replace("}", "}}")


def check_names(templates: Iterable[str], values: Iterable[str]) -> None:
    """Check that a template has a placeholder for each name.

    Raises
    ------
    InvalidInputError
    """
    texts = list(templates)
    names = all_placeholders(texts)
    for name in values:
        if name not in names:
            suggestion = suggestions.did_you_mean(str(name), names)
            where = "the template" if len(texts) == 1 else "any template"
            raise InvalidInputError(
                f"values.{name}",
                f"There is no {{{name}}} in {where}.",
                suggestion or f"Write {{{name}}} in the template, or remove its values.",
            )
