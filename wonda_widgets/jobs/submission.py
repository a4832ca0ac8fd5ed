"""Submit requests that take effect: each is sent once and recorded before and after.

    journal: begin ──> duplicate guard ──> journal: sent ──> POST ──> journal: accepted
                                                              ├─────> journal: refused
                                                              └─────> journal: unknown

A submission is completed even if nothing waits for it any more, for example after a cell was
interrupted or a panel was closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..errors import (
    ClosedError,
    InvalidInputError,
    OutcomeUnknownError,
    UnexpectedReplyError,
    UnreadableOutcomeError,
    WondaError,
)
from ..http.request_body import encode_json
from ..models import find_permalink
from ..utils import event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from concurrent.futures import Future

    from ..http.transport import Transport
    from ..journal.entries import JournalEntry
    from ..journal.journal import Journal

T = TypeVar("T")

MAX_BODY_BYTES = 200_000  # larger ones would cause older entries to be deleted from the journal
CLOSE_TIMEOUT = 5.0  # seconds that closing waits for requests that are being sent
JOURNAL_CLOSE_TIMEOUT = 5.0  # seconds that closing then waits for the journal

NOT_SENT = "the client was closed before the request was sent"
NO_ANSWER_YET = "the client was closed before the response arrived"


class Operation(NamedTuple):
    """A kind of request that takes effect.

    Attributes
    ----------
    kind : str
        ``"inference"``, ``"publish"`` or ``"upload"``, as in the journal.
    path : str
    name : str
        A name for messages: ``"image generation"``.
    check : str
        A sentence that says what to check if the outcome is unknown.
    seconds : float
        The maximum time until the response, if longer than the client's timeout.
    """

    kind: str
    path: str
    name: str
    check: str
    seconds: float = 0.0


class SubmitResult(NamedTuple):
    """The content of the response to a submission.

    Attributes
    ----------
    id : str
        The ID of the job or the media.
    status : str
        The first status, if the response has one.
    reply : object
        The parsed response, if it has more than an ID.
    intent : str
        The ID of the journal entry.
    final : bool
        Whether the request is already completed, so that there is no job to poll.
    """

    id: str
    status: str = ""
    reply: Any = None
    intent: str = ""
    final: bool = False


class DuplicateGuard(Protocol):
    """A check that prevents a request from being sent twice.

    Attributes
    ----------
    dedupe_key : str
        The key by which the request is found in the journal.
    former_keys : tuple of str
        Keys of the same request from earlier versions.
    allow_repeat : bool
        Whether the user wants to repeat the request.
    include_failed : bool
        Whether failed earlier requests count.
    """

    dedupe_key: str
    former_keys: tuple[str, ...]
    allow_repeat: bool
    include_failed: bool

    async def check_earlier(self, earlier: JournalEntry) -> None:
        """Find the outcome of the same earlier request; raise an error if it blocks this one."""

    async def check_elsewhere(self) -> None:
        """Check whether the request was made elsewhere; raise an error if so."""


class _OnlyCheckedError(Exception):
    """Raised in the journal's transaction, so that nothing is recorded."""


