"""`EditForm`: crop, pad, resize, write over an image, and use what comes out."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import traitlets

from ..client import selection
from ..errors import InvalidInputError
from ..imaging import decode_threads
from ..imaging.operations import (
    Crop,
    Encode,
    Operation,
    Pad,
    Resize,
    Text,
)
from ..utils import event_loop
from ._shared import messages
from ._shared.panel import Panel, css, esm
from ._shared.permissions import Permission, requires

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from PIL import Image

    from ..client.edit import Edit
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..imaging.apply_edits import EditedImage, Size
    from ..jobs.job import Job
    from ..journal.images import GeneratedImage
    from ..models import Media

TOOLS = ("", "crop", "pad", "resize", "text", "encode")
UPLOADS = 20  # that are remembered


class EditForm(Panel):
    """Changes an image on this computer; the original stays.

    What is shown is what will be sent: each change is rendered at full size in the
    background, and its size and bytes are told. `Use this image` uploads it as a
    new image, once, however often it is clicked: the same changes of the same
    image are the same media, also after others were tried in between.

    A tool's values are a draft until `Apply`, the next tool or `Use this image`
    makes them a change; Escape drops them. Every change can be undone.

    Parameters
    ----------
    media : Media, optional
        What to edit; or call `show` later.
    wonda : Wonda or AsyncWonda, optional
        Without it: the key of the environment, or the sandbox.
    data : bytes, optional
        The original, if it is there already; then `media` may be missing.
    operations : iterable
        To begin with; see `edit`.
    alt : str
        The image in words.

    Attributes
    ----------
    media : Media or None
        What was used last; before, the original.
    result : EditedImage or None
        Its file.

    Examples
    --------
    >>> form = ww.EditForm(job.wait().media, wonda=wonda)
    >>> form.on_media(lambda media: print(media.media_id))
    """

    _esm = esm("edit_form")
    _css = css("edit_form")
    _browser_traits = dict.fromkeys(("tool", "draft"), Permission.EDIT)

    state = traitlets.Unicode("empty").tag(sync=True)
    """``"empty"``, ``"loading"``, ``"ready"`` or ``"broken"``."""
    data = traitlets.Bytes(b"").tag(sync=True)
    """What is shown: at most 1024 pixels a side and 400 KB."""
    mime_type = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    shown: Any = traitlets.List([1, 1]).tag(sync=True)
    """Width and height of what `data` shows, in pixels of the full size."""
    size: Any = traitlets.List([1, 1]).tag(sync=True)
    """Width and height of the image that the open tool works on."""
    facts = traitlets.Unicode("").tag(sync=True)
    """Of what will be sent."""
    before = traitlets.Unicode("").tag(sync=True)
    """Of the original."""

    tool = traitlets.Enum(TOOLS, "").tag(sync=True)
    draft = traitlets.Dict().tag(sync=True)
    """What the open tool would do, as JSON; empty for nothing."""
    problem = traitlets.Unicode("").tag(sync=True)
    """Why the draft cannot be done."""
    changes: Any = traitlets.List().tag(sync=True)
    """What is done, in words."""
    can_undo = traitlets.Bool(default_value=False).tag(sync=True)
    can_redo = traitlets.Bool(default_value=False).tag(sync=True)
    defaults = traitlets.Dict().tag(sync=True)
    """With what the tools begin: operations as JSON, by tool."""
    fonts: Any = traitlets.List().tag(sync=True)

    step = traitlets.Unicode("editing").tag(sync=True)
    """``"editing"`` or ``"sending"``."""
    used = traitlets.Dict().tag(sync=True)
    """Of what is shown, if it was uploaded: ``media_id``, ``facts``, and whether it is the one
    that was used last (``in_use``)."""

    def __init__(
        self,
        media: Media | GeneratedImage | Job | None = None,
        *,
        wonda: Wonda | AsyncWonda | None = None,
        data: bytes | None = None,
        operations: Iterable[Any] = (),
        alt: str = "",
        **traits: Any,
    ) -> None:
        given, media = media, selection.media_of(media)
        self.media = media
        self.result: EditedImage | None = None
        self._listeners: list[Callable[[Media], object]] = []
        self._edit: Edit | None = None
        self._loading: object = None
        self._proposed: tuple[Any, ...] = ()
        self._wanted: _Wanted | None = None
        self._rendering = False
        self._made: tuple[_Wanted, EditedImage] | None = None
        self._uploads: dict[_What, _Upload] = {}
        self._in_use: _What | None = None
        self._then: Callable[[Media], object] | None = None
        super().__init__(wonda, given=[given], alt=alt, **traits)
        self.observe(lambda _: event_loop.call_soon(self._refresh), ["tool", "draft"])
        if media is not None or data is not None:
            self.show(media, {"prompt": alt}, data=data)
        self.edit(operations)

    # ------------------------------------------------------------ for other panels and cells

    def show(
        self,
        media: Media | None,
        made: Mapping[str, Any] | None = None,
        *,
        data: bytes | None = None,
    ) -> None:
        """Edit this image from now on; returns at once.

        Parameters
        ----------
        media : Media or None
            None for an image that is not at the service; then `data` is needed.
        made : dict, optional
            How it was made; its ``prompt`` names the file and is the image in words.
        data : bytes, optional
            The original. Without it, it is fetched.
        """
        event_loop.call_soon(
            lambda: self._begin(media, str((made or {}).get("prompt") or ""), data)
        )

    def reopen(
        self,
        media: Media,
        made: Mapping[str, Any] | None = None,
        *,
        then: Callable[[Media], object],
    ) -> None:
        """As `show`; but what is being done to this same image stays. On the loop only.

        `then` is called with each media that is made of this image, also if another one is
        edited by then.
        """
        edit = self._edit
        same = edit is not None and edit.media is not None and edit.media.media_id == media.media_id
        if self._loading is None and same and not self.used:
            return
        self._begin(media, str((made or {}).get("prompt") or ""), None, then)

    def edit(self, operations: Iterable[Any]) -> None:
        """Propose an edit of the original, instead of what was done; returns at once.

        All but the last operation are done, as one step that can be undone. The last
        one is shown open in its tool, a crop with its handles, to be looked at and
        applied. A format has nothing to look at and is done with the others.
        """
        wanted = tuple(operations)
        if wanted:
            event_loop.call_soon(lambda: self._guard(self._propose, wanted))

    def on_media(self, listener: Callable[[Media], object]) -> None:
        """Have `listener` called, on the package's loop, with each media that is used."""
        self._listeners.append(listener)

    def use(self) -> None:
        """Do what `Use this image` does; returns at once."""
        event_loop.call_soon(lambda: self._guard(self._on_use, {}))

    @property
    def operations(self) -> tuple[Operation, ...]:
        """What is done to the original, without the open tool's draft."""
        return self._edit.operations if self._edit else ()

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        return [("Changes", "; ".join(self.changes)), ("Image", self.facts)]

    def _snapshot_image(self) -> tuple[bytes, str]:
        return self.data, self.alt

    # ------------------------------------------------------------ the original

    def _begin(
        self,
        media: Media | None,
        name: str,
        data: bytes | None,
        then: Callable[[Media], object] | None = None,
    ) -> None:
        if self._closed:
            return
        self._loading = wanted = object()
        with self.hold_sync():
            self.error = None
            self.state = "loading"
        self._start(self._load, wanted, media, name, data, then)

    async def _load(
        self,
        wanted: object,
        media: Media | None,
        name: str,
        data: bytes | None,
        then: Callable[[Media], object] | None,
    ) -> None:
        try:
            if data is None:
                if media is None:
                    raise InvalidInputError("media", "There is no image.", "Pass media or data.")  # noqa: TRY301
                data = await self._client.media.download(media)
            edit, fonts = await decode_threads.run(_opened, media, data, name)
        except Exception:
            if self._loading is wanted:
                self._loading, self._proposed = None, ()
                self.state = "ready" if self._edit else "broken"
            raise
        if self._loading is not wanted or self._closed:  # another one was asked for meanwhile
            return
        self._loading = None
        self._edit, self.media, self.result, self._then = edit, media, None, then
        first = edit.original
        with self.hold_sync():
            self.alt = name or self.alt or "Image"
            self.fonts = fonts
            facts = messages.image_facts(first.width, first.height, first.format, len(first.data))
            self.before = " · ".join([facts, *edit.notes])
            self.step = "editing"
            self._changed(tool="")
        if self._proposed:
            proposed, self._proposed = self._proposed, ()
            self._guard(self._propose, proposed)

    # ------------------------------------------------------------ changes

    def _changed(self, *, tool: str) -> None:
        """Tell what is done now; the draft became part of it, or is dropped."""
        edit = self._edit
        assert edit is not None  # noqa: S101 - only called when there is one
        self._in_use = None
        encodes = [step for step in edit.operations if isinstance(step, Encode)]
        kind: Any = "PNG" if edit.original.format == "GIF" else edit.original.format
        family = Text(text="").font_family
        text = Text(text="", font_family=family if family in self.fonts else "Default")
        with self.hold_sync():
            self.tool = tool
            self.draft = {}
            self.problem = ""
            self.changes = [messages.describe_operation(step) for step in edit.operations]
            self.can_undo = edit.can_undo
            self.can_redo = edit.can_redo
            self.defaults = {
                "encode": msgspec.to_builtins(encodes[-1] if encodes else Encode(format=kind)),
                "text": msgspec.to_builtins(text),
            }
        self._refresh()

    def _pending(self) -> Operation | None:
        """What the open tool's draft does, if it does anything.

        Raises
        ------
        InvalidInputError
            If it cannot be done.
        """
        if self._edit is None or not self.draft:
            return None
        from ..imaging import apply_edits  # noqa: PLC0415 - Pillow is there as soon as an image is

        (step,) = apply_edits.parse_operations([self.draft])
        size = apply_edits.check(self._edit.size, self._edit.operations)
        if _does_nothing(step, size):
            return None
        apply_edits.check(size, [step])
        return step

    def _commit(self, *, tool: str = "") -> None:
        """Make the draft a change."""
        step = self._pending()
        if step is not None and self._edit is not None:
            self._edit.add(step)
            self._changed(tool=tool)
        else:
            self.draft = {}
            self.tool = tool

    def _propose(self, operations: tuple[Any, ...]) -> None:
        if self._edit is None or self._loading is not None:
            self._proposed = operations
            return
        if not self._is_free:  # what is on its way stays in sight
            return
        from ..imaging import apply_edits  # noqa: PLC0415 - see above

        steps = apply_edits.parse_operations(operations)
        formats = [step for step in steps if isinstance(step, Encode)]
        others = [step for step in steps if not isinstance(step, Encode)]
        apply_edits.check(self._edit.size, steps)
        with contextlib.suppress(InvalidInputError):
            self._commit()  # so that also what somebody had begun comes back by `Undo`
        done = (*formats, *others[:-1])
        if done or self._edit.operations:
            self._edit.replace(*done)
        draft = msgspec.to_builtins(others[-1]) if others else {}
        with self.hold_sync():
            self._changed(tool=draft.get("operation", ""))
            self.draft = draft

    @property
    def _is_free(self) -> bool:
        return self._edit is not None and self.step == "editing" and not self._closed

    @requires(Permission.EDIT)
    def _on_apply(self, content: Mapping[str, Any]) -> None:
        if self._is_free:
            self.error = None
            self._take(content)
            tool = content.get("tool")
            self._commit(tool=tool if tool in TOOLS else "")

    def _take(self, content: Mapping[str, Any]) -> None:
        """The draft as the browser has it at the click; the trait may be a moment behind."""
        operation = content.get("operation")
        if isinstance(operation, dict):
            self.draft = operation

    @requires(Permission.EDIT)
    def _on_cancel(self, _content: object) -> None:
        if self._is_free:
            self.error = None
            with self.hold_sync():
                self.draft = {}
                self.tool = ""

    @requires(Permission.EDIT)
    def _on_undo(self, _content: object) -> None:
        if not self._is_free or self._edit is None:
            return
        self.error = None
        try:
            # A draft is undone first, in a way that `Redo` brings it back.
            self._commit(tool=self.tool)
        except InvalidInputError:
            self.draft = {}
        else:
            self._edit.undo()
            self._changed(tool=self.tool)

    @requires(Permission.EDIT)
    def _on_redo(self, _content: object) -> None:
        if self._is_free and self._edit is not None and self._edit.redo():
            self.error = None
            self._changed(tool=self.tool)

    # ------------------------------------------------------------ what is shown

    def _refresh(self) -> None:
        """Render what is there now, unless that is what is rendered already."""
        if self._edit is None or self._closed:
            return
        try:
            pending = self._pending()
        except InvalidInputError as error:
            self._in_use, self.used, self.problem = None, {}, str(error)
            return
        self.problem = ""
        if pending is not None:
            self._in_use = None
        self.used = {} if pending is not None else self._known_use(self._edit)
        wanted = _Wanted(self._edit, self._edit.operations, pending, crops=self.tool == "crop")
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if not self._rendering:
            self._start(self._render)

    def _known_use(self, edit: Edit) -> dict[str, Any]:
        """What is known of the image as it is now, as `used` has it."""
        what = _what(edit)
        if (known := self._uploads.get(what)) is None:
            return {}
        in_use = what == self._in_use
        return {"media_id": known.media.media_id, "facts": known.facts, "in_use": in_use}

    async def _render(self) -> None:
        self._rendering = True
        rendered = None
        try:
            while self._wanted is not None and rendered is not self._wanted and not self._closed:
                rendered = self._wanted
                await self._render_one(rendered)
        except Exception:
            self._wanted = None  # the next change tries again
            raise
        finally:
            self._rendering = False

    async def _render_one(self, wanted: _Wanted) -> None:
        rendered = await decode_threads.run(
            _rendered, wanted, seconds=decode_threads.EDIT_TIMEOUT_SECONDS
        )
        if self._wanted is not wanted:
            return
        final = rendered.final
        with self.hold_sync():
            self.data, self.mime_type = rendered.data, rendered.mime_type
            self.shown, self.size = list(rendered.shown), list(rendered.size)
            self.facts = f"{final.width} × {final.height} · …"
            self.state = "ready"
        # How many bytes it has is known when it is written, which for a PNG takes a while.
        made = await decode_threads.run(
            _written, wanted, final, seconds=decode_threads.EDIT_TIMEOUT_SECONDS
        )
        if self._wanted is not wanted:
            return
        self._made = (wanted, made)
        self.facts = messages.image_facts(made.width, made.height, made.format, len(made.data))
        if self._fallbacks:
            from ..imaging.preview import Preview  # noqa: PLC0415 - see above

            small = Preview(
                rendered.data,
                rendered.mime_type,
                made.width,
                made.height,
                made.format,
                len(made.data),
            )
            for twin in self._fallbacks:
                twin.show(small, self.alt)

    @property
    def is_loading(self) -> bool:
        """See `Panel.is_loading`."""
        return self.state == "loading" or self._rendering

    # ------------------------------------------------------------ using it

    @requires(Permission.EDIT)
    def _on_use(self, content: Mapping[str, Any]) -> None:
        # The step changes here, on the loop, before anything is sent; a second click
        # (or a second tab) finds it changed.
        if not self._is_free or self._edit is None:
            return
        self.error = None
        self._take(content)
        self._commit()
        if self._in_use == _what(self._edit):  # and nothing was changed since
            return
        if not self._edit.operations and self._edit.media is not None:
            raise InvalidInputError("operations", "No changes yet.", "Choose a tool.")
        self.step = "sending"
        self._start(self._use, self._edit, self._then)

    async def _use(self, edit: Edit, then: Callable[[Media], object] | None) -> None:
        what = _what(edit)
        try:
            made = await self._file(edit)
            media = await self._uploaded(what, edit, made)
        finally:
            if self._edit is edit:  # else another image is edited now
                self.step = "editing"
        if self._edit is edit:
            self.media, self.result, self._in_use = media, made, what
            self._refresh()
        for listener in [*self._listeners, *([then] if then else [])]:
            self._guard(listener, media)

    async def _uploaded(self, what: _What, edit: Edit, made: EditedImage) -> Media:
        """What `made` is at the service; nothing is sent there twice."""
        known = self._uploads.get(what)
        if known is None:
            media = await edit.send(self._client, made)
            facts = messages.image_facts(made.width, made.height, made.format, len(made.data))
            self._uploads[what] = known = _Upload(media, facts)
            while len(self._uploads) > UPLOADS:
                del self._uploads[next(iter(self._uploads))]
        return known.media

    async def _file(self, edit: Edit) -> EditedImage:
        """What is sent: what was shown, if that is all of it."""
        if self._made is not None:
            wanted, made = self._made
            if wanted.edit is edit and wanted.all == edit.operations:
                return made
        return await decode_threads.run(edit.render, seconds=decode_threads.EDIT_TIMEOUT_SECONDS)


