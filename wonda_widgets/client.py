"""The client: `AsyncWonda`, and `Wonda`, which drives it.

One implementation: the coroutines of `AsyncWonda` run on the package's own loop
(see `runtime`), whoever awaits them. `Wonda` has the same names and blocks.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Self

from . import credentials, open_clients, organizations, runtime, settings
from .console import printable
from .database import MEMORY
from .errors import InvalidInputError, MissingKeyError
from .journal import Journal
from .models import Account, Capabilities, parse
from .resources._core import Core, on_package_loop
from .resources.accounts import Accounts, AsyncAccounts
from .resources.history import AsyncHistory, History
from .resources.images import AsyncImages, Images
from .resources.jobs import AsyncJobs, Jobs
from .resources.media import AsyncMedia, MediaLibrary
from .resources.pricing import AsyncPricing, Pricing
from .resources.publish import AsyncPublish, Publish
from .transport import DEFAULT_BASE_URL, Transport, checked_base_url

if TYPE_CHECKING:
    from collections.abc import Iterable

    import httpx

    from .credentials import ApiKey
    from .sandbox.faults import Faults


#: The address of a sandbox that panels use where there is no key.
SANDBOX_VARIABLE = "WONDA_SANDBOX_URL"


def has_key() -> bool:
    """Whether there is a key: in the environment, of `connect`, or in the keyring."""
    return credentials.variable() is not None or credentials.kept() is not None


class AsyncWonda:
    """The Wonda API, awaitable, from any event loop.

    It can be sent to another process (pickled): there it has the same address and journal, and
    takes the key from the environment there when it is first used (else `MissingKeyError`). The
    key itself is never sent.

    Parameters
    ----------
    api_key : str, optional
        Else ``WONDA_API_KEY``, then ``WONDERCAT_API_KEY``, then what `connect` was given.
    base_url : str, optional
        Else ``WONDA_BASE_URL``, then ``WONDA_API_BASE``, then the service's own.
    org : str, optional
        The slug of the organization in which requests are made and paid for, see
        `accounts.organizations`. Else ``WONDA_ORG``; ``""`` for none.
    timeout : float
        Seconds for each of connecting, sending and each read; from its turn on, a single try
        takes at most twice that, longer only for an upload or where the service is known to be
        slow. A picture has 300 seconds.
    journal : path, ``":memory:"`` or Journal, optional
        Where it is kept what was asked and what came back. Else ``WONDA_JOURNAL``, then a file
        in the user's data folder; with a `transport` of your own, in memory.
    transport : httpx.AsyncBaseTransport, optional
        Carries all requests instead of the network, for tests of your own.

    Attributes
    ----------
    images, publish, media, accounts, pricing, jobs, history
        The resources.
    is_sandbox : bool
        Whether this talks to a sandbox: in this process, or one that was named as such.
    faults : wonda_widgets.sandbox.faults.Faults or None
        Of a sandbox: what is to go wrong, for tests and demonstrations.

    Raises
    ------
    MissingKeyError
        If there is no key anywhere.
    InvalidInputError
        If key or address cannot be used.

    Examples
    --------
    >>> async with AsyncWonda.sandbox() as wonda:
    ...     job = await wonda.images.generate(model="nano-banana-2", prompt="A quiet harbour")
    ...     done = await job
    """

    is_sandbox = False
    is_by_default = False  # made where no client was named
    faults: Faults | None = None
    base_url = org = ""  # until it is built: a traceback prints half-built ones too
    _arrived: settings.Settings | None = None  # of one from another process, until it is used

    def __init__(
        self,
        api_key: str | ApiKey | None = None,
        *,
        base_url: str | None = None,
        org: str | None = None,
        timeout: float = 30.0,
        journal: str | os.PathLike[str] | Journal | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        key = credentials.wrapped(api_key)
        del api_key  # a traceback may print what a frame holds
        key, address = credentials.find(key, base_url)
        self.base_url = checked_base_url(address or DEFAULT_BASE_URL)
        self.org = organizations.chosen(org)
        if journal is None and transport is not None:
            journal = MEMORY  # a test does not write into what a person did
        shared = isinstance(journal, Journal)
        core = Core(
            Transport(key, self.base_url, timeout, transport, org=self.org),
            journal if isinstance(journal, Journal) else Journal(journal),
            closes_journal=not shared,
        )
        self._core = core
        core.client = self
        open_clients.add(core.name, self)
        self.publish = AsyncPublish(core)
        self.media = AsyncMedia(core)
        self.accounts = AsyncAccounts(core)
        self.pricing = AsyncPricing(core)
        self.images = AsyncImages(core, self.capabilities, self.pricing)
        self.jobs = AsyncJobs(core)
        self.history = AsyncHistory(core, self.media, self.accounts)

    @classmethod
    def sandbox(
        cls,
        *,
        org: str = "",
        journal: str | os.PathLike[str] | Journal = MEMORY,
        **options: Any,
    ) -> Self:
        """A client on a sandbox that lives in this process: no key, no cost, nothing published.

        Parameters
        ----------
        org : str
            As of `AsyncWonda`, but for the environment: this account has organizations only if
            ``organizations=`` names them.
        journal : path, ``":memory:"`` or Journal
            In memory by default, because the sandbox's jobs end with the process too.
        **options
            See `wonda_widgets.sandbox.Sandbox`: ``seconds`` a picture takes,
            ``credits`` in the purse, …
        """
        from .sandbox import local_transport  # noqa: PLC0415 - only those who use it pay for it

        local = local_transport(**options)
        client = cls(
            local.key, base_url=local.base_url, org=org, journal=journal, transport=local.transport
        )
        client.is_sandbox = client._core.is_sandbox = True
        client.faults = local.faults
        return client

    @classmethod
    def served_sandbox(
        cls,
        base_url: str,
        *,
        org: str = "",
        timeout: float = 30.0,
        journal: str | os.PathLike[str] | Journal | None = None,
    ) -> Self:
        """A client on a sandbox that another process serves, for several kernels together.

        Parameters
        ----------
        base_url : str
            As ``wonda-widgets sandbox`` prints it.
        org : str
            As of `sandbox`.
        timeout : float
            As of `AsyncWonda`.
        journal : path, ``":memory:"`` or Journal, optional
            As of `AsyncWonda`.
        """
        if checked_base_url(base_url) == DEFAULT_BASE_URL:
            raise InvalidInputError(
                "base_url", "This is the service itself, no sandbox.", "Use Wonda(key)."
            )
        key = "sk_" + "0" * 64
        client = cls(key, base_url=base_url, org=org, timeout=timeout, journal=journal)
        client.is_sandbox = client._core.is_sandbox = True
        return client

    @property
    def is_closed(self) -> bool:
        """Whether `aclose` was called."""
        return self._core.transport.closed

    def is_like(self, other: AsyncWonda) -> bool:
        """Whether both are the same account with the same journal, so that one does for both."""
        mine, theirs = self._core, other._core
        return mine is theirs or (
            mine.transport.is_like(theirs.transport) and mine.journal.is_like(theirs.journal)
        )

    def is_of_same_service(self, other: AsyncWonda) -> bool:
        """Whether both talk to the same service, or to the same sandbox."""
        return self._core.transport.is_of_same_service(other._core.transport)

    @on_package_loop
    async def capabilities(self) -> Capabilities:
        """What this account can make, with each model's parameters (`GET /capabilities`)."""
        return parse(await self._core.transport.get("/capabilities"), Capabilities)

    @on_package_loop
    async def whoami(self) -> Account:
        """Whose key this is (`GET /auth/whoami`)."""
        return parse(await self._core.transport.get("/auth/whoami"), Account)

    @on_package_loop
    async def aclose(self) -> None:
        """Stop watching all jobs and close all connections. Jobs go on at the service.

        Of one from another process nothing: others may have arrived as the same one.
        """
        if self._arrived is None and not settings.is_shared(self):
            await self._core.aclose()

    def __reduce__(self) -> tuple[Any, ...]:
        return settings.arrive, (type(self), settings.of(self))

    def __dask_tokenize__(self) -> object:
        # Else Dask would unpickle it here to name its tasks, where the key may be no variable.
        return type(self).__name__, *settings.of(self)

    if not TYPE_CHECKING:  # a misspelt name stays one

        def __getattr__(self, name: str) -> Any:
            return settings.first_use(self, name)

    def _use(self, how: settings.Settings) -> None:
        self.__dict__.update(vars(settings.shared(type(self), how)))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self  # it stands for connections and live jobs, of which there are no copies

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return _shown(self)


