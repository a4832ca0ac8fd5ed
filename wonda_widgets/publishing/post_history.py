"""Read an account's publish history (wonda-api.md, section 7.7).

The format of its rows is not documented. Each fact is therefore looked up under the names that the
rest of the API uses, and is None if the row lacks it.
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
PAGE_SIZE = 50  # rows; if the service refuses it, its default of 10 applies
MAX_PAGES = 10
MAX_POSTS = MAX_PAGES * PAGE_SIZE

LIST_NAME = "publishes"  # the usual name of the list of rows
#: Every row has at least one of these.
ROW_FIELDS = frozenset(
    {
        *("mediaId", "sourceMediaId", "mediaIds", "media", "caption", "permalink", "outputJobId"),
        *("instagramPublishId", "igMediaId", "instagramAccountId", "publishedAt"),
    }
)


class HistoryPost(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the history; missing fields are None.

    Attributes
    ----------
    media_ids : frozenset of str
    is_carousel : bool
        Whether the row lists several images.
    account_id, caption, product, status, permalink, job_id : str or None
    created_at : datetime.datetime or None
    scheduled_for : datetime.datetime or None
        Only for a scheduled post.
    """

    media_ids: frozenset[str] = frozenset()
    is_carousel: bool = False
    account_id: str | None = None
    caption: str | None = None
    product: str | None = None
    status: str | None = None
    permalink: str | None = None
    job_id: str | None = None
    created_at: datetime | None = None
    scheduled_for: datetime | None = None


class PostHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the history that was read.

    Attributes
    ----------
    posts : list of HistoryPost
        Newest first, as the service lists them.
    is_complete : bool
        Whether the posts reach back as far as requested.
    """

    posts: list[HistoryPost]
    is_complete: bool


async def fetch(
    transport: Transport,
    account_id: str,
    *,
    since: Callable[[], datetime] | None = None,
    max_posts: int = MAX_POSTS,
) -> PostHistory:
    """Fetch an account's history back to `since`.

    Parameters
    ----------
    transport : Transport
    account_id : str
    since : callable, optional
        Returns the time to go back to. It is called after each page, because each response may
        correct the service's time.
    max_posts : int
        No further page is read once there are this many posts.

    Raises
    ------
    UnexpectedReplyError
        If the response is not a history.
    APIError, ServiceUnreachableError
    """
    posts: list[HistoryPost] = []
    query: dict[str, Any] = {"limit": PAGE_SIZE, "instagramAccountId": account_id}
    for _ in range(MAX_PAGES):
        try:
            raw = await transport.get(PATH, query)
        except BadRequestError:
            if "limit" not in query:
                raise
            del query["limit"]
            raw = await transport.get(PATH, query)
        page = [parse_row(row) for row in _rows(raw)]
        posts += page
        if raw.get("nextCursor") in (None, "") and not raw.get("hasMore"):
            return PostHistory(posts=posts, is_complete=True)
        if since is not None and _ends_before(page, since()):
            return PostHistory(posts=posts, is_complete=True)
        cursor = _next_query(raw)
        # Without a readable cursor, the following pages cannot be requested.
        if cursor is None or not page or len(posts) >= max_posts:
            break
        query.update(cursor)
    return PostHistory(posts=posts, is_complete=False)


def _rows(raw: Any) -> list[dict[str, Any]]:
    """Return the rows of a page, whatever their list is called.

    Raises
    ------
    UnexpectedReplyError
        If the page is not a history but an error page, an empty response or other JSON. Without
        this check, such a page would mean that nothing was posted.
    """
    if not isinstance(raw, dict) or reports_failure(raw):
        raise _unexpected()
    lists = [value for value in raw.values() if isinstance(value, list)]
    rows = raw.get(LIST_NAME, lists[0] if len(lists) == 1 else None)
    if not isinstance(rows, list):
        raise _unexpected()
    # An empty list with an unknown name means nothing, unless the response is paginated.
    is_list_of_posts = bool(rows or LIST_NAME in raw or "nextCursor" in raw)
    has_posts = all(isinstance(row, dict) and ROW_FIELDS & row.keys() for row in rows)
    if not is_list_of_posts or not has_posts:
        raise _unexpected()
    return rows


def _unexpected() -> UnexpectedReplyError:
    return UnexpectedReplyError(
        "The response from the service is not the publish history.", "Try again later."
    )


def _ends_before(page: list[HistoryPost], moment: datetime) -> bool:
    """Return whether all following pages are older than `moment`."""
    times = [post.created_at for post in page if post.created_at]
    is_dated = bool(times) and len(times) == len(page)
    return is_dated and max(times) < moment and times == sorted(times, reverse=True)


def _next_query(raw: dict[str, Any]) -> dict[str, str] | None:
    """Return the query of the next page; None if its cursor cannot be read."""
    cursor = raw.get("nextCursor")
    if not isinstance(cursor, dict):
        return None
    created, publish = cursor.get("createdAt"), cursor.get("instagramPublishId")
    if not isinstance(created, str) or not isinstance(publish, str):
        return None
    return {"cursorCreatedAt": created, "cursorInstagramPublishId": publish}


def parse_row(row: dict[str, Any]) -> HistoryPost:
    """Parse one row."""
    account = row.get("account")
    account = account if isinstance(account, dict) else {}
    lists = (row.get("mediaIds"), row.get("media"), row.get("children"))
    return HistoryPost(
        media_ids=media_ids(row),
        is_carousel=any(isinstance(each, list) and len(each) > 1 for each in lists),
        account_id=_first(row, "instagramAccountId") or _first(account, "instagramAccountId"),
        caption=_first(row, "caption"),
        product=_first(row, "product"),
        status=_first(row, "status"),
        permalink=find_permalink(row),
        job_id=_first(row, "outputJobId", "jobId"),
        created_at=parse_timestamp(_first(row, "createdAt", "publishedAt", "finishedAt")),
    )


def media_ids(row: dict[str, Any]) -> frozenset[str]:
    """Return all media IDs in a row: its own, those in ``media``, and those of a carousel."""
    media, listed = row.get("media"), row.get("mediaIds")
    nested = media if isinstance(media, list) else [media]
    ids = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    for part in (row, *(each for each in nested if isinstance(each, dict))):
        ids += _texts(part, "mediaId", "sourceMediaId")
    return frozenset(ids)


def _texts(row: dict[str, Any], *names: str) -> list[str]:
    """Return the non-empty strings under these names."""
    values = (row.get(name) for name in names)
    return [value for value in values if isinstance(value, str) and value]


def _first(row: dict[str, Any], *names: str) -> str | None:
    return next(iter(_texts(row, *names)), None)
