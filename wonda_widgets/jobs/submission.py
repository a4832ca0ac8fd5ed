"""Submit requests that take effect: each is sent once, and the journal knows it before and after.

    journal: begin ──> duplicate guard ──> journal: sent ──> POST ──> journal: accepted
                                                              ├─────> journal: refused
                                                              └─────> journal: unknown

A submission goes on to its end even if nobody waits for it any more, as when a cell is interrupted
or a panel closed.
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

MAX_BODY_BYTES = 200_000  # larger ones would push older entries out of the journal
CLOSE_TIMEOUT = 5.0  # seconds that closing waits for requests that are being sent
JOURNAL_CLOSE_TIMEOUT = 5.0  # seconds that it then waits for the journal

NOT_SENT = "the client was closed before its turn came"
NO_ANSWER_YET = "the client was closed before the answer came"


class Operation(NamedTuple):
    """A kind of request that takes effect.

    Attributes
    ----------
    kind : str
        ``"inference"``, ``"publish"`` or ``"upload"``, as in the journal.
    path : str
    name : str
        For people: ``"image generation"``.
    check : str
        Where to look if its outcome is unknown, as a sentence.
    seconds : float
        How long its answer may take, if that is longer than the client's timeout.
    """

    kind: str
    path: str
    name: str
    check: str
    seconds: float = 0.0


class SubmitResult(NamedTuple):
    """What the reply to a submission says.

    Attributes
    ----------
    id : str
        Of the job, or of the media.
    status : str
        The first status, if the reply has one.
    reply : object
        The parsed reply, if it has more than an id.
    intent : str
        The id of the journal entry.
    final : bool
        Whether the request is done already, so that there is no job to follow.
    """

    id: str
    status: str = ""
    reply: Any = None
    intent: str = ""
    final: bool = False


class DuplicateGuard(Protocol):
    """Keeps a request from being sent twice.

    Attributes
    ----------
    dedupe_key : str
        The name by which the journal recognizes the request.
    former_keys : tuple of str
        Names of the same request from earlier versions.
    allow_repeat : bool
        Whether a person wants it once more.
    include_failed : bool
        Whether an earlier request counts also if it failed.
    """

    dedupe_key: str
    former_keys: tuple[str, ...]
    allow_repeat: bool
    include_failed: bool

    async def check_earlier(self, earlier: JournalEntry) -> None:
        """Find out what became of the same request; raises if it stands in the way."""

    async def check_elsewhere(self) -> None:
        """Check whether it was made elsewhere; raises if so."""


class Submitter:
    """Submits the requests of one client.

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
        """Start empty in a forked child: the parent's requests are the parent's."""
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
        """POST something that takes effect, once.

        Parameters
        ----------
        operation : Operation
        body : dict
            Sent as JSON; with `files`, only noted in the journal.
        read : callable
            Reads the reply, or raises `UnexpectedReplyError`.
        files : dict, optional
            Sent as a form instead of `body`.
        duplicate_guard : DuplicateGuard, optional
        precondition : callable, optional
            See `Journal.begin_request`.

        Raises
        ------
        OutcomeUnknownError
            If it may have arrived, but there is no usable answer.
        WondaError
            If it had no effect.
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
    ) -> T:
        """Submit, and give what `then` makes of the result, also if the caller is canceled."""

        async def work() -> T:
            return then(
                await self._submit(
                    operation,
                    body,
                    read,
                    duplicate_guard=duplicate_guard,
                    precondition=precondition,
                )
            )

        return await self._run_to_completion(work())

    async def _run_to_completion(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` to its end, also if the caller is canceled."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise  # the caller was canceled
        raise ClosedError("The client was closed before this was sent.", "Ask with a new one.")

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # the journal has it, also if nobody waits for it any more

    async def aclose(self) -> None:
        """Let requests that are being sent arrive; cancel them after a few seconds."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        # The next kernel finds what is known of them.
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
    ) -> SubmitResult:
        intent = await self._begin(operation, body, duplicate_guard, precondition)
        if duplicate_guard is not None and not duplicate_guard.allow_repeat:
            try:
                await duplicate_guard.check_elsewhere()
            except BaseException as error:
                written = self._journal.mark_refused(intent, f"not sent: {_reason(error)}")
                if isinstance(error, WondaError):
                    await _wait_for_journal(written)
                raise
        result = await self._send(operation, body, read, files, intent)
        # Whoever holds the job finds it in the journal, too.
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
        """Send the request, and note in the journal if it fails."""
        may_have_arrived = False

        async def before_send() -> None:
            nonlocal may_have_arrived
            # As late as possible: later checks look for what was made since this moment.
            noted = self._journal.mark_sent(intent, self._transport.clock.now)
            if not await asyncio.wrap_future(noted):
                reason = self._journal.problem or "This was settled meanwhile."
                raise WondaError(f"Nothing was sent. {reason}", "Then ask again.")
            may_have_arrived = True

        def on_not_sent() -> None:
            nonlocal may_have_arrived
            may_have_arrived = False

        try:
            raw = await self._transport.post(
                operation.path,
                operation.name,
                operation.check,
                before_send=before_send,
                on_not_sent=on_not_sent,
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
            # Awaited, as above, so that the next try finds it settled, in whichever kernel.
            await _wait_for_journal(self._journal.mark_refused(intent, _reason(error)))
            raise
        except asyncio.CancelledError:
            with contextlib.suppress(RuntimeError):  # the interpreter ends
                if not may_have_arrived:  # it waited for its turn, or for the next try
                    self._journal.mark_refused(intent, f"not sent: {NOT_SENT}")
                    raise
                self._journal.mark_unknown(intent, NO_ANSWER_YET)
        except Exception as error:
            if not may_have_arrived:  # for example, the journal's disk failed
                self._journal.mark_refused(intent, f"not sent: {_reason(error)}")
            raise
        # Raised here, so that it does not hold what was canceled.
        raise OutcomeUnknownError(
            *(operation.name, NO_ANSWER_YET, operation.check), intent=intent, kind=operation.kind
        )

    async def _begin(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        duplicate_guard: DuplicateGuard | None,
        precondition: Callable[[Any], None] | None,
    ) -> str:
        """Note the request in the journal; gives the id of its entry."""
        self._transport.check_open()
        text = self._transport.redact(encode_json(body))
        if len(text) > MAX_BODY_BYTES:
            raise InvalidInputError(
                "prompt",
                f"This is too long: the request has {len(text) / 1e6:.1f} MB.",
                "Shorten the text.",
            )
        canceled = threading.Event()

        def checked(connection: Any) -> None:
            if canceled.is_set():  # while it waited for another process
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
                response_timeout=self._transport.time_limit(operation.seconds),
                precondition=checked,
            )
            try:
                intent, earlier = await asyncio.wrap_future(begun)
            except asyncio.CancelledError:  # it may be noted already, but will not be sent
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
    """Wait until the journal has noted how a request ended.

    Closing the client ends the wait, but not the writing.
    """
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wrap_future(written)


def _reason(error: BaseException) -> str:
    return error.message if isinstance(error, WondaError) else type(error).__name__


def _read(raw: Any, operation: Operation, read: Callable[[Any], SubmitResult]) -> SubmitResult:
    """Read the reply to a request that was accepted.

    Raises
    ------
    UnreadableOutcomeError
        If it has no usable id.
    """
    result = None
    with contextlib.suppress(UnexpectedReplyError):
        result = read(raw)
    if result is None or result.id in {"", ".", ".."}:
        reason = "the service took it, but its reply does not say what came of it"
        raise UnreadableOutcomeError(operation.name, reason, operation.check)
    return result
