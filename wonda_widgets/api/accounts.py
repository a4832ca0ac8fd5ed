"""Connected accounts (wonda-api.md, section 7.6)."""

from __future__ import annotations

from ..jobs.core import Core, on_package_loop
from ..models import (
    AccountsResponse,
    InstagramAccount,
    Organization,
    OrganizationsResponse,
    parse,
)
from .blocking import Blocking, blocking


class AsyncAccounts:
    """Connected accounts."""

    def __init__(self, core: Core) -> None:
        self._core = core

    @on_package_loop
    async def instagram(self) -> list[InstagramAccount]:
        """List the Instagram accounts to which you can publish; may be empty."""
        return parse(
            await self._core.transport.get("/instagram/accounts"), AccountsResponse
        ).accounts

    @on_package_loop
    async def organizations(self) -> list[Organization]:
        """List the organizations to which this account belongs; may be empty.

        If your only paid seat is in an organization, pass its slug: ``Wonda(org=slug)``.
        """
        raw = await self._core.transport.get("/organizations")
        return parse(raw, OrganizationsResponse).organizations


class Accounts(Blocking[AsyncAccounts]):
    """Blocking interface to the connected accounts."""

    instagram = blocking(AsyncAccounts.instagram)
    organizations = blocking(AsyncAccounts.organizations)
