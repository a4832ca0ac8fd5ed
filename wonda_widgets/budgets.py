"""What pictures may cost together, whichever kernel makes them.

What was asked for since a moment is counted from the journal, which all kernels on it
share, within the transaction that notes the next request. So two who ask at the same
moment do not both have what is left for one.
"""

from __future__ import annotations

import json
import math
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import msgspec

from .errors import BadRequestError, InvalidInputError, NotFoundError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Awaitable, Callable, Mapping

    from .models import Estimate

    Price = Callable[[Mapping[str, Any]], Awaitable[Estimate]]

MOST = 1_000_000_000.0  # US dollars
#: What certainly cost nothing. A failed job counts: the service does not say that it was free.
FREE = ("refused", "absent")


class UnpricedError(Exception):
    """Something was asked for whose price is not known yet."""

    def __init__(self, bodies: list[dict[str, Any]]) -> None:
        super().__init__("prices are missing")
        self.bodies = bodies


class Budget:
    """US dollars that may be spent on pictures, by all kernels of one journal.

    What was asked for is counted, by the service's estimates; a failed picture counts too,
    because the service does not say that it was free.

    Parameters
    ----------
    usd : float
        US dollars.
    since : datetime.datetime, optional
        From when on; without a zone, by this computer's. Without it: each day anew.

    Raises
    ------
    InvalidInputError
        If it is no amount of money, or no time.

    Examples
    --------
    >>> wonda.images.generate(model="z-image", prompt="A lake", budget=ww.Budget(2.50))
    """

    def __init__(self, usd: float, since: datetime | None = None) -> None:
        number = isinstance(usd, int | float) and not isinstance(usd, bool)
        if not number or not 0 <= usd <= MOST:
            said = f"A budget is an amount of US dollars, not {str(usd)[:40]!r}."
            raise InvalidInputError("budget_usd", said)
        if since is not None and not isinstance(since, datetime):
            raise InvalidInputError("since", f"since is a datetime, not {since!r}.")
        self.usd = float(usd)
        self.since = since
        self._prices: dict[str, float] = {}

    def __repr__(self) -> str:
        since = f" since {self.since:%Y-%m-%d %H:%M}" if self.since else " a day"
        return f"<Budget ${self.usd:.2f}{since}>"

    def guard(self, base_url: str, body: Mapping[str, Any]) -> Callable[[sqlite3.Connection], None]:
        """Give what refuses one more request, within the journal's own transaction.

        It raises `UnpricedError`, and `InvalidInputError` where too little is left.
        """
        own = _key(body)

        def refuse(connection: sqlite3.Connection) -> None:
            spent = self.spent(connection, base_url)
            if own not in self._prices:
                raise UnpricedError([dict(body)])
            price, left = self._prices[own], self.usd - spent
            if price > left + 1e-9:
                raise InvalidInputError(
                    "budget",
                    f"This picture costs about ${price:.2f}, and ${max(0.0, left):.2f} of the "
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
        marks = ",".join("?" * len(FREE))
        rows = connection.execute(
            f"SELECT body, count(*) AS times FROM request WHERE base_url=? AND kind='inference'"  # noqa: S608
            f" AND asked_at>=? AND state NOT IN ({marks}) GROUP BY body",
            (base_url, (self.since or today()).timestamp(), *FREE),
        ).fetchall()
        asked = [(json.loads(row["body"]), row["times"]) for row in rows]
        missing = {_key(body): body for body, _ in asked if _key(body) not in self._prices}
        if missing:
            raise UnpricedError(list(missing.values()))
        return sum((self._prices[_key(body)] * int(times) for body, times in asked), 0.0)

    async def learn(self, bodies: list[dict[str, Any]], price: Price) -> None:
        """Ask what some requests cost.

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
            self._prices[_key(body)] = usd


def today() -> datetime:
    """When this day began, by this computer's zone."""
    return datetime.combine(datetime.now().astimezone().date(), time.min).astimezone()


def _key(body: Mapping[str, Any]) -> str:
    """What a price depends on: the model and its parameters."""
    params = body.get("params") or {}
    return msgspec.json.encode([body.get("model"), params], order="sorted").decode()
