"""A request as the journal stores it, and whether its process is still running.

Each entry names the process that owns it. While that process runs, a request in the state
`sending` has no outcome yet; afterwards its outcome is unknown.
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

#: How long a request of a process that cannot be checked may be in transit.
MAX_SENDING_SECONDS = 600.0

#: The reason of an entry that counts as posted only because the user said so. Stored in journals.
SAID_BY_PERSON = "a person said that it was posted"

_log = logging.getLogger(__name__)

State = Literal["sending", "accepted", "refused", "unknown", "posted", "absent", "dismissed"]


class JournalEntry(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "dedupe_key": "same_as",
        "requested_at": "asked_at",
        "updated_at": "told_at",
        "response": "reply",
        "clock_id": "clock",
        "clock_seconds": "tick",
        "response_timeout": "answer_limit",
        "was_accepted": "taken",
        "server_sent_at": "served_at",
    },
):
    """One request and its outcome.

    Attributes
    ----------
    intent : str
        The entry's ID.
    base_url : str
        The API's address.
    kind : str
        ``"inference"``, ``"publish"`` or ``"upload"``.
    body : dict
        The request, with the API's names.
    dedupe_key : str
        Equal for identical requests; empty for requests that may be repeated.
    owner : str
        The process that made the request; see `this_process`.
    requested_at, updated_at : float
        Seconds since 1970: when it was requested, and when it was last sent or reported on.
    state : str
        See `journal`.
    reason : str
        Why the request was refused or its outcome is unknown.
    job_id : str or None
    status : str
        The last status that the service reported.
    ended : bool
        Whether the job has a terminal status.
    response : dict
        The job's last response.
    permalink : str or None
    clock_id, clock_seconds : str, float
        `updated_at` by a clock that cannot be set; see `monotonic_clock`.
    response_timeout : float
        The maximum seconds until the service responds.
    was_accepted : bool
        Whether the service ever said that it accepted the request.
    server_sent_at : float or None
        When the request was sent, by the service's clock, in seconds since 1970.
    path : str
        The path of the request; empty in entries of earlier versions, which knew no videos.
    """

    intent: str
    base_url: str
    kind: str
    body: dict[str, Any]
    dedupe_key: str
    owner: str
    requested_at: float
    updated_at: float
    state: State
    reason: str
    job_id: str | None
    status: str
    ended: bool
    response: dict[str, Any]
    permalink: str | None
    clock_id: str = ""
    clock_seconds: float = 0.0
    response_timeout: float = 0.0
    was_accepted: bool = False
    server_sent_at: float | None = None
    path: str = ""

    @property
    def silent_seconds(self) -> float:
        """A lower bound of the seconds since the request was last sent or reported on."""
        event = f"{self.intent}:{self.clock_seconds}"
        return monotonic_clock.elapsed_since(self.clock_id, self.clock_seconds, event)

    @property
    def process(self) -> str:
        """An opaque ID of the process that made the request."""
        return process_id(self.owner)

    @property
    def is_sending(self) -> bool:
        """Whether a process may currently be sending the request."""
        return self.state == "sending" and _may_be_in_transit(self)

    @property
    def is_owned_elsewhere(self) -> bool:
        """Whether the entry belongs to another process that is running."""
        return self.owner != this_process() and _is_running(self.owner) is True

    @property
    def has_failed(self) -> bool:
        """Whether the job ended without a result."""
        return self.ended and self.status != "succeeded"

    @property
    def is_active(self) -> bool:
        """Whether a process is currently sending the request or polling its job."""
        is_followed = (
            self.state == "accepted" and not self.ended and _is_running(self.owner) is True
        )
        return self.is_sending or is_followed

    @property
    def is_unknown(self) -> bool:
        """Whether the request may have had an effect, but no response was read."""
        return self.state == "unknown" or (self.state == "sending" and not self.is_sending)


def require_not_sending(entry: JournalEntry) -> None:
    """Raise an error if a process is currently sending the request.

    Raises
    ------
    InvalidInputError
    """
    if entry.is_sending:
        raise InvalidInputError(
            "unknown",
            "This is already being sent.",
            "Wait for its response, at most "
            f"{max(MAX_SENDING_SECONDS, entry.response_timeout):.0f} s.",
        )


def require_undecided(entry: JournalEntry) -> None:
    """Raise an error if a request is known to be done or in progress.

    Another kernel may have found that out after the user decided that it was not done.

    Raises
    ------
    InvalidInputError
    """
    if entry.state not in {"accepted", "posted"} or entry.has_failed:
        return
    if entry.state == "posted" and entry.reason == SAID_BY_PERSON and not entry.permalink:
        return  # the user may have been wrong
    is_post = entry.kind == "publish"
    if entry.state == "posted" or entry.status == "succeeded":
        outcome = "was posted" if is_post else "was generated"
        hint = f"See {entry.permalink}." if entry.permalink else ""
        advice = "To post it again, pass allow_repeat=True." if is_post else ""
    else:
        outcome, hint, advice = "arrived, and its job has not ended", "", "Check it again later."
    raise InvalidInputError(
        "unknown", f"The journal now shows that this {outcome}.", f"{hint} {advice}".strip()
    )


#: The values of damaged columns.
_IF_DAMAGED: dict[str, Any] = {
    **dict.fromkeys(
        ("intent", "base_url", "kind", "dedupe_key", "owner", "status", "clock_id", "path"), ""
    ),
    **dict.fromkeys(("requested_at", "updated_at", "clock_seconds", "response_timeout"), 0.0),
    **dict.fromkeys(("ended", "was_accepted"), False),
    **dict.fromkeys(("job_id", "permalink", "server_sent_at"), None),
    "body": {},
    "response": {},
    "state": "unknown",
    "reason": "its journal entry is damaged",
}


def read_row(row: sqlite3.Row) -> JournalEntry:
    """Convert a row of the table `request`.

    Even a damaged row blocks an identical request: the readable columns are kept, and if the state
    is not readable, the outcome is unknown.
    """
    columns = dict(row)
    # An earlier version, which may still be running, does not set `taken`.
    columns["taken"] = bool(
        columns["taken"] or columns["job_id"] or columns["state"] in {"accepted", "posted"}
    )
    columns["ended"] = bool(columns["ended"])
    try:
        decoded = {name: msgspec.json.decode(columns[name]) for name in ("body", "reply")}
        return msgspec.convert({**columns, **decoded}, JournalEntry)
    except (msgspec.MsgspecError, TypeError):
        _log.warning("A journal entry is damaged: %s", columns["intent"])
        return _read_damaged_row(columns)


def _read_damaged_row(columns: dict[str, Any]) -> JournalEntry:
    values = {}
    for field in msgspec.structs.fields(JournalEntry):
        value: Any = columns.get(field.encode_name)
        try:
            if field.name in {"body", "response"}:
                value = msgspec.json.decode(value)
            values[field.name] = msgspec.convert(value, field.type)
        except (msgspec.MsgspecError, TypeError):
            values[field.name] = _IF_DAMAGED[field.name]
    return JournalEntry(**values)


# ---------------------------------------------------------------- processes

_process_token: tuple[int, str] = (0, "")  # process ID and its random token


def this_process() -> str:
    """Return a name for this process that is never reused, unlike its process ID."""
    global _process_token  # noqa: PLW0603 - one for each process, also for a forked child
    if _process_token[0] != os.getpid():
        _process_token = (os.getpid(), uuid.uuid4().hex[:12])
    return f"{_host()}|{os.getpid()}|{_process_token[1]}|{_start_time(os.getpid()) or ''}"


def process_id(owner: str) -> str:
    """Return the opaque token of a process; empty if its name has another form."""
    return owner.split("|")[2] if owner.count("|") == 3 else ""  # noqa: PLR2004 - four parts


def _host() -> str:
    """Return a name for the scope in which process IDs are unique.

    Containers may share a computer and its name but number their processes separately.
    """
    namespace = monotonic_clock.linux_namespace("pid")
    return f"{monotonic_clock.clock_id()}/{namespace}" if namespace else socket.gethostname()


def _start_time(pid: int) -> str | None:
    """Return when a running process started; empty if it has ended, None if unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return "" if stat[0] in "ZX" else stat[19]  # a zombie has ended
    except (OSError, ValueError, IndexError):
        return None


