"""Idempotency keys: a request with a key is sent only once, across all processes.

    Journal.begin_request ──> no entry with this key ──> send the request
             └──────> `DuplicateRequestError` ──> if it is being sent: check again, else: its job

The key is recorded in the journal and not sent. For posts there is more to check; see
`publishing.duplicate_guard`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InvalidInputError
from ..http.request_body import to_json_values
from ..utils.visible_text import normalize_visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..journal.entries import JournalEntry
    from ..journal.journal import Journal

RECHECK_SECONDS = 1.0  # between checks of a request that another process is sending
MAX_NAME_LENGTH = 200


class DuplicateRequestError(Exception):
    """The same request was made before; `record` is its journal entry."""

    def __init__(self, record: JournalEntry) -> None:
        super().__init__(record.intent)
        self.record = record


class IdempotencyGuard:
    """A `submission.DuplicateGuard` that prevents a request from being sent twice.

    Parameters
    ----------
    dedupe_key : str
        The request's key in the journal.
    former_keys : tuple of str
        Keys of the same request from earlier versions.
    include_failed : bool
        Whether failed earlier requests count. The service does not say that failed images are free,
        so only the user can decide to generate one again.
    """

    allow_repeat = False

    def __init__(
        self, dedupe_key: str, *, former_keys: tuple[str, ...] = (), include_failed: bool = True
    ) -> None:
        self.dedupe_key = dedupe_key
        self.former_keys = former_keys
        self.include_failed = include_failed

    async def check_earlier(self, earlier: JournalEntry) -> None:
        """Reject the request, which was made before.

        Raises
        ------
        DuplicateRequestError
        """
        raise DuplicateRequestError(earlier)

    async def check_elsewhere(self) -> None:
        """Check nothing: the service has no list of jobs."""


def require_complete_journal(journal: Journal, field: str, so: str, otherwise: str) -> None:
    """Raise an error if the journal may be incomplete or other processes cannot read it.

    Parameters
    ----------
    journal : Journal
    field : str
        The argument that requires the check, or that would allow continuing without it.
    so, otherwise : str
        The consequence, as a clause without a period, and what the user can do instead.

    Raises
    ------
    InvalidInputError
    """
    problem = journal.problem
    if problem:
        raise InvalidInputError(field, f"{so[0].upper()}{so[1:]}.", f"{problem} {otherwise}")


def fingerprint(body: Mapping[str, Any]) -> str:
    """Return the fingerprint of a request, equal for all requests with the same meaning.

    Raises
    ------
    InvalidInputError
        If the request cannot be sent as JSON.
    """
    text = msgspec.json.encode(canonical(to_json_values(body)), order="sorted")
    return hashlib.sha256(text).hexdigest()[:32]


def former_fingerprint(body: Mapping[str, Any]) -> str:
    """Return the fingerprint of earlier versions, in which each character counts.

    It is empty for a request that those versions could not send. The result must not change,
    because journals contain it.
    """
    try:
        text = msgspec.json.encode(body, order="sorted")
    except (TypeError, ValueError, OverflowError, RecursionError):
        return ""
    return hashlib.sha256(text).hexdigest()[:32]


def guard_for_name(name: str, body: Mapping[str, Any]) -> IdempotencyGuard:
    """Create the guard for a request with the user's idempotency key `name`.

    Raises
    ------
    InvalidInputError
        If the name is empty or too long.
    """
    plain = normalize_visible(name, "NFKC") if isinstance(name, str) else ""
    if not plain or len(name) > MAX_NAME_LENGTH:
        raise InvalidInputError(
            "once",
            f"once= must be a name of 1 to {MAX_NAME_LENGTH} characters.",
            "Name the purpose of the image, as in once='autumn campaign'.",
        )
    requested = fingerprint(body)  # raises if the request cannot be sent
    # The key of earlier versions, which compared each character.
    exact = former_fingerprint(body)
    before = (f"once:{_short_hash(name.strip())}:{exact}",) if exact else ()
    return IdempotencyGuard(f"once:{_short_hash(plain)}:{requested}", former_keys=before)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def canonical(value: Any) -> Any:
    """Normalize JSON so that values with the same meaning become equal.

    Numbers are equal regardless of their type and of the sign of zero; members that are None or an
    empty object are left out; strings and member names are equal if they look the same, unless two
    names in one object would become equal.
    """
    if isinstance(value, dict):
        members = {name: canonical(member) for name, member in value.items()}
        members = {name: member for name, member in members.items() if member not in (None, {})}
        looks = Counter(map(normalize_visible, members))
        return {
            normalize_visible(name) if looks[normalize_visible(name)] == 1 else name: member
            for name, member in members.items()
        }
    if isinstance(value, list):
        return [canonical(member) for member in value]
    if isinstance(value, str):
        return normalize_visible(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # -0.0 becomes 0
    return value
