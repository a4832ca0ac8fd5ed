"""`EditForm`: crop, pad, resize and add text to an image, and upload the result.

original ──applied operations──> ──draft of the open tool──> rendered ──Use──> new media
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import msgspec
import traitlets

from ..client import selection
from ..errors import InvalidInputError
from ..imaging import decode_threads
from ..imaging.operations import Encode, Operation, Text
from ..models import require_image
from ..utils import event_loop
from ._shared import edit_rendering, formatting
from ._shared.edit_rendering import RenderRequest
from ._shared.edit_uploads import EditKey, EditUploads, edited_facts
from ._shared.frontend import view
from ._shared.panel import Panel
from ._shared.permissions import Permission, requires

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..client.edit import Edit
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..imaging.apply_edits import EditedImage
    from ..jobs.job import Job
    from ..journal.generated_image import GeneratedImage
    from ..models import Media

TOOLS = ("", "crop", "pad", "resize", "text", "encode")


class EditForm(Panel):
    """A form that edits an image on this computer; the original is kept.

    The form shows the image that will be uploaded, with its size in pixels and bytes: each change
    is rendered at full size in the background. `Use this image` uploads the result as a new image.
    The same changes to the same image are uploaded only once, however often the button is clicked.

    The values of a tool are a draft. `Apply`, opening another tool and `Use this image` apply
    it; Escape discards it. Every applied change can be undone.

    Parameters
    ----------
    media : Media, Image or Job, optional
        The image to edit; by default, none; call `show` later.
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the image or job.
    data : bytes, optional
        The original, if it is already loaded; `media` is then optional.
    operations : iterable
        Operations to start with; see `edit`.
    alt : str
        The alt text of the image.

    Attributes
    ----------
    media : Media or None
        The image that was used last; before the first use, the original.
    result : EditedImage or None
        The file that was uploaded last.

    Examples
    --------
    >>> form = ww.EditForm(job)
    >>> form.on_media(lambda media: print(media.media_id))
    """

    _panel = view("edit_form")
    _browser_traits = dict.fromkeys(("tool", "draft"), Permission.EDIT)

    state = traitlets.Unicode("empty").tag(sync=True)
    """``"empty"``, ``"loading"``, ``"ready"`` or ``"broken"``."""
    data = traitlets.Bytes(b"").tag(sync=True)
    """The displayed image, at most 1024 pixels per side and 400 KB."""
    mime_type = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    shown_size: Any = traitlets.List([1, 1]).tag(sync=True)
    """Width and height of the image in `data`, in full-size pixels."""
    base_size: Any = traitlets.List([1, 1]).tag(sync=True)
    """Width and height of the image to which the open tool is applied, in pixels."""
    facts = traitlets.Unicode("").tag(sync=True)
    """Size and format of the image that will be uploaded."""
    original_facts = traitlets.Unicode("").tag(sync=True)
    """Size and format of the original."""

    tool = traitlets.Enum(TOOLS, "").tag(sync=True)
    draft = traitlets.Dict().tag(sync=True)
    """The operation of the open tool, as JSON; empty for none."""
    draft_problem = traitlets.Unicode("").tag(sync=True)
    """Why the draft cannot be applied; empty if it can."""
    changes: Any = traitlets.List().tag(sync=True)
    """The applied operations, as text."""
    can_undo = traitlets.Bool(default_value=False).tag(sync=True)
    can_redo = traitlets.Bool(default_value=False).tag(sync=True)
    defaults = traitlets.Dict().tag(sync=True)
    """The initial operation of each tool, as JSON."""
    fonts: Any = traitlets.List().tag(sync=True)

    step = traitlets.Unicode("editing").tag(sync=True)
    """``"editing"`` or ``"sending"``."""
    upload = traitlets.Dict().tag(sync=True)
    """If the displayed image was uploaded: ``media_id``, ``facts``, and ``in_use``, whether it was
    used last."""

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
        self._media_listener: Callable[[Media], object] | None = None  # for the current image
        self._edit: Edit | None = None
        self._loading: object = None  # identifies the latest load
        self._proposed: tuple[Any, ...] = ()  # operations that wait for the image
        self._render_request: RenderRequest | None = None
        self._is_rendering = False
        self._rendered: tuple[RenderRequest, EditedImage] | None = None
        self._uploads = EditUploads()
        self._in_use: EditKey | None = None
        super().__init__(wonda, given=[given], alt=alt, **traits)
        self.observe(lambda _: event_loop.call_soon(self._refresh), ["tool", "draft"])
        if media is not None or data is not None:
            self.show(media, {"prompt": alt}, data=data)
        self.edit(operations)

    # ------------------------------------------------------------ for cells and other panels

    def show(
        self,
        media: Media | None,
        request: Mapping[str, Any] | None = None,
        *,
        data: bytes | None = None,
    ) -> None:
        """Edit another image; return immediately.

        Parameters
        ----------
        media : Media or None
            None for an image that is not at the service; then `data` is required.
        request : dict, optional
            How it was generated; its ``prompt`` becomes the file name and the alt text.
        data : bytes, optional
            The original; by default it is downloaded.
        """
        event_loop.call_soon(lambda: self._start_loading(media, _name(request), data))

    def reopen(
        self,
        media: Media,
        request: Mapping[str, Any] | None = None,
        *,
        on_media: Callable[[Media], object],
    ) -> None:
        """Edit another image, or continue if it is the current one. On the package's loop only.

        `on_media` is called with each media that is made from this image, even if another image is
        being edited by then.
        """
        present = self._edit.media if self._edit is not None else None
        is_same = present is not None and present.media_id == media.media_id
        if self._loading is None and is_same and not self.upload:
            return
        self._start_loading(media, _name(request), None, on_media)

    def edit(self, operations: Iterable[Any]) -> None:
        """Propose an edit of the original that replaces the applied changes; return immediately.

        All operations except the last are applied, as one step that can be undone. The last one is
        opened as the draft of its tool, to be reviewed and applied. A change of format needs no
        review and is also applied.
        """
        proposed = tuple(operations)
        if proposed:
            event_loop.call_soon(lambda: self._catch_errors(self._propose, proposed))

    def on_media(self, listener: Callable[[Media], object]) -> None:
        """Call `listener` on the package's loop with each media that is used."""
        self._listeners.append(listener)

    def use(self) -> None:
        """Upload and use the edited image, as `Use this image` does; return immediately."""
        event_loop.call_soon(lambda: self._catch_errors(self._on_use, {}))

    @property
    def operations(self) -> tuple[Operation, ...]:
        """The applied operations, without the draft of the open tool."""
        return self._edit.operations if self._edit else ()

    @property
    def is_loading(self) -> bool:
        """See `Panel.is_loading`."""
        return self.state == "loading" or self._is_rendering

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        return [("Changes", "; ".join(self.changes)), ("Image", self.facts)]

    def _snapshot_image(self) -> tuple[bytes, str]:
        return self.data, self.alt

    # ------------------------------------------------------------ loading

    def _start_loading(
        self,
        media: Media | None,
        name: str,
        data: bytes | None,
        on_media: Callable[[Media], object] | None = None,
    ) -> None:
        if self._closed:
            return
        self._loading = loading = object()
        with self.hold_sync():
            self.error = None
            self.state = "loading"
        self._start(self._load, loading, media, name, data, on_media)

    async def _load(
        self,
        loading: object,
        media: Media | None,
        name: str,
        data: bytes | None,
        on_media: Callable[[Media], object] | None,
    ) -> None:
        try:
            if data is None:
                if media is None:
                    raise InvalidInputError("media", "There is no image.", "Pass media or data.")  # noqa: TRY301
                require_image(media, "edited")
                data = await self._client.media.download(media)
            edit, fonts = await decode_threads.run(edit_rendering.open_edit, media, data, name)
        except Exception:
            if self._loading is loading:
                self._loading, self._proposed = None, ()
                self.state = "ready" if self._edit else "broken"
            raise
        if self._loading is not loading or self._closed:  # another image is loading now
            return
        self._loading = None
        self._edit, self.media, self.result, self._media_listener = edit, media, None, on_media
        with self.hold_sync():
            self.alt = name or self.alt or "Image"
            self.fonts = fonts
            self.original_facts = " · ".join([edited_facts(edit.original), *edit.notes])
            self.step = "editing"
            self._show_changes(tool="")
        if self._proposed:
            proposed, self._proposed = self._proposed, ()
            self._catch_errors(self._propose, proposed)

    # ------------------------------------------------------------ changes

    def _show_changes(self, *, tool: str) -> None:
        """Show the applied operations, without a draft."""
        edit = self._edit
        assert edit is not None  # noqa: S101 - only called when an image is loaded
        self._in_use = None
        encodes = [step for step in edit.operations if isinstance(step, Encode)]
        kind: Any = "PNG" if edit.original.format == "GIF" else edit.original.format
        family = Text(text="").font_family
        text = Text(text="", font_family=family if family in self.fonts else "Default")
        with self.hold_sync():
            self.tool = tool
            self.draft = {}
            self.draft_problem = ""
            self.changes = [formatting.describe_operation(step) for step in edit.operations]
            self.can_undo = edit.can_undo
            self.can_redo = edit.can_redo
            self.defaults = {
                "encode": msgspec.to_builtins(encodes[-1] if encodes else Encode(format=kind)),
                "text": msgspec.to_builtins(text),
            }
        self._refresh()

    def _draft_operation(self) -> Operation | None:
        """Return the operation of the draft; None if there is none or it changes nothing.

        Raises
        ------
        InvalidInputError
            If the operation cannot be applied.
        """
        if self._edit is None or not self.draft:
            return None
        from ..imaging import apply_edits  # noqa: PLC0415 - Pillow is loaded with the image

        (operation,) = apply_edits.parse_operations([self.draft])
        size = apply_edits.check(self._edit.size, self._edit.operations)
        if edit_rendering.has_no_effect(operation, size):
            return None
        apply_edits.check(size, [operation])
        return operation

    def _apply_draft(self, *, tool: str = "") -> None:
        """Apply the draft and open another tool."""
        operation = self._draft_operation()
        if operation is not None and self._edit is not None:
            self._edit.add(operation)
            self._show_changes(tool=tool)
        else:
            self.draft = {}
            self.tool = tool

    def _propose(self, proposed: tuple[Any, ...]) -> None:
        if self._edit is None or self._loading is not None:
            self._proposed = proposed
            return
        if not self._can_edit:  # do not change what is being uploaded
            return
        from ..imaging import apply_edits  # noqa: PLC0415 - Pillow is loaded with the image

        operations = apply_edits.parse_operations(proposed)
        encodes = [operation for operation in operations if isinstance(operation, Encode)]
        others = [operation for operation in operations if not isinstance(operation, Encode)]
        apply_edits.check(self._edit.size, operations)
        with contextlib.suppress(InvalidInputError):
            self._apply_draft()  # so that undo also restores the current draft
        applied = (*encodes, *others[:-1])
        if applied or self._edit.operations:
            self._edit.replace(*applied)
        draft = msgspec.to_builtins(others[-1]) if others else {}
        with self.hold_sync():
            self._show_changes(tool=draft.get("operation", ""))
            self.draft = draft

    @property
    def _can_edit(self) -> bool:
        return self._edit is not None and self.step == "editing" and not self._closed

    @requires(Permission.EDIT)
    def _on_apply(self, content: Mapping[str, Any]) -> None:
        if self._can_edit:
            self.error = None
            self._set_draft(content)
            tool = content.get("tool")
            self._apply_draft(tool=tool if tool in TOOLS else "")

    def _set_draft(self, content: Mapping[str, Any]) -> None:
        """Set the draft to its value at the time of the click; the trait may arrive later."""
        operation = content.get("operation")
        if isinstance(operation, dict):
            self.draft = operation

    @requires(Permission.EDIT)
    def _on_cancel(self, _content: object) -> None:
        if self._can_edit:
            self.error = None
            with self.hold_sync():
                self.draft = {}
                self.tool = ""

    @requires(Permission.EDIT)
    def _on_undo(self, _content: object) -> None:
        if not self._can_edit or self._edit is None:
            return
        self.error = None
        try:
            # Apply the draft and undo that, so that redo restores it.
            self._apply_draft(tool=self.tool)
        except InvalidInputError:
            self.draft = {}
        else:
            self._edit.undo()
            self._show_changes(tool=self.tool)

    @requires(Permission.EDIT)
    def _on_redo(self, _content: object) -> None:
        if self._can_edit and self._edit is not None and self._edit.redo():
            self.error = None
            self._show_changes(tool=self.tool)

    # ------------------------------------------------------------ rendering

    def _refresh(self) -> None:
        """Request a rendering of the current state, unless it is the latest request."""
        if self._edit is None or self._closed:
            return
        try:
            draft = self._draft_operation()
        except InvalidInputError as error:
            self._in_use, self.upload, self.draft_problem = None, {}, str(error)
            return
        self.draft_problem = ""
        if draft is not None:
            self._in_use = None
        self.upload = {} if draft is not None else self._known_upload(self._edit)
        is_cropping = self.tool == "crop"
        request = RenderRequest(self._edit, self._edit.operations, draft, is_cropping)
        if request == self._render_request:
            return
        self._render_request = request
        if not self._is_rendering:
            self._start(self._render)

    def _known_upload(self, edit: Edit) -> dict[str, Any]:
        """Return the value of `upload` for the current image."""
        key = EditKey.of(edit)
        if (known := self._uploads.get(key)) is None:
            return {}
        is_in_use = key == self._in_use
        return {"media_id": known.media.media_id, "facts": known.facts, "in_use": is_in_use}

    async def _render(self) -> None:
        """Render in a thread until the latest request is done; skip requests in between."""
        self._is_rendering = True
        done = None
        try:
            while (request := self._render_request) is not done and request and not self._closed:
                await self._render_one(request)
                done = request
        except Exception:
            self._render_request = None  # the next change tries again
            raise
        finally:
            self._is_rendering = False

    async def _render_one(self, request: RenderRequest) -> None:
        result = await decode_threads.run(
            edit_rendering.render, request, seconds=decode_threads.EDIT_TIMEOUT_SECONDS
        )
        if self._render_request is not request:
            return
        final = result.final
        with self.hold_sync():
            self.data, self.mime_type = result.data, result.mime_type
            self.shown_size, self.base_size = list(result.shown_size), list(result.base_size)
            self.facts = f"{final.width} × {final.height} · …"
            self.state = "ready"
        # The number of bytes is known after encoding, which takes a while for a PNG.
        edited = await decode_threads.run(
            edit_rendering.encode, request, final, seconds=decode_threads.EDIT_TIMEOUT_SECONDS
        )
        if self._render_request is not request:
            return
        self._rendered = (request, edited)
        self.facts = edited_facts(edited)
        if self._fallbacks:
            from ..imaging.preview import Preview  # noqa: PLC0415 - Pillow is loaded by now

            size = (edited.width, edited.height, edited.format, len(edited.data))
            preview = Preview(result.data, result.mime_type, *size)
            for fallback in self._fallbacks:
                fallback.show(preview, self.alt)

    # ------------------------------------------------------------ using the result

    @requires(Permission.EDIT)
    def _on_use(self, content: Mapping[str, Any]) -> None:
        # The step changes before anything is sent, so that a second click has no effect.
        if not self._can_edit or self._edit is None:
            return
        self.error = None
        self._set_draft(content)
        self._apply_draft()
        if self._in_use == EditKey.of(self._edit):  # unchanged since it was used
            return
        if not self._edit.operations and self._edit.media is not None:
            raise InvalidInputError("operations", "No changes yet.", "Choose a tool.")
        self.step = "sending"
        self._start(self._use, self._edit, self._media_listener)

    async def _use(self, edit: Edit, on_media: Callable[[Media], object] | None) -> None:
        key = EditKey.of(edit)
        try:
            edited = await self._encoded(edit)
            media = await self._uploads.upload(self._client, key, edit, edited)
        finally:
            if self._edit is edit:  # else another image is being edited now
                self.step = "editing"
        if self._edit is edit:
            self.media, self.result, self._in_use = media, edited, key
            self._refresh()
        for listener in [*self._listeners, *([on_media] if on_media else [])]:
            self._catch_errors(listener, media)

    async def _encoded(self, edit: Edit) -> EditedImage:
        """Return the file to upload: the displayed one, if it has all operations."""
        if self._rendered is not None:
            request, edited = self._rendered
            if request.edit is edit and request.all_operations == edit.operations:
                return edited
        return await decode_threads.run(edit.render, seconds=decode_threads.EDIT_TIMEOUT_SECONDS)


def _name(request: Mapping[str, Any] | None) -> str:
    return str((request or {}).get("prompt") or "")