class _What(NamedTuple):
    """What is used: of which image (its media id, or itself where it has none), and how."""

    of: str | Edit
    operations: tuple[Operation, ...]


def _what(edit: Edit) -> _What:
    return _What((edit.media and edit.media.media_id) or edit, edit.operations)


class _Upload(NamedTuple):
    """What came of it at the service."""

    media: Media
    facts: str


class _Wanted(NamedTuple):
    """What is to be shown: an edit's operations, and a draft after them."""

    edit: Edit
    operations: tuple[Operation, ...]
    pending: Operation | None
    crops: bool

    @property
    def all(self) -> tuple[Operation, ...]:
        return (*self.operations, *([self.pending] if self.pending else []))


class _Rendered(NamedTuple):
    """A small copy of what is shown, of which size that is, and what will be sent."""

    data: bytes
    mime_type: str
    shown: Size
    size: Size
    final: Image.Image


# Slow, for a thread; Pillow is loaded when an image is there.


def _opened(media: Media | None, data: bytes, name: str) -> tuple[Edit, list[str]]:
    from ..client.edit import Edit  # noqa: PLC0415 - see above
    from ..imaging import fonts  # noqa: PLC0415 - see above

    edit = Edit(data, name=name) if media is None else Edit(media, data=data, name=name)
    assert edit.size  # noqa: S101 - decoded here, in this thread
    return edit, fonts.families()


def _rendered(wanted: _Wanted) -> _Rendered:
    from ..imaging import apply_edits, preview  # noqa: PLC0415 - see above

    base = apply_edits.draw(apply_edits.open_original(wanted.edit.data), wanted.operations)
    final = apply_edits.draw(base, [wanted.pending]) if wanted.pending else base
    # A crop is shown as a frame over what it is cut from.
    shown = base if wanted.crops else final
    return _Rendered(*preview.encode_preview(shown), shown.size, base.size, final)


def _written(wanted: _Wanted, final: Image.Image) -> EditedImage:
    from ..imaging import apply_edits  # noqa: PLC0415 - see above

    return apply_edits.encode(wanted.edit.data, final, wanted.all)


def _does_nothing(step: Operation, size: Size) -> bool:
    match step:
        case Crop() | Pad() | Resize():
            return (step.width, step.height) == size and getattr(step, "x", 0) == 0
        case Text():
            return not step.text.strip()
        case Encode():
            return False
