"""`storyboard`: what became of images, as one page that anybody can open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ..export.storyboard import resolve_images, write
from ..utils import event_loop
from . import selection

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..export.storyboard import Shows, Source
    from ..jobs.job import Job
    from ..journal.images import GeneratedImage
    from .wonda_client import AsyncWonda, Wonda


class _Chosen(NamedTuple):
    """What a page is made of, with the client that is to be closed after it."""

    history: Source
    images: list[GeneratedImage | Job]
    owned: AsyncWonda | None


def storyboard(
    what: Iterable[GeneratedImage | Job] | GeneratedImage | Job | Shows,
    path: str | Path,
    title: str = "Storyboard",
    wonda: Wonda | AsyncWonda | None = None,
) -> Path:
    """Write what became of images as one page, to be sent to whoever never reads code.

    From the prompt to the post: when each was asked for and made, how it looks, what was
    edited, where it was posted. It is one file that needs no network, runs without scripts,
    and prints. At most 6 MB for 20 images.

    Parameters
    ----------
    what : list of Image or Job, one of them, Matrix, or a panel
        Of a panel (`Studio`, `PromptLab`, `Gallery`, `History`, `Compare`) what is chosen
        there, or else what it shows. At most 200 images.
    path : path
        An ``.html`` file. One that is there already stays; the new one gets a number.
    title : str
        At most 200 characters.
    wonda : Wonda or AsyncWonda, optional
        Without it: the client that the images, jobs, matrix or panel are of.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    TypeError
        If `what` has something else than images and jobs.
    InvalidInputError
        If there are no images or too many, or the path cannot be written.

    Examples
    --------
    >>> ww.storyboard(lab, "harbour.html", title="Harbour campaign")
    """
    chosen = _chosen(what, wonda)
    try:
        return event_loop.run_blocking(write(chosen.history, chosen.images, path, title=title))
    finally:
        if chosen.owned is not None:
            event_loop.run_blocking(chosen.owned.aclose())


def _chosen(what: Any, wonda: Wonda | AsyncWonda | None) -> _Chosen:
    own, images = resolve_images(what)
    if own is not None and wonda is None:
        return _Chosen(own, images, None)
    used, owned = selection.choose(wonda, [what, *images])
    return _Chosen(used.history, images, owned)
