"""Limit the total cost of images across all kernels that share a journal.

Spending is totaled from the journal in the same transaction that records the next request, so two
kernels cannot both spend the remainder of a budget.
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

    PriceEstimator = Callable[[Mapping[str, Any]], Awaitable[Estimate]]

MAX_USD = 1_000_000_000.0
PRICE_SECONDS = 600.0  # until a price is fetched again
MAX_PARAM_LENGTH = 100  # characters; longer parameters are strings, which do not affect a price

#: Deleted requests, which still count: the factors of their prices, and their number over time.
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

#: Every request that may cost something, even of a failed job, which may not be free.
MAY_COST = "kind='inference' AND state NOT IN ('refused', 'absent')"


def as_budget(value: Budget | float | None) -> Budget | None:
    """Convert an amount in US dollars into a daily budget.

    Raises
    ------
    InvalidInputError
        If the value is not an amount of money.
    """
    return value if value is None or isinstance(value, Budget) else Budget(value)


class UnpricedError(Exception):
    """Prices are missing; `bodies` are the requests that need one."""

    def __init__(self, bodies: list[dict[str, Any]]) -> None:
        super().__init__("prices are missing")
        self.bodies = bodies


class Budget:
    """A limit for the total that all kernels sharing a journal may spend on images.

    Spending is the total of the service's estimates for all requests. Failed images also count,
    because the service does not say that they are free.

    Parameters
    ----------
    usd : float
        US dollars; a `decimal.Decimal` or a NumPy number is also accepted.
    since : datetime.datetime, optional
        Start of the period, not later than now. Without a time zone, this computer's zone
        applies. Without `since`, the budget applies to each day.

    Raises
    ------
    InvalidInputError
        If `usd` is not an amount of money, or `since` is not a time.

    Examples
    --------
    >>> wonda.images.generate(model="z-image", prompt="A lake", budget=ww.Budget(2.50))
    """

    def __init__(self, usd: float, since: datetime | None = None) -> None:
        usd = plain_values.to_plain(usd)
        is_number = isinstance(usd, int | float) and not isinstance(usd, bool)
        if not is_number or not 0 <= usd <= MAX_USD:
            raise InvalidInputError(
                "budget", f"A budget must be an amount in US dollars, not {str(usd)[:40]!r}."
            )
        is_missing = since is not None and plain_values.is_missing(since)  # NaT is a datetime
        if is_missing or (since is not None and not isinstance(since, datetime)):
            raise InvalidInputError("since", f"since must be a datetime, not {since!r}.")
        try:
            start = start_of_day() if since is None else since
            start.timestamp()
        except (ValueError, OverflowError, OSError):  # outside this system's range
            raise InvalidInputError("since", f"{since} is not a possible date.") from None
        self.usd = float(usd)
        self.since = since
        # US dollars, and when the price was fetched. One budget may serve clients of several
        # services, so the base URL is part of the key.
        self._prices: dict[tuple[str, str], tuple[float, float]] = {}

    def __repr__(self) -> str:
        since = f" since {self.since:%Y-%m-%d %H:%M}" if self.since else " a day"
        return f"<Budget ${self.usd:.2f}{since}>"

    def spending_check(
        self, base_url: str, body: Mapping[str, Any]
    ) -> Callable[[sqlite3.Connection], None]:
        """Return a function that rejects a request that would exceed the budget.

        The journal calls the function within its transaction. The function raises `UnpricedError`
        if prices are missing, and `InvalidInputError` if too little is left.
        """
        key = base_url, _price_key(body)

        def check(connection: sqlite3.Connection) -> None:
            self._require_started()
            spent = self.spent(connection, base_url)
            price, left = self._price(key), self.usd - spent
            if price is None:
                raise UnpricedError([dict(body)])
            if price > left + 1e-9:
                raise InvalidInputError(
                    "budget",
                    f"This costs about ${price:.2f}, but only ${max(0.0, left):.2f} of the "
                    f"${self.usd:.2f} budget is left.",
                    "Choose a cheaper model or parameters, or use a larger budget.",
                )

        return check

    def spent(self, connection: sqlite3.Connection, base_url: str) -> float:
        """Estimate the US dollars spent at a service in this budget's period.

        Raises
        ------
        UnpricedError
        """
        since = (base_url, self._starts_at())
        rows = connection.execute(
            f"SELECT body, count(*) AS times FROM request WHERE base_url=? AND asked_at>=?"  # noqa: S608
            f" AND {MAY_COST} GROUP BY body UNION ALL"
            " SELECT body, sum(times) FROM priced JOIN cost ON cost.priced=priced.id"
            " WHERE base_url=? AND asked_at>=? GROUP BY body",
            (*since, *since),
        ).fetchall()
        requests = [(_decoded(row["body"]), int(row["times"])) for row in rows]
        keyed = [((base_url, _price_key(body)), body, count) for body, count in requests]
        prices = {key: self._price(key) for key, _, _ in keyed}
        missing = {key: body for key, body, _ in keyed if prices[key] is None}
        if missing:
            raise UnpricedError(list(missing.values()))
        return sum(((prices[key] or 0.0) * count for key, _, count in keyed), 0.0)

    def _price(self, key: tuple[str, str]) -> float | None:
        """Return a price in US dollars; None if it is unknown or outdated."""
        usd, fetched_at = self._prices.get(key, (0.0, -math.inf))
        return usd if 0 <= clock.time() - fetched_at < PRICE_SECONDS else None

    def _starts_at(self) -> float:
        """Return the start of the period in seconds since 1970."""
        return (self.since or start_of_day()).timestamp()

    def _require_started(self) -> None:
        """Raise an error before the period starts, because the spending would not be counted.

        Raises
        ------
        InvalidInputError
        """
        if clock.time() < self._starts_at():
            raise InvalidInputError(
                "budget",
                f"This budget starts on {self.since:%d %b %Y at %H:%M:%S}, which is in the future "
                "by this computer’s clock.",
                "Check the clock, or pass an earlier since=.",
            )

    async def fetch_prices(
        self, base_url: str, bodies: list[dict[str, Any]], estimate: PriceEstimator
    ) -> None:
        """Fetch and store the prices of requests at the service.

        Parameters
        ----------
        base_url : str
            The API's address.
        bodies : list of dict
            Requests.
        estimate : callable
            Fetches the price of one request.

        Raises
        ------
        InvalidInputError
            If the service has no price for one of them.
        APIError, ServiceUnreachableError
        """
        for body in bodies:
            try:
                usd = (await estimate(body)).usd
            except (BadRequestError, NotFoundError):  # the model is no longer offered
                usd = None
            if usd is None or not 0 <= usd < math.inf:
                raise InvalidInputError(
                    "budget",
                    f"The service has no price for {body.get('model')}, so the remaining budget "
                    f"is unknown.",
                    "Choose another model. If the model was used before, start a new budget.",
                )
            self._prices[base_url, _price_key(body)] = usd, clock.time()


def save_costs(connection: sqlite3.Connection, intents: str, values: tuple[Any, ...]) -> None:
    """Count requests that are about to be deleted, so that they remain in the total.

    Parameters
    ----------
    connection : sqlite3.Connection
    intents : str
        A SELECT of the intents to delete.
    values : tuple
        Its parameters.
    """
    rows = connection.execute(
        f"SELECT base_url, asked_at, body FROM request WHERE {MAY_COST} AND json_valid(body)"  # noqa: S608
        f" AND intent IN ({intents})",
        values,
    ).fetchall()
    for row in rows:
        body = json.loads(row["body"])
        if not isinstance(body, dict):  # damaged
            continue
        factors = json.dumps(_price_factors(body), sort_keys=True)
        priced = (row["base_url"], factors)
        connection.execute("INSERT OR IGNORE INTO priced (base_url, body) VALUES (?,?)", priced)
        connection.execute(
            "INSERT INTO cost SELECT id, ?, 1 FROM priced WHERE base_url=? AND body=?"
            " ON CONFLICT DO UPDATE SET times=times+1",
            (row["asked_at"], *priced),
        )


def _decoded(body: str) -> dict[str, Any]:
    """Decode a request.

    Raises
    ------
    InvalidInputError
        If it is damaged, because its price is then unknown.
    """
    try:
        decoded = json.loads(body)
        json.dumps(decoded, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError):
        decoded = None
    if not isinstance(decoded, dict):
        raise InvalidInputError(
            "budget",
            "An entry of the journal is damaged, so we don’t know how much of the budget is spent.",
            "Use a budget that starts later (since=), or generate without a budget.",
        )
    return decoded


def start_of_day() -> datetime:
    """Return when the current day started in this computer's time zone."""
    return datetime.combine(datetime.now().astimezone().date(), time.min).astimezone()


def _price_factors(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the factors of a request's price: the model and short parameters.

    Texts are left out, so that the number of rows for deleted requests remains small.
    """
    params = body.get("params")
    params = params if isinstance(params, dict) else {}
    short = {
        name: value for name, value in params.items() if len(json.dumps(value)) <= MAX_PARAM_LENGTH
    }
    return {"model": body.get("model"), "params": short}


def _price_key(body: Mapping[str, Any]) -> str:
    """Return a key that is equal for requests with the same price."""
    factors = _price_factors(body)
    # A round trip through JSON turns every member name into a string, as in the journal.
    decoded = json.loads(json.dumps([factors["model"], factors["params"]]))
    return msgspec.json.encode(decoded, order="sorted").decode()
