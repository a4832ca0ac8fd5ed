"""`JobPanel`: show a job, with one message to the browser for each new snapshot.

The service reports no percentage. The bar is indeterminate until the job ends or, if enough
earlier durations are known, shows an estimate that is labeled as such. The browser counts the
seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import traitlets

from ...errors import JobCanceledError, JobFailedError, NoMediaError
from ...jobs import duration_stats
from ...jobs.job import LABELS
from . import error_alerts, formatting
from .panel import Panel
from .permissions import Permission, open_to_all, requires

if TYPE_CHECKING:
    from ...jobs.job import Job
    from ...models import Snapshot

STOPPED = "Stopped watching. The job is still running."


class JobPanel(Panel):
    """Base of the panels that show a job."""

    #: the accessible name of the progress bar
    job_label = traitlets.Unicode("Generation").tag(sync=True)
    job_id = traitlets.Unicode("").tag(sync=True)
    #: the service's status word
    job_status = traitlets.Unicode("").tag(sync=True)
    #: "none", "running", "stopped", "succeeded", "empty" (succeeded without an image),
    #: "failed", "canceled" or "lost"
    job_phase = traitlets.Unicode("none").tag(sync=True)
    job_note = traitlets.Unicode("").tag(sync=True)
    #: seconds since submission when this was sent; the browser continues counting
    job_elapsed = traitlets.Float(0.0).tag(sync=True)
    job_updates = traitlets.Int(0).tag(sync=True)
    #: usual durations of similar jobs, if known: ``low`` and ``high`` in seconds, and ``curve``,
    #: points of (seconds, share of the bar)
    job_durations = traitlets.Dict().tag(sync=True)

    _job: Job | None = None

    @property
    def job(self) -> Job | None:
        """The displayed job."""
        return self._job

    @property
    def is_working(self) -> bool:
        """See `Panel.is_working`."""
        return self.job_phase == "running"

    def _watch(self, job: Job | None) -> None:
        """Show another job; the previous one continues in the background."""
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
        stats = await job.duration_stats()
        if stats is not None and self._job is job and not self._closed:
            self.job_durations = {
                "low": stats.low,
                "high": stats.high,
                "curve": duration_stats.progress_curve(stats),
            }

    def _snapshot_facts(self) -> list[tuple[str, str]]:
        if self.job_phase == "none":
            return []
        took = formatting.format_duration(
            self._job.snapshot.elapsed if self._job else self.job_elapsed
        )
        said = f"{self.error['title']} {self.error['text']}" if self.error else ""
        return [(self.job_label, self.job_status), ("Time taken", took), ("Problem", said)]

    def _show(self, job: Job, snapshot: Snapshot) -> None:
        """Copy a snapshot to the traits."""
        phase, note, problem = "running", snapshot.problem or "", None
        if snapshot.terminal:
            phase = snapshot.status
            if phase == "failed":
                message = snapshot.error_message or "Job failed"
                failed = JobFailedError(message, job=job, snapshot=snapshot)
                problem = error_alerts.error_alert(failed)
            elif phase == "canceled":
                problem = error_alerts.error_alert(
                    JobCanceledError("Job was canceled", job=job, snapshot=snapshot)
                )
            elif job.kind == "inference":
                phase, problem = _checked_for_media(snapshot)
        elif snapshot.error is not None:
            phase, problem = "lost", error_alerts.error_alert(snapshot.error)
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
            snapshot = self._job.snapshot
            # A generation that succeeded will be replaced by its image in a moment.
            is_transient = not snapshot.terminal or (
                (snapshot.status, self._job.kind) == ("succeeded", "inference")
            )
            for fallback in self._fallbacks:
                fallback.set_line(LABELS[self._job.kind], str(snapshot), transient=is_transient)

    @property
    def _problem(self) -> str:
        # The line with the job's status says how it failed.
        return "" if self.job_phase in {"failed", "canceled"} else super()._problem

    @open_to_all
    def _on_refresh(self, _content: object) -> None:
        """Send the state again, because a new view lacks the age of a running job."""
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


def _checked_for_media(snapshot: Snapshot) -> tuple[str, error_alerts.Alert | None]:
    """Return phase and problem of a successful generation, possibly without an image."""
    try:
        _ = snapshot.media
    except NoMediaError as error:
        return "empty", error_alerts.error_alert(error)
    return "succeeded", None
