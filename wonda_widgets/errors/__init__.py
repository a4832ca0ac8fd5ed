"""Everything that can go wrong, as one tree under `WondaError`.

Each error says what happened (`message`), what to do next (`hint`), and in one word for
programs which error it is (`code`): sentences change, a code does not. `str()`
gives the sentences, except for the job errors, which keep the service's own words alone
and carry the hint as an exception note, so that a traceback still shows it.
All of them survive pickling, with everything that they know. A live job does not, so
it is left behind: `JobError.job_id` says which one it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from .console_text import printable

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
        Which error it is, for programs, e.g. ``"already_published"``.
    """

    code = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = message
        self.hint = hint
        super().__init__(f"{message} {hint}".strip())

    def __str__(self) -> str:
        """Say it as this console can print it."""
        return printable(super().__str__())

    def advising(self, hint: str) -> Self:
        """Give the same error with another advice, where it is known what was tried."""
        said = super().__str__().removesuffix(self.hint).strip()
        self.hint = hint
        self.args = (f"{said} {hint}",)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Subclasses have constructors of their own, which pickle cannot guess.
        return _rebuild, (type(self), self.args, {**self.__dict__, **self._unpicklable()})

    def _unpicklable(self) -> dict[str, Any]:
        return {}


def _rebuild(cls: type[WondaError], args: tuple[Any, ...], state: dict[str, Any]) -> WondaError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidInputError(WondaError, ValueError):
    """Something typed or passed is known to be refused; nothing was sent.

    Attributes
    ----------
    field : str
        Which input, by its Python name (``"prompt"``, ``"caption"``, …).
    """

    code = "invalid_input"

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        self.field = field
        super().__init__(message, hint)


class ClosedError(WondaError, RuntimeError):
    """The client, or its journal, was closed before this was sent; nothing was."""

    code = "client_closed"


class NoEventLoopError(WondaError, RuntimeError):
    """`AsyncWonda` was awaited where asyncio does not run, as under trio; nothing was sent."""

    code = "no_event_loop"

    def __init__(self, library: str | None = None) -> None:
        instead = f"this is {library}" if library else "none is running here"
        super().__init__(
            f"AsyncWonda needs a running asyncio event loop, and {instead}.",
            "Await it within asyncio.run(...), or use Wonda in a thread.",
        )


class MissingKeyError(WondaError):
    """No API key was given, and none was found."""

    code = "missing_key"

    def __init__(self) -> None:
        super().__init__(
            "No Wonda API key was found.",
            "Run ww.connect() in a notebook, set the environment variable WONDA_API_KEY "
            "(or pass api_key=…), or use Wonda.sandbox() to try everything without a key.",
        )


# ---------------------------------------------------------------- replies


class APIError(WondaError):
    """The service answered with an error (wonda-api.md, section 2).

    Attributes
    ----------
    status : int
        The HTTP status.
    code : str
        The service's word for programs, e.g. ``"validation_error"``; where it gives none, one
        for the status, e.g. ``"not_found"``.
    by_service : bool
        Whether the reply has the form in which this API tells errors (an object with a code), so
        that it is the service's own, and not, say, a proxy's.
    request_id : str or None
        The reply's request id, where the service sent one.
    retry_after : float or None
        Seconds to wait before another try, where the reply says so.
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
        by_service: bool = False,
    ) -> None:
        self.retry_after = retry_after
        self.status = status
        self.code = code or type(self).code
        self.by_service = by_service
        self.request_id = request_id
        what = f"{message.rstrip('.')} (HTTP {status}{', ' + code if code else ''})."
        super().__init__(what, hint or self.default_hint)
        self.message = message


class BadRequestError(APIError):
    """400: the request is not valid as it stands."""

    code = "bad_request"

    default_hint = "Nothing was made or charged. Change the request as the message says."


class AuthenticationError(APIError):
    """401: the key is missing or was refused."""

    code = "unauthorized"

    default_hint = "Check WONDA_API_KEY: keys are made and revoked in your Wonda settings."


class PaymentRequiredError(APIError):
    """402: not enough credits."""

    code = "payment_required"

    default_hint = "Nothing was made or charged. Add credits in your Wonda settings."


class PermissionDeniedError(APIError):
    """403: the account may not do this."""

    code = "forbidden"

    default_hint = "Check the plan and the permissions of this account in your Wonda settings."


class NotFoundError(APIError):
    """404: there is no such thing, or not for this account."""

    code = "not_found"

    default_hint = "Check the id, and that it belongs to the account of this key."


class ConflictError(APIError):
    """409: clashes with the present state of the resource."""

    code = "conflict"

    default_hint = "Wait a moment and try again, for instance while an upload is processed."


class GoneError(APIError):
    """410: this endpoint was retired."""

    code = "gone"

    default_hint = "Update wonda-widgets; the service no longer offers this."


class RateLimitError(APIError):
    """429: too many requests.

    Attributes
    ----------
    defer_until : datetime.datetime or None
        When an exhausted quota opens again, where the reply says so.
    """

    code = "rate_limit_exceeded"

    default_hint = "Nothing was made or charged. Wait a little and try again."

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        request_id: str | None = None,
        hint: str = "",
        *,
        retry_after: float | None = None,
        by_service: bool = False,
        defer_until: datetime | None = None,
    ) -> None:
        self.defer_until = defer_until
        if not hint and defer_until is not None:
            hint = (
                f"Nothing was made or charged. It opens again at {defer_until:%Y-%m-%d %H:%M %Z}."
            )
        super().__init__(
            *(status, code, message, request_id, hint),
            retry_after=retry_after,
            by_service=by_service,
        )


class ServerError(APIError):
    """5xx: the service failed."""

    code = "internal_server_error"

    default_hint = "This is a fault of the service; try again later."


class ServiceUnreachableError(WondaError):
    """No connection could be made, so nothing was sent; or a read got no answer.

    Attributes
    ----------
    sent : bool
        Whether there was a connection, so that the request may have arrived.
    """

    code = "unreachable"

    def __init__(self, message: str, hint: str = "", *, sent: bool = False) -> None:
        self.sent = sent
        super().__init__(message, hint)


class NetworkSettingsError(ServiceUnreachableError):
    """A network setting of this computer (a proxy, certificates) cannot be used.

    Nothing was sent. The message names the environment variable.
    """

    code = "network_settings"


class UnexpectedReplyError(WondaError):
    """A reply that is not what the service promises: not JSON, no id, no status."""

    code = "unexpected_reply"


class NotJSONError(UnexpectedReplyError):
    """A reply that is not JSON, for instance a maintenance page."""

    code = "not_json"


class OutcomeUnknownError(WondaError):
    """A request that may have taken effect, but whose reply was lost.

    It is never repeated by itself.

    Attributes
    ----------
    operation : str
        What was asked, e.g. ``"image generation"``.
    reason : str
        Why it is not known.
    check : str
        Where to look whether it took effect.
    intent : str or None
        Its entry in the journal, which `wonda.publish.check` takes.
    kind : str
        ``"inference"``, ``"publish"`` or ``"upload"``; empty if that is not known.
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
            f"It is not known whether the {operation} took effect: {reason}. It was not repeated.",
            check,
        )


