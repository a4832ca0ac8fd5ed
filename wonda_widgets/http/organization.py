"""The organization on whose behalf requests are made (wonda-api.md, sections 1 and 12).

If a user's only paid seat is in an organization, paid requests must name that organization.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ..errors import InvalidInputError
from ..models import one_line

if TYPE_CHECKING:
    from ..models import Organization

HEADER = "X-Wonda-Org"
VARIABLE = "WONDA_ORG"
NEEDS_SEAT = "paid_plan_required"  # an error code of the service
MAX_LISTED = 8
SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,199}")


def choose(org: str | None) -> str:
    """Choose the organization to use.

    Parameters
    ----------
    org : str, optional
        The slug; by default, the value of ``WONDA_ORG``; an empty string means none.

    Returns
    -------
    str
        The slug; empty for none.

    Raises
    ------
    InvalidInputError
        If the slug is not valid.
    """
    name = os.environ.get(VARIABLE, "") if org is None else org
    slug = name.strip() if isinstance(name, str) else name
    if slug != "" and not (isinstance(slug, str) and SLUG.fullmatch(slug)):
        raise InvalidInputError(
            "org",
            f"{one_line(str(name))!r} is not the slug of an organization"
            f"{f' (from {VARIABLE})' if org is None else ''}.",
            "Use one from wonda.accounts.organizations(), such as acme-studio.",
        )
    return slug


def advice(used: str, found: list[Organization] | None) -> str:
    """Return what to do if a request was refused because there is no paid seat.

    Parameters
    ----------
    used : str
        The slug that the request named; empty for none.
    found : list of Organization or None
        The account's organizations; None if they could not be listed.
    """
    if found is None:
        return (
            "Check this account's plan in your Wonda settings. If your paid seat is in an "
            f'organization, pass its slug: Wonda(org="slug"), or set {VARIABLE}.'
        )
    seats = [each for each in found if each.seat_plan_code and each.slug != used]
    if not seats:
        has_seat = any(each.seat_plan_code for each in found)
        return (
            f"Check the plan of {used} in your Wonda settings."
            if has_seat
            else "None of your organizations gives you a paid seat. Check this account's plan in "
            "your Wonda settings."
        )
    names = ", ".join(describe(each) for each in seats[:MAX_LISTED])
    more = f" and {len(seats) - MAX_LISTED} more" if len(seats) > MAX_LISTED else ""
    first = f'Wonda(org="{seats[0].slug}")'
    return f"You have a paid seat in {names}{more}. Choose one: {first}, or set {VARIABLE}."


def describe(organization: Organization) -> str:
    """Return the display name of an organization: ``"acme (Acme Studio)"``."""
    name = one_line(organization.name or "")
    slug = one_line(organization.slug)
    return f"{slug} ({name})" if name and name != slug else slug
