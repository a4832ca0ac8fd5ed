"""What the sandbox remembers, and how it changes with time.

A job is a plan made when it is submitted: how long it takes and how it ends.
Its status at any moment follows from the clock alone, so nothing runs in the
background and a test with a clock of its own needs no sleep.
"""

from __future__ import annotations

import asyncio
import importlib
import random
import sys
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .validation import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

#: (up to which part of the duration, status)
INFERENCE_PLAN = ((0.12, "idle"), (0.22, "locked"), (1.0, "in_progress"))
PUBLISH_PLAN = ((0.35, "queued"), (1.0, "in_progress"))

#: Models that make something of an image alone, and what they give.
TOOL_TYPES = {"birefnet-bg-removal": "image/png", "runware-vectorize": "image/svg+xml"}

SLOW = 10  # times longer, for a prompt of "sandbox: slow"
KEPT_IMAGES = 24  # encoded ones; any other is rendered again, identically, when requested


@dataclass
class Medium:
    """An image in the library: rendered on demand, or uploaded bytes."""

    media_id: str
    mime_type: str
    width: int | None = None
    height: int | None = None
    source: str = "model_generated"
    recipe: tuple[str, str, dict[str, Any], str] | None = None
    made_of: Medium | None = None
    data: bytes | None = None
    created_at: str = ""


@dataclass
class PlannedJob:
    """A job whose whole future is known."""

    job_id: str
    body: dict[str, Any]
    started: float
    created: datetime
    duration: float
    ending: str
    plan: tuple[tuple[float, str], ...]
    error: str | None = None
    result: Medium | None = None
    post: dict[str, Any] = field(default_factory=dict)
    scheduled_for: datetime | None = None

    def status(self, now: float) -> str:
        """The status at a moment of the monotonic clock."""
        if self.ending == "canceled" and self.scheduled_for:
            return "canceled"
        passed = now - self.started
        if self.scheduled_for is not None and passed < 0:
            return "scheduled"
        if passed >= self.duration:
            return self.ending
        part = passed / self.duration
        return next((word for limit, word in self.plan if part < limit), self.ending)

    @property
    def finished_at(self) -> datetime:
        """When it ends or ended."""
        return self.created + timedelta(seconds=self.duration)


