"""An image that survives the kernel.

A live panel cannot be shown without its kernel: a trusted notebook then says
"model not found" and uses none of the other formats beside it. And the bundle
of an output is fixed when the cell runs, before there is an image.

So a second, static output stands under the panel, with a display id by which it
is renewed. The live panel carries a style that hides it; where no panel lives
(a reopened notebook, GitHub, nbconvert), there is no such style, and it shows.

When a panel is kept, its own output is renewed too: it becomes the image, and
the one under it the words.
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
from .notebook_snapshot import SANDBOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...imaging.preview import Preview
    from .notebook_snapshot import NotebookSnapshot

LONGEST = 320  # pixels
MAX_BYTES = 40_000
TURNS = 20  # of the loop
REST = 10.0  # seconds that words may wait for others, or for an image, to come with them

_log = logging.getLogger(__name__)

_BACK = "Run this cell again to bring the panel back."
#: What was kept was made by a panel that may still be there; the cell would make another one.
_ON = "To continue, show the panel in another cell."


class StaticFallback:
    """The static output of one panel: its last image, and in words how far things are.

    All but `display_under` is for the package's loop.
    """

    def __init__(self, title: str, *, is_sandbox: bool = False) -> None:
        self.title = title
        self._note = f" {SANDBOX}" if is_sandbox else ""
        self._begin()
        self._latest: Preview | None = None
        self._small: Preview | None = None  # of the latest one, once it is made
        self._image = ""
        self._prompt = ""
        self._facts = ""
        self._lines: dict[str, str] = {}
        self._working = 0
        self._waiting: asyncio.TimerHandle | None = None
        self._at_once = False

    def _begin(self) -> None:
        """Be shown nowhere, under a name by which the outputs to come are renewed and hidden."""
        self.name = f"wonda-fallback-{uuid.uuid4().hex[:12]}"
        self._displayed = False

    @property
    def _live_name(self) -> str:
        return f"{self.name}-live"

    @property
    def hiding_style(self) -> str:
        """CSS with which a live panel hides this output."""
        # Lab and Voilà wrap an output in rows of their own, which would leave a gap. Not those
        # around an Output widget in which this is one output among others.
        within = f":is(.jp-OutputArea, .output_area) .{self.name}"
        rows = ", ".join(
            f"{row}:has(.{self.name}):not(:has({within}))"
            for row in (".jp-OutputArea-child", ".jp-OutputArea-output", ".output_area")
        )
        return f".{self.name}, {rows} {{ display: none !important; }}"

    def display_under(self, panel: Any, is_loading: Callable[[], bool]) -> None:
        """Put a live panel, and this under it, into the cell that runs.

        Where nobody is in front, the cell's end waits for what the panel `is_loading`.
        """
        from IPython.display import display  # noqa: PLC0415 - only in a notebook

        live = panel._repr_mimebundle_()
        data, metadata = live if isinstance(live, tuple) else (live, {})
        bundle = {**data, "text/plain": repr(panel)}
        display(bundle, raw=True, metadata=metadata, display_id=self._live_name)
        self.display(is_loading)

    def display(self, is_loading: Callable[[], bool]) -> None:
        """Put this into the cell that runs, without the live panel."""
        from IPython.display import display  # noqa: PLC0415 - only in a notebook

        first = not self._displayed
        self._displayed = True
        self._at_once = noninteractive.is_unattended()  # what comes after a cell's end is not kept
        shown = self._bundle
        display(shown, raw=True, display_id=self.name)
        # What was told meanwhile, on the loop, may have been published before this was.
        event_loop.call_soon(lambda: self._catch_up(shown))
        if first and self._at_once:
            noninteractive.delay_cell_end_until(
                lambda: event_loop.run_blocking(self._is_settled(is_loading))
            )

    def _catch_up(self, shown: dict[str, str]) -> None:
        if self._bundle != shown:
            self._tell()

    async def _is_settled(self, is_loading: Callable[[], bool]) -> bool:
        for _ in range(TURNS):  # what was told a moment ago may be on its way to what loads
            await asyncio.sleep(0)
        return not is_loading() and not self._working

    def tell(self, what: str, how: str, *, passing: bool = False) -> None:
        """Say how far something is: ``tell("Generation", "succeeded · 12 s")``; "" for nothing.

        What is only `passing` may wait a little: nobody sees it while the panel lives, and
        each renewal is a message with the image in it.
        """
        if self._lines.get(what, "") == how:
            return
        self._lines[what] = how
        if not passing or self._at_once:
            self._tell()
        elif self._waiting is None:
            self._waiting = asyncio.get_running_loop().call_later(REST, self._tell)

    def show(self, shown: Preview, prompt: str) -> None:
        """Renew it with an image, soon."""
        self._latest = shown
        self._working += 1
        event_loop.spawn_detached(self._show, shown, prompt)

    async def _show(self, shown: Preview, prompt: str) -> None:
        try:
            small = await decode_threads.run(_small, shown.data)
            if self._latest is shown:  # else another image was chosen meanwhile
                self._small, self._prompt = small, prompt
                self._facts = f"{shown.width} × {shown.height} · {shown.format}"
                self._tell()
        finally:
            self._working -= 1

    def keep(self, kept: NotebookSnapshot) -> bool:
        """Have what is kept take the panel's place, wherever it is shown; False if it is nowhere.

        Shown again later, the panel is live there, and what was kept stays.
        """
        if not self._displayed:
            return False
        words = {
            "text/html": f"{kept.html}<p><small>{_ON}</small></p>",
            "text/plain": f"{kept.plain}\n{_ON}",
        }
        if kept.image:
            look = {kept.mime_type: base64.b64encode(kept.image).decode()}
            about: dict[str, Any] = {"alt": kept.alt}
            if kept.width:
                about["width"] = kept.width
            _publish(self._live_name, {**look, "text/plain": kept.alt}, {kept.mime_type: about})
            _publish(self.name, words)
        else:
            _publish(self._live_name, words)
            _publish(self.name, {"text/plain": ""})
        self._begin()
        return True

    @property
    def _bundle(self) -> dict[str, str]:
        lines = [one_line(f"{what}: {how}") for what, how in self._lines.items() if how]
        told = "".join(f" {_sentence(line)}" for line in lines) + self._note
        if self._small is None:
            plain = f"{self.title}.{told} {_BACK}"
            return {"text/html": self._html("", "", plain), "text/plain": plain}
        image = base64.b64encode(self._small.data).decode()
        image = (
            f'<img alt="{html.escape(self._prompt)}" style="max-width:100%;border-radius:6px" '
            f'src="data:{self._small.mime_type};base64,{image}">'
        )
        return {
            "text/html": self._html(image, self._prompt, f"{self._facts}.{told} {_BACK}"),
            "text/plain": f"{self.title}: “{self._prompt}” ({self._facts}).{told} {_BACK}",
        }

    def _html(self, image: str, prompt: str, small: str) -> str:
        return (
            f'<div class="{self.name}" style="max-width:{LONGEST}px">{image}'
            f'<p dir="auto">{html.escape(prompt)}</p>'
            f"<p><small>{html.escape(small)}</small></p></div>"
        )

    def _tell(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        if self._displayed:
            _publish(self.name, self._bundle)


def _publish(name: str, bundle: dict[str, str], metadata: dict[str, Any] | None = None) -> None:
    """Renew all outputs of a name."""
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
        # In a context of its own it belongs to the cell that runs now, whichever asked
        # for the work: nbconvert and papermill listen to no other.
        contextvars.Context().run(publish)
    except Exception as error:  # noqa: BLE001 - the front end may be gone; the panel is what counts
        what = "The static output could not be renewed"
        logs.log_exception(_log, what, error=error, level=logging.DEBUG)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _small(data: bytes) -> Preview:
    """The image as it is kept in the notebook; slow, for a thread."""
    from ...imaging.preview import raster_preview  # noqa: PLC0415 - Pillow is loaded when needed

    return raster_preview(data, LONGEST, MAX_BYTES)
