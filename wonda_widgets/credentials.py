"""Where the key comes from, and the one thing that holds it.

It is looked for in this order: the argument, the environment, what `connect` was
given in this process, and this computer's keyring if the person asked for that. A
key of the last two belongs to the origin it was given for and is used for no other.

A traceback may print every local of every frame. So the text of a key is in no
frame that can raise: it is wrapped first, by a constructor that cannot fail, and
judged afterwards.
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

from .errors import InvalidInputError, MissingKeyError
from .errors.console_text import printable
from .utils import new_files, redaction
from .utils import user_directories as homes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

KEY_VARIABLES = ("WONDA_API_KEY", "WONDERCAT_API_KEY")
BASE_URL_VARIABLES = ("WONDA_BASE_URL", "WONDA_API_BASE")
SERVICE = "wonda-widgets"
EXTRA = "pip install keyring"

#: What may stand around a key that was pasted: blanks, seen or not, and quotes.
_AROUND = f"{string.whitespace}\u00a0\u200b\u2060\ufeff\"'`‘’“”«»"
SHORTEST = 12  # characters of a key that can be told from other text

_PORTS = {"http": 80, "https": 443}

T = TypeVar("T")


class ApiKey:
    """The key, out of reach of `repr`, `vars`, logs, tracebacks and pickles.

    Making one never fails, whatever it is made of; `check` does.
    """

    __slots__ = (
        *("__weakref__", "given_to", "header", "is_blank", "is_sendable", "is_usual"),
        "redact",
    )

    def __init__(self, key: object) -> None:
        text = key.strip() if isinstance(key, str) else ""
        data = text.encode(errors="replace")
        self.is_blank = isinstance(key, str) and not text
        self.is_sendable = re.fullmatch(r"[\x21-\x7e]+", text) is not None
        self.is_usual = re.fullmatch(r"sk_[0-9a-fA-F]{64}", text) is not None
        # Closures, because they have no repr to leak by.
        self.header: Callable[[], str] = lambda: f"Bearer {text}"
        # A key of a few letters would be found in many a word.
        self.redact: Callable[[bytes], bytes] = lambda reply: (
            reply.replace(data, "…".encode()) if len(data) >= SHORTEST else reply
        )
        self.given_to: Callable[[Callable[[str], object]], object] = lambda taker: taker(text)
        redaction.register(self)

    def check(self) -> None:
        """See that it can be sent.

        Raises
        ------
        InvalidInputError
            If it could not even be sent as a header.
        """
        if not self.is_sendable:
            raise InvalidInputError(
                "api_key",
                "The API key has characters that no key has (blanks, line breaks, accents).",
                "Copy it again from your Wonda settings.",
            )

    def is_like(self, other: ApiKey) -> bool:
        """Whether both are the same key."""
        return self.header() == other.header()

    def __repr__(self) -> str:
        return printable("ApiKey(…)")

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("An API key is never pickled; a worker reads its own environment.")


def wrapped(key: str | ApiKey | None) -> ApiKey | None:
    """Put an argument out of reach. The caller drops its own name of it at once."""
    return key if key is None or isinstance(key, ApiKey) else ApiKey(key)


def pasted(text: object) -> ApiKey:
    """Wrap a key that somebody pasted, without the blanks and quotes around it."""
    return ApiKey(text.strip(_AROUND) if isinstance(text, str) else text)


def find(key: ApiKey | None, base_url: str | None) -> tuple[ApiKey, str | None]:
    """The key to use, and the address to use it at; None for the service's own.

    Raises
    ------
    MissingKeyError
        If there is no key anywhere.
    InvalidInputError
        If the key cannot be used.
    """
    address = base_url or address_of_environment()
    if key is None:
        key = _of_environment()
    if key is None:
        found = kept(address)
        if found is None:
            raise MissingKeyError
        key, address = found
        key.check()
        return key, address
    if key.is_blank:
        raise MissingKeyError
    key.check()
    if not key.is_usual:
        # Not as of the caller's line, which is printed along and may hold what was typed.
        warnings.warn_explicit(
            "The API key does not look like one (sk_ and 64 hexadecimal characters). "
            "It is tried all the same; if it is refused, copy it again from your settings.",
            UserWarning,
            "wonda_widgets",
            1,
        )
    return key, address


def in_use(address: str | None = None) -> tuple[object, str | None] | None:
    """What tells a client of now from one of before: its key, as a number, and its address.

    None if there is no key, for `address` or else for the environment's.
    """
    key = _of_environment()
    found = kept(address) if key is None else (key, address or address_of_environment())
    return None if found is None else (found[0].given_to(hash), found[1])


def variable() -> str | None:
    """The environment variable that gives the key; None if none does."""
    return next((name for name in KEY_VARIABLES if os.environ.get(name, "").strip()), None)


def _of_environment() -> ApiKey | None:
    name = variable()
    return None if name is None else ApiKey(os.environ.get(name))


def address_of_environment() -> str | None:
    """The base URL that the environment names."""
    found = (os.environ.get(name, "").strip() for name in BASE_URL_VARIABLES)
    return next((address for address in found if address), None)


# ---------------------------------------------------------------- this process

_connected: tuple[ApiKey, str] | None = None


def connect(key: ApiKey, base_url: str) -> None:
    """Have every client that is made from now on, for this origin, use `key`."""
    global _connected  # noqa: PLW0603 - one a process
    _connected = key, base_url


def kept(address: str | None = None) -> tuple[ApiKey, str] | None:
    """The key of `connect` or of the keyring, and the address to use it at.

    None if there is none, or if `address` (else the environment's) is of another
    origin than the one that the key was given for.
    """
    address = address or address_of_environment()
    home = _connected[1] if _connected else _marked()
    if home is None or (address and origin(address) != origin(home)):
        return None
    if _connected is None:
        key, trouble = _tried(functools.partial(_read, home))
        if trouble:
            warnings.warn(f"Your key is not used: {trouble}", stacklevel=3)
        if key is None:
            return None
        connect(key, home)  # so that the keyring is asked once
        return key, address or home
    return _connected[0], address or home


def origin(address: str) -> str:
    """Scheme, host and, where it is an unusual one, port; empty if it is no address."""
    try:
        parts = urlsplit(address.strip())
        port = "" if parts.port in {None, _PORTS.get(parts.scheme)} else f":{parts.port}"
    except ValueError:
        return ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}{port}" if host else ""


# ---------------------------------------------------------------- the keyring


def keyring_state() -> Literal["usable", "missing", "unusable"]:
    """Whether this computer has a keyring that a key can be put into."""
    if find_spec("keyring") is None:
        return "missing"
    priority, _ = _tried(_priority)
    return "usable" if (priority or 0) > 0 else "unusable"


def remember(key: ApiKey, base_url: str) -> str:
    """Put `key` into the keyring; a sentence about what went wrong, empty if nothing did."""
    home = _marked()
    if home is not None and origin(home) != origin(base_url):
        forget_kept()
    # The mark comes first: a key without one could not be found again to be removed.
    _, trouble = _tried(lambda: _mark(base_url))
    if not trouble:
        _, trouble = _tried(lambda: _write(key, base_url))
        if trouble and home is None:
            _tried(_unmark)
    return trouble


def forget() -> list[str]:
    """Remove the key wherever this package keeps it; says in sentences what was removed."""
    global _connected  # noqa: PLW0603 - one a process
    said = []
    if _connected is not None:
        _connected = None
        said.append("The key was removed from memory.")
    said += forget_kept()
    return said or ["No key was kept."]


def forget_kept() -> list[str]:
    """Remove the key from the keyring; says so, and nothing if there was none."""
    home = _marked()
    if home is None:
        return []
    _, trouble = _tried(lambda: _delete(home))
    if trouble:
        left, unread = _tried(lambda: _read(home))
        if left is not None or unread:
            return [f"The key is still in the keyring: {trouble}"]
    _, trouble = _tried(_unmark)
    return [trouble] if trouble else [f"The key for {origin(home)} was removed from the keyring."]


def _tried(work: Callable[[], T]) -> tuple[T | None, str]:
    """What `work` gives, or why it failed. Its frames hold the key, so no error leaves here."""
    interrupted = False
    try:
        return work(), ""
    except ImportError:
        trouble = f"keyring is not installed. Install it with: {EXTRA}"
    except OSError as error:
        reason = error.strerror or type(error).__name__
        trouble = f"{reason[:1].upper()}{reason[1:]}."
    except KeyboardInterrupt:
        interrupted, trouble = True, ""
    except Exception as error:  # noqa: BLE001 - backends raise whatever their system raises
        trouble = f"this computer's keyring did not allow it ({type(error).__name__})."
    if interrupted:
        raise KeyboardInterrupt
    return None, trouble


def _priority() -> float:
    import keyring  # noqa: PLC0415 - an extra, and only for those who ask

    return float(keyring.get_keyring().priority)


def _read(home: str) -> ApiKey | None:
    import keyring  # noqa: PLC0415

    return wrapped(keyring.get_password(SERVICE, origin(home)))


def _write(key: ApiKey, base_url: str) -> None:
    import keyring  # noqa: PLC0415

    key.given_to(functools.partial(keyring.set_password, SERVICE, origin(base_url)))


def _delete(home: str) -> None:
    import keyring  # noqa: PLC0415

    keyring.delete_password(SERVICE, origin(home))


# ---------------------------------------------------------------- the mark


def mark_path() -> Path:
    """The file that says for which address a key is in the keyring. The key is not in it.

    Without it the keyring is left alone, so that nobody is asked for a password
    who did not want this.

    Raises
    ------
    FileNotFoundError
        If this user has no home folder.
    """
    return homes.config_folder() / "keyring"


def _marked() -> str | None:
    try:
        return mark_path().read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeError):
        return None


def is_marked() -> bool:
    """Whether a key was put into the keyring of this computer."""
    try:
        return mark_path().exists()
    except OSError:
        return False


def _mark(base_url: str) -> None:
    path = mark_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    new_files.replace(path, f"{base_url}\n".encode())


def _unmark() -> None:
    mark_path().unlink(missing_ok=True)
