"""Idempotency keys: a request with a key is made once, in whichever process.

    Journal.begin_request ──> no entry with this key ──> it is sent
             └──────> `DuplicateRequestError` ──> if it is being sent: check again, else: its job

The key is kept in the journal, not sent. For posts there is more to check; see
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
    """Keeps a request from being made twice; a `submission.DuplicateGuard`.

    Parameters
    ----------
    dedupe_key : str
        Its key in the journal.
    former_keys : tuple of str
        Keys of the same request from earlier versions.
    include_failed : bool
        Whether an earlier request counts also if it failed. The service does not say that failed
        images are free, so only a person may have one made again.
    """

    allow_repeat = False

    def __init__(
        self, dedupe_key: str, *, former_keys: tuple[str, ...] = (), include_failed: bool = True
    ) -> None:
        self.dedupe_key = dedupe_key
        self.former_keys = former_keys
        self.include_failed = include_failed

    async def check_earlier(self, earlier: JournalEntry) -> None:
        """Refuse: the request was made before.

        Raises
        ------
        DuplicateRequestError
        """
        raise DuplicateRequestError(earlier)

    async def check_elsewhere(self) -> None:
        """Check nothing: the service has no list of jobs."""


def require_complete_journal(journal: Journal, field: str, so: str, otherwise: str) -> None:
    """Refuse what needs a complete journal that other processes can read, too.

    Parameters
    ----------
    journal : Journal
    field : str
        The argument that requires it, or that would allow going on without it.
    so, otherwise : str
        What follows for the person, without a full stop, and what they can do instead.

    Raises
    ------
    InvalidInputError
    """
    problem = journal.problem
    if problem:
        raise InvalidInputError(field, f"{so[0].upper()}{so[1:]}.", f"{problem} {otherwise}")


def fingerprint(body: Mapping[str, Any]) -> str:
    """Give the fingerprint of a request, the same for all requests with the same meaning.

    Raises
    ------
    InvalidInputError
        If it cannot be sent as JSON.
    """
    text = msgspec.json.encode(canonical(to_json_values(body)), order="sorted")
    return hashlib.sha256(text).hexdigest()[:32]


def former_fingerprint(body: Mapping[str, Any]) -> str:
    """Give the fingerprint of earlier versions, in which each character counts.

    Empty for a request that they could not send. This must not change: journals hold it.
    """
    try:
        text = msgspec.json.encode(body, order="sorted")
    except (TypeError, ValueError, OverflowError, RecursionError):
        return ""
    return hashlib.sha256(text).hexdigest()[:32]


def guard_for_name(name: str, body: Mapping[str, Any]) -> IdempotencyGuard:
    """Make the guard that has a request made once under a person's `name`.

    Raises
    ------
    InvalidInputError
        If the name is empty or too long.
    """
    plain = normalize_visible(name, "NFKC") if isinstance(name, str) else ""
    if not plain or len(name) > MAX_NAME_LENGTH:
        raise InvalidInputError(
            "once",
            f"once= takes a name of 1 to {MAX_NAME_LENGTH} characters.",
            "Name what the image is for, as in once='autumn campaign'.",
        )
    requested = fingerprint(body)  # raises if it cannot be sent
    # The key of earlier versions, which compared each character.
    exact = former_fingerprint(body)
    before = (f"once:{_short_hash(name.strip())}:{exact}",) if exact else ()
    return IdempotencyGuard(f"once:{_short_hash(plain)}:{requested}", former_keys=before)


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def canonical(value: Any) -> Any:
    """Normalize JSON, so that values with the same meaning become equal.

    Numbers are equal whatever their type and the sign of zero; a member that is None or an empty
    object is left out; texts and member names are equal if they look the same, unless two names of
    one object would become one.
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
        return int(value)  # of -0.0 as well
    return value
