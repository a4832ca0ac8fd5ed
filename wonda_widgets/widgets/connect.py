"""`Connect`: use one's own account without setting an environment variable."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import traitlets

from .. import credentials, runtime
from ..errors import AuthenticationError, InvalidInputError
from ..models import Account, parse
from ..transport import DEFAULT_BASE_URL, Transport, checked_base_url
from ._panel import Panel, css, esm
from ._permissions import open_to_all
from ._sealed import Seal

if TYPE_CHECKING:
    from ..credentials import ApiKey

#: Seconds for each of connecting, sending and reading.
TIMEOUT = 10.0


class Connect(Panel):
    """Asks for an API key, and has the cells that run from then on use it.

    The key goes to the API and nowhere else: it is in no notebook, no output, no
    history and no log. It is kept in this process's memory and, only where that is
    ticked, in this computer's keyring (``pip install keyring``).

    Parameters
    ----------
    base_url : str, optional
        Else ``WONDA_BASE_URL``, then ``WONDA_API_BASE``, then the service's own.

    Raises
    ------
    InvalidInputError
        If the address cannot be used.

    Examples
    --------
    >>> Connect()
    >>> Wonda()                 # the next cell, after Connect
    """

    _needs_client = False
    _esm = esm("connect")
    _css = css()

    state = traitlets.Unicode("editing").tag(sync=True)
    """``"editing"``, ``"checking"`` or ``"connected"``."""
    plan = traitlets.Unicode("").tag(sync=True)
    """The account's plan, once connected."""
    host = traitlets.Unicode("").tag(sync=True)
    """Where the key goes."""
    variable = traitlets.Unicode("").tag(sync=True)
    """The environment variable that is used first, where one is set."""
    keyring = traitlets.Unicode("").tag(sync=True)
    """``"usable"``, ``"missing"`` or ``"unusable"``; empty until that is known."""
    note = traitlets.Unicode("").tag(sync=True)
    """What else is to be known."""
    seal = traitlets.Dict().tag(sync=True)
    """What the browser needs to seal the key."""

    def __init__(self, *, base_url: str | None = None) -> None:
        address = base_url or credentials.address_of_environment() or DEFAULT_BASE_URL
        self._address = checked_base_url(address)
        self._seal = Seal()
        super().__init__(
            host=urlsplit(self._address).netloc,
            seal=self._seal.shown,
            variable=credentials.variable() or "",
        )
        runtime.post(lambda: self._start(self._look_around))

    async def _look_around(self) -> None:
        """See what this computer offers, and whether a key is there from before."""
        self.keyring = await runtime.in_thread(credentials.keyring_state)
        kept = await runtime.in_thread(credentials.kept, self._address)
        if kept is not None and self.state == "editing":
            try:
                await self._verify(kept[0])
            except AuthenticationError:
                self.note = "The key that was kept is refused by now. Paste another one."

    # ------------------------------------------------------------ messages

    @open_to_all
    def _on_connect(self, content: dict[str, Any]) -> None:
        if self.state == "checking":
            return
        self.error, self.note = None, ""
        key = None
        with contextlib.suppress(KeyError, ValueError):
            key = self._seal.opened(content)
        if key is None:
            raise InvalidInputError("api_key", "The key did not arrive whole.", "Try again.")
        if key.is_blank:
            raise InvalidInputError("api_key", "Paste your key first.")
        key.check()
        if not key.is_usual and not content.get("sure"):
            raise InvalidInputError(
                "api_key",
                "This does not look like a key (sk_ and 64 characters of 0 to 9 and a to f).",
                "Press Connect again to try it all the same.",
            )
        self._start(self._connect, key, bool(content.get("keep")))

    async def _connect(self, key: ApiKey, keep: bool) -> None:  # noqa: FBT001 - a checkbox
        try:
            await self._verify(key)
        except AuthenticationError:
            self.error = {
                "title": "The key was refused.",
                "text": "Copy it again from your Wonda settings, or make a new one there. "
                "Nothing was kept.",
                "field": "",
            }
            return
        if keep:
            trouble = await runtime.in_thread(credentials.remember, key, self._address)
            self.note = (
                f"It was not kept for next time: {trouble}"
                if trouble
                else "It is in this computer's keyring for next time."
            )

    async def _verify(self, key: ApiKey) -> None:
        """Ask the service whose key it is."""
        self.variable = credentials.variable() or ""
        transport = Transport(key, self._address, TIMEOUT)
        self.state = "checking"
        try:
            account = parse(await transport.get("/auth/whoami"), Account)
        except BaseException:
            self.state = "editing"
            raise
        finally:
            await transport.aclose()
        credentials.connect(key, self._address)  # before anybody is told that it is used
        self.plan = account.plan or ""
        self.state = "connected"

    @open_to_all
    def _on_disconnect(self, _content: object) -> None:
        if self.state == "connected":
            self._start(self._disconnect)

    async def _disconnect(self) -> None:
        said = await runtime.in_thread(credentials.forget)
        self.note = " ".join([*said, "What was made with it before goes on using it."])
        self.state = "editing"
