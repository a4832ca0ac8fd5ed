"""The second origin, where images and the pages of posts are. It refuses requests with a key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from . import post_page

if TYPE_CHECKING:
    from starlette.requests import Request

    from .state import Store


def storage_app(store: Store) -> Starlette:
    """`GET /{mediaId}.{extension}`: the bytes of a medium."""

    async def image(request: Request) -> Response:
        if "authorization" in request.headers:
            # Like a bucket with signed addresses, which such a header confuses; and a
            # client that sends its key here would send it anywhere.
            return PlainTextResponse("This origin takes no Authorization header", 400)
        medium = store.ready_media(request.path_params["name"].partition(".")[0])
        if medium is None:
            return PlainTextResponse("Not found", 404)
        data = await anyio.to_thread.run_sync(store.image, medium)
        return Response(data, media_type=medium.mime_type)

    async def post(request: Request) -> Response:
        found = await anyio.to_thread.run_sync(post_page.answer, store, request.path_params["path"])
        return Response(found.data, found.status, post_page.HEADERS, found.mime_type)

    return Starlette(
        routes=[Route(f"/{post_page.FOLDER}/{{path:path}}", post), Route("/{name}", image)]
    )
