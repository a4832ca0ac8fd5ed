"""HTTP with the API: the key, the retries, the origins, and errors in our own words.

Three rules live here and nowhere else:

- **A POST that may have arrived is never repeated.** What certainly did not
  arrive (no connection) or was refused unread (429) is tried again; everything
  else that goes wrong is an `OutcomeUnknownError`.
- **The key goes to the API's origin and nowhere else.** It is put on a request
  just before sending; redirects of the API are not followed, and downloads are
  requests that never had it.
- **Errors carry no request.** Exceptions from below hold the request with its
  headers, as do the frames they came through, so whatever is raised there is
  translated and dropped.

And whatever comes in is bounded: in bytes, in time, in redirects.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import json
import os
import random
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx
import msgspec

from . import __version__, addresses, bounded, runtime
from .errors import (
    BY_STATUS,
    APIError,
    ClosedError,
    InvalidInputError,
    NotJSONError,
    OutcomeUnknownError,
    RateLimitError,
    ServerError,
    ServiceUnreachableError,
    UnexpectedReplyError,
    UnreadableOutcomeError,
    UnsafeMediaError,
    WondaError,
)
from .models import timestamp
from .places import CONNECTIONS, Places

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .credentials import ApiKey

DEFAULT_BASE_URL = "https://api.wondercat.ai/api/v1"

OWN_HEADERS = {
    "Accept": "*/*",
    "User-Agent": f"wonda-widgets/{__version__}",
    **bounded.UNENCODED,
}
LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)

TRIES = 3  # of a request that may be repeated
FIRST_PAUSE = 0.5  # seconds before the second try, doubled for the third
LONGEST_PAUSE = 20.0  # seconds; where the service asks for more, its error is shown instead
MAX_REPLY_BYTES = 16 * 1024 * 1024
MAX_MEDIA_BYTES = 100 * 1024 * 1024
MEDIA_SECONDS = 300.0  # for one picture, from its turn on, with all tries and redirects
SLOWEST_UPLOAD = 16 * 1024  # bytes a second; less counts as stuck
MAX_REDIRECTS = 3
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: What httpx raises before a byte of the request could have left.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

REQUEST_TIMEOUT, TOO_MANY, SERVER_ERROR = 408, 429, 500

#: Of a reply, what is looked at.
KEPT_HEADERS = frozenset({b"retry-after", b"x-request-id", b"date"})


class LostError(Exception):
    """A request whose reply did not come; it holds no request.

    Attributes
    ----------
    why : str
        In words for people.
    sent : bool
        Whether it may have arrived.
    """

    def __init__(self, why: str, *, sent: bool) -> None:
        self.why = why
        self.sent = sent
        super().__init__(why)


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
    except ValueError:
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


class Question(NamedTuple):
    """A poll, but for the key."""

    url: httpx.URL
    headers: list[tuple[bytes, bytes]]
    extensions: dict[str, Any]


class Transport:
    """Sends requests to one API. All methods run on the package's loop.

    Parameters
    ----------
    key : ApiKey
    base_url : str
        Checked by `checked_base_url`.
    timeout : float
        Seconds for each of connecting, writing, reading and waiting for a connection.
    transport : httpx.AsyncBaseTransport, optional
        Used for everything instead of the network.
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
    ) -> None:
        self._key = key
        self.base_url = base_url
        self._timeout = timeout
        self._transport = transport
        self._sleep = sleep
        self._client: httpx.AsyncClient | None = None
        self._wire: httpx.AsyncBaseTransport | None = None  # of the client, for polls
        self._pid = os.getpid()
        self.closed = False
        #: seconds by which the service's clock is ahead of ours, as its last reply told
        self.ahead = 0.0

    @property
    def timeout(self) -> float:
        """Seconds for each of connecting, writing, reading and waiting for a connection."""
        return self._timeout

    @property
    def by_network(self) -> bool:
        """Whether requests go by the network, and not by a transport that was passed."""
        return self._transport is None

    def without_key(self, data: bytes) -> bytes:
        """`data` without the key, should somebody have put it there."""
        return self._key.removed_from(data)

    def _clean(self, content: bytes) -> Any:
        """The JSON of a reply, without the key, also if that was escaped in it."""
        decoded = _json(self.without_key(content))
        if b"\\" not in content:
            return decoded
        return msgspec.json.decode(self.without_key(msgspec.json.encode(decoded)))

    def _clean_text(self, text: str | None) -> str | None:
        return None if text is None else self.without_key(text.encode()).decode(errors="replace")

    def check_open(self) -> None:
        """Refuse to go on after `aclose`."""
        if self.closed:
            raise ClosedError("This client is closed.", "Make a new one with Wonda().")

    def _http(self) -> httpx.AsyncClient:
        self.check_open()
        if self._pid != os.getpid():  # forked: these connections are the parent's
            runtime.abandon(self._client)
            self._client = None
        if self._client is None:  # made here, on the loop that will use it
            self._pid = os.getpid()
            self._places = Places()
            # A proxy must not see what is meant for this machine only.
            outward = urlsplit(self.base_url).hostname not in LOOPBACK
            self._wire = self._transport
            if self._wire is None and not (outward and getproxies()):
                self._wire = httpx.AsyncHTTPTransport(trust_env=outward, limits=LIMITS)
            self._client = httpx.AsyncClient(
                transport=self._wire,
                timeout=self._timeout,
                follow_redirects=False,
                trust_env=outward,
                headers=OWN_HEADERS,
                limits=LIMITS,
            )
        return self._client

    async def aclose(self) -> None:
        """Close all connections."""
        self.closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

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

    def question(self, path: str) -> Question:
        """What `poll` asks many times: worked out once, and without the key."""
        request = httpx.Request("GET", self.base_url + path, headers=OWN_HEADERS)
        each = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        return Question(request.url, request.headers.raw, {"timeout": each})

    async def poll(self, question: Question) -> Any:
        """GET a decoded reply in a single try; the poller has a pace of its own.

        Of all requests these are by far the most, so they go past httpx's client, which
        would merge and check what is the same each time: a third of what a poll costs.
        """
        try:
            response = await self._asked(question)
        except LostError as lost:
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
        for attempt in range(1, TRIES + 1):
            wait = None
            try:
                response = await self._api("POST", path, seconds, leaving, **content)
            except LostError as lost:
                problem: WondaError = self._unreachable(lost, " Nothing was sent.")
                if lost.sent:
                    problem = OutcomeUnknownError(operation, lost.why, check)
                    break
            else:
                if response.status != TOO_MANY:
                    return self._answer(response, operation, check)
                problem = refusal = self._error(response)
                wait = refusal.retry_after
            stayed()
            if attempt == TRIES or not await self._pause(attempt, wait):
                break
        raise problem

    def _answer(self, response: Reply, operation: str, check: str) -> Any:
        """The reply to a POST that arrived."""
        status = response.status
        if status >= SERVER_ERROR or status == REQUEST_TIMEOUT:
            reason = f"the service answered with HTTP {status}"
            raise OutcomeUnknownError(operation, reason, check)
        try:
            return self._decoded(response)
        except UnexpectedReplyError:
            reason = "the service took it, but its reply could not be read"
            raise UnreadableOutcomeError(operation, reason, check) from None

    async def _repeatable(self, method: str, path: str, **content: Any) -> Any:
        for attempt in range(1, TRIES + 1):
            wait = None
            try:
                return self._decoded(await self._api(method, path, **content))
            except LostError as lost:
                problem: WondaError = self._unreachable(lost)
            except (RateLimitError, ServerError) as error:
                problem, wait = error, error.retry_after
            if attempt == TRIES or not await self._pause(attempt, wait):
                break
        raise problem

    async def delete(self, path: str) -> None:
        """DELETE something; passing troubles are tried again. What the reply says is not read.

        Raises
        ------
        APIError, ServiceUnreachableError
            Of a repeated one, what the last try found: it may be gone by an earlier one.
        """
        with contextlib.suppress(NotJSONError):  # a body is promised nowhere
            await self._repeatable("DELETE", path)

    async def _api(
        self,
        method: str,
        path: str,
        seconds: float = 0.0,
        leaving: Callable[[], Awaitable[object]] | None = None,
        **content: Any,
    ) -> Reply:
        """One request with the key, and its whole reply, within the bounds.

        A reply that is too large is one without content: no answer of this API is.

        Raises
        ------
        LostError
        """
        patience = max(self._timeout, seconds)
        client = self._http()
        async with self._places.request:
            if leaving is not None:
                await leaving()
            reply = await self._exchange(client, method, path, patience, content)
        return self._arrived(reply)

    async def _asked(self, question: Question) -> Reply:
        """The reply to one poll, within the same bounds.

        Raises
        ------
        LostError
        """
        client = self._http()
        async with self._places.poll:
            reply = await self._put(client, question)
        return self._arrived(reply)

    def _arrived(self, reply: Reply | LostError) -> Reply:
        if isinstance(reply, LostError):
            raise reply  # here, where no frame holds the request
        told = _http_date(reply.headers.get("date", ""))
        if told is not None:
            self.ahead = (told - datetime.now(UTC)).total_seconds()
        return reply

    async def _exchange(
        self,
        client: httpx.AsyncClient,
        method: str,
        path: str,
        patience: float,
        content: dict[str, Any],
    ) -> Reply | LostError:
        sent = False
        try:
            address = self.base_url + path
            request = client.build_request(method, address, timeout=patience, **content)
            size = int(request.headers.get("Content-Length", 0))
            request.headers["Authorization"] = self._key.header()
            sent = True
            async with asyncio.timeout(2 * patience + size / SLOWEST_UPLOAD):
                return await _whole_reply(await client.send(request, stream=True))
        except Exception as error:  # noqa: BLE001 - a transport's bug may hold the request too
            return LostError(_why(error), sent=sent and not isinstance(error, NOT_SENT))

    async def _put(self, client: httpx.AsyncClient, question: Question) -> Reply | LostError:
        try:
            request = httpx.Request(
                "GET",
                question.url,
                # No local holds the key, as a traceback may print them.
                headers=[*question.headers, (b"Authorization", self._key.header().encode())],
                extensions=question.extensions,
            )
            async with asyncio.timeout(2 * self._timeout):
                if self._wire is None:  # only the client knows the proxies
                    return await _whole_reply(await client.send(request, stream=True))
                return await _whole_reply(await self._wire.handle_async_request(request))
        except Exception as error:  # noqa: BLE001 - see above
            return LostError(_why(error), sent=True)

    def _decoded(self, response: Reply) -> Any:
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
        try:
            return self._clean(response.content)
        except (ValueError, RecursionError):
            raise NotJSONError(
                "The service answered with something other than JSON.",
                "It may be down for maintenance, or base_url may not be an API; try again later.",
            ) from None

    def _error(self, response: Reply) -> APIError:
        """The error of a reply that says no (wonda-api.md, section 2)."""
        status = response.status
        try:
            # A service that repeats what it was sent would repeat the key.
            body = self._clean(response.content)
        except (ValueError, RecursionError):
            body = {}
        body = body if isinstance(body, dict) else {"error": body}
        error = body.get("error")
        details: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
        message, code = details.get("message"), details.get("code")
        cls = _error_class(status)
        fields: dict[str, Any] = {
            "message": message
            if isinstance(message, str) and message
            else httpx.codes.get_reason_phrase(status) or "The service gave no reason",
            "code": code if isinstance(code, str) else "",
            "request_id": self._clean_text(response.headers.get("x-request-id")),
            "retry_after": _retry_after(response.headers.get("retry-after", "")),
        }
        if cls is RateLimitError:
            defer = details.get("deferUntil") or body.get("deferUntil")
            fields["defer_until"] = timestamp(defer) if isinstance(defer, str) else None
        return cls(status, **fields)

    async def _pause(self, attempt: int, retry_after: float | None) -> bool:
        """Wait before the next try; False, at once, if that would be too long."""
        if (retry_after or 0) > LONGEST_PAUSE:
            return False
        spread = 1 + random.random() / 4  # noqa: S311 - so that many clients do not come at once
        await self._sleep(max(FIRST_PAUSE * 2 ** (attempt - 1) * spread, retry_after or 0))
        return True

    def _unreachable(self, lost: LostError, more: str = "") -> ServiceUnreachableError:
        where = urlsplit(self.base_url).netloc
        return ServiceUnreachableError(
            f"{where} could not be reached: {lost.why}.{more}",
            "Check the connection and the address (base_url or WONDA_BASE_URL), then try again.",
        )

    # ------------------------------------------------------------ media

    async def download(self, url: str, max_bytes: int = MAX_MEDIA_BYTES) -> bytes:
        """The bytes at a media's address, fetched without the key.

        Raises
        ------
        UnsafeMediaError
            If it is larger than `max_bytes`, leads into a private network, or is
            redirected too often.
        APIError, ServiceUnreachableError
            Also if it was cut short each time, or is not there within `MEDIA_SECONDS`
            of its turn.
        """
        where = _media_address(url).host
        self._http()
        async with self._places.download:
            try:
                async with asyncio.timeout(MEDIA_SECONDS) as limit:
                    return await self._tried_download(url, where, max_bytes)
            except TimeoutError:
                if not limit.expired():
                    raise
        raise _not_fetched(where, f"it takes longer than {MEDIA_SECONDS:g} s")

    async def _tried_download(self, url: str, where: str, max_bytes: int) -> bytes:
        for attempt in range(1, TRIES + 1):
            wait = None
            try:
                return await self._fetch(url, max_bytes)
            except bounded.TooLargeError:
                raise _too_large(max_bytes) from None
            except httpx.InvalidURL:  # httpx reads where a redirect leads before we do
                raise _not_opened() from None
            except ServerError as error:
                problem: WondaError = error
                wait = error.retry_after
            except WondaError:
                raise
            except Exception as error:  # noqa: BLE001 - a transport's bug is told in our words too
                problem = _not_fetched(where, _why(error))
            if attempt == TRIES or not await self._pause(attempt, wait):
                break
        raise problem

    async def _fetch(self, url: str, max_bytes: int) -> bytes:
        before, target = httpx.URL(self.base_url).host, _media_address(url)
        for _ in range(MAX_REDIRECTS + 1):
            public = not await self._private(target.host)
            if not public and not await self._private(before):
                raise _leads_inside()
            request = self._http().build_request("GET", target)
            response = await self._http().send(request, stream=True)
            try:
                if public and self._direct() and _from_inside(response):
                    raise _leads_inside()
                if not response.has_redirect_location:
                    if not response.is_success:
                        raise _media_error(response)
                    return await bounded.body(response, max_bytes)
                before, target = target.host, _media_address(response.headers["Location"], target)
            finally:
                await response.aclose()
        raise UnsafeMediaError("The picture's address leads from one redirect to the next.")

    async def _private(self, host: str) -> bool:
        return await addresses.is_private(host, resolve=self.by_network)

    def _direct(self) -> bool:
        """Whether the other end of a connection is the host itself, and no proxy."""
        return self.by_network and not (self._http().trust_env and getproxies())


