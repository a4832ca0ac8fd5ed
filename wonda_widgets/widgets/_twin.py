"""What is left of a panel where no panel lives.

A live panel cannot be shown without its kernel: a trusted notebook then says
"model not found" and uses none of the other formats beside it. And the bundle
of an output is fixed when the cell runs, before there is a picture.

So a second, static output stands under the panel, with a display id by which it
is renewed. The live panel carries a style that hides it; where no panel lives
(a reopened notebook, GitHub, nbconvert), there is no such style, and it shows.

When a panel is kept, its own output is renewed too: it becomes the picture, and
the one under it the words.
"""

from __future__ import annotations

import base64
import html
import logging
import uuid
from typing import TYPE_CHECKING, Any

from .. import runtime

if TYPE_CHECKING:
    from ..imaging.preview import Preview
    from ._kept import Kept

LONGEST = 320  # pixels
MAX_BYTES = 40_000

_log = logging.getLogger(__name__)

_BACK = "Run this cell again to bring the panel back."


class Twin:
    """The static output of one panel."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._latest: Preview | None = None
        self._begin()

    def _begin(self) -> None:
        """Have a name of one's own, by which it is renewed and hidden."""
        self.name = f"wonda-twin-{uuid.uuid4().hex[:12]}"
        self._bundle = {
            "text/html": self._html("", "", f"{self.title}. {_BACK}"),
            "text/plain": f"{self.title}. {_BACK}",
        }
        self._displayed = False

    @property
    def hiding_style(self) -> str:
        """CSS with which a live panel hides this output."""
        # Lab and Voilà wrap an output in rows of their own, which would leave a gap.
        rows = ", ".join(
            f"{row}:has(> * .{self.name}), {row}:has(> .{self.name})"
            for row in (".jp-OutputArea-child", ".jp-OutputArea-output", ".output_area")
        )
        return f".{self.name}, {rows} {{ display: none !important; }}"

    @property
    def _live_name(self) -> str:
        return f"{self.name}-live"

    def display_under(self, panel: Any) -> None:
        """Put a live panel, and this under it, into the cell that runs."""
        from IPython.display import display  # noqa: PLC0415 - only in a notebook

        live = panel._repr_mimebundle_()
        data, metadata = live if isinstance(live, tuple) else (live, {})
        bundle = {**data, "text/plain": repr(panel)}
        display(bundle, raw=True, metadata=metadata, display_id=self._live_name)
        self._displayed = True
        display(self._bundle, raw=True, display_id=self.name)

    async def show(self, shown: Preview, prompt: str) -> None:
        """Renew it with a picture."""
        self._latest = shown
        name = self.name
        small = await runtime.in_thread(_small, shown.data)
        # Another picture was chosen meanwhile, or this one is kept.
        if self._latest is not shown or self.name != name:
            return
        facts = f"{shown.width} × {shown.height} · {shown.format}"
        picture = base64.b64encode(small.data).decode()
        self._bundle = {
            "text/html": self._html(
                f'<img alt="{html.escape(prompt)}" style="max-width:100%;border-radius:6px" '
                f'src="data:{small.mime_type};base64,{picture}">',
                prompt,
                f"{facts}. {_BACK}",
            ),
            "text/plain": f"{self.title}: “{prompt}” ({facts}). {_BACK}",
        }
        if self._displayed:
            self._renew(self.name, self._bundle)

    def keep(self, kept: Kept) -> bool:
        """Have what is kept take the panel's place, wherever it is shown; False if it is nowhere.

        Shown again later, the panel is live, and this one stays beside it.
        """
        displayed = self._displayed
        if displayed:
            # A reader that shows no pictures is told of it in words.
            words = {
                "text/html": f"{kept.html}<p><small>{_BACK}</small></p>",
                "text/plain": f"{kept.plain}\n{_BACK}",
            }
            if kept.picture:
                picture = base64.b64encode(kept.picture).decode()
                look = {kept.mime_type: picture, "text/plain": kept.alt}
                alt = {kept.mime_type: {"alt": kept.alt}}
                self._renew(self._live_name, look, alt)
                self._renew(self.name, words)
            else:
                self._renew(self._live_name, words)
                self._renew(self.name, {"text/plain": ""})
            self._begin()
        return displayed

    def _html(self, picture: str, prompt: str, small: str) -> str:
        return (
            f'<div class="{self.name}" style="max-width:{LONGEST}px">{picture}'
            f"<p>{html.escape(prompt)}</p><p><small>{html.escape(small)}</small></p></div>"
        )

    def _renew(
        self, name: str, bundle: dict[str, Any], metadata: dict[str, Any] | None = None
    ) -> None:
        from IPython.core.getipython import get_ipython  # noqa: PLC0415

        shell = get_ipython()
        if shell is None:
            return
        try:
            shell.display_pub.publish(
                bundle, metadata or {}, transient={"display_id": name}, update=True
            )
        except Exception:  # noqa: BLE001 - the front end may be gone; the live panel is what counts
            _log.debug("The static output could not be renewed", exc_info=True)


def _small(data: bytes) -> Preview:
    """The picture as it is kept in the notebook; slow, for a thread."""
    from ..imaging.preview import preview  # noqa: PLC0415 - Pillow is loaded when needed

    return preview(data, LONGEST, MAX_BYTES)
