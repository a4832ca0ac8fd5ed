"""The storage host, which serves media and the pages of posts, and rejects API keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from . import byte_ranges, post_page

if TYPE_CHECKING:
    from starlette.requests import Request

    from .state import Store


def storage_app(store: Store) -> Starlette:
    """Create the ASGI app: `GET /{mediaId}.{extension}` and the pages of posts."""

    async def content(request: Request) -> Response:
        if "authorization" in request.headers:
            # Real storage with signed URLs also fails in this case, and tests notice a leaked key.
            return PlainTextResponse("This origin does not accept an Authorization header", 400)
        media = store.find_media(request.path_params["name"].partition(".")[0])
        if media is None:
            return PlainTextResponse("Not found", 404)
        data = await anyio.to_thread.run_sync(store.content, media)
        return byte_ranges.respond(data, media.mime_type, media.media_id, request.headers)

    async def post(request: Request) -> Response:
        path = request.path_params["path"]
        page = await anyio.to_thread.run_sync(post_page.respond, store, path)
        return Response(page.data, page.status, post_page.HEADERS, page.mime_type)

    return Starlette(
        routes=[Route(f"/{post_page.FOLDER}/{{path:path}}", post), Route("/{name}", content)]
    )