class UnreadableOutcomeError(OutcomeUnknownError, UnexpectedReplyError):
    """The service took the request, but its reply cannot be read: both of its bases."""

    code = "outcome_unknown"


class AlreadyPublishedError(WondaError):
    """The same image was posted to the same account with the same caption before, or may have been.

    Nothing was sent. ``allow_repeat=True`` posts it again.

    Attributes
    ----------
    code : str
        ``"already_published"``, ``"already_requested"`` (it is being sent, is on its way, or is
        scheduled) or ``"possibly_published"`` (the history has a post that may be the same).
    permalink : str or None
        The post, where it is known.
    published_at : datetime.datetime or None
        When, in UTC.
    job_id : str or None
        Its publish job, which `wonda.jobs.attach` follows.
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
    """Whether the same was posted before could not be checked, so nothing was sent.

    ``allow_unchecked=True`` posts without this check.
    """

    code = "history_unavailable"


# ---------------------------------------------------------------- jobs


class JobError(WondaError):
    """Something about one job.

    Attributes
    ----------
    job : Job or None
        The live job; None in another process than its own, and in a copy.
    job_id, kind : str or None
        Which one it was, wherever the error goes: ``wonda.jobs.attach(error.kind, error.job_id)``
        follows it there.
    intent : str or None
        Its entry in the journal.
    snapshot : Snapshot
        What was true of it.
    """

    code = "job_error"

    default_hint = ""

    def __init__(self, message: str, *, job: Any = None, snapshot: Any) -> None:
        self.job = job
        self.job_id = None if job is None else job.id
        self.kind = None if job is None else job.kind
        self.intent = None if job is None else job.intent
        self.snapshot = snapshot
        # The page's own words stay as they are, so the hint goes beside them.
        super().__init__(message)
        self.hint = self.default_hint
        self.add_note(self.hint)

    def _unpicklable(self) -> dict[str, Any]:
        return {"job": None}


class JobFailedError(JobError):
    """The job ended as ``failed``; the message is the service's, or "Job failed"."""

    code = "job_failed"

    default_hint = "Change the prompt or the settings and try again."


class JobCanceledError(JobError):
    """The job ended as ``canceled``."""

    code = "job_canceled"

    default_hint = "Submit it again if you still want it."


class JobTimeoutError(JobError, TimeoutError):
    """`wait(timeout)` ran out. The job goes on and stays watched."""

    code = "job_timeout"

    default_hint = "The job goes on at the service and stays watched; wait again for its result."


class JobNotWatchedError(JobError):
    """Watching was stopped, or the client was closed, before the job ended."""

    code = "job_not_watched"

    default_hint = "The job goes on at the service; job.resume() follows it again."


class NoMediaError(WondaError):
    """The job succeeded, but none of its outputs has media."""

    code = "no_media"

    def __init__(
        self,
        message: str = "No generated media found",
        hint: str = "The service made no image. Try again; its whole reply is in job.snapshot.raw.",
    ) -> None:
        super().__init__(message)
        self.hint = hint
        self.add_note(self.hint)


class UnsafeMediaError(WondaError):
    """Media that is not opened: too large, too many pixels, not an image, cut short."""

    code = "unsafe_media"


BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    402: PaymentRequiredError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    429: RateLimitError,
}
