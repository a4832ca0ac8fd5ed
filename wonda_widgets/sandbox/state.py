"""Store the sandbox's jobs, media, posts and balance in memory.

A job's duration and outcome are decided when it is submitted, so its status depends only on
the clock. Nothing runs in the background, and tests with a fake clock need not sleep.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import random
import sys
import uuid
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .validation import ResponseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from .catalog import Model

#: (fraction of the duration until which the status applies, status)
INFERENCE_PLAN = ((0.12, "idle"), (0.22, "locked"), (1.0, "in_progress"))
PUBLISH_PLAN = ((0.35, "queued"), (1.0, "in_progress"))

#: Models that process an image, with the type of their result.
TOOL_TYPES = {"birefnet-bg-removal": "image/png", "runware-vectorize": "image/svg+xml"}

SLOW_FACTOR = 10  # for the prompt "sandbox: slow"
VIDEO_FACTOR = 10 / 3  # how much longer a video takes than an image
NORMALIZING_SECONDS = 2.0  # for which an uploaded video cannot be used, at most
MAX_CACHED_IMAGES = 24  # others are rendered again, identically, when they are requested


@dataclass
class StoredMedia:
    """An image or video in the library: either rendered on demand or uploaded."""

    media_id: str
    mime_type: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    fps: float | None = None
    ready_at: float = 0.0  # by the store's clock
    source: str = "model_generated"
    recipe: tuple[str, str, dict[str, Any]] | None = None  # prompt, model, parameters
    derived_from: StoredMedia | None = None
    data: bytes | None = None
    created_at: str = ""


@dataclass
class PlannedJob:
    """A job whose duration and outcome are already decided."""

    job_id: str
    body: dict[str, Any]
    started: float
    created: datetime
    duration: float
    ending: str
    plan: tuple[tuple[float, str], ...]
    error: str | None = None
    is_video: bool = False
    result: StoredMedia | None = None
    post: dict[str, Any] = field(default_factory=dict)
    scheduled_for: datetime | None = None

    def status(self, now: float) -> str:
        """Return the status at a time of the monotonic clock, in seconds."""
        if self.ending == "canceled" and self.scheduled_for:
            return "canceled"
        elapsed = now - self.started
        if self.scheduled_for is not None and elapsed < 0:
            return "scheduled"
        if elapsed >= self.duration:
            return self.ending
        fraction = elapsed / self.duration
        return next((status for limit, status in self.plan if fraction < limit), self.ending)

    @property
    def finished_at(self) -> datetime:
        """When the job ends or ended."""
        return self.created + timedelta(seconds=self.duration)


def iso(time: datetime) -> str:
    """Format a time as the API does."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _stock_images() -> ModuleType:
    """Import the renderer with the first job, so that panels open sooner."""
    return importlib.import_module(".stock_images", __package__)


def _stock_videos() -> ModuleType:
    """Import the renderer of clips only if it is used."""
    return importlib.import_module(".stock_videos", __package__)


def _image_tools() -> ModuleType:
    """Import the image-processing models only if they are used."""
    return importlib.import_module(".image_tools", __package__)


async def load_stock_images() -> None:
    """Import the renderer in a thread, so that the event loop is not blocked."""
    if f"{__package__}.stock_images" not in sys.modules:
        await asyncio.to_thread(_stock_images)


