"""Find the API key to use, and protect it from leaks.

Sources in this order: the argument, the environment, the key that `connect` stored in this
process, and the system keyring if the user saved a key there. A key from the last two sources is
bound to the origin for which it was entered and is never sent to another one.

A traceback may print the local variables of every frame. Therefore, a key's text must not be in a
frame that can raise: the key is first wrapped by a constructor that cannot fail, and validated
afterwards.
"""

from __future__ import annotations

import functools
import os
import re
import string
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import urlsplit

from ..errors import InvalidInputError, MissingKeyError, redaction
from ..errors.console_text import printable
from ..utils import new_files, user_directories

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_VARIABLES = ("WONDA_API_KEY", "WONDERCAT_API_KEY")
BASE_URL_VARIABLES = ("WONDA_BASE_URL", "WONDA_API_BASE")
KEYRING_SERVICE = "wonda-widgets"
INSTALL_COMMAND = "pip install keyring"

#: Characters that may surround a pasted key: visible or invisible whitespace, and quotes.
_SURROUNDING_CHARACTERS = f"{string.whitespace}\u00a0\u200b\u2060\ufeff\"'`‘’“”«»"

#: A shorter key is not redacted, because its characters would occur in ordinary words.
MIN_REDACTED_LENGTH = 12

_DEFAULT_PORTS = {"http": 80, "https": 443}

T = TypeVar("T")


class ApiKey:
    """An API key that does not appear in `repr`, `vars`, logs, tracebacks or pickles.

    The constructor accepts anything and never fails; `validate` raises.

    Attributes
    ----------
    is_blank : bool
        Whether the key is an empty string.
    is_sendable : bool
        Whether the key can be sent as an HTTP header.
    has_usual_format : bool
    header : callable
        Returns the value of the Authorization header.
    redact : callable
        Replaces the key in bytes.
    pass_to : callable
        Calls a function with the key's text and returns its result.
    """

    __slots__ = (
        *("__weakref__", "has_usual_format", "header", "is_blank", "is_sendable", "pass_to"),
        "redact",
    )

    def __init__(self, key: object) -> None:
        text = key.strip() if isinstance(key, str) else ""
        data = text.encode(errors="replace")
        self.is_blank = isinstance(key, str) and not text
        self.is_sendable = re.fullmatch(r"[\x21-\x7e]+", text) is not None
        self.has_usual_format = re.fullmatch(r"sk_[0-9a-fA-F]{64}", text) is not None
        # Only closures contain the text, because their repr does not show it.
        self.header: Callable[[], str] = lambda: f"Bearer {text}"
        self.redact: Callable[[bytes], bytes] = lambda content: (
            content.replace(data, "…".encode()) if len(data) >= MIN_REDACTED_LENGTH else content
        )
        self.pass_to: Callable[[Callable[[str], object]], object] = lambda function: function(text)
        redaction.register(self)

    def validate(self) -> None:
        """Check that the key can be sent.

        Raises
        ------
        InvalidInputError
            If the key cannot be sent as an HTTP header.
        """
        if not self.is_sendable:
            raise InvalidInputError(
                "api_key",
                "The API key contains characters that no key has (spaces, line breaks, accents).",
                "Copy it again from your Wonda settings.",
            )

    def is_same_as(self, other: ApiKey) -> bool:
        """Return whether both are the same key."""
        return self.header() == other.header()

    def __repr__(self) -> str:
        return printable("ApiKey(…)")

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("An API key is never pickled; a worker reads its own environment.")


def wrap(key: str | ApiKey | None) -> ApiKey | None:
    """Wrap a key in an `ApiKey`. The caller must delete its own reference immediately."""
    return key if key is None or isinstance(key, ApiKey) else ApiKey(key)


def wrap_pasted(text: object) -> ApiKey:
    """Wrap a pasted key without the whitespace and quotes around it."""
    return ApiKey(text.strip(_SURROUNDING_CHARACTERS) if isinstance(text, str) else text)


def resolve(key: ApiKey | None, base_url: str | None) -> tuple[ApiKey, str | None]:
    """Return the key to use and its base URL; None for the service's own URL.

    Parameters
    ----------
    key : ApiKey, optional
        The caller's argument, which takes precedence.
    base_url : str, optional
        The caller's argument, which takes precedence.

    Raises
    ------
    MissingKeyError
        If no source has a key.
    InvalidInputError
        If the key cannot be sent.
    """
    base_url = base_url or base_url_from_environment()
    if key is None:
        key = _key_from_environment()
    if key is None:
        saved = saved_key(base_url)
        if saved is None:
            raise MissingKeyError
        key, base_url = saved
        key.validate()
        return key, base_url
    if key.is_blank:
        raise MissingKeyError
    key.validate()
    if not key.has_usual_format:
        # Not reported for the caller's line, because the warning would print it with the key.
        warnings.warn_explicit(
            "The API key does not look like one (sk_ and 64 hexadecimal characters). "
            "It will be tried anyway. If it is rejected, copy it again from your Wonda settings.",
            UserWarning,
            "wonda_widgets",
            1,
        )
    return key, base_url


def current_fingerprint(base_url: str | None = None) -> tuple[object, str | None] | None:
    """Return the hash of the key that a new client would use, and its base URL.

    The result differs if the key or the URL has changed. It is None if there is no key for
    `base_url` or, by default, for the environment's URL.
    """
    key = _key_from_environment()
    if key is not None:
        return key.pass_to(hash), base_url or base_url_from_environment()
    saved = saved_key(base_url)
    return None if saved is None else (saved[0].pass_to(hash), saved[1])


def key_variable() -> str | None:
    """Return the name of the environment variable that has the key; None if none has."""
    return next((name for name in KEY_VARIABLES if os.environ.get(name, "").strip()), None)


