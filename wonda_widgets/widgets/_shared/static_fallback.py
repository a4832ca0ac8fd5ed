"""`StaticFallback`: an output that shows the last image when there is no kernel.

Without its kernel, a live panel cannot be shown: a trusted notebook shows "model not found" and
ignores the output's other formats. In addition, the formats of an output are fixed when the cell
runs, before there is an image.

Therefore, a second, static output is displayed below the panel and updated by its display ID. The
live panel has a style that hides this output. If there is no live panel (a reopened notebook,
GitHub, nbconvert), the style is missing and the static output is visible.

`keep` also updates the panel's own output, which becomes the image; the static output becomes the
text.
"""

from __future__ import annotations

import asyncio
import base64
import contextvars
import html
import logging
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

from ...imaging import decode_threads
from ...models import one_line
from ...utils import event_loop, logs, noninteractive
from .notebook_snapshot import SANDBOX_NOTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...imaging.preview import Preview
    from .notebook_snapshot import NotebookSnapshot

MAX_PIXELS = 320  # longest side
MAX_BYTES = 40_000
SETTLE_ITERATIONS = 20  # iterations of the event loop
TRANSIENT_DELAY_SECONDS = 60.0  # before a transient line is sent with others

_log = logging.getLogger(__name__)

_RESTORE_HINT = (
    "Run this cell again to bring the panel back. If it does not appear, install "
    "jupyterlab_widgets and anywidget where Jupyter runs, and reload the page."
)
#: A kept panel may still exist; running its cell again would create another one.
_CONTINUE_HINT = "To continue, show the panel in another cell."


