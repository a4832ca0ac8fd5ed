"""``%%wonda``: the cell is the prompt.

    %load_ext wonda_widgets

    %%wonda -m nano-banana-2 --aspect-ratio 4:5 -o harbour
    A quiet harbour at dawn, long lens

shows progress and image, and leaves the job in ``harbour`` for the next cell. Tab
completes models, parameters and their values.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shlex
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeGuard

from .. import credentials
from ..client import selection
from ..client.wonda_client import AsyncWonda, Wonda
from ..errors import InvalidInputError, WondaError
from ..http import organization
from ..models import parameters, reference_limits
from ..utils import event_loop, noninteractive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future

    from IPython.core.interactiveshell import InteractiveShell

    from ..jobs.job import Job
    from ..models import Capabilities, ImageModel

NAME = "%%wonda"
OPTIONS = {"-m": "model", "--model": "model", "-o": "output", "--output": "output"}
VARIABLE = "job"
HELP = {"-h", "--help"}

PATIENCE = 0.5  # seconds that Tab waits for the models of a service
PAUSE = 30.0  # seconds before Tab asks again one that did not tell them

_known: dict[tuple[str, str], list[ImageModel]] = {}
_asked: dict[tuple[str, str], tuple[float, Future[Capabilities]]] = {}
_own: tuple[object, AsyncWonda] | None = None  # and with what it was made


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Make ``%%wonda`` known: what ``%load_ext wonda_widgets`` calls."""
    shell.register_magic_function(
        lambda line, cell=None: run(shell, line, cell), magic_kind="line_cell", magic_name="wonda"
    )
    if _alone not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(_alone)
    shell.set_hook("complete_command", _complete, str_key=NAME)


def _alone(lines: list[str]) -> list[str]:
    """Let ``%%wonda --help`` stand alone: IPython refuses a cell magic without a cell."""
    line = "".join(lines).strip()
    if "\n" in line or not line.startswith(f"{NAME} ") or not HELP & set(line.split()):
        return lines
    return [f"{line[1:]}\n"]


def run(shell: InteractiveShell, line: str, cell: str | None) -> None:
    """Ask for the image of a cell, show how it gets on, and leave its job in a variable."""
    from IPython.core.error import UsageError  # noqa: PLC0415 - there is an IPython here
    from IPython.display import display  # noqa: PLC0415 - see above

    if HELP & set(line.split()):
        print(_help(_client(shell.user_ns)))  # noqa: T201 - it was asked for
        return
    if cell is None:
        raise UsageError(f"Write {NAME} with the prompt below it; see %wonda --help.")
    try:
        wonda = _client(shell.user_ns)
        job, variable = _ask(wonda, line, cell, shell.user_ns)
    except WondaError as error:
        # A sentence in place of a traceback; the prompt stays in its cell.
        raise UsageError(str(error)) from None
    shell.user_ns[variable] = job
    display(_shown(wonda, job, cell.strip()))
    if noninteractive.is_unattended():  # what comes after the cell's end is not kept
        with contextlib.suppress(WondaError):  # the panel says what went wrong
            job.wait()


def _client(names: Mapping[str, Any]) -> AsyncWonda:
    """The notebook's own client, if it is called ``wonda``; else one for all cells.

    That is a new one as soon as there is another key or address; what the old one
    follows goes on.
    """
    global _own  # noqa: PLW0603 - one a process
    own = names.get("wonda")
    if _is_client(own):
        return selection.as_async(own)
    uses = credentials.current_fingerprint(), os.environ.get(organization.VARIABLE)
    if uses[0] is None:
        return selection.default()  # the sandbox, of which there is one
    if _own is None or _own[0] != uses or _own[1].is_closed:
        _own = uses, selection.default()
    return _own[1]


def _is_client(value: object) -> TypeGuard[Wonda | AsyncWonda]:
    return isinstance(value, Wonda | AsyncWonda)


def _ask(wonda: AsyncWonda, line: str, cell: str, names: Mapping[str, Any]) -> tuple[Job, str]:
    models = _models(wonda)
    given = parsed(line)
    variable = given.pop("output", VARIABLE)
    if not variable.isidentifier():
        raise InvalidInputError("output", f"{variable!r} is no name for a variable.", "Use -o job.")
    if _is_client(names.get(variable)):  # the next cell may need it
        raise InvalidInputError(
            "output", f"{variable} is a client in this notebook.", "Choose another name after -o."
        )
    model = _model(models, given.pop("model", None))
    fields = parameters.form_fields(model.params)
    params = {}
    for name, text in given.items():
        field = _field(fields, name)
        if field is None:
            known = " ".join(_option(field.name) for field in fields) or "no parameters"
            raise InvalidInputError(name, f"{model.name} has no --{name}.", f"It takes: {known}.")
        params[field.name] = value = _value(field, text)
        problem = parameters.validation_message(field, value)
        if problem:
            raise InvalidInputError(name, problem)
    asked = wonda.images.generate(model=model.key, prompt=cell.strip(), params=params)
    return event_loop.run_blocking(asked, interrupt_hint="Look into your Wonda library."), variable


