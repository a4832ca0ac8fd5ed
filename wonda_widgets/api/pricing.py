"""Prices (wonda-api.md, sections 9.1 and 9.2)."""

from __future__ import annotations

import asyncio
import math
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import (
    BadRequestError,
    GoneError,
    NotFoundError,
    UnexpectedReplyError,
)
from ..jobs.core import Core, on_package_loop
from ..jobs.matrix.plan_arguments import SEED
from ..models import Estimate, parse
from ..utils import event_loop
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    from collections.abc import Mapping

CACHE_SECONDS = 600.0
PRICE_FIELDS = ("estimated_cost_microdollars", "estimated_credits")


class AsyncPricing:
    """The prices of generations, without charging anything."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._cache: dict[bytes, tuple[float, asyncio.Task[Estimate | None]]] = {}
        event_loop.reset_after_fork(self)

    def reset_in_child(self) -> None:
        """Discard unfinished price requests in a forked child."""
        event_loop.keep_inherited(self._cache)
        self._cache = {key: entry for key, entry in self._cache.items() if entry[1].done()}

    @on_package_loop
    async def estimate(
        self, *, model: str, prompt: str | None = None, params: Mapping[str, Any] | None = None
    ) -> Estimate:
        """Estimate the cost of one generation, in US dollars and credits.

        Nothing is charged. Values that the service does not report are None.

        Examples
        --------
        >>> estimate = wonda.pricing.estimate(model="nano-banana-2", params={"resolution": "2K"})
        >>> estimate.usd
        0.08
        """
        body: dict[str, Any] = {"model": model, "params": dict(params or {})}
        if prompt:
            body["prompt"] = prompt
        raw = await self._core.transport.post_read_only("/pricing/estimate", body)
        estimate = parse(raw, Estimate)
        invalid = {name: None for name in PRICE_FIELDS if not _is_price(getattr(estimate, name))}
        return msgspec.structs.replace(estimate, **invalid)

    @on_package_loop
    async def cached_estimate(self, *, model: str, params: Mapping[str, Any]) -> Estimate | None:
        """Give the price of one image, cached for ten minutes; None if it is not known.

        All seeds have the same price, so that many takes need only one request.
        """
        params = {name: value for name, value in params.items() if name != SEED}
        key = msgspec.json.encode((model, sorted(params.items(), key=lambda item: item[0])))
        entry = self._cache.get(key)
        if entry is None or entry[1].cancelled() or monotonic() - entry[0] > CACHE_SECONDS:
            work = asyncio.get_running_loop().create_task(self._known(model, params))
            entry = self._cache[key] = (monotonic(), work)
        try:
            return await event_loop.shield(entry[1])
        except Exception:  # not if only the waiting caller is canceled
            self._cache.pop(key, None)
            raise

    async def _known(self, model: str, params: Mapping[str, Any]) -> Estimate | None:
        try:
            found = await self.estimate(model=model, params=params)
        except (BadRequestError, NotFoundError, GoneError, UnexpectedReplyError):
            return None
        return found if found.usd is not None else None

    @on_package_loop
    async def list(self) -> dict[str, Any]:
        """Give the service's whole price list (`GET /pricing`)."""
        raw = await self._core.transport.get("/pricing")
        if not isinstance(raw, dict):
            raise UnexpectedReplyError("The price list is not an object.", "Try again later.")
        return raw


def _is_price(number: float | None) -> bool:
    """Whether a number can be a price; a negative price would make a budget unlimited."""
    return number is not None and math.isfinite(number) and number >= 0


class Pricing(Blocking[AsyncPricing]):
    """Blocking interface to the prices of generations."""

    estimate = blocking(AsyncPricing.estimate)
    list = blocking(AsyncPricing.list)