class Wonda:
    """The Wonda API, blocking, for cells and scripts.

    Takes the parameters of `AsyncWonda` and has the same resources. Jobs go on
    being followed in the background between the calls.

    Examples
    --------
    >>> with Wonda.sandbox() as wonda:
    ...     job = wonda.images.generate(model="nano-banana-2", prompt="A quiet harbour")
    ...     picture = wonda.media.open(job.wait().media)
    """

    is_sandbox = False
    base_url = org = ""  # see above
    _arrived: settings.Settings | None = None

    def __init__(
        self,
        api_key: str | ApiKey | None = None,
        *,
        base_url: str | None = None,
        org: str | None = None,
        timeout: float = 30.0,
        journal: str | os.PathLike[str] | Journal | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        key = credentials.wrapped(api_key)
        del api_key  # see above
        self._drive(
            AsyncWonda(
                key,
                base_url=base_url,
                org=org,
                timeout=timeout,
                journal=journal,
                transport=transport,
            )
        )

    @classmethod
    def sandbox(cls, **options: Any) -> Self:
        """See `AsyncWonda.sandbox`."""
        client = cls.__new__(cls)
        client._drive(AsyncWonda.sandbox(**options))  # noqa: SLF001 - it is this class
        return client

    @classmethod
    def served_sandbox(cls, base_url: str, **options: Any) -> Self:
        """See `AsyncWonda.served_sandbox`."""
        client = cls.__new__(cls)
        client._drive(AsyncWonda.served_sandbox(base_url, **options))  # noqa: SLF001 - see above
        return client

    def _drive(self, client: AsyncWonda) -> None:
        self._async = client
        self.base_url, self.org = client.base_url, client.org
        self.is_sandbox = client.is_sandbox
        self.faults = client.faults
        self.images = Images(client.images)
        self.publish = Publish(client.publish)
        self.media = MediaLibrary(client.media)
        self.accounts = Accounts(client.accounts)
        self.pricing = Pricing(client.pricing)
        self.jobs = Jobs(client.jobs)
        self.history = History(client.history)

    def capabilities(self) -> Capabilities:
        """See `AsyncWonda.capabilities`."""
        return runtime.call(self._async.capabilities())

    def whoami(self) -> Account:
        """See `AsyncWonda.whoami`."""
        return runtime.call(self._async.whoami())

    def close(self) -> None:
        """See `AsyncWonda.aclose`."""
        if self._arrived is None:
            runtime.call(self._async.aclose())

    def __reduce__(self) -> tuple[Any, ...]:
        return settings.arrive, (type(self), settings.of(self))

    def __dask_tokenize__(self) -> object:
        return type(self).__name__, *settings.of(self)  # see above

    if not TYPE_CHECKING:  # see above

        def __getattr__(self, name: str) -> Any:
            return settings.first_use(self, name)

    def _use(self, how: settings.Settings) -> None:
        self._drive(settings.shared(AsyncWonda, how))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self  # see above

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return _shown(self)


def _shown(client: Wonda | AsyncWonda) -> str:
    where = "sandbox" if client.is_sandbox else client.base_url
    org = f", organization {client.org}" if client.org else ""
    return printable(f"<{type(client).__name__} {where}{org}>")


_shared_sandbox: AsyncWonda | None = None


def default() -> AsyncWonda:
    """Give the client for where none is named; see `found`."""
    return found()[0]


def found(*, for_media: bool = False) -> tuple[AsyncWonda, bool]:
    """Find the client for where none is named, and say whether it was made now.

    It is one of the key that there is. Without a key it is the only open client of a real
    account; where none is open, it is the process's own sandbox, which is one for all, so that
    an image made in one panel is there in the next, and needs no closing.

    Parameters
    ----------
    for_media : bool
        Whether it is for media that exist: then an open client comes first, because they are
        likely to be from there.

    Raises
    ------
    InvalidInputError
        If there is no key, and several clients of real accounts are open.
    """
    global _shared_sandbox  # noqa: PLW0603 - one a process
    real, sandboxes = _open()
    if for_media and len(real) == 1:
        return real[0], False
    with contextlib.suppress(MissingKeyError):
        made = AsyncWonda()
        made.is_by_default = True
        return made, True
    if len(real) > 1:
        raise InvalidInputError(
            "wonda",
            "Several clients are open, and no key is set.",
            "Pass wonda=… with the one to use.",
        )
    if real:
        return real[0], False
    if for_media and len(sandboxes) == 1:
        return sandboxes[0], False
    if _shared_sandbox is None:
        served = os.environ.get(SANDBOX_VARIABLE, "").strip()
        _shared_sandbox = AsyncWonda.served_sandbox(served) if served else AsyncWonda.sandbox()
        _shared_sandbox.is_by_default = True
    return _shared_sandbox, False


def _open() -> tuple[list[AsyncWonda], list[AsyncWonda]]:
    """Give the open clients that people made: of real accounts, one of each, and sandboxes."""
    real: list[AsyncWonda] = []
    sandboxes: list[AsyncWonda] = []
    for each in open_clients.all_open():
        if each.is_by_default:
            continue
        (sandboxes if each.is_sandbox else real).append(each)
    return distinct(real), sandboxes


def distinct(clients: Iterable[AsyncWonda]) -> list[AsyncWonda]:
    """Give one of those that are alike, the first one, of each account and journal."""
    different: list[AsyncWonda] = []
    for each in clients:
        if not any(each.is_like(other) for other in different):
            different.append(each)
    return different


def awaitable(wonda: Wonda | AsyncWonda) -> AsyncWonda:
    """The awaitable client of either; widgets never block, so they use this one."""
    if not isinstance(wonda, Wonda | AsyncWonda):
        raise TypeError(
            f"wonda= takes a Wonda or AsyncWonda, not {type(wonda).__name__}; "
            "for a key, write wonda=Wonda(key)."
        )
    return wonda._async if isinstance(wonda, Wonda) else wonda  # noqa: SLF001 - of this module