class StaticFallback:
    """The static output of one panel: its last image, and lines about its state.

    Call all methods except `display_under` and `display` on the package's loop only.

    Parameters
    ----------
    title : str
    is_sandbox : bool
        Whether to note that the images are simulated.
    """

    def __init__(self, title: str, *, is_sandbox: bool = False) -> None:
        self.title = title
        self._note = f" {SANDBOX_NOTE}" if is_sandbox else ""
        self._reset()
        self._latest: Preview | None = None
        self._small: Preview | None = None  # the scaled copy of `_latest`
        self._prompt = ""
        self._facts = ""
        self._lines: dict[str, str] = {}
        self._pending_images = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_unattended = False

    def _reset(self) -> None:
        """Choose a new name by which future outputs are updated and hidden."""
        self.name = f"wonda-fallback-{uuid.uuid4().hex[:12]}"
        self._displayed = False

    @property
    def _live_name(self) -> str:
        return f"{self.name}-live"

    @property
    def hiding_style(self) -> str:
        """The CSS by which a live panel hides this output."""
        # JupyterLab and Voilà wrap an output in rows, which would leave a gap, so these are also
        # hidden, except the rows around an Output widget, which may have other outputs.
        within = f":is(.jp-OutputArea, .output_area) .{self.name}"
        rows = ", ".join(
            f"{row}:has(.{self.name}):not(:has({within}))"
            for row in (".jp-OutputArea-child", ".jp-OutputArea-output", ".output_area")
        )
        return f".{self.name}, {rows} {{ display: none !important; }}"

    def display_under(self, panel: Any, is_loading: Callable[[], bool]) -> None:
        """Display a live panel, and this output below it, in the running cell.

        In a non-interactive run, the cell does not end while the panel `is_loading`.
        """
        from IPython.display import display  # noqa: PLC0415 - only in a notebook

        live = panel._repr_mimebundle_()
        data, metadata = live if isinstance(live, tuple) else (live, {})
        bundle = {**data, "text/plain": repr(panel)}
        display(bundle, raw=True, metadata=metadata, display_id=self._live_name)
        self.display(is_loading)

    def display(self, is_loading: Callable[[], bool]) -> None:
        """Display this output in the running cell, without the live panel."""
        from IPython.display import display  # noqa: PLC0415 - only in a notebook

        is_first = not self._displayed
        self._displayed = True
        self._is_unattended = noninteractive.is_unattended()
        bundle = self._bundle
        display(bundle, raw=True, display_id=self.name)
        # An update may have been published by the loop before this output was.
        event_loop.call_soon(lambda: self._update_if_changed(bundle))
        if is_first and self._is_unattended:  # outputs after the cell's end are lost
            noninteractive.delay_cell_end_until(
                lambda: event_loop.run_blocking(self._is_settled(is_loading))
            )

    def _update_if_changed(self, displayed: dict[str, str]) -> None:
        if self._bundle != displayed:
            self._update()

    async def _is_settled(self, is_loading: Callable[[], bool]) -> bool:
        for _ in range(SETTLE_ITERATIONS):  # a recent change may not have started to load yet
            await asyncio.sleep(0)
        return not is_loading() and not self._pending_images

    def set_line(self, topic: str, text: str, *, transient: bool = False) -> None:
        """Set the line about a topic: ``set_line("Generation", "succeeded · 12 s")``.

        Parameters
        ----------
        topic, text : str
            An empty text removes the line.
        transient : bool
            Whether the update may be delayed by some seconds: it is hidden while the panel is live,
            and each update contains the image.
        """
        if self._lines.get(topic, "") == text:
            return
        self._lines[topic] = text
        if not transient or self._is_unattended:
            self._update()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(TRANSIENT_DELAY_SECONDS, self._update)

    def show(self, preview: Preview, prompt: str) -> None:
        """Show another image as soon as it is scaled."""
        self._latest = preview
        self._pending_images += 1
        event_loop.spawn_detached(self._show, preview, prompt)

    async def _show(self, preview: Preview, prompt: str) -> None:
        try:
            small = await decode_threads.run(_small, preview.data)
            if self._latest is preview:  # else another image was shown in the meantime
                self._small, self._prompt = small, prompt
                self._facts = f"{preview.width} × {preview.height} · {preview.format}"
                self._update()
        finally:
            self._pending_images -= 1

    def keep(self, snapshot: NotebookSnapshot) -> bool:
        """Replace the displayed panel with its snapshot; return False if it is not displayed.

        A panel that is displayed again later is live there; the snapshot is not changed.
        """
        if not self._displayed:
            return False
        text = {
            "text/html": f"{snapshot.html}<p><small>{_CONTINUE_HINT}</small></p>",
            "text/plain": f"{snapshot.plain}\n{_CONTINUE_HINT}",
        }
        if snapshot.image:
            mime_type = snapshot.mime_type
            image = {
                mime_type: base64.b64encode(snapshot.image).decode(),
                "text/plain": snapshot.alt,
            }
            attributes: dict[str, Any] = {"alt": snapshot.alt}
            if snapshot.width:
                attributes["width"] = snapshot.width
            _publish(self._live_name, image, {mime_type: attributes})
            _publish(self.name, text)
        else:
            _publish(self._live_name, text)
            _publish(self.name, {"text/plain": ""})
        self._reset()
        return True

    @property
    def _bundle(self) -> dict[str, str]:
        lines = [one_line(f"{topic}: {text}") for topic, text in self._lines.items() if text]
        state = "".join(f" {_sentence(line)}" for line in lines) + self._note
        if self._small is None:
            plain = f"{self.title}.{state} {_RESTORE_HINT}"
            return {"text/html": self._html("", "", plain), "text/plain": plain}
        image = base64.b64encode(self._small.data).decode()
        image = (
            f'<img alt="{html.escape(self._prompt)}" style="max-width:100%;border-radius:6px" '
            f'src="data:{self._small.mime_type};base64,{image}">'
        )
        return {
            "text/html": self._html(image, self._prompt, f"{self._facts}.{state} {_RESTORE_HINT}"),
            "text/plain": f"{self.title}: “{self._prompt}” ({self._facts}).{state} {_RESTORE_HINT}",
        }

    def _html(self, image: str, prompt: str, small: str) -> str:
        return (
            f'<div class="{self.name}" style="max-width:{MAX_PIXELS}px">{image}'
            f'<p dir="auto">{html.escape(prompt)}</p>'
            f"<p><small>{html.escape(small)}</small></p></div>"
        )

    def _update(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._displayed:
            _publish(self.name, self._bundle)


def _publish(name: str, bundle: dict[str, str], metadata: dict[str, Any] | None = None) -> None:
    """Update all outputs with this display ID."""
    from IPython.core.getipython import get_ipython  # noqa: PLC0415 - only in a notebook

    shell = get_ipython()
    if shell is None:
        return
    publish = partial(
        shell.display_pub.publish,
        bundle,
        metadata or {},
        transient={"display_id": name},
        update=True,
    )
    try:
        # In an empty context, the message belongs to the cell that runs now, not to the one
        # that started the work: nbconvert and papermill ignore messages of other cells.
        contextvars.Context().run(publish)
    except Exception as error:  # noqa: BLE001 - the front end may be gone, the panel goes on
        what = "The static output could not be updated"
        logs.log_exception(_log, what, error=error, level=logging.DEBUG)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _small(data: bytes) -> Preview:
    """Scale an image down for the notebook. Slow: run it in a thread."""
    from ...imaging.preview import create_raster_preview  # noqa: PLC0415 - Pillow is loaded when needed

    return create_raster_preview(data, MAX_PIXELS, MAX_BYTES)
