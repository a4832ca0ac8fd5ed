"""Connected accounts (wonda-api.md, section 7.6)."""

from __future__ import annotations

from .. import runtime
from ..models import AccountsReply, InstagramAccount, Organization, OrganizationsReply, parse
from ._core import Core, on_package_loop


class AsyncAccounts:
    """Connected accounts."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @on_package_loop
    async def instagram(self) -> list[InstagramAccount]:
        """The Instagram accounts that can be published to; may be empty."""
        return parse(await self._core.transport.get("/instagram/accounts"), AccountsReply).accounts

    @on_package_loop
    async def organizations(self) -> list[Organization]:
        """The organizations that this account belongs to; may be empty.

        Where your only paid seat is in one, name it: ``Wonda(org=slug)``.
        """
        raw = await self._core.transport.get("/organizations")
        return parse(raw, OrganizationsReply).organizations


class Accounts:
    """Connected accounts (blocking)."""

    def __init__(self, resource: AsyncAccounts) -> None:
        self._async = resource

    def instagram(self) -> list[InstagramAccount]:
        """See `AsyncAccounts.instagram`."""
        return runtime.call(self._async.instagram())

    def organizations(self) -> list[Organization]:
        """See `AsyncAccounts.organizations`."""
        return runtime.call(self._async.organizations())
