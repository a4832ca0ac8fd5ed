"""HTTP with the API: the key, the retries, the origins, and errors in our own words.

Three rules live here:

- **A POST that may have arrived is never repeated.** What certainly did not
  arrive (no connection) or was refused unread (429) is tried again; everything
  else that goes wrong is an `OutcomeUnknownError`.
- **The key goes to the API's origin and nowhere else.** It is put on a request
  just before sending; redirects of the API are not followed, and downloads
  (`downloads.py`) are requests that never had it.
- **Errors carry no request.** Exceptions from below hold the request with its
  headers, as do the frames they came through, so whatever is raised there is
  translated and dropped.

And whatever comes in is bounded, in bytes and in time.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec

from ..errors import (
    APIError,
    InvalidInputError,
    NotJSONError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    ServiceUnreachableError,
    UnexpectedReplyError,
    UnreadableOutcomeError,
    WondaError,
)
from ..models import OrganizationsReply, parse, timestamp
from ..utils import logs, monotonic_clock
from ..utils.plain_values import plain
from . import organization, responses, retries
from .connections import LOOPBACK, OWN_HEADERS, Connections
from .downloads import MAX_BYTES, Downloads
from .responses import SERVER_ERROR, NoResponseError, Response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from ..credentials import ApiKey

_log = logging.getLogger(__name__)

DEFAULT_BASE_URL = "https://api.wondercat.ai/api/v1"

SLOWEST_UPLOAD = 16 * 1024  # bytes a second; less counts as stuck

#: What httpx raises before a byte of the request could have left.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

REQUEST_TIMEOUT, TOO_MANY, PARTIAL = 408, 429, 206
#: With these a server on the way says that it passed nothing on, in whatever form.
NOT_PASSED_ON = frozenset({401, 405, 407, 411, 413, 414, 417, 421, TOO_MANY, 431})
CENTURY = 100 * 365 * 86_400  # seconds; a clock that is further off tells no time

NO_CONTENT = httpx.ByteStream(b"")


def checked_base_url(base_url: str) -> str:
    """`base_url` without its last slash.

    Raises
    ------
    InvalidInputError
        If it is no http(s) address, or would send the key unencrypted over a network.
    """
    base_url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
        parts.port  # noqa: B018 - raises for a port that is no number
        httpx.URL(base_url).host  # noqa: B018 - it will be read so, too
    except (ValueError, httpx.InvalidURL):
        host = None
    if host is None or parts.scheme not in {"http", "https"} or set("@?#") & set(base_url):
        raise InvalidInputError(
            "base_url",
            # What stands before an @ may be a password, so it is not repeated.
            f"{base_url.rpartition('@')[2]!r} is not the address of an API.",
            f"Use one like {DEFAULT_BASE_URL}.",
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise InvalidInputError(
            "base_url",
            f"{base_url!r} would send the API key unencrypted.",
            "Use https:// (plain http is taken for this machine only).",
        )
    # One service has one name, by which the journal knows it.
    port = (
        f":{parts.port}" if parts.port not in {None, 80 if parts.scheme == "http" else 443} else ""
    )
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{port}{parts.path}"


class PollRequest(NamedTuple):
    """A poll, but for the key."""

    url: httpx.URL
    headers: list[tuple[bytes, bytes]]
    extensions: dict[str, Any]


class Progress:
    """Follows one request through httpcore, as its ``trace`` extension.

    A connection through a proxy begins with a request to the proxy (``CONNECT``), which can
    fail like any other; until it and TLS are done, nothing of our own request has left.
    """

    def __init__(self) -> None:
        self._is_followed = self._has_begun = False

    @property
    def may_be_sent(self) -> bool:
        """Whether a part of the request may have left; True where nobody follows it."""
        return self._has_begun or not self._is_followed

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Take an event; the request in its `info` may be the one to the proxy."""
        self._is_followed = True
        if event.endswith(".send_request_headers.started"):
            self._has_begun = self._has_begun or info["request"].method != b"CONNECT"