# ---------------------------------------------------------------- replies


class Reply:
    """What is looked at of a reply; it holds no request, and shows nothing of what came."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, content

    def __repr__(self) -> str:
        return f"<Reply {self.status}>"  # a service may repeat the key


async def _whole_reply(response: httpx.Response) -> Reply:
    """A streamed reply, read to its end and closed."""
    headers = bounded.lowered(response)
    try:
        content = await bounded.body(response, MAX_REPLY_BYTES, headers)
    except bounded.TooLargeError:
        content = b""
    finally:
        await response.aclose()
    kept = {
        name.decode(): value.decode("latin-1")
        for name, value in headers.items()
        if name in KEPT_HEADERS
    }
    return Reply(response.status_code, kept, content)


def encoded(body: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON body as httpx sends it.

    Raises
    ------
    InvalidInputError
        If there is something in it that JSON does not know; nothing was sent.
    """
    try:
        # Not-a-number and half an emoji pass most encoders and are refused by services.
        content = json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            "request", f"The request cannot be sent as JSON: {error}.", "Correct what it names."
        ) from None
    return {"content": content, "headers": {"Content-Type": "application/json"}}


def _json(content: bytes) -> Any:
    """Decode JSON, also with half an emoji in it, as a server makes when it cuts a text.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return _whole(json.loads(content))


def _whole(value: Any) -> Any:
    """`value` with every half of a surrogate pair replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {_whole(name): _whole(item) for name, item in value.items()}
    return value


