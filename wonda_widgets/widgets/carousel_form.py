"""`CarouselForm`: publish several images as one Instagram carousel."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import traitlets

from ..errors import WondaError
from ..imaging import decode_threads
from ..jobs.job import Job
from ..models import require_image
from ..publishing import preflight
from ..publishing.limits import MIN_SLIDES, check_slide_count
from ..utils import event_loop
from ._shared import formatting, gallery_items
from ._shared.frontend import view
from ._shared.permissions import Permission, requires
from ._shared.posting import PostingPanel
from ._shared.preflight_panel import (
    PostImage,
    edit_problem,
    info_of,
    load_preview,
    make_card,
    upload_edit,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..client.wonda_client import AsyncWonda, Wonda
    from ..imaging.operations import Operation
    from ..journal.generated_image import GeneratedImage as Chosen

MAX_CONCURRENT_DOWNLOADS = 3  # of originals


@dataclass
class Slide:
    """An image of the carousel: the original, and the version that will be posted."""

    title: str
    original: PostImage
    shown: PostImage

    @property
    def key(self) -> str:
        """The key of the slide, which does not change when the image is edited."""
        return self.original.media_id


class CarouselForm(PostingPanel):
    """Publish 2 to 10 images as one Instagram carousel.

    The images can be reordered by dragging or with the buttons on each image. The form lists what
    Instagram will probably reject; `Fit all images` fixes these problems.

    Parameters
    ----------
    images : list of Image or Job, optional
        By default, none; call `show` later.
    wonda : Wonda or AsyncWonda, optional
        By default, the client of the images or jobs.
    confirm_publish : bool
        Whether to show a summary first.
    caption : str
        The initial caption.

    Examples
    --------
    >>> ww.CarouselForm(images, caption="Made with Wonda")
    """

    _panel = view("carousel_form")

    slides: Any = traitlets.List().tag(sync=True)
    """Each image: ``key``, ``title``, ``facts`` as text, and ``changed`` (whether edited)."""
    thumbs = traitlets.Dict().tag(sync=True)
    """A thumbnail of each image, by its key."""
    check_results: Any = traitlets.List().tag(sync=True)
    """The results of the checks: probable rejections, advice and passed checks."""
    can_fit = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether `Fit all images` would change an image."""

    def __init__(
        self,
        images: Iterable[Chosen | Job] = (),
        *,
        wonda: Wonda | AsyncWonda | None = None,
        confirm_publish: bool = True,
        caption: str = "",
        **traits: Any,
    ) -> None:
        self._slides: list[Slide] = []
        self._next: list[Chosen] | None = None
        given = gallery_items.check_images("CarouselForm", images)
        super().__init__(
            wonda, given=given, confirm_publish=confirm_publish, caption=caption, **traits
        )
        self.observe(lambda _: event_loop.call_soon(self._update_checks), ["caption"])
        if given:
            self.start_soon(self._show_first, given)

    # ------------------------------------------------------------ the images

    async def _show_first(self, given: list[Chosen | Job]) -> None:
        history = self._client.history
        self.show([await history.of(each) if isinstance(each, Job) else each for each in given])

    def show(self, chosen: list[Chosen]) -> None:
        """Replace the images to publish. Call this on the package's loop only.

        While a post is in progress, the new images wait. The caption is kept.

        Raises
        ------
        InvalidInputError
            For fewer than 2 or more than 10 images, or for a video.
        """
        check_slide_count(len(chosen))
        for image in chosen:
            require_image(image.media, "part of a carousel here")
        if self.step in {"sending", "running", "unknown", "checking"}:
            self._next = chosen
            return
        self._next = None
        self._slides = [self._slide(image) for image in chosen]
        with self.hold_sync():
            self._cancel_preparation()
            self.step = "editing"
            self.job_phase = "none"
            self.outcome = self.fixing = ""
            self.error = None
            self.thumbs = {}
            self._arrange()
        turn = asyncio.Semaphore(MAX_CONCURRENT_DOWNLOADS)
        for slide, image in zip(self._slides, chosen, strict=True):
            self._start(self._inspect, slide, image, turn)

    def _slide(self, image: Chosen) -> Slide:
        fetch = partial(self._client.history.original, image)
        whole = PostImage(image.media.media_id or "", b"", None, fetch)
        return Slide(image.prompt[: gallery_items.MAX_TITLE_LENGTH] or "Image", whole, whole)

    async def _inspect(self, slide: Slide, image: Chosen, turn: asyncio.Semaphore) -> None:
        """Load the thumbnail of an image, then check its original."""
        async with turn:
            try:
                small = await self._client.history.thumbnail(image)
                slide.original = slide.shown = replace(slide.original, thumb=small)
                self._arrange()
                data = await self._client.history.original(image)
                preview = await decode_threads.run(load_preview, data)
                large = await decode_threads.run(make_card, preview.data)
            except WondaError:  # the image can still be posted, but is not checked
                self._arrange()
                return
            slide.original = replace(slide.original, thumb=large, facts=info_of(preview))
            slide.shown = slide.original
            self._arrange()

    def _arrange(self) -> None:
        """Send the slides to the browser and check them."""
        if self._closed:
            return
        with self.hold_sync():
            self.slides = [
                {
                    "key": slide.key,
                    "title": slide.title,
                    "facts": _facts(slide.shown),
                    "changed": slide.shown is not slide.original,
                }
                for slide in self._slides
            ]
            self.thumbs = {slide.key: slide.shown.thumb for slide in self._slides}
            self.media_id = " ".join(slide.shown.media_id for slide in self._slides)
            self._update_checks()

    def _update_checks(self) -> None:
        facts = [slide.shown.facts for slide in self._slides]
        found = preflight.check_carousel(facts, self.caption) if facts else []
        self.check_results = [msgspec.to_builtins(point) for point in found]
        self.can_fit = any(preflight.carousel_fixes(facts))

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        titles = "; ".join(f"{at}. {slide.title}" for at, slide in enumerate(self._slides, 1))
        return [("Images", titles), *super()._snapshot_facts()]

    # ------------------------------------------------------------ order and fixes

    @property
    def _can_edit(self) -> bool:
        return self.step == "editing" and not self.fixing

    @requires(Permission.PUBLISH)
    def _on_move(self, content: Mapping[str, Any]) -> None:
        slide, to = self._find(content.get("key")), content.get("to")
        if slide is not None and isinstance(to, int) and self._can_edit:
            self._slides.remove(slide)
            self._slides.insert(max(0, min(to, len(self._slides))), slide)
            self._arrange()

    @requires(Permission.PUBLISH)
    def _on_remove(self, content: Mapping[str, Any]) -> None:
        slide = self._find(content.get("key"))
        if slide is not None and self._can_edit and len(self._slides) > MIN_SLIDES:
            self._slides.remove(slide)
            self._arrange()

    def _find(self, key: object) -> Slide | None:
        return next((slide for slide in self._slides if slide.key == key), None)

    @requires(Permission.PUBLISH)
    def _on_fit(self, content: Mapping[str, Any]) -> None:
        if self._can_edit and self.can_fit and content.get("media_id") == self.media_id:
            self.error = None
            self.fixing = "Fitting all images"
            self._start(self._fit, list(self._slides))

    @requires(Permission.PUBLISH)
    def _on_original(self, _content: object) -> None:
        if self._can_edit:
            for slide in self._slides:
                slide.shown = slide.original
            self._arrange()

    async def _fit(self, slides: list[Slide]) -> None:
        fixes = preflight.carousel_fixes([slide.original.facts for slide in slides])
        try:
            for slide, operations in zip(slides, fixes, strict=True):
                slide.shown = (
                    await self._changed(slide.original, operations)
                    if operations
                    else slide.original
                )
        except WondaError as error:
            if self._slides == slides:
                self.error = edit_problem(error)
        finally:
            if self._slides == slides:  # else other images are shown now
                self.fixing = ""
                self._arrange()

    async def _changed(self, of: PostImage, operations: tuple[Operation, ...]) -> PostImage:
        assert of.original is not None  # noqa: S101 - each slide has one
        return await upload_edit(self._client, of, await of.original(), operations)

    # ------------------------------------------------------------ publishing

    def _post_options(self, _content: Mapping[str, Any]) -> dict[str, Any]:
        check_slide_count(len(self._slides))
        return {"media_ids": [slide.shown.media_id for slide in self._slides]}

    async def _require_new(self, summary: Mapping[str, Any]) -> None:
        await self._client.publish.require_new_carousel(**_arguments(summary))

    async def _send_post(self, summary: Mapping[str, Any], **allowed: Any) -> Job:
        return await self._client.publish.instagram_carousel(**_arguments(summary), **allowed)

    @property
    def _has_pending(self) -> bool:
        return self._next is not None

    def _show_pending(self) -> None:
        if self._next is not None:
            self.show(self._next)


def _arguments(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `publish.instagram_carousel` for a summary."""
    return {
        "media_ids": summary["media_ids"],
        "instagram_account_id": summary["account"],
        "caption": summary["caption"] if summary["caption"].strip() else None,
    }


def _facts(image: PostImage) -> str:
    facts = image.facts
    if facts is None:
        return ""
    return f"{preflight.ratio_name(facts.ratio)} · {formatting.format_name(facts.format)}"
