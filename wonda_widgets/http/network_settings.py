"""The network settings of this computer: its proxies and certificates, read with care.

httpx reads the same environment variables, but one that it cannot read ends in an error
from below: a missing file, a missing package, an address that is none. Here each becomes
a sentence that names the variable. A proxy's user name and password are in none of them.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies

import httpx

from ..errors import NetworkSettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

CERT_FILE, CERT_DIR, KEY_LOG = "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"
SOCKS = ("socks5", "socks5h")
SCHEMES = ("http", "https", *SOCKS)
ANEW = "then restart the kernel or the script."


# ---------------------------------------------------------------- certificates


def ssl_context(*, trust_env: bool) -> ssl.SSLContext:
    """Read the certificates by which services are recognized.

    Parameters
    ----------
    trust_env : bool
        Whether ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` replace the built-in ones.

    Raises
    ------
    NetworkSettingsError
        If they cannot be read.
    """
    file = os.environ.get(CERT_FILE) if trust_env else None
    folders = os.environ.get(CERT_DIR) if trust_env else None
    if folders and not file and not any(map(os.path.isdir, folders.split(os.pathsep))):
        raise NetworkSettingsError(
            f"{CERT_DIR} is {folders}, which is not a folder.",
            f"Correct it or unset it, {ANEW}",
        )
    try:
        return httpx.create_ssl_context(trust_env=trust_env)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        problem = error
    key_log = os.environ.get(KEY_LOG)
    if key_log and not _can_append(key_log):
        raise NetworkSettingsError(
            f"{KEY_LOG} is {key_log}, which cannot be written.",
            f"Correct it or unset it, {ANEW}",
        )
    if file:
        raise NetworkSettingsError(
            f"{CERT_FILE} is {file}, {_unreadable(problem)}.",
            f"Set it to a file of root certificates in PEM format, or unset it, {ANEW}",
        )
    raise NetworkSettingsError(
        f"No root certificates could be read: {_unreadable(problem)}.",
        f"Reinstall certifi, or set {CERT_FILE} to a file of root certificates in PEM format.",
    )


def _unreadable(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) or not isinstance(error, OSError):
        return "which holds no certificates in PEM format"
    if isinstance(error, FileNotFoundError):
        return "which does not exist"
    return f"which cannot be read ({(error.strerror or type(error).__name__).lower()})"


def _can_append(path: str) -> bool:
    try:
        with Path(path).open("ab"):
            return True
    except (OSError, ValueError):
        return False


def certificate_advice(text: str) -> str:
    """Say what to do about a certificate that was not accepted.

    Parameters
    ----------
    text : str
        What OpenSSL said of it.
    """
    if "expired" in text or "not yet valid" in text:
        return f"Check this computer's date and time. {_own_root()}"
    if "mismatch" in text:
        return f"It belongs to another host: check the address and the proxy. {_own_root()}"
    return _own_root()


def _own_root() -> str:
    set_to = next((name for name in (CERT_FILE, CERT_DIR) if os.environ.get(name)), None)
    if set_to is None:
        return (
            "If your network or the service uses a private root certificate, set SSL_CERT_FILE "
            f"to a PEM file that contains it, {ANEW}"
        )
    return (
        f"{set_to} is {os.environ[set_to]} and replaces the built-in root certificates: add the "
        f"root certificate of your network or service to it (PEM format), {ANEW}"
    )


# ---------------------------------------------------------------- proxies


def proxy_routes() -> dict[str, str | None]:
    """Give the environment's proxies by the URLs that go by them, as httpx has them; None is none.

    httpx takes these for `mounts`, but tells nobody which it finds for itself. Entries of
    ``NO_PROXY`` that no URL can match are left out.
    """
    found = getproxies()
    routes: dict[str, str | None] = {}
    for scheme in ("http", "https", "all"):
        if proxy := found.get(scheme, "").strip():
            routes[f"{scheme}://"] = proxy if "://" in proxy else f"http://{proxy}"
    direct = [host.strip() for host in found.get("no", "").split(",")]
    if "*" in direct:
        return {}
    patterns = [_pattern(host) for host in direct if host]
    return routes | {pattern: None for pattern in patterns if _is_readable(pattern)}


def mounts(
    transport: Callable[[str], httpx.AsyncBaseTransport],
) -> dict[str, httpx.AsyncBaseTransport | None]:
    """Give the environment's proxies as httpx takes them.

    A proxy that cannot be used is an error only for the requests that would go by it: a
    desktop that sets ``ALL_PROXY`` to what no Python client knows sets the others too.

    Parameters
    ----------
    transport : callable
        Makes the transport of a proxy's address.
    """
    made: dict[str, httpx.AsyncBaseTransport | None] = {}
    for pattern, proxy in proxy_routes().items():
        problem = proxy and proxy_problem(pattern.partition(":")[0], proxy)
        if problem:
            made[pattern] = _Unusable(*problem)
        else:
            made[pattern] = transport(proxy) if proxy else None
    return made


def problems() -> list[str]:
    """Say what cannot be used of the settings, each in a sentence."""
    said = []
    try:
        ssl_context(trust_env=True)
    except NetworkSettingsError as error:
        said.append(str(error))
    for pattern, proxy in proxy_routes().items():
        problem = proxy_problem(pattern.partition(":")[0], proxy) if proxy else None
        said += [" ".join(problem)] if problem else []
    return said


def proxy_problem(scheme: str, proxy: str) -> tuple[str, str] | None:
    """Say why a proxy cannot be used, and what to do; None if it can be.

    Parameters
    ----------
    scheme : str
        ``"http"``, ``"https"`` or ``"all"``: of the URLs that would go by it.
    proxy : str
        Its address.
    """
    name = _variable(scheme)
    shown = _without_password(proxy)
    said = f"{name} ({shown})" if shown else f"{name} (not shown: it may contain a password)"
    like = f"Set it to an address like http://proxy.example:8080, or unset it, {ANEW}"
    kind = proxy.partition("://")[0].lower()
    if kind not in SCHEMES:
        return f"{said} begins with {kind}://, which is not supported.", (
            f"Use http://, https:// or socks5://, or unset it, {ANEW}"
        )
    try:
        there = httpx.URL(proxy)
        httpx.Proxy(there)  # raises for what only it refuses
        port_is_possible = there.port is None or 0 < there.port < 65536  # noqa: PLR2004
        is_address = bool(there.host) and "%" not in there.host and port_is_possible
    except (httpx.InvalidURL, ValueError, UnicodeError):
        is_address = False
    if not is_address:
        return f"{said} is not the address of a proxy.", like
    if kind in SOCKS and find_spec("socksio") is None:
        return f"{said} is a SOCKS proxy, for which a package is missing.", (
            f"Run: pip install 'httpx[socks]'. Or unset {name}; {ANEW}"
        )
    return None


class _Unusable(httpx.AsyncBaseTransport):
    """Stands for a proxy that cannot be used: each request by it is refused unsent."""

    def __init__(self, message: str, hint: str) -> None:
        self._said = message, hint

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request  # which holds the key, while a traceback may show this frame
        raise NetworkSettingsError(*self._said)


def _variable(scheme: str) -> str:
    """Name the variable from which a proxy comes; the lower case one wins, as in `getproxies`."""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next((name for name in names if os.environ.get(name)), "The system's proxy setting")


def _without_password(proxy: str) -> str:
    """Give scheme, host and port of a proxy's address; empty if a password may be among them."""
    try:
        parts = urlsplit(proxy)
        if "@" in proxy.replace(parts.netloc, "", 1):  # an unquoted sign in a password cut it
            return ""
        host = parts.netloc.rpartition("@")[2]
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        if "@" in proxy:
            return ""
        # What stands for a port may be a password, with the host forgotten.
        scheme, _, rest = proxy.partition("://")
        return f"{scheme}://{rest.partition(':')[0]}:..."
    return f"{parts.scheme}://{host}"


def _pattern(host: str) -> str:
    """An entry of ``NO_PROXY`` as a pattern of httpx; a domain stands for those below it, too."""
    if "://" in host:
        return host
    host = host.removesuffix(":*")  # any port
    if host.lower() == "localhost":
        return f"all://{host}"
    plain = host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(plain.partition("/")[0])
    except ValueError:
        if host.startswith("["):  # with a port
            return f"all://{host}"
        # "*.example.com" is what others write for ".example.com".
        return f"all://*{host[1:] if host.startswith('*.') else host}"
    return f"all://{plain}" if address.version == 4 else f"all://[{plain}]"  # noqa: PLR2004


def _is_readable(pattern: str) -> bool:
    try:
        return bool(httpx.URL(pattern).host)
    except (httpx.InvalidURL, ValueError, UnicodeError):
        return False
