"""Write to the logger ``wonda_widgets``: requests, and errors with their traceback, never a key.

If a program does not configure logging, only warnings and errors are printed to stderr, as is
Python's default. A traceback may quote a header, so API keys are removed from it.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback

from ..errors import redaction

#: The description of the log in messages.
LOG_LOCATION = "the log “wonda_widgets”"
LOOP_THREAD_NAME = "wonda-widgets"  # all httpx calls on this thread are the package's own
HTTPCORE_LOGGERS = ("connection", "http11", "http2", "proxy", "socks")


def log_exception(
    logger: logging.Logger,
    message: str,
    *args: object,
    error: BaseException,
    level: int = logging.ERROR,
    attach_error: bool = True,
) -> None:
    """Log an error with its traceback and without any API key.

    Parameters
    ----------
    logger : logging.Logger
    message : str
        With ``%`` placeholders for `args`.
    *args
    error : BaseException
    level : int
    attach_error : bool
        Whether handlers receive the error object. Pass False if its frames contain a request with
        its headers. An error whose traceback contains a key is never attached.
    """
    if not logger.isEnabledFor(level):
        return
    text = "".join(traceback.format_exception(error)).rstrip()
    clean = redaction.redact_keys(text)
    caller = sys._getframe(1)  # noqa: SLF001 - the logging module does the same
    record = logger.makeRecord(
        logger.name,
        level,
        caller.f_code.co_filename,
        caller.f_lineno,
        redaction.redact_keys(message % args if args else message),
        (),  # no arguments: the message is already formatted
        (type(error), error, error.__traceback__)
        if attach_error and clean == text
        else _without_frames(error),
        caller.f_code.co_name,
    )
    record.exc_text = clean  # formatters print this instead of formatting exc_info
    logger.handle(record)


def log_request(
    logger: logging.Logger,
    method: str,
    path: str,
    response: object,
    started: float,
    *,
    attempt: int = 1,
) -> None:
    """Log one attempt of a request in one line, without key, body or query string.

    Parameters
    ----------
    logger : logging.Logger
    method : str
    path : str
        For a download, a description with the host.
    response : Response or httpx.Response or BaseException or None
        The response, or the error; None if the request was canceled.
    started : float
        When the attempt started, in seconds of `time.monotonic`.
    attempt : int
        The number of the attempt; the first is 1.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    status = getattr(response, "status", getattr(response, "status_code", None))
    if status is None:
        status = f"no response{f' ({response})' if isinstance(response, Exception) else ''}"
    path = redaction.redact_keys(path.partition("?")[0])
    milliseconds = (time.monotonic() - started) * 1000
    logger.info("%s %s: %s in %.0f ms (attempt %d)", method, path, status, milliseconds, attempt)


def _without_frames(error: BaseException) -> tuple[type[BaseException], BaseException, None]:
    """Return an ``exc_info`` with the error's name and message, but no traceback."""
    summary = RuntimeError(redaction.redact_keys(f"{type(error).__name__}: {error}"))
    return RuntimeError, summary, None


class _HideOwnRequests(logging.Filter):
    """A filter that hides httpx's logs of this package's requests: full URLs with signatures."""

    def filter(self, record: logging.LogRecord) -> bool:
        if threading.current_thread().name != LOOP_THREAD_NAME:
            return True
        # httpcore logs response headers, in which a server may repeat the key.
        return record.name != "httpx" and "receive_response_headers.complete" not in str(record.msg)


def quiet_httpx() -> None:
    """Keep URLs and headers of this package's requests out of httpx's logs."""
    for name in ("httpx", *(f"httpcore.{part}" for part in HTTPCORE_LOGGERS)):
        logger = logging.getLogger(name)
        if not any(type(item).__name__ == _HideOwnRequests.__name__ for item in logger.filters):
            logger.addFilter(_HideOwnRequests())


quiet_httpx()
