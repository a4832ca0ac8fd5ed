"""`storyboard`: export the history of images as one self-contained HTML page."""

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
    from ..journal.generated_image import GeneratedImage
    from .wonda_client import AsyncWonda, Wonda


class _Content(NamedTuple):
    """The images of a page and their source; `owned` is a client to close afterwards."""

    history: Source
    images: list[GeneratedImage | Job]
    owned: AsyncWonda | None


def storyboard(
    what: Iterable[GeneratedImage | Job] | GeneratedImage | Job | Shows,
    path: str | Path,
    title: str = "Storyboard",
    wonda: Wonda | AsyncWonda | None = None,
) -> Path:
    """Write the history of images, from prompt to post, as one HTML page to share.

    The page shows when each image was requested and finished, how it looks, its edits and its
    posts. It is a single file that works without a network or scripts and can be printed. The page
    is at most 6 MB for 20 images. Of a video, it shows the first frame and the length, with a link
    to the file at the service; whoever has the link can open the file until it expires.

    Parameters
    ----------
    what : GeneratedImage, Job, list of these, Matrix, or a panel
        For a panel (`Studio`, `PromptLab`, `Gallery`, `History`, `Compare`): the selected
        images, or all images if none is selected. At most 200 images.
    path : path
        An ``.html`` file. An existing file is not overwritten: a number is added to the name.
    title : str
        At most 200 characters.
    wonda : Wonda or AsyncWonda, optional
        Default: the client of the images, jobs, matrix or panel.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    TypeError
        If `what` contains anything but images and jobs.
    InvalidInputError
        If there are no images or too many, or the path cannot be written.

    Examples
    --------
    >>> page = ww.storyboard(images, "harbor.html", title="Harbor campaign")
    """
    content = _resolve(what, wonda)
    try:
        return event_loop.run_blocking(write(content.history, content.images, path, title=title))
    finally:
        if content.owned is not None:
            event_loop.run_blocking(content.owned.aclose())


def _resolve(what: Any, wonda: Wonda | AsyncWonda | None) -> _Content:
    source, images = resolve_images(what)
    if source is not None and wonda is None:
        return _Content(source, images, None)
    client, owned = selection.choose(wonda, [what, *images])
    return _Content(client.history, images, owned)
