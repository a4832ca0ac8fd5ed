"""`Studio`: prompt, progress, image and post in one panel."""

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
from ._shared import messages
from ._shared.permissions import Permission
from .image_preview import ImagePreview
from .job_progress import JobProgress
from .prompt_form import PromptForm
from .publish_form import PublishForm

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ..api.history import AsyncHistory
    from ..client.wonda_client import AsyncWonda, Wonda
    from ..jobs.job import Job
    from ..journal.budgets import Budget
    from ..journal.entries import JournalEntry
    from ..journal.images import GeneratedImage
    from ..models import Media, Snapshot
    from .edit_form import EditForm
    from .image_preview import Shown


class Studio(PublishForms):
    """The whole flow in one panel: from a prompt to a published post.

    Type a prompt, press `Generate`, watch the job, look at the image, press
    `Publish`. What an earlier kernel left unfinished is offered to be gone on with.

    Without a key it runs on a sandbox and says so: images are made
    up and nothing is published.

    Parameters
    ----------
    wonda : Wonda or AsyncWonda, optional
        Without it: the key of the environment, or the sandbox.
    confirm_publish : bool
        Whether `Publish` shows a summary first.
    prompt, model, params
        To begin with; see `PromptForm`.
    caption : str
        To begin with.
    budget : Budget, optional
        What may be spent on images.
    banner : bool
        Whether it tells that it runs on a sandbox.
    of : list of str, optional
        Whose unfinished work is offered, as `Record.process`; without it, of all kernels that
        have ended.
    story : bool
        Whether it offers to keep what was made in the notebook, and to save it as a page.

    Attributes
    ----------
    job : Job or None
        The latest generation, for the next cell: ``studio.job.wait()``.
    publish_job : Job or None
        The latest post.
    media : Media or None
        What is shown.

    Examples
    --------
    >>> studio = Studio(prompt="A sunset over the ocean")
    >>> studio
    """

    def __init__(
        self,
        wonda: Wonda | AsyncWonda | None = None,
        *,
        confirm_publish: bool = True,
        prompt: str = "",
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        caption: str = "",
        budget: Budget | float | None = None,
        banner: bool = True,
        story: bool = True,
        owners: Collection[str] | None = None,
        **unknown: Any,
    ) -> None:
        if unknown:
            raise suggestions.unknown_arguments_error(Studio.__init__, unknown)
        used, owned = selection.choose(wonda)
        inside: dict[str, Any] = {"wonda": used, "banner": False}
        self.unfinished = Unfinished(used, self._resume, self._check, owners=owners)
        self.prompt_form = PromptForm(
            prompt=prompt, model=model, params=params, budget=budget, **inside
        )
        self.progress = JobProgress(**inside)
        self.preview = ImagePreview(**inside)
        self.filmstrip = Filmstrip(self._choose)
        self.edit_form: EditForm | None = None  # few images are edited
        self.publish_form = PublishForm(confirm_publish=confirm_publish, caption=caption, **inside)
        work, stage = columns(self.prompt_form, self.preview, self.progress, self.filmstrip)
        rows = [self.unfinished, work, self.publish_form]
        super().__init__(
            "Wonda Studio", used, owned, rows, boxes=[stage, work], banner=banner, story=story
        )
        self.prompt_form.on_job(self._began)
        self.preview.on_edit(self._edit)
        self.prompt_form.observe(lambda _: event_loop.call_soon(self._shape), ["model", "params"])
        event_loop.call_soon(self._shape)  # the models may have come before anyone observed them

    # ------------------------------------------------------------ for the next cell

    @property
    def job(self) -> Job | None:
        """The latest generation; None before the first."""
        return self.prompt_form.job

    @property
    def media(self) -> Media | None:
        """What is shown; None before the first image."""
        return self.preview.media

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        """All that was made here, oldest first; see `storyboard.Shows`."""
        # An edit has the job of what it was made of, and is told with it.
        job_ids = dict.fromkeys(shown.job_id for shown in self.filmstrip.shown[::-1])
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
        """Follow these entries of the journal from where they stand. On the loop only."""
        for entry in self._resume(given):  # of several posts the others are followed unseen
            self._client.jobs.resume(entry)

    def show(self, image: GeneratedImage, *, behind: bool = False) -> None:
        """Have an image of before here again: to look at, edit and post. On the loop only.

        With `behind` it only joins the earlier ones.
        """
        note = messages.format_duration(image.seconds) if image.seconds else ""
        about: dict[str, Any] = {"job_id": image.job_id, "note": note, "behind": behind}
        self.preview.show(
            image.media, image.request, then=lambda shown: self._arrived(shown, note), **about
        )

    def _arrived(self, image: Shown, note: str) -> None:
        """An image is there; if it is in front, it is the one to publish."""
        # Somebody may have gone back to an earlier image meanwhile; then that one
        # stays the one to publish.
        is_shown = self.preview.shown is image
        self.filmstrip.add(image, note, chosen=is_shown)
        if is_shown:
            self._offer(image)

    # ------------------------------------------------------------ the flow, on the loop

    def _shape(self) -> None:
        self.preview.shape = str(self.prompt_form.params.get("aspectRatio", ""))

    def _began(self, job: Job) -> None:
        last = self.progress.job
        if last is not None and not last.done:  # nobody looks any more, but it was paid for
            last.resume()
        self.progress.job = job
        self.preview.waiting = self.preview.state == "ready"
        self.preview.error = None
        self._show_result_of(job)

    def _show_result_of(self, job: Job) -> None:
        """Have the job's image when there is one, whether or not the job is in sight."""

        def follow(snapshot: Snapshot) -> None:
            if snapshot.terminal or not snapshot.watching:
                if self.job is job:
                    self.preview.waiting = False
                if snapshot.terminal:
                    unwatch()
                    self._subscriptions.remove(unwatch)
                if snapshot.status == "succeeded":
                    self._finished(job, snapshot)

        unwatch = job.watch(follow)
        self._subscriptions.append(unwatch)

    def _resume(self, entries: list[JournalEntry]) -> list[JournalEntry]:
        """Follow what an earlier kernel left running; the newest image comes in sight.

        Posts are shown one at a time, and only where they can be settled; the others are
        given back.
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
        """Settle a post of an earlier kernel; False while another one is on its way."""
        if self.publish_form.step not in {"editing", "confirming", "repeating", "unchecked"}:
            return False
        self.publish_form.attach_job(self._client.jobs.resume(entry))
        self.publish_form.check()
        return True

    def _finished(self, job: Job, snapshot: Snapshot) -> None:
        if self._closed:
            return
        try:
            media = snapshot.media
        except NoMediaError:  # said beside the job's status
            return
        note = messages.format_duration(snapshot.elapsed)

        # A job that was left for another one brings its image, but not to the front.
        self.preview.show(
            media,
            job.request,
            job_id=job.id or "",
            note=note,
            then=lambda image: self._arrived(image, note),
            behind=job is not self.job,
        )

    def _edit(self, image: Shown) -> None:
        """Open the editor between the image and its post."""
        if self.edit_form is None:
            from .edit_form import EditForm  # noqa: PLC0415 - see above

            self.edit_form = EditForm(wonda=self._client, banner=False)
        then = partial(self._edited, image)
        self.edit_form.reopen(image.media, image.made, then=then)
        self._reveal(self.edit_form, before=self.publish_form, back=self.preview)

    def _edited(self, of: Shown, media: Media) -> None:
        """Show what was made of an image, and offer it to be published."""
        if self._closed:
            return

        arrived = partial(self._arrived, note="edited")
        self.preview.show(media, of.made, job_id=of.job_id, note="edited", then=arrived)

    def _choose(self, image: Shown, note: str) -> None:
        self.preview.show_again(image, note)
        self._offer(image)

    def _offer(self, image: Shown) -> None:
        self._enable_storyboard()
        self.publish_form.offer(
            image.media.media_id or "",
            alt_text=image.prompt,
            thumb=image.card,
            preview=image.preview,
            original=lambda: self.preview.original(image),
        )
