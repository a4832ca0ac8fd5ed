"""A service that records posts and can simulate faults, for tests without a sandbox."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

import wonda_widgets as ww

POST = {"media_id": "m1", "instagram_account_id": "a1", "caption": "Made with Wonda"}


#: What the account has posted before: a history with nothing in it proves nothing.
EARLIER = {
    "mediaId": "m0",
    "instagramAccountId": "a1",
    "caption": "An earlier post",
    "product": "IMAGE",
    "status": "succeeded",
    "permalink": "https://instagram.example.test/p/0",
    "createdAt": "2020-01-01T00:00:00+00:00",
}


#: The service's words for a history that there is not.
CODES = {400: "bad_request", 403: "feature_disabled", 404: "not_found", 410: "gone"}


def refusal(message, code="x"):
    """An error in the service's own form."""
    return {"error": {"message": message, "code": code}}


class Service:
    """A Wonda that posts, remembers, and loses its answers on demand."""

    def __init__(self) -> None:
        self.rows = []
        self.posts = 0
        self.earlier = [EARLIER]
        self.status = "succeeded"
        self.lose = ""  # "before" or "after" the post takes effect
        self.history = 200
        self.bare = ()  # what rows do not say
        self.gate = None
        self.jobs = {}
        self.ahead = timedelta(0)  # its clock
        self.lists = lambda _row: True  # which rows the history shows
        self.no_history = None  # a reply in place of one, or an error
        self.gone = 0  # the status of a job that is not there any more
        self.reply = None  # in place of the one that names the job

    async def __call__(self, request):
        reply = await self.answer(request)
        told = datetime.now(UTC) + self.ahead
        reply.headers["Date"] = told.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return reply

    async def answer(self, request):
        path = request.url.path.removeprefix("/api/v1")
        if path == "/instagram/publishes":
            return self.told_history()
        if path.startswith("/publish/instagram"):
            return await self.publish(request)
        job_id = path.rpartition("/")[2]
        if self.gone or job_id not in self.jobs:
            return httpx.Response(self.gone or 404, json=refusal("not found"))
        return httpx.Response(200, json={"status": self.status, "permalink": self.jobs[job_id]})

    def told_history(self):
        if self.history != 200:
            code = CODES.get(self.history, "x")
            return httpx.Response(self.history, json=refusal("no history", code))
        if isinstance(self.no_history, Exception):
            raise self.no_history
        if self.no_history is not None:
            status, content = self.no_history
            return httpx.Response(status, content=content)
        rows = [*(row for row in self.rows[::-1] if self.lists(row)), *self.earlier]
        return httpx.Response(200, json={"publishes": rows, "nextCursor": None})

    async def publish(self, request):
        self.posts += 1
        if self.gate is not None:
            await self.gate()
        if self.lose == "before":
            raise httpx.ReadError("lost")
        self.take(request)
        if self.lose == "after":
            raise httpx.ReadError("lost")
        if self.reply is not None:
            return httpx.Response(200, content=self.reply)
        return httpx.Response(200, json={"outputJobId": f"p{self.posts}", "status": "queued"})

    def take(self, request):
        body = json.loads(request.content)
        self.jobs[f"p{self.posts}"] = f"https://instagram.example.test/p/{self.posts}"
        row = {
            "instagramPublishId": f"i{self.posts}",
            "outputJobId": f"p{self.posts}",
            "mediaId": body["mediaId"],
            "instagramAccountId": body["instagramAccountId"],
            "caption": body.get("caption"),
            "product": body.get("product") or "IMAGE",
            "status": self.status,
            "permalink": self.jobs[f"p{self.posts}"],
            "createdAt": (datetime.now(UTC) + self.ahead).isoformat(),
        }
        self.rows.append({name: row[name] for name in row if name not in self.bare})


def lost(wonda, **more):
    """Publish, and give the error that says that nobody knows whether it was."""
    with pytest.raises(ww.OutcomeUnknownError) as caught:
        wonda.publish.instagram(**{**POST, **more})
    return caught.value
