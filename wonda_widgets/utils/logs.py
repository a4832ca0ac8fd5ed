"""What goes to the log ``wonda_widgets``: requests, and faults with their traceback. No key.

Where the program does not set logging up, Python prints warnings and faults to stderr, and
nothing else.
A traceback may repeat what a library says of a header, so the key is taken out of it.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback

from . import redaction

#: Where a person finds the traceback of a fault.
LOG_LOCATION = "the log “wonda_widgets”"
LOOP_THREAD_NAME = "wonda-widgets"  # on which httpx works for this package alone
HTTPCORE_LOGGERS = ("connection", "http11", "http2", "proxy", "socks")


def log_exception(
    logger: logging.Logger,
    message: str,
    *args: object,
    error: BaseException,
    level: int = logging.ERROR,
    frames: bool = True,
) -> None:
    """Log an error with its traceback, without any key.

    Parameters
    ----------
    logger : logging.Logger
    message : str
    *args
        Of the message.
    error : BaseException
    level : int
    frames : bool
        Whether handlers may have the error itself. Its frames hold what they worked on: not
        those of a transport, where that is a request with its headers.
    """
    if not logger.isEnabledFor(level):
        return
    text = "".join(traceback.format_exception(error)).rstrip()
    clean = redaction.redact(text)
    caller = sys._getframe(1)  # noqa: SLF001 - as logging finds it
    record = logger.makeRecord(
        logger.name,
        level,
        caller.f_code.co_filename,
        caller.f_lineno,
        redaction.redact(message % args if args else message),
        (),  # what is formatted already is not formatted again
        (type(error), error, error.__traceback__)
        if frames and clean == text
        else _without_frames(error),
        caller.f_code.co_name,
    )
    record.exc_text = clean  # which formatters print in place of the error
    logger.handle(record)


def log_request(
    logger: logging.Logger,
    method: str,
    path: str,
    reply: object,
    begun: float,
    *,
    attempt: int = 1,
) -> None:
    """Log one try of a request: no key, no body, nothing of what follows a ``?``.

    Parameters
    ----------
    logger : logging.Logger
    method : str
    path : str
        For an image, the host.
    reply : Reply or httpx.Response or BaseException or None
        What came back, or why nothing did; None if nobody waits for it any more.
    begun : float
        When it was, by `time.monotonic`.
    attempt : int
        The first is 1.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    status = getattr(reply, "status", getattr(reply, "status_code", None))
    if status is None:
        status = f"no reply{f' ({reply})' if isinstance(reply, Exception) else ''}"
    where = redaction.redact(path.partition("?")[0])
    took = (time.monotonic() - begun) * 1000
    logger.info("%s %s: %s in %.0f ms (attempt %d)", method, where, status, took, attempt)


def _without_frames(error: BaseException) -> tuple[type[BaseException], BaseException, None]:
    """An error that says no more than which one it was."""
    told = RuntimeError(redaction.redact(f"{type(error).__name__}: {error}"))
    return RuntimeError, told, None


class _HideOwnRequests(logging.Filter):
    """Leaves out what httpx logs of our requests: whole addresses, with their signatures."""

    def filter(self, record: logging.LogRecord) -> bool:
        if threading.current_thread().name != LOOP_THREAD_NAME:
            return True
        # httpcore logs a reply's headers, in which a service may repeat anything.
        return record.name != "httpx" and "receive_response_headers.complete" not in str(record.msg)


def quiet_httpx() -> None:
    """Keep addresses and headers of our requests out of the logs of httpx."""
    for name in ("httpx", *(f"httpcore.{part}" for part in HTTPCORE_LOGGERS)):
        logger = logging.getLogger(name)
        if not any(type(each).__name__ == _HideOwnRequests.__name__ for each in logger.filters):
            logger.addFilter(_HideOwnRequests())


quiet_httpx()
