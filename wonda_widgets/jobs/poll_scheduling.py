"""Keep the polls of many jobs out of each other's way.

Jobs that were asked for together are due together: five hundred would come as one burst
every five seconds. So each poll takes a place in a slot of time, and where many are due
already, a slot a little earlier. Few jobs keep their pace to the millisecond.
"""

from __future__ import annotations

from collections import Counter

from . import polling

SLOT = 0.25  # seconds
ROOM = 5  # polls in a slot that are no crowd: 20 a second
CROWD = 100  # polls that are due
FULL = 0.9  # of the mean slot: with less than all, the emptier ones fill up


class PollScheduler:
    """The slots of one client. On the loop only."""

    def __init__(self) -> None:
        self._due: Counter[int] = Counter()
        self._present = 0

    @property
    def crowded(self) -> bool:
        """Whether so many jobs are followed that the pace of all counts more than that of one.

        With a learned pace, those that began together ask most when they are about to end,
        which is at the same time.
        """
        return self._due.total() > CROWD

    def place(self, now: float, wait: float) -> float:
        """Take a place for a poll that is due after `wait` seconds; never a later one.

        Parameters
        ----------
        now : float
            Seconds of any clock that never goes back.
        wait : float
            Seconds.

        Returns
        -------
        float
            Seconds; half of `wait` at least, and no less than the pace's shortest.
        """
        self._forget(int(now / SLOT))
        due = int((now + wait) / SLOT)
        taken = due if self._due[due] < ROOM else self._emptier(due, wait)
        self._due[taken] += 1
        return wait - (due - taken) * SLOT

    def _emptier(self, due: int, wait: float) -> int:
        spare = wait - max(polling.FIRST, wait / 2)
        slots = [due - back for back in range(int(max(0.0, spare) / SLOT) + 1)]
        crowd = max(ROOM, FULL * self._due.total() / max(1, due - self._present))
        free = (slot for slot in slots if self._due[slot] < crowd)
        return next(free, None) or min(slots, key=self._due.__getitem__)

    def _forget(self, present: int) -> None:
        if present != self._present:
            self._present = present
            self._due = Counter({slot: n for slot, n in self._due.items() if slot >= present})