def _help(wonda: AsyncWonda) -> str:
    """What can be written after ``%%wonda``, with the models and parameters that there are."""
    lines = [
        f"{NAME} [-m MODEL] [-o NAME] [--PARAMETER VALUE ...]",
        "PROMPT",
        "",
        "Makes an image of the prompt, shows it, and leaves the job in the variable NAME.",
        "",
        "  -m, --model MODEL    default: the first one below",
        f"  -o, --output NAME    variable for the job (default: {VARIABLE})",
        "",
        f"The cell does not wait for the image: in the next one, write {VARIABLE}.wait().media.",
        "",
    ]
    try:
        models = _models(wonda)
    except WondaError as error:
        return "\n".join([*lines, f"The models cannot be listed now. {error}"])
    for model in models:
        if reference_limits.limit_for(model).minimum:  # the magic cannot pass an image
            continue
        options = [
            f"{_option(field.name)} {'|'.join(map(str, field.options)) or 'VALUE'}"
            for field in parameters.form_fields(model.params)
        ]
        lines += [f"{model.key}", *(f"    {option}" for option in options)]
    return "\n".join(lines)


def _shown(wonda: AsyncWonda, job: Job, prompt: str) -> Any:
    from ..widgets._parts.magic_output import MagicOutput  # noqa: PLC0415 - only where something is shown

    return MagicOutput(job, wonda, prompt)


# ---------------------------------------------------------------- the line


def parsed(line: str) -> dict[str, str]:
    """Options by their names: ``-m x --aspect-ratio 4:5`` or ``--aspectRatio=4:5``.

    Raises
    ------
    InvalidInputError
        If something is no option or has no value.
    """
    try:
        words = shlex.split(line)
    except ValueError:
        raise InvalidInputError("line", "A quotation mark in this line is not closed.") from None
    found: dict[str, str] = {}
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if not name.startswith("-") or not name.strip("-"):
            raise InvalidInputError(
                "line", f"{word!r} is no option.", "The prompt goes into the cell, below the line."
            )
        if not equals:
            if not words or words[0].startswith("--"):
                raise InvalidInputError("line", f"{name} has no value.", f"Write {name} VALUE.")
            value = words.pop(0)
        found[OPTIONS.get(name, name.lstrip("-"))] = value
    return found


def _model(models: list[ImageModel], key: str | None) -> ImageModel:
    found = next((model for model in models if key in {None, model.key}), None)
    if found is None:
        known = ", ".join(model.key for model in models)
        raise InvalidInputError("model", f"There is no model {key!r}.", f"There are: {known}.")
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _field(fields: list[parameters.Field], name: str) -> parameters.Field | None:
    """A parameter, however it is written: aspectRatio, aspect-ratio, aspect_ratio."""
    return next((field for field in fields if _plain(field.name) == _plain(name)), None)


def _option(name: str) -> str:
    """``aspectRatio`` as ``--aspect-ratio``."""
    return "--" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", "-", name).lower()


def _value(field: parameters.Field, text: str) -> Any:
    match field.kind:
        case "choice":
            return next((option for option in field.options if str(option) == text), text)
        case "flag":
            return {"on": True, "true": True, "off": False, "false": False}.get(text.lower(), text)
        case "slider" | "number":
            return _number(text)
    return text


def _number(text: str) -> int | float | str:
    """A number as it is typed: whole ones stay exact."""
    with contextlib.suppress(ValueError):
        return int(text)
    with contextlib.suppress(ValueError):
        number = float(text)
        return int(number) if number.is_integer() else number
    return text


# ---------------------------------------------------------------- completion


def _account(wonda: AsyncWonda) -> tuple[str, str]:
    """What models depend on: the address and the organization."""
    return wonda.base_url, wonda.org


def _models(wonda: AsyncWonda) -> list[ImageModel]:
    """The models, asked for once."""
    if _account(wonda) not in _known:
        _known[_account(wonda)] = event_loop.run_blocking(wonda.capabilities()).image_models
    return _known[_account(wonda)]


def _models_soon(wonda: AsyncWonda) -> list[ImageModel]:
    """The models for a completion, which waits a moment only.

    Raises
    ------
    TimeoutError
        If they are not there yet; they come in the background, for the next Tab.
    WondaError
        If they could not be had a little while ago.
    """
    if _account(wonda) not in _known:
        at, told = _asked.get(_account(wonda), (0.0, None))
        if told is None or (told.done() and monotonic() - at > PAUSE):
            at, told = monotonic(), event_loop.spawn(wonda.capabilities())
            _asked[_account(wonda)] = at, told
        left = max(0.0, at + PATIENCE - monotonic())
        _known[_account(wonda)] = event_loop.wait_for_result(told, left).image_models
    return _known[_account(wonda)]


def _complete(shell: InteractiveShell, event: Any) -> list[str]:
    try:
        return completions(_models_soon(_client(shell.user_ns)), event.line)
    except (WondaError, TimeoutError):  # a completion is no place for an error
        return []


def completions(models: list[ImageModel], line: str) -> list[str]:
    """What can stand at the end of a line that begins with ``%%wonda``."""
    words = line.split()[1:]
    last = "" if line.endswith(" ") or not words else words.pop()
    before = words[-1] if words else ""
    chosen = next((b for a, b in itertools.pairwise(words) if a in {"-m", "--model"}), "")
    model = next((model for model in models if model.key == chosen), models[0] if models else None)
    fields = parameters.form_fields(model.params) if model else []
    if before in {"-m", "--model"}:
        found = [model.key for model in models]
    elif before in {"-o", "--output"}:
        found = []
    elif before.startswith("--") and (field := _field(fields, before)) is not None:
        found = [str(option) for option in field.options]
        found += ["on", "off"] if field.kind == "flag" else []
    else:
        found = ["--model", "--output", *(_option(field.name) for field in fields)]
        found = [option for option in found if option not in words]
    return [each for each in found if each.startswith(last)]
