"""Prices (wonda-api.md, sections 9.1 and 9.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import runtime
from ..errors import UnexpectedReplyError
from ..models import Estimate, parse
from ._core import Core, on_package_loop

if TYPE_CHECKING:
    from collections.abc import Mapping


class AsyncPricing:
    """What things cost."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @on_package_loop
    async def estimate(
        self, *, model: str, prompt: str | None = None, params: Mapping[str, Any] | None = None
    ) -> Estimate:
        """What one generation would cost, in US dollars and credits. Nothing is charged."""
        body: dict[str, Any] = {"model": model, "params": dict(params or {})}
        if prompt:
            body["prompt"] = prompt
        return parse(await self._core.transport.ask("/pricing/estimate", body), Estimate)

    @on_package_loop
    async def list(self) -> dict[str, Any]:
        """All prices, as the service tells them (`GET /pricing`)."""
        raw = await self._core.transport.get("/pricing")
        if not isinstance(raw, dict):
            raise UnexpectedReplyError("The price list is not an object.", "Try again later.")
        return raw


class Pricing:
    """What things cost (blocking)."""

    def __init__(self, resource: AsyncPricing) -> None:
        self._async = resource

    def estimate(
        self, *, model: str, prompt: str | None = None, params: Mapping[str, Any] | None = None
    ) -> Estimate:
        """See `AsyncPricing.estimate`."""
        return runtime.call(self._async.estimate(model=model, prompt=prompt, params=params))

    def list(self) -> dict[str, Any]:
        """See `AsyncPricing.list`."""
        return runtime.call(self._async.list())
