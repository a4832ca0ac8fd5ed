"""`PublishForms`: posting from a composite panel, with forms that are created when needed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...publishing.limits import MAX_SLIDES, MIN_SLIDES
from .._shared.permissions import Permission
from .composite import CompositePanel

if TYPE_CHECKING:
    from ...jobs.job import Job
    from ...journal.generated_image import GeneratedImage
    from ...models import Media
    from .._shared.panel import Panel
    from ..carousel_form import CarouselForm
    from ..gallery import Gallery
    from ..publish_form import PublishForm
    from ..scheduled_posts import ScheduledPosts

PUBLISH = Permission.PUBLISH


class PublishForms(CompositePanel):
    """Base of the composite panels that post one image or a carousel, now or later.

    Subclasses set `publish_form` before they call this constructor.
    """

    publish_form: PublishForm
    carousel_form: CarouselForm | None = None
    scheduled_posts: ScheduledPosts | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.publish_form.on_job(self._set_latest_post)
        self.publish_form.on_scheduled(self._show_scheduled)

    @property
    def publish_job(self) -> Job | None:
        """The latest post; None before the first."""
        return self._latest_post

    _latest_post: Job | None = None

    def _add_post_actions(self, gallery: Gallery) -> None:
        """Add buttons to a gallery that post its selected images."""
        gallery.add_action(
            "publish",
            "Publish…",
            lambda images: self._publish(gallery, images[0]),
            permission=PUBLISH,
        )
        gallery.add_action(
            "carousel",
            "Carousel…",
            partial(self._carousel, gallery),
            min_images=MIN_SLIDES,
            max_images=MAX_SLIDES,
            images_only=True,
            permission=PUBLISH,
        )

    # ------------------------------------------------------------ on the loop

    def _publish(self, back: Panel, image: GeneratedImage) -> None:
        self._reveal(self.publish_form, back=back)
        original = partial(self._client.history.original, image)
        self._offer_media(image.media, image.prompt, original)

    def _offer_media(self, media: Media, alt_text: str, original: Any = None) -> None:
        self.publish_form.start_soon(
            self.publish_form.show, media, alt_text=alt_text, original=original
        )

    def _carousel(self, gallery: Gallery, images: list[GeneratedImage]) -> None:
        if self.carousel_form is None:
            from ..carousel_form import CarouselForm  # noqa: PLC0415 - carousels are rare

            self.carousel_form = CarouselForm(
                wonda=self._client, banner=False, confirm_publish=self.publish_form.confirm_publish
            )
            self.carousel_form.on_job(self._set_latest_post)
        self.carousel_form.show(images)
        self._reveal(self.carousel_form, back=gallery)

    def _set_latest_post(self, job: Job) -> None:
        self._latest_post = job

    def _show_scheduled(self) -> None:
        if self.scheduled_posts is None:
            from ..scheduled_posts import ScheduledPosts  # noqa: PLC0415 - scheduled posts are rare

            self.scheduled_posts = ScheduledPosts(self._client, banner=False)
        else:
            self.scheduled_posts.refresh()
        self._reveal(self.scheduled_posts, back=self.publish_form)
