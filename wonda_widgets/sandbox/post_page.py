"""The page behind `View post`: a simulated post and a note that nothing was published."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .state import Store, StoredMedia

FOLDER = "posts"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
KINDS = {"STORIES": "Story", "REELS": "Reel", "CAROUSEL": "Carousel"}

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Simulated post</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; font: 15px/1.5 system-ui, sans-serif; background: Canvas; color: CanvasText; }}
.note {{ margin: 0; padding: 10px 16px; background: #fff3d6; color: #5c3d00; }}
@media (prefers-color-scheme: dark) {{ .note {{ background: #3a2d0f; color: #ffdd94; }} }}
main {{ max-width: 520px; margin: 24px auto; padding: 0 16px; }}
img, video {{ display: block; width: 100%; margin: 12px 0; border-radius: 8px; }}
.about {{ opacity: 0.75; font-size: 13px; }}
.caption {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
</style></head><body>
<p class="note" role="note"><strong>Sandbox.</strong> This is a simulated post. \
Nothing was published.</p>
<main><p><strong>{account}</strong> <span class="about">{kind} · {time}</span></p>
{images}<p class="caption" dir="auto">{caption}</p></main></body></html>
"""


class PageResponse(NamedTuple):
    """An HTTP response: status, MIME type and body."""

    status: int
    mime_type: str
    data: bytes


NOT_FOUND = PageResponse(404, "text/plain; charset=utf-8", b"There is no such post here.")


def respond(store: Store, path: str) -> PageResponse:
    """Return the page of ``{post}``, or the image or video of ``{post}/{number}``.

    Slow if it has to be rendered, so call it in a thread.
    """
    publish_id, _, number = path.partition("/")
    post = next((post for post in store.posts() if post["id"] == publish_id), None)
    if post is None:
        return NOT_FOUND
    if not number:
        page = _page(store, post).encode(errors="replace")
        return PageResponse(200, "text/html; charset=utf-8", page)
    items: list[StoredMedia] = post["media"]
    media = {str(index): item for index, item in enumerate(items)}.get(number)
    if media is None:
        return NOT_FOUND
    return PageResponse(200, media.mime_type, store.content(media))


def _page(store: Store, post: dict[str, Any]) -> str:
    body = post["body"]
    account = str(body.get("instagramAccountId"))
    alt = html.escape(str(body.get("altText") or "The posted image"))
    images = "".join(
        f'<video src="{post["link"]}/{number}" controls loop playsinline></video>\n'
        if media.mime_type.startswith("video/")
        else f'<img src="{post["link"]}/{number}" alt="{alt}">\n'
        for number, media in enumerate(post["media"])
    )
    product = "CAROUSEL" if "mediaIds" in body else post["product"]
    return PAGE.format(
        account=html.escape(f"@{store.account_names.get(account, account)}"),
        kind=html.escape(KINDS.get(str(product), "Feed")),
        time=f"{post['created']:%d %b %Y, %H:%M} UTC",
        images=images,
        caption=html.escape(str(body.get("caption") or "")),
    )