class Transport:
    """Sends requests to one API. All methods run on the package's loop.

    Parameters
    ----------
    key : ApiKey
    base_url : str
        Checked by `checked_base_url`.
    timeout : float
        Seconds for each of connecting, writing, reading and waiting for a connection. From its
        turn on, a single try takes at most twice that, longer only for an upload or where the
        service is slow; an image has `downloads.SECONDS`.
    transport : httpx.AsyncBaseTransport, optional
        Used for everything instead of the network.
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
        #: the service's time, seconds since 1970, and when it told it by `monotonic_clock.seconds`
        self._told: tuple[float, float] | None = None
        self._date = ""  # of that reply; many come within the second that it tells

    @property
    def timeout(self) -> float:
        """Seconds for each of connecting, writing, reading and waiting for a connection."""
        return self._timeout

    @property
    def journal_key(self) -> str:
        """Under which the journal keeps what is asked for: an address has no ``#``."""
        return f"{self.base_url}#{self.org}" if self.org else self.base_url

    @property
    def by_network(self) -> bool:
        """Whether requests go by the network, and not by a transport that was passed."""
        return self._connections.by_network

    def is_of_same_service(self, other: Transport) -> bool:
        """Whether both talk to the same address, over the network or by the same transport."""
        same_way = self._connections.goes_as(other._connections)
        return same_way and self.journal_key == other.journal_key

    def is_like(self, other: Transport) -> bool:
        """Whether both talk to the same address with the same key."""
        return self.is_of_same_service(other) and self._key.is_like(other._key)

    @property
    def service_time(self) -> float | None:
        """The time by the service's clock, seconds since 1970; None if no reply told it yet.

        Whoever sets this computer's clock does not change it.
        """
        if self._told is None:
            return None
        moment, then = self._told
        return moment + monotonic_clock.seconds() - then

    @property
    def ahead(self) -> float:
        """Seconds by which the service's clock is ahead of this computer's, as far as known."""
        there = self.service_time
        return 0.0 if there is None else there - time.time()

    def limit(self, seconds: float = 0.0) -> float:
        """Give the seconds after which a POST of ordinary size is given up at the latest.

        Parameters
        ----------
        seconds : float
            How long its answer may take, if that is longer than the client's timeout.
        """
        return 2 * max(self._timeout, seconds)

    @property
    def closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._connections.closed

    def without_key(self, data: bytes) -> bytes:
        """`data` without the key, should somebody have put it there."""
        return self._key.removed_from(data)

    def _clean(self, content: bytes) -> Any:
        """The JSON of a reply that has arrived, without the key also if that was escaped in it."""
        decoded = responses.decoded(content)
        if b"\\" not in content:
            return decoded
        return msgspec.json.decode(self.without_key(msgspec.json.encode(decoded)))

    def _clean_text(self, text: str | None) -> str | None:
        return None if text is None else self.without_key(text.encode()).decode(errors="replace")

    def check_open(self) -> None:
        """Refuse to go on after `aclose`."""
        self._connections.check_open()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._connections.aclose()

    # ------------------------------------------------------------ requests

    async def get(self, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """GET a decoded reply; passing troubles are tried again.

        Raises
        ------
        APIError, ServiceUnreachableError, UnexpectedReplyError
        """
        return await self._repeatable("GET", path, params=params)

    async def ask(self, path: str, body: Mapping[str, Any]) -> Any:
        """POST a question that changes nothing (a price estimate), repeatable like a GET."""
        return await self._repeatable("POST", path, **encoded(body))

    def question(self, path: str) -> PollRequest:
        """What `poll` asks many times: worked out once, and without the key."""
        headers = {**OWN_HEADERS, **self._org_header}
        request = httpx.Request("GET", self.base_url + path, headers=headers)
        # It fits into the socket's buffer, so writing waits for nobody; `_put` limits the whole.
        each = {**dict.fromkeys(("connect", "read", "pool"), self._timeout), "write": None}
        return PollRequest(request.url, request.headers.raw, {"timeout": each})

    async def poll(self, question: PollRequest) -> Any:
        """GET a decoded reply in a single try; the poller has a pace of its own.

        Of all requests these are by far the most, so they go past httpx's client, which
        would merge and check what is the same each time: a third of what a poll costs.
        """
        try:
            response = await self._asked(question)
        except NoResponseError as lost:
            problem = self._unreachable(lost)
        else:
            return self._decoded(response)
        raise problem

    async def post(
        self,
        path: str,
        operation: str,
        check: str,
        *,
        body: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
        leaving: Callable[[], Awaitable[object]] | None = None,
        stayed: Callable[[], object] = lambda: None,
        seconds: float = 0.0,
    ) -> Any:
        """POST something that takes effect: it arrives once at most.

        Parameters
        ----------
        path : str
        operation : str
            What this is, for people: ``"image generation"``.
        check : str
            Where to look if its outcome is unknown, as a sentence.
        body : dict, optional
            Sent as JSON.
        files : dict, optional
            Sent as a form, as httpx takes them.
        leaving : callable
            Awaited right before each try; what it raises keeps the request from being sent.
        stayed : callable
            Called when a try has certainly taken no effect.
        seconds : float
            How long an answer may take, if that is longer than the client's timeout.

        Raises
        ------
        InvalidInputError
            If `body` is not JSON.
        OutcomeUnknownError
            If it may have arrived but the reply was lost.
        APIError
            If it was refused.
        ServiceUnreachableError
            If it could not be sent.
        """
        content = encoded(body) if body is not None else {"files": files}
        for attempt in range(1, retries.TRIES + 1):
            wait = None
            try:
                response = await self._api(
                    "POST", path, seconds, leaving, attempt=attempt, **content
                )
            except NoResponseError as lost:
                problem: WondaError = self._unreachable(lost, " Nothing was sent.")
                if lost.sent:
                    problem = OutcomeUnknownError(operation, lost.why, check)
                    break
            else:
                if response.status != TOO_MANY:
                    try:
                        return self._answer(response, operation, check)
                    except PermissionDeniedError as error:
                        problem = error
                        break
                problem = refusal = self._error(response)
                wait = refusal.retry_after if refusal.by_service else math.inf
            stayed()
            if not await retries.delay(self._sleep, attempt, wait):
                break
        await self._advise(problem)
        raise problem

    def _answer(self, response: Response, operation: str, check: str) -> Any:
        """The reply to a POST that arrived."""
        status = response.status
        if httpx.codes.is_redirect(status):
            reason = "the request was redirected to another address; check base_url"
            raise OutcomeUnknownError(operation, reason, check)
        if not httpx.codes.is_success(status):
            error = self._error(response)
            # A proxy may answer in place of the service, which may have taken the request.
            by_another = not error.by_service and status not in NOT_PASSED_ON
            if status >= SERVER_ERROR or status == REQUEST_TIMEOUT or by_another:
                raise OutcomeUnknownError(operation, f"the answer was HTTP {status}", check)
            raise error
        try:
            return self._decoded(response)
        except UnexpectedReplyError:
            reason = "the service took it, but its reply could not be read"
            raise UnreadableOutcomeError(operation, reason, check) from None

    async def _repeatable(
        self, method: str, path: str, *, empty_is_fine: bool = False, **content: Any
    ) -> Any:
        for attempt in range(1, retries.TRIES + 1):
            wait = None
            try:
                response = await self._api(method, path, attempt=attempt, **content)
                is_empty = httpx.codes.is_success(response.status) and not response.content
                return None if empty_is_fine and is_empty else self._decoded(response)
            except NoResponseError as lost:
                problem: WondaError = self._unreachable(lost)
            except (RateLimitError, ServerError) as error:
                problem, wait = error, error.retry_after
            except PermissionDeniedError as error:
                problem = error
                break
            if not await retries.delay(self._sleep, attempt, wait):
                break
        await self._advise(problem)
        raise problem

    async def _advise(self, problem: WondaError) -> None:
        """Where a paid seat is missing, say which organizations give one."""
        if problem.code != organization.NEEDS_SEAT:
            return
        found = None
        try:
            reply = await self._api("GET", "/organizations")
            found = parse(self._decoded(reply), OrganizationsReply).organizations
        except (WondaError, NoResponseError):  # the advice is a help; the refusal itself is told
            pass
        problem.advising(organization.advice(self.org, found))

    async def delete(self, path: str) -> Any:
        """DELETE something; passing troubles are tried again.

        Returns
        -------
        Any
            The decoded reply; None if it is empty.

        Raises
        ------
        APIError, ServiceUnreachableError
            Of a repeated one, what the last try found: it may be gone by an earlier one.
        NotJSONError
            If the reply has a body that is no JSON, so that something else may have answered.
        """
        return await self._repeatable("DELETE", path, empty_is_fine=True)

    async def _api(
        self,
        method: str,
        path: str,
        seconds: float = 0.0,
        leaving: Callable[[], Awaitable[object]] | None = None,
        *,
        attempt: int = 1,
        **content: Any,
    ) -> Response:
        """One request with the key, and its whole reply, within the bounds.

        A reply that is too large is one without content: no answer of this API is.

        Raises
        ------
        LostError
        """
        patience = max(self._timeout, seconds)
        client = self._connections.client()
        async with self._connections.places.request:
            if leaving is not None:
                await leaving()
            begun = time.monotonic()
            reply = await self._exchange(client, method, path, patience, content)
        logs.request(_log, method, path, reply, begun, attempt=attempt)
        return self._arrived(reply)

    async def _asked(self, question: PollRequest) -> Response:
        """The reply to one poll, within the same bounds.

        Raises
        ------
        LostError
        """
        client = self._connections.client()
        async with self._connections.places.poll:
            self._connections.check_open()  # it may have been closed meanwhile
            begun = time.monotonic()
            reply = await self._put(client, question)
        logs.request(_log, "GET", question.url.path, reply, begun)
        return self._arrived(reply)

    def _arrived(self, reply: Response | BaseException | None) -> Response:
        # Here, where no frame holds the request.
        if reply is None:
            raise asyncio.CancelledError
        if isinstance(reply, BaseException):
            raise reply
        # A service that repeats what it was sent would repeat the key.
        reply.content = self.without_key(reply.content)
        date = reply.headers.get("date", "")
        told = None if date == self._date else responses.http_date(date)
        if told is not None:
            self._date = date
            if abs((told - datetime.now(UTC)).total_seconds()) < CENTURY:
                self._told = told.timestamp(), monotonic_clock.seconds()
        return reply

    async def _exchange(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        patience: float,
        content: dict[str, Any],
    ) -> Response | BaseException | None:
        sent, progress = False, Progress()
        try:
            address = self.base_url + path
            request = client.build_request(
                *(method, address), timeout=patience, extensions={"trace": progress}, **content
            )
            size = int(request.headers.get("Content-Length", 0))
            request.headers.update(self._org_header)
            request.headers["Authorization"] = self._key.header()
            sent = True
            async with asyncio.timeout(self.limit(patience) + size / SLOWEST_UPLOAD):
                return await responses.whole(await client.send(request, stream=True))
        except BaseException as error:  # noqa: BLE001 - raised where no frame holds the request
            sent = sent and progress.may_be_sent and not isinstance(error, NOT_SENT)
            return responses.without_request(error, sent=sent)

    async def _put(
        self, client: httpx.AsyncClient, question: PollRequest
    ) -> Response | BaseException | None:
        try:
            request = httpx.Request(
                "GET",
                question.url,
                # No local holds the key, as a traceback may print them.
                headers=[*question.headers, (b"Authorization", self._key.header().encode())],
                extensions=question.extensions,
                stream=NO_CONTENT,  # else it is encoded, and what `headers` has is looked for
            )
            request.read()  # which a transport may expect
            async with asyncio.timeout(2 * self._timeout):
                if self._connections.wire is None:  # only the client knows the proxies
                    return await responses.whole(await client.send(request, stream=True))
                return await responses.whole(
                    await self._connections.wire.handle_async_request(request)
                )
        except BaseException as error:  # noqa: BLE001 - see above
            return responses.without_request(error, sent=True)

    def _decoded(self, response: Response) -> Any:
        """The JSON of a reply that says yes.

        Raises
        ------
        APIError
            If it says no.
        NotJSONError
            If it is no JSON.
        UnexpectedReplyError
            If it redirects elsewhere, where the key must not go.
        """
        if httpx.codes.is_redirect(response.status):
            raise UnexpectedReplyError(
                "The service sent the request on to another address, where the key must not go.",
                "Set base_url (or WONDA_BASE_URL) to the API's own address.",
            )
        if not httpx.codes.is_success(response.status):
            raise self._error(response)
        if response.status == PARTIAL:  # no part was asked for
            raise UnexpectedReplyError("The service answered with a part only.", "Try again later.")
        try:
            return self._clean(response.content)
        except (ValueError, RecursionError):
            raise NotJSONError(
                "The service answered with something other than JSON.",
                "It may be down for maintenance, or base_url may not be an API; try again later.",
            ) from None

    def _error(self, response: Response) -> APIError:
        """The error of a reply that says no (wonda-api.md, section 2)."""
        status = response.status
        try:
            body = self._clean(response.content)
        except (ValueError, RecursionError):
            body = {}
        body = body if isinstance(body, dict) else {"error": body}
        error = body.get("error")
        details: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
        message, code = details.get("message"), details.get("code")
        cls = responses.error_class(status)
        fields: dict[str, Any] = {
            "message": message
            if isinstance(message, str) and message
            else httpx.codes.get_reason_phrase(status) or "The service gave no reason",
            "code": code if isinstance(code, str) else "",
            "request_id": self._clean_text(response.headers.get("x-request-id")),
            "retry_after": responses.retry_after(response.headers.get("retry-after", "")),
            "by_service": isinstance(error, dict) and isinstance(code, str) and bool(code),
        }
        if cls is RateLimitError:
            defer = details.get("deferUntil") or body.get("deferUntil")
            fields["defer_until"] = timestamp(defer) if isinstance(defer, str) else None
        return cls(status, **fields)

    def _unreachable(self, lost: NoResponseError, more: str = "") -> ServiceUnreachableError:
        where = urlsplit(self.base_url).netloc
        return ServiceUnreachableError(
            f"{where} could not be reached: {lost.why}.{more}",
            lost.hint
            or "Check the connection and the address (base_url or WONDA_BASE_URL), then try again.",
            sent=lost.sent,
        )

    async def download(self, url: str, max_bytes: int = MAX_BYTES) -> bytes:
        """The bytes at a media's address, fetched without the key.

        Raises
        ------
        UnsafeMediaError, APIError, ServiceUnreachableError
            See `Downloads.fetch`.
        """
        return await self._downloads.fetch(url, max_bytes)


def encoded(body: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON body as httpx sends it; numbers, texts and lists of tables and arrays are taken, too.

    Raises
    ------
    InvalidInputError
        If there is something in it that JSON does not know; nothing was sent.
    """
    try:
        # Not-a-number and half an emoji pass most encoders and are refused by services.
        content = json.dumps(plain(body), allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "request", f"The request cannot be sent as JSON: {error}.", "Correct what it names."
        ) from None
    return {"content": content, "headers": {"Content-Type": "application/json"}}


def to_json_values(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body as the service reads it: with texts as the names of members, with lists for tuples.

    Raises
    ------
    InvalidInputError
        See `encoded`.
    """
    read: dict[str, Any] = json.loads(encoded(body)["content"])
    return read
