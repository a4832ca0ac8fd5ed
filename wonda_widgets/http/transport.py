"""HTTP with the API: the key, retries, timeouts, and errors.

This module enforces three rules:

- **A POST that may have arrived is never repeated.** It is retried only if it certainly did not
  arrive (no connection) or was refused without being processed (429). Any other failure is an
  `OutcomeUnknownError`.
- **The key is sent only to the API's origin.** It is added right before sending; redirects are not
  followed, and `downloads` never has the key.
- **Errors do not reference requests**, whose headers contain the key; see `transport_errors`.

Other modules keep the same thing from being requested twice: `jobs.submission` records
each request before it is sent, `jobs.idempotency` implements ``once=``, and
`publishing.duplicate_guard` compares a post with earlier posts.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from ..errors import (
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ServiceUnreachableError,
    UnexpectedReplyError,
    UnreadableOutcomeError,
    WondaError,
)
from ..models import OrganizationsResponse, parse
from ..utils import logs
from . import organization, retries
from .connections import DEFAULT_HEADERS, Connections
from .downloads import MAX_BYTES, Downloads
from .request_body import encode_json
from .responses import SERVER_ERROR, Response, api_error, parse_json, read_response
from .send_tracker import SendTracker
from .service_clock import ServiceClock
from .transport_errors import NoResponseError, without_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .credentials import ApiKey

_log = logging.getLogger(__name__)

MIN_UPLOAD_SPEED = 16 * 1024  # bytes per second; a slower upload counts as stuck

REQUEST_TIMEOUT, TOO_MANY_REQUESTS = 408, 429
#: The statuses by which a proxy reports that it did not forward the request.
NOT_PASSED_ON = frozenset({401, 405, 407, 411, 413, 414, 417, 421, TOO_MANY_REQUESTS, 431})

NO_CONTENT = httpx.ByteStream(b"")


class PollRequest(NamedTuple):
    """A poll, prepared once and without the key."""

    url: httpx.URL
    headers: list[tuple[bytes, bytes]]
    extensions: dict[str, Any]


class Transport:
    """The connection to one API. All methods run on the package's event loop.

    Parameters
    ----------
    key : ApiKey
    base_url : str
        The result of `normalize_base_url`.
    timeout : float
        Seconds for each of connecting, writing, reading and waiting for a connection. A single
        attempt takes at most twice as long, unless it is an upload or the service is known to be
        slow. Downloads have a separate limit.
    transport : httpx.AsyncBaseTransport, optional
        Used for all requests instead of the network.
    org : str
        The slug of the organization in which requests are made; empty for none.
    sleep : callable, optional
        Awaitable sleep in seconds, for tests.
    """

    def __init__(
        self,
        key: ApiKey,
        base_url: str,
        timeout: float,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        *,
        org: str = "",
    ) -> None:
        self._key = key
        self.org = org
        self._org_header = {organization.HEADER: org} if org else {}
        self.base_url = base_url
        self._timeout = timeout
        self._sleep = sleep
        self._connections = Connections(base_url, timeout, transport)
        self._downloads = Downloads(self._connections, sleep)
        self.clock = ServiceClock()

    @property
    def timeout(self) -> float:
        """Seconds for each of connecting, writing, reading and waiting for a connection."""
        return self._timeout

    @property
    def journal_key(self) -> str:
        """The key under which the journal records requests to this address and organization."""
        return f"{self.base_url}#{self.org}" if self.org else self.base_url  # a URL has no "#"

    @property
    def uses_network(self) -> bool:
        """Whether requests use the network and not a transport that was passed."""
        return self._connections.uses_network

    def page_may_open(self, url: str) -> bool:
        """Whether a page may load media from an address itself; see `Downloads.page_may_open`."""
        return self._downloads.page_may_open(url)

    def is_of_same_service(self, other: Transport) -> bool:
        """Whether both use the same address and organization in the same way."""
        same_way = self._connections.is_same_way(other._connections)
        return same_way and self.journal_key == other.journal_key

    def is_like(self, other: Transport) -> bool:
        """Whether both use the same service with the same key."""
        return self.is_of_same_service(other) and self._key.is_same_as(other._key)

    def time_limit(self, seconds: float = 0.0) -> float:
        """Return the maximum seconds that a POST of ordinary size takes.

        Parameters
        ----------
        seconds : float
            The maximum time until the response, if longer than the client's timeout.
        """
        return 2 * max(self._timeout, seconds)

    def redact(self, data: bytes) -> bytes:
        """Remove the key from `data` if it occurs there."""
        return self._key.redact(data)

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._connections.closed

    def check_open(self) -> None:
        """Raise `ClosedError` after `aclose`."""
        self._connections.check_open()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()

    # ------------------------------------------------------------ requests that change nothing

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Send a GET request, with retries, and return the decoded JSON.

        Raises
        ------
        APIError, ServiceUnreachableError, UnexpectedReplyError
        """
        return await self._with_retries("GET", path, params=params)

    async def post_read_only(self, path: str, body: Mapping[str, Any]) -> Any:
        """Send a POST request that changes nothing (a price estimate), with retries like a GET."""
        return await self._with_retries("POST", path, **_json(body))

    async def delete(self, path: str) -> Any:
        """Send a DELETE request, with retries.

        Returns
        -------
        Any
            The decoded response; None if it is empty.

        Raises
        ------
        APIError, ServiceUnreachableError
            From the last attempt; an earlier one may have deleted the resource.
        NotJSONError
            If the response has a body that is not JSON, so that another server may have responded.
        """
        return await self._with_retries("DELETE", path, may_be_empty=True)

    async def download(self, url: str, max_bytes: int = MAX_BYTES) -> bytes:
        """Download the bytes at a media's address without the key; see `Downloads.fetch`."""
        return await self._downloads.fetch(url, max_bytes)

    async def save(
        self, url: str, file: IO[bytes], on_progress: Callable[[int, int | None], object]
    ) -> None:
        """Write the bytes at a media's address to a file; see `Downloads.save`."""
        await self._downloads.save(url, file, on_progress)

    async def _with_retries(
        self, method: str, path: str, *, may_be_empty: bool = False, **content: Any
    ) -> Any:
        for attempt in range(1, retries.TRIES + 1):
            wait = None
            try:
                response = await self._request(method, path, attempt=attempt, **content)
                if may_be_empty and response.is_success and not response.content:
                    return None
                return parse_json(response)
            except NoResponseError as error:
                problem: WondaError = self._unreachable(error)
            except (RateLimitError, ServerError) as error:
                problem, wait = error, error.retry_after
            except PermissionDeniedError as error:
                problem = error
                break
            if not await retries.wait_before_retry(self._sleep, attempt, wait):
                break
        await self._advise(problem)
        raise problem

    # ------------------------------------------------------------ requests that take effect

    async def post(
        self,
        path: str,
        operation: str,
        check: str,
        *,
        body: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        before_send: Callable[[], Awaitable[object]] | None = None,
        on_no_effect: Callable[[], object] = lambda: None,
        seconds: float = 0.0,
    ) -> Any:
        """Send a POST request that takes effect, so that it arrives at most once.

        Parameters
        ----------
        path : str
        operation : str
            A name of the operation for messages: ``"image generation"``.
        check : str
            A sentence that says what to check if the outcome is unknown.
        body : dict, optional
            Sent as JSON.
        files : dict, optional
            Sent as a form, in the format of httpx.
        before_send : callable
            Awaited right before each attempt; if it raises, the request is not sent.
        on_no_effect : callable
            Called after an attempt that certainly had no effect.
        seconds : float
            The maximum time until the response, if longer than the client's timeout.

        Raises
        ------
        InvalidInputError
            If `body` is not JSON.
        OutcomeUnknownError
            If the request may have arrived but there is no usable response.
        APIError
            If the request was refused.
        ServiceUnreachableError
            If the request could not be sent.
        """
        content = _json(body) if body is not None else {"files": files}
        for attempt in range(1, retries.TRIES + 1):
            wait = None
            try:
                response = await self._request(
                    "POST", path, seconds, before_send, attempt=attempt, **content
                )
            except NoResponseError as error:
                problem: WondaError = self._unreachable(error, " Nothing was sent.")
                if error.sent:
                    problem = OutcomeUnknownError(operation, error.reason, check)
                    break
            else:
                if response.status != TOO_MANY_REQUESTS:
                    try:
                        return _outcome(response, operation, check)
                    except PermissionDeniedError as error:
                        problem = error
                        break
                problem = refusal = api_error(response)
                wait = refusal.retry_after if refusal.from_service else math.inf
            on_no_effect()
            if not await retries.wait_before_retry(self._sleep, attempt, wait):
                break
        await self._advise(problem)
        raise problem

    # ------------------------------------------------------------ polls

    def poll_request(self, path: str) -> PollRequest:
        """Prepare the request that `poll` sends many times."""
        headers = {**DEFAULT_HEADERS, **self._org_header}
        request = httpx.Request("GET", self.base_url + path, headers=headers)
        # Writing needs no time limit, because the request fits into the socket's buffer.
        timeouts = {**dict.fromkeys(("connect", "read", "pool"), self._timeout), "write": None}
        return PollRequest(request.url, request.headers.raw, {"timeout": timeouts})

    async def poll(self, poll_request: PollRequest) -> Any:
        """Send one GET request and return the decoded JSON; the poller decides about retries.

        Polls are by far the most frequent requests. They bypass httpx's client, which would merge
        and check the same values each time, at a third of a poll's cost; the goal of the polling
        benchmark depends on this.
        """
        try:
            response = await self._poll(poll_request)
        except NoResponseError as error:
            problem = self._unreachable(error)
        else:
            return parse_json(response)
        raise problem

    async def _poll(self, poll_request: PollRequest) -> Response:
        client = self._connections.client()
        async with self._connections.limits.poll:
            self._connections.check_open()  # the client may have been closed during the wait
            started = time.monotonic()
            result = await self._send_poll(client, poll_request)
        logs.log_request(_log, "GET", poll_request.url.path, result, started)
        return self._received(result)

    async def _send_poll(
        self, client: httpx.AsyncClient, poll_request: PollRequest
    ) -> Response | BaseException | None:
        try:
            request = httpx.Request(
                "GET",
                poll_request.url,
                # Not in a local variable: a traceback may print these.
                headers=[*poll_request.headers, (b"Authorization", self._key.header().encode())],
                extensions=poll_request.extensions,
                stream=NO_CONTENT,  # otherwise httpx encodes it and searches the headers
            )
            request.read()  # some transports expect this
            async with asyncio.timeout(2 * self._timeout):
                direct = self._connections.direct
                if direct is None:  # only the client has the proxies
                    return await read_response(await client.send(request, stream=True))
                return await read_response(await direct.handle_async_request(request))
        except BaseException as error:  # noqa: BLE001 - raised where no frame holds the request
            return without_request(error, sent=True)

    # ------------------------------------------------------------ one request

    async def _request(
        self,
        method: str,
        path: str,
        seconds: float = 0.0,
        before_send: Callable[[], Awaitable[object]] | None = None,
        *,
        attempt: int = 1,
        **content: Any,
    ) -> Response:
        """Send one request with the key and read its response.

        Raises
        ------
        NoResponseError
        """
        timeout = max(self._timeout, seconds)
        client = self._connections.client()
        async with self._connections.limits.request:
            if before_send is not None:
                await before_send()
            started = time.monotonic()
            result = await self._send(client, method, path, timeout, content)
        logs.log_request(_log, method, path, result, started, attempt=attempt)
        return self._received(result)

    async def _send(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        timeout: float,  # noqa: ASYNC109 - httpx has one for each phase
        content: dict[str, Any],
    ) -> Response | BaseException | None:
        is_built, tracker = False, SendTracker()
        try:
            url = self.base_url + path
            request = client.build_request(
                method, url, timeout=timeout, extensions={"trace": tracker}, **content
            )
            size = int(request.headers.get("Content-Length", 0))
            request.headers.update(self._org_header)
            request.headers["Authorization"] = self._key.header()
            is_built = True
            async with asyncio.timeout(self.time_limit(timeout) + size / MIN_UPLOAD_SPEED):
                return await read_response(await client.send(request, stream=True))
        except BaseException as error:  # noqa: BLE001 - raised where no frame holds the request
            return without_request(error, sent=is_built and tracker.may_have_left(error))

    def _received(self, result: Response | BaseException | None) -> Response:
        """Raise an error in a frame that does not contain the request; read the service's time."""
        if result is None:
            raise asyncio.CancelledError
        if isinstance(result, BaseException):
            raise result
        result.redact(self._key.redact)
        self.clock.read(result.headers.get("date", ""))
        return result

    # ------------------------------------------------------------ errors

    def _unreachable(self, error: NoResponseError, more: str = "") -> ServiceUnreachableError:
        host = urlsplit(self.base_url).netloc
        return ServiceUnreachableError(
            f"{host} could not be reached: {error.reason}.{more}",
            error.hint
            or "Check the connection and the address (base_url or WONDA_BASE_URL), then try again.",
            sent=error.sent,
        )

    async def _advise(self, problem: WondaError) -> None:
        """Add the organizations with a paid seat to the error if a paid seat is missing."""
        if problem.code != organization.NEEDS_SEAT:
            return
        found = None
        try:
            response = await self._request("GET", "/organizations")
            found = parse(parse_json(response), OrganizationsResponse).organizations
        except (WondaError, NoResponseError):
            pass  # the refusal itself is raised, with general advice
        problem.with_hint(organization.advice(self.org, found))


def _json(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON body in the format of httpx."""
    return {"content": encode_json(body), "headers": {"Content-Type": "application/json"}}


def _outcome(response: Response, operation: str, check: str) -> Any:
    """Decode the response to a POST that arrived.

    Raises
    ------
    OutcomeUnknownError
        If the response does not say whether the request took effect.
    APIError
        If the request was refused.
    """
    if response.is_redirect:
        reason = "the request was redirected to another address; check base_url"
        raise OutcomeUnknownError(operation, reason, check)
    if not response.is_success:
        error = api_error(response)
        status = response.status
        # A proxy may respond in place of the service, which may have accepted the request.
        by_proxy = not error.from_service and status not in NOT_PASSED_ON
        if status >= SERVER_ERROR or status == REQUEST_TIMEOUT or by_proxy:
            raise OutcomeUnknownError(operation, f"the response was HTTP {status}", check)
        raise error
    try:
        return parse_json(response)
    except UnexpectedReplyError:
        reason = "the service accepted the request, but the response could not be read"
        raise UnreadableOutcomeError(operation, reason, check) from None
