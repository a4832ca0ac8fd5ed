"""One request as the journal has it, and which process takes care of it.

A process is named so that no other is taken for it, and where the system can be asked,
it is: a request that is being sent by a process that runs is not unknown yet.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from ..errors import InvalidInputError
from ..utils import monotonic_clock

if TYPE_CHECKING:
    import sqlite3

ALIVE_FOR = 600.0  # seconds that a request of a process we cannot ask about may take

_log = logging.getLogger(__name__)

State = Literal["sending", "accepted", "refused", "unknown", "posted", "absent", "dismissed"]


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One request as the journal knows it.

    Attributes
    ----------
    intent : str
        Our own id of it.
    kind : str
        ``"inference"``, ``"publish"`` or ``"upload"``.
    body : dict
        What was asked, by the API's names.
    owner : str
        The process that asked.
    asked_at, told_at : float
        Seconds since 1970: when it was asked, and when anything was last heard or sent.
    state : str
        See `journal`.
    reason : str
        Why it was refused or is unknown.
    job_id : str or None
    status : str
        The service's last word.
    ended : bool
        Whether the job has.
    reply : dict
        The job's last reply.
    permalink : str or None
    clock, tick : str, float
        `told_at` by a clock that nobody can set; see `monotonic_clock`.
    answer_limit : float
        Seconds within which the service would have answered it.
    taken : bool
        Whether the service ever said that it took it; that stays so, whatever follows.
    served_at : float or None
        When it was sent, by the service's own time, seconds since 1970.
    """

    intent: str
    base_url: str
    kind: str
    body: dict[str, Any]
    same_as: str
    owner: str
    asked_at: float
    told_at: float
    state: State
    reason: str
    job_id: str | None
    status: str
    ended: bool
    reply: dict[str, Any]
    permalink: str | None
    clock: str = ""
    tick: float = 0.0
    answer_limit: float = 0.0
    taken: bool = False
    served_at: float | None = None

    @property
    def quiet_for(self) -> float:
        """Seconds, or fewer, since anything was last heard of it or sent."""
        return monotonic_clock.elapsed_since(self.clock, self.tick, f"{self.intent}:{self.tick}")

    @property
    def process(self) -> str:
        """An opaque id of the process that asked."""
        return process_id(self.owner)

    @property
    def sending(self) -> bool:
        """Whether some process may be sending it at this moment."""
        return self.state == "sending" and _lives(self)

    @property
    def elsewhere(self) -> bool:
        """Whether another process that runs takes care of it."""
        return self.owner != this_process() and _runs(self.owner) is True

    @property
    def failed(self) -> bool:
        """Whether it is known to have ended without what was asked for."""
        return self.ended and self.status != "succeeded"

    @property
    def under_way(self) -> bool:
        """Whether some process sends it or follows its job at this moment."""
        follows = self.state == "accepted" and not self.ended and _runs(self.owner) is True
        return self.sending or follows

    @property
    def unknown(self) -> bool:
        """Whether it may have taken effect, and nobody has read the answer."""
        return self.state == "unknown" or (self.state == "sending" and not self.sending)


def check_sent(record: JournalEntry) -> None:
    """Refuse to settle what some process is sending at this moment.

    Raises
    ------
    InvalidInputError
    """
    if record.sending:
        raise InvalidInputError(
            "unknown",
            "This is being sent at this moment.",
            f"Wait for its answer, {max(ALIVE_FOR, record.answer_limit):.0f} s at most.",
        )


#: Why a post counts as posted that nothing but a person's word says was made.
SAID_BY_PERSON = "a person said that it was posted"


def check_undecided(record: JournalEntry) -> None:
    """Refuse to call undone what is known to be done, or to be on its way.

    Whoever says so may have looked before that was found out, by another kernel for one.

    Raises
    ------
    InvalidInputError
    """
    if record.state not in {"accepted", "posted"} or record.failed:
        return
    if record.state == "posted" and record.reason == SAID_BY_PERSON and not record.permalink:
        return  # whoever said so may have been wrong
    is_post = record.kind == "publish"
    if record.state == "posted" or record.status == "succeeded":
        now = "was posted" if is_post else "was made"
        hint = f"See {record.permalink}." if record.permalink else ""
        again = "To post it again, pass allow_repeat=True." if is_post else ""
    else:
        now, hint, again = "did arrive, and its job has not ended", "", "Check it again later."
    raise InvalidInputError(
        "unknown", f"By now the journal knows that this {now}.", f"{hint} {again}".strip()
    )


def read_row(row: sqlite3.Row) -> JournalEntry | None:
    """Read a row; None of one that is not ours to read."""
    facts = dict(row)
    try:
        facts["body"] = msgspec.json.decode(facts["body"])
        facts["reply"] = msgspec.json.decode(facts["reply"])
        # A version of before, which may still run, notes an answer without `taken`.
        taken = facts["taken"] or facts["job_id"] or facts["state"] in {"accepted", "posted"}
        flags = {"ended": bool(facts["ended"]), "taken": bool(taken)}
        return msgspec.convert({**facts, **flags}, JournalEntry)
    except (msgspec.MsgspecError, TypeError):
        _log.warning("An entry of the journal cannot be read and is left out: %s", facts["intent"])
        return None


# ---------------------------------------------------------------- whose request it is

_token: tuple[int, str] = (0, "")


def this_process() -> str:
    """Name this process so that no other is taken for it: process ids are used again."""
    global _token  # noqa: PLW0603 - one a process, another in a forked child
    if _token[0] != os.getpid():
        _token = (os.getpid(), uuid.uuid4().hex[:12])
    return f"{_machine()}|{os.getpid()}|{_token[1]}|{_began(os.getpid()) or ''}"


def _machine() -> str:
    """Name where this process's id means this process and no other.

    Containers may share a computer and its name, and yet count their processes apart.
    """
    apart = monotonic_clock.linux_namespace("pid")
    return f"{monotonic_clock.clock_id()}/{apart}" if apart else socket.gethostname()


def process_id(owner: str) -> str:
    """Give the opaque id of a process, without where it runs."""
    return owner.split("|")[2] if owner.count("|") == 3 else ""  # noqa: PLR2004 - its four parts


def _began(pid: int) -> str | None:
    """When a process that runs began; empty if it has ended, None where that is not told."""
    try:
        facts = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return "" if facts[0] in "ZX" else facts[19]  # killed, and nobody has taken note yet
    except (OSError, ValueError, IndexError):
        return None


def _lives(record: JournalEntry) -> bool:
    """Whether the process that asked may still be sending."""
    runs = _runs(record.owner)
    if runs is not None:
        return runs
    longest = max(ALIVE_FOR, record.answer_limit)
    if record.clock == monotonic_clock.clock_id():
        return record.quiet_for < longest
    # Of another computer only the time of day is left, which somebody may have set since.
    return abs(time.time() - record.told_at) < longest


def _runs(owner: str) -> bool | None:
    """Whether a process runs; None where that cannot be told."""
    if owner == this_process():
        return True
    machine, _, rest = owner.partition("|")
    # Of a process elsewhere nothing is known, and asking would end it on Windows.
    if machine != _machine() or os.name != "posix":
        return None
    pid, _, began = rest.split("|")
    return False if int(pid) == os.getpid() else _is_there(int(pid), began)


def _is_there(pid: int, began: str) -> bool | None:
    """Whether this system has a process with this id that began then."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    now = _began(pid)
    if now is None or not began:  # a system that does not tell
        return None
    return now == began  # else the id is another process's by now
