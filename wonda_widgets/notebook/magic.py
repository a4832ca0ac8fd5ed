"""The ``%%wonda`` magic, which uses the cell as the prompt.

    %load_ext wonda_widgets

    %%wonda -m nano-banana-2 --aspect-ratio 4:5 -o harbor
    A quiet harbor at dawn, long lens

shows the progress and the image, and stores the job in the variable ``harbor``. Tab completes
models, parameters and their values. With ``-f``, ``{name}`` in the prompt is replaced by the
notebook's variable.
"""

from __future__ import annotations

import contextlib
import itertools
import keyword
import os
import re
import shlex
import string
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

from ..api import snippets
from ..client import selection
from ..client.wonda_client import AsyncWonda, Wonda
from ..errors import InvalidInputError, WondaError
from ..http import credentials, organization
from ..models import parameters, reference_limits
from ..utils import event_loop, noninteractive, suggestions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from concurrent.futures import Future

    from IPython.core.interactiveshell import InteractiveShell

    from ..jobs.job import Job
    from ..models import Capabilities, GenerationModel

NAME = "%%wonda"
FORMAT = "format"
OPTIONS = {
    "-m": "model",
    "--model": "model",
    "-o": "output",
    "--output": "output",
    "-f": FORMAT,
    "--format": FORMAT,
}
DEFAULT_VARIABLE = "job"
HELP_OPTIONS = {"-h", "--help"}

COMPLETION_TIMEOUT_SECONDS = 0.5  # Tab must not block for long
RETRY_SECONDS = 30.0  # before Tab requests the models again after a failure