class Submitter:
    """The submitter of one client's requests.

    Parameters
    ----------
    transport : Transport
    journal : Journal
    """

    def __init__(self, transport: Transport, journal: Journal) -> None:
        self._transport = transport
        self._journal = journal
        self._tasks: set[asyncio.Task[Any]] = set()
        event_loop.reset_after_fork(self)

    def reset_in_child(self) -> None:
        """Discard the parent's requests in a forked child."""
        event_loop.keep_inherited(self._tasks)
        self._tasks = set()

    async def submit(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        read: Callable[[Any], SubmitResult],
        *,
        files: Mapping[str, Any] | None = None,
        duplicate_guard: DuplicateGuard | None = None,
        precondition: Callable[[Any], None] | None = None,
    ) -> SubmitResult:
        """Send a POST request that takes effect, once.

        Parameters
        ----------
        operation : Operation
        body : dict
            Sent as JSON; with `files`, only recorded in the journal.
        read : callable
            Reads the response or raises `UnexpectedReplyError`.
        files : dict, optional
            Sent as a form instead of `body`.
        duplicate_guard : DuplicateGuard, optional
        precondition : callable, optional
            See `Journal.begin_request`.

        Raises
        ------
        OutcomeUnknownError
            If the request may have arrived but there is no usable response.
        WondaError
            If the request had no effect.
        """
        work = self._submit(
            operation,
            body,
            read,
            files=files,
            duplicate_guard=duplicate_guard,
            precondition=precondition,
        )
        return await self._run_to_completion(work)

    async def submit_then(
        self,
        then: Callable[[SubmitResult], T],
        operation: Operation,
        body: Mapping[str, Any],
        read: Callable[[Any], SubmitResult],
        *,
        duplicate_guard: DuplicateGuard | None = None,
        precondition: Callable[[Any], None] | None = None,
        values: Mapping[str, str] | None = None,
    ) -> T:
        """Submit and return `then(result)`; finish both even if the caller is canceled.

        `values` are recorded with the request; see `Journal.begin_request`.
        """

        async def work() -> T:
            return then(
                await self._submit(
                    operation,
                    body,
                    read,
                    duplicate_guard=duplicate_guard,
                    precondition=precondition,
                    values=values,
                )
            )

        return await self._run_to_completion(work())

    async def require_new(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        duplicate_guard: DuplicateGuard,
        precondition: Callable[[Any], None],
    ) -> None:
        """Raise the error with which a repetition would be refused; send nothing.

        If the outcome of an earlier request is found meanwhile, the journal records it.
        """

        def stop(connection: Any) -> None:
            precondition(connection)
            raise _OnlyCheckedError

        with contextlib.suppress(_OnlyCheckedError):
            await self._begin(operation, body, duplicate_guard, stop)
        await duplicate_guard.check_elsewhere()

    async def _run_to_completion(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, even if the caller is canceled."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise  # the caller was canceled
        raise ClosedError("The client was closed before this was sent.", "Use a new client.")

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the outcome is in the journal even if nothing waits for it any more

    async def aclose(self) -> None:
        """Wait for requests that are being sent; cancel them after a few seconds."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        # The next kernel finds them in the journal.
        with contextlib.suppress(ClosedError, TimeoutError):
            written = asyncio.wrap_future(self._journal.flush())
            await asyncio.wait_for(written, JOURNAL_CLOSE_TIMEOUT)

    async def _submit(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        read: Callable[[Any], SubmitResult],
        *,
        files: Mapping[str, Any] | None = None,
        duplicate_guard: DuplicateGuard | None,
        precondition: Callable[[Any], None] | None,
        values: Mapping[str, str] | None = None,
    ) -> SubmitResult:
        intent = await self._begin(operation, body, duplicate_guard, precondition, values)
        if duplicate_guard is not None and not duplicate_guard.allow_repeat:
            try:
                await duplicate_guard.check_elsewhere()
            except BaseException as error:
                written = self._journal.mark_refused(intent, f"not sent: {_reason(error)}")
                if isinstance(error, WondaError):
                    await _wait_for_journal(written)
                raise
        result = await self._send(operation, body, read, files, intent)
        # The caller that holds the job also finds it in the journal.
        await _wait_for_journal(
            self._journal.mark_posted(intent, find_permalink(result.reply), None)
            if result.final
            else self._journal.mark_accepted(intent, result.id, result.status)
        )
        return result._replace(intent=intent)

    async def _send(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        read: Callable[[Any], SubmitResult],
        files: Mapping[str, Any] | None,
        intent: str,
    ) -> SubmitResult:
        """Send the request and record a failure in the journal."""
        may_have_arrived = False

        async def before_send() -> None:
            nonlocal may_have_arrived
            # As late as possible, because later checks look for requests since this moment.
            noted = self._journal.mark_sent(intent, self._transport.clock.now)
            if not await asyncio.wrap_future(noted):
                reason = self._journal.problem or "Its journal entry has changed in the meantime."
                raise WondaError(f"Nothing was sent. {reason}", "Then try again.")
            may_have_arrived = True

        def on_no_effect() -> None:
            nonlocal may_have_arrived
            may_have_arrived = False

        try:
            raw = await self._transport.post(
                operation.path,
                operation.name,
                operation.check,
                before_send=before_send,
                on_no_effect=on_no_effect,
                seconds=operation.seconds,
                **({"files": files} if files else {"body": body}),
            )
            return _read(raw, operation, read)
        except OutcomeUnknownError as error:
            error.intent, error.kind = intent, operation.kind
            taken = isinstance(error, UnreadableOutcomeError)
            await _wait_for_journal(
                self._journal.mark_unknown(intent, error.reason, was_accepted=taken)
            )
            raise
        except WondaError as error:
            # Awaited, as above, so that the next attempt in any kernel finds the outcome.
            await _wait_for_journal(self._journal.mark_refused(intent, _reason(error)))
            raise
        except asyncio.CancelledError:
            with contextlib.suppress(RuntimeError):  # the interpreter ends
                if not may_have_arrived:  # it was waiting to be sent, or for the next attempt
                    self._journal.mark_refused(intent, f"not sent: {NOT_SENT}")
                    raise
                self._journal.mark_unknown(intent, NO_ANSWER_YET)
        except Exception as error:
            if not may_have_arrived:  # for example, the journal's disk failed
                self._journal.mark_refused(intent, f"not sent: {_reason(error)}")
            raise
        # Raised here, so that the error does not reference the canceled request.
        raise OutcomeUnknownError(
            *(operation.name, NO_ANSWER_YET, operation.check), intent=intent, kind=operation.kind
        )

    async def _begin(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        duplicate_guard: DuplicateGuard | None,
        precondition: Callable[[Any], None] | None,
        values: Mapping[str, str] | None = None,
    ) -> str:
        """Record the request in the journal; return the ID of its entry."""
        self._transport.check_open()
        request = encode_json(body)
        text = self._transport.redact(request)
        if operation.kind == "publish" and text != request:
            raise InvalidInputError(
                "caption", "The text of this post contains your API key.", "Remove the key."
            )
        if len(text) > MAX_BODY_BYTES:
            raise InvalidInputError(
                "prompt",
                f"This is too long: the request has {len(text) / 1e6:.1f} MB.",
                "Shorten the text.",
            )
        canceled = threading.Event()

        def checked(connection: Any) -> None:
            if canceled.is_set():  # closed while this was waiting for another process
                raise ClosedError("The client was closed before this was sent.")
            if precondition is not None:
                precondition(connection)

        while True:
            begun = self._journal.begin_request(
                self._transport.journal_key,
                operation.kind,
                text,
                duplicate_guard.dedupe_key if duplicate_guard else "",
                former_keys=duplicate_guard.former_keys if duplicate_guard else (),
                allow_repeat=duplicate_guard.allow_repeat if duplicate_guard else False,
                include_failed=duplicate_guard.include_failed if duplicate_guard else False,
                path=operation.path,
                response_timeout=self._transport.time_limit(operation.seconds),
                precondition=checked,
                values=self._transport.redact(encode_json(values)) if values else b"",
            )
            try:
                intent, earlier = await asyncio.wrap_future(begun)
            except asyncio.CancelledError:  # it may be recorded already, but will not be sent
                canceled.set()
                begun.add_done_callback(self._never_sent)
                raise
            if earlier is None or duplicate_guard is None:
                return intent
            await duplicate_guard.check_earlier(earlier)

    def _never_sent(self, begun: Future[tuple[str, JournalEntry | None]]) -> None:
        if begun.cancelled() or begun.exception() is not None:
            return
        intent, earlier = begun.result()
        if earlier is None:
            with contextlib.suppress(ClosedError, RuntimeError):  # the interpreter ends
                self._journal.mark_refused(intent, f"not sent: {NOT_SENT}")


async def _wait_for_journal(written: Future[Any]) -> None:
    """Wait until the outcome of a request is recorded in the journal.

    Closing the client ends the wait but not the writing.
    """
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wrap_future(written)


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, WondaError) else type(error).__name__


def _read(raw: Any, operation: Operation, read: Callable[[Any], SubmitResult]) -> SubmitResult:
    """Read the response to a request that was accepted.

    Raises
    ------
    UnreadableOutcomeError
        If the response has no usable ID.
    """
    result = None
    with contextlib.suppress(UnexpectedReplyError):
        result = read(raw)
    if result is None or result.id in {"", ".", ".."}:
        reason = "the service accepted the request, but the response does not state the outcome"
        raise UnreadableOutcomeError(operation.name, reason, operation.check)
    return result