def _retry_after(value: str) -> float | None:
    """Seconds of a `Retry-After` header (a number or an HTTP date); None without one."""
    value = value.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    moment = _http_date(value)
    return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _http_date(value: str) -> datetime | None:
    """A moment as headers have it; None if it is none."""
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _media_address(address: str, base: httpx.URL | None = None) -> httpx.URL:
    """Read the address of media; only http and https are opened."""
    try:
        url = base.join(address) if base else httpx.URL(address)
        opens = url.scheme in {"http", "https"} and bool(url.host)  # a host may be unreadable
    except (httpx.InvalidURL, ValueError):
        opens = False
    if not opens:
        raise _not_opened()
    return url


def _not_opened() -> UnsafeMediaError:
    return UnsafeMediaError("The picture's address is not one that can be opened (http or https).")


def _error_class(status: int) -> type[APIError]:
    return BY_STATUS.get(status, ServerError if status >= SERVER_ERROR else APIError)


def _media_error(response: httpx.Response) -> APIError:
    status = response.status_code
    return _error_class(status)(
        status,
        "",
        "The picture could not be fetched from its address",
        hint="The address may have expired; follow the job again for a fresh one.",
        retry_after=_retry_after(response.headers.get("Retry-After", "")),
    )


def _not_fetched(where: str, why: str) -> ServiceUnreachableError:
    return ServiceUnreachableError(
        f"The picture could not be fetched from {where}: {why}.",
        "It stays at the service; try again.",
    )


