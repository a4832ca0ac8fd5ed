"""Network errors in plain words, without the request.

An exception from httpx references its request, whose headers contain the key; so do the frames that
it passed through. Each is replaced here with an exception that references neither.
"""

from __future__ import annotations

import asyncio
import logging
import re

import httpx

from ..errors import NetworkSettingsError
from ..utils import logs
from . import network_settings

PROXY_AUTHENTICATION_REQUIRED = 407

_log = logging.getLogger(__name__)


class NoResponseError(Exception):
    """A request got no response; the error does not reference the request.

    Attributes
    ----------
    reason : str
        The reason in plain words.
    sent : bool
        Whether the request may have arrived.
    hint : str
        What to do about the error, if known.
    """

    def __init__(self, reason: str, *, sent: bool, hint: str = "") -> None:
        self.reason = reason
        self.sent = sent
        self.hint = hint
        super().__init__(reason)


def without_request(error: BaseException, *, sent: bool) -> BaseException | None:
    """Return the exception to raise in place of an error from httpx.

    Exceptions that end the process or a coroutine are kept, even within an exception group.

    Parameters
    ----------
    error : BaseException
    sent : bool
        Whether the request may have left this computer.

    Returns
    -------
    BaseException or None
        None if the waiting task was canceled.
    """
    inner = _flattened(error)
    for each in inner:
        if isinstance(each, SystemExit):
            return SystemExit(each.code if isinstance(each.code, int | None) else 1)
    if any(isinstance(each, KeyboardInterrupt) for each in inner):
        return KeyboardInterrupt()
    if _is_cancellation(error):
        return None
    if any(isinstance(each, GeneratorExit) for each in inner):
        return GeneratorExit()
    if isinstance(error, NetworkSettingsError):  # a new one, without the old frames
        return NetworkSettingsError(error.message, error.hint)
    log_unexpected(error)
    return NoResponseError(reason(error, sent=sent), sent=sent, hint=hint(error))


def _is_cancellation(error: BaseException) -> bool:
    task = asyncio.current_task()
    in_group = not isinstance(error, Exception) and task is not None and task.cancelling() > 0
    return isinstance(error, asyncio.CancelledError) or in_group


def _flattened(error: BaseException) -> list[BaseException]:
    """List an error, or all errors in an exception group and its nested groups."""
    todo, found = [error], list[BaseException]()
    while todo:
        each = todo.pop()
        if isinstance(each, BaseExceptionGroup):
            todo += each.exceptions
        else:
            found.append(each)
    return found


def reason(error: BaseException, *, sent: bool = True) -> str:
    """Describe a network error without its own text, which may contain a header.

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
    return next(
        (words for kind, words in _REASONS if isinstance(error, kind)),
        f"sending it failed with a {type(error).__name__}",
    )


_REASONS = (
    (httpx.ConnectTimeout | httpx.PoolTimeout, "no connection within the time limit"),
    (httpx.TimeoutException | TimeoutError, "no response within the time limit"),
    (httpx.ConnectError, "connection refused"),
    (httpx.DecodingError, "the response has an encoding that was not requested"),
    (httpx.HTTPError, "the connection was lost before the response was complete"),
)


def hint(error: BaseException) -> str:
    """Return what to do about a network error; empty if unknown."""
    if _is_of_certificate(error):
        return network_settings.certificate_hint(str(error))
    if isinstance(error, httpx.ProxyError):
        if _proxy_status(error) == PROXY_AUTHENTICATION_REQUIRED:
            return (
                "The proxy requires a user name and a password: set them in HTTPS_PROXY, like "
                f"http://user:password@proxy.example:8080, {network_settings.THEN_RESTART}"
            )
        return "Check the proxy (HTTPS_PROXY, ALL_PROXY), then try again."
    return ""


def log_unexpected(error: BaseException) -> None:
    """Log an error that is not a network error but a bug in this package or a transport."""
    if isinstance(error, RuntimeError) and "interpreter shutdown" in str(error):
        return  # a thread could not be started while the interpreter ends
    if not isinstance(error, (httpx.HTTPError, httpx.StreamError, OSError)):
        logs.log_exception(_log, "A request failed unexpectedly", error=error, attach_error=False)


def _is_of_certificate(error: BaseException) -> bool:
    return isinstance(error, httpx.ConnectError) and "CERTIFICATE" in str(error)


def _proxy_status(error: BaseException) -> int | None:
    """Return the status of a proxy's response; None if it did not respond."""
    found = re.match(r"\d{3}\b", str(error))
    return int(found[0]) if found else None