#: By base URL and organization.
_models_cache: dict[tuple[str, str], list[GenerationModel]] = {}
#: When each pending request for models was sent (monotonic seconds), and its result.
_pending: dict[tuple[str, str], tuple[float, Future[Capabilities]]] = {}
#: The client for cells without one, with the key and organization it was created for.
_default_client: tuple[object, AsyncWonda] | None = None


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register ``%%wonda``; ``%load_ext wonda_widgets`` calls this."""
    shell.register_magic_function(
        lambda line, cell=None: run(shell, line, cell), magic_kind="line_cell", magic_name="wonda"
    )
    if _help_as_line_magic not in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.append(_help_as_line_magic)
    shell.set_hook("complete_command", _complete, str_key=NAME)


def _help_as_line_magic(lines: list[str]) -> list[str]:
    """Turn ``%%wonda --help`` into a line magic, because IPython requires a cell body."""
    line = "".join(lines).strip()
    if "\n" in line or not line.startswith(f"{NAME} ") or not HELP_OPTIONS & set(line.split()):
        return lines
    return [f"{line[1:]}\n"]


def run(shell: InteractiveShell, line: str, cell: str | None) -> None:
    """Generate the image of a cell, display its progress, and store its job in a variable.

    Raises
    ------
    IPython.core.error.UsageError
        If the options are invalid, or the request fails.
    """
    from IPython.core.error import UsageError  # noqa: PLC0415 - only IPython calls this
    from IPython.display import display  # noqa: PLC0415 - only IPython calls this

    if HELP_OPTIONS & set(line.split()):
        print(_help(_client(shell.user_ns)))  # noqa: T201 - the user requested it
        return
    if cell is None:
        raise UsageError(f"Write {NAME} with the prompt below it; see %wonda --help.")
    try:
        wonda = _client(shell.user_ns)
        job, variable, prompt = _generate(wonda, line, cell, shell.user_ns)
    except WondaError as error:
        # IPython prints a UsageError as one sentence, without a traceback.
        raise UsageError(str(error)) from None
    shell.user_ns[variable] = job
    display(_output(wonda, job, prompt))
    if noninteractive.is_unattended():  # output after the end of the cell is not saved
        with contextlib.suppress(WondaError):  # the panel shows the error
            job.wait()


def _client(namespace: Mapping[str, Any]) -> AsyncWonda:
    """Return the notebook's variable ``wonda``, or else the client that all cells share.

    The shared client is replaced when the key, the base URL or the organization changes. Jobs of
    the previous client are still polled.
    """
    global _default_client  # noqa: PLW0603 - one per process
    own = namespace.get("wonda")
    if _is_client(own):
        return selection.as_async(own)
    settings = credentials.current_fingerprint(), os.environ.get(organization.VARIABLE)
    if settings[0] is None:
        return selection.default()  # the shared sandbox
    if _default_client is None or _default_client[0] != settings or _default_client[1].is_closed:
        _default_client = settings, selection.default()
    return _default_client[1]


def _is_client(value: object) -> TypeGuard[Wonda | AsyncWonda]:
    return isinstance(value, Wonda | AsyncWonda)


class _Made(NamedTuple):
    """A job, the name of its variable, and its prompt."""

    job: Job
    variable: str
    prompt: str


def _generate(wonda: AsyncWonda, line: str, cell: str, namespace: Mapping[str, Any]) -> _Made:
    """Submit the request of a cell."""
    models = _models(wonda)
    options = parse_options(line)
    variable = options.pop("output", DEFAULT_VARIABLE)
    if not variable.isidentifier() or keyword.iskeyword(variable):
        raise InvalidInputError(
            "output", f"{variable!r} is not a valid variable name.", "Use -o job."
        )
    if _is_client(namespace.get(variable)):  # later cells may need it
        raise InvalidInputError(
            "output", f"{variable} is a client in this notebook.", "Choose another name after -o."
        )
    prompt = cell.strip()
    if options.pop(FORMAT, None) is not None:
        prompt = fill_variables(prompt, namespace, event_loop.run_blocking(wonda.snippets.all()))
    else:
        prompt = event_loop.run_blocking(wonda.snippets.fill(prompt))
    model = _model(models, options.pop("model", None))
    fields = parameters.form_fields(model.params)
    params = {}
    for name, text in options.items():
        field = _field(fields, name)
        if field is None:
            known = " ".join(_option(field.name) for field in fields) or "no parameters"
            raise InvalidInputError(name, f"{model.name} has no --{name}.", f"It accepts: {known}.")
        params[field.name] = value = parameters.from_text(field, text)
        problem = parameters.validation_message(field, value)
        if problem:
            raise InvalidInputError(name, problem)
    request = wonda.images.generate(model=model.key, prompt=prompt, params=params)
    job = event_loop.run_blocking(request, interrupt_hint="Check your Wonda library.")
    return _Made(job, variable, prompt)


class _Variables(string.Formatter):
    """Fills in the variables of a notebook, and snippets.

    Parameters
    ----------
    namespace : dict
    snippets : dict
    """

    def __init__(self, namespace: Mapping[str, Any], texts: Mapping[str, str]) -> None:
        self._namespace = namespace
        self._snippets = texts

    def parse(self, format_string: Any) -> Iterator[Any]:
        """Yield each part of a prompt, with the texts of snippets as literal parts.

        `str.format` would read ``{style:noir}`` as a variable with a format.
        """
        for text, name, spec, conversion in super().parse(format_string):
            use = f"{name}:{spec}"
            is_variable = not name or conversion or name.strip() in self._namespace
            if is_variable or not snippets.is_snippet_name(use):
                yield text, name, spec, conversion
            else:
                yield text + snippets.text_of(use, self._snippets), None, None, None

    def get_value(self, key: int | str, _args: Any, kwargs: Mapping[str, Any]) -> Any:
        """Return a variable.

        Raises
        ------
        InvalidInputError
            If there is none of that name.
        """
        name = str(key).strip()
        if not name or name.isdecimal():
            raise ValueError("braces without a name")
        if name not in kwargs:
            own = [known for known in kwargs if not known.startswith("_")]
            raise InvalidInputError(
                "prompt",
                f"There is no variable {name!r} in this notebook.",
                suggestions.did_you_mean(name, own) or "Define it, or write {{ and }} for braces.",
            )
        return kwargs[name]


def fill_variables(prompt: str, namespace: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Replace ``{name}`` by the notebook's variable, as `str.format` does, and snippets.

    Parameters
    ----------
    prompt : str
    namespace : dict
        The variables. ``{name:format}`` with one of them is no snippet.
    texts : dict
        The snippets' texts by name.

    Raises
    ------
    InvalidInputError
        If there is no such variable or snippet, or a brace is unmatched.
    """
    try:
        return _Variables(namespace, texts).vformat(prompt, (), namespace)
    except InvalidInputError:
        raise
    except Exception as error:  # noqa: BLE001 - the values' own code formats them
        problem = str(error) or type(error).__name__
        raise InvalidInputError(
            "prompt",
            f"The variables of the prompt cannot be filled in: {problem}.",
            "Write {name} for a variable, and {{ and }} for braces.",
        ) from None


def _help(wonda: AsyncWonda) -> str:
    """Return the help text, with the available models and their parameters."""
    lines = [
        f"{NAME} [-m MODEL] [-o NAME] [-f] [--PARAMETER VALUE ...]",
        "PROMPT",
        "",
        "Generates an image, displays it, and stores the job in the variable NAME.",
        "",
        "  -m, --model MODEL    default: the first one below",
        f"  -o, --output NAME    variable for the job (default: {DEFAULT_VARIABLE})",
        "  -f, --format         replace {name} in the prompt by the notebook's variable",
        "",
        f"The cell does not wait. In the next cell, write {DEFAULT_VARIABLE}.wait().media.",
        "",
    ]
    try:
        models = _models(wonda)
    except WondaError as error:
        return "\n".join([*lines, f"The models cannot be listed right now. {error}"])
    for model in models:
        if reference_limits.limit_for(model).minimum:  # the magic cannot pass an image
            continue
        options = [
            f"{_option(field.name)} {'|'.join(map(str, field.options)) or 'VALUE'}"
            for field in parameters.form_fields(model.params)
        ]
        lines += [f"{model.key}", *(f"    {option}" for option in options)]
    return "\n".join(lines)


