"""A service in memory that can simulate every fault of a request or of its history.

It is strict: it does what it is asked each time it is asked. What it did is on record, so that
a test can say whether anything was done twice.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

ACCOUNT = "a1"
PRICE = 40_000  # millionths of a US dollar

#: What a POST may meet. Each is (whether it takes effect, how it is answered).
FATES = {
    "accepted": (True, "ok"),
    "refused": (False, 400),
    "no credits": (False, 402),
    "busy": (False, 429),
    "not connected": (False, "connect"),
    "lost before": (False, "lost"),
    "lost after": (True, "lost"),
    "cut after": (True, "cut"),
    "error before": (False, 500),
    "error after": (True, 502),
    "unreadable": (True, b"<html>"),
    "empty": (True, b""),
    "nameless": (True, b"{}"),
    "redirected": (False, 307),
    "proxy before": (False, b"403 by a proxy"),
    "proxy after": (True, b"404 by a proxy"),
}
#: What the account has posted before anything begins.
EARLIER = {
    "mediaId": "m0",
    "instagramAccountId": ACCOUNT,
    "caption": "An earlier post",
    "product": "IMAGE",
    "status": "succeeded",
    "permalink": "https://instagram.example.test/p/0",
    "outputJobId": "p0",
    "createdAt": "2020-01-01T00:00:00+00:00",
}
HISTORIES = ("complete", "finished", "pages", "empty", "html", "shape", "none", "down", "slow")
JOBS = ("told", 404, 410, 500, "odd")
LISTS = ("complete", "bare", "html", "shape", "none", "down", "slow")


@dataclass
class Effect:
    """Something that the service has done, or is doing."""

    job_id: str
    kind: str
    body: dict[str, Any]
    at: float
    takes: float
    ends: str  # "succeeded" or "failed"
    canceled: bool = False

    @property
    def due(self) -> float:
        at = self.body.get("scheduledAt")
        return datetime.fromisoformat(at).timestamp() if at else self.at

    def status(self, now: float) -> str:
        if self.canceled:
            return "canceled"
        if now < self.due:
            return "scheduled"
        return self.ends if now >= self.due + self.takes else "in_progress"


@dataclass
class Service:
    """The service, with a clock of its own."""

    now: float = 1_800_000_000.0
    skew: float = 0.0  # seconds by which the clock that it tells is wrong
    fate: str = "accepted"
    history: str = "complete"
    scheduled: str = "complete"  # how the list of scheduled posts answers
    jobs: Any = "told"
    takes: float = 1.0
    ends: str = "succeeded"
    effects: list[Effect] = field(default_factory=list)
    #: requests that are on their way: what is to be set to let them arrive
    held: list[asyncio.Event] = field(default_factory=list)
    waiting: list[tuple[httpx.Request, str]] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Effect]:
        return [effect for effect in self.effects if effect.kind == kind]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.fate == "held" and request.method == "POST" and "/pricing" not in request.url.path:
            await self.hold(request)
            reply = self.answer(request, fate="accepted")
        else:
            reply = self.answer(request, self.fate)
        # Each server behind the address may have a clock of its own.
        told = datetime.fromtimestamp(self.now + self.skew, UTC)
        reply.headers["Date"] = told.strftime("%a, %d %b %Y %H:%M:%S GMT")
        return reply

    async def hold(self, request: httpx.Request) -> None:
        """Keep a request on its way; it arrives also if nobody waits for its answer any more."""
        arrives = asyncio.Event()
        self.held.append(arrives)
        try:
            await arrives.wait()
        except asyncio.CancelledError:
            self.held.remove(arrives)
            self.waiting.append((request, "accepted"))
            raise
        self.held.remove(arrives)

    def let_arrive(self) -> None:
        """Have everything that is on its way arrive. On the loop only."""
        for arrives in self.held:
            arrives.set()
        for request, fate in self.waiting:
            self.answer(request, fate)
        self.waiting.clear()

    def answer(self, request: httpx.Request, fate: str) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1")
        if path == "/pricing/estimate":
            return httpx.Response(200, json={"estimatedCostMicrodollars": PRICE})
        if path == "/instagram/publishes":
            return self.told_history()
        if path.startswith("/publish/scheduled"):
            job_id = path.removeprefix("/publish/scheduled").strip("/")
            return self.cancel(job_id, fate) if job_id else self.told_list()
        if request.method == "POST":
            kind = "inference" if path == "/image/generate" else "publish"
            return self.post(request, kind, fate)
        return self.told_job(path.rpartition("/")[2])

    def post(self, request: httpx.Request, kind: str, fate: str) -> httpx.Response:
        takes_effect, answer = FATES[fate]
        effect = None
        if takes_effect:
            job_id = f"{kind[0]}{len(self.effects) + 1}"
            body = json.loads(request.content)
            effect = Effect(job_id, kind, body, self.now, self.takes, self.ends)
            self.effects.append(effect)
        match answer:
            case "connect":
                raise httpx.ConnectError("refused")
            case "lost":
                raise httpx.ReadTimeout("lost")
            case "cut":
                raise httpx.RemoteProtocolError("cut")
            case "ok":
                assert effect is not None
                named = "inferenceJobId" if kind == "inference" else "outputJobId"
                return httpx.Response(200, json={named: effect.job_id})
            case int():
                return httpx.Response(answer, json={"error": {"message": "no", "code": "x"}})
            case _:
                proxied = answer[:3].isdigit()
                return httpx.Response(int(answer[:3]) if proxied else 200, content=answer)

    def told_job(self, job_id: str) -> httpx.Response:
        found = [effect for effect in self.effects if effect.job_id == job_id]
        if isinstance(self.jobs, int):
            return httpx.Response(self.jobs, json={"error": {"message": "no", "code": "x"}})
        if not found:
            return httpx.Response(404, json={"error": {"message": "no", "code": "not_found"}})
        status = "reticulating" if self.jobs == "odd" else found[0].status(self.now)
        return httpx.Response(200, json={"status": status, "permalink": self.link(found[0])})

    def link(self, effect: Effect) -> str | None:
        done = effect.status(self.now) == "succeeded"
        return f"https://instagram.example.test/p/{effect.job_id}" if done else None

    def cancel(self, job_id: str, fate: str) -> httpx.Response:
        found = [effect for effect in self.effects if effect.job_id == job_id]
        if not found or found[0].canceled:
            return httpx.Response(404, json={"error": {"message": "no", "code": "not_found"}})
        if found[0].status(self.now) != "scheduled":
            return httpx.Response(409, json={"error": {"message": "no", "code": "conflict"}})
        found[0].canceled = FATES[fate][0]
        if FATES[fate][1] == "ok":
            return httpx.Response(200, json={})
        raise httpx.ReadTimeout("lost")

    def told_list(self) -> httpx.Response:
        trouble = self.trouble(self.scheduled)
        if trouble is not None:
            return trouble
        waiting = [each for each in self.effects if each.status(self.now) == "scheduled"]
        bare = {"mediaId", "caption", "instagramAccountId"} if self.scheduled == "bare" else set()
        rows = [
            {
                "outputJobId": effect.job_id,
                "scheduledFor": effect.body["scheduledAt"],
                **{name: effect.body.get(name) for name in effect.body if name not in bare},
            }
            for effect in waiting
        ]
        return httpx.Response(200, json={"scheduled": rows})

    def trouble(self, how: str) -> httpx.Response | None:
        match how:
            case "html":
                return httpx.Response(200, content=b"<!doctype html>")
            case "shape":
                return httpx.Response(200, json={"ok": True, "answer": []})
            case "none":
                return httpx.Response(404, json={"error": {"message": "no", "code": "not_found"}})
            case "down":
                return httpx.Response(503, content=b"")
            case "slow":
                raise httpx.ReadTimeout("slow")
        return None

    def told_history(self) -> httpx.Response:
        trouble = self.trouble(self.history)
        if trouble is not None:
            return trouble
        made = [e for e in self.of_kind("publish") if e.due <= self.now and not e.canceled]
        rows = [self.row(effect) for effect in sorted(made, key=lambda e: e.due, reverse=True)]
        if self.history == "finished":
            rows = [row for row in rows if row["status"] in {"succeeded", "failed"}]
        rows.append(EARLIER)
        if self.history == "empty":
            rows = []
        if self.history == "pages":  # of which only the first can be had
            return httpx.Response(200, json={"publishes": rows[:1], "nextCursor": {"x": 1}})
        return httpx.Response(200, json={"publishes": rows, "nextCursor": None})

    def row(self, effect: Effect) -> dict[str, Any]:
        return {
            "mediaId": effect.body["mediaId"],
            "instagramAccountId": effect.body["instagramAccountId"],
            "caption": effect.body.get("caption"),
            "product": "IMAGE",
            "status": effect.status(self.now),
            "permalink": self.link(effect),
            "outputJobId": effect.job_id,
            "createdAt": datetime.fromtimestamp(effect.due, UTC).isoformat(),
        }
