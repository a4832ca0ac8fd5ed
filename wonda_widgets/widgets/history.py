"""`History`: search all images in the journal, compare them, and reuse their prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..client import selection
from ..models import require_image
from ..utils import suggestions
from ._parts.publish_forms import PublishForms
from ._shared.permissions import Permission
from .compare import Compare
from .gallery import Gallery
from .publish_form import PublishForm
from .studio import Studio

if TYPE_CHECKING:
    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..journal.generated_image import GeneratedImage
    from ..models import Media

GENERATE = Permission.GENERATE


class History(PublishForms):
    """A panel of every image and video in the journal, with search, comparison and posting.

    Type words from a prompt to find its images. `Use prompt` opens a `Studio` below the gallery,
    with the prompt, model and parameters of an image; `Use as reference` adds it as a reference
    image.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default, a client with the key from the environment, or a sandbox.
    confirm_publish : bool
        Whether `Publish` shows a summary first.

    Attributes
    ----------
    selected : list of Image
        The selected images, for the next cell.

    Examples
    --------
    >>> history = ww.History(wonda)
    >>> history

    After selecting images, in the next cell: ``history.selected``.
    """

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        confirm_publish: bool = True,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise suggestions.unknown_arguments_error(History, unknown)
        client, owned = selection.choose(wonda)
        self.gallery = Gallery(wonda=client, banner=False)
        self.compare = Compare(wonda=client, banner=False)
        self.studio = Studio(client, banner=False, storyboard=False)
        self.publish_form = PublishForm(confirm_publish=confirm_publish, wonda=client, banner=False)
        hidden = [self.compare, self.studio, self.publish_form]
        super().__init__("Wonda History", client, owned, [self.gallery, *hidden], hidden=hidden)
        self._add_compare_action(self.gallery, self.compare)
        self._add_review_action(self.gallery)
        self.gallery.add_action(
            "form", "Use prompt…", lambda images: self._use_prompt(images[0]), permission=GENERATE
        )
        self.gallery.add_action(
            "animate",
            "Animate…",
            lambda images: self._animate(images[0].media),
            images_only=True,
            permission=GENERATE,
        )
        self._add_post_actions(self.gallery)
        self.gallery.on_images(self._enable_storyboard)
        self.gallery.add_action(
            "reference",
            "Use as reference…",
            lambda images: self._use_as_reference(images[0].media),
            images_only=True,
            permission=GENERATE,
        )

    @property
    def selected(self) -> list[GeneratedImage]:
        """The selected images."""
        return list(self.gallery.selected)

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        return self.gallery._shows()  # noqa: SLF001 - see `storyboard.Shows`

    def __repr__(self) -> str:
        return "<History>"

    # ------------------------------------------------------------ on the loop

    def _use_prompt(self, image: GeneratedImage) -> None:
        self.studio.prompt_form.fill(image)
        self._reveal(self.studio)

    def _animate(self, media: Media) -> None:
        require_image(media, "animated")
        self.studio.prompt_form.animate(media)
        self._reveal(self.studio)

    def _use_as_reference(self, media: Media) -> None:
        self.studio.prompt_form.add_reference(media)
        self._reveal(self.studio)
