"""All errors of this package, as one tree under `WondaError`.

    WondaError
    ├── InvalidInputError, ClosedError, NoEventLoopError, MissingKeyError
    ├── APIError              one subclass per HTTP status
    ├── ServiceUnreachableError, UnexpectedReplyError, OutcomeUnknownError, …
    └── JobError              one subclass per way in which waiting for a job can end

Each error has a `message` (what happened), a `hint` (what to do next) and a `code`, which does not
change when the sentences do. ``str(error)`` returns both sentences. For job errors, it returns only
the service's own message; the hint is an exception note, which tracebacks show. All errors can be
pickled. A job cannot, so `JobError.job` becomes None and `job_id` is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from .console_text import printable
from .redaction import redact_keys

if TYPE_CHECKING:
    from datetime import datetime


class WondaError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    message : str
        What happened.
    hint : str
        What to do next; may be empty.
    code : str
        A stable identifier for programs, e.g. ``"already_published"``.
    """

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        # A key may be in an argument that the message quotes, such as a mistaken base URL.
        self.message = redact_keys(message)
        self.hint = redact_keys(hint)
        super().__init__(f"{self.message} {self.hint}".strip())

    def __str__(self) -> str:
        """Return the sentences with only characters that the console can print."""
        return printable(super().__str__())

    def with_hint(self, hint: str) -> Self:
        """Replace the hint and return the error itself, as `with_traceback` does."""
        message = super().__str__().removesuffix(self.hint).strip()
        self.hint = hint
        self.args = (f"{message} {hint}",)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # By default, pickle would call the subclass's constructor with `args`, which do not fit.
        return _unpickle, (type(self), self.args, {**self.__dict__, **self._pickle_overrides()})

    def _pickle_overrides(self) -> dict[str, Any]:
        """Return the attributes that are pickled with another value."""
        return {}


def _unpickle(cls: type[WondaError], args: tuple[Any, ...], state: dict[str, Any]) -> WondaError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidInputError(WondaError, ValueError):
    """An argument or a form field is invalid; nothing was sent.

    Attributes
    ----------
    field : str
        The argument's name (``"prompt"``, ``"caption"``, …).
    """

    code = "invalid_input"

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        self.field = field
        super().__init__(message, hint)


class ClosedError(WondaError, RuntimeError):
    """The client or its journal is closed; nothing was sent."""

    code = "client_closed"


class NoEventLoopError(WondaError, RuntimeError):
    """`AsyncWonda` was awaited outside asyncio, e.g. under trio; nothing was sent."""

    code = "no_event_loop"

    def __init__(self, library: str | None = None) -> None:
        actual = f"this is {library}" if library else "none is running here"
        super().__init__(
            f"AsyncWonda needs a running asyncio event loop, but {actual}.",
            "Await its methods inside asyncio.run(...), or use Wonda in a thread.",
        )


class MissingKeyError(WondaError):
    """No API key was passed and none was found."""

    code = "missing_key"

    def __init__(self) -> None:
        super().__init__(
            "No Wonda API key was found.",
            "Run ww.connect() in a notebook, set the environment variable WONDA_API_KEY "
            "(or pass api_key=…), or use Wonda.sandbox() to try everything without a key.",
        )


# ---------------------------------------------------------------- responses


class APIError(WondaError):
    """The service returned an error (wonda-api.md, section 2).

    Attributes
    ----------
    status : int
        The HTTP status.
    code : str
        The service's error code, e.g. ``"validation_error"``; if it sends none, a code for the
        status, e.g. ``"not_found"``.
    from_service : bool
        Whether the response body has the service's error format (an object with a code). If not,
        the response may come from a proxy.
    request_id : str or None
        The request ID in the response, if any.
    retry_after : float or None
        Seconds to wait before a retry, if the response says so.
    """

    code = "api_error"

    default_hint = ""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        request_id: str | None = None,
        hint: str = "",
        *,
        retry_after: float | None = None,
        from_service: bool = False,
    ) -> None:
        self.retry_after = retry_after
        self.status = status
        self.code = code or type(self).code
        self.from_service = from_service
        self.request_id = request_id
        with_status = f"{message.rstrip('.')} (HTTP {status}{', ' + code if code else ''})."
        super().__init__(with_status, hint or self.default_hint)
        self.message = message


