"""Convert the sandbox's jobs, media and posts to the JSON bodies of the API."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Any

from .state import iso

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Reversible

    from .state import PlannedJob, StoredMedia


def inference_job(job: PlannedJob, now: float, storage_origin: str) -> dict[str, Any]:
    """Build the body of `GET /jobs/inference/{id}`."""
    status = job.status(now)
    has_ended = status in ("succeeded", "failed", "canceled")
    return {
        "inferenceJobId": job.job_id,
        "model": job.body["model"],
        "provider": "sandbox",
        "type": "video" if job.is_video else "image",
        "prompt": job.body.get("prompt"),
        "status": status,
        "params": job.body.get("params") or {},
        "errorCode": "provider_error" if status == "failed" else None,
        "errorMessage": job.error if status == "failed" else None,
        "infoMessage": None,
        "createdAt": iso(job.created),
        "finishedAt": iso(job.finished_at) if has_ended else None,
        "outputs": [_output(job, storage_origin)] if status == "succeeded" else [],
        "attachments": [],
    }


def _output(job: PlannedJob, storage_origin: str) -> dict[str, Any]:
    return {
        "inferenceJobOutputId": job.job_id[::-1],
        "outputKey": ("video" if job.is_video else "image") if job.result else "text",
        "outputValue": None if job.result else "The model returned only text",
        "createdAt": iso(job.finished_at),
        "media": media(job.result, storage_origin) if job.result else None,
    }


def media(stored: StoredMedia, storage_origin: str) -> dict[str, Any]:
    """Build the media object that jobs and uploads return."""
    extension = mimetypes.guess_extension(stored.mime_type) or ""
    return {
        "mediaId": stored.media_id,
        "url": f"{storage_origin}/{stored.media_id}{extension}",
        "mimeType": stored.mime_type,
        "width": stored.width,
        "height": stored.height,
        "durationMs": stored.duration_ms,
        "fps": stored.fps,
    }


def library_item(stored: StoredMedia, storage_origin: str) -> dict[str, Any]:
    """Build an item of `GET /media`, or the body of `GET /media/{id}`."""
    return {
        **media(stored, storage_origin),
        "source": stored.source,
        "createdAt": stored.created_at,
    }


def scheduled(jobs: Iterable[PlannedJob], now: float) -> list[dict[str, Any]]:
    """Build the items of `GET /publish/scheduled`, soonest first."""
    pending = [
        (job.scheduled_for, job)
        for job in jobs
        if job.scheduled_for and job.status(now) == "scheduled"
    ]
    return [
        {
            "outputJobId": job.job_id,
            "scheduledFor": time.isoformat(),
            "status": "scheduled",
            "mediaId": job.body["mediaId"],
            "instagramAccountId": job.body["instagramAccountId"],
            "caption": job.body.get("caption"),
        }
        for time, job in sorted(pending, key=lambda pair: pair[0])
    ]


def history(
    jobs: Reversible[PlannedJob],
    carousels: Reversible[dict[str, Any]],
    now: float,
    product: Callable[[dict[str, Any]], str],
) -> list[dict[str, Any]]:
    """Build the items of `GET /instagram/publishes`, newest first."""
    rows = [
        {
            "instagramPublishId": job.post["instagramPublishId"],
            "outputJobId": job.job_id,
            "mediaId": job.body["mediaId"],
            "instagramAccountId": job.body["instagramAccountId"],
            "caption": job.body.get("caption"),
            "product": product(job.body),
            "status": status,
            "permalink": job.post["permalink"] if status == "succeeded" else None,
            "createdAt": iso(job.created),
        }
        for job in reversed(jobs)
        if (status := job.status(now)) not in ("scheduled", "canceled")
    ]
    rows += [
        {
            "instagramPublishId": carousel["instagramPublishId"],
            "instagramAccountId": carousel["body"]["instagramAccountId"],
            "caption": carousel["body"].get("caption"),
            "mediaIds": carousel["body"]["mediaIds"],
            "product": "CAROUSEL",
            "status": "succeeded",
            "permalink": carousel["permalink"],
            "createdAt": iso(carousel["created"]),
        }
        for carousel in reversed(carousels)
    ]
    return sorted(rows, key=lambda row: row["createdAt"], reverse=True)
