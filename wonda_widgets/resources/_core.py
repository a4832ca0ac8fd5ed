"""What the resources share: the transport, the jobs that live, and how to wait."""

from __future__ import annotations

import contextlib
import functools
import weakref
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import quote

from .. import runtime
from ..errors import UnexpectedReplyError, UnreadableOutcomeError
from ..jobs import Clock, Job

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping

    from ..jobs import Kind
    from ..transport import Transport

P = ParamSpec("P")
T = TypeVar("T")


class Core:
    """One client's transport and live jobs."""

    def __init__(self, transport: Transport, clock: type[Clock] | Clock = Clock) -> None:
        self.transport = transport
        self._clock = clock
        self._jobs: weakref.WeakSet[Job] = weakref.WeakSet()

    def follow(
        self,
        kind: Kind,
        job_id: str,
        *,
        request: Mapping[str, Any] | None = None,
        status: str | None = None,
        attached: bool = False,
    ) -> Job:
        """Make the job that follows `job_id`."""
        if job_id in {"", ".", ".."}:
            raise UnexpectedReplyError(f"{job_id!r} is not the id of a job.")
        # The path is the page's; an id is opaque, so it is quoted as one segment.
        path = f"/jobs/{kind}/{quote(job_id, safe='')}"
        job = Job(
            kind,
            job_id,
            lambda: self.transport.poll(path),
            request=request,
            status=status,
            attached=attached,
            clock=self._clock,
        )
        self._jobs.add(job)
        return job

    async def aclose(self) -> None:
        """Stop watching every job, then close the connections."""
        for job in list(self._jobs):
            job.stop()
        await self.transport.aclose()


@contextlib.contextmanager
def named_in_the_reply(what: str, operation: str, check: str) -> Iterator[None]:
    """Read the reply to a POST that was taken; if it names no `what`, nobody knows the outcome.

    Raises
    ------
    UnreadableOutcomeError
    """
    try:
        yield
    except UnexpectedReplyError:
        reason = f"the service took it, but named no {what}"
        raise UnreadableOutcomeError(operation, reason, check) from None


def on_package_loop(
    method: Callable[P, Coroutine[Any, Any, T]],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """Run a coroutine method on the package's loop, awaited from any other.

    A client's connections belong to one loop; so a caller may use it from as
    many loops and threads as they like.
    """

    @functools.wraps(method)
    async def bridged(*args: P.args, **kwargs: P.kwargs) -> T:
        return await runtime.bridge(method(*args, **kwargs))

    return bridged
