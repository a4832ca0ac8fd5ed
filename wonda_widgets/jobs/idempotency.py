"""A request that the journal has a name for is made once, whichever process makes it.

    begin ──> nobody asked before ──> it is sent
       └────> `DuplicateRequestError` ──> being sent: look again ──> what became of it

Posts have more to look into, see `duplicate_guard`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InvalidInputError
from ..http.request_body import to_json_values
from ..utils.visible_text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..journal.entries import JournalEntry
    from ..journal.journal import Journal

RECHECK_SECONDS = 1.0  # seconds between looks at a request that another process is sending
LONGEST = 200  # characters of a name


class DuplicateRequestError(Exception):
    """The same was asked for before."""

    def __init__(self, record: JournalEntry) -> None:
        super().__init__(record.intent)
        self.record = record


class IdempotencyGuard:
    """Keeps a request from being made twice; see `submission.DuplicateGuard`.

    Parameters
    ----------
    same_as : str
        What it is called in the journal.
    also : tuple of str
        What else it may be called there.
    for_good : bool
        Whether one that was made stands also if it failed: the service does not say that a
        failed image was free, so only a person has it made again.
    """

    repeat = False

    def __init__(self, same_as: str, *, also: tuple[str, ...] = (), for_good: bool = True) -> None:
        self.same_as = same_as
        self.also = also
        self.for_good = for_good

    async def settle(self, earlier: JournalEntry) -> None:
        """Say that it stands.

        Raises
        ------
        StandingError
        """
        raise DuplicateRequestError(earlier)

    async def look(self) -> None:
        """There is no list of jobs to look into."""


def require_writable_journal(journal: Journal, field: str, so: str, otherwise: str) -> None:
    """Refuse what needs a journal that knows all and that other processes read.

    Parameters
    ----------
    journal : Journal
    field : str
        The argument that asks for it, or that would allow it.
    so, otherwise : str
        What follows for the person, without a full stop; and what they can do.

    Raises
    ------
    InvalidInputError
    """
    trouble = journal.trouble
    if trouble:
        raise InvalidInputError(field, f"{so[0].upper()}{so[1:]}.", f"{trouble} {otherwise}")


def fingerprint(body: Mapping[str, Any]) -> str:
    """Tell a request from others by what it means, and by nothing else.

    Raises
    ------
    InvalidInputError
        If it cannot be sent as JSON.
    """
    text = msgspec.json.encode(canonical(to_json_values(body)), order="sorted")
    return hashlib.sha256(text).hexdigest()[:32]


def former_fingerprint(body: Mapping[str, Any]) -> str:
    """Tell a request from others as versions before did: by each character of it.

    Empty for a request that they could not name, and so never sent. Nothing of this may change.
    """
    try:
        text = msgspec.json.encode(body, order="sorted")
    except (TypeError, ValueError, OverflowError, RecursionError):
        return ""
    return hashlib.sha256(text).hexdigest()[:32]


def guard_for_name(name: str, body: Mapping[str, Any]) -> IdempotencyGuard:
    """Have what `body` asks for be asked for once under a person's `name`.

    Raises
    ------
    InvalidInputError
        If it is no name.
    """
    plain = visible(name, "NFKC") if isinstance(name, str) else ""
    if not plain or len(name) > LONGEST:
        raise InvalidInputError(
            "once",
            f"once= takes a name of 1 to {LONGEST} characters.",
            "Name what the image is for, as in once='autumn campaign'.",
        )
    asked = fingerprint(body)  # says what is wrong with it
    # Under this it was noted before names and requests were compared by what they mean.
    exact = former_fingerprint(body)
    before = (f"once:{_short_hash(name.strip())}:{exact}",) if exact else ()
    return IdempotencyGuard(f"once:{_short_hash(plain)}:{asked}", also=before)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def canonical(value: Any) -> Any:
    """Give JSON in the one form that all values with its meaning share.

    Numbers are equal whatever their type and sign of zero, a member that is None or an empty
    object is as good as none, and texts are equal if they look the same. So are names of members,
    except those of one object that would become the same name.
    """
    if isinstance(value, dict):
        members = {name: canonical(member) for name, member in value.items()}
        members = {name: member for name, member in members.items() if member not in (None, {})}
        looks = Counter(map(visible, members))
        return {
            visible(name) if looks[visible(name)] == 1 else name: member
            for name, member in members.items()
        }
    if isinstance(value, list):
        return [canonical(member) for member in value]
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # of -0.0 as well
    return value