def _may_be_in_transit(entry: JournalEntry) -> bool:
    """Return whether the owner may still be sending the request."""
    is_running = _is_running(entry.owner)
    if is_running is not None:
        return is_running
    limit = max(MAX_SENDING_SECONDS, entry.response_timeout)
    if entry.clock_id == monotonic_clock.clock_id():
        return entry.silent_seconds < limit
    # Another computer's monotonic clock is not comparable, so only the time of day is left.
    return abs(time.time() - entry.updated_at) < limit


def _is_running(owner: str) -> bool | None:
    """Return whether a process is running; None if this cannot be determined."""
    if owner == this_process():
        return True
    host, _, rest = owner.partition("|")
    # Processes of other hosts cannot be checked. On Windows, `os.kill` would end the process.
    if host != _host() or os.name != "posix":
        return None
    pid, _, token_and_start = rest.partition("|")
    started = token_and_start.rpartition("|")[2]
    if not pid.isdecimal():  # a damaged entry
        return None
    return False if int(pid) == os.getpid() else _is_same_process(int(pid), started)


def _is_same_process(pid: int, started: str) -> bool | None:
    """Return whether the process with this ID started at that time; None if unknown."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    current = _start_time(pid)
    if current is None or not started:  # not available on this system
        return None
    return current == started  # else the system has reused the ID
