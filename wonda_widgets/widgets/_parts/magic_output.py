"""`MagicOutput`: the output of the ``%%wonda`` cell magic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..image_preview import ImagePreview
from ..job_progress import JobProgress
from .composite import CompositePanel

if TYPE_CHECKING:
    from ...api.history import AsyncHistory
    from ...client.wonda_client import AsyncWonda
    from ...jobs.job import Job
    from ...journal.generated_image import GeneratedImage


class MagicOutput(CompositePanel):
    """A panel that shows a job's progress, and then its image.

    Parameters
    ----------
    job : Job
    wonda : AsyncWonda
    prompt : str
    """

    def __init__(self, job: Job, wonda: AsyncWonda, prompt: str) -> None:
        self._job = job
        self.preview = ImagePreview(wonda=wonda, alt=prompt, banner=False)
        self.progress = JobProgress(job, wonda=wonda, banner=False)
        super().__init__("%%wonda", wonda, None, [self.preview, self.progress], storyboard=False)
        self._subscriptions.append(job.watch(self._follow))

    def _shows(self) -> tuple[AsyncHistory, list[GeneratedImage | Job]]:
        return self._client.history, [self._job]

    def _follow(self, snapshot: Any) -> None:
        if snapshot.status == "succeeded" and any(each.media for each in snapshot.outputs):
            self.preview.show(snapshot.media, self._job.request, job_id=self._job.id or "")