class BadRequestError(APIError):
    """400: the request is invalid."""

    code = "bad_request"

    default_hint = "Nothing was created or charged. Correct the request, then try again."


class AuthenticationError(APIError):
    """401: the API key is missing or was rejected."""

    code = "unauthorized"

    default_hint = "Check WONDA_API_KEY. You can create and revoke keys in your Wonda settings."


class PaymentRequiredError(APIError):
    """402: the account has too few credits."""

    code = "payment_required"

    default_hint = "Nothing was created or charged. Add credits in your Wonda settings."


class PermissionDeniedError(APIError):
    """403: the account lacks the permission."""

    code = "forbidden"

    default_hint = "Check this account's plan and permissions in your Wonda settings."


class NotFoundError(APIError):
    """404: the resource does not exist, or belongs to another account."""

    code = "not_found"

    default_hint = "Check the ID, and that it belongs to this key's account."


class ConflictError(APIError):
    """409: the request conflicts with the current state of the resource."""

    code = "conflict"

    default_hint = "Wait a moment and try again; an upload may still be processing."


class GoneError(APIError):
    """410: the endpoint was removed."""

    code = "gone"

    default_hint = "Update wonda-widgets: the service no longer supports this request."


class RateLimitError(APIError):
    """429: too many requests.

    Attributes
    ----------
    defer_until : datetime.datetime or None
        When an exhausted quota resets, if the response says so.
    """

    code = "rate_limit_exceeded"

    default_hint = "Nothing was created or charged. Wait a moment and try again."

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        request_id: str | None = None,
        hint: str = "",
        *,
        retry_after: float | None = None,
        from_service: bool = False,
        defer_until: datetime | None = None,
    ) -> None:
        self.defer_until = defer_until
        if not hint and defer_until is not None:
            hint = f"Nothing was created or charged. Retry after {defer_until:%Y-%m-%d %H:%M %Z}."
        super().__init__(
            *(status, code, message, request_id, hint),
            retry_after=retry_after,
            from_service=from_service,
        )


class ServerError(APIError):
    """5xx: the service failed."""

    code = "internal_server_error"

    default_hint = "This is an error in the service. Try again later."


class ServiceUnreachableError(WondaError):
    """No connection could be made, or a read request got no response.

    Attributes
    ----------
    sent : bool
        Whether there was a connection, so that the request may have arrived; if False, nothing was
        sent.
    """

    code = "unreachable"

    def __init__(self, message: str, hint: str = "", *, sent: bool = False) -> None:
        self.sent = sent
        super().__init__(message, hint)


class NetworkSettingsError(ServiceUnreachableError):
    """A proxy or certificate setting of this computer is unusable; nothing was sent.

    The message names the environment variable.
    """

    code = "network_settings"


class UnexpectedReplyError(WondaError):
    """The response lacks what the service's documentation promises, e.g. an ID or a status."""

    code = "unexpected_reply"


class NotJSONError(UnexpectedReplyError):
    """The response is not JSON, e.g. a maintenance page."""

    code = "not_json"


class OutcomeUnknownError(WondaError):
    """A request may have taken effect, but its response was lost. It is never retried.

    Attributes
    ----------
    operation : str
        What was requested, e.g. ``"image generation"``.
    reason : str
        Why the outcome is unknown.
    check : str
        A sentence that says where to check whether the request took effect.
    intent : str or None
        The ID of the request's journal entry; `wonda.publish.check` accepts the error itself.
    kind : str
        ``"inference"``, ``"publish"`` or ``"upload"``; empty if unknown.
    """

    code = "outcome_unknown"

    def __init__(
        self,
        operation: str,
        reason: str,
        check: str,
        *,
        intent: str | None = None,
        kind: str = "",
    ) -> None:
        self.operation = operation
        self.kind = kind
        self.reason = reason
        self.check = check
        self.intent = intent
        super().__init__(
            f"The outcome of the {operation} is unknown: {reason}. It was not sent again.",
            check,
        )


