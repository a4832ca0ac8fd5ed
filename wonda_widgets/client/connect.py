"""`connect` and `disconnect`: use one's own account without an environment variable."""

from __future__ import annotations

import getpass
import warnings
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .. import credentials
from ..errors import AuthenticationError, InvalidInputError
from ..errors.console_text import printable
from ..http.base_url import DEFAULT_BASE_URL, normalize_base_url
from ..http.transport import Transport
from ..models import Account, parse
from ..utils import event_loop

if TYPE_CHECKING:
    from ..credentials import ApiKey

#: Seconds for each of connecting, sending and reading.
TIMEOUT = 10.0


def connect(*, keyring: bool = False, base_url: str | None = None) -> None:
    """Ask for an API key, and have every client that is made from now on use it.

    The key is typed at a password prompt, which front ends keep out of the notebook. It is
    checked at the service, and stays in this process's memory. Nothing typed, or a prompt
    that is canceled, changes nothing.

    Parameters
    ----------
    keyring : bool
        Whether to put it into this computer's keyring too, for the next time
        (``pip install keyring``).
    base_url : str, optional
        Where the key is for; it is sent nowhere else. Else ``WONDA_BASE_URL``, then
        ``WONDA_API_BASE``, then the service's own.

    Raises
    ------
    InvalidInputError
        If there is no password prompt here (Voilà, papermill, nbconvert, a script without a
        terminal), if the address cannot be used, or if what was typed cannot be a key.
    AuthenticationError
        If the service refuses the key; nothing was kept.
    APIError, ServiceUnreachableError, UnexpectedReplyError
        If it cannot be checked; nothing was kept.

    Examples
    --------
    >>> ww.connect()
    >>> ww.Studio()
    """
    ask(keyring=keyring, base_url=base_url)


def disconnect() -> None:
    """Remove the key that `connect` was given from memory and from this computer's keyring.

    A key of the environment stays, and so do clients that were made with the removed one.
    """
    print(printable(" ".join(credentials.forget())))


def ask(*, keyring: bool, base_url: str | None) -> bool:
    """Do what `connect` does; gives whether the key is kept where it was to be."""
    address = normalize_base_url(
        base_url or credentials.base_url_from_environment() or DEFAULT_BASE_URL
    )
    host = urlsplit(address).netloc
    key = _asked(f"Wonda API key for {host}: ")
    if key is not None and not key.is_blank and not key.has_usual_format:
        key.validate()
        print(
            "This does not look like a key (sk_ and 64 characters of 0 to 9 and a to f). "
            "Enter it once more to try it all the same, or nothing to stop."
        )
        key = _asked(f"Wonda API key for {host}, once more: ")
    if key is None or key.is_blank:
        print("No key was entered. Nothing was changed.")
        return False
    key.validate()
    account = _verified(key, address)
    credentials.connect(key, address)
    said = [f"Connected to {host}{f', plan {account.plan}' if account.plan else ''}."]
    trouble = credentials.save_to_keyring(key, address) if keyring else ""
    if keyring:
        said.append(
            f"The key was not kept for next time: {trouble}"
            if trouble
            else "The key is in this computer's keyring for next time."
        )
    if variable := credentials.key_variable():
        said.append(f"But {variable} is set and comes first: unset it to use this key.")
    print(printable(" ".join(said)))
    return not trouble


def _asked(prompt: str) -> ApiKey | None:
    """The key that is typed; None if the person canceled.

    A traceback may print every local of every frame, and those of the prompt hold what was
    typed. So no error leaves here with its own.

    Raises
    ------
    InvalidInputError
        If nothing can be typed here without being seen.
    """
    interrupted = False
    try:
        with warnings.catch_warnings():
            # Before `getpass` would show what is typed, it warns.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return credentials.wrap_pasted(getpass.getpass(prompt))
    except EOFError:
        return None
    except KeyboardInterrupt:
        interrupted = True
    except Exception:  # noqa: BLE001, S110 - StdinNotImplementedError, or whatever a front end has
        pass
    if interrupted:
        raise KeyboardInterrupt
    raise InvalidInputError(
        "api_key",
        "A key cannot be typed here without being seen.",
        "Set the environment variable WONDA_API_KEY where this runs, or run "
        "`wonda-widgets login` in a terminal of this computer.",
    )


def _verified(key: ApiKey, address: str) -> Account:
    """Whose key it is.

    Raises
    ------
    WondaError
        If it is refused, or cannot be checked.
    """
    try:
        return event_loop.run_blocking(_whoami(key, address))
    except AuthenticationError as error:
        error.with_hint(
            "The key was refused and is not kept. Copy it again from your Wonda settings, or "
            "make a new one there."
        )
        raise


async def _whoami(key: ApiKey, address: str) -> Account:
    transport = Transport(key, address, TIMEOUT)
    try:
        return parse(await transport.get("/auth/whoami"), Account)
    finally:
        await transport.aclose()
