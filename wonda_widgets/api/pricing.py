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
from ..models import Estimate, parse
from ..utils import event_loop
from .blocking import Blocking, blocking

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = 600.0  # seconds for which a price is taken to hold
PRICES = ("estimated_cost_microdollars", "estimated_credits")


class AsyncPricing:
    """What things cost."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._asked: dict[bytes, tuple[float, asyncio.Task[Estimate | None]]] = {}
        event_loop.reset_after_fork(self)

    def renew(self) -> None:
        """Keep, in a forked child, the prices that are known."""
        event_loop.drop_tasks(self._asked)
        self._asked = {alike: asked for alike, asked in self._asked.items() if asked[1].done()}

    @on_package_loop
    async def estimate(
        self, *, model: str, prompt: str | None = None, params: Mapping[str, Any] | None = None
    ) -> Estimate:
        """What one generation would cost, in US dollars and credits, where the service says so.

        Nothing is charged.
        """
        body: dict[str, Any] = {"model": model, "params": dict(params or {})}
        if prompt:
            body["prompt"] = prompt
        told = parse(await self._core.transport.ask("/pricing/estimate", body), Estimate)
        odd = {name: None for name in PRICES if not _is_price(getattr(told, name))}
        return msgspec.structs.replace(told, **odd)

    @on_package_loop
    async def each(self, *, model: str, params: Mapping[str, Any]) -> Estimate | None:
        """What one image costs, asked once for all that are alike; None if that is not known.

        A price is kept for ten minutes.
        """
        alike = msgspec.json.encode((model, sorted(params.items(), key=lambda item: item[0])))
        asked = self._asked.get(alike)
        if asked is None or monotonic() - asked[0] > KEPT:
            work = asyncio.get_running_loop().create_task(self._known(model, params))
            asked = self._asked[alike] = (monotonic(), work)
        try:
            return await event_loop.shielded(asked[1])
        except BaseException:
            self._asked.pop(alike, None)
            raise

    async def _known(self, model: str, params: Mapping[str, Any]) -> Estimate | None:
        try:
            found = await self.estimate(model=model, params=params)
        except (BadRequestError, NotFoundError, GoneError, UnexpectedReplyError):
            return None
        return found if found.usd is not None else None

    @on_package_loop
    async def list(self) -> dict[str, Any]:
        """All prices, as the service tells them (`GET /pricing`)."""
        raw = await self._core.transport.get("/pricing")
        if not isinstance(raw, dict):
            raise UnexpectedReplyError("The price list is not an object.", "Try again later.")
        return raw


def _is_price(number: float | None) -> bool:
    """Whether it is one; less than nothing is none, and would let a budget never end."""
    return number is not None and math.isfinite(number) and number >= 0


class Pricing(Blocking[AsyncPricing]):
    """What things cost (blocking)."""

    estimate = blocking(AsyncPricing.estimate)
    list = blocking(AsyncPricing.list)
