"""The endpoints of the sandbox: wonda-api.md, one handler an endpoint."""

from __future__ import annotations

import contextlib
import io
import json
import mimetypes
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route

from . import catalog, post_page, validation
from .faults import Faults, strike
from .state import Store, iso, load_stock_images
from .storage import storage_app
from .validation import ANY_KEY, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.datastructures import UploadFile
    from starlette.requests import Request

    from .state import Medium, PlannedJob

PREFIX = "/api/v1"
UPLOAD_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "image/svg+xml")
MAX_UPLOAD = 50 * 1024 * 1024


class Sandbox:
    """A pretended Wonda account: two ASGI apps over one memory.

    Parameters
    ----------
    seconds : float
        An image takes between this and twice this.
    credits : float
        What is in the purse.
    key : str, optional
        The only key taken; without it any key of the right shape is.
    accounts : sequence of dict, optional
        Connected Instagram accounts; one by default.
    models : dict, optional
        By key; those of `catalog` by default.
    scheduling : bool
        Whether the account may schedule posts.
    plan : str, optional
        The account's own plan; None for one whose only paid seat is in an organization.
    organizations : sequence of dict
        What `GET /organizations` lists: ``slug``, and perhaps ``name``, ``role`` and
        ``seatPlanCode`` (None for a seat that is not paid).
    storage_origin : str
        Where `storage` is reached, as in ``https://host``.
    clock : callable
        Monotonic seconds.
    seed : int, optional
        Makes ids and durations repeatable.

    Attributes
    ----------
    api, storage : ASGI apps
    faults : Faults
        Things that go wrong on demand, and a record of the requests that arrived.
    """

    def __init__(
        self,
        *,
        seconds: float = 6.0,
        credits: float = 10_000,  # noqa: A002 - the API's own word
        key: str | None = None,
        accounts: Sequence[dict[str, Any]] | None = None,
        models: dict[str, catalog.Model] | None = None,
        scheduling: bool = True,
        plan: str | None = "SANDBOX",
        organizations: Sequence[dict[str, Any]] = (),
        storage_origin: str = "http://127.0.0.1",
        clock: Callable[[], float] = time.monotonic,
        seed: int | None = None,
    ) -> None:
        self.store = Store(seconds=seconds, credit_count=credits, clock=clock, seed=seed)
        self.faults = Faults()
        self.storage_origin = storage_origin
        self._storage = storage_app(self.store)
        self._key = key
        self._scheduling = scheduling
        # As the storage's other addresses, unless whoever made this serves pages elsewhere.
        self.store.page_address = lambda publish_id: (
            f"{self.storage_origin}/{post_page.FOLDER}/{publish_id}"
        )
        self._plan = plan
        self._organizations = {each["slug"]: each for each in organizations}
        self._models = catalog.MODELS if models is None else models
        listed: Sequence[dict[str, Any]] = (
            [catalog.INSTAGRAM_ACCOUNT] if accounts is None else accounts
        )
        self._accounts: dict[str, dict[str, Any]] = {
            account["instagramAccountId"]: account for account in listed
        }
        self.store.account_names = {
            key: str(account.get("username") or key) for key, account in self._accounts.items()
        }
        self._app = Starlette(
            routes=[
                Route(f"{PREFIX}/{path}", handler, methods=[method])
                for method, path, handler in (
                    ("POST", "image/generate", self._generate),
                    ("GET", "jobs/inference/{job_id}", self._inference_job),
                    ("GET", "jobs/publish/{job_id}", self._publish_job),
                    ("POST", "publish/instagram", self._publish),
                    ("POST", "publish/instagram/carousel", self._carousel),
                    ("GET", "publish/scheduled", self._scheduled),
                    ("DELETE", "publish/scheduled/{job_id}", self._unschedule),
                    ("GET", "instagram/accounts", self._list_accounts),
                    ("GET", "instagram/publishes", self._history),
                    ("POST", "media/upload", self._upload),
                    ("GET", "media", self._list_media),
                    ("GET", "media/{media_id}", self._medium),
                    ("GET", "capabilities", self._capabilities),
                    ("GET", "pricing", self._pricing),
                    ("POST", "pricing/estimate", self._estimate),
                    ("GET", "auth/whoami", self._whoami),
                    ("GET", "organizations", self._list_organizations),
                    ("GET", "balance", self._balance),
                )
            ],
            exception_handlers={Refusal: _refused, HTTPException: _no_such_path},
        )

    @property
    def any_key(self) -> str:
        """A key that this sandbox takes."""
        return self._key or ANY_KEY

    async def api(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as the ASGI app of the API's origin."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with contextlib.suppress(ClientDisconnect):  # gone before it had said what it wants
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        fault = self.faults.take(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        if fault.after:

            async def lost(_message: Any) -> None:
                """Swallow the reply."""

            await self._app(scope, receive, lost)
        await strike(fault, receive, send)

    async def storage(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer as the ASGI app of the origin where images lie."""
        is_http = scope["type"] == "http"
        fault = self.faults.find(scope["method"], f"/storage{scope['path']}") if is_http else None
        if fault is None:
            await self._storage(scope, receive, send)
        else:
            await strike(fault, receive, send)

    # ------------------------------------------------------------ requests

    def _authorize(self, request: Request) -> None:
        validation.key(request.headers.get("authorization", ""), self._key)

    def _check_paid(self, request: Request) -> None:
        """Refuse what needs a paid seat, if there is none of one's own or in the organization."""
        slug = request.headers.get("x-wonda-org")
        organization = self._organizations.get(slug or "")
        if slug and organization is None:
            raise Refusal(403, "forbidden", f"You are not a member of '{slug}'")
        seat = self._plan if organization is None else organization.get("seatPlanCode", "WONDA")
        if seat is None:
            raise Refusal(403, "paid_plan_required", "This needs a paid plan")

    async def _body(self, request: Request) -> Any:
        self._authorize(request)
        content_type = request.headers.get("content-type", "").partition(";")[0].strip()
        if content_type != "application/json":
            raise Refusal(400, "bad_request", "Content-Type must be application/json")
        try:
            return json.loads(await request.body())
        except ValueError:
            raise Refusal(400, "bad_request", "The body is not valid JSON") from None

    # ------------------------------------------------------------ generation

    async def _generate(self, request: Request) -> JSONResponse:
        body = await self._body(request)
        self._check_paid(request)
        await load_stock_images()
        library = _Library(self.store)
        model = validation.generation(body, self._models, library)
        params = body.get("params") or {}
        defaults = {name: schema.get("default") for name, schema in model.params.items()}
        chosen = {**defaults, **params}
        job = self.store.generate(
            body,
            model.price(params),
            str(chosen.get("aspectRatio") or "1:1"),
            str(chosen.get("resolution") or "1K"),
        )
        return JSONResponse({"inferenceJobId": job.job_id})

    async def _inference_job(self, request: Request) -> JSONResponse:
        self._authorize(request)
        job = self.store.jobs.get(request.path_params["job_id"])
        if job is None:
            raise Refusal(404, "not_found", "Inference job not found")
        status = job.status(self.store.clock())
        ended = status in ("succeeded", "failed", "canceled")
        return JSONResponse(
            {
                "inferenceJobId": job.job_id,
                "model": job.body["model"],
                "provider": "sandbox",
                "type": "image",
                "prompt": job.body.get("prompt"),
                "status": status,
                "params": job.body.get("params") or {},
                "errorCode": "provider_error" if status == "failed" else None,
                "errorMessage": job.error if status == "failed" else None,
                "infoMessage": None,
                "createdAt": iso(job.created),
                "finishedAt": iso(job.finished_at) if ended else None,
                "outputs": self._outputs(job) if status == "succeeded" else [],
                "attachments": [],
            }
        )

    def _outputs(self, job: PlannedJob) -> list[dict[str, Any]]:
        output = {
            "inferenceJobOutputId": job.job_id[::-1],
            "outputKey": "image" if job.result else "text",
            "outputValue": None if job.result else "The model answered with words only",
            "createdAt": iso(job.finished_at),
            "media": self._media(job.result) if job.result else None,
        }
        return [output]

    def _media(self, medium: Medium) -> dict[str, Any]:
        extension = mimetypes.guess_extension(medium.mime_type) or ""
        return {
            "mediaId": medium.media_id,
            "url": f"{self.storage_origin}/{medium.media_id}{extension}",
            "mimeType": medium.mime_type,
            "width": medium.width,
            "height": medium.height,
            "durationMs": None,
            "fps": None,
        }

    # ------------------------------------------------------------ publishing

    async def _publish(self, request: Request) -> JSONResponse:
        body = await self._body(request)
        self._check_paid(request)
        validation.post(body, _Library(self.store), self._accounts, carousel=False)
        medium = self.store.ready_media(body["mediaId"])
        if medium is not None and medium.mime_type.startswith("image/"):
            validation.image_product(body)
        at = body.get("scheduledAt")
        if at:
            self._check_scheduling()
        scheduled_for = validation.schedule(at, datetime.now(UTC)) if at else None
        job = self.store.publish(body, scheduled_for)
        reply = {"outputJobId": job.job_id, "status": "scheduled" if at else "queued"}
        if scheduled_for is not None:
            reply["scheduledFor"] = scheduled_for.isoformat(timespec="seconds")
        return JSONResponse(reply)

    def _check_scheduling(self) -> None:
        if not self._scheduling:
            raise Refusal(403, "feature_disabled", "Scheduling is not enabled for this account")

    async def _carousel(self, request: Request) -> JSONResponse:
        body = await self._body(request)
        self._check_paid(request)
        validation.post(body, _Library(self.store), self._accounts, carousel=True)
        return JSONResponse(self.store.publish_carousel(body))

    async def _publish_job(self, request: Request) -> JSONResponse:
        self._authorize(request)
        job = self.store.publishes.get(request.path_params["job_id"])
        if job is None:
            raise Refusal(404, "not_found", "Publish job not found")
        status = job.status(self.store.clock())
        posted = job.post if status == "succeeded" else {}
        return JSONResponse(
            {"outputJobId": job.job_id, "status": status, "errorMessage": None, **posted}
        )

    async def _scheduled(self, request: Request) -> JSONResponse:
        self._authorize(request)
        self._check_scheduling()
        now = self.store.clock()
        waiting = [
            (job.scheduled_for, job)
            for job in self.store.publishes.values()
            if job.scheduled_for and job.status(now) == "scheduled"
        ]
        rows = [
            {
                "outputJobId": job.job_id,
                "scheduledFor": when.isoformat(),
                "status": "scheduled",
                "mediaId": job.body["mediaId"],
                "instagramAccountId": job.body["instagramAccountId"],
                "caption": job.body.get("caption"),
            }
            for when, job in sorted(waiting, key=lambda pair: pair[0])
        ]
        return JSONResponse({"scheduled": rows})

    async def _unschedule(self, request: Request) -> JSONResponse:
        self._authorize(request)
        self._check_scheduling()
        job = self.store.publishes.get(request.path_params["job_id"])
        if job is None or job.scheduled_for is None:
            raise Refusal(404, "not_found", "Scheduled publish not found")
        if job.status(self.store.clock()) != "scheduled":
            raise Refusal(409, "conflict", "This publish has already started or ended")
        job.ending = "canceled"
        return JSONResponse({"outputJobId": job.job_id, "status": "canceled"})

    async def _list_accounts(self, request: Request) -> JSONResponse:
        self._authorize(request)
        return JSONResponse({"accounts": list(self._accounts.values())})

    async def _history(self, request: Request) -> JSONResponse:
        self._authorize(request)
        query = request.query_params
        limit = _whole(query.get("limit", "10"), "limit", 1, 100)
        now = self.store.clock()
        rows = [
            {
                "instagramPublishId": job.post["instagramPublishId"],
                "outputJobId": job.job_id,
                "mediaId": job.body["mediaId"],
                "instagramAccountId": job.body["instagramAccountId"],
                "caption": job.body.get("caption"),
                "product": job.body.get("product") or "IMAGE",
                "status": status,
                "permalink": job.post["permalink"] if status == "succeeded" else None,
                "createdAt": iso(job.created),
            }
            for job in reversed(self.store.publishes.values())
            if (status := job.status(now)) not in ("scheduled", "canceled")
        ]
        rows += [
            {
                "instagramPublishId": row["instagramPublishId"],
                "instagramAccountId": row["body"]["instagramAccountId"],
                "caption": row["body"].get("caption"),
                "mediaIds": row["body"]["mediaIds"],
                "product": "CAROUSEL",
                "status": "succeeded",
                "permalink": row["permalink"],
                "createdAt": iso(row["created"]),
            }
            for row in reversed(self.store.carousels)
        ]
        rows.sort(key=lambda row: row["createdAt"], reverse=True)
        for name in ("status", "product", "instagramAccountId"):
            if name in query:
                rows = [row for row in rows if row[name] == query[name]]
        if "cursorInstagramPublishId" in query:
            ids = [row["instagramPublishId"] for row in rows]
            cursor = query["cursorInstagramPublishId"]
            rows = rows[ids.index(cursor) + 1 :] if cursor in ids else []
        page = rows[:limit]
        last = page[-1] if len(rows) > limit else None
        cursor_fields = ("createdAt", "instagramPublishId")
        next_cursor = {name: last[name] for name in cursor_fields} if last else None
        return JSONResponse({"publishes": page, "nextCursor": next_cursor})

    # ------------------------------------------------------------ media

    async def _upload(self, request: Request) -> JSONResponse:
        self._authorize(request)
        self._check_paid(request)
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Refusal(400, "bad_request", "Content-Type must be multipart/form-data")
        async with request.form(max_files=10) as form:
            files = {name: item for name, item in form.items() if not isinstance(item, str)}
            if not files:
                raise validation.invalid("No file was sent")
            done: dict[str, Any] = {}
            errors: dict[str, str] = {}
            for name, item in files.items():
                await self._take(name, item, done, errors)
        if not done:
            raise validation.invalid(next(iter(errors.values())))
        alone = done.get("file", {}) if len(files) == 1 else {}
        return JSONResponse({**alone, "uploads": done, **({"errors": errors} if errors else {})})

    async def _take(
        self, name: str, item: UploadFile, done: dict[str, Any], errors: dict[str, str]
    ) -> None:
        data = await item.read(MAX_UPLOAD + 1)
        if item.content_type not in UPLOAD_TYPES:
            errors[name] = "Unsupported MIME type"
        elif len(data) > MAX_UPLOAD:
            errors[name] = "The file is too large"
        else:
            upload = self.store.upload(data, item.content_type or "", _pixels(data))
            medium = self._media(upload)
            done[name] = {key: medium[key] for key in ("mediaId", "url", "mimeType")}

    async def _list_media(self, request: Request) -> JSONResponse:
        self._authorize(request)
        query = request.query_params
        limit = _whole(query.get("limit", "20"), "limit", 1, 100)
        items = [
            {**self._media(medium), "source": medium.source, "createdAt": medium.created_at}
            for medium in self.store.library()
            if query.get("source", medium.source) == medium.source
            and medium.mime_type.startswith(query.get("kind", ""))
        ]
        return JSONResponse({"media": items[:limit]})

    async def _medium(self, request: Request) -> JSONResponse:
        self._authorize(request)
        medium = self.store.ready_media(request.path_params["media_id"])
        if medium is None:
            raise Refusal(404, "not_found", "Media not found")
        return JSONResponse(
            {**self._media(medium), "source": medium.source, "createdAt": medium.created_at}
        )

    # ------------------------------------------------------------ account

    async def _capabilities(self, request: Request) -> JSONResponse:
        self._authorize(request)
        return JSONResponse(catalog.capabilities(self._models))

    async def _pricing(self, request: Request) -> JSONResponse:
        self._authorize(request)
        return JSONResponse(catalog.pricing(self._models))

    async def _estimate(self, request: Request) -> JSONResponse:
        body = await self._body(request)
        known = {
            "model": validation.text,
            "prompt": validation.text,
            "params": validation.mapping,
        }
        validation.fields(body, known, ("model",))
        model = self._models.get(body["model"])
        if model is None:
            raise validation.invalid(f"Unknown model '{body['model']}'")
        params = body.get("params") or {}
        validation.parameters(params, model)
        price = catalog.usd(model.price(params))
        return JSONResponse(
            {
                "model": model.key,
                "estimatedCostMicrodollars": price["micro"],
                "estimatedCostUsd": price["usd"],
                "estimatedCredits": price["credits"],
            }
        )

    async def _whoami(self, request: Request) -> JSONResponse:
        self._authorize(request)
        return JSONResponse(
            {
                "email": "you@example.com",
                "accountId": "00000000-0000-4000-8000-000000000001",
                "plan": self._plan,
                "twinEnginePolicy": "auto",
                "activeDevice": None,
                "connectedPersonas": [],
                "localPersonas": [],
            }
        )

    async def _list_organizations(self, request: Request) -> JSONResponse:
        self._authorize(request)
        rows = [
            {
                "organizationId": f"00000000-0000-4000-8000-{number:012}",
                "name": slug,
                "role": "member",
                "seatPlanCode": "WONDA",
                **about,
            }
            for number, (slug, about) in enumerate(self._organizations.items(), 1)
        ]
        return JSONResponse({"organizations": rows})

    async def _balance(self, request: Request) -> JSONResponse:
        self._authorize(request)
        refill = datetime.now(UTC).replace(hour=0, minute=0, second=0) + timedelta(days=1)
        return JSONResponse({"credits": self.store.credits, "nextRefillAt": iso(refill)})


class _Library:
    """`media_id in library`, as validation asks."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __contains__(self, media_id: object) -> bool:
        return isinstance(media_id, str) and self._store.ready_media(media_id) is not None


def _pixels(data: bytes) -> tuple[int, int] | None:
    """Width and height of an uploaded image, if it is one."""
    from PIL import Image  # noqa: PLC0415 - the sandbox starts without it

    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _whole(text: str, name: str, least: int, most: int) -> int:
    if not text.isdecimal() or not least <= int(text) <= most:
        raise validation.invalid(f"'{name}' must be a whole number from {least} to {most}")
    return int(text)


async def _refused(_request: Request, refusal: Exception) -> JSONResponse:
    assert isinstance(refusal, Refusal)  # noqa: S101 - starlette calls it for nothing else
    error = {"message": refusal.message, "code": refusal.code}
    return JSONResponse({"error": error}, status_code=refusal.status)


async def _no_such_path(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": {"message": "Not found", "code": "not_found"}}, status_code=404)
