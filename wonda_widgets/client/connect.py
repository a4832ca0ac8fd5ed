"""`connect` and `disconnect`: use an API key without an environment variable."""

from __future__ import annotations

import getpass
import warnings
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import AuthenticationError, InvalidInputError
from ..errors.console_text import printable
from ..http import credentials
from ..http.base_url import DEFAULT_BASE_URL, normalize_base_url
from ..http.transport import Transport
from ..models import Account, parse
from ..utils import event_loop

if TYPE_CHECKING:
    from ..http.credentials import ApiKey

#: Seconds for each of connecting, sending and reading.
TIMEOUT_SECONDS = 10.0


def connect(*, keyring: bool = False, base_url: str | None = None) -> None:
    """Prompt for an API key and use it for every client created from now on.

    The password prompt keeps the key out of the notebook. The key is verified with the service
    and kept in this process's memory. An empty or canceled prompt changes nothing.

    Parameters
    ----------
    keyring : bool
        Whether to save the key in this computer's keyring as well, for later sessions
        (requires ``pip install keyring``).
    base_url : str, optional
        The API that the key belongs to; the key is not sent to any other. Default:
        ``WONDA_BASE_URL``, then ``WONDA_API_BASE``, then the service's own address.

    Raises
    ------
    InvalidInputError
        If no password prompt is available (Voilà, papermill, nbconvert, a script without a
        terminal), the address is invalid, or the input cannot be a key.
    AuthenticationError
        If the service rejects the key. Nothing is saved.
    APIError, ServiceUnreachableError, UnexpectedReplyError
        If the key cannot be verified. Nothing is saved.

    Examples
    --------
    >>> ww.connect()
    >>> studio = ww.Studio()
    """
    ask(keyring=keyring, base_url=base_url)


def disconnect() -> None:
    """Remove the key that was entered in `connect` from memory and from this computer's keyring.

    Environment variables are not changed, and existing clients keep working.

    Examples
    --------
    >>> ww.disconnect()
    """
    print(printable(" ".join(credentials.forget())))


def ask(*, keyring: bool, base_url: str | None) -> bool:
    """Run `connect` and return whether the key was saved everywhere as requested."""
    address = normalize_base_url(
        base_url or credentials.base_url_from_environment() or DEFAULT_BASE_URL
    )
    host = urlsplit(address).netloc
    key = _prompt_for_key(f"Wonda API key for {host}: ")
    if key is not None and not key.is_blank and not key.has_usual_format:
        key.validate()
        print(
            "This does not look like a key (sk_ followed by 64 hexadecimal digits). "
            "Enter it again to use it anyway, or press Enter to cancel."
        )
        key = _prompt_for_key(f"Wonda API key for {host}, again: ")
    if key is None or key.is_blank:
        print("No key was entered. Nothing was changed.")
        return False
    key.validate()
    account = _verify(key, address)
    credentials.connect(key, address)
    sentences = [f"Connected to {host}{f', plan {account.plan}' if account.plan else ''}."]
    problem = credentials.save_to_keyring(key, address) if keyring else ""
    if keyring:
        sentences.append(
            f"The key was not saved: {problem}"
            if problem
            else "The key is saved in this computer's keyring."
        )
    if variable := credentials.key_variable():
        sentences.append(f"But {variable} is set and takes precedence: unset it to use this key.")
    print(printable(" ".join(sentences)))
    return not problem


def _prompt_for_key(prompt: str) -> ApiKey | None:
    """Prompt for a key; return None if the prompt is canceled.

    A traceback may print the local variables of every frame, and those of the prompt contain
    the input. Therefore, no exception of the prompt leaves this function.

    Raises
    ------
    InvalidInputError
        If no hidden input is available.
    """
    interrupted = False
    try:
        with warnings.catch_warnings():
            # `getpass` warns before it falls back to visible input.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return credentials.wrap_pasted(getpass.getpass(prompt))
    except EOFError:
        return None
    except KeyboardInterrupt:
        interrupted = True
    except Exception:  # noqa: BLE001, S110 - StdinNotImplementedError, or a front end's own error
        pass
    if interrupted:
        raise KeyboardInterrupt
    raise InvalidInputError(
        "api_key",
        "A key cannot be entered here without showing it.",
        "Set the environment variable WONDA_API_KEY, or run "
        "`wonda-widgets login` in a terminal on this computer.",
    )


def _verify(key: ApiKey, address: str) -> Account:
    """Return the account that the key belongs to.

    Raises
    ------
    WondaError
        If the service rejects the key or cannot verify it.
    """
    try:
        return event_loop.run_blocking(_whoami(key, address))
    except AuthenticationError as error:
        error.with_hint(
            "The key was rejected and was not saved. Copy it again from your Wonda settings, or "
            "create a new one there."
        )
        raise


async def _whoami(key: ApiKey, address: str) -> Account:
    transport = Transport(key, address, TIMEOUT_SECONDS)
    try:
        return parse(await transport.get("/auth/whoami"), Account)
    finally:
        await transport.aclose()
