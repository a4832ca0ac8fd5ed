"""The state of a job at one moment."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads it
from typing import Any

import msgspec

from ..errors import NoMediaError, WondaError
from ..errors.console_text import printable
from .formatting import format_duration, one_line
from .job_status import TERMINAL_STATUSES
from .wire_types import Media, Output  # noqa: TC001 - msgspec reads it


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a job at one moment.

    Attributes
    ----------
    status : str
        The service's own status word; ``"submitted"`` before its first response. A job that has
        ended is always ``"succeeded"``, ``"failed"`` or ``"canceled"``.
    terminal : bool
        Whether the job has ended.
    outputs : tuple of Output
    error_message : str or None
        The service's message if the job failed.
    permalink : str or None
        The URL of the published post, if the service returned one (http or https only).
    created_at, finished_at : datetime.datetime or None
        As reported by the service, in UTC.
    scheduled_for : datetime.datetime or None
        When a scheduled post will be published, in UTC.
    elapsed : float
        Seconds from submission until now, or until the job ended.
    raw : dict
        The service's response, unchanged.
    problem : str or None
        A sentence that says why polling gets no response at the moment; polling is retried.
    watching : bool
        Whether the job is being polled.
    error : WondaError or None
        The error that stopped the polling before the job ended.

    Examples
    --------
    >>> for snapshot in job.updates():
    ...     print(f"{snapshot.status} for {snapshot.elapsed:.0f} s")
    succeeded for ... s
    """

    status: str = "submitted"
    outputs: tuple[Output, ...] = ()
    error_message: str | None = None
    permalink: str | None = None
    created_at: datetime | None = None
    finished_at: datetime | None = None
    scheduled_for: datetime | None = None
    elapsed: float = 0.0
    raw: dict[str, Any] = msgspec.field(default_factory=dict)
    problem: str | None = None
    watching: bool = False
    error: WondaError | None = None

    @property
    def terminal(self) -> bool:
        """Return whether the job has ended."""
        return self.status in TERMINAL_STATUSES

    @property
    def media(self) -> Media:
        """Return the media of the first output that has some.

        Raises
        ------
        NoMediaError
            If no output has media, or the first such output has no ``mediaId``.
        """
        # The service's documentation prescribes this order: find the media, then require its ID.
        first = next((output.media for output in self.outputs if output.media), None)
        if first is None or not first.media_id:
            raise NoMediaError
        return first

    def __str__(self) -> str:
        """Return one line that this console can print, e.g. ``"locked · 3 s"``."""
        detail = self.error_message if self.status == "failed" else self.problem
        parts = [self.status, format_duration(self.elapsed), *([detail] if detail else [])]
        return printable(" · ".join(one_line(part) for part in parts))

    def __repr__(self) -> str:
        fields = [f"status={self.status!r}", f"elapsed={self.elapsed:.1f}"]
        ids = [output.media.media_id for output in self.outputs if output.media]
        fields += [f"media_id={media_id!r}" for media_id in ids[:1]]
        fields += [f"permalink={self.permalink!r}"] if self.permalink else []
        fields += [f"error_message={self.error_message!r}"] if self.error_message else []
        return printable(f"Snapshot({', '.join(fields)})")
