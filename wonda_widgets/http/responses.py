"""What comes back of a request: read to its end, bounded, and without the request.

What did not come is a `NoResponseError`, with the reason in words.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from ..errors import (
    BY_STATUS,
    APIError,
    NetworkSettingsError,
    ServerError,
)
from ..utils import logs
from . import body_reader, network_settings

MAX_BYTES = 16 * 1024 * 1024
SERVER_ERROR, PROXY_WANTS_PASSWORD = 500, 407

#: Members of a reply that say whether it was done, and what says that it was not.
SAYS_WHETHER = (
    *("ok", "success", "complete", "result"),
    *("published", "posted", "canceled", "cancelled", "deleted"),
)
NO = (False, "failed", "error")
#: Of a reply, what is looked at.
KEPT_HEADERS = frozenset({b"retry-after", b"x-request-id", b"date"})


class NoResponseError(Exception):
    """A request whose reply did not come; it holds no request.

    Attributes
    ----------
    why : str
        In words for people.
    sent : bool
        Whether it may have arrived.
    hint : str
        What to do about it, where that is known.
    """

    def __init__(self, why: str, *, sent: bool, hint: str = "") -> None:
        self.why = why
        self.sent = sent
        self.hint = hint
        super().__init__(why)


class Response:
    """What is looked at of a reply; it holds no request, and shows nothing of what came."""

    __slots__ = ("content", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status, self.headers, self.content = status, headers, content

    def __repr__(self) -> str:
        return f"<Reply {self.status}>"  # a service may repeat the key


async def whole(response: httpx.Response) -> Response:
    """A streamed reply, read to its end and closed."""
    headers = body_reader.lowered(response)
    try:
        content = await body_reader.body(response, MAX_BYTES, headers)
    except body_reader.TooLargeError:
        content = b""
    finally:
        await response.aclose()
    kept = {
        name.decode(): value.decode("latin-1")
        for name, value in headers.items()
        if name in KEPT_HEADERS
    }
    return Response(response.status_code, kept, content)


def decoded(content: bytes) -> Any:
    """Decode JSON, also with half an emoji in it, as a server makes when it cuts a text.

    Raises
    ------
    ValueError
        If it is none.
    """
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return mended(json.loads(content))


def mended(value: Any) -> Any:
    """`value` with every half of a surrogate pair that stands alone replaced by U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {mended(name): mended(item) for name, item in value.items()}
    return value


def retry_after(value: str) -> float | None:
    """Seconds of a `Retry-After` header (a number or an HTTP date); None without one."""
    value = value.strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    moment = http_date(value)
    return None if moment is None else max(0.0, (moment - datetime.now(UTC)).total_seconds())


def http_date(value: str) -> datetime | None:
    """A moment as headers have it; None if it is none."""
    try:
        moment = email.utils.parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def error_class(status: int) -> type[APIError]:
    """The error that a status stands for."""
    return BY_STATUS.get(status, ServerError if status >= SERVER_ERROR else APIError)


def without_request(error: BaseException, *, sent: bool) -> BaseException | None:
    """What to raise in place of what came out of a transport, where no frame holds the request.

    Its own frames, and what it says, may hold the key. What ends the process or a coroutine
    still does so, whatever it came in; anything else is a request whose reply did not come.

    Returns
    -------
    BaseException or None
        None if the one who waits was canceled.
    """
    inner = _within(error)
    ends = next((each for each in inner if isinstance(each, SystemExit)), None)
    if ends is not None:
        return SystemExit(ends.code if isinstance(ends.code, int | None) else 1)
    if any(isinstance(each, KeyboardInterrupt) for each in inner):
        return KeyboardInterrupt()
    if isinstance(error, asyncio.CancelledError):
        return None
    task = asyncio.current_task()
    if not isinstance(error, Exception) and task is not None and task.cancelling():
        return None  # a group of tasks, each of which was canceled
    if any(isinstance(each, GeneratorExit) for each in inner):
        return GeneratorExit()
    return _lost(error, sent=sent)


