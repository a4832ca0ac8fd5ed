"""The account's publish history, read as well as can be (wonda-api.md, section 7.7).

The shape of its rows is documented nowhere. So each fact is looked for under the
names that the rest of the API uses, and what a row does not say is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import BadRequestError, UnexpectedReplyError
from ..http.responses import reports_failure
from ..models import find_permalink, parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ..http.transport import Transport

PATH = "/instagram/publishes"
PAGE = 50  # rows; the default of 10 is asked for where the service takes no 50
PAGES = 10  # at most

NAME = "publishes"  # of the list of rows, as far as that is known
#: Of these a row tells at least one.
FACTS = frozenset(
    {
        *("mediaId", "sourceMediaId", "mediaIds", "media", "caption", "permalink", "outputJobId"),
        *("instagramPublishId", "igMediaId", "instagramAccountId", "publishedAt"),
    }
)


class HistoryPost(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the history; what it does not say is None."""

    media_ids: frozenset[str] = frozenset()
    several: bool = False
    account_id: str | None = None
    caption: str | None = None
    product: str | None = None
    status: str | None = None
    permalink: str | None = None
    job_id: str | None = None
    created_at: datetime | None = None
    scheduled_for: datetime | None = None  # of one that waits for its time


class PostHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What was read of the history.

    Attributes
    ----------
    posts : list of Post
        Newest first, as the service gives them.
    complete : bool
        Whether it reaches back as far as was asked.
    """

    posts: list[HistoryPost]
    complete: bool


async def read(
    transport: Transport,
    account_id: str,
    *,
    since: Callable[[], datetime] | None = None,
    pages: int = PAGES,
) -> PostHistory:
    """Read an account's history back to `since`, at most so many pages.

    `since` is asked after each page, because a reply may tell what the service's time is.

    Raises
    ------
    UnexpectedReplyError
        If it is no history.
    APIError, ServiceUnreachableError
    """
    found: list[HistoryPost] = []
    query: dict[str, Any] = {"limit": PAGE, "instagramAccountId": account_id}
    for _ in range(pages):
        try:
            raw = await transport.get(PATH, query)
        except BadRequestError:
            if "limit" not in query:
                raise
            del query["limit"]
            raw = await transport.get(PATH, query)
        page = [post(row) for row in _rows(raw)]
        found += page
        if raw.get("nextCursor") in (None, "") and not raw.get("hasMore"):
            return PostHistory(posts=found, complete=True)
        cursor = _cursor(raw)
        if since is not None and _ends_before(page, since()):
            return PostHistory(posts=found, complete=True)
        if cursor is None or not page:  # there is more, but how to ask for it is not known
            break
        query.update(cursor)
    return PostHistory(posts=found, complete=False)


def _rows(raw: Any) -> list[dict[str, Any]]:
    """Read a page's rows. The name of their list is known of no page, so it is looked for.

    Raises
    ------
    UnexpectedReplyError
        If it is no history: an error page, an empty reply, or JSON about something else. That
        nothing is in it would say that nothing was posted.
    """
    if not isinstance(raw, dict) or reports_failure(raw):
        raise _no_history()
    lists = [value for value in raw.values() if isinstance(value, list)]
    rows = raw.get(NAME, lists[0] if len(lists) == 1 else None)
    if not isinstance(rows, list):
        raise _no_history()
    # An empty list under a name that is not known says nothing, unless it comes in pages.
    listed = bool(rows or NAME in raw or "nextCursor" in raw)
    if not listed or not all(isinstance(row, dict) and FACTS & row.keys() for row in rows):
        raise _no_history()
    return rows


def _no_history() -> UnexpectedReplyError:
    return UnexpectedReplyError(
        "The service answered with something other than the publish history.", "Try again later."
    )


def _ends_before(page: list[HistoryPost], moment: datetime) -> bool:
    """Whether all that follows on the next pages is older than `moment`."""
    times = [one.created_at for one in page if one.created_at]
    is_dated = bool(times) and len(times) == len(page)
    return is_dated and max(times) < moment and times == sorted(times, reverse=True)


def _cursor(raw: dict[str, Any]) -> dict[str, str] | None:
    """The query of the next page; None if it cannot be read."""
    cursor = raw.get("nextCursor")
    if not isinstance(cursor, dict):
        return None
    created, publish = cursor.get("createdAt"), cursor.get("instagramPublishId")
    if not isinstance(created, str) or not isinstance(publish, str):
        return None
    return {"cursorCreatedAt": created, "cursorInstagramPublishId": publish}


def post(row: dict[str, Any]) -> HistoryPost:
    """Read one row."""
    account = row.get("account")
    account = account if isinstance(account, dict) else {}
    return HistoryPost(
        media_ids=media_ids(row),
        several=any(isinstance(each, list) and len(each) > 1 for each in _lists(row)),
        account_id=_first(row, "instagramAccountId") or _first(account, "instagramAccountId"),
        caption=_first(row, "caption"),
        product=_first(row, "product"),
        status=_first(row, "status"),
        permalink=find_permalink(row),
        job_id=_first(row, "outputJobId", "jobId"),
        created_at=parse_timestamp(_first(row, "createdAt", "publishedAt", "finishedAt")),
    )


def media_ids(row: dict[str, Any]) -> frozenset[str]:
    """All images that a row names: of its own, of its ``media``, of a carousel's list."""
    media, listed = row.get("media"), row.get("mediaIds")
    inside = media if isinstance(media, list) else [media]
    named = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    where = [row, *(each for each in inside if isinstance(each, dict))]
    of_each = (_text(each, "mediaId", "sourceMediaId") for each in where)
    return frozenset(named).union(*of_each)


def _lists(row: dict[str, Any]) -> tuple[Any, ...]:
    """Where a row lists several images, if it is of a carousel."""
    return row.get("mediaIds"), row.get("media"), row.get("children")


def _text(row: dict[str, Any], *names: str) -> list[str]:
    found = (row.get(name) for name in names)
    return [value for value in found if isinstance(value, str) and value]


def _first(row: dict[str, Any], *names: str) -> str | None:
    return next(iter(_text(row, *names)), None)
