"""The account's publish history, read as well as can be (wonda-api.md, section 7.7).

The shape of its rows is documented nowhere. So each fact is looked for under the
names that the rest of the API uses, and what a row does not say is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import BadRequestError, UnexpectedReplyError
from ..models import permalink, timestamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ..transport import Transport

PATH = "/instagram/publishes"
PAGE = 50  # rows; the default of 10 is asked for where the service takes no 50
PAGES = 10  # at most


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the history."""

    media_id: str | None
    account_id: str | None
    caption: str | None
    product: str | None
    status: str | None
    permalink: str | None
    job_id: str | None
    created_at: datetime | None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of the history.

    Attributes
    ----------
    posts : list of Post
        Newest first, as the service gives them.
    complete : bool
        Whether it reaches back as far as was asked.
    """

    posts: list[Post]
    complete: bool


async def read(
    transport: Transport,
    account_id: str,
    *,
    since: Callable[[], datetime] | None = None,
    pages: int = PAGES,
) -> History:
    """Read an account's history back to `since`, at most so many pages.

    `since` is asked after each page, because a reply may tell what the service's time is.

    Raises
    ------
    UnexpectedReplyError
        If it is no history.
    APIError, ServiceUnreachableError
    """
    found: list[Post] = []
    query: dict[str, Any] = {"limit": PAGE, "instagramAccountId": account_id}
    for _ in range(pages):
        try:
            raw = await transport.get(PATH, query)
        except BadRequestError:
            if "limit" not in query:
                raise
            del query["limit"]
            raw = await transport.get(PATH, query)
        rows = _rows(raw)
        found += [post(row) for row in rows]
        times = [one.created_at for one in found if one.created_at]
        cursor = _cursor(raw)
        far_enough = since is not None and times and min(times) < since()
        if cursor is None or not rows or far_enough:
            return History(posts=found, complete=True)
        query.update(cursor)
    return History(posts=found, complete=False)


def _rows(raw: Any) -> list[dict[str, Any]]:
    if not isinstance(raw, dict):
        raise UnexpectedReplyError("The publish history is not an object.", "Try again later.")
    lists = [value for value in raw.values() if isinstance(value, list)]
    if not lists:
        raise UnexpectedReplyError("The publish history has no rows.", "Try again later.")
    rows = max(lists, key=len)
    return [row for row in rows if isinstance(row, dict)]


def _cursor(raw: dict[str, Any]) -> dict[str, str] | None:
    """The query of the next page; None on the last one."""
    cursor = raw.get("nextCursor")
    if not isinstance(cursor, dict):
        return None
    created, publish = cursor.get("createdAt"), cursor.get("instagramPublishId")
    if not isinstance(created, str) or not isinstance(publish, str):
        return None
    return {"cursorCreatedAt": created, "cursorInstagramPublishId": publish}


def post(row: dict[str, Any]) -> Post:
    """Read one row."""
    media, account = row.get("media"), row.get("account")
    inside = {
        **(account if isinstance(account, dict) else {}),
        **(media if isinstance(media, dict) else {}),
        **row,
    }

    def text(*names: str) -> str | None:
        found = (inside.get(name) for name in names)
        return next((value for value in found if isinstance(value, str) and value), None)

    return Post(
        media_id=text("mediaId", "sourceMediaId"),
        account_id=text("instagramAccountId"),
        caption=text("caption"),
        product=text("product"),
        status=text("status"),
        permalink=permalink(row),
        job_id=text("outputJobId", "jobId"),
        created_at=timestamp(text("createdAt", "publishedAt", "finishedAt")),
    )
