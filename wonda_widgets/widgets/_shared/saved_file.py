"""`SavedFile`: fill a form from the settings in a saved image, and undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ...errors import InvalidInputError
from ...imaging import decode_threads
from ...models import parameters
from ...utils import paths
from .panel import Panel
from .permissions import Permission, requires

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from ...imaging.saved_settings import SavedSettings
    from ...models import GenerationModel

MAX_FILE_BYTES = 200_000_000
MAX_UNDO = 20
MAX_NAME_LENGTH = 80  # characters


class SavedFile(Panel):
    """Base of the forms that can be filled from a saved image."""

    file_note = traitlets.Unicode("").tag(sync=True)
    """What was filled in from a file, and what was not; empty for none."""
    #: For each fill, oldest first, what was in the form before, for Undo.
    _befores: tuple[tuple[dict[str, Any], Any], ...] = ()

    def _use_settings(self, settings: SavedSettings, name: str) -> None:
        """Fill the form, on the package's loop."""
        raise NotImplementedError

    @requires(Permission.GENERATE)
    def _on_saved_file(self, content: Mapping[str, Any]) -> None:
        name = str(content.get("name") or "The file")[:MAX_NAME_LENGTH]
        buffers = content.get("buffers") or [b""]
        self._start(self._read_file, name, bytes(buffers[0]))

    async def _read_file(self, name: str, data: bytes) -> None:
        settings = await decode_threads.run(_read, data, name)
        self.error = None
        self._use_settings(settings, name)

    @requires(Permission.GENERATE)
    def _on_undo_file(self, _content: object) -> None:
        """Restore what was in the form before it was filled for the last time."""
        if not self._befores:
            return
        *earlier, (values, others) = self._befores
        self._befores = tuple(earlier)
        with self.hold_sync():
            for trait, value in values.items():
                self.set_trait(trait, value)
        if others is not None:
            self._restore(others)

    def _restore(self, others: Any) -> None:
        """Restore what is in no trait, as it was given to `_remember`."""
        raise NotImplementedError

    def _remember(self, *traits: str, others: Any = None) -> None:
        """Keep what is in the form, for Undo."""
        values = {trait: getattr(self, trait) for trait in (*traits, "file_note")}
        self._befores = (*self._befores[-MAX_UNDO:], (values, others))


MAX_LISTED = 20  # names of parameters in a note


def read_path(path: str | os.PathLike[str]) -> tuple[SavedSettings, str]:
    """Return the settings in a file, and the file's name.

    Raises
    ------
    InvalidInputError
        If it cannot be read, or has no settings.
    """
    file = paths.expand_user(path, "path")
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES)
    except OSError as error:
        problem = error.strerror or str(error)
        raise InvalidInputError("path", f"{file.name} cannot be read: {problem}.") from None
    return _read(data, file.name), file.name


def _read(data: bytes, name: str) -> SavedSettings:
    from ...imaging import saved_settings  # noqa: PLC0415 - Pillow is loaded when needed

    found = saved_settings.read(data)
    if found is None:
        raise InvalidInputError(
            "path",
            f"{name} does not say how it was generated.",
            "Use an image saved with Save, Download or history.export, or by AUTOMATIC1111. Files "
            "from media.download contain no settings.",
        )
    return found


def split_params(
    model: GenerationModel | None, params: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters that a model accepts with these values, and the names of the others."""
    fields = {field.name: field for field in parameters.form_fields(model.params)} if model else {}
    accepted = {
        name: value
        for name, value in params.items()
        if name in fields and not parameters.validation_message(fields[name], value)
    }
    return accepted, [name for name in params if name not in accepted]


def note(name: str, settings: SavedSettings, model: str, refused: list[str]) -> str:
    """Return what was filled in from a file, and what was not.

    Parameters
    ----------
    name : str
        The file's name.
    settings : SavedSettings
    model : str
        The name of the selected model; empty if the file's model does not exist any more.
    refused : list of str
        The names of the parameters that were not filled in.
    """
    sentences = [f"Filled in from {name}."]
    if not settings.model:
        sentences[0] = f"The prompt is from {name}; it names no model of this service."
    elif not model:
        sentences.append(f"This account has no model {settings.model!r}, so it was not selected.")
    if refused and model:
        labels = ", ".join(parameters.humanize(each).lower() for each in refused[:MAX_LISTED])
        sentences.append(f"{model} does not accept this {labels} any more, so it was left out.")
    if settings.references == 1:
        sentences.append("Its reference image is not in the file: add it again.")
    elif settings.references:
        sentences.append(f"Its {settings.references} reference images are not in the file.")
    return " ".join(sentences)
