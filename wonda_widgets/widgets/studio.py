"""`Studio`: from a prompt to a published post in one panel."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..client import selection
from ..errors import NoMediaError
from ..utils import event_loop, suggestions
from ._parts.composite import columns
from ._parts.filmstrip import Filmstrip
from ._parts.publish_forms import PublishForms
from ._parts.unfinished import Unfinished
from ._shared import formatting
from ._shared.permissions import Permission
from .image_preview import ImagePreview
from .job_progress import JobProgress
from .prompt_form import PromptForm
from .publish_form import PublishForm
from .video_preview import VideoPreview

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..journal.budgets import Budget
    from ..journal.entries import JournalEntry
    from ..journal.generated_image import GeneratedImage
    from ..models import Media, Snapshot
    from ._shared.media_preview import MediaPreview, ShownMedia
    from .edit_form import EditForm


#: The steps of a post in which nothing was sent yet.
INTERRUPTIBLE_STEPS = {"editing", "preparing", "confirming", "repeating", "unchecked"}


class Studio(PublishForms):
    """A panel for the whole process: prompt, job, image or video, post.

    Enter a prompt, press `Generate`, watch the job, review the result, press `Publish`. If an
    earlier kernel left jobs unfinished, the panel offers to resume them.

    Without a key, the panel uses a sandbox and says so: results are placeholders, and nothing is
    published.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        By default, a client with the key from the environment, or a sandbox.
    confirm_publish : bool
        Whether `Publish` shows a summary first.
    prompt, kind, model, params
        Initial values; see `PromptForm`.
    caption : str
        The initial caption.
    notify : bool
        Whether to tell when a running job ends; see `JobProgress`.
    budget : Budget or float, optional
        The maximum amount to spend; a number is US dollars per day.
    banner : bool
        Whether to show the sandbox banner.
    storyboard : bool
        Whether to offer `Keep in notebook` and `Export page`.
    owners : collection of str, optional
        Processes (`JournalEntry.process`) whose unfinished work is offered; by default, those of
        all kernels that have ended.

    Attributes
    ----------
    job : Job or None
        The latest generation, for the next cell: ``studio.job.wait()``.
    publish_job : Job or None
        The latest post.
    media : Media or None
        The image or video that is shown.

    Examples
    --------
    >>> studio = ww.Studio(prompt="A sunset over the ocean")
    >>> studio
    """

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        confirm_publish: bool = True,
        prompt: str = "",
        kind: str = "image",
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        caption: str = "",
        notify: bool = False,
        budget: Budget | float | None = None,
        banner: bool = True,
        storyboard: bool = True,
        owners: Collection[str] | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise suggestions.unknown_arguments_error(Studio, unknown)
        client, owned = selection.choose(wonda)
        common: dict[str, Any] = {"wonda": client, "banner": False}
        self.unfinished = Unfinished(client, self._resume, self._check, owners=owners)
        self.prompt_form = PromptForm(
            prompt=prompt, kind=kind, model=model, params=params, budget=budget, **common
        )
        self.progress = JobProgress(notify=notify, **common)
        self.preview = ImagePreview(**common)
        self.video_preview = VideoPreview(**common)
        self._shown_preview: MediaPreview = self.preview
        self.filmstrip = Filmstrip(self._select)
        self.edit_form: EditForm | None = None  # created when an image is edited
        self.publish_form = PublishForm(confirm_publish=confirm_publish, caption=caption, **common)
        previews = (self.preview, self.video_preview)
        work = columns(self.prompt_form, *previews, self.progress, self.filmstrip)
        rows = [self.unfinished, work, self.publish_form]
        super().__init__(
            "Wonda Studio",
            client,
            owned,
            rows,
            hidden=[self.video_preview],
            banner=banner,
            storyboard=storyboard,
        )
        self.prompt_form.on_job(self._show_job)
        self.preview.on_edit(self._edit)
        self.preview.on_animate(self._animate)
        for preview in previews:
            preview.observe(lambda _: self._run_dependents(), "media_id")
        self.prompt_form.observe(
            lambda _: event_loop.call_soon(self._update_aspect_ratio), ["kind", "model", "params"]
        )
        event_loop.call_soon(
            self._update_aspect_ratio
        )  # the models may have been loaded before `observe`

    # ------------------------------------------------------------ for the next cell

    @property
    def job(self) -> Job | None:
        """The latest generation; None before the first."""
        return self.prompt_form.job

    @property
    def media(self) -> Media | None:
        """The displayed image or video; None before the first one."""
        return self._shown_preview.media

    def _value_besides_traits(self) -> dict[str, Any]:
        """See `Panel._value_besides_traits`."""
        return {"media_id": self._shown_preview.media_id}

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """Return the jobs of this panel, oldest first; see `storyboard.Shows`."""
        # An edited image has the job of its original, whose timeline includes it.
        job_ids = dict.fromkeys(shown.job_id for shown in self.filmstrip.images[::-1])
        attach = self._client.jobs.attach
        return self._client.history, [attach("inference", each) for each in job_ids if each]

    def __repr__(self) -> str:
        shown = f" showing {self.media.media_id}" if self.media else ""
        return f"<Studio{shown}>"

    def _running_jobs(self) -> list[Job]:
        jobs = (self.job, self.publish_job)
        return [job for job in jobs if job is not None and job.id is not None and not job.done]

    # ------------------------------------------------------------ for a dashboard

    def resume(self, given: list[JournalEntry]) -> None:
        """Resume the jobs of these journal entries. Call this on the package's loop only."""
        for entry in self._resume(given):  # posts that are not shown
            self._client.jobs.resume(entry)

    def show(self, image: GeneratedImage, *, in_background: bool = False) -> None:
        """Show an earlier image to edit or post it. Call this on the package's loop only.

        Parameters
        ----------
        image : Image
        in_background : bool
            Only add the image to the filmstrip.
        """
        note = f"generated in {formatting.format_duration(image.seconds)}" if image.seconds else ""
        options: dict[str, Any] = {
            "job_id": image.job_id,
            "note": note,
            "in_background": in_background,
        }
        self._show_media(
            image.media,
            image.request,
            on_ready=lambda shown: self._add_image(shown, note),
            **options,
        )

    def _show_media(self, media: Media, *args: Any, **options: Any) -> None:
        """Show an image or a video; see `MediaPreview.show`."""
        preview = self._preview_for(media)
        if not options.get("in_background"):
            self._switch_to(preview)
        preview.show(media, *args, **options)

    def _preview_for(self, media: Media) -> MediaPreview:
        return self.video_preview if media.is_video else self.preview

    def _switch_to(self, preview: MediaPreview) -> None:
        if preview is not self._shown_preview:
            self._shown_preview.waiting = False
            self._switch(hidden=self._shown_preview, shown=preview)
            self._shown_preview = preview

    def _add_image(self, image: ShownMedia, note: str) -> None:
        """Add a loaded image to the filmstrip; if it is displayed, offer it for publishing."""
        # If the user has selected an earlier image in the meantime, that one is still published.
        is_shown = self._shown_preview.shown is image
        self.filmstrip.add(image, note, selected=is_shown)
        if is_shown:
            self._offer_to_publish(image)

    # ------------------------------------------------------------ the flow, on the loop

    def _update_aspect_ratio(self) -> None:
        ratio = str(self.prompt_form.params.get("aspectRatio", ""))
        self.preview.aspect_ratio = self.video_preview.aspect_ratio = ratio
        if self._shown_preview.state == "empty":
            makes_videos = self.prompt_form.kind == "video"
            self._switch_to(self.video_preview if makes_videos else self.preview)
            self.publish_form.expect(is_video=makes_videos)

    def _show_job(self, job: Job) -> None:
        last = self.progress.job
        if last is not None and not last.done:  # no longer displayed, but the user has paid for it
            last.resume()
        self.progress.job = job
        self._shown_preview.waiting = self._shown_preview.state == "ready"
        self._shown_preview.error = None
        self._show_result_of(job)

    def _show_result_of(self, job: Job) -> None:
        """Show the job's image when it succeeds, even if the job is no longer displayed."""

        def follow(snapshot: Snapshot) -> None:
            if snapshot.terminal or not snapshot.watching:
                if self.job is job:
                    self._shown_preview.waiting = False
                if snapshot.terminal:
                    unwatch()
                    self._subscriptions.remove(unwatch)
                if snapshot.status == "succeeded":
                    self._show_result(job, snapshot)

        unwatch = job.watch(follow)
        self._subscriptions.append(unwatch)

    def _resume(self, entries: list[JournalEntry]) -> list[JournalEntry]:
        """Resume the jobs of an earlier kernel and show the newest generation.

        Return the posts that were not resumed: only one is shown at a time, and only in
        sessions that may settle posts.
        """
        images = [entry for entry in entries if entry.kind == "inference"]
        posts = [entry for entry in entries if entry.kind == "publish"]
        jobs = [self._client.jobs.resume(entry) for entry in images]
        if jobs and self.prompt_form.state in {"loading", "ready"}:
            self.prompt_form.attach_job(jobs.pop())
        for job in jobs:
            self._show_result_of(job)
        settles = self._permissions.grants(Permission.SETTLE)
        if posts and settles and self.publish_form.step == "editing":
            self.publish_form.attach_job(self._client.jobs.resume(posts.pop()))
        return posts

    def _check(self, entry: JournalEntry) -> bool:
        """Check a post of an earlier kernel; return False while another post is in progress."""
        if self.publish_form.step not in INTERRUPTIBLE_STEPS:
            return False
        self.publish_form.attach_job(self._client.jobs.resume(entry))
        self.publish_form.check()
        return True

    def _show_result(self, job: Job, snapshot: Snapshot) -> None:
        if self._closed:
            return
        try:
            media = snapshot.media
        except NoMediaError:  # `progress` shows this error
            return
        note = f"generated in {formatting.format_duration(snapshot.elapsed)}"

        # The image of a job that is no longer displayed is only added to the filmstrip.
        self._show_media(
            media,
            job.request,
            job_id=job.id or "",
            note=note,
            on_ready=lambda image: self._add_image(image, note),
            in_background=job is not self.job,
        )

    def _animate(self, image: ShownMedia) -> None:
        """Offer to make a video that starts with an image."""
        self.prompt_form.animate(image.media, thumb=image.thumb)
        self.prompt_form.scroll_into_view()

    def _edit(self, image: ShownMedia) -> None:
        """Open the editor between the image and its post."""
        if self.edit_form is None:
            from .edit_form import EditForm  # noqa: PLC0415 - see above

            self.edit_form = EditForm(wonda=self._client, banner=False)
        on_media = partial(self._show_edited, image)
        self.edit_form.reopen(image.media, image.request, on_media=on_media)
        self._reveal(self.edit_form, before=self.publish_form, back=self.preview)

    def _show_edited(self, of: ShownMedia, media: Media) -> None:
        """Show an edited image and offer it for publishing."""
        if self._closed:
            return

        on_ready = partial(self._add_image, note="edited")
        self._show_media(media, of.request, job_id=of.job_id, note="edited", on_ready=on_ready)

    def _select(self, image: ShownMedia, note: str) -> None:
        preview = self._preview_for(image.media)
        self._switch_to(preview)
        preview.show_again(image, note)
        self._offer_to_publish(image)

    def _offer_to_publish(self, image: ShownMedia) -> None:
        self._enable_storyboard()
        if image.media.is_video:
            self.publish_form.offer_video(image.media, alt_text=image.prompt, thumb=image.card)
            return
        self.publish_form.offer(
            image.media.media_id or "",
            alt_text=image.prompt,
            thumb=image.card,
            preview=image.preview,
            original=lambda: self.preview.original(image),
        )
