"""What images may cost together, whichever kernel makes them.

What was asked for since a moment is counted from the journal, which all kernels on it
share, within the transaction that notes the next request. So two who ask at the same
moment do not both have what is left for one.
"""

from __future__ import annotations

import json
import math
import time as clock
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import BadRequestError, InvalidInputError, NotFoundError
from ..utils import plain_values

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Mapping

    from ..models import Estimate

    Price = Callable[[Mapping[str, Any]], Awaitable[Estimate]]

MOST = 1_000_000_000.0  # US dollars
SHORT = 100  # characters of a parameter that may set a price; longer ones are texts

#: What was asked for whose entries are gone: how often when, by what its price depends on.
MIGRATION = """
    CREATE TABLE priced (
        id INTEGER PRIMARY KEY,
        base_url TEXT NOT NULL,
        body TEXT NOT NULL,
        UNIQUE (base_url, body)
    );
    CREATE TABLE cost (
        priced INTEGER NOT NULL REFERENCES priced,
        asked_at REAL NOT NULL,
        times INTEGER NOT NULL,
        PRIMARY KEY (priced, asked_at)
    ) WITHOUT ROWID
    """

#: All but what certainly cost nothing. A failed job counts: nothing says that it was free.
COSTS = "kind='inference' AND state NOT IN ('refused', 'absent')"


def of(given: Budget | float | None) -> Budget | None:
    """Give a budget of what was passed: a number is so many US dollars a day.

    Raises
    ------
    InvalidInputError
        If it is no amount of money.
    """
    return given if given is None or isinstance(given, Budget) else Budget(given)


class UnpricedError(Exception):
    """Something was asked for whose price is not known yet."""

    def __init__(self, bodies: list[dict[str, Any]]) -> None:
        super().__init__("prices are missing")
        self.bodies = bodies


