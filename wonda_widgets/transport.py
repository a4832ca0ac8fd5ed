"""HTTP with the API: the key, the retries, the origins, and errors in our own words.

Three rules live here and nowhere else:

- **A POST that may have arrived is never repeated.** What certainly did not
  arrive (no connection) or was refused unread (429) is tried again; everything
  else that goes wrong is an `OutcomeUnknownError`.
- **The key goes to the API's origin and nowhere else.** It is put on a request
  just before sending; redirects of the API are not followed, and downloads are
  requests that never had it.
- **Errors carry no request.** httpx's exceptions hold the request with its
  headers, so they are translated and dropped (`from None`).
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import msgspec

from . import __version__
from .errors import (
    BY_STATUS,
    APIError,
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

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .credentials import ApiKey

DEFAULT_BASE_URL = "https://api.wondercat.ai/api/v1"

TRIES = 3  # of a request that may be repeated
FIRST_PAUSE = 0.5  # seconds before the second try, doubled for the third
LONGEST_PAUSE = 20.0  # seconds; where the service asks for more, its error is shown instead
MAX_MEDIA_BYTES = 100 * 1024 * 1024
MAX_REDIRECTS = 3
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

#: What httpx raises before a byte of the request could have left.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)

REQUEST_TIMEOUT, TOO_MANY, SERVER_ERROR = 408, 429, 500


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
    return base_url


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
        self.closed = False

    def _http(self) -> httpx.AsyncClient:
        if self.closed:
            raise WondaError("This client is closed.", "Make a new one with Wonda().")
        if self._client is None:  # made here, on the loop that will use it
            self._client = httpx.AsyncClient(
                transport=self._transport,
                timeout=self._timeout,
                follow_redirects=False,
                # A proxy must not see what is meant for this machine only.
                trust_env=urlsplit(self.base_url).hostname not in LOOPBACK,
                headers={"User-Agent": f"wonda-widgets/{__version__}"},
                limits=httpx.Limits(max_connections=20, max_keepalive_connections=20),
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
        return await self._repeatable("POST", path, **_encoded(body))

    async def poll(self, path: str) -> Any:
        """GET a decoded reply in a single try; the poller has a pace of its own."""
        try:
            response = await self._api("GET", path)
        except httpx.HTTPError as error:
            problem = self._unreachable(error)
        else:
            return self._decoded(response)
        raise problem  # here, so that it does not drag the request along as its context

    async def post(
        self,
        path: str,
        operation: str,
        check: str,
        *,
        body: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
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
        content = _encoded(body) if body is not None else {"files": files}
        for attempt in range(1, TRIES + 1):
            wait = None
            try:
                response = await self._api("POST", path, **content)
            except NOT_SENT as error:
                problem: WondaError = self._unreachable(error, " Nothing was sent.")
            except httpx.HTTPError as error:
                problem = OutcomeUnknownError(operation, _why(error), check)
                break
            else:
                if response.status_code != TOO_MANY:
                    return self._answer(response, operation, check)
                problem, wait = self._error(response), _retry_after(response)
            if attempt == TRIES or not await self._pause(attempt, wait):
                break
        raise problem

    def _answer(self, response: httpx.Response, operation: str, check: str) -> Any:
        """The reply to a POST that arrived."""
        status = response.status_code
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
                response = await self._api(method, path, **content)
                return self._decoded(response)
            except httpx.HTTPError as error:
                problem: WondaError = self._unreachable(error)
            except (RateLimitError, ServerError) as error:
                problem, wait = error, _retry_after(response)
            if attempt == TRIES or not await self._pause(attempt, wait):
                break
        raise problem

    async def _api(self, method: str, path: str, **content: Any) -> httpx.Response:
        client = self._http()
        request = client.build_request(method, self.base_url + path, **content)
        request.headers["Authorization"] = self._key.header()
        return await client.send(request)

    def _decoded(self, response: httpx.Response) -> Any:
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
        if response.is_redirect:
            raise UnexpectedReplyError(
                "The service sent the request on to another address, where the key must not go.",
                "Set base_url (or WONDA_BASE_URL) to the API's own address.",
            )
        if not response.is_success:
            raise self._error(response)
        try:
            return _json(self._key.removed_from(response.content))
        except (ValueError, RecursionError):
            raise NotJSONError(
                "The service answered with something other than JSON.",
                "It may be down for maintenance, or base_url may not be an API; try again later.",
            ) from None

    def _error(self, response: httpx.Response) -> APIError:
        """The error of a reply that says no (wonda-api.md, section 2)."""
        status = response.status_code
        try:
            # A service that repeats what it was sent would repeat the key.
            body = _json(self._key.removed_from(response.content))
        except (ValueError, RecursionError):
            body = {}
        body = body if isinstance(body, dict) else {"error": body}
        error = body.get("error")
        details: dict[str, Any] = error if isinstance(error, dict) else {"message": error}
        message, code = details.get("message"), details.get("code")
        cls = _error_class(status)
        fields: dict[str, Any] = {
            "message": message if isinstance(message, str) and message else response.reason_phrase,
            "code": code if isinstance(code, str) else "",
            "request_id": response.headers.get("X-Request-Id"),
        }
        if cls is RateLimitError:
            defer = details.get("deferUntil") or body.get("deferUntil")
            fields["defer_until"] = timestamp(defer) if isinstance(defer, str) else None
            fields["retry_after"] = _retry_after(response)
        return cls(status, **fields)

    async def _pause(self, attempt: int, retry_after: float | None) -> bool:
        """Wait before the next try; False, at once, if that would be too long."""
        if (retry_after or 0) > LONGEST_PAUSE:
            return False
        spread = 1 + random.random() / 4  # noqa: S311 - so that many clients do not come at once
        await self._sleep(max(FIRST_PAUSE * 2 ** (attempt - 1) * spread, retry_after or 0))
        return True

    def _unreachable(self, error: httpx.HTTPError, more: str = "") -> ServiceUnreachableError:
        where = urlsplit(self.base_url).netloc
        return ServiceUnreachableError(
            f"{where} could not be reached: {_why(error)}.{more}",
            "Check the connection and the address (base_url or WONDA_BASE_URL), then try again.",
        )

    # ------------------------------------------------------------ media

    async def download(self, url: str, max_bytes: int = MAX_MEDIA_BYTES) -> bytes:
        """The bytes at a media's address, fetched without the key.

        Raises
        ------
        UnsafeMediaError
            If it is larger than `max_bytes`, cut short, or redirected too often.
        APIError, ServiceUnreachableError
        """
        for attempt in range(1, TRIES + 1):
            try:
                return await self._fetch(url, max_bytes)
            except httpx.HTTPError as error:
                where = urlsplit(url).netloc
                problem: WondaError = ServiceUnreachableError(
                    f"The picture could not be fetched from {where}: {_why(error)}.",
                    "It stays at the service; try again.",
                )
            except ServerError as error:
                problem = error
            if attempt == TRIES:
                raise problem from None
            await self._pause(attempt, None)
        raise AssertionError("unreachable")

    async def _fetch(self, url: str, max_bytes: int) -> bytes:
        target = _media_address(url)
        for _ in range(MAX_REDIRECTS + 1):
            async with self._http().stream("GET", target) as response:
                if response.has_redirect_location:
                    target = _media_address(response.headers["Location"], target)
                    continue
                if not response.is_success:
                    raise _media_error(response)
                announced = response.headers.get("Content-Length", "")
                if announced.isdigit() and int(announced) > max_bytes:
                    raise _too_large(max_bytes)
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > max_bytes:
                        raise _too_large(max_bytes)
                return bytes(body)
        raise UnsafeMediaError("The picture's address leads from one redirect to the next.")


# ---------------------------------------------------------------- replies


def _encoded(body: Mapping[str, Any]) -> dict[str, Any]:
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


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds of a `Retry-After` header (a number or an HTTP date); None without one."""
    value = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _media_address(address: str, base: httpx.URL | None = None) -> httpx.URL:
    """Read the address of media; only http and https are opened."""
    try:
        url = base.join(address) if base else httpx.URL(address)
    except (httpx.InvalidURL, UnicodeError):
        url = httpx.URL()
    if url.scheme not in {"http", "https"} or not url.host:
        raise UnsafeMediaError(
            "The picture's address is not one that can be opened (http or https)."
        )
    return url


def _error_class(status: int) -> type[APIError]:
    return BY_STATUS.get(status, ServerError if status >= SERVER_ERROR else APIError)


def _media_error(response: httpx.Response) -> APIError:
    status = response.status_code
    return _error_class(status)(
        status,
        "",
        "The picture could not be fetched from its address",
        hint="The address may have expired; follow the job again for a fresh one.",
    )


def _too_large(max_bytes: int) -> UnsafeMediaError:
    return UnsafeMediaError(
        f"The picture is larger than {max_bytes // 2**20} MB, so it was not downloaded.",
        "Open its address in a browser if you trust it.",
    )


def _why(error: httpx.HTTPError) -> str:
    """A transport error in words for people."""
    text = str(error)
    if any(hint in text for hint in ("Name or service", "nodename", "getaddrinfo", "resolution")):
        return "the address does not resolve"
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return "no connection within the time limit"
    if isinstance(error, httpx.TimeoutException):
        return "no answer within the time limit"
    if isinstance(error, httpx.ConnectError):
        return ("CERTIFICATE" in text and "its certificate is not valid") or "connection refused"
    if isinstance(error, httpx.ProxyError):
        return "the proxy refused the connection"
    return "the connection was lost before the answer was complete"