class Store:
    """Jobs, media, posts and the balance of one simulated account."""

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
        self.media: dict[str, StoredMedia] = {}
        self.carousels: list[dict[str, Any]] = []
        #: returns the URL of a post's page
        self.page_address: Callable[[str], str] = lambda publish_id: f"/posts/{publish_id}"
        self.account_names: dict[str, str] = {}
        self._encoded: OrderedDict[str, bytes] = OrderedDict()
        self._repetitions: Counter[str] = Counter()  # of each request

    def new_id(self) -> str:
        """Return a random UUID; reproducible with a seed."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def charge(self, price: float) -> None:
        """Subtract credits from the balance.

        Raises
        ------
        ResponseError
            If the balance is too low (402).
        """
        if price > self.credits:
            raise ResponseError(
                402,
                "insufficient_credits",
                f"Insufficient credits: this needs {price:g}, the account has {self.credits:g}",
            )
        self.credits -= price

    def _duration(self, scale: float = 1.0) -> float:
        return self.seconds * scale * self._random.uniform(1, 2)

    def generate(self, body: dict[str, Any], model: Model) -> PlannedJob:
        """Add an inference job; a prompt such as "sandbox: fail" decides how it ends."""
        params = body.get("params") or {}
        self.charge(model.price(params))
        prompt = (body.get("prompt") or "").strip()
        prefix, _, rest = prompt.lower().partition(":")
        command = rest.strip() if prefix == "sandbox" else ""
        job = PlannedJob(
            job_id=self.new_id(),
            body=body,
            started=self.clock(),
            created=datetime.now(UTC),
            duration=self._duration(
                (SLOW_FACTOR if command == "slow" else 1) * (VIDEO_FACTOR if model.is_video else 1)
            ),
            ending={"fail": "failed", "cancel": "canceled"}.get(command, "succeeded"),
            plan=INFERENCE_PLAN,
            error="The provider rejected the input" if command == "fail" else None,
            is_video=model.is_video,
        )
        if job.ending == "succeeded" and command != "no media":
            job.result = self._result(body, model)
            job.result.created_at = iso(job.finished_at)
        self.jobs[job.job_id] = job
        return job

    def _seeded(self, body: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        """Return parameters that give each repetition of a request another image."""
        request = json.dumps(body, sort_keys=True, default=str)
        self._repetitions[request] += 1
        number = self._repetitions[request]
        return {**params, "repetition": number} if number > 1 else params

    def _result(self, body: dict[str, Any], model: Model) -> StoredMedia:
        params = body.get("params") or {}
        ratio = str(model.value("aspectRatio", params) or "1:1")
        result = StoredMedia(
            media_id=self.new_id(),
            mime_type="image/png",
            recipe=((body.get("prompt") or "").strip(), body["model"], self._seeded(body, params)),
        )
        source = self._image_tool_source(body)
        if model.is_video:
            videos = _stock_videos()
            size = videos.size_for(ratio, str(model.value("resolution", params) or "720p"))
            attachments = body.get("attachmentMediaIds") or []
            result.mime_type, result.fps = "video/mp4", float(videos.FPS)
            result.duration_ms = int(model.value("duration", params)) * 1000
            result.derived_from = self.find_media(attachments[0]) if attachments else None
        elif source is not None:
            size = (source.width, source.height)
            result.mime_type, result.derived_from = TOOL_TYPES[body["model"]], source
        else:
            size = _stock_images().size_for(ratio, str(model.value("resolution", params) or "1K"))
        result.width, result.height = size
        return result

    def _image_tool_source(self, body: dict[str, Any]) -> StoredMedia | None:
        """Return the image to process, for the models in `TOOL_TYPES`."""
        attachments = body.get("attachmentMediaIds") or []
        is_tool = body["model"] in TOOL_TYPES and attachments
        return self.find_media(attachments[0]) if is_tool else None

    def publish(self, body: dict[str, Any], scheduled_for: datetime | None) -> PlannedJob:
        """Add a publish job."""
        now = datetime.now(UTC)
        delay = (scheduled_for - now).total_seconds() if scheduled_for else 0.0
        publish_id = self.new_id()
        job = PlannedJob(
            job_id=self.new_id(),
            body=body,
            started=self.clock() + delay,
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
        """Publish a carousel immediately, without a job, and return the response body."""
        row = {**self._post(self.new_id()), "imageCount": len(body["mediaIds"])}
        self.carousels.append({**row, "body": body, "created": datetime.now(UTC)})
        return row

    def posts(self) -> list[dict[str, Any]]:
        """Return all posts, with their request bodies and media."""
        rows = [(job.post, job.body, job.created) for job in list(self.publishes.values())]
        rows += [(row, row["body"], row["created"]) for row in list(self.carousels)]
        return [
            {
                "id": post["instagramPublishId"],
                "link": post["permalink"],
                "body": body,
                "product": self.product(body),
                "created": created,
                "media": self.media_of(body),
            }
            for post, body, created in rows
        ]

    def media_of(self, body: dict[str, Any]) -> list[StoredMedia]:
        """Return the media that a publish request names."""
        media_ids = body.get("mediaIds") or [body.get("mediaId")]
        found = [self.find_media(media_id) for media_id in media_ids]
        return [media for media in found if media is not None]

    def product(self, body: dict[str, Any]) -> str:
        """Return the product of a post of one image or video; by default, that of its media."""
        media = self.media_of(body)
        is_video = bool(media) and media[0].mime_type.startswith("video/")
        return body.get("product") or ("REELS" if is_video else "IMAGE")

    def find_media(self, media_id: str) -> StoredMedia | None:
        """Return a media in the library; a generated one exists once its job has succeeded."""
        if media_id in self.media:
            return self.media[media_id]
        now = self.clock()
        for job in self.jobs.values():
            media = job.result
            if media is not None and media.media_id == media_id and job.status(now) == "succeeded":
                self.media[media_id] = media
                return media
        return None

    def library(self) -> list[StoredMedia]:
        """Return all media, newest first."""
        for job in self.jobs.values():
            if job.result is not None:
                self.find_media(job.result.media_id)
        return list(reversed(self.media.values()))

    def upload(self, data: bytes, mime_type: str, size: tuple[int, int] | None) -> StoredMedia:
        """Add an uploaded file to the library."""
        width, height = size or (None, None)
        media = StoredMedia(
            media_id=self.new_id(),
            mime_type=mime_type,
            width=width,
            height=height,
            source="user_upload",
            data=data,
            created_at=iso(datetime.now(UTC)),
        )
        if mime_type.startswith("video/"):
            media.ready_at = self.clock() + min(NORMALIZING_SECONDS, self.seconds)
        self.media[media.media_id] = media
        return media

    def content(self, media: StoredMedia) -> bytes:
        """Return the encoded image or video; slow, so call it in a thread."""
        if media.data is not None:
            return media.data
        if media.media_id in self._encoded:
            return self._encoded[media.media_id]
        prompt, model, params = media.recipe or ("", "", {})
        start = self.content(media.derived_from) if media.derived_from is not None else None
        data: bytes
        if media.duration_ms is not None:
            size = (media.width or 720, media.height or 1280)
            data = _stock_videos().render(
                prompt, size, media.duration_ms / 1000, model=model, params=params, start=start
            )
        elif start is not None:
            data = _image_tools().process(model, start)
        else:
            image = _stock_images().render(
                prompt, media.width or 1024, media.height or 1024, model=model, params=params
            )
            data = _stock_images().encode_png(image)
        self._encoded[media.media_id] = data
        while len(self._encoded) > MAX_CACHED_IMAGES:
            self._encoded.popitem(last=False)
        return data