def _key_from_environment() -> ApiKey | None:
    name = key_variable()
    return None if name is None else ApiKey(os.environ.get(name))


def base_url_from_environment() -> str | None:
    """Return the base URL that the environment sets; None if it sets none."""
    values = (os.environ.get(name, "").strip() for name in BASE_URL_VARIABLES)
    return next((value for value in values if value), None)


# ---------------------------------------------------------------- this process

_connected: tuple[ApiKey, str] | None = None


def connect(key: ApiKey, base_url: str) -> None:
    """Make all new clients for the origin of `base_url` use `key`."""
    global _connected  # noqa: PLW0603 - one per process
    _connected = key, base_url


def saved_key(base_url: str | None = None) -> tuple[ApiKey, str] | None:
    """Return the key from `connect` or the keyring, and its base URL.

    The result is None if there is no key, or if `base_url` (or else the environment's) has a
    different origin from the one for which the key was entered.
    """
    base_url = base_url or base_url_from_environment()
    home = _connected[1] if _connected else _marked_url()
    if home is None or (base_url and origin(base_url) != origin(home)):
        return None
    if _connected is None:
        key, problem = _attempt(functools.partial(_read_keyring, home))
        if problem:
            warnings.warn(f"Your saved key is not used: {problem}", stacklevel=3)
        if key is None:
            return None
        connect(key, home)  # the keyring is read once per process
        return key, base_url or home
    return _connected[0], base_url or home


def origin(url: str) -> str:
    """Return scheme, host and any non-default port of a URL; empty if it is invalid."""
    try:
        parts = urlsplit(url.strip())
        port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
    except ValueError:
        return ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}" if host else ""


# ---------------------------------------------------------------- the keyring


def keyring_state() -> Literal["usable", "missing", "unusable"]:
    """Return whether the system keyring can store a key; "missing" without `keyring`."""
    if find_spec("keyring") is None:
        return "missing"
    priority, _ = _attempt(_keyring_priority)
    return "usable" if (priority or 0) > 0 else "unusable"


def save_to_keyring(key: ApiKey, base_url: str) -> str:
    """Save `key` in the system keyring; return an error message, or "" on success."""
    home = _marked_url()
    if home is not None and origin(home) != origin(base_url):
        remove_from_keyring()
    # The marker is written first: without it, a saved key could not be found and removed.
    _, problem = _attempt(lambda: _write_marker(base_url))
    if not problem:
        _, problem = _attempt(lambda: _write_keyring(key, base_url))
        if problem and home is None:
            _attempt(_remove_marker)
    return problem


def forget() -> list[str]:
    """Remove the key from memory and keyring; return messages that say what was removed."""
    global _connected  # noqa: PLW0603 - one per process
    messages = []
    if _connected is not None:
        _connected = None
        messages.append("The key was removed from memory.")
    messages += remove_from_keyring()
    return messages or ["No key was saved."]


def remove_from_keyring() -> list[str]:
    """Remove the key from the keyring; return the outcome as sentences, empty without a key."""
    home = _marked_url()
    if home is None:
        return []
    _, problem = _attempt(lambda: _delete_from_keyring(home))
    if problem:
        key, unreadable = _attempt(lambda: _read_keyring(home))
        if key is not None or unreadable:
            return [f"The key is still in the keyring: {problem}"]
    _, problem = _attempt(_remove_marker)
    if problem:
        return [problem]
    return [f"The key for {origin(home)} was removed from the keyring."]


def _attempt(work: Callable[[], T]) -> tuple[T | None, str]:
    """Return the result of `work`, or None and an error message.

    Exceptions are not raised, because their frames contain the key.
    """
    interrupted = False
    try:
        return work(), ""
    except ImportError:
        problem = f"keyring is not installed. Install it with: {INSTALL_COMMAND}"
    except OSError as error:
        reason = error.strerror or type(error).__name__
        problem = f"{reason[:1].upper()}{reason[1:]}."
    except KeyboardInterrupt:
        interrupted, problem = True, ""
    except Exception as error:  # noqa: BLE001 - each keyring backend raises its own errors
        problem = f"this computer's keyring refused access ({type(error).__name__})."
    if interrupted:
        raise KeyboardInterrupt
    return None, problem


def _keyring_priority() -> float:
    import keyring  # noqa: PLC0415 - an optional dependency

    return float(keyring.get_keyring().priority)


def _read_keyring(home: str) -> ApiKey | None:
    import keyring  # noqa: PLC0415

    return wrap(keyring.get_password(KEYRING_SERVICE, origin(home)))


def _write_keyring(key: ApiKey, base_url: str) -> None:
    import keyring  # noqa: PLC0415

    key.pass_to(functools.partial(keyring.set_password, KEYRING_SERVICE, origin(base_url)))


def _delete_from_keyring(home: str) -> None:
    import keyring  # noqa: PLC0415

    keyring.delete_password(KEYRING_SERVICE, origin(home))


# ---------------------------------------------------------------- the marker file


def marker_path() -> Path:
    """Return the file that contains the base URL, not the key, of the key in the keyring.

    Without this file, the keyring is not accessed, so users who did not save a key are never asked
    for the keyring's password.

    Raises
    ------
    FileNotFoundError
        If this user has no home folder.
    """
    return user_directories.config_folder() / "keyring"


def _marked_url() -> str | None:
    try:
        return marker_path().read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeError):
        return None


def has_marker() -> bool:
    """Return whether a key was saved in this computer's keyring."""
    try:
        return marker_path().exists()
    except OSError:
        return False


def _write_marker(base_url: str) -> None:
    path = marker_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    new_files.replace(path, f"{base_url}\n".encode())


def _remove_marker() -> None:
    marker_path().unlink(missing_ok=True)
