"""`wonda.jobs`: what was asked before, and by others (wonda-api.md, section 6)."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..errors import InvalidInputError
from ..jobs.core import Core, on_package_loop
from ..jobs.generation import GENERATION
from ..jobs.job import SCHEDULED
from ..jobs.poller import JOURNAL_TIMEOUT
from ..journal import entries
from ..models import parse_timestamp
from ..publishing.scheduled_posts import is_due
from ..utils import event_loop, plain_values
from .blocking import Blocking, blocking, immediate
from .publish import PUBLISHING

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..errors import JobError, OutcomeUnknownError
    from ..jobs.job import Job, JobEntry, Kind
    from ..journal.entries import JournalEntry

MOST = 1_000_000  # entries
AN_ID = re.compile(r"[^\ud800-\udfff]{1,1000}")  # without halves of characters

OPERATIONS = {operation.kind: operation for operation in (GENERATION, PUBLISHING)}


class AsyncJobs:
    """Jobs that outlive the kernel that asked for them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @property
    def trouble(self) -> str:
        """What is wrong with the journal's file, in a sentence; empty if nothing is."""
        return self._core.journal.problem

    @on_package_loop
    async def recent(self, limit: int = 50) -> list[Job]:
        """What was asked with this journal, as live jobs, newest first.

        A job that had not ended when it was last heard of is followed again. A request
        whose answer was never read is there with `id` None; waiting for it raises
        `OutcomeUnknownError`, and of a post `publish.check` finds out more.

        Parameters
        ----------
        limit : int
            How many at most.
        """
        limit = plain_values.to_plain(limit)
        if not isinstance(limit, int) or not 1 <= limit <= MOST:
            raise InvalidInputError("limit", f"A limit is a whole number from 1 to {MOST:,}.")
        self._core.transport.check_open()
        found = await asyncio.wrap_future(self._core.journal.recent(self._core.journal_key, limit))
        return [self._core.revived(record, OPERATIONS[record.kind]) for record in found]

    @on_package_loop
    async def unfinished(self, days: float = 7) -> list[JournalEntry]:
        """What had no end yet when it was last heard of, oldest first; the service is not asked.

        What another kernel that runs on this machine takes care of is left out, and so is a
        post that waits for its time (see `publish.scheduled`). `resume` makes a live job of
        an entry.
        """
        self._core.transport.check_open()
        days = plain_values.to_plain(days)
        if not isinstance(days, int | float) or not 0 < days < math.inf:
            raise InvalidInputError("days", f"days is a number above 0, not {days!r}.")
        since = time.time() - days * 86_400
        key = self._core.journal_key
        found = await asyncio.wrap_future(self._core.journal.unfinished(key, since))
        now = datetime.now(UTC)
        return [
            record
            for record in found[::-1]
            if not record.is_sending and not record.is_owned_elsewhere and not _waits(record, now)
            if _since(record) > since
        ]

    @on_package_loop
    async def left_by(self, processes: Collection[str], days: float = 1) -> list[JournalEntry]:
        """What these processes had not brought to an end, or are sending now, oldest first.

        Parameters
        ----------
        processes : list of str
            As `Record.process` names them.
        days : float
        """
        self._core.transport.check_open()
        since = time.time() - days * 86_400
        key = self._core.journal_key
        found = await asyncio.wrap_future(self._core.journal.unfinished(key, since))
        now = datetime.now(UTC)
        return [
            record
            for record in found[::-1]
            if record.process in processes and not _waits(record, now)
        ]

    def resume(self, record: JournalEntry) -> Job:
        """Follow an entry of `unfinished` from where it stands."""
        self._core.transport.check_open()
        job = self._core.revived(record, OPERATIONS[record.kind])
        job.resume()
        return job

    @on_package_loop
    async def dismiss(self, unknown: Job | JournalEntry | OutcomeUnknownError | JobError) -> None:
        """Note that you have looked yourself what became of a request; it is no longer listed.

        Nor does it stand in the way of the same one any more (``once=`` of `images.generate`).

        Raises
        ------
        InvalidInputError
            If it is being sent at this moment, or if the journal knows by now that it was made
            or posted, or is on its way.
        """
        self._core.transport.check_open()
        if unknown.intent:
            journal = self._core.journal
            for record in await asyncio.wrap_future(journal.find_by_intent(unknown.intent)):
                entries.require_not_sending(record)
            if await asyncio.wrap_future(journal.mark_dismissed(unknown.intent)):
                return
            for record in await asyncio.wrap_future(journal.find_by_intent(unknown.intent)):
                entries.require_undecided(record)

    def attach(self, kind: Kind, job_id: str) -> Job:
        """Follow a job by its id, whoever submitted it.

        Parameters
        ----------
        kind : str
            ``"inference"`` or ``"publish"``.
        job_id : str

        Raises
        ------
        InvalidInputError
            If the kind is another one or the id is empty. Whether such a job
            exists is known after the first poll.
        """
        if kind not in OPERATIONS:
            raise InvalidInputError("kind", f'A job is "inference" or "publish", not {kind!r}.')
        usable = isinstance(job_id, str) and job_id.strip() not in {"", ".", ".."}
        if not usable or not AN_ID.fullmatch(job_id):
            raise InvalidInputError(
                "job_id", "This is not the id of a job.", "Pass the id as the API gave it."
            )
        job_id = job_id.strip()
        self._core.transport.check_open()
        living = self._core.living(kind, job_id)
        if living is not None:
            return living
        # An entry in the journal says what was asked. The loop never waits for it, and nobody
        # waits for long, because another process may have locked the file.
        reading = self._core.journal.find_by_job(self._core.journal_key, kind, job_id)
        if not event_loop.on_loop():
            with contextlib.suppress(TimeoutError):
                known = event_loop.wait_for_result(reading, JOURNAL_TIMEOUT)
                if known:
                    return self._core.revived(known[0], OPERATIONS[kind])
                return self._core.follow(kind, job_id, attached=True)

        async def entry() -> JobEntry | None:
            found = await asyncio.wrap_future(reading)
            return self._core.entry(found[0], OPERATIONS[kind]) if found else None

        return self._core.follow(kind, job_id, attached=True, read_entry=entry)


def _since(record: JournalEntry) -> float:
    """When it began to matter: a scheduled post at its time, all else when it was asked for."""
    due = parse_timestamp(record.body.get("scheduledAt"))
    return max(record.requested_at, due.timestamp() if due else 0.0)


def _waits(record: JournalEntry, now: datetime) -> bool:
    return record.status == SCHEDULED and not is_due(record.body, now)


class Jobs(Blocking[AsyncJobs]):
    """Jobs that outlive the kernel that submitted them (blocking)."""

    @property
    def trouble(self) -> str:
        """What is wrong with the journal's file, in a sentence; empty if nothing is."""
        return self._async.trouble

    recent = blocking(AsyncJobs.recent)
    unfinished = blocking(AsyncJobs.unfinished)
    resume = immediate(AsyncJobs.resume)
    dismiss = blocking(AsyncJobs.dismiss)
    attach = immediate(AsyncJobs.attach)
