"""Proxies and certificates from this computer's network settings.

httpx reads the same environment variables, but fails with obscure errors if one is invalid. This
module reports each problem as a sentence that names the variable. A proxy's user name and password
are never shown.
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
THEN_RESTART = "then restart the kernel or the script."


# ---------------------------------------------------------------- certificates


def ssl_context(*, trust_env: bool) -> ssl.SSLContext:
    """Load the root certificates.

    Parameters
    ----------
    trust_env : bool
        Whether ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` replace the built-in certificates.

    Raises
    ------
    NetworkSettingsError
        If the certificates cannot be read.
    """
    file = os.environ.get(CERT_FILE) if trust_env else None
    folders = os.environ.get(CERT_DIR) if trust_env else None
    if folders and not file and not any(map(os.path.isdir, folders.split(os.pathsep))):
        raise NetworkSettingsError(
            f"{CERT_DIR} is {folders}, which is not a folder.",
            f"Correct it or unset it, {THEN_RESTART}",
        )
    try:
        return httpx.create_ssl_context(trust_env=trust_env)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        problem = error
    key_log = os.environ.get(KEY_LOG)
    if key_log and not _can_append(key_log):
        raise NetworkSettingsError(
            f"{KEY_LOG} is {key_log}, which cannot be written.",
            f"Correct it or unset it, {THEN_RESTART}",
        )
    if file:
        raise NetworkSettingsError(
            f"{CERT_FILE} is {file}, {_unreadable(problem)}.",
            f"Set it to a file of root certificates in PEM format, or unset it, {THEN_RESTART}",
        )
    raise NetworkSettingsError(
        f"No root certificates could be read: {_unreadable(problem)}.",
        f"Reinstall certifi, or set {CERT_FILE} to a file of root certificates in PEM format.",
    )


def _unreadable(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) or not isinstance(error, OSError):
        return "which has no certificates in PEM format"
    if isinstance(error, FileNotFoundError):
        return "which does not exist"
    return f"which cannot be read ({(error.strerror or type(error).__name__).lower()})"


def _can_append(path: str) -> bool:
    try:
        with Path(path).open("ab"):
            return True
    except (OSError, ValueError):
        return False


def certificate_hint(text: str) -> str:
    """Return what to do about a certificate that was not accepted.

    Parameters
    ----------
    text : str
        OpenSSL's message.
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
            f"to a PEM file that contains it, {THEN_RESTART}"
        )
    return (
        f"{set_to} is {os.environ[set_to]} and replaces the built-in root certificates: add the "
        f"root certificate of your network or service to it (PEM format), {THEN_RESTART}"
    )


# ---------------------------------------------------------------- proxies


def proxy_routes() -> dict[str, str | None]:
    """Map URL patterns, as httpx writes them, to the environment's proxies; None for no proxy.

    httpx does the same in a private function. ``NO_PROXY`` entries that no URL can match are left
    out.
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
    """Create a transport for each URL pattern with a proxy: the ``mounts`` of an httpx client.

    An unusable proxy is an error only for requests that need it: a desktop that sets ``ALL_PROXY``
    to an unsupported kind usually sets the other variables as well.

    Parameters
    ----------
    transport : callable
        Creates the transport for a proxy's address.
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
    """List the problems with the settings, each as a sentence."""
    found = []
    try:
        ssl_context(trust_env=True)
    except NetworkSettingsError as error:
        found.append(str(error))
    for pattern, proxy in proxy_routes().items():
        problem = proxy_problem(pattern.partition(":")[0], proxy) if proxy else None
        found += [" ".join(problem)] if problem else []
    return found


def proxy_problem(scheme: str, proxy: str) -> tuple[str, str] | None:
    """Return why a proxy cannot be used and what to do; None if it can be used.

    Parameters
    ----------
    scheme : str
        The scheme of the URLs that would use the proxy: ``"http"``, ``"https"`` or ``"all"``.
    proxy : str
        The proxy's address.
    """
    name = _variable(scheme)
    shown = _without_password(proxy)
    setting = f"{name} ({shown})" if shown else f"{name} (not shown: it may contain a password)"
    hint = f"Set it to an address like http://proxy.example:8080, or unset it, {THEN_RESTART}"
    kind = proxy.partition("://")[0].lower()
    if kind not in SCHEMES:
        return f"{setting} begins with {kind}://, which is not supported.", (
            f"Use http://, https:// or socks5://, or unset it, {THEN_RESTART}"
        )
    try:
        url = httpx.URL(proxy)
        httpx.Proxy(url)  # stricter than httpx.URL
        port_is_possible = url.port is None or 0 < url.port < 65536  # noqa: PLR2004
        is_address = bool(url.host) and "%" not in url.host and port_is_possible
    except (httpx.InvalidURL, ValueError, UnicodeError):
        is_address = False
    if not is_address:
        return f"{setting} is not the address of a proxy.", hint
    if kind in SOCKS and find_spec("socksio") is None:
        return f"{setting} is a SOCKS proxy, which needs another package.", (
            f"Run: pip install 'httpx[socks]'. Or unset the proxy; {THEN_RESTART}"
        )
    return None


class _Unusable(httpx.AsyncBaseTransport):
    """A transport that rejects each request that needs an unusable proxy."""

    def __init__(self, message: str, hint: str) -> None:
        self._problem = message, hint

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request  # it contains the key, and a traceback may print local variables
        raise NetworkSettingsError(*self._problem)


def _variable(scheme: str) -> str:
    """Return the variable that sets a proxy; as in `getproxies`, lower case wins."""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next((name for name in names if os.environ.get(name)), "The system's proxy setting")


def _without_password(proxy: str) -> str:
    """Return a proxy's scheme, host and port; empty if they may contain a password."""
    try:
        parts = urlsplit(proxy)
        if "@" in proxy.replace(
            parts.netloc, "", 1
        ):  # split at an unquoted character in a password
            return ""
        host = parts.netloc.rpartition("@")[2]
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        if "@" in proxy:
            return ""
        # If the host is missing, the "port" is a password.
        scheme, _, rest = proxy.partition("://")
        return f"{scheme}://{rest.partition(':')[0]}:..."
    return f"{parts.scheme}://{host}"


def _pattern(host: str) -> str:
    """Write an entry of ``NO_PROXY`` as a pattern of httpx; a domain includes its subdomains."""
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
        # "*.example.com" means ".example.com".
        return f"all://*{host[1:] if host.startswith('*.') else host}"
    return f"all://{plain}" if address.version == 4 else f"all://[{plain}]"  # noqa: PLR2004


def _is_readable(pattern: str) -> bool:
    try:
        return bool(httpx.URL(pattern).host)
    except (httpx.InvalidURL, ValueError, UnicodeError):
        return False
