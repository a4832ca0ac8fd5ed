"""Find the same plan if an earlier kernel left it unfinished, and the state of its cells.

Plans are the same if they request the same images. Earlier versions compared plans and requests
character by character, so their fingerprints are also looked up.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import TYPE_CHECKING, Any

import msgspec

from ...journal.saved_plans import RESUMABLE_DAYS, cell_key
from ..generation import identity, operation_of
from ..idempotency import canonical, fingerprint

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from ...journal.entries import JournalEntry
    from ...journal.saved_plans import SavedPlan
    from ..core import Core
    from .cells import CellResult
    from .planning import Plan

#: The journal's entries of cells, by the cells' index.
CellEntries = dict[int, "JournalEntry"]


class PlanStore:
    """The plans in the client's journal, which can be saved and resumed."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def find_entries(self, cells: list[CellResult], plan: Plan) -> CellEntries:
        """Find the entries of the same plan if it was left unfinished."""
        self._core.transport.check_open()
        former = await self._former_fingerprints(cells, plan)
        saved = await asyncio.wrap_future(
            self._core.journal.saved_plans.find_unfinished(
                self._core.journal_key,
                plan_fingerprint(cells),
                RESUMABLE_DAYS,
                former_fingerprints=former,
            )
        )
        return await self.assign_keys(cells, saved) if saved else {}

    async def resume_or_start(
        self,
        cells: list[CellResult],
        plan: Plan,
        precondition: Callable[[sqlite3.Connection], None],
        *,
        resume: bool,
    ) -> tuple[SavedPlan, bool]:
        """Resume the same plan if it was left unfinished, else save this one.

        Parameters
        ----------
        cells : list of CellResult
        plan : Plan
        precondition : callable
            See `SavedPlans.resume_or_start`.
        resume : bool
            Whether an unfinished plan may be resumed.

        Returns
        -------
        tuple of (SavedPlan, bool)
            The saved plan, and whether it is resumed.
        """
        return await asyncio.wrap_future(
            self._core.journal.saved_plans.resume_or_start(
                self._core.journal_key,
                plan_fingerprint(cells),
                self._encode(plan),
                RESUMABLE_DAYS if resume else None,
                former_fingerprints=await self._former_fingerprints(cells, plan) if resume else [],
                precondition=precondition,
            )
        )

    async def assign_keys(self, cells: list[CellResult], saved: SavedPlan) -> CellEntries:
        """Set the cells' dedupe keys as in a saved plan; return the cells' existing entries."""
        entries = await asyncio.wrap_future(self._core.journal.saved_plans.cell_entries(saved.id))
        # A saved plan keeps the kind of keys with which it was started, because an earlier version
        # may be running the plan now.
        has_present_keys = saved.fingerprint == plan_fingerprint(cells)
        has_former_keys = not has_present_keys and saved.fingerprint == former_plan_fingerprint(
            cells
        )
        by_fingerprint: dict[str, list[str]] = {}
        if not has_present_keys:
            for recorded, entry in entries.items():
                request = identity(operation_of(entry.path), entry.body)
                by_fingerprint.setdefault(fingerprint(request), []).append(recorded)
        found: CellEntries = {}
        for each in cells:
            own = [each.fingerprint, each.former_fingerprint]
            candidates = [*(own[::-1] if has_former_keys else own)]
            candidates += by_fingerprint.get(each.fingerprint, ())
            fingerprints = list(dict.fromkeys(filter(None, candidates)))
            each.dedupe_key, *former_keys = [cell_key(saved.id, name) for name in fingerprints]
            each.former_keys = tuple(former_keys)
            known = [entries[name] for name in fingerprints if name in entries]
            if known:
                # An entry that blocks the cell takes precedence over one under another key.
                found[each.cell.index] = next(filter(blocks_request, known), known[0])
        return found

    async def _former_fingerprints(self, cells: list[CellResult], plan: Plan) -> list[str]:
        """Return other fingerprints under which the same plan may be saved."""
        unfinished = await asyncio.wrap_future(
            self._core.journal.saved_plans.unfinished(self._core.journal_key, RESUMABLE_DAYS)
        )
        request = _canonical_request(self._encode(plan))
        equivalent = [
            saved.fingerprint for saved in unfinished if _canonical_request(saved.plan) == request
        ]
        return list(filter(None, [former_plan_fingerprint(cells), *equivalent]))

    def _encode(self, plan: Plan) -> bytes:
        """Encode a plan as the journal stores it, without the API key."""
        return self._core.transport.redact(msgspec.json.encode(plan.request))


def plan_fingerprint(cells: list[CellResult]) -> str:
    """Return a fingerprint that is equal for plans of the same images."""
    return _hash([each.fingerprint for each in cells])


def former_plan_fingerprint(cells: list[CellResult]) -> str:
    """Return the fingerprint that earlier versions computed; empty if they could not run it."""
    fingerprints = [each.former_fingerprint for each in cells]
    return _hash(fingerprints) if all(fingerprints) else ""


def blocks_request(entry: JournalEntry) -> bool:
    """Return whether a cell was requested, so that only the user may request it again."""
    return entry.job_id is not None or entry.is_unknown or entry.is_sending


def _hash(fingerprints: list[str]) -> str:
    return hashlib.sha256("".join(sorted(fingerprints)).encode()).hexdigest()


def _canonical_request(plan: bytes) -> Any:
    """Decode a saved plan into a form that can be compared; None if it cannot be read."""
    try:
        return canonical(json.loads(plan))
    except (ValueError, RecursionError):
        return None
