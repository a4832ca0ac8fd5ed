"""The client: `AsyncWonda`, and `Wonda`, which drives it.

One implementation: the coroutines of `AsyncWonda` run on the package's own loop
(see `utils.event_loop`), whoever awaits them. `Wonda` has the same names and blocks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from .. import credentials
from ..api.accounts import Accounts, AsyncAccounts
from ..api.history import AsyncHistory, History
from ..api.images import AsyncImages, Images
from ..api.jobs import AsyncJobs, Jobs
from ..api.media import AsyncMedia, MediaLibrary
from ..api.pricing import AsyncPricing, Pricing
from ..api.publish import AsyncPublish, Publish
from ..errors import InvalidInputError
from ..errors.console_text import printable
from ..http import organization
from ..http.base_url import DEFAULT_BASE_URL, normalize_base_url
from ..http.transport import Transport
from ..jobs.core import Core, on_package_loop
from ..journal.journal import Journal
from ..journal.schema import MEMORY
from ..models import Account, Capabilities, parse
from ..utils import event_loop, open_clients
from . import config

if TYPE_CHECKING:
    import os

    import httpx

    from ..credentials import ApiKey
    from ..sandbox.faults import Faults


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
        slow. An image has 300 seconds.
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
    _arrived: config.ClientSettings | None = None  # of one from another process, until it is used

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
        key = credentials.wrap(api_key)
        del api_key  # a traceback may print what a frame holds
        key, address = credentials.resolve(key, base_url)
        self.base_url = normalize_base_url(address or DEFAULT_BASE_URL)
        self.org = organization.choose(org)
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
            See `wonda_widgets.sandbox.app.Sandbox`: ``seconds`` an image takes,
            ``credits`` in the purse, …
        """
        from ..sandbox.in_process import local_transport  # noqa: PLC0415 - only those who use it pay for it

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
        if normalize_base_url(base_url) == DEFAULT_BASE_URL:
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
            mine.transport.is_like(theirs.transport) and mine.journal.is_same_as(theirs.journal)
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
        if self._arrived is None and not config.is_shared(self):
            await self._core.aclose()

    def __reduce__(self) -> tuple[Any, ...]:
        return config.from_settings, (type(self), config.settings_of(self))

    def __dask_tokenize__(self) -> object:
        # Else Dask would unpickle it here to name its tasks, where the key may be no variable.
        return type(self).__name__, *config.settings_of(self)

    if not TYPE_CHECKING:  # a misspelt name stays one

        def __getattr__(self, name: str) -> Any:
            return config.connect_on_first_use(self, name)

    def _use(self, how: config.ClientSettings) -> None:
        self.__dict__.update(vars(config.shared_client(type(self), how)))

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
    ...     image = wonda.media.open(job.wait().media)
    """

    is_sandbox = False
    base_url = org = ""  # see above
    _arrived: config.ClientSettings | None = None

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
        key = credentials.wrap(api_key)
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
        return event_loop.run_blocking(self._async.capabilities())

    def whoami(self) -> Account:
        """See `AsyncWonda.whoami`."""
        return event_loop.run_blocking(self._async.whoami())

    def close(self) -> None:
        """See `AsyncWonda.aclose`."""
        if self._arrived is None:
            event_loop.run_blocking(self._async.aclose())

    def __reduce__(self) -> tuple[Any, ...]:
        return config.from_settings, (type(self), config.settings_of(self))

    def __dask_tokenize__(self) -> object:
        return type(self).__name__, *config.settings_of(self)  # see above

    if not TYPE_CHECKING:  # see above

        def __getattr__(self, name: str) -> Any:
            return config.connect_on_first_use(self, name)

    def _use(self, how: config.ClientSettings) -> None:
        self._drive(config.shared_client(AsyncWonda, how))

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
