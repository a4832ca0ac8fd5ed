"""The base URL of the API: its default, and the check of a custom one."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx

from ..errors import InvalidInputError
from ..utils import arguments
from .connections import LOOPBACK

DEFAULT_BASE_URL = "https://api.wondercat.ai/api/v1"


def normalize_base_url(base_url: str) -> str:
    """Check a base URL and convert it to the form that the journal uses.

    Returns
    -------
    str
        The URL without a trailing slash and without a default port.

    Raises
    ------
    InvalidInputError
        If the URL is not an http(s) URL, or would send the key unencrypted over a network.
    """
    arguments.require_type(base_url, str, "a base URL as a string")
    base_url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
        parts.port  # noqa: B018 - raises if the port is not a number
        httpx.URL(base_url).host  # noqa: B018 - httpx must be able to read it, too
    except (ValueError, httpx.InvalidURL):
        host = None
    if host is None or parts.scheme not in {"http", "https"} or set("@?#") & set(base_url):
        raise InvalidInputError(
            "base_url",
            # The part before an @ may be a password, so it is not shown.
            f"{base_url.rpartition('@')[2]!r} is not the address of an API.",
            f"Use an address such as {DEFAULT_BASE_URL}.",
        )
    if parts.scheme == "http" and host not in LOOPBACK:
        raise InvalidInputError(
            "base_url",
            f"{base_url!r} would send the API key unencrypted.",
            "Use https:// (plain http is accepted only for this computer).",
        )
    default_port = 80 if parts.scheme == "http" else 443
    port = f":{parts.port}" if parts.port not in {None, default_port} else ""
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}{port}{parts.path}"
