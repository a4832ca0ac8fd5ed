"""The endpoints of the sandbox, one handler each (see wonda-api.md)."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.routing import Route

from . import catalog, post_page, response_bodies, validation
from .faults import Faults, send_fault
from .state import Store, iso, load_stock_images
from .storage import storage_app
from .validation import ANY_KEY, ResponseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.datastructures import UploadFile
    from starlette.requests import Request

    from .state import StoredMedia

PREFIX = "/api/v1"
UPLOAD_TYPES = (
    *("image/jpeg", "image/png", "image/gif", "image/webp", "image/svg+xml"),
    *("video/mp4", "video/quicktime", "video/webm"),
)
MAX_UPLOAD_BYTES = 300 * 1024 * 1024


class Sandbox:
    """A simulated Wonda account: two ASGI apps that share one in-memory store.

    Parameters
    ----------
    seconds : float
        Seconds per image; each image takes between this value and twice this value.
    credits : float
        The account's balance.
    key : str, optional
        The only accepted API key. By default, any key in the right format is accepted.
    accounts : sequence of dict, optional
        Connected Instagram accounts; one by default.
    models : dict, optional
        Models by key; default: `catalog.all_models`.
    scheduling : bool
        Whether the account may schedule posts.
    plan : str, optional
        The account's own plan; None if its only paid seat is in an organization.
    organizations : sequence of dict
        The items of `GET /organizations`: ``slug``, and optionally ``name``, ``role`` and
        ``seatPlanCode`` (None for an unpaid seat).
    storage_origin : str
        The origin of `storage`, such as ``https://host``.
    clock : callable
        Returns monotonic seconds.
    seed : int, optional
        Makes IDs and durations reproducible.

    Attributes
    ----------
    api, storage : ASGI apps
    faults : Faults
        Simulates errors and records the requests that arrived.
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
        # In-process sandboxes replace this, because their storage origin has no real address.
        self.store.page_address = lambda publish_id: (
            f"{self.storage_origin}/{post_page.FOLDER}/{publish_id}"
        )
        self._plan = plan
        self._organizations = {item["slug"]: item for item in organizations}
        self._models = catalog.all_models() if models is None else models
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
                    ("POST", "image/generate", self._generate_image),
                    ("POST", "video/generate", self._generate_video),
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
                    ("GET", "media/{media_id}", self._media_item),
                    ("GET", "capabilities", self._capabilities),
                    ("GET", "pricing", self._pricing),
                    ("POST", "pricing/estimate", self._estimate),
                    ("GET", "auth/whoami", self._whoami),
                    ("GET", "organizations", self._list_organizations),
                    ("GET", "balance", self._balance),
                )
            ],
            exception_handlers={ResponseError: _error_response, HTTPException: _not_found},
        )

    @property
    def any_key(self) -> str:
        """An API key that this sandbox accepts."""
        return self._key or ANY_KEY

    async def api(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle a request to the API (an ASGI app)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with contextlib.suppress(ClientDisconnect):  # closed before the request was complete
            await self._respond(scope, receive, send)

    async def _respond(self, scope: Any, receive: Any, send: Any) -> None:
        fault = self.faults.on_request(scope["method"], scope["path"])
        if fault is None:
            await self._app(scope, receive, send)
            return
        if fault.after:

            async def discard(_message: Any) -> None:
                """Drop the response, so that only the request takes effect."""

            await self._app(scope, receive, discard)
        await send_fault(fault, receive, send)

    async def storage(self, scope: Any, receive: Any, send: Any) -> None:
        """Handle a request to the storage host (an ASGI app)."""
        is_http = scope["type"] == "http"
        fault = self.faults.find(scope["method"], f"/storage{scope['path']}") if is_http else None
        if fault is None:
            await self._storage(scope, receive, send)
        else:
            await send_fault(fault, receive, send)

    # ------------------------------------------------------------ requests

    def _authorize(self, request: Request) -> None:
        validation.check_key(request.headers.get("authorization", ""), self._key)

    def _check_paid(self, request: Request) -> None:
        """Require a paid seat, in the organization if the request names one."""
        slug = request.headers.get("x-wonda-org")
        organization = self._organizations.get(slug or "")
        if slug and organization is None:
            raise ResponseError(403, "forbidden", f"You are not a member of '{slug}'")
        seat = self._plan if organization is None else organization.get("seatPlanCode", "WONDA")
        if seat is None:
            raise ResponseError(403, "paid_plan_required", "This needs a paid plan")

    async def _body(self, request: Request) -> Any:
        self._authorize(request)
        content_type = request.headers.get("content-type", "").partition(";")[0].strip()
        if content_type != "application/json":
            raise ResponseError(400, "bad_request", "Content-Type must be application/json")
        try:
            return json.loads(await request.body())
        except ValueError:
            raise ResponseError(400, "bad_request", "The body is not valid JSON") from None

    # ------------------------------------------------------------ generation

    async def _generate_image(self, request: Request) -> JSONResponse:
        return await self._generate(request, is_video=False)

    async def _generate_video(self, request: Request) -> JSONResponse:
        return await self._generate(request, is_video=True)

    async def _generate(self, request: Request, *, is_video: bool) -> JSONResponse:
        body = await self._body(request)
        self._check_paid(request)
        if is_video and not any(model.is_video for model in self._models.values()):
            raise validation.invalid(
                "The sandbox renders videos with PyAV. Run: pip install 'wonda-widgets[video]'"
            )
        await load_stock_images()
        library = _Library(self.store)
        model = validation.check_generation(body, self._models, library, is_video=is_video)
        self._check_normalized(body.get("attachmentMediaIds") or [])
        return JSONResponse({"inferenceJobId": self.store.generate(body, model).job_id})

    def _check_normalized(self, media_ids: Sequence[str]) -> None:
        """Refuse uploads that are still being normalized (wonda-api.md, section 2.2)."""
        for media_id in media_ids:
            media = self.store.find_media(media_id)
            if media is not None and self.store.clock() < media.ready_at:
                raise ResponseError(409, "conflict", "The media is still being normalized")

    async def _inference_job(self, request: Request) -> JSONResponse:
        self._authorize(request)
        job = self.store.jobs.get(request.path_params["job_id"])
        if job is None:
            raise ResponseError(404, "not_found", "Inference job not found")
        body = response_bodies.inference_job(job, self.store.clock(), self.storage_origin)
        return JSONResponse(body)

    def _media(self, media: StoredMedia) -> dict[str, Any]:
        return response_bodies.media(media, self.storage_origin)

    # ------------------------------------------------------------ publishing

    async def _publish(self, request: Request) -> JSONResponse:
        body = await self._body(request)
        self._check_paid(request)
        validation.check_post(body, _Library(self.store), self._accounts, carousel=False)
        validation.check_product(body, self.store.media_of(body))
        self._check_normalized([body["mediaId"]])
        scheduled_at = body.get("scheduledAt")
        scheduled_for = None
        if scheduled_at:
            self._check_scheduling()
            scheduled_for = validation.parse_schedule(scheduled_at, datetime.now(UTC))
        job = self.store.publish(body, scheduled_for)
        reply = {"outputJobId": job.job_id, "status": "scheduled" if scheduled_at else "queued"}
        if scheduled_for is not None:
            reply["scheduledFor"] = scheduled_for.isoformat(timespec="seconds")
        return JSONResponse(reply)

    def _check_scheduling(self) -> None:
        if not self._scheduling:
            raise ResponseError(
                403, "feature_disabled", "Scheduling is not enabled for this account"
            )

    async def _carousel(self, request: Request) -> JSONResponse:
        body = await self._body(request)
        self._check_paid(request)
        validation.check_post(body, _Library(self.store), self._accounts, carousel=True)
        validation.check_product(body, self.store.media_of(body))
        return JSONResponse(self.store.publish_carousel(body))

    async def _publish_job(self, request: Request) -> JSONResponse:
        self._authorize(request)
        job = self.store.publishes.get(request.path_params["job_id"])
        if job is None:
            raise ResponseError(404, "not_found", "Publish job not found")
        status = job.status(self.store.clock())
        posted = job.post if status == "succeeded" else {}
        return JSONResponse(
            {"outputJobId": job.job_id, "status": status, "errorMessage": None, **posted}
        )

    async def _scheduled(self, request: Request) -> JSONResponse:
        self._authorize(request)
        self._check_scheduling()
        rows = response_bodies.scheduled(self.store.publishes.values(), self.store.clock())
        return JSONResponse({"scheduled": rows})

    async def _unschedule(self, request: Request) -> JSONResponse:
        self._authorize(request)
        self._check_scheduling()
        job = self.store.publishes.get(request.path_params["job_id"])
        if job is None or job.scheduled_for is None:
            raise ResponseError(404, "not_found", "Scheduled publish not found")
        if job.status(self.store.clock()) != "scheduled":
            raise ResponseError(409, "conflict", "This publish has already started or ended")
        job.ending = "canceled"
        return JSONResponse({"outputJobId": job.job_id, "status": "canceled"})

    async def _list_accounts(self, request: Request) -> JSONResponse:
        self._authorize(request)
        return JSONResponse({"accounts": list(self._accounts.values())})

    async def _history(self, request: Request) -> JSONResponse:
        self._authorize(request)
        query = request.query_params
        limit = _parse_integer(query.get("limit", "10"), "limit", 1, 100)
        rows = response_bodies.history(
            self.store.publishes.values(),
            self.store.carousels,
            self.store.clock(),
            self.store.product,
        )
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
            raise ResponseError(400, "bad_request", "Content-Type must be multipart/form-data")
        async with request.form(max_files=10) as form:
            files = {name: item for name, item in form.items() if not isinstance(item, str)}
            if not files:
                raise validation.invalid("No file was sent")
            done: dict[str, Any] = {}
            errors: dict[str, str] = {}
            for name, item in files.items():
                await self._store_upload(name, item, done, errors)
        if not done:
            raise validation.invalid(next(iter(errors.values())))
        single = done.get("file", {}) if len(files) == 1 else {}
        return JSONResponse({**single, "uploads": done, **({"errors": errors} if errors else {})})

    async def _store_upload(
        self, name: str, item: UploadFile, done: dict[str, Any], errors: dict[str, str]
    ) -> None:
        data = await item.read(MAX_UPLOAD_BYTES + 1)
        if item.content_type not in UPLOAD_TYPES:
            errors[name] = "Unsupported MIME type"
        elif len(data) > MAX_UPLOAD_BYTES:
            errors[name] = "The file is too large"
        else:
            upload = self.store.upload(data, item.content_type or "", _pixels(data))
            body = self._media(upload)
            done[name] = {key: body[key] for key in ("mediaId", "url", "mimeType")}

    async def _list_media(self, request: Request) -> JSONResponse:
        self._authorize(request)
        query = request.query_params
        limit = _parse_integer(query.get("limit", "20"), "limit", 1, 100)
        items = [
            response_bodies.library_item(media, self.storage_origin)
            for media in self.store.library()
            if query.get("source", media.source) == media.source
            and media.mime_type.startswith(query.get("kind", ""))
        ]
        return JSONResponse({"media": items[:limit]})

    async def _media_item(self, request: Request) -> JSONResponse:
        self._authorize(request)
        media = self.store.find_media(request.path_params["media_id"])
        if media is None:
            raise ResponseError(404, "not_found", "Media not found")
        return JSONResponse(response_bodies.library_item(media, self.storage_origin))

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
            "model": validation.is_string,
            "prompt": validation.is_string,
            "params": validation.is_object,
        }
        validation.check_fields(body, known, ("model",))
        model = self._models.get(body["model"])
        if model is None:
            raise validation.invalid(f"Unknown model '{body['model']}'")
        params = body.get("params") or {}
        validation.check_parameters(params, model)
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
                **organization,
            }
            for number, (slug, organization) in enumerate(self._organizations.items(), 1)
        ]
        return JSONResponse({"organizations": rows})

    async def _balance(self, request: Request) -> JSONResponse:
        self._authorize(request)
        refill = datetime.now(UTC).replace(hour=0, minute=0, second=0) + timedelta(days=1)
        return JSONResponse({"credits": self.store.credits, "nextRefillAt": iso(refill)})


class _Library(Mapping[str, "StoredMedia"]):
    """The library as `validation` needs it: media by ID."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, media_id: str) -> StoredMedia:
        found = self._store.find_media(media_id) if isinstance(media_id, str) else None
        if found is None:
            raise KeyError(media_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter([media.media_id for media in self._store.library()])

    def __len__(self) -> int:
        return len(self._store.library())


def _pixels(data: bytes) -> tuple[int, int] | None:
    """Return the width and height of an uploaded image, or None if Pillow cannot read it."""
    from PIL import Image  # noqa: PLC0415 - loaded only if it is used

    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _parse_integer(text: str, name: str, minimum: int, maximum: int) -> int:
    if not text.isdecimal() or not minimum <= int(text) <= maximum:
        raise validation.invalid(f"'{name}' must be a whole number from {minimum} to {maximum}")
    return int(text)


async def _error_response(_request: Request, refusal: Exception) -> JSONResponse:
    assert isinstance(refusal, ResponseError)  # noqa: S101 - registered for this class only
    error = {"message": refusal.message, "code": refusal.code}
    return JSONResponse({"error": error}, status_code=refusal.status)


async def _not_found(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"error": {"message": "Not found", "code": "not_found"}}, status_code=404)