def _lost(error: BaseException, *, sent: bool) -> Exception:
    if isinstance(error, NetworkSettingsError):  # anew, without the frames that it came through
        return NetworkSettingsError(error.message, error.hint)
    note_fault(error)
    return NoResponseError(why(error, sent=sent), sent=sent, hint=advice(error))


def _within(error: BaseException) -> list[BaseException]:
    """An error, or those in a group and in the groups therein."""
    todo, found = [error], list[BaseException]()
    while todo:
        each = todo.pop()
        if isinstance(each, BaseExceptionGroup):
            todo += each.exceptions
        else:
            found.append(each)
    return found


def why(error: BaseException, *, sent: bool = True) -> str:
    """A transport error in words for people, and without its own, which may hold a header.

    Parameters
    ----------
    error : BaseException
    sent : bool
        Whether the request may have been sent; a proxy can fail before that.
    """
    text = str(error)
    if any(hint in text for hint in ("Name or service", "nodename", "getaddrinfo", "resolution")):
        return "the address does not resolve"
    if _is_of_certificate(error):
        return "its certificate is not valid"
    if isinstance(error, httpx.ProxyError):
        status = _proxy_status(error)
        return f"the proxy refused the connection{f' (HTTP {status})' if status else ''}"
    if not sent and isinstance(error, httpx.TimeoutException | TimeoutError):
        return "no connection within the time limit"
    if not sent and isinstance(error, httpx.ReadError | httpx.WriteError | httpx.ProtocolError):
        return "the connection was lost before the request was sent"
    failed = f"sending it failed with a {type(error).__name__}"
    return next((words for kind, words in _WHY if isinstance(error, kind)), failed)


def note_fault(error: BaseException) -> None:
    """Log what is no trouble of the network, but a fault of ours or of a transport."""
    if isinstance(error, RuntimeError) and "interpreter shutdown" in str(error):
        return  # a thread was wanted while the interpreter ends
    if not isinstance(error, (httpx.HTTPError, httpx.StreamError, OSError)):
        logs.fault(_log, "A request failed by a fault", error=error, frames=False)


def advice(error: BaseException) -> str:
    """What to do about a transport error, where it says so; empty if it does not."""
    if _is_of_certificate(error):
        return network_settings.certificate_advice(str(error))
    if isinstance(error, httpx.ProxyError) and _proxy_status(error) == PROXY_WANTS_PASSWORD:
        return (
            "The proxy wants a user name and a password: put them into HTTPS_PROXY, like "
            f"http://user:password@proxy.example:8080, {network_settings.ANEW}"
        )
    if isinstance(error, httpx.ProxyError):
        return "Check the proxy (HTTPS_PROXY, ALL_PROXY), then try again."
    return ""


def _is_of_certificate(error: BaseException) -> bool:
    return isinstance(error, httpx.ConnectError) and "CERTIFICATE" in str(error)


def _proxy_status(error: BaseException) -> int | None:
    """The status that a proxy answered with, where it did."""
    found = re.match(r"\d{3}\b", str(error))
    return int(found[0]) if found else None


_log = logging.getLogger(__name__)

_WHY = (
    (httpx.ConnectTimeout | httpx.PoolTimeout, "no connection within the time limit"),
    (httpx.TimeoutException | TimeoutError, "no answer within the time limit"),
    (httpx.ConnectError, "connection refused"),
    (httpx.DecodingError, "its answer is encoded in a way that was not asked for"),
    (httpx.HTTPError, "the connection was lost before the answer was complete"),
)


def says_that_it_failed(raw: dict[str, Any]) -> bool:
    """Whether a reply with a good status says of itself that it failed, or is only a part."""
    told = any(raw.get(name) for name in ("error", "errors", "errorMessage", "partial"))
    return told or any(name in raw and raw[name] in NO for name in SAYS_WHETHER)