def _output(wonda: AsyncWonda, job: Job, prompt: str) -> Any:
    from ..widgets._parts.magic_output import MagicOutput  # noqa: PLC0415 - loaded only if it is used

    return MagicOutput(job, wonda, prompt)


# ---------------------------------------------------------------- options


def parse_options(line: str) -> dict[str, str]:
    """Parse options such as ``-m x --aspect-ratio 4:5`` or ``--aspectRatio=4:5``.

    Returns
    -------
    dict
        Values by option name, without dashes.

    Raises
    ------
    InvalidInputError
        If a word is not an option, or an option has no value.
    """
    try:
        words = shlex.split(line)
    except ValueError:
        raise InvalidInputError("line", "This line has an unclosed quotation mark.") from None
    options: dict[str, str] = {}
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if not name.startswith("-") or not name.strip("-"):
            raise InvalidInputError(
                "line", f"{word!r} is not an option.", "Write the prompt below this line."
            )
        if OPTIONS.get(name) == FORMAT and not equals:
            options[FORMAT] = ""
            continue
        if not equals:
            if not words or words[0].startswith("--"):
                raise InvalidInputError("line", f"{name} has no value.", f"Write {name} VALUE.")
            value = words.pop(0)
        options[OPTIONS.get(name, name.lstrip("-"))] = value
    return options


def _model(models: list[GenerationModel], key: str | None) -> GenerationModel:
    found = next((model for model in models if key in {None, model.key}), None)
    if found is None:
        known = ", ".join(model.key for model in models)
        raise InvalidInputError(
            "model", f"There is no model {key!r}.", f"Available models: {known}."
        )
    return found


def _normalized(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _field(fields: list[parameters.Field], name: str) -> parameters.Field | None:
    """Find a parameter in any spelling: aspectRatio, aspect-ratio, aspect_ratio."""
    return next((field for field in fields if _normalized(field.name) == _normalized(name)), None)


def _option(name: str) -> str:
    """Convert ``aspectRatio`` to ``--aspect-ratio``."""
    return "--" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_", "-", name).lower()


# ---------------------------------------------------------------- completion


def _cache_key(wonda: AsyncWonda) -> tuple[str, str]:
    return wonda.base_url, wonda.org


def _models(wonda: AsyncWonda) -> list[GenerationModel]:
    """Return the models; request them if they are not cached."""
    key = _cache_key(wonda)
    if key not in _models_cache:
        _models_cache[key] = event_loop.run_blocking(wonda.capabilities()).image_models
    return _models_cache[key]


def _models_for_completion(wonda: AsyncWonda) -> list[GenerationModel]:
    """Return the models; wait for them only briefly.

    Raises
    ------
    TimeoutError
        If the models have not arrived yet; the request continues for the next Tab.
    WondaError
        If the request failed less than `RETRY_SECONDS` ago.
    """
    key = _cache_key(wonda)
    if key not in _models_cache:
        sent_at, response = _pending.get(key, (0.0, None))
        if response is None or (response.done() and monotonic() - sent_at > RETRY_SECONDS):
            sent_at, response = monotonic(), event_loop.spawn(wonda.capabilities())
            _pending[key] = sent_at, response
        timeout = max(0.0, sent_at + COMPLETION_TIMEOUT_SECONDS - monotonic())
        _models_cache[key] = event_loop.wait_for_result(response, timeout).image_models
    return _models_cache[key]


def _complete(shell: InteractiveShell, event: Any) -> list[str]:
    try:
        return completions(_models_for_completion(_client(shell.user_ns)), event.line)
    except (WondaError, TimeoutError):  # completion has no way to show an error
        return []


def completions(models: list[GenerationModel], line: str) -> list[str]:
    """Return the completions of the last word of a ``%%wonda`` line."""
    words = line.split()[1:]
    last = "" if line.endswith(" ") or not words else words.pop()
    previous = words[-1] if words else ""
    key = next((b for a, b in itertools.pairwise(words) if a in {"-m", "--model"}), "")
    model = next((model for model in models if model.key == key), models[0] if models else None)
    fields = parameters.form_fields(model.params) if model else []
    if previous in {"-m", "--model"}:
        found = [model.key for model in models]
    elif previous in {"-o", "--output"}:
        found = []
    elif previous.startswith("--") and (field := _field(fields, previous)) is not None:
        found = [str(option) for option in field.options]
        found += ["on", "off"] if field.kind == "flag" else []
    else:
        found = ["--model", "--output", "--format", *(_option(field.name) for field in fields)]
        found = [option for option in found if option not in words]
    return [word for word in found if word.startswith(last)]