def _leads_inside() -> UnsafeMediaError:
    return UnsafeMediaError(
        "The picture's address leads into a private network, so it was not opened.",
        "Open its address in a browser if you trust it.",
    )


def _from_inside(response: httpx.Response) -> bool:
    """Whether a reply comes from a private address after all, as its name may have changed."""
    there = addresses.peer(response)
    return there is not None and not addresses.is_public(there)


def _too_large(max_bytes: int) -> UnsafeMediaError:
    return UnsafeMediaError(
        f"The picture is larger than {max_bytes // 2**20} MB, so it was not downloaded.",
        "Open its address in a browser if you trust it.",
    )


def _why(error: Exception) -> str:
    """A transport error in words for people, and without its own, which may hold a header."""
    text = str(error)
    if any(hint in text for hint in ("Name or service", "nodename", "getaddrinfo", "resolution")):
        return "the address does not resolve"
    if isinstance(error, httpx.ConnectError) and "CERTIFICATE" in text:
        return "its certificate is not valid"
    failed = f"sending it failed with a {type(error).__name__}"
    return next((words for kind, words in _WHY if isinstance(error, kind)), failed)


_WHY = (
    (httpx.ConnectTimeout | httpx.PoolTimeout, "no connection within the time limit"),
    (httpx.TimeoutException | TimeoutError, "no answer within the time limit"),
    (httpx.ConnectError, "connection refused"),
    (httpx.ProxyError, "the proxy refused the connection"),
    (httpx.DecodingError, "its answer is encoded in a way that was not asked for"),
    (httpx.HTTPError, "the connection was lost before the answer was complete"),
)