class Budget:
    """US dollars that may be spent on images, by all kernels of one journal.

    What was asked for is counted, by the service's estimates; a failed image counts too,
    because the service does not say that it was free.

    Parameters
    ----------
    usd : float
        US dollars; any number, a `decimal.Decimal` or one of an array, too.
    since : datetime.datetime, optional
        From when on, not later than now; without a zone, by this computer's. Without it: each
        day anew.

    Raises
    ------
    InvalidInputError
        If it is no amount of money, or no time.

    Examples
    --------
    >>> wonda.images.generate(model="z-image", prompt="A lake", budget=ww.Budget(2.50))
    """

    def __init__(self, usd: float, since: datetime | None = None) -> None:
        usd = plain_values.to_plain(usd)
        number = isinstance(usd, int | float) and not isinstance(usd, bool)
        if not number or not 0 <= usd <= MOST:
            said = f"A budget is an amount of US dollars, not {str(usd)[:40]!r}."
            raise InvalidInputError("budget", said)
        nothing = since is not None and plain_values.is_missing(since)  # NaT is a datetime, too
        if nothing or (since is not None and not isinstance(since, datetime)):
            raise InvalidInputError("since", f"since is a datetime, not {since!r}.")
        self.usd = float(usd)
        self.since = since
        # By the API's address, too: one budget may serve clients of several services.
        self._prices: dict[tuple[str, str], float] = {}

    def __repr__(self) -> str:
        since = f" since {self.since:%Y-%m-%d %H:%M}" if self.since else " a day"
        return f"<Budget ${self.usd:.2f}{since}>"

    def guard(self, base_url: str, body: Mapping[str, Any]) -> Callable[[sqlite3.Connection], None]:
        """Give what refuses one more request, within the journal's own transaction.

        It raises `UnpricedError`, and `InvalidInputError` where too little is left.
        """
        own = base_url, _key(body)

        def refuse(connection: sqlite3.Connection) -> None:
            self._check_begun()
            spent = self.spent(connection, base_url)
            if own not in self._prices:
                raise UnpricedError([dict(body)])
            price, left = self._prices[own], self.usd - spent
            if price > left + 1e-9:
                raise InvalidInputError(
                    "budget",
                    f"This image costs about ${price:.2f}, and ${max(0.0, left):.2f} of the "
                    f"${self.usd:.2f} budget is left.",
                    "Choose something cheaper, or ask whoever set the budget.",
                )

        return refuse

    def spent(self, connection: sqlite3.Connection, base_url: str) -> float:
        """US dollars, about, that were asked for.

        Raises
        ------
        UnpricedError
        """
        within = (base_url, self._begins())
        rows = connection.execute(
            f"SELECT body, count(*) AS times FROM request WHERE base_url=? AND asked_at>=?"  # noqa: S608
            f" AND {COSTS} GROUP BY body UNION ALL"
            " SELECT body, sum(times) FROM priced JOIN cost ON cost.priced=priced.id"
            " WHERE base_url=? AND asked_at>=? GROUP BY body",
            (*within, *within),
        ).fetchall()
        asked = [(json.loads(row["body"]), row["times"]) for row in rows]
        keyed = [((base_url, _key(body)), body, int(times)) for body, times in asked]
        missing = {key: body for key, body, _ in keyed if key not in self._prices}
        if missing:
            raise UnpricedError(list(missing.values()))
        return sum((self._prices[key] * times for key, _, times in keyed), 0.0)

    def _begins(self) -> float:
        """When it begins, seconds since 1970."""
        return (self.since or today()).timestamp()

    def _check_begun(self) -> None:
        """Refuse to spend before it begins: that would not be counted.

        Raises
        ------
        InvalidInputError
        """
        if clock.time() < self._begins():
            raise InvalidInputError(
                "budget",
                f"This budget begins on {self.since:%d %b %Y at %H:%M:%S}, which is still to come "
                "by this computer’s clock.",
                "Check the clock, or pass an earlier since=.",
            )

    async def learn(self, base_url: str, bodies: list[dict[str, Any]], price: Price) -> None:
        """Ask the service at `base_url` what some requests cost.

        Raises
        ------
        InvalidInputError
            If the service tells no price: within a budget nothing is made blindly.
        APIError, ServiceUnreachableError
        """
        for body in bodies:
            try:
                usd = (await price(body)).usd
            except (BadRequestError, NotFoundError):  # it is offered no more
                usd = None
            if usd is None or not 0 <= usd < math.inf:
                raise InvalidInputError(
                    "budget",
                    f"The service tells no price for {body.get('model')}, so it is not known what "
                    "is left of the budget.",
                    "Choose another model; if it was used before, ask whoever set the budget.",
                )
            self._prices[base_url, _key(body)] = usd


def keep_costs(connection: sqlite3.Connection, inside: str, values: tuple[Any, ...]) -> None:
    """Count what entries cost that are about to go; `inside` selects their intents."""
    rows = connection.execute(
        f"SELECT base_url, asked_at, body FROM request WHERE {COSTS} AND json_valid(body)"  # noqa: S608
        f" AND intent IN ({inside})",
        values,
    ).fetchall()
    for row in rows:
        priced = (row["base_url"], json.dumps(_priced(json.loads(row["body"])), sort_keys=True))
        connection.execute("INSERT OR IGNORE INTO priced (base_url, body) VALUES (?,?)", priced)
        connection.execute(
            "INSERT INTO cost SELECT id, ?, 1 FROM priced WHERE base_url=? AND body=?"
            " ON CONFLICT DO UPDATE SET times=times+1",
            (row["asked_at"], *priced),
        )


def _priced(body: Mapping[str, Any]) -> dict[str, Any]:
    """What the price of a request depends on; not its texts, of which a ledger would grow."""
    params = body.get("params")
    params = params if isinstance(params, dict) else {}
    short = {name: each for name, each in params.items() if len(json.dumps(each)) <= SHORT}
    return {"model": body.get("model"), "params": short}


def today() -> datetime:
    """When this day began, by this computer's zone."""
    return datetime.combine(datetime.now().astimezone().date(), time.min).astimezone()


def _key(body: Mapping[str, Any]) -> str:
    """What a price depends on: the model and its parameters."""
    priced = _priced(body)
    # As the journal gives it, where every name of a member is a text.
    read = json.loads(json.dumps([priced["model"], priced["params"]]))
    return msgspec.json.encode(read, order="sorted").decode()