def iso(moment: datetime) -> str:
    """A time as the API writes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stock_images() -> ModuleType:
    """Import the renderer with the first job, so that panels open sooner."""
    return importlib.import_module(".stock_images", __package__)


def _tools() -> ModuleType:
    """Load what makes something of an image alone; few need it."""
    return importlib.import_module(".tools", __package__)


async def load_stock_images() -> None:
    """Import the renderer in a thread, so that the event loop is not blocked."""
    if f"{__package__}.stock_images" not in sys.modules:
        await asyncio.to_thread(_stock_images)


class Store:
    """Jobs, media, posts and the purse of one pretended account."""

    def __init__(
        self,
        *,
        seconds: float,
        credit_count: float,
        clock: Callable[[], float],
        seed: int | None,
    ) -> None:
        self.seconds = seconds
        self.credits = credit_count
        self.clock = clock
        self._random = random.Random(seed)
        self.jobs: dict[str, PlannedJob] = {}
        self.publishes: dict[str, PlannedJob] = {}
        self.media: dict[str, Medium] = {}
        self.carousels: list[dict[str, Any]] = []
        #: gives the address of a post's page by its id
        self.page_address: Callable[[str], str] = lambda publish_id: f"/posts/{publish_id}"
        self.account_names: dict[str, str] = {}
        self._encoded: OrderedDict[str, bytes] = OrderedDict()

    def new_id(self) -> str:
        """A random UUID; repeatable with a seed."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def charge(self, price: float) -> None:
        """Take credits, or refuse with 402."""
        if price > self.credits:
            raise Refusal(
                402,
                "insufficient_credits",
                f"Insufficient credits: this needs {price:g}, the account has {self.credits:g}",
            )
        self.credits -= price

    def _duration(self, scale: float = 1.0) -> float:
        return self.seconds * scale * self._random.uniform(1, 2)

    def generate(self, body: dict[str, Any], price: float, ratio: str, size: str) -> PlannedJob:
        """Plan an inference job."""
        self.charge(price)
        prompt = (body.get("prompt") or "").strip()
        order = prompt.lower().removeprefix("sandbox:").strip() if ":" in prompt else ""
        order = order if prompt.lower().startswith("sandbox:") else ""
        job = PlannedJob(
            job_id=self.new_id(),
            body=body,
            started=self.clock(),
            created=datetime.now(UTC),
            duration=self._duration(SLOW if order == "slow" else 1),
            ending={"fail": "failed", "cancel": "canceled"}.get(order, "succeeded"),
            plan=INFERENCE_PLAN,
            error="The provider rejected the input" if order == "fail" else None,
        )
        if job.ending == "succeeded" and order != "no media":
            source = self._tools_source(body)
            width, height = (
                (source.width, source.height) if source else _stock_images().size_for(ratio, size)
            )
            job.result = Medium(
                media_id=self.new_id(),
                mime_type=TOOL_TYPES[body["model"]] if source else "image/png",
                width=width,
                height=height,
                recipe=(prompt, body["model"], body.get("params") or {}, job.job_id),
                made_of=source,
                created_at=iso(job.finished_at),
            )
        self.jobs[job.job_id] = job
        return job

    def _tools_source(self, body: dict[str, Any]) -> Medium | None:
        """The image that a model works on which makes something of an image alone."""
        attachments = body.get("attachmentMediaIds") or []
        is_tool = body["model"] in TOOL_TYPES and attachments
        return self.ready_media(attachments[0]) if is_tool else None

    def publish(self, body: dict[str, Any], scheduled_for: datetime | None) -> PlannedJob:
        """Plan a publish job."""
        now = datetime.now(UTC)
        wait = (scheduled_for - now).total_seconds() if scheduled_for else 0.0
        publish_id = self.new_id()
        job = PlannedJob(
            job_id=self.new_id(),
            body=body,
            started=self.clock() + wait,
            created=now,
            duration=self._duration(0.5),
            ending="succeeded",
            plan=PUBLISH_PLAN,
            scheduled_for=scheduled_for,
            post=self._post(publish_id),
        )
        self.publishes[job.job_id] = job
        return job

    def _post(self, publish_id: str) -> dict[str, Any]:
        return {
            "instagramPublishId": publish_id,
            "igMediaId": str(17900000000000000 + self._random.getrandbits(40)),
            "permalink": self.page_address(publish_id),
        }

    def publish_carousel(self, body: dict[str, Any]) -> dict[str, Any]:
        """Publish several images at once; final, without a job."""
        row = {**self._post(self.new_id()), "imageCount": len(body["mediaIds"])}
        self.carousels.append({**row, "body": body, "created": datetime.now(UTC)})
        return row

    def posts(self) -> list[dict[str, Any]]:
        """All posts, with what was asked and the media that they show."""
        rows = [(job.post, job.body, job.created) for job in list(self.publishes.values())]
        rows += [(row, row["body"], row["created"]) for row in list(self.carousels)]
        return [
            {
                "id": post["instagramPublishId"],
                "link": post["permalink"],
                "body": body,
                "created": created,
                "media": [
                    medium
                    for media_id in body.get("mediaIds") or [body.get("mediaId")]
                    if (medium := self.ready_media(media_id)) is not None
                ],
            }
            for post, body, created in rows
        ]

    def ready_media(self, media_id: str) -> Medium | None:
        """A medium of the library; a generated one is there once its job has succeeded."""
        if media_id in self.media:
            return self.media[media_id]
        now = self.clock()
        for job in self.jobs.values():
            made = job.result
            if made is not None and made.media_id == media_id and job.status(now) == "succeeded":
                self.media[media_id] = made
                return made
        return None

    def library(self) -> list[Medium]:
        """All media, newest first."""
        for job in self.jobs.values():
            if job.result is not None:
                self.ready_media(job.result.media_id)
        return list(reversed(self.media.values()))

    def upload(self, data: bytes, mime_type: str, size: tuple[int, int] | None) -> Medium:
        """Take an uploaded file into the library."""
        width, height = size or (None, None)
        medium = Medium(
            media_id=self.new_id(),
            mime_type=mime_type,
            width=width,
            height=height,
            source="user_upload",
            data=data,
            created_at=iso(datetime.now(UTC)),
        )
        self.media[medium.media_id] = medium
        return medium

    def image(self, medium: Medium) -> bytes:
        """The bytes of a medium; slow, so never called on an event loop."""
        if medium.data is not None:
            return medium.data
        if medium.media_id in self._encoded:
            return self._encoded[medium.media_id]
        prompt, model, params, _ = medium.recipe or ("", "", {}, "")
        if medium.made_of is not None:
            data: bytes = _tools().made_of(model, self.image(medium.made_of))
        else:
            image = _stock_images().render(
                prompt, medium.width or 1024, medium.height or 1024, model=model, params=params
            )
            data = _stock_images().encode_png(image)
        self._encoded[medium.media_id] = data
        while len(self._encoded) > KEPT_IMAGES:
            self._encoded.popitem(last=False)
        return data
