"""A request that the journal has a name for is made once, whichever process makes it.

    begin ──> nobody asked before ──> it is sent
       └────> `StandingError` ──> being sent: look again ──> what became of it

Posts have more to look into, see `once`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InvalidInputError
from ..transport import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..records import Record

LOOK = 1.0  # seconds between looks at a request that another process is sending
LONGEST = 200  # characters of a name


class StandingError(Exception):
    """The same was asked for before."""

    def __init__(self, record: Record) -> None:
        super().__init__(record.intent)
        self.record = record


class AskedOnce:
    """Keeps a request from being made twice; see `_core.Once`.

    Parameters
    ----------
    same_as : str
        What it is called in the journal.
    for_good : bool
        Whether one that was made stands also if it failed: the service does not say that a
        failed picture was free, so only a person has it made again.
    """

    repeat = False

    def __init__(self, same_as: str, *, for_good: bool = True) -> None:
        self.same_as = same_as
        self.for_good = for_good

    async def settle(self, earlier: Record) -> None:
        """Say that it stands.

        Raises
        ------
        StandingError
        """
        raise StandingError(earlier)

    async def look(self) -> None:
        """There is no list of jobs to look into."""


def digest(body: Mapping[str, Any]) -> str:
    """Tell a request from others by what it asks for, and by nothing else."""
    return hashlib.sha256(msgspec.json.encode(body, order="sorted")).hexdigest()[:32]


def named_once(name: str, body: Mapping[str, Any]) -> AskedOnce:
    """Have what `body` asks for be asked for once under a person's `name`.

    Raises
    ------
    InvalidInputError
        If it is no name.
    """
    plain = _plain_name(name) if isinstance(name, str) else ""
    if not plain or len(name) > LONGEST:
        raise InvalidInputError(
            "once",
            f"once= takes a name of at most {LONGEST} characters.",
            "Name what the picture is for, as in once='autumn campaign'.",
        )
    sent = json.loads(encoded(body)["content"])  # as the service reads it; says what is wrong
    asked = json.dumps(canonical(sent), sort_keys=True)
    return AskedOnce(f"once:{_short_hash(plain)}:{_short_hash(asked)}")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def canonical(value: Any) -> Any:
    """Give JSON in the one form that all values with its meaning share.

    Numbers are equal whatever their type and sign of zero, a member that is None or empty is as
    good as none, and texts are equal if they differ only in blanks or in how Unicode spells them.
    """
    if isinstance(value, dict):
        members = ((_text(name), canonical(member)) for name, member in value.items())
        return {name: member for name, member in members if member not in (None, {})}
    if isinstance(value, list):
        return [canonical(member) for member in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # of -0.0 as well
    return value


def _text(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def _plain_name(name: str) -> str:
    """A name as it is compared: also full-width letters and marks that nobody sees are equal."""
    shown = "".join(each for each in name if unicodedata.category(each) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", shown).split())
