"""Spread the polls of many jobs over time.

Jobs that are submitted together would also be polled together: 500 polls in one burst every 5
seconds. Time is therefore divided into slots, and a poll in a crowded slot is moved to an earlier
one. If there are only a few jobs, no poll is moved.
"""

from __future__ import annotations

from collections import Counter

from . import poll_intervals

SLOT = 0.25  # seconds
ROOM = 5  # polls that a slot always accepts: 20 per second
CROWD = 100  # polls that are due
FILL = 0.9  # of the mean slot; below 1, so that emptier slots are filled first


class PollScheduler:
    """The schedule of one client's polls. Used on the event loop only."""

    def __init__(self) -> None:
        self._polls: Counter[int] = Counter()  # by slot
        self._current_slot = 0

    @property
    def is_crowded(self) -> bool:
        """Whether there are too many jobs for adaptive polling.

        Adaptive polling polls most around the expected end, which jobs that began together share.
        """
        return self._polls.total() > CROWD

    def schedule(self, now: float, wait: float) -> float:
        """Choose when to send a poll that is due in `wait` seconds; never later than that.

        Parameters
        ----------
        now : float
            The time of a monotonic clock, in seconds.
        wait : float
            Seconds.

        Returns
        -------
        float
            The seconds to wait: at least half of `wait` and at least the shortest poll interval.
        """
        self._forget_before(int(now / SLOT))
        due = int((now + wait) / SLOT)
        slot = due if self._polls[due] < ROOM else self._emptier_slot(due, wait)
        self._polls[slot] += 1
        return wait - (due - slot) * SLOT

    def _emptier_slot(self, due: int, wait: float) -> int:
        spare = wait - max(poll_intervals.FIRST_INTERVAL, wait / 2)
        slots = [due - back for back in range(int(max(0.0, spare) / SLOT) + 1)]
        limit = max(ROOM, FILL * self._polls.total() / max(1, due - self._current_slot))
        free = (slot for slot in slots if self._polls[slot] < limit)
        return next(free, None) or min(slots, key=self._polls.__getitem__)

    def _forget_before(self, slot: int) -> None:
        if slot != self._current_slot:
            self._current_slot = slot
            self._polls = Counter({each: n for each, n in self._polls.items() if each >= slot})
