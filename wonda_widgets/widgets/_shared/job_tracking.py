"""How a panel shows a job: a snapshot becomes a handful of traits, in one message a change.

The service reports no percentage, so none is invented: the bar is indeterminate
until the job is done, or, where earlier runs say how long it takes, an estimate
that is called one. The seconds tick in the browser.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets

from ...errors import JobCanceledError, JobFailedError, NoMediaError
from ...jobs import duration_stats
from ...jobs.job import LABELS
from . import messages
from .panel import Panel
from .permissions import Permission, open_to_all, requires

if TYPE_CHECKING:
    from ...jobs.job import Job
    from ...models import Snapshot

SHOWN_BY_A_IMAGE = ("succeeded", "inference")
STOPPED = "Stopped watching. The job is still running."


class JobPanel(Panel):
    """A panel that shows one job at a time."""

    #: what the bar is of, its accessible name
    job_label = traitlets.Unicode("Generation").tag(sync=True)
    job_id = traitlets.Unicode("").tag(sync=True)
    #: the service's own word
    job_status = traitlets.Unicode("").tag(sync=True)
    #: "none", "running", "stopped", "succeeded", "empty" (succeeded without an image),
    #: "failed", "canceled" or "lost"
    job_phase = traitlets.Unicode("none").tag(sync=True)
    job_note = traitlets.Unicode("").tag(sync=True)
    #: seconds, as of the moment when this was told; the browser counts on from there
    job_elapsed = traitlets.Float(0.0).tag(sync=True)
    job_updates = traitlets.Int(0).tag(sync=True)
    #: how long such jobs took before, if that is known: ``low`` and ``high`` in seconds, and
    #: ``curve``, points of seconds and how full the bar then is
    job_durations = traitlets.Dict().tag(sync=True)

    _job: Job | None = None

    @property
    def job(self) -> Job | None:
        """The job that is shown."""
        return self._job

    def _watch(self, job: Job | None) -> None:
        """Show another job; the last one goes on, unseen."""
        self._subscription.end()
        if self._closed:
            return
        self._job = job
        self.job_durations = {}
        if job is None:
            self.job_phase = "none"
            return
        if not job.done:
            self._start(self._load_durations, job)

        def show(snapshot: Snapshot) -> None:
            if self._job is job and not self._closed:
                self._show(job, snapshot)

        self._subscription.replace(job.watch(show))

    async def _load_durations(self, job: Job) -> None:
        about = await job.duration_stats()
        if about is not None and self._job is job and not self._closed:
            self.job_durations = {
                "low": about.low,
                "high": about.high,
                "curve": duration_stats.progress_curve(about),
            }

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        if self.job_phase == "none":
            return []
        took = messages.format_duration(
            self._job.snapshot.elapsed if self._job else self.job_elapsed
        )
        said = f"{self.error['title']} {self.error['text']}" if self.error else ""
        return [(self.job_label, self.job_status), ("Duration", took), ("Problem", said)]

    def _show(self, job: Job, snapshot: Snapshot) -> None:
        """Write the snapshot into the traits: the only function that does."""
        phase, note, problem = "running", snapshot.trouble or "", None
        if snapshot.terminal:
            phase = snapshot.status
            if phase == "failed":
                failed = JobFailedError(snapshot.error_message or "Job failed", snapshot=snapshot)
                problem = messages.problem(failed)
            elif phase == "canceled":
                problem = messages.problem(JobCanceledError("Job was canceled", snapshot=snapshot))
            elif job.kind == "inference":
                phase, problem = _checked_for_media(snapshot)
        elif snapshot.error is not None:
            phase, problem = "lost", messages.problem(snapshot.error)
        elif not snapshot.watching:
            phase, note = "stopped", STOPPED
        with self.hold_sync():
            self.job_label = LABELS[job.kind]
            self.job_id = job.id or ""
            self.job_status = snapshot.status
            self.job_phase = phase
            self.job_note = note
            self.job_elapsed = snapshot.elapsed
            self.job_updates += 1
            self.error = problem
        self._update_fallbacks()

    def _update_fallbacks(self) -> None:
        super()._update_fallbacks()
        if self._job is not None:
            now = self._job.snapshot
            # Of a generation that succeeded, the image tells.
            passing = not now.terminal or (now.status, self._job.kind) == SHOWN_BY_A_IMAGE
            for twin in self._fallbacks:
                twin.tell(LABELS[self._job.kind], str(now), passing=passing)

    @property
    def _problem(self) -> str:
        # How a job failed is said beside its status.
        return "" if self.job_phase in {"failed", "canceled"} else super()._problem

    @open_to_all
    def _on_tell(self, _content: object) -> None:
        """A view begins, and does not know how old a running job is by now."""
        if self._job is not None and not self._job.done:
            self._show(self._job, self._job.snapshot)

    @requires(Permission.GENERATE)
    def _on_stop(self, _content: object) -> None:
        if self._job is not None:
            self._job.stop()

    @requires(Permission.GENERATE)
    def _on_resume(self, _content: object) -> None:
        if self._job is not None:
            self._job.resume()


def _checked_for_media(snapshot: Snapshot) -> tuple[str, messages.Problem | None]:
    """Phase and problem of a generation that succeeded, perhaps without an image."""
    try:
        _ = snapshot.media
    except NoMediaError as error:
        return "empty", messages.problem(error)
    return "succeeded", None
