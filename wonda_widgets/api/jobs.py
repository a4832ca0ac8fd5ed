"""`wonda.jobs`: jobs of this kernel and earlier ones (wonda-api.md, section 6)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..errors import InvalidInputError, JobError, OutcomeUnknownError
from ..jobs.core import Core, on_package_loop
from ..jobs.generation import operation_of
from ..jobs.job import SCHEDULED, Job
from ..jobs.poller import JOURNAL_TIMEOUT
from ..journal import entries
from ..journal.entries import JournalEntry
from ..models import parse_timestamp
from ..publishing.scheduled_posts import is_due
from ..utils import arguments, event_loop, plain_values
from .blocking import Blocking, blocking, immediate
from .publish import PUBLISHING

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..jobs.job import JobEntry, Kind
    from ..jobs.submission import Operation

MAX_LIMIT = 1_000_000  # entries

KINDS = frozenset({"inference", "publish"})


class AsyncJobs:
    """Jobs of this kernel and earlier ones."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def problem(self) -> str:
        """A sentence about what is wrong with the journal's file; empty if nothing is."""
        return self._core.journal.problem

    @on_package_loop
    async def recent(self, limit: int = 50) -> list[Job]:
        """List the requests in this journal as live jobs, newest first.

        A job that is not known to have ended is polled again. A request with an unknown outcome has
        the `id` None; waiting for it raises `OutcomeUnknownError`. For a post, `publish.check` can
        find its outcome.

        Parameters
        ----------
        limit : int
            The maximum number of jobs.
        """
        limit = plain_values.to_plain(limit)
        if not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
            raise InvalidInputError("limit", f"limit must be a number from 1 to {MAX_LIMIT:,}.")
        self._core.transport.check_open()
        found = await asyncio.wrap_future(self._core.journal.recent(self._core.journal_key, limit))
        readable = [entry for entry in found if entry.kind in KINDS]  # others are damaged
        return [self._core.restore_job(entry, _operation(entry)) for entry in readable]

    @on_package_loop
    async def unfinished(self, days: float = 7) -> list[JournalEntry]:
        """List the entries that are not known to have ended, oldest first, without polling.

        Entries of other running kernels on this computer are left out, and so are scheduled posts
        (see `publish.scheduled`). `resume` turns an entry into a live job.
        """
        self._core.transport.check_open()
        since = time.time() - arguments.check_days(days) * 86_400
        key = self._core.journal_key
        found = await asyncio.wrap_future(self._core.journal.unfinished(key, since))
        now = datetime.now(UTC)
        return [
            entry
            for entry in found[::-1]
            if not entry.is_sending and not entry.is_owned_elsewhere and not _waits(entry, now)
            if _since(entry) > since
        ]

    @on_package_loop
    async def left_by(self, processes: Collection[str], days: float = 1) -> list[JournalEntry]:
        """List the unfinished entries of some processes, even those being sent, oldest first.

        Parameters
        ----------
        processes : list of str
            See `JournalEntry.process`.
        days : float
        """
        self._core.transport.check_open()
        since = time.time() - float(days) * 86_400
        key = self._core.journal_key
        found = await asyncio.wrap_future(self._core.journal.unfinished(key, since))
        now = datetime.now(UTC)
        return [
            entry for entry in found[::-1] if entry.process in processes and not _waits(entry, now)
        ]

    def resume(self, entry: JournalEntry) -> Job:
        """Turn an entry from `unfinished` into a live job and poll it."""
        arguments.require_type(entry, JournalEntry, "an entry of jobs.unfinished()")
        self._core.transport.check_open()
        job = self._core.restore_job(entry, _operation(entry))
        job.resume()
        return job

    @on_package_loop
    async def dismiss(self, unknown: Job | JournalEntry | OutcomeUnknownError | JobError) -> None:
        """Stop listing a request whose outcome is unknown, because you have checked it yourself.

        The entry also no longer blocks the same request (``once=`` of `images.generate`).

        Raises
        ------
        InvalidInputError
            If the request is being sent right now, is in progress, or is known to have succeeded.
        """
        arguments.require_type(
            unknown,
            (Job, JournalEntry, OutcomeUnknownError, JobError),
            "a job, an entry of jobs.recent() or an error with an unknown outcome",
        )
        self._core.transport.check_open()
        if unknown.intent:
            journal = self._core.journal
            for entry in await asyncio.wrap_future(journal.find_by_intent(unknown.intent)):
                entries.require_not_sending(entry)
            if await asyncio.wrap_future(journal.mark_dismissed(unknown.intent)):
                return
            for entry in await asyncio.wrap_future(journal.find_by_intent(unknown.intent)):
                entries.require_undecided(entry)

    def attach(self, kind: Kind, job_id: str) -> Job:
        """Return the job with this ID, even if it was submitted elsewhere, and poll it.

        Parameters
        ----------
        kind : str
            ``"inference"`` or ``"publish"``.
        job_id : str

        Raises
        ------
        InvalidInputError
            If the kind is unknown or the ID is empty. A job that does not exist is reported by the
            first poll.

        Examples
        --------
        >>> job = wonda.jobs.attach("inference", job.id)
        """
        if not isinstance(kind, str) or kind not in KINDS:
            raise InvalidInputError("kind", f'kind must be "inference" or "publish"; got {kind!r}.')
        job_id = arguments.check_id("job_id", "a job", job_id)
        self._core.transport.check_open()
        live = self._core.live_job(kind, job_id)
        if live is not None:
            return live
        # The request is in the journal. The event loop does not wait for the journal, and other
        # threads do not wait long, because another process may have locked the file.
        reading = self._core.journal.find_by_job(self._core.journal_key, kind, job_id)
        if not event_loop.on_loop():
            with contextlib.suppress(TimeoutError):
                found = event_loop.wait_for_result(reading, JOURNAL_TIMEOUT)
                if found:
                    return self._core.restore_job(found[0], _operation(found[0]))
                return self._core.follow(kind, job_id, attached=True)

        async def read_entry() -> JobEntry | None:
            found = await asyncio.wrap_future(reading)
            return self._core.entry(found[0], _operation(found[0])) if found else None

        return self._core.follow(kind, job_id, attached=True, read_entry=read_entry)


def _operation(entry: JournalEntry) -> Operation:
    return PUBLISHING if entry.kind == "publish" else operation_of(entry.path)


def _since(entry: JournalEntry) -> float:
    """Return when a request took effect; for a scheduled post, when it was due."""
    due = parse_timestamp(entry.body.get("scheduledAt"))
    return max(entry.requested_at, due.timestamp() if due else 0.0)


def _waits(entry: JournalEntry, now: datetime) -> bool:
    return entry.status == SCHEDULED and not is_due(entry.body, now)


class Jobs(Blocking[AsyncJobs]):
    """Blocking interface to the jobs of this kernel and earlier ones."""

    @property
    def problem(self) -> str:
        """A sentence about what is wrong with the journal's file; empty if nothing is."""
        return self._async.problem

    recent = blocking(AsyncJobs.recent)
    unfinished = blocking(AsyncJobs.unfinished)
    resume = immediate(AsyncJobs.resume)
    dismiss = blocking(AsyncJobs.dismiss)
    attach = immediate(AsyncJobs.attach)