class UnreadableOutcomeError(OutcomeUnknownError, UnexpectedReplyError):
    """The service accepted the request, but its response cannot be read."""

    code = "outcome_unknown"


class AlreadyPublishedError(WondaError):
    """The same image was, or may have been, posted to the same account with the same caption.

    Nothing was sent. Pass ``allow_repeat=True`` to post it again.

    Attributes
    ----------
    code : str
        ``"already_published"``, ``"already_requested"`` (the post is in progress or scheduled),
        ``"being_sent"`` (the response to the post has not arrived yet) or
        ``"possibly_published"`` (the account has a similar post).
    permalink : str or None
        The URL of the post, if known.
    published_at : datetime.datetime or None
        In UTC.
    job_id : str or None
        The publish job; pass the ID to `wonda.jobs.attach` to poll it.
    """

    code = "already_published"

    def __init__(
        self,
        message: str,
        *,
        permalink: str | None = None,
        published_at: datetime | None = None,
        job_id: str | None = None,
        hint: str = "Nothing was sent. To post it again, pass allow_repeat=True.",
        code: str = "already_published",
    ) -> None:
        self.code = code
        self.permalink = permalink
        self.published_at = published_at
        self.job_id = job_id
        super().__init__(message, hint)


class HistoryUnavailableError(WondaError):
    """The check for an earlier identical post failed; nothing was sent.

    Pass ``allow_unchecked=True`` to post without this check.
    """

    code = "history_unavailable"


# ---------------------------------------------------------------- jobs


class JobError(WondaError):
    """Base of the errors about one job.

    Attributes
    ----------
    job : Job or None
        The live job; None in an unpickled or copied error.
    job_id, kind : str or None
        Identify the job in any process: ``wonda.jobs.attach(error.kind, error.job_id)``.
    intent : str or None
        The ID of the job's journal entry.
    snapshot : Snapshot
        The job's state when the error was raised.
    """

    code = "job_error"

    default_hint = ""
    #: the hint for a publish job, if it differs
    publish_hint = ""

    def __init__(self, message: str, *, job: Any = None, snapshot: Any) -> None:
        self.job = job
        self.job_id = None if job is None else job.id
        self.kind = None if job is None else job.kind
        self.intent = None if job is None else job.intent
        self.snapshot = snapshot
        # The service's message must not be changed, so the hint becomes a note.
        super().__init__(message)
        hint = self.publish_hint if self.kind == "publish" else ""
        self.hint = hint or self.default_hint
        self.add_note(self.hint)

    def _pickle_overrides(self) -> dict[str, Any]:
        return {"job": None}


class JobFailedError(JobError):
    """The job ended as ``failed``; the message is the service's own, or "Job failed"."""

    code = "job_failed"

    default_hint = "Change the prompt or the settings and try again."
    publish_hint = "Nothing was posted. Check the image and the caption, then publish again."


class JobCanceledError(JobError):
    """The job ended as ``canceled``."""

    code = "job_canceled"

    default_hint = "Submit it again if you still want it."
    publish_hint = "Nothing was posted. Publish it again if you still want it."


class JobTimeoutError(JobError, TimeoutError):
    """`wait(timeout)` timed out. The job is still running and being polled."""

    code = "job_timeout"

    default_hint = "The job is still running and being polled. Call wait() again for its result."


class JobNotWatchedError(JobError):
    """Polling was stopped, or the client was closed, before the job ended."""

    code = "job_not_watched"

    default_hint = "The job may still be running. Call job.resume() to poll it again."


class NoMediaError(WondaError):
    """The job succeeded, but no output has media."""

    code = "no_media"

    def __init__(
        self,
        message: str = "No generated media found",
        hint: str = "Try again. The service's full response is in job.snapshot.raw.",
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.add_note(self.hint)


class UnsafeMediaError(WondaError):
    """A file was not opened: too large, too many pixels, truncated, or not an image."""

    code = "unsafe_media"


ERRORS_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    429: RateLimitError,
}
