"""`JobProgress`: the status of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import traitlets

from ..jobs.job import Job
from ..utils import event_loop
from ._shared.frontend import view
from ._shared.job_tracking import JobPanel

if TYPE_CHECKING:
    from ..client.wonda_client import AsyncWonda, Wonda


class JobProgress(JobPanel):
    """The status of a job: the service's status word, the elapsed time and a progress bar.

    The service reports no percentage. The bar is indeterminate, or an estimate from earlier jobs
    that is labeled as such. `Stop watching` stops polling while the job continues; `Resume
    watching` polls again.

    Parameters
    ----------
    job : Job, optional
        The job to show; can also be set later: ``progress.job = job``.
    wonda : Wonda or AsyncWonda, optional
        If given, a banner says whether the client is a sandbox.
    notify : bool
        Whether to tell when a running job ends: by a notification if the browser allows it, else
        in the tab's title. The panel has a checkbox for this.

    Examples
    --------
    >>> job = wonda.images.generate(model="nano-banana-2", prompt="A quiet harbor")
    >>> ww.JobProgress(job)
    """

    _needs_client = False
    _panel = view("job_progress")
    _browser_traits = dict.fromkeys(("notify",))

    notify = traitlets.Bool(default_value=False).tag(sync=True)
    """Whether the page tells when the job ends."""

    def __init__(
        self, job: Job | None = None, *, wonda: Wonda | AsyncWonda | None = None, **traits: Any
    ) -> None:
        _check(job)
        own = wonda if job is None or job.wonda is None else job.wonda
        super().__init__(own, **{"banner": wonda is not None, **traits})
        self.job = job

    @property
    def job(self) -> Job | None:
        """The displayed job; set this attribute to show another one."""
        return self._job

    @job.setter
    def job(self, job: Job | None) -> None:
        _check(job)
        if event_loop.on_loop():
            self._watch(job)
        else:
            self._job = job
            event_loop.call_soon(lambda: self._watch(job))


def _check(job: object) -> None:
    if job is not None and not isinstance(job, Job):
        raise TypeError(f"JobProgress accepts a job, not {type(job).__name__}.")
