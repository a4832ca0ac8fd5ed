"""The clients: `AsyncWonda`, and `Wonda`, its blocking counterpart with the same names.

Wonda ──blocks on──> AsyncWonda ──runs on──> the package's event loop (`utils.event_loop`)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ..api.accounts import Accounts, AsyncAccounts
from ..api.history import AsyncHistory, History
from ..api.images import AsyncImages, Images
from ..api.jobs import AsyncJobs, Jobs
from ..api.media import AsyncMedia, MediaLibrary
from ..api.pricing import AsyncPricing, Pricing
from ..api.publish import AsyncPublish, Publish
from ..api.reviews import AsyncReviews, Reviews
from ..api.snippets import AsyncSnippets, Snippets
from ..api.videos import AsyncVideos, Videos
from ..errors import InvalidInputError
from ..errors.console_text import printable
from ..http import credentials, organization
from ..http.base_url import DEFAULT_BASE_URL, normalize_base_url
from ..http.transport import Transport
from ..jobs.core import Core, on_package_loop
from ..journal.journal import Journal
from ..journal.schema import MEMORY
from ..models import Account, Capabilities, parse
from ..utils import arguments, event_loop, open_clients
from . import config

if TYPE_CHECKING:
    import os

    import httpx

    from ..http.credentials import ApiKey
    from ..sandbox.faults import Faults


class AsyncWonda:
    """Async client of the Wonda API, usable from any event loop.

    A client can be pickled. In another process it has the same base URL and journal, and takes
    the API key from that process's environment on first use (or raises `MissingKeyError`). The
    key itself is never pickled.

    Parameters
    ----------
    api_key : str, optional
        Default: ``WONDA_API_KEY``, then ``WONDERCAT_API_KEY``, then the key from `connect`.
    base_url : str, optional
        Default: ``WONDA_BASE_URL``, then ``WONDA_API_BASE``, then the service's own address.
    org : str, optional
        Slug of the organization that makes and pays for requests; see
        `accounts.organizations`. Default: ``WONDA_ORG``; ``""`` for none.
    timeout : float
        Seconds for each of connecting, sending and each read. Once it leaves the queue, an attempt
        takes at most twice as long, except for uploads and requests known to be slow. Downloading
        an image may take 300 seconds.
    journal : path, ``":memory:"`` or Journal, optional
        Where requests and their results are recorded. Default: ``WONDA_JOURNAL``, then a file
        in the user's data folder; in memory if `transport` is given.
    transport : httpx.AsyncBaseTransport, optional
        Replaces the network, for tests.

    Attributes
    ----------
    images, videos, publish, media, accounts, pricing, jobs, history, reviews, snippets
        The resources.
    is_sandbox : bool
        Whether the client uses a sandbox, in this process or another one.
    faults : wonda_widgets.sandbox.faults.Faults or None
        The errors that an in-process sandbox simulates, for tests and demonstrations.

    Raises
    ------
    MissingKeyError
        If there is no API key.
    InvalidInputError
        If the key or the base URL is invalid.

    Examples
    --------
    >>> async def main():
    ...     async with ww.AsyncWonda.sandbox() as wonda:
    ...         job = await wonda.images.generate(model="nano-banana-2", prompt="A quiet harbor")
    ...         return (await job).media
    >>> media = asyncio.run(main())  # in a notebook: await main()
    """

    is_sandbox = False
    is_implicit = False  # created by a panel or function that was given no client
    faults: Faults | None = None
    base_url = org = ""  # so that a traceback can print a client whose __init__ failed
    _pending_settings: config.ClientSettings | None = None  # set after unpickling, until first use

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
        del api_key  # a traceback may print local variables
        key, address = credentials.resolve(key, base_url)
        self.base_url = normalize_base_url(address or DEFAULT_BASE_URL)
        self.org = organization.choose(org)
        seconds = arguments.check_seconds("timeout", timeout)
        if not seconds:
            raise InvalidInputError("timeout", "timeout must be a number of seconds above 0.")
        if journal is None and transport is not None:
            journal = MEMORY  # tests must not write to the user's journal
        core = Core(
            Transport(key, self.base_url, seconds, transport, org=self.org),
            journal if isinstance(journal, Journal) else Journal(journal),
            closes_journal=not isinstance(journal, Journal),
        )
        self._core = core
        core.client = self
        open_clients.add(core.name, self)
        self.publish = AsyncPublish(core)
        self.media = AsyncMedia(core)
        self.accounts = AsyncAccounts(core)
        self.pricing = AsyncPricing(core)
        self.images = AsyncImages(core, self.capabilities, self.pricing)
        self.videos = AsyncVideos(core, self.capabilities, self.pricing)
        self.jobs = AsyncJobs(core)
        self.history = AsyncHistory(core, self.media, self.accounts)
        self.reviews = AsyncReviews(core, self.history)
        self.snippets = AsyncSnippets(core)

    @classmethod
    def sandbox(
        cls,
        *,
        org: str = "",
        journal: str | os.PathLike[str] | Journal = MEMORY,
        **options: Any,
    ) -> Self:
        """Create a client for a sandbox in this process: no key, no cost, nothing is published.

        Parameters
        ----------
        org : str
            Slug of one of the sandbox's ``organizations=``. ``WONDA_ORG`` is ignored.
        journal : path, ``":memory:"`` or Journal
            In memory by default, because the sandbox's jobs are also lost when the process ends.
        **options
            See `wonda_widgets.sandbox.app.Sandbox`: ``seconds`` per image, ``credits`` of the
            account, …
        """
        from ..sandbox.in_process import local_transport  # noqa: PLC0415 - loaded only if it is used

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
        """Create a client for a sandbox in another process, which several kernels can share.

        Parameters
        ----------
        base_url : str
            The address that ``wonda-widgets sandbox`` prints.
        org : str
            See `sandbox`.
        timeout : float
            See `AsyncWonda`.
        journal : path, ``":memory:"`` or Journal, optional
            See `AsyncWonda`.

        Raises
        ------
        InvalidInputError
            If the base URL is invalid, or is the address of the real service.
        """
        if normalize_base_url(base_url) == DEFAULT_BASE_URL:
            raise InvalidInputError(
                "base_url", "This is the real service, not a sandbox.", "Use Wonda(key)."
            )
        key = "sk_" + "0" * 64
        client = cls(key, base_url=base_url, org=org, timeout=timeout, journal=journal)
        client.is_sandbox = client._core.is_sandbox = True
        return client

    @property
    def is_closed(self) -> bool:
        """Whether the client is closed."""
        return self._core.transport.closed

    def is_equivalent_to(self, other: AsyncWonda) -> bool:
        """Check whether both clients have the same account and journal."""
        mine, theirs = self._core, other._core
        return mine is theirs or (
            mine.transport.is_like(theirs.transport) and mine.journal.is_same_as(theirs.journal)
        )

    def is_of_same_service(self, other: AsyncWonda) -> bool:
        """Check whether both clients use the same service, or the same sandbox."""
        return self._core.transport.is_of_same_service(other._core.transport)

    @on_package_loop
    async def capabilities(self) -> Capabilities:
        """Return the available models and their parameters (`GET /capabilities`)."""
        return parse(await self._core.transport.get("/capabilities"), Capabilities)

    @on_package_loop
    async def whoami(self) -> Account:
        """Return the account that the API key belongs to (`GET /auth/whoami`)."""
        return parse(await self._core.transport.get("/auth/whoami"), Account)

    @on_package_loop
    async def aclose(self) -> None:
        """Stop polling all jobs and close all connections. The jobs keep running at the service.

        This has no effect on an unpickled client, because others may share its connections.
        """
        if self._pending_settings is None and not config.is_shared(self):
            await self._core.aclose()
            await self.media.delete_copies()

    def __reduce__(self) -> tuple[Any, ...]:
        return config.from_settings, (type(self), config.settings_of(self))

    def __dask_tokenize__(self) -> object:
        # Without this, Dask unpickles the client here, where the key may not be in an environment
        # variable.
        return type(self).__name__, *config.settings_of(self)

    if not TYPE_CHECKING:  # so that type checkers still report misspelled attributes

        def __getattr__(self, name: str) -> Any:
            return config.connect_on_first_use(self, name)

    def _connect(self, settings: config.ClientSettings) -> None:
        self.__dict__.update(vars(config.shared_client(type(self), settings)))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self  # connections and live jobs cannot be copied

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return _repr(self)


class Wonda:
    """Blocking client of the Wonda API, for notebooks and scripts.

    It has the parameters and resources of `AsyncWonda`. Jobs are polled in the background between
    calls.

    Examples
    --------
    >>> with ww.Wonda.sandbox() as wonda:
    ...     job = wonda.images.generate(model="nano-banana-2", prompt="A quiet harbor")
    ...     image = wonda.media.open(job.wait().media)  # a PIL.Image
    """

    is_sandbox = False
    base_url = org = ""  # see `AsyncWonda`
    _pending_settings: config.ClientSettings | None = None

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
        del api_key  # see `AsyncWonda`
        self._wrap(
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
        client._wrap(AsyncWonda.sandbox(**options))  # noqa: SLF001 - of this class
        return client

    @classmethod
    def served_sandbox(cls, base_url: str, **options: Any) -> Self:
        """See `AsyncWonda.served_sandbox`."""
        client = cls.__new__(cls)
        client._wrap(AsyncWonda.served_sandbox(base_url, **options))  # noqa: SLF001 - of this class
        return client

    def _wrap(self, client: AsyncWonda) -> None:
        self._async = client
        self.base_url, self.org = client.base_url, client.org
        self.is_sandbox = client.is_sandbox
        self.faults = client.faults
        self.images = Images(client.images)
        self.videos = Videos(client.videos)
        self.publish = Publish(client.publish)
        self.media = MediaLibrary(client.media)
        self.accounts = Accounts(client.accounts)
        self.pricing = Pricing(client.pricing)
        self.jobs = Jobs(client.jobs)
        self.history = History(client.history)
        self.reviews = Reviews(client.reviews)
        self.snippets = Snippets(client.snippets)

    def capabilities(self) -> Capabilities:
        """See `AsyncWonda.capabilities`."""
        return event_loop.run_blocking(self._async.capabilities())

    def whoami(self) -> Account:
        """See `AsyncWonda.whoami`."""
        return event_loop.run_blocking(self._async.whoami())

    def close(self) -> None:
        """See `AsyncWonda.aclose`."""
        if self._pending_settings is None:
            event_loop.run_blocking(self._async.aclose())

    def __reduce__(self) -> tuple[Any, ...]:
        return config.from_settings, (type(self), config.settings_of(self))

    def __dask_tokenize__(self) -> object:
        return type(self).__name__, *config.settings_of(self)  # see `AsyncWonda`

    if not TYPE_CHECKING:  # see `AsyncWonda`

        def __getattr__(self, name: str) -> Any:
            return config.connect_on_first_use(self, name)

    def _connect(self, settings: config.ClientSettings) -> None:
        self._wrap(config.shared_client(AsyncWonda, settings))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self  # see `AsyncWonda`

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return _repr(self)


def _repr(client: Wonda | AsyncWonda) -> str:
    where = "sandbox" if client.is_sandbox else client.base_url
    org = f", organization {client.org}" if client.org else ""
    return printable(f"<{type(client).__name__} {where}{org}>")
